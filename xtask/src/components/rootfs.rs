//! The Debian root that all nodes share, made once by mmdebstrap.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{cache, install, shell};

const SUITE: &str = "bookworm";

/// systemd 252 of this release is the newest that still runs on cgroup v1.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "conntrack",
    "containernetworking-plugins",
    "dbus",
    "ebtables",
    "ethtool",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "nftables",
    "procps",
    "runc",
    "socat",
    "systemd",
    "systemd-sysv",
];

/// The root's folder, which is made if the cache has none for today's list of packages.
pub(super) fn obtain(cache: &Path) -> Result<PathBuf> {
    let packages = PACKAGES.join(",");
    let digest = cache::sha256(format!("{SUITE} {packages}").as_bytes());
    let folder = cache.join("rootfs").join(&digest[..16]);
    // The folder gets its name when it is whole.
    if folder.is_dir() {
        return Ok(folder);
    }
    let parent = cache.join("rootfs");
    cache::make_folder(&parent)?;
    install::packages(&["mmdebstrap"])?;
    let part = cache::part_of(&folder);
    shell::step(&format!("make the {SUITE} root with mmdebstrap"), || {
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--variant=minbase", &format!("--include={packages}"), SUITE]);
        shell::capture(mmdebstrap.arg(&part), None)?.or_fail("mmdebstrap")?;
        cache::move_into_place(&part, &folder)
    })?;
    Ok(folder)
}
