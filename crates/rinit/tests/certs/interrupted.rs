//! Ctrl-C while keys are made.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Node, is_root};

/// Interrupts the program once it listens. Its keys take it much longer than that.
fn interrupt(node: &Node, words: &[&str]) -> (Option<i32>, String) {
    let child = Command::new(rinit_testkit::program())
        .arg("--root")
        .arg(node.root())
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let began = Instant::now();
    let listens = || {
        let text = std::fs::read_to_string(&status).unwrap();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & (1 << (2 - 1)) != 0
    };
    while !listens() {
        assert!(began.elapsed() < Duration::from_mins(1), "it never listens");
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[test]
fn an_interrupt_while_keys_are_made_changes_nothing_and_ends_with_its_code() {
    let node = Node::new();
    let config = node.config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("ECDSA-P256", "RSA-4096")).unwrap();
    let before = node.files();
    for words in [
        &["certs", "renew", "all", "--config", &config][..],
        &[
            "certs",
            "generate-csr",
            "--config",
            &config,
            "--cert-dir",
            "/srv/k/pki",
            "--kubeconfig-dir",
            "/srv/k",
        ],
    ] {
        let (code, stderr) = interrupt(&node, words);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains("interrupted; nothing was changed"),
            "{stderr}"
        );
        assert_eq!(node.files(), before);
        for folder in ["/etc/kubernetes/tmp", "/srv"] {
            assert!(!node.path(folder).exists(), "{folder}");
        }
    }
}

/// As long as nothing is under way, an interrupt ends it as it ends any program.
#[test]
fn an_interrupt_while_the_configuration_is_awaited_ends_the_program() {
    let node = Node::new();
    let pipe = node.folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Somebody who holds it open and writes nothing.
    let _writer = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let mut child = Command::new(rinit_testkit::program())
        .arg("--root")
        .arg(node.root())
        .args(["certs", "renew", "apiserver", "--config"])
        .arg(&pipe)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Keys of a copy are no matter of the host's folders, nor is its lock.
#[test]
fn an_ordinary_user_renews_a_copy_in_a_folder_of_his_own() {
    if !is_root() || !crate::support::has("setpriv") {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let node = Node::new();
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("k");
    let run = |program: &str, words: &[&Path]| {
        let output = Command::new(program).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let program = place.path().join("rinit");
    std::fs::copy(rinit_testkit::program(), &program).unwrap();
    run("cp", &["-a".as_ref(), &node.path("/etc/kubernetes"), &copy]);
    run(
        "chown",
        &["-R".as_ref(), "65534:65534".as_ref(), place.path()],
    );
    let old = std::fs::read(copy.join("pki/apiserver.key")).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args(["--", "./rinit", "certs", "renew", "all", "-o", "json"])
        .arg("--cert-dir")
        .arg(copy.join("pki"))
        .arg("--kubeconfig-dir")
        .arg(&copy)
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let backup = Path::new(report["backup"].as_str().unwrap());
    assert_eq!(backup.parent().unwrap(), copy.join("tmp"));
    let key = copy.join("pki/apiserver.key");
    let kept = backup.join(key.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(kept).unwrap(), old);
    assert_ne!(std::fs::read(key).unwrap(), old);
}
