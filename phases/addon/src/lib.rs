//! The addon phase of init.
