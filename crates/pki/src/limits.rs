//! What the certificate of an authority does not allow it to sign.
//!
//! An authority of somebody else may be limited to names and usages. It signs anything all the same,
//! and only those who check what was signed refuse it. So a certificate is signed for trial, and
//! checked as a client and a server would, before anything is written.

use std::fmt;
use std::net::IpAddr;

use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, LogicalPath, Signer};

use crate::judge::usage_name;
use crate::{Authority, Certificate, ChainFault, Fault, Finding, Leaf, PkiError, PrivateKey};

/// Name Constraints (RFC 5280, section 4.2.1.10).
const NAME_CONSTRAINTS: &str = "2.5.29.30";

/// Something that an authority is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// Its Name Constraints do not allow these names; none where it is not known which.
    Names(Vec<String>),
    /// Its Extended Key Usage does not allow these usages.
    Usages {
        /// Whom the certificate names.
        authority: String,
        /// The usages by the names of OpenSSL.
        usages: Vec<&'static str>,
    },
    /// It does not allow so many authorities below it.
    Depth,
    /// It has a critical extension that TLS libraries do not know: its dotted OID. That of Name
    /// Constraints stands for kinds of names that they do not know.
    Extension(String),
}

impl Limit {
    /// A sentence with the way out; `certificate` is the file of the authority.
    pub fn hint(certificate: &LogicalPath) -> String {
        format!(
            "Have the certificate of the authority issued anew, for the same key and without that \
             limit, and put it into {certificate}: what it has signed stays good."
        )
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) if names.is_empty() => {
                f.write_str("its Name Constraints do not allow such names")
            }
            Self::Names(names) => {
                write!(f, "its Name Constraints do not allow {}", names.join(", "))
            }
            Self::Usages { authority, usages } => write!(
                f,
                "the Extended Key Usage of {authority} does not allow {}",
                usages.join(", ")
            ),
            Self::Depth => f.write_str("it does not allow so many authorities below it"),
            Self::Extension(oid) if oid == NAME_CONSTRAINTS => f.write_str(
                "it has critical Name Constraints on other names than DNS names, IP addresses, email \
                 addresses and URIs, which TLS libraries do not know",
            ),
            Self::Extension(oid) => write!(
                f,
                "it has the critical extension {oid}, which TLS libraries do not know"
            ),
        }
    }
}

/// What the authorities of a path do not allow. Go's `crypto/x509` asks the trusted certificate as
/// it asks those on the way to it; webpki asks it for its names alone.
pub(crate) fn limit(
    between: &[&Certificate],
    trusted: &Certificate,
    usages: &[ExtendedKeyUsage],
) -> Option<Limit> {
    let depth = u32::try_from(between.len()).unwrap_or(u32::MAX);
    if trusted.path_length.is_some_and(|most| depth > most) {
        return Some(Limit::Depth);
    }
    if let Some(oid) = &trusted.unknown_extension {
        return Some(Limit::Extension(oid.clone()));
    }
    between.iter().copied().chain([trusted]).find_map(|one| {
        let forbidden: Vec<&'static str> = usages
            .iter()
            .filter(|usage| !one.allows(**usage))
            .map(|usage| usage_name(*usage))
            .collect();
        (!forbidden.is_empty()).then(|| Limit::Usages {
            authority: one.subject.to_string(),
            usages: forbidden,
        })
    })
}

/// Judges whether an authority may sign a leaf of that name. Its own faults are told by
/// [`judge_signer`](crate::judge_signer).
pub fn judge_signing<'a>(
    signer: &Signer,
    authority: &Authority,
    name: &str,
    leaf: impl Into<Leaf<'a>>,
) -> Result<Option<Finding>, PkiError> {
    Ok(authority.limit_of(leaf.into())?.map(|limit| Finding {
        path: signer.certificate.clone(),
        fault: Fault::Unsignable {
            name: name.to_owned(),
            limit,
        },
        hint: Some(Limit::hint(&signer.certificate)),
    }))
}

impl Authority {
    /// What of a leaf this authority is not allowed to sign.
    pub fn limit_of(&self, leaf: Leaf<'_>) -> Result<Option<Limit>, PkiError> {
        let signer = self.certificate();
        if signer.extended_key_usages.is_empty()
            && !signer.has_name_constraints
            && signer.unknown_extension.is_none()
        {
            return Ok(None);
        }
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
        let limit = |leaf: Leaf<'_>| -> Result<Option<Limit>, PkiError> {
            let certificate = Certificate::read_all(self.issue(leaf, &key)?.as_bytes())?;
            match crate::chain(&certificate, &self.certificates, leaf.usages) {
                Err(ChainFault::Limited(limit)) => Ok(Some(limit)),
                _ => Ok(None),
            }
        };
        match limit(leaf)? {
            Some(Limit::Names(_)) => {}
            other => return Ok(other),
        }
        let nameless = Leaf {
            dns_names: &[],
            ip_addresses: &[],
            ..leaf
        };
        match limit(nameless)? {
            None => {}
            // Names are looked at first; what holds whatever the names are is more to the point.
            Some(other) => return Ok(Some(other)),
        }
        let mut names = Vec::new();
        for name in leaf.dns_names {
            let dns_names = std::slice::from_ref(name);
            if limit(Leaf {
                dns_names,
                ..nameless
            })?
            .is_some()
            {
                names.push(name.clone());
            }
        }
        for address in leaf.ip_addresses {
            let ip_addresses: &[IpAddr] = std::slice::from_ref(address);
            if limit(Leaf {
                ip_addresses,
                ..nameless
            })?
            .is_some()
            {
                names.push(address.to_string());
            }
        }
        Ok(Some(Limit::Names(names)))
    }
}
