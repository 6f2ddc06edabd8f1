//! The second pass: makes hold what does not, in order, one lane at a time.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::stream::{FuturesOrdered, StreamExt as _};
use rinit_diag::{Hint as _, Problem};
use rinit_plan::{Action, Artefact};

use crate::event::JoinCommands;
use crate::event::{Event, Outcome, Reporter, RunOutcome};
use crate::executor::{Executor, State};
use crate::look::{Stage, Task, of_phase, warn};
use crate::remedy::Remedy;
use crate::run::{Summary, WorkflowError, is_reading, millis};

/// The second pass: makes hold what does not, in order, one lane at a time.
pub(crate) async fn act<E: Executor>(
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

    /// It came to stand in the way since the first look.
    fn refused(
        self,
        phase: &str,
        problems: &[Problem],
        conflict: bool,
        remedy: Option<Remedy>,
        started: Instant,
    ) -> Self {
        Self {
            outcome: Outcome::Failed,
            milliseconds: millis(started),
            failure: Some(WorkflowError::Blocked {
                problems: of_phase(phase, problems),
                conflict,
                late: false,
                remedies: remedy.into_iter().collect(),
            }),
            ..self
        }
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
        State::Holds { detail, .. } => {
            dealt.outcome = Outcome::Held;
            dealt.detail = detail;
            dealt.milliseconds = millis(started);
            return dealt;
        }
        State::Blocked { problems, conflict } => {
            return dealt.refused(phase, &problems, conflict, None, started);
        }
        State::Unfit { problems, remedy } => {
            return dealt.refused(phase, &problems, false, Some(remedy), started);
        }
        // What came to stand there since the first look is not written over unseen either.
        State::Hidden { problem } => {
            return dealt.refused(phase, &[problem], false, None, started);
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
            dealt.detail = ensured.detail.or(dealt.detail);
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
