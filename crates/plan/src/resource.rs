//! Resources: what an action ensures, each as a specification.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::join::{BootstrapKubeconfigSpec, EtcdMemberSpec, SharedFileSpec, TrustBundleSpec};
use crate::{
    ApiAccess, CertificateAuthoritySpec, CertificateSpec, FileMode, KeyPairSpec, KubeconfigSpec,
    LogicalPath, ObjectId, ObjectSpec, ResourceId, Secret, Signer,
};

/// Something that exists as specified once its action has run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "resource", rename_all = "kebab-case")]
pub enum Resource {
    /// An image in the container runtime's store.
    Image(ImagePull),
    /// A CA and its key.
    CertificateAuthority(CertificateAuthoritySpec),
    /// A leaf certificate and its key.
    Certificate(CertificateSpec),
    /// A key pair.
    KeyPair(KeyPairSpec),
    /// A kubeconfig.
    Kubeconfig(KubeconfigSpec),
    /// A directory with a mode.
    Directory(DirectorySpec),
    /// A file with a text.
    File(FileSpec),
    /// The manifest of a static pod.
    StaticPod(StaticPodSpec),
    /// A unit of the init system that runs, started after its files were last written.
    Unit(UnitSpec),
    /// The binding of `admin.conf`'s group to `cluster-admin`; where RBAC forbids `admin.conf` to
    /// make it, `super-admin.conf` makes it.
    ClusterAdmins(ApiAccess),
    /// An object in the cluster.
    Object {
        /// How the API server is reached.
        access: ApiAccess,
        /// The object.
        object: Box<ObjectSpec>,
    },
    /// Labels and taints of a node.
    NodeMark {
        /// How the API server is reached.
        access: ApiAccess,
        /// The node, its labels and taints.
        mark: NodeMark,
    },
    /// A bootstrap token.
    BootstrapToken {
        /// How the API server is reached.
        access: ApiAccess,
        /// The token.
        token: BootstrapTokenSpec,
    },
    /// A `kubelet.conf` that points at the client certificate which the kubelet renews itself.
    ClientRotation(ClientRotation),
    /// A file that all control planes share, taken from the Secret `kubeadm-certs`.
    SharedFile(SharedFileSpec),
    /// The certificates of the cluster's CA, by which a joining node knows the cluster.
    TrustBundle(TrustBundleSpec),
    /// The kubeconfig with which a joining kubelet asks for its first certificate.
    BootstrapKubeconfig(BootstrapKubeconfigSpec),
    /// This node's etcd as a voting member of the cluster's, with its static pod.
    EtcdMember(EtcdMemberSpec),
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectorySpec {
    /// Where it is.
    pub path: LogicalPath,
    /// Its mode, set when it is made. An existing directory keeps its own.
    pub mode: FileMode,
}

/// A text file, such as the kubelet's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSpec {
    /// Where it is. Missing parent directories are made with mode 0755.
    pub path: LogicalPath,
    /// Its mode.
    pub mode: FileMode,
    /// Its whole text.
    pub text: String,
}

/// The manifest of a static pod, which a running kubelet starts as soon as it lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaticPodSpec {
    /// The manifest.
    #[serde(flatten)]
    pub file: FileSpec,
    /// The images that it runs and the files that its mounts and arguments name: all of those that
    /// this run makes are there before the manifest is.
    pub reads: Vec<ResourceId>,
}

/// An image that the node will run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagePull {
    /// The full name with its tag.
    pub image: String,
    /// When it is pulled.
    pub policy: PullPolicy,
    /// The CRI socket of the runtime.
    pub socket: String,
    /// Whether images are pulled one after another (`imagePullSerial`).
    pub serial: bool,
    /// Whether a failure is only a warning (`--ignore-preflight-errors=ImagePull`).
    pub ignored: bool,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum PullPolicy {
    /// Even if it is there.
    Always,
    /// If it is not there.
    #[default]
    IfNotPresent,
    /// Never; its absence is an error.
    Never,
}

/// A unit of the init system. It is started where it does not run, and restarted where it has run
/// since before one of its files was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitSpec {
    /// The name without its suffix, such as `kubelet`.
    pub name: &'static str,
    /// Files that it requires to start.
    pub files: Vec<LogicalPath>,
    /// Files that it starts without too, and reads if they are there. A newer one is a reason to
    /// restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<LogicalPath>,
    /// What must be there first if this run makes it, and is no reason to restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<LogicalPath>,
    /// Manifests of static pods. A kubelet that has never reached an API server does not replace
    /// the pod of a changed manifest that keeps crashing; one that is restarted does (seen with
    /// 1.37). So a pod of an older manifest is a reason to restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<LogicalPath>,
    /// Whether a unit that does not run is left alone.
    pub only_if_running: bool,
}

