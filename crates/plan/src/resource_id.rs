//! What actions require, read and write. The order of a run is computed from these.

use std::fmt;

use serde::Serialize;

use crate::{LogicalPath, ObjectId};

/// The identity of something that one action makes and another one uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceId {
    /// A file of the node.
    File(LogicalPath),
    /// A directory of the node, and whatever lies below it.
    Directory(LogicalPath),
    /// An image in the container runtime's store.
    Image(String),
    /// The order of image pulls where they are serial.
    ImageQueue,
    /// A kubelet that runs with the configuration on disk.
    Kubelet,
    /// The health of a component, such as `kube-scheduler`.
    Healthy(&'static str),
    /// An API server of this node that accepts writes.
    ApiServer,
    /// The rights of `admin.conf`.
    AdminRights,
    /// An object in the cluster.
    Object(ObjectId),
    /// The labels, taints and annotations of a Node.
    Node(String),
    /// The bootstrap tokens of the cluster, which are looked through before one is created.
    BootstrapTokens,
}

impl ResourceId {
    /// Whether a change of one may be seen in the other: the same resource, or a directory and
    /// what lies below it.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Directory(directory), Self::File(path) | Self::Directory(path))
            | (Self::File(path), Self::Directory(directory)) => path.is_within(directory),
            _ => self == other,
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Directory(path) => path.fmt(f),
            Self::Image(image) => write!(f, "image {image}"),
            Self::ImageQueue => f.write_str("the image pulls before it"),
            Self::Kubelet => f.write_str("a running kubelet"),
            Self::Healthy(component) => write!(f, "a healthy {component}"),
            Self::ApiServer => f.write_str("an API server that answers"),
            Self::AdminRights => f.write_str("the rights of admin.conf"),
            Self::Object(id) => id.fmt(f),
            Self::Node(name) => write!(f, "Node {name}"),
            Self::BootstrapTokens => f.write_str("bootstrap tokens"),
        }
    }
}
