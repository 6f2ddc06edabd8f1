//! From what the user wrote and what the host is to what will be done.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::{self, ClusterConfiguration, InitConfiguration};
use rinit_config::{Documents, Findings, Format, GoDuration, Severity};
use rinit_diag::Problem;
use rinit_plan::{
    ApiAccess, BootstrapTokenSpec, KeyAlgorithm, LogicalPath, PullPolicy, Secret, Taint, Validity,
    constants, groups,
};
use rinit_versions::KubernetesVersion;
use serde_json::{Value, json};

use crate::component_configs;
use crate::facts::{
    Addon, Api, Argument, Certificates, Component, EnvironmentVariable, Etcd, ExternalEtcd, Facts,
    HostPathVolume, Images, JoinOptions, LocalEtcd, Network, Node, Patch, PatchTarget, PatchType,
    Timeouts, UploadCerts,
};
use crate::host_facts::HostFacts;
use crate::overrides::Overrides;
use crate::paths::Paths;

/// How long a certificate is valid before it is made, for clocks that are behind (kubeadm 1.28).
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// The life of a bootstrap token whose life is not configured.
const DEFAULT_TOKEN_TTL: GoDuration = GoDuration::from_seconds(24 * 3600);
/// The life of the uploaded certificates.
const UPLOADED_CERTIFICATES_TTL: SignedDuration = SignedDuration::from_hours(2);
/// The CRI sockets that are looked for, in kubeadm's order; the first is the default.
pub(crate) const CRI_SOCKETS: [&str; 3] = [
    "/var/run/containerd/containerd.sock",
    "/var/run/crio/crio.sock",
    "/var/run/cri-dockerd.sock",
];
/// Feature gates of kubeadm with the last minor that knows them, as far as the supported minors
/// go. They change nothing in what is done here.
const FEATURE_GATES: [(&str, u32); 6] = [
    ("ControlPlaneKubeletLocalMode", 35),
    ("EtcdLearnerMode", 34),
    ("NodeLocalCRISocket", 36),
    ("PublicKeysECDSA", 36),
    ("RootlessControlPlane", u32::MAX),
    ("WaitForAllControlPlaneComponents", 34),
];

