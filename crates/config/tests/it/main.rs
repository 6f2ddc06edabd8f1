//! Reads the example files of `testdata/configs` and compares what is said about them.
//!
//! `invalid/<name>.yaml` has its report beside it as `<name>.findings`; so has a file of `valid`
//! that is warned of. `RINIT_BLESS=1` writes the reports anew.

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
use std::time::Duration;

use proptest::prelude::*;
use rinit_config::{Documents, Findings, ReadOptions, Rule, Severity, UnknownFields, parse};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(name)
}

fn examples(name: &str) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder(name))
        .expect("the folder of examples")
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
fn compare(folder_name: &str, name: &str, report: &str, mistakes: &mut Vec<String>) {
    let path = folder(folder_name).join(format!("{name}.findings"));
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
            "{folder_name}/{name}: expected\n{kept}found\n{report}"
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
    for folder_name in ["invalid", "valid"] {
        for (name, text) in examples(folder_name) {
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

/// The value of a variable of the environment may be a password, and a URL may hold one.
#[test]
fn passwords_are_masked() {
    let begin = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    let etcd = "etcd: {external: {caFile: /a, certFile: /b, keyFile: /c, endpoints: [";
    for rest in [
        "apiServer: {extraEnvs: [{name: A, value: 987001}]}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - name: A\n    value: [pw987001]\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - {nam: A, value: pw987001}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - {name: A, valeu: pw987001}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - {value: pw987001, name: A, x: 1}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - value: pw987001\n    value: pw987001\n".to_owned(),
        format!("{etcd}'https://root:pw987001@a{{b:1']}}}}\n"),
        format!("{etcd}'root:pw987001@a']}}}}\n"),
        "apiServer:\n  extraEnvs: {DB_PASS: pw987001}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - DB_PASS=pw987001\n".to_owned(),
        "apiServer:\n  extraEnvs:\n    DB_PASS: pw987001\n".to_owned(),
        "apiServer:\n  extraEnvs: DB_PASS=pw987001\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - {name: A, value:pw987001}\n".to_owned(),
        "apiServer:\n  extraEnvs:\n  - {name: A, value=pw987001}\n".to_owned(),
        "controlPlaneEndpoint: https://a:x pw987001@h:6443\n".to_owned(),
        // Where the schema does not lead.
        "apiServer: {extraEnv: [{name: A, value: pw987001}], foo: 1}\n".to_owned(),
        "apiServer: {xtraEnvs: [{name: A, value: pw987001}], foo: 1}\n".to_owned(),
        "apiServer:\n  extraEnv:\n  - {name: A, value: pw987001, value: x}\n".to_owned(),
        "apiServer: {extraEnvs: [], extraEnvs: [{name: A, value: pw987001}]}\n".to_owned(),
        "apiServer: {}\napiServer: {extraEnvs: [{name: A, value: pw987001}]}\n".to_owned(),
        "dns: {extraEnvs: [{name: A, value: pw987001}]}\n".to_owned(),
        "apiServer: {extraEnvs: [{name: A, valueFrom: pw987001}]}\n".to_owned(),
        "apiServer: {extraEnvs: [{name: A, valueFrom: {value: pw987001}}]}\n".to_owned(),
        "apiServer: {extraEnvs: [{name: A, value: {pw987001}}]}\n".to_owned(),
        "foo: {staticPodURLHeader: {Authorization: [pw987001]}}\n".to_owned(),
        "foo: {Authorization: [pw987001]}\n".to_owned(),
        "foo: {server: 'https://token.x:6443', token: pw987001}\n".to_owned(),
        "token: {pw987001: 1, pw987001: 2}\n".to_owned(),
        "certificateKey: [*pw987001]\n".to_owned(),
        "---\n{\"apiServer\": {\"extraEnvs\": [{\"name\": \"A\", \"value\": \"pw987001\"}]}}\n".to_owned(),
        "---\n{apiVersion: v1, kind: Pod, a: b: c, env: [{value: pw987001}]}\n".to_owned(),
        // In documents that are not read to their end, and in what is dropped.
        "apiServer: {extraEnvs: [{name: A, name: B, value: pw987001}]}\nx: [\n".to_owned(),
        "apiServer: {certSANs: [a], certSANs: [b], extraEnvs: [{value: pw987001}]}\nx: [\n".to_owned(),
        "apiServer: {extraEnvs: [{name: B, <<: 5, value: pw987001}]}\nx: [\n".to_owned(),
        "apiServer:\n  extraEnvs: []\n  extraEnvs:\n  - {name: A, name: B, value: pw987001}\n".to_owned(),
        "environment: {A: pw987001}\nenvVars: [pw987001]\n".to_owned(),
        "---\nkind: KubeletConfiguration\nstaticPodURLHeader: {A: [pw987001], A: [pw987001]}\nx: [\n"
            .to_owned(),
        "---\nkind: KubeletConfiguration\nstaticPodURLHeader:\n  Authorization:\n  - Bearer pw987001: x: y\n"
            .to_owned(),
        "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nbootstrapTokens: [pw987001]\n"
            .to_owned(),
    ] {
        let findings = read("a", format!("{begin}{rest}").as_bytes()).expect_err("a fault");
        let report = format!("{findings} {findings:?}");
        assert!(!report.contains("987001"), "{rest}: {report}");
    }
}

/// Passwords have the characters that YAML stumbles over.
#[test]
fn a_password_that_is_no_yaml_is_masked() {
    let begin = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                 apiServer:\n  extraEnvs:\n  - name: A\n    value: ";
    for value in [
        "\"pw987001\\s\"",
        "@pw987001",
        "%pw987001",
        "`pw987001",
        "pw987001: x",
        "'it's pw987001'",
        "\"pw987001",
        "\"a\" pw987001",
        "- pw987001",
        "{pw987001",
        "*pw987001",
        ">\n     a\n\tpw987001",
        "|\n      a\n   pw987001",
        "\"a\npw987001\"x",
        "|\n      host: db\n      word x\n     last pw987001",
        "|\n      user: u\n   pass: pw987001",
        "pw987001\n  - {name: A, value:pw987001",
        "\"a\n b\n c\n pw987001: x\"\n d",
        "|\n      user\npw987001",
        "|\n      -----BEGIN\n---pw987001\n      x",
        "|\n      a\n      b\npw987001: x: y",
        "a\n      b\npw987001",
        "\"user\n      a\n---\npw987001\"",
    ] {
        let findings = read("a", format!("{begin}{value}\n").as_bytes()).expect_err("a fault");
        let report = format!("{findings} {findings:?}");
        assert!(!report.contains("987001"), "{value}: {report}");
        assert!(
            report.contains("<withheld>") || !report.contains(" | "),
            "{value}: {report}"
        );
    }
    for text in [
        "bootstrapTokens:\n- token: \"a\npw987001\"x\n",
        "certificateKey:\n\tpw987001\n",
        "x: [{name: A, value: \"pw987001\"x}]\n",
        "bootstrapTokens:\n- {token:pw987001, ttl: 1h}\n",
        "certificateKey: >-\n    # from: vault\n    A\n  pw987001 [\n",
        "certificateKey:pw987001\nx: [\n",
        "extraEnvs: [{name: A,\n    value\n  : pw987001\"x, b: *c}]\n",
        "? certificateKey\n: pw987001\"\n: [pw987001\n",
        "certificateKey: \"x\n\tpw987001: b\"\n \"foo\": b\n",
        "x: https://a:x pw987001@h:6443\n",
        "x: \"https://a:x\n\tpw987001@h:6443\"#c\ny: [\n",
    ] {
        let text = format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n{text}");
        let findings = read("a", text.as_bytes()).expect_err("a fault");
        assert!(
            !findings.to_string().contains("987001"),
            "{text}: {findings}"
        );
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

/// Nor is a token that became a key, or stands beside others in a line.
#[test]
fn a_secret_in_an_odd_place_is_masked() {
    let begin = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n";
    for (rest, shown) in [
        (
            "bootstrapTokens:\n- {token:abcdef.0123456789abcdef}\n",
            "  4 | - {token:<withheld>\n",
        ),
        (
            "bootstrapTokens: [{token: abcdef.0123456789abcdef, bad: 1, token: n0pe}]\n",
            "  3 | bootstrapTokens: <withheld>\n",
        ),
        (
            "bootstrapTokens:\n- token: &t n0pe\npatches: *t\n",
            "  4 | - token: <withheld>\n",
        ),
    ] {
        let findings = read("a", format!("{begin}{rest}").as_bytes()).expect_err("a wrong token");
        let report = format!("{findings} {findings:?}");
        assert!(findings.to_string().contains(shown), "{report}");
        for secret in ["0123456789abcdef", "n0pe"] {
            assert!(!report.contains(secret), "{report}");
        }
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
    assert_eq!(init["bootstrapTokens"][0]["token"], rinit_config::WITHHELD);
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

/// What this thread computed so far: other work on the machine does not count.
fn processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock)
        .expect("the clock of this thread")
        .into()
}

/// Files of about a megabyte that try to cost much: none may take long or much memory.
#[test]
fn hostile_files_are_cheap() {
    let head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    let mut laughs = format!("{head}a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        laughs.extend([format!("a{level}: &a{level} [{before}]\n")]);
    }
    let hostile = [
        laughs,
        "[".repeat(1 << 20),
        "- ".repeat(1 << 19),
        format!("{head}clusterName: {}\n", "[],".repeat(300_000)),
        format!("{head}apiServer: [{}]\n", "[],".repeat(300_000)),
        format!(
            "{head}apiServer: {{certSANs: [{}]}}\n",
            "_,".repeat(500_000)
        ),
        format!(
            "{head}{}",
            (0..100_000).fold(String::new(), |text, number| text
                + &format!("k{number}: 1\n"))
        ),
        format!("{head}{}", "clusterName: a\n".repeat(60_000)),
        "---\n".repeat(250_000),
        "a: b: c\n---\n".repeat(80_000),
        format!("{head}{}", "&a ".repeat(300_000)),
        format!("{head}clusterName: \"{}\n", "\\x".repeat(500_000)),
        format!("{}{}", "#\n".repeat(400_000), "---\na: [}\n".repeat(1000)),
        // Forms that are written in another way before they are read again.
        format!("{head}dns: {{\n{}}}\n", "\ta: 'b',#c\n".repeat(80_000)),
        format!("{head}dns: [\n{}\n", "\t[,\n".repeat(200_000)),
        format!("{head}{}", "a: {\n\tb: 1}\n\tc: 1\n".repeat(50_000)),
        format!("{head}dns:\n  a: \"{}", "b\n".repeat(400_000)),
        format!("{head}{}", "---\n\u{feff}a: 1\n".repeat(80_000)),
        format!("{head}{}", "a: b\u{85}".repeat(120_000)),
        // Many names of secrets, and many faults, in one line.
        format!("{head}x: \"{}\"\n", "token".repeat(200_000)),
        format!("{head}x: {}\n", "secrettoken ".repeat(80_000)),
        format!("{head}x: [{}]\n", "+*a,".repeat(250_000)),
        format!("{head}token: [{}]\n", "*a,".repeat(250_000)),
        format!("{head}x: [{}]\n", "{[a]: 1},".repeat(100_000)),
        format!(
            "{head}featureGates:\n{}",
            (0..60_000).fold(String::new(), |text, number| text
                + &format!("  Gate{number}: true\n"))
        ),
    ];
    for (index, text) in hostile.iter().enumerate() {
        let start = processor_time();
        let outcome = read("hostile", text.as_bytes());
        let report = outcome.map_or_else(
            |findings| findings.to_string(),
            |documents| documents.findings.to_string(),
        );
        let spent = processor_time().saturating_sub(start);
        assert!(
            report.len() < 1 << 20,
            "case {index} reports {} bytes",
            report.len()
        );
        assert!(spent.as_secs() < 10, "case {index} takes {spent:?}");
    }
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
