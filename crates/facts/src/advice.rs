//! What is allowed but hardly meant: warnings beyond those of kubeadm, each with its place.

use std::net::IpAddr;

use ipnet::IpNet;
use rinit_config::v1beta4::{self, HostPathType};
use rinit_config::{Documents, Findings, Rule, Severity};
use rinit_diag::{Problem, probable};
use rinit_plan::LogicalPath;
use rinit_versions::FlaggedComponent;

use crate::facts::{Argument, Etcd, Facts};
use crate::host_facts::HostFacts;
use crate::overrides::Overrides;
use crate::resolve::split_host_port;

/// What was looked for on the host or the network and not found. Empty where nobody looked.
#[derive(Debug, Clone, Default)]
pub struct Missing {
    /// Fields whose path is not on this host.
    pub paths: Vec<WrittenPath>,
    /// The host of the control plane's endpoint, if its name does not resolve.
    pub endpoint: Option<String>,
}

/// A path of the host that a field names and that must be there beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPath {
    /// The field, such as `etcd.external.caFile`.
    pub field: String,
    /// The path.
    pub path: LogicalPath,
}

/// What there is to warn of.
#[derive(Debug, Clone)]
pub struct Advice {
    /// About the file.
    pub findings: Findings,
    /// About flags.
    pub problems: Vec<Problem>,
}

/// The paths that must be on the host before anything is done.
pub fn written_paths(documents: &Documents) -> Vec<WrittenPath> {
    let mut paths = Vec::new();
    let Some(cluster) = &documents.cluster else {
        return paths;
    };
    let mut add = |field: String, text: &str| {
        if let Ok(path) = LogicalPath::parse(text) {
            paths.push(WrittenPath { field, path });
        }
    };
    if let Some(external) = &cluster.etcd.external {
        for (name, file) in [
            ("caFile", &external.ca_file),
            ("certFile", &external.cert_file),
            ("keyFile", &external.key_file),
        ] {
            if let Some(file) = file {
                add(format!("etcd.external.{name}"), file);
            }
        }
    }
    for (name, component) in components(cluster) {
        for (index, volume) in component.extra_volumes.iter().enumerate() {
            // The kubelet makes the others.
            let wanted = matches!(
                volume.path_type,
                Some(
                    HostPathType::Directory
                        | HostPathType::File
                        | HostPathType::Socket
                        | HostPathType::CharDevice
                        | HostPathType::BlockDevice
                )
            );
            if wanted {
                let field = format!("{name}.extraVolumes[{index}].hostPath");
                add(field, &volume.host_path);
            }
        }
    }
    paths
}

fn components(
    cluster: &v1beta4::ClusterConfiguration,
) -> [(&'static str, &v1beta4::ControlPlaneComponent); 3] {
    [
        ("apiServer", &cluster.api_server.component),
        ("controllerManager", &cluster.controller_manager),
        ("scheduler", &cluster.scheduler),
    ]
}

impl Advice {
    pub(crate) fn none(documents: &Documents) -> Self {
        Self {
            findings: Findings::new(documents.source.clone()),
            problems: Vec::new(),
        }
    }
}

/// The host of the control plane's endpoint as a flag or the file names it.
pub fn endpoint_host(documents: &Documents, overrides: &Overrides) -> Option<String> {
    let cluster = documents.cluster.as_ref();
    let endpoint = overrides
        .control_plane_endpoint
        .as_deref()
        .or_else(|| cluster?.control_plane_endpoint.as_deref())
        .filter(|endpoint| !endpoint.is_empty())?;
    Some(split_host_port(endpoint).0)
}

/// Looks for what is hardly meant in a configuration that resolved.
pub fn advise(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
    facts: &Facts,
) -> Advice {
    advise_where(documents, overrides, host, facts, &|_| true)
}

/// The same for one that did not resolve, as far as the values of its fields are settled.
pub(crate) fn advise_where(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
    facts: &Facts,
    is_settled: &dyn Fn(&str) -> bool,
) -> Advice {
    let mut adviser = Adviser {
        documents,
        overrides,
        is_settled,
        advice: Advice::none(documents),
    };
    let missing = &host.missing;
    for finding in &facts.doubtful {
        adviser.advice.findings.push(finding.clone());
    }
    adviser.networks(facts, host);
    if is_settled("kubernetesVersion") {
        adviser.later_fields(facts);
        adviser.arguments(facts);
    }
    for WrittenPath { field, path } in &missing.paths {
        let hint = "put it there before this host becomes a control plane";
        adviser.warn(
            Rule::MissingPath,
            field,
            &format!("{path} is not on this host"),
            Some(hint),
        );
    }
    if let Some(name) = &missing.endpoint
        && is_settled("controlPlaneEndpoint")
    {
        let message = format!("\"{name}\" does not resolve from this host");
        let hint = "add it to the DNS or to /etc/hosts; other nodes need it as well";
        adviser.warn(
            Rule::EndpointResolves,
            "controlPlaneEndpoint",
            &message,
            Some(hint),
        );
    }
    adviser.advice
}

struct Adviser<'run> {
    documents: &'run Documents,
    overrides: &'run Overrides,
    is_settled: &'run dyn Fn(&str) -> bool,
    advice: Advice,
}

