//! Several files at once, all of them or none: what a renewal and an installation write.
//!
//! The old files are kept in a folder of the run, and the new ones are written beside their places,
//! before anything is replaced. What is left then is one rename a file. The name of the folder says
//! how far the run came: `….incomplete` while nothing is replaced, `….replacing` during the
//! renames, and the plain name at the end. So the next run knows what a killed one was about, and
//! puts the old files back if it was killed between two renames.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rinit_diag::{Hint as _, Problem};
use rinit_facts::Facts;
use rinit_host::{Access, FileInfo, Host, HostError};
use rinit_operations::Scope;
use rinit_operations::renewal::NewFile;
use rinit_plan::{FileMode, LogicalPath, Secret};

/// How the names of all such folders begin.
const PREFIX: &str = "rinit-backup-";
/// The end of the name while nothing is replaced yet.
const INCOMPLETE: &str = ".incomplete";
/// The end of the name while files are replaced.
const REPLACING: &str = ".replacing";
/// The file that lists what did not exist before, one path a line.
const NEW_FILES: &str = "new-files";

/// A file as it was.
struct Old {
    path: LogicalPath,
    access: Access,
    content: Secret<Vec<u8>>,
}

/// The files that were replaced, and the folder that keeps them.
pub(super) struct Backup {
    /// The folder; none where there was nothing to keep.
    pub(super) folder: Option<LogicalPath>,
    files: Vec<Old>,
}

/// Where rinit keeps what it replaces on this host: beside kubeadm's own backups.
pub(super) fn keeping(facts: &Facts) -> LogicalPath {
    facts.node.paths.manifests.parent().join("tmp")
}

/// Replaces all files or none. The old ones are kept under their whole paths, with their modes and
/// owners, in a new folder of `keeping` that only their owner enters, named after the moment.
pub(super) fn replace(
    host: &Host,
    keeping: &LogicalPath,
    now: Timestamp,
    files: &[NewFile],
) -> Result<Backup, Problem> {
    let folder = free_name(host, keeping, now).map_err(|error| Problem::from_error(&error))?;
    let named = |end: &str| keeping.join(&format!("{}{end}", folder.file_name()));
    let (incomplete, replacing) = (named(INCOMPLETE), named(REPLACING));
    let folders = missing_folders(
        host,
        files.iter().map(|file| &file.path).chain([&incomplete]),
    );
    let untouched = |error: &HostError| {
        // What cannot be removed is told and removed by the next run.
        let _ = host.remove_folder(&incomplete);
        remove_empty(host, &folders);
        Problem {
            message: format!("{}; nothing was changed", rinit_diag::chain(error)),
            hint: error.hint(),
        }
    };
    let mut backup = keep(host, &incomplete, files).map_err(|error| untouched(&error))?;
    let staged = files
        .iter()
        .map(|file| {
            let access = access(file, host.info(&file.path)?);
            host.stage(&file.path, access, file.content.expose())
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| untouched(&error))?;
    if let Err(error) = host.rename_folder(&incomplete, &replacing) {
        drop(staged);
        return Err(untouched(&error));
    }
    let mut waiting = staged.into_iter();
    for index in 0.. {
        let Some(staged) = waiting.next() else {
            break;
        };
        if let Err(error) = staged.commit() {
            let replaced: Vec<&LogicalPath> =
                files[..index].iter().map(|file| &file.path).collect();
            // What waits beside its place keeps a folder from being empty.
            drop(waiting);
            return Err(back(host, &backup, &replaced, &folders, &replacing, &error));
        }
    }
    let ended = if backup.files.is_empty() {
        host.remove_folder(&replacing).map(|_| {
            remove_empty(host, &folders);
            None
        })
    } else {
        host.rename_folder(&replacing, &folder)
            .map(|()| Some(folder))
    };
    // As long as it has that name, the next run would put the old files back.
    backup.folder = ended.map_err(|error| {
        let all: Vec<&LogicalPath> = files.iter().map(|file| &file.path).collect();
        back(host, &backup, &all, &folders, &replacing, &error)
    })?;
    Ok(backup)
}

/// Writes files of which nothing old is worth keeping: all are whole before the first is in its
/// place. After a failure, those that did not exist before are gone again.
pub(super) fn write_all(host: &Host, files: &[NewFile]) -> Result<(), Problem> {
    let mut new = Vec::new();
    let folders = missing_folders(host, files.iter().map(|file| &file.path));
    let write = |new: &mut Vec<LogicalPath>| -> Result<(), HostError> {
        let staged = files
            .iter()
            .map(|file| host.stage(&file.path, access(file, None), file.content.expose()))
            .collect::<Result<Vec<_>, _>>()?;
        for (file, staged) in files.iter().zip(staged) {
            let is_new = !host.exists(&file.path)?;
            staged.commit()?;
            if is_new {
                new.push(file.path.clone());
            }
        }
        Ok(())
    };
    write(&mut new).map_err(|error| {
        let mut message = rinit_diag::chain(&error);
        for path in &new {
            if let Err(second) = host.remove_file(path) {
                message.push_str("; and ");
                message.push_str(&rinit_diag::chain(&second));
            }
        }
        remove_empty(host, &folders);
        Problem {
            message,
            hint: error.hint(),
        }
    })
}

/// The folders that have to be made for files, the innermost first.
fn missing_folders<'a>(
    host: &Host,
    files: impl IntoIterator<Item = &'a LogicalPath>,
) -> Vec<LogicalPath> {
    let mut missing = BTreeSet::new();
    for file in files {
        let mut folder = file.parent();
        while folder.as_str() != "/" && host.exists(&folder).is_ok_and(|exists| !exists) {
            let parent = folder.parent();
            missing.insert(folder);
            folder = parent;
        }
    }
    // What is within a folder stands behind it.
    missing.into_iter().rev().collect()
}

