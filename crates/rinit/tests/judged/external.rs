//! Authorities whose keys are elsewhere: what they must sign is told at once and before any write,
//! and the commands of the hint lead to a whole node.

use std::path::PathBuf;

use crate::support::{AUTHORITIES, CONFIG, KUBECONFIGS, LEAVES, Node, read, remove};

const KEY: &str = "ecparam -name prime256v1 -genkey -noout";

/// An authority whose certificate is on the node; its key stays where it is.
fn elsewhere(node: &Node, name: &str) {
    std::fs::create_dir_all(node.path("elsewhere/etcd")).unwrap();
    let file = format!("elsewhere/{name}");
    node.authority(
        &file,
        KEY,
        &format!("/O=Acme/OU=a/OU=b/CN={}", name.replace('/', "-")),
    );
    node.put(&format!("{file}.crt"), &format!("{name}.crt"));
}

/// What such authorities must sign, as the names of commands, with the requests and certificates.
fn signed_by(authorities: &[&str]) -> Vec<(String, &'static str, PathBuf, String)> {
    let mut wanted = Vec::new();
    for (file, authority) in LEAVES {
        if authorities.contains(&authority) {
            let name = file.replace('/', "-");
            let request = PathBuf::from(format!("etc/kubernetes/pki/{file}.csr"));
            wanted.push((name, authority, request, format!("{file}.crt")));
        }
    }
    for name in KUBECONFIGS {
        if authorities.contains(&"ca") {
            let request = PathBuf::from(format!("etc/kubernetes/{name}.csr"));
            wanted.push((name.to_owned(), "ca", request, format!("{name}.crt")));
        }
    }
    wanted
}

/// Whoever signs takes the names and the key from the request.
fn sign(node: &Node, authority: &str, request: &str, certificate: &str) {
    let usage = if certificate.ends_with("apiserver.crt") {
        "serverAuth"
    } else if certificate.ends_with("server.crt") || certificate.ends_with("peer.crt") {
        "serverAuth,clientAuth"
    } else {
        "clientAuth"
    };
    std::fs::write(
        node.path("extensions"),
        format!(
            "extendedKeyUsage={usage}\nkeyUsage=critical,digitalSignature\n\
             subjectKeyIdentifier=none\nauthorityKeyIdentifier=keyid\n"
        ),
    )
    .unwrap();
    std::fs::create_dir_all(node.path("signed/etcd")).unwrap();
    node.openssl(&format!(
        "x509 -req -days 30 -copy_extensions copyall -in root/{request} \
         -CA elsewhere/{authority}.crt -CAkey elsewhere/{authority}.key -extfile extensions \
         -out signed/{certificate}"
    ));
}

#[test]
fn what_authorities_elsewhere_must_sign_is_told_at_once() {
    for external in [
        &AUTHORITIES[..1],
        &AUTHORITIES[1..2],
        &AUTHORITIES[2..],
        &AUTHORITIES,
    ] {
        let node = Node::new();
        for name in external {
            elsewhere(&node, name);
        }
        let wanted = signed_by(external);
        let before = node.files();
        let refused = node.init();
        assert_eq!(refused.code, Some(4), "{external:?}: {}", refused.shown());
        assert_eq!(node.files(), before, "{external:?}: written");
        assert_eq!(
            refused.messages("problem").len(),
            wanted.len(),
            "{external:?}: {}",
            refused.shown()
        );
        assert_eq!(refused.hints("problem"), Vec::<String>::new());
        let names: Vec<&str> = wanted.iter().map(|(name, ..)| name.as_str()).collect();
        let commands = refused.remedy();
        assert_eq!(
            commands,
            [
                format!(
                    "rinit certs generate-csr {} --config c.yaml --root root",
                    names.join(" ")
                ),
                "rinit certs install-signed DIR --config c.yaml --root root".to_owned()
            ]
        );

        node.shell(&commands[0]).succeeded();
        // As long as nothing is signed, the same is asked for.
        assert_eq!(node.init().remedy(), commands);
        for (_, authority, request, certificate) in &wanted {
            sign(
                &node,
                authority,
                &request.display().to_string(),
                certificate,
            );
        }
        node.shell(&commands[1].replace("DIR", "signed"))
            .succeeded();
        node.init().accepted();
        node.check_signatures("");
        for name in external {
            assert!(!node.pki(&format!("{name}.key")).exists(), "{name}");
        }
        assert_eq!(node.init().accepted().outcome(), "unchanged");
        // Without the key of the cluster's authority, kubeadm looks for kubeconfigs on the host itself.
        if !external.contains(&"ca")
            && let Some(said) = node.kubeadm("certs all")
        {
            let said = said.succeeded().stdout;
            assert_eq!(said.matches("Using existing").count(), 10, "{said}");
        }
    }
}

/// A node whose authorities have gone elsewhere after they had signed everything.
fn left_alone() -> Node {
    let node = Node::whole();
    std::fs::create_dir_all(node.path("elsewhere/etcd")).unwrap();
    for name in AUTHORITIES {
        let from = node.pki(&format!("{name}.key"));
        std::fs::rename(from, node.path(&format!("elsewhere/{name}.key"))).unwrap();
        let certificate = read(&node.pki(&format!("{name}.crt")));
        std::fs::write(node.path(&format!("elsewhere/{name}.crt")), certificate).unwrap();
    }
    // The controller manager has nothing to sign with any more.
    node.init().accepted();
    node
}

#[test]
fn what_no_longer_fits_is_asked_for_with_the_keys_that_are_there() {
    let node = left_alone();
    node.configure(&CONFIG.replace("api.example.com", "new.example.com"));
    let key = read(&node.pki("apiserver.key"));
    // A key is missing as well.
    remove(&node.pki("etcd/peer.key"));
    let before = node.files();
    let refused = node.init();
    assert_eq!(refused.code, Some(4), "{}", refused.shown());
    assert_eq!(refused.messages("problem").len(), 2, "{}", refused.shown());
    assert_eq!(node.files(), before);
    let commands = refused.remedy();
    assert!(commands[0].starts_with("rinit certs generate-csr apiserver etcd-peer --"));
    node.shell(&commands[0]).succeeded();
    assert_eq!(read(&node.pki("apiserver.key")), key);
    let pki = "etc/kubernetes/pki";
    sign(
        &node,
        "ca",
        &format!("{pki}/apiserver.csr"),
        "apiserver.crt",
    );
    sign(
        &node,
        "etcd/ca",
        &format!("{pki}/etcd/peer.csr"),
        "etcd/peer.crt",
    );
    node.shell(&commands[1].replace("DIR", "signed"))
        .succeeded();
    node.init().accepted();
    node.check_signatures("");
    assert_eq!(read(&node.pki("apiserver.key")), key);
    assert!(
        node.certificate("apiserver")
            .dns_names()
            .any(|name| name == "new.example.com")
    );
}

/// A key that is broken is not replaced either: the way that is told makes room for a new one.
#[test]
fn a_broken_key_is_moved_away_first() {
    let node = left_alone();
    std::fs::write(node.pki("front-proxy-client.key"), "hello").unwrap();
    let commands = node.init().remedy();
    let refused = node.shell(&commands[0]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("Move it away to have a new key generated."),
        "{}",
        refused.stderr
    );
    remove(&node.pki("front-proxy-client.key"));
    node.shell(&commands[0]).succeeded();
    let request = "etc/kubernetes/pki/front-proxy-client.csr";
    sign(&node, "front-proxy-ca", request, "front-proxy-client.crt");
    node.shell(&commands[1].replace("DIR", "signed"))
        .succeeded();
    node.init().accepted();
}
