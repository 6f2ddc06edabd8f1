//! The run loop: plan everything, look at everything, then act.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use rinit_diag::{ExitCode, Hint, Problem, chain};
use rinit_facts::Facts;
use rinit_plan::{Action, Artefact, CheckKind, Plan};

use crate::event::{Event, JoinCommands, Outcome, Reporter, RunOutcome};
use crate::executor::{Executor, Presence, State};
use crate::phase::{Phase, Reach};
use crate::selection::{Selection, SelectionError, Step, leaves};

/// Whether a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It makes everything hold.
    Apply,
    /// It says what it would do.
    DryRun,
}

/// How a run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Whether it writes.
    pub mode: Mode,
    /// Whether it works on a folder instead of the running host (`--root`).
    pub rooted: bool,
}

/// What a run has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many actions changed something, or would.
    pub changed: usize,
    /// How other nodes join, if that phase ran.
    pub join: Option<JoinCommands>,
    /// The key of the certificates that this run uploaded, if it was drawn for it.
    pub certificate_key: Option<String>,
}

/// A problem and the phase that found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseProblem {
    /// The full name of the phase.
    pub phase: String,
    /// What is wrong.
    pub problem: Problem,
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// A phase was named that does not exist.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// Something stands in the way.
    #[error("{}", stands_in_the_way(.problems.len(), *.late))]
    Blocked {
        /// Everything that does, in plan order.
        problems: Vec<PhaseProblem>,
        /// Whether the cluster was made with another configuration.
        conflict: bool,
        /// Whether it showed only after something was written; else nothing was.
        late: bool,
    },
    /// Phases that act on the running host cannot act on a folder.
    #[error("phases that act on the running host cannot work on a folder: {}", .phases.join(", "))]
    NeedsHost {
        /// The selected phases that do.
        phases: Vec<String>,
        /// What `--skip-phases` must name to leave them out.
        skip: String,
    },
    /// An action failed. What was done before it stays; a second run resumes.
    #[error("phase {phase}: {action}")]
    Action {
        /// The full name of the phase.
        phase: String,
        /// The action.
        action: String,
        /// What failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        hint: Option<String>,
    },
}

fn stands_in_the_way(count: usize, late: bool) -> String {
    let what = match count {
        1 => "one thing stands in the way".to_owned(),
        _ => format!("{count} things stand in the way"),
    };
    let so = if late {
        "what was done before stays"
    } else {
        "nothing was written"
    };
    format!("{what}; {so}")
}

impl WorkflowError {
    /// The exit code that says so to scripts.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Selection(_) | Self::NeedsHost { .. } => ExitCode::Usage,
            // The codes of a refusal promise that nothing was written.
            Self::Action { .. } | Self::Blocked { late: true, .. } => ExitCode::Failure,
            Self::Blocked { conflict: true, .. } => ExitCode::Conflict,
            Self::Blocked { .. } => ExitCode::Blocked,
        }
    }
}

impl Hint for WorkflowError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Selection(error) => error.hint(),
            Self::NeedsHost { skip, .. } => {
                Some(format!("leave them out with `--skip-phases={skip}`"))
            }
            Self::Blocked { .. } => None,
            Self::Action { hint, .. } => hint.clone(),
        }
    }
}

/// The plans of the selected phases, in order, without looking at anything.
pub fn plans(
    tree: &[Phase],
    facts: &Facts,
    selection: &Selection,
) -> Result<Vec<Plan>, SelectionError> {
    let steps = leaves(tree, selection)?;
    Ok(steps
        .iter()
        .filter(|step| step.selected)
        .map(|step| (step.plan)(facts))
        .collect())
}

/// One action of a selected phase, and how it stood at the first look.
struct Task {
    action: Action,
    seen: State,
}

/// A selected phase with its tasks.
struct Stage {
    phase: String,
    tasks: Vec<Task>,
}

