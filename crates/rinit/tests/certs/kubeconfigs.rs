//! `rinit certs renew` and kubeconfigs: whom they trust, where they lead, how long they live, and
//! when the kubelet's is left to the kubelet.

use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::CurrentContext;
use rinit_pki::{Authority, Leaf, PrivateKey};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, Subject, Validity};

use crate::support::{KUBECONFIGS, Node, embedded};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// All five.
fn all() -> impl Iterator<Item = &'static str> {
    KUBECONFIGS.into_iter().chain(["kubelet.conf"])
}

/// The API servers of other nodes may show certificates of the authority before.
#[test]
fn kubeconfigs_trust_the_authority_that_has_replaced_theirs() {
    for same_key in [false, true] {
        let node = Node::new();
        let pki = node.path("/etc/kubernetes/pki");
        let before = node.pki("ca.crt");
        let config = node.config();
        if same_key {
            let now = Timestamp::now();
            let authority = node.authority_anew(Validity {
                not_before: now,
                not_after: now + DAY * 3650,
            });
            std::fs::write(pki.join("ca.crt"), authority).unwrap();
        } else {
            std::fs::remove_file(pki.join("ca.crt")).unwrap();
            std::fs::remove_file(pki.join("ca.key")).unwrap();
            let init = ["init", "phase", "certs", "ca", "--config", &config];
            assert_eq!(node.rinit(&init).code, Some(0));
        }
        let output = node.renew(&["all"]);
        let with_former = if same_key {
            node.pki("ca.crt")
        } else {
            [node.pki("ca.crt"), before].concat()
        };
        for name in all() {
            assert_eq!(node.trusted(name), with_former, "{name}");
            let told = format!(
                "/etc/kubernetes/{name} trusts what is in /etc/kubernetes/pki/ca.crt, none of which \
                 it trusted"
            );
            assert!(output.stderr.contains(&told), "{}", output.stderr);
        }
        for phase in ["certs", "kubeconfig"] {
            let init = ["init", "phase", phase, "all", "--config", &config];
            let init = node.rinit(&init);
            assert_eq!(init.code, Some(0), "{}", init.stderr);
        }
        node.prune();
        for name in all() {
            assert_eq!(node.trusted(name), node.pki("ca.crt"), "{name}");
        }
    }
}

/// An API server may show clients a certificate of another authority (`--tls-sni-cert-key`).
#[test]
fn who_trusts_an_authority_of_another_name_goes_on_and_that_is_told() {
    let node = Node::new();
    let other = node.pki("etcd/ca.crt");
    node.put("admin.conf", "certificate-authority-data", &other);
    let told = "warning: /etc/kubernetes/admin.conf: it trusts none of the certificates in \
                /etc/kubernetes/pki/ca.crt, and is left so";
    let output = node.renew(&["all"]);
    assert_eq!(output.stderr.matches("it trusts none").count(), 1);
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(node.trusted("admin.conf"), other);
    // With the configuration it is known whom it should trust. Whom else, it does not say.
    let own = node.pki("ca.crt");
    let output = node.renew(&["admin.conf", "--config", &node.config()]);
    assert!(!output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(node.trusted("admin.conf"), [own.clone(), other].concat());
    node.prune();
    assert_eq!(node.trusted("admin.conf"), own);
}

/// The way of the documents to prolong an authority: the same key and name, and another certificate.
#[test]
fn what_stands_beside_an_authority_that_is_replaced_stays() {
    let node = Node::new();
    let other = node.pki("etcd/ca.crt");
    let both = [node.pki("ca.crt"), other.clone()].concat();
    node.put("admin.conf", "certificate-authority-data", &both);
    let now = Timestamp::now();
    let prolonged = node.authority_anew(Validity {
        not_before: now,
        not_after: now + DAY * 3650,
    });
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), &prolonged).unwrap();
    let output = node.renew(&["all"]);
    let told = "warning: /etc/kubernetes/admin.conf: it trusts CN=etcd-ca (until ";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    let dropped = "none of which it trusted, and no longer CN=kubernetes (until ";
    assert!(output.stderr.contains(dropped), "{}", output.stderr);
    assert_eq!(
        node.trusted("admin.conf"),
        [prolonged.as_bytes(), &other].concat()
    );
    assert_eq!(node.trusted("scheduler.conf"), prolonged.as_bytes());
}

