//! What a renewed certificate says: what the old one said, and what the configuration asks for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::SignedDuration;
use rinit_pki::{AlternativeName, Authority, Certificate, Leaf, Name, PublicKey, Usage};
use rinit_plan::{
    CertificateSpec, ExtendedKeyUsage, KeyAlgorithm, KubeconfigSpec, Subject, Validity,
};

use super::Options;

/// What the specification asks for.
pub(super) struct Asked {
    pub(super) subject: Subject,
    usages: Vec<ExtendedKeyUsage>,
    dns_names: Vec<String>,
    ip_addresses: Vec<IpAddr>,
    algorithm: KeyAlgorithm,
    validity: Validity,
    /// Whether it is complete without a configuration: a client is its name and its groups.
    pub(super) stands_alone: bool,
    /// Whether it is in a kubeconfig.
    in_kubeconfig: bool,
}

impl From<&CertificateSpec> for Asked {
    fn from(spec: &CertificateSpec) -> Self {
        Self {
            subject: spec.subject.clone(),
            usages: spec.usages.clone(),
            dns_names: spec.dns_names.clone(),
            ip_addresses: spec.ip_addresses.clone(),
            algorithm: spec.algorithm,
            validity: spec.validity,
            stands_alone: spec.dns_names.is_empty() && spec.ip_addresses.is_empty(),
            in_kubeconfig: false,
        }
    }
}

impl From<&KubeconfigSpec> for Asked {
    fn from(spec: &KubeconfigSpec) -> Self {
        Self {
            subject: spec.subject.clone(),
            usages: vec![ExtendedKeyUsage::ClientAuth],
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
            algorithm: spec.algorithm,
            validity: spec.validity,
            stands_alone: true,
            in_kubeconfig: true,
        }
    }
}

/// What the new certificate says.
#[derive(Debug)]
pub(super) struct NewLeaf {
    subject: Subject,
    usages: Vec<ExtendedKeyUsage>,
    dns_names: Vec<String>,
    ip_addresses: Vec<IpAddr>,
    pub(super) validity: Validity,
    pub(super) algorithm: KeyAlgorithm,
}

impl NewLeaf {
    pub(super) fn as_leaf(&self) -> Leaf<'_> {
        Leaf {
            subject: &self.subject,
            usages: &self.usages,
            dns_names: &self.dns_names,
            ip_addresses: &self.ip_addresses,
            validity: self.validity,
        }
    }
}

/// How it differs from the old one and from the configuration.
#[derive(Default)]
pub(super) struct Differences {
    /// Names for servers.
    pub(super) kept: Vec<String>,
    pub(super) dropped: Vec<String>,
    pub(super) added: Vec<String>,
    /// Groups of its user.
    pub(super) dropped_groups: Vec<String>,
    pub(super) added_groups: Vec<String>,
    /// What else, a sentence without its subject each.
    pub(super) others: Vec<String>,
}

