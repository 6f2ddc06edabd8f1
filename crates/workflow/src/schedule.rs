//! The second pass: runs the actions of the whole plan as a graph.
//!
//! An action depends on those before it in the plan that write what it uses, and on those that use
//! what it writes. Whatever depends on nothing that is still to be done runs, whichever phase it
//! belongs to, within a limit for each kind of work.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rinit_diag::{Hint as _, Problem};
use rinit_plan::{Action, ResourceId, Work};

use crate::event::{Event, Outcome, Report, Reporter};
use crate::executor::{Executor, State};
use crate::look::{Stage, Task, of_phase, warn};
use crate::remedy::Remedy;
use crate::run::{Summary, WorkflowError, millis};
use crate::{PhaseProblem, RunOutcome};

/// How many actions of a kind run at once.
fn limit(work: Work) -> usize {
    match work {
        Work::Host => 16,
        Work::Pull => 4,
        Work::Api => 8,
        Work::Watch => usize::MAX,
    }
}

/// An action, where it stands in the plan, and what it waits for.
struct Node<'run> {
    stage: usize,
    phase: &'run str,
    task: &'run Task,
    work: Work,
    /// The indices of the actions that come first.
    after: BTreeSet<usize>,
}

/// The graph of a plan, in its order.
fn graph(stages: &[Stage]) -> Vec<Node<'_>> {
    let tasks = stages.iter().enumerate().flat_map(|(number, stage)| {
        let with_stage = move |task| (number, stage.phase.as_str(), task);
        stage.tasks.iter().map(with_stage)
    });
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut used: Vec<(Vec<ResourceId>, Vec<ResourceId>)> = Vec::new();
    for (stage, phase, task) in tasks {
        let (reads, writes) = (task.action.reads(), task.action.writes());
        let after = used
            .iter()
            .enumerate()
            .filter(|(_, (earlier_reads, earlier_writes))| {
                overlap(earlier_writes, &reads)
                    || overlap(earlier_writes, &writes)
                    || overlap(earlier_reads, &writes)
            })
            .map(|(index, _)| index)
            .collect();
        used.push((reads, writes));
        nodes.push(Node {
            stage,
            phase,
            task,
            work: task.action.work(),
            after,
        });
    }
    nodes
}

