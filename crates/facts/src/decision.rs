//! Where the values that decide came from: a flag, a line of the file, the host, or kubeadm's
//! defaults.

use std::fmt;

use rinit_config::{ClusterConfiguration, Documents, GoDuration, InitConfiguration, Place};
use serde::Serialize;
use serde_json::Value;

use crate::facts::{Etcd, Facts};
use crate::host_facts::{HostFacts, Look};
use crate::overrides::{IGNORED_CHECKS, Overrides};

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
    pub what: String,
    /// The field of the file that it is, such as `nodeRegistration.name`; empty if there is none.
    pub field: String,
    /// The value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = rinit_diag::on_one_line(&self.value);
        write!(formatter, "{}: {value} ({})", self.what, self.origin)
    }
}

/// What is told of only where somebody said it: everybody knows the default, which is mostly none.
const WHERE_SAID: &[(&str, &str)] = &[
    ("dry run", "dryRun"),
    ("taints of the node", "nodeRegistration.taints"),
    ("image pull policy", "nodeRegistration.imagePullPolicy"),
    ("serial pulls of images", "nodeRegistration.imagePullSerial"),
    (
        "arguments of the kubelet",
        "nodeRegistration.kubeletExtraArgs",
    ),
    ("patches folder", "patches.directory"),
    (
        "time for components of the control plane",
        "timeouts.controlPlaneComponentHealthCheck",
    ),
    ("time for the kubelet", "timeouts.kubeletHealthCheck"),
    ("time for calls of the API", "timeouts.kubernetesAPICall"),
    ("more names of the API server", "apiServer.certSANs"),
    ("arguments of the API server", "apiServer.extraArgs"),
    ("volumes of the API server", "apiServer.extraVolumes"),
    ("environment of the API server", "apiServer.extraEnvs"),
    (
        "arguments of the controller manager",
        "controllerManager.extraArgs",
    ),
    (
        "volumes of the controller manager",
        "controllerManager.extraVolumes",
    ),
    (
        "environment of the controller manager",
        "controllerManager.extraEnvs",
    ),
    ("arguments of the scheduler", "scheduler.extraArgs"),
    ("volumes of the scheduler", "scheduler.extraVolumes"),
    ("environment of the scheduler", "scheduler.extraEnvs"),
    (
        "more names of etcd as a server",
        "etcd.local.serverCertSANs",
    ),
    ("more names of etcd as a peer", "etcd.local.peerCertSANs"),
    ("arguments of etcd", "etcd.local.extraArgs"),
    ("environment of etcd", "etcd.local.extraEnvs"),
    ("repository of the etcd image", "etcd.local.imageRepository"),
    ("tag of the etcd image", "etcd.local.imageTag"),
    ("HTTP endpoints of etcd", "etcd.external.httpEndpoints"),
    ("CA certificate of etcd", "etcd.external.caFile"),
    ("client certificate for etcd", "etcd.external.certFile"),
    ("client key for etcd", "etcd.external.keyFile"),
    ("repository of the CoreDNS image", "dns.imageRepository"),
    ("tag of the CoreDNS image", "dns.imageTag"),
    ("CoreDNS left out", "dns.disabled"),
    ("kube-proxy left out", "proxy.disabled"),
    ("life of certificates", "certificateValidityPeriod"),
    ("life of CA certificates", "caCertificateValidityPeriod"),
];

/// The same of flags that speak for no field.
const FLAGS_ALONE: [(&str, &str); 3] = [
    ("upload of certificates", "upload-certs"),
    (
        "bootstrap token in the join command withheld",
        "skip-token-print",
    ),
    (
        "certificate key in the join command withheld",
        "skip-certificate-key-print",
    ),
];

