//! The container runtime's store with all images in it, kept so that a node need not import
//! them.
//!
//! What the runtime never changes once it is there, blobs and the files of unpacked layers, is
//! shared by hard links; its databases are copied.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cache;

const BLOBS: &str = "io.containerd.content.v1.content/blobs";
const SNAPSHOTS: &str = "io.containerd.snapshotter.v1.overlayfs/snapshots";

/// Makes `to` a store like `from`, whose runtime must not be running. Either both are whole
/// afterwards or `to` is not there.
pub(crate) fn duplicate(from: &Path, to: &Path) -> Result<()> {
    let part = cache::part_of(to);
    cache::remove(&part)?;
    copy(from, &part, Path::new(""))
        .with_context(|| format!("cannot duplicate {}", from.display()))?;
    cache::move_into_place(&part, to)
}

fn copy(from: &Path, to: &Path, inside: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        fs::create_dir(to)?;
        fs::set_permissions(
            to,
            fs::Permissions::from_mode(metadata.permissions().mode()),
        )?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), &inside.join(&name))?;
        }
    } else if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if kind.is_file() && is_fixed(inside) {
        fs::hard_link(from, to)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
    } else {
        bail!("{} is neither a file nor a folder", from.display());
    }
    Ok(())
}

fn is_fixed(inside: &Path) -> bool {
    if inside.starts_with(BLOBS) {
        return true;
    }
    // snapshots/NUMBER/fs/…
    let in_snapshot = inside.strip_prefix(SNAPSHOTS).ok();
    in_snapshot
        .and_then(|rest| rest.iter().nth(1))
        .is_some_and(|part| part == "fs")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_fixed;

    #[test]
    fn databases_are_never_shared() {
        let snapshots = "io.containerd.snapshotter.v1.overlayfs/snapshots";
        assert!(is_fixed(&Path::new(snapshots).join("3/fs/usr/bin/etcd")));
        assert!(!is_fixed(Path::new(
            "io.containerd.snapshotter.v1.overlayfs/metadata.db"
        )));
        assert!(!is_fixed(Path::new(
            "io.containerd.metadata.v1.bolt/meta.db"
        )));
    }
}
