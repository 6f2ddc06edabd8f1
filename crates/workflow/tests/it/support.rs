//! A world in memory, an executor over it, and a reporter that keeps what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use rinit_diag::{Hint, Problem};
use rinit_facts::Facts;
use rinit_plan::{
    Action, ApiAccess, DirectorySpec, FileMode, FileSpec, Gate, ImagePull, KeyAlgorithm,
    KeyPairSpec, LogicalPath, ObjectId, ObjectSpec, Output, Plan, PullPolicy, Resource, ResourceId,
    UnitSpec, WriteStyle,
};
use rinit_workflow::{
    Ensured, Event, Executor, Mode, Phase, Presence, Reach, Reporter, RunOptions, RunOutcome,
    Selection, State, Summary, WorkflowError, run,
};

/// What is there, and which actions hold. It outlives the executor that works on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) artefacts: BTreeSet<ResourceId>,
    pub(crate) held: BTreeSet<String>,
    /// How many times something was changed.
    pub(crate) writes: usize,
}

/// How an executor comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The action fails before it does anything.
    Before,
    /// The action fails when half of what it gives is there.
    Halfway,
    /// Everything is there, and the process ends all the same.
    After,
    /// A panic.
    Panic,
    /// Nothing more happens, as if the process was killed.
    Silence,
}

/// An executor over a [`World`].
#[derive(Default)]
pub(crate) struct Double {
    pub(crate) world: Mutex<World>,
    /// What is looked at and done, in order.
    pub(crate) log: Mutex<Vec<String>>,
    /// At which call of `ensure` it ends, counted from nought, and how.
    pub(crate) end: Option<(usize, End)>,
    /// What is answered for an action, by its name, whatever the world says.
    pub(crate) answers: BTreeMap<String, State>,
    /// How often an action waits before it is done, by its name.
    pub(crate) delays: BTreeMap<String, usize>,
    /// Which actions fail, by their names.
    pub(crate) failing: BTreeSet<String>,
    running: Mutex<BTreeSet<String>>,
    /// Actions that ran beside another.
    pub(crate) beside: Mutex<BTreeSet<(String, String)>>,
    /// How many ran at once at most.
    pub(crate) most: Mutex<usize>,
    calls: Mutex<usize>,
}

/// Why the double did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoubleError {
    #[error("stopped by the test")]
    Stopped,
    #[error("{action} was begun without {need}")]
    TooEarly { action: String, need: ResourceId },
}

impl Hint for DoubleError {
    fn hint(&self) -> Option<String> {
        Some("Run it again.".to_owned())
    }
}

impl Double {
    pub(crate) fn over(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            ..Self::default()
        }
    }

    pub(crate) fn ending(world: World, call: usize, end: End) -> Self {
        Self {
            end: Some((call, end)),
            ..Self::over(world)
        }
    }

    pub(crate) fn answering(mut self, action: &str, state: State) -> Self {
        self.answers.insert(action.to_owned(), state);
        self
    }

    /// Has these wait for a while each.
    pub(crate) fn delaying(mut self, actions: &[Action]) -> Self {
        self.delays = actions.iter().map(|action| (key(action), 5)).collect();
        self
    }

    pub(crate) fn world(&self) -> World {
        self.world.lock().unwrap().clone()
    }

    pub(crate) fn ensured(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .filter_map(|line| line.strip_prefix("ensure ").map(str::to_owned))
            .collect()
    }

    /// Gives the first `count` of what the action gives.
    fn give(&self, action: &Action, count: usize) {
        let mut world = self.world.lock().unwrap();
        world
            .artefacts
            .extend(action.gives().into_iter().take(count));
        world.writes += 1;
    }
}

/// What tells an action from others: its name, and for a unit also what it is started for.
fn key(action: &Action) -> String {
    match action {
        Action::Ensure(Resource::Unit(spec)) => format!("{action} for {} files", spec.files.len()),
        _ => action.to_string(),
    }
}

