//! What each document may hold, as data, and the macro that makes it.
//!
//! A field is written down once, in `v1beta4.rs`: from that line come the Rust field, its entry
//! in the schema, its reader and its writer. The schema is what findings, `config schema` and the
//! coverage of the example files are made from. This module knows no field by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::format::Format;
use crate::tree::{Entry, Node, NodeKind};

/// An object: its fields in kubeadm's order.
#[derive(Debug)]
pub struct ObjectSchema {
    /// The name of the Rust type, which is that of kubeadm's Go type.
    pub name: &'static str,
    /// What the object is for, from its documentation.
    pub about: &'static str,
    /// The fields in the order of kubeadm's type.
    pub fields: &'static [FieldSchema],
}

impl ObjectSchema {
    /// The field of this name, inlined ones included.
    pub fn field(&self, name: &str) -> Option<&'static FieldSchema> {
        self.all_fields()
            .into_iter()
            .find(|field| field.name == name)
    }

    /// Every field with the inlined objects resolved.
    pub fn all_fields(&self) -> Vec<&'static FieldSchema> {
        let mut all = Vec::new();
        for field in self.fields {
            match (field.write, field.shape) {
                (Write::Inline, Shape::Object(inner)) => all.extend(inner.all_fields()),
                _ => all.push(field),
            }
        }
        all
    }

    /// Whether the schema knows the field of a path, and that it holds no secret.
    pub(crate) fn is_harmless(&self, path: &str) -> bool {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        self.field(&path[..end]).is_some_and(|field| {
            field.format != Format::Confidential && field.shape.is_harmless(&path[end..])
        })
    }
}

/// One field of an object.
#[derive(Debug)]
pub struct FieldSchema {
    /// The name in the file; empty for an inlined object.
    pub name: &'static str,
    /// What the field is for, from its documentation.
    pub about: &'static str,
    /// What the value looks like.
    pub shape: &'static Shape,
    /// When kubeadm writes the field out.
    pub write: Write,
    /// A rule for the text of the field, or for each text of its list.
    pub format: Format,
}

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    /// A string.
    Text,
    /// A string that no output may show.
    Secret(Format),
    /// `true` or `false`, and the other words YAML 1.1 has for them.
    Bool,
    /// A whole number that fits 32 bits with sign, unless the format has other bounds.
    Integer,
    /// A Go duration such as `1h30m`.
    Duration,
    /// A point in time as RFC 3339 writes it.
    Timestamp,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of such values.
    List(&'static Shape),
    /// A map from any text to such values.
    Map(&'static Shape),
    /// An object with these fields.
    Object(&'static ObjectSchema),
    /// Anything.
    Any,
}

impl Shape {
    /// What is wanted, as a message names it.
    pub fn wanted(&self) -> &'static str {
        match self {
            Self::Text | Self::Secret(_) | Self::Choice(_) => "a string",
            Self::Bool => "true or false",
            Self::Integer => "a whole number",
            Self::Duration => "a duration such as `1h30m`",
            Self::Timestamp => "a time such as `2030-01-31T12:00:00Z`",
            Self::List(_) => "a list",
            Self::Map(_) | Self::Object(_) => "a map",
            Self::Any => "a value",
        }
    }

    /// Whether no value of the shape is a secret, or none of what the rest of a path leads to.
    fn is_harmless(&self, rest: &str) -> bool {
        match self {
            Self::Secret(_) | Self::Any => false,
            Self::Object(schema) => schema.is_harmless(rest.trim_start_matches('.')),
            Self::List(item) => item.is_harmless(rest.split_once(']').map_or("", |(_, rest)| rest)),
            Self::Map(value) => value.is_harmless(""),
            _ => true,
        }
    }
}

/// When a field is written out: the `omitempty` of kubeadm's Go types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Always; the zero value of its Go type stands in when it is not set.
    Always,
    /// Unless it is not set: a Go pointer, list or map with `omitempty`.
    IfSet,
    /// Unless it is not set, false or zero: a Go value with `omitempty`.
    IfNotZero,
    /// The fields of the object stand among those of its parent.
    Inline,
}

/// The node does not have the shape it was checked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch(pub(crate) &'static str);

/// A Rust type that stands for a value in a document.
pub(crate) trait Typed: Sized {
    /// What the value looks like.
    const SHAPE: Shape;
    /// The same, with a lifetime that other schemas may borrow.
    const SHAPE_REF: &'static Shape = &Self::SHAPE;

