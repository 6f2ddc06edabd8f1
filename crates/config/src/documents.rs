//! From the bytes of a file to its documents: which kinds there are, and how each is read.

use std::sync::Arc;

use rinit_diag::probable;
use serde_json::Value;

use crate::check;
use crate::component_fields;
use crate::finding::{Finding, Findings, Severity};
use crate::rule::Rule;
use crate::rules;
use crate::schema::{ObjectSchema, Typed};
use crate::source::{Place, Source, SourceDocument, Span};
use crate::tree::{self, Entry, Node};
use crate::unsettled::Unsettled;
use crate::v1beta3;
use crate::v1beta4::{
    ClusterConfiguration, InitConfiguration, JoinConfiguration, ResetConfiguration,
    UpgradeConfiguration,
};

/// The version of kubeadm's documents that is read.
pub const API_VERSION: &str = "kubeadm.k8s.io/v1beta4";
const GROUP: &str = "kubeadm.k8s.io";
const KUBELET: (&str, &str) = ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration");
const KUBE_PROXY: (&str, &str) = ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration");

/// The kinds of kubeadm's group with their fields.
pub(crate) const KINDS: [(&str, &ObjectSchema); 5] = [
    ("InitConfiguration", InitConfiguration::SCHEMA),
    ("ClusterConfiguration", ClusterConfiguration::SCHEMA),
    ("JoinConfiguration", JoinConfiguration::SCHEMA),
    ("ResetConfiguration", ResetConfiguration::SCHEMA),
    ("UpgradeConfiguration", UpgradeConfiguration::SCHEMA),
];

/// The last minor of kubeadm that converts an older version of its documents.
const OLDER_VERSIONS: [(&str, &str); 5] = [
    ("v1alpha1", "1.11"),
    ("v1alpha2", "1.12"),
    ("v1alpha3", "1.14"),
    ("v1beta1", "1.15"),
    ("v1beta2", "1.22"),
];

/// More than this is refused: it is no configuration, and etcd could not store it.
const MAXIMUM_BYTES: usize = 4 << 20;

/// What to make of a field that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// The file is refused.
    #[default]
    Error,
    /// The field is left out with a warning, for files made for a newer kubeadm.
    Warn,
}

/// How to read a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What to make of a field that is not known.
    pub unknown_fields: UnknownFields,
}

/// The documents of a file, each as written.
#[derive(Debug, Clone)]
pub struct Documents {
    /// What only the first control-plane node needs to know.
    pub init: Option<InitConfiguration>,
    /// What holds for the whole cluster.
    pub cluster: Option<ClusterConfiguration>,
    /// How a node joins.
    pub join: Option<JoinConfiguration>,
    /// How a node is reset.
    pub reset: Option<ResetConfiguration>,
    /// How a cluster is upgraded.
    pub upgrade: Option<UpgradeConfiguration>,
    /// The KubeletConfiguration, whole, with `apiVersion` and `kind`.
    pub kubelet: Option<Value>,
    /// The KubeProxyConfiguration, whole, with `apiVersion` and `kind`.
    pub kube_proxy: Option<Value>,
    /// Whether a file was read. One without any document for `init` is then a mistake.
    pub from_file: bool,
    /// What there is to say about the file. Nothing is made of one with an error among them.
    pub findings: Findings,
    /// The file itself, for the place of each value.
    pub source: Source,
    pub(crate) unsettled: Unsettled,
}

impl Documents {
    /// No document at all, as when no file is given.
    pub fn none(file_name: &str) -> Self {
        Self::empty(Source::new(file_name, ""))
    }

    fn empty(source: Source) -> Self {
        Self {
            init: None,
            cluster: None,
            join: None,
            reset: None,
            upgrade: None,
            kubelet: None,
            kube_proxy: None,
            from_file: false,
            findings: Findings::new(source.clone()),
            source,
            unsettled: Unsettled::default(),
        }
    }
}

/// Reads a file: YAML or JSON, UTF-8, with or without byte-order mark, one document or several in
/// any order. Fails with everything that is wrong if anything is.
pub fn parse(file_name: &str, text: &[u8], options: ReadOptions) -> Result<Documents, Findings> {
    let documents = read(file_name, text, options);
    if documents.findings.has_errors() {
        return Err(documents.findings);
    }
    Ok(documents)
}

