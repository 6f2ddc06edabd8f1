//! How the certificates that somebody trusts stand to those of an authority's file, which are
//! several while an authority is replaced by another.

use jiff::Timestamp;

use crate::{Certificate, PkiError, Unreadable};

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
    /// What is trusted and cannot be read. Go passes it over, others may not.
    pub unreadable: Vec<Unreadable>,
}

impl Trust {
    /// Compares two PEM files. The error is that of the authority's, or that nothing is trusted.
    pub fn between(trusted: &[u8], authority: &[u8]) -> Result<Self, PkiError> {
        Self::of(trusted, &Certificate::read_all(authority)?)
    }

    /// The same where the authority's file is read already.
    pub fn of(trusted: &[u8], authority: &[Certificate]) -> Result<Self, PkiError> {
        let mut readable = Vec::new();
        let mut unreadable = Vec::new();
        for one in Certificate::read_each(trusted) {
            match one {
                Ok(certificate) => readable.push(certificate),
                Err(one) => unreadable.push(one),
            }
        }
        if readable.is_empty() && unreadable.is_empty() {
            return Err(PkiError::NoCertificate);
        }
        let is_known = |one: &Unreadable| {
            let der = one.der.as_ref();
            der.is_some_and(|der| authority.iter().any(|known| known.der == *der))
        };
        unreadable.retain(|one| !is_known(one));
        Ok(Self {
            unreadable,
            ..Self::compare(&readable, authority)
        })
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
            unreadable: Vec::new(),
        }
    }

    /// Whether just the authority's certificates are trusted.
    pub fn is_same(&self) -> bool {
        self.missing.is_empty() && self.foreign.is_empty() && self.unreadable.is_empty()
    }

    /// Whom certificates name and until when, as one text: two may have one name. Of those that cannot
    /// be read it is told why.
    pub fn names(
        certificates: &[Certificate],
        unreadable: &[Unreadable],
        now: Timestamp,
    ) -> String {
        let readable = certificates.iter().map(|certificate| {
            let end = certificate.validity.not_after;
            let verb = if end <= now { "expired" } else { "until" };
            format!("{} ({verb} {end})", certificate.subject)
        });
        let unreadable = unreadable.iter().map(|one| {
            let read = one
                .der
                .as_deref()
                .and_then(|der| Certificate::read_der(der).ok());
            let name = read.map_or_else(
                || "one that is of no use".to_owned(),
                |certificate| certificate.subject.to_string(),
            );
            format!("{name} ({})", one.error)
        });
        readable.chain(unreadable).collect::<Vec<_>>().join("; ")
    }

    /// Whether not one of the authority's certificates is trusted.
    pub fn is_other(&self) -> bool {
        self.shared == 0
    }
}
