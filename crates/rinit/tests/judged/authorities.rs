//! CAs that somebody else has made: a chain of them, and one that may not sign everything.

use crate::support::{Node, read, remove, write};

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

/// What limits a CA, and what is reported of it.
const LIMITS: [(&str, &str); 2] = [
    (
        "extendedKeyUsage=clientAuth",
        "the CA must not sign apiserver: its extended key usage does not allow serverAuth",
    ),
    (
        "nameConstraints=critical,permitted;DNS:example.com",
        "the CA must not sign apiserver: its name constraints do not allow the names",
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
fn a_ca_that_must_not_sign_what_is_asked_for_is_refused_before_the_first_write() {
    const FILE: &str = "/etc/kubernetes/pki/ca.crt";
    for (limit, reported) in LIMITS {
        let node = Node::new();
        limited(&node, limit);
        let before = node.files();
        let run = node.init();
        assert_eq!(run.code, Some(4), "{}", run.shown());
        let reported = format!("{FILE}: {reported}");
        let problems = run.messages("problem");
        assert!(
            problems.iter().any(|one| one.starts_with(&reported)),
            "{limit}: {}",
            run.shown()
        );
        let hint = format!("for the same key, without that limit, and put it into {FILE}");
        assert!(run.hints("problem").iter().all(|told| told.contains(&hint)));
        assert_eq!(node.files(), before, "{limit}");

        // The way out: the same key without the limit.
        limited(&node, "");
        node.init().accepted();
        node.check_signatures("");
        // And back: what the CA has signed is not of use, and renewing it would not help.
        limited(&node, limit);
        let check = node.shell("rinit certs check-expiration --root root --config c.yaml");
        let of_it = format!("{FILE} must not sign it: ");
        assert!(check.stderr.contains(&of_it), "{}", check.stderr);
        let before = node.files();
        let renew = node.shell("rinit certs renew all --root root --config c.yaml");
        assert_eq!(renew.code, Some(4), "{}", renew.stderr);
        assert!(renew.stderr.contains(&reported), "{}", renew.stderr);
        assert_eq!(node.files(), before, "{limit}");
    }
}
