//! Configuration cases on one fixed host, resolved, against kept snapshots; and the ways in which
//! resolving refuses.

use rinit_facts::{Overrides, resolve};
use rinit_testkit::{documents, facts, facts_with, host_facts};

#[test]
fn minimal() {
    insta::assert_yaml_snapshot!(facts("minimal"));
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides {
        apiserver_advertise_address: Some("fd00::5".to_owned()),
        apiserver_bind_port: Some(7443),
        control_plane_endpoint: Some("api.example.com:8443".to_owned()),
        kubernetes_version: Some("stable-1.36".to_owned()),
        node_name: Some("Alpha".to_owned()),
        service_cidr: Some("fd00:10::/112".to_owned()),
        apiserver_cert_extra_sans: vec!["10.0.0.9".to_owned(), "Alias.example.com".to_owned()],
        ..Overrides::default()
    };
    let facts = facts_with("minimal", &overrides, &host_facts());
    assert_eq!(facts.api.local_url(), "https://[fd00::5]:7443");
    assert_eq!(facts.api.url(), "https://api.example.com:8443");
    assert_eq!(facts.version.minor().0, 36);
    assert_eq!(facts.node.name, "alpha");
    assert_eq!(facts.network.api_service_ip.to_string(), "fd00:10::1");
    assert_eq!(facts.network.dns_service_ip.to_string(), "fd00:10::a");
    let names = &facts.certificates.api_server_dns_names;
    assert!(names.contains(&"alias.example.com".to_owned()), "{names:?}");
    let addresses: Vec<String> = facts
        .certificates
        .api_server_ip_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["fd00:10::1", "fd00::5", "10.0.0.9"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let overrides = Overrides {
        service_cidr: Some("10.96.0.0/33".to_owned()),
        kubernetes_version: Some("v1.20.2".to_owned()),
        feature_gates: vec![("NoSuchGate".to_owned(), true)],
        ignore_preflight_errors: vec!["all".to_owned(), "Swap".to_owned()],
        token_ttl: Some("a day".to_owned()),
        ..Overrides::default()
    };
    let error = resolve(&documents("minimal"), &overrides, &host_facts())
        .unwrap_err()
        .to_string();
    for part in [
        "10.96.0.0/33",
        "v1.20.2",
        "NoSuchGate",
        "`all`",
        "--token-ttl",
    ] {
        assert!(error.contains(part), "{part} is not in:\n{error}");
    }
}

#[test]
fn a_host_without_a_default_route_needs_an_address() {
    let mut host = host_facts();
    host.default_address = None;
    let none = rinit_config::Documents::none("no file");
    let error = resolve(&none, &Overrides::default(), &host)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--apiserver-advertise-address"), "{error}");
}

#[test]
fn without_a_version_the_one_on_the_host_counts() {
    let mut host = host_facts();
    host.existing.version = Some("v1.36.2".to_owned());
    let none = rinit_config::Documents::none("no file");
    let facts = resolve(&none, &Overrides::default(), &host).unwrap();
    assert_eq!(facts.version.to_string(), "v1.36.2");
}
