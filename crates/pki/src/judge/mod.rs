//! Judging what is there: everything that is wrong with a pair of files, each thing by itself, with
//! the way out.
//!
//! Another algorithm, another period or more names than asked for are no fault. What has expired
//! is a warning: init goes on, as kubeadm does.

mod authority;
mod leaf;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use rinit_diag::Problem;
use rinit_plan::{KeyPairSpec, LogicalPath, Severity};

pub use self::authority::{
    judge_authority, judge_expired, judge_signer, key_among_certificates, renewal_in_a_new_cluster,
};
pub(crate) use self::leaf::usage_name;
pub use self::leaf::{judge_client, judge_leaf};
use crate::chain::ChainFault;
use crate::{Certificate, PkiError, PrivateKey, PublicKey};

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: LogicalPath,
    /// What is wrong.
    pub fault: Fault,
    /// A sentence with the way out, where it is one of this file alone. Leaf certificates have none:
    /// a command makes all of them anew.
    pub hint: Option<String>,
}

impl Finding {
    /// Whether init refuses the file or only says so.
    pub fn severity(&self) -> Severity {
        self.fault.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.fault)
    }
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        Self {
            message: finding.to_string(),
            hint: finding.hint,
        }
    }
}

/// What can be wrong with a certificate or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file holds no certificate or key that can be used.
    Unreadable(PkiError),
    /// The certificate is there, its key is not.
    KeyMissing {
        /// The certificate file.
        certificate: LogicalPath,
    },
    /// The key is that of another certificate.
    KeyMismatch {
        /// The certificate file.
        certificate: LogicalPath,
    },
    /// A private key stands in a file of certificates, which everybody may read.
    KeyAmongCertificates,
    /// The public key file is not that of the private key.
    PublicKeyMismatch {
        /// The private key file.
        private_key: LogicalPath,
    },
    /// A certificate in the file of an authority is not that of an authority.
    NotAuthority {
        /// Whom it names.
        subject: String,
    },
    /// The certificate does not lead to the authority.
    Unchained {
        /// Whom it names as its issuer.
        issuer: String,
        /// The certificate file of the authority.
        authority: LogicalPath,
        /// Why not.
        reason: ChainFault,
    },
    /// The CA is not allowed to sign what it is asked for.
    Unsignable {
        /// The name of the certificate or kubeconfig.
        name: String,
        /// Why.
        reason: String,
    },
    /// The certificate names somebody else, or lacks a group.
    WrongSubject {
        /// Whom it should name.
        expected: String,
        /// Whom it names.
        found: String,
    },
    /// The certificate of a server names somebody else. Clients look at its alternative names alone.
    OtherSubject {
        /// Whom it should name.
        expected: String,
        /// Whom it names.
        found: String,
    },
    /// The certificate has groups that are not asked for.
    MoreOrganizations {
        /// Those groups.
        organizations: Vec<String>,
    },
    /// The certificate must not be used for what it is for.
    WrongUsages {
        /// What is missing, by the names of OpenSSL.
        missing: Vec<&'static str>,
    },
    /// The certificate lacks names by which it will be asked for.
    MissingNames {
        /// The DNS names that it lacks.
        dns_names: Vec<String>,
        /// The IP addresses that it lacks.
        ip_addresses: Vec<IpAddr>,
    },
    /// The certificate is no longer valid.
    Expired {
        /// Whom it names.
        subject: String,
        /// Its last second.
        not_after: Timestamp,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// Whom it names.
        subject: String,
        /// Its first second.
        not_before: Timestamp,
    },
    /// The key or the signature can be broken, and TLS libraries refuse it.
    Weak {
        /// Whom it names.
        subject: String,
        /// What is weak.
        what: String,
    },
}