/// Runs the selected phases of a tree.
pub async fn run<E: Executor>(
    tree: &[Phase],
    facts: &Facts,
    selection: &Selection,
    options: RunOptions,
    executor: &E,
    reporter: &dyn Reporter,
) -> Result<Summary, WorkflowError> {
    let started = Instant::now();
    let mut changed = 0;
    let result = run_inner(
        tree,
        facts,
        selection,
        options,
        executor,
        reporter,
        &mut changed,
    )
    .await;
    let milliseconds = millis(started);
    let outcome = match &result {
        Ok(summary) => summary.outcome,
        Err(WorkflowError::Action { .. } | WorkflowError::Blocked { late: true, .. }) => {
            RunOutcome::Failed
        }
        Err(_) => RunOutcome::Refused,
    };
    let summary = result.as_ref().ok();
    if let Err(error) = &result {
        report_error(error, reporter);
    }
    reporter.report(Event::RunFinished {
        outcome,
        changed,
        milliseconds,
        join: summary.and_then(|summary| summary.join.clone()),
        certificate_key: summary.and_then(|summary| summary.certificate_key.clone()),
    });
    result
}

fn report_error(error: &WorkflowError, reporter: &dyn Reporter) {
    if let WorkflowError::Blocked { problems, .. } = error {
        for PhaseProblem { phase, problem } in problems {
            reporter.report(Event::Problem {
                phase: Some(phase.clone()),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
            });
        }
        return;
    }
    // The phase has a field of its own in the event.
    let (phase, message) = match error {
        WorkflowError::Action {
            phase,
            action,
            source,
            ..
        } => (
            Some(phase.clone()),
            format!("{action}: {}", chain(source.as_ref())),
        ),
        other => (None, chain(other)),
    };
    reporter.report(Event::Problem {
        phase,
        message,
        hint: error.hint(),
    });
}

async fn run_inner<E: Executor>(
    tree: &[Phase],
    facts: &Facts,
    selection: &Selection,
    options: RunOptions,
    executor: &E,
    reporter: &dyn Reporter,
    changed: &mut usize,
) -> Result<Summary, WorkflowError> {
    let steps = leaves(tree, selection)?;
    if options.rooted {
        refuse_host_phases(&steps)?;
    }
    reporter.report(Event::RunStarted {
        kubernetes_version: facts.version.to_string(),
        dry_run: options.mode == Mode::DryRun,
        phases: steps
            .iter()
            .filter(|step| step.selected)
            .map(|step| step.name.clone())
            .collect(),
    });
    for Problem { message, hint } in &facts.warnings {
        let (message, hint) = (message.clone(), hint.clone());
        reporter.report(Event::Warning {
            phase: None,
            message,
            hint,
        });
    }
    for message in &facts.detected {
        reporter.report(Event::Note {
            phase: None,
            message: message.clone(),
        });
    }
    // Every phase is planned, selected or not, so that a missing artefact can be traced to the
    // phase that makes it.
    let plans: Vec<Plan> = steps.iter().map(|step| (step.plan)(facts)).collect();
    let (stages, refusal) = look(&steps, &plans, options.mode, executor, reporter).await;
    match (options.mode, refusal) {
        // What would be done is told all the same: who plans elsewhere has another host.
        (Mode::DryRun, refusal) => {
            let summary = tell(&stages, reporter);
            *changed = summary.changed;
            refusal.map_or(Ok(summary), Err)
        }
        (Mode::Apply, Some(refusal)) => Err(refusal),
        (Mode::Apply, None) => act(stages, executor, reporter, changed).await,
    }
}

