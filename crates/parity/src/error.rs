//! What can be wrong with a tree, an object or a record. No error shows a file's content.

use std::path::PathBuf;

/// Why something cannot be taken, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// A file of a tree or record.
    #[error("cannot read or write {path}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file or object that is not what its place promises.
    #[error("{place}: {reason}")]
    Malformed {
        /// A path, or an object's kind and name.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that no rule masks and that must not be kept.
    #[error("{place} would keep {what}: a rule must mask it")]
    Secret {
        /// A path, or an object's kind and name.
        place: String,
        /// What it looks like.
        what: &'static str,
    },
}

impl ParityError {
    pub(crate) fn malformed(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Malformed {
            place: place.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}
