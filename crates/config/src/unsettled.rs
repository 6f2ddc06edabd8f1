//! Which fields nobody knows the value of, because what the file says of them is wrong.
//!
//! What is wrong is reported once. All else that is checked afterwards asks here first, so that a file
//! with one mistake does not get a second complaint that comes of the first.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::join;
use crate::documents::{Documents, KINDS};
use crate::finding::{Finding, Findings, Severity};
use crate::pod_networks;
use crate::rule::Rule;
use crate::source::{Place, step};
use crate::tree::{Entry, Node, NodeKind};

/// The fields of a file that are wrong, by kind and path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unsettled {
    fields: Vec<(String, String)>,
    /// A document could not be read. It may be of any kind that no other document is of.
    is_lost: bool,
    /// Kinds whose document has a part that could not be read: any field may be in it.
    torn: Vec<String>,
    /// There is more wrong than is kept, or nothing could be read.
    is_everything: bool,
}

impl Documents {
    /// Whether it is known what the file says of a field of InitConfiguration or
    /// ClusterConfiguration, even if that is nothing: neither the field, nor what it stands in, nor
    /// anything in it is wrong. The path is that of [`Source::place`].
    pub fn is_settled(&self, path: &str) -> bool {
        if self.unsettled.is_everything {
            return false;
        }
        let kind = kind_of(path);
        let is_wrong = self
            .unsettled
            .of(kind)
            .any(|wrong| is_within(path, wrong) || is_within(wrong, path));
        let may_be_lost = self.may_be_lost(kind) && self.source.place_in(kind, path).is_none();
        !is_wrong && !may_be_lost
    }

    /// The same for a document of this kind as a whole.
    pub fn is_settled_document(&self, kind: &str) -> bool {
        !self.unsettled.is_everything
            && self.unsettled.of(kind).next().is_none()
            && !self.may_be_lost(kind)
    }

    /// Whether there may be more of a document than was read.
    fn may_be_lost(&self, kind: &str) -> bool {
        let is_read = || self.source.place_in(kind, "").is_some();
        self.unsettled.torn.iter().any(|torn| torn == kind) || self.unsettled.is_lost && !is_read()
    }

    /// Leaves out what there is to say about fields of InitConfiguration and ClusterConfiguration
    /// that do not count, because a flag replaces them: the value of the flag is checked in their
    /// place.
    ///
    /// Names of fields that there are not, keys that stand twice and faults of the YAML stay: nobody
    /// knows what was meant by them.
    pub fn leave_out(&mut self, is_replaced: &dyn Fn(&str) -> bool) {
        if self.unsettled.is_everything {
            return;
        }
        let is_of_kind = |place: Place| {
            let documents = &self.source.documents;
            let document = documents
                .iter()
                .rfind(|document| document.root.span.start <= place);
            document
                .is_some_and(|document| KINDS[..2].iter().any(|(kind, _)| *kind == document.kind))
        };
        let counts = |finding: &Finding| {
            // Whether a pod network fits depends on arguments as well.
            let of_arguments = matches!(
                finding.rule,
                Rule::PodNetworkTooSmall | Rule::PodNetworkTooLarge
            ) && is_replaced(pod_networks::ARGUMENTS);
            let of_networks = finding.rule == Rule::NodeMask && is_replaced(pod_networks::PODS);
            finding.path.is_empty()
                || finding.rule == Rule::UnknownField
                || !is_of_kind(finding.place)
                || !(is_replaced(&finding.path) || of_arguments || of_networks)
        };
        let before = self.findings.len();
        self.findings = self.findings.clone().filtered(counts);
        if self.findings.len() < before {
            self.unsettled = Unsettled::by(&self.findings, self.unsettled.is_lost);
        }
    }

    /// Whether there is so much wrong that nothing is checked any further.
    pub fn is_full(&self) -> bool {
        self.unsettled.is_everything
    }
}

impl Unsettled {
    /// Nothing is known.
    pub(crate) fn everything() -> Self {
        Self {
            is_everything: true,
            ..Self::default()
        }
    }

