//! Walks a document along its schema and notes everything that does not fit.

use rinit_diag::{probable, redact};

use crate::duration::GoDuration;
use crate::finding::{Finding, Findings, Severity};
use crate::format::Format;
use crate::rule::Rule;
use crate::scalar::resolve_plain;
use crate::schema::{ObjectSchema, Shape};
use crate::timestamp::Timestamp;
use crate::tree::{Node, NodeKind};
use crate::{ReadOptions, UnknownFields};

/// Fields that every document has beside its own.
const TYPE_META: [&str; 2] = ["apiVersion", "kind"];

/// What objects of a cluster have and documents of kubeadm do not. Tools such as kind write it all
/// the same, and `kubeadm init` leaves it out.
pub(crate) const METADATA: &str = "metadata";

/// Fields of older versions that have gone, by object, and where their meaning went.
const GONE: [(&str, &str, &str); 3] = [
    (
        "ApiServer",
        "timeoutForControlPlane",
        "since v1beta4 it is `timeouts.controlPlaneComponentHealthCheck` of the InitConfiguration",
    ),
    (
        "Discovery",
        "timeout",
        "since v1beta4 it is `timeouts.discovery` of the JoinConfiguration",
    ),
    ("Dns", "type", "remove it; CoreDNS is the only one"),
];

/// Checks a whole document.
pub(crate) fn document(
    root: &Node,
    schema: &'static ObjectSchema,
    options: ReadOptions,
    findings: &mut Findings,
) {
    Walk { options, findings }.object(root, schema, "", &TYPE_META);
}

/// Checks a timeout that an older version has elsewhere.
pub(crate) fn timeout(entry: &crate::tree::Entry, findings: &mut Findings) {
    Walk {
        options: ReadOptions::default(),
        findings,
    }
    .value(
        &entry.value,
        &Shape::Duration,
        Format::Free,
        &join("timeouts", &entry.key),
    );
}

/// Checks a value by itself.
pub(crate) fn value(
    node: &Node,
    shape: &'static Shape,
    format: Format,
    path: &str,
    findings: &mut Findings,
) {
    let options = ReadOptions::default();
    Walk { options, findings }.value(node, shape, format, path);
}

/// Reports that a value has another shape than is wanted.
pub(crate) fn wrong_shape(node: &Node, shape: &'static Shape, path: &str, findings: &mut Findings) {
    let options = ReadOptions::default();
    Walk { options, findings }.wrong_shape(node, shape, path);
}

struct Walk<'findings> {
    options: ReadOptions,
    findings: &'findings mut Findings,
}

