//! Preflight checks as data: what is looked at, and what would satisfy it.

use std::net::IpAddr;

use serde::Serialize;

use crate::LogicalPath;

/// What a failed check means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Init stops before the first write.
    Error,
    /// Init goes on and says so.
    Warning,
}

/// One preflight check under kubeadm's name, which `--ignore-preflight-errors` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// kubeadm's name, such as `Port-6443`.
    pub name: String,
    /// What its failure means; an ignored error is a warning.
    pub severity: Severity,
    /// Whether the user asked for its failure to be ignored.
    pub ignored: bool,
    /// What is looked at.
    pub kind: CheckKind,
}

/// What a check looks at. Closed: a new kind of look is a reviewed change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "look",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum CheckKind {
    /// The process runs as root.
    Privileged,
    /// At least so many processors are usable.
    ProcessorCount {
        /// The least number.
        minimum: u32,
    },
    /// At least so much memory is installed.
    Memory {
        /// The least amount in megabytes (10^6 bytes).
        minimum_megabytes: u64,
    },
    /// The requested Kubernetes minor is not newer than what this rinit knows.
    KnownVersion {
        /// The requested version, such as `v1.37.2`.
        requested: String,
        /// Whether the tables have its minor.
        known: bool,
    },
    /// If firewalld runs, these TCP ports should be open.
    Firewalld {
        /// The ports.
        ports: Vec<u16>,
    },
    /// The TCP port is free, or its listener is our own component.
    Port {
        /// The address that will be bound; none means all addresses.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
        /// The name of the executable that may hold the port already.
        owner: String,
    },
    /// The file does not exist, or is one that an earlier init wrote for this component.
    FileAvailable {
        /// The file.
        path: LogicalPath,
    },
    /// The folder does not exist, is empty, or belongs to the component whose manifest exists.
    DirectoryAvailable {
        /// The folder.
        path: LogicalPath,
        /// The static pod manifest that makes a filled folder our own.
        owner_manifest: LogicalPath,
    },
    /// A connection to that address would not go through a proxy.
    NoProxyFor {
        /// An address or a CIDR.
        destination: String,
        /// The variables of the environment that name a proxy for it, resolved beforehand.
        proxy: Option<String>,
    },
    /// The container runtime answers on its CRI socket and is ready.
    ContainerRuntime {
        /// The socket, such as `unix:///var/run/containerd/containerd.sock`.
        socket: String,
    },
    /// The container runtime answers the RuntimeConfig call (Kubernetes 1.35 and later).
    ContainerRuntimeVersion {
        /// The socket.
        socket: String,
    },
    /// No swap is active.
    Swap,
    /// The executable is in the PATH.
    Executable {
        /// Its name.
        name: String,
    },
    /// Kernel release, kernel configuration and cgroup controllers suit a kubelet.
    System {
        /// Whether cgroup v1 is an error (Kubernetes 1.35 and later).
        cgroup_v1_is_error: bool,
    },
    /// The node name resolves to an address.
    HostnameResolves {
        /// The node name.
        name: String,
    },
    /// The kubelet's version is within the range that the control plane allows.
    KubeletVersion {
        /// The version of the control plane, such as `v1.37.2`.
        control_plane: String,
        /// The lowest minor of a kubelet that it allows.
        minimum_minor: u32,
    },
    /// The unit exists and starts at boot.
    ServiceEnabled {
        /// The unit without its suffix, such as `kubelet`.
        unit: String,
    },
    /// The file has just this content, white space aside.
    FileContent {
        /// The file.
        path: LogicalPath,
        /// The content.
        content: String,
    },
    /// The file exists and is readable.
    FileExists {
        /// The file.
        path: LogicalPath,
    },
    /// The external etcd answers with at least this version.
    ExternalEtcdVersion {
        /// The URL whose `/version` is asked.
        endpoint: String,
        /// The least version, such as `3.5.24`.
        minimum: String,
        /// The certificate authority of the server.
        ca: Option<LogicalPath>,
        /// The client certificate.
        certificate: Option<LogicalPath>,
        /// The client key.
        key: Option<LogicalPath>,
    },
}
