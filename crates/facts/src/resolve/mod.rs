//! From what the user wrote and what the host is to what will be done.

mod certificates;
mod components;
mod network;
mod node;
mod tokens;
mod version;

pub use certificates::BACKDATE;
pub(crate) use network::split_host_port;
pub use node::unreachable;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use rinit_config::v1beta4::{ClusterConfiguration, InitConfiguration};
use rinit_config::{Documents, Findings, Format, Rule, Severity, Surroundings};
use rinit_diag::Problem;
use rinit_plan::{LogicalPath, defaults};
use serde_json::{Value, json};

use self::certificates::certificate_names;
use self::components::{arguments, component, images};
use self::node::{endpoint, pull_policy, taints, timeouts, without_zero_timeouts};
use self::tokens::token_specs;
use crate::advice::{Advice, advise_where};
use crate::component_configs;
use crate::facts::{
    Addon, Api, ClusterSpec, Facts, JoinOptions, NodeSpec, Role, RunInputs, Signing,
};
use crate::host_facts::{ClusterCa, HostFacts};
use crate::join::Join;
use crate::overrides::{Kind, Overrides, of_flag};
use crate::paths::{KUBECONFIGS, Paths};
use crate::sourced::{Origin, Origins};

/// Everything that keeps the configuration from being resolved.
#[derive(Debug, Clone)]
pub struct ResolveError {
    /// What is wrong in the file, with places.
    pub findings: Findings,
    /// What is wrong elsewhere: in flags, or with what the host offers.
    pub problems: Vec<Problem>,
    /// What is doubtful in what could be validated, beside the findings.
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
/// Documents with an error never resolve. All that does not depend on what is wrong in them is
/// validated all the same.
///
/// `overrides` win over the documents. What neither says is taken from `host`, then from kubeadm's
/// defaults; every such choice that depends on the host is in [`Facts::detected`].
pub fn resolve(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, Box<ResolveError>> {
    resolve_as(Role::FirstControlPlane, None, documents, overrides, host)
}

/// The same for a node that joins a cluster: the documents are those that the cluster keeps, with
/// that of the node as its InitConfiguration ([`crate::node_document`]).
pub fn resolve_join(
    role: Role,
    join: Join,
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, Box<ResolveError>> {
    resolve_as(role, Some(join), documents, overrides, host)
}

fn resolve_as(
    role: Role,
    join: Option<Join>,
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, Box<ResolveError>> {
    let mut resolver = Resolver {
        role,
        join,
        host,
        overrides,
        documents,
        findings: Findings::new(documents.source.clone()),
        problems: overrides.problems.clone(),
        misformed: BTreeSet::new(),
        refused: BTreeSet::new(),
        detected: Vec::new(),
        found: BTreeMap::new(),
        doubtful: Findings::new(documents.source.clone()),
        warnings: Vec::new(),
    };
    if documents.is_full() {
        return Err(Box::new(resolver.refuse(Advice::none(documents))));
    }
    resolver.check_kinds();
    let mut init = documents.init.clone().unwrap_or_default();
    let mut cluster = documents.cluster.clone().unwrap_or_default();
    resolver.check_flags();
    overrides.put(&mut init, &mut cluster);
    for (field, problem) in &host.unseen {
        resolver.wrong(Rule::HostFact, field, problem.clone());
    }
    let facts = resolver.facts(init, cluster);
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

/// Collects what is wrong while it goes on with a stand-in, so that everything is said at once.
struct Resolver<'a> {
    role: Role,
    join: Option<Join>,
    host: &'a HostFacts,
    overrides: &'a Overrides,
    documents: &'a Documents,
    findings: Findings,
    problems: Vec<Problem>,
    /// Flags whose own form is wrong, of which no more is said.
    misformed: BTreeSet<&'static str>,
    /// Fields and flags that were refused here.
    refused: BTreeSet<String>,
    /// What is said to the user at the start, beside what was found.
    detected: Vec<String>,
    /// What the host or chance has decided, by field.
    found: BTreeMap<String, Origin>,
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

    /// Whether the value of a field is known and was not refused: what depends on another one would
    /// be validated by a stand-in.
    fn is_settled(&self, path: &str) -> bool {
        match self.overrides.flag(path) {
            Some(flag) => !self.misformed.contains(flag) && !self.refused.contains(flag),
            None => self.documents.is_settled(path) && !self.refused.contains(path),
        }
    }

    /// Notes that the host has decided a field, and how.
    fn find(&mut self, field: &str, how: &str) {
        let origin = Origin::Detected(how.to_owned());
        self.found.insert(field.to_owned(), origin);
    }

    /// Checks the values of flags by the rules of their fields.
    fn check_flags(&mut self) {
        let overrides = self.overrides;
        for flag in overrides.given() {
            for item in flag.items(overrides) {
                if item.is_empty() && flag.kind == Kind::List && flag.format != Format::Free {
                    let problem = Problem::new("an item of this list must not be empty")
                        .with_hint("take the comma beside it out");
                    self.wrong_flag(flag.name, problem);
                    self.misformed.insert(flag.name);
                } else {
                    self.check_flag(flag.name, flag.format, &item);
                }
            }
        }
    }

    /// Checks the value of a flag by a rule.
    fn check_flag(&mut self, flag: &'static str, format: Format, value: &str) {
        if let Some(problem) = format.refuse(value) {
            self.wrong_flag(flag, problem);
            self.misformed.insert(flag);
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
        let is_component = matches!(kind, "KubeletConfiguration" | "KubeProxyConfiguration");
        if let Some(flag) = self.overrides.flag(path).filter(|_| !is_component) {
            self.warnings.push(of_flag(flag, problem));
            return;
        }
        if source.place_in(kind, path).is_none() {
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
        self.problems.push(of_flag(flag, problem));
    }

    fn facts(&mut self, mut init: InitConfiguration, mut cluster: ClusterConfiguration) -> Facts {
        let now = truncate(self.host.now);
        let version = self.version(&cluster);
        self.feature_gates(&cluster, version.minor().0);
        // A version that stands in for one that is wrong decides nothing.
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
        let name = self.node_name(&init);
        let (cri_socket, other_cri_sockets) =
            self.cri_socket(init.node_registration.cri_socket.as_deref());
        let advertise_address =
            self.advertise_address(init.local_api_endpoint.advertise_address.as_deref());
        init.node_registration.name = Some(name.clone());
        init.node_registration.cri_socket = Some(cri_socket.clone());
        init.local_api_endpoint.advertise_address = Some(advertise_address.to_string());
        cluster.kubernetes_version = Some(version.to_string());
        let generated = self.fill_tokens(&mut init);
        without_zero_timeouts(&mut init);
        if self.role == Role::Worker {
            // Only the control plane has a taint by default.
            init.node_registration.taints.get_or_insert_default();
        }
        let surroundings = Surroundings {
            node_name: name.clone(),
            advertise_address: advertise_address.to_string(),
            ipv6_advertise_address: advertise_address.to_string(),
            cri_socket: cri_socket.clone(),
            kubernetes_version: version.to_string(),
            bootstrap_token: None,
            etcd_http_endpoints: version.table().etcd_http_endpoints,
            taints: true,
        };
        rinit_config::complete_init(&mut init, &mut cluster, &surroundings);

        let paths = self.paths(&cluster);
        cluster.certificates_dir = Some(paths.certificates.to_string());
        let api = Api {
            advertise_address,
            bind_port: init
                .local_api_endpoint
                .bind_port
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or_default(),
        };
        let endpoint = endpoint(&cluster, &api);
        let network = self.network(&cluster);
        let etcd = self.etcd(&cluster);
        let certificates = self.certificates(&cluster, now);
        let names = certificate_names(&cluster, &name, &api, endpoint.as_ref(), &network);
        let images = images(&cluster, &version);
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
                if doubt.depends_on.is_none_or(|field| self.is_settled(field)) {
                    let rule = Rule::RecommendedComponentValue;
                    self.doubt(rule, kind, &doubt.field, doubt.problem);
                }
            }
        }
        let access = self.access(&paths, &api);
        let bootstrap_tokens = token_specs(&init, &generated, now);
        let signing = Signing {
            external: self.host.cluster_ca == ClusterCa::External,
            certificate: match &self.host.cluster_ca {
                ClusterCa::Local { signer } => signer.clone(),
                ClusterCa::Absent | ClusterCa::External => None,
            },
        };
        let upload_certs = self.upload_certs(&mut init, &signing, now);
        let patches = self.patches();
        let ignored_checks = self.ignored_checks(&init);
        let registration = &init.node_registration;
        let configuration = stored_configuration(&cluster);
        let origins = Origins::new(self.documents, self.overrides, &self.found);
        let mut of_node = origins.settings(&init.to_value());
        for (name, sourced) in origins.flags() {
            // One that decided a value after all stands by that.
            if of_node.values().all(|value| value.origin != sourced.origin) {
                of_node.insert(name, sourced);
            }
        }
        let mut of_cluster = origins.settings(&cluster.to_value());
        of_cluster.extend([
            origins.component(
                "KubeletConfiguration",
                "cgroupDriver",
                &kubelet["cgroupDriver"],
            ),
            origins.component("KubeProxyConfiguration", "mode", &kube_proxy["mode"]),
        ]);
        for (addon, field) in [(&dns, "dns.disabled"), (&proxy, "proxy.disabled")] {
            if let Some(disabled) = of_cluster.get_mut(field).filter(|_| addon.skipped) {
                disabled.origin = origins.origin("skipPhases");
            }
        }
        let found = of_node.iter().chain(&of_cluster);
        let found = found.filter(|(_, sourced)| matches!(sourced.origin, Origin::Detected(_)));
        let mut detected: Vec<String> = found
            .map(|(field, sourced)| format!("{field}: {sourced}"))
            .collect();
        detected.append(&mut self.detected);
        Facts {
            cluster: ClusterSpec {
                version,
                name: cluster.cluster_name.clone().unwrap_or_default(),
                endpoint,
                network,
                certificates,
                etcd,
                api_server: component(&cluster.api_server.component),
                controller_manager: component(&cluster.controller_manager),
                scheduler: component(&cluster.scheduler),
                dns,
                proxy,
                images,
                configuration,
                kubelet_configuration: kubelet,
                kubelet_configuration_written: self.documents.kubelet.is_some(),
                kube_proxy_configuration: kube_proxy,
                kube_proxy_configuration_written: self.documents.kube_proxy.is_some(),
                settings: of_cluster,
            },
            node: NodeSpec {
                role: self.role,
                name,
                hostname: self.hostname(),
                paths,
                api,
                access,
                names,
                signing,
                ca_directories: self.host.ca_folders.clone(),
                cri_socket,
                other_cri_sockets,
                taints: taints(registration),
                kubelet_extra_args: arguments(&registration.kubelet_extra_args),
                image_pull_policy: pull_policy(registration),
                image_pull_serial: registration.image_pull_serial.unwrap_or(true),
                resolv_conf: self
                    .host
                    .systemd_resolved
                    .then(|| LogicalPath::parse(defaults::RESOLVED_FILE).ok())
                    .flatten(),
                proxy_environment: self.proxy_environment(),
                patches,
                ignored_checks,
                timeouts: timeouts(&init),
                settings: of_node,
            },
            inputs: RunInputs {
                now,
                bootstrap_tokens,
                upload_certs,
                join_options: JoinOptions {
                    skip_token: self.overrides.skip_token_print,
                    skip_certificate_key: self.overrides.skip_certificate_key_print,
                },
                join: self.join.take(),
            },
            detected,
            doubtful: std::mem::replace(
                &mut self.doubtful,
                Findings::new(self.documents.source.clone()),
            ),
            warnings: std::mem::take(&mut self.warnings),
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
        let (paths, wrong) = Paths::of(Some(cluster), self.overrides);
        for (name, error) in wrong {
            let problem = Problem::new(error.to_string())
                .with_hint("give the path from `/` on, without `..`");
            if name == KUBECONFIGS {
                self.wrong_flag(name, problem);
            } else {
                self.wrong(Rule::AbsolutePath, name, problem);
            }
        }
        paths
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

/// Certificates and tokens know whole seconds only.
fn truncate(timestamp: Timestamp) -> Timestamp {
    Timestamp::from_second(timestamp.as_second()).unwrap_or(timestamp)
}
