//! The kubeconfig phase of init.
