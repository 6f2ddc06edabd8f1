//! How the certificates that somebody trusts stand to those of an authority's file, which are
//! several while an authority is replaced by another.

use jiff::Timestamp;

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
    /// Compares two PEM files.
    pub fn between(trusted: &[u8], authority: &[u8]) -> Result<Self, PkiError> {
        Self::of(trusted, &Certificate::read_all(authority)?)
    }

    /// The same where the file of the CA is read already.
    pub fn of(trusted: &[u8], authority: &[Certificate]) -> Result<Self, PkiError> {
        Ok(Self::compare(&Certificate::read_all(trusted)?, authority))
    }

    fn compare(trusted: &[Certificate], authority: &[Certificate]) -> Self {
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
        let missing = lacking(authority, trusted);
        Self {
            shared: authority
                .iter()
                .filter(|one| trusted.iter().any(|other| one.der == other.der))
                .count(),
            foreign: lacking(trusted, authority),
            missing,
        }
    }

    /// Whether just the authority's certificates are trusted.
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty()
    }

    /// Whom certificates name and until when, as one text: two may have one name.
    pub fn names(certificates: &[Certificate], now: Timestamp) -> String {
        let names = certificates.iter().map(|certificate| {
            let end = certificate.validity.not_after;
            let verb = if end <= now { "expired" } else { "until" };
            format!("{} ({verb} {end})", certificate.subject)
        });
        names.collect::<Vec<_>>().join("; ")
    }

    /// Whether not one of the authority's certificates is trusted.
    pub fn is_other(&self) -> bool {
        self.shared == 0
    }
}
