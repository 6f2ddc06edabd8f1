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
