//! `rinit version`

use serde_json::Value;

use crate::support::Place;

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
