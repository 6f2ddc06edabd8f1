//! The fields of the kubelet's and kube-proxy's configurations, to warn of those that neither has.
//!
//! Those documents are kept whole; what is done with them is the components' affair. The lists
//! hold each field by its path, `[]` standing for the items of a list, and are the union of the
//! newest two minors. A path below which nothing is listed may hold anything.

use rinit_diag::probable;

use crate::check::{METADATA, join};
use crate::finding::{Finding, Findings, Severity};
use crate::rule::Rule;
use crate::tree::{Node, NodeKind};

/// The fields of one kind.
pub(crate) struct Table {
    pub(crate) kind: &'static str,
    pub(crate) api_version: &'static str,
    /// One path a line, sorted.
    paths: &'static str,
}

/// The kinds of components.
pub(crate) const TABLES: &[Table] = &[
    Table {
        kind: "KubeletConfiguration",
        api_version: "kubelet.config.k8s.io/v1beta1",
        paths: include_str!("component_fields/kubelet.txt"),
    },
    Table {
        kind: "KubeProxyConfiguration",
        api_version: "kubeproxy.config.k8s.io/v1alpha1",
        paths: include_str!("component_fields/kube_proxy.txt"),
    },
];

impl Table {
    /// The names of the fields right below a path.
    pub(crate) fn fields(&self, path: &str) -> Vec<&'static str> {
        self.paths
            .lines()
            .filter_map(|line| {
                let rest = line.strip_prefix(path)?;
                let name = if path.is_empty() {
                    rest
                } else {
                    rest.strip_prefix('.')?
                };
                (!name.contains('.')).then_some(name)
            })
            .collect()
    }
}

/// Warns of every field that the kind does not have.
pub(crate) fn document(root: &Node, kind: &str, findings: &mut Findings) {
    if let Some(table) = TABLES.iter().find(|table| table.kind == kind) {
        walk(root, table, "", "", findings);
    }
}

/// `listed` is the path as the table has it, `path` the one with the indices of items.
fn walk(node: &Node, table: &Table, listed: &str, path: &str, findings: &mut Findings) {
    match &node.kind {
        NodeKind::List(items) => {
            let listed = format!("{listed}[]");
            for (index, item) in items.iter().enumerate() {
                walk(item, table, &listed, &format!("{path}[{index}]"), findings);
            }
        }
        NodeKind::Map(entries) => {
            let known = table.fields(listed);
            if known.is_empty() {
                return;
            }
            for entry in entries {
                let path = join(path, &entry.key);
                if listed.is_empty() && matches!(entry.key.as_str(), "apiVersion" | "kind") {
                    continue;
                }
                if path == METADATA {
                    let message = format!("{} has no metadata; it is left out", table.kind);
                    let finding =
                        Finding::new(Rule::Metadata, Severity::Warning, entry.key_span, &message);
                    findings.push(finding.with_path(&path));
                    continue;
                }
                if known.contains(&entry.key.as_str()) {
                    walk(
                        &entry.value,
                        table,
                        &join(listed, &entry.key),
                        &path,
                        findings,
                    );
                    continue;
                }
                if findings.is_full_of(Severity::Warning) {
                    findings.leave_out();
                    return;
                }
                let message = format!("{} has no field `{}`", table.kind, entry.key);
                let finding = Finding::new(
                    Rule::UnknownComponentField,
                    Severity::Warning,
                    entry.key_span,
                    &message,
                );
                let finding = finding.with_path(&path);
                findings.push(match probable(&entry.key, known.iter().copied()) {
                    Some(name) => finding.with_hint(format!("did you mean `{name}`?")),
                    None => finding.with_hint("it is kept as written, for the component to judge"),
                });
            }
        }
        _ => {}
    }
}
