//! Authorities that were given another certificate for their key: what signs, and what is told.

use jiff::{SignedDuration, Timestamp};
use rinit_pki::PrivateKey;
use rinit_plan::{CaId, CertificateAuthoritySpec, KeyAlgorithm, LogicalPath, Validity};

use crate::support::Node;

const FILE: &str = "/etc/kubernetes/pki/ca.crt";

/// A certificate for the key of the cluster's authority that is valid between these days from now.
fn of_days(node: &Node, first: i32, last: i32) -> String {
    let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
    let spec = CertificateAuthoritySpec {
        id: CaId::Cluster,
        common_name: "kubernetes".to_owned(),
        certificate: LogicalPath::parse(FILE).unwrap(),
        key: LogicalPath::parse("/etc/kubernetes/pki/ca.key").unwrap(),
        algorithm: KeyAlgorithm::EcdsaP256,
        validity: Validity {
            not_before: now + day * first,
            not_after: now + day * last,
        },
    };
    let key = PrivateKey::load(&node.pki("ca.key")).unwrap();
    rinit_pki::issue_authority(&spec, &key).unwrap().into()
}

#[test]
fn an_authority_that_is_not_valid_yet_is_told_and_replaces_nothing() {
    let node = Node::new();
    let config = node.config();
    std::fs::write(node.path(FILE), of_days(&node, 5, 100)).unwrap();
    let before = node.files();
    let output = node.rinit(&["certs", "renew", "apiserver"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    for part in ["is not valid before", "the clock of this host"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert_eq!(node.files(), before);

    // As with kubeadm, init goes on, and says so.
    for end in ["crt", "key"] {
        let file = format!("/etc/kubernetes/pki/apiserver.{end}");
        std::fs::remove_file(node.path(&file)).unwrap();
    }
    let output = node.rinit(&["init", "phase", "certs", "apiserver", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told = output.stderr.matches("is not valid before").count();
    assert_eq!(told, 1, "{}", output.stderr);
}

/// As after somebody has put the new one where the old one is still needed.
#[test]
fn an_expired_certificate_of_the_same_key_is_in_nobodys_way() {
    let node = Node::new();
    let expired = of_days(&node, -900, -100);
    let current = String::from_utf8(node.pki("ca.crt")).unwrap();
    std::fs::write(node.path(FILE), expired + &current).unwrap();
    let output = node.renew(&["apiserver"]);
    assert!(!output.stderr.contains("expire"), "{}", output.stderr);
    assert!(
        output.stderr.contains("CN=kubernetes, certificate 2 of 2"),
        "{}",
        output.stderr
    );
}

#[test]
fn prune_removes_expired_and_former_cas_and_keys() {
    let (node, other) = (Node::new(), Node::new());
    let own = of_days(&node, 0, 3650);
    let (expired, former) = (of_days(&node, -900, -100), of_days(&other, -500, 500));
    // One that is about to take over, and one that cannot sign.
    let (coming, leaf) = (of_days(&other, 1, 800), node.pki("apiserver.crt"));
    let leaf = String::from_utf8(leaf).unwrap();
    let key = String::from_utf8(node.pki("ca.key")).unwrap();
    let whole = [&former, &own, &expired, &leaf, &coming, &key];
    let whole: String = whole.map(String::as_str).concat();
    std::fs::write(node.path(FILE), &whole).unwrap();
    node.put("admin.conf", "certificate-authority-data", whole.as_bytes());
    let before = node.files();
    let dry = node.rinit(&["certs", "ca", "prune", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert_eq!(node.files(), before);

    let output = node.prune();
    let expected = own + &coming;
    assert_eq!(node.pki("ca.crt"), expected.as_bytes(), "{}", output.stderr);
    assert_eq!(node.trusted("admin.conf"), expected.as_bytes());
    assert!(!output.stderr.contains("PRIVATE"), "{}", output.stderr);
    let again = node.prune();
    assert!(
        again.stderr.contains("nothing to prune"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_former_ca_stays_as_long_as_something_here_is_signed_by_it() {
    let (node, other) = (Node::new(), Node::new());
    let own = of_days(&node, 0, 3650);
    let former = String::from_utf8(other.pki("ca.crt")).unwrap();
    std::fs::write(node.path(FILE), format!("{former}{own}")).unwrap();
    for end in ["crt", "key"] {
        let file = format!("apiserver.{end}");
        let path = node.path("/etc/kubernetes/pki").join(&file);
        std::fs::write(path, other.pki(&file)).unwrap();
    }
    node.prune();
    assert_eq!(node.pki("ca.crt"), format!("{former}{own}").as_bytes());
    node.renew(&["apiserver"]);
    node.prune();
    assert_eq!(node.pki("ca.crt"), own.as_bytes());
    assert_eq!(node.trusted("admin.conf"), own.as_bytes());
}

/// Whoever has the key says which of them is the current one.
#[test]
fn without_the_key_of_a_ca_nothing_that_is_valid_is_pruned_or_renewed() {
    let (node, other) = (Node::new(), Node::new());
    let own = String::from_utf8(node.pki("ca.crt")).unwrap();
    let (expired, former) = (of_days(&node, -900, -100), of_days(&other, -500, 500));
    std::fs::write(node.path(FILE), format!("{expired}{former}{own}")).unwrap();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/ca.key")).unwrap();
    node.prune();
    assert_eq!(node.pki("ca.crt"), format!("{former}{own}").as_bytes());
    let output = node.rinit(&["certs", "ca", "renew", "ca"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(
        output.stderr.contains("is not on this host"),
        "{}",
        output.stderr
    );
}
