//! A set of files is replaced as a whole or not at all: on a full disk, where one of them cannot
//! be replaced, and killed at any moment.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rinit_pki::{Certificate, PrivateKey};

use crate::support::{KUBECONFIGS, Node, PAIRS, embedded, has, is_root};

/// The files that a renewal of everything replaces.
const FILES: usize = 2 * PAIRS.len() + KUBECONFIGS.len();
/// Its renames: each file into the backup and into its place, and the backup's folder twice.
const RENAMES: usize = 2 * FILES + 2;

/// Every file and folder with its mode, its owner and what is in it.
type State = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>)>;

fn state(root: &Path) -> State {
    fn walk(root: &Path, folder: &Path, state: &mut State) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let data = path.symlink_metadata().unwrap();
            let mut bytes = Vec::new();
            if data.is_dir() {
                walk(root, &path, state);
            } else {
                bytes = std::fs::read(&path).unwrap();
            }
            let name = path.strip_prefix(root).unwrap().to_owned();
            state.insert(name, (data.mode() & 0o7777, data.uid(), data.gid(), bytes));
        }
    }
    let mut found = State::new();
    walk(root, root, &mut found);
    found
}

/// What lies there but for what rinit keeps.
fn without_backups(state: &State) -> State {
    let mut left = state.clone();
    left.retain(|path, _| !path.starts_with("etc/kubernetes/tmp"));
    left
}

/// Every key belongs to the certificate beside it, and every certificate to its authority.
fn is_consistent(root: &Path) {
    let kubernetes = root.join("etc/kubernetes");
    let read = |name: &str| std::fs::read(kubernetes.join(name)).unwrap();
    for (name, authority) in PAIRS {
        let certificate = Certificate::read_all(&read(&format!("pki/{name}.crt")))
            .unwrap()
            .remove(0);
        let key = PrivateKey::load(&read(&format!("pki/{name}.key"))).unwrap();
        assert!(key.belongs_to(&certificate), "{name}");
        let authority = Certificate::read_all(&read(&format!("pki/{authority}.crt"))).unwrap();
        rinit_pki::chain(&[certificate], &authority, &[]).unwrap();
    }
    for name in KUBECONFIGS {
        let (certificate, key) = embedded(&read(name));
        assert!(key.belongs_to(&certificate), "{name}");
    }
}

fn no_key_is_readable(state: &State) {
    for (path, (mode, ..)) in state {
        let text = path.display().to_string();
        if text.contains(".key") || text.contains(".conf") {
            assert_eq!(mode & 0o077, 0, "{text} has mode {mode:o}");
        }
    }
}

fn nothing_is_left_over(state: &State) {
    for path in state.keys() {
        let text = path.display().to_string();
        let leftover = [".rinit-", ".incomplete", ".replacing", "rinit-restart"]
            .iter()
            .any(|part| text.contains(part));
        assert!(!leftover, "{text} is left");
    }
}

/// Runs a script as root in a mount namespace of its own; `$ROOT` is the folder of the node and
/// `$RINIT` the program.
fn in_mounts(node: &Node, script: &str) -> (Option<i32>, String) {
    let output = Command::new("unshare")
        .args(["-m", "sh", "-euc", script])
        .env("ROOT", node.root())
        .env("RINIT", rinit_testkit::program())
        .output()
        .unwrap();
    let mut said = String::from_utf8(output.stdout).unwrap();
    said.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.code(), said)
}