/// The deciding values of resolved facts, in the order of a reader's interest.
///
/// Every flag of `init` and every field that decides something is among them, if somebody said it.
/// The other arguments are those that the facts were resolved from.
pub fn decisions(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
    facts: &Facts,
) -> Vec<Decision> {
    let mut book = Book::new(documents, overrides, facts);
    book.basics(host);
    book.etcd();
    book.components();
    book.tokens();
    book.names_of_both();
    for (what, field) in WHERE_SAID {
        book.where_said(what, field);
    }
    for (what, flag) in FLAGS_ALONE {
        if let Some(flag) = Overrides::flags().iter().find(|given| given.name == flag)
            && overrides.has(flag.name)
        {
            book.add(what, "", "true".to_owned(), Origin::Flag(flag.name));
        }
    }
    for (what, flag, value) in [
        (
            "kubeconfig to reach the API server with",
            "kubeconfig",
            facts.access.kubeconfig.to_string(),
        ),
        (
            "folder of kubeconfigs",
            "kubeconfig-dir",
            facts.paths.kubeconfigs.to_string(),
        ),
    ] {
        if overrides.has(flag) {
            book.add(what, "", value, Origin::Flag(flag));
        }
    }
    book.list
}

struct Book<'run> {
    documents: &'run Documents,
    overrides: &'run Overrides,
    facts: &'run Facts,
    /// The InitConfiguration and the ClusterConfiguration as written.
    written: [Value; 2],
    list: Vec<Decision>,
}

impl<'run> Book<'run> {
    fn new(documents: &'run Documents, overrides: &'run Overrides, facts: &'run Facts) -> Self {
        let init = documents.init.as_ref().map(InitConfiguration::to_value);
        let cluster = documents
            .cluster
            .as_ref()
            .map(ClusterConfiguration::to_value);
        Self {
            documents,
            overrides,
            facts,
            written: [init.unwrap_or_default(), cluster.unwrap_or_default()],
            list: Vec::new(),
        }
    }

    fn add(&mut self, what: &str, field: &str, value: String, origin: Origin) {
        self.list.push(Decision {
            what: what.to_owned(),
            field: field.to_owned(),
            // A URL may hold a password.
            value: if value.contains("://") {
                rinit_diag::mask_credentials(&value)
            } else {
                value
            },
            origin,
        });
    }

    /// A value that somebody gave by a flag or in the file, or else what is said of its origin.
    fn tell(&mut self, what: &str, field: &str, value: String, otherwise: Origin) {
        let origin = self.origin(field).unwrap_or(otherwise);
        self.add(what, field, value, origin);
    }

    /// A flag wins over the file.
    fn origin(&self, field: &str) -> Option<Origin> {
        match self.overrides.flag(field) {
            Some(flag) => Some(Origin::Flag(flag)),
            None => self.place(field),
        }
    }

    /// The place in the file, unless the value there stands for none.
    fn place(&self, field: &str) -> Option<Origin> {
        self.written(field)?;
        Some(self.file(self.documents.source.place(field)?))
    }

