//! What the real `kubeadm init --dry-run` would make of each valid configuration, against what
//! rinit makes of it: every file, every object, every token, the marks of the node and the endpoint.
//!
//! `RINIT_TEST_COMPONENTS` names the folder of the components of one version; the kubeadms of
//! other minors are looked for beside it. Where the two differ on purpose stands in
//! `docs/config-differences.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout, and programs are run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod compare;
mod kubeadm;
mod ours;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kubeadm::Asked;

/// What one file comes to, in both programs.
enum Outcome {
    /// Both make the same.
    Same,
    /// Both refuse it.
    Refused,
    /// They differ.
    Differs(Vec<String>),
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn valid() -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(checkout().join("testdata/configs/valid"))
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

/// Lets both make what they make of a file.
fn judge(program: &Path, config: &Path) -> Outcome {
    let file = std::fs::read(config).expect("the configuration");
    let documents = rinit_config::parse("config.yaml", &file, rinit_config::ReadOptions::default())
        .expect("a valid file");
    let init = documents.init.clone().unwrap_or_default();
    let cluster = documents.cluster.clone().unwrap_or_default();
    let mut skipped = init.skip_phases;
    skipped.push("preflight".to_owned());
    let patches = init
        .patches
        .as_ref()
        .and_then(|patches| patches.directory.as_deref());
    let begun = rinit_parity::Init::starting_now();
    let theirs = kubeadm::dry_run(
        program,
        &Asked {
            config,
            skipped: &skipped,
            certificates: cluster
                .certificates_dir
                .as_deref()
                .unwrap_or("/etc/kubernetes/pki"),
            patches,
        },
    );
    let started = rinit_parity::Init::starting_now();
    let ours = ours::facts(&documents, &skipped)
        .and_then(|facts| ours::make(config, &facts, &skipped, patches));
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => {
            let mut differences = compare::compare((&theirs, begun), (&ours, started));
            let version = kubeadm::version(program);
            differences
                .retain(|difference| !rinit_parity::is_of_an_older_build(&version, difference));
            if differences.is_empty() {
                Outcome::Same
            } else {
                Outcome::Differs(differences)
            }
        }
        (Err(_), Err(_)) => Outcome::Refused,
        (Err(said), Ok(_)) => Outcome::Differs(vec![format!("kubeadm alone refuses: {said}")]),
        // kubeadm's init only warns of fields that it does not know.
        (Ok(theirs), Err(said))
            if said.contains(compare::NEWER_FIELD)
                && theirs
                    .warned
                    .contains("strict decoding error: unknown field") =>
        {
            Outcome::Refused
        }
        (Ok(_), Err(said)) => Outcome::Differs(vec![format!("rinit alone refuses: {said}")]),
    }
}

/// The same configuration with keys that are made in no time, where it does not say which, and
/// without a dry run, in which rinit renders nothing.
///
/// What is compared does not hang on the kind of key, and two dozen RSA keys take seconds.
fn prepared(text: &str) -> String {
    let text: String = text
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("dryRun:"))
        .collect();
    let kind = "\nkind: ClusterConfiguration\n";
    if text.contains("encryptionAlgorithm") || text.contains("v1beta3") {
        return text;
    }
    text.replacen(kind, &format!("{kind}encryptionAlgorithm: ECDSA-P256\n"), 1)
}

/// Judges each case with the kubeadm of its minor, as many at once as there are processors.
fn judge_all(programs: &BTreeMap<u32, PathBuf>, cases: &[Case]) -> Vec<(String, Outcome)> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some(program) = programs.get(&case.minor) else {
                        eprintln!("skipped: no kubeadm of 1.{} for {}", case.minor, case.name);
                        continue;
                    };
                    let folder = tempfile::tempdir().expect("a folder");
                    let config = folder.path().join("config.yaml");
                    std::fs::write(&config, &case.text).expect("the configuration");
                    let outcome = judge(program, &config);
                    let mut results = results.lock().expect("no other has failed");
                    results.push((case.name.clone(), outcome));
                }
            });
        }
    });
    results.into_inner().expect("no worker has failed")
}

/// Valid files that show what differs by minor, each tried on every minor but those above.
const OF_EVERY_MINOR: [&str; 12] = [
    "advertise-ipv6",
    "cluster-api-shaped",
    "documented-full-init",
    "dual-stack",
    "endpoint-with-own-port",
    "env-sources",
    "every-cluster-field",
    "every-taint-effect",
    "external-etcd-http",
    "kind-first-node",
    "kubespray-init",
    "repeated-flags",
];

/// A configuration and the minor of the kubeadm that it is for.
struct Case {
    name: String,
    minor: u32,
    text: String,
}

