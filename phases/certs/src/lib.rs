//! The certs phase of init.
