//! The members of an etcd cluster: who they are, and how one is added, promoted and removed.
//!
//! Every change may be asked for again: a member that is there is not added, one that votes is not
//! promoted, one that is gone is not removed. A call goes to the given endpoints in turn until one
//! answers. What may pass by waiting is marked as such ([`EtcdError::may_pass`]), and [`retry`] waits.
//!
//! This crate never reads a file, never touches keys and values in etcd, and never decides which
//! member should be there.

mod client;
mod error;
mod messages;

use std::time::{Duration, Instant};

pub use client::{Etcd, Member, Promotion, Status};
pub use error::EtcdError;

/// What the functions of this crate return.
pub type Result<T, E = EtcdError> = std::result::Result<T, E>;

/// Calls again, every half second, while the error may pass, for as long as `limit`.
///
/// A call that is under way when the limit is reached is finished. Another error, or success, is
/// returned at once.
pub async fn retry<T, Call>(limit: Duration, mut call: impl FnMut() -> Call) -> Result<T>
where
    Call: Future<Output = Result<T>>,
{
    let started = Instant::now();
    loop {
        let error = match call().await {
            Err(error) if error.may_pass() => error,
            other => return other,
        };
        if started.elapsed() >= limit {
            return Err(EtcdError::GaveUp {
                limit,
                last: Box::new(error),
            });
        }
        tracing::debug!(%error, "etcd may do it later");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Between two tries of [`retry`].
const PAUSE: Duration = Duration::from_millis(500);
