//! A YAML document as a tree whose every node knows its place.
//!
//! Built from the events of the parser, with scalars resolved as Kubernetes resolves them. Aliases
//! and merge keys are resolved by sharing, and what they add up to is limited, so that a small file
//! cannot ask for much memory or time. This module knows nothing of kubeadm.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Number, Value};

use crate::mask::Broken;
use crate::mend::{Mended, Seen};
use crate::rule::Rule;
use crate::scalar;
use crate::source::{Place, Span};
use crate::syntax::syntax_fault;
use crate::withheld::{self, Below};

/// More nodes than this by way of aliases are refused.
const ALIASED_NODES: usize = 100_000;
/// More nodes than this in one file are refused; a megabyte of ordinary lines has a third of it.
const NODES: usize = 300_000;
/// A text of more bytes than this counts as several nodes, for it is copied with them.
const BYTES_OF_A_NODE: usize = 32;
/// Deeper nesting than this is refused; no configuration comes near it.
const DEPTH: usize = 100;
/// Documents of one file after which reading stops.
const DOCUMENTS: usize = 1_000;
/// Errors of one file after which reading stops. Fewer are shown.
const FAULTS: usize = 1_000;

/// A node with its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: NodeKind,
    /// Nodes in this subtree with its keys, aliases counted as often as they are used, and a long
    /// text as several.
    weight: usize,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
    /// An alias that leads nowhere, which has been told. It stands for a value that nobody knows.
    Refused,
}

/// One key of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Arc<Node>,
    /// Whether the key stands in the map again, so that nobody knows which value is meant.
    pub(crate) is_repeated: bool,
}

impl Node {
    /// A node that no parser made.
    pub(crate) fn new(span: Span, kind: NodeKind) -> Self {
        Self {
            span,
            kind,
            weight: 1,
        }
    }

    /// Another value at the same place.
    pub(crate) fn with_kind(&self, kind: NodeKind) -> Self {
        Self {
            span: self.span,
            kind,
            weight: self.weight,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The value of a key, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key)
            .map(|entry| &*entry.value)
            .filter(|node| !matches!(node.kind, NodeKind::Null))
    }

