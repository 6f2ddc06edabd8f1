//! Builders of Kubernetes objects, and the YAML that Kubernetes reads.
//!
//! Everything here turns plain data into plain data: a command line, a static pod, a patched
//! object, a kubeconfig, the text of a document. The layout of the text is that of
//! `sigs.k8s.io/yaml`, so that a file of ours and one of kubeadm can be compared byte for byte.
//!
//! This crate never reads a file, never writes one, and never decides what a cluster looks like:
//! that is in the facts.

pub mod arguments;
pub mod cluster;
pub mod discovery;
pub mod kubeconfig;
pub mod patch;
pub mod pod;
pub mod view;
pub mod yaml;
