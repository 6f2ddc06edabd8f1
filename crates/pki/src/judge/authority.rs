//! Judging authorities: the certificates in the file of one, and its key.

use jiff::Timestamp;
use rinit_diag::shell_word;
use rinit_plan::{CaId, CertificateAuthoritySpec, LogicalPath, Signer};

use super::{Fault, Finding, timeliness, weakness};
use crate::prolong::{prolong, prolong_one, renewal_in_a_new_cluster, take_out, take_out_keys};
use crate::{Certificate, CurveFault, PkiError, PrivateKey, has_private_key};

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
         it signs with `rinit certs renew all{}`.",
        spec.certificate,
        spec.certificate,
        spec.key,
        spec.id,
        renewal_in_a_new_cluster(spec.id)
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
            PkiError::TextBehindEnd { .. } => {
                "Put every BEGIN and every END line on a line of its own, with an editor."
                    .to_owned()
            }
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
            "Its key is not the one here. Once nothing that it has signed is in use, take it out: {}.",
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
        let mut hint = match Certificate::read_all(certificates) {
            Ok(all) => format!(
                "Take it out: {}. If that changes nothing, do it with an editor.",
                take_out_keys(file, all.len())
            ),
            Err(_) => "Take it out with an editor.".to_owned(),
        };
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
