//! Commands that plan from the state of the host rather than from facts alone.
//!
//! What they look at is handed in; this crate never opens a file, never asks a clock, and never
//! changes anything by itself.

pub mod expiration;
pub mod renewal;
pub mod requests;
mod scope;

pub use scope::Scope;
