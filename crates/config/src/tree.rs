//! A YAML document as a tree whose every node knows its place.
//!
//! Built from the events of the parser, with scalars resolved as Kubernetes resolves them. Aliases
//! and merge keys are resolved by sharing, and what they add up to is limited, so that a small file
//! cannot ask for much memory or time. This module knows nothing of kubeadm.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span as ParserSpan, Tag};
use rinit_diag::redact;
use serde_json::{Map, Number, Value};

use crate::rule::Rule;
use crate::scalar;
use crate::source::{Place, Span};
use crate::syntax::syntax_fault;

/// More nodes than this by way of aliases are refused.
const ALIASED_NODES: usize = 100_000;
/// A text of more bytes than this counts as several nodes, for it is copied with them.
const BYTES_OF_A_NODE: usize = 32;
/// Deeper nesting than this is refused; no configuration comes near it.
const DEPTH: usize = 100;

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
    /// An alias that leads nowhere, which has been reported. It stands for a value that nobody knows.
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

    pub(crate) fn is_collection(&self) -> bool {
        matches!(self.kind, NodeKind::List(_) | NodeKind::Map(_))
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
}

/// Every document of a file that could be read, and what was wrong.
///
/// After a syntax error the rest of that document is skipped and the next one is read.
pub(crate) fn read(text: &str) -> (Vec<Arc<Node>>, Vec<Fault>) {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::default();
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => builder.event(event, span_of(&span)),
            Err(error) => {
                builder.abandon();
                let place = place_of(error.marker());
                builder.faults.push(syntax_fault(place, &error, &lines));
                builder.stopped = !matches!(parser.proceed_next_document(), Ok(true));
            }
        }
        if builder.stopped {
            break;
        }
    }
    (builder.documents, builder.faults)
}

fn place_of(marker: &Marker) -> Place {
    Place {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

fn span_of(span: &ParserSpan) -> Span {
    Span {
        start: place_of(&span.start),
        end: place_of(&span.end),
    }
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
    stopped: bool,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentEnd => {
                self.documents.extend(self.root.take());
                self.abandon();
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
            Event::UnresolvedAlias(_) => {
                // The name may be a password that begins with an asterisk.
                self.fault(
                    Rule::UnknownAnchor,
                    span,
                    "no anchor of that name stands before this alias",
                    Some("put a text that begins with `*` in quotes"),
                );
                self.refuse(span);
            }
            _ => {}
        }
    }

    /// Forgets the document that is being read.
    fn abandon(&mut self) {
        self.open.clear();
        self.anchors.clear();
        self.root = None;
    }

    fn fault(&mut self, rule: Rule, span: Span, message: impl Into<String>, hint: Option<&str>) {
        self.faults.push(Fault {
            rule,
            span,
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    fn refuse(&mut self, span: Span) {
        self.add(Arc::new(Node::new(span, NodeKind::Refused)));
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
            self.refuse(span);
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
        let mut fault = None;
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
                        let line = first.key_span.start.line;
                        fault = Some(Fault {
                            rule: Rule::DuplicateKey,
                            span: key_span,
                            message: format!(
                                "duplicate key `{}`, first set in line {line}",
                                redact::name(&name)
                            ),
                            hint: Some("keep one of the two".to_owned()),
                        });
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
                    _ => {
                        fault = Some(Fault {
                            rule: Rule::MergeKey,
                            span,
                            message: "`<<` takes a map or a list of maps".to_owned(),
                            hint: None,
                        });
                    }
                },
                Some(Key::Refused) | None => {}
            },
        }
        self.faults.extend(fault);
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
