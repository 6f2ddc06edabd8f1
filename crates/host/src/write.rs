//! Writing the machine's files: whole or not at all, and never readable by more than asked.
//!
//! A file is written beside its place under a name with a leading dot (the kubelet ignores those
//! in its manifest folder), with its mode from the first moment, flushed to the disk, and renamed.
//! Links of folders on the way are followed. A symbolic link at the very name is replaced by
//! [`Host::write`], and followed by [`Host::stage`].

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use rinit_plan::{FileMode, LogicalPath};

use crate::root::LastLink;
use crate::{Host, HostError, Result};

/// What stands between the file's name and our process in the name of a temporary file.
const MARK: &str = ".rinit-";

/// Who owns a file, and what others may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Its permission bits.
    pub mode: FileMode,
    /// Its numeric user and group; whoever writes it, where none are given.
    pub owner: Option<(u32, u32)>,
}

impl Access {
    /// The same as far as this user may give it. Only root gives files away: others keep theirs, and
    /// then the group's rights are not handed on to another group.
    #[must_use]
    pub fn permitted(self) -> Self {
        if crate::is_root() {
            return self;
        }
        let own = (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        );
        let stays = self.owner.is_none_or(|owner| owner == own);
        let rights = if stays { 0o7777 } else { 0o7707 };
        Self {
            mode: FileMode(self.mode.0 & rights),
            owner: None,
        }
    }
}

/// A file that waits beside its place, whole and flushed. It goes away unless it is put there.
#[derive(Debug)]
pub struct Staged {
    temporary: Temporary,
    target: PathBuf,
}

impl Staged {
    /// Puts the file in its place, by a rename. After it returns the file survives a power cut.
    pub fn commit(self) -> Result<()> {
        let folder = parent_of(&self.target);
        self.show()?;
        flush_folder(&folder)
    }

    /// The same without a promise for a power cut.
    fn show(self) -> Result<()> {
        self.temporary.rename_to(&self.target)?;
        tracing::debug!(path = %self.target.display(), "wrote");
        Ok(())
    }
}

impl Host {
    /// Writes a file beside its place, to be put there with others once all of them are written.
    /// Missing parent folders are made with mode 0755. A symbolic link to a file stays one: where it
    /// leads is the place.
    pub fn stage(&self, path: &LogicalPath, access: Access, bytes: &[u8]) -> Result<Staged> {
        let target = self.place(path)?;
        make_folders(&parent_of(&target), FileMode::PUBLIC_DIRECTORY)?;
        stage_file(&target, access, bytes)
    }

    /// Removes what a killed run left beside a file that it was about to stage.
    pub fn remove_leftovers(&self, path: &LogicalPath) -> Result<()> {
        let target = self.place(path)?;
        remove_leftovers(&parent_of(&target), &[&name_of(&target)])
    }

    /// Where a file is, or would be made, behind a link at its very name.
    fn place(&self, path: &LogicalPath) -> Result<PathBuf> {
        let located = self.locate(path, LastLink::Followed)?;
        match std::fs::read_link(&located) {
            Ok(_) => std::fs::canonicalize(&located)
                .map_err(|error| HostError::file("look at", &located, error)),
            Err(_) => Ok(located),
        }
    }

    /// Gives a folder another name in the same folder. The new name must be free.
    pub fn rename_folder(&self, from: &LogicalPath, to: &LogicalPath) -> Result<()> {
        let source = self.locate(from, LastLink::Kept)?;
        let target = self.locate(to, LastLink::Kept)?;
        std::fs::rename(&source, &target)
            .map_err(|error| HostError::file("rename", &source, error))?;
        tracing::debug!(from = %source.display(), to = %target.display(), "renamed");
        flush_folder(&parent_of(&target))
    }

