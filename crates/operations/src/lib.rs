//! Commands that plan from the state of the host rather than from facts alone.
//!
//! What they look at is handed in; this crate never opens a file, never asks a clock, and never
//! changes anything by itself.

pub mod expiration;
mod json_path;
mod kubeconfig;
pub mod renewal;
pub mod requests;
mod scope;
mod trust;

pub use json_path::{Template, TemplateError};
pub use scope::Scope;
