//! Events as lines for people.

use std::fmt::Write as _;

use rinit_workflow::{Event, Outcome, RunOutcome, Severity};

use crate::printer::{data, error, join, progress, warning};

/// Turns events into lines. Progress goes to stderr; the plan of a dry run is data.
pub(super) struct Text {
    /// Whether actions that held already are shown.
    verbose: bool,
    dry_run: bool,
    /// How many actions this user may not look at.
    hidden: usize,
}

impl Text {
    pub(super) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            dry_run: false,
            hidden: 0,
        }
    }

    pub(super) fn print(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                kubernetes_version,
                dry_run,
                phases,
            } => {
                self.dry_run = *dry_run;
                let what = if *dry_run { "would do" } else { "runs" };
                progress(&format!(
                    "rinit {} for Kubernetes {kubernetes_version} {what} {}",
                    env!("CARGO_PKG_VERSION"),
                    counted(phases.len(), "phase"),
                ));
            }
            Event::Note { phase, message } => progress(&prefixed(phase.as_ref(), "note", message)),
            Event::Warning {
                phase,
                message,
                hint,
            } => {
                warning(&rinit_diag::Problem {
                    message: named(phase.as_ref(), message),
                    hint: hint.clone(),
                });
            }
            Event::Problem {
                phase,
                message,
                hint,
            } => {
                error(&named(phase.as_ref(), message), hint.as_deref());
            }
            Event::Remedy { hint, .. } => progress(&format!("hint: {hint}")),
            Event::Finding {
                severity,
                file,
                line,
                column,
                path,
                message,
                hint,
                ..
            } => {
                let problem = rinit_diag::Problem {
                    message: format!("{file}:{line}:{column}: {path}: {message}"),
                    hint: hint.clone(),
                };
                match severity {
                    Severity::Error => error(&problem.message, problem.hint.as_deref()),
                    Severity::Warning => warning(&problem),
                }
            }
            Event::PhaseStarted { .. } => {}
            Event::Progress { phase, message, .. } => progress(&format!("[{phase}] {message}")),
            Event::Action {
                phase,
                action,
                outcome,
                detail,
                ..
            } => {
                self.action(phase, action, *outcome, detail.as_deref());
            }
            Event::PhaseFinished {
                phase,
                changed,
                milliseconds,
            } => {
                if !self.dry_run {
                    let what = match changed {
                        0 => "nothing to change".to_owned(),
                        changed => counted(*changed, "change"),
                    };
                    progress(&format!("[{phase}] {what}, {}", seconds(*milliseconds)));
                }
            }
            Event::RunFinished {
                outcome,
                changed,
                milliseconds,
                join,
                certificate_key,
            } => {
                self.finished(*outcome, *changed, *milliseconds);
                if let Some(key) = certificate_key {
                    data(&format!("certificate key: {key}\n"));
                }
                if let Some(join) = join {
                    data(&join::text(join));
                }
            }
        }
    }

    fn action(&mut self, phase: &str, action: &str, outcome: Outcome, detail: Option<&str>) {
        let word = match outcome {
            Outcome::Held if !self.verbose => return,
            Outcome::Held => "holds",
            Outcome::Created => "created",
            Outcome::Changed => "changed",
            Outcome::Done => "done",
            Outcome::WouldCreate => "would create",
            Outcome::WouldChange => "would change",
            Outcome::Unknown => "would do",
            Outcome::Hidden => "unknown",
            Outcome::InTheWay => "would refuse",
            Outcome::Failed => "failed",
        };
        self.hidden += usize::from(outcome == Outcome::Hidden);
        let mut text = format!("[{phase}] {word}: {action}");
        if let Some(detail) = detail {
            if matches!(outcome, Outcome::Unknown | Outcome::Hidden) {
                // Writing to a String does not fail.
                let _ = write!(text, " ({detail})");
            } else if matches!(outcome, Outcome::Created | Outcome::Held) {
                let _ = write!(text, ", {detail}");
            } else {
                for line in detail.lines() {
                    text.push_str("\n    ");
                    text.push_str(line);
                }
            }
        }
        if self.dry_run {
            data(&format!("{text}\n"));
        } else {
            progress(&text);
        }
    }

    fn finished(&self, outcome: RunOutcome, changed: usize, milliseconds: u64) {
        let time = seconds(milliseconds);
        match outcome {
            RunOutcome::Unchanged => progress(&format!(
                "nothing was changed: everything holds already ({time})"
            )),
            RunOutcome::Completed => {
                progress(&format!("done: {} in {time}", counted(changed, "change")));
            }
            RunOutcome::DryRun if self.hidden > 0 => progress(&format!(
                "nothing was written; a run would make {}, and of {} this user cannot tell",
                counted(changed, "change"),
                counted(self.hidden, "action"),
            )),
            RunOutcome::DryRun => progress(&format!(
                "nothing was written; a run would make {}",
                counted(changed, "change")
            )),
            RunOutcome::Refused => progress("nothing was written"),
            RunOutcome::Failed => progress(&format!(
                "stopped after {time}; what is done stays done, and the same command takes up from here"
            )),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10)
}

fn named(phase: Option<&String>, message: &str) -> String {
    match phase {
        Some(phase) => format!("{phase}: {message}"),
        None => message.to_owned(),
    }
}

fn prefixed(phase: Option<&String>, word: &str, message: &str) -> String {
    match phase {
        Some(phase) => format!("[{phase}] {message}"),
        None => format!("{word}: {message}"),
    }
}
