//! Judging what an authority has signed: a pair of files, or what is inside a kubeconfig.

use std::net::IpAddr;

use jiff::Timestamp;
use rinit_plan::{CertificateSpec, ExtendedKeyUsage, KubeconfigSpec, LogicalPath};

use super::{Fault, Finding, timeliness, weakness};
use crate::chain::chain;
use crate::name::printable;
use crate::{Certificate, Leaf, PrivateKey, has_private_key};

/// Judges a leaf certificate and its key against what is asked for.
///
/// `key` is none where the file is absent; `authority` is the signer's certificate file, whose own
/// faults are told by [`judge_authority`](super::judge_authority).
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
                    .chain(subject_fault(expected, leaf))
                    .chain(usage_fault(expected.usages, leaf))
                    .chain(name_fault(expected, leaf))
                    .chain(timeliness(leaf, now))
                    .chain(
                        certificates[1..]
                            .iter()
                            .filter_map(|one| timeliness(one, now)),
                    )
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

    /// An authority that cannot be read is told once, by [`judge_authority`](super::judge_authority).
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

fn subject_fault(wanted: Leaf<'_>, leaf: &Certificate) -> Option<Fault> {
    let expected = wanted.subject;
    let found: Vec<&str> = leaf.subject.organizations().collect();
    let complete = expected
        .organizations
        .iter()
        .all(|organization| found.contains(&organization.as_str()));
    if leaf.subject.common_name() != Some(expected.common_name.as_str()) || !complete {
        let (expected, found) = (expected.to_string(), leaf.subject.to_string());
        return Some(if wanted.usages.contains(&ExtendedKeyUsage::ServerAuth) {
            Fault::OtherSubject { expected, found }
        } else {
            Fault::WrongSubject { expected, found }
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
