//! What differs by Kubernetes minor, as data.
