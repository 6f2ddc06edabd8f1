//! Absolute paths as the finished node sees them, and the modes of files.

use std::fmt;
use std::path::{Component, Path};

use serde::{Serialize, Serializer};

/// An absolute, normalised path on the node, such as `/etc/kubernetes/pki/ca.crt`.
///
/// Plans and manifests hold these. Only the host crate puts the folder of `--root` in front, so a
/// control plane rendered into a folder still names the paths it will run with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogicalPath(String);

/// Why a text is no logical path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not begin with `/`.
    #[error("path \"{0}\" is not absolute")]
    NotAbsolute(String),
    /// The path goes up by `..`.
    #[error("path \"{0}\" has a `..` in it")]
    GoesUp(String),
    /// The path has a NUL byte or a line break in it.
    #[error("path {0:?} has a control character in it")]
    ControlCharacter(String),
}

impl LogicalPath {
    /// Checks and normalises a path: no trailing or doubled slash, no `.`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.chars().any(char::is_control) {
            return Err(PathError::ControlCharacter(text.to_owned()));
        }
        if !text.starts_with('/') {
            return Err(PathError::NotAbsolute(text.to_owned()));
        }
        let mut path = String::new();
        for component in Path::new(text).components() {
            match component {
                Component::ParentDir => return Err(PathError::GoesUp(text.to_owned())),
                Component::Normal(name) => {
                    path.push('/');
                    path.push_str(&name.to_string_lossy());
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(Self(path))
    }

    /// The file that this one names: an absolute one, or one that lies beside it. `..` goes up by
    /// name, as in Go's `filepath.Join`, which clients of Kubernetes use; not above `/`.
    pub fn beside(&self, name: &str) -> Result<Self, PathError> {
        let text = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("{}/{name}", self.parent())
        };
        if text.chars().any(char::is_control) {
            return Err(PathError::ControlCharacter(text));
        }
        let mut names = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    names.pop();
                }
                name => names.push(name),
            }
        }
        Self::parse(&format!("/{}", names.join("/")))
    }

    /// A path below this one. `name` may have several components.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        debug_assert!(
            !name.starts_with('/') && !name.contains(".."),
            "not a relative name: {name}"
        );
        Self(format!("{}/{name}", self.0.trim_end_matches('/')))
    }

    /// The folder that holds this path; `/` for itself.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.rfind('/') {
            Some(0) | None => Self("/".to_owned()),
            Some(index) => Self(self.0[..index].to_owned()),
        }
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path as text, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this path is `folder` or lies below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        self.0 == folder.0
            || folder.0 == "/"
            || self
                .0
                .strip_prefix(&folder.0)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for LogicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for LogicalPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The permission bits of a file or folder, set when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FileMode {
    /// Only the owner reads and writes: keys, kubeconfigs, static pods.
    pub const PRIVATE: Self = Self(0o600);
    /// Everybody reads: certificates, the kubelet's configuration.
    pub const PUBLIC: Self = Self(0o644);
    /// A folder that only its owner enters.
    pub const PRIVATE_DIRECTORY: Self = Self(0o700);
    /// A folder that everybody may list.
    pub const PUBLIC_DIRECTORY: Self = Self(0o755);
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_normalised() {
        let path = LogicalPath::parse("//etc/./kubernetes//pki/").unwrap();
        assert_eq!(path.as_str(), "/etc/kubernetes/pki");
        assert_eq!(
            path.join("etcd/ca.crt").as_str(),
            "/etc/kubernetes/pki/etcd/ca.crt"
        );
        assert_eq!(path.parent().as_str(), "/etc/kubernetes");
        assert_eq!(LogicalPath::parse("/").unwrap().join("a").as_str(), "/a");
        assert_eq!(path.file_name(), "pki");
    }

    #[test]
    fn a_path_that_is_no_logical_path_is_refused() {
        assert!(matches!(
            LogicalPath::parse("pki"),
            Err(PathError::NotAbsolute(_))
        ));
        assert!(matches!(
            LogicalPath::parse("/etc/../root"),
            Err(PathError::GoesUp(_))
        ));
        assert!(matches!(
            LogicalPath::parse("/a\nb"),
            Err(PathError::ControlCharacter(_))
        ));
    }

    #[test]
    fn a_file_names_another_one() {
        let path = LogicalPath::parse("/etc/kubernetes/admin.conf").unwrap();
        for (name, expected) in [
            ("/a//b", "/a/b"),
            ("a/./b", "/etc/kubernetes/a/b"),
            ("../a", "/etc/a"),
            ("pki//../../a/..", "/etc"),
            ("../../../../a", "/a"),
            ("/a/../b", "/b"),
        ] {
            assert_eq!(path.beside(name).unwrap().as_str(), expected, "{name}");
        }
        assert!(matches!(
            path.beside("a\n/../b"),
            Err(PathError::ControlCharacter(_))
        ));
    }

    #[test]
    fn within_is_by_component() {
        let path = |text| LogicalPath::parse(text).unwrap();
        assert!(path("/etc/kubernetes/pki").is_within(&path("/etc/kubernetes")));
        assert!(path("/etc").is_within(&path("/")));
        assert!(!path("/etc/kubernetes-old").is_within(&path("/etc/kubernetes")));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_stable(text in ".*") {
            if let Ok(path) = LogicalPath::parse(&text) {
                prop_assert_eq!(LogicalPath::parse(path.as_str()), Ok(path));
            }
        }
    }
}
