//! The facts themselves: plain data, shown in snapshots, with secrets hidden.

use std::fmt;
use std::net::IpAddr;

use crate::join::Join;
use ipnet::IpNet;
use jiff::Timestamp;
use rinit_config::Findings;
use rinit_diag::Problem;
use rinit_plan::{
    ApiAccess, BootstrapTokenSpec, CaId, FileMode, Gate, KeyAlgorithm, LogicalPath, PullPolicy,
    Secret, Taint, Validity, constants,
};
use rinit_versions::{KubernetesVersion, Minor};
use serde::Serialize;
use serde_json::Value;

use crate::{Paths, Settings};

/// Everything that is decided: about the cluster, about this node, and for this run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// What all control planes of the cluster have in common.
    pub cluster: ClusterSpec,
    /// This node.
    pub node: NodeSpec,
    /// What is new with every run.
    pub inputs: RunInputs,
    /// What the host decided, and how: said to the user at the start.
    pub detected: Vec<String>,
    /// What the file says that was taken as it is but may not be meant: part of what
    /// [`advise`](crate::advise) tells.
    #[serde(skip)]
    pub doubtful: Findings,
    /// The same of what the file does not say.
    pub warnings: Vec<Problem>,
}

/// What all control planes of a cluster have in common: from files and flags.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// The version of the control plane's components.
    pub version: KubernetesVersion,
    /// Its name in kubeconfigs, `kubernetes` unless configured.
    pub name: String,
    /// A stable endpoint in front of all control planes, if configured.
    pub endpoint: Option<Endpoint>,
    /// The service and pod networks.
    pub network: Network,
    /// How certificates are issued.
    pub certificates: Certificates,
    /// etcd on the control planes, or somebody else's.
    pub etcd: Etcd,
    /// What is configured for the API server.
    pub api_server: Component,
    /// What is configured for the controller manager.
    pub controller_manager: Component,
    /// What is configured for the scheduler.
    pub scheduler: Component,
    /// CoreDNS.
    pub dns: Addon,
    /// kube-proxy.
    pub proxy: Addon,
    /// The images of everything that runs, with registry and tag.
    pub images: Images,
    /// The ClusterConfiguration that the cluster keeps, in kubeadm's newest version.
    pub configuration: Value,
    /// The kubelets' KubeletConfiguration, with kubeadm's defaults, without anything of this node.
    pub kubelet_configuration: Value,
    /// Whether the user wrote a KubeletConfiguration.
    pub kubelet_configuration_written: bool,
    /// The KubeProxyConfiguration, with kubeadm's defaults.
    pub kube_proxy_configuration: Value,
    /// Whether the user wrote a KubeProxyConfiguration.
    pub kube_proxy_configuration_written: bool,
    /// Every value of its documents, with where it came from.
    pub settings: Settings,
}

/// What a node is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// The control plane that the cluster begins with.
    FirstControlPlane,
    /// One that joins it.
    ControlPlane,
    /// A node without a control plane.
    Worker,
}

/// This node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpec {
    /// What it is in the cluster.
    pub role: Role,
    /// The name of its Node object.
    pub name: String,
    /// The name that the operating system goes by, in lower case.
    pub hostname: String,
    /// Where everything lies.
    pub paths: Paths,
    /// Where its API server listens.
    pub api: Api,
    /// How the cluster is reached from it.
    pub access: ApiAccess,
    /// The names in its certificates.
    pub names: CertificateNames,
    /// How the cluster's CA signs here.
    pub signing: Signing,
    /// Directories with the operating system's trusted CAs that exist on this host beside
    /// `/etc/ssl/certs`, for the components that mount them.
    pub ca_directories: Vec<LogicalPath>,
    /// The socket of the container runtime, with `unix://`.
    pub cri_socket: String,
    /// Sockets of other container runtimes on this host, where the user named none. Phases that
    /// use the socket refuse to guess; the others do not mind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_cri_sockets: Vec<String>,
    /// Taints of the node.
    pub taints: Vec<Taint>,
    /// Extra arguments of the kubelet, in the user's order.
    pub kubelet_extra_args: Vec<Argument>,
    /// When images are pulled.
    pub image_pull_policy: PullPolicy,
    /// Whether images are pulled one after another.
    pub image_pull_serial: bool,
    /// The `resolv.conf` of systemd-resolved, where that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolv_conf: Option<LogicalPath>,
    /// Variables such as `HTTPS_PROXY` that the components inherit, sorted by name.
    pub proxy_environment: Vec<EnvironmentVariable>,
    /// The user's patches, in the order of their files.
    pub patches: Vec<Patch>,
    /// Names of preflight checks whose errors count as warnings, in lower case; `all` is all.
    pub ignored_checks: Vec<String>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Every value of its document and every flag for this run, with where it came from.
    pub settings: Settings,
}

