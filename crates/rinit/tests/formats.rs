//! What is printed and written is read by those whom it is for: the schema by a validator of JSON
//! Schema, YAML by Kubernetes' own parser, and the lists of images are those of the real kubeadm.
//!
//! `RINIT_TEST_COMPONENTS` names the folder of the components of one version, see
//! `docs/testing.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout, and programs are run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rinit_manifest::yaml;
use serde_json::{Value, json};

fn rinit(arguments: &[&str]) -> Output {
    Command::new(rinit_testkit::program())
        .args(arguments)
        .output()
        .expect("rinit runs")
}

#[track_caller]
fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program of the components of a version: that of `RINIT_TEST_COMPONENTS`, or one beside it.
fn component(test: &str, program: &str, version: Option<&str>) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("RINIT_TEST_COMPONENTS").map(PathBuf::from) else {
        eprintln!("skipped: {test} needs RINIT_TEST_COMPONENTS");
        return None;
    };
    let folder = match version {
        None => folder,
        Some(version) => folder.parent().expect("a folder of versions").join(version),
    };
    let path = folder.join("bin").join(program);
    if !path.exists() {
        eprintln!("skipped: {test} needs {}", path.display());
        return None;
    }
    Some(path)
}

fn configs(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(folder)
}

/// Invalid files whose fault is a type, a word that is none of a list, or a field that there is
/// not: what a schema can know.
const AGAINST_THE_SCHEMA: &[&str] = &[
    "component-durations-null",
    "encryption-algorithm",
    "feature-gates-not-bool",
    "kube-proxy-value-types",
    "kubelet-value-types",
    "path-type",
    "pull-policy",
    "reset-unmount-flag",
    "token-form",
    "token-misspelt",
    "token-usages",
    "unknown-field",
    "unknown-field-nested",
    "upgrade-unknown-field",
    "wrong-type-list-for-string",
    "wrong-type-map-for-list",
    "wrong-type-number-for-string",
    "wrong-type-scalar-for-map",
    "wrong-type-string-for-bool",
];

/// Reads the schema and documents, and prints the names of those that are not as expected.
const VALIDATOR: &str = "
import json, sys
from jsonschema import Draft202012Validator as Validator
given = json.load(sys.stdin)
Validator.check_schema(given['schema'])
validator = Validator(given['schema'])
for case in given['cases']:
    wrong = [e.message for d in case['documents'] for e in validator.iter_errors(d)]
    if bool(wrong) == case['valid']:
        print(case['name'], *wrong)
print('checked', len(given['cases']))
";

fn has_validator() -> bool {
    let has_validator = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_validator {
        eprintln!("skipped: the schema is checked with python3-jsonschema, which is not here");
    }
    has_validator
}

#[test]
fn the_schema_takes_what_is_valid_and_refuses_what_it_can() {
    if !has_validator() {
        return;
    }
    let schema: Value =
        serde_json::from_str(&stdout(&rinit(&["config", "schema"]))).expect("a schema");
    let mut cases = Vec::new();
    for (folder, valid) in [("valid", true), ("invalid", false)] {
        for entry in std::fs::read_dir(configs(folder)).expect("the examples") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy();
            let wanted = valid || AGAINST_THE_SCHEMA.contains(&&*name);
            if !wanted || path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("an example");
            let documents: Vec<Value> = yaml::parse_documents(&text)
                .expect("YAML")
                .into_iter()
                // Of other groups and of the older version there is no schema.
                .filter(|document| {
                    let version = document["apiVersion"].as_str().unwrap_or_default();
                    version == "kubeadm.k8s.io/v1beta4" || version.contains(".config.k8s.io/")
                })
                .collect();
            if !documents.is_empty() {
                cases.push(json!({"name": name, "documents": documents, "valid": valid}));
            }
        }
    }
    let printed = [
        "init-defaults",
        "join-defaults",
        "reset-defaults",
        "upgrade-defaults",
    ];
    for kind in printed {
        let text = stdout(&rinit(&["config", "print", kind]));
        let documents = yaml::parse_documents(&text).expect("YAML");
        cases.push(json!({"name": kind, "documents": documents, "valid": true}));
    }
    let invalid = cases.iter().filter(|case| case["valid"] == false).count();
    assert_eq!(invalid, AGAINST_THE_SCHEMA.len());
    assert!(cases.len() > 80, "only {} files", cases.len());
    validate(&schema, &cases);
}

