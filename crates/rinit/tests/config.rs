//! `rinit config …` as a program, held against the real kubeadm where its programs are at hand.
//!
//! `RINIT_TEST_COMPONENTS` names the folder of the components of one version, with
//! `bin/kubeadm` in it; kubeadm of v1.36.3, the last that reads v1beta3, is looked for beside it.
//! Where rinit and kubeadm differ on purpose stands in `docs/config-differences.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout, and programs are run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rinit_config::{Finding, ReadOptions, Rule, parse};
use rinit_facts::{HostFacts, Overrides, advise, resolve};
use rinit_manifest::yaml;
use serde_json::Value;

/// Valid files that kubeadm does not take.
const TAKEN_BY_RINIT_ALONE: [&str; 10] = [
    "empty-documents",
    "foreign-kind",
    "kind-rendered",
    "kind-rendered-dual",
    "kind-rendered-gates",
    "kind-rendered-ipv6",
    "kind-rendered-rootless",
    "misspelt-kubelet-field",
    "v1beta3-kind-rendered",
    "v1beta3-kind-rendered-ipv6",
];
/// The beginnings of the names of files that have the shapes of those that tools and kubeadm's own
/// documentation give to kubeadm.
const OF_THE_FIELD: [&str; 6] = [
    "cluster-api-",
    "documented-",
    "kind-",
    "kubespray-",
    "v1beta3-cluster-api-",
    "v1beta3-kind-",
];
/// Invalid files that `kubeadm config validate` takes.
const REFUSED_BY_RINIT_ALONE: [&str; 12] = [
    "advertise-address-multicast",
    "ca-hash",
    "cri-socket-relative",
    "cri-socket-scheme",
    "ignore-all-and-more",
    "older-yaml",
    "path-type",
    "upgrade-ignore-all-and-more",
    "validity-not-positive",
    "version-label-of-ci",
    "version-label-too-old",
    "version-too-new",
];
const OLDER: &str = "v1.36.3";

fn configs(folder: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let stem = path.file_stem().expect("a name").to_string_lossy();
            (stem.into_owned(), path.clone())
        })
        .collect();
    files.sort();
    files
}

