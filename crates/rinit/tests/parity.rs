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

use rinit_parity::{Disk, Init, Scope, Snapshot, Table, compare, is_of_an_older_build};

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
    let table = Table::read(&checkout.join("docs/differences.md")).unwrap();
    let config = checkout.join("testdata/configs/minimal.yaml");
    let config = std::fs::read_to_string(config).unwrap();
    let newest = "kubernetesVersion: v1.37.1";
    assert!(config.contains(newest));
    let mut versions = Vec::new();
    for entry in std::fs::read_dir(checkout.join("testdata/kubeadm")).unwrap() {
        let folder = entry.unwrap().path();
        let record = folder.join("minimal/render");
        if !record.is_dir() {
            continue;
        }
        let version = folder.file_name().unwrap().to_string_lossy().into_owned();
        let recorded = Snapshot::read(&record).unwrap();
        let config = config.replace(newest, &format!("kubernetesVersion: {version}"));
        let mut differences = compare(&recorded, &render(&config));
        differences.retain(|difference| !is_of_an_older_build(&version, &difference.title()));
        let faults = table.judge(&differences, Scope::Render);
        assert!(faults.is_empty(), "{version}:\n{}", faults.join("\n"));
        versions.push(version);
    }
    let minors = ["v1.32.", "v1.33.", "v1.34.", "v1.35.", "v1.36.", "v1.37."];
    for minor in minors {
        let found = versions.iter().any(|version| version.starts_with(minor));
        assert!(found, "no record of {minor}: {versions:?}");
    }
}

/// What the program renders from a configuration.
fn render(config: &str) -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config).unwrap();
    let root = folder.path().join("root");
    for authorities in AUTHORITY_FOLDERS {
        std::fs::create_dir_all(root.join(&authorities[1..])).unwrap();
    }
    let before = Disk::of_folder(&root).unwrap();
    let init = Init::starting_now();
    let output = Command::new(rinit_testkit::program())
        .args(["init", "--node-name", "cp", "--skip-phases", NOT_RENDERED])
        .arg("--config")
        .arg(&file)
        .arg("--root")
        .arg(&root)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");

    let mut disk = Disk::of_folder(&root).unwrap();
    // What lies above the files is there on every node.
    let above = ["/var", "/var/lib"];
    disk.entries
        .retain(|path, _| !before.entries.contains_key(path) && !above.contains(&path.as_str()));
    Snapshot::take(&disk, &[], init).unwrap()
}
