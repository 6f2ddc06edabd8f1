//! Actions: the closed list of what rinit can make hold, and plans made of them.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    ApiAccess, Artefact, CertificateAuthoritySpec, CertificateSpec, Check, FileMode, KeyPairSpec,
    KubeconfigSpec, LogicalPath, ObjectId, ObjectSpec, Secret, Signer,
};

/// What one leaf phase wants to hold, in order, and what it has to say about it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// What must hold.
    pub actions: Vec<Action>,
    /// What the user should know, such as why the plan is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Plan {
    /// A plan of these actions.
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        Self {
            actions: actions.into_iter().collect(),
            notes: Vec::new(),
        }
    }

    /// A plan without actions, and why.
    pub fn nothing(note: impl Into<String>) -> Self {
        Self {
            actions: Vec::new(),
            notes: vec![note.into()],
        }
    }

    /// The same plan with one more remark.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// One thing that must hold. Closed: a new kind of effect is a reviewed change, and every place
/// that handles actions is an exhaustive match.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// A preflight check passes.
    Check(Check),
    /// An image is in the container runtime's store.
    Image(ImagePull),
    /// A certificate authority exists.
    CertificateAuthority(CertificateAuthoritySpec),
    /// A leaf certificate and its key exist.
    Certificate(CertificateSpec),
    /// A key pair exists.
    KeyPair(KeyPairSpec),
    /// A kubeconfig exists.
    Kubeconfig(KubeconfigSpec),
    /// A folder exists with this mode.
    Directory(DirectorySpec),
    /// A file has this text.
    File(FileSpec),
    /// A unit of the init system runs, started after the newest of its files was written.
    Unit(UnitSpec),
    /// Something answers.
    Wait(WaitSpec),
    /// The group of `admin.conf` is bound to `cluster-admin`; where RBAC forbids `admin.conf` to
    /// say so, `super-admin.conf` says it.
    ClusterAdmins(ApiAccess),
    /// An object stands in the cluster.
    Object {
        /// How the API server is reached.
        access: ApiAccess,
        /// The object.
        object: Box<ObjectSpec>,
    },
    /// A node carries labels and taints.
    NodeMark {
        /// How the API server is reached.
        access: ApiAccess,
        /// The node, its labels and taints.
        mark: NodeMark,
    },
    /// A bootstrap token exists.
    BootstrapToken {
        /// How the API server is reached.
        access: ApiAccess,
        /// The token.
        token: BootstrapTokenSpec,
    },
    /// `kubelet.conf` points at the client certificate that the kubelet renews itself.
    ClientRotation(ClientRotation),
    /// The key under which this run uploads certificates is known to the user.
    CertificateKey {
        /// The uploaded certificates.
        uploaded: ObjectId,
        /// The key, drawn for this run.
        key: Secret<String>,
    },
    /// The join commands are known to the user.
    JoinCommand(JoinCommandSpec),
    /// Never holds: what the user asked for cannot be planned, such as a patch that does not fit.
    Refuse {
        /// What is wrong, and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectorySpec {
    /// Where it is.
    pub path: LogicalPath,
    /// Its mode, set when it is made. An existing folder keeps its own.
    pub mode: FileMode,
}

/// A text file. Static pods and the kubelet's configuration are such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSpec {
    /// Where it is. Missing parent folders are made with mode 0755.
    pub path: LogicalPath,
    /// Its mode.
    pub mode: FileMode,
    /// Its whole text.
    pub text: String,
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

/// A unit of the init system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitSpec {
    /// The name without its suffix, such as `kubelet`.
    pub name: &'static str,
    /// Files that it reads when it starts, and needs.
    pub files: Vec<LogicalPath>,
    /// Files that it reads while it runs, if they are there: the static pods. A kubelet that has
    /// never reached an API server does not replace a static pod that keeps crashing; one that is
    /// started again does (seen with 1.37).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<LogicalPath>,
    /// Whether the files are only worth a restart where a unit runs at all.
    pub only_if_running: bool,
}

/// Something that must answer before the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitSpec {
    /// What must answer.
    pub target: WaitTarget,
    /// How long it may take, in seconds.
    pub limit_seconds: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "target",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum WaitTarget {
    /// The kubelet's health endpoint answers 200.
    Kubelet {
        /// The URL, such as `http://127.0.0.1:10248/healthz`.
        url: String,
    },
    /// The health endpoint of a static pod answers 200. Address and port are read from its
    /// manifest, so that a user's arguments are followed.
    StaticPod {
        /// The component, such as `kube-apiserver`.
        component: &'static str,
        /// Its manifest.
        manifest: LogicalPath,
        /// The address where the manifest names none.
        default_address: String,
        /// The kubeconfig whose credentials are shown, where anonymous requests may be refused.
        credentials: Option<LogicalPath>,
    },
}