/// Whoever trusts the new authority alone does not reach an API server that shows the old one's.
#[test]
fn the_former_authority_is_trusted_until_the_api_server_shows_the_new_one() {
    for has_key in [false, true] {
        let node = Node::new();
        let (old, new) = (node.pki("ca.crt"), Node::new());
        let pki = node.path("/etc/kubernetes/pki");
        std::fs::write(pki.join("ca.crt"), new.pki("ca.crt")).unwrap();
        if has_key {
            std::fs::write(pki.join("ca.key"), new.pki("ca.key")).unwrap();
        } else {
            std::fs::remove_file(pki.join("ca.key")).unwrap();
        }
        let both = [new.pki("ca.crt"), old].concat();
        let output = node.renew(&[if has_key { "admin.conf" } else { "all" }]);
        let told = "/etc/kubernetes/admin.conf: it trusts CN=kubernetes (until ";
        assert!(output.stderr.contains(told), "{}", output.stderr);
        assert_eq!(node.trusted("admin.conf"), both);
        let output = node.renew(&["all"]);
        for name in all() {
            assert_eq!(node.trusted(name), both, "{name}: {}", output.stderr);
        }
        let output = node.prune();
        let kept = "which is kept; the API server shows a certificate of CN=kubernetes (until ";
        assert_eq!(output.stderr.contains(kept), !has_key, "{}", output.stderr);
        let expected = if has_key { new.pki("ca.crt") } else { both };
        for name in all() {
            assert_eq!(node.trusted(name), expected, "{name}");
        }
    }
}

#[test]
fn a_kubeconfig_with_a_name_twice_is_left_to_its_owner() {
    let node = Node::new();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let twice = text.replace(
        "contexts:\n",
        "contexts:\n- {name: a, context: {}}\n- {name: a, context: {}}\n",
    );
    std::fs::write(&path, &twice).unwrap();
    let config = node.config();
    for words in [
        &["certs", "renew", "all"][..],
        &["certs", "renew", "admin.conf", "--config", &config],
        &["init", "phase", "kubeconfig", "admin", "--config", &config],
    ] {
        let output = node.rinit(words);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        for told in ["has the name \"a\" twice in contexts", "with an editor"] {
            assert!(output.stderr.contains(told), "{}", output.stderr);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), twice);
    }
}

/// As `kubectl` reads them: beside the kubeconfig, going up by name.
#[test]
fn files_that_a_kubeconfig_names_may_lie_above_it() {
    let node = Node::new();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let (certificate, key) = embedded(text.as_bytes());
    std::fs::write(node.path("/etc/admin.crt"), certificate.pem()).unwrap();
    std::fs::write(node.path("/etc/admin.key"), key.pem().expose()).unwrap();
    let lines = text.lines().map(|line| match line.trim().split_once(':') {
        Some(("client-certificate-data", _)) => "    client-certificate: ../admin.crt",
        Some(("client-key-data", _)) => "    client-key: ./../../etc/admin.key",
        _ => line,
    });
    let lines: Vec<&str> = lines.collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let check = node.rinit(&["certs", "check-expiration", "--warn-within", "30d"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));
    let config = node.config();
    let init = ["init", "phase", "kubeconfig", "admin", "--config", &config];
    assert_eq!(node.rinit(&init).code, Some(0));
    node.renew(&["admin.conf"]);
    let renewed = std::fs::read(node.path("/etc/admin.crt")).unwrap();
    assert_ne!(renewed, certificate.pem().as_bytes());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines.join("\n"));
}

