//! The kubeadm configuration documents as the user wrote them.