/// Removes those of the folders that are empty. Somebody else may have put something there meanwhile,
/// and an empty folder that stays is no harm.
fn remove_empty(host: &Host, folders: &[LogicalPath]) {
    for folder in folders {
        let _ = host.remove_empty_folder(folder);
    }
}

/// A name that no earlier run of the same second has taken.
fn free_name(host: &Host, keeping: &LogicalPath, now: Timestamp) -> Result<LogicalPath, HostError> {
    let time = now.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let mut count = 1;
    loop {
        let name = match count {
            1 => format!("{PREFIX}{time}"),
            _ => format!("{PREFIX}{time}-{count}"),
        };
        let folder = keeping.join(&name);
        if !host.exists(&folder)? {
            return Ok(folder);
        }
        count += 1;
    }
}

/// The new file is its old one's owner's, and nobody who could not read that can read it. A key
/// is read by nobody but its owner and, where that was so, its group; only the owner writes.
fn access(file: &NewFile, old: Option<FileInfo>) -> Access {
    let Some(old) = old else {
        return Access {
            mode: file.mode,
            owner: None,
        };
    };
    let widest = if file.mode == FileMode::PRIVATE {
        0o640
    } else {
        0o644
    };
    let access = Access {
        mode: FileMode(old.mode.0 & widest),
        owner: Some((old.owner, old.group)),
    };
    access.permitted()
}

/// Copies what will be replaced into a new folder.
fn keep(host: &Host, folder: &LogicalPath, files: &[NewFile]) -> Result<Backup, HostError> {
    host.create_folder(folder, FileMode::PRIVATE_DIRECTORY)?;
    let mut old = Vec::new();
    let mut new = String::new();
    for file in files {
        let (Some(content), Some(info)) = (host.read(&file.path)?, host.info(&file.path)?) else {
            new.push_str(file.path.as_str());
            new.push('\n');
            continue;
        };
        let access = Access {
            mode: info.mode,
            owner: Some((info.owner, info.group)),
        };
        let kept = Old {
            path: file.path.clone(),
            access: access.permitted(),
            content: Secret::new(content),
        };
        let copy = folder.join(file.path.as_str().trim_start_matches('/'));
        host.stage(&copy, kept.access, kept.content.expose())?
            .commit()?;
        old.push(kept);
    }
    if !new.is_empty() {
        host.write(&folder.join(NEW_FILES), FileMode::PRIVATE, new.as_bytes())?;
    }
    Ok(Backup {
        folder: None,
        files: old,
    })
}

/// Puts everything back after a failure, and says so.
fn back(
    host: &Host,
    backup: &Backup,
    replaced: &[&LogicalPath],
    new_folders: &[LogicalPath],
    folder: &LogicalPath,
    error: &HostError,
) -> Problem {
    let mut message = rinit_diag::chain(error);
    let outcome = backup
        .restore(host, |path| replaced.contains(&path))
        .and_then(|()| {
            for path in replaced {
                if !backup.files.iter().any(|old| old.path == **path) {
                    host.remove_file(path)?;
                }
            }
            host.remove_folder(folder)
        });
    match outcome {
        Ok(_) => {
            remove_empty(host, new_folders);
            message.push_str("; everything is as it was");
            Problem {
                message,
                hint: error.hint(),
            }
        }
        Err(second) => {
            message.push_str("; and not everything could be put back: ");
            message.push_str(&rinit_diag::chain(&second));
            Problem::new(message).with_hint(format!(
                "The old files are in `{}`; the next `rinit certs renew` puts them back.",
                host.resolve(folder).display()
            ))
        }
    }
}

