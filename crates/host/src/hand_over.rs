//! Another program in place of this one: what rinit does not do is handed to it, arguments and
//! environment as they are.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{is_executable, search_path};
use crate::{HostError, Result};

/// Names the program that a line was handed to, for the case that this is rinit as well.
const MARK: &str = "RINIT_HANDED_TO";

/// Returns the path at which this program was handed a line by another rinit.
pub fn handed_to() -> Option<PathBuf> {
    std::env::var_os(MARK).map(PathBuf::from)
}

/// Finds a program at `first`, or else by its name in the PATH. This program itself does not count,
/// by whatever link.
pub fn find_other(first: &Path, name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().and_then(|path| path.metadata());
    find(first, &search_path(), name, own.ok().as_ref())
}

fn find(first: &Path, path: &str, name: &str, own: Option<&Metadata>) -> Option<PathBuf> {
    let identity = |data: &Metadata| (data.dev(), data.ino());
    let own = own.map(identity);
    let directories = path.split(':').filter(|one| one.starts_with('/'));
    [first.to_owned()]
        .into_iter()
        .chain(directories.map(|directory| Path::new(directory).join(name)))
        .find(|candidate| {
            candidate
                .metadata()
                .is_ok_and(|data| is_executable(&data) && Some(identity(&data)) != own)
        })
}

/// Runs a program in place of this one, under the name `name`. Returns only if that fails.
pub fn hand_over(
    program: &Path,
    name: &OsStr,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<std::convert::Infallible> {
    let source = Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(MARK, program)
        .exec();
    Err(HostError::Spawn {
        // The arguments may hold a token.
        command: program.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_next_of_that_name_that_is_not_this_program_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let own = make("own/rinit", 0o755);
        let link = directory.path().join("own/kubeadm");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        make("data/kubeadm", 0o644);
        let other = make("other/kubeadm", 0o755);
        let first = directory.path().join("first/kubeadm");
        let at = |name: &str| directory.path().join(name).display().to_string();
        let path = format!("{}:{}:relative:{}", at("own"), at("data"), at("other"));
        let own = own.metadata().unwrap();
        let found = |path: &str| find(&first, path, "kubeadm", Some(&own));
        assert_eq!(found(&path), Some(other));
        assert_eq!(found(&at("own")), None);
        make("first/kubeadm", 0o755);
        assert_eq!(found(&path), Some(first.clone()));
    }
}
