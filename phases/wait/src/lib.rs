//! The wait phase of init.
