//! The kubelet-finalize phase of init.
