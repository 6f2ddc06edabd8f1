//! `--dry-run`: what would be done, told by anybody, written by nobody.

use crate::support::{Place, calls, give_away, has, rendering, strace};

#[test]
fn it_tells_what_would_be_made_and_shows_what_differs() {
    let place = Place::new();
    let dry = format!("{} --dry-run", rendering("root"));
    let said = place.run(&dry).succeeded();
    insta::assert_snapshot!("nothing_there", said.shown());
    assert!(!place.at("root").exists());

    place.render("root").succeeded();
    let path = "root/etc/kubernetes/manifests/kube-scheduler.yaml";
    let edited = place
        .read(path)
        .replace("--leader-elect=true", "--leader-elect=false");
    place.write(path, edited);
    std::fs::remove_file(place.at("root/etc/kubernetes/scheduler.conf")).unwrap();
    let before = place.snapshot("root");
    let said = place.run(&dry).succeeded();
    insta::assert_snapshot!("something_differs", said.shown());
    assert!(place.snapshot("root") == before);
}

#[test]
fn what_would_be_refused_is_refused() {
    let place = Place::new();
    place.render("root").succeeded();
    place.write("root/etc/kubernetes/pki/apiserver.crt", "none");
    place.write("root/etc/kubernetes/admin.conf", "none");
    let said = place.run(&format!("{} --dry-run", rendering("root")));
    insta::assert_snapshot!(said.shown());
}

/// On the running machine, whatever it is, with checks whose failure does not count.
#[test]
fn an_ordinary_user_may_ask_and_nothing_is_written_anywhere() {
    let place = Place::new();
    let words = "init --config config.yaml --dry-run --ignore-preflight-errors all";
    let nobody = place.nobody();
    let said = nobody.run(words).succeeded();
    assert!(
        said.stderr.contains("IsPrivilegedUser") && said.stderr.contains("not as root"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("nothing was written"),
        "{}",
        said.stderr
    );
    for line in [
        "health of kube-apiserver",
        "ConfigMap kube-system/kubeadm-config",
        "join command",
    ] {
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("created: "), "{}", said.stdout);

    if !has("strace") {
        return;
    }
    // A folder for the trace; the program knows nothing of it.
    std::fs::create_dir(place.at("traces")).unwrap();
    give_away(&place.at("traces"));
    let trace = place.at("traces/trace").display().to_string();
    let under = strace(&trace, &["-e", "trace=%file,bind,sendto"]);
    let output = nobody.command(&under, words).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let calls = calls(&place.read("traces/trace"));
    assert!(calls.len() > 100, "{} calls were seen", calls.len());
    let writes: Vec<_> = calls
        .iter()
        .filter(|call| call.writes() && !is_harmless(call))
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
}

/// Questions to the kernel and to the name service, which leave nothing.
fn is_harmless(call: &crate::support::Call) -> bool {
    ["bind", "sendto"].contains(&call.name.as_str()) || call.paths() == ["/dev/null"]
}

/// What an ordinary user may not look at is said to be unknown, and what can be seen is told.
#[test]
fn what_may_not_be_seen_is_told_as_such() {
    let place = Place::new();
    place.render("root").succeeded();
    let nobody = place.nobody();
    if !crate::support::is_root() {
        eprintln!("skipped: only root can make files that this user may not read");
        return;
    }
    let said = nobody
        .run(&format!("{} --dry-run", rendering("root")))
        .succeeded();
    insta::assert_snapshot!(said.shown());
}
