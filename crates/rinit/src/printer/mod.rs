//! Everything that a user sees: data on stdout, progress and trouble on stderr.
//!
//! Events become lines for people here, or JSON for machines. A pipe that is closed is no error.

mod join;
mod text;

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rinit_cli::OutputFormat;
use rinit_diag::Problem;
use rinit_workflow::{Event, Reporter};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::given::Given;
use crate::printer::text::Text;

/// The version of the event stream. A new one would mean that a field changed its meaning.
const EVENTS_VERSION: &str = "rinit.events/v1";

/// Sends events to whoever is to see them.
pub(crate) struct Printer {
    started: Instant,
    /// Flags that a command in a hint must repeat.
    given: Given,
    sink: Mutex<Sink>,
}

enum Sink {
    Text(Text),
    Json { sequence: u64 },
}

/// An event with its frame.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Framed<'a> {
    version: &'static str,
    sequence: u64,
    elapsed_milliseconds: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Printer {
    /// A printer for a run.
    pub(crate) fn new(format: OutputFormat, verbose: u8, dry_run: bool, given: Given) -> Self {
        let sink = match format {
            OutputFormat::Text => Sink::Text(Text::new(verbose > 0, dry_run)),
            OutputFormat::Json => Sink::Json { sequence: 0 },
        };
        Self {
            started: Instant::now(),
            given,
            sink: Mutex::new(sink),
        }
    }
}

impl Printer {
    /// Completes the commands in a hint: without the configuration, a phase would work with the
    /// defaults.
    fn with_flags(&self, mut event: Event) -> Event {
        match &mut event {
            Event::Warning {
                hint: Some(hint), ..
            }
            | Event::Problem {
                hint: Some(hint), ..
            } => *hint = self.given.complete_all(hint),
            Event::Remedy { hint, commands } => {
                *hint = self.given.complete_all(hint);
                for command in commands {
                    *command = self.given.complete(command);
                }
            }
            _ => {}
        }
        event
    }
}

impl Reporter for Printer {
    fn report(&self, event: Event) {
        let event = self.with_flags(event);
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *sink {
            Sink::Text(text) => text.print(&event),
            Sink::Json { sequence } => {
                let framed = Framed {
                    version: EVENTS_VERSION,
                    sequence: *sequence,
                    elapsed_milliseconds: u64::try_from(self.started.elapsed().as_millis())
                        .unwrap_or(u64::MAX),
                    event: &event,
                };
                *sequence += 1;
                // Events have string keys only, so that this does not fail.
                if let Ok(line) = serde_json::to_string(&framed) {
                    data(&format!("{line}\n"));
                }
            }
        }
    }
}

/// Data that was asked for.
pub(crate) fn data(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // Nobody is left to tell that stdout is closed.
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

/// A line beside the data.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A report that brings its own severity and places.
pub(crate) fn report(text: &str) {
    let _ = write!(
        std::io::stderr().lock(),
        "{text}{}",
        if text.ends_with('\n') { "" } else { "\n" }
    );
}

/// Something that stops the command.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    progress(&format!("error: {message}"));
    if let Some(hint) = hint {
        progress(&format!("hint: {hint}"));
    }
}

/// A problem that stops the command.
pub(crate) fn problem(problem: &Problem) {
    error(&problem.message, problem.hint.as_deref());
}

/// A problem that does not.
pub(crate) fn warning(problem: &Problem) {
    progress(&format!("warning: {}", problem.message));
    if let Some(hint) = &problem.hint {
        progress(&format!("hint: {hint}"));
    }
}

/// The log of the program itself, for those who look for a fault in it.
pub(crate) fn start_log(verbose: u8) {
    let level = match verbose {
        0 | 1 => "off",
        // Of rinit's own crates: what is read, written, run and asked, never what is in it. What
        // libraries would tell below that is not ours to vouch for.
        _ => "rinit=debug,info",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
