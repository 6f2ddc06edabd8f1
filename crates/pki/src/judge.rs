//! Judging what is there: everything that is wrong with a pair of files, each thing by itself, with
//! the way out.
//!
//! Another algorithm, another period or more names than asked for are no fault. What has expired
//! is a warning: init goes on, as kubeadm does.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use rinit_diag::Problem;
use rinit_diag::shell_word;
use rinit_plan::{
    CaId, CertificateAuthoritySpec, CertificateSpec, ExtendedKeyUsage, KeyPairSpec, KubeconfigSpec,
    LogicalPath, Severity, Signer, Subject,
};

use crate::chain::{ChainFault, chain};
use crate::name::printable;
use crate::prolong::{prolong, prolong_one, take_out};
use crate::{
    Certificate, CurveFault, Leaf, Limit, PkiError, PrivateKey, PublicKey, has_private_key,
};

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
    /// The authority is not allowed to sign what it is asked for.
    Unsignable {
        /// The name of the certificate or kubeconfig.
        name: String,
        /// What it is not allowed.
        limit: Limit,
    },
    /// The certificate names somebody else, or lacks a group.
    WrongSubject {
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
                reason: ChainFault::Limited(limit),
                ..
            } => write!(
                f,
                "the certificate is signed by {authority}, which must not sign it: {limit}"
            ),
            Self::Unsignable { name, limit } => {
                write!(f, "the authority must not sign {name}: {limit}")
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

/// Judges a leaf certificate and its key against what is asked for.
///
/// `key` is none where the file is absent; `authority` is the signer's certificate file, whose own
/// faults are told by [`judge_authority`].
pub fn judge_leaf(
    spec: &CertificateSpec,
    certificate: &[u8],
    key: Option<&[u8]>,
    authority: &[u8],
    now: Timestamp,
) -> Vec<Finding> {
    let judge = Judge {
        certificate: &spec.certificate,
        key: &spec.key,
        authority: &spec.signer.certificate,
    };
    judge.leaf(spec.into(), certificate, key, authority, now)
}

/// Judges the client certificate and key inside a kubeconfig against what is asked for.
pub fn judge_client(
    spec: &KubeconfigSpec,
    certificate: &[u8],
    key: Option<&[u8]>,
    authority: &[u8],
    now: Timestamp,
) -> Vec<Finding> {
    let judge = Judge {
        certificate: &spec.path,
        key: &spec.path,
        authority: &spec.signer.certificate,
    };
    judge.leaf(spec.into(), certificate, key, authority, now)
}

/// Judges the certificates and the key of an authority. Without a key it is an external authority,
/// and that is no fault. Any subject, algorithm and period will do.
pub fn judge_authority(
    spec: &CertificateAuthoritySpec,
    certificate: &[u8],
    key: Option<&[u8]>,
    now: Timestamp,
) -> Vec<Finding> {
    judge_signer(&spec.signer(), certificate, key, now)
}

/// The same for who is to sign with it.
pub fn judge_signer(
    spec: &Signer,
    certificate: &[u8],
    key: Option<&[u8]>,
    now: Timestamp,
) -> Vec<Finding> {
    let replace = format!(
        "Put the certificate of the cluster's authority into {}. Only for a new cluster: move {} and \
         {} away, make a new authority with `rinit init phase certs {}`, and then everything that \
         it signs with `rinit certs renew all`.",
        spec.certificate, spec.certificate, spec.key, spec.id
    );
    let finding = |path: &LogicalPath, fault, hint: &str| Finding {
        path: path.clone(),
        fault,
        hint: Some(hint.to_owned()),
    };
    let mut findings = Vec::new();
    findings.extend(key_among_certificates(spec, certificate));
    let certificates = Certificate::read_all(certificate).unwrap_or_else(|error| {
        let hint = match &error {
            PkiError::Curve {
                what: CurveFault::Explicit,
                ..
            } => format!("Have it name its curve. {}", prolong(spec)),
            _ => replace.clone(),
        };
        findings.push(finding(&spec.certificate, Fault::Unreadable(error), &hint));
        Vec::new()
    });
    let loaded = key.map(PrivateKey::load);
    let signing = loaded.as_ref().and_then(|key| key.as_ref().ok());
    for (position, certificate) in (1..).zip(&certificates) {
        // An old one says nothing of that; kubeadm asks only the first, which it takes to sign.
        if !certificate.is_authority && (position == 1 || !certificate.is_old) {
            let subject = certificate.subject.to_string();
            let hint = if certificates.iter().any(|one| one.is_authority) {
                format!(
                    "Take it out: {}.",
                    take_out(&spec.certificate, position, certificates.len())
                )
            } else {
                replace.clone()
            };
            findings.push(finding(
                &spec.certificate,
                Fault::NotAuthority { subject },
                &hint,
            ));
        }
        if let Some(fault) = weakness(certificate) {
            findings.push(finding(&spec.certificate, fault, &replace));
        }
        if let Some(fault) = timeliness(certificate, now) {
            let hint = untimely(spec, certificate, &certificates, signing, now);
            findings.push(finding(&spec.certificate, fault, &hint));
        }
    }
    if let Some(key) = &loaded {
        let hint = format!(
            "Put the key of {} into {}, or move {} away to have everything signed elsewhere.",
            spec.certificate, spec.key, spec.key
        );
        match key {
            Err(error) => {
                let hint = if *error == PkiError::ExplicitKey {
                    let key = shell_word(spec.key.as_str());
                    let new = shell_word(&format!("{}.new", spec.key));
                    format!(
                        "Have it name its curve: `openssl ec -in {key} -param_enc named_curve -out \
                         {new} && mv {new} {key}`."
                    )
                } else {
                    hint
                };
                let told = finding(&spec.key, Fault::Unreadable(error.clone()), &hint);
                // OpenSSL puts the parameters into a new certificate as the key has them.
                let at = if *error == PkiError::ExplicitKey {
                    0
                } else {
                    findings.len()
                };
                findings.insert(at, told);
            }
            Ok(key)
                if !certificates.is_empty()
                    && !certificates.iter().any(|one| key.belongs_to(one)) =>
            {
                let certificate = spec.certificate.clone();
                findings.push(finding(
                    &spec.key,
                    Fault::KeyMismatch { certificate },
                    &hint,
                ));
            }
            Ok(_) => {}
        }
    }
    findings
}

/// Tells of certificates in the file of an authority that have expired: of the first, which is the
/// one that kubeadm shows, and of any that has signed something. `has_signed` says so of the one at
/// that index.
pub fn judge_expired(
    spec: &Signer,
    certificates: &[Certificate],
    now: Timestamp,
    has_signed: &dyn Fn(usize) -> bool,
) -> Vec<Finding> {
    let has_valid = |one: &Certificate| {
        certificates
            .iter()
            .any(|other| other.is_authority && other.is_valid_at(now) && other.has_same_key(one))
    };
    let is_alone = !certificates
        .iter()
        .any(|one| one.is_authority && one.is_valid_at(now));
    certificates
        .iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || has_signed(*index))
        .filter_map(|(index, one)| {
            let fault = timeliness(one, now)?;
            let Fault::Expired { .. } = &fault else {
                return None;
            };
            let hint = if has_valid(one) {
                untimely(spec, one, certificates, None, now)
            } else if has_signed(index) || is_alone {
                prolong_one(spec, one, certificates)
            } else {
                format!(
                    "Nothing here is signed by it. Take it out: {}.",
                    take_out(&spec.certificate, index + 1, certificates.len())
                )
            };
            Some(Finding {
                path: spec.certificate.clone(),
                fault,
                hint: Some(hint),
            })
        })
        .collect()
}