    /// What the file says of a field, by its path.
    fn written(&self, field: &str) -> Option<&Value> {
        let pointer = pointer(field);
        let mut values = self.written.iter();
        values
            .find_map(|document| document.pointer(&pointer))
            .filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn file(&self, place: Place) -> Origin {
        Origin::File {
            file: self.documents.source.file_name().to_owned(),
            line: place.line,
            column: place.column,
        }
    }

    fn basics(&mut self, host: &HostFacts) {
        let facts = self.facts;
        let detected = |how: &str| Origin::Detected(how.to_owned());
        let stored = |field: &str| {
            let value = facts.cluster_configuration.get(field);
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let version = match &host.existing_version {
            // One that this rinit does not know does not count.
            Look::Present(found) if *found == facts.version.to_string() => {
                detected("the control plane that is on this host")
            }
            _ => Origin::Default,
        };
        let runtime = match host.cri_sockets.first() {
            Some(_) => detected("a socket on this host"),
            None => Origin::Default,
        };
        let name = detected("the name of this host");
        self.tell(
            "Kubernetes version",
            "kubernetesVersion",
            facts.version.to_string(),
            version,
        );
        self.tell(
            "node name",
            "nodeRegistration.name",
            facts.node.name.clone(),
            name,
        );
        self.advertise_address(host);
        let port = facts.api.bind_port.to_string();
        self.tell(
            "API server port",
            "localAPIEndpoint.bindPort",
            port,
            Origin::Default,
        );
        if facts.api.control_plane_host.is_some() {
            let endpoint = facts.api.endpoint();
            self.tell(
                "control plane endpoint",
                "controlPlaneEndpoint",
                endpoint,
                Origin::Default,
            );
        }
        let pods = match facts.network.pod_subnet.as_str() {
            "" => "none".to_owned(),
            subnet => subnet.to_owned(),
        };
        let algorithm = match facts
            .cluster_configuration
            .pointer("/featureGates/PublicKeysECDSA")
        {
            Some(_) => "featureGates.PublicKeysECDSA",
            None => "encryptionAlgorithm",
        };
        let rows = [
            (
                "service network",
                "networking.serviceSubnet",
                facts.network.service_subnet.clone(),
            ),
            ("pod network", "networking.podSubnet", pods),
            (
                "DNS domain",
                "networking.dnsDomain",
                facts.network.dns_domain.clone(),
            ),
        ];
        for (what, field, value) in rows {
            self.tell(what, field, value, Origin::Default);
        }
        let socket = facts.node.cri_socket.clone();
        self.tell(
            "container runtime",
            "nodeRegistration.criSocket",
            socket,
            runtime,
        );
        let rows = [
            (
                "image repository",
                "imageRepository",
                stored("imageRepository"),
            ),
            (
                "certificates folder",
                "certificatesDir",
                facts.paths.certificates.to_string(),
            ),
            ("cluster name", "clusterName", facts.cluster_name.clone()),
            (
                "key algorithm",
                algorithm,
                facts.certificates.algorithm.to_string(),
            ),
        ];
        for (what, field, value) in rows {
            self.tell(what, field, value, Origin::Default);
        }
    }

    /// 0.0.0.0, `::` and loopback addresses stand for one that is looked for.
    fn advertise_address(&mut self, host: &HostFacts) {
        const FIELD: &str = "localAPIEndpoint.advertiseAddress";
        let address = self.facts.api.advertise_address;
        let written = match &self.overrides.apiserver_advertise_address {
            Some(address) => Some(address.as_str()),
            None => self.written(FIELD).and_then(Value::as_str),
        };
        let written = written.and_then(rinit_config::parse_ip);
        let route = host.default_route(written);
        let interface = route.and_then(|route| route.interface.as_ref());
        let from_route = Origin::Detected(match interface {
            Some(name) => format!("the default route, which is over {name}"),
            None => "the default route".to_owned(),
        });
        let origin = match written {
            Some(written) if written == address => self.origin(FIELD).unwrap_or(from_route),
            Some(written) if written.is_loopback() => {
                Origin::Detected("a global address of the loopback interface".to_owned())
            }
            _ => from_route,
        };
        self.add("advertise address", FIELD, address.to_string(), origin);
    }

    fn etcd(&mut self) {
        let (what, field, value) = match &self.facts.etcd {
            Etcd::Local(local) => (
                "etcd data folder",
                "etcd.local.dataDir",
                local.data_dir.to_string(),
            ),
            Etcd::External(external) => (
                "etcd members",
                "etcd.external.endpoints",
                external.endpoints.join(", "),
            ),
        };
        self.tell(what, field, value, Origin::Default);
    }

    fn components(&mut self) {
        let facts = self.facts;
        for (what, configuration, kind, field) in [
            (
                "cgroup driver",
                &facts.kubelet_configuration,
                "KubeletConfiguration",
                "cgroupDriver",
            ),
            (
                "kube-proxy mode",
                &facts.kube_proxy_configuration,
                "KubeProxyConfiguration",
                "mode",
            ),
        ] {
            let value = match configuration[field].as_str() {
                Some("") | None => "that of its platform",
                Some(value) => value,
            };
            let origin = match self.documents.source.place_in(kind, field) {
                Some(place) => self.file(place),
                None => Origin::Default,
            };
            self.add(what, "", value.to_owned(), origin);
        }
    }

    /// Of each token whether it was given, but never what it is.
    fn tokens(&mut self) {
        let facts = self.facts;
        let by_flag = self.overrides.flag("bootstrapTokens");
        for (index, token) in facts.bootstrap_tokens.iter().enumerate() {
            let of = match index {
                0 => String::new(),
                _ => format!(" {}", index + 1),
            };
            let path = |name: &str| format!("bootstrapTokens[{index}].{name}");
            // What the flag replaces is not that of the token.
            let place = |name: &str| match by_flag {
                Some(_) => None,
                None => self.place(&path(name)),
            };
            let (value, origin) = match (by_flag, place("token")) {
                (Some(flag), _) => ("given", Origin::Flag(flag)),
                (None, Some(place)) => ("given", place),
                (None, None) => ("drawn for this run", Origin::Default),
            };
            let mut rows = vec![(
                format!("bootstrap token{of}"),
                "token",
                value.to_owned(),
                origin,
            )];
            let life = match token.expires {
                None => "without end".to_owned(),
                Some(expires) => {
                    let seconds = expires.as_second() - facts.now.as_second();
                    GoDuration::from_seconds(seconds).to_string()
                }
            };
            let origin = match place("expires") {
                Some(place) => place,
                None if self.overrides.has("token-ttl") => Origin::Flag("token-ttl"),
                None => place("ttl").unwrap_or(Origin::Default),
            };
            rows.push((format!("life of bootstrap token{of}"), "ttl", life, origin));
            for (what, name, value) in [
                ("usages", "usages", token.usages.join(", ")),
                ("groups", "groups", token.groups.join(", ")),
                (
                    "description",
                    "description",
                    token.description.clone().unwrap_or_default(),
                ),
            ] {
                if let Some(place) = place(name) {
                    rows.push((format!("{what} of bootstrap token{of}"), name, value, place));
                }
            }
            for (what, name, value, origin) in rows {
                self.add(&what, &path(name), value, origin);
            }
        }
        if let Some(origin) = self.origin("certificateKey") {
            self.add(
                "certificate key",
                "certificateKey",
                "given".to_owned(),
                origin,
            );
        } else if facts.upload_certs.enabled {
            let value = "drawn for this run".to_owned();
            self.add("certificate key", "certificateKey", value, Origin::Default);
        }
    }

    /// Names that flag and file give together, and phases, which are not those of another run.
    fn names_of_both(&mut self) {
        let facts = self.facts;
        let gates = facts.cluster_configuration.get("featureGates");
        for (name, is_on) in gates.and_then(Value::as_object).into_iter().flatten() {
            let field = format!("featureGates.{name}");
            let what = format!("feature gate {name}");
            self.tell(&what, &field, is_on.to_string(), Origin::Default);
        }
        let what = "checks whose errors are ignored";
        if let Some(flag) = self.overrides.flag(IGNORED_CHECKS) {
            let names = self.overrides.ignore_preflight_errors.join(", ");
            self.add(what, IGNORED_CHECKS, names, Origin::Flag(flag));
        }
        if let (Some(place), Some(names)) =
            (self.place(IGNORED_CHECKS), self.written(IGNORED_CHECKS))
        {
            let names = shown(names);
            self.add(what, IGNORED_CHECKS, names, place);
        }
        // Of the file they count for a whole init alone.
        if !self.overrides.skipped_phases.is_empty()
            && let Some(origin) = self.origin("skipPhases")
        {
            let names = self.overrides.skipped_phases.join(", ");
            self.add("phases to be skipped", "skipPhases", names, origin);
        }
    }

    fn where_said(&mut self, what: &str, field: &str) {
        let Some(origin) = self.origin(field) else {
            return;
        };
        let pointer = pointer(field);
        let typed = self.overrides.patches.clone();
        let value = typed.filter(|_| field == "patches.directory").or_else(|| {
            let stored = self.facts.cluster_configuration.pointer(&pointer);
            stored.or_else(|| self.written(field)).map(shown)
        });
        // A flag that has no value says yes.
        let value = value.unwrap_or_else(|| "true".to_owned());
        self.add(what, field, value, origin);
    }
}

fn pointer(field: &str) -> String {
    format!(
        "/{}",
        field.replace('[', "/").replace(']', "").replace('.', "/")
    )
}

/// A value as one reads it. Of what has a name the name alone, for the rest may be a secret, such
/// as the password in a variable of the environment.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
            match (text("effect"), text("value")) {
                ("", _) if text("name").is_empty() => "one without a name".to_owned(),
                // Some write what they mean into the name.
                ("", _) => text("name")
                    .split('=')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                (effect, "") => format!("{}:{effect}", text("key")),
                (effect, value) => format!("{}={value}:{effect}", text("key")),
            }
        }
        other => other.to_string(),
    }
}
