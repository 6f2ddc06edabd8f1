//! The JSON Schema of the documents, made from the tables that the reader works with.
//!
//! One file may hold several documents; the schema describes any one of them, told apart by
//! `apiVersion` and `kind`.

use serde_json::{Map, Value, json};

use crate::check::{METADATA, join};
use crate::component_fields;
use crate::documents::{API_VERSION, KINDS};
use crate::format::Format;
use crate::schema::{FieldSchema, ObjectSchema, Shape, Write};

/// Durations as Go writes them.
const DURATION: &str = "^[-+]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// The schema, of draft 2020-12.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut choices = Vec::new();
    for (kind, schema) in KINDS {
        object(schema, Some((API_VERSION, kind)), &mut definitions);
        choices.push(reference(kind));
    }
    for table in &component_fields::TABLES {
        definitions.insert(table.kind.to_owned(), component(table));
        choices.push(reference(table.kind));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of kubeadm and rinit",
        "oneOf": choices,
        "$defs": definitions,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn identity(properties: &mut Map<String, Value>, api_version: &str, kind: &str) {
    properties.insert("apiVersion".to_owned(), json!({ "const": api_version }));
    properties.insert("kind".to_owned(), json!({ "const": kind }));
    properties.insert(
        METADATA.to_owned(),
        json!({ "type": "object", "description": "Left out, with a warning." }),
    );
}

fn object(
    schema: &'static ObjectSchema,
    document: Option<(&str, &str)>,
    definitions: &mut Map<String, Value>,
) {
    if definitions.contains_key(schema.name) {
        return;
    }
    // The name is taken before the fields are looked at, so that each object is made once.
    definitions.insert(schema.name.to_owned(), Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Some((api_version, kind)) = document {
        identity(&mut properties, api_version, kind);
        required = vec!["apiVersion", "kind"];
    }
    for field in schema.all_fields() {
        properties.insert(field.name.to_owned(), property(field, definitions));
        if field.format == Format::Required {
            required.push(field.name);
        }
    }
    let mut value = json!({
        "type": ["object", "null"],
        "description": schema.about.trim(),
        "properties": properties,
        "additionalProperties": false,
    });
    if document.is_some() {
        value["type"] = json!("object");
    }
    if !required.is_empty() {
        value["required"] = json!(required);
    }
    definitions.insert(schema.name.to_owned(), value);
}

fn property(field: &FieldSchema, definitions: &mut Map<String, Value>) -> Value {
    debug_assert!(field.write != Write::Inline, "inlined fields are resolved");
    let mut value = shape(field.shape, field.format, definitions);
    if let Some(object) = value.as_object_mut() {
        object.insert("description".to_owned(), json!(field.about.trim()));
    }
    value
}

fn shape(shape_of: &'static Shape, format: Format, definitions: &mut Map<String, Value>) -> Value {
    match shape_of {
        Shape::Text => match format {
            Format::Required => json!({ "type": "string", "minLength": 1 }),
            _ => json!({ "type": ["string", "null"] }),
        },
        Shape::Secret(Format::BootstrapToken) => {
            json!({ "type": ["string", "null"], "pattern": "^([a-z0-9]{6}\\.[a-z0-9]{16})?$" })
        }
        Shape::Secret(Format::CertificateKey) => {
            json!({ "type": ["string", "null"], "pattern": "^([0-9a-fA-F]{64})?$" })
        }
        Shape::Secret(_) => json!({ "type": ["string", "null"] }),
        Shape::Bool => json!({ "type": ["boolean", "null"] }),
        Shape::Integer => {
            let (minimum, maximum) = match format {
                Format::Number(count) => (count.minimum, count.maximum),
                _ => (i32::MIN.into(), i32::MAX.into()),
            };
            json!({ "type": ["integer", "null"], "minimum": minimum, "maximum": maximum })
        }
        Shape::Duration => json!({ "type": ["string", "null"], "pattern": DURATION }),
        Shape::Timestamp => json!({ "type": ["string", "null"], "format": "date-time" }),
        Shape::Choice(words) => {
            let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
            words.extend([json!(""), Value::Null]);
            json!({ "enum": words })
        }
        Shape::List(item) => {
            json!({ "type": ["array", "null"], "items": shape(item, format, definitions) })
        }
        Shape::Map(value) => json!({
            "type": ["object", "null"],
            "additionalProperties": shape(value, format, definitions),
        }),
        Shape::Object(schema) => {
            object(schema, None, definitions);
            reference(schema.name)
        }
        Shape::Any => json!({}),
    }
}

/// Components' configurations are kept whole, so that a field more is no error.
fn component(table: &component_fields::Table) -> Value {
    let mut value = component_value(table, "", "object");
    value["type"] = json!("object");
    value["required"] = json!(["apiVersion", "kind"]);
    if let Some(properties) = value["properties"].as_object_mut() {
        identity(properties, table.api_version, table.kind);
    }
    value
}

/// What a field of a component's configuration takes, by its type as the table words it.
fn component_value(table: &component_fields::Table, path: &str, of: &str) -> Value {
    if let Some(of) = of.strip_prefix("list-of-") {
        let item = component_value(table, &format!("{path}[]"), of);
        return json!({ "type": ["array", "null"], "items": item });
    }
    if let Some(of) = of.strip_prefix("map-of-") {
        let value = component_value(table, path, of);
        return json!({ "type": ["object", "null"], "additionalProperties": value });
    }
    match of {
        "object" => {
            let properties: Map<String, Value> = table
                .fields(path)
                .iter()
                .map(|name| {
                    let path = join(path, name);
                    let of = table.type_of(&path).unwrap_or_default();
                    ((*name).to_owned(), component_value(table, &path, of))
                })
                .collect();
            json!({ "type": ["object", "null"], "properties": properties })
        }
        "string" => json!({ "type": ["string", "null"] }),
        "bool" => json!({ "type": ["boolean", "null"] }),
        "int32" => whole(i32::MIN.into(), i32::MAX.into()),
        "int64" => whole(i64::MIN, i64::MAX),
        "uint32" => whole(0, u32::MAX.into()),
        "float" | "float32" => json!({ "type": ["number", "null"] }),
        "duration" => json!({ "type": "string", "pattern": DURATION }),
        "duration-or-null" => json!({ "type": ["string", "null"], "pattern": DURATION }),
        "duration-or-int" => {
            let mut value = whole(i64::MIN, i64::MAX);
            value["type"] = json!(["string", "integer", "null"]);
            value["pattern"] = json!(DURATION);
            value
        }
        "time" => json!({ "type": ["string", "null"], "format": "date-time" }),
        "quantity" => json!({ "type": ["string", "number", "null"] }),
        _ => json!({}),
    }
}

fn whole(minimum: i64, maximum: i64) -> Value {
    json!({ "type": ["integer", "null"], "minimum": minimum, "maximum": maximum })
}
