//! Files whose path the user typed (`--config`, `--kubeconfig`, `--patches`): taken as typed,
//! without the folder of `--root` in front.

use std::io::{Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rinit_plan::FileMode;

use crate::files::absent_is_none;
use crate::write::{Access, stage_file};
use crate::{HostError, Result, SIZE_LIMIT};

/// The content of a file; none if there is no such file.
pub fn read_typed(path: &Path) -> Result<Option<Vec<u8>>> {
    crate::files::read_file(path)
}

/// The names in a folder, sorted; none if there is no such folder.
pub fn list_typed(path: &Path) -> Result<Option<Vec<String>>> {
    crate::files::list_folder(path)
}

/// Makes the file hold just these bytes, under `mode` or, if that of a file that is there is
/// narrower, what both allow. Of one that is there root keeps the owner. A symbolic link stays one:
/// where it leads is written. Its folder must be there, as a typing error would make one elsewhere. What
/// is no plain file, such as `/dev/stdout`, is written to as it is.
pub fn write_typed(path: &Path, mode: FileMode, bytes: &[u8]) -> Result<()> {
    let failed = |error| HostError::file("write", path, error);
    let is_link = path.symlink_metadata().is_ok_and(|data| data.is_symlink());
    let target = if is_link {
        absent_is_none("write", path, std::fs::canonicalize(path))?
    } else {
        None
    };
    let target = target.unwrap_or_else(|| path.to_owned());
    let access = match target.metadata() {
        Ok(found) if found.is_file() => Access {
            mode: FileMode(found.mode() & 0o777 & mode.0),
            // Others may not give files away.
            owner: crate::is_root().then(|| (found.uid(), found.gid())),
        },
        Ok(found) if !found.is_dir() => {
            return std::fs::File::options()
                .write(true)
                .open(&target)
                .and_then(|mut file| file.write_all(bytes))
                .map_err(failed);
        }
        _ => Access { mode, owner: None },
    };
    stage_file(&target, access, bytes)?.commit()
}

/// Returns where the clients of a cluster look for a kubeconfig that nobody named: the files of the
/// variable `KUBECONFIG`, or else `.kube/config` in the home directory.
pub fn user_kubeconfigs() -> Vec<PathBuf> {
    if let Some(list) = std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        return std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(|home| Path::new(&home).join(".kube/config"))
        .into_iter()
        .collect()
}

/// Everything on the standard input, for `--config -`.
pub fn read_standard_input() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(SIZE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| HostError::file("read", "/dev/stdin", error))?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(HostError::TooLarge {
            path: "/dev/stdin".into(),
            limit: SIZE_LIMIT,
        });
    }
    Ok(bytes)
}
