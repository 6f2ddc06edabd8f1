//! The file as it was read, and the place of every value in it.
//!
//! Later stages find here where a value came from, so that what they have to say can point at the
//! line. Of its text only fields that the schema knows as harmless are handed out.

use std::fmt;
use std::sync::Arc;

use rinit_diag::redact;

use crate::component_fields;
use crate::documents::KINDS;
use crate::finding::{Finding, Severity};
use crate::rule::Rule;
use crate::tree::{Node, NodeKind};

/// A place in the file; both numbers count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The first character of the file.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// From the first character to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Place,
    pub(crate) end: Place,
}

impl Span {
    pub(crate) const START: Self = Self {
        start: Place::START,
        end: Place::START,
    };
}

/// One document of the file.
#[derive(Clone)]
pub(crate) struct SourceDocument {
    pub(crate) kind: String,
    pub(crate) root: Arc<Node>,
    /// A field that an older version has here and v1beta4 elsewhere: its path there, and its place.
    pub(crate) moved: Option<(&'static str, Place)>,
}

/// The file that a configuration was read from.
///
/// `Debug` shows its name only, for the text may hold tokens.
#[derive(Clone)]
pub struct Source {
    file_name: Arc<str>,
    text: Arc<str>,
    pub(crate) documents: Vec<SourceDocument>,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Source")
            .field(&self.file_name)
            .finish()
    }
}

impl Source {
    pub(crate) fn new(file_name: &str, text: &str) -> Self {
        Self {
            file_name: file_name.into(),
            text: text.into(),
            documents: Vec::new(),
        }
    }

    /// The name of the file as the caller gave it.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The name in a sentence: a dash alone means nothing to a reader.
    pub fn shown_name(&self) -> &str {
        match &*self.file_name {
            "-" => "the standard input",
            name => name,
        }
    }

    /// Where a field stands in the file, by its path in kubeadm's documents:
    /// `networking.serviceSubnet`, `bootstrapTokens[0].token`, `featureGates.Name`.
    ///
    /// The kinds of `kubeadm init` are searched before the others. `None` if it is not written.
    pub fn place(&self, path: &str) -> Option<Place> {
        const ORDER: [&str; 5] = [
            "InitConfiguration",
            "ClusterConfiguration",
            "JoinConfiguration",
            "ResetConfiguration",
            "UpgradeConfiguration",
        ];
        let mut moved = self.documents.iter().filter_map(|one| one.moved);
        ORDER
            .iter()
            .find_map(|kind| self.place_in(kind, path))
            .or_else(|| {
                moved
                    .find(|(moved, _)| *moved == path)
                    .map(|(_, place)| place)
            })
    }

    /// The same within the document of one kind, component configurations included.
    pub fn place_in(&self, kind: &str, path: &str) -> Option<Place> {
        self.span_in(kind, path).map(|span| span.start)
    }

    /// Something to say about a field, pointing at it, or at the nearest part of its path that
    /// stands in the file.
    pub fn finding(
        &self,
        rule: Rule,
        severity: Severity,
        path: &str,
        message: impl Into<String>,
    ) -> Finding {
        let mut rest = path;
        let span = loop {
            if let Some(span) = self
                .documents
                .iter()
                .find_map(|document| self.span_in(&document.kind, rest))
            {
                break span;
            }
            match rest.rfind(['.', '[']) {
                Some(end) => rest = &rest[..end],
                None => {
                    break self
                        .documents
                        .first()
                        .map_or(Span::START, |document| document.root.span);
                }
            }
        };
        Finding::new(rule, severity, span, &message.into()).with_path(path)
    }

    /// The same about a field of one kind, component configurations included.
    pub fn finding_in(
        &self,
        rule: Rule,
        severity: Severity,
        kind: &str,
        path: &str,
        message: impl Into<String>,
    ) -> Finding {
        let span = self.span_in(kind, path).unwrap_or(Span::START);
        Finding::new(rule, severity, span, &message.into()).with_path(path)
    }

    fn span_in(&self, kind: &str, path: &str) -> Option<Span> {
        let mut documents = self.documents.iter();
        let (key, node) = documents
            .find(|document| document.kind == kind)?
            .field(path)?;
        Some(key.filter(|_| node.is_collection()).unwrap_or(node.span))
    }

    /// The field of a path and a place in it as it is written, and where it begins, if it stands in
    /// one line and the schema knows it as harmless.
    pub(crate) fn shown(&self, path: &str, place: Place) -> Option<(Place, String)> {
        let mut documents = self.documents.iter();
        let document = documents.rfind(|document| document.root.span.start <= place)?;
        let (key, node) = document.field(path)?;
        let (key, value) = (key.unwrap_or(node.span), node.span);
        let is_here = key.start <= place && place <= value.end && !node.is_collection();
        // That of an alias stands elsewhere.
        let is_behind = key.end <= value.start || key.start == value.start;
        if !is_here || !is_behind || key.start.line != value.end.line {
            return None;
        }
        let characters = self.text.lines().nth(key.start.line - 1)?.chars();
        let text: String = characters
            .skip(key.start.column - 1)
            .take(value.end.column - key.start.column)
            .collect();
        let shown = redact::shown(&text, document.is_harmless(path))?;
        Some((key.start, shown))
    }
}

impl SourceDocument {
    /// The value of a path, with its key if it is one of a map.
    fn field(&self, path: &str) -> Option<(Option<Span>, &Node)> {
        let (mut key, mut node) = (None, &*self.root);
        let mut rest = path;
        while !rest.is_empty() {
            let (index, after) = step(node, rest)?;
            rest = after;
            (key, node) = match &node.kind {
                NodeKind::Map(entries) => (Some(entries[index].key_span), &*entries[index].value),
                _ => (None, &*node.items()[index]),
            };
        }
        Some((key, node))
    }

    fn is_harmless(&self, path: &str) -> bool {
        match KINDS.iter().find(|(kind, _)| *kind == self.kind) {
            Some((_, schema)) => schema.is_harmless(path),
            None => {
                component_fields::table(&self.kind).is_some_and(|table| table.is_harmless(path))
            }
        }
    }
}

/// The entry or item of a node that a path begins with, and the rest of the path.
pub(crate) fn step<'path>(node: &Node, path: &'path str) -> Option<(usize, &'path str)> {
    if let Some(indexed) = path.strip_prefix('[') {
        let (index, rest) = indexed.split_once(']')?;
        let index = index.parse::<usize>().ok()?;
        node.items().get(index)?;
        return Some((index, rest.strip_prefix('.').unwrap_or(rest)));
    }
    let entries = node.entries()?;
    // Most are the last of their path, and a map may have many.
    if let Some(index) = entries.iter().position(|entry| entry.key == path) {
        return Some((index, ""));
    }
    // A key of a map may hold points itself, so the longest key that fits is taken.
    let (index, entry) = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| {
            path.strip_prefix(entry.key.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
        .max_by_key(|(_, entry)| entry.key.len())?;
    let rest = &path[entry.key.len()..];
    Some((index, rest.strip_prefix('.').unwrap_or(rest)))
}
