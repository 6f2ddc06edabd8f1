//! The program beside the real programs of Kubernetes: what it writes is compared with what the
//! real kubeadm writes, and given to the servers and clients that must take it.
//!
//! `RINIT_TEST_COMPONENTS` names the folder of the components of one version, with `bin` in it.
//! Without it the tests say so and pass.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs programs and reads what they wrote"
)]
#![expect(clippy::print_stderr, reason = "a test says so where it is skipped")]

mod accepted;
mod control_plane;
mod kubeadm;
mod openssl;
mod tls;
mod tokens;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder with the programs of Kubernetes; says so if there is none.
fn programs() -> Option<PathBuf> {
    let folder = std::env::var_os("RINIT_TEST_COMPONENTS")
        .map(PathBuf::from)?
        .join("bin");
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    Some(folder)
}

/// The phases that act on the running host or its cluster, as both programs name them.
const NOT_RENDERED: &str = "preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,\
    mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";

/// Lets the program render below a folder.
fn rinit(root: &Path, config: &Path) -> Output {
    Command::new(rinit_testkit::program())
        .args(["init", "--skip-phases", NOT_RENDERED, "--config"])
        .arg(config)
        .arg("--root")
        .arg(root)
        .output()
        .unwrap()
}

/// What a program said, for a failed test.
fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
