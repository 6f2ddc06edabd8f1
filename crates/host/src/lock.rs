//! One rinit at a time: a lock that the kernel gives back when the process ends, however it ends.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use rinit_plan::{FileMode, LogicalPath};

use crate::root::LastLink;
use crate::{Host, HostError, Result, Root};

/// The file that is locked on a running machine.
const LOCK_FILE: &str = "/run/rinit.lock";

/// The right to change the machine, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<File>,
    /// The folders that were made to be locked, the innermost first.
    made: Vec<PathBuf>,
}

/// A run that wrote nothing leaves nothing: folders that were made for the lock go with it, as
/// long as they are empty.
impl Drop for Lock {
    fn drop(&mut self) {
        for folder in &self.made {
            if std::fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

impl Host {
    /// Takes the lock, or tells who has it. Does not wait. A missing folder of `--root` is made.
    pub fn lock(&self) -> Result<Lock> {
        match self.root() {
            Root::System => lock_file(Path::new(LOCK_FILE)),
            Root::Folder(folder) => lock_folder(folder),
        }
    }

    /// The same for a folder that has nothing to do with what else is on the machine.
    pub fn lock_folder(&self, folder: &LogicalPath) -> Result<Lock> {
        lock_folder(&self.locate(folder, LastLink::Followed)?)
    }
}

fn lock_folder(folder: &Path) -> Result<Lock> {
    let made = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .map(Path::to_path_buf)
        .collect();
    crate::write::make_folders(folder, FileMode::PUBLIC_DIRECTORY)?;
    let file = File::open(folder).map_err(|error| HostError::file("open", folder, error))?;
    let mut lock = hold(file, folder)?;
    lock.made = made;
    Ok(lock)
}

fn lock_file(path: &Path) -> Result<Lock> {
    if let Some(folder) = path.parent() {
        crate::write::make_folders(folder, FileMode::PUBLIC_DIRECTORY)?;
    }
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // Whoever may open it could hold it. /run is for root alone, unlike /run/lock, where any
        // user could have made the file first.
        .mode(FileMode::PRIVATE.0)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(|error| HostError::file("open", path, error))?;
    hold(file, path)
}

fn hold(file: File, path: &Path) -> Result<Lock> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(Lock {
            _held: held,
            made: Vec::new(),
        }),
        Err((file, Errno::EWOULDBLOCK)) => Err(HostError::Locked {
            path: PathBuf::from(path),
            holder: holder(&file),
        }),
        Err((_, errno)) => Err(HostError::file("lock", path, errno.into())),
    }
}

/// The process that holds the lock, from the kernel's table of locks.
fn holder(file: &File) -> Option<u32> {
    let data = file.metadata().ok()?;
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    holder_in(&table, data.ino())
}

/// Finds the holder in lines such as `1: FLOCK  ADVISORY  WRITE 708 00:1a:1234 0 EOF`. The device
/// is not compared: file systems with sub-volumes report another one there than to `stat`.
fn holder_in(table: &str, inode: u64) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? != "FLOCK" {
            return None;
        }
        let process = words.nth(2)?.parse().ok()?;
        let number: u64 = words.next()?.rsplit(':').next()?.parse().ok()?;
        (number == inode).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/root");
        let host = Host::new(Root::Folder(root.clone()));
        let first = host.lock().unwrap();
        let refused = host.lock().unwrap_err();
        let HostError::Locked { path, .. } = &refused else {
            panic!("another error: {refused}");
        };
        assert_eq!(*path, root);
        drop(first);
        host.lock().unwrap();
    }

    #[test]
    fn folders_that_were_made_for_the_lock_go_with_it_unless_something_is_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/root");
        let host = Host::new(Root::Folder(root.clone()));
        drop(host.lock().unwrap());
        assert!(!folder.path().join("new").exists());
        let lock = host.lock().unwrap();
        std::fs::write(folder.path().join("new/other"), "").unwrap();
        drop(lock);
        assert!(!root.exists() && folder.path().join("new/other").exists());
        // A folder that was there stays, and so does one with a file in it.
        std::fs::create_dir(&root).unwrap();
        drop(host.lock().unwrap());
        assert!(root.exists());
        let host = Host::new(Root::Folder(root.join("below")));
        let lock = host.lock().unwrap();
        std::fs::write(root.join("below/file"), "").unwrap();
        drop(lock);
        assert!(root.join("below/file").exists());
    }

    #[test]
    fn the_lock_file_need_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock/rinit.lock");
        let _held = lock_file(&path).unwrap();
        assert!(matches!(lock_file(&path), Err(HostError::Locked { .. })));
    }

    #[test]
    fn the_holder_is_read_from_the_kernels_table() {
        let table = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4321 00:1a:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 999 00:1a:78 0 EOF\n";
        assert_eq!(holder_in(table, 77), Some(4321));
        assert_eq!(holder_in(table, 78), None);
    }
}