    /// What is wrong by these findings. `is_lost` says that a document was not taken at all.
    pub(crate) fn by(findings: &Findings, is_lost: bool) -> Self {
        if findings.is_full_of(Severity::Error) {
            return Self::everything();
        }
        let mut found = Self {
            is_lost,
            ..Self::default()
        };
        let mut is_repeated = false;
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error);
        for finding in errors {
            let document = findings
                .source()
                .documents
                .iter()
                .rfind(|document| document.root.span.start <= finding.place);
            match document {
                _ if finding.rule == Rule::DuplicateKey => is_repeated = true,
                Some(document) if !finding.path.is_empty() => {
                    let paths = finding.meant.iter().chain([&finding.path]);
                    found
                        .fields
                        .extend(paths.map(|path| (document.kind.clone(), path.clone())));
                }
                Some(document)
                    if matches!(
                        finding.rule,
                        Rule::KeyType | Rule::MergeKey | Rule::UnknownAnchor | Rule::AliasOfItself
                    ) =>
                {
                    found.torn.push(document.kind.clone());
                }
                // What is wrong with the YAML itself may have swallowed anything.
                _ => found.is_lost = true,
            }
        }
        if is_repeated || !found.torn.is_empty() {
            for document in &findings.source().documents {
                found.look_through(&document.root, &document.kind, "");
            }
        }
        found
    }

    /// Adds keys that stand twice, and aliases that lead nowhere.
    fn look_through(&mut self, node: &Node, kind: &str, path: &str) {
        match &node.kind {
            NodeKind::Refused => self.fields.push((kind.to_owned(), path.to_owned())),
            NodeKind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.look_through(item, kind, &format!("{path}[{index}]"));
                }
            }
            NodeKind::Map(entries) => {
                for entry in entries {
                    let path = join(path, &entry.key);
                    self.look_through(&entry.value, kind, &path);
                    if entry.is_repeated {
                        self.fields.push((kind.to_owned(), path));
                    }
                }
            }
            _ => {}
        }
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(other, _)| other == kind)
            .map(|(_, path)| path.as_str())
    }

    /// The document of this kind without the fields that are wrong. Of a list, an item that is wrong
    /// is nothing, so that the others keep their places.
    pub(crate) fn without(&self, kind: &str, root: &Arc<Node>) -> Arc<Node> {
        let paths: Vec<&str> = self.of(kind).collect();
        if paths.is_empty() {
            return Arc::clone(root);
        }
        without(root, &paths)
    }
}

fn without(node: &Arc<Node>, paths: &[&str]) -> Arc<Node> {
    // An empty rest of a path means the child itself.
    let mut children: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for path in paths {
        if let Some((index, rest)) = step(node, path) {
            children.entry(index).or_default().push(rest);
        }
    }
    let is_wrong = |rests: &Vec<&str>| rests.iter().any(|rest| rest.is_empty());
    match &node.kind {
        NodeKind::List(items) => {
            let mut items = items.clone();
            for (index, rests) in &children {
                items[*index] = if is_wrong(rests) {
                    Arc::new(items[*index].with_kind(NodeKind::Null))
                } else {
                    without(&items[*index], rests)
                };
            }
            Arc::new(node.with_kind(NodeKind::List(items)))
        }
        NodeKind::Map(entries) => {
            let entries = entries
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| match children.get(&index) {
                    None => Some(entry.clone()),
                    Some(rests) if is_wrong(rests) => None,
                    Some(rests) => Some(Entry {
                        value: without(&entry.value, rests),
                        ..entry.clone()
                    }),
                })
                .collect();
            Arc::new(node.with_kind(NodeKind::Map(entries)))
        }
        _ => Arc::clone(node),
    }
}

/// The kind that has a field, of those that `kubeadm init` reads.
fn kind_of(path: &str) -> &'static str {
    let first = path.split(['.', '[']).next().unwrap_or_default();
    let [(init, fields), (cluster, _), ..] = KINDS;
    if fields.field(first).is_some() {
        init
    } else {
        cluster
    }
}

/// Whether a path is another one, or of something in it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
