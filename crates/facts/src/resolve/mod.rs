//! From what the user wrote and what the host is to what will be done.

mod certificates;
mod components;
mod network;
mod node;
mod tokens;

pub use certificates::BACKDATE;
pub(crate) use network::split_host_port;
pub use node::unreachable;

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use rinit_config::v1beta4::{self, ClusterConfiguration, EncryptionAlgorithm, InitConfiguration};
use rinit_config::{Documents, Findings, Format, GoDuration, Rule, Severity};
use rinit_diag::Problem;
use rinit_plan::{LogicalPath, defaults};
use rinit_versions::KubernetesVersion;
use serde_json::{Value, json};

use self::components::images;
use crate::advice::{Advice, advise_where};
use crate::component_configs;
use crate::facts::{Addon, Facts, JoinOptions, Timeouts};
use crate::gates::GATES;
use crate::host_facts::HostFacts;
use crate::overrides::Overrides;
use crate::paths::Paths;

/// Everything that keeps the configuration from being resolved.
#[derive(Debug, Clone)]
pub struct ResolveError {
    /// What is wrong in the file, with places.
    pub findings: Findings,
    /// What is wrong elsewhere: in flags, or with what the host offers.
    pub problems: Vec<Problem>,
    /// What is doubtful in what could be judged, beside the findings.
    pub warnings: Vec<Problem>,
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
/// Documents with an error never resolve. All that does not hang on what is wrong in them is judged
/// all the same.
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
        misformed: BTreeSet::new(),
        refused: BTreeSet::new(),
        detected: Vec::new(),
        doubtful: Findings::new(documents.source.clone()),
        warnings: Vec::new(),
    };
    if documents.is_beyond_judgement() {
        return Err(Box::new(resolver.refuse(Advice::none(documents))));
    }
    resolver.check_kinds();
    let init = documents.init.clone().unwrap_or_default();
    let mut cluster = documents.cluster.clone().unwrap_or_default();
    resolver.apply_flags(&mut cluster);
    for (field, problem) in &host.unseen {
        resolver.wrong(Rule::HostFact, field, problem.clone());
    }
    let facts = resolver.facts(&init, cluster);
    if resolver.problems.is_empty()
        && !resolver.findings.has_errors()
        && !documents.findings.has_errors()
    {
        return Ok(facts);
    }
    resolver.warnings.clone_from(&facts.warnings);
    let advice = advise_where(documents, overrides, host, &facts, &|path| {
        resolver.is_settled(path)
    });
    Err(Box::new(resolver.refuse(advice)))
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
    /// Flags whose own form is wrong, of which no more is said.
    misformed: BTreeSet<&'static str>,
    /// Fields and flags that were refused here.
    refused: BTreeSet<String>,
    detected: Vec<String>,
    /// What is doubtful in the file.
    doubtful: Findings,
    /// What is doubtful beside it.
    warnings: Vec<Problem>,
}