/// What to do about a certificate of an authority that is not valid now.
fn untimely(
    spec: &Signer,
    certificate: &Certificate,
    all: &[Certificate],
    signing: Option<&PrivateKey>,
    now: Timestamp,
) -> String {
    let file = &spec.certificate;
    let has_successor = all
        .iter()
        .any(|one| one.has_same_key(certificate) && one.is_valid_at(now));
    if now < certificate.validity.not_before {
        let clock = "Look whether the clock of this host is right.";
        return if has_successor || signing.is_some_and(|key| !key.belongs_to(certificate)) {
            clock.to_owned()
        } else {
            format!("{clock} If it is: {}", prolong_one(spec, certificate, all))
        };
    }
    let take_out = || {
        let index = all.iter().position(|one| one.der == certificate.der);
        take_out(file, 1 + index.unwrap_or_default(), all.len())
    };
    if has_successor {
        format!(
            "{file} has another of the same key that is valid. Take this one out: {}.",
            take_out()
        )
    } else if all.len() > 1 && signing.is_some_and(|key| !key.belongs_to(certificate)) {
        format!(
            "Nothing signs with it here, and nothing trusts it. Take it out: {}.",
            take_out()
        )
    } else {
        prolong_one(spec, certificate, all)
    }
}

/// What there is to say of an authority's file of certificates if a private key stands in it.
pub fn key_among_certificates(signer: &Signer, certificates: &[u8]) -> Option<Finding> {
    has_private_key(certificates).then(|| {
        let file = &signer.certificate;
        // `openssl x509` would keep the first certificate only.
        let mut hint = format!(
            "Take it out: `sed -i '/BEGIN .*PRIVATE KEY/,/END .*PRIVATE KEY/d' {}`.",
            shell_word(file.as_str())
        );
        if signer.id == CaId::Cluster {
            // As 1.37 does, with the ConfigMap `kube-root-ca.crt` of every namespace.
            hint.push_str(
                " The controller manager hands its file as it is to every pod: if this is the one \
                 that it has, replace the authority.",
            );
        }
        Finding {
            path: file.clone(),
            fault: Fault::KeyAmongCertificates,
            hint: Some(hint),
        }
    })
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

/// The files that findings about one leaf name.
struct Judge<'a> {
    certificate: &'a LogicalPath,
    key: &'a LogicalPath,
    authority: &'a LogicalPath,
}

