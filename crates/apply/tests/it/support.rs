//! A control plane in a folder of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rinit_apply::Apply;
use rinit_config::ReadOptions;
use rinit_facts::{ClusterCa, Facts, HostFacts, Overrides};
use rinit_host::{Host, Root};
use rinit_plan::{Resource, ResourceId};
use rinit_workflow::{
    Event, Mode, Outcome, Phase, Reporter, RunOptions, RunOutcome, Selection, Summary,
    WorkflowError,
};
use tempfile::TempDir;

/// The certificates of this configuration are quick to make.
const CONFIG: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 10.123.0.2
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
encryptionAlgorithm: ECDSA-P256
";

pub(crate) const PKI: &str = "etc/kubernetes/pki";

/// The phases whose results are files.
pub(crate) fn tree() -> Vec<Phase<Facts>> {
    vec![
        rinit_phase_certs::phase(),
        rinit_phase_kubeconfig::phase(),
        rinit_phase_etcd::phase(),
        rinit_phase_control_plane::phase(),
    ]
}

/// What is at a path: its mode, its identity and time, and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) written: (u64, i64, i64),
    pub(crate) bytes: Option<Vec<u8>>,
}

/// A folder that stands for `/` of a node.
pub(crate) struct Node {
    folder: TempDir,
}

/// A run and all that came of it.
pub(crate) struct Ran {
    pub(crate) result: Result<Summary, WorkflowError>,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    pub(crate) fn outcome(&self) -> RunOutcome {
        match self.events.last() {
            Some(Event::RunFinished { outcome, .. }) => *outcome,
            other => panic!("a run ends with run-finished, not {other:?}"),
        }
    }