fn rinit(arguments: &[&str], file: Option<&Path>) -> Output {
    let mut command = Command::new(rinit_testkit::program());
    command.arg("config").args(arguments);
    command.args(file).output().expect("rinit runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The real kubeadm, and the one that reads v1beta3.
struct Kubeadm {
    newest: PathBuf,
    older: PathBuf,
}

impl Kubeadm {
    fn find(test: &str) -> Option<Self> {
        let Some(folder) = std::env::var_os("RINIT_TEST_COMPONENTS") else {
            eprintln!("skipped: {test} needs RINIT_TEST_COMPONENTS");
            return None;
        };
        let folder = PathBuf::from(folder);
        let newest = folder.join("bin/kubeadm");
        let older = folder
            .parent()
            .expect("a folder of versions")
            .join(OLDER)
            .join("bin/kubeadm");
        Some(Self { newest, older })
    }

    /// Runs the kubeadm that reads this file; none if it is not at hand.
    fn run(&self, arguments: &[&str], file: &Path) -> Option<Output> {
        let content = std::fs::read(file).expect("an example");
        let older = text(&content).contains("kubeadm.k8s.io/v1beta3");
        let program = if older { &self.older } else { &self.newest };
        if !program.exists() {
            eprintln!("skipped: no {} for {}", program.display(), file.display());
            return None;
        }
        let mut command = Command::new(program);
        command.arg("config").args(arguments).arg(file);
        if older && arguments.contains(&"validate") {
            command.arg("--allow-deprecated-api");
        }
        Some(command.output().expect("kubeadm runs"))
    }
}

#[test]
fn valid_files_are_taken_and_invalid_ones_refused() {
    let mut mistakes = Vec::new();
    for (folder, code) in [("valid", 0), ("invalid", 3), ("refused", 3)] {
        for (name, path) in configs(folder) {
            let output = rinit(&["validate", "--config"], Some(&path));
            if output.status.code() != Some(code) {
                mistakes.push(format!(
                    "{folder}/{name}: {}\n{}",
                    output.status,
                    text(&output.stderr)
                ));
            }
            let said = text(&output.stdout);
            if said != if code == 0 { "ok\n" } else { "" } {
                mistakes.push(format!("{folder}/{name} says {said:?}"));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn kubeadm_takes_and_refuses_the_same_files() {
    let Some(kubeadm) = Kubeadm::find("the comparison with kubeadm's validation") else {
        return;
    };
    let mut mistakes = Vec::new();
    for (folder, taken, apart) in [
        ("valid", true, &TAKEN_BY_RINIT_ALONE[..]),
        ("invalid", false, &REFUSED_BY_RINIT_ALONE[..]),
        ("refused", false, &REFUSED_BY_RINIT_ALONE[..]),
    ] {
        for (name, path) in configs(folder) {
            let Some(output) = kubeadm.run(&["validate", "--config"], &path) else {
                continue;
            };
            let expected = taken != apart.contains(&name.as_str());
            if output.status.success() != expected {
                let said = text(&output.stderr);
                mistakes.push(format!(
                    "{folder}/{name}: kubeadm {}: {said}",
                    output.status
                ));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// The documents of kubeadm's group by kind. A token that is not in the file was drawn.
fn documents(output: &[u8], file: &str) -> BTreeMap<String, Value> {
    yaml::parse_documents(&text(output))
        .expect("what is printed is YAML")
        .into_iter()
        .filter(|document| document["apiVersion"] == "kubeadm.k8s.io/v1beta4")
        .map(|mut document| {
            let tokens = document
                .get_mut("bootstrapTokens")
                .and_then(Value::as_array_mut);
            for token in tokens.into_iter().flatten() {
                let written = token["token"].as_str().unwrap_or_default();
                if !file.contains(written) {
                    token["token"] = Value::from("drawn");
                }
            }
            (
                document["kind"].as_str().unwrap_or_default().to_owned(),
                document,
            )
        })
        .collect()
}

/// What kubeadm makes of each valid file, every default included, is what rinit makes of it.
#[test]
fn migration_equals_that_of_kubeadm() {
    let Some(kubeadm) = Kubeadm::find("the comparison with kubeadm's migration") else {
        return;
    };
    let mut mistakes = Vec::new();
    let mut compared = 0;
    for (name, path) in configs("valid") {
        if TAKEN_BY_RINIT_ALONE.contains(&name.as_str()) {
            continue;
        }
        let Some(theirs) = kubeadm.run(&["migrate", "--old-config"], &path) else {
            continue;
        };
        let ours = rinit(&["migrate", "--old-config"], Some(&path));
        if !theirs.status.success() || !ours.status.success() {
            mistakes.push(format!(
                "{name}: kubeadm {}, rinit {}\n{}{}",
                theirs.status,
                ours.status,
                text(&theirs.stderr),
                text(&ours.stderr)
            ));
            continue;
        }
        compared += 1;
        let file = std::fs::read_to_string(&path).expect("an example");
        let ours = documents(&ours.stdout, &file);
        let theirs = documents(&theirs.stdout, &file);
        let kinds = |documents: &BTreeMap<String, Value>| {
            documents.keys().cloned().collect::<Vec<_>>().join(", ")
        };
        if kinds(&ours) != kinds(&theirs) {
            let (ours, theirs) = (kinds(&ours), kinds(&theirs));
            mistakes.push(format!("{name}: kubeadm has {theirs}, rinit {ours}"));
            continue;
        }
        for (kind, document) in &theirs {
            if ours[kind] != *document {
                mistakes.push(format!(
                    "{name}, {kind}: kubeadm\n{}rinit\n{}",
                    yaml::to_string(document),
                    yaml::to_string(&ours[kind])
                ));
            }
        }
    }
    eprintln!("{compared} files were compared");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

const PRINTED: [&[&str]; 7] = [
    &["print", "init-defaults"],
    &["print", "join-defaults"],
    &["print", "reset-defaults"],
    &["print", "upgrade-defaults"],
    &[
        "print",
        "init-defaults",
        "--component-configs",
        "KubeletConfiguration,KubeProxyConfiguration",
    ],
    &[
        "print",
        "init-defaults",
        "--component-configs",
        "KubeletConfiguration",
    ],
    &[
        "print",
        "init-defaults",
        "--component-configs=KubeProxyConfiguration",
    ],
];

#[test]
fn what_is_printed_is_read_back_and_printed_again() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in PRINTED {
        let output = rinit(arguments, None);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        let path = folder.path().join("printed.yaml");
        std::fs::write(&path, &output.stdout).expect("the file");
        let again = rinit(&["migrate", "--old-config"], Some(&path));
        // `null` for taints means the usual one, which a migration writes out.
        let printed = if arguments[1] == "init-defaults" {
            text(&output.stdout).replace(
                "taints: null",
                "taints:\n  - effect: NoSchedule\n    key: node-role.kubernetes.io/control-plane",
            )
        } else {
            text(&output.stdout)
        };
        assert_eq!(text(&again.stdout), printed, "{arguments:?}");
    }
}

#[test]
fn defaults_are_printed_as_kubeadm_prints_them() {
    let Some(kubeadm) = Kubeadm::find("the comparison with kubeadm's defaults") else {
        return;
    };
    for arguments in PRINTED {
        let theirs = Command::new(&kubeadm.newest)
            .arg("config")
            .args(arguments)
            .output()
            .expect("kubeadm runs");
        let without_version = |output: &[u8]| {
            text(output)
                .lines()
                .filter(|line| !line.starts_with("kubernetesVersion: "))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(
            without_version(&rinit(arguments, None).stdout),
            without_version(&theirs.stdout),
            "{arguments:?}"
        );
    }
}

/// What kubeadm lets pass is warned of by place, and an error with `--strict`.
#[test]
fn what_is_hardly_meant_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("doubtful.yaml");
    std::fs::write(
        &path,
        "apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
networking:
  podSubnet: 10.96.0.0/16
  serviceSubnet: 10.96.0.0/20
apiServer:
  extraArgs:
    - name: advertise-adress
      value: 192.0.2.1
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPodz: 10
authentication:
  anonymous:
    enable: false
",
    )
    .expect("the file");
    let output = rinit(&["validate", "--config"], Some(&path));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "doubtful.yaml:5:14: warning: networking.podSubnet: the pod network 10.96.0.0/16 overlaps",
        "doubtful.yaml:9:13: warning: apiServer.extraArgs[0].name: kube-apiserver of Kubernetes 1.37",
        "did you mean `advertise-address`?",
        "doubtful.yaml:14:1: warning: maxPodz: KubeletConfiguration has no field `maxPodz`",
        "did you mean `maxPods`?",
        "warning: authentication.anonymous.enable: ",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    let strict = rinit(&["validate", "--strict", "--config"], Some(&path));
    assert_eq!(strict.status.code(), Some(3));
    assert_eq!(text(&strict.stdout), "");
    assert!(text(&strict.stderr).contains("doubtful.yaml:14:1: error: maxPodz"));
}

/// A dry run says of each deciding value whether a flag, the file, the host or nobody gave it.
#[test]
fn a_dry_run_says_where_values_come_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.yaml");
    std::fs::write(
        &path,
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: one\n",
    )
    .expect("the file");
    let output = Command::new(rinit_testkit::program())
        .arg("--root")
        .arg(folder.path().join("root"))
        .args(["init", "phase", "certs", "all", "--dry-run", "--config"])
        .arg(&path)
        .args([
            "--node-name",
            "n1",
            "--apiserver-advertise-address",
            "192.0.2.1",
        ])
        .output()
        .expect("rinit runs");
    let said = text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "nodeRegistration.name: n1 (--node-name)",
        "cluster.yaml:3:14)",
        "networking.dnsDomain: cluster.local (default)",
        "localAPIEndpoint.advertiseAddress: 192.0.2.1 (--apiserver-advertise-address)",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

/// What rinit says about a file, each with the rule that it is about, if it has one, and a word by
/// which kubeadm's own complaint can be known.
fn complaints(path: &Path) -> Vec<(Option<Rule>, String, String)> {
    let file = std::fs::read(path).expect("an example");
    let name = path.file_name().expect("a name").to_string_lossy();
    let documents = parse(&name, &file, ReadOptions::default()).expect("a valid file");
    let mut found: Vec<Finding> = documents.findings.clone().into_iter().collect();
    let mut others = Vec::new();
    if documents.init.is_some() || documents.cluster.is_some() {
        let overrides = Overrides::default();
        let host = HostFacts::of_no_host(&documents, jiff::Timestamp::UNIX_EPOCH);
        let facts = resolve(&documents, &overrides, &host).expect("a cluster");
        let advice = advise(&documents, &overrides, &host, &facts);
        found.extend(advice.findings);
        others.extend(advice.problems);
        others.extend(facts.warnings);
    }
    let findings = found.into_iter().map(|finding| {
        let field = finding.path.rsplit('.').next().unwrap_or_default();
        let said = format!("{}: {}", finding.path, finding.message);
        (Some(finding.rule), field.to_owned(), said)
    });
    let others = others.into_iter().map(|problem| {
        // Such a warning names a field of a component, or a value in quotes.
        let message = problem.message;
        let word = match message.split_once(": ") {
            Some((_, rest)) => rest.split(' ').next(),
            None => message.split('"').nth(1),
        };
        (None, word.unwrap_or(&message).to_owned(), message)
    });
    findings.chain(others).collect()
}

/// A file without `metadata`, at which kubeadm's validation ends before it looks at the rest.
fn without_metadata(text: &str) -> String {
    text.replace("metadata:\n  name: config\n", "")
}

/// Of the files of the field nothing is said that kubeadm does not say, but for the rules that the
/// document of differences names.
#[test]
fn files_of_the_field_are_read_without_complaints_of_rinit_alone() {
    let Some(kubeadm) = Kubeadm::find("the comparison with kubeadm's complaints") else {
        return;
    };
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config-differences.md");
    let document = std::fs::read_to_string(document).expect("the document of differences");
    let allowed = document
        .split_once("## Warnings of rinit alone")
        .and_then(|(_, rest)| rest.split("\n## ").next())
        .expect("the warnings of rinit alone");
    let folder = tempfile::tempdir().expect("a folder");
    let (mut compared, mut shared, mut mistakes) = (0, 0, Vec::new());
    for (name, path) in configs("valid") {
        if !OF_THE_FIELD.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let bare = folder.path().join(format!("{name}.yaml"));
        let file = std::fs::read_to_string(&path).expect("an example");
        std::fs::write(&bare, without_metadata(&file)).expect("the file");
        let validate = ["validate", "--config"];
        let Some(said) = kubeadm.run(&validate, &path) else {
            continue;
        };
        let rest = kubeadm.run(&validate, &bare).expect("the same kubeadm");
        if !rest.status.success() {
            mistakes.push(format!("{name}: kubeadm refuses: {}", text(&rest.stderr)));
        }
        compared += 1;
        let theirs = text(&said.stderr) + &text(&rest.stderr);
        for (rule, word, ours) in complaints(&path) {
            if theirs.contains(&word) {
                shared += 1;
                continue;
            }
            if !rule.is_some_and(|rule| allowed.contains(&format!("`{}`", rule.name()))) {
                mistakes.push(format!("{name}: rinit alone says: {ours}"));
            }
        }
    }
    eprintln!("{compared} files were compared; {shared} complaints are kubeadm's as well");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
