//! A file tree as it lies on a disk, with all its secrets: the raw material of a snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::ParityError;

/// Files by absolute path. It has no Debug output, as it holds private keys.
#[derive(Default)]
pub struct Disk {
    /// The entries.
    pub entries: BTreeMap<String, Entry>,
}

/// A file, folder or symbolic link.
pub struct Entry {
    /// Its permission bits.
    pub mode: u32,
    /// User and group; none where an ordinary user made the tree.
    pub owner: Option<(u32, u32)>,
    /// What it is.
    pub content: Content,
}

/// What an entry is.
pub enum Content {
    /// A folder.
    Folder,
    /// A file with these bytes.
    File(Vec<u8>),
    /// A symbolic link with this target.
    Link(String),
}

impl Disk {
    /// Everything below `root`, whose paths are then those below `/`. Owners are left aside:
    /// they are those of whoever runs the test.
    pub fn of_folder(root: &Path) -> Result<Self, ParityError> {
        let mut disk = Self::default();
        disk.add_folder(root, "")?;
        Ok(disk)
    }

    fn add_folder(&mut self, folder: &Path, path: &str) -> Result<(), ParityError> {
        let io = || ParityError::io(folder);
        for entry in fs::read_dir(folder).map_err(io())? {
            let entry = entry.map_err(io())?;
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata().map_err(io())?;
            let content = if metadata.is_dir() {
                self.add_folder(&entry.path(), &path)?;
                Content::Folder
            } else if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(io())?;
                Content::Link(target.to_string_lossy().into_owned())
            } else {
                Content::File(fs::read(entry.path()).map_err(io())?)
            };
            let entry = Entry {
                mode: metadata.permissions().mode() & 0o7777,
                owner: None,
                content,
            };
            self.entries.insert(path, entry);
        }
        Ok(())
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, path: &str) -> Option<&[u8]> {
        match &self.entries.get(path)?.content {
            Content::File(bytes) => Some(bytes),
            _ => None,
        }
    }
}
