//! `rinit certs check-expiration` on folders that something happened to.

use crate::support::Node;

#[test]
fn an_expired_certificate_ends_with_its_exit_code_and_a_metric() {
    let node = Node::new();
    node.age("etcd/server", "etcd/ca", 400);
    let check =
        |arguments: &[&str]| node.rinit(&[&["certs", "check-expiration"], arguments].concat());
    assert_eq!(check(&[]).code, Some(0));
    assert_eq!(check(&["--warn-within", "0"]).code, Some(6));
    assert_eq!(check(&["--warn-within", "1w"]).code, Some(2));
    let metrics = check(&["-o", "prometheus"]).stdout;
    let end = node
        .certificate("etcd/server")
        .validity
        .not_after
        .as_second();
    let line = format!(
        "rinit_certificate_expiration_timestamp_seconds{{name=\"etcd-server\",ca=\"etcd-ca\",\
         path=\"/etc/kubernetes/pki/etcd/server.crt\",kind=\"leaf\"}} {end}\n"
    );
    assert!(metrics.contains(&line), "{metrics}");
    node.renew(&["etcd-server"]);
    assert_eq!(check(&["--warn-within", "30d"]).code, Some(0));
    assert_eq!(check(&["--warn-within", "400d"]).code, Some(6));
}

#[test]
fn a_bundle_is_kept_and_it_is_said_which_authority_signed() {
    let node = Node::new();
    let other = Node::new();
    // The other authority stands first, and the key is that of the second.
    let bundle = [other.pki("ca.crt"), node.pki("ca.crt")].concat();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), &bundle).unwrap();
    node.renew(&["apiserver"]);
    assert_eq!(node.pki("ca.crt"), bundle);
    let table = node.rinit(&["certs", "check-expiration"]).stdout;
    let line = table
        .lines()
        .find(|line| line.starts_with("apiserver ") && line.contains(" of "))
        .unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains("2 of 2"), "{line}");
}
