//! What a run makes, and what a second one then does: nothing, or just what is needed.

use rinit_workflow::{Mode, Outcome, RunOutcome};

use crate::support::{Node, PKI, ends};

#[tokio::test]
async fn a_run_makes_everything_with_its_mode_and_a_second_one_nothing() {
    let node = Node::whole().await;
    node.is_complete("after one run").await;
    let snapshot = node.snapshot();
    let mut listed: Vec<String> = snapshot
        .iter()
        .map(|(path, entry)| {
            let kind = if entry.bytes.is_some() { '-' } else { 'd' };
            format!("{kind}{:04o} {path}", entry.mode)
        })
        .collect();
    listed.sort_by(|left, right| left[6..].cmp(&right[6..]));
    insta::assert_snapshot!(listed.join("\n"));
    for (path, entry) in &snapshot {
        if ends(path, "key") || ends(path, "conf") {
            assert_eq!(entry.mode, 0o600, "{path}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_leaves_an_empty_node_empty() {
    let node = Node::new();
    let ran = node.run(Mode::DryRun).await;
    assert_eq!(ran.outcome(), RunOutcome::DryRun);
    assert!(ran.told().len() > 20);
    assert!(
        ran.told()
            .iter()
            .all(|(_, outcome, _)| *outcome == Outcome::WouldCreate)
    );
    assert!(node.snapshot().is_empty());
}

#[tokio::test]
async fn what_is_gone_is_made_again_and_the_rest_is_left() {
    let whole = Node::whole().await;
    for (gone, made) in [
        (
            vec!["etc/kubernetes/scheduler.conf"],
            "kubeconfig /etc/kubernetes/scheduler.conf",
        ),
        (
            vec!["etc/kubernetes/manifests/kube-apiserver.yaml"],
            "static pod /etc/kubernetes/manifests/kube-apiserver.yaml",
        ),
        (
            vec![
                "etc/kubernetes/pki/apiserver.crt",
                "etc/kubernetes/pki/apiserver.key",
            ],
            "certificate apiserver (/etc/kubernetes/pki/apiserver.crt)",
        ),
        (
            vec!["etc/kubernetes/pki/sa.pub"],
            "key pair /etc/kubernetes/pki/sa.key",
        ),
    ] {
        let node = Node::copy(&whole);
        for path in &gone {
            node.remove(path);
        }
        let before = node.snapshot();
        let ran = node.run(Mode::Apply).await;
        let told = ran.told();
        assert_eq!(told.len(), 1, "{gone:?}: {told:?}");
        assert_eq!(told[0].0, made);
        assert_eq!(told[0].1, Outcome::Created);
        let after = node.snapshot();
        for (path, entry) in before {
            let same = if entry.bytes.is_some() {
                after[&path] == entry
            } else {
                after.contains_key(&path)
            };
            assert!(same, "{gone:?}: {path} changed too");
        }
        node.is_complete(made).await;
    }
}

/// A key that lies alone, the user's own or of a run that was killed, is used and never replaced.
#[tokio::test]
async fn a_lone_key_is_used() {
    let whole = Node::whole().await;
    let node = Node::new();
    let keys: Vec<_> = whole
        .snapshot()
        .into_iter()
        .filter(|(path, _)| ends(path, "key"))
        .collect();
    assert_eq!(keys.len(), 11);
    for (path, entry) in &keys {
        node.put(path, entry);
    }
    node.complete("keys alone").await;
    let after = node.snapshot();
    for (path, entry) in &keys {
        assert_eq!(after[path].bytes, entry.bytes, "{path} was replaced");
    }
}

#[tokio::test]
async fn a_manifest_that_was_edited_is_shown_and_written_anew() {
    const MANIFEST: &str = "etc/kubernetes/manifests/kube-scheduler.yaml";
    let node = Node::whole().await;
    let ours = String::from_utf8(node.read(MANIFEST)).unwrap();
    let edited = ours.replace("--leader-elect=true", "--leader-elect=false");
    assert_ne!(edited, ours);
    node.write(MANIFEST, &edited);
    let before = node.snapshot();

    let ran = node.run(Mode::DryRun).await;
    let told = ran.told();
    let [(action, Outcome::WouldChange, Some(diff))] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(*action, format!("static pod /{MANIFEST}"));
    assert!(
        diff.contains("\n-    - --leader-elect=false\n+    - --leader-elect=true\n"),
        "{diff}"
    );
    assert!(
        diff.lines().count() < 12,
        "only what differs is shown: {diff}"
    );
    assert!(node.snapshot() == before, "a dry run wrote");

    let ran = node.run(Mode::Apply).await;
    let told = ran.told();
    assert!(
        matches!(told.as_slice(), [(_, Outcome::Changed, Some(shown))] if shown == diff),
        "{told:?}"
    );
    assert_eq!(node.read(MANIFEST), ours.into_bytes());
    node.is_complete("after the edit").await;
}

#[tokio::test]
async fn a_mode_that_was_changed_is_shown_and_put_right() {
    use std::os::unix::fs::PermissionsExt as _;
    const MANIFEST: &str = "etc/kubernetes/manifests/etcd.yaml";
    let node = Node::whole().await;
    let opened = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(node.at(MANIFEST), opened).unwrap();
    let ran = node.run(Mode::DryRun).await;
    assert_eq!(
        ran.told(),
        [(
            format!("static pod /{MANIFEST}"),
            Outcome::WouldChange,
            Some("- mode 0644\n+ mode 0600".to_owned())
        )]
    );
    node.complete("after the mode").await;
    assert_eq!(node.snapshot()[MANIFEST].mode, 0o600);
}

/// Other quotes, another order, a remark: the same manifest all the same.
#[tokio::test]
async fn a_manifest_in_another_layout_is_left() {
    const MANIFEST: &str = "etc/kubernetes/manifests/kube-scheduler.yaml";
    let node = Node::whole().await;
    let ours = String::from_utf8(node.read(MANIFEST)).unwrap();
    let layout = ours.replace("kind: Pod", "# ours\nkind: \"Pod\"");
    assert_ne!(layout, ours);
    node.write(MANIFEST, layout);
    node.is_complete("another layout").await;
}

/// Links in the folder lead where they would lead on the node, and never out of it.
#[tokio::test]
async fn a_linked_folder_is_followed_within_the_node() {
    let node = Node::new();
    std::fs::create_dir_all(node.at("etc/kubernetes")).unwrap();
    std::os::unix::fs::symlink("/srv/pki", node.at(PKI)).unwrap();
    node.run(Mode::Apply).await.result.unwrap();
    assert!(node.at("srv/pki/ca.crt").exists());
    assert!(!std::path::Path::new("/srv/pki").exists());
}