/// `usual` is how long certificates live on this node, where its pairs tell.
pub(super) fn decide(
    asked: &Asked,
    old: Option<&Certificate>,
    options: &Options,
    authority: &Authority,
    usual: Option<SignedDuration>,
) -> (NewLeaf, Differences) {
    let signer = authority.certificate().validity;
    let begin = asked.validity.not_before.max(signer.not_before);
    let Some(old) = old else {
        let leaf = NewLeaf {
            subject: asked.subject.clone(),
            usages: asked.usages.clone(),
            dns_names: asked.dns_names.clone(),
            ip_addresses: asked.ip_addresses.clone(),
            validity: Validity {
                not_before: begin,
                not_after: asked.validity.not_after,
            },
            algorithm: asked.algorithm,
        };
        return (leaf, Differences::default());
    };
    if !options.configured {
        let period = period(asked, old, authority, usual);
        let leaf = NewLeaf {
            subject: subject_of(old),
            usages: usages_of(old, &asked.usages),
            dns_names: old.dns_names().map(str::to_owned).collect(),
            ip_addresses: old.ip_addresses().collect(),
            validity: Validity {
                not_before: begin,
                not_after: asked
                    .validity
                    .not_before
                    .checked_add(period.length)
                    .unwrap_or(asked.validity.not_after),
            },
            algorithm: algorithm_of(&old.public_key).unwrap_or(asked.algorithm),
        };
        let mut names = Differences {
            // Mail addresses and the like: Kubernetes looks at none of them.
            dropped: others(old),
            others: what_changes(old, &leaf),
            ..Differences::default()
        };
        if period.is_cut {
            names.others.push(format!(
                "lives no longer than the pairs: {} days and no longer {}",
                days(period.length),
                days(length(old.validity))
            ));
        }
        return (leaf, names);
    }
    let mut names = differences(asked, old);
    let mut dns_names = asked.dns_names.clone();
    let mut ip_addresses = asked.ip_addresses.clone();
    for name in old.dns_names() {
        if dns_names
            .iter()
            .any(|asked| asked.eq_ignore_ascii_case(name))
        {
            continue;
        }
        if options.prune {
            names.dropped.push(name.to_owned());
        } else {
            names.kept.push(name.to_owned());
            dns_names.push(name.to_owned());
        }
    }
    for address in old.ip_addresses() {
        if ip_addresses.contains(&address) {
            continue;
        }
        if options.prune {
            names.dropped.push(address.to_string());
        } else {
            names.kept.push(address.to_string());
            ip_addresses.push(address);
        }
    }
    names.dropped.extend(others(old));
    let known: BTreeSet<String> = old.dns_names().map(str::to_lowercase).collect();
    names.added = dns_names
        .iter()
        .filter(|name| !known.contains(&name.to_lowercase()))
        .cloned()
        .chain(
            ip_addresses
                .iter()
                .filter(|address| !old.ip_addresses().any(|found| found == **address))
                .map(IpAddr::to_string),
        )
        .collect();
    let leaf = NewLeaf {
        subject: asked.subject.clone(),
        usages: asked.usages.clone(),
        dns_names,
        ip_addresses,
        validity: Validity {
            not_before: begin,
            not_after: asked.validity.not_after,
        },
        algorithm: asked.algorithm,
    };
    names.others.extend(what_changes(old, &leaf));
    (leaf, names)
}

fn subject_of(old: &Certificate) -> Subject {
    Subject {
        common_name: old.subject.common_name().unwrap_or_default().to_owned(),
        organizations: old.subject.organizations().map(str::to_owned).collect(),
    }
}

/// What the old one may be used for, as far as kubeadm knows of it, and what it is needed for. One
/// that says nothing of it may be used for all.
fn usages_of(old: &Certificate, needed: &[ExtendedKeyUsage]) -> Vec<ExtendedKeyUsage> {
    if old.extended_key_usages.is_empty() {
        return Vec::new();
    }
    let mut usages: Vec<ExtendedKeyUsage> = old
        .extended_key_usages
        .iter()
        .filter_map(|usage| match usage {
            Usage::Known(usage) => Some(*usage),
            Usage::Other(_) => None,
        })
        .collect();
    for usage in needed {
        if !usages.contains(usage) {
            usages.push(*usage);
        }
    }
    usages
}

/// Whether a certificate may be used for these.
pub(super) fn allows(certificate: &Certificate, usages: &[ExtendedKeyUsage]) -> bool {
    let allowed = &certificate.extended_key_usages;
    allowed.is_empty()
        || usages
            .iter()
            .all(|usage| allowed.contains(&Usage::Known(*usage)))
}

fn others(old: &Certificate) -> Vec<String> {
    old.alternative_names
        .iter()
        .filter_map(|name| match name {
            AlternativeName::Other(text) => Some(text.clone()),
            AlternativeName::Dns(_) | AlternativeName::Ip(_) => None,
        })
        .collect()
}

/// What the new one does not take over or says beyond the old one, names and groups aside.
fn what_changes(old: &Certificate, new: &NewLeaf) -> Vec<String> {
    let mut changes = Vec::new();
    // Of several common names the last one counts.
    let common_name = old
        .subject
        .attributes
        .iter()
        .rposition(|(kind, _)| kind == "CN");
    let lost = Name {
        raw: Vec::new(),
        attributes: old
            .subject
            .attributes
            .iter()
            .enumerate()
            .filter(|(index, (kind, _))| kind != "O" && Some(*index) != common_name)
            .map(|(_, attribute)| attribute.clone())
            .collect(),
    };
    if !lost.attributes.is_empty() {
        changes.push(format!("has no longer {lost} in its subject"));
    }
    let before: Vec<&str> = old.extended_key_usages.iter().map(usage_name).collect();
    let known: Vec<Usage> = new.usages.iter().copied().map(Usage::Known).collect();
    let after: Vec<&str> = known.iter().map(usage_name).collect();
    let without = |some: &[&str], others: &[&str]| -> Vec<String> {
        some.iter()
            .filter(|one| !others.contains(one))
            .map(|one| (*one).to_owned())
            .collect()
    };
    let (lost, gained) = (without(&before, &after), without(&after, &before));
    if !lost.is_empty() {
        changes.push(format!("has no longer the usage {}", lost.join(", ")));
    }
    if !gained.is_empty() {
        changes.push(format!("gets the usage {}", gained.join(", ")));
    }
    let algorithm = new.algorithm.to_string();
    if old.public_key.to_string() != algorithm {
        changes.push(format!(
            "gets a key of {algorithm} and no longer of {}",
            old.public_key
        ));
    }
    changes
}

