//! Rules over texts of any kind.

use super::{Checkout, Violation};

/// Hosts of package registries, in halves, so that this file names none.
const REGISTRY_HOSTS: &[(&str, &str)] = &[
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("https://crates", ".io"),
    ("proxy.golang", ".org"),
    ("sum.golang", ".org"),
    ("goproxy", ".io"),
    ("pypi", ".org"),
    ("registry.npmjs", ".org"),
    ("deb.debian", ".org"),
    ("sparse+", "http"),
    ("GOPROXY=", "http"),
];

/// The one source that a lock file may give, in halves too.
const LOCKED_SOURCE: (&str, &str) = ("registry+https://github.com/rust-lang/crates", ".io-index");

pub(super) fn code_map(checkout: &Checkout) -> Vec<Violation> {
    const PATH: &str = "docs/architecture.md";
    let map = checkout.file(PATH).map_or("", |file| file.text.as_str());
    checkout
        .files_with("/Cargo.toml")
        .filter_map(|file| {
            let folder = file.path.strip_suffix("/Cargo.toml")?;
            let ours = folder.starts_with("crates/") || folder.starts_with("phases/");
            (ours && !map.contains(&format!("| `{folder}` |")))
                .then(|| Violation::of_file(PATH, format!("add a row for `{folder}`")))
        })
        .collect()
}

pub(super) fn changelog(checkout: &Checkout) -> Vec<Violation> {
    const PATH: &str = "CHANGELOG.md";
    let has_section = checkout
        .file(PATH)
        .is_some_and(|file| file.text.lines().any(|line| line == "## Unreleased"));
    if has_section {
        return Vec::new();
    }
    vec![Violation::of_file(PATH, "add a section `## Unreleased`")]
}

pub(super) fn registry_hosts(checkout: &Checkout) -> Vec<Violation> {
    let source = format!("source = \"{}{}\"", LOCKED_SOURCE.0, LOCKED_SOURCE.1);
    let mut violations = Vec::new();
    for file in &checkout.files {
        let is_lock = file.path == "Cargo.lock";
        for (index, line) in file.text.lines().enumerate() {
            let host = REGISTRY_HOSTS
                .iter()
                .map(|(one, other)| format!("{one}{other}"))
                .find(|host| line.contains(host.as_str()));
            if let Some(host) = host {
                let message = format!("`{host}` belongs to the machine's settings");
                violations.push(Violation::of_line(&file.path, index, message));
            } else if is_lock && line.starts_with("source = ") && line != source {
                let message = "a package that is not from the public registry";
                violations.push(Violation::of_line(&file.path, index, message));
            }
        }
    }
    violations
}

pub(super) fn checkout_paths(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &checkout.files {
        for (index, line) in file.text.lines().enumerate() {
            if names(line, &checkout.folder) || names_home(line) {
                violations.push(Violation::of_line(
                    &file.path,
                    index,
                    "a path of one machine; write it from the checkout's root",
                ));
            }
        }
    }
    violations
}

/// Whether a line names a folder or something in it, and not a longer path that has it inside.
fn names(line: &str, folder: &str) -> bool {
    let part_of_path = |char: char| char.is_alphanumeric() || "._-/}>$".contains(char);
    folder.len() > 1
        && line.match_indices(folder).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + folder.len()..].chars().next();
            !before.is_some_and(part_of_path)
                && !after.is_some_and(|char| char.is_alphanumeric() || "_-".contains(char))
        })
}

/// Whether a line has a path under `/home` with the name of somebody.
fn names_home(line: &str) -> bool {
    line.match_indices("/home/").any(|(start, found)| {
        let name = &line[start + found.len()..];
        let before = line[..start].chars().next_back();
        let inside = before.is_some_and(|char| char.is_alphanumeric() || "._-}>$".contains(char));
        !inside && name.chars().next().is_some_and(char::is_alphabetic)
    })
}
