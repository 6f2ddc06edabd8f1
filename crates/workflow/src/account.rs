//! What becomes of tasks, told in the order of the plan, in whatever order it happens.
//!
//! After a failure, what was done beside it is told as well, of later phases too. A phase that was
//! not done whole is never told to be finished.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rinit_diag::Problem;

use crate::event::{Event, JoinCommands, Outcome, Reporter, RunOutcome};
use crate::look::{Stage, warn};
use crate::run::{Summary, WorkflowError, is_reading, millis};

/// Where a task stands: the index of its stage, and its own index there.
pub(crate) type Place = (usize, usize);

/// What became of a task.
pub(crate) struct Dealt {
    pub(crate) outcome: Outcome,
    pub(crate) detail: Option<String>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) join: Option<JoinCommands>,
    pub(crate) certificate_key: Option<String>,
    pub(crate) failure: Option<WorkflowError>,
}

/// Tells what becomes of tasks.
pub(crate) struct Account<'run>(Mutex<Told<'run>>);

struct Told<'run> {
    stages: &'run [Stage],
    reporter: &'run dyn Reporter,
    /// The stage that is being told.
    stage: usize,
    /// Whether its beginning was told.
    opened: bool,
    /// The stages of which something has begun.
    begun: BTreeSet<usize>,
    /// How many of its tasks are done and told.
    done: usize,
    /// When the first of them began, and the last ended.
    span: Option<(Instant, Instant)>,
    /// How many changes had been made before it.
    changed_before: usize,
    /// What is to be told later.
    dealt: BTreeMap<Place, Dealt>,
    progress: Vec<(Place, String)>,
    changed: usize,
    join: Option<JoinCommands>,
    certificate_key: Option<String>,
    failure: Option<WorkflowError>,
}

impl<'run> Account<'run> {
    pub(crate) fn new(stages: &'run [Stage], reporter: &'run dyn Reporter) -> Self {
        let mut told = Told {
            stages,
            reporter,
            stage: 0,
            opened: false,
            begun: BTreeSet::new(),
            done: 0,
            span: None,
            changed_before: 0,
            dealt: BTreeMap::new(),
            progress: Vec::new(),
            changed: 0,
            join: None,
            certificate_key: None,
            failure: None,
        };
        told.start(0);
        Self(Mutex::new(told))
    }

    /// Takes that a task begins.
    pub(crate) fn begin(&self, place: Place) {
        let mut told = self.lock();
        told.begun.insert(place.0);
        if place.0 == told.stage {
            told.open();
        }
    }

    /// Takes what became of a task.
    pub(crate) fn enter(&self, place: Place, dealt: Dealt) {
        let mut told = self.lock();
        told.dealt.insert(place, dealt);
        while told.failure.is_none() {
            let next = (told.stage, told.done);
            let Some(dealt) = told.dealt.remove(&next) else {
                break;
            };
            told.tell(next, dealt);
        }
    }

    /// Takes how a task stands that is under way.
    pub(crate) fn progress(&self, place: Place, message: String) {
        let mut told = self.lock();
        if place.0 == told.stage {
            told.tell_progress(place, message);
        } else {
            told.progress.push((place, message));
        }
    }

    /// What the run came to. Nothing is under way any more.
    pub(crate) fn close(self, changed: &mut usize) -> Result<Summary, WorkflowError> {
        let mut told = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (place, dealt) in std::mem::take(&mut told.dealt) {
            if place.0 != told.stage {
                told.start(place.0);
            }
            told.tell(place, dealt);
        }
        *changed = told.changed;
        if let Some(mut failure) = told.failure {
            if let WorkflowError::Blocked { late, .. } = &mut failure {
                *late = told.changed > 0;
            }
            return Err(failure);
        }
        let outcome = if told.changed == 0 {
            RunOutcome::Unchanged
        } else {
            RunOutcome::Completed
        };
        Ok(Summary {
            outcome,
            changed: told.changed,
            join: told.join,
            certificate_key: told.certificate_key,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Told<'run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told<'_> {
    /// Begins to tell of a stage, if there is one. That it has begun is told once something of it has.
    fn start(&mut self, stage: usize) {
        let Some(Stage { tasks, .. }) = self.stages.get(stage) else {
            return;
        };
        (self.stage, self.done, self.span) = (stage, 0, None);
        (self.opened, self.changed_before) = (false, self.changed);
        if tasks.is_empty() || self.begun.contains(&stage) {
            self.open();
        }
        let (now, later) = std::mem::take(&mut self.progress)
            .into_iter()
            .partition(|(place, _)| place.0 == stage);
        self.progress = later;
        for (place, message) in now {
            self.tell_progress(place, message);
        }
        if tasks.is_empty() {
            self.finish();
        }
    }

    /// Tells that the stage has begun, once.
    fn open(&mut self) {
        if !std::mem::replace(&mut self.opened, true) {
            self.reporter.report(Event::PhaseStarted {
                phase: self.stages[self.stage].phase.clone(),
            });
        }
    }

    fn tell_progress(&self, (stage, index): Place, message: String) {
        let Stage { phase, tasks, .. } = &self.stages[stage];
        self.reporter.report(Event::Progress {
            phase: phase.clone(),
            action: tasks[index].action.to_string(),
            message,
        });
    }

    fn tell(&mut self, (stage, index): Place, dealt: Dealt) {
        let Stage { phase, tasks, .. } = &self.stages[stage];
        let action = &tasks[index].action;
        warn(phase, &dealt.warnings, self.reporter);
        // The first failure ends the run, which tells why. Others have only their line for that.
        let detail = match &dealt.failure {
            Some(failure) if self.failure.is_some() => Some(reason(failure)),
            _ => dealt.detail,
        };
        self.reporter.report(Event::Action {
            phase: phase.clone(),
            action: action.to_string(),
            outcome: dealt.outcome,
            detail,
            milliseconds: millis(dealt.began, dealt.ended),
        });
        // Looking and showing change nothing.
        self.changed += usize::from(dealt.outcome.changes() && !is_reading(action));
        let (began, ended) = self.span.unwrap_or((dealt.began, dealt.ended));
        self.span = Some((began.min(dealt.began), ended.max(dealt.ended)));
        self.join = dealt.join.or(self.join.take());
        self.certificate_key = dealt.certificate_key.or(self.certificate_key.take());
        self.done += usize::from(dealt.failure.is_none());
        // The first in the order of the plan is the one to be told in full.
        self.failure = self.failure.take().or(dealt.failure);
        if self.done == tasks.len() {
            self.finish();
        }
    }

    /// Ends the stage that was told. What comes after a failure is told only if something of it
    /// was done.
    fn finish(&mut self) {
        self.reporter.report(Event::PhaseFinished {
            phase: self.stages[self.stage].phase.clone(),
            changed: self.changed - self.changed_before,
            milliseconds: self.span.map_or(0, |(began, ended)| millis(began, ended)),
        });
        if self.failure.is_none() {
            self.start(self.stage + 1);
        }
    }
}

/// Why a task failed, without its name.
fn reason(failure: &WorkflowError) -> String {
    match failure {
        WorkflowError::Action { source, .. } => rinit_diag::chain(&**source),
        WorkflowError::Blocked { problems, .. } => {
            let told: Vec<&str> = problems
                .iter()
                .map(|problem| problem.problem.message.as_str())
                .collect();
            told.join("\n")
        }
        other => rinit_diag::chain(other),
    }
}
