//! Documents of `kubeadm.k8s.io/v1beta3`, turned into those of v1beta4.
//!
//! The tree is converted before it is checked, and every value keeps its place, so that all that
//! is said about the file points at what the user wrote. What v1beta3 did not have is refused as
//! an unknown field is.

use std::sync::Arc;

use crate::finding::{Finding, Findings, Severity};
use crate::rule::Rule;
use crate::tree::{Entry, Node, NodeKind};
use crate::{ReadOptions, UnknownFields};

/// The version that is converted.
pub(crate) const API_VERSION: &str = "kubeadm.k8s.io/v1beta3";

/// Fields that came with v1beta4, by kind and path.
const NEW: [(&str, &[&str]); 3] = [
    (
        "InitConfiguration",
        &["dryRun", "timeouts", "nodeRegistration.imagePullSerial"],
    ),
    (
        "ClusterConfiguration",
        &[
            "proxy",
            "encryptionAlgorithm",
            "certificateValidityPeriod",
            "caCertificateValidityPeriod",
            "dns.disabled",
            "apiServer.extraEnvs",
            "controllerManager.extraEnvs",
            "scheduler.extraEnvs",
            "etcd.local.extraEnvs",
            "etcd.external.httpEndpoints",
        ],
    ),
    (
        "JoinConfiguration",
        &["dryRun", "timeouts", "nodeRegistration.imagePullSerial"],
    ),
];

/// Maps from flag to value that v1beta4 has as lists.
const ARGUMENTS: [&str; 5] = [
    "apiServer.extraArgs",
    "controllerManager.extraArgs",
    "scheduler.extraArgs",
    "etcd.local.extraArgs",
    "nodeRegistration.kubeletExtraArgs",
];

/// The timeouts of v1beta3, which v1beta4 has elsewhere.
const TIMEOUTS: [(&str, &str, &str); 2] = [
    (
        "ClusterConfiguration",
        "apiServer.timeoutForControlPlane",
        "controlPlaneComponentHealthCheck",
    ),
    ("JoinConfiguration", "discovery.timeout", "discovery"),
];

/// A document of v1beta4, and a timeout that belongs into the `timeouts` of another.
pub(crate) struct Converted {
    pub(crate) root: Arc<Node>,
    /// The name of the timeout and its value.
    pub(crate) timeout: Option<Entry>,
}

/// Whether v1beta3 has this kind.
pub(crate) fn has(kind: &str) -> bool {
    NEW.iter().any(|(name, _)| *name == kind)
}

/// Converts a document.
pub(crate) fn convert(
    root: &Arc<Node>,
    kind: &str,
    options: ReadOptions,
    findings: &mut Findings,
) -> Converted {
    let new = NEW
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(&[][..], |(_, paths)| paths);
    let mut conversion = Conversion {
        kind,
        new,
        options,
        findings,
        timeout: None,
    };
    let root = conversion.node(root, "");
    Converted {
        root,
        timeout: conversion.timeout,
    }
}

struct Conversion<'run> {
    kind: &'run str,
    new: &'static [&'static str],
    options: ReadOptions,
    findings: &'run mut Findings,
    timeout: Option<Entry>,
}

impl Conversion<'_> {
    fn node(&mut self, node: &Arc<Node>, path: &str) -> Arc<Node> {
        // Only objects on the way to a field that differs are copied.
        let Some(entries) = node.entries().filter(|_| path.matches('.').count() < 2) else {
            return Arc::clone(node);
        };
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = crate::check::join(path, &entry.key);
            if self.new.contains(&path.as_str()) {
                self.refuse(entry, &path);
                continue;
            }
            let timeout = TIMEOUTS
                .iter()
                .find(|(kind, old, _)| *kind == self.kind && *old == path);
            if let Some((_, _, name)) = timeout {
                if !matches!(entry.value.kind, NodeKind::Null) {
                    self.timeout = Some(Entry {
                        key: (*name).to_owned(),
                        key_span: entry.key_span,
                        value: Arc::clone(&entry.value),
                        is_repeated: entry.is_repeated,
                    });
                }
                continue;
            }
            let value = if ARGUMENTS.contains(&path.as_str()) {
                self.arguments(&entry.value, &path)
            } else {
                self.node(&entry.value, &path)
            };
            kept.push(Entry {
                key: entry.key.clone(),
                key_span: entry.key_span,
                value,
                is_repeated: entry.is_repeated,
            });
        }
        Arc::new(node.with_kind(NodeKind::Map(kept)))
    }

    fn refuse(&mut self, entry: &Entry, path: &str) {
        let severity = match self.options.unknown_fields {
            UnknownFields::Error => Severity::Error,
            UnknownFields::Warn => Severity::Warning,
        };
        let message = format!("{API_VERSION} has no field `{}`", entry.key);
        self.findings.push(
            Finding::new(Rule::FieldOfLaterVersion, severity, entry.key_span, &message)
                .with_path(path)
                .with_hint(
                    "it came with v1beta4: write `apiVersion: kubeadm.k8s.io/v1beta4`, and flags as lists",
                ),
        );
    }

    /// Flags in the order of their names, as kubeadm converts them.
    fn arguments(&mut self, node: &Arc<Node>, path: &str) -> Arc<Node> {
        let entries = match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null | NodeKind::Refused => return Arc::clone(node),
            _ => {
                let message = format!("wants a map in v1beta3, found {}", node.found());
                let finding = Finding::error(Rule::ArgumentsOfOlderVersion, node.span, message)
                    .with_path(path);
                self.findings.push(
                    finding.with_hint("write each flag as `name: \"value\"`, or use v1beta4"),
                );
                return Arc::new(node.with_kind(NodeKind::Null));
            }
        };
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by(|one, other| one.key.cmp(&other.key));
        let items = sorted
            .into_iter()
            .map(|entry| {
                let name = Node::new(entry.key_span, NodeKind::Text(entry.key.clone()));
                let field = |key: &str, value| Entry {
                    key: key.to_owned(),
                    key_span: entry.key_span,
                    value,
                    is_repeated: false,
                };
                Arc::new(Node::new(
                    entry.key_span,
                    NodeKind::Map(vec![
                        field("name", Arc::new(name)),
                        field("value", Arc::clone(&entry.value)),
                    ]),
                ))
            })
            .collect();
        Arc::new(node.with_kind(NodeKind::List(items)))
    }
}
