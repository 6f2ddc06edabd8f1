//! The lists of the components' flags are what the real components show in their help.
//!
//! `RINIT_TEST_COMPONENTS` names the folder of the components of one version; those of other
//! versions are looked for beside it. With `RINIT_BLESS=1` the lists are written anew.

#![expect(
    clippy::disallowed_methods,
    reason = "the lists are files of the checkout, and programs are run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rinit_versions::{FlaggedComponent, flags};

/// The folders of the versions at hand, with their minors.
fn versions() -> Vec<(u32, PathBuf)> {
    let Some(newest) = std::env::var_os("RINIT_TEST_COMPONENTS").map(PathBuf::from) else {
        eprintln!("skipped: the lists of flags need RINIT_TEST_COMPONENTS");
        return Vec::new();
    };
    let beside = newest.parent().expect("a folder of versions");
    let mut found: Vec<_> = std::fs::read_dir(beside)
        .expect("the folder of versions")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            let minor = name.strip_prefix("v1.")?.split('.').next()?.parse().ok()?;
            Some((minor, folder))
        })
        .collect();
    found.sort();
    found
}

/// The names of the flags in a program's help, in whatever section they stand: those of Kubernetes
/// begin with a shorthand at times, and the usage of etcd shows one behind its own name.
fn shown(program: &Path) -> BTreeSet<String> {
    let output = Command::new(program)
        .arg("--help")
        .output()
        .expect("the program");
    let help = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&help)
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("  ")?.trim_start();
            let line = line.strip_prefix("etcd ").unwrap_or(line);
            let line = match line.split_once(", ") {
                Some((short, rest)) if short.len() == 2 => rest,
                _ => line,
            };
            let name = line.strip_prefix("--")?;
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            Some(name[..end.unwrap_or(name.len())].to_owned())
        })
        .collect()
}

#[test]
fn the_lists_are_what_the_components_show() {
    let bless = std::env::var_os("RINIT_BLESS").is_some();
    let mut differences = Vec::new();
    for (minor, folder) in versions() {
        for component in FlaggedComponent::ALL {
            let program = folder.join("bin").join(component.program());
            if !program.exists() {
                continue;
            }
            let shown = shown(&program);
            assert!(shown.len() > 50, "{} shows {shown:?}", program.display());
            if bless {
                let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(format!("src/flags/1.{minor}/{}.txt", component.program()));
                let lines: Vec<_> = shown.iter().map(|name| format!("{name}\n")).collect();
                std::fs::write(file, lines.concat()).expect("the list");
                continue;
            }
            // One component of a minor alone makes no list.
            let Some(listed) = flags(minor, component) else {
                continue;
            };
            let listed: BTreeSet<_> = listed.into_iter().map(str::to_owned).collect();
            differences.extend(
                shown
                    .symmetric_difference(&listed)
                    .map(|name| format!("{} of 1.{minor}: --{name}", component.program())),
            );
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