impl Adviser<'_> {
    fn warn(&mut self, rule: Rule, path: &str, message: &str, hint: Option<&str>) {
        let source = &self.documents.source;
        let flag = self.overrides.flag(path);
        if flag.is_none() && source.place(path).is_some() {
            let finding = source.finding(rule, Severity::Warning, path, message);
            self.advice.findings.push(match hint {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
        } else {
            let problem = Problem::new(match flag {
                Some(flag) => format!("--{flag}: {message}"),
                None => format!("{path}: {message}"),
            });
            self.advice.problems.push(match hint {
                Some(hint) => problem.with_hint(hint),
                None => problem,
            });
        }
    }

    /// Whether the address of the node is that of a node: one that only stands in for it is in a
    /// network by chance.
    fn is_known_address(&self, host: &HostFacts, address: IpAddr) -> bool {
        let init = self.documents.init.as_ref();
        let written = self
            .overrides
            .apiserver_advertise_address
            .as_deref()
            .or_else(|| init?.local_api_endpoint.advertise_address.as_deref());
        !host.stand_in_addresses || written.and_then(rinit_config::parse_ip) == Some(address)
    }

    /// Of two fields that do not go together the first, or the second if only that is of a flag, for
    /// a file that was good before is not what is wrong, or if only that is written at all.
    fn path_to_blame(&self, first: &'static str, second: &'static str) -> &'static str {
        let is_of_flag = |path| self.overrides.flag(path).is_some();
        let is_given = |path| is_of_flag(path) || self.documents.source.place(path).is_some();
        let only_second_is_of_flag = is_of_flag(second) && !is_of_flag(first);
        if only_second_is_of_flag || (is_given(second) && !is_given(first)) {
            second
        } else {
            first
        }
    }

    fn networks(&mut self, facts: &Facts, host_facts: &HostFacts) {
        const PODS: &str = "networking.podSubnet";
        const SERVICES: &str = "networking.serviceSubnet";
        const ADDRESS: &str = "localAPIEndpoint.advertiseAddress";
        const ENDPOINT: &str = "controlPlaneEndpoint";
        let settled = |path: &str, networks: &[IpNet]| {
            if (self.is_settled)(path) {
                networks.to_vec()
            } else {
                Vec::new()
            }
        };
        let pod_cidrs = settled(PODS, &facts.cluster.network.pod_cidrs);
        let service_cidrs = settled(SERVICES, &facts.cluster.network.service_cidrs);
        for pods in &pod_cidrs {
            for services in &service_cidrs {
                if overlap(pods, services) {
                    let message =
                        format!("the pod network {pods} overlaps the service network {services}");
                    let hint = "give them ranges of their own, or some addresses mean two things";
                    let path = self.path_to_blame(PODS, SERVICES);
                    self.warn(Rule::OverlappingNetworks, path, &message, Some(hint));
                }
            }
        }
        let host = facts
            .cluster
            .endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.host.parse::<IpAddr>().ok())
            .filter(|address| *address != facts.node.api.advertise_address)
            .filter(|_| (self.is_settled)(ENDPOINT));
        let node = Some(facts.node.api.advertise_address)
            .filter(|_| (self.is_settled)(ADDRESS))
            .filter(|address| self.is_known_address(host_facts, *address));
        for (path, name, networks) in [
            (PODS, "pod", &pod_cidrs),
            (SERVICES, "service", &service_cidrs),
        ] {
            for range in networks {
                for (address, field, what) in [
                    (node, ADDRESS, "the address of this node"),
                    (host, ENDPOINT, "the endpoint of the control plane"),
                ] {
                    if let Some(address) = address.filter(|address| range.contains(address)) {
                        let message = format!("the {name} network {range} has {address}, {what}");
                        let hint = "give it a range that no node is in";
                        let path = self.path_to_blame(path, field);
                        self.warn(Rule::NodeInNetwork, path, &message, Some(hint));
                    }
                }
            }
        }
    }

    /// What the component of the minor does not know yet, and does without.
    fn later_fields(&mut self, facts: &Facts) {
        let minor = facts.minor().0;
        for field in rinit_config::later_fields(self.documents, minor) {
            let message = format!(
                "{} of Kubernetes 1.{minor} has no such field; it came with 1.{}",
                field.kind, field.since
            );
            let source = &self.documents.source;
            let finding = source.finding_in(
                Rule::UnknownComponentField,
                Severity::Warning,
                field.kind,
                field.path,
                message,
            );
            let hint = "it is kept as written, for the component to validate";
            self.advice.findings.push(finding.with_hint(hint));
        }
    }

    fn arguments(&mut self, facts: &Facts) {
        let minor = facts.minor().0;
        for (path, component, program) in [
            (
                "apiServer.extraArgs",
                &facts.cluster.api_server,
                FlaggedComponent::ApiServer,
            ),
            (
                "controllerManager.extraArgs",
                &facts.cluster.controller_manager,
                FlaggedComponent::ControllerManager,
            ),
            (
                "scheduler.extraArgs",
                &facts.cluster.scheduler,
                FlaggedComponent::Scheduler,
            ),
        ] {
            self.flags(path, &component.extra_args, program, minor);
        }
        let etcd = self
            .documents
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.etcd.local.as_ref());
        // With an image of one's own it is an etcd that the table does not know.
        let known = etcd.is_none_or(|local| local.image.image_tag.is_none())
            && (self.is_settled)("etcd.local.imageTag");
        if let Etcd::Local(local) = &facts.cluster.etcd
            && known
        {
            let path = "etcd.local.extraArgs";
            self.flags(path, &local.extra_args, FlaggedComponent::Etcd, minor);
        }
        self.flags(
            "nodeRegistration.kubeletExtraArgs",
            &facts.node.kubelet_extra_args,
            FlaggedComponent::Kubelet,
            minor,
        );
    }

    fn flags(
        &mut self,
        path: &str,
        arguments: &[Argument],
        component: FlaggedComponent,
        minor: u32,
    ) {
        let Some(known) = rinit_versions::flags(minor, component) else {
            return;
        };
        let program = component.program();
        for (index, argument) in arguments.iter().enumerate() {
            // Those of Kubernetes take both.
            let name = match component {
                FlaggedComponent::Etcd => argument.name.clone(),
                _ => argument.name.replace('_', "-"),
            };
            // A name that is missing is reported as that.
            if name.is_empty() || known.contains(&name.as_str()) {
                continue;
            }
            // To look for the nearest name of thousands takes seconds.
            if self.advice.findings.is_full_of(Severity::Warning) {
                self.advice.findings.leave_out();
                return;
            }
            let message = format!(
                "{program} of Kubernetes 1.{minor} shows no flag `{}` in its help",
                argument.name
            );
            let hint = match probable(&name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if argument.name.starts_with('-') => "write it without dashes".to_owned(),
                None => format!("see `{program} --help`; a flag that it does not take ends it"),
            };
            self.warn(
                Rule::UnknownFlag,
                &format!("{path}[{index}].name"),
                &message,
                Some(&hint),
            );
        }
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}
