//! What `rinit init --root` renders, against what the real kubeadm wrote from the same
//! configuration.
//!
//! The whole of an init, on a node and in its cluster, is the scenario `parity/minimal`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs the program and reads the checkout"
)]

use std::path::Path;
use std::process::Command;

use rinit_parity::{Disk, Init, Scope, Snapshot, Table, compare};

/// The phases that act on the running host or its cluster.
const NOT_RENDERED: &str = "preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,\
    mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";

/// The folders with authorities that the recorded node has, and that static pods therefore mount.
const AUTHORITY_FOLDERS: [&str; 4] = [
    "/etc/ca-certificates",
    "/etc/ssl/certs",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
];

#[test]
fn what_is_rendered_differs_from_kubeadm_s_files_only_as_the_table_says() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recorded = checkout.join("testdata/kubeadm/v1.37.1/minimal/render");
    let recorded = Snapshot::read(&recorded).unwrap();

    let root = tempfile::tempdir().unwrap();
    for folder in AUTHORITY_FOLDERS {
        std::fs::create_dir_all(root.path().join(&folder[1..])).unwrap();
    }
    let before = Disk::of_folder(root.path()).unwrap();
    let init = Init::starting_now();
    let output = Command::new(env!("CARGO_BIN_EXE_rinit"))
        .args(["init", "--node-name", "cp", "--skip-phases", NOT_RENDERED])
        .arg("--config")
        .arg(checkout.join("testdata/configs/minimal.yaml"))
        .arg("--root")
        .arg(root.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");

    let mut disk = Disk::of_folder(root.path()).unwrap();
    // What lies above the files is there on every node.
    let above = ["/var", "/var/lib"];
    disk.entries
        .retain(|path, _| !before.entries.contains_key(path) && !above.contains(&path.as_str()));
    let ours = Snapshot::take(&disk, &[], init).unwrap();
    let table = Table::read(&checkout.join("docs/differences.md")).unwrap();
    let faults = table.judge(&compare(&recorded, &ours), Scope::Render);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