fn report(results: Vec<(String, Outcome)>) {
    let (mut same, mut refused, mut mistakes) = (0, Vec::new(), Vec::new());
    for (name, outcome) in results {
        match outcome {
            Outcome::Same => same += 1,
            Outcome::Refused => refused.push(name),
            Outcome::Differs(differences) => {
                mistakes.push(format!("{name}:\n  {}", differences.join("\n  ")));
            }
        }
    }
    refused.sort();
    mistakes.sort();
    eprintln!("{same} files come to the same; refused by both: {refused:?}");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn what_init_makes_of_each_valid_file_is_what_kubeadm_makes_of_it() {
    let programs = kubeadm::at_hand("the comparison with kubeadm's dry run");
    let only = std::env::var("RINIT_TEST_ONLY").unwrap_or_default();
    let cases: Vec<Case> = valid()
        .into_iter()
        .filter(|(name, _)| name.contains(&only))
        .map(|(name, path)| {
            let text = std::fs::read_to_string(path).expect("the configuration");
            Case {
                name,
                minor: compare::minor_of(&text),
                text: prepared(&text),
            }
        })
        .collect();
    let allowed = allowed();
    let cases: Vec<Case> = cases
        .into_iter()
        .filter(|case| !allowed.contains(&case.name))
        .collect();
    if !programs.is_empty() {
        report(judge_all(&programs, &cases));
    }
}

#[test]
fn what_init_makes_of_files_for_older_minors_is_what_their_kubeadm_makes_of_them() {
    let mut programs = kubeadm::at_hand("the comparison with older kubeadms");
    let newest = rinit_versions::KubernetesVersion::newest().minor().0;
    programs.retain(|minor, _| *minor < newest);
    let only = std::env::var("RINIT_TEST_ONLY").unwrap_or_default();
    let mut cases = Vec::new();
    for (name, path) in valid() {
        if !OF_EVERY_MINOR.contains(&name.as_str()) || !name.contains(&only) {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("the configuration");
        let written = compare::minor_of(&text);
        assert!(
            text.contains("kubernetesVersion"),
            "{name} names no version"
        );
        for (minor, program) in &programs {
            // The other test has it as it is.
            if *minor != written {
                cases.push(Case {
                    name: format!("{name} for 1.{minor}"),
                    minor: *minor,
                    text: prepared(&compare::for_version(&text, &kubeadm::version(program))),
                });
            }
        }
    }
    report(judge_all(&programs, &cases));
}

/// Valid files of which rinit makes something else, by the document of differences.
fn allowed() -> Vec<String> {
    let document = std::fs::read_to_string(checkout().join("docs/config-differences.md"))
        .expect("the document of differences");
    document
        .split("`valid/")
        .skip(1)
        .filter_map(|rest| rest.split_once('`').map(|(name, _)| name.to_owned()))
        .filter(|name| matches!(name.as_str(), "empty-documents" | "misspelt-kubelet-field"))
        .collect()
}

/// Records what each older kubeadm renders from the smallest configuration, where there is no record
/// yet: `RINIT_BLESS=1`. The parity test reads it.
#[test]
fn what_older_kubeadms_render_is_recorded() {
    if std::env::var_os("RINIT_BLESS").is_none() {
        return;
    }
    let config = std::fs::read_to_string(checkout().join("testdata/configs/minimal.yaml"))
        .expect("the smallest configuration");
    for program in kubeadm::at_hand("the record of older kubeadms").values() {
        let version = kubeadm::version(program);
        let record = checkout().join(format!("testdata/kubeadm/{version}/minimal/render"));
        if !record.exists() {
            let snapshot = kubeadm::render(program, &compare::for_version(&config, &version));
            snapshot.write(&record).expect("the record");
        }
    }
}

/// The feature gates of kubeadm that decide something or nothing, with the last minor that has them.
/// What `RootlessControlPlane` does is not done here.
const GATES: [(&str, u32); 5] = [
    ("ControlPlaneKubeletLocalMode", 35),
    ("EtcdLearnerMode", 32),
    ("NodeLocalCRISocket", 36),
    ("PublicKeysECDSA", 36),
    ("WaitForAllControlPlaneComponents", 34),
];

#[test]
fn feature_gates_decide_what_they_decide_in_kubeadm() {
    let mut cases = Vec::new();
    let programs = kubeadm::at_hand("the comparison of feature gates");
    for (minor, program) in &programs {
        for is_on in [true, false] {
            let gates: Vec<String> = GATES
                .iter()
                .filter(|(_, last)| minor <= last)
                .map(|(name, _)| format!("{name}: {is_on}"))
                .collect();
            if gates.is_empty() {
                continue;
            }
            cases.push(Case {
                name: format!("all {is_on} for 1.{minor}"),
                minor: *minor,
                // The endpoint is another one than this node's, and the keys are to be of the gate.
                text: format!(
                    "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                     kubernetesVersion: {}\nencryptionAlgorithm: RSA-3072\n\
                     controlPlaneEndpoint: 192.0.2.99:6443\nfeatureGates: {{{}}}\n",
                    kubeadm::version(program),
                    gates.join(", ")
                ),
            });
        }
    }
    report(judge_all(&programs, &cases));
}
