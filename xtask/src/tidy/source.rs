//! Rules over Rust files.

use super::{Checkout, File, Violation};

/// A file of ours with more lines than this does more than one thing.
const LINES: usize = 800;

/// Macros that clippy forbids too; here they are also found where a feature is off.
const STAND_INS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// The Rust files of the workspace.
fn files(checkout: &Checkout) -> impl Iterator<Item = &File> {
    checkout.files_with(".rs").filter(|file| {
        ["crates/", "phases/", "xtask/src/"]
            .iter()
            .any(|folder| file.path.starts_with(folder))
    })
}

/// The lines with which a file says what it is for.
fn head(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.starts_with("//!"))
}

pub(super) fn module_docs(checkout: &Checkout) -> Vec<Violation> {
    files(checkout)
        .filter(|file| head(&file.text).next().is_none())
        .map(|file| Violation::of_line(&file.path, 0, "begin with `//!`: what this file is for"))
        .collect()
}

pub(super) fn crate_says_never(checkout: &Checkout) -> Vec<Violation> {
    files(checkout)
        .filter(|file| {
            let parts: Vec<&str> = file.path.split('/').collect();
            matches!(
                parts.as_slice(),
                ["crates" | "phases", _, "src", "lib.rs" | "main.rs"]
            )
        })
        .filter(|file| {
            !head(&file.text)
                .flat_map(|line| line.split(|char: char| !char.is_alphanumeric()))
                .any(|word| word.eq_ignore_ascii_case("never"))
        })
        .map(|file| Violation::of_line(&file.path, 0, "say in the head what it never does"))
        .collect()
}

pub(super) fn file_length(checkout: &Checkout) -> Vec<Violation> {
    files(checkout)
        .filter(|file| file.path.contains("/src/"))
        .filter_map(|file| {
            let count = file.text.lines().count();
            (count > LINES).then(|| {
                Violation::of_file(
                    &file.path,
                    format!("{count} lines, more than {LINES}: split it by what it does"),
                )
            })
        })
        .collect()
}

pub(super) fn unfinished(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files(checkout) {
        for (index, line) in file.text.lines().enumerate() {
            for name in STAND_INS {
                if calls(line, name) {
                    violations.push(Violation::of_line(
                        &file.path,
                        index,
                        format!("`{name}!` is no code"),
                    ));
                }
            }
        }
    }
    violations
}

/// Whether a line calls a macro, perhaps in a comment: code that is switched off is none either.
fn calls(line: &str, name: &str) -> bool {
    let call = format!("{name}!");
    line.match_indices(&call).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + call.len()..].chars().next();
        !before.is_some_and(|char| char.is_alphanumeric() || char == '_')
            && after.is_some_and(|char| "([{".contains(char))
    })
}

pub(super) fn lint_reasons(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files(checkout) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let start = line.trim_start();
            let opens = ["#[allow(", "#![allow(", "#[expect(", "#![expect("]
                .iter()
                .any(|attribute| start.starts_with(attribute));
            if opens && !attribute(&lines[index..]).contains("reason = \"") {
                violations.push(Violation::of_line(
                    &file.path,
                    index,
                    "add `reason = \"…\"`, and expect rather than allow",
                ));
            }
        }
    }
    violations
}

/// The text of the attribute that begins in the first of these lines.
fn attribute(lines: &[&str]) -> String {
    let end = lines
        .iter()
        .position(|line| line.trim_end().ends_with(")]"))
        .unwrap_or(0);
    lines[..=end].join("\n")
}
