//! Reads the example files of `testdata/configs` and compares what is said about them.
//!
//! `invalid/<name>.yaml` has its report beside it as `<name>.findings`; so has a file of `valid`
//! that is warned of. `RINIT_BLESS=1` writes the reports again.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout"
)]
#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its examples fails"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rinit_config::{Documents, Findings, ReadOptions, Rule, Severity, UnknownFields, parse};
use serde_json::{Value, json};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(name)
}

fn examples(name: &str) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(directory(name))
        .expect("the directory of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .map(|path| {
            let stem = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (stem, std::fs::read(&path).expect("an example"))
        })
        .collect()
}

fn read(name: &str, text: &[u8]) -> Result<Documents, Findings> {
    parse(&format!("{name}.yaml"), text, ReadOptions::default())
}

/// Compares a report with the one kept beside the example.
fn compare(directory_name: &str, name: &str, report: &str, mistakes: &mut Vec<String>) {
    let path = directory(directory_name).join(format!("{name}.findings"));
    if std::env::var_os("RINIT_BLESS").is_some() {
        if report.is_empty() {
            let _ = std::fs::remove_file(&path);
        } else {
            std::fs::write(&path, report).expect("the report");
        }
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept != report {
        mistakes.push(format!(
            "{directory_name}/{name}: expected\n{kept}found\n{report}"
        ));
    }
}

#[test]
fn invalid_files_are_refused_with_all_that_is_wrong() {
    let mut mistakes = Vec::new();
    let examples = examples("invalid");
    assert!(
        examples.len() >= 60,
        "only {} invalid examples",
        examples.len()
    );
    for (name, text) in examples {
        match read(&name, &text) {
            Ok(_) => mistakes.push(format!("{name} is taken")),
            Err(findings) => compare("invalid", &name, &findings.to_string(), &mut mistakes),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn valid_files_are_taken() {
    let mut mistakes = Vec::new();
    let examples = examples("valid");
    assert!(
        examples.len() >= 20,
        "only {} valid examples",
        examples.len()
    );
    for (name, text) in examples {
        match read(&name, &text) {
            Ok(documents) => {
                compare(
                    "valid",
                    &name,
                    &documents.findings.to_string(),
                    &mut mistakes,
                );
            }
            Err(findings) => mistakes.push(format!("{name} is refused:\n{findings}")),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// Every finding begins with file, line and column, and they are in the order of their places.
#[test]
fn findings_have_their_places_in_order() {
    for (name, text) in examples("invalid") {
        let findings = read(&name, &text).expect_err("an invalid example");
        let places: Vec<_> = findings.iter().map(|finding| finding.place).collect();
        assert!(places.is_sorted(), "{name}");
        let report = findings.to_string();
        let first = findings.iter().next().expect("a finding");
        let start = format!("{name}.yaml:{}:{}: ", first.place.line, first.place.column);
        assert!(report.starts_with(&start), "{report}");
    }
}

/// The secrets that stand in the examples are in no report, in no `Debug` and in nothing written.
#[test]
fn no_secret_is_shown() {
    const SECRETS: [&str; 8] = [
        "0123456789abcdef",
        "abcdef.0123",
        "123456.1234567890123456",
        "e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204",
        "zzzzeb8581237ab7",
        "n0pe",
        "5h0rt",
        "ABCDEF.0",
    ];
    for directory_name in ["invalid", "valid"] {
        for (name, text) in examples(directory_name) {
            let shown = match read(&name, &text) {
                Err(findings) => format!("{findings} {findings:?}"),
                Ok(documents) => {
                    let written = documents
                        .init
                        .as_ref()
                        .map(rinit_config::InitConfiguration::to_value);
                    format!("{} {documents:?} {written:?}", documents.findings)
                }
            };
            for secret in SECRETS {
                assert!(!shown.contains(secret), "{name} shows {secret}: {shown}");
            }
        }
    }
}

/// Nothing is shown of a file but harmless fields: no line that is no YAML, and no field that is
/// unknown or may hold a secret.
#[test]
fn only_harmless_fields_are_shown() {
    let begin = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    for (rest, shown) in [
        (
            "certificatesDir: pki # pw987001\n",
            "  3 | certificatesDir: pki\n",
        ),
        (
            "apiServer: {certSANs: [a_b], x: pw987001}\n",
            "  3 | a_b\n    | ^^^\n",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {name: [], value: [pw987001]}\n",
            "",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {name: A, value: 987001}\n",
            "",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {name: A, valeu: pw987001}\n",
            "",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {name: A, value:pw987001}\n",
            "",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {name: A, value: *pw987001}\n",
            "",
        ),
        (
            "apiServer:\n  extraEnvs:\n  - {value: a, value: pw987001}\n",
            "",
        ),
        ("apiServer:\n  extraEnvs:\n  - DB_PASS=pw987001\n", ""),
        ("apiServer:\n  extraEnvs: {DB_PASS: pw987001}\n", ""),
        ("apiServer: {extraEnv: [{name: A, value: pw987001}]}\n", ""),
        (
            "etcd: {external: {endpoints: ['https://root:pw987001@a{b:1']}}\n",
            "",
        ),
        ("controlPlaneEndpoint: https://a:x pw987001@h:6443\n", ""),
        ("controlPlaneEndpoint: \"https://a:x`pw987001@h\"\n", ""),
        ("clusterName: \"pw987001\\s\"\n", ""),
        ("clusterName: @pw987001\n", ""),
        ("clusterName: a: pw987001\n", ""),
        ("clusterName: \"a\n---\npw987001\"\n", ""),
        (
            "---\nkind: KubeletConfiguration\nstaticPodURLHeader: {A: [pw987001]}\n",
            "",
        ),
        (
            "---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
             staticPodURLHeader: {A: pw987001}\nstaticPodURLHeaders: pw987001\nmaxPods: a b\n",
            "  8 | maxPods: a b\n    |          ^^^\n",
        ),
        (
            "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n\
             bootstrapTokens: [pw987001, {token: 987001}, {token:pw987001}]\n\
             certificateKey: pw987001\n",
            "",
        ),
    ] {
        let findings = read("a", format!("{begin}{rest}").as_bytes()).expect_err("a fault");
        let report = format!("{findings} {findings:?}");
        assert!(!report.contains("987001"), "{rest}: {report}");
        let report = findings.to_string();
        let is_shown = if shown.is_empty() {
            !report.contains(" | ")
        } else {
            report.contains(shown)
        };
        assert!(is_shown, "{rest}: {report}");
    }
}

/// A terminal obeys control characters, and a line feed would begin another finding.
#[test]
fn what_a_file_says_stays_on_its_line() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                certificatesDir: \"a\\x1b[31m\\nx.yaml:1:1: error: b\"\n\
                networking:\n  podSubnet: |\n    10.244.0.0/16\n\"\\x1b\\n\": 1\n";
    let report = read("a", text.as_bytes()).expect_err("faults").to_string();
    assert!(!report.contains('\u{1b}'), "{report:?}");
    assert!(report.contains("a\\u{1b}[31m\\nx.yaml"), "{report}");
    assert!(
        report.contains("`10.244.0.0/16\\n` is not a CIDR"),
        "{report}"
    );
    let hint = "hint: write the network without a space or line break around it";
    assert!(report.contains(hint), "{report}");
    let begins = ["a.yaml:", "  "];
    assert!(
        report
            .lines()
            .all(|line| begins.iter().any(|begin| line.starts_with(begin))),
        "{report}"
    );
}

#[test]
fn what_is_mostly_meant_is_said() {
    for (rest, hint) in [
        ("clusterName:\u{a0}foo\n", "has an invisible character"),
        (
            "controlPlaneEndpoint: [fd00::1]:6443\n",
            "begins with `[` in quotes",
        ),
        (
            "apiServer: {certSANs: [a,, b]}\n",
            "the comma that has nothing before it",
        ),
        ("certificateValidityPeriod: 8760\n", "such as in `8760h`"),
        ("kubernetesVersion: 1.37\n", "such as `v1.37.1`"),
    ] {
        let text =
            format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n{rest}");
        let report = read("a", text.as_bytes()).expect_err("a fault").to_string();
        assert!(report.contains(hint), "{rest}: {report}");
    }
}

#[test]
fn unknown_fields_can_be_left_out_with_a_warning() {
    let text = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterNam: a\n";
    assert!(read("a", text).is_err());
    let options = ReadOptions {
        unknown_fields: UnknownFields::Warn,
    };
    let documents = parse("a.yaml", text, options).expect("only a warning");
    let warnings: Vec<_> = documents.findings.iter().collect();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].severity, Severity::Warning);
    assert_eq!(
        warnings[0].hint.as_deref(),
        Some("did you mean `clusterName`?")
    );
    assert_eq!(documents.cluster.expect("a cluster").cluster_name, None);
}

/// However many warnings there are, an error after them refuses the file.
#[test]
fn an_error_after_many_warnings_counts() {
    let unknown: Vec<String> = (0..5000).map(|number| format!("k{number}: 1\n")).collect();
    let unknown = unknown.concat();
    let head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    let text = format!("{head}{unknown}certificatesDir: pki\n");
    let options = ReadOptions {
        unknown_fields: UnknownFields::Warn,
    };
    let findings = parse("a.yaml", text.as_bytes(), options).expect_err("a relative path");
    assert!(findings.has_errors());
    assert!(
        findings
            .to_string()
            .contains("certificatesDir: `pki` is not an absolute path")
    );
    assert!(
        findings
            .to_string()
            .ends_with("more findings are not shown\n")
    );
}

#[test]
fn every_value_has_its_place() {
    let text = examples("valid")
        .remove("every-init-field")
        .expect("the example");
    let source = read("a", &text).expect("a good file").source;
    let lines: Vec<&str> = std::str::from_utf8(&text).expect("UTF-8").lines().collect();
    for (path, shown) in [
        ("bootstrapTokens[0].token", "abcdef"),
        ("bootstrapTokens[1].ttl", "0s"),
        ("nodeRegistration.taints[1].effect", "NoExecute"),
        ("nodeRegistration.kubeletExtraArgs[1].value", "\"5\""),
        ("skipPhases[0]", "addon/kube-proxy"),
        ("localAPIEndpoint", "localAPIEndpoint:"),
        ("timeouts.discovery", "5m"),
    ] {
        let place = source
            .place(path)
            .unwrap_or_else(|| panic!("{path} has a place"));
        let rest = &lines[place.line - 1][place.column - 1..];
        assert!(rest.starts_with(shown), "{path} is at {place}: {rest}");
    }
    assert_eq!(source.place("bootstrapTokens[2]"), None);
    assert_eq!(source.place("networking.podSubnet"), None);
    let finding = source.finding(
        Rule::UnknownField,
        Severity::Error,
        "localAPIEndpoint.noSuchField",
        "is missing",
    );
    assert_eq!(Some(finding.place), source.place("localAPIEndpoint"));
    let text = examples("valid")
        .remove("kind-shaped")
        .expect("the example");
    let source = read("a", &text).expect("a good file").source;
    let place = source.place_in("KubeletConfiguration", "evictionHard.nodefs.inodesFree");
    assert!(place.is_some(), "keys with points are found");
}

/// What is written is what kubeadm stores: `{}` for objects, Go durations, nothing unset.
#[test]
fn a_cluster_is_written_as_kubeadm_stores_it() {
    let empty = rinit_config::ClusterConfiguration::default().to_value();
    assert_eq!(
        empty,
        json!({
            "apiServer": {}, "controllerManager": {}, "scheduler": {}, "dns": {}, "proxy": {},
            "etcd": {}, "networking": {},
        })
    );
    let text = examples("valid")
        .remove("kubeadm-print-defaults")
        .expect("the example");
    let documents = read("a", &text).expect("a good file");
    let cluster = documents.cluster.expect("a cluster");
    assert_eq!(
        cluster.to_value(),
        json!({
            "apiServer": {}, "controllerManager": {}, "scheduler": {}, "dns": {}, "proxy": {},
            "caCertificateValidityPeriod": "87600h0m0s",
            "certificateValidityPeriod": "8760h0m0s",
            "certificatesDir": "/etc/kubernetes/pki",
            "clusterName": "kubernetes",
            "encryptionAlgorithm": "RSA-2048",
            "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
            "imageRepository": "registry.k8s.io",
            "kubernetesVersion": "v1.36.3",
            "networking": {"dnsDomain": "cluster.local", "serviceSubnet": "10.96.0.0/12"},
        })
    );
    let init = documents.init.expect("an init").to_value();
    assert_eq!(init["nodeRegistration"]["taints"], Value::Null);
    assert_eq!(init["timeouts"]["kubernetesAPICall"], "1m0s");
    assert_eq!(init["bootstrapTokens"][0]["token"], "<redacted>");
}

/// A cluster that uses every field is written with all of them, and read back the same.
#[test]
fn a_cluster_survives_writing_and_reading() {
    for name in [
        "every-cluster-field",
        "kubespray-shaped",
        "kind-shaped",
        "dual-stack",
    ] {
        let text = examples("valid").remove(name).expect("the example");
        let cluster = read(name, &text)
            .expect("a good file")
            .cluster
            .expect("a cluster");
        let mut value = cluster.to_value();
        value["apiVersion"] = json!("kubeadm.k8s.io/v1beta4");
        value["kind"] = json!("ClusterConfiguration");
        let again = read(name, value.to_string().as_bytes()).expect("what was written is good");
        // Go cannot tell `false` from nothing, so the two are compared as written.
        let again = again.cluster.expect("the cluster").to_value();
        assert_eq!(again, cluster.to_value(), "{name}");
    }
}

#[test]
fn words_and_empty_values_mean_what_they_mean_to_kubeadm() {
    let mut examples = examples("valid");
    let words = read("a", &examples.remove("yaml-1-1-words").expect("it")).expect("a good file");
    let (init, cluster) = (
        words.init.expect("an init"),
        words.cluster.expect("a cluster"),
    );
    assert_eq!(init.dry_run, Some(true));
    assert_eq!(init.node_registration.image_pull_serial, Some(false));
    assert_eq!(init.local_api_endpoint.bind_port, Some(6443));
    assert_eq!(
        (cluster.dns.disabled, cluster.proxy.disabled),
        (Some(true), Some(true))
    );
    assert_eq!(cluster.api_server.component.extra_args[0].value, "no");
    let empty = read("a", &examples.remove("empty-values").expect("it")).expect("a good file");
    let cluster = empty.cluster.expect("a cluster");
    assert_eq!(cluster.control_plane_endpoint, None);
    assert_eq!(
        cluster.networking,
        rinit_config::v1beta4::Networking::default()
    );
    assert_eq!(
        (cluster.etcd.local, cluster.encryption_algorithm),
        (None, None)
    );
    let taints = |name: &str, text: &[u8]| {
        read(name, text)
            .expect("a good file")
            .init
            .expect("an init")
            .node_registration
            .taints
    };
    assert_eq!(taints("a", &examples["kubeadm-print-defaults"]), None);
    assert_eq!(
        taints("a", &examples["cluster-api-shaped"]),
        Some(Vec::new())
    );
    let merged = read("a", &examples["anchors-and-merge"])
        .expect("a good file")
        .cluster
        .expect("it");
    let volume = &merged.scheduler.extra_volumes[0];
    assert_eq!(
        (volume.name.as_str(), volume.host_path.as_str()),
        ("zone", "/usr/share/zoneinfo")
    );
    assert_eq!(
        merged.controller_manager.extra_args,
        merged.api_server.component.extra_args
    );
}

/// A few lines whose aliases stand for more than there is memory.
#[test]
fn aliases_that_add_up_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        text.extend([format!("a{level}: &a{level} [{before}]\n")]);
    }
    let findings = read("laughs", text.as_bytes()).expect_err("too much");
    let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::TooManyValues], "{findings}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read("any", &text).map_err(|findings| findings.to_string());
    }

    #[test]
    fn any_yaml_like_text_is_survived(
        lines in proptest::collection::vec(r"[ \t]{0,4}(- )?[a-z&*!<{\[\]}|>'\x22%#~?é]{0,9}(: ?)?[0-9a-zA-Z./,:*&{\[\]}'\x22]{0,12}", 0..30),
        ending in prop_oneof!["\n", "\r\n", "\r"],
    ) {
        let text = format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n{}", lines.join(&ending));
        let _ = read("any", text.as_bytes()).map_err(|findings| findings.to_string());
    }

    #[test]
    fn a_broken_example_is_survived(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let examples = examples("valid");
        let mut text = examples.values().nth(which.index(examples.len())).expect("one of them").clone();
        let position = at.index(text.len());
        text[position] = byte;
        let _ = read("any", &text).map_err(|findings| findings.to_string());
    }

    #[test]
    fn durations_are_read_back(nanoseconds in any::<i64>()) {
        let duration = rinit_config::GoDuration::from_nanoseconds(nanoseconds);
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }
}