impl Backup {
    /// Puts back those of the old files that are wanted.
    pub(super) fn restore(
        &self,
        host: &Host,
        wanted: impl Fn(&LogicalPath) -> bool,
    ) -> Result<(), HostError> {
        for file in self.files.iter().filter(|file| wanted(&file.path)) {
            host.stage(&file.path, file.access, file.content.expose())?
                .commit()?;
        }
        Ok(())
    }
}

/// A run that was cut off.
pub(super) struct CutOff {
    /// The folder that it kept the old files in.
    folder: LogicalPath,
    /// Whether files were being replaced.
    pub(super) replacing: bool,
    /// The copies, each with the place of the old file.
    old: Vec<(LogicalPath, LogicalPath)>,
    /// What did not exist before.
    new: Vec<LogicalPath>,
    /// Why it is none to be taken up here.
    pub(super) foreign: Option<Problem>,
}

/// The runs that were cut off. `within` are the folders that such a run may be about: a copied folder
/// may hold what a run on the files that it was copied from has left behind. What another user made
/// is never taken up either, for its paths are that user's to choose.
pub(super) fn cut_off(
    host: &Host,
    keeping: &LogicalPath,
    within: &Scope,
) -> Result<Vec<CutOff>, HostError> {
    let mut found = Vec::new();
    for name in host.list(keeping)?.unwrap_or_default() {
        let replacing = name.ends_with(REPLACING);
        if !name.starts_with(PREFIX) || !(replacing || name.ends_with(INCOMPLETE)) {
            continue;
        }
        let folder = keeping.join(&name);
        let shown = host.resolve(&folder).display().to_string();
        let foreign = |why: &str| {
            Problem::new(format!("{shown} is left alone: {why}")).with_hint(format!(
                "Look at what it holds; `rm -r {shown}` takes it away."
            ))
        };
        let mut run = CutOff {
            replacing,
            old: Vec::new(),
            new: Vec::new(),
            foreign: None,
            folder,
        };
        let is_link = host.link_target(&run.folder)?.is_some();
        if is_link || !host.info(&run.folder)?.is_some_and(|info| info.is_own()) {
            run.foreign = Some(foreign("another user made it, or it is a link"));
            found.push(run);
            continue;
        }
        let list = run.folder.join(NEW_FILES);
        for copy in host.files_below(&run.folder)?.unwrap_or_default() {
            if copy != list
                && let Ok(path) = LogicalPath::parse(&copy.as_str()[run.folder.as_str().len()..])
            {
                run.old.push((copy, path));
            }
        }
        let listed = host.read_text(&list)?.unwrap_or_default();
        let listed = listed
            .lines()
            .filter_map(|line| LogicalPath::parse(line).ok());
        run.new = listed.collect();
        let mut paths = run.old.iter().map(|(_, path)| path).chain(&run.new);
        if let Some(path) = paths.find(|path| !within.has(path)) {
            run.foreign = Some(foreign(&format!(
                "it is about {path}, which is not of this copy"
            )));
        }
        found.push(run);
    }
    Ok(found)
}

/// Takes up runs that were cut off: puts back the old files where some were replaced, and takes
/// away what is left beside them. Answers what is to be told, and what is left alone.
pub(super) fn take_up(
    host: &Host,
    keeping: &LogicalPath,
    within: &Scope,
) -> Result<(Vec<String>, Vec<Problem>), HostError> {
    let (mut told, mut left) = (Vec::new(), Vec::new());
    for run in cut_off(host, keeping, within)? {
        if let Some(problem) = run.foreign {
            left.push(problem);
            continue;
        }
        for (copy, path) in &run.old {
            host.remove_leftovers(path)?;
            if run.replacing
                && let (Some(content), Some(info)) = (host.read(copy)?, host.info(copy)?)
            {
                let content = Secret::new(content);
                let access = Access {
                    mode: info.mode,
                    owner: Some((info.owner, info.group)),
                };
                host.stage(path, access.permitted(), content.expose())?
                    .commit()?;
            }
        }
        for path in &run.new {
            host.remove_leftovers(path)?;
            if run.replacing {
                host.remove_file(path)?;
            }
        }
        host.remove_folder(&run.folder)?;
        if run.replacing {
            told.push(format!(
                "an earlier run was cut off while it replaced files; the {} files of before are \
                 back in place",
                run.old.len()
            ));
        }
    }
    Ok((told, left))
}
