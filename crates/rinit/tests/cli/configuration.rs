//! Configurations with errors: all of them, with their places, and nothing written.

use std::fmt::Write as _;

use crate::support::{CONFIG, HOST_PHASES, Place};

/// Words to replace in the good configuration, and the places of the errors.
struct Case {
    name: &'static str,
    replaced: &'static [(&'static str, &'static str)],
    places: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "an unknown field",
        replaced: &[("  name: node-1", "  nam: node-1")],
        places: &["6:3"],
    },
    Case {
        name: "a wrong type",
        replaced: &[("10.123.0.2", "10.123.0.2\n  bindPort: many")],
        places: &["5:13"],
    },
    Case {
        name: "a bad CIDR",
        replaced: &[(
            "kubernetesVersion: v1.37.1",
            "networking:\n  serviceSubnet: 10.96.0.0/33",
        )],
        places: &["12:18"],
    },
    Case {
        name: "two problems at once",
        replaced: &[
            ("advertiseAddress: 10.123.0.2", "advertiseAddress: nowhere"),
            ("ECDSA-P256", "ROT13"),
        ],
        places: &["4:21", "12:22"],
    },
    Case {
        name: "problems of every kind at once",
        replaced: &[
            ("advertiseAddress: 10.123.0.2", "bindPort: [6443]"),
            ("  name: node-1", "  nam: node-1"),
            (
                "kubernetesVersion: v1.37.1",
                "kubernetesVersion: newest\nnetworking:\n  podSubnet: 10.244.0.0",
            ),
        ],
        places: &["4:13", "6:3", "11:20", "13:14"],
    },
    Case {
        name: "no YAML",
        replaced: &[("kind: ClusterConfiguration", "kind: [")],
        places: &["12:20"],
    },
];

#[test]
fn every_error_is_told_with_its_place_and_nothing_is_written() {
    let place = Place::new();
    let mut shown = String::new();
    for case in CASES {
        let mut text = CONFIG.to_owned();
        for (old, new) in case.replaced {
            assert!(text.contains(old), "{}: {old}", case.name);
            text = text.replace(old, new);
        }
        place.write("bad.yaml", &text);
        for words in [
            format!("init --config bad.yaml --root root --skip-phases {HOST_PHASES}"),
            format!("init --config bad.yaml --root root --skip-phases {HOST_PHASES} -o json"),
            "init --config bad.yaml --dry-run".to_owned(),
            "init phase certs all --config bad.yaml --root root".to_owned(),
            "certs check-expiration --config bad.yaml --root root".to_owned(),
        ] {
            let said = place.run(&words);
            assert_eq!(
                said.code,
                Some(3),
                "{}: {words}: {}",
                case.name,
                said.shown()
            );
            let places: Vec<&str> = said
                .stderr
                .lines()
                .filter_map(|line| line.strip_prefix("bad.yaml:")?.split(": error: ").next())
                .collect();
            assert_eq!(places, case.places, "{}: {words}", case.name);
            assert!(!place.at("root").exists(), "{}: {words}", case.name);
            if words.ends_with(HOST_PHASES) {
                assert_eq!(said.stdout, "");
                writeln!(shown, "== {}\n{}", case.name, said.stderr).unwrap();
            }
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_wrong_with_flags_is_told_by_the_flag() {
    let place = Place::new();
    let mut shown = String::new();
    for flags in [
        "--service-cidr 10.96.0.0/33",
        "--service-cidr nowhere --service-dns-domain _",
        "--token abc",
        "--feature-gates Nonsense=true",
        "--feature-gates EtcdLearnerMode=yes",
        "--certificate-key 1234",
        "--patches nowhere",
        "--token-ttl soon",
        "--control-plane-endpoint https://a",
    ] {
        let said = place.run(&format!(
            "init --config config.yaml --root root --skip-phases {HOST_PHASES} {flags}"
        ));
        assert_eq!(said.code, Some(3), "{flags}: {}", said.shown());
        assert_eq!(said.stdout, "");
        assert!(!place.at("root").exists(), "{flags}");
        writeln!(shown, "{flags}\n{}", said.stderr).unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_missing_file_is_told() {
    let place = Place::new();
    let mut shown = String::new();
    for words in [
        "init --config nowhere.yaml",
        "init --config nowhere.yaml --dry-run",
        "init phase certs ca --config nowhere.yaml --root root",
        "certs check-expiration --config nowhere.yaml",
        "init --config .",
    ] {
        let said = place.run(words);
        assert_eq!(said.code, Some(3), "{words}: {}", said.shown());
        assert_eq!(said.stdout, "");
        writeln!(shown, "$ rinit {words}\n{}", said.stderr).unwrap();
    }
    assert!(!place.at("root").exists());
    insta::assert_snapshot!(shown);
}

#[test]
fn a_configuration_is_read_from_standard_input() {
    use std::io::Write as _;
    use std::process::Stdio;
    let place = Place::new();
    let words = format!("init --config - --root root --skip-phases {HOST_PHASES}");
    let mut child = place
        .command(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(CONFIG.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(place.at("root/etc/kubernetes/pki/ca.crt").exists());
}