/// Everything that keeps the configuration from being resolved.
#[derive(Debug, Clone)]
pub struct ResolveError {
    /// What is wrong in the file, with places.
    pub findings: Findings,
    /// What is wrong elsewhere: in flags, or with what the host offers.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.fmt(f)?;
        for problem in &self.problems {
            writeln!(f, "error: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ResolveError {}

/// Decides everything, or says everything that is wrong.
///
/// `overrides` win over the documents. What neither says is taken from `host`, then from kubeadm's
/// defaults; every such choice that depends on the host is told in [`Facts::detected`].
pub fn resolve(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, Box<ResolveError>> {
    let mut resolver = Resolver {
        host,
        overrides,
        documents,
        findings: Findings::new(documents.source.clone()),
        problems: Vec::new(),
        detected: Vec::new(),
        warnings: Vec::new(),
    };
    let init = documents.init.clone().unwrap_or_default();
    let mut cluster = documents.cluster.clone().unwrap_or_default();
    resolver.apply_flags(&mut cluster);
    let facts = resolver.facts(&init, cluster);
    if resolver.problems.is_empty() && !resolver.findings.has_errors() {
        Ok(facts)
    } else {
        let Resolver {
            findings, problems, ..
        } = resolver;
        Err(Box::new(ResolveError { findings, problems }))
    }
}

/// The pairs of a flag and the field that they replace.
type ArgumentFlags<'a> = (&'a [(String, String)], &'a mut Vec<v1beta4::Argument>);

/// Collects what is wrong while it goes on with a stand-in, so that everything is said at once.
struct Resolver<'a> {
    host: &'a HostFacts,
    overrides: &'a Overrides,
    documents: &'a Documents,
    findings: Findings,
    problems: Vec<Problem>,
    detected: Vec<String>,
    warnings: Vec<Problem>,
}

impl Resolver<'_> {
    /// Something wrong with a field of the file, or with the flag that replaced it.
    fn wrong(&mut self, path: &str, problem: Problem) {
        if self.documents.source.place(path).is_some() {
            let mut finding = self
                .documents
                .source
                .finding(Severity::Error, path, problem.message);
            if let Some(hint) = problem.hint {
                finding = finding.with_hint(hint);
            }
            self.findings.push(finding);
        } else {
            self.problems.push(problem);
        }
    }

    /// Checks the value of a flag by the rule of its field.
    fn check_flag(&mut self, flag: &str, format: Format, value: &str) {
        if let Some(problem) = format.refuse(value) {
            self.problems.push(Problem {
                message: format!("--{flag}: {}", problem.message),
                hint: problem.hint,
            });
        }
    }

    /// Puts the flags over the document of the cluster.
    fn apply_flags(&mut self, cluster: &mut ClusterConfiguration) {
        let flags = self.overrides;
        let texts: [(&str, Format, &Option<String>, &mut Option<String>); 7] = [
            (
                "cert-dir",
                Format::AbsolutePath,
                &flags.cert_dir,
                &mut cluster.certificates_dir,
            ),
            (
                "control-plane-endpoint",
                Format::HostPort,
                &flags.control_plane_endpoint,
                &mut cluster.control_plane_endpoint,
            ),
            (
                "image-repository",
                Format::ImageRepository,
                &flags.image_repository,
                &mut cluster.image_repository,
            ),
            (
                "kubernetes-version",
                Format::KubernetesVersion,
                &flags.kubernetes_version,
                &mut cluster.kubernetes_version,
            ),
            (
                "pod-network-cidr",
                Format::PodSubnet,
                &flags.pod_network_cidr,
                &mut cluster.networking.pod_subnet,
            ),
            (
                "service-cidr",
                Format::ServiceSubnet,
                &flags.service_cidr,
                &mut cluster.networking.service_subnet,
            ),
            (
                "service-dns-domain",
                Format::DnsSubdomain,
                &flags.service_dns_domain,
                &mut cluster.networking.dns_domain,
            ),
        ];
        for (flag, format, value, field) in texts {
            if let Some(value) = value {
                self.check_flag(flag, format, value);
                *field = Some(value.clone());
            }
        }
        if !flags.apiserver_cert_extra_sans.is_empty() {
            for name in &flags.apiserver_cert_extra_sans {
                self.check_flag(
                    "apiserver-cert-extra-sans",
                    Format::SubjectAlternativeName,
                    name,
                );
            }
            cluster
                .api_server
                .cert_sans
                .clone_from(&flags.apiserver_cert_extra_sans);
        }
        for (gate, value) in &flags.feature_gates {
            cluster.feature_gates.insert(gate.clone(), *value);
        }
        let arguments: [ArgumentFlags<'_>; 3] = [
            (
                &flags.apiserver_extra_args,
                &mut cluster.api_server.component.extra_args,
            ),
            (
                &flags.controller_manager_extra_args,
                &mut cluster.controller_manager.extra_args,
            ),
            (
                &flags.scheduler_extra_args,
                &mut cluster.scheduler.extra_args,
            ),
        ];
        for (pairs, field) in arguments {
            if !pairs.is_empty() {
                *field = pairs
                    .iter()
                    .map(|(name, value)| v1beta4::Argument {
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect();
            }
        }
    }

    fn facts(&mut self, init: &InitConfiguration, mut cluster: ClusterConfiguration) -> Facts {
        let now = truncate(self.host.now);
        let version = self.version(&cluster);
        self.feature_gates(&cluster, version.minor().0);
        let paths = self.paths(&cluster);
        let node = self.node(init);
        let api = self.api(init, &cluster);
        if api.control_plane_host.is_some() {
            // kubeadm stores the port that counts, whether or not it was written.
            cluster.control_plane_endpoint = Some(api.endpoint());
        }
        if let Some(external) = &mut cluster.etcd.external
            && external.http_endpoints.is_empty()
            && version.table().etcd_http_endpoints
        {
            external.http_endpoints.clone_from(&external.endpoints);
        }
        let network = self.network(&mut cluster);
        let etcd = self.etcd(&mut cluster, &node.name, api.advertise_address);
        let certificates = self.certificates(&mut cluster, &node, &api, &network, now);
        let images = images(&cluster, &version);
        rinit_config::field_references(&mut cluster);
        let cluster_name = cluster
            .cluster_name
            .get_or_insert_with(|| "kubernetes".to_owned())
            .clone();
        cluster.certificates_dir = Some(paths.certificates.to_string());
        cluster
            .image_repository
            .get_or_insert_with(|| DEFAULT_IMAGE_REPOSITORY.to_owned());
        cluster.kubernetes_version = Some(version.to_string());

        let kubelet = component_configs::kubelet(
            self.documents.kubelet.as_ref(),
            &paths,
            &network,
            &mut self.warnings,
        );
        let kube_proxy = component_configs::kube_proxy(
            self.documents.kube_proxy.as_ref(),
            &version,
            &network,
            api.advertise_address,
            &mut self.warnings,
        );
        let access = self.access(&paths, &api);
        let bootstrap_tokens = self.bootstrap_tokens(init, now);
        let upload_certs = self.upload_certs(init, &certificates, now);
        let patches = self.patches();
        let ignored_checks = self.ignored_checks(init);
        Facts {
            cluster_name,
            node,
            network,
            api,
            certificates,
            etcd,
            api_server: self.component(&cluster.api_server.component, true),
            controller_manager: self.component(&cluster.controller_manager, true),
            scheduler: self.component(&cluster.scheduler, false),
            dns: Addon {
                disabled: cluster.dns.disabled.unwrap_or(false),
            },
            proxy: Addon {
                disabled: cluster.proxy.disabled.unwrap_or(false),
            },
            images,
            cluster_configuration: stored_configuration(&cluster),
            kubelet_configuration: kubelet,
            kubelet_configuration_written: self.documents.kubelet.is_some(),
            kube_proxy_configuration: kube_proxy,
            kube_proxy_configuration_written: self.documents.kube_proxy.is_some(),
            bootstrap_tokens,
            upload_certs,
            join_options: JoinOptions {
                withhold_token: self.overrides.skip_token_print,
                withhold_certificate_key: self.overrides.skip_certificate_key_print,
            },
            timeouts: timeouts(init),
            patches,
            proxy_environment: self.proxy_environment(),
            ignored_checks,
            access,
            now,
            version,
            paths,
            detected: std::mem::take(&mut self.detected),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    fn feature_gates(&mut self, cluster: &ClusterConfiguration, minor: u32) {
        for gate in cluster.feature_gates.keys() {
            let known = FEATURE_GATES.iter().find(|(name, _)| name == gate);
            let problem = match known {
                Some((_, last)) if minor <= *last => {
                    self.warnings.push(
                        Problem::new(format!("the feature gate {gate} changes nothing here"))
                            .with_hint("take it out of the configuration"),
                    );
                    continue;
                }
                Some((_, last)) => Problem::new(format!(
                    "kubeadm has no feature gate \"{gate}\" since Kubernetes 1.{}",
                    last + 1
                ))
                .with_hint("take it out of the configuration; it changes nothing any more"),
                None => Problem::new(format!("there is no feature gate \"{gate}\" in kubeadm"))
                    .with_hint(
                        "feature gates of components go into their `extraArgs` as `feature-gates`",
                    ),
            };
            self.wrong(&format!("featureGates.{gate}"), problem);
        }
    }

    fn version(&mut self, cluster: &ClusterConfiguration) -> KubernetesVersion {
        let newest = KubernetesVersion::newest();
        let Some(asked) = &cluster.kubernetes_version else {
            // A second init verifies what the first one made; it is no upgrade.
            if let Some(Ok(version)) = self.host.existing.version.as_deref().map(str::parse) {
                self.detected.push(format!(
                    "Kubernetes {version}, which is on this host already"
                ));
                return version;
            }
            self.detected.push(format!(
                "Kubernetes {newest}, the newest that this rinit knows"
            ));
            return newest;
        };
        if let Some(label) = asked.strip_prefix("stable") {
            return self.stable_version(asked, label).unwrap_or(newest);
        }
        match asked.parse() {
            Ok(version) => version,
            Err(error) => {
                self.wrong(
                    "kubernetesVersion",
                    Problem::new(error.to_string())
                        .with_hint(format!("name a version such as `{newest}`")),
                );
                newest
            }
        }
    }

    /// The newest patch that this rinit knows for a label; labels are never looked up on a network.
    fn stable_version(&mut self, asked: &str, label: &str) -> Option<KubernetesVersion> {
        let minor = match label.strip_prefix('-').unwrap_or(label) {
            "" | "1" => rinit_versions::MINORS.last(),
            rest => rinit_versions::MINORS
                .iter()
                .find(|row| rest.strip_prefix("1.") == Some(row.minor.to_string().as_str())),
        };
        let Some(row) = minor else {
            self.wrong(
                "kubernetesVersion",
                Problem::new(format!("\"{asked}\" names no minor that this rinit knows"))
                    .with_hint(format!(
                        "name a version such as `{}`",
                        KubernetesVersion::newest()
                    )),
            );
            return None;
        };
        let version: KubernetesVersion = format!("v1.{}.{}", row.minor, row.newest_patch)
            .parse()
            .ok()?;
        self.detected.push(format!(
            "Kubernetes {version}, the newest of \"{asked}\" that this rinit knows"
        ));
        Some(version)
    }

    fn path(&mut self, field: &str, text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap_or_else(|error| {
            self.wrong(
                field,
                Problem::new(error.to_string()).with_hint("give an absolute path"),
            );
            LogicalPath::parse("/").unwrap_or_else(|_| unreachable!("/ is absolute"))
        })
    }

    fn paths(&mut self, cluster: &ClusterConfiguration) -> Paths {
        let certificates = cluster
            .certificates_dir
            .as_deref()
            .unwrap_or("/etc/kubernetes/pki");
        let kubeconfigs = self
            .overrides
            .kubeconfig_dir
            .as_deref()
            .unwrap_or("/etc/kubernetes");
        Paths {
            certificates: self.path("certificatesDir", certificates),
            kubeconfigs: self.path("--kubeconfig-dir", kubeconfigs),
            manifests: self.path("", "/etc/kubernetes/manifests"),
            kubelet: self.path("", "/var/lib/kubelet"),
        }
    }

    fn node(&mut self, init: &InitConfiguration) -> Node {
        let registration = &init.node_registration;
        let hostname = self.host.hostname.trim().to_lowercase();
        let asked = self
            .overrides
            .node_name
            .as_ref()
            .or(registration.name.as_ref());
        let name = if let Some(name) = asked {
            name.trim().to_lowercase()
        } else {
            self.detected
                .push(format!("node name {hostname}, the name of this host"));
            hostname.clone()
        };
        if let Some(problem) = Format::NodeName.refuse(&name) {
            self.wrong(
                "nodeRegistration.name",
                Problem {
                    message: format!("node name: {}", problem.message),
                    hint: Some("give one with `--node-name` or `nodeRegistration.name`".to_owned()),
                },
            );
        }
        let (cri_socket, other_cri_sockets) = self.cri_socket(registration.cri_socket.as_deref());
        let taints = match &registration.taints {
            Some(taints) => taints
                .iter()
                .map(|taint| Taint {
                    key: taint.key.clone(),
                    value: taint.value.clone().filter(|value| !value.is_empty()),
                    effect: taint
                        .effect
                        .map_or_else(String::new, |effect| effect.to_string()),
                })
                .collect(),
            None => vec![Taint {
                key: constants::CONTROL_PLANE.to_owned(),
                value: None,
                effect: "NoSchedule".to_owned(),
            }],
        };
        Node {
            name,
            hostname,
            cri_socket,
            other_cri_sockets,
            taints,
            kubelet_extra_args: arguments(&registration.kubelet_extra_args),
            image_pull_policy: match registration.image_pull_policy {
                Some(v1beta4::ImagePullPolicy::Always) => PullPolicy::Always,
                Some(v1beta4::ImagePullPolicy::Never) => PullPolicy::Never,
                Some(v1beta4::ImagePullPolicy::IfNotPresent) | None => PullPolicy::IfNotPresent,
            },
            image_pull_serial: registration.image_pull_serial.unwrap_or(true),
            resolv_conf: self
                .host
                .systemd_resolved
                .then(|| LogicalPath::parse("/run/systemd/resolve/resolv.conf").ok())
                .flatten(),
        }
    }

    fn cri_socket(&mut self, configured: Option<&str>) -> (String, Vec<String>) {
        let with_scheme = |socket: &str| {
            if socket.contains("://") {
                socket.to_owned()
            } else {
                format!("unix://{socket}")
            }
        };
        if let Some(flag) = &self.overrides.cri_socket {
            self.check_flag("cri-socket", Format::CriSocket, flag);
            return (with_scheme(flag), Vec::new());
        }
        if let Some(socket) = configured.filter(|socket| !socket.is_empty()) {
            return (with_scheme(socket), Vec::new());
        }
        let found = &self.host.cri_sockets;
        let Some(first) = found.first() else {
            return (with_scheme(CRI_SOCKETS[0]), Vec::new());
        };
        self.detected
            .push(format!("container runtime {first}, found on this host"));
        (
            with_scheme(first),
            found[1..]
                .iter()
                .map(|socket| with_scheme(socket))
                .collect(),
        )
    }

    fn api(&mut self, init: &InitConfiguration, cluster: &ClusterConfiguration) -> Api {
        let endpoint = &init.local_api_endpoint;
        let advertise_address = self.advertise_address(endpoint.advertise_address.as_deref());
        let bind_port = self
            .overrides
            .apiserver_bind_port
            .or_else(|| endpoint.bind_port.and_then(|port| u16::try_from(port).ok()))
            .filter(|port| *port != 0)
            .unwrap_or(6443);
        let (control_plane_host, port) = match &cluster.control_plane_endpoint {
            Some(text) if !text.is_empty() => {
                let (host, port) = split_host_port(text);
                (Some(host), port)
            }
            _ => (None, None),
        };
        Api {
            advertise_address,
            bind_port,
            control_plane_host,
            control_plane_port: port.unwrap_or(bind_port),
        }
    }

    fn advertise_address(&mut self, configured: Option<&str>) -> IpAddr {
        const FIELD: &str = "localAPIEndpoint.advertiseAddress";
        let unspecified = IpAddr::from([0, 0, 0, 0]);
        let asked = self
            .overrides
            .apiserver_advertise_address
            .as_deref()
            .or(configured)
            .filter(|text| !text.is_empty());
        let Some(asked) = asked else {
            return self.detected_address();
        };
        let Ok(address) = IpAddr::from_str(asked) else {
            self.wrong(FIELD, Problem::new(format!("\"{asked}\" is no IP address")));
            return unspecified;
        };
        if address.is_unspecified() {
            // kubeadm reads 0.0.0.0 as a wish for the default address.
            return self.detected_address();
        }
        if address.is_loopback()
            && let Some(global) = self.host.loopback_global_address
        {
            self.detected.push(format!(
                "advertise address {global}, the global address of the loopback interface"
            ));
            return global;
        }
        if address.is_multicast() || address.is_loopback() {
            self.wrong(
                FIELD,
                Problem::new(format!("the API server cannot be announced at {address}"))
                    .with_hint("give an address of this host that other nodes reach"),
            );
        }
        address
    }

    fn detected_address(&mut self) -> IpAddr {
        let Some(address) = self.host.default_address else {
            self.wrong(
                "localAPIEndpoint.advertiseAddress",
                Problem::new("no advertise address is configured, and this host has no default route to take one from")
                    .with_hint("give one with `--apiserver-advertise-address` or `localAPIEndpoint.advertiseAddress`"),
            );
            return IpAddr::from([0, 0, 0, 0]);
        };
        let interface = self
            .host
            .default_interface
            .as_deref()
            .unwrap_or("the default route");
        self.detected
            .push(format!("advertise address {address}, from {interface}"));
        address
    }

    fn network(&mut self, cluster: &mut ClusterConfiguration) -> Network {
        let networking = &mut cluster.networking;
        let service_subnet = networking
            .service_subnet
            .get_or_insert_with(|| "10.96.0.0/12".to_owned())
            .clone();
        let dns_domain = networking
            .dns_domain
            .get_or_insert_with(|| "cluster.local".to_owned())
            .clone();
        let pod_subnet = networking.pod_subnet.clone().unwrap_or_default();
        let service_cidrs = self.networks("networking.serviceSubnet", &service_subnet);
        let pod_cidrs = self.networks("networking.podSubnet", &pod_subnet);
        let nth = |index: u128| {
            service_cidrs
                .first()
                .and_then(|cidr| address_at(cidr, index))
        };
        let (api_service_ip, dns_service_ip) = (nth(1), nth(10));
        let unspecified = IpAddr::from([0, 0, 0, 0]);
        if !service_cidrs.is_empty() && dns_service_ip.is_none() {
            self.wrong(
                "networking.serviceSubnet",
                Problem::new(format!(
                    "the service network {service_subnet} has no tenth address"
                ))
                .with_hint("give a network of at least 16 addresses"),
            );
        }
        Network {
            service_cidrs,
            service_subnet,
            pod_cidrs,
            pod_subnet,
            dns_domain,
            api_service_ip: api_service_ip.unwrap_or(unspecified),
            dns_service_ip: dns_service_ip.unwrap_or(unspecified),
        }
    }

    fn networks(&mut self, field: &str, text: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match IpNet::from_str(part) {
                Ok(network) => networks.push(network),
                // A flag was checked by the same rule already; a file by its own.
                Err(_) if self.problems.is_empty() => {
                    self.wrong(
                        field,
                        Problem::new(format!("\"{part}\" is no network in CIDR form")),
                    );
                }
                Err(_) => {}
            }
        }
        networks
    }

    fn etcd(
        &mut self,
        cluster: &mut ClusterConfiguration,
        node_name: &str,
        advertise_address: IpAddr,
    ) -> Etcd {
        if let Some(external) = &cluster.etcd.external {
            let external = external.clone();
            let mut file = |field: &str, text: &Option<String>| {
                text.as_deref()
                    .filter(|text| !text.is_empty())
                    .map(|text| self.path(&format!("etcd.external.{field}"), text))
            };
            return Etcd::External(ExternalEtcd {
                ca_file: file("caFile", &external.ca_file),
                cert_file: file("certFile", &external.cert_file),
                key_file: file("keyFile", &external.key_file),
                http_endpoints: if external.http_endpoints.is_empty() {
                    external.endpoints.clone()
                } else {
                    external.http_endpoints.clone()
                },
                endpoints: external.endpoints,
            });
        }
        let local = cluster.etcd.local.get_or_insert_default();
        let data_dir = local
            .data_dir
            .get_or_insert_with(|| "/var/lib/etcd".to_owned())
            .clone();
        let local = local.clone();
        let names = |extra: &[String]| {
            let own = [node_name.to_owned(), "localhost".to_owned()];
            let addresses = [
                advertise_address,
                IpAddr::from([127, 0, 0, 1]),
                IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            ];
            alternative_names(own, addresses, extra)
        };
        let (server_dns_names, server_ip_addresses) = names(&local.server_cert_sans);
        let (peer_dns_names, peer_ip_addresses) = names(&local.peer_cert_sans);
        Etcd::Local(Box::new(LocalEtcd {
            data_dir: self.path("etcd.local.dataDir", &data_dir),
            extra_args: arguments(&local.extra_args),
            extra_envs: environment(&local.extra_envs),
            server_dns_names,
            server_ip_addresses,
            peer_dns_names,
            peer_ip_addresses,
        }))
    }

    fn certificates(
        &mut self,
        cluster: &mut ClusterConfiguration,
        node: &Node,
        api: &Api,
        network: &Network,
        now: Timestamp,
    ) -> Certificates {
        let algorithm = cluster
            .encryption_algorithm
            .get_or_insert(v1beta4::EncryptionAlgorithm::Rsa2048)
            .as_str();
        let leaf = *cluster
            .certificate_validity_period
            .get_or_insert(GoDuration::from_seconds(8760 * 3600));
        let ca = *cluster
            .ca_certificate_validity_period
            .get_or_insert(GoDuration::from_seconds(87600 * 3600));
        let mut validity = |field: &str, period: GoDuration| {
            let whole = SignedDuration::from_secs(period.nanoseconds() / 1_000_000_000);
            match (now.checked_sub(BACKDATE), now.checked_add(whole)) {
                (Ok(not_before), Ok(not_after)) if whole.is_positive() => Validity {
                    not_before,
                    not_after,
                },
                _ => {
                    self.wrong(
                        field,
                        Problem::new(format!(
                            "{period} is no period for which a certificate can be valid"
                        )),
                    );
                    Validity {
                        not_before: now,
                        not_after: now,
                    }
                }
            }
        };
        let leaf_validity = validity("certificateValidityPeriod", leaf);
        let ca_validity = validity("caCertificateValidityPeriod", ca);
        for name in &mut cluster.api_server.cert_sans {
            *name = name.to_lowercase();
        }
        let own_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            .into_iter()
            .map(str::to_owned)
            .chain([
                node.name.clone(),
                format!("kubernetes.default.svc.{}", network.dns_domain),
            ]);
        let extra: Vec<String> = api
            .control_plane_host
            .iter()
            .chain(&cluster.api_server.cert_sans)
            .cloned()
            .collect();
        let (api_server_dns_names, api_server_ip_addresses) = alternative_names(
            own_names,
            [network.api_service_ip, api.advertise_address],
            &extra,
        );
        Certificates {
            algorithm: KeyAlgorithm::from_name(algorithm).unwrap_or_default(),
            ca_validity,
            leaf_validity,
            api_server_dns_names,
            api_server_ip_addresses,
            external_cluster_ca: self.host.cluster_ca_certificate && !self.host.cluster_ca_key,
        }
    }

    fn component(
        &self,
        configured: &v1beta4::ControlPlaneComponent,
        trusts_host: bool,
    ) -> Component {
        Component {
            extra_args: arguments(&configured.extra_args),
            extra_volumes: configured
                .extra_volumes
                .iter()
                .map(|volume| HostPathVolume {
                    name: volume.name.clone(),
                    host_path: volume.host_path.clone(),
                    mount_path: volume.mount_path.clone(),
                    read_only: volume.read_only.unwrap_or(false),
                    path_type: volume
                        .path_type
                        .map_or_else(String::new, |path_type| path_type.as_str().to_owned()),
                })
                .collect(),
            extra_envs: environment(&configured.extra_envs),
            host_ca_folders: if trusts_host {
                self.host.ca_folders.clone()
            } else {
                Vec::new()
            },
        }
    }

    fn proxy_environment(&self) -> Vec<EnvironmentVariable> {
        let mut variables: Vec<EnvironmentVariable> = self
            .host
            .proxy_environment
            .iter()
            .map(|(name, value)| EnvironmentVariable {
                name: name.clone(),
                source: serde_json::Map::from_iter([("value".to_owned(), json!(value))]),
            })
            .collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    fn access(&self, paths: &Paths, api: &Api) -> ApiAccess {
        match &self.overrides.kubeconfig {
            // Another kubeconfig is taken at its word.
            Some(kubeconfig) => ApiAccess {
                kubeconfig: kubeconfig.clone(),
                super_kubeconfig: None,
                server: None,
            },
            None => ApiAccess {
                kubeconfig: paths.kubeconfig("admin.conf"),
                super_kubeconfig: Some(paths.kubeconfig("super-admin.conf")),
                server: Some(api.local_url()),
            },
        }
    }

    fn bootstrap_tokens(
        &mut self,
        init: &InitConfiguration,
        now: Timestamp,
    ) -> Vec<BootstrapTokenSpec> {
        let mut configured = init.bootstrap_tokens.clone();
        // kubeadm describes its token only where there is no file.
        let by_flags = self.documents.init.is_none() && self.documents.cluster.is_none();
        let mut described = false;
        if let Some(token) = &self.overrides.token {
            if let Some(problem) = Format::BootstrapToken.refuse(token.expose()) {
                self.problems.push(Problem {
                    message: format!("--token: {}", problem.message),
                    hint: problem.hint,
                });
            }
            described = by_flags;
            configured = vec![v1beta4::BootstrapToken {
                token: rinit_config::BootstrapToken::new(token.expose().clone()),
                ..Default::default()
            }];
        } else if configured.is_empty() {
            described = by_flags;
            configured = vec![v1beta4::BootstrapToken::default()];
        }
        let flag_ttl = self.overrides.token_ttl.as_deref().and_then(|text| {
            let ttl = GoDuration::from_str(text).ok();
            if ttl.is_none() {
                self.problems.push(
                    Problem::new(format!("--token-ttl: \"{text}\" is no duration"))
                        .with_hint("write it as `24h0m0s`, or `0` for a token without an end"),
                );
            }
            ttl
        });
        let drawn_count = configured
            .iter()
            .filter(|token| token.token.is_none())
            .count();
        configured
            .into_iter()
            .enumerate()
            .map(|(index, token)| {
                let drawn = token.token.is_none();
                let text = token.token.map_or_else(
                    || self.host.drawn_token.clone(),
                    rinit_config::BootstrapToken::into_secret,
                );
                let expires = if let Some(expires) = token.expires {
                    Timestamp::from_second(expires.unix_seconds()).ok()
                } else {
                    let ttl = flag_ttl.or(token.ttl).unwrap_or(DEFAULT_TOKEN_TTL);
                    let ttl = SignedDuration::from_nanos(ttl.nanoseconds());
                    (!ttl.is_zero())
                        .then(|| now.checked_add(ttl).ok())
                        .flatten()
                        .map(truncate)
                };
                let description = token
                    .description
                    .filter(|text| !text.is_empty())
                    .or_else(|| described.then(|| constants::DEFAULT_TOKEN_DESCRIPTION.to_owned()));
                let usages: Vec<String> = if token.usages.is_empty() {
                    vec!["signing".to_owned(), "authentication".to_owned()]
                } else {
                    token
                        .usages
                        .iter()
                        .map(|usage| usage.as_str().to_owned())
                        .collect()
                };
                let groups = if token.groups.is_empty() {
                    vec![groups::BOOTSTRAPPERS.to_owned()]
                } else {
                    token.groups
                };
                // Only one token can be drawn for a run.
                if drawn && drawn_count > 1 {
                    self.wrong(
                        &format!("bootstrapTokens[{index}]"),
                        Problem::new("of several tokens only one can be drawn; the others must be written out")
                            .with_hint("`kubeadm token generate` draws one"),
                    );
                }
                token_spec(&text, description, expires, usages, groups, drawn)
            })
            .collect()
    }

    fn upload_certs(
        &mut self,
        init: &InitConfiguration,
        certificates: &Certificates,
        now: Timestamp,
    ) -> UploadCerts {
        let given = match &self.overrides.certificate_key {
            Some(key) => {
                if let Some(problem) = Format::CertificateKey.refuse(key.expose()) {
                    self.problems.push(Problem {
                        message: format!("--certificate-key: {}", problem.message),
                        hint: problem.hint,
                    });
                }
                Some(key.clone())
            }
            None => init
                .certificate_key
                .clone()
                .map(rinit_config::CertificateKey::into_secret),
        };
        if self.overrides.upload_certs && certificates.external_cluster_ca {
            self.problems.push(
                Problem::new("--upload-certs cannot be used with an external certificate authority, whose key is not on this host")
                    .with_hint("copy the certificates to the other control planes by hand"),
            );
        }
        UploadCerts {
            enabled: self.overrides.upload_certs,
            drawn: given.is_none(),
            certificate_key: given.unwrap_or_else(|| self.host.drawn_certificate_key.clone()),
            ttl_token: token_spec(
                &self.host.drawn_ttl_token,
                Some(constants::CERTS_TTL_TOKEN_DESCRIPTION.to_owned()),
                now.checked_add(UPLOADED_CERTIFICATES_TTL).ok(),
                Vec::new(),
                Vec::new(),
                true,
            ),
        }
    }

    fn ignored_checks(&mut self, init: &InitConfiguration) -> Vec<String> {
        let mut names: Vec<String> = self
            .overrides
            .ignore_preflight_errors
            .iter()
            .chain(&init.node_registration.ignore_preflight_errors)
            .map(|name| name.trim().to_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        names.sort();
        names.dedup();
        if names.len() > 1 && names.iter().any(|name| name == "all") {
            self.problems.push(
                Problem::new(
                    "the name `all` stands beside other names of preflight checks to ignore",
                )
                .with_hint("name `all` alone, or only single checks"),
            );
        }
        names
    }

    fn patches(&mut self) -> Vec<Patch> {
        let mut files: Vec<_> = self.host.patch_files.iter().collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut patches = Vec::new();
        for file in files {
            let Some(name) = PatchName::parse(&file.name) else {
                self.detected.push(format!(
                    "the patch folder has {}, which is no patch",
                    file.name
                ));
                continue;
            };
            let Some(patch_type) = name.patch_type else {
                self.problems.push(
                    Problem::new(format!(
                        "patch {}: unknown type \"{}\"",
                        file.name, name.type_text
                    ))
                    .with_hint("use `strategic`, `merge` or `json`"),
                );
                continue;
            };
            match &file.documents {
                Ok(documents) => patches.extend(documents.iter().map(|document| Patch {
                    target: name.target,
                    patch_type,
                    document: document.clone(),
                    file: file.name.clone(),
                })),
                Err(reason) => {
                    self.problems
                        .push(Problem::new(format!("patch {}: {reason}", file.name)));
                }
            }
        }
        patches
    }
}

/// What the name of a patch file says: `target[suffix][+type].extension` (kubeadm).
struct PatchName<'a> {
    target: PatchTarget,
    patch_type: Option<PatchType>,
    type_text: &'a str,
}

impl<'a> PatchName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let stem = name
            .strip_suffix(".yaml")
            .or_else(|| name.strip_suffix(".json"))?;
        let (target_text, type_text) = stem.split_once('+').unwrap_or((stem, "strategic"));
        // `kubeletconfiguration` begins with no other target, but `etcd` might once; the longest
        // target that fits is meant.
        let (target, _) = PatchTarget::ALL
            .iter()
            .filter(|(_, known)| target_text.starts_with(known))
            .max_by_key(|(_, known)| known.len())?;
        let patch_type = match type_text {
            "strategic" => Some(PatchType::Strategic),
            "merge" => Some(PatchType::Merge),
            "json" => Some(PatchType::Json),
            _ => None,
        };
        Some(Self {
            target: *target,
            patch_type,
            type_text,
        })
    }
}

const DEFAULT_IMAGE_REPOSITORY: &str = "registry.k8s.io";

fn images(cluster: &ClusterConfiguration, version: &KubernetesVersion) -> Images {
    let repository = cluster
        .image_repository
        .as_deref()
        .unwrap_or(DEFAULT_IMAGE_REPOSITORY);
    let table = version.table();
    let component = |name: &str| format!("{repository}/{name}:{}", version.image_tag());
    let dns_repository = cluster
        .dns
        .image
        .image_repository
        .as_deref()
        .unwrap_or(repository);
    let dns_folder = if dns_repository == DEFAULT_IMAGE_REPOSITORY {
        "coredns/coredns"
    } else {
        "coredns"
    };
    let dns_tag = cluster
        .dns
        .image
        .image_tag
        .as_deref()
        .unwrap_or(table.coredns);
    let etcd_image = cluster.etcd.local.as_ref().map(|local| &local.image);
    let etcd_repository = etcd_image
        .and_then(|image| image.image_repository.as_deref())
        .unwrap_or(repository);
    let etcd_tag = etcd_image
        .and_then(|image| image.image_tag.as_deref())
        .unwrap_or(table.etcd);
    Images {
        api_server: component("kube-apiserver"),
        controller_manager: component("kube-controller-manager"),
        scheduler: component("kube-scheduler"),
        proxy: component("kube-proxy"),
        dns: format!("{dns_repository}/{dns_folder}:{dns_tag}"),
        etcd: format!("{etcd_repository}/etcd:{etcd_tag}"),
        pause: format!("{repository}/pause:{}", table.pause),
    }
}

/// The document that the cluster keeps, as kubeadm stores it.
fn stored_configuration(cluster: &ClusterConfiguration) -> Value {
    let mut value = cluster.to_value();
    if let Some(object) = value.as_object_mut() {
        object.insert("apiVersion".to_owned(), json!(rinit_config::API_VERSION));
        object.insert("kind".to_owned(), json!("ClusterConfiguration"));
    }
    value
}

fn timeouts(init: &InitConfiguration) -> Timeouts {
    let timeouts = init.timeouts.clone().unwrap_or_default();
    let seconds = |value: Option<GoDuration>, default: u64| {
        value
            .and_then(GoDuration::to_std)
            .filter(|duration| !duration.is_zero())
            .map_or(default, |duration| duration.as_secs().max(1))
    };
    Timeouts {
        control_plane_component_health_check: seconds(
            timeouts.control_plane_component_health_check,
            240,
        ),
        kubelet_health_check: seconds(timeouts.kubelet_health_check, 240),
        kubernetes_api_call: seconds(timeouts.kubernetes_api_call, 60),
    }
}

fn arguments(configured: &[v1beta4::Argument]) -> Vec<Argument> {
    configured
        .iter()
        .map(|argument| Argument {
            name: argument.name.clone(),
            value: argument.value.clone(),
        })
        .collect()
}

fn environment(configured: &[v1beta4::EnvironmentVariable]) -> Vec<EnvironmentVariable> {
    configured
        .iter()
        .map(|variable| {
            let mut source = match variable.to_value() {
                Value::Object(object) => object,
                _ => serde_json::Map::new(),
            };
            source.remove("name");
            EnvironmentVariable {
                name: variable.name.clone(),
                source,
            }
        })
        .collect()
}

fn token_spec(
    text: &Secret<String>,
    description: Option<String>,
    expires: Option<Timestamp>,
    usages: Vec<String>,
    groups: Vec<String>,
    drawn: bool,
) -> BootstrapTokenSpec {
    let (id, secret) = text.expose().split_once('.').unwrap_or_default();
    BootstrapTokenSpec {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
        description,
        expires,
        usages,
        groups,
        drawn,
    }
}

/// Names and addresses of a certificate by kubeadm's rule: names sorted, each once; addresses each
/// once, in order.
fn alternative_names(
    names: impl IntoIterator<Item = String>,
    addresses: impl IntoIterator<Item = IpAddr>,
    extra: &[String],
) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns: Vec<String> = names.into_iter().collect();
    let mut ips: Vec<IpAddr> = addresses.into_iter().collect();
    for name in extra {
        match IpAddr::from_str(name) {
            Ok(address) => ips.push(address),
            Err(_) => dns.push(name.clone()),
        }
    }
    dns.sort();
    dns.dedup();
    let mut seen = Vec::new();
    ips.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    (dns, ips)
}

/// The address at that index of a network, if it has one.
fn address_at(network: &IpNet, index: u128) -> Option<IpAddr> {
    let address = match network.network() {
        IpAddr::V4(base) => IpAddr::from(
            u32::from(base)
                .checked_add(u32::try_from(index).ok()?)?
                .to_be_bytes(),
        ),
        IpAddr::V6(base) => IpAddr::from(u128::from(base).checked_add(index)?.to_be_bytes()),
    };
    network.contains(&address).then_some(address)
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; the file's rules have checked the form.
fn split_host_port(text: &str) -> (String, Option<u16>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host.to_owned(),
            port.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host.to_owned(), port.parse().ok()),
        _ => (text.to_owned(), None),
    }
}

/// Certificates and tokens know whole seconds only.
fn truncate(timestamp: Timestamp) -> Timestamp {
    Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp)
}
