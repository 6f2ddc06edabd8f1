//! What does not fit: init refuses it with one command, that command mends it, and init accepts.

use rinit_plan::ExtendedKeyUsage;

use crate::support::{CONFIG, Change, LEAVES, Node, read, remove, write};

/// A way to spoil a node. The second node is another whole one.
type Spoil = fn(&Node, &Node);

const OF_ANOTHER_CLUSTER: &str = "a kubeconfig of another cluster";

/// What is spoilt, what init says of it, and how.
const REFUSED: &[(&str, &str, Spoil)] = &[
    (
        "does not chain",
        "apiserver-kubelet-client.crt: the certificate names CN=kubernetes as its issuer and is not signed by",
        |node, other| {
            for end in ["crt", "key"] {
                let file = format!("apiserver-kubelet-client.{end}");
                write(&node.pki(&file), read(&other.pki(&file)));
            }
        },
    ),
    (
        "wrong key",
        "etcd/server.key: the key does not belong to",
        |node, _| {
            let key = read(&node.pki("apiserver.key"));
            write(&node.pki("etcd/server.key"), key);
        },
    ),
    (
        "wrong usages",
        "apiserver.crt: the certificate lacks the usages serverAuth",
        |node, _| {
            let usages = &[ExtendedKeyUsage::ClientAuth];
            node.reissue(
                "apiserver",
                "ca",
                Change {
                    usages,
                    ..Change::NONE
                },
            );
        },
    ),
    (
        "wrong subject",
        "must be for CN=front-proxy-client",
        |node, _| {
            let common_name = Some("somebody");
            node.reissue(
                "front-proxy-client",
                "front-proxy-ca",
                Change {
                    common_name,
                    ..Change::NONE
                },
            );
        },
    ),
    (
        "missing names",
        "apiserver.crt: the certificate lacks the names new.example.com, 198.51.100.9",
        |node, _| {
            node.configure(&CONFIG.replace("[api.example.com]", "[new.example.com, 198.51.100.9]"));
        },
    ),
    (
        "a certificate that is none",
        "apiserver.crt: no certificate in PEM form",
        |node, _| {
            write(&node.pki("apiserver.crt"), "hello");
        },
    ),
    (
        "a certificate that is cut off",
        "peer.crt: malformed PEM: a block has no end line",
        |node, _| {
            let pem = read(&node.pki("etcd/peer.crt"));
            write(&node.pki("etcd/peer.crt"), &pem[..pem.len() / 2]);
        },
    ),
    (
        "a key that is none",
        "apiserver.key: no private key in PEM form",
        |node, _| {
            write(&node.pki("apiserver.key"), "hello");
        },
    ),
    (
        "a key that is none without a certificate",
        "apiserver-etcd-client.key: no private key in PEM form",
        |node, _| {
            remove(&node.pki("apiserver-etcd-client.crt"));
            write(&node.pki("apiserver-etcd-client.key"), "");
        },
    ),
    (
        "a server's key that is none without a certificate",
        "apiserver.key: no private key in PEM form",
        |node, _| {
            remove(&node.pki("apiserver.crt"));
            write(&node.pki("apiserver.key"), "hello");
        },
    ),
    ("no key", "front-proxy-client.key: the key of", |node, _| {
        remove(&node.pki("front-proxy-client.key"));
    }),
    (
        "a key that is too short",
        "is too weak: an RSA key of 1024 bits",
        |node, _| {
            weak(node, "-newkey rsa:1024", "-sha256");
        },
    ),
    (
        "a signature that can be forged",
        "is too weak: a signature with a hash that can be forged",
        |node, _| {
            weak(node, "-newkey rsa:2048", "-sha1");
        },
    ),
    (
        "a kubeconfig that is no YAML",
        "admin.conf: the kubeconfig is not valid YAML",
        |node, _| {
            write(&node.at("etc/kubernetes/admin.conf"), "a: [");
        },
    ),
    (
        "a kubeconfig that is empty",
        "kubelet.conf: the kubeconfig is not one YAML mapping",
        |node, _| {
            write(&node.at("etc/kubernetes/kubelet.conf"), "");
        },
    ),
    (
        "a kubeconfig that is no text",
        "scheduler.conf: the kubeconfig is not UTF-8",
        |node, _| {
            write(&node.at("etc/kubernetes/scheduler.conf"), [0xff, 0xfe, 0]);
        },
    ),
    (
        OF_ANOTHER_CLUSTER,
        "controller-manager.conf trusts another authority",
        |node, other| {
            let file = "etc/kubernetes/controller-manager.conf";
            write(&node.at(file), read(&other.at(file)));
        },
    ),
    (
        "the kubeconfig of somebody else",
        "admin.conf: the certificate is for CN=system:kube-scheduler",
        |node, _| {
            let other = read(&node.at("etc/kubernetes/scheduler.conf"));
            write(&node.at("etc/kubernetes/admin.conf"), other);
        },
    ),
    (
        "a kubeconfig without its user",
        "admin.conf: the kubeconfig names the user",
        |node, _| {
            edit(node, "admin.conf", |text| {
                text.split_once("users:").unwrap().0.to_owned()
            });
        },
    ),
    (
        "a kubeconfig without a certificate",
        "super-admin.conf has no client certificate",
        |node, _| {
            edit(node, "super-admin.conf", |text| {
                without_line(text, "client-certificate-data")
            });
        },
    ),
    (
        "a kubeconfig without a key",
        "kubelet.conf: the key of",
        |node, _| {
            edit(node, "kubelet.conf", |text| {
                without_line(text, "client-key-data")
            });
        },
    ),
    (
        "a kubeconfig without an authority",
        "scheduler.conf has no certificate of its authority",
        |node, _| {
            edit(node, "scheduler.conf", |text| {
                without_line(text, "certificate-authority-data")
            });
        },
    ),
    (
        "everything at once",
        "server.crt: the certificate lacks the names 192.0.2.11",
        |node, other| {
            node.configure(&CONFIG.replace("192.0.2.10", "192.0.2.11"));
            for (_, _, spoil) in &REFUSED[5..9] {
                spoil(node, other);
            }
            write(&node.at("etc/kubernetes/admin.conf"), "a: [");
        },
    ),
];

