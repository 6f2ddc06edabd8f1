//! Reading the machine's files. A missing file is an answer, not an error.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use jiff::Timestamp;
use rinit_plan::{FileMode, LogicalPath};

use crate::root::LastLink;
use crate::{Host, HostError, Result};

/// The largest file that is read, in bytes. Whatever rinit reads is far smaller.
pub const SIZE_LIMIT: u64 = 16 << 20;

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A socket.
    Socket,
    /// A device, a pipe or something else.
    Other,
}

/// What the file system knows of a path, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits.
    pub mode: FileMode,
    /// When its content last changed.
    pub modified: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// The numeric user that owns it.
    pub owner: u32,
    /// The numeric group that it belongs to.
    pub group: u32,
}

impl Host {
    /// The content of a file; none if there is no such file.
    pub fn read(&self, path: &LogicalPath) -> Result<Option<Vec<u8>>> {
        let read = read_node_file(&self.locate(path, LastLink::Followed)?)?;
        self.none_is_none(path, read)
    }

    /// A link below the folder of `--root` that leads nowhere is no missing file either: what comes
    /// next would put a file in its place. Other ways of being absent are seen where it is opened.
    fn none_is_none<T>(&self, path: &LogicalPath, found: Option<T>) -> Result<Option<T>> {
        if found.is_none() && !self.is_running_system() {
            let link = self.locate(path, LastLink::Kept)?;
            if std::fs::symlink_metadata(&link).is_ok_and(|data| data.is_symlink()) {
                return Err(HostError::DanglingLink { link });
            }
        }
        Ok(found)
    }

    /// The text of a file; none if there is no such file.
    pub fn read_text(&self, path: &LogicalPath) -> Result<Option<String>> {
        let located = self.locate(path, LastLink::Followed)?;
        match read_node_file(&located)? {
            None => self.none_is_none(path, None),
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(HostError::NotText { path: located }),
            },
        }
    }

    /// Whether something stands at the path, links followed.
    pub fn exists(&self, path: &LogicalPath) -> Result<bool> {
        Ok(self.info(path)?.is_some())
    }

    /// What stands at the path, links followed; none if nothing does.
    pub fn info(&self, path: &LogicalPath) -> Result<Option<FileInfo>> {
        let located = self.locate(path, LastLink::Followed)?;
        let info = absent_is_none(
            "look at",
            &located,
            std::fs::metadata(&located).map(|data| FileInfo::of(&data)),
        )?;
        self.none_is_none(path, info)
    }

    /// Where a symbolic link leads, as written in it; none if there is nothing or no link.
    pub fn link_target(&self, path: &LogicalPath) -> Result<Option<String>> {
        let located = self.locate(path, LastLink::Kept)?;
        match std::fs::read_link(&located) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(HostError::file("look at", located, error)),
        }
    }

    /// The names in a folder, sorted; none if there is no such folder.
    pub fn list(&self, path: &LogicalPath) -> Result<Option<Vec<String>>> {
        list_folder(&self.locate(path, LastLink::Followed)?)
    }

    /// Every plain file below a folder, sorted by its path; none if there is no such folder. Links
    /// are not followed.
    pub fn files_below(&self, folder: &LogicalPath) -> Result<Option<Vec<LogicalPath>>> {
        let Some(names) = self.list(folder)? else {
            return Ok(None);
        };
        let mut files = Vec::new();
        for name in names {
            let path = folder.join(&name);
            let located = self.locate(&path, LastLink::Kept)?;
            let kind = std::fs::symlink_metadata(&located)
                .map_err(|error| HostError::file("look at", &located, error))?
                .file_type();
            if kind.is_dir() {
                files.extend(self.files_below(&path)?.unwrap_or_default());
            } else if kind.is_file() {
                files.push(path);
            }
        }
        Ok(Some(files))
    }
}

impl FileInfo {
    /// Whether it is the user's that rinit acts as.
    pub fn is_own(&self) -> bool {
        self.owner == nix::unistd::geteuid().as_raw()
    }