/// What is new with every run, or is asked of one run alone.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInputs {
    /// When this run began.
    pub now: Timestamp,
    /// Bootstrap tokens to create.
    pub bootstrap_tokens: Vec<BootstrapTokenSpec>,
    /// Whether and how the shared certificates go into the cluster.
    pub upload_certs: UploadCerts,
    /// How the join commands are shown.
    pub join_options: JoinOptions,
    /// What discovery has found, where this node joins a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
}

/// The networks of the cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// The service networks, one or two of different families.
    pub service_cidrs: Vec<IpNet>,
    /// The service networks as the user wrote them, for the components' arguments.
    pub service_subnet: String,
    /// The pod networks; none if the network add-on brings its own.
    pub pod_cidrs: Vec<IpNet>,
    /// The pod networks as the user wrote them.
    pub pod_subnet: String,
    /// The domain of services, `cluster.local` unless configured.
    pub dns_domain: String,
    /// The address of the API server's service: the first of the first service network.
    pub api_service_ip: IpAddr,
    /// The address of the DNS service: the tenth of the first service network.
    pub dns_service_ip: IpAddr,
}

/// Where the API server of this node listens.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// The address at which it is announced.
    pub advertise_address: IpAddr,
    /// Its port.
    pub bind_port: u16,
}

impl Api {
    /// Returns where this node's own API server is found.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: self.advertise_address.to_string(),
            port: self.bind_port,
        }
    }
}

/// A host and a port; shown as `host:port`, with brackets around an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// The name or address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("https://{self}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

/// How certificates are issued.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificates {
    /// The algorithm of every new key.
    pub algorithm: KeyAlgorithm,
    /// The validity of new CAs.
    pub ca_validity: Validity,
    /// The validity of new leaf certificates.
    pub leaf_validity: Validity,
}

/// The names in the certificates of this node's servers.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateNames {
    /// Those of the API server.
    pub api_server: AlternativeNames,
    /// Those of a local etcd as a server.
    pub etcd_server: AlternativeNames,
    /// Those of a local etcd as a peer.
    pub etcd_peer: AlternativeNames,
}

/// The names and addresses at which a server is found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlternativeNames {
    /// DNS names, sorted, each once.
    pub dns_names: Vec<String>,
    /// Addresses, each once.
    pub ip_addresses: Vec<IpAddr>,
}

/// How the cluster's CA signs on this node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// Whether the cluster's CA signs elsewhere: its certificate lies here, its key not. Then the
    /// controller manager signs nothing.
    pub external: bool,
    /// The certificate that the controller manager signs with, as PEM, where the file of the
    /// cluster's CA holds others too: a chain, or a second CA. It takes a file with one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// Whose etcd the API server uses.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Etcd {
    /// A static pod of this node.
    Local(LocalEtcd),
    /// Somebody else's.
    External(ExternalEtcd),
}

/// etcd as a static pod of this node.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalEtcd {
    /// Where its data lies, `/var/lib/etcd` unless configured.
    pub data_dir: LogicalPath,
    /// Extra arguments, in the user's order.
    pub extra_args: Vec<Argument>,
    /// Extra variables.
    pub extra_envs: Vec<EnvironmentVariable>,
}

/// An etcd that rinit does not run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalEtcd {
    /// Its client URLs.
    pub endpoints: Vec<String>,
    /// URLs for plain HTTP requests such as the version, where they differ.
    pub http_endpoints: Vec<String>,
    /// The CA of its servers.
    pub ca_file: Option<LogicalPath>,
    /// The client certificate.
    pub cert_file: Option<LogicalPath>,
    /// The client key.
    pub key_file: Option<LogicalPath>,
}

/// What is configured for one component of the control plane.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Extra arguments, in the user's order.
    pub extra_args: Vec<Argument>,
    /// Extra volumes of the static pod.
    pub extra_volumes: Vec<HostPathVolume>,
    /// Extra variables.
    pub extra_envs: Vec<EnvironmentVariable>,
}