/// What is warned of: init goes on, as kubeadm does, and names the command all the same.
const WARNED: &[(&str, &str, Spoil)] = &[
    (
        "expired",
        "etcd/peer.crt: the certificate of CN=node-1 expired at",
        |node, _| {
            node.reissue(
                "etcd/peer",
                "etcd/ca",
                Change {
                    days: (-400, -35),
                    ..Change::NONE
                },
            );
        },
    ),
    (
        "not yet valid",
        "apiserver.crt: the certificate of CN=kube-apiserver is not valid before",
        |node, _| {
            node.reissue(
                "apiserver",
                "ca",
                Change {
                    days: (2, 30),
                    ..Change::NONE
                },
            );
        },
    ),
    (
        "another server",
        "leads to https://192.0.2.99:6443 instead of https://192.0.2.10:6443",
        |node, _| {
            edit(node, "kubelet.conf", |text| {
                text.replace("192.0.2.10", "192.0.2.99")
            });
        },
    ),
    (
        "a part of the authority",
        "admin.conf does not trust just the certificates of /etc/kubernetes/pki/ca.crt: it lacks CN=kubernetes",
        |node, other| {
            let own = read(&node.pki("ca.crt"));
            let bundle = [own, read(&other.pki("ca.crt"))].concat();
            write(&node.pki("ca.crt"), bundle);
        },
    ),
];

fn edit(node: &Node, name: &str, change: impl Fn(&str) -> String) {
    let path = node.at(&format!("etc/kubernetes/{name}"));
    let text = String::from_utf8(read(&path)).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    write(&path, changed);
}

fn without_line(text: &str, field: &str) -> String {
    text.lines()
        .filter(|line| !line.contains(field))
        .chain([""])
        .collect::<Vec<_>>()
        .join("\n")
}

