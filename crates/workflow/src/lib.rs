//! The phase tree, what of it is selected, whether it fits together, and the loop that runs it.
//!
//! [`run`] plans the selected phases, looks at everything once and reports all problems before the first
//! write, then runs what does not hold yet as a graph. Dry run, resume and progress are written here
//! once; no phase knows of them.
//!
//! This crate knows no phase by name, never touches the host, and prints nothing: its only voice
//! is the [`Event`] stream.

mod event;
mod executor;
mod look;
mod phase;
mod remedy;
mod run;
mod schedule;
mod selection;

pub use event::{Event, JoinCommands, Outcome, Report, Reporter, RunOutcome, Severity};
pub use executor::{Ensured, Executor, Presence, State};
pub use phase::{Body, Outline, Phase, Reach};
pub use remedy::Remedy;
pub use run::{Mode, PhaseProblem, RunOptions, Summary, WorkflowError, plans, run};
pub use selection::{Selection, SelectionError, Step, leaves};
