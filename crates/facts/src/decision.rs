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
    /// The host as it is.
    Detected,
    /// What holds where nobody says anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "--{name}"),
            Self::File { file, line, column } => write!(formatter, "{file}:{line}:{column}"),
            Self::Detected => formatter.write_str("detected"),
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
    let book = Book { documents };
    let stored = |pointer: &str| {
        let value = facts.cluster_configuration.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let flags = overrides;
    let otherwise = |detected: bool| {
        if detected {
            Origin::Detected
        } else {
            Origin::Default
        }
    };
    let written_address = flags.apiserver_advertise_address.clone().or_else(|| {
        let init = documents.init.as_ref()?;
        init.local_api_endpoint.advertise_address.clone()
    });
    // 0.0.0.0 and loopback addresses stand for one that is looked for.
    let address_is_written = written_address
        .and_then(|text| text.parse().ok())
        .is_some_and(|address: std::net::IpAddr| address == facts.api.advertise_address);
    let advertise_address = if address_is_written {
        book.origin(
            flags.apiserver_advertise_address.is_some(),
            "apiserver-advertise-address",
            "localAPIEndpoint.advertiseAddress",
            Origin::Detected,
        )
    } else {
        Origin::Detected
    };
    let entry = |what, value, flagged, flag, path, otherwise| Decision {
        what,
        value,
        origin: book.origin(flagged, flag, path, otherwise),
    };
    let mut list = vec![
        entry(
            "Kubernetes version",
            facts.version.to_string(),
            flags.kubernetes_version.is_some(),
            "kubernetes-version",
            "kubernetesVersion",
            otherwise(host.existing.version.is_some()),
        ),
        entry(
            "node name",
            facts.node.name.clone(),
            flags.node_name.is_some(),
            "node-name",
            "nodeRegistration.name",
            Origin::Detected,
        ),
        Decision {
            what: "advertise address",
            value: facts.api.advertise_address.to_string(),
            origin: advertise_address,
        },
        entry(
            "API server port",
            facts.api.bind_port.to_string(),
            flags.apiserver_bind_port.is_some(),
            "apiserver-bind-port",
            "localAPIEndpoint.bindPort",
            Origin::Default,
        ),
    ];
    if facts.api.control_plane_host.is_some() {
        list.push(entry(
            "control plane endpoint",
            facts.api.endpoint(),
            flags.control_plane_endpoint.is_some(),
            "control-plane-endpoint",
            "controlPlaneEndpoint",
            Origin::Default,
        ));
    }
    list.push(entry(
        "service network",
        facts.network.service_subnet.clone(),
        flags.service_cidr.is_some(),
        "service-cidr",
        "networking.serviceSubnet",
        Origin::Default,
    ));
    let pods = match facts.network.pod_subnet.as_str() {
        "" => "none".to_owned(),
        subnet => subnet.to_owned(),
    };
    list.extend([
        entry(
            "pod network",
            pods,
            flags.pod_network_cidr.is_some(),
            "pod-network-cidr",
            "networking.podSubnet",
            Origin::Default,
        ),
        entry(
            "DNS domain",
            facts.network.dns_domain.clone(),
            flags.service_dns_domain.is_some(),
            "service-dns-domain",
            "networking.dnsDomain",
            Origin::Default,
        ),
        entry(
            "container runtime",
            facts.node.cri_socket.clone(),
            flags.cri_socket.is_some(),
            "cri-socket",
            "nodeRegistration.criSocket",
            otherwise(!host.cri_sockets.is_empty()),
        ),
        entry(
            "image repository",
            stored("/imageRepository"),
            flags.image_repository.is_some(),
            "image-repository",
            "imageRepository",
            Origin::Default,
        ),
        entry(
            "certificates folder",
            facts.paths.certificates.to_string(),
            flags.cert_dir.is_some(),
            "cert-dir",
            "certificatesDir",
            Origin::Default,
        ),
        entry(
            "cluster name",
            facts.cluster_name.clone(),
            false,
            "",
            "clusterName",
            Origin::Default,
        ),
        entry(
            "key algorithm",
            stored("/encryptionAlgorithm"),
            false,
            "",
            "encryptionAlgorithm",
            Origin::Default,
        ),
        match &facts.etcd {
            Etcd::Local(local) => entry(
                "etcd data folder",
                local.data_dir.to_string(),
                false,
                "",
                "etcd.local.dataDir",
                Origin::Default,
            ),
            Etcd::External(external) => entry(
                "etcd members",
                external.endpoints.join(", "),
                false,
                "",
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
            !flags.feature_gates.is_empty(),
            "feature-gates",
            "featureGates",
            Origin::Default,
        ));
    }
    list
}

struct Book<'run> {
    documents: &'run Documents,
}

impl Book<'_> {
    /// A flag wins over the file, and the file over all else.
    fn origin(&self, flagged: bool, flag: &'static str, path: &str, otherwise: Origin) -> Origin {
        if flagged {
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