/// The same, and what could be read of a file that has errors, so that the rest of it can be validated
/// as well. Fields that are wrong are left out of the documents, and [`Documents::is_settled`] says
/// that nothing is known of them.
pub fn read(file_name: &str, text: &[u8], options: ReadOptions) -> Documents {
    let text = match decode(file_name, text) {
        Ok(text) => text,
        Err(findings) => {
            let mut documents = Documents::empty(findings.source().clone());
            documents.from_file = true;
            documents.unsettled = Unsettled::everything();
            documents.findings = *findings;
            return documents;
        }
    };
    let (roots, faults) = tree::read(text);
    let mut findings = Findings::new(Source::new(file_name, text));
    for fault in faults {
        let finding = Finding::error(fault.rule, fault.span, fault.message);
        findings.push(match fault.hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        });
    }
    let mut seen = Vec::new();
    let mut timeouts = Vec::new();
    let mut is_lost = false;
    for root in &roots {
        let errors = findings.count(Severity::Error);
        match identify(root, &mut seen, &mut timeouts, options, &mut findings) {
            Some(document) => findings.source_mut().documents.push(document),
            None => is_lost |= findings.count(Severity::Error) > errors,
        }
    }
    let unsettled = Unsettled::by(&findings, is_lost);
    let mut documents = assemble(findings, unsettled);
    place_timeouts(&mut documents, &timeouts);
    documents
}

fn decode<'text>(file_name: &str, bytes: &'text [u8]) -> Result<&'text str, Box<Findings>> {
    let refuse = |rule: Rule, place: Place, message: &str, hint: &str| {
        let mut findings = Findings::new(Source::new(file_name, ""));
        findings.push(
            Finding::error(
                rule,
                Span {
                    start: place,
                    end: place,
                },
                message,
            )
            .with_hint(hint),
        );
        Box::new(findings)
    };
    if bytes.len() > MAXIMUM_BYTES {
        let message = format!(
            "the file has {} bytes, more than any configuration",
            bytes.len()
        );
        return Err(refuse(
            Rule::FileSize,
            Place::START,
            &message,
            "give the file of kubeadm's documents",
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        refuse(
            Rule::Utf8,
            Place { line, column },
            "the file is not UTF-8",
            "save it as UTF-8",
        )
    })
}

