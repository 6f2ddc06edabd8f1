//! A run: plan what is selected, look at everything, then act or only report.

use std::time::Instant;

use rinit_diag::{ExitCode, Hint, Problem, chain};
use rinit_plan::Plan;

use crate::event::{Event, Outcome, Reporter, RunOutcome};
use crate::executor::{Executor, State};
use crate::look::{Stage, look};
use crate::phase::{Phase, Reach};
use crate::remedy::{self, Remedy};
use crate::schedule::execute;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// The command, such as `init`.
    pub command: &'static str,
    /// The version of the control plane's components, where the command has one.
    pub kubernetes_version: Option<String>,
    /// Whether it writes.
    pub mode: Mode,
    /// Whether it works below a directory instead of on the running host (`--root`).
    pub rooted: bool,
    /// What the user should be warned of before anything is looked at.
    pub warnings: Vec<Problem>,
    /// What the user should know before anything is looked at.
    pub notes: Vec<String>,
}

/// What a run has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How it ended.
    pub outcome: RunOutcome,
    /// How many actions changed something, or would.
    pub changed: usize,
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
    /// Something blocks the run.
    #[error("{}", stands_in_the_way(.problems.len(), *.late))]
    Blocked {
        /// Everything that does, in plan order.
        problems: Vec<PhaseProblem>,
        /// Whether the cluster was made with another configuration.
        conflict: bool,
        /// Whether it showed only after something was written; else nothing was.
        late: bool,
        /// Ways out that several of them share, and warnings with them.
        remedies: Vec<Remedy>,
    },
    /// Phases that act on the running host cannot act on a directory.
    #[error("phases that act on the running host cannot work on a directory: {}", .phases.join(", "))]
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
        1 => "one thing blocks the run".to_owned(),
        _ => format!("{count} things block the run"),
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
pub fn plans<I>(
    tree: &[Phase<I>],
    input: &I,
    selection: &Selection,
) -> Result<Vec<Plan>, SelectionError> {
    let steps = leaves(tree, selection)?;
    Ok(steps
        .iter()
        .filter(|step| step.selected)
        .map(|step| (step.plan)(input))
        .collect())
}

/// Runs the selected phases of a tree.
pub async fn run<I, E: Executor>(
    tree: &[Phase<I>],
    input: &I,
    selection: &Selection,
    options: &RunOptions,
    executor: &E,
    reporter: &dyn Reporter,
) -> Result<Summary, WorkflowError> {
    let started = Instant::now();
    let mut changed = 0;
    let result = run_inner(
        tree,
        input,
        selection,
        options,
        executor,
        reporter,
        &mut changed,
    )
    .await;
    let milliseconds = millis(started, Instant::now());
    let outcome = match &result {
        Ok(summary) => summary.outcome,
        Err(WorkflowError::Action { .. } | WorkflowError::Blocked { late: true, .. }) => {
            RunOutcome::Failed
        }
        Err(_) => RunOutcome::Refused,
    };
    if let Err(error) = &result {
        report_error(error, reporter);
    }
    reporter.report(Event::RunFinished {
        outcome,
        changed,
        milliseconds,
    });
    result
}

fn report_error(error: &WorkflowError, reporter: &dyn Reporter) {
    if let WorkflowError::Blocked {
        problems, remedies, ..
    } = error
    {
        for PhaseProblem { phase, problem } in problems {
            reporter.report(Event::Problem {
                phase: Some(phase.clone()),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
            });
        }
        remedy::report(remedies, reporter);
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

async fn run_inner<I, E: Executor>(
    tree: &[Phase<I>],
    input: &I,
    selection: &Selection,
    options: &RunOptions,
    executor: &E,
    reporter: &dyn Reporter,
    changed: &mut usize,
) -> Result<Summary, WorkflowError> {
    let steps = leaves(tree, selection)?;
    if options.rooted {
        refuse_host_phases(&steps)?;
    }
    reporter.report(Event::RunStarted {
        command: options.command,
        kubernetes_version: options.kubernetes_version.clone(),
        dry_run: options.mode == Mode::DryRun,
        phases: steps
            .iter()
            .filter(|step| step.selected)
            .map(|step| step.name.clone())
            .collect(),
    });
    for Problem { message, hint } in &options.warnings {
        let (message, hint) = (message.clone(), hint.clone());
        reporter.report(Event::Warning {
            phase: None,
            message,
            hint,
        });
    }
    for message in &options.notes {
        reporter.report(Event::Note {
            phase: None,
            message: message.clone(),
        });
    }
    let (stages, refusal) = look(
        options.command,
        &steps,
        input,
        options.mode,
        executor,
        reporter,
    )
    .await;
    match (options.mode, refusal) {
        // What would be done is reported all the same: who plans elsewhere has another host.
        (Mode::DryRun, refusal) => {
            let summary = report(&stages, reporter);
            *changed = summary.changed;
            refusal.map_or(Ok(summary), Err)
        }
        (Mode::Apply, Some(refusal)) => Err(refusal),
        (Mode::Apply, None) => execute(&stages, executor, reporter, changed).await,
    }
}

fn refuse_host_phases<I>(steps: &[Step<'_, I>]) -> Result<(), WorkflowError> {
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

/// The second pass of a dry run: says what would be done.
fn report(stages: &[Stage], reporter: &dyn Reporter) -> Summary {
    let mut changed = 0;
    for stage in stages {
        reporter.report(Event::PhaseStarted {
            phase: stage.phase.clone(),
        });
        let before = changed;
        for task in &stage.tasks {
            let (outcome, detail) = match &task.seen {
                State::Holds { detail, .. } => (Outcome::Held, detail.clone()),
                State::Blocked { problems, .. } | State::Unfit { problems, .. } => {
                    let messages: Vec<&str> = problems
                        .iter()
                        .map(|problem| problem.message.as_str())
                        .collect();
                    (Outcome::WouldRefuse, Some(messages.join("\n")))
                }
                State::Hidden { problem } => (Outcome::Hidden, Some(problem.message.clone())),
                _ if task.action.is_read_only() => (Outcome::Unknown, None),
                State::Absent => (Outcome::WouldCreate, None),
                State::Differs { diff } => (Outcome::WouldChange, Some(diff.clone())),
                State::Unknown { reason } => (Outcome::Unknown, Some(reason.clone())),
            };
            changed += usize::from(outcome.changes() && !task.action.is_read_only());
            reporter.report(Event::StepFinished {
                phase: stage.phase.clone(),
                step: task.step.clone(),
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
    }
}

pub(crate) fn millis(began: Instant, ended: Instant) -> u64 {
    let time = ended.saturating_duration_since(began);
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
