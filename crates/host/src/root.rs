//! Where the machine's paths begin, and how a logical path is found there.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use rinit_plan::LogicalPath;

use crate::{HostError, Result};

/// The folder that stands for `/` of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The running machine itself.
    System,
    /// A folder, given with `--root`, which need not exist yet.
    Folder(PathBuf),
}

impl Root {
    /// The root that a user typed; none and `/` are the running machine.
    pub fn typed(folder: Option<&Path>) -> Self {
        match folder {
            Some(folder) if folder != Path::new("/") => Self::Folder(folder.to_owned()),
            _ => Self::System,
        }
    }
}

/// The machine that is worked on.
#[derive(Debug, Clone)]
pub struct Host {
    root: Root,
}

/// Makes a folder the root of the file system for this process, as `chroot` does. Needs root.
///
/// All paths count from there then, those that the user typed too, so that it comes before the
/// first look at a file.
pub fn change_root(folder: &Path) -> Result<()> {
    // One call after the other on purpose: a working directory outside would lead out again.
    nix::unistd::chroot(folder)
        .and_then(|()| nix::unistd::chdir("/"))
        .map_err(|errno| match errno {
            Errno::EPERM => HostError::RootRefused {
                folder: folder.to_owned(),
            },
            other => HostError::file("change the root to", folder, other.into()),
        })
}

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

impl Host {
    /// The machine below `root`.
    pub fn new(root: Root) -> Self {
        Self { root }
    }

    /// Where the machine's paths begin.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Whether this is the running machine, with its kernel, units and sockets.
    pub fn is_running_system(&self) -> bool {
        self.root == Root::System
    }

    /// The path on the machine, for messages: the folder of `--root` and then the logical path.
    /// Symbolic links are not looked at.
    pub fn resolve(&self, path: &LogicalPath) -> PathBuf {
        match &self.root {
            Root::System => PathBuf::from(path.as_str()),
            Root::Folder(folder) => folder.join(path.as_str().trim_start_matches('/')),
        }
    }

    /// The path to open. Below a folder, symbolic links lead where they would lead on the finished
    /// node, so that an absolute link never leads out of `--root`.
    pub(crate) fn locate(&self, path: &LogicalPath, last: LastLink) -> Result<PathBuf> {
        let Root::Folder(folder) = &self.root else {
            return Ok(PathBuf::from(path.as_str()));
        };
        let mut pending = names(Path::new(path.as_str()));
        let mut found: Vec<OsString> = Vec::new();
        let mut links = 0;
        while let Some(name) = pending.pop_front() {
            if name == ".." {
                found.pop();
                continue;
            }
            let mut candidate = folder.clone();
            candidate.extend(&found);
            candidate.push(&name);
            if pending.is_empty() && last == LastLink::Kept {
                return Ok(candidate);
            }
            let Ok(target) = std::fs::read_link(&candidate) else {
                found.push(name);
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(HostError::TooManyLinks {
                    path: self.resolve(path),
                });
            }
            if target.is_absolute() {
                found.clear();
            }
            let mut ahead = names(&target);
            ahead.append(&mut pending);
            pending = ahead;
        }
        let mut located = folder.clone();
        located.extend(&found);
        Ok(located)
    }
}

/// What to do with a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLink {
    /// It is the thing itself, to be replaced or removed.
    Kept,
    /// It leads to the thing.
    Followed,
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    #[test]
    fn a_logical_path_lies_below_the_root() {
        let host = Host::new(Root::typed(Some(Path::new("/srv/node"))));
        assert_eq!(
            host.resolve(&path("/etc/kubernetes/admin.conf")),
            Path::new("/srv/node/etc/kubernetes/admin.conf")
        );
        assert_eq!(Root::typed(Some(Path::new("/"))), Root::System);
        assert_eq!(Root::typed(None), Root::System);
        assert_eq!(
            Host::new(Root::System).resolve(&path("/etc")),
            Path::new("/etc")
        );
    }

    #[test]
    fn a_link_never_leads_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("etc/kubernetes")).unwrap();
        symlink("/srv/pki", root.join("etc/kubernetes/pki")).unwrap();
        symlink("../../../../srv/up", root.join("etc/kubernetes/up")).unwrap();
        let host = Host::new(Root::Folder(root.to_owned()));
        let located = |text, last| host.locate(&path(text), last).unwrap();
        assert_eq!(
            located("/etc/kubernetes/pki/ca.crt", LastLink::Kept),
            root.join("srv/pki/ca.crt")
        );
        assert_eq!(
            located("/etc/kubernetes/up", LastLink::Followed),
            root.join("srv/up")
        );
        assert_eq!(
            located("/etc/kubernetes/pki", LastLink::Kept),
            root.join("etc/kubernetes/pki")
        );
    }

    /// What it leads to may be a disk that is not mounted.
    #[test]
    fn a_link_that_leads_nowhere_is_no_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("ca.crt");
        symlink("/nowhere", &link).unwrap();
        let below = Host::new(Root::Folder(folder.path().to_owned()));
        let system = Host::new(Root::System);
        for (host, file) in [
            (below, path("/ca.crt")),
            (system, path(link.to_str().unwrap())),
        ] {
            for error in [
                host.read(&file).unwrap_err(),
                host.read_text(&file).unwrap_err(),
                host.exists(&file).unwrap_err(),
            ] {
                assert!(matches!(&error, HostError::DanglingLink { link: told } if *told == link));
            }
        }
    }

    #[test]
    fn a_circle_of_links_is_told() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        let host = Host::new(Root::Folder(folder.path().to_owned()));
        assert!(matches!(
            host.locate(&path("/a/file"), LastLink::Kept),
            Err(HostError::TooManyLinks { .. })
        ));
    }
}
