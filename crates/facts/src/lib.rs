//! The resolved cluster: everything decided before anything is done.
