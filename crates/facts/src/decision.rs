//! Where the values that decide came from: a flag, a line of the file, the host, or kubeadm's
//! defaults.

use std::fmt;

use rinit_config::{Documents, Place};
use serde::Serialize;
use serde_json::Value;

use crate::facts::{Etcd, Facts};
use crate::host_facts::HostFacts;
use crate::overrides::Overrides;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A flag of the command line, by name.
    Flag(&'static str),
    /// A place in the file.
    File {
        /// The name of the file as typed.
        file: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The host as it is, and where on it the value was found.
    Detected(String),
    /// What holds where nobody says anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "--{name}"),
            Self::File { file, line, column } => write!(formatter, "{file}:{line}:{column}"),
            Self::Detected(how) => write!(formatter, "detected: {how}"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value that decides, and where it came from. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What it is, such as `node name`.
    pub what: &'static str,
    /// The value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} ({})", self.what, self.value, self.origin)
    }
}

/// The deciding values of resolved facts, in the order of a reader's interest.
///
/// The other arguments are those that the facts were resolved from.
pub fn decisions(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
    facts: &Facts,
) -> Vec<Decision> {
    let book = Book {
        documents,
        overrides,
    };
    let stored = |pointer: &str| {
        let value = facts.cluster_configuration.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let detected = |how: &str| Origin::Detected(how.to_owned());
    let version = match &host.existing.version {
        // One that this rinit does not know does not count.
        Some(found) if *found == facts.version.to_string() => {
            detected("the control plane that is on this host")
        }
        _ => Origin::Default,
    };
    let runtime = match host.cri_sockets.first() {
        Some(_) => detected("a socket on this host"),
        None => Origin::Default,
    };
    let written_address = overrides
        .apiserver_advertise_address
        .clone()
        .or_else(|| {
            let init = documents.init.as_ref()?;
            init.local_api_endpoint.advertise_address.clone()
        })
        .and_then(|text| rinit_config::parse_ip(&text));
    // 0.0.0.0 and loopback addresses stand for one that is looked for.
    let address = facts.api.advertise_address;
    let from_route = || match &host.default_interface {
        Some(name) => Origin::Detected(format!("the default route, which is over {name}")),
        None => detected("the default route"),
    };
    let advertise_address = match written_address {
        Some(written) if written == address => {
            book.origin("localAPIEndpoint.advertiseAddress", from_route())
        }
        Some(written) if written.is_loopback() => {
            detected("a global address of the loopback interface")
        }
        _ => from_route(),
    };
    let algorithm_field = match facts
        .cluster_configuration
        .pointer("/featureGates/PublicKeysECDSA")
    {
        Some(_) => "featureGates.PublicKeysECDSA",
        None => "encryptionAlgorithm",
    };
    let entry = |what, value, path, otherwise| Decision {
        what,
        value,
        origin: book.origin(path, otherwise),
    };
    let mut list = vec![
        entry(
            "Kubernetes version",
            facts.version.to_string(),
            "kubernetesVersion",
            version,
        ),
        entry(
            "node name",
            facts.node.name.clone(),
            "nodeRegistration.name",
            detected("the name of this host"),
        ),
        Decision {
            what: "advertise address",
            value: address.to_string(),
            origin: advertise_address,
        },
        entry(
            "API server port",
            facts.api.bind_port.to_string(),
            "localAPIEndpoint.bindPort",
            Origin::Default,
        ),
    ];
    if facts.api.control_plane_host.is_some() {
        list.push(entry(
            "control plane endpoint",
            facts.api.endpoint(),
            "controlPlaneEndpoint",
            Origin::Default,
        ));
    }
    list.push(entry(
        "service network",
        facts.network.service_subnet.clone(),
        "networking.serviceSubnet",
        Origin::Default,
    ));
    let pods = match facts.network.pod_subnet.as_str() {
        "" => "none".to_owned(),
        subnet => subnet.to_owned(),
    };
    list.extend([
        entry("pod network", pods, "networking.podSubnet", Origin::Default),
        entry(
            "DNS domain",
            facts.network.dns_domain.clone(),
            "networking.dnsDomain",
            Origin::Default,
        ),
        entry(
            "container runtime",
            facts.node.cri_socket.clone(),
            "nodeRegistration.criSocket",
            runtime,
        ),
        entry(
            "image repository",
            stored("/imageRepository"),
            "imageRepository",
            Origin::Default,
        ),
        entry(
            "certificates folder",
            facts.paths.certificates.to_string(),
            "certificatesDir",
            Origin::Default,
        ),
        entry(
            "cluster name",
            facts.cluster_name.clone(),
            "clusterName",
            Origin::Default,
        ),
        entry(
            "key algorithm",
            facts.certificates.algorithm.to_string(),
            algorithm_field,
            Origin::Default,
        ),
        match &facts.etcd {
            Etcd::Local(local) => entry(
                "etcd data folder",
                local.data_dir.to_string(),
                "etcd.local.dataDir",
                Origin::Default,
            ),
            Etcd::External(external) => entry(
                "etcd members",
                external.endpoints.join(", "),
                "etcd.external.endpoints",
                Origin::Default,
            ),
        },
        book.component(
            "cgroup driver",
            &facts.kubelet_configuration,
            "KubeletConfiguration",
            "cgroupDriver",
        ),
        book.component(
            "kube-proxy mode",
            &facts.kube_proxy_configuration,
            "KubeProxyConfiguration",
            "mode",
        ),
    ]);
    let feature_gates = facts
        .cluster_configuration
        .get("featureGates")
        .and_then(Value::as_object);
    if let Some(gates) = feature_gates {
        let gates: Vec<String> = gates
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        list.push(entry(
            "feature gates",
            gates.join(","),
            "featureGates",
            Origin::Default,
        ));
    }
    list
}

struct Book<'run> {
    documents: &'run Documents,
    overrides: &'run Overrides,
}

impl Book<'_> {
    /// A flag wins over the file, and the file over all else.
    fn origin(&self, path: &str, otherwise: Origin) -> Origin {
        if let Some(flag) = self.overrides.flag(path) {
            return Origin::Flag(flag);
        }
        match self.documents.source.place(path) {
            Some(place) => self.file(place),
            None => otherwise,
        }
    }

    fn component(&self, what: &'static str, config: &Value, kind: &str, field: &str) -> Decision {
        let value = match config[field].as_str() {
            Some("") | None => "that of its platform",
            Some(value) => value,
        };
        Decision {
            what,
            value: value.to_owned(),
            origin: match self.documents.source.place_in(kind, field) {
                Some(place) => self.file(place),
                None => Origin::Default,
            },
        }
    }

    fn file(&self, place: Place) -> Origin {
        Origin::File {
            file: self.documents.source.file_name().to_owned(),
            line: place.line,
            column: place.column,
        }
    }
}
