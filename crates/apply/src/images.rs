//! Preflight checks and images.

use rinit_diag::Problem;
use rinit_host::{CheckOutcome, Runtime};
use rinit_plan::{Check, ImagePull, PullPolicy, Severity};
use rinit_workflow::{Ensured, State};

use crate::error::problem;
use crate::{Apply, ApplyError};

impl Apply {
    pub(crate) async fn inspect_check(&self, check: &Check) -> State {
        match self.host.run_check(check).await {
            CheckOutcome::Passed => State::HOLDS,
            CheckOutcome::Unknown { reason } => State::Unknown { reason },
            CheckOutcome::Warned { problems } => State::held_with(
                problems
                    .into_iter()
                    .map(|problem| named(check, problem))
                    .collect(),
            ),
            CheckOutcome::Failed { problem } => {
                let named = named(check, problem);
                if check.severity == Severity::Warning || check.ignored {
                    State::held_with(vec![named])
                } else {
                    State::Blocked {
                        problems: vec![named],
                        conflict: false,
                    }
                }
            }
        }
    }

    /// A check that could not be made is told and does not hold up the run.
    pub(crate) async fn ensure_check(&self, check: &Check) -> Ensured {
        let warnings = match self.inspect_check(check).await {
            State::Unknown { reason } => {
                vec![Problem::new(format!(
                    "[{}] could not be checked: {reason}",
                    check.name
                ))]
            }
            _ => Vec::new(),
        };
        Ensured {
            warnings,
            ..Ensured::default()
        }
    }

    pub(crate) async fn inspect_image(&self, pull: &ImagePull) -> Result<State, ApplyError> {
        let asked = async {
            Runtime::connect(&pull.socket)
                .await?
                .has_image(&pull.image)
                .await
        };
        let present = match asked.await {
            Ok(present) => present,
            Err(error) if error.is_permission_denied() => return Err(error.into()),
            // A runtime that does not answer is told of by its own check.
            Err(_) => {
                let reason = "the container runtime does not answer".to_owned();
                return Ok(State::Unknown { reason });
            }
        };
        Ok(match (pull.policy, present) {
            (PullPolicy::IfNotPresent | PullPolicy::Never, true) => State::HOLDS,
            (PullPolicy::Never, false) => {
                let missing = problem(&ApplyError::NoImage {
                    image: pull.image.clone(),
                });
                if pull.ignored {
                    State::held_with(vec![missing])
                } else {
                    State::Blocked {
                        problems: vec![missing],
                        conflict: false,
                    }
                }
            }
            (PullPolicy::Always, true) => State::Unknown {
                reason: "the pull policy is Always".to_owned(),
            },
            (_, false) => State::Absent,
        })
    }

    pub(crate) async fn ensure_image(
        &self,
        pull: &ImagePull,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        let pulled = async {
            progress(format!("pulling {}", pull.image));
            let runtime = Runtime::connect(&pull.socket).await?;
            runtime
                .pull(&pull.image, |tried, error| {
                    progress(format!("try {tried} failed: {}", rinit_diag::chain(error)));
                })
                .await
        };
        match pulled.await {
            Ok(()) => Ok(Ensured::default()),
            Err(error) if pull.ignored => Ok(Ensured {
                warnings: vec![problem(&error.into())],
                ..Ensured::default()
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The problem under the name that `--ignore-preflight-errors` takes.
fn named(check: &Check, problem: Problem) -> Problem {
    Problem {
        message: format!("[{}] {}", check.name, problem.message),
        hint: problem.hint,
    }
}
