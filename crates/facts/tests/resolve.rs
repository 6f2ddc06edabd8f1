//! Configuration cases on one fixed host, resolved, against kept snapshots; and the ways in which
//! resolving refuses.

use rinit_config::ReadOptions;
use rinit_facts::{Facts, HostFacts, Look, Overrides, resolve};
use rinit_plan::Secret;
use rinit_testkit::{documents, facts, facts_with, host_facts};

#[test]
fn minimal() {
    insta::assert_yaml_snapshot!(facts("minimal"));
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides {
        apiserver_advertise_address: Some("fd00::5".to_owned()),
        apiserver_bind_port: Some(7443),
        control_plane_endpoint: Some("api.example.com:8443".to_owned()),
        kubernetes_version: Some("stable-1.36".to_owned()),
        node_name: Some("Alpha".to_owned()),
        service_cidr: Some("fd00:10::/112".to_owned()),
        apiserver_cert_extra_sans: vec!["10.0.0.9".to_owned(), "Alias.example.com".to_owned()],
        ..Overrides::default()
    };
    let facts = facts_with("minimal", &overrides, &host_facts());
    assert_eq!(facts.node.api.endpoint().url(), "https://[fd00::5]:7443");
    assert_eq!(facts.endpoint().url(), "https://api.example.com:8443");
    assert_eq!(facts.cluster.version.minor().0, 36);
    assert_eq!(facts.node.name, "alpha");
    assert_eq!(
        facts.cluster.network.api_service_ip.to_string(),
        "fd00:10::1"
    );
    assert_eq!(
        facts.cluster.network.dns_service_ip.to_string(),
        "fd00:10::a"
    );
    let names = &facts.node.names.api_server.dns_names;
    assert!(names.contains(&"alias.example.com".to_owned()), "{names:?}");
    let addresses: Vec<String> = facts
        .node
        .names
        .api_server
        .ip_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["fd00:10::1", "fd00::5", "10.0.0.9"]);
}

/// What is looked at in facts.
type Seen = fn(&Facts) -> String;