impl WaitTarget {
    /// The component that is waited for.
    pub fn component(&self) -> &'static str {
        match self {
            Self::Kubelet { .. } => "kubelet",
            Self::StaticPod { component, .. } => component,
        }
    }
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
        ObjectId {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(crate::constants::KUBE_SYSTEM.to_owned()),
            name: format!("bootstrap-token-{}", self.id),
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
}

/// What the join commands are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says how one thing is shown"
)]
#[serde(rename_all = "camelCase")]
pub struct JoinCommandSpec {
    /// How the API server is reached, to find a live token.
    pub access: ApiAccess,
    /// `host:port` of the control plane.
    pub endpoint: String,
    /// The cluster's authority, whose public key joiners pin.
    pub ca_certificate: LogicalPath,
    /// The tokens, in order.
    pub tokens: Vec<BootstrapTokenSpec>,
    /// Whether a control plane may join: only with a stable endpoint.
    pub control_plane: bool,
    /// The certificate key, if the certificates were uploaded.
    pub certificate_key: Option<Secret<String>>,
    /// Whether that key was drawn for this run, so that it is worth nothing unless this run
    /// uploads under it.
    pub certificate_key_drawn: bool,
    /// Whether tokens are shown as `<value withheld>`.
    pub withhold_token: bool,
    /// Whether the certificate key is shown as `<value withheld>`.
    pub withhold_certificate_key: bool,
}

/// Which actions may run side by side: those next to each other in one lane, as far as none
/// [follows](Action::follows) another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Authorities, certificates, keys and kubeconfigs. Other files are of no lane: a manifest does
    /// not say what it names, and a kubelet that runs already starts the static pod at once.
    Credentials,
    /// Preflight checks.
    Checks,
    /// Image pulls that are not serial.
    Images,
    /// Health endpoints.
    Waits,
    /// Objects in the cluster.
    Objects,
}

impl Lane {
    /// Whether neighbours of several phases may run side by side.
    pub fn crosses_phases(self) -> bool {
        self == Self::Credentials
    }
}

