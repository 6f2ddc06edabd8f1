//! `cargo xtask tidy`: the house rules that no compiler keeps.
//!
//! Every rule is a row of [`RULES`] and a function over the texts of the checkout and what cargo
//! says of its packages. A test runs them all over the checkout, and another sees that each
//! reports a violation that was planted. Tables in `docs/` are held against rinit's own code by
//! the tests alone, since this task must build while rinit's crates do not.

#[cfg(test)]
mod docs;
mod edges;
mod manifest;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::scenarios::checkout;
use edges::Package;

/// What the rules look at.
#[derive(Debug, Default)]
struct Checkout {
    /// Its folder, which no file may name.
    folder: String,
    /// Its text files, by path.
    files: Vec<File>,
    /// The packages of the workspace.
    packages: Vec<Package>,
}

/// A text file of the checkout.
#[derive(Debug)]
struct File {
    /// Its path below the checkout.
    path: String,
    text: String,
}

/// A place where a rule does not hold.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    /// Counted from one.
    line: Option<usize>,
    message: String,
}

impl Violation {
    fn of_file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: None,
            message: message.into(),
        }
    }

    /// `index` counts from zero.
    fn of_line(path: impl Into<String>, index: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(index + 1),
            ..Self::of_file(path, message)
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// A house rule.
struct Rule {
    name: &'static str,
    /// What must hold, as a sentence for people.
    about: &'static str,
    check: fn(&Checkout) -> Vec<Violation>,
}

/// All of them.
static RULES: &[Rule] = &[
    Rule {
        name: "module-docs",
        about: "Every Rust file opens with `//!`.",
        check: source::module_docs,
    },
    Rule {
        name: "crate-says-never",
        about: "The head of every crate says what the crate never does.",
        check: source::crate_says_never,
    },
    Rule {
        name: "file-length",
        about: "No file under src has more than 800 lines.",
        check: source::file_length,
    },
    Rule {
        name: "unfinished",
        about: "No macro stands in for code that is still to be written.",
        check: source::unfinished,
    },
    Rule {
        name: "lint-reasons",
        about: "Whoever silences a lint says why.",
        check: source::lint_reasons,
    },
    Rule {
        name: "lints-inherited",
        about: "Every package has the lints of the workspace.",
        check: manifest::lints_inherited,
    },
    Rule {
        name: "dependencies-inherited",
        about: "Every dependency has its version from the workspace.",
        check: manifest::dependencies_inherited,
    },
    Rule {
        name: "own-edges",
        about: "Our crates depend on each other as the table in xtask/src/tidy/edges.rs allows.",
        check: edges::own,
    },
    Rule {
        name: "phase-packages",
        about: "Phases use packages that work on values only.",
        check: edges::phase_packages,
    },
    Rule {
        name: "one-place",
        about: "Packages that act, and those with a stand-in, are used in their one place.",
        check: edges::one_place,
    },
    Rule {
        name: "code-map",
        about: "docs/architecture.md has a line for every crate and phase.",
        check: text::code_map,
    },
    Rule {
        name: "changelog",
        about: "CHANGELOG.md has an Unreleased section.",
        check: text::changelog,
    },
    Rule {
        name: "registry-hosts",
        about: "No file names the host of a package registry.",
        check: text::registry_hosts,
    },
    Rule {
        name: "checkout-paths",
        about: "No file names the folder of the checkout or somebody's home.",
        check: text::checkout_paths,
    },
    Rule {
        name: "words",
        about: "Crates that are listed keep to the words of docs/glossary.md.",
        check: words::of_the_glossary,
    },
];

/// Runs all rules over the checkout; an error if one does not hold.
pub(crate) fn tidy() -> Result<()> {
    let violations = violations(&Checkout::read(checkout())?);
    if violations.is_empty() {
        println!("{} rules hold", RULES.len());
        return Ok(());
    }
    println!("{}", list(&violations));
    bail!(
        "{} violations of the house rules, which CONTRIBUTING.md explains",
        violations.len()
    );
}

fn violations(checkout: &Checkout) -> Vec<(&'static Rule, Violation)> {
    RULES
        .iter()
        .flat_map(|rule| {
            (rule.check)(checkout)
                .into_iter()
                .map(move |violation| (rule, violation))
        })
        .collect()
}

/// The violations, under the rule that each is of.
fn list(violations: &[(&Rule, Violation)]) -> String {
    let mut lines = Vec::new();
    let mut last = "";
    for (rule, violation) in violations {
        if rule.name != last {
            lines.push(format!("{}: {}", rule.name, rule.about));
            last = rule.name;
        }
        lines.push(format!("  {violation}"));
    }
    lines.join("\n")
}

impl Checkout {
    fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        collect(folder, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self {
            folder: folder.display().to_string(),
            files,
            packages: edges::packages(folder)?,
        })
    }

    /// The files whose path ends so.
    fn files_with(&self, ending: &str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(ending))
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// The text files below a folder. Build products and the folder of git are none of ours.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !matches!(path.as_str(), ".git" | "target") {
                collect(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind.is_file() {
            // A file that is no text, or that has just gone, has nothing to say.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}
