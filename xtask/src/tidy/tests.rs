//! The rules over this checkout, and over checkouts with one thing wrong.

use super::edges::{Dependency, Package};
use super::{Checkout, File, RULES, list, violations};
use crate::scenarios::checkout;

#[test]
fn the_house_rules_hold() {
    let checkout = Checkout::read(checkout()).unwrap();
    let violations = violations(&checkout);
    assert!(violations.is_empty(), "\n{}", list(&violations));
}

/// A checkout in which every rule holds.
fn good() -> Checkout {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let manifest = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n\n[dependencies]\n\
                    # Why.\nserde.workspace = true\nnix = { workspace = true, features = [\"fs\"] }\n";
    let source = "//! Something.\n//!\n//! It never acts.\n\n#[expect(\n    dead_code,\n    \
                  reason = \"a test\"\n)]\nfn f() {}\n";
    Checkout {
        folder: "/somewhere/rinit".to_owned(),
        files: vec![
            file("crates/plan/src/lib.rs", source),
            file("crates/plan/src/action.rs", "//! Actions.\n"),
            file("crates/plan/Cargo.toml", manifest),
            file(
                "docs/architecture.md",
                "| folder | what |\n| `crates/plan` | plans |\n",
            ),
            file("CHANGELOG.md", "# Changelog\n\n## Unreleased\n"),
            file("Cargo.lock", "[[package]]\nname = \"rinit-plan\"\n"),
        ],
        packages: vec![package(
            "rinit-phase-certs",
            &[
                ("rinit-plan", "", true),
                ("serde_json", "", false),
                ("rinit-testkit", "dev", true),
                ("insta", "dev", false),
            ],
        )],
    }
}

/// A package with dependencies: the name, the kind, and whether it is ours.
fn package(name: &str, dependencies: &[(&str, &str, bool)]) -> Package {
    Package {
        name: name.to_owned(),
        dependencies: dependencies
            .iter()
            .map(|(name, kind, ours)| Dependency {
                name: (*name).to_owned(),
                kind: (!kind.is_empty()).then(|| (*kind).to_owned()),
                path: ours.then(|| format!("/somewhere/rinit/{name}")),
            })
            .collect(),
    }
}

