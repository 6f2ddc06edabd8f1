//! The machine: the one crate that reads and writes files, starts processes, and asks the kernel,
//! the init system, the container runtime and health endpoints.
//!
//! Everything else works on values. Paths come in as [`rinit_plan::LogicalPath`] and only [`Host`]
//! puts the folder of `--root` in front of them.
//!
//! This crate never decides what a node should look like, never generates a key, never talks to
//! the API server, and never puts the content of a file into an error.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the crate that the disallowed lists point to"
)]

mod check;
mod clock;
mod cri;
mod diagnosis;
mod error;
mod files;
mod hand_over;
mod init_system;
mod interfaces;
mod lock;
mod machine;
mod probe;
mod process;
mod root;
mod typed;
mod write;

pub use check::{CheckOutcome, resolves};
pub use clock::now;
pub use cri::{
    CgroupDriver, Condition, Container, ContainerState, ContainerStatus, Runtime, RuntimeVersion,
    Sandbox,
};
pub use diagnosis::{ComponentEvidence, Evidence, Suspect, judge};
pub use error::HostError;
pub use files::{FileInfo, FileKind, SIZE_LIMIT};
pub use hand_over::{find_other, hand_over, handed_to};
pub use init_system::{InitSystem, UnitState};
pub use interfaces::{
    DefaultAddresses, Interface, default_addresses, interfaces, is_global_unicast, loopback_address,
};
pub use lock::Lock;
pub use machine::{CA_FOLDERS, EnvironmentVariable, MachineFacts, is_root};
pub use probe::{Identity, ProbeAnswer, Trust, probe};
pub use process::{Invocation, Output, find_executable, run, run_to_success};
pub use root::{Host, Root, change_root};
pub use typed::{list_typed, read_standard_input, read_typed, user_kubeconfigs, write_typed};
pub use write::{Access, Staged};

/// What the functions of this crate return.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers run actions side by side, on several threads. This holds if it compiles.
    #[test]
    fn calls_may_move_between_threads() {
        fn is_send(_: impl Send) {}
        fn all(host: &Host, check: &rinit_plan::Check, runtime: &Runtime) {
            let limit = std::time::Duration::ZERO;
            is_send(host.run_check(check));
            is_send(host.machine_facts());
            is_send(host.unit_started_after(InitSystem::None, "", &[]));
            is_send(host.diagnose(InitSystem::None, "", "", &[]));
            is_send(InitSystem::None.restart(""));
            is_send(Runtime::connect(""));
            is_send(runtime.pull("", |_, _| {}));
            is_send(probe("", &Trust::Anyone, None, limit));
        }
        let _ = all;
    }
}
