//! From what the user wrote and what the host is to what will be done.

mod certificates;
mod components;
mod flags;
mod network;
mod node;
mod tokens;
mod version;

pub use certificates::BACKDATE;
pub(crate) use network::split_host_port;
pub use node::unreachable;

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use rinit_config::v1beta4::{ClusterConfiguration, InitConfiguration};
use rinit_config::{Documents, Findings, Rule, Severity};
use rinit_diag::Problem;
use rinit_plan::{LogicalPath, defaults};
use serde_json::{Value, json};

use self::components::images;
use self::node::timeouts;
use crate::advice::{Advice, advise_where};
use crate::component_configs;
use crate::facts::{Addon, Facts, JoinOptions};
use crate::host_facts::HostFacts;
use crate::overrides::Overrides;
use crate::paths::{KUBECONFIGS, Paths};

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

/// A problem with the value of a flag.
fn of_flag(flag: &str, problem: Problem) -> Problem {
    Problem {
        message: format!("--{flag}: {}", problem.message),
        hint: problem.hint,
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
