//! Copied folders: what lies in them is never followed out of them.

use std::path::Path;
use std::process::Command;

use crate::support::{Node, is_root};

/// Copies the node's folder within its own root, with what a killed run has left behind.
fn copy_of(node: &Node, left: &[(&str, &str)]) {
    let status = Command::new("cp")
        .arg("-a")
        .args([node.path("/etc/kubernetes"), node.path("/copy")])
        .status()
        .unwrap();
    assert!(status.success());
    let folder = node.path("/copy/tmp/rinit-backup-2026-01-01T00-00-00Z.replacing");
    for (name, text) in left {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

const RENEW: [&str; 8] = [
    "certs",
    "renew",
    "apiserver",
    "admin.conf",
    "--cert-dir",
    "/copy/pki",
    "--kubeconfig-dir",
    "/copy",
];

#[test]
fn what_a_killed_run_left_in_a_copy_is_not_put_back_on_the_host() {
    let node = Node::new();
    copy_of(
        &node,
        &[
            ("etc/kubernetes/pki/apiserver.key", "another key"),
            ("etc/cron.d/x", "* * * * * root true"),
            ("new-files", "/etc/important\n"),
        ],
    );
    std::fs::write(node.path("/etc/important"), "kept").unwrap();
    let key = std::fs::read(node.path("/etc/kubernetes/pki/apiserver.key")).unwrap();
    let own = std::fs::read(node.path("/copy/pki/apiserver.key")).unwrap();

    for (words, renewed) in [
        (&[&RENEW[..], &["--dry-run"]].concat(), false),
        (&RENEW.to_vec(), true),
    ] {
        let output = node.rinit(words);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stderr.contains("is left alone"), "{}", output.stderr);
        let host = node.path("/etc/kubernetes/pki/apiserver.key");
        assert_eq!(std::fs::read(host).unwrap(), key);
        assert!(!node.path("/etc/cron.d").exists());
        assert!(node.path("/etc/important").exists());
        let copied = std::fs::read(node.path("/copy/pki/apiserver.key")).unwrap();
        assert_eq!(copied != own, renewed);
    }
}

#[test]
fn a_killed_run_on_a_copy_is_taken_up_there() {
    let node = Node::new();
    copy_of(&node, &[("copy/pki/apiserver.key", "the old key")]);
    let output = node.rinit(&RENEW);
    // It was put back, and does not belong to its certificate.
    assert!(
        output
            .stderr
            .contains("the 1 files of before are back in place"),
        "{}",
        output.stderr
    );
}

/// The paths in it are for that user to choose.
#[test]
fn what_another_user_left_is_never_taken_up() {
    if !is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let node = Node::new();
    copy_of(&node, &[("copy/pki/apiserver.key", "the old key")]);
    let folder = node.path("/copy/tmp/rinit-backup-2026-01-01T00-00-00Z.replacing");
    std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
    let output = node.rinit(&RENEW);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output
            .stderr
            .contains("is left alone: another user made it"),
        "{}",
        output.stderr
    );
    let key = std::fs::read_to_string(node.path("/copy/pki/apiserver.key")).unwrap();
    assert_ne!(key, "the old key");
}

/// Copied by root and given away without its group, as `chown alice` does.
#[test]
fn an_ordinary_user_renews_files_of_another_group() {
    if !is_root() || !crate::support::has("setpriv") {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let node = Node::new();
    copy_of(&node, &[]);
    let program = node.folder.path().join("rinit");
    std::fs::copy(rinit_testkit::program(), &program).unwrap();
    let status = Command::new("chown")
        .args(["-R", "65534"])
        .arg(node.folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    let output = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--",
        ])
        .arg(&program)
        .arg("--root")
        .arg(node.root())
        .args(RENEW)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let certificate = node.path("/copy/pki/apiserver.crt");
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    // Another group gets nothing that it did not have.
    assert_eq!(mode(&certificate), 0o604);
    assert_eq!(mode(&node.path("/copy/pki/apiserver.key")), 0o600);
}