impl Walk<'_> {
    fn error(&mut self, rule: Rule, node: &Node, path: &str, message: impl Into<String>) {
        self.findings
            .push(Finding::error(rule, node.span, message).with_path(path));
    }

    fn object(&mut self, node: &Node, schema: &'static ObjectSchema, path: &str, more: &[&str]) {
        let Some(entries) = node.entries() else {
            return;
        };
        let fields = schema.all_fields();
        for entry in entries {
            let parent = path;
            let path = join(path, redact::name(&entry.key));
            let Some(field) = fields.iter().find(|field| field.name == entry.key) else {
                if !more.contains(&entry.key.as_str()) {
                    let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
                    self.unknown_field(entry, schema, &known, parent, &path);
                }
                continue;
            };
            self.value(&entry.value, field.shape, field.format, &path);
        }
        self.required(node, schema, path);
    }

    /// The fields without which an object means nothing. `null` is an object with none at all.
    fn required(&mut self, node: &Node, schema: &ObjectSchema, path: &str) {
        for field in schema
            .all_fields()
            .into_iter()
            .filter(|field| field.format == Format::Required && node.get(field.name).is_none())
        {
            self.error(
                Rule::RequiredField,
                node,
                &join(path, field.name),
                "must be set",
            );
        }
    }

    fn unknown_field(
        &mut self,
        entry: &crate::tree::Entry,
        schema: &ObjectSchema,
        known: &[&str],
        parent: &str,
        path: &str,
    ) {
        let severity = match self.options.unknown_fields {
            UnknownFields::Error => Severity::Error,
            UnknownFields::Warn => Severity::Warning,
        };
        if path == METADATA {
            let message = "kubeadm's documents have no metadata; it is left out";
            let finding = Finding::new(Rule::Metadata, Severity::Warning, entry.key_span, message);
            self.findings.push(finding.with_path(path));
            return;
        }
        let shown = redact::name(&entry.key);
        let message = format!("{} has no field `{shown}`", schema.name);
        let mut finding =
            Finding::new(Rule::UnknownField, severity, entry.key_span, &message).with_path(path);
        let hint = match GONE
            .iter()
            .find(|(object, field, _)| *object == schema.name && *field == entry.key)
        {
            Some((_, _, hint)) => (*hint).to_owned(),
            None => match probable(&entry.key, known.iter().copied()) {
                Some(name) => {
                    finding.meant = Some(join(parent, name));
                    format!("did you mean `{name}`?")
                }
                None => format!("the fields here are: {}", known.join(", ")),
            },
        };
        self.findings.push(finding.with_hint(hint));
    }

    fn value(&mut self, node: &Node, shape: &'static Shape, format: Format, path: &str) {
        if matches!(node.kind, NodeKind::Null | NodeKind::Refused) {
            return;
        }
        match (shape, &node.kind) {
            (Shape::Any, kind) if format == Format::Quantity => match kind {
                NodeKind::Text(text) => self.format(node, format, text, path),
                NodeKind::Integer(_) => {}
                NodeKind::Float(number) if number.is_finite() => {}
                _ => {
                    let message = format!("wants a quantity such as `1Mi`, found {}", node.found());
                    self.error(Rule::Quantity, node, path, message);
                }
            },
            (Shape::Any, _) | (Shape::Bool, NodeKind::Bool(_)) => {}
            (Shape::Text, NodeKind::Text(text)) => self.format(node, format, text, path),
            (Shape::Secret(format), NodeKind::Text(text)) => {
                self.format(node, *format, text, path);
            }
            (Shape::Choice(words), NodeKind::Text(text)) => self.choice(node, words, text, path),
            (Shape::Integer, NodeKind::Integer(_) | NodeKind::Float(_)) => {
                self.integer(node, format, path);
            }
            (Shape::Duration, NodeKind::Text(text)) => {
                if text.parse::<GoDuration>().is_err() {
                    let finding = Finding::error(
                        Rule::Duration,
                        node.span,
                        format!("`{text}` is not a duration"),
                    )
                    .with_path(path);
                    self.findings.push(
                        finding
                            .with_hint("write it with units, such as `1h30m`, `4m0s` or `500ms`"),
                    );
                }
            }
            (Shape::Timestamp, NodeKind::Text(text)) => {
                if text.parse::<Timestamp>().is_err() {
                    let finding = Finding::error(
                        Rule::Timestamp,
                        node.span,
                        format!("`{text}` is not a point in time"),
                    )
                    .with_path(path);
                    self.findings
                        .push(finding.with_hint("write it as `2030-01-31T12:00:00Z`"));
                }
            }
            (Shape::List(item_shape), NodeKind::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    let empty = match item.kind {
                        NodeKind::Refused => false,
                        NodeKind::Null => !matches!(item_shape, Shape::Object(_) | Shape::Any),
                        _ => item.text() == Some(""),
                    };
                    if empty {
                        self.error(
                            Rule::EmptyItem,
                            item,
                            &path,
                            "an item of this list must not be empty",
                        );
                    } else if let (Shape::Object(schema), NodeKind::Null) = (item_shape, &item.kind)
                    {
                        self.required(item, schema, &path);
                    } else {
                        self.value(item, item_shape, format, &path);
                    }
                }
            }
            (Shape::Map(value_shape), NodeKind::Map(entries)) => {
                for entry in entries {
                    let path = join(path, &entry.key);
                    if matches!(entry.value.kind, NodeKind::Null) {
                        self.wrong_shape(&entry.value, value_shape, &path);
                    } else {
                        self.value(&entry.value, value_shape, format, &path);
                    }
                }
            }
            (Shape::Object(schema), NodeKind::Map(_)) => self.object(node, schema, path, &[]),
            _ => self.wrong_shape(node, shape, path),
        }
    }

    fn wrong_shape(&mut self, node: &Node, shape: &'static Shape, path: &str) {
        let message = format!("wants {}, found {}", shape.wanted(), node.found());
        let finding = Finding::error(Rule::ValueType, node.span, message).with_path(path);
        let hint = match (shape, &node.kind) {
            (Shape::Text, NodeKind::Float(_) | NodeKind::Integer(_)) if path == "kubernetesVersion" => {
                Some("write a version such as `v1.37.1`, or a label such as `stable-1.37`".to_owned())
            }
            (Shape::Text | Shape::Secret(_) | Shape::Choice(_), NodeKind::Bool(_) | NodeKind::Integer(_) | NodeKind::Float(_)) => {
                Some("put it in quotes".to_owned())
            }
            (Shape::Duration, NodeKind::Integer(_)) if path.ends_with("ValidityPeriod") => {
                Some("add the unit, such as in `8760h`, a year".to_owned())
            }
            (Shape::Duration, NodeKind::Integer(number)) => Some(format!("add the unit, such as `{number}s`")),
            (Shape::Bool, NodeKind::Text(text)) if matches!(resolve_plain(text), NodeKind::Bool(_)) => {
                Some("write it without quotes".to_owned())
            }
            (Shape::Integer, NodeKind::Text(text)) if matches!(resolve_plain(text), NodeKind::Integer(_)) => {
                Some("write it without quotes".to_owned())
            }
            (Shape::Text, NodeKind::List(_)) if path.ends_with("Subnet") => {
                Some("write one text, two networks with a comma: `10.96.0.0/16,fd00::/112`".to_owned())
            }

            (Shape::List(Shape::Object(schema)), NodeKind::Map(_))
                if schema.fields.first().is_some_and(|field| field.name == "name") && schema.fields.len() == 2 =>
            {
                Some("since v1beta4 each is an item of its own: `- name: <flag>` and `value: \"<text>\"`".to_owned())
            }
            (Shape::List(_), _) => Some("begin each item with `- `".to_owned()),
            _ => None,
        };
        self.findings.push(match hint {
            Some(hint) => finding.with_hint(hint),
            None => finding,
        });
    }

    fn format(&mut self, node: &Node, format: Format, text: &str, path: &str) {
        // An empty text stands for no value, as in Go.
        if text.is_empty() && !matches!(format, Format::Required | Format::Quantity) {
            return;
        }
        if let Err(breach) = format.check(text) {
            let finding = Finding::error(breach.rule, node.span, breach.message).with_path(path);
            self.findings.push(match breach.hint {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
        }
    }

    fn choice(&mut self, node: &Node, words: &'static [&'static str], text: &str, path: &str) {
        if text.is_empty() || words.contains(&text) {
            return;
        }
        let finding = Finding::error(
            Rule::Choice,
            node.span,
            format!("`{text}` is not one of: {}", words.join(", ")),
        )
        .with_path(path);
        self.findings
            .push(match probable(text, words.iter().copied()) {
                Some(word) => finding.with_hint(format!("did you mean `{word}`?")),
                None => finding,
            });
    }

    fn integer(&mut self, node: &Node, format: Format, path: &str) {
        let Some(number) = node.whole_number() else {
            let found = match node.kind {
                NodeKind::Float(number) if !number.is_finite() => "one that is not finite",
                NodeKind::Float(number) if number.fract() == 0.0 => "one that no field can hold",
                _ => "one with a fraction",
            };
            let message = format!("wants a whole number, found {found}");
            self.error(Rule::WholeNumber, node, path, message);
            return;
        };
        let (minimum, maximum) = match format {
            Format::Number(count) => (count.minimum, count.maximum),
            _ => (i32::MIN.into(), i32::MAX.into()),
        };
        if !(i128::from(minimum)..=i128::from(maximum)).contains(&number) {
            self.error(
                Rule::NumberRange,
                node,
                path,
                format!("{number} is not within {minimum} and {maximum}"),
            );
        }
    }
}

/// The path of a field below another.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
