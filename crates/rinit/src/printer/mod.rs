//! Everything that a user sees: data on stdout, progress and trouble on stderr.
//!
//! Events become lines for people here, or JSON for machines. A pipe that is closed is no error.

mod join;
mod text;

use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use rinit_cli::OutputFormat;
use rinit_diag::{ExitCode, Problem};
use rinit_workflow::{Event, Reporter, RunOutcome};
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt as _, FilterFn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::given::Given;
use crate::name;
use crate::printer::text::Text;
use crate::trouble::{Remarks, Trouble};

/// The version of the event stream. A new one would mean that a field changed its meaning.
const EVENTS_VERSION: &str = "rinit.events/v1";

/// Sends events to whoever is to see them.
pub(crate) struct Printer {
    started: Instant,
    /// Flags that a command in a hint must repeat.
    given: OnceLock<Given>,
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
    pub(crate) fn new(format: OutputFormat, verbosity: u8) -> Self {
        let sink = match format {
            OutputFormat::Text => Sink::Text(Text::new(verbosity > 0)),
            OutputFormat::Json => Sink::Json { sequence: 0 },
        };
        Self {
            started: Instant::now(),
            given: OnceLock::new(),
            sink: Mutex::new(sink),
        }
    }
}

impl Printer {
    /// Has commands in hints repeat these flags from now on.
    pub(crate) fn repeat(&self, given: Given) {
        // They are given once in a run.
        let _ = self.given.set(given);
    }

    /// Says what there is to say before a run: to people always, and in events if they are wanted.
    pub(crate) fn remark(&self, remarks: &Remarks) {
        remarks.print();
        if self.writes_events() {
            for event in remarks.events() {
                self.report(event);
            }
        }
    }

    /// Says why there is no run.
    pub(crate) fn refuse(&self, trouble: &Trouble) -> ExitCode {
        self.remark(&trouble.remarks);
        if self.writes_events() {
            self.report(Event::RunFinished {
                outcome: RunOutcome::Refused,
                changed: 0,
                milliseconds: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
        }
        trouble.code
    }

    fn writes_events(&self) -> bool {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*sink, Sink::Json { .. })
    }

    /// Completes the commands in a hint: without the configuration, a phase would work with the
    /// defaults.
    fn with_flags(&self, mut event: Event) -> Event {
        let Some(given) = self.given.get() else {
            return event;
        };
        let completed = |hint: &str| name::as_typed(&given.complete_all(hint)).into_owned();
        match &mut event {
            Event::Warning {
                hint: Some(hint), ..
            }
            | Event::Problem {
                hint: Some(hint), ..
            } => *hint = completed(hint),
            Event::Remedy { hint, commands } => {
                *hint = completed(hint);
                for command in commands {
                    *command = name::as_typed(&given.complete(command)).into_owned();
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
            Sink::Text(text) => text.take(event),
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

/// Why data did not reach stdout; the first reason of several.
static UNTOLD: OnceLock<String> = OnceLock::new();

/// Data that was asked for. [`ended`] tells if it could not be written.
pub(crate) fn data(text: &str) {
    let mut stdout = std::io::stdout().lock();
    told(
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush()),
    );
}

/// Notes how a write to stdout ended.
pub(crate) fn told(outcome: std::io::Result<()>) {
    match outcome {
        // Who closed the pipe has read enough, as `head` does.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            // The first reason is kept.
            let _ = UNTOLD.set(error.to_string());
        }
        _ => {}
    }
}

/// The code that a command ends with: without the data that it was asked for, it has failed.
pub(crate) fn ended(code: ExitCode) -> ExitCode {
    let Some(reason) = UNTOLD.get() else {
        return code;
    };
    error(
        &format!("cannot write to stdout: {reason}"),
        Some("what is there is not whole; run the command again with room for its output"),
    );
    match code {
        ExitCode::Success => ExitCode::Failure,
        other => other,
    }
}

/// A line beside the data. It is written at once, so that no other comes between.
pub(crate) fn progress(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// A report that brings its own severity and places.
pub(crate) fn report(text: &str) {
    let text = name::as_typed(text);
    let _ = write!(
        std::io::stderr().lock(),
        "{text}{}",
        if text.ends_with('\n') { "" } else { "\n" }
    );
}

/// Something that stops the command.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    progress(&format!("error: {message}"));
    if let Some(text) = hint {
        self::hint(text);
    }
}

/// What helps against everything that was said before.
pub(crate) fn hint(hint: &str) {
    progress(&format!("hint: {}", name::as_typed(hint)));
}

/// A problem that stops the command.
pub(crate) fn problem(problem: &Problem) {
    error(&problem.message, problem.hint.as_deref());
}

/// A problem that does not.
pub(crate) fn warning(problem: &Problem) {
    progress(&format!("warning: {}", problem.message));
    if let Some(text) = &problem.hint {
        hint(text);
    }
}

/// The log of the program itself, for those who look for a fault in it. `modules` are the source
/// files that log more, by name without extension, each with its verbosity.
pub(crate) fn start_log(verbosity: u8, modules: Vec<(glob::Pattern, u8)>) {
    let level = match verbosity {
        0 | 1 => "off",
        // Of rinit's own crates: what is read, written, run and asked, never what is in it. What
        // libraries would tell below that is not ours to vouch for.
        _ => "rinit=debug,info",
    };
    let of_modules = FilterFn::new(move |metadata| {
        let Some(stem) = metadata
            .file()
            .and_then(|file| Path::new(file).file_stem()?.to_str())
        else {
            return false;
        };
        modules.iter().any(|(pattern, verbosity)| {
            // As above, of rinit's own files alone.
            *verbosity > 1
                && *metadata.level() <= Level::DEBUG
                && metadata.target().starts_with("rinit")
                && pattern.matches(stem)
        })
    });
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(EnvFilter::new(level).or(of_modules));
    tracing_subscriber::registry().with(lines).init();
}
