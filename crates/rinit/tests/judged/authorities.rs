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
        let [told] = <[String; 1]>::try_from(warned.messages("warning")).unwrap();
        let words = "/etc/kubernetes/admin.conf does not trust just the certificates of \
                     /etc/kubernetes/pki/ca.crt: it lacks CN=Root (until ";
        assert!(told.starts_with(words), "{told}");
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

/// What limits an authority, what is told of it, and what OpenSSL says of kubeadm's certificates, which
/// signs with it all the same.
const LIMITS: [(&str, &str, [&str; 2]); 6] = [
    (
        "extendedKeyUsage=clientAuth",
        "the authority must not sign apiserver: the Extended Key Usage of CN=Own does not allow \
         serverAuth",
        ["-purpose sslserver", "unsuitable certificate purpose"],
    ),
    (
        "extendedKeyUsage=serverAuth",
        "the authority must not sign apiserver-kubelet-client: the Extended Key Usage of CN=Own does \
         not allow clientAuth",
        ["-purpose sslserver", "OK"],
    ),
    (
        "nameConstraints=critical,permitted;DNS:example.com",
        "the authority must not sign apiserver: its Name Constraints do not allow kubernetes, \
         kubernetes.default, kubernetes.default.svc, kubernetes.default.svc.cluster.local, node-1",
        ["", "permitted subtree violation"],
    ),
    (
        "nameConstraints=critical,excluded;IP:10.96.0.0/255.240.0.0,excluded;DNS:api.example.com",
        "the authority must not sign apiserver: its Name Constraints do not allow api.example.com, \
         10.96.0.1",
        ["", "excluded subtree violation"],
    ),
    (
        "nameConstraints=critical,permitted;IP:2001:db8::/ffff:ffff::",
        "the authority must not sign apiserver: its Name Constraints do not allow 10.96.0.1, \
         192.0.2.10",
        ["", "permitted subtree violation"],
    ),
    (
        "1.2.3.4=critical,ASN1:NULL",
        "the authority must not sign apiserver: it has the critical extension 1.2.3.4, which TLS \
         libraries do not know",
        ["", "unhandled critical extension"],
    ),
];

/// An authority for whatever it is asked, limited or not.
fn limited(node: &Node, limit: &str) {
    let key = "ecparam -name prime256v1 -genkey -noout";
    if !node.path("own.key").exists() {
        node.openssl(&format!("{key} -out own.key"));
    }
    write(
        &node.path("extensions"),
        format!(
            "[req]\ndistinguished_name=name\n[name]\n[own]\nbasicConstraints=critical,CA:true\n\
             keyUsage=critical,keyCertSign,digitalSignature\nsubjectKeyIdentifier=hash\n{limit}\n"
        ),
    );
    node.openssl(
        "req -config extensions -extensions own -x509 -new -key own.key -subj /CN=Own -days 3650 \
         -out own.crt",
    );
    node.put("own.crt", "ca.crt");
    node.put("own.key", "ca.key");
}

#[test]
fn an_authority_that_must_not_sign_what_is_asked_for_is_refused_before_the_first_write() {
    const FILE: &str = "/etc/kubernetes/pki/ca.crt";
    for (limit, told, [purpose, openssl]) in LIMITS {
        let node = Node::new();
        limited(&node, limit);
        let before = node.files();
        let run = node.init();
        assert_eq!(run.code, Some(4), "{}", run.shown());
        let problems = run.messages("problem");
        let told = format!("{FILE}: {told}");
        assert!(problems.contains(&told), "{limit}: {}", run.shown());
        let hint = format!("for the same key and without that limit, and put it into {FILE}");
        assert!(run.hints("problem").iter().all(|told| told.contains(&hint)));
        let user =
            node.shell("rinit kubeconfig user --client-name jane --root root --config c.yaml");
        let may_sign_clients = !told.contains("clientAuth") && !told.contains("extension");
        assert_eq!(
            user.code,
            Some(if may_sign_clients { 0 } else { 4 }),
            "{}",
            user.stderr
        );
        assert_eq!(user.stdout.is_empty(), !may_sign_clients);
        assert_eq!(
            user.stderr.contains("must not sign this"),
            !may_sign_clients
        );
        assert_eq!(node.files(), before, "{limit}");

        // kubeadm signs, and OpenSSL, as Go, refuses what it has signed.
        let of_kubeadm = node.copy();
        if let Some(said) = of_kubeadm.kubeadm("certs all") {
            said.succeeded();
            let leaf = format!("root{FILE} root/etc/kubernetes/pki/apiserver.crt");
            let verify = format!("openssl verify -x509_strict {purpose} -CAfile {leaf} 2>&1");
            let said = of_kubeadm.shell(&verify).stdout;
            assert!(said.contains(openssl), "{limit}: {said}");
            // What is there is told of, too, and renewing it would not help.
            let check =
                of_kubeadm.shell("rinit certs check-expiration --root root --config c.yaml");
            let of_it = format!("{FILE} must not sign it: ");
            assert!(check.stderr.contains(&of_it), "{}", check.stderr);
            let run = of_kubeadm.init();
            assert_eq!(run.code, Some(4));
            assert!(run.shown().contains(&hint), "{}", run.shown());
            let before = of_kubeadm.files();
            let renew = of_kubeadm.shell("rinit certs renew all --root root --config c.yaml");
            assert_eq!(renew.code, Some(4), "{}", renew.stderr);
            assert!(renew.stderr.contains(&told), "{}", renew.stderr);
            assert_eq!(of_kubeadm.files(), before, "{limit}");
        }

        // The way out that is told: the same key without the limit.
        limited(&node, "");
        node.init().accepted();
        node.check_signatures("");
    }
}

#[test]
fn an_authority_whose_limits_allow_what_is_asked_for_signs() {
    for limit in [
        "extendedKeyUsage=serverAuth,clientAuth",
        "extendedKeyUsage=anyExtendedKeyUsage",
        "nameConstraints=critical,permitted;DNS:kubernetes,permitted;DNS:kubernetes.default,\
         permitted;DNS:cluster.local,permitted;DNS:svc,permitted;DNS:node-1,\
         permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0,permitted;IP:192.0.2.0/255.255.255.0",
        "nameConstraints=critical,excluded;DNS:example.org",
    ] {
        let node = Node::new();
        limited(&node, limit);
        node.init().accepted();
        node.check_signatures("");
        assert_eq!(node.init().accepted().outcome(), "unchanged");
        node.shell("rinit certs renew all --root root --config c.yaml")
            .succeeded();
        node.check_signatures("");
    }
}