/// Returns how many nodes wait for each, directly or not. What most of the run waits for begins
/// first.
fn dependents(nodes: &[Node<'_>]) -> Vec<usize> {
    let mut all = vec![BTreeSet::new(); nodes.len()];
    // A node only waits for those before it.
    for index in (0..nodes.len()).rev() {
        let own = std::mem::take(&mut all[index]);
        for before in &nodes[index].after {
            all[*before].insert(index);
            all[*before].extend(own.iter().copied());
        }
        all[index] = own;
    }
    all.iter().map(BTreeSet::len).collect()
}

fn overlap(one: &[ResourceId], other: &[ResourceId]) -> bool {
    one.iter()
        .any(|id| other.iter().any(|other| id.overlaps(other)))
}

/// What became of an action.
struct Done {
    outcome: Outcome,
    detail: Option<String>,
    warnings: Vec<Problem>,
    report: Option<Report>,
    failure: Option<WorkflowError>,
}

impl Done {
    fn with(outcome: Outcome, detail: Option<String>) -> Self {
        Self {
            outcome,
            detail,
            warnings: Vec::new(),
            report: None,
            failure: None,
        }
    }
}

/// Runs everything. After a failure nothing more is begun; gates under way are given up, and
/// everything else under way comes to its end.
pub(crate) async fn execute<E: Executor>(
    stages: &[Stage],
    executor: &E,
    reporter: &dyn Reporter,
    changed: &mut usize,
) -> Result<Summary, WorkflowError> {
    let nodes = graph(stages);
    let open: Vec<&Action> = nodes
        .iter()
        .filter(|node| !node.task.seen.holds())
        .map(|node| &node.task.action)
        .collect();
    executor.prepare(&open);
    let mut progress = Progress::new(stages, reporter);
    let mut waiting: BTreeMap<usize, BTreeSet<usize>> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (index, node.after.clone()))
        .collect();
    let dependents = dependents(&nodes);
    let mut busy: HashMap<Work, usize> = HashMap::new();
    let mut altered: BTreeSet<usize> = BTreeSet::new();
    let mut reports: BTreeMap<usize, Report> = BTreeMap::new();
    let mut failures: BTreeMap<usize, WorkflowError> = BTreeMap::new();
    let mut acting = FuturesUnordered::new();
    let mut watching = FuturesUnordered::new();
    loop {
        if failures.is_empty() {
            let mut ready: Vec<usize> = waiting
                .iter()
                .filter(|(_, after)| after.is_empty())
                .map(|(index, _)| *index)
                .collect();
            ready.sort_by_key(|index| Reverse(dependents[*index]));
            for index in ready {
                let node = &nodes[index];
                let running = busy.entry(node.work).or_default();
                if *running >= limit(node.work) {
                    continue;
                }
                *running += 1;
                waiting.remove(&index);
                progress.begin(node);
                // What held at the first look still holds, unless something before it has changed.
                let stale = node.after.iter().any(|before| altered.contains(before));
                let begun = Instant::now();
                let run = run(node, stale, executor, reporter);
                let run: Running<'_> = Box::pin(async move { (index, begun, run.await) });
                if node.task.action.is_read_only() {
                    watching.push(run);
                } else {
                    acting.push(run);
                }
            }
        } else {
            watching.clear();
        }
        let next = next_done(&mut acting, &mut watching).await;
        let Some((index, begun, done)) = next else {
            break;
        };
        let node = &nodes[index];
        if let Some(running) = busy.get_mut(&node.work) {
            *running -= 1;
        }
        for after in waiting.values_mut() {
            after.remove(&index);
        }
        if done.outcome.changes() {
            altered.insert(index);
        }
        progress.end(node, &done, begun);
        if let Some(report) = done.report {
            reports.insert(index, report);
        }
        if let Some(failure) = done.failure {
            failures.insert(index, failure);
        }
    }
    *changed = progress.changed;
    // The first one in the order of the plan is the one that ends the run.
    if let Some((_, mut failure)) = failures.pop_first() {
        if let WorkflowError::Blocked { late, .. } = &mut failure {
            *late = progress.changed > 0;
        }
        return Err(failure);
    }
    for (index, report) in reports {
        let phase = nodes[index].phase.to_owned();
        reporter.report(Event::Output { phase, report });
    }
    Ok(Summary {
        outcome: if progress.changed == 0 {
            RunOutcome::Unchanged
        } else {
            RunOutcome::Completed
        },
        changed: progress.changed,
    })
}

/// An action under way: its index, when it began, and what becomes of it.
type Running<'run> = Pin<Box<dyn Future<Output = (usize, Instant, Done)> + Send + 'run>>;

/// The next action that comes to its end; none if nothing is under way.
async fn next_done(
    acting: &mut FuturesUnordered<Running<'_>>,
    watching: &mut FuturesUnordered<Running<'_>>,
) -> Option<(usize, Instant, Done)> {
    use futures_util::future::{Either, select};
    match (acting.is_empty(), watching.is_empty()) {
        (true, true) => None,
        (false, true) => acting.next().await,
        (true, false) => watching.next().await,
        (false, false) => match select(acting.next(), watching.next()).await {
            Either::Left((next, _)) | Either::Right((next, _)) => next,
        },
    }
}

/// Reports steps as they begin and end, and phases with their first and last one.
struct Progress<'run> {
    stages: &'run [Stage],
    reporter: &'run dyn Reporter,
    phases: Vec<PhaseProgress>,
    changed: usize,
}

#[derive(Default)]
struct PhaseProgress {
    begun: Option<Instant>,
    done: usize,
    changed: usize,
}

impl<'run> Progress<'run> {
    fn new(stages: &'run [Stage], reporter: &'run dyn Reporter) -> Self {
        let progress = Self {
            stages,
            reporter,
            phases: stages.iter().map(|_| PhaseProgress::default()).collect(),
            changed: 0,
        };
        for stage in stages.iter().filter(|stage| stage.tasks.is_empty()) {
            let phase = || stage.phase.clone();
            reporter.report(Event::PhaseStarted { phase: phase() });
            reporter.report(Event::PhaseFinished {
                phase: phase(),
                changed: 0,
                milliseconds: 0,
            });
        }
        progress
    }

