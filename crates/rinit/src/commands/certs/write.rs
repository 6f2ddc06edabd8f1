//! Several files at once: everything is kept before anything is replaced, and put back if one
//! cannot be written.

use rinit_diag::{Hint as _, Problem};
use rinit_host::{Host, HostError};
use rinit_operations::renewal::NewFile;
use rinit_plan::{FileMode, LogicalPath, Secret};

/// A file as it was.
pub(super) struct Old {
    pub(super) path: LogicalPath,
    mode: FileMode,
    content: Secret<Vec<u8>>,
}

/// The files that were replaced, and the folder that keeps them.
pub(super) struct Backup {
    pub(super) folder: LogicalPath,
    files: Vec<Old>,
}

impl Backup {
    /// Copies what the new files will replace into a new folder that only root enters. Every file
    /// lies there under its whole path.
    pub(super) fn make(
        host: &Host,
        folder: LogicalPath,
        files: &[NewFile],
    ) -> Result<Self, HostError> {
        host.create_folder(&folder, FileMode::PRIVATE_DIRECTORY)?;
        let mut old = Vec::new();
        for file in files {
            let Some(content) = host.read(&file.path)? else {
                continue;
            };
            let mode = host.info(&file.path)?.map_or(file.mode, |info| info.mode);
            let content = Secret::new(content);
            let copy = folder.join(file.path.as_str().trim_start_matches('/'));
            host.write(&copy, FileMode::PRIVATE, content.expose())?;
            old.push(Old {
                path: file.path.clone(),
                mode,
                content,
            });
        }
        Ok(Self { folder, files: old })
    }

    /// Puts back those of the old files that are wanted.
    pub(super) fn restore(
        &self,
        host: &Host,
        wanted: impl Fn(&LogicalPath) -> bool,
    ) -> Result<(), HostError> {
        for file in self.files.iter().filter(|file| wanted(&file.path)) {
            host.write(&file.path, file.mode, file.content.expose())?;
        }
        Ok(())
    }
}

/// Replaces the files, one after another by a rename each. If one cannot be written, the others
/// are put back.
pub(super) fn replace(host: &Host, backup: &Backup, files: &[NewFile]) -> Result<(), Problem> {
    for (index, file) in files.iter().enumerate() {
        if let Err(error) = host.write(&file.path, file.mode, file.content.expose()) {
            let written: Vec<&LogicalPath> = files[..index].iter().map(|file| &file.path).collect();
            let mut message = rinit_diag::chain(&error);
            match backup.restore(host, |path| written.contains(&path)) {
                Ok(()) => message.push_str("; everything is as it was"),
                Err(second) => {
                    message.push_str("; and what was written before could not be put back: ");
                    message.push_str(&rinit_diag::chain(&second));
                }
            }
            return Err(Problem {
                message,
                hint: error.hint().or_else(|| {
                    Some(format!(
                        "The old files are in `{}`.",
                        host.resolve(&backup.folder).display()
                    ))
                }),
            });
        }
    }
    Ok(())
}
