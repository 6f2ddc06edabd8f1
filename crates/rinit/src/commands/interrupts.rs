//! What asks a program to end while it works, and where it may end.

use rinit_diag::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::printer;

/// What asks a program to end: ctrl-C, the init system, a terminal that is gone.
pub(crate) struct Interrupts([Signal; 3]);

impl Interrupts {
    /// From now on none of them ends the program by itself.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// The same for what writes nothing before it is whole.
    pub(crate) fn listen_or_fail() -> Result<Self, ExitCode> {
        Self::listen().map_err(|error| {
            printer::error(&format!("cannot listen for signals: {error}"), None);
            ExitCode::Failure
        })
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// Whether one of them has come.
    pub(crate) async fn have_come(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.next() => true,
            () = std::future::ready(()) => false,
        }
    }

    /// Does what takes long and writes nothing, such as making keys, on a thread of its own. Ends
    /// early if one of them comes.
    pub(crate) async fn unless<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ExitCode> {
        let working = tokio::task::spawn_blocking(work);
        tokio::select! {
            biased;
            () = self.next() => {
                printer::error(
                    "interrupted; nothing was changed",
                    Some("run the same command again"),
                );
                Err(ExitCode::Failure)
            }
            done = working => done.map_err(|error| {
                printer::error(&rinit_diag::chain(&error), None);
                ExitCode::Failure
            }),
        }
    }
}