/// A command line argument without its leading dashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// The name, such as `audit-log-path`.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A variable of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvironmentVariable {
    /// The name.
    pub name: String,
    /// The rest of the EnvVar (Kubernetes core/v1): `value` or `valueFrom`.
    #[serde(flatten)]
    pub source: serde_json::Map<String, Value>,
}

/// A file or directory of the node in a static pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostPathVolume {
    /// The name of the volume.
    pub name: String,
    /// The path on the node.
    pub host_path: String,
    /// The path in the container.
    pub mount_path: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
    /// The type of the path (Kubernetes HostPathType), empty for unchecked.
    pub path_type: String,
}

/// An add-on that init installs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// Whether the user does without it.
    pub disabled: bool,
    /// Whether this run leaves it out, by `--skip-phases`. A new cluster is then stored as one
    /// without it; one that stands is left as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// The images of everything that runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// kube-apiserver.
    pub api_server: String,
    /// kube-controller-manager.
    pub controller_manager: String,
    /// kube-scheduler.
    pub scheduler: String,
    /// kube-proxy.
    pub proxy: String,
    /// CoreDNS.
    pub dns: String,
    /// etcd.
    pub etcd: String,
    /// The sandbox of every pod.
    pub pause: String,
}

/// Whether and how the shared certificates go into the cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadCerts {
    /// Whether they do (`--upload-certs`).
    pub enabled: bool,
    /// 64 hexadecimal digits; the user's, or generated for this run.
    pub certificate_key: Secret<String>,
    /// Whether the key was generated for this run.
    pub generated: bool,
    /// The token whose end removes the uploaded certificates, two hours from now.
    pub ttl_token: BootstrapTokenSpec,
}

/// How the join commands are shown.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinOptions {
    /// `--skip-token-print`.
    pub skip_token: bool,
    /// `--skip-certificate-key-print`.
    pub skip_certificate_key: bool,
}

/// How long things may take, in seconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// For each component of the control plane to become healthy.
    pub control_plane_component_health_check: u64,
    /// For the kubelet to become healthy.
    pub kubelet_health_check: u64,
    /// For one write to the API server, with its retries.
    pub kubernetes_api_call: u64,
}

/// One patch of a file or object that rinit makes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// What it changes.
    pub target: PatchTarget,
    /// How it changes it.
    pub patch_type: PatchType,
    /// The patch.
    pub document: Value,
    /// The file it was read from, for messages.
    pub file: String,
}

/// What can be patched, by kubeadm's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PatchTarget {
    /// The static pod of etcd.
    #[serde(rename = "etcd")]
    Etcd,
    /// The static pod of the API server.
    #[serde(rename = "kube-apiserver")]
    ApiServer,
    /// The static pod of the controller manager.
    #[serde(rename = "kube-controller-manager")]
    ControllerManager,
    /// The static pod of the scheduler.
    #[serde(rename = "kube-scheduler")]
    Scheduler,
    /// This node's KubeletConfiguration.
    #[serde(rename = "kubeletconfiguration")]
    KubeletConfiguration,
    /// The Deployment of CoreDNS.
    #[serde(rename = "corednsdeployment")]
    CoreDnsDeployment,
    /// The DaemonSet of kube-proxy (kubeadm 1.37).
    #[serde(rename = "kubeproxydaemonset")]
    KubeProxyDaemonSet,
}

impl PatchTarget {
    /// All targets with their names in file names.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Etcd, "etcd"),
        (Self::ApiServer, "kube-apiserver"),
        (Self::ControllerManager, "kube-controller-manager"),
        (Self::Scheduler, "kube-scheduler"),
        (Self::KubeletConfiguration, "kubeletconfiguration"),
        (Self::CoreDnsDeployment, "corednsdeployment"),
        (Self::KubeProxyDaemonSet, "kubeproxydaemonset"),
    ];
}

/// How a patch changes its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchType {
    /// Strategic merge (Kubernetes).
    Strategic,
    /// JSON merge patch (RFC 7396).
    Merge,
    /// JSON patch (RFC 6902).
    Json,
}

impl Facts {
    /// The Kubernetes minor, which most tables are keyed by.
    pub fn minor(&self) -> Minor {
        self.cluster.version.minor()
    }

    /// Returns where the rest of the cluster finds the API server: at the stable endpoint, or on this
    /// node where there is none.
    pub fn endpoint(&self) -> Endpoint {
        let stable = self.cluster.endpoint.clone();
        stable.unwrap_or_else(|| self.node.api.endpoint())
    }

