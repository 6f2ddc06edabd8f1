//! The fields of the kubelet's and kube-proxy's configurations, to warn of those that neither has,
//! and to refuse values of another type, which no kubeadm reads.
//!
//! Those documents are kept whole; what is done with them is the components' affair. The lists
//! hold each field by its path, `[]` standing for the items of a list, with its type, and are the
//! union of the newest two minors. The types are those of the values that `kubeadm config validate`
//! takes there, the same for every minor from 1.32 on; after it stands the minor that a field came
//! with, if it came later, and `omitempty` if Go leaves the field out where it is zero. Names of the
//! fields of an `object` are listed if any is; those of a `map-of-…` are free. The JSON Schema is
//! made from the same lists.

use rinit_diag::{probable, redact};

use crate::check::{self, METADATA, join};
use crate::documents::Documents;
use crate::finding::{Finding, Findings, Severity};
use crate::format::Format;
use crate::rule::Rule;
use crate::schema::Shape;
use crate::tree::{Node, NodeKind};

/// A field that is written and that a minor does not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterField {
    /// The kind of its document.
    pub kind: &'static str,
    /// Its path.
    pub path: &'static str,
    /// The minor that it came with.
    pub since: u32,
}

/// The fields of the components' configurations that the component of a minor does not know.
pub fn later_fields(documents: &Documents, minor: u32) -> Vec<LaterField> {
    let mut found = Vec::new();
    for table in &TABLES {
        for (path, _, since) in table.lines() {
            // Of what is in a field that is not known nothing more is said.
            let is_within = |later: &LaterField| {
                later.kind == table.kind
                    && path
                        .strip_prefix(later.path)
                        .is_some_and(|rest| rest.starts_with('.'))
            };
            if let Some(since) = since.filter(|since| *since > minor)
                && documents.source.place_in(table.kind, path).is_some()
                && !found.iter().any(is_within)
            {
                found.push(LaterField {
                    kind: table.kind,
                    path,
                    since,
                });
            }
        }
    }
    found
}

/// The fields of one kind.
pub(crate) struct Table {
    pub(crate) kind: &'static str,
    pub(crate) api_version: &'static str,
    /// One path a line with its type, the minor that it came with and `omitempty`, sorted.
    paths: &'static str,
}

const KUBELET: &str = include_str!("component_fields/kubelet.txt");
const KUBE_PROXY: &str = include_str!("component_fields/kube_proxy.txt");

/// The kinds of components.
pub(crate) static TABLES: [Table; 2] = [
    Table {
        kind: "KubeletConfiguration",
        api_version: "kubelet.config.k8s.io/v1beta1",
        paths: KUBELET,
    },
    Table {
        kind: "KubeProxyConfiguration",
        api_version: "kubeproxy.config.k8s.io/v1alpha1",
        paths: KUBE_PROXY,
    },
];

/// Headers of a request, `Authorization` among them.
const CREDENTIALS: &str = "staticPodURLHeader";

/// What stands at the end of the line of a field that Go leaves out where it is zero.
const OMITTED: &str = " omitempty";

/// The fields of a kind, if it is a component's.
pub(crate) fn table(kind: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.kind == kind)
}

