//! Files whose path the user typed (`--config`, `--kubeconfig`, `--patches`): taken as typed,
//! without the folder of `--root` in front.

use std::io::Read;
use std::path::Path;

use rinit_plan::FileMode;

use crate::{HostError, Result, SIZE_LIMIT};

/// The content of a file; none if there is no such file.
pub fn read_typed(path: &Path) -> Result<Option<Vec<u8>>> {
    crate::files::read_file(path)
}

/// The names in a folder, sorted; none if there is no such folder.
pub fn list_typed(path: &Path) -> Result<Option<Vec<String>>> {
    crate::files::list_folder(path)
}

/// Makes the file hold just these bytes under this mode. Missing parent folders are made with mode
/// 0755.
pub fn write_typed(path: &Path, mode: FileMode, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        crate::write::make_folders(folder, FileMode::PUBLIC_DIRECTORY)?;
    }
    crate::write::write_file(path, mode, bytes)
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