impl Action {
    /// What must be there before this can be made to hold.
    pub fn needs(&self) -> Vec<Artefact> {
        let signer = |signer: &Signer| {
            vec![
                Artefact::File(signer.certificate.clone()),
                Artefact::File(signer.key.clone()),
            ]
        };
        let api = |access: &ApiAccess| {
            vec![
                Artefact::File(access.kubeconfig.clone()),
                Artefact::ApiServer,
            ]
        };
        match self {
            Self::Check(_)
            | Self::Image(_)
            | Self::CertificateAuthority(_)
            | Self::KeyPair(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::Refuse { .. } => Vec::new(),
            Self::Certificate(spec) => signer(&spec.signer),
            Self::Kubeconfig(spec) => signer(&spec.signer),
            Self::Unit(spec) => spec.files.iter().cloned().map(Artefact::File).collect(),
            Self::Wait(spec) => match &spec.target {
                WaitTarget::Kubelet { .. } => Vec::new(),
                WaitTarget::StaticPod {
                    manifest,
                    credentials,
                    ..
                } => std::iter::once(manifest)
                    .chain(credentials)
                    .cloned()
                    .map(Artefact::File)
                    .collect(),
            },
            Self::ClusterAdmins(access)
            | Self::NodeMark { access, .. }
            | Self::BootstrapToken { access, .. } => api(access),
            Self::Object { access, object } => {
                let mut needs = api(access);
                needs.extend(object.needs());
                needs
            }
            Self::ClientRotation(spec) => vec![Artefact::File(spec.kubeconfig.clone())],
            Self::CertificateKey { uploaded, .. } => vec![Artefact::Object(uploaded.clone())],
            Self::JoinCommand(spec) => {
                let mut needs = vec![Artefact::File(spec.ca_certificate.clone())];
                if spec.tokens.iter().any(|token| token.drawn) && !spec.withhold_token {
                    needs.extend(api(&spec.access));
                }
                needs
            }
        }
    }

    /// What may make this hold no longer when it changes: what it needs, and what it watches.
    pub fn hangs_on(&self) -> Vec<Artefact> {
        let mut artefacts = self.needs();
        if let Self::Unit(spec) = self {
            artefacts.extend(spec.watched.iter().cloned().map(Artefact::File));
        }
        artefacts
    }

    /// Whether it must wait for one that comes before it in the plan: for what that one makes and
    /// this one hangs on, or makes too.
    pub fn follows(&self, earlier: &Self) -> bool {
        let given = earlier.gives();
        let mut touched = self.hangs_on().into_iter().chain(self.gives());
        touched.any(|artefact| given.contains(&artefact))
    }

    /// What is there once this holds.
    pub fn gives(&self) -> Vec<Artefact> {
        let files = |paths: &[&LogicalPath]| {
            paths
                .iter()
                .map(|path| Artefact::File((*path).clone()))
                .collect::<Vec<_>>()
        };
        match self {
            Self::CertificateAuthority(spec) => files(&[&spec.certificate, &spec.key]),
            Self::Certificate(spec) => files(&[&spec.certificate, &spec.key]),
            Self::KeyPair(spec) => files(&[&spec.private_key, &spec.public_key]),
            Self::Kubeconfig(spec) => files(&[&spec.path]),
            Self::Directory(spec) => files(&[&spec.path]),
            Self::File(spec) => files(&[&spec.path]),
            Self::ClientRotation(spec) => files(&[&spec.kubeconfig]),
            // A started kubelet starts the API server, so that API phases may follow without the
            // wait in between; they retry.
            Self::Unit(_) => vec![Artefact::Kubelet, Artefact::ApiServer],
            Self::Wait(spec) => match &spec.target {
                WaitTarget::Kubelet { .. } => vec![Artefact::Kubelet],
                WaitTarget::StaticPod {
                    component: "kube-apiserver",
                    ..
                } => {
                    vec![Artefact::ApiServer]
                }
                WaitTarget::StaticPod { .. } => Vec::new(),
            },
            Self::Object { object, .. } => vec![Artefact::Object(object.id.clone())],
            Self::BootstrapToken { token, .. } => vec![Artefact::Object(token.object_id())],
            Self::Check(_)
            | Self::Image(_)
            | Self::ClusterAdmins(_)
            | Self::NodeMark { .. }
            | Self::CertificateKey { .. }
            | Self::JoinCommand(_)
            | Self::Refuse { .. } => Vec::new(),
        }
    }

    /// Which neighbours it may run beside.
    pub fn lane(&self) -> Option<Lane> {
        match self {
            Self::CertificateAuthority(_)
            | Self::Certificate(_)
            | Self::KeyPair(_)
            | Self::Kubeconfig(_) => Some(Lane::Credentials),
            Self::Check(_) => Some(Lane::Checks),
            Self::Image(pull) if !pull.serial => Some(Lane::Images),
            Self::Wait(_) => Some(Lane::Waits),
            Self::Object { .. } => Some(Lane::Objects),
            _ => None,
        }
    }
}

/// The action in a few words, the same in every message about it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(check) => write!(f, "check {}", check.name),
            Self::Image(pull) => write!(f, "image {}", pull.image),
            Self::CertificateAuthority(spec) => {
                write!(
                    f,
                    "certificate authority {} ({})",
                    spec.id, spec.certificate
                )
            }
            Self::Certificate(spec) => {
                write!(f, "certificate {} ({})", spec.name, spec.certificate)
            }
            Self::KeyPair(spec) => write!(f, "key pair {}", spec.private_key),
            Self::Kubeconfig(spec) => write!(f, "kubeconfig {}", spec.path),
            Self::Directory(spec) => write!(f, "folder {}", spec.path),
            Self::File(spec) => write!(f, "file {}", spec.path),
            Self::Unit(spec) => write!(f, "unit {}", spec.name),
            Self::Wait(spec) => write!(f, "health of {}", spec.target.component()),
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
            Self::CertificateKey { .. } => f.write_str("certificate key"),
            Self::JoinCommand(_) => f.write_str("join command"),
            Self::Refuse { .. } => f.write_str("what cannot be planned"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CaId, KeyAlgorithm, Subject, Validity};

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    #[test]
    fn a_certificate_needs_its_signer_and_gives_its_pair() {
        let action = Action::Certificate(CertificateSpec {
            name: "apiserver".into(),
            certificate: path("/pki/apiserver.crt"),
            key: path("/pki/apiserver.key"),
            signer: Signer {
                id: CaId::Cluster,
                certificate: path("/pki/ca.crt"),
                key: path("/pki/ca.key"),
            },
            subject: Subject {
                common_name: "kube-apiserver".into(),
                organizations: vec![],
            },
            usages: vec![],
            dns_names: vec![],
            ip_addresses: vec![],
            algorithm: KeyAlgorithm::default(),
            validity: Validity {
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::MAX,
            },
        });
        assert_eq!(
            action.needs(),
            [
                Artefact::File(path("/pki/ca.crt")),
                Artefact::File(path("/pki/ca.key"))
            ]
        );
        assert_eq!(
            action.gives(),
            [
                Artefact::File(path("/pki/apiserver.crt")),
                Artefact::File(path("/pki/apiserver.key"))
            ]
        );
    }

    #[test]
    fn a_printed_plan_shows_no_token() {
        let plan = Plan::of([Action::BootstrapToken {
            access: ApiAccess {
                kubeconfig: path("/etc/kubernetes/admin.conf"),
                super_kubeconfig: None,
                server: None,
            },
            token: BootstrapTokenSpec {
                id: "abcdef".into(),
                secret: Secret::new("0123456789abcdef".into()),
                description: None,
                expires: None,
                usages: vec![],
                groups: vec![],
                drawn: false,
                alike: 0,
            },
        }]);
        let shown = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
        assert!(shown.contains("abcdef"), "the public part names the token");
        assert!(
            !shown.contains("0123456789abcdef"),
            "the secret part leaked: {shown}"
        );
    }
}
