//! Events as lines for people.

use std::collections::VecDeque;
use std::fmt::Write as _;

use rinit_plan::constants::{KUBE_SYSTEM, KUBEADM_CERTS};
use rinit_workflow::{Event, Outcome, Report, RunOutcome, Severity};

use crate::name;
use crate::printer::{data, error, join, progress, warning};

/// Turns events into lines. Progress goes to stderr; the plan of a dry run is data.
///
/// Steps of several phases are under way at a time. Lines are printed phase by phase, in the order
/// of the plan: those of a later phase wait for the end of the earlier ones.
pub(super) struct Text {
    /// Whether actions that held already are shown.
    verbose: bool,
    dry_run: bool,
    /// How many actions this user may not look at.
    hidden: usize,
    /// The phases that are not printed whole yet, in the order of the plan.
    phases: VecDeque<String>,
    /// Whether the first phase has begun: what comes before concerns the whole plan.
    acting: bool,
    /// Events of later phases.
    later: Vec<Event>,
    /// What is printed at the end.
    reports: Vec<Report>,
}

impl Text {
    pub(super) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            dry_run: false,
            hidden: 0,
            phases: VecDeque::new(),
            acting: false,
            later: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Prints an event, or keeps it until its phase is the first one.
    pub(super) fn take(&mut self, event: Event) {
        match &event {
            Event::RunStarted { phases, .. } => self.phases = phases.iter().cloned().collect(),
            Event::PhaseStarted { .. } => self.acting = true,
            // Nothing more is to come of the phases.
            Event::Problem { .. } | Event::RunFinished { .. } => {
                while !self.phases.is_empty() {
                    self.next_phase();
                }
            }
            _ => {}
        }
        let phase = phase_of(&event).filter(|_| self.acting);
        if phase.is_none_or(|phase| self.phases.front().is_none_or(|first| first == phase)) {
            let is_end = matches!(event, Event::PhaseFinished { .. });
            self.print(&event);
            if is_end {
                self.next_phase();
            }
        } else if !matches!(event, Event::StepProgress { .. }) {
            self.later.push(event);
        }
    }

    /// Prints what has come of the next phase.
    fn next_phase(&mut self) {
        self.phases.pop_front();
        for event in std::mem::take(&mut self.later) {
            self.take(event);
        }
    }

    fn print(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                kubernetes_version,
                dry_run,
                phases,
                ..
            } => {
                self.dry_run = *dry_run;
                let what = if *dry_run { "would do" } else { "runs" };
                let version = kubernetes_version
                    .as_ref()
                    .map_or(String::new(), |version| {
                        format!(" for Kubernetes {version}")
                    });
                progress(&format!(
                    "rinit {}{version} {what} {}",
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
            Event::Remedy { hint, .. } => super::hint(hint),
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
            // Programs that run kubeadm follow it by the names in brackets on stdout.
            Event::PhaseStarted { phase } if name::is_kubeadm() && !self.dry_run => {
                let top = phase.split('/').next().unwrap_or(phase);
                data(&format!("[{top}] Running phase {phase}\n"));
            }
            Event::PhaseStarted { .. } | Event::StepStarted { .. } => {}
            Event::StepProgress { phase, message, .. } => progress(&format!("[{phase}] {message}")),
            Event::StepFinished {
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
            Event::Output { report, .. } => self.reports.push(report.clone()),
            Event::RunFinished {
                outcome,
                changed,
                milliseconds,
            } => {
                self.finished(*outcome, *changed, *milliseconds);
                for report in &self.reports {
                    match report {
                        Report::CertificateKey(key) => data(&certificate_key(key)),
                        Report::Join(join) => data(&join::text(join)),
                    }
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
            Outcome::WouldRefuse => "would refuse",
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

/// kubeadm's three lines: scripts take the last one, or the one after "Using certificate key".
fn certificate_key(key: &str) -> String {
    let phase = "[upload-certs]";
    format!(
        "{phase} Storing the certificates in Secret \"{KUBEADM_CERTS}\" in the \"{KUBE_SYSTEM}\" \
         Namespace\n{phase} Using certificate key:\n{key}\n"
    )
}

/// The phase that an event belongs to.
fn phase_of(event: &Event) -> Option<&str> {
    match event {
        Event::Note { phase, .. } | Event::Warning { phase, .. } => phase.as_deref(),
        Event::PhaseStarted { phase }
        | Event::StepStarted { phase, .. }
        | Event::StepProgress { phase, .. }
        | Event::StepFinished { phase, .. }
        | Event::PhaseFinished { phase, .. } => Some(phase),
        Event::RunStarted { .. }
        | Event::Problem { .. }
        | Event::Remedy { .. }
        | Event::Finding { .. }
        | Event::Output { .. }
        | Event::RunFinished { .. } => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_key_is_alone_on_the_last_line() {
        let text = certificate_key("KEY");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[..2].iter().all(|line| line.contains("upload-certs")));
        assert_eq!(lines[1..], ["[upload-certs] Using certificate key:", "KEY"]);
    }
}
