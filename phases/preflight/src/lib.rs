//! The preflight phase of init.
