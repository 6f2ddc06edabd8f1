//! Builders of Kubernetes objects, and the YAML that Kubernetes reads.
