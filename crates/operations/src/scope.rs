//! Whose files a command is about: this host's own, or those of folders apart, such as a copy.
//!
//! A kubeconfig in a copy still names files of the host that it came from, above all the client
//! certificate of its kubelet. On this host they are another's.

use rinit_plan::LogicalPath;

/// Whose files a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of this host's control plane and of its kubelet.
    Host,
    /// Those within these folders alone.
    Apart(Vec<LogicalPath>),
}

impl Scope {
    /// Whether a file is one that the command is about.
    pub fn has(&self, file: &LogicalPath) -> bool {
        match self {
            Self::Host => true,
            Self::Apart(folders) => folders.iter().any(|folder| file.is_within(folder)),
        }
    }
}