/// Has a validator of JSON Schema look at the documents of each case.
fn validate(schema: &Value, cases: &[Value]) {
    let count = cases.len();
    let mut validator = Command::new("python3")
        .args(["-c", VALIDATOR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let given = json!({"schema": schema, "cases": cases}).to_string();
    let mut stdin = validator.stdin.take().expect("a pipe");
    stdin.write_all(given.as_bytes()).expect("it reads");
    drop(stdin);
    let output = validator.wait_with_output().expect("it ends");
    assert_eq!(stdout(&output), format!("checked {count}\n"));
}

/// Fields that are not known are warned of with their place, and everything else stays an error.
#[test]
fn unknown_fields_may_be_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("newer.yaml");
    let file = path.display().to_string();
    let text = "apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
clusterNam: one
networking:
  podSubnets: 10.1.0.0/16
  podSubnet: 10.2.0.0/16
";
    std::fs::write(&path, text).expect("the file");
    let validate = |more: &[&str]| {
        let mut arguments = vec!["config", "validate", "--config", &file];
        arguments.extend(more);
        rinit(&arguments)
    };
    let refused = validate(&[]);
    assert_eq!(refused.status.code(), Some(3));
    let taken = validate(&["--allow-unknown-fields"]);
    assert_eq!(stdout(&taken), "ok\n");
    for (place, field) in [("4:1", "clusterNam"), ("6:3", "networking.podSubnets")] {
        let error = format!("newer.yaml:{place}: error: {field}: ");
        assert!(stderr(&refused).contains(&error), "{}", stderr(&refused));
        let warning = format!("newer.yaml:{place}: warning: {field}: ");
        assert!(stderr(&taken).contains(&warning), "{}", stderr(&taken));
    }
    let strict = validate(&["--allow-unknown-fields", "--strict"]);
    assert_eq!(strict.status.code(), Some(3));

    // What is known counts in an init.
    let root = folder.path().join("root").display().to_string();
    let init = [
        "--root",
        &root,
        "init",
        "phase",
        "control-plane",
        "controller-manager",
        "--apiserver-advertise-address",
        "192.0.2.1",
        "--config",
        &file,
        "--dry-run",
    ];
    assert_eq!(rinit(&init).status.code(), Some(3));
    let mut allowed = init.to_vec();
    allowed.push("--allow-unknown-fields");
    let output = rinit(&allowed);
    stdout(&output);
    assert!(stderr(&output).contains("networking.podSubnet: 10.2.0.0/16"));

    for (wrong, place) in [
        ("clusterName: one\nclusterName: two\n", "9:1"),
        ("dns: 7\n", "8:6"),
        ("encryptionAlgorithm: ROT13\n", "8:22"),
    ] {
        std::fs::write(&path, format!("{text}{wrong}")).expect("the file");
        let refused = validate(&["--allow-unknown-fields"]);
        assert_eq!(refused.status.code(), Some(3), "{wrong}");
        let error = format!("newer.yaml:{place}: error: ");
        assert!(stderr(&refused).contains(&error), "{}", stderr(&refused));
    }
}

/// A migrated file may hold tokens: it is for its owner alone, and whole or not there.
#[test]
fn a_migrated_file_is_written_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let typed = |name: &str| at(name).display().to_string();
    let old = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - token: abcdef.0123456789abcdef
localAPIEndpoint: {advertiseAddress: 192.0.2.1}
nodeRegistration: {name: node, criSocket: unix:///run/c.sock}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
";
    std::fs::write(at("old.yaml"), old).expect("the file");
    let migrate = |old: &str, new: &str| {
        rinit(&[
            "config",
            "migrate",
            "--old-config",
            &typed(old),
            "--new-config",
            &typed(new),
        ])
    };
    let printed = stdout(&rinit(&[
        "config",
        "migrate",
        "--old-config",
        &typed("old.yaml"),
    ]));
    assert_eq!(stdout(&migrate("old.yaml", "new.yaml")), "");
    let read = |name: &str| std::fs::read_to_string(at(name)).expect("the file");
    let data = |name: &str| std::fs::metadata(at(name)).expect("the file");
    assert_eq!(read("new.yaml"), printed);
    assert_eq!(data("new.yaml").permissions().mode() & 0o7777, 0o600);

    // As with kubeadm, a file that is there is replaced; here by another one in one step.
    std::fs::write(at("open.yaml"), "old").expect("the file");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(at("open.yaml"), open).expect("the mode");
    let before = data("open.yaml").ino();
    stdout(&migrate("old.yaml", "open.yaml"));
    assert_eq!(read("open.yaml"), printed);
    assert_eq!(data("open.yaml").permissions().mode() & 0o7777, 0o600);
    assert_ne!(data("open.yaml").ino(), before);
    // It may be the old one itself.
    stdout(&migrate("new.yaml", "new.yaml"));
    assert_eq!(read("new.yaml"), printed);

    // What cannot be migrated or written changes nothing.
    std::fs::write(at("bad.yaml"), old.replace("kubernetesVersion", "version")).expect("the file");
    std::fs::create_dir(at("folder")).expect("a folder");
    for (old, new) in [
        ("bad.yaml", "new.yaml"),
        ("nowhere.yaml", "new.yaml"),
        ("old.yaml", "folder"),
    ] {
        let output = migrate(old, new);
        assert!(!output.status.success(), "{old} to {new}");
        assert!(stderr(&output).contains("error: "), "{}", stderr(&output));
    }
    assert_eq!(read("new.yaml"), printed);
    let mut left: Vec<String> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        })
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["bad.yaml", "folder", "new.yaml", "old.yaml", "open.yaml"]
    );
}

