//! Which values of a file are secrets by the names that they stand under.
//!
//! The schema knows the rest. This looks at every document, whatever becomes of it: a field may be
//! misspelt, at the wrong place, in a foreign document, or stand twice.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::documents::KINDS;
use crate::mask;
use crate::schema::{ObjectSchema, Shape};
use crate::source::{Source, Span};
use crate::tree::{Node, NodeKind};

/// What a value stands below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Below {
    /// Nothing that tells.
    #[default]
    Nothing,
    /// Variables of an environment: everything but their names may be a password.
    Environment,
    /// Where a variable comes from.
    Origin,
    /// Headers of a request: everything but their names may be a credential.
    Headers,
    /// A field that is named like a secret.
    Secret,
}

impl Below {
    /// The same for what stands under a key there.
    pub(crate) fn enter(self, key: &str, is_map: bool) -> Self {
        match self {
            Self::Environment if key == "name" => Self::Nothing,
            Self::Environment if key == "valueFrom" && is_map => Self::Origin,
            Self::Origin if key.ends_with("Ref") && is_map => Self::Nothing,
            // The field of that name of the kubelet is a map.
            Self::Nothing if key.eq_ignore_ascii_case("authorization") && !is_map => Self::Secret,
            Self::Nothing => Self::of(key),
            Self::Headers => Self::Headers,
            Self::Environment | Self::Origin | Self::Secret => Self::Secret,
        }
    }

    fn of(key: &str) -> Self {
        let lower = key.to_ascii_lowercase();
        if lower.contains("header") {
            Self::Headers
        } else if rinit_diag::holds_variables(key) {
            Self::Environment
        } else if mask::is_named_like_a_secret(&lower) && !COLLECTIONS.contains(key) {
            Self::Secret
        } else {
            Self::Nothing
        }
    }
}

/// Has the source withhold what may be a secret below a node.
pub(crate) fn mark(root: &Node, source: &mut Source) {
    walk(root, Below::Nothing, &mut |span| source.withhold(span));
}

/// The secrets of a node that is in no document.
pub(crate) fn all(node: &Node, below: Below) -> Vec<Span> {
    let mut all = Vec::new();
    walk(node, below, &mut |span| all.push(span));
    all
}

fn walk(node: &Node, below: Below, found: &mut dyn FnMut(Span)) {
    match &node.kind {
        NodeKind::List(items) => items.iter().for_each(|item| walk(item, below, found)),
        NodeKind::Map(entries) => {
            for entry in entries {
                // A password in braces is a map whose key it is.
                if below == Below::Secret {
                    found(entry.key_span);
                }
                let is_map = entry.value.entries().is_some();
                walk(&entry.value, below.enter(&entry.key, is_map), found);
            }
        }
        NodeKind::Null | NodeKind::Refused => {}
        _ if below == Below::Nothing => {}
        _ => found(node.span),
    }
}

/// Fields of kubeadm's documents that hold others, by their names: `bootstrapTokens` is no token.
static COLLECTIONS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let mut names = HashSet::new();
    for (_, schema) in KINDS {
        each_field(schema, &mut |name, shape| {
            if matches!(shape, Shape::List(_) | Shape::Map(_) | Shape::Object(_)) {
                names.insert(name);
            }
        });
    }
    names
});

/// Goes through the fields of an object and of all objects in it.
pub(crate) fn each_field(
    schema: &'static ObjectSchema,
    seen: &mut dyn FnMut(&'static str, &'static Shape),
) {
    for field in schema.all_fields() {
        seen(field.name, field.shape);
        let mut shape = field.shape;
        while let Shape::List(inner) | Shape::Map(inner) = shape {
            shape = inner;
        }
        if let Shape::Object(inner) = shape {
            each_field(inner, seen);
        }
    }
}