/// Whether an action changes nothing, so that it never counts as a write.
pub(crate) fn only_looks(action: &Action) -> bool {
    action.is_read_only()
}

impl Executor for Double {
    type Error = DoubleError;

    async fn holds(&self, artefact: &ResourceId) -> Presence {
        if self.world.lock().unwrap().artefacts.contains(artefact) {
            Presence::Present
        } else {
            Presence::Missing
        }
    }

    async fn inspect(&self, action: &Action) -> State {
        let name = key(action);
        self.log.lock().unwrap().push(format!("inspect {name}"));
        if let Some(answer) = self.answers.get(&name) {
            return answer.clone();
        }
        let world = self.world.lock().unwrap();
        match action {
            Action::Gate(Gate::Check(_)) => State::HOLDS,
            Action::Output(Output::JoinCommand(_)) => State::Absent,
            Action::Gate(Gate::Refuse { message, hint }) => State::Blocked {
                problems: vec![Problem {
                    message: message.clone(),
                    hint: hint.clone(),
                }],
                conflict: false,
            },
            _ if world.held.contains(&name) => State::HOLDS,
            _ if action
                .gives()
                .iter()
                .any(|given| world.artefacts.contains(given)) =>
            {
                State::Differs {
                    diff: "- half\n+ whole".to_owned(),
                }
            }
            _ => State::Absent,
        }
    }

    fn prepare(&self, _: &[&Action]) {
        self.log.lock().unwrap().push("prepare".to_owned());
    }

    async fn ensure(
        &self,
        action: &Action,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, DoubleError> {
        let name = key(action);
        self.log.lock().unwrap().push(format!("ensure {name}"));
        progress(format!("busy with {name}"));
        let call = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls - 1
        };
        for need in action.requires() {
            if self.holds(&need).await != Presence::Present {
                return Err(DoubleError::TooEarly { action: name, need });
            }
        }
        {
            let mut running = self.running.lock().unwrap();
            let mut beside = self.beside.lock().unwrap();
            beside.extend(running.iter().map(|other| (other.clone(), name.clone())));
            running.insert(name.clone());
            let mut most = self.most.lock().unwrap();
            *most = running.len().max(*most);
        }
        for _ in 0..self.delays.get(&name).copied().unwrap_or_default() {
            tokio::task::yield_now().await;
        }
        self.running.lock().unwrap().remove(&name);
        if self.failing.contains(&name) {
            return Err(DoubleError::Stopped);
        }
        let end = self.end.and_then(|(at, end)| (at == call).then_some(end));
        match end {
            None => {}
            Some(End::Before) => return Err(DoubleError::Stopped),
            Some(End::Halfway) => {
                self.give(action, action.gives().len().div_ceil(2));
                return Err(DoubleError::Stopped);
            }
            Some(End::After) => {
                self.give(action, usize::MAX);
                self.world.lock().unwrap().held.insert(name);
                return Err(DoubleError::Stopped);
            }
            Some(End::Panic) => panic!("stopped by the test"),
            Some(End::Silence) => std::future::pending().await,
        }
        if only_looks(action) {
            self.world.lock().unwrap().artefacts.extend(action.gives());
        } else {
            self.give(action, usize::MAX);
        }
        self.world.lock().unwrap().held.insert(name.clone());
        self.log.lock().unwrap().push(format!("done {name}"));
        Ok(Ensured::default())
    }
}

/// Keeps every event.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl Reporter for Recorder {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
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

    /// The messages and hints of everything that blocks a run.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let Err(WorkflowError::Blocked { problems, .. }) = &self.result else {
            panic!("not refused: {:?}", self.result);
        };
        problems
            .iter()
            .map(|problem| {
                (
                    format!("{}: {}", problem.phase, problem.problem.message),
                    problem.problem.hint.clone().unwrap_or_default(),
                )
            })
            .collect()
    }

    /// Names of the actions that were told, with their outcome.
    pub(crate) fn told(&self) -> Vec<(String, rinit_workflow::Outcome)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::StepFinished {
                    action, outcome, ..
                } => Some((action.clone(), *outcome)),
                _ => None,
            })
            .collect()
    }
}

