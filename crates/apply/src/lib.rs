//! The executor: looks at each action of a plan and makes it hold.
//!
//! [`Apply`] is the one place where intent meets the world: it takes keys and certificates from
//! pki, texts from manifest, and acts through host and cluster. For each action there is one
//! `inspect`, which changes nothing, and one `ensure`.
//!
//! This crate never decides what should hold, never speaks to the user, and never knows of phases.

mod api;
mod error;
mod executor;
mod files;
mod health;
mod images;
mod join;
mod joining;
mod kubeconfigs;
mod pairs;
mod readable;
mod remedies;
mod unit;

pub use error::ApplyError;
pub use executor::Apply;
pub use join::{control_plane_join_command, join_command};