/// Finds out what a document is and checks it as that. `None` if it is not one to read.
fn identify(
    root: &Arc<Node>,
    seen: &mut Vec<(String, Place)>,
    timeouts: &mut Vec<(&'static str, Entry)>,
    options: ReadOptions,
    findings: &mut Findings,
) -> Option<SourceDocument> {
    if matches!(root.kind, tree::NodeKind::Null) {
        return None;
    }
    if root.entries().is_none() {
        let message = format!("a document must be a map, found {}", root.found());
        findings.push(Finding::error(Rule::DocumentType, root.span, message));
        return None;
    }
    let api_version = type_field(root, "apiVersion", findings);
    let kind = type_field(root, "kind", findings);
    let (api_version, kind) = (api_version?, kind?);
    let kind_span = root.get("kind").map_or(root.span, |node| node.span);
    if let Some((_, first)) = seen.iter().find(|(other, _)| *other == kind) {
        let message = format!(
            "{kind} stands in the file twice, first in line {}",
            first.line
        );
        findings.push(
            Finding::error(Rule::DuplicateKind, kind_span, message)
                .with_hint("make one document of the two"),
        );
        return None;
    }
    seen.push((kind.clone(), kind_span.start));
    let document = SourceDocument {
        kind: kind.clone(),
        root: Arc::clone(root),
        moved: None,
    };
    if (api_version.as_str(), kind.as_str()) == KUBELET
        || (api_version.as_str(), kind.as_str()) == KUBE_PROXY
    {
        component_fields::document(root, &kind, findings);
        return Some(document);
    }
    if api_version == API_VERSION
        && let Some((_, schema)) = KINDS.iter().find(|(name, _)| *name == kind)
    {
        check::document(root, schema, options, findings);
        rules::document(root, &kind, findings);
        return Some(document);
    }
    if api_version == v1beta3::API_VERSION
        && v1beta3::has(&kind)
        && let Some((name, schema)) = KINDS.iter().find(|(name, _)| *name == kind)
    {
        return Some(older(root, name, schema, timeouts, options, findings));
    }
    foreign(root, &api_version, &kind, findings);
    None
}

/// A document of v1beta3, converted and checked as one of v1beta4.
fn older(
    root: &Arc<Node>,
    kind: &'static str,
    schema: &'static ObjectSchema,
    timeouts: &mut Vec<(&'static str, Entry)>,
    options: ReadOptions,
    findings: &mut Findings,
) -> SourceDocument {
    let span = root.get("apiVersion").map_or(root.span, |node| node.span);
    let message = format!("{} is read as {API_VERSION}", v1beta3::API_VERSION);
    findings.push(
        Finding::new(Rule::OlderApiVersion, Severity::Warning, span, &message)
            .with_path("apiVersion")
            .with_hint("`rinit config migrate --old-config FILE` writes it as v1beta4"),
    );
    let converted = v1beta3::convert(root, kind, options, findings);
    let mut moved = None;
    if let Some(timeout) = converted.timeout {
        check::timeout(&timeout, findings);
        let path = match kind {
            "JoinConfiguration" => "timeouts.discovery",
            _ => "timeouts.controlPlaneComponentHealthCheck",
        };
        moved = Some((path, timeout.value.span.start));
        timeouts.push((kind, timeout));
    }
    check::document(&converted.root, schema, options, findings);
    rules::document(&converted.root, kind, findings);
    SourceDocument {
        kind: kind.to_owned(),
        root: converted.root,
        moved,
    }
}

/// Puts the timeouts of v1beta3 where v1beta4 has them: that of the control plane belongs to the
/// node, whether it begins the cluster or joins it.
fn place_timeouts(documents: &mut Documents, timeouts: &[(&'static str, Entry)]) {
    for (kind, entry) in timeouts {
        let Some(duration) = entry.value.text().and_then(|text| text.parse().ok()) else {
            continue;
        };
        if *kind == "JoinConfiguration" {
            if let Some(join) = &mut documents.join {
                join.timeouts.get_or_insert_default().discovery = Some(duration);
            }
            continue;
        }
        documents
            .init
            .get_or_insert_default()
            .timeouts
            .get_or_insert_default()
            .control_plane_component_health_check
            .get_or_insert(duration);
        if let Some(join) = &mut documents.join {
            join.timeouts
                .get_or_insert_default()
                .control_plane_component_health_check
                .get_or_insert(duration);
        }
    }
}

fn type_field(root: &Node, name: &str, findings: &mut Findings) -> Option<String> {
    match root.get(name) {
        Some(node) => match node.text() {
            Some(text) if !text.is_empty() => return Some(text.to_owned()),
            _ => findings.push(
                Finding::error(
                    Rule::DocumentKindType,
                    node.span,
                    "wants the name of a kind or version",
                )
                .with_path(name),
            ),
        },
        None => findings.push(
            Finding::error(
                Rule::DocumentKindMissing,
                Span {
                    start: root.span.start,
                    end: root.span.start,
                },
                "must be set in each document",
            )
            .with_path(name)
            .with_hint(format!(
                "begin with `apiVersion: {API_VERSION}` and `kind: ClusterConfiguration`"
            )),
        ),
    }
    None
}

/// A document that is not read: refused if it was surely meant for kubeadm, else only named.
fn foreign(root: &Node, api_version: &str, kind: &str, findings: &mut Findings) {
    let span_of = |name: &str| root.get(name).map_or(root.span, |node| node.span);
    let version_span = span_of("apiVersion");
    let group = api_version.split('/').next().unwrap_or_default();
    if group == GROUP {
        let version = api_version
            .strip_prefix("kubeadm.k8s.io/")
            .unwrap_or_default();
        let older = OLDER_VERSIONS.iter().find(|(name, _)| *name == version);
        findings.push(match older {
            Some((_, minor)) => Finding::error(Rule::OutdatedApiVersion, version_span, format!("{api_version} is too old to be read"))
                .with_path("apiVersion")
                .with_hint(format!(
                    "convert the file with `kubeadm config migrate` of kubeadm {minor}, or rewrite it as {API_VERSION}"
                )),
            None if api_version != API_VERSION => {
                Finding::error(Rule::UnknownApiVersion, version_span, format!("`{api_version}` is not a version of kubeadm's documents"))
                    .with_path("apiVersion")
                    .with_hint(format!("write `apiVersion: {API_VERSION}`"))
            }
            None => {
                let finding = Finding::error(Rule::UnknownKind, span_of("kind"), format!("{api_version} has no kind `{kind}`")).with_path("kind");
                match probable(kind, KINDS.iter().map(|(name, _)| *name)) {
                    Some(name) => finding.with_hint(format!("did you mean `{name}`?")),
                    None => finding.with_hint(format!("its kinds are: {}", KINDS.map(|(name, _)| name).join(", "))),
                }
            }
        });
        return;
    }
    for (known_version, known_kind) in [KUBELET, KUBE_PROXY] {
        if known_version.split('/').next() == Some(group) {
            findings.push(
                Finding::error(
                    Rule::ComponentApiVersion,
                    version_span,
                    format!("`{kind}` of `{api_version}` is not read"),
                )
                .with_path("apiVersion")
                .with_hint(format!(
                    "write `apiVersion: {known_version}` and `kind: {known_kind}`"
                )),
            );
            return;
        }
    }
    if !api_version.contains('/') {
        // kubeadm does not read past a document whose version names no group.
        let message = format!("`{kind}` of `{api_version}` is not for kubeadm");
        findings.push(
            Finding::error(Rule::KindWithoutGroup, version_span, message)
                .with_path("apiVersion")
                .with_hint("keep objects of the cluster in a file of their own"),
        );
        return;
    }
    let message = format!("`{kind}` of `{api_version}` is not for kubeadm and is left out");
    findings.push(
        Finding::new(
            Rule::ForeignKind,
            Severity::Warning,
            span_of("kind"),
            &message,
        )
        .with_path("kind"),
    );
}

/// The configuration of a component, whole but for metadata, which neither component has.
fn component(root: &Node) -> Value {
    let mut value = root.to_value();
    if let Value::Object(fields) = &mut value {
        fields.remove(check::METADATA);
    }
    value
}

/// Makes the typed documents, without what was found wrong.
fn assemble(findings: Findings, unsettled: Unsettled) -> Documents {
    let source = findings.source().clone();
    let mut documents = Documents::empty(source.clone());
    documents.from_file = true;
    documents.unsettled = unsettled;
    let mut unreadable = Vec::new();
    for SourceDocument { kind, root, .. } in &source.documents {
        let good = documents.unsettled.without(kind, root);
        let outcome = match kind.as_str() {
            "InitConfiguration" => Typed::read(&good).map(|read| documents.init = Some(read)),
            "ClusterConfiguration" => Typed::read(&good).map(|read| documents.cluster = Some(read)),
            "JoinConfiguration" => Typed::read(&good).map(|read| documents.join = Some(read)),
            "ResetConfiguration" => Typed::read(&good).map(|read| documents.reset = Some(read)),
            "UpgradeConfiguration" => Typed::read(&good).map(|read| documents.upgrade = Some(read)),
            "KubeletConfiguration" => {
                documents.kubelet = Some(component(&good));
                Ok(())
            }
            _ => {
                documents.kube_proxy = Some(component(&good));
                Ok(())
            }
        };
        if let Err(mismatch) = outcome {
            // The check lets nothing through that does not read; if it did, the file is refused.
            let message = format!(
                "{kind} cannot be read, with no error found: no {}",
                mismatch.0
            );
            unreadable.push(
                Finding::error(Rule::Unreadable, root.span, message)
                    .with_hint("report this as a fault of rinit"),
            );
        }
    }
    documents.findings = findings;
    if !unreadable.is_empty() {
        documents.unsettled = Unsettled::everything();
        // Where something is wrong already, the document is refused without this.
        if !documents.findings.has_errors() {
            for finding in unreadable {
                documents.findings.push(finding);
            }
        }
    }
    documents
}