/// A run of init on this host.
pub(crate) fn options(mode: Mode) -> RunOptions {
    RunOptions {
        command: "init",
        kubernetes_version: None,
        mode,
        rooted: false,
        warnings: Vec::new(),
        notes: Vec::new(),
    }
}

/// Runs a tree.
pub(crate) async fn go(
    tree: &[Phase<Facts>],
    selection: &Selection,
    mode: Mode,
    double: &Double,
) -> Ran {
    let recorder = Recorder::default();
    let options = options(mode);
    let result = run(tree, &facts(), selection, &options, double, &recorder).await;
    let events = recorder.events();
    check_events(tree, &events);
    Ran { result, events }
}

/// Runs everything.
pub(crate) async fn go_all(tree: &[Phase<Facts>], double: &Double) -> Ran {
    go(tree, &Selection::default(), Mode::Apply, double).await
}

/// What holds of every stream of events, whatever the run came to.
pub(crate) fn check_events(tree: &[Phase<Facts>], events: &[Event]) {
    let all = rinit_workflow::leaves(tree, &Selection::default()).unwrap();
    let known = |phase: &str| assert!(all.iter().any(|step| step.name == phase), "{phase}");
    let Some(Event::RunFinished { changed, .. }) = events.last() else {
        panic!("the last event is not run-finished: {:?}", events.last());
    };
    let mut open: BTreeSet<String> = BTreeSet::new();
    let mut closed: BTreeSet<String> = BTreeSet::new();
    let mut begun: BTreeSet<String> = BTreeSet::new();
    let mut finished: BTreeSet<String> = BTreeSet::new();
    let mut failed = false;
    let (mut by_steps, mut by_phases) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::RunStarted { .. } => assert_eq!(index, 0, "the run starts once"),
            Event::RunFinished { .. } => assert_eq!(index, events.len() - 1, "it ends once"),
            Event::PhaseStarted { phase } => {
                known(phase);
                assert!(!closed.contains(phase), "{phase} starts again");
                assert!(open.insert(phase.clone()), "{phase} starts twice");
            }
            Event::StepStarted { phase, step, .. } => {
                assert!(open.contains(phase), "{step} begins outside of {phase}");
                assert!(begun.insert(step.clone()), "{step} begins twice");
            }
            Event::StepProgress { phase, step, .. } => {
                assert!(open.contains(phase), "{step} goes on outside of {phase}");
                assert!(begun.contains(step) && !finished.contains(step), "{step}");
            }
            Event::StepFinished {
                phase,
                step,
                action,
                outcome,
                ..
            } => {
                assert!(open.contains(phase), "{step} ends outside of {phase}");
                assert!(finished.insert(step.clone()), "{step} ends twice");
                failed |= *outcome == rinit_workflow::Outcome::Failed;
                by_steps += usize::from(outcome.changes() && !is_read_only(action));
            }
            Event::PhaseFinished { phase, changed, .. } => {
                assert!(open.remove(phase), "{phase} ends before it starts");
                closed.insert(phase.clone());
                by_phases += changed;
            }
            Event::Output { .. } => assert!(!failed, "a failed run hands over nothing"),
            Event::Note { .. }
            | Event::Warning { .. }
            | Event::Problem { .. }
            | Event::Remedy { .. } => {}
            Event::Finding { .. } => panic!("findings come before a run, never in one"),
        }
    }
    assert_eq!(by_steps, *changed, "the steps and the run count alike");
    if failed {
        assert!(by_phases <= *changed, "the phases count more than the run");
    } else {
        assert_eq!(open, BTreeSet::new(), "a phase was left open");
        assert_eq!(by_phases, *changed, "the phases and the run count alike");
    }
}

