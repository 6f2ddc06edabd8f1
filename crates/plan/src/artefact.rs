//! What actions need and give. Dependencies between phases are computed from these.

use std::fmt;

use serde::Serialize;

use crate::{LogicalPath, ObjectId};

/// A thing at a known place that one action makes and another needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artefact {
    /// A file or folder of the node.
    File(LogicalPath),
    /// A kubelet that runs with the configuration on disk.
    Kubelet,
    /// An API server of this node that answers.
    ApiServer,
    /// An object in the cluster.
    Object(ObjectId),
}

impl fmt::Display for Artefact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Kubelet => f.write_str("a running kubelet"),
            Self::ApiServer => f.write_str("an API server that answers"),
            Self::Object(id) => id.fmt(f),
        }
    }
}