/// However little room there is, either all is new or all is old. Whatever is written is written
/// beside its place before anything is replaced, so that the room for all of it is there.
#[test]
fn a_full_disk_changes_nothing() {
    if !is_root() {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
    let node = Node::new();
    let before = state(&node.root());
    let mut failed = 0;
    let mut room = 0;
    // A disk in memory, with so many KiB left; what is on it in the end is copied back.
    loop {
        let script = format!(
            "cp -a $ROOT $ROOT.old; mount -t tmpfs -o size=2m none $ROOT; cp -a $ROOT.old/. $ROOT
             dd if=/dev/zero of=$ROOT/filler bs=1k 2>/dev/null || true
             truncate -s -{room}k $ROOT/filler
             code=0; $RINIT --root $ROOT certs renew all || code=$?
             rm $ROOT/filler; mkdir $ROOT.new; cp -a $ROOT/. $ROOT.new; exit $code"
        );
        let (code, said) = in_mounts(&node, &script);
        let new = node.root().with_extension("new");
        let after = state(&new);
        is_consistent(&new);
        nothing_is_left_over(&after);
        for folder in ["old", "new"] {
            std::fs::remove_dir_all(node.root().with_extension(folder)).unwrap();
        }
        if code == Some(0) {
            assert_ne!(without_backups(&after), before);
            break;
        }
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        assert_eq!(after, before, "{said}");
        failed += 1;
        room += 12;
    }
    // It failed among the copies of the old files, and among the new ones.
    assert!((8..40).contains(&failed), "{failed} runs failed");
}

/// One of the files cannot be replaced, which shows only in the middle.
#[test]
fn a_file_that_cannot_be_replaced_brings_the_others_back() {
    if !is_root() {
        eprintln!("skipped: only root can mount over a file");
        return;
    }
    let node = Node::new();
    let before = state(&node.root());
    for file in ["pki/apiserver.crt", "pki/etcd/peer.key", "scheduler.conf"] {
        let script = format!(
            "mount --bind $ROOT/etc/kubernetes/{file} $ROOT/etc/kubernetes/{file}
             exec $RINIT --root $ROOT certs renew all"
        );
        let (code, said) = in_mounts(&node, &script);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(file), "{said}");
        assert!(said.contains("everything is as it was"), "{said}");
        assert!(state(&node.root()) == before, "{said}");
    }
    // A file system that is read-only shows at once.
    let script = "mount --bind $ROOT $ROOT; mount -o remount,bind,ro $ROOT
        exec $RINIT --root $ROOT certs renew all";
    let (code, said) = in_mounts(&node, script);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(state(&node.root()) == before, "{said}");
}

/// Killed before any of its renames, it leaves what the next run can tell; that one puts back the
/// old set before it does anything else.
#[test]
fn a_renewal_that_is_killed_is_undone_by_the_next_run() {
    if !has("strace") {
        return;
    }
    let node = Node::new();
    let before = state(&node.root());
    let next = AtomicUsize::new(1);
    // Two at a time: what is waited for is mostly the disk and the tracer.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let rename = next.fetch_add(1, Ordering::Relaxed);
                    if rename > RENAMES {
                        break;
                    }
                    killed_at(&node, &before, rename);
                }
            });
        }
    });
    // One more would kill nothing.
    let root = copy(&node, RENAMES + 1);
    assert!(kill(&root, RENAMES + 1), "there are more renames");
    is_consistent(&root);
    assert_ne!(without_backups(&state(&root)), before);
}

fn copy(node: &Node, number: usize) -> PathBuf {
    let root = node.folder.path().join(format!("killed-{number}"));
    let copied = Command::new("cp")
        .arg("-a")
        .arg(node.root())
        .arg(&root)
        .status()
        .unwrap();
    assert!(copied.success());
    root
}