    /// Whether this node runs no control plane.
    pub fn is_worker(&self) -> bool {
        self.node.role == Role::Worker
    }

    /// The images that the control plane and its addons need, in kubeadm's order; none on a worker,
    /// whose kubelet pulls what its pods need.
    pub fn needed_images(&self) -> Vec<String> {
        if self.is_worker() {
            return Vec::new();
        }
        let images = &self.cluster.images;
        let mut list = vec![
            images.api_server.clone(),
            images.controller_manager.clone(),
            images.scheduler.clone(),
        ];
        if !self.cluster.proxy.disabled {
            list.push(images.proxy.clone());
        }
        if !self.cluster.dns.disabled {
            list.push(images.dns.clone());
        }
        list.push(images.pause.clone());
        if matches!(self.cluster.etcd, Etcd::Local(_)) {
            list.push(images.etcd.clone());
        }
        list
    }

    /// Returns the files that all control planes share, by their keys in the Secret `kubeadm-certs`.
    pub fn shared_files(&self) -> Vec<(&'static str, LogicalPath)> {
        let paths = &self.node.paths;
        let mut files = vec![
            ("ca.crt", paths.ca_certificate(CaId::Cluster)),
            ("ca.key", paths.ca_key(CaId::Cluster)),
            ("front-proxy-ca.crt", paths.ca_certificate(CaId::FrontProxy)),
            ("front-proxy-ca.key", paths.ca_key(CaId::FrontProxy)),
            ("sa.pub", paths.certificate_file("sa.pub")),
            ("sa.key", paths.certificate_file("sa.key")),
        ];
        match &self.cluster.etcd {
            Etcd::Local(_) => files.extend([
                ("etcd-ca.crt", paths.ca_certificate(CaId::Etcd)),
                ("etcd-ca.key", paths.ca_key(CaId::Etcd)),
            ]),
            Etcd::External(etcd) => files.extend(
                [
                    ("external-etcd-ca.crt", &etcd.ca_file),
                    ("external-etcd.crt", &etcd.cert_file),
                    ("external-etcd.key", &etcd.key_file),
                ]
                .into_iter()
                .filter_map(|(key, path)| Some((key, path.clone()?))),
            ),
        }
        files
    }

    /// What phases that use the container runtime have to say where several are on this host and
    /// the user named none: only the user knows which one the kubelet should use.
    pub fn ambiguous_runtime(&self) -> Option<Gate> {
        let NodeSpec {
            cri_socket,
            other_cri_sockets,
            ..
        } = &self.node;
        (!other_cri_sockets.is_empty()).then(|| Gate::Refuse {
            message: format!(
                "there are several container runtimes on this host: {cri_socket}, {}",
                other_cri_sockets.join(", ")
            ),
            hint: Some(format!(
                "name one with `--cri-socket {cri_socket}` or `nodeRegistration.criSocket`"
            )),
        })
    }

    /// Where the kubelet says how it is, unless the user turned that off by port 0. The defaults are
    /// the kubelet's own (Kubernetes KubeletConfiguration v1beta1).
    pub fn kubelet_health_url(&self) -> Option<String> {
        let configuration = &self.cluster.kubelet_configuration;
        let address = configuration["healthzBindAddress"]
            .as_str()
            .filter(|address| !address.is_empty())
            .unwrap_or("127.0.0.1");
        let port = configuration["healthzPort"]
            .as_u64()
            .unwrap_or(rinit_plan::component::KUBELET_HEALTH_PORT.into());
        let host = if address.contains(':') {
            format!("[{address}]")
        } else {
            address.to_owned()
        };
        (port != 0).then(|| format!("http://{host}:{port}/healthz"))
    }

    /// Returns the annotation of the Node that names the runtime's socket, for minors that keep it
    /// there.
    pub fn socket_annotation(&self) -> Option<(&'static str, String)> {
        (!self.has_instance_configuration()).then(|| {
            (
                constants::CRI_SOCKET_ANNOTATION,
                self.node.cri_socket.clone(),
            )
        })
    }

    /// The patches of one target, in order.
    pub fn patches_of(&self, target: PatchTarget) -> impl Iterator<Item = &Patch> {
        self.node
            .patches
            .iter()
            .filter(move |patch| patch.target == target)
    }

    /// The mode of a static pod manifest.
    pub const MANIFEST_MODE: FileMode = FileMode::PRIVATE;
}