    pub(crate) fn items(&self) -> &[Arc<Node>] {
        match &self.kind {
            NodeKind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is whole: `6443` and `6443.0` alike, as after Go's way through JSON.
    ///
    /// There a number with a fraction or an exponent has the fewest digits that tell it from
    /// others of 64 bits, then zeros. Beyond 10^30 there is none; no field takes as much.
    pub(crate) fn whole_number(&self) -> Option<i128> {
        match self.kind {
            NodeKind::Integer(number) => Some(number),
            NodeKind::Float(number) if number.fract() == 0.0 && number.abs() <= 1e30 => {
                number.to_string().parse().ok()
            }
            _ => None,
        }
    }

    /// What the node is, as a message names it.
    pub(crate) fn found(&self) -> &'static str {
        match self.kind {
            NodeKind::Null | NodeKind::Refused => "nothing",
            NodeKind::Bool(_) => "a boolean",
            NodeKind::Integer(_) | NodeKind::Float(_) => "a number",
            NodeKind::Text(_) => "a string",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null | NodeKind::Refused => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Integer(number) => integer_value(*number),
            NodeKind::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            NodeKind::Text(text) => Value::String(text.clone()),
            NodeKind::List(items) => items.iter().map(|item| item.to_value()).collect(),
            NodeKind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

fn integer_value(number: i128) -> Value {
    i64::try_from(number)
        .map(Value::from)
        .or_else(|_| u64::try_from(number).map(Value::from))
        .unwrap_or(Value::Null)
}

/// Something wrong with the YAML itself.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) rule: Rule,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What may be a secret there and belongs to no document.
    pub(crate) secrets: Vec<Span>,
}

/// Every document of a file that could be read, and what was wrong.
///
/// After a syntax error the rest of that document is skipped and the next one is read.
pub(crate) fn read(text: &str) -> (Vec<Arc<Node>>, Vec<Fault>) {
    let mut mended = Mended::new(text);
    loop {
        let (mut builder, stumbled, seen) = attempt(&mended);
        let reads_again = if stumbled.is_empty() {
            mended.take_back(&seen)
        } else {
            stumbled.iter().any(|error| mended.mend(error))
                || mended.stop_guessing()
                || mended.stop_indenting(&stumbled)
        };
        if !reads_again {
            // What stands beside these may be a password that is no YAML.
            let is_odd = |fault: &Fault| matches!(fault.rule, Rule::UnknownAnchor | Rule::KeyType);
            // Nor is a document that was not read to its end looked through.
            let is_torn = builder.stopped || !stumbled.is_empty();
            if is_torn || builder.faults.iter().any(is_odd) {
                let lines: Vec<&str> = text.lines().collect();
                let broken = Broken::new(&lines);
                for fault in &mut builder.faults {
                    if is_torn || is_odd(fault) {
                        fault
                            .secrets
                            .extend(broken.secret_in(fault.span.start.line));
                    }
                }
                for error in &stumbled {
                    let mut fault = syntax_fault(mended.place(error.marker()), error, &lines);
                    fault
                        .secrets
                        .extend(broken.secret_in(fault.span.start.line));
                    builder.faults.push(fault);
                }
            }
            return (builder.documents, builder.faults);
        }
    }
}

/// Reads the whole file once. With what was read come the errors of the syntax, and where texts and
/// brackets lie if anything was mended.
fn attempt(mended: &Mended<'_>) -> (Builder, Vec<ScanError>, Seen) {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut parser = Parser::new_from_str_with_options(mended.text(), options);
    let mut builder = Builder::default();
    let mut seen = Seen::default();
    let mut errors = Vec::new();
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                if mended.has_edits() {
                    seen.event(&event, &span);
                }
                builder.event(event, mended.span(&span));
            }
            Err(error) => {
                seen.close();
                builder.abandon();
                errors.push(error);
                if errors.len() > FAULTS || !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
        }
        if builder.stopped {
            break;
        }
    }
    (builder, errors, seen)
}

/// A collection that is not closed yet.
#[derive(Debug)]
struct Open {
    start: Place,
    anchor: usize,
    weight: usize,
    kind: OpenKind,
}

#[derive(Debug)]
enum OpenKind {
    List(Vec<Arc<Node>>),
    Map {
        entries: Vec<Entry>,
        /// Where each key stands among the entries.
        seen: HashMap<String, usize>,
        key: Option<Key>,
        merges: Vec<Arc<Node>>,
    },
}

/// A key that waits for its value.
#[derive(Debug)]
enum Key {
    Name(String, Span),
    Merge(Span),
    /// It was refused; its value is dropped.
    Refused,
}

#[derive(Debug, Default)]
struct Builder {
    documents: Vec<Arc<Node>>,
    faults: Vec<Fault>,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
    aliased: usize,
    written: usize,
    in_document: bool,
    /// Whether a document has ended and none has begun since.
    has_ended: bool,
    stopped: bool,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) {
        self.stopped |= self.faults.len() > FAULTS;
        match event {
            Event::DocumentStart(is_explicit, _) => {
                self.abandon();
                self.in_document = true;
                if !is_explicit && self.has_ended {
                    self.in_document = false;
                    self.fault(
                        Rule::YamlSyntax,
                        span,
                        "what follows `...` is not read by Kubernetes",
                        Some("begin a document with `---`, or take it out"),
                    );
                }
                self.has_ended = false;
            }
            Event::DocumentEnd => {
                if self.in_document
                    && let Some(root) = self.root.take()
                {
                    self.documents.push(root);
                }
                self.abandon();
                self.has_ended = true;
                self.stopped = self.stopped || self.documents.len() > DOCUMENTS;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain_merge = style == ScalarStyle::Plain
                    && text == "<<"
                    && tag.as_deref().is_none_or(is_merge);
                if plain_merge && self.wants_key() {
                    self.set_key(Key::Merge(span));
                    return;
                }
                let kind = resolve(&text, style, tag.as_deref());
                let weight = 1 + text.len() / BYTES_OF_A_NODE;
                self.finish(Node { span, kind, weight }, anchor);
            }
            Event::SequenceStart(_, anchor, _) => {
                self.push(span, anchor, OpenKind::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, _) => self.push(
                span,
                anchor,
                OpenKind::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                    merges: Vec::new(),
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                // A text that begins with an asterisk, such as a password, looks the same.
                let is_value = matches!(
                    self.open.last(),
                    Some(Open {
                        kind: OpenKind::Map { key: Some(Key::Name(key, _)), .. },
                        ..
                    }) if key == "value"
                );
                let is_secret = is_value || self.below() != Below::Nothing;
                let message = if is_secret {
                    "no anchor of that name stands before this alias".to_owned()
                } else {
                    format!("no anchor `&{name}` stands before this alias")
                };
                self.faults.push(Fault {
                    rule: Rule::UnknownAnchor,
                    span,
                    message,
                    hint: is_secret.then(|| "put a text that begins with `*` in quotes".to_owned()),
                    secrets: Vec::from_iter(is_secret.then_some(span)),
                });
                self.add(Arc::new(Node {
                    span,
                    kind: NodeKind::Refused,
                    weight: 1,
                }));
            }
            _ => {}
        }
    }

    /// What the parser stands below, by the names of the keys.
    fn below(&self) -> Below {
        let key = |open: &Open| match &open.kind {
            OpenKind::Map {
                key: Some(Key::Name(name, _)),
                ..
            } => Some(name.clone()),
            _ => None,
        };
        self.open
            .iter()
            .filter_map(key)
            .fold(Below::Nothing, |below, key| below.enter(&key, true))
    }

    /// Forgets the document that is being read.
    fn abandon(&mut self) {
        self.open.clear();
        self.anchors.clear();
        self.root = None;
        self.in_document = false;
    }

    fn fault(&mut self, rule: Rule, span: Span, message: impl Into<String>, hint: Option<&str>) {
        self.faults.push(Fault {
            rule,
            span,
            message: message.into(),
            hint: hint.map(str::to_owned),
            secrets: Vec::new(),
        });
    }

    fn push(&mut self, span: Span, anchor: usize, kind: OpenKind) {
        self.open.push(Open {
            start: span.start,
            anchor,
            weight: 1,
            kind,
        });
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                kind: OpenKind::Map { key: None, .. },
                ..
            })
        )
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Open {
            kind: OpenKind::Map { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(new);
        }
    }

    fn close(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let kind = match open.kind {
            OpenKind::List(mut items) => {
                items.shrink_to_fit();
                NodeKind::List(items)
            }
            OpenKind::Map {
                mut entries,
                mut seen,
                merges,
                ..
            } => {
                for entry in merges
                    .iter()
                    .flat_map(|merge| merge.entries().unwrap_or_default())
                {
                    if !seen.contains_key(&entry.key) {
                        seen.insert(entry.key.clone(), entries.len());
                        entries.push(entry.clone());
                    }
                }
                // A vector that grows begins with room for four; most maps of a large file are small.
                entries.shrink_to_fit();
                NodeKind::Map(entries)
            }
        };
        // An indented collection ends where the next token starts; its first line is place enough.
        let end = if span.end.line == open.start.line {
            span.end
        } else {
            open.start
        };
        self.finish(
            Node {
                span: Span {
                    start: open.start,
                    end,
                },
                kind,
                weight: open.weight,
            },
            open.anchor,
        );
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            self.fault(
                Rule::AliasOfItself,
                span,
                "an alias cannot stand inside what it names",
                None,
            );
            self.add(Arc::new(Node {
                span,
                kind: NodeKind::Refused,
                weight: 1,
            }));
            return;
        };
        self.aliased = self.aliased.saturating_add(node.weight);
        if self.aliased > ALIASED_NODES {
            let message = format!("aliases stand for more than {ALIASED_NODES} values");
            self.fault(
                Rule::TooManyValues,
                span,
                message,
                Some("write the values out, or use fewer aliases"),
            );
            self.stopped = true;
            return;
        }
        self.add(node);
    }

    fn finish(&mut self, node: Node, anchor: usize) {
        self.written += 1;
        if self.written > NODES {
            self.fault(
                Rule::TooManyValues,
                node.span,
                format!("the file has more than {NODES} keys and values"),
                Some("check that it is the configuration of a cluster"),
            );
            self.stopped = true;
            return;
        }
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.add(node);
    }

    /// Puts a node where the parser stands: a key, a value, an item or the whole document.
    fn add(&mut self, node: Arc<Node>) {
        if self.wants_key() {
            let key = self.key_of(&node);
            self.set_key(key);
            if let Some(open) = self.open.last_mut() {
                open.weight = open.weight.saturating_add(node.weight);
            }
            return;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.weight = open.weight.saturating_add(node.weight);
        let mut faults = Vec::new();
        let mut repeated = None;
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map {
                entries,
                seen,
                key,
                merges,
            } => match key.take() {
                Some(Key::Name(name, key_span)) => {
                    let first = seen.get(&name).and_then(|index| entries.get_mut(*index));
                    if let Some(first) = first {
                        first.is_repeated = true;
                        repeated = Some((name, key_span, first.key_span.start.line, node));
                    } else {
                        seen.insert(name.clone(), entries.len());
                        entries.push(Entry {
                            key: name,
                            key_span,
                            value: node,
                            is_repeated: false,
                        });
                    }
                }
                Some(Key::Merge(span)) => match &node.kind {
                    NodeKind::Map(_) => merges.push(node),
                    NodeKind::List(items) if items.iter().all(|item| item.entries().is_some()) => {
                        merges.extend(items.iter().cloned());
                    }
                    NodeKind::Refused => {}
                    _ => faults.push(Fault {
                        rule: Rule::MergeKey,
                        span,
                        message: "`<<` takes a map or a list of maps".to_owned(),
                        hint: None,
                        secrets: Vec::new(),
                    }),
                },
                Some(Key::Refused) | None => {}
            },
        }
        self.faults.append(&mut faults);
        if let Some((name, span, line, node)) = repeated {
            self.repeats(&name, span, line, &node);
        }
    }

    /// Tells of a key that stands in its map again. What it holds is in no document.
    fn repeats(&mut self, name: &str, span: Span, line: usize, node: &Node) {
        let below = self.below();
        let (key, mut secrets) = if below == Below::Secret {
            (String::new(), vec![span])
        } else {
            let below = below.enter(name, node.entries().is_some());
            (format!(" `{name}`"), withheld::all(node, below))
        };
        // It may be that of a variable of the environment.
        if name == "value" {
            secrets.push(node.span);
        }
        self.faults.push(Fault {
            rule: Rule::DuplicateKey,
            span,
            message: format!("duplicate key{key}, first set in line {line}"),
            hint: Some("keep one of the two".to_owned()),
            secrets,
        });
    }

    /// The text of a key, as it is after Kubernetes turned the YAML into JSON.
    fn key_of(&mut self, node: &Node) -> Key {
        let name = match &node.kind {
            NodeKind::Text(text) => text.clone(),
            NodeKind::Bool(value) => value.to_string(),
            NodeKind::Integer(number) => number.to_string(),
            NodeKind::Float(number) => number.to_string(),
            NodeKind::Refused => return Key::Refused,
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                self.fault(
                    Rule::KeyType,
                    node.span,
                    format!("a key must be a string, found {}", node.found()),
                    matches!(node.kind, NodeKind::Map(_))
                        .then_some("fill in the template, or put a text with `{{` in quotes"),
                );
                return Key::Refused;
            }
        };
        Key::Name(name, node.span)
    }
}

/// Whether a tag is `!!merge`, in whatever way it is written.
fn is_merge(tag: &Tag) -> bool {
    tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some("merge")
}

fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> NodeKind {
    match tag.and_then(Tag::core_suffix) {
        Some("str" | "binary") => NodeKind::Text(text.to_owned()),
        Some("null" | "bool" | "int" | "float") => scalar::resolve_plain(text),
        _ if tag.is_none() && style == ScalarStyle::Plain => scalar::resolve_plain(text),
        _ => NodeKind::Text(text.to_owned()),
    }
}
