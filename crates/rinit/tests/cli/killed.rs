//! Killed by SIGKILL at every write, and run again: complete, with the same authorities.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Place, ends, has, rendering, strace};

/// The files that are written, one rename each.
const WRITES: usize = 31;

#[test]
fn a_run_that_is_killed_at_any_write_is_taken_up() {
    if !has("strace") || !has("openssl") {
        return;
    }
    let next = AtomicUsize::new(1);
    // Two at a time: what is waited for is mostly the disk and the tracer.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let write = next.fetch_add(1, Ordering::Relaxed);
                    if write > WRITES {
                        break;
                    }
                    killed_at(write);
                }
            });
        }
    });
    // One more would kill nothing.
    let place = Place::new();
    assert!(
        kill(&place, WRITES + 1),
        "there are more writes than were tried"
    );
}

/// Runs the program and kills it as it is about to give the file its name. Answers whether it came
/// to its end all the same.
fn kill(place: &Place, write: usize) -> bool {
    let when = format!("inject=rename:signal=KILL:when={write}");
    let under = strace("trace", &["-e", "trace=rename", "-e", &when]);
    let output = Command::new(under[0])
        .args(&under[1..])
        .arg(env!("CARGO_BIN_EXE_rinit"))
        .args(rendering("root").split_whitespace())
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(
        output.status.success() || output.status.signal() == Some(9),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.status.success()
}

fn killed_at(write: usize) {
    let place = Place::new();
    assert!(!kill(&place, write), "write {write} came to its end");
    let left = place.snapshot("root");
    // A key and its certificate wait beside their places together; no other files do.
    let waiting: BTreeSet<_> = left
        .keys()
        .filter_map(|path| path.split_once(".rinit-"))
        .map(|(place, _)| place.trim_end_matches(".key").trim_end_matches(".crt"))
        .map(|place| place.trim_end_matches(".pub"))
        .collect();
    assert_eq!(waiting.len(), 1, "write {write}: {:?}", left.keys());
    let whole: Vec<_> = left
        .iter()
        .filter(|(path, entry)| entry.bytes.is_some() && !path.contains(".rinit-"))
        .collect();
    assert!(whole.len() < write, "write {write} left {}", whole.len());
    for (path, _) in &whole {
        // Never a certificate without its key.
        if ends(path, "crt") {
            let key = path.replace(".crt", ".key");
            assert!(
                left.contains_key(&key),
                "write {write}: {path} came before {key}"
            );
        }
    }

    let said = place.render("root").succeeded();
    assert!(
        said.stderr.contains("done: "),
        "write {write}: {}",
        said.stderr
    );
    let after = place.snapshot("root");
    for (path, entry) in whole {
        assert!(
            after[path] == *entry,
            "write {write}: {path} was written again"
        );
    }
    for (path, entry) in &after {
        assert!(!path.contains(".rinit-"), "write {write}: {path} is left");
        if ends(path, "key") || ends(path, "conf") {
            assert_eq!(entry.mode, 0o600, "{path}");
        }
    }
    let files = after.values().filter(|entry| entry.bytes.is_some()).count();
    assert_eq!(files, WRITES, "write {write}");
    // A third run finds nothing to do.
    let said = place.render("root").succeeded();
    assert!(
        said.stderr.contains("nothing was changed"),
        "write {write}: {}",
        said.stderr
    );
    assert!(place.snapshot("root") == after, "write {write}");
    if write.is_multiple_of(4) {
        judged_by_openssl(&place);
    }
}

const SIGNED: [(&str, &str); 7] = [
    ("apiserver", "ca"),
    ("apiserver-kubelet-client", "ca"),
    ("front-proxy-client", "front-proxy-ca"),
    ("etcd/server", "etcd/ca"),
    ("etcd/peer", "etcd/ca"),
    ("etcd/healthcheck-client", "etcd/ca"),
    ("apiserver-etcd-client", "etcd/ca"),
];

/// Every certificate leads to its authority, and every key belongs to its certificate.
fn judged_by_openssl(place: &Place) {
    let pki = place.at("root/etc/kubernetes/pki");
    let openssl = |words: &str| -> String {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(&pki)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (leaf, authority) in SIGNED {
        openssl(&format!("verify -CAfile {authority}.crt {leaf}.crt"));
        for name in [leaf, authority] {
            assert_eq!(
                openssl(&format!("x509 -in {name}.crt -noout -pubkey")),
                openssl(&format!("pkey -in {name}.key -pubout")),
                "{name}"
            );
        }
    }
    assert_eq!(
        openssl("pkey -in sa.key -pubout"),
        openssl("pkey -pubin -in sa.pub -pubout")
    );
}
