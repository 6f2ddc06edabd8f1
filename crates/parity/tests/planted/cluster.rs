//! Differences in the cluster: objects of each kind, as the API server gives them.

use rinit_parity::{Disk, Init, Snapshot};
use serde_json::{Value, json};

use crate::titles;

/// An object as a server gives it, written by `manager`.
fn object(kind: &str, name: &str, manager: &str, body: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "uid": format!("uid of {name}"),
            "resourceVersion": "17",
            "creationTimestamp": "2026-11-22T01:00:00Z",
            "managedFields": [{"manager": manager}],
        },
    });
    for (key, value) in body.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn objects() -> Vec<Value> {
    let rules =
        json!({"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]});
    let mut node = object("Node", "cp", "kubelet", &json!({"status": {"phase": "x"}}));
    node["metadata"]["labels"] = json!({"node-role.kubernetes.io/control-plane": ""});
    node["metadata"]["annotations"] = json!({"a": "b"});
    node["metadata"]["managedFields"] = json!([{"manager": "kubelet"}, {"manager": "kubeadm"}]);
    node["spec"] = json!({"taints": [{"key": "control-plane", "effect": "NoSchedule"}]});
    let mut account = object("ServiceAccount", "coredns", "", &json!({}));
    account["metadata"]["managedFields"] = Value::Null;
    vec![
        object("Role", "kubeadm:kubelet-config", "kubeadm", &rules),
        object(
            "ClusterRoleBinding",
            "kubeadm:get-nodes",
            "kubeadm",
            &json!({
                "roleRef": {"kind": "ClusterRole", "name": "kubeadm:get-nodes"},
                "subjects": [{"kind": "Group", "name": "system:nodes"}],
            }),
        ),
        object(
            "ConfigMap",
            "kubeadm-config",
            "kubeadm",
            &json!({
                "data": {
                    "ClusterConfiguration": "clusterName: kubernetes\nkind: ClusterConfiguration\n",
                    "jws-kubeconfig-abcdef": "signature",
                },
            }),
        ),
        object(
            "Secret",
            "bootstrap-token-abcdef",
            "kubeadm",
            &json!({
                "type": "bootstrap.kubernetes.io/token",
                "data": {
                    // 2026-11-23T01:00:00Z, abcdef, 0123456789abcdef, true
                    "expiration": "MjAyNi0xMS0yM1QwMTowMDowMFo=",
                    "token-id": "YWJjZGVm",
                    "token-secret": "MDEyMzQ1Njc4OWFiY2RlZg==",
                    "usage-bootstrap-signing": "dHJ1ZQ==",
                },
            }),
        ),
        object(
            "Service",
            "kube-dns",
            "kubeadm",
            &json!({"spec": {"clusterIP": "10.96.0.10"}}),
        ),
        object(
            "Deployment",
            "coredns",
            "kubeadm",
            &json!({"spec": {"replicas": 2}}),
        ),
        object(
            "DaemonSet",
            "kube-proxy",
            "kubeadm",
            &json!({
                "spec": {"template": {"spec": {"hostNetwork": true}}},
            }),
        ),
        node,
        account,
        // A component's own, which is none of the comparison's business.
        object(
            "Lease",
            "leader",
            "kube-controller-manager",
            &json!({"spec": {"holder": "x"}}),
        ),
    ]
}

fn take(objects: &[Value]) -> Snapshot {
    let started = jiff::Timestamp::UNIX_EPOCH;
    Snapshot::take(&Disk::default(), objects, Init { started }).unwrap()
}

/// The titles after one change.
fn after(change: impl FnOnce(&mut Vec<Value>)) -> Vec<String> {
    let mut changed = objects();
    change(&mut changed);
    titles(&take(&objects()), &take(&changed))
}

/// The titles after a value of the object `name` is another.
fn with(name: &str, pointer: &str, value: Value) -> Vec<String> {
    after(|objects| {
        let object = objects
            .iter_mut()
            .find(|object| object["metadata"]["name"] == name);
        *object.unwrap().pointer_mut(pointer).unwrap() = value;
    })
}

#[test]
fn a_removed_and_a_further_object_are_seen() {
    let found = after(|objects| {
        objects.remove(0);
    });
    assert_eq!(found, ["object Role kube-system/kubeadm:kubelet-config"]);
    let found = after(|objects| objects.push(object("Role", "more", "rinit", &json!({}))));
    assert_eq!(found, ["object Role kube-system/more"]);
    let found = after(|objects| {
        objects.retain(|object| object["kind"] != "ServiceAccount");
    });
    assert_eq!(found, ["object ServiceAccount kube-system/coredns"]);
    let found = after(|objects| {
        objects.push(object("Lease", "more", "kube-scheduler", &json!({})));
    });
    assert_eq!(found, [] as [&str; 0]);
}

#[test]
fn another_value_in_an_object_of_each_kind_is_seen() {
    for (name, pointer, value, title) in [
        (
            "kubeadm:kubelet-config",
            "/rules/0/verbs/0",
            json!("list"),
            "object Role kube-system/kubeadm:kubelet-config: rules[0].verbs[get]",
        ),
        (
            "kubeadm:get-nodes",
            "/subjects/0/name",
            json!("system:masters"),
            "object ClusterRoleBinding kube-system/kubeadm:get-nodes: subjects[system:masters]",
        ),
        (
            "kubeadm-config",
            "/data/ClusterConfiguration",
            json!("clusterName: other\nkind: ClusterConfiguration\n"),
            "object ConfigMap kube-system/kubeadm-config: data.ClusterConfiguration.clusterName",
        ),
        (
            "kubeadm-config",
            "/data/ClusterConfiguration",
            json!("kind: ClusterConfiguration\nclusterName: kubernetes\n"),
            "text ConfigMap kube-system/kubeadm-config: data.ClusterConfiguration",
        ),
        (
            "bootstrap-token-abcdef",
            "/data/expiration",
            json!("MjAyNi0xMS0yM1QwMzowMDowMFo="),
            "object Secret kube-system/bootstrap-token-ID: data.expiration",
        ),
        (
            "bootstrap-token-abcdef",
            "/data/token-secret",
            json!("YWJjZGVm"),
            "object Secret kube-system/bootstrap-token-ID: data.token-secret",
        ),
        (
            "kube-dns",
            "/spec/clusterIP",
            json!("10.96.0.11"),
            "object Service kube-system/kube-dns: spec.clusterIP",
        ),
        (
            "coredns",
            "/spec/replicas",
            json!(1),
            "object Deployment kube-system/coredns: spec.replicas",
        ),
        (
            "kube-proxy",
            "/spec/template/spec/hostNetwork",
            json!(false),
            "object DaemonSet kube-system/kube-proxy: spec.template.spec.hostNetwork",
        ),
        (
            "cp",
            "/metadata/labels",
            json!({"node-role.kubernetes.io/control-plane": "x"}),
            "object Node kube-system/cp: metadata.labels[node-role.kubernetes.io/control-plane]",
        ),
        (
            "cp",
            "/metadata/annotations/a",
            json!("c"),
            "object Node kube-system/cp: metadata.annotations.a",
        ),
        (
            "cp",
            "/spec/taints/0/effect",
            json!("NoExecute"),
            "object Node kube-system/cp: spec.taints[control-plane].effect",
        ),
    ] {
        let found = with(name, pointer, value);
        assert!(
            found.contains(&title.to_owned()),
            "{name} {pointer}: {found:?}"
        );
    }
}

#[test]
fn what_a_server_or_a_clock_fills_in_is_no_difference() {
    for (name, pointer, value) in [
        ("coredns", "/metadata/uid", json!("another")),
        ("coredns", "/metadata/resourceVersion", json!("18")),
        (
            "cp",
            "/spec/taints",
            json!([
                {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
                {"key": "control-plane", "effect": "NoSchedule"},
            ]),
        ),
        ("cp", "/status", json!({"phase": "y"})),
        (
            "kubeadm-config",
            "/data/jws-kubeconfig-abcdef",
            json!("another"),
        ),
        // 654321, and another secret of the same length.
        (
            "bootstrap-token-abcdef",
            "/data/token-id",
            json!("NjU0MzIx"),
        ),
        (
            "bootstrap-token-abcdef",
            "/data/token-secret",
            json!("ZmVkY2JhOTg3NjU0MzIxMA=="),
        ),
        (
            "bootstrap-token-abcdef",
            "/metadata/name",
            json!("bootstrap-token-654321"),
        ),
    ] {
        assert_eq!(
            with(name, pointer, value),
            [] as [&str; 0],
            "{name} {pointer}"
        );
    }
}

#[test]
fn objects_are_read_as_they_were_written_and_hold_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut objects = objects();
    let token = objects.iter().find(|object| object["kind"] == "Secret");
    let mut further = token.unwrap().clone();
    further["metadata"]["name"] = json!("bootstrap-token-654321");
    further["data"]["description"] = json!("eA==");
    objects.push(further);
    let snapshot = take(&objects);
    let secrets = snapshot.objects.keys().filter(|id| id.kind == "Secret");
    assert_eq!(secrets.count(), 2);
    snapshot.write(folder.path()).unwrap();
    assert_eq!(Snapshot::read(folder.path()).unwrap(), snapshot);
    let secrets = format!("{:?}", snapshot.objects);
    assert!(
        !secrets.contains("0123456789abcdef") && !secrets.contains("abcdef"),
        "{secrets}"
    );
}
