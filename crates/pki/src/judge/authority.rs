//! Judging authorities: the certificates in the file of one, and its key.

use jiff::Timestamp;
use rinit_plan::{CaId, CertificateAuthoritySpec, LogicalPath, Signer};

use super::{Fault, Finding, timeliness, weakness};
use crate::{Authority, Certificate, PkiError, PrivateKey, has_private_key};

/// The command that takes what is of no use out of the files of CAs and out of kubeconfigs.
const PRUNE: &str = "`rinit certs ca prune`";

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
        "Put the certificate of the cluster's CA into {}. Only for a new cluster: move {} and {} away, \
         generate a new CA with `rinit init phase certs {}`, and {}.",
        spec.certificate,
        spec.certificate,
        spec.key,
        spec.id,
        renewal_in_a_new_cluster(spec.id, "all")
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
            PkiError::TextBehindEnd { .. } => {
                "Put every BEGIN and every END line on a line of its own, with an editor."
            }
            _ => &replace,
        };
        findings.push(finding(&spec.certificate, Fault::Unreadable(error), hint));
        Vec::new()
    });
    let loaded = key.map(PrivateKey::load);
    let signing = loaded.as_ref().and_then(|key| key.as_ref().ok());
    for certificate in &certificates {
        if !certificate.is_authority {
            let subject = certificate.subject.to_string();
            let hint = if certificates.iter().any(|one| one.is_authority) {
                format!("{PRUNE} takes it out.")
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
                findings.push(finding(&spec.key, Fault::Unreadable(error.clone()), &hint));
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

/// Reports certificates in the file of a CA that have expired: the first, which is the one that
/// kubeadm shows, and any that has signed something. `has_signed` says so of the one at that index.
pub fn judge_expired(
    spec: &Signer,
    certificates: &[Certificate],
    now: Timestamp,
    has_signed: &dyn Fn(usize) -> bool,
) -> Vec<Finding> {
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
            let hint = if has_signed(index) || is_alone {
                untimely(spec, one, certificates, None, now)
            } else {
                format!("Nothing here is signed by it. {PRUNE} takes it out.")
            };
            Some(Finding {
                path: spec.certificate.clone(),
                fault,
                hint: Some(hint),
            })
        })
        .collect()
}

/// What to do about a certificate of a CA that is not valid now.
fn untimely(
    spec: &Signer,
    certificate: &Certificate,
    all: &[Certificate],
    signing: Option<&PrivateKey>,
    now: Timestamp,
) -> String {
    let has_successor = all
        .iter()
        .any(|one| one.has_same_key(certificate) && one.is_valid_at(now));
    let is_of_another_key =
        all.len() > 1 && signing.is_some_and(|key| !key.belongs_to(certificate));
    if now < certificate.validity.not_before {
        "Look whether the clock of this host is right.".to_owned()
    } else if has_successor {
        let file = &spec.certificate;
        format!("{file} has another of the same key that is valid. {PRUNE} takes this one out.")
    } else if is_of_another_key {
        format!(
            "Its key is not the one here. Once nothing that it has signed is in use, {PRUNE} takes it \
             out."
        )
    } else {
        renewal_of_a_ca(spec, certificate)
    }
}

/// How a CA gets a certificate with another validity for the same key.
fn renewal_of_a_ca(spec: &Signer, certificate: &Certificate) -> String {
    let Signer {
        certificate: file,
        id,
        ..
    } = spec;
    if certificate.is_self_issued() {
        format!(
            "Renew it where its key is: `rinit certs ca renew {id}`. What the CA has signed stays \
             valid."
        )
    } else {
        format!(
            "Have {} sign another certificate for the same key and the same name, byte for byte, and \
             put it in its place in {file}. What the CA has signed stays valid.",
            certificate.issuer
        )
    }
}

impl Authority {
    /// How this CA gets a certificate with another validity for the same key.
    pub fn renewal_hint(&self, signer: &Signer) -> String {
        renewal_of_a_ca(signer, self.certificate())
    }
}

/// How what a new CA signs is renewed so that nobody trusts the CA before it; `names` is what
/// follows `rinit certs renew`. Kubeconfigs trust that of the cluster alone.
pub fn renewal_in_a_new_cluster(authority: CaId, names: &str) -> String {
    let renew = format!("renew what it signs with `rinit certs renew {names}`");
    match authority {
        CaId::Cluster => {
            format!("{renew}; then {PRUNE} removes the trust in the CA before it")
        }
        CaId::Etcd | CaId::FrontProxy => renew,
    }
}

/// What there is to say of an authority's file of certificates if a private key stands in it.
pub fn key_among_certificates(signer: &Signer, certificates: &[u8]) -> Option<Finding> {
    has_private_key(certificates).then(|| {
        let file = &signer.certificate;
        let mut hint = format!("{PRUNE} takes it out.");
        if signer.id == CaId::Cluster {
            // As 1.37 does, with the ConfigMap `kube-root-ca.crt` of every namespace.
            hint.push_str(
                " The controller manager hands its file as it is to every pod: if this is the one \
                 that it has, replace the CA.",
            );
        }
        Finding {
            path: file.clone(),
            fault: Fault::KeyAmongCertificates,
            hint: Some(hint),
        }
    })
}