    /// The value of a node that has this shape.
    fn read(node: &Node) -> Result<Self, Mismatch>;
    /// What stands for a field that is not in the file.
    fn absent() -> Result<Self, Mismatch>;
    /// The value as JSON, with Go's spelling.
    fn write(&self) -> Value;
    /// Whether Go's pointer would be nil or its list empty.
    fn is_unset(&self) -> bool {
        false
    }
    /// Whether Go's `omitempty` would leave the value out.
    fn is_zero(&self) -> bool {
        self.is_unset()
    }
    /// What Go writes for a value that was never set.
    fn zero() -> Value;
}

impl Typed for String {
    const SHAPE: Shape = Shape::Text;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        match &node.kind {
            NodeKind::Text(text) => Ok(text.clone()),
            NodeKind::Null => Ok(Self::new()),
            _ => Err(Mismatch("text")),
        }
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(Self::new())
    }
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
    fn zero() -> Value {
        Value::from("")
    }
}

impl Typed for bool {
    const SHAPE: Shape = Shape::Bool;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        match node.kind {
            NodeKind::Bool(value) => Ok(value),
            _ => Err(Mismatch("bool")),
        }
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(false)
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
    fn is_zero(&self) -> bool {
        !*self
    }
    fn zero() -> Value {
        Value::from(false)
    }
}

/// Whole numbers of the widths that kubeadm has.
macro_rules! whole_numbers {
    ($($width:ty),+) => {$(
        impl Typed for $width {
            const SHAPE: Shape = Shape::Integer;
            fn read(node: &Node) -> Result<Self, Mismatch> {
                node.whole_number()
                    .and_then(|number| Self::try_from(number).ok())
                    .ok_or(Mismatch("whole number"))
            }
            fn absent() -> Result<Self, Mismatch> {
                Ok(0)
            }
            fn write(&self) -> Value {
                Value::from(*self)
            }
            fn is_zero(&self) -> bool {
                *self == 0
            }
            fn zero() -> Value {
                Value::from(0)
            }
        }
    )+};
}

whole_numbers!(i32, i64);

impl Typed for Value {
    const SHAPE: Shape = Shape::Any;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        Ok(node.to_value())
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(Self::Null)
    }
    fn write(&self) -> Value {
        self.clone()
    }
    fn is_unset(&self) -> bool {
        self.is_null()
    }
    fn zero() -> Value {
        Self::Null
    }
}

impl<T: Typed> Typed for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        // Go cannot tell an empty string from one that is not there, so kubeadm does not either.
        let empty_text = matches!(&node.kind, NodeKind::Text(text) if text.is_empty())
            && !matches!(T::SHAPE, Shape::Any);
        if empty_text || matches!(node.kind, NodeKind::Null) {
            return Ok(None);
        }
        T::read(node).map(Some)
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(None)
    }
    fn write(&self) -> Value {
        self.as_ref().map_or_else(T::zero, T::write)
    }
    fn is_unset(&self) -> bool {
        self.is_none()
    }
    fn is_zero(&self) -> bool {
        self.as_ref().is_none_or(T::is_zero)
    }
    fn zero() -> Value {
        T::zero()
    }
}

impl<T: Typed> Typed for Vec<T> {
    const SHAPE: Shape = Shape::List(T::SHAPE_REF);
    fn read(node: &Node) -> Result<Self, Mismatch> {
        match &node.kind {
            NodeKind::List(items) => items
                .iter()
                .filter_map(|item| match item.kind {
                    // Where no value stands for nothing, the item was refused.
                    NodeKind::Null => T::absent().ok().map(Ok),
                    _ => Some(T::read(item)),
                })
                .collect(),
            NodeKind::Null => Ok(Self::new()),
            _ => Err(Mismatch("list")),
        }
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(Self::new())
    }
    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
    fn zero() -> Value {
        Value::Null
    }
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Map(T::SHAPE_REF);
    fn read(node: &Node) -> Result<Self, Mismatch> {
        match &node.kind {
            NodeKind::Map(entries) => entries
                .iter()
                .map(|entry| Ok((entry.key.clone(), T::read(&entry.value)?)))
                .collect(),
            NodeKind::Null => Ok(Self::new()),
            _ => Err(Mismatch("map")),
        }
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(Self::new())
    }
    fn write(&self) -> Value {
        Value::Object(
            self.iter()
                .map(|(key, value)| (key.clone(), value.write()))
                .collect(),
        )
    }
    fn is_unset(&self) -> bool {
        self.is_empty()
    }
    fn zero() -> Value {
        Value::Null
    }
}

