//! The etcd phase of init.
