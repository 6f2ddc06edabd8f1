//! `cargo xtask fuzz`: libFuzzer over the targets of `crates/fuzz`, from their seeds and from
//! everything that was kept. It needs a nightly compiler and `cargo-fuzz`, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::scenarios::checkout;
use crate::shell;

/// The directory of cargo-fuzz.
const DIRECTORY: &str = "crates/fuzz/fuzz";
/// Where it builds, and keeps what it tries and finds.
const WORK: &str = "target/fuzz";

/// Fuzzes each target for so long, or only those whose name contains the pattern.
pub(crate) fn fuzz(pattern: Option<&str>, minutes: u64) -> Result<()> {
    let directory = checkout().join(DIRECTORY);
    // The packages are those of the program.
    fs::copy(checkout().join("Cargo.lock"), directory.join("Cargo.lock"))?;
    let listed = shell::read(&mut cargo_fuzz("list")).context(
        "install what is missing: `rustup toolchain install nightly`, `cargo install cargo-fuzz`",
    )?;
    let targets: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|name| pattern.is_none_or(|pattern| name.contains(pattern)))
        .collect();
    if targets.is_empty() {
        bail!("no target has this in its name; there are:\n{listed}");
    }
    for target in targets {
        let corpus = checkout().join(WORK).join("corpus").join(target);
        let found = checkout().join(WORK).join("found").join(target);
        fs::create_dir_all(&found)?;
        fill(target, &corpus)?;
        let mut run = cargo_fuzz("run");
        run.args(["--sanitizer", "none", "--target-dir", WORK]);
        run.arg(target).arg(&corpus);
        run.arg("--");
        run.arg(format!("-max_total_time={}", minutes * 60));
        run.arg(format!("-artifact_prefix={}/", found.display()));
        shell::step(&format!("fuzz {target}"), || shell::pass(&mut run)).with_context(|| {
            format!(
                "put the input from {WORK}/found/{target} into testdata/fuzz/{target}, fix \
                 what it shows, and see it pass: `cargo test -p rinit-fuzz`"
            )
        })?;
    }
    Ok(())
}

fn cargo_fuzz(task: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", task, "--fuzz-dir", DIRECTORY]);
    // What cargo sets for the tasks it runs would lead the other compiler astray.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO")) {
        command.env_remove(name);
    }
    command.env_remove("RUSTUP_TOOLCHAIN");
    command.current_dir(checkout());
    command
}

/// Puts the seeds, the kept inputs and, for configurations, the examples into the corpus.
fn fill(target: &str, corpus: &Path) -> Result<()> {
    let mut seeds = Command::new(env!("CARGO"));
    seeds.args([
        "run",
        "--quiet",
        "--package",
        "rinit-fuzz",
        "--example",
        "seeds",
        "--",
    ]);
    shell::pass(seeds.arg(target).arg(corpus).current_dir(checkout()))?;
    let testdata = checkout().join("testdata");
    let mut directories = vec![testdata.join("fuzz").join(target)];
    if target == "config_bytes" {
        directories.extend(
            ["valid", "invalid", "refused"].map(|name| testdata.join("configs").join(name)),
        );
    }
    for directory in directories.iter().filter(|directory| directory.exists()) {
        for entry in fs::read_dir(directory)? {
            let file: PathBuf = entry?.path();
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, corpus.join(name))?;
        }
    }
    Ok(())
}
