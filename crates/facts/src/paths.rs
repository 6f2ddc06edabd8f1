//! Where everything lies on the node, by kubeadm's names.

use rinit_config::v1beta4::ClusterConfiguration;
use rinit_plan::{CaId, LogicalPath, PathError, Signer, defaults};
use serde::Serialize;

use crate::overrides::Overrides;

/// The field of the directory of certificates.
pub(crate) const CERTIFICATES: &str = "certificatesDir";
/// The flag of the directory of kubeconfigs.
pub(crate) const KUBECONFIGS: &str = "kubeconfig-dir";

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
    /// Where everything lies by the configuration and the flags. A path that cannot be used is
    /// returned with the field or flag that names it, and the default counts.
    pub fn of(
        cluster: Option<&ClusterConfiguration>,
        overrides: &Overrides,
    ) -> (Self, Vec<(&'static str, PathError)>) {
        let mut wrong = Vec::new();
        let mut path = |name, written: Option<&str>, usual| {
            let parsed = written.map(LogicalPath::parse);
            if let Some(Err(error)) = &parsed {
                wrong.push((name, error.clone()));
            }
            match parsed {
                Some(Ok(path)) => path,
                _ => LogicalPath::parse(usual)
                    .unwrap_or_else(|_| unreachable!("{usual} is absolute")),
            }
        };
        let configured = cluster.and_then(|cluster| cluster.certificates_dir.as_deref());
        let certificates = overrides.cert_dir.as_deref().or(configured);
        let paths = Self {
            certificates: path(CERTIFICATES, certificates, defaults::CERTIFICATES_FOLDER),
            kubeconfigs: path(
                KUBECONFIGS,
                overrides.kubeconfig_dir.as_deref(),
                defaults::KUBERNETES_FOLDER,
            ),
            manifests: path("", None, defaults::MANIFESTS_FOLDER),
            kubelet: path("", None, defaults::KUBELET_FOLDER),
        };
        (paths, wrong)
    }

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
