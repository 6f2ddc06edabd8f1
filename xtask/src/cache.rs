//! Where built components, root file systems and node states are kept, and how files get there.
//!
//! Everything lies under one folder of the user's, which may be deleted at any time when no node
//! is up.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// `$XDG_CACHE_HOME/rinit`, or `~/.cache/rinit`.
pub(crate) fn folder() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".cache"),
        _ => bail!("no cache folder is known: set HOME or XDG_CACHE_HOME"),
    };
    let folder = base.join("rinit");
    if folder.to_string_lossy().contains([':', ',', '\\']) {
        // These separate the options of an overlay mount.
        bail!(
            "{} has a colon, comma or backslash: set XDG_CACHE_HOME to another folder",
            folder.display()
        );
    }
    Ok(folder)
}

/// Creates the folder `path` with all above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a whole file beside its final name, then moves it there.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let part = part_of(path);
    fs::write(&part, bytes).with_context(|| format!("cannot write {}", part.display()))?;
    move_into_place(&part, path)
}

/// The name under which a file or folder is prepared before it is moved to `path`.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

/// Renames the finished `part` to `path`.
pub(crate) fn move_into_place(part: &Path, path: &Path) -> Result<()> {
    fs::rename(part, path)
        .with_context(|| format!("cannot move {} to {}", part.display(), path.display()))
}

/// Removes a file or a folder with all in it; nothing there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if metadata.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
    .with_context(|| format!("cannot remove {}", path.display()))
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// An exclusive lock on `path`, held until the file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file
            .read(&mut buffer)
            .with_context(|| format!("cannot read {}", path.display()))?;
        if length == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..length]);
    }
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
