//! Authorities that somebody else has made: their keys, their names, and chains of them.

use crate::support::{AUTHORITIES, Node, read, remove, write};

/// Keys as OpenSSL makes them, and the first line of their files.
const KEYS: [(&str, &str); 7] = [
    ("genrsa -traditional", "-----BEGIN RSA PRIVATE KEY-----"),
    ("genrsa", "-----BEGIN PRIVATE KEY-----"),
    (
        "ecparam -name prime256v1 -genkey -noout",
        "-----BEGIN EC PRIVATE KEY-----",
    ),
    (
        "ecparam -name prime256v1 -genkey",
        "-----BEGIN EC PARAMETERS-----",
    ),
    (
        "ecparam -name secp384r1 -genkey",
        "-----BEGIN EC PARAMETERS-----",
    ),
    (
        "ecparam -name secp521r1 -genkey -noout",
        "-----BEGIN EC PRIVATE KEY-----",
    ),
    (
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        "-----BEGIN PRIVATE KEY-----",
    ),
];

/// Names with repeated attributes, in several orders, of several kinds of text.
const SUBJECTS: [&str; 3] = [
    "/DC=com/DC=acme/OU=ops/OU=kubernetes/CN=Cluster CA",
    "/CN=first/O=Acme Corp./O=second/C=DE",
    "/O=Ünïcode GmbH/OU=a+CN=b/emailAddress=ca@example.com",
];

#[test]
fn an_authority_with_any_key_and_name_signs() {
    for (turn, (key, first_line)) in KEYS.into_iter().enumerate() {
        let node = Node::new();
        for (index, name) in AUTHORITIES.into_iter().enumerate() {
            node.authority("own", key, SUBJECTS[(turn + index) % SUBJECTS.len()]);
            for end in ["crt", "key"] {
                node.put(&format!("own.{end}"), &format!("{name}.{end}"));
            }
            let text = String::from_utf8(read(&node.path("own.key"))).unwrap();
            assert_eq!(text.lines().next(), Some(first_line));
        }
        let before = node.files();
        node.init().accepted();
        node.check_signatures("");
        for (path, bytes) in before {
            assert_eq!(read(&path), bytes, "{}", path.display());
        }
        assert_eq!(node.init().accepted().outcome(), "unchanged");
        node.shell("rinit certs renew all --root root --config c.yaml")
            .succeeded();
        node.check_signatures("");
        // kubeadm goes on with what rinit has signed.
        if let Some(said) = node.kubeadm("certs all") {
            let said = said.succeeded().stdout;
            assert_eq!(said.matches("Using existing").count(), 10, "{said}");
        }
    }
}

/// A root, and an authority below it.
fn intermediate(node: &Node) {
    const KEY: &str = "ecparam -name prime256v1 -genkey -noout";
    node.authority("above", KEY, "/CN=Root");
    node.openssl(&format!("{KEY} -out below.key"));
    node.openssl("req -new -key below.key -subj '/DC=com/DC=acme/OU=a/OU=b/CN=Below' -out request");
    write(
        &node.path("extensions"),
        "basicConstraints=critical,CA:true,pathlen:0\n\
         keyUsage=critical,keyCertSign,cRLSign,digitalSignature\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    node.openssl(
        "x509 -req -in request -CA above.crt -CAkey above.key -days 3000 -extfile extensions \
         -out below.crt",
    );
    node.put("below.key", "ca.key");
}

fn chain(node: &Node, order: [&str; 2]) {
    let files = order.map(|name| read(&node.path(&format!("{name}.crt"))));
    write(&node.pki("ca.crt"), files.concat());
}

#[test]
fn an_intermediate_authority_with_its_chain_signs() {
    let node = Node::new();
    intermediate(&node);
    chain(&node, ["below", "above"]);
    let run = node.init().accepted();
    node.check_signatures("");
    assert_eq!(
        run.action("certs/apiserver").1,
        "signed by DC=com, DC=acme, OU=a, OU=b, CN=Below, certificate 1 of 2"
    );
    // A server shows its own certificate alone, as kubeadm's do: clients trust the chain.
    assert_eq!(node.certificates("apiserver.crt").len(), 1);
    node.openssl(
        "verify -x509_strict -CAfile above.crt -untrusted below.crt \
         root/etc/kubernetes/pki/apiserver.crt",
    );
    assert_eq!(node.init().accepted().outcome(), "unchanged");
    if let Some(said) = node.kubeadm("certs all") {
        let said = said.succeeded().stdout;
        assert_eq!(said.matches("Using existing").count(), 10, "{said}");
    }
    // kubeadm trusts the first certificate alone from then on; rinit kept the whole chain, and
    // kubeadm takes that, too.
    if let Some(said) = node.kubeadm("kubeconfig admin") {
        let said = said.succeeded().stdout;
        assert!(said.contains("Using existing kubeconfig file"), "{said}");
        remove(&node.at("etc/kubernetes/admin.conf"));
        node.kubeadm("kubeconfig admin").unwrap().succeeded();
        let (_, [trusted, ..]) = node.kubeconfig("admin.conf");
        assert_eq!(trusted, read(&node.path("below.crt")));
        let warned = node.init();
        assert_eq!(warned.code, Some(0));
        assert_eq!(
            warned.messages("warning"),
            [
                "/etc/kubernetes/admin.conf does not trust just the certificates of \
                 /etc/kubernetes/pki/ca.crt: it lacks CN=Root"
            ]
        );
        node.shell(&warned.remedy()[0]).succeeded();
        node.init().accepted();
        node.check_signatures("");
    }
}

/// Where the root stands first, kubeadm takes it for the signer and fails; the key tells who signs.
#[test]
fn the_certificate_of_the_key_signs_wherever_it_stands() {
    let node = Node::new();
    intermediate(&node);
    chain(&node, ["above", "below"]);
    if let Some(said) = node.kubeadm("certs all") {
        assert_ne!(said.code, Some(0));
        let reason = "provided PrivateKey doesn't match parent's PublicKey";
        assert!(said.stdout.contains(reason), "{}", said.stdout);
    }
    let run = node.init().accepted();
    let (_, detail) = run.action("kubeconfig/admin");
    assert!(detail.ends_with("CN=Below, certificate 2 of 2"), "{detail}");
    node.check_signatures("");
}

/// Kubernetes trusts an intermediate authority without its root, too.
#[test]
fn an_intermediate_authority_alone_signs() {
    let node = Node::new();
    intermediate(&node);
    node.put("below.crt", "ca.crt");
    node.init().accepted();
    node.check_signatures("-partial_chain");
    if let Some(said) = node.kubeadm("certs all") {
        let said = said.succeeded().stdout;
        assert_eq!(said.matches("Using existing").count(), 10, "{said}");
    }
}