/// Labels and taints of a node. Nothing is ever taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeMark {
    /// The node.
    pub node: String,
    /// Labels with an empty value.
    pub labels: Vec<&'static str>,
    /// Taints that it must carry.
    pub taints: Vec<Taint>,
    /// Annotations, for Kubernetes minors that keep the CRI socket in one.
    pub annotations: Vec<(&'static str, String)>,
    /// How long the node may take to register, in seconds.
    pub limit_seconds: u64,
}

/// A taint (Kubernetes core/v1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A bootstrap token (Kubernetes secret type `bootstrap.kubernetes.io/token`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootstrapTokenSpec {
    /// The public part, six characters.
    pub id: String,
    /// The secret part, sixteen characters.
    pub secret: Secret<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it ends; never, if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// `signing`, `authentication`.
    pub usages: Vec<String>,
    /// The groups of its user.
    pub groups: Vec<String>,
    /// Whether init drew it. Then a live token that an earlier init drew is as good, and keeps
    /// its own end.
    pub drawn: bool,
    /// For a drawn one: how many others of the same description, usages and groups must be in the
    /// cluster before one counts as this. So each of several finds a token of its own there.
    #[serde(skip_serializing_if = "is_zero")]
    pub alike: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl BootstrapTokenSpec {
    /// The Secret that holds it.
    pub fn object_id(&self) -> ObjectId {
        Self::object_id_of(&self.id)
    }

    /// Returns the Secret that holds the token with an ID.
    pub fn object_id_of(id: &str) -> ObjectId {
        ObjectId {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(crate::constants::KUBE_SYSTEM.to_owned()),
            name: format!("bootstrap-token-{id}"),
        }
    }
}

/// The kubelet's own renewal of its client certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientRotation {
    /// `kubelet.conf`.
    pub kubeconfig: LogicalPath,
    /// The user in it, `system:node:<name>`.
    pub user: String,
    /// The link that the kubelet keeps pointing at its newest certificate and key.
    pub certificate: LogicalPath,
    /// The components that must be healthy first, where this run waits for them: what follows is a
    /// restart of the kubelet.
    pub after: Vec<&'static str>,
}

/// The files of a signing CA.
fn signer_files(signer: &Signer) -> Vec<ResourceId> {
    files([&signer.certificate, &signer.key])
}

pub(crate) fn files<'a>(paths: impl IntoIterator<Item = &'a LogicalPath>) -> Vec<ResourceId> {
    paths.into_iter().cloned().map(ResourceId::File).collect()
}

/// What every request to the API server requires.
pub(crate) fn api(access: &ApiAccess) -> Vec<ResourceId> {
    vec![
        ResourceId::File(access.kubeconfig.clone()),
        ResourceId::ApiServer,
    ]
}