    /// What did not hold, in the order of the phases; within a phase it ends in any order.
    pub(crate) fn told(&self) -> Vec<(String, Outcome, Option<String>)> {
        let phases = self.events.iter().find_map(|event| match event {
            Event::RunStarted { phases, .. } => Some(phases),
            _ => None,
        });
        let turn = |name: &String| phases.and_then(|all| all.iter().position(|one| one == name));
        let mut steps: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::StepFinished {
                    phase,
                    action,
                    outcome,
                    detail,
                    ..
                } if *outcome != Outcome::Held => {
                    Some((turn(phase), (action.clone(), *outcome, detail.clone())))
                }
                _ => None,
            })
            .collect();
        steps.sort_by(|(turn, (action, ..)), (other, (another, ..))| {
            (turn, action).cmp(&(other, another))
        });
        steps.into_iter().map(|(_, step)| step).collect()
    }

    /// Problems and warnings, a line each, hints below, and the ways out that several share.
    pub(crate) fn complaints(&self) -> String {
        let mut text = String::new();
        let shared = self
            .events
            .iter()
            .any(|event| matches!(event, Event::Remedy { .. }));
        for event in &self.events {
            let (word, phase, message, hint) = match event {
                Event::Problem {
                    phase,
                    message,
                    hint,
                } => ("problem", phase, message, hint),
                Event::Warning {
                    phase,
                    message,
                    hint,
                } => ("warning", phase, message, hint),
                Event::Remedy { hint, .. } => {
                    writeln!(text, "remedy\n  {hint}").unwrap();
                    continue;
                }
                _ => continue,
            };
            let phase = phase.as_deref().unwrap_or("-");
            writeln!(text, "{word} {phase}: {message}").unwrap();
            match hint {
                Some(hint) => writeln!(text, "  {hint}").unwrap(),
                None if shared => {}
                None => writeln!(text, "  no hint").unwrap(),
            }
        }
        text
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Reporter for Recorder {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Node {
    /// An empty node.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A node with everything on it.
    pub(crate) async fn whole() -> Self {
        let node = Self::new();
        let ran = node.run(Mode::Apply).await;
        assert_eq!(ran.outcome(), RunOutcome::Completed, "{}", ran.complaints());
        node
    }

    /// A node with the files of another, in the same state.
    pub(crate) fn copy(other: &Self) -> Self {
        let node = Self::new();
        for (path, entry) in other.snapshot() {
            node.put(&path, &entry);
        }
        node
    }

    /// Makes one entry of a snapshot, and the folders above it.
    pub(crate) fn put(&self, path: &str, entry: &Entry) {
        let target = self.at(path);
        match &entry.bytes {
            None => std::fs::create_dir_all(&target).unwrap(),
            Some(bytes) => {
                std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                std::fs::write(&target, bytes).unwrap();
            }
        }
        let mode = std::fs::Permissions::from_mode(entry.mode);
        std::fs::set_permissions(&target, mode).unwrap();
    }

    /// Where a path, given without the leading slash, lies on this machine.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.at(path), text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The root in messages, which is another in every test.
    pub(crate) fn without_root(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "<root>")
    }

    /// Everything on the node.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, Entry> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), self.folder.path(), &mut found);
        found
    }

    pub(crate) fn facts(&self) -> Facts {
        self.facts_of(CONFIG)
    }

    pub(crate) fn facts_of(&self, config: &str) -> Facts {
        let documents =
            rinit_config::parse("config.yaml", config.as_bytes(), ReadOptions::default())
                .unwrap_or_else(|findings| panic!("{findings}"));
        let host = HostFacts {
            cluster_ca: match ["crt", "key"].map(|end| self.at(&format!("{PKI}/ca.{end}")).exists())
            {
                [false, _] => ClusterCa::Absent,
                [true, false] => ClusterCa::External,
                [true, true] => ClusterCa::Local { signer: None },
            },
            ..rinit_testkit::host_facts()
        };
        rinit_facts::resolve(&documents, &Overrides::default(), &host)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn run(&self, mode: Mode) -> Ran {
        self.run_of(CONFIG, mode).await
    }

    pub(crate) async fn run_of(&self, config: &str, mode: Mode) -> Ran {
        self.run_tree("init", &tree(), &self.facts_of(config), mode)
            .await
    }

    /// Runs any command over this node.
    pub(crate) async fn run_tree<I>(
        &self,
        command: &'static str,
        tree: &[Phase<I>],
        input: &I,
        mode: Mode,
    ) -> Ran {
        let host = Host::new(Root::Folder(self.folder.path().to_owned()));
        let recorder = Recorder::default();
        let options = RunOptions {
            command,
            kubernetes_version: None,
            mode,
            rooted: true,
            warnings: Vec::new(),
            notes: Vec::new(),
        };
        let apply = Apply::new(host, &self.facts());
        let everything = Selection::default();
        let result =
            rinit_workflow::run(tree, input, &everything, &options, &apply, &recorder).await;
        let events = recorder.0.into_inner().unwrap();
        Ran { result, events }
    }

    /// A run after which everything is there and a further one changes nothing.
    pub(crate) async fn complete(&self, what: &str) {
        let ran = self.run(Mode::Apply).await;
        assert!(ran.result.is_ok(), "{what}: {}", ran.complaints());
        self.is_complete(what).await;
    }

    /// Nothing is left to be done, and a run that sees so leaves every byte and time.
    pub(crate) async fn is_complete(&self, what: &str) {
        let before = self.snapshot();
        for path in self.files_in_order() {
            assert!(before.contains_key(&path), "{what}: {path} is missing");
        }
        let ran = self.run(Mode::Apply).await;
        assert_eq!(
            ran.outcome(),
            RunOutcome::Unchanged,
            "{what}: {}{:?}",
            ran.complaints(),
            ran.told()
        );
        assert_eq!(ran.complaints(), "", "{what}");
        assert!(
            self.snapshot() == before,
            "{what}: a byte or a time changed"
        );
    }

    /// Every file that the plans make, in the order of writing: a key before what it is for.
    pub(crate) fn files_in_order(&self) -> Vec<String> {
        let plans = rinit_workflow::plans(&tree(), &self.facts(), &Selection::default()).unwrap();
        let mut files = Vec::new();
        for action in plans.iter().flat_map(|plan| &plan.actions) {
            if matches!(action, rinit_plan::Action::Ensure(Resource::Directory(_))) {
                continue;
            }
            let mut given: Vec<String> = action
                .gives()
                .into_iter()
                .filter_map(|artefact| match artefact {
                    ResourceId::File(path) => {
                        Some(path.as_str().trim_start_matches('/').to_owned())
                    }
                    _ => None,
                })
                .collect();
            given.sort_by_key(|path| !ends(path, "key"));
            files.append(&mut given);
        }
        files
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Entry>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        found.insert(
            name,
            Entry {
                mode: data.mode() & 0o7777,
                written: (data.ino(), data.mtime(), data.mtime_nsec()),
                bytes: data.is_file().then(|| std::fs::read(&path).unwrap()),
            },
        );
        if data.is_dir() {
            collect(root, &path, found);
        }
    }
}

/// Whether a file name ends so.
pub(crate) fn ends(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}
