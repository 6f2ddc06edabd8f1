//! `cargo xtask fuzz`: libFuzzer over the targets of `crates/fuzz`, from their seeds and from
//! everything that was kept. It needs a nightly compiler and `cargo-fuzz`, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::scenarios::checkout;
use crate::shell;

/// The folder of cargo-fuzz.
const FOLDER: &str = "crates/fuzz/fuzz";
/// Where it builds, and keeps what it tries and finds.
const WORK: &str = "target/fuzz";
/// The longest input that is tried.
const LARGEST: &str = "-max_len=1048576";
/// A target ends by itself when it has worked for long; this is for one that waits.
const TIMEOUT: &str = "-timeout=120";

/// Fuzzes each target for so long, or only those whose name contains the pattern.
pub(crate) fn fuzz(pattern: Option<&str>, minutes: u64) -> Result<()> {
    let folder = checkout().join(FOLDER);
    // The packages are those of the program.
    fs::copy(checkout().join("Cargo.lock"), folder.join("Cargo.lock"))?;
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
        run.args(["--", LARGEST, TIMEOUT, "-rss_limit_mb=4096"]);
        run.arg(format!("-max_total_time={}", minutes * 60));
        run.arg(format!("-artifact_prefix={}/", found.display()));
        shell::step(&format!("fuzz {target}"), || shell::pass(&mut run)).with_context(|| {
            format!(
                "put the input from {WORK}/found/{target} into testdata/fuzz/{target}, mend \
                 what it shows, and see it pass: `cargo test -p rinit-fuzz`"
            )
        })?;
    }
    Ok(())
}

fn cargo_fuzz(task: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", task, "--fuzz-dir", FOLDER]);
    // What cargo tells the tasks it runs would lead the other compiler astray.
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
    let mut folders = vec![testdata.join("fuzz").join(target)];
    if target == "config_bytes" {
        folders.extend(
            ["valid", "invalid", "refused"].map(|name| testdata.join("configs").join(name)),
        );
    }
    for folder in folders.iter().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(folder)? {
            let file: PathBuf = entry?.path();
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, corpus.join(name))?;
        }
    }
    Ok(())
}
