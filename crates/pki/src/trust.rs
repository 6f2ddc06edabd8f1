//! How the certificates that somebody trusts stand to those of an authority's file, which are
//! several while an authority is replaced by another.

use crate::{Certificate, PkiError};

/// The certificates that somebody trusts, beside those of an authority's file. Order, repetition
/// and text between them do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// How many certificates of the authority are trusted.
    pub shared: usize,
    /// Those certificates of the authority that are not trusted.
    pub missing: Vec<Certificate>,
    /// Those trusted certificates that are not the authority's, each once.
    pub foreign: Vec<Certificate>,
}

impl Trust {
    /// Compares two PEM files. The error is that of the first that cannot be read.
    pub fn between(trusted: &[u8], authority: &[u8]) -> Result<Self, PkiError> {
        let trusted = Certificate::read_all(trusted)?;
        let authority = Certificate::read_all(authority)?;
        let lacking = |those: &[Certificate], these: &[Certificate]| {
            let mut lacking: Vec<Certificate> = Vec::new();
            for one in those {
                if !these
                    .iter()
                    .chain(&lacking)
                    .any(|other| one.der == other.der)
                {
                    lacking.push(one.clone());
                }
            }
            lacking
        };
        let missing = lacking(&authority, &trusted);
        Ok(Self {
            shared: authority
                .iter()
                .filter(|one| trusted.iter().any(|other| one.der == other.der))
                .count(),
            foreign: lacking(&trusted, &authority),
            missing,
        })
    }

    /// Whether just the authority's certificates are trusted.
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty()
    }

    /// Whom certificates name, as one text.
    pub fn names(certificates: &[Certificate]) -> String {
        let names: Vec<String> = certificates
            .iter()
            .map(|certificate| certificate.subject.to_string())
            .collect();
        names.join("; ")
    }

    /// Whether not one of the authority's certificates is trusted.
    pub fn is_other(&self) -> bool {
        self.shared == 0
    }
}
