//! What the run loop asks of whoever acts.

use std::future::Future;

use rinit_diag::{Hint, Problem};
use rinit_plan::{Action, ResourceId};

use crate::event::Report;
use crate::remedy::Remedy;

/// How the world stands to an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It holds; there may be something to be said about it all the same.
    Holds {
        /// What the user should know, such as a certificate that has expired.
        warnings: Vec<Problem>,
        /// The way out that all of them share, if there is one.
        remedy: Option<Remedy>,
        /// What is worth showing of it, such as which CA signed.
        detail: Option<String>,
    },
    /// Nothing of it is there.
    Absent,
    /// Something else is there, which will be replaced.
    Differs {
        /// The difference, a line each, as `-` and `+` lines. Never shows a secret.
        diff: String,
    },
    /// It is not known yet: something that comes before it does not hold.
    Unknown {
        /// Why.
        reason: String,
    },
    /// This user may not look. A dry run says so; a run does not write over what it cannot see.
    Hidden {
        /// What cannot be looked at, and who could.
        problem: Problem,
    },
    /// What is there does not fit. Init does not change it, but a command does.
    Unfit {
        /// What does not fit.
        problems: Vec<Problem>,
        /// The way out that all of them share.
        remedy: Remedy,
    },
    /// Something blocks it that rinit will not change by itself.
    Blocked {
        /// What, each with a way out.
        problems: Vec<Problem>,
        /// Whether it is the configuration of the cluster that differs.
        conflict: bool,
    },
}

impl State {
    /// It holds and there is nothing to say.
    pub const HOLDS: Self = Self::Holds {
        warnings: Vec::new(),
        remedy: None,
        detail: None,
    };

    /// It holds, and there is something to say about it.
    pub fn held_with(warnings: Vec<Problem>) -> Self {
        Self::Holds {
            warnings,
            remedy: None,
            detail: None,
        }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

/// Whether a resource exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// It is not.
    Missing,
    /// This user may not look, or it is not known before something else holds.
    Unknown,
}

/// What making an action hold has led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ensured {
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// What is worth showing of it, such as which CA signed.
    pub detail: Option<String>,
    /// What the user gets to know, if that was the action.
    pub report: Option<Report>,
    /// Whether there was nothing to do after all.
    pub unchanged: bool,
}

/// Whoever acts: the apply crate, or a double in memory in tests.
///
/// Methods take `&self`, since actions run side by side.
pub trait Executor: Sync {
    /// Why an action could not be made to hold.
    type Error: std::error::Error + Hint + Send + Sync + 'static;

    /// Whether a resource exists, without changing anything.
    fn holds(&self, id: &ResourceId) -> impl Future<Output = Presence> + Send;

    /// How the world stands to an action, without changing anything.
    fn inspect(&self, action: &Action) -> impl Future<Output = State> + Send;

    /// Called before the first write with the actions that do not hold, so that slow work such as key
    /// generation can begin in the background.
    fn prepare(&self, actions: &[&Action]);

    /// Makes an action hold. `progress` is called with what is going on, if that takes long.
    fn ensure(
        &self,
        action: &Action,
        progress: &(dyn Fn(String) + Sync),
    ) -> impl Future<Output = Result<Ensured, Self::Error>> + Send;
}
