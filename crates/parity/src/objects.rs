//! Objects of a cluster: which of them an init wrote, and what of them counts.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::left_out::{ANY, COMPONENTS, FIELDS, Instead};
use crate::{ParityError, mask};

/// Which object it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for those of the cluster.
    pub namespace: String,
    /// Its name, with a number where several objects have lost what tells their names apart.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        if namespace.is_empty() {
            write!(f, "{kind} {name}")
        } else {
            write!(f, "{kind} {namespace}/{name}")
        }
    }
}

impl ObjectId {
    /// The id of an object.
    pub(crate) fn of(object: &Value) -> Result<Self, ParityError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = Self {
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        };
        if id.kind.is_empty() || id.name.is_empty() {
            return Err(ParityError::malformed(
                id.to_string(),
                "an object lacks its kind or name",
            ));
        }
        Ok(id)
    }
}

/// What counts of the objects that have a manager besides the components. `profile` turns the
/// bytes of a field of a kubeconfig into what is kept of them.
pub(crate) fn written(
    objects: &[Value],
    mut profile: impl FnMut(&str, &'static str, Vec<u8>) -> Result<String, ParityError>,
) -> Result<BTreeMap<ObjectId, Value>, ParityError> {
    let mut cleaned = Vec::new();
    for object in objects.iter().filter(|object| has_other_manager(object)) {
        let mut object = clean(object)?;
        let place = ObjectId::of(&object)?.to_string();
        for value in data_of(&mut object) {
            if let Value::String(text) = value {
                *text = mask::kubeconfig(text, |field, bytes| profile(&place, field, bytes))?;
            }
        }
        cleaned.push(object);
    }
    named(cleaned)
}

/// Objects by their ids. Where ids are the same, as those of tokens are, the rest must tell.
pub(crate) fn named(mut objects: Vec<Value>) -> Result<BTreeMap<ObjectId, Value>, ParityError> {
    objects.sort_by_key(Value::to_string);
    let mut named = BTreeMap::new();
    for object in objects {
        let id = ObjectId::of(&object)?;
        let mut distinct = id.clone();
        let mut number = 1;
        while named.contains_key(&distinct) {
            number += 1;
            distinct.name = format!("{} ({number})", id.name);
        }
        named.insert(distinct, object);
    }
    Ok(named)
}

fn has_other_manager(object: &Value) -> bool {
    let managers = object["metadata"]["managedFields"].as_array();
    managers.is_none_or(|managers| {
        managers.iter().any(|entry| {
            let name = entry["manager"].as_str().unwrap_or_default();
            !COMPONENTS.contains(&name)
        })
    })
}

fn clean(object: &Value) -> Result<Value, ParityError> {
    let place = ObjectId::of(object)?.to_string();
    let mut clean = object.clone();
    let kind = object["kind"].as_str().unwrap_or_default();
    if kind == "Secret" {
        decode(&mut clean, &place)?;
    }
    let created = object["metadata"]["creationTimestamp"].as_str();
    let created: Option<Timestamp> = created.and_then(|text| text.parse().ok());
    for (of_kind, steps, instead) in FIELDS {
        if *of_kind == ANY || *of_kind == kind {
            leave_out(&mut clean, steps, *instead, created);
        }
    }
    mask_names(&mut clean);
    Ok(clean)
}

/// The values of an object's field `data`.
fn data_of(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let data = object.get_mut("data").and_then(Value::as_object_mut);
    data.into_iter().flat_map(Map::values_mut)
}

/// The values of a Secret as text.
fn decode(secret: &mut Value, place: &str) -> Result<(), ParityError> {
    for value in data_of(secret) {
        let bytes = value
            .as_str()
            .and_then(|digits| STANDARD.decode(digits).ok());
        let bytes = bytes.ok_or_else(|| ParityError::malformed(place, "its data is not base64"))?;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            // What is encrypted is no text; a rule of the list says what stays of it.
            format!("<{} bytes that are no text>", error.as_bytes().len())
        });
        *value = Value::String(text);
    }
    Ok(())
}

/// Applies a rule of the closed list to `value`.
fn leave_out(value: &mut Value, steps: &[&str], instead: Instead, created: Option<Timestamp>) {
    let [step, rest @ ..] = steps else {
        *value = match instead {
            Instead::Nothing => Value::Null,
            Instead::Length => {
                let length = value.as_str().map_or(0, |text| text.chars().count());
                format!("<{length} characters>").into()
            }
            Instead::Presence if value.as_str().is_some_and(str::is_empty) => "<empty>".into(),
            Instead::Presence => "<present>".into(),
            Instead::Lifetime => lifetime(value, created).into(),
        };
        return;
    };
    match value {
        Value::Array(elements) if *step == ANY => {
            for element in elements {
                leave_out(element, rest, instead, created);
            }
        }
        Value::Array(elements) => {
            for element in elements.iter_mut() {
                if element["key"].as_str().is_some_and(|key| fits(key, step)) {
                    leave_out(element, rest, instead, created);
                }
            }
            elements.retain(|element| !element.is_null());
        }
        Value::Object(fields) => {
            let matching: Vec<String> = fields
                .keys()
                .filter(|key| fits(key, step))
                .cloned()
                .collect();
            for key in matching {
                let field = &mut fields[&key];
                leave_out(field, rest, instead, created);
                if field.is_null() || field.as_object().is_some_and(Map::is_empty) {
                    fields.remove(&key);
                }
            }
        }
        _ => {}
    }
}

/// Whether a step, perhaps with a `*` in the end, names a field or element.
fn fits(name: &str, step: &str) -> bool {
    match step.strip_suffix(ANY) {
        Some(prefix) => name.starts_with(prefix),
        None => name == step,
    }
}

fn lifetime(value: &Value, created: Option<Timestamp>) -> String {
    let until: Option<Timestamp> = value.as_str().and_then(|text| text.parse().ok());
    match (created, until) {
        (Some(created), Some(until)) => {
            // A token's life is counted from a moment shortly before it is written.
            let seconds = until.as_second() - created.as_second();
            format!(
                "<{} h after its creation>",
                (seconds + 1800).div_euclid(3600)
            )
        }
        _ => "<no moment>".to_owned(),
    }
}

fn mask_names(value: &mut Value) {
    match value {
        Value::String(text) => *text = mask::token_names(text),
        Value::Array(elements) => elements.iter_mut().for_each(mask_names),
        Value::Object(fields) => fields.values_mut().for_each(mask_names),
        _ => {}
    }
}