/// Whether the action of that name changes nothing.
fn is_read_only(name: &str) -> bool {
    [
        "check ",
        "health of ",
        "first answer ",
        "join command",
        "certificate key",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}

/// Facts of the smallest configuration.
pub(crate) fn facts() -> Facts {
    rinit_testkit::facts("minimal")
}

/// The whole of init, as the program has it.
pub(crate) fn init() -> Vec<Phase<Facts>> {
    vec![
        rinit_phase_preflight::phase(),
        rinit_phase_certs::phase(),
        rinit_phase_kubeconfig::phase(),
        rinit_phase_etcd::phase(),
        rinit_phase_control_plane::phase(),
        rinit_phase_kubelet_start::phase(),
        rinit_phase_wait::phase(),
        rinit_phase_upload_config::phase(),
        rinit_phase_upload_certs::phase(),
        rinit_phase_mark::phase(),
        rinit_phase_bootstrap_token::phase(),
        rinit_phase_kubelet_finalize::phase(),
        rinit_phase_addon::phase(),
        rinit_phase_show_join_command::phase(),
    ]
}

/// A phase with a fixed plan.
pub(crate) fn leaf(name: &'static str, actions: Vec<Action>) -> Phase<Facts> {
    Phase::leaf(name, "", Reach::Files, move |_| Plan::of(actions.clone()))
}

pub(crate) fn path(text: &str) -> LogicalPath {
    LogicalPath::parse(text).unwrap()
}

pub(crate) fn file(name: &str) -> Action {
    Action::Ensure(Resource::File(FileSpec {
        path: path(name),
        mode: FileMode::PRIVATE,
        text: "text".to_owned(),
    }))
}

pub(crate) fn directory(name: &str) -> Action {
    Action::Ensure(Resource::Directory(DirectorySpec {
        path: path(name),
        mode: FileMode::PRIVATE_DIRECTORY,
    }))
}

/// A key pair in two files.
pub(crate) fn key_pair(name: &str) -> Action {
    Action::Ensure(Resource::KeyPair(KeyPairSpec {
        private_key: path(name),
        public_key: path(&format!("{name}.pub")),
        algorithm: KeyAlgorithm::EcdsaP256,
    }))
}

/// A unit, which needs its files.
pub(crate) fn unit(files: &[&str]) -> Action {
    Action::Ensure(Resource::Unit(UnitSpec {
        optional: Vec::new(),
        name: "kubelet",
        files: files.iter().map(|name| path(name)).collect(),
        reads: Vec::new(),
        pods: Vec::new(),
        only_if_running: false,
    }))
}

pub(crate) fn image(name: &str, serial: bool) -> Action {
    Action::Ensure(Resource::Image(ImagePull {
        image: name.to_owned(),
        policy: PullPolicy::IfNotPresent,
        socket: "unix:///socket".to_owned(),
        serial,
        ignored: false,
    }))
}

pub(crate) fn access() -> ApiAccess {
    ApiAccess {
        kubeconfig: path("/admin.conf"),
        super_kubeconfig: None,
        server: None,
    }
}

/// A ConfigMap that hangs on others by their UIDs.
pub(crate) fn object(name: &str, after: &[&str]) -> Action {
    Action::Ensure(Resource::Object {
        access: access(),
        object: Box::new(ObjectSpec {
            id: object_id(name),
            body: serde_json::json!({}),
            fills: after
                .iter()
                .map(|other| rinit_plan::Fill {
                    pointer: "/metadata/ownerReferences/0/uid".to_owned(),
                    reference: rinit_plan::Reference::ObjectUid(object_id(other)),
                })
                .collect(),
            write: WriteStyle::Replace,
            unmanaged: Vec::new(),
        }),
    })
}

fn object_id(name: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// The names of a selection.
pub(crate) fn only(names: &[&str]) -> Selection {
    Selection {
        only: names.iter().map(|name| (*name).to_owned()).collect(),
        skip: Vec::new(),
    }
}

/// A selection without these.
pub(crate) fn without(names: &[&str]) -> Selection {
    Selection {
        only: Vec::new(),
        skip: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}
