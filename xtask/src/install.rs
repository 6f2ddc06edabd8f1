//! Debian packages that the tasks need on the machine itself.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

/// The packages that nodes need beside what the Rust and Go toolchains bring.
pub(crate) const FOR_NODES: &[&str] = &["iproute2", "mmdebstrap", "util-linux"];

/// Installs those of `names` that are missing, and says so.
pub(crate) fn packages(names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !is_there(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    shell::step(&format!("apt-get install {list}"), || {
        let hint = || format!("install these packages by hand: {list}");
        apt_get(&["update"]).with_context(hint)?;
        apt_get(
            &[
                &["install", "--yes", "--no-install-recommends"],
                &missing[..],
            ]
            .concat(),
        )
        .with_context(hint)
    })
}

fn is_there(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    shell::read(&mut query).is_ok_and(|status| status == "installed")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .arg("-q")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    shell::capture(&mut command, None)?.or_fail("apt-get")?;
    Ok(())
}