/// An apiserver-etcd-client whose key or signature is weak.
fn weak(node: &Node, key: &str, hash: &str) {
    let pki = "root/etc/kubernetes/pki";
    node.openssl(&format!(
        "req {key} -nodes -keyout {pki}/apiserver-etcd-client.key -out request \
         -subj /CN=kube-apiserver-etcd-client"
    ));
    write(&node.path("extensions"), "extendedKeyUsage=clientAuth\n");
    node.openssl(&format!(
        "x509 -req -in request -CA {pki}/etcd/ca.crt -CAkey {pki}/etcd/ca.key -days 30 {hash} \
         -extfile extensions -out {pki}/apiserver-etcd-client.crt"
    ));
}

#[test]
fn what_is_refused_is_mended_by_the_command_that_is_hinted() {
    let whole = Node::whole();
    let other = Node::whole();
    for (name, said, spoil) in REFUSED {
        let node = whole.copy();
        spoil(&node, &other);
        let before = node.files();
        let refused = node.init();
        assert_eq!(refused.code, Some(4), "{name}: {}", refused.shown());
        let problems = refused.messages("problem");
        assert!(
            problems.iter().any(|problem| problem.contains(said)),
            "{name}: {problems:#?}"
        );
        assert_eq!(refused.hints("problem"), Vec::<String>::new(), "{name}");
        let remedy = refused.remedy();
        let [command] = remedy.as_slice() else {
            panic!("{name}: {remedy:?}")
        };
        assert_eq!(node.files(), before, "{name}: written");

        let renewed = node.shell(command);
        assert_eq!(
            renewed.code,
            Some(0),
            "{name}: {command}: {}",
            renewed.stderr
        );
        let mut after = node.init();
        assert_eq!(after.code, Some(0), "{name}: {}", after.shown());
        if *name == OF_ANOTHER_CLUSTER {
            // Nobody knows whether the other authority is the one before.
            let [warning] = &after.messages("warning")[..] else {
                panic!("{}", after.shown())
            };
            assert!(warning.contains("does not trust just"), "{warning}");
            let remedy = after.remedy().concat();
            assert!(remedy.contains("rinit certs ca prune"), "{remedy}");
            node.shell(&remedy).succeeded();
            after = node.init();
        }
        assert_eq!(after.messages("warning"), Vec::<String>::new(), "{name}");
        // Authorities and the keys of service accounts are no matter of a command for leaves.
        for file in [
            "ca.crt",
            "ca.key",
            "etcd/ca.key",
            "front-proxy-ca.key",
            "sa.key",
        ] {
            assert_eq!(
                read(&node.pki(file)),
                before[&node.pki(file)],
                "{name}: {file}"
            );
        }
    }
}