impl Table {
    /// The names of the fields right below a path.
    pub(crate) fn fields(&self, path: &str) -> Vec<&'static str> {
        let below = |field: &'static str| match field.rsplit_once('.') {
            Some((parent, name)) => (parent == path).then_some(name),
            None => path.is_empty().then_some(field),
        };
        self.lines()
            .filter_map(|(field, ..)| below(field))
            .collect()
    }

    /// Whether the table knows a field of a document, by its path with the indices of items, and
    /// that it holds no secret.
    pub(crate) fn is_harmless(&self, path: &str) -> bool {
        let mut listed = String::new();
        for (index, part) in path.split('[').enumerate() {
            let (_, after) = part.split_once(']').unwrap_or(("", part));
            listed.extend([if index > 0 { "[]" } else { "" }, after]);
        }
        // An item of a list and a key of a map have no line of their own.
        let parent = listed.rfind(['.', '[']).map(|end| &listed[..end]);
        let of = self
            .type_of(&listed)
            .or_else(|| parent.and_then(|path| self.type_of(path)));
        of.is_some_and(|of| !of.ends_with("object")) && !path.starts_with(CREDENTIALS)
    }

    /// Path, type, and the minor that the field came with if that is not the oldest.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str, Option<u32>)> {
        lines(self.paths)
    }

    /// The paths of the fields that Go leaves out where they are zero.
    pub(crate) fn omitted_where_zero(&self) -> impl Iterator<Item = &'static str> {
        self.paths
            .lines()
            .filter(|line| line.ends_with(OMITTED))
            .filter_map(|line| line.split_once(' '))
            .map(|(path, _)| path)
    }

    /// The type of a field, as the list words it.
    pub(crate) fn type_of(&self, path: &str) -> Option<&'static str> {
        let mut lines = self.lines();
        lines
            .find(|(field, ..)| *field == path)
            .map(|(_, of, _)| of)
    }
}

fn lines(paths: &'static str) -> impl Iterator<Item = (&'static str, &'static str, Option<u32>)> {
    paths.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (path, of) = (words.next()?, words.next()?);
        let minor = words.next().and_then(|since| since.strip_prefix("1."));
        Some((path, of, minor.and_then(|minor| minor.parse().ok())))
    })
}

/// Refuses a value that is not of the type. `null` stands for no value, as in Go, but for most
/// durations: there it is an empty text, which is none.
fn validate(node: &Node, wanted: &str, path: &str, findings: &mut Findings) {
    match node.kind {
        NodeKind::Null if wanted == "duration" => {}
        NodeKind::Null | NodeKind::Refused => return,
        _ => {}
    }
    match (wanted, &node.kind) {
        ("object", NodeKind::Map(_)) => {}
        ("object", _) => check::wrong_shape(node, &Shape::Map(&Shape::Any), path, findings),
        ("string", _) => check::value(node, &Shape::Text, Format::Free, path, findings),
        ("bool", _) => check::value(node, &Shape::Bool, Format::Free, path, findings),
        ("int32", _) => check::value(node, &Shape::Integer, Format::Free, path, findings),
        ("uint32", _) => whole(node, 0, u32::MAX.into(), path, findings),
        ("float", _) => real(node, f64::MAX, f64::is_finite, path, findings),
        ("float32", _) => real(node, f32::MAX.into(), fits_32_bits, path, findings),
        ("duration", NodeKind::Null) => {
            let message = "wants a duration, found nothing";
            let finding = Finding::error(Rule::ValueType, node.span, message).with_path(path);
            findings.push(finding.with_hint("leave the field out to have its default"));
        }
        ("duration" | "duration-or-null", _) | ("duration-or-int", NodeKind::Text(_)) => {
            check::value(node, &Shape::Duration, Format::Free, path, findings);
        }
        ("int64" | "duration-or-int", _) => {
            whole(node, i64::MIN.into(), i64::MAX.into(), path, findings);
        }
        ("time", _) => check::value(node, &Shape::Timestamp, Format::Free, path, findings),
        ("quantity", _) => check::value(node, &Shape::Any, Format::Quantity, path, findings),
        _ => collection(node, wanted, path, findings),
    }
}

fn collection(node: &Node, wanted: &str, path: &str, findings: &mut Findings) {
    if let Some(of) = wanted.strip_prefix("list-of-") {
        let NodeKind::List(items) = &node.kind else {
            return check::wrong_shape(node, &Shape::List(&Shape::Any), path, findings);
        };
        for (index, item) in items.iter().enumerate() {
            validate(item, of, &format!("{path}[{index}]"), findings);
        }
    } else if let Some(of) = wanted.strip_prefix("map-of-") {
        let NodeKind::Map(entries) = &node.kind else {
            return check::wrong_shape(node, &Shape::Map(&Shape::Any), path, findings);
        };
        for entry in entries {
            validate(&entry.value, of, &join(path, &entry.key), findings);
        }
    }
}