/// A usage as OpenSSL's configuration names it (RFC 5280, section 4.2.1.12), or its dotted OID.
fn usage_name(usage: &Usage) -> &str {
    match usage {
        Usage::Known(ExtendedKeyUsage::ServerAuth) => "serverAuth",
        Usage::Known(ExtendedKeyUsage::ClientAuth) => "clientAuth",
        Usage::Other(oid) => match oid.as_str() {
            "1.3.6.1.5.5.7.3.3" => "codeSigning",
            "1.3.6.1.5.5.7.3.4" => "emailProtection",
            "1.3.6.1.5.5.7.3.8" => "timeStamping",
            "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
            "2.5.29.37.0" => "anyExtendedKeyUsage",
            other => other,
        },
    }
}

/// How the user changes.
fn differences(asked: &Asked, old: &Certificate) -> Differences {
    let groups = &asked.subject.organizations;
    let mut differences = Differences {
        dropped_groups: old
            .subject
            .organizations()
            .filter(|group| !groups.iter().any(|asked| asked == group))
            .map(str::to_owned)
            .collect(),
        added_groups: groups
            .iter()
            .filter(|group| !old.subject.organizations().any(|found| found == **group))
            .cloned()
            .collect(),
        ..Differences::default()
    };
    let before = old.subject.common_name().unwrap_or_default();
    let user = &asked.subject.common_name;
    if before != user {
        differences
            .others
            .push(format!("names {user} and no longer {before}"));
    }
    differences
}

/// The new one lives as long as the old one was to live.
///
/// kubeadm dates the certificate of a kubeconfig back to the first moment of its authority, so that
/// its two dates do not tell when it was made (seen with 1.32, 1.36 and 1.37; its pairs begin five
/// minutes before they are made). The authority of then may have been replaced since, and its first
/// moment with it. So no certificate of a kubeconfig lives longer than the pairs; where there are
/// none, one that begins with its authority or before it lives no longer than what is asked for by
/// default.
fn period(
    asked: &Asked,
    old: &Certificate,
    authority: &Authority,
    usual: Option<SignedDuration>,
) -> Period {
    let told = length(old.validity);
    let begin = old.validity.not_before;
    let is_backdated = begin <= authority.certificate().validity.not_before
        || authority
            .certificates
            .iter()
            .any(|signer| signer.validity.not_before == begin);
    let most = match usual {
        _ if !asked.in_kubeconfig => None,
        None if !is_backdated => None,
        usual => Some(usual.unwrap_or_else(|| length(asked.validity))),
    };
    let length = most.map_or(told, |most| told.min(most));
    Period {
        length,
        is_cut: length < told && !is_backdated,
    }
}

/// How long a new certificate lives.
struct Period {
    length: SignedDuration,
    /// Whether the old one may have been meant to live longer.
    is_cut: bool,
}

/// From the first moment to the last.
pub(super) fn length(validity: Validity) -> SignedDuration {
    validity.not_after.duration_since(validity.not_before)
}

fn days(length: SignedDuration) -> i64 {
    length.as_hours() / 24
}

/// The algorithm of new keys that is no weaker than that of the old one.
fn algorithm_of(key: &PublicKey) -> Option<KeyAlgorithm> {
    match key {
        PublicKey::Rsa { bits: ..=2048 } => Some(KeyAlgorithm::Rsa2048),
        PublicKey::Rsa { bits: ..=3072 } => Some(KeyAlgorithm::Rsa3072),
        PublicKey::Rsa { .. } => Some(KeyAlgorithm::Rsa4096),
        PublicKey::Ecdsa { curve } if curve == "P256" => Some(KeyAlgorithm::EcdsaP256),
        PublicKey::Ecdsa { curve } if matches!(curve.as_str(), "P384" | "P521") => {
            Some(KeyAlgorithm::EcdsaP384)
        }
        PublicKey::Ecdsa { .. } | PublicKey::Other { .. } => None,
    }
}