/// Flags and files of `config images list`; `{folder}` is that of the files.
const IMAGES: &[&str] = &[
    "",
    "--image-repository registry.example.com/k8s",
    "--image-repository registry.example.com:5000",
    "--feature-gates RootlessControlPlane=true",
    "--config {folder}/plain.yaml",
    "--config {folder}/images.yaml",
    "--config {folder}/external.yaml",
    "--config {folder}/newer.yaml",
];

fn image_configs(folder: &Path, version: &str) {
    let cluster = format!(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: {version}\n"
    );
    for (name, more) in [
        ("plain", ""),
        (
            "images",
            "imageRepository: registry.example.com/all
dns: {imageRepository: registry.example.com/dns, imageTag: v9.9.9}
etcd: {local: {imageRepository: registry.example.com/etcd, imageTag: 9.9.9-0}}
",
        ),
        ("newer", "fieldOfANewerKubeadm: 1\n"),
        (
            "external",
            "etcd: {external: {endpoints: ['http://192.0.2.1:2379']}}\n",
        ),
    ] {
        let path = folder.join(format!("{name}.yaml"));
        std::fs::write(path, format!("{cluster}{more}")).expect("the file");
    }
}

fn list_images(program: &Path, folder: &Path, version: &str, flags: &str, format: &str) -> Output {
    let mut command = Command::new(program);
    command.args(["config", "images", "list", "-o", format]);
    // kubeadm takes no flag beside a file.
    if !flags.contains("--config") {
        command.args(["--kubernetes-version", version]);
    }
    let flags = flags.replace("{folder}", &folder.display().to_string());
    command.args(flags.split_whitespace());
    if flags.ends_with("newer.yaml") && program.ends_with("rinit") {
        command.arg("--allow-unknown-fields");
    }
    command.output().expect("the program runs")
}

#[test]
fn images_are_those_of_the_kubeadm_of_each_minor() {
    let folder = tempfile::tempdir().expect("a folder");
    let rinit = &rinit_testkit::program();
    for version in ["v1.37.1", "v1.36.3"] {
        let Some(kubeadm) = component("the comparison of images", "kubeadm", Some(version)) else {
            continue;
        };
        image_configs(folder.path(), version);
        for flags in IMAGES {
            for format in ["text", "json", "yaml"] {
                let images = |program| {
                    let output = list_images(program, folder.path(), version, flags, format);
                    let text = stdout(&output);
                    match format {
                        "text" => json!(text.lines().collect::<Vec<_>>()),
                        _ => yaml::parse_documents(&text)
                            .expect("YAML or JSON")
                            .remove(0),
                    }
                };
                assert_eq!(
                    images(rinit),
                    images(&kubeadm),
                    "{version} {flags} -o {format}"
                );
            }
        }
    }
}