impl Fault {
    /// Whether init refuses the file or only says so.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::MoreOrganizations { .. }
            | Self::OtherSubject { .. }
            | Self::KeyAmongCertificates => Severity::Warning,
            Self::Unreadable(_)
            | Self::KeyMissing { .. }
            | Self::KeyMismatch { .. }
            | Self::PublicKeyMismatch { .. }
            | Self::NotAuthority { .. }
            | Self::Unchained { .. }
            | Self::Unsignable { .. }
            | Self::WrongSubject { .. }
            | Self::WrongUsages { .. }
            | Self::MissingNames { .. }
            | Self::Weak { .. } => Severity::Error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::KeyMissing { certificate } => {
                write!(f, "the key of {certificate} is missing")
            }
            Self::KeyMismatch { certificate } => {
                write!(f, "the key does not belong to {certificate}")
            }
            Self::KeyAmongCertificates => f.write_str(
                "a private key stands among the certificates, where everybody may read it",
            ),
            Self::PublicKeyMismatch { private_key } => {
                write!(f, "the public key does not belong to {private_key}")
            }
            Self::NotAuthority { subject } => write!(
                f,
                "the certificate of {subject} is not that of a certificate authority"
            ),
            Self::Unchained {
                authority,
                reason: ChainFault::NotAllowed(reason),
                ..
            } => write!(
                f,
                "the certificate is signed by {authority}, which must not sign it: {reason}"
            ),
            Self::Unsignable { name, reason } => {
                write!(f, "the CA must not sign {name}: {reason}")
            }
            Self::Unchained {
                issuer,
                authority,
                reason,
            } => write!(
                f,
                "the certificate names {issuer} as its issuer and is not signed by {authority}: {reason}"
            ),
            Self::WrongSubject { expected, found } => {
                write!(
                    f,
                    "the certificate is for {found} and must be for {expected}"
                )
            }
            Self::OtherSubject { expected, found } => write!(
                f,
                "the certificate is for {found} and not for {expected}; it is used all the same, since \
                 clients look at its alternative names alone"
            ),
            Self::MoreOrganizations { organizations } => write!(
                f,
                "the certificate has groups that are not asked for: {}",
                organizations.join(", ")
            ),
            Self::WrongUsages { missing } => {
                write!(f, "the certificate lacks the usages {}", missing.join(", "))
            }
            Self::MissingNames {
                dns_names,
                ip_addresses,
            } => {
                let names: Vec<String> = dns_names
                    .iter()
                    .cloned()
                    .chain(ip_addresses.iter().map(IpAddr::to_string))
                    .collect();
                write!(f, "the certificate lacks the names {}", names.join(", "))
            }
            Self::Expired { subject, not_after } => {
                write!(f, "the certificate of {subject} expired at {not_after}")
            }
            Self::NotYetValid {
                subject,
                not_before,
            } => write!(
                f,
                "the certificate of {subject} is not valid before {not_before}"
            ),
            Self::Weak { subject, what } => {
                write!(f, "the certificate of {subject} is too weak: {what}")
            }
        }
    }
}

/// Judges a key pair without a certificate. `public_key` is none where the file is absent.
pub fn judge_key_pair(
    spec: &KeyPairSpec,
    private_key: &[u8],
    public_key: Option<&[u8]>,
) -> Vec<Finding> {
    let finding = |path: &LogicalPath, fault, hint: String| Finding {
        path: path.clone(),
        fault,
        hint: Some(hint),
    };
    let key = match PrivateKey::load(private_key) {
        Ok(key) => key,
        Err(error) => {
            let hint = format!(
                "Put the key back into {}. Or move {} and {} away and make a new pair with `rinit \
                 init phase certs sa`; tokens of service accounts that the old key signed end with \
                 it.",
                spec.private_key, spec.private_key, spec.public_key
            );
            return vec![finding(&spec.private_key, Fault::Unreadable(error), hint)];
        }
    };
    let again = format!(
        "Put the right key into {}, or move {} away to have it made from the private key.",
        spec.private_key, spec.public_key
    );
    match public_key.map(|public_key| key.is_in_public_keys(public_key)) {
        None | Some(Ok(true)) => Vec::new(),
        Some(Ok(false)) => {
            let private_key = spec.private_key.clone();
            let fault = Fault::PublicKeyMismatch { private_key };
            vec![finding(&spec.public_key, fault, again)]
        }
        Some(Err(error)) => vec![finding(&spec.public_key, Fault::Unreadable(error), again)],
    }
}

fn timeliness(certificate: &Certificate, now: Timestamp) -> Option<Fault> {
    if certificate.is_valid_at(now) {
        return None;
    }
    let validity = certificate.validity;
    let subject = certificate.subject.to_string();
    Some(if now < validity.not_before {
        Fault::NotYetValid {
            subject,
            not_before: validity.not_before,
        }
    } else {
        Fault::Expired {
            subject,
            not_after: validity.not_after,
        }
    })
}

fn weakness(certificate: &Certificate) -> Option<Fault> {
    let what = match &certificate.public_key {
        PublicKey::Rsa { bits } if *bits < 2048 => format!("an RSA key of {bits} bits"),
        // Nobody checks the signature of a certificate that is trusted by itself.
        _ if certificate.signature.is_weak && !certificate.is_self_issued() => {
            "a signature with a hash that can be forged".to_owned()
        }
        _ => return None,
    };
    Some(Fault::Weak {
        subject: certificate.subject.to_string(),
        what,
    })
}
