//! Killed by SIGKILL at every write, and run again: complete, with the same authorities.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::Mutex;

use crate::support::{Entry, Place, ends, has, rendering};

/// The files that are written, one rename each.
const WRITES: usize = 31;

#[test]
fn a_run_that_is_killed_at_any_write_is_taken_up() {
    if !has("strace") || !has("openssl") {
        return;
    }
    let whole = Place::new();
    whole.render("root").succeeded();
    let targets = files(&whole.snapshot("root"));
    assert_eq!(targets.len(), WRITES, "{targets:?}");
    let next = Mutex::new(targets.into_iter().enumerate());
    // Two at a time: what is waited for is mostly the disk and the tracer.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, target)) = { next.lock().unwrap().next() } {
                    killed_at(number, &target);
                }
            });
        }
    });
}

fn files(snapshot: &BTreeMap<String, Entry>) -> Vec<String> {
    let files = snapshot.iter().filter(|(_, entry)| entry.bytes.is_some());
    files.map(|(path, _)| path.clone()).collect()
}

/// Runs the program and sends it a signal as it is about to give the file its name, whatever it is at in
/// other threads. The tracer knows a rename by its first path, which is the name beside the place:
/// with the number of the process, which the shell hands down, and a serial number.
const SIGNALLING: &str = r#"
beside=$1 signal=$2
shift 2
for serial in $(seq 0 40); do
  paths="$paths -P $beside.rinit-$$-$serial"
done
exec strace -D -f -qq -o trace -e trace=rename -e inject=rename:signal=$signal $paths "$@"
"#;

fn signalled(place: &Place, target: &str, signal: &str) -> Output {
    let root = place.at("root");
    let (folder, name) = target.rsplit_once('/').unwrap();
    Command::new("sh")
        .args(["-c", SIGNALLING, "sh"])
        .arg(root.join(format!("{folder}/.{name}")))
        .arg(signal)
        .arg(rinit_testkit::program())
        .args(rendering(root.to_str().unwrap()).split_whitespace())
        .current_dir(place.path())
        .output()
        .unwrap()
}

fn kill(place: &Place, target: &str) {
    let output = signalled(place, target, "KILL");
    assert_eq!(
        output.status.signal(),
        Some(9),
        "{target}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn killed_at(number: usize, target: &str) {
    let place = Place::new();
    kill(&place, target);
    let left = place.snapshot("root");
    let is_there = |path: &str| left.contains_key(path);
    assert!(!is_there(target), "{target}: {:?}", left.keys());
    let (folder, name) = target.rsplit_once('/').unwrap();
    let beside = format!("{folder}/.{name}.rinit-");
    assert!(
        left.keys().any(|path| path.starts_with(&beside)),
        "{target} does not wait beside its place: {:?}",
        left.keys()
    );
    let whole: Vec<_> = left
        .iter()
        .filter(|(path, entry)| entry.bytes.is_some() && !path.contains(".rinit-"))
        .collect();
    let pki = "etc/kubernetes/pki";
    for (path, entry) in &whole {
        // Never a certificate without its key, nor without the authority that signed it.
        if ends(path, "crt") {
            let key = path.replace(".crt", ".key");
            assert!(is_there(&key), "{target}: {path} came before {key}");
        }
        let signed = SIGNED.iter().find_map(|(leaf, authority)| {
            (**path == format!("{pki}/{leaf}.crt")).then_some(*authority)
        });
        if let Some(authority) = signed.or(ends(path, "conf").then_some("ca")) {
            for needed in ["crt", "key"].map(|end| format!("{pki}/{authority}.{end}")) {
                assert!(is_there(&needed), "{target}: {path} came before {needed}");
            }
        }
        // A kubelet that runs already starts it: what its command line names is there.
        if ends(path, "yaml") {
            let text = String::from_utf8_lossy(entry.bytes.as_deref().unwrap_or_default());
            let named = text
                .lines()
                .filter_map(|line| line.split_once("=/etc/kubernetes/"));
            for (_, file) in named {
                let needed = format!("etc/kubernetes/{file}");
                assert!(is_there(&needed), "{target}: {path} came before {needed}");
            }
        }
    }

    let said = place.render("root").succeeded();
    assert!(said.stderr.contains("done: "), "{target}: {}", said.stderr);
    let after = place.snapshot("root");
    for (path, entry) in whole {
        assert!(after[path] == *entry, "{target}: {path} was written again");
    }
    for (path, entry) in &after {
        assert!(!path.contains(".rinit-"), "{target}: {path} is left");
        if ends(path, "key") || ends(path, "conf") {
            assert_eq!(entry.mode, 0o600, "{path}");
        }
    }
    assert_eq!(files(&after).len(), WRITES, "{target}");
    // A third run finds nothing to do.
    let said = place.render("root").succeeded();
    assert!(
        said.stderr.contains("nothing was changed"),
        "{target}: {}",
        said.stderr
    );
    assert!(place.snapshot("root") == after, "{target}");
    if number.is_multiple_of(4) {
        judged_by_openssl(&place);
    }
}

/// Ctrl-C, or the SIGTERM of `timeout`: what is being written comes to its end, and nothing is begun.
#[test]
fn a_run_that_is_interrupted_leaves_nothing_beside_its_files() {
    if !has("strace") {
        return;
    }
    for signal in ["INT", "TERM"] {
        interrupted_by(signal);
    }
}

fn interrupted_by(signal: &str) {
    let pki = "etc/kubernetes/pki";
    // Every thread is traced, and the one that takes the signal may be late: the run is over then.
    let interrupted = (0..10).find_map(|_| {
        let place = Place::new();
        let output = signalled(&place, &format!("{pki}/ca.crt"), signal);
        (output.status.code() != Some(0)).then_some((place, output))
    });
    let (place, output) = interrupted.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted"), "{stderr}");
    assert!(!stderr.contains("done: "), "{stderr}");
    let left = place.snapshot("root");
    let is_beside = |path: &String| path.contains(".rinit-");
    assert!(!left.keys().any(is_beside), "{:?}", left.keys());
    assert!(
        left.contains_key(&format!("{pki}/ca.crt")),
        "{:?}",
        left.keys()
    );
    let manifest = "etc/kubernetes/manifests/kube-apiserver.yaml";
    assert!(!left.contains_key(manifest), "{:?}", left.keys());
    place.render("root").succeeded();
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