/// Every minor has its list, whatever is at hand to compare it with.
#[test]
fn every_minor_has_its_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let rinit = &rinit_testkit::program();
    let mut seen = String::new();
    for minor in 32..=37 {
        let label = format!("stable-1.{minor}");
        let text = stdout(&list_images(rinit, folder.path(), &label, "", "text"));
        let names: Vec<&str> = text
            .lines()
            .filter_map(|image| image.rsplit_once(':'))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "registry.k8s.io/kube-apiserver",
                "registry.k8s.io/kube-controller-manager",
                "registry.k8s.io/kube-scheduler",
                "registry.k8s.io/kube-proxy",
                "registry.k8s.io/coredns/coredns",
                "registry.k8s.io/pause",
                "registry.k8s.io/etcd",
            ],
            "{label}"
        );
        let of_the_minor = format!(":v1.{minor}.");
        let own = text.lines().filter(|image| image.contains(&of_the_minor));
        assert_eq!(own.count(), 4, "{text}");
        assert_ne!(text, seen);
        seen = text;
    }
    let refused = list_images(rinit, folder.path(), "v1.31.0", "", "text");
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("--kubernetes-version: "));
}

/// Texts that a parser of YAML 1.1 takes for something else where they stand unquoted, and such as
/// break a line or a quote.
#[rustfmt::skip]
const AWKWARD: &[&str] = &[
    "", "~", "null", "true", "yes", "No", "on", "off", "y", "0", "0644", "0o644", "0x1F", "1_000",
    "1.5", ".5", "1e3", "-1", "+1", ".inf", ".NaN", "1:30:59", "2001-01-01", "=", "<<", "-",
    "- a", "?", ":", "a: b", "a #b", "#", "*", "&a", "!a", "|", ">", "%a", "@a", "`a", "[a", "{a",
    "'a'", "it's", "\"a\"", "a\\b", "---", " a", "a ", "a\tb", "é", "😀", "\u{feff}a", "\u{85}",
    "\u{2028}", "\u{1b}", "a\nb", "a\nb\n", "a\n\n", "\na", "\n", "  a\n b", "a\r\nb",
];

/// What rinit writes, Kubernetes' own parser reads as it was meant.
#[test]
fn kubernetes_reads_the_texts_that_rinit_writes() {
    let Some(kubectl) = component("what Kubernetes reads", "kubectl", None) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.yaml");
    let variables: Vec<Value> = AWKWARD
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"name": format!("V{index:03}"), "value": text}))
        .collect();
    let documents = [
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": "192.0.2.1"},
            "nodeRegistration": {"name": "1e3", "criSocket": "unix:///run/c.sock"},
        }),
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": "v1.37.1",
            "clusterName": "yes",
            "encryptionAlgorithm": "ECDSA-P256",
            "scheduler": {"extraEnvs": variables},
        }),
    ];
    // JSON is YAML that leaves nothing to a writer. U+0085 by itself ends a line.
    let text = documents
        .map(|document| document.to_string().replace('\u{85}', "\\u0085"))
        .join("\n---\n");
    std::fs::write(&config, text).expect("the file");
    let root = folder.path().join("root");
    let (config, root_typed) = (config.display().to_string(), root.display().to_string());
    for phases in [
        ["control-plane", "scheduler"],
        ["certs", "ca"],
        ["kubeconfig", "kubelet"],
    ] {
        let mut words = vec!["--root", &root_typed, "init", "phase"];
        words.extend(phases);
        words.extend(["--config", &config]);
        stdout(&rinit(&words));
    }

    let pod = root.join("etc/kubernetes/manifests/kube-scheduler.yaml");
    let output = Command::new(&kubectl)
        .args(["label", "--local", "-o", "json", "read=back", "-f"])
        .arg(pod)
        .output()
        .expect("kubectl runs");
    let pod: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let read = pod["spec"]["containers"][0]["env"]
        .as_array()
        .expect("variables");
    assert_eq!(read.len(), AWKWARD.len());
    for (text, variable) in AWKWARD.iter().zip(read) {
        // A value that is empty is left out.
        let value = variable["value"].as_str().unwrap_or_default();
        assert_eq!(value, *text);
    }

    let output = Command::new(&kubectl)
        .args(["config", "view", "--raw", "-o", "json", "--kubeconfig"])
        .arg(root.join("etc/kubernetes/kubelet.conf"))
        .output()
        .expect("kubectl runs");
    let kubeconfig: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(kubeconfig["clusters"][0]["name"], "yes");
    assert_eq!(kubeconfig["users"][0]["name"], "system:node:1e3");
}