impl Resource {
    /// What must exist before this can be ensured.
    pub(crate) fn requires(&self) -> Vec<ResourceId> {
        match self {
            Self::Image(_)
            | Self::CertificateAuthority(_)
            | Self::KeyPair(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::StaticPod(_)
            | Self::SharedFile(_)
            | Self::TrustBundle(_)
            | Self::BootstrapKubeconfig(_) => Vec::new(),
            Self::Certificate(spec) => signer_files(&spec.signer),
            Self::Kubeconfig(spec) => signer_files(&spec.signer),
            Self::Unit(spec) => files(&spec.files),
            Self::ClusterAdmins(access)
            | Self::NodeMark { access, .. }
            | Self::BootstrapToken { access, .. } => api(access),
            Self::Object { access, object } => {
                let mut ids = api(access);
                ids.extend(object.requires());
                ids
            }
            Self::ClientRotation(spec) => files([&spec.kubeconfig]),
            Self::EtcdMember(spec) => spec.requires(),
        }
    }

    /// What this uses if it is there: it runs after the actions that write it.
    pub(crate) fn reads(&self) -> Vec<ResourceId> {
        match self {
            Self::StaticPod(spec) => spec.reads.clone(),
            Self::Unit(spec) => files(spec.pods.iter().chain(&spec.reads).chain(&spec.optional)),
            Self::NodeMark { .. } | Self::BootstrapToken { .. } => vec![ResourceId::AdminRights],
            Self::Object { object, .. } => {
                let mut ids = object.reads();
                ids.push(ResourceId::AdminRights);
                ids
            }
            Self::ClusterAdmins(access) => files(&access.super_kubeconfig),
            // The restart of the kubelet that follows must not disturb the start of the pods.
            Self::ClientRotation(spec) => spec
                .after
                .iter()
                .copied()
                .map(ResourceId::Healthy)
                .collect(),
            Self::EtcdMember(spec) => spec.pod.reads.clone(),
            Self::Image(_)
            | Self::CertificateAuthority(_)
            | Self::Certificate(_)
            | Self::KeyPair(_)
            | Self::Kubeconfig(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::SharedFile(_)
            | Self::TrustBundle(_)
            | Self::BootstrapKubeconfig(_) => Vec::new(),
        }
    }

    /// What exists once this is ensured.
    pub(crate) fn gives(&self) -> Vec<ResourceId> {
        match self {
            Self::Image(pull) => {
                let mut ids = vec![ResourceId::Image(pull.image.clone())];
                ids.extend(pull.serial.then_some(ResourceId::ImageQueue));
                ids
            }
            Self::CertificateAuthority(spec) => files([&spec.certificate, &spec.key]),
            Self::Certificate(spec) => files([&spec.certificate, &spec.key]),
            Self::KeyPair(spec) => files([&spec.private_key, &spec.public_key]),
            Self::Kubeconfig(spec) => files([&spec.path]),
            Self::Directory(spec) => vec![ResourceId::Directory(spec.path.clone())],
            Self::File(spec) => files([&spec.path]),
            Self::StaticPod(spec) => files([&spec.file.path]),
            Self::ClientRotation(spec) => files([&spec.kubeconfig]),
            Self::SharedFile(spec) => files([&spec.path]),
            Self::TrustBundle(spec) => files([&spec.path]),
            Self::BootstrapKubeconfig(spec) => files([&spec.path]),
            Self::EtcdMember(spec) => files([&spec.pod.file.path]),
            // A started kubelet starts the API server. Where no action waits for it, API calls
            // follow at once, and retry.
            Self::Unit(spec) if !spec.only_if_running => {
                vec![ResourceId::Kubelet, ResourceId::ApiServer]
            }
            Self::Unit(_) => vec![ResourceId::Kubelet],
            Self::ClusterAdmins(_) => vec![ResourceId::AdminRights],
            Self::Object { object, .. } => vec![ResourceId::Object(object.id.clone())],
            Self::NodeMark { mark, .. } => vec![ResourceId::Node(mark.node.clone())],
            Self::BootstrapToken { token, .. } => vec![
                ResourceId::Object(token.object_id()),
                ResourceId::BootstrapTokens,
            ],
        }
    }
}

/// The resource in a few words, the same in every message about it.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(pull) => write!(f, "image {}", pull.image),
            Self::CertificateAuthority(spec) => write!(f, "CA {} ({})", spec.id, spec.certificate),
            Self::Certificate(spec) => {
                write!(f, "certificate {} ({})", spec.name, spec.certificate)
            }
            Self::KeyPair(spec) => write!(f, "key pair {}", spec.private_key),
            Self::Kubeconfig(spec) => write!(f, "kubeconfig {}", spec.path),
            Self::Directory(spec) => write!(f, "directory {}", spec.path),
            Self::File(spec) => write!(f, "file {}", spec.path),
            Self::StaticPod(spec) => write!(f, "static pod {}", spec.file.path),
            Self::Unit(spec) if spec.pods.is_empty() => write!(f, "unit {}", spec.name),
            Self::Unit(spec) => write!(f, "unit {} with its static pods", spec.name),
            Self::ClusterAdmins(_) => {
                write!(f, "ClusterRoleBinding {}", crate::groups::CLUSTER_ADMINS)
            }
            Self::Object { object, .. } => object.id.fmt(f),
            Self::NodeMark { mark, .. } => write!(f, "labels and taints of node {}", mark.node),
            Self::BootstrapToken { token, .. } if token.drawn => f.write_str("bootstrap token"),
            Self::BootstrapToken { token, .. } => write!(f, "bootstrap token {}", token.id),
            Self::ClientRotation(spec) => {
                write!(f, "rotated client certificate in {}", spec.kubeconfig)
            }
            Self::SharedFile(spec) => write!(f, "shared file {}", spec.path),
            Self::TrustBundle(spec) => write!(f, "CA certificates {}", spec.path),
            Self::BootstrapKubeconfig(spec) => write!(f, "kubeconfig {}", spec.path),
            Self::EtcdMember(spec) => write!(f, "etcd member {}", spec.name),
        }
    }
}
