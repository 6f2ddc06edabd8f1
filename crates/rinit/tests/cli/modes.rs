//! Modes of files, whatever the umask, from their first moment on.

use std::process::Command;

use crate::support::{Call, Place, Said, calls, ends, has, rendering, sign, strace};

/// Runs the program under a umask, and under other programs.
fn under_umask(place: &Place, umask: &str, under: &[&str], words: &str) -> Said {
    let script = format!("umask {umask}; exec \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, "sh"])
        .args(under)
        .arg(rinit_testkit::program())
        .args(words.split_whitespace())
        .current_dir(place.path())
        .output()
        .unwrap();
    Said::of(&output).succeeded()
}

fn is_private(path: &str) -> bool {
    ends(path, "key") || ends(path, "conf") || path.contains("manifests/")
}

#[test]
fn modes_do_not_hang_on_the_umask() {
    let place = Place::new();
    place.render("ordinary").succeeded();
    let modes = |root: &str| -> Vec<(String, u32)> {
        place
            .snapshot(root)
            .into_iter()
            .map(|(path, entry)| (path, entry.mode))
            .collect()
    };
    let ordinary = modes("ordinary");
    for (path, mode) in &ordinary {
        if is_private(path) {
            assert_eq!(*mode, 0o600, "{path}");
        }
    }
    for umask in ["000", "077", "027"] {
        let root = format!("umask-{umask}");
        under_umask(&place, umask, &[], &rendering(&root));
        assert_eq!(modes(&root), ordinary, "umask {umask}");
    }
}

/// The mode that a call makes a file with.
fn made_with(call: &Call) -> Option<&str> {
    if !call.words.contains("O_CREAT") {
        return None;
    }
    let (_, mode) = call.words.split_once(") =")?.0.rsplit_once(", ")?;
    Some(mode)
}

/// What a traced run has made and renamed.
#[derive(Debug, PartialEq)]
struct Made {
    /// Files that hold a key, or a manifest.
    private: usize,
    /// Files that were put in their place.
    renamed: usize,
}

/// Runs the program under a umask that takes nothing away, and looks at the mode that each file
/// has from its first moment.
fn traced(place: &Place, words: &str) -> Made {
    let under = strace("trace", &["-e", "trace=openat,open,creat,rename,renameat2"]);
    under_umask(place, "000", &under, words);
    let calls = calls(&place.read("trace"));
    let mut made = Made {
        private: 0,
        renamed: 0,
    };
    for call in &calls {
        if let Some(mode) = made_with(call) {
            let path = call.paths()[0];
            // The temporary file carries the name of the one that it becomes.
            let (folder, name) = path.rsplit_once('/').unwrap();
            let (name, _) = name.trim_start_matches('.').split_once(".rinit-").unwrap();
            assert!(
                path[folder.len()..].starts_with("/."),
                "{path} has no leading dot"
            );
            if is_private(&format!("{folder}/{name}")) {
                assert_eq!(mode, "0600", "{path}");
                made.private += 1;
            } else {
                assert!(["0600", "0644"].contains(&mode), "{path}: {mode}");
            }
            assert!(call.words.contains("O_EXCL"), "{path}");
        }
        if call.name.starts_with("rename") {
            let paths = call.paths();
            assert_eq!(
                paths[0].rsplit_once('/').unwrap().0,
                paths[1].rsplit_once('/').unwrap().0,
                "a file is renamed within its folder"
            );
            made.renamed += 1;
        }
    }
    made
}

/// Every command that writes a key, and those that only print one.
#[test]
fn a_secret_is_never_readable_by_others_not_even_for_a_moment() {
    if !has("strace") {
        return;
    }
    let place = Place::new();
    let config = "--root root --config config.yaml";
    let own = "--cert-dir /own/pki --kubeconfig-dir /own";
    let rows = [
        // Keys, kubeconfigs and manifests.
        (rendering("root"), 20, 31),
        // A manifest that was left aside; 7 pairs and 4 kubeconfigs, kept and made anew, and the
        // folder that keeps them by two more names.
        (
            format!("certs renew all {config}"),
            1 + 2 * 11,
            1 + 2 * 18 + 2,
        ),
        ("certs renew scheduler.conf --root root".to_owned(), 2, 4),
        (format!("certs generate-csr {config} {own}"), 12, 24),
        // Of 5 kubeconfigs there are old ones, of the certificates no private ones.
        (
            format!("certs install-signed signed {config}"),
            2 * 5,
            2 * 12 + 2,
        ),
        (format!("kubeconfig user --client-name jane {config}"), 0, 0),
        ("certs certificate-key".to_owned(), 0, 0),
        ("certs check-expiration --root root".to_owned(), 0, 0),
    ];
    for (words, private, renamed) in rows {
        if words.starts_with("certs renew all") {
            let aside = place.at("root/etc/kubernetes/tmp/rinit-restart");
            std::fs::create_dir_all(&aside).unwrap();
            let manifest = place.at("root/etc/kubernetes/manifests/kube-apiserver.yaml");
            std::fs::rename(manifest, aside.join("kube-apiserver.yaml")).unwrap();
        }
        if words.starts_with("certs install-signed") {
            sign(&place);
        }
        let made = traced(&place, &words);
        assert_eq!(made, Made { private, renamed }, "{words}");
    }
    for (path, entry) in place.snapshot("root") {
        if is_private(&path) && entry.bytes.is_some() {
            assert_eq!(entry.mode, 0o600, "{path}");
        }
    }
}