    fn begin(&mut self, node: &Node<'_>) {
        let phase = &mut self.phases[node.stage];
        if phase.begun.is_none() {
            phase.begun = Some(Instant::now());
            self.reporter.report(Event::PhaseStarted {
                phase: node.phase.to_owned(),
            });
        }
    }

    fn end(&mut self, node: &Node<'_>, done: &Done, begun: Instant) {
        warn(node.phase, &done.warnings, self.reporter);
        let action = &node.task.action;
        let now = Instant::now();
        self.reporter.report(Event::StepFinished {
            phase: node.phase.to_owned(),
            step: node.task.step.clone(),
            action: action.to_string(),
            outcome: done.outcome,
            detail: match &done.failure {
                Some(failure) => Some(reason(failure)),
                None => done.detail.clone(),
            },
            milliseconds: millis(begun, now),
        });
        let changes = usize::from(done.outcome.changes() && !action.is_read_only());
        self.changed += changes;
        let phase = &mut self.phases[node.stage];
        phase.changed += changes;
        phase.done += usize::from(done.failure.is_none());
        if phase.done == self.stages[node.stage].tasks.len() {
            self.reporter.report(Event::PhaseFinished {
                phase: node.phase.to_owned(),
                changed: phase.changed,
                milliseconds: phase.begun.map_or(0, |begun| millis(begun, now)),
            });
        }
    }
}

/// Why an action failed, without its name.
fn reason(failure: &WorkflowError) -> String {
    match failure {
        WorkflowError::Action { source, .. } => rinit_diag::chain(&**source),
        WorkflowError::Blocked { problems, .. } => {
            let messages: Vec<&str> = problems
                .iter()
                .map(|problem| problem.problem.message.as_str())
                .collect();
            messages.join("\n")
        }
        other => rinit_diag::chain(other),
    }
}

async fn run<E: Executor>(
    node: &Node<'_>,
    stale: bool,
    executor: &E,
    reporter: &dyn Reporter,
) -> Done {
    let Node { phase, task, .. } = node;
    let seen = if task.seen.holds() && !stale {
        task.seen.clone()
    } else {
        executor.inspect(&task.action).await
    };
    let mut done = match seen {
        State::Holds { detail, .. } => return Done::with(Outcome::Held, detail),
        State::Blocked { problems, conflict } => {
            return refused(of_phase(phase, &problems), conflict, None);
        }
        State::Unfit { problems, remedy } => {
            return refused(of_phase(phase, &problems), false, Some(remedy));
        }
        // What appeared since the first look is not overwritten unseen either.
        State::Hidden { problem } => return refused(of_phase(phase, &[problem]), false, None),
        _ if task.action.is_read_only() => Done::with(Outcome::Done, None),
        State::Absent => Done::with(Outcome::Created, None),
        State::Differs { diff } => Done::with(Outcome::Changed, Some(diff)),
        State::Unknown { .. } => Done::with(Outcome::Done, None),
    };
    reporter.report(Event::StepStarted {
        phase: (*phase).to_owned(),
        step: task.step.clone(),
        action: task.action.to_string(),
    });
    let progress = |message: String| {
        reporter.report(Event::StepProgress {
            phase: (*phase).to_owned(),
            step: task.step.clone(),
            message,
        });
    };
    match executor.ensure(&task.action, &progress).await {
        Ok(ensured) => {
            done.warnings = ensured.warnings;
            done.report = ensured.report;
            done.detail = ensured.detail.or(done.detail);
            if ensured.unchanged {
                done.outcome = Outcome::Held;
            }
        }
        Err(error) => {
            done = Done::with(Outcome::Failed, None);
            done.failure = Some(WorkflowError::Action {
                phase: (*phase).to_owned(),
                action: task.action.to_string(),
                hint: error.hint(),
                source: Box::new(error),
            });
        }
    }
    done
}

/// The action of something that blocks it since the first look.
fn refused(problems: Vec<PhaseProblem>, conflict: bool, remedy: Option<Remedy>) -> Done {
    let mut done = Done::with(Outcome::Failed, None);
    done.failure = Some(WorkflowError::Blocked {
        problems,
        conflict,
        late: false,
        remedies: remedy.into_iter().collect(),
    });
    done
}
