//! The upload-config phase of init.
