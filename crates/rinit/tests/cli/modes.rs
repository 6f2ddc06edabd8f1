//! Modes of files, whatever the umask, from their first moment on.

use std::process::Command;

use crate::support::{Call, Place, Said, calls, ends, has, rendering, strace};

/// Runs the program under a umask, and under other programs.
fn under_umask(place: &Place, umask: &str, under: &[&str], words: &str) -> Said {
    let script = format!("umask {umask}; exec \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, "sh"])
        .args(under)
        .arg(env!("CARGO_BIN_EXE_rinit"))
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

#[test]
fn a_secret_is_never_readable_by_others_not_even_for_a_moment() {
    if !has("strace") {
        return;
    }
    let place = Place::new();
    let under = strace("trace", &["-e", "trace=openat,open,creat,rename,renameat2"]);
    under_umask(&place, "000", &under, &rendering("root"));
    let calls = calls(&place.read("trace"));
    let mut private = 0;
    let mut renamed = 0;
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
                private += 1;
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
            renamed += 1;
        }
    }
    assert_eq!(private, 20, "keys, kubeconfigs and manifests");
    assert_eq!(renamed, 31);
}
