//! What planning must know of the host: read once, before anything is decided.

use std::net::IpAddr;

use jiff::Timestamp;
use rinit_config::Documents;
use rinit_diag::Problem;
use rinit_plan::{LogicalPath, Secret};
use serde_json::Value;

use crate::advice::Missing;

/// What the host is, as far as decisions depend on it. Plain data, which `rinit-observe` fills.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// The name of the operating system's host.
    pub hostname: String,
    /// Where this host's IPv4 default route begins.
    pub ipv4_default_route: Option<DefaultRoute>,
    /// Where its IPv6 default route begins.
    pub ipv6_default_route: Option<DefaultRoute>,
    /// Whether the addresses above and below only stand in for those of a host that nobody asked.
    /// What hangs on them alone is not judged then.
    pub stand_in_addresses: bool,
    /// A global address of the loopback interface, used where the advertise address is loopback.
    pub loopback_global_address: Option<IpAddr>,
    /// Known CRI sockets that exist, without `unix://`.
    pub cri_sockets: Vec<String>,
    /// Folders with certificate authorities that exist, by kubeadm's candidates.
    pub ca_folders: Vec<LogicalPath>,
    /// Variables of the environment whose name ends in `_proxy`.
    pub proxy_environment: Vec<(String, String)>,
    /// Whether systemd-resolved is active.
    pub systemd_resolved: bool,
    /// What there is of the cluster's CA.
    pub cluster_ca: ClusterCa,
    /// The image tag of the API server of an earlier init, such as `v1.37.2`.
    pub existing_version: Look<String>,
    /// The files of the patches folder.
    pub patch_files: Vec<PatchFile>,
    /// What the configuration names and is not there. Only looked for where the host will be a
    /// control plane.
    pub missing: Missing,
    /// What could not be looked at, with the path of the field that names it, such as
    /// `patches.directory`.
    pub unseen: Vec<(&'static str, Problem)>,
    /// The clock at the start of the run.
    pub now: Timestamp,
    /// Tokens drawn for this run, `abcdef.0123456789abcdef`, one for each that the user leaves to
    /// chance: [`HostFacts::tokens_to_draw`] of them.
    pub drawn_tokens: Vec<Secret<String>>,
    /// A token drawn for the life of the uploaded certificates.
    pub drawn_ttl_token: Secret<String>,
    /// A certificate key drawn for this run, 64 hexadecimal digits.
    pub drawn_certificate_key: Secret<String>,
}

impl HostFacts {
    /// The default route whose address is announced where none is configured, IPv4 before IPv6, or
    /// IPv6 before IPv4 where `::` asks for it.
    pub fn default_route(&self, asked: Option<IpAddr>) -> Option<&DefaultRoute> {
        let (ipv4, ipv6) = (&self.ipv4_default_route, &self.ipv6_default_route);
        match asked {
            Some(IpAddr::V6(_)) => ipv6.as_ref().or(ipv4.as_ref()),
            _ => ipv4.as_ref().or(ipv6.as_ref()),
        }
    }

    /// How many bootstrap tokens the documents leave to chance; one where they name none.
    pub fn tokens_to_draw(documents: &Documents) -> usize {
        match &documents.init {
            Some(init) if !init.bootstrap_tokens.is_empty() => init
                .bootstrap_tokens
                .iter()
                .filter(|token| token.token.is_none())
                .count(),
            _ => 1,
        }
    }

    /// A stand-in for commands that look at a file and not at a host. Its addresses are from the
    /// range for documentation, its tokens those of kubeadm's examples.
    pub fn of_no_host(documents: &Documents, now: Timestamp) -> Self {
        let token = Secret::new("abcdef.0123456789abcdef".to_owned());
        Self {
            hostname: "node".to_owned(),
            ipv4_default_route: Some(DefaultRoute {
                address: IpAddr::from([192, 0, 2, 1]),
                interface: None,
            }),
            ipv6_default_route: None,
            stand_in_addresses: true,
            loopback_global_address: None,
            cri_sockets: Vec::new(),
            ca_folders: Vec::new(),
            proxy_environment: Vec::new(),
            systemd_resolved: false,
            cluster_ca: ClusterCa::Absent,
            existing_version: Look::Absent,
            patch_files: Vec::new(),
            missing: Missing::default(),
            unseen: Vec::new(),
            now,
            drawn_tokens: vec![token.clone(); Self::tokens_to_draw(documents)],
            drawn_ttl_token: token,
            drawn_certificate_key: Secret::new("0".repeat(64)),
        }
    }
}

/// The beginning of a default route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoute {
    /// A global address of its interface.
    pub address: IpAddr,
    /// The name of the interface, for messages.
    pub interface: Option<String>,
}

/// What was found where something was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It is there.
    Present(T),
    /// It is not there.
    Absent,
    /// It is there and cannot be read, or does not say what was looked for.
    Unreadable(String),
    /// Nobody answers who knows.
    Unreachable(String),
}

impl<T> Look<T> {
    /// Returns what is read from what is there. Where that fails, it is unreadable.
    pub fn read<U>(&self, read: impl FnOnce(&T) -> Result<U, String>) -> Look<U> {
        match self {
            Self::Present(found) => match read(found) {
                Ok(read) => Look::Present(read),
                Err(reason) => Look::Unreadable(reason),
            },
            Self::Absent => Look::Absent,
            Self::Unreadable(reason) => Look::Unreadable(reason.clone()),
            Self::Unreachable(reason) => Look::Unreachable(reason.clone()),
        }
    }

    /// Returns why it is not known.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unreadable(reason) | Self::Unreachable(reason) => Some(reason),
            Self::Present(_) | Self::Absent => None,
        }
    }
}

/// What there is of the cluster's CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterCa {
    /// No certificate.
    Absent,
    /// Its certificate and its key.
    Local {
        /// The certificate of the key as PEM, if others are in the file of the CA too.
        signer: Option<String>,
    },
    /// Its certificate alone: its key is elsewhere.
    External,
}

/// One file of the patches folder.
#[derive(Debug, Clone)]
pub struct PatchFile {
    /// Its name, such as `kube-apiserver0+strategic.yaml`.
    pub name: String,
    /// Its documents, or why it could not be read.
    pub documents: Result<Vec<Value>, String>,
}