impl Resolver<'_> {
    /// Everything that is wrong and doubtful.
    fn refuse(self, advice: Advice) -> ResolveError {
        let mut findings = self.findings;
        for finding in advice.findings {
            findings.push(finding);
        }
        let mut warnings = advice.problems;
        warnings.extend(self.warnings);
        ResolveError {
            findings,
            problems: self.problems,
            warnings,
        }
    }

    /// Whether the value of a field is known and was not refused: what hangs on another one would
    /// be judged by a stand-in.
    fn is_settled(&self, path: &str) -> bool {
        match self.overrides.flag(path) {
            Some(flag) => !self.misformed.contains(flag) && !self.refused.contains(flag),
            None => self.documents.is_settled(path) && !self.refused.contains(path),
        }
    }

    /// A file that says nothing of this cluster is another file than was meant.
    fn check_kinds(&mut self) {
        let documents = self.documents;
        let is_known = ["InitConfiguration", "ClusterConfiguration"]
            .iter()
            .all(|kind| documents.is_settled_document(kind));
        if documents.from_file
            && is_known
            && documents.init.is_none()
            && documents.cluster.is_none()
        {
            self.problems.push(
                Problem::new(format!(
                    "{} has neither an InitConfiguration nor a ClusterConfiguration",
                    documents.source.shown_name()
                ))
                .with_hint(
                    "check the path after `--config`; `rinit config print init-defaults` prints \
                     documents to start from",
                ),
            );
        }
    }

    /// Something doubtful about a field of a document, or about the flag that replaced it.
    fn doubt(&mut self, rule: Rule, kind: &str, path: &str, problem: Problem) {
        let source = &self.documents.source;
        if self.overrides.flag(path).is_some() || source.place_in(kind, path).is_none() {
            self.warnings.push(problem);
            return;
        }
        let finding = source.finding(rule, Severity::Warning, path, problem.message);
        self.doubtful.push(match problem.hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        });
    }

    /// Something wrong with a field of the file, or with the flag that replaced it.
    fn wrong(&mut self, rule: Rule, path: &str, problem: Problem) {
        if let Some(flag) = self.overrides.flag(path) {
            if !self.misformed.contains(flag) {
                self.wrong_flag(flag, problem);
                self.refused.insert(flag.to_owned());
            }
            return;
        }
        // What the file says there was found wrong already, or nobody knows what it says.
        if !self.documents.is_settled(path) {
            return;
        }
        // To look for the places of tens of thousands of fields takes minutes.
        if self.findings.is_full_of(Severity::Error) {
            self.findings.leave_out();
            return;
        }
        self.refused.insert(path.to_owned());
        if self.documents.source.place(path).is_some() {
            let mut finding =
                self.documents
                    .source
                    .finding(rule, Severity::Error, path, problem.message);
            if let Some(hint) = problem.hint {
                finding = finding.with_hint(hint);
            }
            self.findings.push(finding);
        } else {
            self.problems.push(problem);
        }
    }

    /// Something wrong with the value of a flag.
    fn wrong_flag(&mut self, flag: &str, problem: Problem) {
        self.problems.push(Problem {
            message: format!("--{flag}: {}", problem.message),
            hint: problem.hint,
        });
    }

    /// Checks the value of a flag by the rule of its field.
    fn check_flag(&mut self, flag: &'static str, format: Format, value: &str) {
        if let Some(problem) = format.refuse(value) {
            self.wrong_flag(flag, problem);
            self.misformed.insert(flag);
        }
    }

    /// Puts the flags over the document of the cluster.
    fn apply_flags(&mut self, cluster: &mut ClusterConfiguration) {
        let flags = self.overrides;
        let texts: [(&'static str, Format, &Option<String>, &mut Option<String>); 7] = [
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
            const FLAG: &str = "apiserver-cert-extra-sans";
            for name in &flags.apiserver_cert_extra_sans {
                if name.is_empty() {
                    let problem = Problem::new("an item of this list must not be empty")
                        .with_hint("take the comma beside it out");
                    self.wrong_flag(FLAG, problem);
                    self.misformed.insert(FLAG);
                } else {
                    self.check_flag(FLAG, Format::SubjectAlternativeName, name);
                }
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
        // By a version that stands in for one that is wrong nothing can be told.
        if self.is_settled("kubernetesVersion") {
            self.newer_fields(&cluster, &version);
        }
        let addon = |disabled: &mut Option<bool>, skipped: bool| {
            if skipped {
                // So kubeadm stores it, and so `kubeadm upgrade` will leave it out as well.
                *disabled = Some(true);
            }
            Addon {
                disabled: disabled.unwrap_or(false),
                skipped,
            }
        };
        let dns = addon(
            &mut cluster.dns.disabled,
            self.is_skipped_addon("addon/coredns"),
        );
        let proxy = addon(
            &mut cluster.proxy.disabled,
            self.is_skipped_addon("addon/kube-proxy"),
        );
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
            .get_or_insert_with(|| defaults::CLUSTER_NAME.to_owned())
            .clone();
        cluster.certificates_dir = Some(paths.certificates.to_string());
        cluster
            .image_repository
            .get_or_insert_with(|| defaults::IMAGE_REPOSITORY.to_owned());
        cluster.kubernetes_version = Some(version.to_string());

        let (kubelet, kubelet_doubts) =
            component_configs::kubelet(self.documents.kubelet.as_ref(), &paths, &network);
        let (kube_proxy, kube_proxy_doubts) = component_configs::kube_proxy(
            self.documents.kube_proxy.as_ref(),
            &version,
            &network,
            api.advertise_address,
        );
        for (kind, doubts) in [
            ("KubeletConfiguration", kubelet_doubts),
            ("KubeProxyConfiguration", kube_proxy_doubts),
        ] {
            if !self.documents.is_settled_document(kind) {
                continue;
            }
            for doubt in doubts {
                if doubt.hangs_on.is_none_or(|field| self.is_settled(field)) {
                    let rule = Rule::RecommendedComponentValue;
                    self.doubt(rule, kind, &doubt.field, doubt.problem);
                }
            }
        }
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
            dns,
            proxy,
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
            doubtful: std::mem::replace(
                &mut self.doubtful,
                Findings::new(self.documents.source.clone()),
            ),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    /// What kubeadm of this minor, which other nodes join with, does not know.
    fn newer_fields(&mut self, cluster: &ClusterConfiguration, version: &KubernetesVersion) {
        let table = version.table();
        let mut since = |path: &str, minor: u32| {
            let problem = Problem::new(format!(
                "Kubernetes 1.{} does not know it; it came with 1.{minor}",
                table.minor
            ))
            .with_hint(format!(
                "take it out, or set `kubernetesVersion` to 1.{minor} or newer"
            ));
            self.wrong(Rule::LaterMinor, path, problem);
        };
        if cluster.encryption_algorithm == Some(EncryptionAlgorithm::EcdsaP384) && !table.ecdsa_p384
        {
            since("encryptionAlgorithm", 34);
        }
        let external = cluster.etcd.external.as_ref();
        if external.is_some_and(|external| !external.http_endpoints.is_empty())
            && !table.etcd_http_endpoints
        {
            since("etcd.external.httpEndpoints", 35);
        }
        let local = cluster.etcd.local.as_ref().map(|local| &local.extra_envs);
        for (owner, variables) in [
            ("apiServer", &cluster.api_server.component.extra_envs),
            ("controllerManager", &cluster.controller_manager.extra_envs),
            ("scheduler", &cluster.scheduler.extra_envs),
        ]
        .into_iter()
        .chain(local.map(|variables| ("etcd.local", variables)))
        {
            for (index, variable) in variables.iter().enumerate() {
                let source = variable.value_from.as_ref();
                if source.is_some_and(|source| source.file_key_ref.is_some())
                    && !table.env_from_files
                {
                    let path = format!("{owner}.extraEnvs[{index}].valueFrom.fileKeyRef");
                    since(&path, 34);
                }
            }
        }
    }

    /// Whether `--skip-phases` or `skipPhases` names an add-on, alone or with all of them.
    fn is_skipped_addon(&self, name: &str) -> bool {
        self.overrides.skipped_phases.iter().any(|phase| {
            ["addon", "addon/all", name]
                .iter()
                .any(|one| phase.eq_ignore_ascii_case(one))
        })
    }

    fn feature_gates(&mut self, cluster: &ClusterConfiguration, minor: u32) {
        for (name, is_on) in &cluster.feature_gates {
            let known = GATES.iter().find(|gate| gate.name == name);
            let problem = match known {
                // By a version that stands in for one that is wrong nothing can be told.
                Some(_) if !self.is_settled("kubernetesVersion") => continue,
                Some(gate) if minor <= gate.last_minor => {
                    if let Some(missing) = gate.missing.filter(|_| *is_on) {
                        let problem = Problem::new(format!(
                            "rinit does not do what the feature gate {name} is for: {missing}"
                        ))
                        .with_hint("take it out of the configuration");
                        let path = format!("featureGates.{name}");
                        self.doubt(Rule::FeatureGate, "ClusterConfiguration", &path, problem);
                    }
                    continue;
                }
                Some(gate) => Problem::new(format!(
                    "kubeadm has no feature gate \"{name}\" since Kubernetes 1.{}",
                    gate.last_minor + 1
                ))
                .with_hint("take it out of the configuration; it changes nothing any more"),
                None => Problem::new(format!("there is no feature gate \"{name}\" in kubeadm"))
                    .with_hint(
                        "feature gates of components go into their `extraArgs` as `feature-gates`",
                    ),
            };
            self.wrong(Rule::FeatureGate, &format!("featureGates.{name}"), problem);
        }
    }

    fn version(&mut self, cluster: &ClusterConfiguration) -> KubernetesVersion {
        let newest = KubernetesVersion::newest();
        let Some(asked) = &cluster.kubernetes_version else {
            // A second init verifies what the first one made; it is no upgrade.
            let existing = &self.host.existing;
            let mut unreadable = existing.unreadable.clone();
            match existing.version.as_deref().map(str::parse) {
                Some(Ok(version)) => {
                    self.detected.push(format!(
                        "Kubernetes {version}, which is on this host already"
                    ));
                    return version;
                }
                Some(Err(error)) => unreadable = Some(error.to_string()),
                None => {}
            }
            if let Some(reason) = unreadable {
                self.warnings.push(
                    Problem::new(format!(
                        "the version of the control plane that is on this host cannot be told, so the newest counts, {newest}: {reason}"
                    ))
                    .with_hint("name its version with `--kubernetes-version` or `kubernetesVersion`"),
                );
                return newest;
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
                    Rule::SupportedVersion,
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
                Rule::VersionLabel,
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
                Rule::AbsolutePath,
                field,
                Problem::new(error.to_string())
                    .with_hint("give the path from `/` on, without `..`"),
            );
            LogicalPath::parse("/").unwrap_or_else(|_| unreachable!("/ is absolute"))
        })
    }

    fn paths(&mut self, cluster: &ClusterConfiguration) -> Paths {
        let certificates = cluster
            .certificates_dir
            .as_deref()
            .unwrap_or(defaults::CERTIFICATES_FOLDER);
        let kubeconfigs = self
            .overrides
            .kubeconfig_dir
            .as_deref()
            .unwrap_or(defaults::KUBERNETES_FOLDER);
        Paths {
            certificates: self.path("certificatesDir", certificates),
            kubeconfigs: LogicalPath::parse(kubeconfigs).unwrap_or_else(|error| {
                let problem = Problem::new(error.to_string())
                    .with_hint("give the path from `/` on, without `..`");
                self.wrong_flag("kubeconfig-dir", problem);
                self.path("", defaults::KUBERNETES_FOLDER)
            }),
            manifests: self.path("", defaults::MANIFESTS_FOLDER),
            kubelet: self.path("", defaults::KUBELET_FOLDER),
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
            self.wrong(
                Rule::IgnoreAllAlone,
                "nodeRegistration.ignorePreflightErrors",
                Problem::new(
                    "the name `all` stands beside other names of preflight checks to ignore",
                )
                .with_hint("name `all` alone, or only single checks"),
            );
        }
        names
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

/// Certificates and tokens know whole seconds only.
fn truncate(timestamp: Timestamp) -> Timestamp {
    Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp)
}