    /// Removes a folder with everything in it. Answers whether there was one.
    pub fn remove_folder(&self, path: &LogicalPath) -> Result<bool> {
        let located = self.locate(path, LastLink::Kept)?;
        match std::fs::remove_dir_all(&located) {
            Ok(()) => {
                tracing::debug!(path = %located.display(), "removed");
                flush_folder(&parent_of(&located)).map(|()| true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(HostError::file("remove", located, error)),
        }
    }

    /// Removes a folder in which nothing is. Answers whether there was one.
    pub fn remove_empty_folder(&self, path: &LogicalPath) -> Result<bool> {
        let located = self.locate(path, LastLink::Kept)?;
        match std::fs::remove_dir(&located) {
            Ok(()) => {
                tracing::debug!(path = %located.display(), "removed");
                flush_folder(&parent_of(&located)).map(|()| true)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(HostError::file("remove", located, error)),
        }
    }

    /// Makes the file hold just these bytes under this mode, whatever it was before. Missing
    /// parent folders are made with mode 0755. After it returns the file survives a power cut.
    pub fn write(&self, path: &LogicalPath, mode: FileMode, bytes: &[u8]) -> Result<()> {
        // The parent is located on its own, since a link to a folder that is still to be made
        // leads somewhere else.
        let folder = self.locate(&path.parent(), LastLink::Followed)?;
        make_folders(&folder, FileMode::PUBLIC_DIRECTORY)?;
        write_file(&folder.join(path.file_name()), mode, bytes)
    }

    /// The same for a key and its certificate. The second file is there only if the first is, and
    /// neither is there before both are on the disk.
    pub fn write_pair(
        &self,
        first: (&LogicalPath, FileMode, &[u8]),
        second: (&LogicalPath, FileMode, &[u8]),
    ) -> Result<()> {
        if first.0.parent() != second.0.parent() {
            // The order of renames is kept within a folder only.
            self.write(first.0, first.1, first.2)?;
            return self.write(second.0, second.1, second.2);
        }
        let folder = self.locate(&first.0.parent(), LastLink::Followed)?;
        make_folders(&folder, FileMode::PUBLIC_DIRECTORY)?;
        remove_leftovers(&folder, &[first.0.file_name(), second.0.file_name()])?;
        let fill = |(path, mode, bytes): (&LogicalPath, FileMode, &[u8])| {
            let access = Access { mode, owner: None };
            fill_beside(&folder.join(path.file_name()), access, bytes)
        };
        let (first, second) = (fill(first)?, fill(second)?);
        first.temporary.flush()?;
        second.temporary.flush()?;
        first.show()?;
        second.show()?;
        flush_folder(&folder)
    }

    /// Makes a folder with this mode, its missing parents with mode 0755. An existing folder keeps
    /// its mode. Answers whether it was made.
    pub fn create_folder(&self, path: &LogicalPath, mode: FileMode) -> Result<bool> {
        let folder = self.locate(path, LastLink::Followed)?;
        if folder.is_dir() {
            return Ok(false);
        }
        if let Some(parent) = folder.parent() {
            make_folders(parent, FileMode::PUBLIC_DIRECTORY)?;
        }
        make_folders(&folder, mode)?;
        Ok(true)
    }

    /// Removes a file or a symbolic link itself. Answers whether there was one.
    pub fn remove_file(&self, path: &LogicalPath) -> Result<bool> {
        let located = self.locate(path, LastLink::Kept)?;
        match std::fs::remove_file(&located) {
            Ok(()) => {
                tracing::debug!(path = %located.display(), "removed");
                if let Some(folder) = located.parent() {
                    flush_folder(folder)?;
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(HostError::file("remove", located, error)),
        }
    }

    /// Removes everything in a folder and leaves the folder. Links are removed, not followed.
    /// Answers the names that were removed; none where there is no such folder.
    pub fn empty_folder(&self, path: &LogicalPath) -> Result<Vec<String>> {
        let Some(names) = self.list(path)? else {
            return Ok(Vec::new());
        };
        let folder = self.locate(path, LastLink::Followed)?;
        for name in &names {
            let entry = folder.join(name);
            let is_folder = entry
                .symlink_metadata()
                .map_err(|error| HostError::file("look at", &entry, error))?
                .is_dir();
            if is_folder {
                std::fs::remove_dir_all(&entry)
            } else {
                std::fs::remove_file(&entry)
            }
            .map_err(|error| HostError::file("remove", &entry, error))?;
        }
        flush_folder(&folder)?;
        Ok(names)
    }
}

/// Writes one file as the module says. The folder must exist.
pub(crate) fn write_file(target: &Path, mode: FileMode, bytes: &[u8]) -> Result<()> {
    let access = Access { mode, owner: None };
    stage_file(target, access, bytes)?.commit()
}

/// Stages a file, whose folder must exist.
pub(crate) fn stage_file(target: &Path, access: Access, bytes: &[u8]) -> Result<Staged> {
    remove_leftovers(&parent_of(target), &[&name_of(target)])?;
    let staged = fill_beside(target, access, bytes)?;
    staged.temporary.flush()?;
    Ok(staged)
}

/// Writes a file beside its place, which is not on the disk before it is flushed.
fn fill_beside(target: &Path, access: Access, bytes: &[u8]) -> Result<Staged> {
    if target.symlink_metadata().is_ok_and(|data| data.is_dir()) {
        return Err(HostError::file(
            "write",
            target,
            io::Error::from_raw_os_error(nix::errno::Errno::EISDIR as i32),
        ));
    }
    // Until it has its owner, nobody else may read it.
    let first = match access.owner {
        Some(_) => FileMode::PRIVATE,
        None => access.mode,
    };
    let temporary = Temporary::create(&parent_of(target), &name_of(target), first)?;
    temporary.fill(access, bytes)?;
    Ok(Staged {
        temporary,
        target: target.to_owned(),
    })
}

/// A temporary file that goes away unless it is renamed.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    fn create(folder: &Path, name: &str, mode: FileMode) -> Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}{MARK}{}-{serial}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode.0)
            .open(&path)
            .map_err(|error| HostError::file("create", &path, error))?;
        Ok(Self {
            path,
            file,
            renamed: false,
        })
    }

    fn fill(&self, access: Access, bytes: &[u8]) -> Result<()> {
        let told = |error| HostError::file("write", &self.path, error);
        if let Some((user, group)) = access.owner {
            let data = self.file.metadata().map_err(told)?;
            if (data.uid(), data.gid()) != (user, group) {
                fchown(&self.file, Some(user), Some(group))
                    .map_err(|error| HostError::file("change the owner of", &self.path, error))?;
            }
        }
        // The umask may have narrowed the mode that the file was created with.
        self.file
            .set_permissions(Permissions::from_mode(access.mode.0))
            .map_err(told)?;
        (&self.file).write_all(bytes).map_err(told)
    }

    fn flush(&self) -> Result<()> {
        let told = |error| HostError::file("write", &self.path, error);
        self.file.sync_all().map_err(told)
    }

    fn rename_to(mut self, target: &Path) -> Result<()> {
        std::fs::rename(&self.path, target)
            .map_err(|error| HostError::file("write", target, error))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // The error that brought us here is the one to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the temporary files that a killed run left for these names. Those of a process that
/// still runs, this one included, are left.
fn remove_leftovers(folder: &Path, names: &[&str]) -> Result<()> {
    let prefixes: Vec<String> = names.iter().map(|name| format!(".{name}{MARK}")).collect();
    for entry in crate::files::list_folder(folder)?.unwrap_or_default() {
        let Some(rest) = prefixes
            .iter()
            .find_map(|prefix| entry.strip_prefix(prefix))
        else {
            continue;
        };
        let Some(process) = rest
            .split('-')
            .next()
            .and_then(|text| text.parse::<u32>().ok())
        else {
            continue;
        };
        if Path::new("/proc").join(process.to_string()).exists() {
            continue;
        }
        let leftover = folder.join(&entry);
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(HostError::file("remove", leftover, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder and its missing parents, all with this mode, and flushes each to the disk. Whoever
/// comes second waits until it is on the disk, and not only there to be seen.
pub(crate) fn make_folders(folder: &Path, mode: FileMode) -> Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .collect();
    for folder in missing.iter().rev() {
        match DirBuilder::new().mode(mode.0).create(folder) {
            Ok(()) => tracing::debug!(path = %folder.display(), "made the folder"),
            // Another program was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {
                continue;
            }
            Err(error) => return Err(HostError::file("create", folder, error)),
        }
        // The umask may have narrowed the mode.
        std::fs::set_permissions(folder, Permissions::from_mode(mode.0))
            .map_err(|error| HostError::file("set the mode of", folder, error))?;
    }
    missing
        .iter()
        .try_for_each(|folder| flush_folder(&parent_of(folder)))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename or a removal in the folder survive a power cut.
fn flush_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .or_else(|error| match error.raw_os_error() {
            // Some file systems cannot flush a folder, which is then no promise of theirs.
            Some(code) if code == nix::errno::Errno::EINVAL as i32 => Ok(()),
            _ => Err(error),
        })
        .map_err(|error| HostError::file("flush", folder, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::Root;

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    fn host() -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(Root::Folder(folder.path().to_owned()));
        (folder, host)
    }

    #[test]
    fn a_file_is_written_with_its_mode_and_leaves_nothing_else() {
        let (_folder, host) = host();
        let key = path("/etc/kubernetes/pki/etcd/ca.key");
        host.write(&key, FileMode::PRIVATE, b"first").unwrap();
        host.write(&key, FileMode(0o666), b"second").unwrap();
        assert_eq!(host.read(&key).unwrap().as_deref(), Some(&b"second"[..]));
        // 0666 shows that the umask does not count.
        assert_eq!(host.info(&key).unwrap().unwrap().mode, FileMode(0o666));
        assert_eq!(host.list(&key.parent()).unwrap().unwrap(), ["ca.key"]);
        assert_eq!(
            host.info(&path("/etc/kubernetes/pki"))
                .unwrap()
                .unwrap()
                .mode,
            FileMode::PUBLIC_DIRECTORY
        );
    }

    #[test]
    fn a_pair_is_there_whole_or_not_at_all() {
        let (folder, host) = host();
        let (key, certificate) = (path("/pki/ca.key"), path("/pki/ca.crt"));
        let write = || {
            host.write_pair(
                (&key, FileMode::PRIVATE, b"key"),
                (&certificate, FileMode::PUBLIC, b"certificate"),
            )
        };
        // What stands in the way of the second file keeps the first away too.
        std::fs::create_dir_all(folder.path().join("pki/ca.crt")).unwrap();
        write().unwrap_err();
        assert_eq!(host.list(&path("/pki")).unwrap().unwrap(), ["ca.crt"]);
        std::fs::remove_dir(folder.path().join("pki/ca.crt")).unwrap();
        write().unwrap();
        for (file, mode, text) in [
            (&key, FileMode::PRIVATE, &b"key"[..]),
            (&certificate, FileMode::PUBLIC, b"certificate"),
        ] {
            assert_eq!(host.read(file).unwrap().as_deref(), Some(text));
            assert_eq!(host.info(file).unwrap().unwrap().mode, mode);
        }
        assert_eq!(host.list(&path("/pki")).unwrap().unwrap().len(), 2);
        // In two folders, one after the other.
        let public = path("/elsewhere/sa.pub");
        let files = (
            (&key, FileMode::PRIVATE, &b"a"[..]),
            (&public, FileMode::PRIVATE, &b"b"[..]),
        );
        host.write_pair(files.0, files.1).unwrap();
        assert_eq!(host.read(&public).unwrap().as_deref(), Some(&b"b"[..]));
    }

    #[test]
    fn what_a_killed_run_left_is_cleaned_and_nothing_else() {
        let (folder, host) = host();
        // No process has a number this high: the kernel's limit is 2^22.
        let leftover = folder.path().join(".a.conf.rinit-99999999-0");
        let others = folder.path().join(".b.conf.rinit-99999999-0");
        let unrelated = folder.path().join(".a.conf.rinit-notes");
        for file in [&leftover, &others, &unrelated] {
            std::fs::write(file, "").unwrap();
        }
        host.write(&path("/a.conf"), FileMode::PRIVATE, b"x")
            .unwrap();
        assert!(!leftover.exists());
        assert!(others.exists() && unrelated.exists());
    }

    #[test]
    fn a_reader_sees_the_old_or_the_new_text_whole() {
        let (folder, host) = host();
        let file = path("/manifest.yaml");
        let texts = [vec![b'a'; 300_000], vec![b'b'; 300_000]];
        host.write(&file, FileMode::PRIVATE, &texts[0]).unwrap();
        let target = folder.path().join("manifest.yaml");
        let reader = std::thread::spawn(move || {
            for _ in 0..300 {
                let seen = std::fs::read(&target).unwrap();
                assert_eq!(seen.len(), 300_000);
                assert!(seen.iter().all(|byte| *byte == seen[0]));
            }
        });
        for round in 0..30 {
            host.write(&file, FileMode::PRIVATE, &texts[round % 2])
                .unwrap();
        }
        reader.join().unwrap();
    }

    #[test]
    fn a_staged_file_goes_where_the_link_at_its_name_leads() {
        let (folder, below) = host();
        let text = folder.path().to_str().unwrap();
        std::fs::create_dir(folder.path().join("store")).unwrap();
        let access = Access {
            mode: FileMode::PRIVATE,
            owner: None,
        };
        // On the running system the kernel follows the links, below a folder we do.
        for (host, link, target) in [
            (below, "/link".to_owned(), "/store/target".to_owned()),
            (
                Host::new(Root::System),
                format!("{text}/link2"),
                format!("{text}/store/target"),
            ),
        ] {
            std::fs::write(folder.path().join("store/target"), "old").unwrap();
            let name = path(&link);
            symlink(&target, host.resolve(&name)).unwrap();
            // What a killed run would have left is beside the target.
            let leftover = folder.path().join("store/.target.rinit-99999999-0");
            std::fs::write(&leftover, "").unwrap();
            host.remove_leftovers(&name).unwrap();
            assert!(!leftover.exists());

            host.stage(&name, access, b"new").unwrap().commit().unwrap();
            assert_eq!(host.link_target(&name).unwrap(), Some(target));
            let content = std::fs::read(folder.path().join("store/target")).unwrap();
            assert_eq!(content, b"new");
            let names = std::fs::read_dir(folder.path().join("store")).unwrap();
            assert_eq!(names.count(), 1);
        }
    }

    #[test]
    fn a_link_at_the_name_is_replaced_and_its_target_left() {
        let (folder, host) = host();
        std::fs::write(folder.path().join("target"), "kept").unwrap();
        symlink("target", folder.path().join("link")).unwrap();
        host.write(&path("/link"), FileMode::PUBLIC, b"new")
            .unwrap();
        assert_eq!(
            std::fs::read(folder.path().join("target")).unwrap(),
            b"kept"
        );
        assert_eq!(host.link_target(&path("/link")).unwrap(), None);
        assert_eq!(
            host.read(&path("/link")).unwrap().as_deref(),
            Some(&b"new"[..])
        );
    }

    #[test]
    fn a_folder_at_the_name_is_refused_with_a_way_out() {
        use rinit_diag::Hint;
        let (folder, host) = host();
        std::fs::create_dir(folder.path().join("admin.conf")).unwrap();
        let error = host
            .write(&path("/admin.conf"), FileMode::PRIVATE, b"secret")
            .unwrap_err();
        assert!(error.hint().unwrap().contains("`ls -ld "), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
        assert_eq!(host.list(&path("/")).unwrap().unwrap(), ["admin.conf"]);
    }

    #[test]
    fn an_existing_folder_keeps_its_mode() {
        let (_folder, host) = host();
        let etcd = path("/var/lib/etcd");
        assert!(
            host.create_folder(&etcd, FileMode::PRIVATE_DIRECTORY)
                .unwrap()
        );
        assert!(
            !host
                .create_folder(&etcd, FileMode::PUBLIC_DIRECTORY)
                .unwrap()
        );
        let mode = |text| host.info(&path(text)).unwrap().unwrap().mode;
        assert_eq!(mode("/var/lib/etcd"), FileMode::PRIVATE_DIRECTORY);
        assert_eq!(mode("/var/lib"), FileMode::PUBLIC_DIRECTORY);
    }

    #[test]
    fn what_is_staged_comes_into_its_place_or_goes_away() {
        let (folder, host) = host();
        let name = path("/pki/apiserver.key");
        let access = Access {
            mode: FileMode(0o640),
            owner: None,
        };
        host.write(&name, FileMode::PRIVATE, b"old").unwrap();
        drop(host.stage(&name, access, b"never").unwrap());
        assert_eq!(
            host.list(&path("/pki")).unwrap().unwrap(),
            ["apiserver.key"]
        );
        let staged = host.stage(&name, access, b"new").unwrap();
        assert_eq!(host.read(&name).unwrap().as_deref(), Some(&b"old"[..]));
        staged.commit().unwrap();
        assert_eq!(host.read(&name).unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(host.info(&name).unwrap().unwrap().mode, FileMode(0o640));
        // Only root can give a file away; whose it is already, anyone can.
        let info = host.info(&name).unwrap().unwrap();
        let (user, group) = if nix::unistd::geteuid().is_root() {
            (1234, 4321)
        } else {
            (info.owner, info.group)
        };
        let access = Access {
            owner: Some((user, group)),
            ..access
        };
        host.stage(&name, access, b"theirs")
            .unwrap()
            .commit()
            .unwrap();
        let info = host.info(&name).unwrap().unwrap();
        assert_eq!((info.owner, info.group), (user, group));
        assert_eq!(info.mode, FileMode(0o640));
        drop(folder);
    }

    #[test]
    fn folders_are_renamed_and_removed_as_a_whole() {
        let (_folder, host) = host();
        host.write(&path("/a/etc/b/c"), FileMode::PRIVATE, b"1")
            .unwrap();
        host.write(&path("/a/d"), FileMode::PRIVATE, b"2").unwrap();
        host.rename_folder(&path("/a"), &path("/z")).unwrap();
        let below = host.files_below(&path("/z")).unwrap().unwrap();
        assert_eq!(below, [path("/z/d"), path("/z/etc/b/c")]);
        assert_eq!(host.files_below(&path("/a")).unwrap(), None);
        assert!(host.remove_folder(&path("/z")).unwrap());
        assert!(!host.remove_folder(&path("/z")).unwrap());
    }

    #[test]
    fn emptying_a_folder_follows_no_link() {
        let (folder, host) = host();
        std::fs::create_dir_all(folder.path().join("data/member")).unwrap();
        std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
        std::fs::write(folder.path().join("elsewhere/kept"), "").unwrap();
        symlink("../elsewhere", folder.path().join("data/link")).unwrap();
        let removed = host.empty_folder(&path("/data")).unwrap();
        assert_eq!(removed, ["link", "member"]);
        assert_eq!(host.list(&path("/data")).unwrap(), Some(Vec::new()));
        assert!(folder.path().join("elsewhere/kept").exists());
        assert!(host.empty_folder(&path("/none")).unwrap().is_empty());
    }
}
