//! Where everything lies on the node, by kubeadm's names.

use rinit_plan::{CaId, LogicalPath, Signer};
use serde::Serialize;

/// The directories of a control-plane node. All other paths follow from these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// The certificates, `/etc/kubernetes/pki` unless configured (`certificatesDir`, `--cert-dir`).
    pub certificates: LogicalPath,
    /// The kubeconfigs, `/etc/kubernetes` unless `--kubeconfig-dir` names another.
    pub kubeconfigs: LogicalPath,
    /// The static pods, `/etc/kubernetes/manifests`.
    pub manifests: LogicalPath,
    /// The kubelet's own directory, `/var/lib/kubelet`.
    pub kubelet: LogicalPath,
}

impl Paths {
    /// A file below the certificates directory, such as `apiserver.crt` or `etcd/server.key`.
    pub fn certificate_file(&self, name: &str) -> LogicalPath {
        self.certificates.join(name)
    }

    /// The certificate file of a CA.
    pub fn ca_certificate(&self, id: CaId) -> LogicalPath {
        self.certificates.join(&format!("{}.crt", ca_base_name(id)))
    }

    /// The key file of a CA.
    pub fn ca_key(&self, id: CaId) -> LogicalPath {
        self.certificates.join(&format!("{}.key", ca_base_name(id)))
    }

    /// The certificate that signs for the cluster alone, where the CA's file holds others.
    pub fn cluster_signer_certificate(&self) -> LogicalPath {
        self.certificates.join("ca-signer.crt")
    }

    /// A CA as a signer.
    pub fn signer(&self, id: CaId) -> Signer {
        Signer {
            id,
            certificate: self.ca_certificate(id),
            key: self.ca_key(id),
        }
    }

    /// A kubeconfig by its file name, such as `admin.conf`.
    pub fn kubeconfig(&self, file_name: &str) -> LogicalPath {
        self.kubeconfigs.join(file_name)
    }

    /// The static pod manifest of a component, such as `kube-apiserver`.
    pub fn manifest(&self, component: &str) -> LogicalPath {
        self.manifests.join(&format!("{component}.yaml"))
    }

    /// The kubelet's configuration.
    pub fn kubelet_config(&self) -> LogicalPath {
        self.kubelet.join("config.yaml")
    }

    /// The part of the kubelet's configuration that is this node's alone (Kubernetes 1.34).
    pub fn kubelet_instance_config(&self) -> LogicalPath {
        self.kubelet.join("instance-config.yaml")
    }

    /// The kubelet's extra arguments, read by its systemd unit.
    pub fn kubelet_flags(&self) -> LogicalPath {
        self.kubelet.join("kubeadm-flags.env")
    }

    /// The link to the kubelet's newest own client certificate.
    pub fn kubelet_client_certificate(&self) -> LogicalPath {
        self.kubelet.join("pki/kubelet-client-current.pem")
    }
}

/// kubeadm's base name of a CA's files, below the certificates directory.
fn ca_base_name(id: CaId) -> &'static str {
    match id {
        CaId::Cluster => "ca",
        CaId::FrontProxy => "front-proxy-ca",
        CaId::Etcd => "etcd/ca",
    }
}
