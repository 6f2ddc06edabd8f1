//! Rules over `Cargo.toml` files.

use super::{Checkout, File, Violation};

/// The manifests of the packages.
fn manifests(checkout: &Checkout) -> impl Iterator<Item = &File> {
    checkout
        .files_with("/Cargo.toml")
        .filter(|file| file.text.contains("[package]"))
}

/// The lines of a manifest that say something, each with its index and the section it stands in.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            return None;
        }
        (!line.is_empty() && !line.starts_with('#')).then_some((index, section, line))
    })
}

pub(super) fn lints_inherited(checkout: &Checkout) -> Vec<Violation> {
    manifests(checkout)
        .filter(|file| {
            !lines(&file.text)
                .any(|(_, section, line)| section == "lints" && line == "workspace = true")
        })
        .map(|file| Violation::of_file(&file.path, "add `[lints]` with `workspace = true`"))
        .collect()
}

pub(super) fn dependencies_inherited(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in manifests(checkout) {
        for (index, section, line) in lines(&file.text) {
            // A package that is a workspace of its own has its versions there.
            if section == "workspace.dependencies" {
                continue;
            }
            let is_list = section.ends_with("dependencies");
            // `[dependencies.serde]` would hide what it is from this rule.
            let is_single = section.contains("dependencies.");
            let inherits =
                line.contains(".workspace = true") || line.contains("{ workspace = true");
            if is_single || (is_list && !inherits) {
                violations.push(Violation::of_line(
                    &file.path,
                    index,
                    "write it as `name.workspace = true`, its version in the root manifest",
                ));
            }
        }
    }
    violations
}
