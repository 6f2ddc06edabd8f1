//! The mark phase of init.
