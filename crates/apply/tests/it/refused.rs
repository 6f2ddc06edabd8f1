//! What stands on the node and is not what it should be: told with a way out, and nothing is
//! written, not even what has nothing to do with it.

use std::fmt::Write as _;

use rinit_diag::ExitCode;
use rinit_workflow::{Mode, RunOutcome};

use crate::support::{Node, PKI};

/// A way to spoil a node. The second node is another whole one.
type Spoil = fn(&Node, &Node);

const CASES: &[(&str, Spoil)] = &[
    ("an authority that is no certificate", |node, _| {
        node.write(&format!("{PKI}/ca.crt"), "-----BEGIN CERTIFICATE-----\n");
    }),
    ("an authority that is empty", |node, _| {
        node.write(&format!("{PKI}/etcd/ca.crt"), "");
    }),
    ("a leaf that is no certificate", |node, _| {
        node.write(&format!("{PKI}/apiserver.crt"), "hello");
    }),
    ("a leaf in the place of an authority", |node, _| {
        let leaf = node.read(&format!("{PKI}/front-proxy-client.crt"));
        node.write(&format!("{PKI}/front-proxy-ca.crt"), leaf);
    }),
    ("a leaf of another cluster", |node, other| {
        for end in ["crt", "key"] {
            let path = format!("{PKI}/apiserver-kubelet-client.{end}");
            node.write(&path, other.read(&path));
        }
    }),
    ("a leaf in the place of another", |node, _| {
        for end in ["crt", "key"] {
            let bytes = node.read(&format!("{PKI}/etcd/peer.{end}"));
            node.write(&format!("{PKI}/etcd/healthcheck-client.{end}"), bytes);
        }
    }),
    ("the key of another leaf", |node, _| {
        let key = node.read(&format!("{PKI}/apiserver.key"));
        node.write(&format!("{PKI}/etcd/server.key"), key);
    }),
    ("a leaf without its key", |node, _| {
        node.remove(&format!("{PKI}/apiserver-etcd-client.key"));
    }),
    ("the key of another authority", |node, other| {
        let path = format!("{PKI}/ca.key");
        node.write(&path, other.read(&path));
    }),
    ("another authority", |node, other| {
        for end in ["crt", "key"] {
            let path = format!("{PKI}/ca.{end}");
            node.write(&path, other.read(&path));
        }
    }),
    ("leaves without their authority", |node, _| {
        for end in ["crt", "key"] {
            node.remove(&format!("{PKI}/front-proxy-ca.{end}"));
        }
    }),
    ("a lone key that is none", |node, _| {
        node.remove(&format!("{PKI}/apiserver.crt"));
        node.write(&format!("{PKI}/apiserver.key"), "none");
    }),
    ("a lone key of an authority that is none", |node, _| {
        for path in [
            "ca.crt",
            "apiserver.crt",
            "apiserver.key",
            "apiserver-kubelet-client.crt",
            "apiserver-kubelet-client.key",
        ] {
            node.remove(&format!("{PKI}/{path}"));
        }
        node.write(&format!("{PKI}/ca.key"), "none");
    }),
    ("a public key of another pair", |node, other| {
        let path = format!("{PKI}/sa.pub");
        node.write(&path, other.read(&path));
    }),
    ("a public key alone", |node, _| {
        node.remove(&format!("{PKI}/sa.key"));
    }),
    ("a folder in the place of a certificate", |node, _| {
        node.remove(&format!("{PKI}/apiserver.crt"));
        std::fs::create_dir(node.at(&format!("{PKI}/apiserver.crt"))).unwrap();
    }),
    ("a file in the place of a folder", |node, _| {
        std::fs::remove_dir(node.at("var/lib/etcd")).unwrap();
        node.write("var/lib/etcd", "");
    }),
    ("a kubeconfig that is no YAML", |node, _| {
        node.write("etc/kubernetes/admin.conf", "a: [");
    }),
    ("a kubeconfig with a key that is broken", |node, _| {
        let text = String::from_utf8(node.read("etc/kubernetes/admin.conf")).unwrap();
        let broken = text.replace("client-key-data: ", "client-key-data: [");
        assert_ne!(broken, text);
        node.write("etc/kubernetes/admin.conf", broken);
    }),
    ("a kubeconfig that is empty", |node, _| {
        node.write("etc/kubernetes/kubelet.conf", "");
    }),
    ("a kubeconfig that is no text", |node, _| {
        node.write("etc/kubernetes/scheduler.conf", [0xff, 0xfe, 0]);
    }),
    ("a kubeconfig of another cluster", |node, other| {
        let path = "etc/kubernetes/controller-manager.conf";
        node.write(path, other.read(path));
    }),
    ("the kubeconfig of somebody else", |node, _| {
        let other = node.read("etc/kubernetes/scheduler.conf");
        node.write("etc/kubernetes/admin.conf", other);
    }),
    ("a kubeconfig without a user", |node, _| {
        let text = String::from_utf8(node.read("etc/kubernetes/admin.conf")).unwrap();
        let (before, _) = text.split_once("client-certificate-data").unwrap();
        node.write(
            "etc/kubernetes/admin.conf",
            before.trim_end().trim_end_matches("user:"),
        );
    }),
    ("two faults at once", |node, _| {
        node.write(&format!("{PKI}/apiserver.crt"), "hello");
        node.write("etc/kubernetes/admin.conf", "a: [");
    }),
];

#[tokio::test]
async fn what_is_not_ours_is_refused_and_nothing_is_written() {
    let whole = Node::whole().await;
    let other = Node::whole().await;
    let mut shown = String::new();
    for (name, spoil) in CASES {
        let node = Node::copy(&whole);
        spoil(&node, &other);
        // Something else that a run would write.
        node.remove("etc/kubernetes/manifests/etcd.yaml");
        node.remove("etc/kubernetes/manifests/kube-scheduler.yaml");
        let before = node.snapshot();
        for mode in [Mode::DryRun, Mode::Apply] {
            let ran = node.run(mode).await;
            let complaints = node.without_root(&ran.complaints());
            assert_eq!(ran.outcome(), RunOutcome::Refused, "{name}: {complaints}");
            assert!(node.snapshot() == before, "{name}: written");
            assert_eq!(
                ran.result.unwrap_err().exit_code(),
                ExitCode::Blocked,
                "{name}"
            );
            for secret in ["PRIVATE KEY", "LS0tLS1"] {
                assert!(!complaints.contains(secret), "{name}: {complaints}");
            }
            assert!(!complaints.contains("no hint"), "{name}: {complaints}");
            if mode == Mode::Apply {
                writeln!(shown, "== {name}\n{complaints}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(shown);
}

/// Another configuration than the one the files were made for.
#[tokio::test]
async fn certificates_that_lack_a_name_are_refused() {
    const CHANGED: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 10.123.0.9
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
controlPlaneEndpoint: api.example.com:6443
";
    let node = Node::whole().await;
    let before = node.snapshot();
    let ran = node.run_of(CHANGED, Mode::Apply).await;
    let complaints = ran.complaints();
    assert_eq!(ran.outcome(), RunOutcome::Refused, "{complaints}");
    assert!(node.snapshot() == before);
    insta::assert_snapshot!(complaints);
}
