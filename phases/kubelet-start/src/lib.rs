//! The kubelet-start phase of init.
