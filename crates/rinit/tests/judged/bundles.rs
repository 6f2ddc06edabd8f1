//! Files with several authorities, as they are while one replaces another: kept whole, and it is
//! always said which of them has signed.

use crate::support::{AUTHORITIES, LEAVES, Node, read, remove, write};

/// A node whose authorities are being replaced: each file has the old one and a new one, and the
/// key is that of the new one. The order of the two is given.
fn rotating(new_first: bool) -> Node {
    let node = Node::whole();
    for name in AUTHORITIES {
        let subject = format!("/OU=new/CN={}", name.replace('/', "-"));
        node.authority("new", "ecparam -name prime256v1 -genkey -noout", &subject);
        let old = read(&node.pki(&format!("{name}.crt")));
        let new = read(&node.path("new.crt"));
        let bundle = if new_first { [new, old] } else { [old, new] };
        write(&node.pki(&format!("{name}.crt")), bundle.concat());
        node.put("new.key", &format!("{name}.key"));
    }
    node
}

#[test]
fn a_bundle_is_kept_and_it_is_said_who_signed() {
    for new_first in [false, true] {
        let node = rotating(new_first);
        let (old, new) = if new_first {
            ("2 of 2", "1 of 2")
        } else {
            ("1 of 2", "2 of 2")
        };
        let bundles = AUTHORITIES.map(|name| read(&node.pki(&format!("{name}.crt"))));

        // What either has signed holds. Kubeconfigs still trust the old one alone.
        let run = node.init();
        assert_eq!(run.code, Some(0), "{}", run.shown());
        assert_eq!(run.messages("warning").len(), 5, "{}", run.shown());
        assert_eq!(run.messages("problem"), Vec::<String>::new());
        for (phase, subject) in [
            ("certs/apiserver", "CN=kubernetes"),
            ("certs/etcd-peer", "CN=etcd-ca"),
            ("certs/front-proxy-client", "CN=front-proxy-ca"),
            ("kubeconfig/admin", "CN=kubernetes"),
        ] {
            assert_eq!(
                run.action(phase),
                (
                    "held".to_owned(),
                    format!("signed by {subject}, certificate {old}")
                )
            );
        }
        // The command that is hinted has them trust both, and the new one signs.
        let renewed = node.shell(&run.remedy()[0]).succeeded();
        assert!(
            renewed
                .stderr
                .contains(&format!("(OU=new, CN=ca, certificate {new})")),
            "{}",
            renewed.stderr
        );
        node.init().accepted();
        node.check_signatures("");

        // What is made now is signed by the new one.
        for end in ["crt", "key"] {
            remove(&node.pki(&format!("apiserver.{end}")));
            remove(&node.pki(&format!("etcd/server.{end}")));
        }
        remove(&node.at("etc/kubernetes/scheduler.conf"));
        let run = node.init().accepted();
        for (phase, subject) in [
            ("certs/apiserver", "OU=new, CN=ca"),
            ("certs/etcd-server", "OU=new, CN=etcd-ca"),
            ("kubeconfig/scheduler", "OU=new, CN=ca"),
        ] {
            assert_eq!(
                run.action(phase),
                (
                    "created".to_owned(),
                    format!("signed by {subject}, certificate {new}")
                )
            );
        }
        node.check_signatures("");
        assert_eq!(
            AUTHORITIES.map(|name| read(&node.pki(&format!("{name}.crt")))),
            bundles
        );
        let text = node
            .shell("rinit init phase certs all --root root --config c.yaml -v")
            .succeeded()
            .stderr;
        assert!(
            text.contains(&format!(
                "holds: certificate apiserver (/etc/kubernetes/pki/apiserver.crt), signed by \
                 OU=new, CN=ca, certificate {new}"
            )),
            "{text}"
        );
    }
}

/// After the rotation the old authority is taken out: what it has signed does not hold any more,
/// and two commands mend all of it: no authority is taken out unasked.
#[test]
fn what_only_the_old_authority_signed_is_told_once_it_is_gone() {
    let node = rotating(false);
    node.shell(&node.init().remedy()[0]).succeeded();
    for name in AUTHORITIES {
        let file = format!("{name}.crt");
        let text = String::from_utf8(read(&node.pki(&file))).unwrap();
        let (_, new) = text.split_at(text.rfind("-----BEGIN").unwrap());
        write(&node.pki(&file), new);
    }
    let refused = node.init();
    assert_eq!(refused.code, Some(4), "{}", refused.shown());
    assert_eq!(refused.messages("problem").len(), LEAVES.len());
    // Kubeconfigs trust the old one still, which is worth a word.
    assert!(
        refused.messages("warning").iter().all(|warning| {
            let words = "does not trust just the certificates of /etc/kubernetes/pki/ca.crt: it \
                         has CN=kubernetes (until ";
            warning.contains(words) && warning.ends_with(") too")
        }),
        "{}",
        refused.shown()
    );
    for remedy in refused.remedies() {
        node.shell(&remedy[0]).succeeded();
    }
    node.init().accepted();
    node.check_signatures("");
}
