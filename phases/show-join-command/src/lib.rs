//! The show-join-command phase of init.
