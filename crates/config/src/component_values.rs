//! The values of the kubelet's and kube-proxy's configurations as Go writes back what it has read.
//!
//! What becomes of a value is decided by the type of its field, never by how it looks: `0` is a
//! quantity in one field and a duration in another. What Go makes of each type was asked of
//! `kubeadm init --dry-run` of 1.37. Fields that the lists do not have stay as they are. Quantities
//! stay as written, and so do `null` and missing fields of the objects of a list.

use serde_json::{Map, Value};

use crate::check::join;
use crate::component_fields::{self, Table};
use crate::{GoDuration, Timestamp};

/// The values of a document of this kind in Go's form. Known fields without a value are left out,
/// and values of another type than the field has, which reading refuses, stay as they are.
pub fn canonical(kind: &str, document: &Value) -> Value {
    match component_fields::table(kind) {
        Some(table) => value(table, "", "object", document),
        None => document.clone(),
    }
}

/// Takes out what Go leaves out where it is zero or empty (`omitempty`), such as `maxPods: 0`.
pub fn omit_zeroes(kind: &str, document: &mut Value) {
    for path in component_fields::table(kind)
        .iter()
        .flat_map(|table| table.omitted_where_zero())
    {
        omit(document, path);
    }
}

fn omit(within: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((first, rest)) => match first.strip_suffix("[]") {
            Some(list) => {
                let items = within.get_mut(list).and_then(Value::as_array_mut);
                for item in items.into_iter().flatten() {
                    omit(item, rest);
                }
            }
            None => {
                if let Some(within) = within.get_mut(first) {
                    omit(within, rest);
                }
            }
        },
        None => {
            if let Some(fields) = within.as_object_mut()
                && fields.get(path).is_some_and(is_zero)
            {
                fields.remove(path);
            }
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is_on) => !is_on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// `path` is the one of the lists, `[]` standing for the items of a list.
fn value(table: &Table, path: &str, of: &str, written: &Value) -> Value {
    if let Some(of) = of.strip_prefix("list-of-") {
        let Value::Array(items) = written else {
            return written.clone();
        };
        let path = format!("{path}[]");
        return items
            .iter()
            .map(|item| value_or_zero(table, &path, of, item))
            .collect();
    }
    if let Some(of) = of.strip_prefix("map-of-") {
        let Value::Object(entries) = written else {
            return written.clone();
        };
        return entries
            .iter()
            .map(|(key, item)| (key.clone(), value_or_zero(table, path, of, item)))
            .collect::<Map<_, _>>()
            .into();
    }
    match (of, written) {
        ("object", Value::Object(fields)) => object(table, path, fields),
        ("duration" | "duration-or-null" | "duration-or-int", Value::String(text)) => text
            .parse::<GoDuration>()
            .map_or_else(|_| written.clone(), |it| it.to_string().into()),
        ("time", Value::String(text)) => text
            .parse::<Timestamp>()
            .map_or_else(|_| written.clone(), |it| it.to_string().into()),
        ("quantity", Value::Number(number)) => number.to_string().into(),
        ("int32" | "int64" | "uint32" | "float" | "duration-or-int", Value::Number(number)) => {
            if number.is_f64() {
                number.as_f64().map_or_else(|| written.clone(), float)
            } else {
                written.clone()
            }
        }
        ("float32", Value::Number(number)) => {
            // Rust prints the fewest digits that tell the number from others of 32 bits, as Go does.
            #[expect(clippy::cast_possible_truncation, reason = "kubeadm keeps 32 bits")]
            let short = number.as_f64().map(|number| (number as f32).to_string());
            match short.and_then(|digits| digits.parse().ok()) {
                Some(number) => float(number),
                None => written.clone(),
            }
        }
        _ => written.clone(),
    }
}

fn object(table: &Table, path: &str, fields: &Map<String, Value>) -> Value {
    let mut kept = Map::new();
    for (name, written) in fields {
        let path = join(path, name);
        match table.type_of(&path) {
            Some(_) if written.is_null() => {}
            Some(of) => {
                kept.insert(name.clone(), value(table, &path, of, written));
            }
            None => {
                kept.insert(name.clone(), written.clone());
            }
        }
    }
    Value::Object(kept)
}

/// In a list or map of Go no item is missing.
fn value_or_zero(table: &Table, path: &str, of: &str, written: &Value) -> Value {
    match (of, written) {
        ("string", Value::Null) => "".into(),
        ("quantity", Value::Null) => "0".into(),
        ("bool", Value::Null) => false.into(),
        ("int32", Value::Null) => 0.into(),
        _ => value(table, path, of, written),
    }
}

/// A number without a fraction is written as a whole one, where it fits one of 64 bits.
fn float(number: f64) -> Value {
    // The fewest digits that read back the same, then zeros: what stands in Go's JSON.
    let digits = number.to_string();
    match (digits.parse::<i64>(), digits.parse::<u64>()) {
        (Ok(whole), _) => whole.into(),
        (_, Ok(whole)) => whole.into(),
        _ => number.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_type_of_the_field_decides_what_becomes_of_a_value() {
        let written = json!({
            "cgroupRoot": "1h",
            "clusterDNS": [null],
            "evictionHard": { "a": "100m", "b": null },
            "evictionSoftGracePeriod": { "a": "1h" },
            "featureGates": { "a": null },
            "logging": {
                "flushFrequency": "1h",
                "options": { "json": { "infoBufferSize": "0" }, "text": { "infoBufferSize": 1 } },
            },
            "maxOpenFiles": 1e18,
            "maxPods": null,
            "memoryThrottlingFactor": 0.123_456_789,
            "registerWithTaints": [{ "key": "1h", "timeAdded": "2020-01-01T01:00:00.5+02:00" }],
            "reservedMemory": [{ "limits": { "a": "100m", "b": null } }],
            "streamingConnectionIdleTimeout": "0",
            "unknown": { "a": null, "b": "1h" },
        });
        let expected = json!({
            "cgroupRoot": "1h",
            "clusterDNS": [""],
            "evictionHard": { "a": "100m", "b": "" },
            "evictionSoftGracePeriod": { "a": "1h" },
            "featureGates": { "a": false },
            "logging": {
                "flushFrequency": "1h0m0s",
                "options": { "json": { "infoBufferSize": "0" }, "text": { "infoBufferSize": "1" } },
            },
            "maxOpenFiles": 1_000_000_000_000_000_000_i64,
            "memoryThrottlingFactor": 0.123_456_789,
            "registerWithTaints": [{ "key": "1h", "timeAdded": "2019-12-31T23:00:00Z" }],
            "reservedMemory": [{ "limits": { "a": "100m", "b": "0" } }],
            "streamingConnectionIdleTimeout": "0s",
            "unknown": { "a": null, "b": "1h" },
        });
        assert_eq!(canonical("KubeletConfiguration", &written), expected);
    }

    #[test]
    fn numbers_of_32_bits_are_rounded_as_kubeadm_rounds_them() {
        for (written, kept) in [
            (json!(16_777_217), json!(16_777_216)),
            (json!(123_456_789), json!(123_456_790)),
            (json!(0.123_456_789), json!(0.123_456_79)),
            (json!(0.1), json!(0.1)),
            (json!(1e20), json!(1e20)),
            (json!(1e-50), json!(0)),
        ] {
            let document = |qps: Value| json!({ "clientConnection": { "qps": qps } });
            let kept = document(kept);
            assert_eq!(
                canonical("KubeProxyConfiguration", &document(written)),
                kept
            );
        }
    }

    #[test]
    fn what_go_leaves_out_is_left_out() {
        let mut document = json!({
            "clusterDNS": [],
            "healthzPort": 0,
            "maxPods": 0,
            "logging": { "format": "", "verbosity": 0 },
            "registerWithTaints": [{ "key": "", "value": "" }],
        });
        omit_zeroes("KubeletConfiguration", &mut document);
        let kept = json!({
            "healthzPort": 0,
            "logging": { "verbosity": 0 },
            "registerWithTaints": [{ "key": "" }],
        });
        assert_eq!(document, kept);
    }
}
