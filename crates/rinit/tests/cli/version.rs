//! `rinit version`

use serde_json::Value;

use crate::support::{CONFIG, HOST_PHASES, Place};

#[test]
fn the_version_is_told_in_four_formats() {
    let place = Place::new();
    let version = env!("CARGO_PKG_VERSION");
    let text = place.run("version").succeeded();
    assert!(
        text.stdout
            .starts_with(&format!("rinit {version}, for Kubernetes 1.32 to 1."))
    );
    assert_eq!(text.stdout.lines().count(), 1);
    let short = place.run("version -o short").succeeded();
    assert_eq!(short.stdout, format!("{version}\n"));
    let json: Value =
        serde_json::from_str(&place.run("version -o json").succeeded().stdout).unwrap();
    assert_eq!(json["version"], version);
    let yaml: Value =
        serde_yaml::from_str(&place.run("version -o yaml").succeeded().stdout).unwrap();
    assert_eq!(yaml, json);
    assert!(
        text.stdout
            .contains(json["kubernetes"]["default"].as_str().unwrap())
    );
    assert_eq!(json["kubernetes"]["minors"][0], "1.32");
    let flag = place.run("--version").succeeded();
    assert_eq!(flag.stdout, format!("rinit {version}\n"));
}

#[test]
fn as_kubeadm_the_version_is_that_of_kubernetes_in_kubeadms_forms() {
    let place = Place::new();
    let newest = "v1.37.1";
    let text = place.kubeadm("version").succeeded().stdout;
    assert!(text.starts_with("kubeadm version: &version.Info{Major:\"1\", Minor:\"37\", "));
    assert!(text.contains(&format!("GitVersion:\"{newest}\"")));
    assert!(text.ends_with("\"}\n") && text.lines().count() == 1);
    for short in ["version -o short", "version --output=short"] {
        assert_eq!(
            place.kubeadm(short).succeeded().stdout,
            format!("{newest}\n")
        );
    }
    let json: Value =
        serde_json::from_str(&place.kubeadm("version -o json").succeeded().stdout).unwrap();
    let fields = json["clientVersion"].as_object().unwrap();
    assert_eq!(fields["gitVersion"], newest);
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "buildDate",
            "compiler",
            "gitCommit",
            "gitTreeState",
            "gitVersion",
            "goVersion",
            "major",
            "minor",
            "platform",
        ]
    );
    assert!(fields.values().all(|value| value != ""));
    let yaml = place.kubeadm("version -o yaml").succeeded();
    assert_eq!(serde_yaml::from_str::<Value>(&yaml.stdout).unwrap(), json);
    assert_eq!(yaml.stderr, "");
    assert_eq!(place.kubeadm("version -o valid").code, Some(2));
}

#[test]
fn a_node_has_the_version_of_its_control_plane() {
    let place = Place::new();
    place.write("older.yaml", CONFIG.replace("v1.37.1", "v1.36.2"));
    place
        .run(&format!(
            "init --root node --config older.yaml --skip-phases {HOST_PHASES}"
        ))
        .succeeded();
    let version = |words: &str| place.kubeadm(words).succeeded().stdout;
    assert_eq!(version("--root node version -o short"), "v1.36.2\n");
    assert!(
        place
            .run("version --root node")
            .stdout
            .ends_with("here v1.36.2\n")
    );
}

#[test]
fn a_pipe_that_is_closed_is_no_fault() {
    use std::process::Stdio;
    let place = Place::new();
    for words in ["version -o yaml", "--help", "init --help"] {
        let mut child = place
            .command(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{words}: {stderr}");
        assert_eq!(stderr, "", "{words}");
    }
}
