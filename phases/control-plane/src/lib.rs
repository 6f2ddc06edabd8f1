//! The control-plane phase of init.
