//! Files whose path the user typed (`--config`, `--kubeconfig`, `--patches`): taken as typed,
//! without the folder of `--root` in front.

use std::io::{Read, Write as _};
use std::path::Path;

use rinit_plan::{FileMode, LogicalPath};

use crate::files::FileKind;
use crate::write::Access;
use crate::{Host, HostError, Result, Root, SIZE_LIMIT};

/// The content of a file; none if there is no such file.
pub fn read_typed(path: &Path) -> Result<Option<Vec<u8>>> {
    crate::files::read_file(path)
}

/// The names in a folder, sorted; none if there is no such folder.
pub fn list_typed(path: &Path) -> Result<Option<Vec<String>>> {
    crate::files::list_folder(path)
}

/// Makes the file hold just these bytes, under `mode` or, if that of a file that is there is
/// narrower, what both allow. The owner of one that is there stays. A symbolic link stays one: where it leads is written. Missing parent folders are made with
/// mode 0755. What is no plain file, such as `/dev/stdout`, is written to as it is.
pub fn write_typed(path: &Path, mode: FileMode, bytes: &[u8]) -> Result<()> {
    let failed = |error| HostError::file("write", path, error);
    let absolute = std::path::absolute(path).map_err(failed)?;
    let logical = LogicalPath::parse(&absolute.to_string_lossy())
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let host = Host::new(Root::typed(None));
    let access = match host.info(&logical)? {
        Some(found) if found.kind == FileKind::File => Access {
            mode: FileMode(found.mode.0 & mode.0),
            owner: Some((found.owner, found.group)),
        },
        Some(found) if found.kind == FileKind::Other => {
            return std::fs::File::options()
                .write(true)
                .open(&absolute)
                .and_then(|mut file| file.write_all(bytes))
                .map_err(failed);
        }
        _ => Access { mode, owner: None },
    };
    host.stage(&logical, access, bytes)?.commit()
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
