//! Comparing what rinit writes with what stands, and laying one over the other.
//!
//! Only fields that are written count: maps are compared key by key, lists element by element at
//! the same length. Null, an empty map and an empty list count as absent, as the server drops them.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rinit_diag::redact;
use serde::Serialize;
use serde_json::{Map, Value};

/// A field that stands otherwise than rinit writes it. Values of Secrets are redacted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The JSON pointer (RFC 6901) of the field.
    pub pointer: String,
    /// What rinit writes; null where it writes nothing.
    pub ours: Value,
    /// What stands; null where nothing does.
    pub live: Value,
}

/// Shown as the pointer and lines with `-` (what stands) and `+` (what rinit writes); texts of
/// several lines as a unified diff.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.pointer)?;
        let shown = |value: &Value| redact::value(&self.pointer, value);
        match (shown(&self.live), shown(&self.ours)) {
            (Value::String(live), Value::String(ours))
                if live.contains('\n') || ours.contains('\n') =>
            {
                write!(f, "\n{}", redact::text_diff(&live, &ours))
            }
            (live, ours) => {
                for (sign, value) in [('-', live), ('+', ours)] {
                    match value {
                        Value::Null => {}
                        Value::String(text) if text.contains('\n') => {
                            let text = match sign {
                                '-' => redact::text_diff(&text, ""),
                                _ => redact::text_diff("", &text),
                            };
                            write!(f, "\n{text}")?;
                        }
                        value => write!(f, "\n{sign} {value}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// All differences, one after another.
pub fn render(differences: &[Difference]) -> String {
    let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
    redact::redact_credentials(&shown.join("\n"))
}

/// Where `live` differs from what `ours` says. `unmanaged` are JSON pointers of fields that others
/// may have changed.
pub fn compare(ours: &Value, live: &Value, unmanaged: &[&str]) -> Vec<Difference> {
    let mut found = Vec::new();
    compare_at(
        &normalised(ours),
        Some(live),
        &mut String::new(),
        unmanaged,
        &mut found,
    );
    if is_secret(ours) {
        for difference in &mut found {
            mask(difference);
        }
    }
    found
}

/// `live` with `ours` laid over it: maps merged, everything else replaced. What `unmanaged` points
/// to stays as it stands, if it stands.
pub fn overlay(ours: &Value, live: &Value, unmanaged: &[&str]) -> Value {
    let mut merged = live.clone();
    overlay_at(
        &normalised(ours),
        &mut merged,
        &mut String::new(),
        unmanaged,
    );
    merged
}

fn compare_at(
    ours: &Value,
    live: Option<&Value>,
    pointer: &mut String,
    unmanaged: &[&str],
    found: &mut Vec<Difference>,
) {
    if is_absent(ours) || unmanaged.contains(&pointer.as_str()) {
        return;
    }
    match (ours, live) {
        (Value::Object(ours), Some(Value::Object(live))) => {
            for (key, value) in ours {
                let length = push(pointer, key);
                compare_at(value, live.get(key), pointer, unmanaged, found);
                pointer.truncate(length);
            }
        }
        (Value::Array(ours), Some(Value::Array(live))) if ours.len() == live.len() => {
            for (index, (value, live)) in ours.iter().zip(live).enumerate() {
                let length = push(pointer, &index.to_string());
                compare_at(value, Some(live), pointer, unmanaged, found);
                pointer.truncate(length);
            }
        }
        (ours, Some(live)) if ours == live => {}
        (ours, live) => found.push(Difference {
            pointer: pointer.clone(),
            ours: ours.clone(),
            live: live.cloned().unwrap_or_default(),
        }),
    }
}

fn overlay_at(ours: &Value, target: &mut Value, pointer: &mut String, unmanaged: &[&str]) {
    if is_absent(ours) || (!target.is_null() && unmanaged.contains(&pointer.as_str())) {
        return;
    }
    if ours.is_object() && !target.is_object() {
        *target = Map::new().into();
    }
    match (ours, target) {
        (Value::Object(ours), Value::Object(target)) => {
            for (key, value) in ours {
                let length = push(pointer, key);
                let entry = target.entry(key.clone()).or_insert(Value::Null);
                overlay_at(value, entry, pointer, unmanaged);
                if entry.is_null() {
                    target.remove(key);
                }
                pointer.truncate(length);
            }
        }
        (ours, target) => *target = ours.clone(),
    }
}

/// Goes one step down and answers how long the pointer was before.
fn push(pointer: &mut String, key: &str) -> usize {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    length
}

fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
}

/// A Secret with its `stringData` moved into `data`, as the server does; all else as it is.
fn normalised(ours: &Value) -> Value {
    let mut ours = ours.clone();
    if !is_secret(&ours) {
        return ours;
    }
    if let Some(object) = ours.as_object_mut()
        && let Some(Value::Object(texts)) = object.remove("stringData")
        && let Some(data) = object
            .entry("data")
            .or_insert_with(|| Map::new().into())
            .as_object_mut()
    {
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data.insert(key, BASE64_STANDARD.encode(text).into());
        }
    }
    ours
}

/// Hides values of a Secret. A whole `data` that is missing keeps its keys.
fn mask(difference: &mut Difference) {
    fn hide(value: &mut Value) {
        match value {
            Value::Null => {}
            Value::Object(map) => map.values_mut().for_each(hide),
            other => *other = redact::REDACTED.into(),
        }
    }
    if difference.pointer == "/data" || difference.pointer.starts_with("/data/") {
        hide(&mut difference.ours);
        hide(&mut difference.live);
    } else if difference.pointer.is_empty() {
        for side in [&mut difference.ours, &mut difference.live] {
            if let Some(data) = side.get_mut("data") {
                hide(data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pointers(ours: &Value, live: &Value, unmanaged: &[&str]) -> Vec<String> {
        compare(ours, live, unmanaged)
            .into_iter()
            .map(|difference| difference.pointer)
            .collect()
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let ours = json!({
            "kind": "Deployment",
            "metadata": {"name": "coredns", "creationTimestamp": null, "labels": {"k8s-app": "kube-dns"}},
            "spec": {"template": {"spec": {
                "containers": [{"name": "coredns", "args": ["-conf", "/etc/coredns/Corefile"], "env": []}],
                "securityContext": {}
            }}}
        });
        let live = json!({
            "kind": "Deployment",
            "metadata": {"name": "coredns", "uid": "1", "labels": {"k8s-app": "kube-dns", "mine": "x"}},
            "spec": {"replicas": 2, "template": {"spec": {
                "containers": [{"name": "coredns", "args": ["-conf", "/etc/coredns/Corefile"], "imagePullPolicy": "Always"}],
                "restartPolicy": "Always"
            }}}
        });
        assert_eq!(pointers(&ours, &live, &[]), Vec::<String>::new());
    }

    #[test]
    fn what_we_write_must_stand() {
        let ours = json!({"data": {"a/b": "1", "c": "2"}, "list": [1, 2], "labels": {"role": ""}});
        let live = json!({"data": {"a/b": "9", "jws-kubeconfig-abcdef": "x"}, "list": [1]});
        assert_eq!(
            pointers(&ours, &live, &[]),
            ["/data/a~1b", "/data/c", "/labels", "/list"]
        );
    }

    #[test]
    fn what_variables_hold_is_redacted() {
        let ours = json!({
            "apiServer": {
                "extraEnvs": [{"name": "A", "value": "pw1"}],
                "extraArgs": [{"name": "v", "value": "4"}],
            },
            "scheduler": {"extraEnvs": [{"name": "B", "value": "pw2"}, {"name": "C", "value": "pw3"}]},
            "text": "env:\n- name: D\n  value: pw4\n",
            "only": "env:\n- name: E\n  value: pw5\n",
        });
        let live = json!({
            "apiServer": {
                "extraEnvs": [{"name": "A", "value": "pw6\npw7"}],
                "extraArgs": [{"name": "v", "value": "5"}],
            },
            "scheduler": {"extraEnvs": [{"name": "B", "value": "pw8"}]},
            "text": "env:\n- name: D\n  value: pw9\n",
        });
        let shown = render(&compare(&ours, &live, &[]));
        assert!(!shown.contains("pw"), "{shown}");
        for told in [
            "/apiServer/extraEnvs/0/value:\n- \"<redacted>\"\n+ \"<redacted>\"",
            "/apiServer/extraArgs/0/value:\n- \"5\"\n+ \"4\"",
            "+ [{\"name\":\"B\",\"value\":\"<redacted>\"},{\"name\":\"C\",\"value\":\"<redacted>\"}]",
            "- name: D\n-  value: <redacted>\n+  value: <redacted>",
            "+- name: E\n+  value: <redacted>",
        ] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
    }

    #[test]
    fn what_others_manage_is_left_alone() {
        let ours = json!({"spec": {"replicas": 2, "paused": true}});
        let live = json!({"spec": {"replicas": 5, "paused": false}});
        assert_eq!(
            pointers(&ours, &live, &["/spec/replicas"]),
            ["/spec/paused"]
        );
        assert_eq!(
            overlay(&ours, &live, &["/spec/replicas"]),
            json!({"spec": {"replicas": 5, "paused": true}})
        );
        assert_eq!(
            overlay(&ours, &json!({}), &["/spec/replicas"]),
            json!({"spec": {"replicas": 2, "paused": true}})
        );
    }

    #[test]
    fn an_overlay_merges_maps_and_replaces_lists() {
        let ours = json!({"spec": {"ports": [{"port": 53}], "selector": {"k8s-app": "kube-dns"}}, "status": null});
        let live = json!({"spec": {"ports": [{"port": 1, "nodePort": 9}], "clusterIP": "10.96.0.10"}, "metadata": {"resourceVersion": "7"}});
        assert_eq!(
            overlay(&ours, &live, &[]),
            json!({
                "spec": {
                    "ports": [{"port": 53}],
                    "selector": {"k8s-app": "kube-dns"},
                    "clusterIP": "10.96.0.10"
                },
                "metadata": {"resourceVersion": "7"}
            })
        );
    }

    #[test]
    fn values_of_a_secret_are_compared_and_never_shown() {
        let ours = json!({"kind": "Secret", "type": "Opaque", "stringData": {"token-secret": "0123456789abcdef"}, "data": {"token-id": "YWJjZGVm"}});
        let same = json!({"kind": "Secret", "type": "Opaque", "data": {"token-secret": "MDEyMzQ1Njc4OWFiY2RlZg==", "token-id": "YWJjZGVm"}});
        assert_eq!(compare(&ours, &same, &[]), []);
        let live = json!({"kind": "Secret", "type": "Opaque", "data": {"token-secret": "b3RoZXI=", "token-id": "YWJjZGVm"}});
        let found = compare(&ours, &live, &[]);
        assert_eq!(
            render(&found),
            "/data/token-secret:\n- \"<redacted>\"\n+ \"<redacted>\""
        );
        let found = compare(&ours, &json!({"kind": "Secret", "type": "Opaque"}), &[]);
        assert_eq!(
            render(&found),
            "/data:\n+ {\"token-id\":\"<redacted>\",\"token-secret\":\"<redacted>\"}"
        );
    }

    #[test]
    fn a_text_of_several_lines_is_shown_as_a_diff() {
        let ours = json!({"data": {"Corefile": ".:53 {\n    errors\n    health\n    ready\n    cache 30\n}\n"}});
        let live = json!({"data": {"Corefile": ".:53 {\n    errors\n    health\n    ready\n    cache 60\n}\n"}});
        assert_eq!(
            render(&compare(&ours, &live, &[])),
            "/data/Corefile:\n@@ -3,4 +3,4 @@\n     health\n     ready\n-    <redacted>\n+    cache 30\n }"
        );
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            "[a-c/~]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c/~]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_object_does_not_differ_from_itself(value in json_value()) {
            prop_assert_eq!(compare(&value, &value, &[]), vec![]);
        }

        #[test]
        fn nothing_differs_once_ours_is_laid_over(ours in json_value(), live in json_value()) {
            let merged = overlay(&ours, &live, &[]);
            prop_assert_eq!(compare(&ours, &merged, &[]), vec![]);
            prop_assert_eq!(overlay(&ours, &merged, &[]), merged);
        }
    }
}
