//! The first pass: how everything stands, read-only, and all that is in the way at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use rinit_diag::Problem;
use rinit_plan::{Action, CheckKind, Gate, Plan, ResourceId};

use crate::event::{Event, Reporter};
use crate::executor::{Executor, Presence, State};
use crate::remedy;
use crate::run::{Mode, PhaseProblem, WorkflowError};
use crate::selection::Step;

/// One action of a selected phase, and how it stood at the first look.
pub(crate) struct Task {
    /// Its identifier in events: the phase and the action's name.
    pub(crate) step: String,
    pub(crate) action: Action,
    pub(crate) seen: State,
}

/// A selected phase with its tasks.
pub(crate) struct Stage {
    pub(crate) phase: String,
    pub(crate) tasks: Vec<Task>,
}

/// The first pass: looks at every selected action, read-only, and reports all problems at once.
pub(crate) async fn look<I, E: Executor>(
    command: &str,
    steps: &[Step<'_, I>],
    input: &I,
    mode: Mode,
    executor: &E,
    reporter: &dyn Reporter,
) -> (Vec<Stage>, Option<WorkflowError>) {
    let mut stages = Vec::new();
    let mut given: BTreeSet<ResourceId> = BTreeSet::new();
    let mut problems = Vec::new();
    let mut remedies = Vec::new();
    let mut conflict = false;
    for step in steps.iter().filter(|step| step.selected) {
        let phase = step.name.clone();
        let Plan { mut actions, notes } = (step.plan)(input);
        for message in notes {
            reporter.report(Event::Note {
                phase: Some(phase.clone()),
                message,
            });
        }
        // What an earlier phase wants too is done there once.
        actions.retain(|action| !planned(&stages, action));
        let seen_states = join_all(actions.iter().map(|action| executor.inspect(action))).await;
        let mut tasks = Vec::new();
        for (action, seen) in actions.into_iter().zip(seen_states) {
            let seen = lenient(&action, seen, mode, &phase, reporter);
            match &seen {
                State::Holds {
                    warnings, remedy, ..
                } => {
                    warn(&phase, warnings, reporter);
                    remedies.extend(remedy.clone());
                }
                State::Unfit {
                    problems: found,
                    remedy,
                } => {
                    problems.extend(of_phase(&phase, found));
                    remedies.push(remedy.clone());
                }
                State::Blocked {
                    problems: found,
                    conflict: differs,
                } => {
                    conflict |= differs;
                    problems.extend(of_phase(&phase, found));
                }
                State::Hidden { problem } => {
                    if mode == Mode::Apply {
                        let (phase, problem) = (phase.clone(), problem.clone());
                        problems.push(PhaseProblem { phase, problem });
                    }
                }
                State::Absent | State::Differs { .. } | State::Unknown { .. } => {
                    for need in action.requires() {
                        if !given.contains(&need)
                            && executor.holds(&need).await == Presence::Missing
                        {
                            let problem = missing(command, &action, &need, steps, input);
                            problems.push(PhaseProblem {
                                phase: phase.clone(),
                                problem,
                            });
                        }
                    }
                }
            }
            // A resource that holds gives nothing new: an external CA never has its key. A wait that
            // is over has been seen: an API server takes writes before it reports itself alive.
            if !seen.holds() || matches!(action, Action::Gate(_)) {
                given.extend(action.gives());
            }
            let step = step_id(&phase, &action, &tasks);
            tasks.push(Task { step, action, seen });
        }
        stages.push(Stage { phase, tasks });
    }
    if problems.is_empty() {
        remedy::report(&remedies, reporter);
        return (stages, None);
    }
    // Several actions of several phases may find the same CA unusable.
    let mut once: Vec<PhaseProblem> = Vec::new();
    for problem in problems {
        if !once.iter().any(|known| known.problem == problem.problem) {
            once.push(problem);
        }
    }
    let refusal = WorkflowError::Blocked {
        problems: once,
        conflict,
        late: false,
        remedies,
    };
    (stages, Some(refusal))
}

/// Whether an earlier phase does it already.
fn planned(stages: &[Stage], action: &Action) -> bool {
    let mut tasks = stages.iter().flat_map(|stage| &stage.tasks);
    tasks.any(|task| task.action == *action)
}

pub(crate) fn of_phase(phase: &str, problems: &[Problem]) -> Vec<PhaseProblem> {
    problems
        .iter()
        .map(|problem| PhaseProblem {
            phase: phase.to_owned(),
            problem: problem.clone(),
        })
        .collect()
}

/// Returns the identifier of a step. Those that say the same of themselves are numbered.
fn step_id(phase: &str, action: &Action, before: &[Task]) -> String {
    let id = format!("{phase}/{action}");
    let same = |task: &&Task| task.action.to_string() == action.to_string();
    match before.iter().filter(same).count() {
        0 => id,
        count => format!("{id} #{}", count + 1),
    }
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
        (Action::Gate(Gate::Check(check)), State::Blocked { problems, .. })
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

/// The problem of a missing resource, with the phase that makes it, selected or not.
fn missing<I>(
    command: &str,
    action: &Action,
    need: &ResourceId,
    steps: &[Step<'_, I>],
    input: &I,
) -> Problem {
    let provider = steps
        .iter()
        .find(|step| {
            let plan = (step.plan)(input);
            let mut gives = plan.actions.iter().flat_map(Action::gives);
            gives.any(|given| given == *need)
        })
        .map(|step| step.name.replace('/', " "));
    let problem = Problem::new(format!("{action} needs {need}, which is missing"));
    match provider {
        Some(phase) => problem.with_hint(format!("`rinit {command} phase {phase}` makes it")),
        None => problem,
    }
}

pub(crate) fn warn(phase: &str, warnings: &[Problem], reporter: &dyn Reporter) {
    for Problem { message, hint } in warnings {
        reporter.report(Event::Warning {
            phase: Some(phase.to_owned()),
            message: message.clone(),
            hint: hint.clone(),
        });
    }
}