#[test]
fn what_is_warned_of_is_mended_by_the_command_that_is_hinted() {
    let whole = Node::whole();
    let other = Node::whole();
    for (name, said, spoil) in WARNED {
        let node = whole.copy();
        spoil(&node, &other);
        let warned = node.init();
        assert_eq!(warned.code, Some(0), "{name}: {}", warned.shown());
        let warnings = warned.messages("warning");
        assert!(
            warnings.iter().any(|warning| warning.contains(said)),
            "{name}: {warnings:#?}"
        );
        let remedy = warned.remedy();
        let [command] = remedy.as_slice() else {
            panic!("{name}: {remedy:?}")
        };
        let renewed = node.shell(command);
        assert_eq!(
            renewed.code,
            Some(0),
            "{name}: {command}: {}",
            renewed.stderr
        );
        let after = node.init();
        assert_eq!(after.messages("warning"), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn people_are_told_the_command_once() {
    let node = Node::whole();
    for name in ["apiserver", "etcd/peer"] {
        write(&node.pki(&format!("{name}.crt")), "hello");
    }
    let text = node.init_text().stderr;
    assert_eq!(text.matches("error: ").count(), 2, "{text}");
    assert_eq!(text.matches("hint: ").count(), 1, "{text}");
    assert!(
        text.contains("`rinit certs renew apiserver etcd-peer --config c.yaml --root root`"),
        "{text}"
    );
}

/// What is wrong and what is only warned of is named in one command.
#[test]
fn one_command_mends_what_is_refused_and_what_is_warned_of() {
    let node = Node::whole();
    node.reissue(
        "etcd/peer",
        "etcd/ca",
        Change {
            days: (-400, -35),
            ..Change::NONE
        },
    );
    node.configure(&CONFIG.replace(
        "kubernetesVersion",
        "controlPlaneEndpoint: lb.example.com:7443\nkubernetesVersion",
    ));
    let refused = node.init();
    assert_eq!(
        refused.remedy(),
        [
            "rinit certs renew apiserver etcd-peer admin.conf super-admin.conf \
             --config c.yaml --root root"
        ]
    );
    node.shell(&refused.remedy()[0]).succeeded();
    node.init().accepted();
    let (context, _) = node.kubeconfig("admin.conf");
    assert_eq!(context.server, "https://lb.example.com:7443");
}

/// A cluster that was made by flags has no file to name.
#[test]
fn the_command_repeats_the_flags_that_were_given() {
    let node = Node::new();
    let flags = "--cert-dir '/my pki' --node-name node-1 --apiserver-advertise-address 192.0.2.10 \
                 --cri-socket unix:///run/rinit-test/none.sock --kubernetes-version v1.37.1";
    assert_eq!(node.init_with(flags).code, Some(0));
    let flags = format!("{flags} --apiserver-cert-extra-sans new.example.com,198.51.100.9");
    let refused = node.init_with(&flags);
    assert_eq!(
        refused.remedy(),
        [
            "rinit certs renew apiserver --root root --cert-dir '/my pki' \
             --apiserver-advertise-address 192.0.2.10 \
             --apiserver-cert-extra-sans new.example.com,198.51.100.9 \
             --kubernetes-version v1.37.1 --node-name node-1"
        ]
    );
    node.shell(&refused.remedy()[0]).succeeded();
    assert_eq!(node.init_with(&flags).code, Some(0));
    // The defaults are a configuration, too: here the address of the host is another one.
    let defaults = "--cri-socket unix:///run/rinit-test/none.sock --cert-dir '/my pki' \
                    --apiserver-advertise-address 192.0.2.11 --node-name node-1";
    let refused = node.init_with(defaults);
    assert_eq!(refused.code, Some(4));
    node.shell(&refused.remedy()[0]).succeeded();
    assert_eq!(node.init_with(defaults).code, Some(0));
}

/// An authority is never made anew by itself; the way that is told leads to a new one.
#[test]
fn a_bad_authority_is_told_with_the_ways_out() {
    let node = Node::whole();
    let good = read(&node.pki("ca.crt"));
    write(&node.pki("ca.crt"), "hello");
    let refused = node.init();
    assert_eq!(refused.code, Some(4));
    assert_eq!(
        refused.messages("problem"),
        ["/etc/kubernetes/pki/ca.crt: no certificate in PEM form"]
    );
    let hint = refused.hints("problem").remove(0);
    // One way: the right certificate again.
    assert!(
        hint.contains("Put the certificate of the cluster's CA into /etc/kubernetes/pki/ca.crt")
    );
    write(&node.pki("ca.crt"), &good);
    node.init().accepted();
    // The other: a new authority, and everything that it signs.
    write(&node.pki("ca.crt"), "hello");
    let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
    assert_eq!(
        commands,
        [
            "rinit init phase certs ca --config c.yaml --root root",
            "rinit certs renew all --config c.yaml --root root",
            "rinit certs ca prune --config c.yaml --root root"
        ]
    );
    for file in ["ca.crt", "ca.key"] {
        std::fs::rename(node.pki(file), node.path(file)).unwrap();
    }
    for command in commands {
        node.shell(command).succeeded();
    }
    node.init().accepted();
    assert_ne!(read(&node.pki("ca.crt")), good);
}

#[test]
fn leaves_without_their_authority_are_told_with_the_ways_out() {
    let node = Node::whole();
    for end in ["crt", "key"] {
        remove(&node.pki(&format!("etcd/ca.{end}")));
    }
    let before = node.files();
    let refused = node.init();
    assert_eq!(refused.code, Some(4));
    assert_eq!(refused.messages("problem").len(), 4, "{}", refused.shown());
    assert_eq!(node.files(), before);
    let commands = refused.remedy();
    assert_eq!(
        commands,
        [
            "rinit init phase certs etcd-ca --config c.yaml --root root",
            "rinit certs renew etcd-server etcd-peer etcd-healthcheck-client \
             apiserver-etcd-client --config c.yaml --root root"
        ]
    );
    for command in commands {
        node.shell(&command).succeeded();
    }
    node.init().accepted();
}

/// Without its certificate a good key is used: it may be the user's own.
#[test]
fn a_good_key_alone_gets_its_certificate() {
    let node = Node::whole();
    let keys: Vec<Vec<u8>> = LEAVES
        .iter()
        .map(|(name, _)| {
            remove(&node.pki(&format!("{name}.crt")));
            read(&node.pki(&format!("{name}.key")))
        })
        .collect();
    node.init().accepted();
    for ((name, _), key) in LEAVES.iter().zip(keys) {
        assert_eq!(read(&node.pki(&format!("{name}.key"))), key);
    }
}

/// A kubelet that keeps its own certificate new: the file behind its link is renewed, and the
/// kubeconfig still points at the link.
#[test]
fn a_kubeconfig_that_points_at_a_file_is_led_to_the_right_server() {
    let node = Node::whole();
    let (_, [_, certificate, key]) = node.kubeconfig("kubelet.conf");
    let pki = node.at("var/lib/kubelet/pki");
    std::fs::create_dir_all(&pki).unwrap();
    write(&pki.join("one.pem"), [certificate, key].concat());
    std::os::unix::fs::symlink("one.pem", pki.join("beside.pem")).unwrap();
    edit(&node, "kubelet.conf", |text| {
        let mut text = without_line(text, "client-key-data").replace("192.0.2.10", "192.0.2.99");
        let at = text.find("client-certificate-data").unwrap();
        text.truncate(at);
        text + "client-certificate: /var/lib/kubelet/pki/beside.pem\n    \
                client-key: /var/lib/kubelet/pki/beside.pem\n"
    });
    let warned = node.init();
    assert_eq!(warned.code, Some(0), "{}", warned.shown());
    assert_eq!(warned.messages("warning").len(), 1, "{}", warned.shown());
    let before = read(&pki.join("one.pem"));
    node.shell(&warned.remedy()[0]).succeeded();
    node.init().accepted();
    assert!(pki.join("beside.pem").is_symlink());
    assert_ne!(read(&pki.join("one.pem")), before);
    let text = String::from_utf8(read(&node.at("etc/kubernetes/kubelet.conf"))).unwrap();
    assert!(text.contains("server: https://192.0.2.10:6443"), "{text}");
    assert!(text.contains("client-certificate: /var/lib/kubelet/pki/beside.pem"));
}

/// A token is the user's own; the way that is told mends it all the same.
#[test]
fn a_kubeconfig_with_a_token_is_not_renewed() {
    let node = Node::whole();
    let other = Node::whole();
    let file = "etc/kubernetes/admin.conf";
    write(&node.at(file), read(&other.at(file)));
    edit(&node, "admin.conf", |text| {
        let text = without_line(text, "client-certificate-data");
        let line = text
            .lines()
            .find(|line| line.contains("client-key-data"))
            .unwrap();
        text.replace(line, "    token: abc.def")
    });
    let refused = node.init();
    assert_eq!(refused.code, Some(4), "{}", refused.shown());
    let commands = refused.remedy();
    assert_eq!(
        commands,
        ["rinit init phase kubeconfig admin --config c.yaml --root root"]
    );
    remove(&node.at(file));
    node.shell(&commands[0]).succeeded();
    node.init().accepted();
}