/// Reads one field of an object.
pub(crate) fn read_field<T: Typed>(
    object: &[Entry],
    name: &str,
    write: Write,
    node: &Node,
) -> Result<T, Mismatch> {
    if write == Write::Inline {
        return T::read(node);
    }
    match object.iter().find(|entry| entry.key == name) {
        Some(entry) if !matches!(entry.value.kind, NodeKind::Null) => T::read(&entry.value),
        _ => T::absent(),
    }
}

/// Writes one field of an object.
pub(crate) fn write_field<T: Typed>(
    object: &mut Map<String, Value>,
    name: &str,
    write: Write,
    value: &T,
) {
    match write {
        Write::IfSet if value.is_unset() => {}
        Write::IfNotZero if value.is_zero() => {}
        Write::Inline => {
            if let Value::Object(inner) = value.write() {
                object.extend(inner);
            }
        }
        _ => {
            object.insert(name.to_owned(), value.write());
        }
    }
}

/// Declares objects of a document: the structs, their schemas, readers and writers from one list.
///
/// A field reads `name: Type = "nameInTheFile", When [, Format];` where `When` is a variant of
/// [`Write`] and the format one of [`Format`].
macro_rules! objects {
    ($(
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $field_about:literal])+
                $field:ident: $type:ty = $json:literal, $write:ident $(, $format:expr)?;
            )*
        }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $( $(#[doc = $field_about])+ pub $field: $type, )*
        }

        impl $name {
            /// The fields of this object as data.
            pub const SCHEMA: &'static $crate::schema::ObjectSchema = &$crate::schema::ObjectSchema {
                name: stringify!($name),
                about: concat!($($about),+),
                fields: &[$( $crate::schema::FieldSchema {
                    name: $json,
                    about: concat!($($field_about),+),
                    shape: <$type as $crate::schema::Typed>::SHAPE_REF,
                    write: $crate::schema::Write::$write,
                    format: $crate::schema::objects!(@format $($format)?),
                } ),*],
            };

            /// The object as kubeadm would store it, without `apiVersion` and `kind`.
            ///
            /// Secrets are written as a placeholder.
            pub fn to_value(&self) -> serde_json::Value {
                $crate::schema::Typed::write(self)
            }
        }

        impl $crate::schema::Typed for $name {
            const SHAPE: $crate::schema::Shape = $crate::schema::Shape::Object(Self::SCHEMA);

            fn read(node: &$crate::tree::Node) -> Result<Self, $crate::schema::Mismatch> {
                let entries = node.entries().ok_or($crate::schema::Mismatch("map"))?;
                Ok(Self {
                    $( $field: $crate::schema::read_field(entries, $json, $crate::schema::Write::$write, node)?, )*
                })
            }

            fn absent() -> Result<Self, $crate::schema::Mismatch> {
                Ok(Self::default())
            }

            fn write(&self) -> serde_json::Value {
                let mut object = serde_json::Map::new();
                $( $crate::schema::write_field(&mut object, $json, $crate::schema::Write::$write, &self.$field); )*
                serde_json::Value::Object(object)
            }

            fn zero() -> serde_json::Value {
                $crate::schema::Typed::write(&Self::default())
            }
        }
    )+};
    (@format) => { $crate::format::Format::Free };
    (@format $format:expr) => { $format };
}

/// Declares a choice: the enum, its words and its schema from one list.
macro_rules! choices {
    ($(
        $(#[doc = $about:literal])+
        pub enum $name:ident {
            $( $(#[doc = $variant_about:literal])+ $variant:ident = $word:literal, )+
        }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[doc = $variant_about])+ $variant, )+
        }

        impl $name {
            /// Every choice in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The words for them, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word that stands for it in a document.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// The choice that this word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl $crate::schema::Typed for $name {
            const SHAPE: $crate::schema::Shape = $crate::schema::Shape::Choice(Self::WORDS);

            fn read(node: &$crate::tree::Node) -> Result<Self, $crate::schema::Mismatch> {
                node.text().and_then(Self::from_word).ok_or($crate::schema::Mismatch("choice"))
            }

            fn absent() -> Result<Self, $crate::schema::Mismatch> {
                Err($crate::schema::Mismatch("choice"))
            }

            fn write(&self) -> serde_json::Value {
                serde_json::Value::from(self.as_str())
            }

            fn zero() -> serde_json::Value {
                serde_json::Value::from("")
            }
        }
    )+};
}

pub(crate) use {choices, objects};
