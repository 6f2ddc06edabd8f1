//! `rinit init --root`: a whole control plane in a folder.

use crate::support::{HOST_PHASES, Place, rendering};

#[test]
fn a_control_plane_is_rendered_and_a_second_run_changes_nothing() {
    let place = Place::new();
    let first = place.render("root").succeeded();
    // Steps of one phase end in any order.
    let shown = first.shown();
    let mut lines: Vec<&str> = shown.lines().collect();
    let phase = |line: &str| line.split(']').next().map(str::to_owned);
    for of_phase in lines.chunk_by_mut(|one, next| phase(one) == phase(next)) {
        of_phase.sort_unstable();
    }
    insta::assert_snapshot!("first_run", lines.join("\n"));
    let before = place.snapshot("root");
    let second = place.render("root").succeeded();
    insta::assert_snapshot!("second_run", second.shown());
    assert!(place.snapshot("root") == before, "a byte or a time changed");
    // Told in full where that is asked for.
    let verbose = place.run(&format!("{} -v", rendering("root"))).succeeded();
    assert!(
        verbose.stderr.contains("holds: certificate apiserver"),
        "{}",
        verbose.stderr
    );
}

#[test]
fn one_phase_makes_just_its_own() {
    let place = Place::new();
    let files = |place: &Place| -> Vec<String> {
        place
            .snapshot("root")
            .into_iter()
            .filter_map(|(path, entry)| entry.bytes.map(|_| path))
            .collect()
    };
    let run = |words: &str| {
        place.run(&format!(
            "init phase {words} --config config.yaml --root root"
        ))
    };
    run("certs ca").succeeded();
    assert_eq!(
        files(&place),
        ["etc/kubernetes/pki/ca.crt", "etc/kubernetes/pki/ca.key"]
    );
    run("kubeconfig admin").succeeded();
    assert_eq!(files(&place)[0], "etc/kubernetes/admin.conf");
    run("control-plane apiserver").succeeded();
    assert_eq!(
        files(&place)[1],
        "etc/kubernetes/manifests/kube-apiserver.yaml"
    );
    assert_eq!(files(&place).len(), 4);
    run("certs all").succeeded();
    assert_eq!(files(&place).len(), 24, "{:?}", files(&place));
    run("kubeconfig all").succeeded();
    run("etcd local").succeeded();
    run("control-plane all").succeeded();
    let made = place.snapshot("root");
    // Which is all of it.
    let said = place.render("root").succeeded();
    assert!(
        said.stderr.contains("nothing was changed"),
        "{}",
        said.stderr
    );
    assert!(place.snapshot("root") == made);
}

#[test]
fn what_a_phase_needs_is_asked_for_before_anything_is_written() {
    let place = Place::new();
    let said = place.run("init phase certs apiserver --config config.yaml --root root");
    assert_eq!(said.code, Some(4), "{}", said.shown());
    assert!(
        said.stderr
            .contains("needs /etc/kubernetes/pki/ca.crt, which is missing"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("`rinit init phase certs ca"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.ends_with("nothing was written\n"),
        "{}",
        said.stderr
    );
    assert!(!place.at("root").exists());
}

#[test]
fn what_is_skipped_is_left_out() {
    let place = Place::new();
    let more = "certs/sa,kubeconfig,control-plane/kube";
    let said = place.run(&format!(
        "init --config config.yaml --root root --skip-phases {HOST_PHASES},{more}"
    ));
    assert_eq!(said.code, Some(2), "{}", said.shown());
    place
        .run(&format!(
            "init --config config.yaml --root root --skip-phases {HOST_PHASES} --skip-phases certs/sa,kubeconfig,control-plane/scheduler"
        ))
        .succeeded();
    for (path, made) in [
        ("pki/ca.crt", true),
        ("pki/sa.key", false),
        ("admin.conf", false),
        ("manifests/kube-apiserver.yaml", true),
        ("manifests/kube-scheduler.yaml", false),
    ] {
        let path = format!("root/etc/kubernetes/{path}");
        assert_eq!(place.at(&path).exists(), made, "{path}");
    }
}

/// Two runs at once: one works, the other one says so and writes nothing.
#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let place = Place::new();
    let folder = place.at("root");
    std::fs::create_dir(&folder).unwrap();
    // The kernel's lock, held by somebody else.
    let mut holder = std::process::Command::new("flock")
        .arg("--exclusive")
        .arg(&folder)
        .args(["sh", "-c", "echo locked; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 7];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
    let said = place.render("root");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(said.code, Some(4), "{}", said.shown());
    assert!(said.stderr.contains("hint: "), "{}", said.stderr);
    assert!(place.snapshot("root").is_empty());
    place.render("root").succeeded();
}