/// A second authority is put beside the first where its key is.
#[test]
fn whom_kubeconfigs_trust_follows_an_authority_elsewhere_too() {
    let node = Node::new();
    let (own, new) = (node.pki("ca.crt"), Node::new().pki("ca.crt"));
    let both = [own, new].concat();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/ca.key")).unwrap();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), &both).unwrap();
    let (old, key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    let output = node.renew(&["all"]);
    let left = "leaving admin.conf: the key of ca is not on this host";
    assert!(output.stderr.contains(left), "{}", output.stderr);
    for name in all() {
        assert_eq!(node.trusted(name), both, "{name}");
    }
    let (kept, kept_key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    assert_eq!(kept.der, old.der);
    assert_eq!(kept_key.pem().expose(), key.pem().expose());
}

/// It verifies nobody any more.
#[test]
fn an_authority_that_has_expired_is_no_longer_trusted() {
    let node = Node::new();
    let own = node.pki("ca.crt");
    let now = Timestamp::now();
    let expired = node.authority_anew(Validity {
        not_before: now - DAY * 400,
        not_after: now - DAY,
    });
    let both = [own.as_slice(), expired.as_bytes()].concat();
    node.put("admin.conf", "certificate-authority-data", &both);
    let output = node.renew(&["all"]);
    let told = "and no longer CN=kubernetes (expired ";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(node.trusted("admin.conf"), own);
}

/// Nobody loses other credentials, nor gets more of them, and the others are renewed.
#[test]
fn a_user_with_other_credentials_is_left_alone() {
    for (field, credentials) in [
        ("token", "token: abc.def"),
        (
            "exec",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: get}",
        ),
    ] {
        let node = Node::new();
        let path = node.path("/etc/kubernetes/admin.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        let other: String = text
            .lines()
            .filter(|line| !line.contains("client-key-data"))
            .map(|line| match line.split_once("client-certificate-data:") {
                Some((indent, _)) => format!("{indent}{credentials}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        std::fs::write(&path, &other).unwrap();
        let told = format!(
            "leaving admin.conf: its user has no client certificate, but credentials by `{field}`"
        );
        for more in [None, Some(node.config())] {
            let mut words = vec!["all"];
            if let Some(config) = &more {
                words.extend(["--config", config]);
            }
            let output = node.renew(&words);
            assert!(output.stderr.contains(&told), "{}", output.stderr);
            assert!(output.stderr.contains("renewing scheduler.conf"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
        let output = node.rinit(&["certs", "renew", "admin.conf"]);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
    }
}

/// While an authority is replaced, clients trust both, whichever is in `ca.crt` by then.
#[test]
fn what_a_kubeconfig_trusts_beside_its_authority_stays_until_it_is_pruned() {
    let node = Node::new();
    let own = node.pki("ca.crt");
    let other = node.pki("etcd/ca.crt");
    let (new, old) = (Node::new().pki("ca.crt"), Node::new().pki("ca.crt"));
    let ca = node.path("/etc/kubernetes/pki/ca.crt");
    std::fs::write(ca, [new.clone(), own.clone()].concat()).unwrap();
    let both = [own.clone(), other.clone(), old.clone()].concat();
    for name in all() {
        node.put(name, "certificate-authority-data", &both);
    }
    let config = node.config();
    for options in [&["all"][..], &["all", "--config", &config]] {
        let output = node.renew(options);
        let whole = [new.clone(), own.clone(), other.clone(), old.clone()].concat();
        for name in all() {
            assert_eq!(node.trusted(name), whole, "{name}");
            for told in [
                format!("warning: /etc/kubernetes/{name}: it trusts CN=etcd-ca (until 20"),
                "; CN=kubernetes (until 20".to_owned(),
                "too, beside what is in /etc/kubernetes/pki/ca.crt, which is kept".to_owned(),
            ] {
                assert!(output.stderr.contains(&told), "{}", output.stderr);
            }
        }
        // What is kept is worth a word to init too, and no more.
        let init = node.rinit(&["init", "phase", "kubeconfig", "all", "--config", &config]);
        assert_eq!(init.code, Some(0), "{}", init.stderr);
        assert!(
            init.stderr.contains("rinit certs ca prune --config "),
            "{}",
            init.stderr
        );
    }
    let output = node.prune();
    for name in all() {
        assert_eq!(node.trusted(name), [new.clone(), own.clone()].concat());
        let told = format!(
            "/etc/kubernetes/{name} trusts what is in /etc/kubernetes/pki/ca.crt, and no longer \
             CN=etcd-ca"
        );
        assert!(output.stderr.contains(&told), "{}", output.stderr);
    }
    let output = node.prune();
    assert!(!output.stderr.contains("trusts"), "{}", output.stderr);
}

/// Where the dates come from is not known: see `a_certificate_that_begins_with_its_authority…`.
#[test]
fn no_kubeconfig_lives_longer_than_the_pairs() {
    let node = Node::new();
    let (old, _) = embedded(&node.read("/etc/kubernetes/super-admin.conf"));
    let subject = Subject {
        common_name: "kubernetes-super-admin".to_owned(),
        organizations: vec!["system:masters".to_owned()],
    };
    let begin = old.validity.not_before + SignedDuration::from_mins(1);
    let validity = Validity {
        not_before: begin,
        not_after: begin + DAY * 3650,
    };
    node.embed("super-admin.conf", &subject, validity);
    let output = node.renew(&["super-admin.conf"]);
    let (new, _) = embedded(&node.read("/etc/kubernetes/super-admin.conf"));
    assert!(new.validity.not_after <= Timestamp::now() + DAY * 366);
    let told = "super-admin.conf lives no longer than the pairs: 365 days and no longer 3650";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}

/// The kubelet asks for its next certificate with the one that it has.
#[test]
fn a_kubelet_that_cannot_go_on_gets_a_new_certificate() {
    let node = Node::new();
    let output = node.renew(&["all"]);
    let left = "leaving kubelet.conf: the kubelet renews it by itself";
    assert!(output.stderr.contains(left), "{}", output.stderr);

    let (client, server) = (ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let pem = |key: &PrivateKey| key.pem().expose().clone().into_bytes();
    for (wrong, key_text, usage, begin) in [
        ("another key", pem(&other), client, -1),
        ("no key", Vec::new(), client, -1),
        ("not valid yet", pem(&key), client, 5),
        ("only for servers", pem(&key), server, -1),
    ] {
        let node = Node::new();
        let now = Timestamp::now();
        let subject = Subject {
            common_name: "system:node:cp".to_owned(),
            organizations: vec!["system:nodes".to_owned()],
        };
        let leaf = Leaf {
            subject: &subject,
            usages: &[usage],
            dns_names: &[],
            ip_addresses: &[],
            validity: Validity {
                not_before: now + DAY * begin,
                not_after: now + DAY * 300,
            },
        };
        let authority =
            Authority::load(&node.pki("ca.crt"), &node.pki("ca.key"), Timestamp::now()).unwrap();
        let certificate = authority.issue(leaf, &key).unwrap();
        let data = "client-certificate-data";
        node.put("kubelet.conf", data, certificate.as_bytes());
        node.put("kubelet.conf", "client-key-data", &key_text);
        let output = node.renew(&["all"]);
        assert!(!output.stderr.contains(left), "{wrong}: {}", output.stderr);
        let (new, key) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
        assert!(key.belongs_to(&new), "{wrong}");
        assert!(new.validity.not_before <= now, "{wrong}");
        assert_eq!(new.subject.common_name(), Some("system:node:cp"));
        let usages = &new.extended_key_usages;
        assert!(usages.contains(&rinit_pki::Usage::Known(client)), "{wrong}");
        let told = output
            .stderr
            .contains("kubelet.conf gets the usage clientAuth");
        assert_eq!(told, usage == server, "{wrong}: {}", output.stderr);
        // Now it goes on.
        let output = node.renew(&["all"]);
        assert!(output.stderr.contains(left), "{wrong}: {}", output.stderr);
    }
}

#[test]
fn with_a_configuration_all_five_lead_to_its_server() {
    let node = Node::new();
    let config = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), config.replace("192.0.2.10", "192.0.2.11")).unwrap();
    let (old, _) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
    let output = node.renew(&["all", "--config", &node.config()]);
    for name in all() {
        let text = node.read(&format!("/etc/kubernetes/{name}"));
        let context = CurrentContext::parse(std::str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(context.server, "https://192.0.2.11:6443", "{name}");
        let told = format!(
            "/etc/kubernetes/{name} leads to https://192.0.2.11:6443 and no longer to \
             https://192.0.2.10:6443"
        );
        assert!(output.stderr.contains(&told), "{}", output.stderr);
    }
    // The kubelet keeps its certificate.
    let (kept, _) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
    assert_eq!(kept.serial, old.serial);
}

/// Clients refuse a cluster that has both an authority and the wish to verify nothing.
#[test]
fn a_kubeconfig_that_verified_nothing_verifies_again() {
    let node = Node::new();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let without: String = text
        .lines()
        .map(
            |line| match line.split_once("certificate-authority-data:") {
                Some((indent, _)) => format!("{indent}insecure-skip-tls-verify: true\n"),
                None => format!("{line}\n"),
            },
        )
        .collect();
    std::fs::write(&path, without).unwrap();
    let config = node.config();
    let output = node.rinit(&["certs", "renew", "admin.conf", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let renewed = std::fs::read_to_string(&path).unwrap();
    assert!(renewed.contains("certificate-authority-data:"), "{renewed}");
    assert!(!renewed.contains("insecure"));
    let output = node.rinit(&["init", "phase", "kubeconfig", "admin", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

/// A file that is gone cannot be followed, and nothing works with that kubeconfig.
#[test]
fn an_authority_file_that_is_gone_is_told() {
    let node = Node::new();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let elsewhere: String = text
        .lines()
        .map(
            |line| match line.split_once("certificate-authority-data:") {
                Some((indent, _)) => format!("{indent}certificate-authority: /gone.crt\n"),
                None => format!("{line}\n"),
            },
        )
        .collect();
    std::fs::write(&path, elsewhere).unwrap();
    let output = node.rinit(&["certs", "renew", "admin.conf"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    for part in [
        "admin.conf: whom it trusts cannot be read",
        "renew admin.conf --config",
    ] {
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
}
