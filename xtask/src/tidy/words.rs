//! The words of the glossary, in the crates that keep to them already.

use super::{Checkout, Violation};

/// The crates whose every file keeps to `docs/glossary.md`.
const DONE: &[&str] = &[
    "crates/versions",
    "crates/workflow",
    "phases/addon",
    "phases/bootstrap-token",
    "phases/control-plane",
    "phases/etcd",
    "phases/kubeconfig",
    "phases/kubelet-finalize",
    "phases/kubelet-start",
    "phases/mark",
    "phases/preflight",
    "phases/upload-config",
    "phases/wait",
];

/// Words that are not used, each with the one that is.
const WORDS: &[(&str, &str)] = &[
    ("anew", "renewed"),
    ("authorities", "CAs"),
    ("authority", "CA"),
    ("drawn", "generated"),
    ("folder", "directory"),
    ("folders", "directories"),
    ("judge", "validate"),
    ("judged", "validated"),
    ("judges", "validates"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("tell", "report"),
    ("tells", "reports"),
    ("told", "reported"),
    ("withheld", "redacted"),
    ("withhold", "redact"),
];

pub(super) fn of_the_glossary(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    let files = checkout.files_with(".rs").filter(|file| {
        DONE.iter()
            .any(|name| file.path.starts_with(&format!("{name}/src/")))
    });
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            // Identifiers are taken apart at their underscores.
            let words = line.split(|next: char| !next.is_alphabetic());
            let found = words.filter_map(|word| {
                let word = word.to_lowercase();
                WORDS.iter().find(|(not, _)| *not == word)
            });
            for (not, instead) in found {
                let message = format!("`{not}`: the glossary has `{instead}`");
                violations.push(Violation::of_line(&file.path, index, message));
            }
        }
    }
    violations
}
