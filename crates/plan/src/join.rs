//! What only a joining node makes: trust in the cluster, shared files, its etcd member.

use serde::Serialize;

use crate::resource::files;
use crate::{CertificateBundle, FileMode, LogicalPath, ResourceId, Secret, StaticPodSpec};

/// How a joining node reaches the cluster before it has credentials of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveryAccess {
    /// The URL of the API server, for messages.
    pub server: String,
    /// A whole kubeconfig, with a bootstrap token or other credentials.
    pub kubeconfig: Secret<String>,
}

/// A file from the Secret `kubeadm-certs`. One that exists is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedFileSpec {
    /// Where it is written.
    pub path: LogicalPath,
    /// Its mode: private for keys.
    pub mode: FileMode,
    /// Its key in the data of the Secret, such as `etcd-ca.key`.
    pub entry: String,
    /// How the Secret is read.
    pub access: DiscoveryAccess,
    /// What it is encrypted with: 32 bytes as 64 hexadecimal digits.
    pub certificate_key: Secret<String>,
}

/// The certificates of the cluster's CA. A file with other certificates is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustBundleSpec {
    /// Where they are written.
    pub path: LogicalPath,
    /// The certificates that discovery has found.
    #[serde(serialize_with = "as_text")]
    pub certificates: CertificateBundle,
}

fn as_text<S: serde::Serializer>(
    bundle: &CertificateBundle,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(bundle)
}

/// The kubeconfig of the kubelet's TLS bootstrap. There is nothing to do where the kubelet has a
/// certificate already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapKubeconfigSpec {
    /// `bootstrap-kubelet.conf`.
    pub path: LogicalPath,
    /// `kubelet.conf`, which the kubelet writes once it has a certificate.
    pub kubelet_kubeconfig: LogicalPath,
    /// The certificates of the CA that `kubelet.conf` must trust.
    #[serde(serialize_with = "as_text")]
    pub certificates: CertificateBundle,
    /// The whole text.
    pub text: Secret<String>,
}

impl BootstrapKubeconfigSpec {
    /// The mode of the file.
    pub const MODE: FileMode = FileMode::PRIVATE;
}

/// An etcd member on this node: added as a learner, started, and promoted once it has caught up.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdMemberSpec {
    /// Its name, that of the node.
    pub name: String,
    /// Where other members reach it.
    pub peer_url: String,
    /// Where clients reach it.
    pub client_url: String,
    /// The kubeconfig with which the other members are found.
    pub kubeconfig: LogicalPath,
    /// Where the API server of the cluster is asked for them.
    pub server: String,
    /// The certificate of etcd's CA.
    pub ca: LogicalPath,
    /// The client certificate.
    pub certificate: LogicalPath,
    /// The client key.
    pub key: LogicalPath,
    /// The directory of its data.
    pub data_dir: LogicalPath,
    /// Its static pod, with [`EtcdMemberSpec::MEMBERS`] where the members are listed.
    pub pod: StaticPodSpec,
    /// How long it may take to start and to catch up, in seconds.
    pub limit_seconds: u64,
}

impl EtcdMemberSpec {
    /// What stands for the value of `--initial-cluster`, which is known once the member is added.
    pub const MEMBERS: &'static str = "<members>";

    pub(crate) fn requires(&self) -> Vec<ResourceId> {
        let mut ids = files([&self.kubeconfig, &self.ca, &self.certificate, &self.key]);
        // The kubelet starts the member that is then promoted.
        ids.push(ResourceId::Kubelet);
        ids
    }
}
