//! The upload-certs phase of init.