    fn of(data: &std::fs::Metadata) -> Self {
        let kind = data.file_type();
        Self {
            kind: if kind.is_file() {
                FileKind::File
            } else if kind.is_dir() {
                FileKind::Folder
            } else if kind.is_socket() {
                FileKind::Socket
            } else {
                FileKind::Other
            },
            mode: FileMode(data.mode() & 0o7777),
            modified: data
                .modified()
                .ok()
                .and_then(|time| Timestamp::try_from(time).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            size: data.len(),
            owner: data.uid(),
            group: data.gid(),
        }
    }
}

/// Turns "there is no such file" into none. A file in place of a folder on the way to it is the
/// same answer.
pub(crate) fn absent_is_none<T>(
    operation: &'static str,
    path: &Path,
    result: io::Result<T>,
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            match dangling_link(path) {
                None => Ok(None),
                // What it leads to may be a disk that is not mounted; it is not to be replaced.
                Some(link) => Err(HostError::DanglingLink { link }),
            }
        }
        Err(error) => Err(HostError::file(operation, path, error)),
    }
}

/// The symbolic link at the path, or at a folder on the way to it, that leads nowhere.
fn dangling_link(path: &Path) -> Option<std::path::PathBuf> {
    // Whatever is above the first part that is there leads somewhere.
    let (part, found) = path
        .ancestors()
        .find_map(|part| Some((part, std::fs::symlink_metadata(part).ok()?)))?;
    (found.file_type().is_symlink() && std::fs::metadata(part).is_err()).then(|| part.to_owned())
}

/// Reads a file at a place that the user did not type. A pipe there is no file to wait for; one that
/// was typed is, as in `--config <(…)`.
fn read_node_file(path: &Path) -> Result<Option<Vec<u8>>> {
    if std::fs::metadata(path).is_ok_and(|data| data.file_type().is_fifo()) {
        return Err(HostError::Pipe {
            path: path.to_owned(),
        });
    }
    read_file(path)
}

pub(crate) fn read_file(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(file) = absent_is_none("read", path, File::open(path))? else {
        tracing::debug!(path = %path.display(), "is not there");
        return Ok(None);
    };
    // The size that the kernel reports is zero for the files of /proc, and may be out of date.
    let size = file.metadata().map_or(0, |data| data.len());
    let mut bytes = Vec::with_capacity(size.min(SIZE_LIMIT) as usize + 1);
    // One byte more than allowed, to see that there is more.
    file.take(SIZE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| HostError::file("read", path, error))?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(HostError::TooLarge {
            path: path.to_owned(),
            limit: SIZE_LIMIT,
        });
    }
    tracing::debug!(path = %path.display(), bytes = bytes.len(), "read");
    Ok(Some(bytes))
}

/// The last bytes of a file; none if there is no such file. For logs, which have no size limit.
pub(crate) fn read_end(path: &Path, bytes: u64) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = absent_is_none("read", path, File::open(path))? else {
        return Ok(None);
    };
    let mut read = || -> io::Result<Vec<u8>> {
        let size = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(size.saturating_sub(bytes)))?;
        let mut end = Vec::new();
        (&mut file).take(bytes).read_to_end(&mut end)?;
        Ok(end)
    };
    read()
        .map(Some)
        .map_err(|error| HostError::file("read", path, error))
}

pub(crate) fn list_folder(path: &Path) -> Result<Option<Vec<String>>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file("list", path, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| HostError::file("list", path, error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    #[test]
    fn what_is_absent_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        let host = Host::new(Root::Folder(folder.path().to_owned()));
        assert_eq!(host.read(&path("/none")).unwrap(), None);
        assert_eq!(host.read(&path("/file/below")).unwrap(), None);
        assert_eq!(host.info(&path("/none")).unwrap(), None);
        assert_eq!(host.list(&path("/none")).unwrap(), None);
        assert_eq!(
            host.read_text(&path("/file")).unwrap().as_deref(),
            Some("text")
        );
        assert_eq!(
            host.info(&path("/file")).unwrap().unwrap().kind,
            FileKind::File
        );
        assert!(matches!(
            host.list(&path("/file")),
            Err(HostError::File { .. })
        ));
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let host = Host::new(Root::System);
        assert!(matches!(
            host.read(&path("/dev/zero")),
            Err(HostError::TooLarge { .. })
        ));
    }

    #[test]
    fn bytes_that_are_no_text_are_told_without_showing_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), [0xff, 0xfe]).unwrap();
        let host = Host::new(Root::Folder(folder.path().to_owned()));
        let error = host.read_text(&path("/file")).unwrap_err();
        assert!(error.to_string().ends_with("file is not UTF-8 text"));
    }
}
