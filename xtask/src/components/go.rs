//! The Go client: which modules there are, and building packages of them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::{cache, shell};

/// What `go mod download` says of a module.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Module {
    pub(super) info: String,
    pub(super) go_mod: String,
}

/// One `go build`: a module of ours that requires others.
#[derive(Debug)]
pub(super) struct Build<'a> {
    /// Name of the module and of its folder.
    pub(super) name: &'a str,
    /// Text of its go.mod after the module line.
    pub(super) go_mod: String,
    /// Source of a program of its own, built under `name`.
    pub(super) main: Option<&'a str>,
    /// Packages to build, with the name that each binary gets.
    pub(super) packages: Vec<(String, &'a str)>,
    /// Flags of the linker beside those that drop the symbol table.
    pub(super) ldflags: String,
}

/// A `go` command that may fetch the toolchain which a module asks for.
pub(super) fn command() -> Result<Command> {
    if !shell::is_installed("go") {
        bail!("no `go` in PATH: install Go 1.21 or newer");
    }
    let mut command = Command::new("go");
    command
        .env("GOTOOLCHAIN", "auto")
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off");
    Ok(command)
}

/// The version of the Go client.
pub(super) fn version() -> Result<String> {
    Ok(shell::read(command()?.arg("version"))?.trim().to_owned())
}

/// Fetches a module.
pub(super) fn download(module: &str, version: &str) -> Result<Module> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Failure {
        error: String,
    }
    let mut go = command()?;
    go.args(["mod", "download", "-json"])
        .arg(format!("{module}@{version}"));
    let output = shell::capture(go.current_dir(std::env::temp_dir()), None)?;
    if let Ok(failure) = serde_json::from_str::<Failure>(&output.stdout) {
        let known = versions(module).unwrap_or_default();
        let newest = known[known.len().saturating_sub(12)..].join(" ");
        bail!(
            "the Go module {module} {version} cannot be had: {}\n\
            choose one of the versions that are listed: … {newest}",
            failure.error
        );
    }
    let output = output.or_fail("go mod download")?;
    serde_json::from_str(&output.stdout).context("`go mod download -json` printed something else")
}

/// The versions of a module that are listed, oldest first.
pub(super) fn versions(module: &str) -> Result<Vec<String>> {
    let mut go = command()?;
    go.args(["list", "-m", "-versions", module])
        .current_dir(std::env::temp_dir());
    Ok(shell::read(&mut go)?
        .split_whitespace()
        .skip(1)
        .map(str::to_owned)
        .collect())
}

/// Builds `build` under `work` and moves each binary to `bin` when all are finished.
pub(super) fn build(build: &Build<'_>, work: &Path, bin: &Path) -> Result<()> {
    let folder = work.join(build.name);
    cache::remove(&folder)?;
    cache::make_folder(&folder.join("out"))?;
    cache::write(
        &folder.join("go.mod"),
        format!("module rinit.test/{}\n\n{}", build.name, build.go_mod),
    )?;
    if let Some(source) = build.main {
        cache::write(&folder.join("main.go"), source)?;
    }
    let mut go = command()?;
    go.args([
        "build",
        "-mod=mod",
        "-trimpath",
        "-buildvcs=false",
        "-p",
        "2",
    ]);
    go.arg(format!("-ldflags=-s -w {}", build.ldflags))
        .args(["-o", "out/"]);
    go.args(build.packages.iter().map(|(package, _)| package));
    if build.main.is_some() {
        go.arg(".");
    }
    let names: Vec<_> = build.packages.iter().map(|(_, name)| *name).collect();
    let label = if names.is_empty() {
        build.name.to_owned()
    } else {
        names.join(", ")
    };
    shell::step(&format!("go build {label}"), || {
        shell::capture(go.current_dir(&folder), None)?.or_fail("go build")
    })?;
    for (package, name) in &build.packages {
        let program = folder.join("out").join(last_word(package));
        cache::move_into_place(&program, &bin.join(name))?;
    }
    if build.main.is_some() {
        cache::move_into_place(&folder.join("out").join(build.name), &bin.join(build.name))?;
    }
    cache::remove(&folder.join("out"))
}

/// The name that `go build` gives a package's program: its folder, less a version suffix.
fn last_word(package: &str) -> &str {
    package
        .rsplit('/')
        .find(|word| *word != "v3" && *word != "v2")
        .unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::last_word;

    #[test]
    fn a_version_suffix_is_no_program_name() {
        assert_eq!(last_word("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(last_word("k8s.io/kubernetes/cmd/kubelet"), "kubelet");
    }
}