/// What is planted, and where it must be found.
enum Planted {
    /// A file instead of the one at its path.
    File(&'static str, String),
    /// No such file.
    NoFile(&'static str),
    /// A package with one dependency: its name, kind, and whether it is ours.
    Edge(&'static str, (&'static str, &'static str, bool)),
}

/// At least one planted violation for every rule.
fn planted() -> Vec<(&'static str, Planted)> {
    use Planted::{Edge, File, NoFile};
    let manifest = |text: &str| File("crates/plan/Cargo.toml", text.to_owned());
    let module = |text: String| File("crates/plan/src/action.rs", text);
    vec![
        ("module-docs", module("use std::fmt;\n".to_owned())),
        (
            "words",
            File(
                "phases/etcd/src/metrics.rs",
                format!("//! Where etcd {} its health.\n", "tells"),
            ),
        ),
        (
            "words",
            File(
                "phases/etcd/src/metrics.rs",
                "//! A.\nfn make_folder() {}\n".to_owned(),
            ),
        ),
        ("module-docs", module("\n//! Too late.\n".to_owned())),
        (
            "crate-says-never",
            File(
                "crates/plan/src/lib.rs",
                "//! Nevertheless.\n\n// never\n".to_owned(),
            ),
        ),
        (
            "crate-says-never",
            File("phases/certs/src/lib.rs", "//! The phase.\n".to_owned()),
        ),
        (
            "file-length",
            module(format!("//! Long.\n{}", "fn f() {}\n".repeat(800))),
        ),
        (
            "unfinished",
            module(format!("//! A.\nfn f() {{ {}!() }}\n", "todo")),
        ),
        (
            "unfinished",
            module(format!(
                "//! A.\nfn f() {{ {}![\"x\"] }}\n",
                "unimplemented"
            )),
        ),
        (
            "unfinished",
            module(format!("//! A.\nfn f() {{ std::{}!(1); }}\n", "dbg")),
        ),
        (
            "lint-reasons",
            module("//! A.\n#[allow(dead_code)]\nfn f() {}\n".to_owned()),
        ),
        (
            "lint-reasons",
            module(
                "//! A.\n    #[expect(\n        dead_code\n    )]\nfn f() {}\n// reason = \"\"\n"
                    .to_owned(),
            ),
        ),
        (
            "lint-reasons",
            module("//! A.\n#![allow(dead_code)]\n".to_owned()),
        ),
        ("lints-inherited", manifest("[package]\nname = \"x\"\n")),
        (
            "lints-inherited",
            manifest("[package]\n[lints]\nrust.unsafe_code = \"allow\"\n"),
        ),
        (
            "dependencies-inherited",
            manifest("[package]\n[lints]\nworkspace = true\n[dependencies]\nserde = \"1\"\n"),
        ),
        (
            "dependencies-inherited",
            manifest(
                "[package]\n[lints]\nworkspace = true\n[dev-dependencies]\nx = { path = \"../x\" }\n",
            ),
        ),
        (
            "dependencies-inherited",
            manifest(
                "[package]\n[lints]\nworkspace = true\n[dependencies.serde]\nworkspace = true\n",
            ),
        ),
        (
            "own-edges",
            Edge("rinit-phase-certs", ("rinit-phase-etcd", "", true)),
        ),
        (
            "own-edges",
            Edge("rinit-phase-certs", ("rinit-host", "", true)),
        ),
        (
            "own-edges",
            Edge("rinit-phase-certs", ("rinit-phase-etcd", "dev", true)),
        ),
        ("own-edges", Edge("rinit-plan", ("rinit-facts", "", true))),
        ("own-edges", Edge("rinit-config", ("rinit-host", "", true))),
        ("own-edges", Edge("rinit-new", ("rinit-plan", "", true))),
        ("own-edges", Edge("rinit-apply", ("rinit", "dev", true))),
        ("own-edges", Edge("xtask", ("rinit-host", "", true))),
        (
            "phase-packages",
            Edge("rinit-phase-certs", ("reqwest", "", false)),
        ),
        ("one-place", Edge("rinit-operations", ("kube", "", false))),
        (
            "one-place",
            Edge("rinit-phase-wait", ("tokio", "dev", false)),
        ),
        ("one-place", Edge("rinit-host", ("anyhow", "", false))),
        (
            "code-map",
            File("docs/architecture.md", "`crates/planner`\n".to_owned()),
        ),
        ("code-map", NoFile("docs/architecture.md")),
        (
            "changelog",
            File("CHANGELOG.md", "# Changelog\n\n## 0.1.0\n".to_owned()),
        ),
        ("changelog", NoFile("CHANGELOG.md")),
        (
            "registry-hosts",
            File(
                ".cargo/config.toml",
                format!("registry = \"sparse+{}://mirror/\"\n", "http"),
            ),
        ),
        (
            "registry-hosts",
            File(
                "docs/testing.md",
                format!("Set it to https://proxy.golang.{}.\n", "org"),
            ),
        ),
        (
            "registry-hosts",
            File(
                "Cargo.lock",
                "source = \"registry+https://mirror.example/index\"\n".to_owned(),
            ),
        ),
        (
            "checkout-paths",
            File(
                "docs/testing.md",
                "Look into /somewhere/rinit/target.\n".to_owned(),
            ),
        ),
        (
            "checkout-paths",
            module("//! A.\nconst P: &str = \"/home/\u{6a}ane/rinit\";\n".to_owned()),
        ),
    ]
}

#[test]
fn nothing_is_found_in_a_good_checkout() {
    let violations = violations(&good());
    assert!(violations.is_empty(), "\n{}", list(&violations));
}

#[test]
fn what_is_planted_is_found_by_its_rule_and_by_no_other() {
    for (index, (rule, planted)) in planted().into_iter().enumerate() {
        let mut checkout = good();
        match planted {
            Planted::File(path, text) => {
                checkout.files.retain(|file| file.path != path);
                checkout.files.push(File {
                    path: path.to_owned(),
                    text,
                });
            }
            Planted::NoFile(path) => checkout.files.retain(|file| file.path != path),
            Planted::Edge(name, dependency) => {
                checkout.packages.push(package(name, &[dependency]));
            }
        }
        let mut found: Vec<&str> = violations(&checkout)
            .iter()
            .map(|(rule, _)| rule.name)
            .collect();
        found.dedup();
        // A package that acts is one that a phase may not use either.
        found.retain(|name| !(rule == "one-place" && *name == "phase-packages"));
        assert_eq!(found, [rule], "violation {index}");
    }
}

#[test]
fn every_rule_has_a_planted_violation() {
    let planted = planted();
    for rule in RULES {
        assert!(
            planted.iter().any(|(name, _)| *name == rule.name),
            "{}",
            rule.name
        );
    }
}

#[test]
fn what_only_looks_like_a_violation_is_none() {
    let mut checkout = good();
    checkout.files.push(File {
        path: "crates/plan/src/fine.rs".to_owned(),
        text: "//! The list of what is to be done (todo!).\n\
               fn my_todo() {}\n\
               macro_rules! my_dbg { () => {} }\nmy_dbg!();\n\
               const A: &str = \"/else/somewhere/rinit/x\";\n\
               const B: &str = \"/somewhere/rinit-2\";\n"
            .to_owned(),
    });
    let violations = violations(&checkout);
    assert!(violations.is_empty(), "\n{}", list(&violations));
}
