//! Runs over a world in memory: what is selected, what is refused before the first write, what
//! runs side by side, what is told, and what a run leaves when it stops anywhere.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails so")]

mod crash;
mod dry_run;
mod look;
mod schedule;
mod selection;
mod support;
