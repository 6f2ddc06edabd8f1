//! `rinit certs renew` without a configuration: what cannot be kept of a certificate is told.

use std::process::Command;

use crate::support::{Node, has};

#[test]
fn what_a_renewed_certificate_does_not_keep_is_told() {
    if !has("openssl") {
        return;
    }
    let node = Node::new();
    let pki = node.path("/etc/kubernetes/pki");
    let extensions = "subjectAltName=DNS:kubernetes,DNS:cp,IP:192.0.2.10,email:x@example.com,\
                      URI:spiffe://a/b,RID:1.2.3\n\
                      extendedKeyUsage=serverAuth,emailProtection\n";
    std::fs::write(pki.join("e"), extensions).unwrap();
    let script = "openssl ecparam -name secp521r1 -genkey -noout -out apiserver.key &&
        openssl req -new -key apiserver.key -subj '/C=DE/OU=ops/CN=first/CN=kube-apiserver' -out r &&
        openssl x509 -req -in r -CA ca.crt -CAkey ca.key -CAcreateserial -days 300 -extfile e \
            -out apiserver.crt";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(&pki)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    let told = [
        "apiserver.crt has no longer C=DE, OU=ops, CN=first in its subject",
        "apiserver.crt has no longer the usage emailProtection",
        "apiserver.crt gets a key of ECDSA-P384 and no longer of ECDSA-P521",
        "apiserver: the names email:x@example.com, URI:spiffe://a/b, RID:1.2.3 are left out",
    ];
    let output = node.renew(&["apiserver", "--dry-run"]);
    for part in told {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    node.renew(&["apiserver"]);
    let new = node.certificate("apiserver");
    assert_eq!(new.subject.to_string(), "CN=kube-apiserver");
    // What is told once has been done.
    let output = node.renew(&["apiserver"]);
    for part in ["no longer", "left out", "gets"] {
        assert!(!output.stderr.contains(part), "{part}: {}", output.stderr);
    }
}
