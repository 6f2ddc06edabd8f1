//! The second pass: makes hold what does not, in order, neighbours of one lane side by side.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rinit_diag::{Hint as _, Problem};
use rinit_plan::{Action, Artefact, Lane};

use crate::account::{Account, Dealt, Place};
use crate::event::{Outcome, Reporter};
use crate::executor::{Executor, State};
use crate::look::{Stage, Task, of_phase};
use crate::remedy::Remedy;
use crate::run::{Summary, WorkflowError, is_reading};

/// The second pass: makes hold what does not, in order, neighbours of one lane side by side.
pub(crate) async fn act<E: Executor>(
    stages: &[Stage],
    executor: &E,
    reporter: &dyn Reporter,
    changed: &mut usize,
) -> Result<Summary, WorkflowError> {
    let work: Vec<Work<'_>> = stages
        .iter()
        .enumerate()
        .flat_map(|(number, stage)| {
            let works = move |(index, task)| Work {
                place: (number, index),
                stage,
                task,
            };
            stage.tasks.iter().enumerate().map(works)
        })
        .collect();
    let open: Vec<&Action> = work
        .iter()
        .filter(|work| !work.task.seen.holds())
        .map(|work| &work.task.action)
        .collect();
    executor.prepare(&open);
    let account = Account::new(stages, reporter);
    let mut touched: BTreeSet<Artefact> = BTreeSet::new();
    for window in windows(&work) {
        if !side_by_side(window, &mut touched, executor, &account).await {
            break;
        }
    }
    account.close(changed)
}

/// A task and where it stands in the plan.
struct Work<'run> {
    place: Place,
    stage: &'run Stage,
    task: &'run Task,
}

/// The plan cut into neighbours that may run side by side.
fn windows<'work, 'run>(work: &'work [Work<'run>]) -> impl Iterator<Item = &'work [Work<'run>]> {
    work.chunk_by(|one, next| {
        let lane = one.task.action.lane();
        let same = lane.is_some() && lane == next.task.action.lane();
        same && (one.place.0 == next.place.0 || lane.is_some_and(Lane::crosses_phases))
    })
}

/// Deals with each task of a window as soon as those that it follows are dealt with. After a failure
/// none is begun. Those that could begin together with it count as under way, and are waited for,
/// since they are not to be cut off. Answers whether all went well.
async fn side_by_side<E: Executor>(
    window: &[Work<'_>],
    touched: &mut BTreeSet<Artefact>,
    executor: &E,
    account: &Account<'_>,
) -> bool {
    let mut waiting: Vec<(&Work<'_>, BTreeSet<Place>)> = window
        .iter()
        .enumerate()
        .map(|(index, work)| {
            let follows = |earlier: &&Work<'_>| work.task.action.follows(&earlier.task.action);
            let earlier = window[..index].iter().filter(follows);
            (work, earlier.map(|earlier| earlier.place).collect())
        })
        .collect();
    let mut running = FuturesUnordered::new();
    let mut failed = false;
    loop {
        if !failed {
            for (work, _) in waiting.extract_if(.., |(_, follows)| follows.is_empty()) {
                // What held at the first look still holds, unless something it hangs on was made.
                let hangs_on = work.task.action.hangs_on();
                let stale = hangs_on.iter().any(|need| touched.contains(need));
                account.begin(work.place);
                let dealing = deal_with(work, stale, executor, account);
                running.push(async move { (work, dealing.await) });
            }
        }
        let Some((work, dealt)) = running.next().await else {
            return !failed;
        };
        for (_, follows) in &mut waiting {
            follows.remove(&work.place);
        }
        failed |= dealt.failure.is_some();
        if dealt.outcome.changes() {
            touched.extend(work.task.action.gives());
        }
        account.enter(work.place, dealt);
    }
}

async fn deal_with<E: Executor>(
    work: &Work<'_>,
    stale: bool,
    executor: &E,
    account: &Account<'_>,
) -> Dealt {
    let Work { place, stage, task } = work;
    let began = Instant::now();
    let mut dealt = Dealt {
        outcome: Outcome::Done,
        detail: None,
        warnings: Vec::new(),
        began,
        ended: began,
        join: None,
        certificate_key: None,
        failure: None,
    };
    let seen = if task.seen.holds() && !stale {
        task.seen.clone()
    } else {
        executor.inspect(&task.action).await
    };
    match seen {
        State::Holds { detail, .. } => {
            dealt.outcome = Outcome::Held;
            dealt.detail = detail;
            dealt.ended = Instant::now();
            return dealt;
        }
        State::Blocked { problems, conflict } => {
            return refused(dealt, &stage.phase, &problems, conflict, None);
        }
        State::Unfit { problems, remedy } => {
            return refused(dealt, &stage.phase, &problems, false, Some(remedy));
        }
        // What came to stand there since the first look is not written over unseen either.
        State::Hidden { problem } => {
            return refused(dealt, &stage.phase, &[problem], false, None);
        }
        // Looking and showing is done, and makes nothing.
        _ if is_reading(&task.action) => dealt.outcome = Outcome::Done,
        State::Absent => dealt.outcome = Outcome::Created,
        State::Differs { diff } => {
            dealt.outcome = Outcome::Changed;
            dealt.detail = Some(diff);
        }
        State::Unknown { .. } => dealt.outcome = Outcome::Done,
    }
    let progress = |message: String| account.progress(*place, message);
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
                phase: stage.phase.clone(),
                action: task.action.to_string(),
                hint: error.hint(),
                source: Box::new(error),
            });
        }
    }
    dealt.ended = Instant::now();
    dealt
}

/// It came to stand in the way since the first look.
fn refused(
    dealt: Dealt,
    phase: &str,
    problems: &[Problem],
    conflict: bool,
    remedy: Option<Remedy>,
) -> Dealt {
    Dealt {
        outcome: Outcome::Failed,
        ended: Instant::now(),
        failure: Some(WorkflowError::Blocked {
            problems: of_phase(phase, problems),
            conflict,
            late: false,
            remedies: remedy.into_iter().collect(),
        }),
        ..dealt
    }
}
