//! The program under the name kubeadm: what it hands on, and the forms of what it prints.

use crate::support::{Place, Said, rendering};

/// A kubeadm that shows what it was run with.
const OTHER: &str = "#!/bin/sh\necho \"$0:$*\"\nexit 9\n";

fn executable(place: &Place, path: &str, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    let file = place.at(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    place.write(path, text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_path(place: &Place, words: &str, directories: &[&str]) -> Said {
    let path: Vec<String> = directories
        .iter()
        .map(|one| place.at(one).display().to_string())
        .collect();
    let mut command = place.kubeadm_command(words);
    command.env("PATH", path.join(":"));
    Said::of(&command.output().unwrap())
}

#[test]
fn a_command_that_is_not_here_runs_the_next_kubeadm_with_the_line_as_it_is() {
    let place = Place::new();
    executable(&place, "other/kubeadm", OTHER);
    std::fs::create_dir(place.at("own")).unwrap();
    std::os::unix::fs::symlink(rinit_testkit::program(), place.at("own/kubeadm")).unwrap();
    for words in ["--v=5 upgrade apply -y v1.37.1", "upgrade --help"] {
        let said = with_path(&place, words, &["own", "other"]);
        assert_eq!(said.code, Some(9), "{}", said.shown());
        let other = place.at("other/kubeadm").display().to_string();
        assert_eq!(said.stdout, format!("{other}:{words}\n"));
        assert_eq!(
            said.stderr,
            format!("rinit has no command `upgrade`: running {other}\n")
        );
    }
    // Under its own name it has kubeadm's commands or not.
    assert_eq!(place.run("upgrade plan").code, Some(2));
}

#[test]
fn without_another_kubeadm_it_is_said_what_is_missing() {
    let place = Place::new();
    executable(
        &place,
        "copy/kubeadm",
        std::fs::read(rinit_testkit::program()).unwrap(),
    );
    for (directory, reason) in [
        ("nothing", "there is no other kubeadm to run it"),
        ("copy", "/copy/kubeadm, which was to run it, is rinit too"),
    ] {
        let said = with_path(&place, "upgrade plan", &[directory]);
        assert_eq!(said.code, Some(2), "{}", said.shown());
        assert!(said.stderr.contains(reason), "{}", said.stderr);
        assert!(said.stderr.contains("/usr/libexec/rinit/kubeadm"));
    }
}

#[test]
fn phases_begin_with_a_line_that_programs_wait_for() {
    let place = Place::new();
    let said = place.kubeadm(&rendering("node")).succeeded();
    let begins = |name: &str| {
        let at = said.stdout.lines().position(|line| line.starts_with(name));
        at.unwrap_or_else(|| panic!("no {name} in {}", said.stdout))
    };
    assert!(begins("[certs]") < begins("[control-plane]"));
    assert_eq!(place.run(&rendering("node")).stdout, "");
}

#[test]
fn a_hint_names_the_command_as_it_is_typed() {
    let place = Place::new();
    place.write("empty.yaml", "");
    let words = "config validate --config empty.yaml";
    let (ours, kubeadms) = (place.run(words).stderr, place.kubeadm(words).stderr);
    assert!(ours.contains("`rinit "), "{ours}");
    assert_eq!(ours.replace("`rinit ", "`kubeadm "), kubeadms);
}
