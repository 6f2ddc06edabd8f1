//! Authorities that sign elsewhere: their certificates are there, their keys are not.

use std::fmt::Write as _;

use rinit_workflow::{Mode, Outcome, RunOutcome};

use crate::support::{Node, PKI};

const AUTHORITIES: [&str; 3] = ["ca", "front-proxy-ca", "etcd/ca"];

fn without_keys(whole: &Node) -> Node {
    let node = Node::copy(whole);
    for name in AUTHORITIES {
        node.remove(&format!("{PKI}/{name}.key"));
    }
    node
}

/// Only the controller manager is told anew, since it has nothing to sign with.
#[tokio::test]
async fn what_an_external_authority_signed_holds() {
    const MANIFEST: &str = "etc/kubernetes/manifests/kube-controller-manager.yaml";
    let node = without_keys(&Node::whole().await);
    let before = node.snapshot();
    let ran = node.run(Mode::Apply).await;
    let told = ran.told();
    let [(action, Outcome::Changed, Some(diff))] = told.as_slice() else {
        panic!("{}{told:?}", ran.complaints());
    };
    assert_eq!(*action, format!("static pod /{MANIFEST}"));
    assert!(diff.contains("-    - --cluster-signing-key-file=/etc/kubernetes/pki/ca.key\n"));
    let after = node.snapshot();
    for (path, entry) in &before {
        let same = after[path] == *entry;
        assert!(
            same || path == MANIFEST || path == "etc/kubernetes/manifests",
            "{path}"
        );
    }
    assert!(!node.at(&format!("{PKI}/ca.key")).exists());

    let ran = node.run(Mode::Apply).await;
    assert_eq!(ran.outcome(), RunOutcome::Unchanged, "{}", ran.complaints());
    assert!(node.snapshot() == after);
}

/// What needs no authority is still written where nothing else is missing.
#[tokio::test]
async fn manifests_are_written_beside_an_external_authority() {
    let node = without_keys(&Node::whole().await);
    node.remove("etc/kubernetes/manifests/etcd.yaml");
    let ran = node.run(Mode::Apply).await;
    assert_eq!(ran.outcome(), RunOutcome::Completed, "{}", ran.complaints());
    assert!(!node.at(&format!("{PKI}/ca.key")).exists());
}

#[tokio::test]
async fn a_certificate_that_must_be_signed_elsewhere_is_asked_for_before_any_write() {
    let whole = Node::whole().await;
    let mut shown = String::new();
    for missing in [
        vec!["etc/kubernetes/pki/apiserver.crt"],
        vec![
            "etc/kubernetes/pki/apiserver.crt",
            "etc/kubernetes/pki/apiserver.key",
        ],
        vec!["etc/kubernetes/pki/front-proxy-client.crt"],
        vec![
            "etc/kubernetes/pki/etcd/peer.crt",
            "etc/kubernetes/admin.conf",
        ],
        vec!["etc/kubernetes/kubelet.conf"],
    ] {
        let node = without_keys(&whole);
        for path in &missing {
            node.remove(path);
        }
        // Something else that a run would write.
        node.remove("etc/kubernetes/manifests/etcd.yaml");
        let before = node.snapshot();
        for mode in [Mode::DryRun, Mode::Apply] {
            let ran = node.run(mode).await;
            assert_eq!(ran.outcome(), RunOutcome::Refused, "without {missing:?}");
            assert!(node.snapshot() == before, "without {missing:?}: written");
            if mode == Mode::Apply {
                let complaints = ran.complaints();
                assert!(!complaints.contains("no hint"), "{complaints}");
                writeln!(shown, "without {missing:?}\n{complaints}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(shown);
}