impl Judge<'_> {
    fn leaf(
        &self,
        expected: Leaf<'_>,
        certificate: &[u8],
        key: Option<&[u8]>,
        authority: &[u8],
        now: Timestamp,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        // The kubelet keeps both in one file, and a kubeconfig has both too.
        if self.certificate != self.key && has_private_key(certificate) {
            findings.push(self.finding(Fault::KeyAmongCertificates));
        }
        let certificates = Certificate::read_all(certificate).unwrap_or_else(|error| {
            findings.push(self.finding(Fault::Unreadable(error)));
            Vec::new()
        });
        let leaf = certificates.first();
        if let Some(leaf) = leaf {
            let weak = weakness(leaf);
            // A weak signature is not checked at all, so it would be told twice.
            if weak.is_none() {
                findings.extend(
                    self.chain_fault(&certificates, authority, expected.usages)
                        .map(|fault| self.finding(fault)),
                );
            }
            findings.extend(
                weak.into_iter()
                    .chain(subject_fault(expected.subject, leaf))
                    .chain(usage_fault(expected.usages, leaf))
                    .chain(name_fault(expected, leaf))
                    .chain(timeliness(leaf, now))
                    .map(|fault| self.finding(fault)),
            );
        }
        let fault = match key.map(PrivateKey::load) {
            None => Some(Fault::KeyMissing {
                certificate: self.certificate.clone(),
            }),
            Some(Err(error)) => Some(Fault::Unreadable(error)),
            Some(Ok(key)) => {
                leaf.filter(|leaf| !key.belongs_to(leaf))
                    .map(|_| Fault::KeyMismatch {
                        certificate: self.certificate.clone(),
                    })
            }
        };
        findings.extend(fault.map(|fault| Finding {
            path: self.key.clone(),
            fault,
            hint: None,
        }));
        findings
    }

    fn finding(&self, fault: Fault) -> Finding {
        Finding {
            path: self.certificate.clone(),
            fault,
            hint: None,
        }
    }

    /// An authority that cannot be read is told once, by [`judge_authority`].
    fn chain_fault(
        &self,
        leaf: &[Certificate],
        authority: &[u8],
        usages: &[ExtendedKeyUsage],
    ) -> Option<Fault> {
        let authority = Certificate::read_all(authority).ok()?;
        let reason = chain(leaf, &authority, usages).err()?;
        Some(Fault::Unchained {
            issuer: leaf.first()?.issuer.to_string(),
            authority: self.authority.clone(),
            reason,
        })
    }
}

fn subject_fault(expected: &Subject, leaf: &Certificate) -> Option<Fault> {
    let found: Vec<&str> = leaf.subject.organizations().collect();
    let complete = expected
        .organizations
        .iter()
        .all(|organization| found.contains(&organization.as_str()));
    if leaf.subject.common_name() != Some(expected.common_name.as_str()) || !complete {
        return Some(Fault::WrongSubject {
            expected: expected.to_string(),
            found: leaf.subject.to_string(),
        });
    }
    let more: Vec<String> = found
        .into_iter()
        .filter(|organization| !expected.organizations.iter().any(|one| one == organization))
        .map(printable)
        .collect();
    (!more.is_empty()).then_some(Fault::MoreOrganizations {
        organizations: more,
    })
}

fn usage_fault(expected: &[ExtendedKeyUsage], leaf: &Certificate) -> Option<Fault> {
    let mut missing: Vec<&'static str> = expected
        .iter()
        .filter(|usage| !leaf.allows(**usage))
        .map(|usage| usage_name(*usage))
        .collect();
    if leaf.key_usage.is_some_and(|usage| !usage.digital_signature) {
        missing.push("digitalSignature");
    }
    (!missing.is_empty()).then_some(Fault::WrongUsages { missing })
}

/// The name of OpenSSL.
pub(crate) fn usage_name(usage: ExtendedKeyUsage) -> &'static str {
    match usage {
        ExtendedKeyUsage::ServerAuth => "serverAuth",
        ExtendedKeyUsage::ClientAuth => "clientAuth",
    }
}

fn name_fault(expected: Leaf<'_>, leaf: &Certificate) -> Option<Fault> {
    let dns_names: Vec<String> = expected
        .dns_names
        .iter()
        .filter(|name| {
            !leaf
                .dns_names()
                .any(|found| found.eq_ignore_ascii_case(name))
        })
        .cloned()
        .collect();
    let ip_addresses: Vec<IpAddr> = expected
        .ip_addresses
        .iter()
        .filter(|address| !leaf.ip_addresses().any(|found| found == **address))
        .copied()
        .collect();
    (!dns_names.is_empty() || !ip_addresses.is_empty()).then_some(Fault::MissingNames {
        dns_names,
        ip_addresses,
    })
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
