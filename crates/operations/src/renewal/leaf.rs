//! What a renewed certificate says: what the old one said, and what the configuration asks for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use rinit_pki::{AlternativeName, Authority, Certificate, Leaf, PublicKey, Usage};
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

/// How its names differ from those of the old one and of the configuration.
#[derive(Default)]
pub(super) struct Names {
    pub(super) kept: Vec<String>,
    pub(super) dropped: Vec<String>,
    pub(super) added: Vec<String>,
}

pub(super) fn decide(
    asked: &Asked,
    old: Option<&Certificate>,
    options: &Options,
    authority: &Authority,
) -> (NewLeaf, Names) {
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
        return (leaf, Names::default());
    };
    if !options.configured {
        let leaf = NewLeaf {
            subject: subject_of(old),
            usages: usages_of(old),
            dns_names: old.dns_names().map(str::to_owned).collect(),
            ip_addresses: old.ip_addresses().collect(),
            validity: Validity {
                not_before: begin,
                not_after: end_after(begin, old.validity, asked.validity),
            },
            algorithm: algorithm_of(&old.public_key).unwrap_or(asked.algorithm),
        };
        // Mail addresses and the like: Kubernetes looks at none of them.
        let dropped = others(old);
        return (
            leaf,
            Names {
                dropped,
                ..Names::default()
            },
        );
    }
    let mut names = Names::default();
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
    (leaf, names)
}

fn subject_of(old: &Certificate) -> Subject {
    Subject {
        common_name: old.subject.common_name().unwrap_or_default().to_owned(),
        organizations: old.subject.organizations().map(str::to_owned).collect(),
    }
}

fn usages_of(old: &Certificate) -> Vec<ExtendedKeyUsage> {
    old.extended_key_usages
        .iter()
        .filter_map(|usage| match usage {
            Usage::Known(usage) => Some(*usage),
            Usage::Other(_) => None,
        })
        .collect()
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

/// The new one lives as long as the old one was to live.
fn end_after(begin: Timestamp, old: Validity, asked: Validity) -> Timestamp {
    begin
        .checked_add(old.not_after.duration_since(old.not_before))
        .unwrap_or(asked.not_after)
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
