//! Whether a certificate leads to a CA, apart from whether it is still valid: webpki decides, as it
//! does for the connections of rinit, and this module says in plain words what it refuses.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, LogicalPath, Signer};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyPurposeIdIter};

use crate::judge::usage_name;
use crate::{Authority, Certificate, Fault, Finding, Leaf, PkiError, PrivateKey, PublicKey};

/// Why a certificate does not lead to a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// No certificate of the CA, and none beside the leaf, bears the issuer's name.
    UnknownIssuer,
    /// A certificate of the CA bears the issuer's name, written in other bytes.
    OtherEncoding,
    /// The issuer's name is right, and the signature is not of its key.
    OtherKey,
    /// It is signed, and the CA is not allowed to sign it: why.
    NotAllowed(String),
    /// TLS libraries refuse it for another reason.
    Refused(String),
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "no certificate of the CA has that name",
            Self::OtherEncoding => {
                "a certificate of the CA has the same name in another encoding, and names are \
                 compared byte for byte"
            }
            Self::OtherKey => "its signature does not verify with the key of the CA of that name",
            Self::NotAllowed(reason) | Self::Refused(reason) => reason,
        })
    }
}

/// Which certificate in the file of a CA has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Its position in the file, from 1.
    pub position: usize,
    /// How many the file has.
    pub of: usize,
    /// Whom it names.
    pub subject: String,
    /// Its last second.
    pub not_after: Timestamp,
}

impl SignedBy {
    pub(crate) fn new(authority: &[Certificate], index: usize) -> Self {
        let certificate = &authority[index];
        Self {
            position: index + 1,
            of: authority.len(),
            subject: certificate.subject.to_string(),
            not_after: certificate.validity.not_after,
        }
    }

    /// What there is to say where it ends before something that it signs would. `name` is that of
    /// the CA.
    pub fn ends_before(&self, name: impl fmt::Display, not_after: Timestamp) -> Option<String> {
        (self.not_after < not_after).then(|| {
            format!(
                "{name} ({self}) expires at {}, and with it all that it signs",
                self.not_after
            )
        })
    }

    /// The same for two PEM files; none where the one did not sign the other.
    pub fn find(leaf: &[u8], authority: &[u8]) -> Option<Self> {
        let leaf = Certificate::read_all(leaf).ok()?;
        Self::among(&leaf, &Certificate::read_all(authority).ok()?, &[]).ok()
    }

    /// The same for certificates that are read already; see [`chain`].
    pub fn among(
        leaf: &[Certificate],
        authority: &[Certificate],
        usages: &[ExtendedKeyUsage],
    ) -> Result<Self, ChainFault> {
        chain(leaf, authority, usages).map(|index| Self::new(authority, index))
    }
}

impl fmt::Display for SignedBy {
    /// `CN=kubernetes`, and which of them it is where the file has several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        if self.of > 1 {
            write!(f, ", certificate {} of {}", self.position, self.of)?;
        }
        Ok(())
    }
}

/// Checks that the first certificate of `leaf` is signed, by way of the others in the file, by one
/// of the certificates of a CA, and returns the index of the one that expires last of those.
///
/// Any of the CA's certificates is trusted, also an intermediate one, as Kubernetes trusts them.
/// Expiry is left aside: the path is verified at the moment at which the last of it becomes valid.
/// The trusted CA must allow the usages; whether the leaf has them is validated apart, so that a
/// wrong one is not reported as a broken chain.
pub fn chain(
    leaf: &[Certificate],
    authority: &[Certificate],
    usages: &[ExtendedKeyUsage],
) -> Result<usize, ChainFault> {
    let mut fault = ChainFault::UnknownIssuer;
    let mut signed = None;
    for (index, one) in authority.iter().enumerate() {
        match verify(leaf, one, usages) {
            Ok(()) => {
                let end = one.validity.not_after;
                // What one has signed, all certificates of the same key have.
                if signed.is_none_or(|(_, latest)| end > latest) {
                    signed = Some((index, end));
                }
            }
            // This one says least.
            Err(ChainFault::UnknownIssuer) => {}
            Err(other) => fault = other,
        }
    }
    signed.map(|(index, _)| index).ok_or(fault)
}