fn refuse_host_phases(steps: &[Step<'_>]) -> Result<(), WorkflowError> {
    let phases: Vec<String> = steps
        .iter()
        .filter(|step| step.selected && step.reach != Reach::Files)
        .map(|step| step.name.clone())
        .collect();
    if phases.is_empty() {
        return Ok(());
    }
    // Whole groups are named where all of their leaves need the host.
    let mut skip: Vec<&str> = Vec::new();
    for phase in &phases {
        let group = phase.split('/').next().unwrap_or(phase);
        let whole = steps
            .iter()
            .filter(|step| step.name == group || step.name.starts_with(&format!("{group}/")))
            .all(|step| step.reach != Reach::Files);
        let name = if whole { group } else { phase };
        if !skip.contains(&name) {
            skip.push(name);
        }
    }
    let skip = skip.join(",");
    Err(WorkflowError::NeedsHost { phases, skip })
}

/// The first pass: looks at every selected action, read-only, and reports all problems at once.
async fn look<E: Executor>(
    steps: &[Step<'_>],
    plans: &[Plan],
    mode: Mode,
    executor: &E,
    reporter: &dyn Reporter,
) -> (Vec<Stage>, Option<WorkflowError>) {
    let mut stages = Vec::new();
    let mut given: BTreeSet<Artefact> = BTreeSet::new();
    let mut problems = Vec::new();
    let mut conflict = false;
    let mut planned: Vec<&Action> = Vec::new();
    for (step, plan) in steps.iter().zip(plans).filter(|(step, _)| step.selected) {
        let phase = step.name.clone();
        for message in &plan.notes {
            reporter.report(Event::Note {
                phase: Some(phase.clone()),
                message: message.clone(),
            });
        }
        // What an earlier phase wants too is done there once.
        let actions: Vec<&Action> = plan
            .actions
            .iter()
            .filter(|action| !planned.contains(action))
            .collect();
        planned.extend(&actions);
        let seen_states = join_all(actions.iter().map(|action| executor.inspect(action))).await;
        let mut tasks = Vec::new();
        for (action, seen) in actions.into_iter().zip(seen_states) {
            let seen = lenient(action, seen, mode, &phase, reporter);
            match &seen {
                State::Holds { warnings } => warn(&phase, warnings, reporter),
                State::Blocked {
                    problems: found,
                    conflict: differs,
                } => {
                    conflict |= differs;
                    problems.extend(found.iter().map(|problem| PhaseProblem {
                        phase: phase.clone(),
                        problem: problem.clone(),
                    }));
                }
                State::Hidden { problem } => {
                    if mode == Mode::Apply {
                        let (phase, problem) = (phase.clone(), problem.clone());
                        problems.push(PhaseProblem { phase, problem });
                    }
                }
                State::Absent
                | State::Differs { .. }
                | State::Unknown { .. }
                | State::Unverified { .. } => {
                    for need in action.needs() {
                        if !given.contains(&need)
                            && executor.holds(&need).await == Presence::Missing
                        {
                            let problem = missing(action, &need, steps, plans);
                            problems.push(PhaseProblem {
                                phase: phase.clone(),
                                problem,
                            });
                        }
                    }
                }
            }
            // What holds already gives nothing new: an external authority never has its key.
            if !seen.holds() {
                given.extend(action.gives());
            }
            tasks.push(Task {
                action: action.clone(),
                seen,
            });
        }
        stages.push(Stage { phase, tasks });
    }
    problems.extend(unverified(&stages));
    if problems.is_empty() {
        return (stages, None);
    }
    let mut once = Vec::new();
    for problem in problems {
        if !once.contains(&problem) {
            once.push(problem);
        }
    }
    let refusal = WorkflowError::Blocked {
        problems: once,
        conflict,
        late: false,
    };
    (stages, Some(refusal))
}

/// Files that would be written though nobody can tell whether the cluster was made with this
/// configuration: init completes a cluster and does not change one.
fn unverified(stages: &[Stage]) -> Option<PhaseProblem> {
    let tasks = || {
        stages
            .iter()
            .flat_map(|stage| stage.tasks.iter().map(|task| (&stage.phase, task)))
    };
    let writes = tasks().any(|(_, task)| {
        matches!(task.action, Action::File(_))
            && matches!(task.seen, State::Absent | State::Differs { .. })
    });
    tasks()
        .filter(|_| writes)
        .find_map(|(phase, task)| match &task.seen {
            State::Unverified { problem } => Some(PhaseProblem {
                phase: phase.clone(),
                problem: problem.clone(),
            }),
            _ => None,
        })
}

/// A dry run is for everybody: not being root is worth a note there, not a refusal.
fn lenient(
    action: &Action,
    state: State,
    mode: Mode,
    phase: &str,
    reporter: &dyn Reporter,
) -> State {
    match (action, state) {
        (Action::Check(check), State::Blocked { problems, .. })
            if mode == Mode::DryRun && check.kind == CheckKind::Privileged =>
        {
            for Problem { message, .. } in problems {
                let phase = Some(phase.to_owned());
                reporter.report(Event::Note { phase, message });
            }
            State::HOLDS
        }
        (_, state) => state,
    }
}

fn missing(action: &Action, need: &Artefact, steps: &[Step<'_>], plans: &[Plan]) -> Problem {
    let provider = steps
        .iter()
        .zip(plans)
        .find(|(_, plan)| {
            plan.actions
                .iter()
                .any(|action| action.gives().contains(need))
        })
        .map(|(step, _)| step.name.replace('/', " "));
    let problem = Problem::new(format!("{action} needs {need}, which is missing"));
    match provider {
        Some(phase) => problem.with_hint(format!("`rinit init phase {phase}` makes it")),
        None => problem,
    }
}

fn warn(phase: &str, warnings: &[Problem], reporter: &dyn Reporter) {
    for Problem { message, hint } in warnings {
        reporter.report(Event::Warning {
            phase: Some(phase.to_owned()),
            message: message.clone(),
            hint: hint.clone(),
        });
    }
}

/// The second pass of a dry run: says what would be done.
fn tell(stages: &[Stage], reporter: &dyn Reporter) -> Summary {
    let mut changed = 0;
    for stage in stages {
        reporter.report(Event::PhaseStarted {
            phase: stage.phase.clone(),
        });
        let before = changed;
        for task in &stage.tasks {
            let (outcome, detail) = match &task.seen {
                State::Holds { .. } => (Outcome::Held, None),
                State::Blocked { problems, .. } => {
                    let messages: Vec<&str> = problems
                        .iter()
                        .map(|problem| problem.message.as_str())
                        .collect();
                    (Outcome::InTheWay, Some(messages.join("\n")))
                }
                State::Hidden { problem } => (Outcome::Hidden, Some(problem.message.clone())),
                _ if is_reading(&task.action) => (Outcome::Unknown, None),
                State::Unverified { problem } => (Outcome::Unknown, Some(problem.message.clone())),
                State::Absent => (Outcome::WouldCreate, None),
                State::Differs { diff } => (Outcome::WouldChange, Some(diff.clone())),
                State::Unknown { reason } => (Outcome::Unknown, Some(reason.clone())),
            };
            changed += usize::from(outcome.changes() && !is_reading(&task.action));
            reporter.report(Event::Action {
                phase: stage.phase.clone(),
                action: task.action.to_string(),
                outcome,
                detail,
                milliseconds: 0,
            });
        }
        reporter.report(Event::PhaseFinished {
            phase: stage.phase.clone(),
            changed: changed - before,
            milliseconds: 0,
        });
    }
    Summary {
        outcome: RunOutcome::DryRun,
        changed,
        join: None,
        certificate_key: None,
    }
}

/// The second pass: makes hold what does not, in order, one lane at a time.
async fn act<E: Executor>(
    stages: Vec<Stage>,
    executor: &E,
    reporter: &dyn Reporter,
    changed: &mut usize,
) -> Result<Summary, WorkflowError> {
    let open: Vec<&Action> = stages
        .iter()
        .flat_map(|stage| &stage.tasks)
        .filter(|task| !task.seen.holds())
        .map(|task| &task.action)
        .collect();
    executor.prepare(&open);
    let mut touched: BTreeSet<Artefact> = BTreeSet::new();
    let mut join = None;
    let mut certificate_key = None;
    for Stage { phase, tasks } in stages {
        let started = Instant::now();
        reporter.report(Event::PhaseStarted {
            phase: phase.clone(),
        });
        let before = *changed;
        for group in lanes(&tasks) {
            let mut running: FuturesOrdered<_> = group
                .iter()
                .map(|task| deal_with(task, &phase, &touched, executor, reporter))
                .collect();
            // Each is told when it and those before it are done. All are waited for, since what
            // is under way beside a failure is not to be cut off.
            let mut failure = None;
            let mut made = Vec::new();
            for task in group {
                let Some(dealt) = running.next().await else {
                    break;
                };
                dealt.report(&phase, reporter);
                if dealt.outcome.changes() {
                    made.extend(task.action.gives());
                    // Looking and showing change nothing.
                    *changed += usize::from(!is_reading(&task.action));
                }
                join = dealt.join.or(join);
                certificate_key = dealt.certificate_key.or(certificate_key);
                failure = failure.or(dealt.failure);
            }
            drop(running);
            touched.extend(made);
            if let Some(mut failure) = failure {
                if let WorkflowError::Blocked { late, .. } = &mut failure {
                    *late = *changed > 0;
                }
                return Err(failure);
            }
        }
        reporter.report(Event::PhaseFinished {
            phase,
            changed: *changed - before,
            milliseconds: millis(started),
        });
    }
    let outcome = if *changed == 0 {
        RunOutcome::Unchanged
    } else {
        RunOutcome::Completed
    };
    Ok(Summary {
        outcome,
        changed: *changed,
        join,
        certificate_key,
    })
}

/// Whether an action only looks or shows.
fn is_reading(action: &Action) -> bool {
    matches!(
        action,
        Action::Check(_) | Action::Wait(_) | Action::CertificateKey { .. } | Action::JoinCommand(_)
    )
}

/// Neighbours that may run side by side: of one lane, and none needs what another gives.
fn lanes(tasks: &[Task]) -> Vec<&[Task]> {
    let mut groups = Vec::new();
    let mut start = 0;
    for index in 1..=tasks.len() {
        let together = index < tasks.len() && tasks[start].action.lane().is_some() && {
            let candidate = &tasks[index].action;
            candidate.lane() == tasks[start].action.lane()
                && !tasks[start..index].iter().any(|earlier| {
                    let gives = earlier.action.gives();
                    candidate.needs().iter().any(|need| gives.contains(need))
                })
        };
        if !together {
            groups.push(&tasks[start..index]);
            start = index;
        }
    }
    groups
}

/// What became of a task, to be told in its turn.
struct Dealt {
    action: String,
    outcome: Outcome,
    detail: Option<String>,
    warnings: Vec<Problem>,
    milliseconds: u64,
    join: Option<JoinCommands>,
    certificate_key: Option<String>,
    failure: Option<WorkflowError>,
}

impl Dealt {
    fn report(&self, phase: &str, reporter: &dyn Reporter) {
        warn(phase, &self.warnings, reporter);
        reporter.report(Event::Action {
            phase: phase.to_owned(),
            action: self.action.clone(),
            outcome: self.outcome,
            detail: self.detail.clone(),
            milliseconds: self.milliseconds,
        });
    }
}

async fn deal_with<E: Executor>(
    task: &Task,
    phase: &str,
    touched: &BTreeSet<Artefact>,
    executor: &E,
    reporter: &dyn Reporter,
) -> Dealt {
    let started = Instant::now();
    let action = task.action.to_string();
    // What held at the first look still holds, unless something it hangs on was made since.
    let stale = task
        .action
        .hangs_on()
        .iter()
        .any(|need| touched.contains(need));
    let seen = if task.seen.holds() && !stale {
        task.seen.clone()
    } else {
        executor.inspect(&task.action).await
    };
    let mut dealt = Dealt {
        action: action.clone(),
        outcome: Outcome::Done,
        detail: None,
        warnings: Vec::new(),
        milliseconds: 0,
        join: None,
        certificate_key: None,
        failure: None,
    };
    match seen {
        State::Holds { .. } => {
            dealt.outcome = Outcome::Held;
            dealt.milliseconds = millis(started);
            return dealt;
        }
        State::Blocked { problems, conflict } => {
            let problems = problems
                .into_iter()
                .map(|problem| PhaseProblem {
                    phase: phase.to_owned(),
                    problem,
                })
                .collect();
            dealt.outcome = Outcome::Failed;
            dealt.milliseconds = millis(started);
            dealt.failure = Some(WorkflowError::Blocked {
                problems,
                conflict,
                late: false,
            });
            return dealt;
        }
        // What came to stand there since the first look is not written over unseen either.
        State::Hidden { problem } => {
            dealt.outcome = Outcome::Failed;
            dealt.milliseconds = millis(started);
            let phase = phase.to_owned();
            dealt.failure = Some(WorkflowError::Blocked {
                problems: vec![PhaseProblem { phase, problem }],
                conflict: false,
                late: false,
            });
            return dealt;
        }
        // Looking and showing is done, and makes nothing.
        _ if is_reading(&task.action) => dealt.outcome = Outcome::Done,
        State::Absent => dealt.outcome = Outcome::Created,
        State::Differs { diff } => {
            dealt.outcome = Outcome::Changed;
            dealt.detail = Some(diff);
        }
        State::Unknown { .. } | State::Unverified { .. } => dealt.outcome = Outcome::Done,
    }
    let progress = |message: String| {
        reporter.report(Event::Progress {
            phase: phase.to_owned(),
            action: action.clone(),
            message,
        });
    };
    match executor.ensure(&task.action, &progress).await {
        Ok(ensured) => {
            dealt.warnings = ensured.warnings;
            dealt.join = ensured.join;
            dealt.certificate_key = ensured.certificate_key;
            if ensured.unchanged {
                dealt.outcome = Outcome::Held;
            }
        }
        Err(error) => {
            dealt.outcome = Outcome::Failed;
            dealt.detail = None;
            dealt.failure = Some(WorkflowError::Action {
                phase: phase.to_owned(),
                action: action.clone(),
                hint: error.hint(),
                source: Box::new(error),
            });
        }
    }
    dealt.milliseconds = millis(started);
    dealt
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
