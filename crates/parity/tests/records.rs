//! The records of kubeadm under `testdata/kubeadm` can be read and hold no secret.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads the checkout, and ends at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rinit_parity::{Difference, Snapshot, compare, secret_in};

/// The folders of all records.
fn records() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/kubeadm");
    let files = all_files(&root).into_iter();
    let lists = files.filter(|path| path.ends_with("files.json"));
    lists
        .map(|path| path.parent().unwrap().to_owned())
        .collect()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| all_files(folder)));
    files
}

#[test]
fn records_are_read_whole() {
    let records = records();
    assert!(!records.is_empty());
    for folder in records {
        let record = Snapshot::read(&folder).unwrap();
        assert_eq!(compare(&record, &record), []);
        // What is read and written again is the same, so nothing in it is passed over.
        let copy = tempfile::tempdir().unwrap();
        record.write(copy.path()).unwrap();
        for file in all_files(copy.path()) {
            let name = file.strip_prefix(copy.path()).unwrap();
            let text = fs::read_to_string(&file).unwrap();
            assert_eq!(
                fs::read_to_string(folder.join(name)).unwrap(),
                text,
                "{}",
                name.display()
            );
        }
    }
}

#[test]
fn records_hold_no_secret() {
    for folder in records() {
        for file in all_files(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            assert_eq!(secret_in(&text), None, "{}", file.display());
        }
    }
}

#[test]
fn records_of_two_versions_differ_where_the_versions_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/kubeadm");
    let read = |version: &str| Snapshot::read(&root.join(version).join("minimal")).unwrap();
    let differences = compare(&read("v1.36.3"), &read("v1.37.1"));
    let titles: Vec<String> = differences.iter().map(Difference::title).collect();
    for title in [
        "document /etc/kubernetes/manifests/etcd.yaml: spec.containers[etcd].image",
        "object ConfigMap kube-system/kube-proxy: data[config.conf].mode",
        "object ServiceAccount kube-system/storage-version-migrator-controller",
    ] {
        assert!(titles.contains(&title.to_owned()), "{titles:?}");
    }
    // Two records of different days are otherwise the same.
    assert!(
        titles.iter().all(|title| !title.starts_with("certificate")),
        "{titles:?}"
    );
}