fn verify(
    leaf: &[Certificate],
    trusted: &Certificate,
    usages: &[ExtendedKeyUsage],
) -> Result<(), ChainFault> {
    let Some((first, others)) = leaf.split_first() else {
        return Err(ChainFault::UnknownIssuer);
    };
    if !trusted.is_authority {
        return Err(ChainFault::UnknownIssuer);
    }
    let der = CertificateDer::from(first.der.as_slice());
    let end_entity = EndEntityCert::try_from(&der).map_err(|error| fault(&error))?;
    let trusted_der = CertificateDer::from(trusted.der.as_slice());
    let is_issuer = leaf.iter().any(|one| one.issuer == trusted.subject);
    let anchors = match webpki::anchor_from_trusted_cert(&trusted_der) {
        Ok(anchor) => [anchor],
        Err(error) if is_issuer => return Err(ChainFault::NotAllowed(reason(&error))),
        Err(_) => return Err(ChainFault::UnknownIssuer),
    };
    let intermediates: Vec<CertificateDer<'_>> = others
        .iter()
        .map(|one| CertificateDer::from(one.der.as_slice()))
        .collect();
    let begin = leaf.iter().map(|one| one.validity.not_before).max();
    let seconds = begin.map_or(0, Timestamp::as_second);
    let path = end_entity.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap_or_default())),
        AnyUsage,
        None,
        None,
    );
    if let Err(error) = path {
        let is_alike = |one: &Certificate| {
            one.issuer != trusted.subject && one.issuer.attributes == trusted.subject.attributes
        };
        return Err(match fault(&error) {
            ChainFault::UnknownIssuer if leaf.iter().any(is_alike) => ChainFault::OtherEncoding,
            ChainFault::OtherKey => match trusted.public_key {
                PublicKey::Rsa { bits } if bits < 2048 => ChainFault::Refused(format!(
                    "the RSA key of the CA of that name has {bits} bits, too few for TLS libraries"
                )),
                _ => ChainFault::OtherKey,
            },
            fault => fault,
        });
    }
    // webpki takes a trusted certificate for any usage; Go does not.
    let forbidden: Vec<&str> = usages
        .iter()
        .filter(|usage| {
            !others
                .iter()
                .chain([trusted])
                .all(|one| one.allows(**usage))
        })
        .map(|usage| usage_name(*usage))
        .collect();
    if forbidden.is_empty() {
        return Ok(());
    }
    Err(ChainFault::NotAllowed(format!(
        "its extended key usage does not allow {}",
        forbidden.join(", ")
    )))
}

/// Usages are validated apart, see [`chain`].
struct AnyUsage;

impl webpki::ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn fault(error: &webpki::Error) -> ChainFault {
    use webpki::Error;
    match error {
        Error::UnknownIssuer => ChainFault::UnknownIssuer,
        // A signature of another kind than the key of that name makes is another key's.
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ChainFault::OtherKey,
        Error::NameConstraintViolation | Error::PathLenConstraintViolated => {
            ChainFault::NotAllowed(reason(error))
        }
        other => ChainFault::Refused(reason(other)),
    }
}

/// What webpki refuses, in plain words.
fn reason(error: &webpki::Error) -> String {
    use webpki::Error;
    let words = match error {
        Error::NameConstraintViolation => {
            "its name constraints do not allow the names, or are on directory names, which TLS \
             libraries do not support"
        }
        Error::PathLenConstraintViolated => "it does not allow so many CAs below it",
        Error::UnsupportedCriticalExtension => {
            "it has a critical extension that TLS libraries do not support"
        }
        Error::CaUsedAsEndEntity => "it is the certificate of a CA itself",
        Error::EndEntityUsedAsCa => "a certificate on the way is not that of a CA",
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
            "it and the certificates on the way are at no moment valid together"
        }
        Error::UnsupportedSignatureAlgorithmContext(_) => {
            "its signature algorithm is too weak or unknown"
        }
        Error::UnsupportedCertVersion => "it is not a certificate of version 3",
        other => return format!("TLS libraries refuse it: {other}"),
    };
    words.to_owned()
}

/// Validates that a CA may sign a leaf of that name: a constrained CA signs anything, and only those
/// who verify what was signed refuse it. Its own faults are reported by
/// [`judge_signer`](crate::judge_signer).
pub fn judge_signing<'a>(
    signer: &Signer,
    authority: &Authority,
    name: &str,
    leaf: impl Into<Leaf<'a>>,
) -> Result<Option<Finding>, PkiError> {
    Ok(authority.refusal(leaf.into())?.map(|reason| Finding {
        path: signer.certificate.clone(),
        fault: Fault::Unsignable {
            name: name.to_owned(),
            reason,
        },
        hint: Some(hint_of_constraints(&signer.certificate)),
    }))
}

/// What helps where a CA is not allowed to sign something.
pub fn hint_of_constraints(certificate: &LogicalPath) -> String {
    format!(
        "Have the certificate of the CA issued again for the same key, without that limit, and put \
         it into {certificate}: what it has signed stays valid."
    )
}

impl Authority {
    /// Why TLS libraries refuse a leaf that this CA signs; none if they take it. The leaf is signed
    /// for trial, for a key that is thrown away.
    pub fn refusal(&self, leaf: Leaf<'_>) -> Result<Option<String>, PkiError> {
        if !self.certificate().is_constrained {
            return Ok(None);
        }
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
        let certificate = Certificate::read_all(self.issue(leaf, &key)?.as_bytes())?;
        let refused = chain(&certificate, &self.certificates, leaf.usages).err();
        Ok(refused.map(|fault| {
            let names: Vec<String> = leaf
                .dns_names
                .iter()
                .cloned()
                .chain(leaf.ip_addresses.iter().map(ToString::to_string))
                .collect();
            if names.is_empty() {
                fault.to_string()
            } else {
                format!("{fault} (for {})", names.join(", "))
            }
        }))
    }
}