/// Refuses what is no whole number within these bounds.
fn whole(node: &Node, minimum: i128, maximum: i128, path: &str, findings: &mut Findings) {
    match (&node.kind, node.whole_number()) {
        (NodeKind::Integer(_) | NodeKind::Float(_), Some(number)) => {
            if !(minimum..=maximum).contains(&number) {
                let message = format!("{number} is not within {minimum} and {maximum}");
                let finding = Finding::error(Rule::NumberRange, node.span, message);
                findings.push(finding.with_path(path));
            }
        }
        // Its message has the bounds of 32 bits only where the number is whole.
        _ => check::value(node, &Shape::Integer, Format::Free, path, findings),
    }
}

/// Whether a number of 32 bits is near: the fewest digits of the largest one tell a larger one.
fn fits_32_bits(number: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is asked")]
    let rounded = number as f32;
    rounded.is_finite()
}

/// Refuses numbers that are not finite, wherever in a value they are: JSON, which is what the
/// component reads, has none.
fn finite(node: &Node, path: &str, findings: &mut Findings) {
    match &node.kind {
        NodeKind::Float(number) if !number.is_finite() => findings.push(
            Finding::error(
                Rule::ValueType,
                node.span,
                "a number that is not finite cannot be kept",
            )
            .with_path(path),
        ),
        NodeKind::Map(entries) => {
            for entry in entries {
                finite(&entry.value, &join(path, &entry.key), findings);
            }
        }
        NodeKind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                finite(item, &format!("{path}[{index}]"), findings);
            }
        }
        _ => {}
    }
}

/// Refuses what is no number, no finite one, or one that is too large either way.
fn real(node: &Node, maximum: f64, fits: fn(f64) -> bool, path: &str, findings: &mut Findings) {
    #[expect(clippy::cast_precision_loss, reason = "the bounds are far from exact")]
    let number = match node.kind {
        NodeKind::Integer(number) => Some(number as f64),
        NodeKind::Float(number) => Some(number),
        _ => None,
    };
    let (rule, message) = match number {
        Some(number) if !number.is_finite() => (
            Rule::ValueType,
            "wants a number, found one that is not finite".to_owned(),
        ),
        Some(number) if !fits(number) => (
            Rule::NumberRange,
            format!("{number:e} is not within {:e} and {maximum:e}", -maximum),
        ),
        Some(_) => return,
        None => (
            Rule::ValueType,
            format!("wants a number, found {}", node.found()),
        ),
    };
    findings.push(Finding::error(rule, node.span, message).with_path(path));
}

/// Warns of every field that the kind does not have, and refuses values of another type.
pub(crate) fn document(root: &Node, kind: &str, findings: &mut Findings) {
    if let Some(table) = table(kind) {
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
                let path = join(path, redact::name(&entry.key));
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
                    let listed = join(listed, &entry.key);
                    if let Some(wanted) = table.type_of(&listed) {
                        validate(&entry.value, wanted, &path, findings);
                    }
                    walk(&entry.value, table, &listed, &path, findings);
                    continue;
                }
                finite(&entry.value, &path, findings);
                let shown = redact::name(&entry.key);
                let message = format!("{} has no field `{shown}`", table.kind);
                let finding = Finding::new(
                    Rule::UnknownComponentField,
                    Severity::Warning,
                    entry.key_span,
                    &message,
                );
                let finding = finding.with_path(&path);
                let meant = probable(&entry.key, known.iter().copied());
                findings.push(match meant {
                    Some(name) => finding.with_hint(format!("did you mean `{name}`?")),
                    None => finding.with_hint("it is kept as written"),
                });
            }
        }
        _ => {}
    }
}
