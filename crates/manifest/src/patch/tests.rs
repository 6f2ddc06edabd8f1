//! Patches of every type, data-driven; whole pods against kubeadm are in the control-plane phase.

use super::*;
use rinit_facts::PatchTarget;
use serde_json::json;

fn patch(patch_type: PatchType, document: Value) -> Patch {
    Patch {
        target: PatchTarget::ApiServer,
        patch_type,
        document,
        file: "kube-apiserver0.yaml".to_owned(),
    }
}

fn check(patch_type: PatchType, value: &Value, document: &Value, expected: &Value) {
    let patched = apply(
        value.clone(),
        [&patch(patch_type, document.clone())],
        MergeKeys::Workload,
    )
    .unwrap_or_else(|error| panic!("{document}: {}", rinit_diag::chain(&error)));
    assert_eq!(patched, *expected, "{document}");
}

#[test]
fn json_patch() {
    check(
        PatchType::Json,
        &json!({ "a": [1, 2], "b": { "c": 1 } }),
        &json!([
            { "op": "add", "path": "/a/-", "value": 3 },
            { "op": "remove", "path": "/b/c" },
            { "op": "test", "path": "/a/0", "value": 1 },
        ]),
        &json!({ "a": [1, 2, 3], "b": {} }),
    );
}

#[test]
fn merge_patch() {
    check(
        PatchType::Merge,
        &json!({ "a": [1, 2], "b": { "c": 1, "d": 2 } }),
        &json!({ "a": [3], "b": { "c": null } }),
        &json!({ "a": [3], "b": { "d": 2 } }),
    );
}

#[test]
fn strategic_merge() {
    let value = json!({
        "volumes": [{ "name": "a", "path": "1" }, { "name": "b", "path": "2", "type": "T" }],
        "tolerations": [{ "key": "x" }],
        "finalizers": ["x", "y"],
        "labels": { "k": "v", "l": "w" },
    });
    let with = |field: &str, new: Value| {
        let mut value = value.clone();
        if new.is_null() {
            value.as_object_mut().unwrap().remove(field);
        } else {
            value[field] = new;
        }
        value
    };
    let a = &value["volumes"][0];
    let b = &value["volumes"][1];
    for (document, expected) in [
        // A new item comes first, where nothing says that it should not.
        (
            json!({ "volumes": [{ "name": "c" }] }),
            with("volumes", json!([{ "name": "c" }, a, b])),
        ),
        // Items that the patch names keep the patch's order.
        (
            json!({ "volumes": [{ "name": "b" }, { "name": "c" }] }),
            with("volumes", json!([a, b, { "name": "c" }])),
        ),
        (
            json!({ "volumes": [{ "name": "b", "path": "3", "type": null }] }),
            with("volumes", json!([a, { "name": "b", "path": "3" }])),
        ),
        (
            json!({ "volumes": [{ "name": "a", "$patch": "delete" }] }),
            with("volumes", json!([b])),
        ),
        (
            json!({ "volumes": [{ "name": "b", "$patch": "replace" }, { "name": "z" }] }),
            with("volumes", json!([{ "name": "z" }])),
        ),
        (
            json!({ "volumes": [{ "$patch": "replace" }, { "name": "z" }] }),
            with("volumes", json!([{ "name": "z" }])),
        ),
        (
            json!({ "$setElementOrder/volumes": [{ "name": "b" }, { "name": "a" }] }),
            with("volumes", json!([b, a])),
        ),
        (
            json!({ "volumes": [{ "name": "b", "$retainKeys": ["name", "path"], "path": "5" }] }),
            with("volumes", json!([a, { "name": "b", "path": "5" }])),
        ),
        (json!({ "volumes": null }), with("volumes", Value::Null)),
        (
            json!({ "tolerations": [{ "key": "y" }] }),
            with("tolerations", json!([{ "key": "y" }])),
        ),
        (
            json!({ "finalizers": ["z", "x"] }),
            with("finalizers", json!(["z", "x", "y"])),
        ),
        (
            json!({ "$deleteFromPrimitiveList/finalizers": ["x"] }),
            with("finalizers", json!(["y"])),
        ),
        (
            json!({ "labels": { "k": null, "m": "n" } }),
            with("labels", json!({ "l": "w", "m": "n" })),
        ),
        (
            json!({ "labels": { "$patch": "replace", "m": "n", "o": null } }),
            with("labels", json!({ "m": "n" })),
        ),
        (
            json!({ "labels": { "$patch": "delete" } }),
            with("labels", json!({})),
        ),
        (
            json!({ "new": { "a": null, "b": 1, "$patch": "merge" } }),
            with("new", json!({ "b": 1 })),
        ),
    ] {
        check(PatchType::Strategic, &value, &document, &expected);
    }
}

#[test]
fn component_configurations_have_no_merge_keys() {
    let patched = apply(
        json!({ "volumes": [{ "name": "a" }] }),
        [&patch(
            PatchType::Strategic,
            json!({ "volumes": [{ "name": "b" }] }),
        )],
        MergeKeys::None,
    );
    assert_eq!(patched.unwrap(), json!({ "volumes": [{ "name": "b" }] }));
}

#[test]
fn a_patch_that_does_not_fit_names_its_file() {
    let value = json!({ "volumes": [{ "name": "a" }], "spec": {} });
    for (patch_type, document, expected) in [
        (
            PatchType::Json,
            json!({ "spec": {} }),
            "kube-apiserver0.yaml is not a JSON patch",
        ),
        (
            PatchType::Json,
            json!([{ "op": "remove", "path": "/none" }]),
            "kube-apiserver0.yaml does not fit",
        ),
        (
            PatchType::Strategic,
            json!(["a"]),
            "kube-apiserver0.yaml does not fit at the top: a strategic merge patch is a mapping",
        ),
        (
            PatchType::Strategic,
            json!({ "volumes": [{ "path": "x" }] }),
            "kube-apiserver0.yaml does not fit at volumes: an item has no `name`",
        ),
        (
            PatchType::Strategic,
            json!({ "spec": { "$patch": "remove" } }),
            "kube-apiserver0.yaml does not fit at spec: \
             `$patch` is `replace`, `delete` or `merge`",
        ),
    ] {
        let error = apply(
            value.clone(),
            [&patch(patch_type, document)],
            MergeKeys::Workload,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.file(), "kube-apiserver0.yaml");
    }
}
