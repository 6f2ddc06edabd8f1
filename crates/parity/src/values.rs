//! How two documents differ, told by the place of each difference.
//!
//! A list is compared by the names of its elements where these have names: a flag by what stands
//! before its `=`, an object by its `name`, `key` or `mountPath`. So one flag more is one
//! difference, and another order is one more.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// One difference between two documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValueDifference {
    /// Where, such as `spec.containers[etcd].command[--name]`; empty for the whole.
    pub(crate) place: String,
    /// The value on the left; none if it has none.
    pub(crate) left: Option<String>,
    /// The value on the right.
    pub(crate) right: Option<String>,
    /// True if the two mean the same.
    pub(crate) only_text: bool,
}

/// All differences between two documents.
pub(crate) fn differences(left: &Value, right: &Value) -> Vec<ValueDifference> {
    let mut found = Vec::new();
    compare(String::new(), Some(left), Some(right), &mut found);
    found
}

/// The documents in a text; none if it is no YAML, or just a plain text.
pub(crate) fn documents(text: &str) -> Option<Vec<Value>> {
    use serde::Deserialize as _;
    let documents = serde_yaml::Deserializer::from_str(text)
        // Through YAML's own value, which has no duplicate keys.
        .map(|document| serde_yaml::Value::deserialize(document).ok())
        .map(|document| serde_json::to_value(document?).ok())
        .collect::<Option<Vec<_>>>()?;
    let structured = documents.iter().all(Value::is_object);
    (structured && !documents.is_empty()).then_some(documents)
}

fn compare(
    place: String,
    left: Option<&Value>,
    right: Option<&Value>,
    found: &mut Vec<ValueDifference>,
) {
    match (left, right) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                compare(field(&place, key), left.get(key), right.get(key), found);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => lists(&place, left, right, found),
        (Some(Value::String(left)), Some(Value::String(right))) if left != right => {
            texts(place, left, right, found);
        }
        (left, right) if left != right => found.push(ValueDifference {
            place,
            left: left.map(show),
            right: right.map(show),
            only_text: false,
        }),
        _ => {}
    }
}

/// Compares two texts, as documents if both are.
pub(crate) fn texts(place: String, left: &str, right: &str, found: &mut Vec<ValueDifference>) {
    if left == right {
        return;
    }
    let mut difference = ValueDifference {
        place: place.clone(),
        left: Some(left.to_owned()),
        right: Some(right.to_owned()),
        only_text: false,
    };
    let both = documents(left).zip(documents(right));
    if let Some((left, right)) = both {
        let count = found.len();
        match (left.as_slice(), right.as_slice()) {
            ([left], [right]) => compare(place, Some(left), Some(right), found),
            (left, right) => lists(&place, left, right, found),
        }
        difference.only_text = true;
        if found.len() > count {
            return;
        }
    }
    found.push(difference);
}

fn lists(place: &str, left: &[Value], right: &[Value], found: &mut Vec<ValueDifference>) {
    let Some((left_names, right_names)) = names(left).zip(names(right)) else {
        for index in 0..left.len().max(right.len()) {
            let place = format!("{place}[{index}]");
            compare(place, left.get(index), right.get(index), found);
        }
        return;
    };
    let element = |list: &'_ [Value], names: &[String], name: &String| {
        let index = names.iter().position(|other| other == name)?;
        Some(list[index].clone())
    };
    let all: BTreeSet<&String> = left_names.iter().chain(&right_names).collect();
    for name in all {
        compare(
            format!("{place}[{name}]"),
            element(left, &left_names, name).as_ref(),
            element(right, &right_names, name).as_ref(),
            found,
        );
    }
    let common = |names: &[String], others: &[String]| {
        let common = names.iter().filter(|name| others.contains(name));
        common.cloned().collect::<Vec<_>>()
    };
    let left = common(&left_names, &right_names);
    let right = common(&right_names, &left_names);
    if left != right {
        found.push(ValueDifference {
            place: format!("{place}: order"),
            left: Some(left.join(" ")),
            right: Some(right.join(" ")),
            only_text: false,
        });
    }
}

/// The name of each element, if all have one and no two the same.
fn names(list: &[Value]) -> Option<Vec<String>> {
    let names: Vec<String> = list.iter().map(name).collect::<Option<_>>()?;
    let distinct: BTreeSet<&String> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn name(element: &Value) -> Option<String> {
    match element {
        Value::String(text) => {
            let (name, _) = text.split_once('=').unwrap_or((text, ""));
            Some(name.to_owned())
        }
        // A mount's name is that of its volume, which may be mounted twice.
        Value::Object(fields) => ["mountPath", "name", "key"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str())
            .map(str::to_owned),
        _ => None,
    }
}

fn field(place: &str, key: &str) -> String {
    let plain = key
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "-_".contains(character));
    match (place.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{place}.{key}"),
        (_, false) => format!("{place}[{key}]"),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The fields of something that serializes as an object.
pub(crate) fn object(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|_| Value::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(left: &Value, right: &Value) -> Vec<String> {
        let found = differences(left, right);
        found
            .into_iter()
            .map(|difference| difference.place)
            .collect()
    }

    #[test]
    fn flags_are_told_by_name_and_their_order_apart() {
        let left = json!({"command": ["etcd", "--a=1", "--b=1"]});
        let right = json!({"command": ["etcd", "--b=1", "--a=2", "--c"]});
        assert_eq!(
            places(&left, &right),
            ["command[--a]", "command[--c]", "command: order"]
        );
    }

    #[test]
    fn elements_without_distinct_names_are_compared_by_place() {
        let left = json!([{"verbs": ["get"]}, {"verbs": ["list"]}]);
        let right = json!([{"verbs": ["get"]}]);
        assert_eq!(places(&left, &right), ["[1]"]);
        assert_eq!(places(&json!([1, 2]), &json!([2, 1])), ["[0]", "[1]"]);
        assert_eq!(places(&json!(["a", "a"]), &json!(["a", "b"])), ["[1]"]);
    }

    #[test]
    fn a_document_in_a_text_is_compared_as_one() {
        let left = json!({"data": {"config.conf": "a: 1\nb: 2\n"}});
        let changed = json!({"data": {"config.conf": "a: 1\nb: 3\n"}});
        assert_eq!(places(&left, &changed), ["data[config.conf].b"]);
        let rewritten = json!({"data": {"config.conf": "b: 2\na: 1\n"}});
        let found = differences(&left, &rewritten);
        assert_eq!(found.len(), 1);
        assert!(found[0].only_text);
        assert_eq!(places(&json!("some words"), &json!("other words")), [""]);
    }

    #[test]
    fn null_and_absent_differ() {
        assert_eq!(places(&json!({"a": null}), &json!({})), ["a"]);
    }
}
