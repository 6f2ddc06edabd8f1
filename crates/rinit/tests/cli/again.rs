//! What is done again on files that are there: single phases with another configuration, renewals.

use crate::support::{CONFIG, Place};

/// Makes a node and returns the path of a configuration with another endpoint.
fn with_another_endpoint(place: &Place) -> &'static str {
    place.render("node").succeeded();
    let endpoint = "kind: ClusterConfiguration\ncontrolPlaneEndpoint: cp.example.org:6443";
    let changed = CONFIG.replace("kind: ClusterConfiguration", endpoint);
    place.write("changed.yaml", changed);
    "changed.yaml"
}

#[test]
fn a_kubeconfig_leads_to_the_new_server_and_keeps_its_user() {
    let place = Place::new();
    let config = with_another_endpoint(&place);
    let path = "node/etc/kubernetes/admin.conf";
    let before = place.read(path);
    let words = format!("init phase kubeconfig admin --root node --config {config}");
    let dry = place.run(&format!("{words} --dry-run")).succeeded();
    assert!(
        dry.stdout.contains("+ server: https://cp.example.org:6443"),
        "{}",
        dry.shown()
    );
    assert_eq!(place.read(path), before);
    let said = place.run(&words).succeeded();
    for line in [
        "- server: https://10.123.0.2:6443",
        "+ server: https://cp.example.org:6443",
    ] {
        assert!(said.stderr.contains(line), "{}", said.stderr);
    }
    let after = before.replace("https://10.123.0.2:6443", "https://cp.example.org:6443");
    assert_eq!(place.read(path), after);
    let again = place.run(&words).succeeded();
    assert!(
        again.stderr.contains("nothing was changed"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_manifest_is_written_again_with_its_diff() {
    let place = Place::new();
    place.render("node").succeeded();
    let argument = "kind: ClusterConfiguration\nscheduler: {extraArgs: [{name: v, value: '4'}]}";
    place.write(
        "changed.yaml",
        CONFIG.replace("kind: ClusterConfiguration", argument),
    );
    let said = place
        .run("init phase control-plane scheduler --root node --config changed.yaml")
        .succeeded();
    assert!(said.stderr.contains("+    - --v=4"), "{}", said.stderr);
    let manifest = place.read("node/etc/kubernetes/manifests/kube-scheduler.yaml");
    assert!(manifest.contains("- --v=4\n"));
}

/// Scripts renew name after name, also those that somebody has removed.
#[test]
fn what_is_named_and_missing_is_no_fault_of_a_renewal() {
    let place = Place::new();
    place.render("node").succeeded();
    std::fs::remove_file(place.at("node/etc/kubernetes/super-admin.conf")).unwrap();
    let said = place
        .run("certs renew super-admin.conf --root node")
        .succeeded();
    assert_eq!(said.stdout, "MISSING! super-admin.conf\n");
    let before = place.read("node/etc/kubernetes/admin.conf");
    let both = place
        .run("certs renew super-admin.conf admin.conf --root node")
        .succeeded();
    assert_eq!(both.stdout, "MISSING! super-admin.conf\n");
    assert_ne!(place.read("node/etc/kubernetes/admin.conf"), before);
}
