//! The bootstrap-token phase of init.