/// Kills a renewal before a rename. Answers whether it came to its end all the same.
fn kill(root: &Path, rename: usize) -> bool {
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e"])
        .arg(format!("inject=rename:signal=KILL:when={rename}"))
        .arg(rinit_testkit::program())
        .arg("--root")
        .arg(root)
        .args(["certs", "renew", "all"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() || output.status.signal() == Some(9),
        "{stderr}"
    );
    output.status.success()
}

fn killed_at(node: &Node, before: &State, rename: usize) {
    let root = copy(node, rename);
    assert!(!kill(&root, rename), "rename {rename} came to its end");
    let left = state(&root);
    no_key_is_readable(&left);
    let rinit = |words: &[&str]| {
        let output = Command::new(rinit_testkit::program())
            .arg("--root")
            .arg(&root)
            .args(words)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{rename}: {stderr}");
        stderr
    };
    // Where files were being replaced, those who only look say so, and change nothing.
    let was_replacing = rename > FILES + 1;
    for words in [
        &["certs", "check-expiration"][..],
        &["certs", "renew", "all", "--dry-run"],
    ] {
        let told = rinit(words);
        assert_eq!(
            told.contains("was cut off while it replaced certificates"),
            was_replacing,
            "{rename}: {told}"
        );
    }
    let code = Command::new(rinit_testkit::program())
        .arg("--root")
        .arg(&root)
        .args(["certs", "check-expiration", "--warn-within", "1s"])
        .output()
        .unwrap()
        .status
        .code();
    assert_eq!(code, Some(if was_replacing { 6 } else { 0 }), "{rename}");
    assert!(state(&root) == left, "{rename}");
    let told = rinit(&["certs", "renew", "scheduler.conf"]);
    assert_eq!(
        told.contains("was cut off while it replaced files"),
        was_replacing,
        "{rename}: {told}"
    );
    let after = state(&root);
    nothing_is_left_over(&after);
    is_consistent(&root);
    let but_scheduler = |state: &State| {
        let mut state = without_backups(state);
        state.remove(Path::new("etc/kubernetes/scheduler.conf"));
        state
    };
    assert!(
        but_scheduler(&after) == but_scheduler(before),
        "{rename}: not the old set"
    );
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn old_files_are_kept_with_their_modes_and_owners_and_new_ones_take_them() {
    let node = Node::new();
    let path = |name: &str| node.path(&format!("/etc/kubernetes/{name}"));
    // A group that reads the key, and an auditor's idea of a certificate.
    let set = |name: &str, mode| {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set("pki/apiserver.key", 0o640);
    set("pki/apiserver.crt", 0o600);
    // A careful administrator's idea of a key.
    set("pki/front-proxy-client.key", 0o400);
    // What was readable by anyone is no more.
    set("pki/etcd/peer.key", 0o644);
    // And what its group might write.
    set("scheduler.conf", 0o660);
    set("pki/etcd/peer.crt", 0o664);
    if is_root() {
        for name in ["pki/apiserver.key", "pki/apiserver.crt"] {
            std::os::unix::fs::chown(path(name), Some(1234), Some(4321)).unwrap();
        }
    }
    let before = state(&node.root());
    node.renew(&["all"]);
    let after = state(&node.root());
    let backups = std::fs::read_dir(path("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(backups.len(), 1, "{backups:?}");
    let folder = Path::new("etc/kubernetes/tmp").join(&backups[0]);
    let mode = std::fs::metadata(node.root().join(&folder)).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let mut kept = 0;
    for (file, (mode, user, group, bytes)) in &without_backups(&after) {
        let old = &before[file];
        if old.3 == *bytes {
            continue;
        }
        kept += 1;
        assert_eq!(after[&folder.join(file)], *old, "{}", file.display());
        assert_eq!((user, group), (&old.1, &old.2), "{}", file.display());
        let wanted = if file.ends_with("etcd/peer.key") || file.ends_with("scheduler.conf") {
            0o640
        } else if file.ends_with("etcd/peer.crt") {
            0o644
        } else {
            old.0
        };
        assert_eq!(*mode, wanted, "{}", file.display());
    }
    assert_eq!(kept, FILES);
    // Every run has a folder of its own, even several within a second.
    for _ in 0..3 {
        node.renew(&["apiserver"]);
    }
    assert_eq!(std::fs::read_dir(path("tmp")).unwrap().count(), 4);
}

#[test]
fn a_manifest_that_was_left_aside_is_told_of_and_put_back() {
    let node = Node::new();
    let aside = node.path("/etc/kubernetes/tmp/rinit-restart");
    std::fs::create_dir_all(&aside).unwrap();
    for (name, mode) in [("kube-apiserver.yaml", 0o600), ("etcd.yaml", 0o640)] {
        std::fs::write(aside.join(name), name).unwrap();
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(aside.join(name), mode).unwrap();
    }
    // It was killed between putting this one back and taking the copy away.
    let manifests = node.path("/etc/kubernetes/manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    std::fs::write(manifests.join("etcd.yaml"), "as it is now").unwrap();
    let check = node.rinit(&["certs", "check-expiration"]);
    assert!(
        check
            .stderr
            .contains("/etc/kubernetes/manifests/kube-apiserver.yaml is away"),
        "{}",
        check.stderr
    );
    assert!(!check.stderr.contains("etcd.yaml"), "{}", check.stderr);
    let output = node.renew(&["admin.conf"]);
    assert!(
        output.stderr.contains("kube-apiserver.yaml is back"),
        "{}",
        output.stderr
    );
    let back = manifests.join("kube-apiserver.yaml");
    assert_eq!(std::fs::read(&back).unwrap(), b"kube-apiserver.yaml");
    assert_eq!(std::fs::metadata(&back).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(
        std::fs::read(manifests.join("etcd.yaml")).unwrap(),
        b"as it is now"
    );
    assert!(!aside.exists());
}
