//! Objects in the cluster: what must stand there, with gaps that only a running host can fill.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::{LogicalPath, ResourceId, Secret};

/// What names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// Group and version, such as `v1` or `rbac.authorization.k8s.io/v1`.
    pub api_version: String,
    /// The kind, such as `ConfigMap`.
    pub kind: String,
    /// The namespace, unless the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// How the API server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiAccess {
    /// The kubeconfig with the credentials; `admin.conf` unless the user names another.
    pub kubeconfig: LogicalPath,
    /// The kubeconfig that may grant `admin.conf` its rights: `super-admin.conf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub super_kubeconfig: Option<LogicalPath>,
    /// The URL of this node's own API server, used in place of the one in the kubeconfig, so that
    /// a load balancer which starts later does not hold up init (kubeadm 1.37).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// An object that must stand in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSpec {
    /// Its name.
    pub id: ObjectId,
    /// Its manifest, without what [`ObjectSpec::fills`] adds.
    pub body: Value,
    /// What is put into the manifest when it is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fills: Vec<Fill>,
    /// What happens where it stands already.
    pub write: WriteStyle,
    /// JSON pointers (RFC 6901) of fields that others may have changed since, such as the number
    /// of replicas: written when the object is made, no difference later. Those of an object that
    /// is verified point into the documents of its data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<&'static str>,
}

/// What happens to an object that stands already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteStyle {
    /// It is ours: a difference in what we write is overwritten.
    Replace,
    /// It is made where it is absent and left alone where it stands.
    Retain,
    /// It says in YAML documents how the cluster was made. They are compared by meaning, and a
    /// difference is refused, unless a phase that is asked for by name writes it.
    Verify,
}

/// A gap in a manifest and what fills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fill {
    /// The JSON pointer (RFC 6901) of the gap.
    pub pointer: String,
    /// What is put there.
    pub reference: Reference,
}

/// A value that is known only on the running host. Closed: apply knows each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "value",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Reference {
    /// The kubeconfig of `cluster-info`: one unnamed cluster with this URL and the authority's
    /// certificates, as YAML.
    DiscoveryKubeconfig {
        /// The URL of the control plane.
        server: String,
        /// The certificate file of the cluster's authority.
        ca_certificate: LogicalPath,
    },
    /// The content of a file, sealed with AES-256-GCM under the certificate key and encoded as
    /// base64; the empty string where the file does not exist, as kubeadm does.
    SealedFile {
        /// The file.
        path: LogicalPath,
        /// 32 bytes as 64 hexadecimal digits.
        certificate_key: Secret<String>,
    },
    /// The UID that the API server gave to an object.
    ObjectUid(ObjectId),
}

impl ObjectSpec {
    /// What must exist before the object can be written.
    pub(crate) fn requires(&self) -> Vec<ResourceId> {
        self.referenced(|reference| match reference {
            Reference::DiscoveryKubeconfig { ca_certificate, .. } => {
                Some(ResourceId::File(ca_certificate.clone()))
            }
            Reference::ObjectUid(id) => Some(ResourceId::Object(id.clone())),
            Reference::SealedFile { .. } => None,
        })
    }

    /// What the object embeds if it is there.
    pub(crate) fn reads(&self) -> Vec<ResourceId> {
        self.referenced(|reference| match reference {
            Reference::SealedFile { path, .. } => Some(ResourceId::File(path.clone())),
            Reference::DiscoveryKubeconfig { .. } | Reference::ObjectUid(_) => None,
        })
    }

    fn referenced(&self, select: impl Fn(&Reference) -> Option<ResourceId>) -> Vec<ResourceId> {
        let references = self.fills.iter().map(|fill| &fill.reference);
        references.filter_map(select).collect()
    }
}
