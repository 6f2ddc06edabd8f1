//! How the certificates that somebody trusts stand to those of an authority's file, which are
//! several while an authority is replaced by another.

use crate::{Certificate, PkiError};

/// The certificates that somebody trusts, beside those of an authority's file. Order, repetition
/// and text between them do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// How many certificates of the authority are trusted.
    pub shared: usize,
    /// Whom those certificates of the authority name that are not trusted.
    pub missing: Vec<String>,
    /// Whom those trusted certificates name that are not the authority's.
    pub foreign: Vec<String>,
}

impl Trust {
    /// Compares two PEM files. The error is that of the first that cannot be read.
    pub fn between(trusted: &[u8], authority: &[u8]) -> Result<Self, PkiError> {
        let trusted = Certificate::read_all(trusted)?;
        let authority = Certificate::read_all(authority)?;
        let lacking = |those: &[Certificate], these: &[Certificate]| -> Vec<String> {
            those
                .iter()
                .filter(|one| !these.iter().any(|other| one.der == other.der))
                .map(|one| one.subject.to_string())
                .collect()
        };
        let missing = lacking(&authority, &trusted);
        Ok(Self {
            shared: authority.len() - missing.len(),
            foreign: lacking(&trusted, &authority),
            missing,
        })
    }

    /// Whether just the authority's certificates are trusted.
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty()
    }

    /// Whether not one of the authority's certificates is trusted.
    pub fn is_other(&self) -> bool {
        self.shared == 0
    }
}
