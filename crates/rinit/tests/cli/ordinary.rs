//! An ordinary user renders into a folder, and nothing outside it is touched.

use crate::support::{Place, calls, give_away, has, rendering, strace};

#[test]
fn an_ordinary_user_renders_and_touches_nothing_else() {
    let place = Place::new();
    let home = place.at("own");
    std::fs::create_dir(&home).unwrap();
    give_away(&home);
    let nobody = place.nobody();
    nobody.run(&rendering("own/first")).succeeded();
    let said = nobody.run(&rendering("own/first")).succeeded();
    assert!(
        said.stderr.contains("nothing was changed"),
        "{}",
        said.stderr
    );
    let made = place.snapshot("own/first");
    assert!(made.contains_key("etc/kubernetes/pki/ca.key"));
    assert!(made.contains_key("var/lib/etcd"));
    let here: Vec<String> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(here.len(), 2, "{here:?}");

    if !has("strace") {
        return;
    }
    let trace = place.at("own/trace").display().to_string();
    let under = strace(&trace, &["-e", "trace=%file"]);
    let output = nobody
        .command(&under, &rendering("own/second"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let calls = calls(&place.read("own/trace"));
    let mut inside = 0;
    for call in calls.iter().filter(|call| call.writes()) {
        for path in call.paths() {
            assert!(
                path.starts_with("own/second") || path == "/dev/null",
                "{call:?} is outside"
            );
            inside += 1;
        }
    }
    assert!(inside > 60, "{inside} writes were seen");
    assert_eq!(place.snapshot("own/second").len(), made.len());
}

#[test]
fn a_folder_of_somebody_else_is_told_and_left() {
    if !crate::support::is_root() {
        eprintln!("skipped: only root can make a folder that is not this user's");
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.at("theirs")).unwrap();
    let said = place.nobody().run(&rendering("theirs/root"));
    assert_ne!(said.code, Some(0));
    assert!(said.stderr.contains("ermission denied"), "{}", said.stderr);
    assert!(said.stderr.contains("hint: "), "{}", said.stderr);
    assert!(place.snapshot("theirs").is_empty());
}

#[test]
fn who_may_not_read_a_key_is_told_so_once() {
    if !crate::support::is_root() {
        eprintln!("skipped: only root can make a key that this user may not read");
        return;
    }
    let place = Place::new();
    place.render("made").succeeded();
    let nobody = place.nobody();
    for words in [
        "certs renew all --root made --config config.yaml --dry-run",
        "certs check-expiration --root made",
    ] {
        let said = nobody.run(words);
        let hint = "hint: Run the command as root, for example with `sudo`.\n";
        assert_eq!(said.stderr.matches(hint).count(), 1, "{}", said.stderr);
        assert!(!said.stderr.contains("made/etc"), "{}", said.stderr);
        let reason = "cannot read it: Permission denied (os error 13)";
        assert!(said.stderr.contains(reason), "{}", said.stderr);
    }
}
