//! `rinit certs check-expiration` over a rendered control plane.

use serde_json::Value;

use crate::support::{Place, Said};

const ROWS: [&str; 14] = [
    "admin.conf",
    "apiserver",
    "apiserver-etcd-client",
    "apiserver-kubelet-client",
    "controller-manager.conf",
    "etcd-healthcheck-client",
    "etcd-peer",
    "etcd-server",
    "front-proxy-client",
    "scheduler.conf",
    "super-admin.conf",
    "ca",
    "etcd-ca",
    "front-proxy-ca",
];

fn names(document: &Value) -> Vec<&str> {
    ["certificates", "certificateAuthorities"]
        .iter()
        .flat_map(|list| document[*list].as_array().into_iter().flatten())
        .filter_map(|row| row["name"].as_str())
        .collect()
}

#[test]
fn it_is_told_in_three_formats() {
    let place = Place::new();
    place.render("root").succeeded();
    let run = |more: &str| {
        place
            .run(&format!("certs check-expiration --root root {more}"))
            .succeeded()
    };
    for config in ["", "--config config.yaml"] {
        let text = run(config);
        assert_eq!(text.stderr, "");
        for row in ROWS {
            assert!(
                text.stdout.lines().any(|line| {
                    let mut words = line.split_whitespace();
                    words.next() == Some(row) && line.contains(" UTC ")
                }),
                "{row}: {}",
                text.stdout
            );
        }
        assert!(!text.stdout.contains('!'), "{}", text.stdout);
        let json: Value = serde_json::from_str(&run(&format!("{config} -o json")).stdout).unwrap();
        assert_eq!(names(&json), ROWS);
        let yaml: Value = serde_yaml::from_str(&run(&format!("{config} -o yaml")).stdout).unwrap();
        assert_eq!(names(&yaml), ROWS);
    }
}

#[test]
fn an_ordinary_user_sees_what_may_be_seen() {
    if !crate::support::is_root() {
        eprintln!("skipped: only root can make files that this user may not read");
        return;
    }
    let place = Place::new();
    place.render("root").succeeded();
    let nobody = place.nobody();
    let text = nobody.run("certs check-expiration --root root").succeeded();
    for row in ROWS {
        let line = text
            .stdout
            .lines()
            .find(|line| line.split_whitespace().any(|word| word == row))
            .unwrap_or_else(|| panic!("{row} is not told: {}", text.stdout));
        assert_eq!(
            line.starts_with("!UNREADABLE! "),
            row.ends_with("conf"),
            "{line}"
        );
        assert_eq!(line.contains(" UTC "), !row.ends_with("conf"), "{line}");
    }
    for line in text.stderr.lines() {
        assert!(
            line.contains("ermission denied") || line.starts_with("hint: "),
            "{line}"
        );
    }
    for format in ["json", "yaml"] {
        let said = nobody
            .run(&format!("certs check-expiration --root root -o {format}"))
            .succeeded();
        let document: Value = serde_yaml::from_str(&said.stdout).unwrap();
        assert_eq!(names(&document), ROWS);
    }
}

#[test]
fn it_reads_and_makes_no_folder() {
    let place = Place::new();
    let check = "certs check-expiration --root root --config config.yaml";
    assert_eq!(place.run(check).code, Some(4));
    assert!(!place.at("root").exists());
    std::fs::create_dir(place.at("root")).unwrap();
    let said = place.run(check).succeeded();
    assert_eq!(said.stdout.matches("!MISSING! ").count(), ROWS.len());
    assert!(place.snapshot("root").is_empty());
}

/// kubespray's timer asks so, and renews nothing if the answer is empty.
#[test]
fn a_template_of_paths_is_filled_in_and_another_is_refused() {
    let place = Place::new();
    place.render("node").succeeded();
    let asked = |template: &str| {
        let mut command = place.command("certs check-expiration --root node -o");
        command.arg(format!("jsonpath={template}"));
        Said::of(&command.output().unwrap())
    };
    let soon = |days: u32| format!("{{.certificates[?(@.residualTime<{}.0)]}}", days * 86_400);
    assert_eq!(asked(&soon(30)).succeeded().stdout, "");
    let all = asked(&soon(400)).succeeded().stdout;
    assert!(all.contains("\"name\":\"apiserver\""), "{all}");
    let refused = asked("{range .certificates[*]}{.name}{end}");
    assert_eq!(refused.code, Some(2), "{}", refused.shown());
    assert_eq!(refused.stdout, "");
}