/// What each flag that ends up in the facts changes there. What flags do to files is held against
/// kubeadm by the tests of the program.
#[test]
fn each_flag_has_its_effect() {
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let text = |text: &str| Some(text.to_owned());
    let cases: Vec<(Overrides, Seen, &str)> = vec![
        (
            Overrides {
                certificate_key: secret(&"a1".repeat(32)),
                ..Overrides::default()
            },
            |facts| facts.inputs.upload_certs.certificate_key.expose().clone(),
            "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        ),
        (
            Overrides {
                cri_socket: text("/run/own.sock"),
                ..Overrides::default()
            },
            |facts| facts.node.cri_socket.clone(),
            "unix:///run/own.sock",
        ),
        (
            Overrides {
                feature_gates: vec![("RootlessControlPlane".to_owned(), false)],
                ..Overrides::default()
            },
            |facts| facts.cluster.configuration["featureGates"].to_string(),
            "{\"RootlessControlPlane\":false}",
        ),
        (
            Overrides {
                ignore_preflight_errors: vec!["Swap".to_owned(), "numcpu".to_owned()],
                ..Overrides::default()
            },
            |facts| facts.node.ignored_checks.join(" "),
            "numcpu swap",
        ),
        (
            Overrides {
                skip_certificate_key_print: true,
                ..Overrides::default()
            },
            |facts| facts.inputs.join_options.skip_certificate_key.to_string(),
            "true",
        ),
        (
            Overrides {
                skip_token_print: true,
                ..Overrides::default()
            },
            |facts| facts.inputs.join_options.skip_token.to_string(),
            "true",
        ),
        (
            Overrides {
                token: secret("fedcba.fedcba9876543210"),
                ..Overrides::default()
            },
            |facts| {
                let token = &facts.inputs.bootstrap_tokens[0];
                format!("{}.{} {}", token.id, token.secret.expose(), token.drawn)
            },
            "fedcba.fedcba9876543210 false",
        ),
        (
            Overrides {
                token_ttl: text("2h30m"),
                ..Overrides::default()
            },
            |facts| format!("{:?}", facts.inputs.bootstrap_tokens[0].expires),
            "Some(2026-11-22T03:30:00Z)",
        ),
        (
            Overrides {
                token_ttl: text("0"),
                ..Overrides::default()
            },
            |facts| format!("{:?}", facts.inputs.bootstrap_tokens[0].expires),
            "None",
        ),
        (
            Overrides {
                upload_certs: true,
                ..Overrides::default()
            },
            |facts| facts.inputs.upload_certs.enabled.to_string(),
            "true",
        ),
        (
            Overrides {
                kubeconfig: text("/root/own.conf"),
                ..Overrides::default()
            },
            |facts| facts.node.access.kubeconfig.to_string(),
            "/root/own.conf",
        ),
    ];
    let without = facts("minimal");
    for (overrides, seen, expected) in cases {
        let with = facts_with("minimal", &overrides, &host_facts());
        assert_eq!(seen(&with), expected, "{overrides:?}");
        assert_ne!(seen(&without), expected, "{overrides:?} has no effect");
    }
}

/// A wrong flag is told once, as a flag, although the file sets the field too.
#[test]
fn what_is_wrong_is_told_of_where_it_was_written() {
    let file = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration:
  name: good
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
controlPlaneEndpoint: api.example.com
networking:
  serviceSubnet: 10.96.0.0/16
featureGates:
  NoSuchGate: true
";
    let documents =
        rinit_config::parse("cfg.yaml", file.as_bytes(), ReadOptions::default()).unwrap();
    let overrides = Overrides {
        apiserver_advertise_address: Some("ten".to_owned()),
        control_plane_endpoint: Some("https://a:6443/x".to_owned()),
        feature_gates: vec![("OtherGate".to_owned(), true)],
        kubernetes_version: Some("v1.20.2".to_owned()),
        node_name: Some("not_good".to_owned()),
        service_cidr: Some("10.96.0.0".to_owned()),
        token: Some(Secret::new("short".to_owned())),
        ..Overrides::default()
    };
    let error = resolve(&documents, &overrides, &host_facts()).unwrap_err();
    insta::assert_snapshot!(error.to_string());
}

/// A token that is refused asks for none to be drawn in its place.
#[test]
fn a_wrong_token_beside_a_good_one_is_the_only_problem() {
    let file = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - token: fedcba.fedcba9876543210
";
    let documents =
        rinit_config::parse("cfg.yaml", file.as_bytes(), ReadOptions::default()).unwrap();
    let host = HostFacts {
        drawn_tokens: Vec::new(),
        ..host_facts()
    };
    let overrides = Overrides {
        token: Some(Secret::new("short".to_owned())),
        ..Overrides::default()
    };
    let error = resolve(&documents, &overrides, &host).unwrap_err();
    assert_eq!(error.problems.len(), 1, "{error}");
    assert!(error.to_string().contains("--token"), "{error}");

    let both = Overrides {
        token_ttl: Some("3x".to_owned()),
        ..overrides
    };
    let error = resolve(&documents, &both, &host).unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    assert!(error.to_string().contains("--token-ttl"), "{error}");
}

/// Several tokens are drawn, each its own, and each knows how many look like it.
#[test]
fn several_tokens_are_drawn() {
    let file = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - ttl: 1h0m0s
  - token: fedcba.fedcba9876543210
  - ttl: 2h0m0s
  - description: another
";
    let documents =
        rinit_config::parse("cfg.yaml", file.as_bytes(), ReadOptions::default()).unwrap();
    assert_eq!(HostFacts::tokens_to_draw(&documents), 3);
    let token = |id: &str| Secret::new(format!("{id}.0123456789abcdef"));
    let mut host = HostFacts {
        drawn_tokens: ["aaaaaa", "bbbbbb", "cccccc"].map(token).to_vec(),
        ..host_facts()
    };
    let tokens = resolve(&documents, &Overrides::default(), &host)
        .unwrap()
        .inputs
        .bootstrap_tokens;
    let seen: Vec<_> = tokens
        .iter()
        .map(|token| (token.id.as_str(), token.drawn, token.alike))
        .collect();
    assert_eq!(
        seen,
        [
            ("aaaaaa", true, 1),
            ("fedcba", false, 0),
            ("bbbbbb", true, 2),
            ("cccccc", true, 0)
        ]
    );
    // A token that everybody knows is never put in the place of one that was not drawn.
    host.drawn_tokens.pop();
    assert!(resolve(&documents, &Overrides::default(), &host).is_err());
}

/// Where the version of a control plane that is there cannot be told, that is said.
#[test]
fn a_version_that_cannot_be_read_is_told() {
    let none = rinit_config::Documents::none("no file");
    for existing_version in [
        Look::Unreadable("cannot open the manifest".to_owned()),
        Look::Present("mine-7".to_owned()),
    ] {
        let host = HostFacts {
            existing_version,
            ..host_facts()
        };
        let facts = resolve(&none, &Overrides::default(), &host).unwrap();
        let [warning] = &facts.warnings[..] else {
            panic!("{:?}", facts.warnings)
        };
        assert!(warning.message.contains("is not known"), "{warning}");
        let overrides = Overrides {
            kubernetes_version: Some("v1.37.0".to_owned()),
            ..Overrides::default()
        };
        let facts = resolve(&none, &overrides, &host).unwrap();
        assert!(facts.warnings.is_empty(), "{:?}", facts.warnings);
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let overrides = Overrides {
        service_cidr: Some("10.96.0.0/33".to_owned()),
        kubernetes_version: Some("v1.20.2".to_owned()),
        feature_gates: vec![("NoSuchGate".to_owned(), true)],
        ignore_preflight_errors: vec!["all".to_owned(), "Swap".to_owned()],
        token_ttl: Some("a day".to_owned()),
        ..Overrides::default()
    };
    let error = resolve(&documents("minimal"), &overrides, &host_facts())
        .unwrap_err()
        .to_string();
    for part in [
        "10.96.0.0/33",
        "v1.20.2",
        "NoSuchGate",
        "`all`",
        "--token-ttl",
    ] {
        assert!(error.contains(part), "{part} is not in:\n{error}");
    }
}

/// A megabyte of mistakes is not worth more than a moment.
#[test]
fn many_mistakes_are_cheap() {
    const KIND: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    let lines = |line: fn(u32) -> String| (0..10_000).map(line).collect::<Vec<_>>().concat();
    let gates = lines(|n| format!("  G{n}: true\n"));
    let arguments = lines(|n| format!("  - {{name: b{n}, value: x}}\n"));
    let read = |text: String| {
        rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap()
    };
    let none = Overrides::default();
    let gates = read(format!("{KIND}featureGates:\n{gates}"));
    let arguments = read(format!("{KIND}apiServer:\n  extraArgs:\n{arguments}"));

    let begun = std::time::Instant::now();
    let refused = resolve(&gates, &none, &host_facts()).unwrap_err().findings;
    let facts = resolve(&arguments, &none, &host_facts()).unwrap();
    let advice = rinit_facts::advise(&arguments, &none, &host_facts(), &facts).findings;
    let taken = begun.elapsed();

    for findings in [refused, advice] {
        assert_eq!(findings.len(), 500);
        assert!(
            findings
                .to_string()
                .ends_with("more findings are not shown\n")
        );
    }
    assert!(taken.as_secs() < 10, "{taken:?}");
}

/// Of two fields that do not go together, the one that is written is shown.
#[test]
fn a_doubt_is_told_where_something_is_written() {
    let file = b"apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.96.3.4}
";
    let documents = rinit_config::parse("cfg.yaml", file, ReadOptions::default()).unwrap();
    let none = Overrides::default();
    let facts = resolve(&documents, &none, &host_facts()).unwrap();
    let advice = rinit_facts::advise(&documents, &none, &host_facts(), &facts);
    let said = advice.findings.to_string();
    assert!(said.starts_with("cfg.yaml:3:38: warning: "), "{said}");
    assert!(said.contains("10.96.0.0/12 has 10.96.3.4"), "{said}");
}

/// An address that only stands in for that of a node is in a network by chance.
#[test]
fn an_address_that_stands_in_is_not_judged() {
    const KIND: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    const NETWORK: &str = "networking: {podSubnet: 192.0.2.0/24}\n";
    const WRITTEN: &str = "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n\
                           localAPIEndpoint: {advertiseAddress: 192.0.2.1}\n";
    let flag = Overrides {
        apiserver_advertise_address: Some("192.0.2.1".to_owned()),
        ..Overrides::default()
    };
    for (written, overrides, told) in [
        ("", Overrides::default(), 0),
        (WRITTEN, Overrides::default(), 1),
        ("", flag, 1),
    ] {
        let text = format!("{KIND}{NETWORK}{written}");
        let documents =
            rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap();
        let host = HostFacts::of_no_host(&documents, host_facts().now);
        let facts = resolve(&documents, &overrides, &host).unwrap();
        let advice = rinit_facts::advise(&documents, &overrides, &host, &facts);
        let problems = advice.problems.iter().map(ToString::to_string);
        let said = advice.findings.to_string() + &problems.collect::<String>();
        let count = advice.findings.len() + advice.problems.len();
        assert_eq!(count, told, "{written}: {said}");
        assert_eq!(
            said.contains("the address of this node"),
            told > 0,
            "{said}"
        );
    }
}

/// Nobody reaches a link-local address from another node, whether the file or a flag has it.
#[test]
fn an_address_that_no_node_reaches_is_refused_from_a_flag_too() {
    for address in ["169.254.1.1", "fe80::1", "224.0.0.1", "255.255.255.255"] {
        let overrides = Overrides {
            apiserver_advertise_address: Some(address.to_owned()),
            ..Overrides::default()
        };
        let error = resolve(&documents("minimal"), &overrides, &host_facts())
            .unwrap_err()
            .to_string();
        let message = format!(
            "--apiserver-advertise-address: the API server cannot be announced at {address}"
        );
        assert!(error.contains(&message), "{error}");
    }
}

/// `::` asks for the address of the IPv6 default route, `0.0.0.0` for that of IPv4, and each takes the
/// other where there is no such route.
#[test]
fn an_unspecified_address_asks_for_its_own_family() {
    let none = rinit_config::Documents::none("no file");
    let ipv6 = rinit_facts::DefaultRoute {
        address: "fd00::a".parse().unwrap(),
        interface: Some("eth1".to_owned()),
    };
    let both = HostFacts {
        ipv6_default_route: Some(ipv6),
        ..host_facts()
    };
    let ipv6_only = HostFacts {
        ipv4_default_route: None,
        ..both.clone()
    };
    for (host, written, chosen) in [
        (&both, "::", "fd00::a"),
        (&both, "0.0.0.0", "10.123.0.2"),
        (&both, "::ffff:0.0.0.0", "10.123.0.2"),
        (&host_facts(), "::", "10.123.0.2"),
        (&ipv6_only, "0.0.0.0", "fd00::a"),
    ] {
        let overrides = Overrides {
            apiserver_advertise_address: Some(written.to_owned()),
            service_cidr: (chosen == "fd00::a").then(|| "fd01::/112".to_owned()),
            ..Overrides::default()
        };
        let facts = resolve(&none, &overrides, host).unwrap();
        assert_eq!(
            facts.node.api.advertise_address.to_string(),
            chosen,
            "{written}"
        );
        let told = facts.node.settings["localAPIEndpoint.advertiseAddress"].to_string();
        let interface = if chosen == "fd00::a" { "eth1" } else { "eth0" };
        assert!(told.contains(&format!("over {interface}")), "{told}");
    }
}

/// An address in another writing is still that of the flag.
#[test]
fn an_address_is_told_from_where_it_was_written() {
    let none = rinit_config::Documents::none("no file");
    for written in ["010.9.8.7", "::ffff:10.9.8.7"] {
        let overrides = Overrides {
            apiserver_advertise_address: Some(written.to_owned()),
            ..Overrides::default()
        };
        let facts = resolve(&none, &overrides, &host_facts()).unwrap();
        let told = facts.node.settings["localAPIEndpoint.advertiseAddress"].to_string();
        assert_eq!(told, "10.9.8.7 (--apiserver-advertise-address)");
    }
}

#[test]
fn a_host_without_a_default_route_needs_an_address() {
    let mut host = host_facts();
    host.ipv4_default_route = None;
    let none = rinit_config::Documents::none("no file");
    let error = resolve(&none, &Overrides::default(), &host)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--apiserver-advertise-address"), "{error}");
}

#[test]
fn without_a_version_the_one_on_the_host_counts() {
    let mut host = host_facts();
    host.existing_version = Look::Present("v1.36.2".to_owned());
    let none = rinit_config::Documents::none("no file");
    let facts = resolve(&none, &Overrides::default(), &host).unwrap();
    assert_eq!(facts.cluster.version.to_string(), "v1.36.2");
}

/// Whether the kubelet asks its own API server, whether it has an instance configuration, and which
/// keys are made.
type Decided = (bool, bool, &'static str);

#[test]
fn feature_gates_decide_as_in_the_kubeadm_of_the_minor() {
    const CASES: [(u32, &str, Decided); 15] = [
        (32, "", (false, false, "RSA-3072")),
        (
            32,
            "ControlPlaneKubeletLocalMode: true",
            (true, false, "RSA-3072"),
        ),
        (32, "NodeLocalCRISocket: true", (false, true, "RSA-3072")),
        (32, "PublicKeysECDSA: true", (false, false, "ECDSA-P256")),
        (32, "PublicKeysECDSA: false", (false, false, "RSA-2048")),
        (33, "", (true, false, "RSA-3072")),
        (
            33,
            "ControlPlaneKubeletLocalMode: false",
            (false, false, "RSA-3072"),
        ),
        (
            34,
            "ControlPlaneKubeletLocalMode: false",
            (false, true, "RSA-3072"),
        ),
        (34, "NodeLocalCRISocket: false", (true, false, "RSA-3072")),
        // Known, and without effect.
        (
            35,
            "ControlPlaneKubeletLocalMode: false",
            (true, true, "RSA-3072"),
        ),
        (
            34,
            "WaitForAllControlPlaneComponents: false",
            (true, true, "RSA-3072"),
        ),
        (32, "EtcdLearnerMode: false", (false, false, "RSA-3072")),
        (36, "NodeLocalCRISocket: false", (true, false, "RSA-3072")),
        (36, "PublicKeysECDSA: true", (true, true, "ECDSA-P256")),
        (37, "RootlessControlPlane: false", (true, true, "RSA-3072")),
    ];
    for (minor, gates, decided) in CASES {
        let text = format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
             kubernetesVersion: v1.{minor}.1\nencryptionAlgorithm: RSA-3072\n\
             featureGates: {{{gates}}}\n"
        );
        let documents =
            rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap();
        let facts = resolve(&documents, &Overrides::default(), &host_facts()).unwrap();
        let found = (
            facts.kubelet_asks_own_api_server(),
            facts.has_instance_configuration(),
            facts.cluster.certificates.algorithm.name(),
        );
        assert_eq!(found, decided, "1.{minor} {gates}");
        // What is followed, or is nothing to follow, is no reason to refuse a file with `--strict`.
        assert!(facts.warnings.is_empty(), "1.{minor} {gates}");
    }
}

/// A field that the component of the minor does not know yet is warned of like any other that it
/// does not know, and once.
#[test]
fn fields_of_a_later_minor_are_unknown_to_an_older_one() {
    const FIELDS: &str = "---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
tlsCurvePreferences: [29]
userNamespaces: {idsPerPod: 65536}
defaultPodSysctls: {a: b}
";
    for (version, expected) in [
        ("v1.37.1", &[][..]),
        ("v1.36.3", &[("defaultPodSysctls", 9)]),
        (
            "v1.33.13",
            &[("tlsCurvePreferences", 7), ("defaultPodSysctls", 9)],
        ),
        (
            "v1.32.13",
            &[
                ("tlsCurvePreferences", 7),
                ("userNamespaces", 8),
                ("defaultPodSysctls", 9),
            ],
        ),
    ] {
        let text = format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: {version}\n{FIELDS}"
        );
        let documents =
            rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap();
        let none = Overrides::default();
        let facts = resolve(&documents, &none, &host_facts()).unwrap();
        let advice = rinit_facts::advise(&documents, &none, &host_facts(), &facts);
        let found: Vec<(&str, usize)> = advice
            .findings
            .iter()
            .map(|finding| (finding.path.as_str(), finding.place.line))
            .collect();
        assert_eq!(found, expected, "{version}: {}", advice.findings);
    }
}

#[test]
fn of_a_feature_gate_that_has_gone_it_is_said_what_stands_for_it() {
    const CASES: [(u32, &str, &str); 6] = [
        (
            37,
            "PublicKeysECDSA: true",
            "set `encryptionAlgorithm: ECDSA-P256`",
        ),
        (
            37,
            "PublicKeysECDSA: false",
            "set `encryptionAlgorithm: RSA-2048`",
        ),
        (37, "NodeLocalCRISocket: true", "always on now"),
        (
            36,
            "ControlPlaneKubeletLocalMode: false",
            "cannot be turned off",
        ),
        (
            35,
            "WaitForAllControlPlaneComponents: false",
            "cannot be turned off",
        ),
        (33, "EtcdLearnerMode: true", "always on now"),
    ];
    for (minor, gate, said) in CASES {
        let text = format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
             kubernetesVersion: v1.{minor}.1\nfeatureGates: {{{gate}}}\n"
        );
        let documents =
            rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap();
        let refused = resolve(&documents, &Overrides::default(), &host_facts()).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains(said), "1.{minor} {gate}: {refused}");
    }
}

#[test]
fn the_mode_ipvs_is_warned_of_where_kubeadm_warns_of_it() {
    for (minor, is_warned_of) in [
        (32, false),
        (33, false),
        (34, false),
        (35, false),
        (36, false),
        (37, true),
    ] {
        let text = format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
             kubernetesVersion: v1.{minor}.1\n---\n\
             apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\
             mode: ipvs\n"
        );
        let documents =
            rinit_config::parse("cfg.yaml", text.as_bytes(), ReadOptions::default()).unwrap();
        let facts = resolve(&documents, &Overrides::default(), &host_facts()).unwrap();
        let said = facts.doubtful.to_string();
        assert_eq!(said.contains("ipvs"), is_warned_of, "1.{minor}: {said}");
    }
}
