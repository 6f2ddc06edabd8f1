//! Trying again: how often, for how long, and after which errors.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Fate;
use crate::{ClusterError, Result};

/// How long a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long in all (`timeouts.kubernetesAPICall`).
    pub limit: Duration,
    /// How long while the server refuses for reasons of rights, since a new server needs a moment
    /// to load RBAC rules.
    pub rights_limit: Duration,
}

impl Patience {
    /// Tries for so long, and for up to 20 seconds of it while rights are missing.
    pub fn of(limit: Duration) -> Self {
        Self {
            limit,
            rights_limit: limit.min(Duration::from_secs(20)),
        }
    }

    /// Tries once.
    pub fn none() -> Self {
        Self {
            limit: Duration::ZERO,
            rights_limit: Duration::ZERO,
        }
    }
}

impl Default for Patience {
    /// kubeadm's minute.
    fn default() -> Self {
        Self::of(Duration::from_mins(1))
    }
}

/// The first pauses are short, since most errors of a new cluster pass at once.
const FIRST_PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];
const PAUSE: Duration = Duration::from_millis(500);

/// Calls until it works, the error is final, or the time is over.
pub(crate) async fn retry<T, Call>(
    patience: &Patience,
    mut attempt: impl FnMut() -> Call,
) -> Result<T>
where
    Call: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    let mut pauses = FIRST_PAUSES.into_iter();
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let limit = match error.fate() {
            Fate::Final => return Err(error),
            Fate::Retry => patience.limit,
            Fate::RetryBriefly => patience.rights_limit,
        };
        let pause = pauses.next().unwrap_or(PAUSE);
        if begun.elapsed() + pause > limit {
            if limit.is_zero() {
                return Err(error);
            }
            return Err(ClusterError::GaveUp {
                limit,
                last: Box::new(error),
            });
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn rejected(code: u16) -> ClusterError {
        ClusterError::Rejected {
            verb: "create",
            object: "ConfigMap kube-system/kubeadm-config".into(),
            code,
            reason: "Reason".into(),
            message: String::new(),
        }
    }

    /// Answers how often it was tried, and the outcome.
    async fn tries(limit: u64, answer: impl Fn(u32) -> Result<u32>) -> (u32, Result<u32>) {
        let count = Cell::new(0);
        let patience = Patience::of(Duration::from_millis(limit));
        let outcome = retry(&patience, || {
            count.set(count.get() + 1);
            let answer = answer(count.get());
            async move { answer }
        })
        .await;
        (count.get(), outcome)
    }

    #[tokio::test]
    async fn a_passing_error_is_outlived() {
        let (count, outcome) = tries(5000, |number| match number {
            1 => Err(rejected(503)),
            2 => Err(rejected(403)),
            _ => Ok(number),
        })
        .await;
        assert_eq!((count, outcome.unwrap()), (3, 3));
    }

    #[tokio::test]
    async fn a_final_error_is_told_at_once() {
        let (count, outcome) = tries(5000, |_| Err(rejected(422))).await;
        assert_eq!(count, 1);
        assert!(matches!(
            outcome,
            Err(ClusterError::Rejected { code: 422, .. })
        ));
    }

    #[tokio::test]
    async fn the_last_error_is_told_with_its_object() {
        let (count, outcome) = tries(250, |_| Err(rejected(503))).await;
        assert_eq!(count, 3, "at 0, 50 and 150 ms; the next would be at 350");
        assert_eq!(
            rinit_diag::chain(&outcome.unwrap_err()),
            "gave up after 0 s: cannot create ConfigMap kube-system/kubeadm-config: \
             the API server answers 503 Reason"
        );
    }

    #[tokio::test]
    async fn without_patience_there_is_one_try() {
        let (count, outcome) = tries(0, |_| Err(rejected(503))).await;
        assert_eq!(count, 1);
        assert!(matches!(outcome, Err(ClusterError::Rejected { .. })));
    }
}
