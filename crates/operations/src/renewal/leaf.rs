//! What a renewed certificate says: what the old one said, and what the configuration asks for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::SignedDuration;
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
        let leaf = NewLeaf {
            subject: subject_of(old),
            usages: usages_of(old),
            dns_names: old.dns_names().map(str::to_owned).collect(),
            ip_addresses: old.ip_addresses().collect(),
            validity: Validity {
                not_before: begin,
                not_after: asked
                    .validity
                    .not_before
                    .checked_add(period(asked, old, authority, usual))
                    .unwrap_or(asked.validity.not_after),
            },
            algorithm: algorithm_of(&old.public_key).unwrap_or(asked.algorithm),
        };
        // Mail addresses and the like: Kubernetes looks at none of them.
        let dropped = others(old);
        return (
            leaf,
            Differences {
                dropped,
                ..Differences::default()
            },
        );
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

/// How the user and the key change.
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
    let algorithm = asked.algorithm.to_string();
    if old.public_key.to_string() != algorithm {
        differences.others.push(format!(
            "gets a key of {algorithm} and no longer of {}",
            old.public_key
        ));
    }
    differences
}

/// The new one lives as long as the old one was to live.
///
/// kubeadm dates the certificate of a kubeconfig back to the first moment of its authority, so that
/// its two dates do not tell when it was made (seen with 1.32, 1.36 and 1.37; its pairs begin five
/// minutes before they are made). It lives no longer than those, and where there are none, no
/// longer than what is asked for by default. The same holds for one that begins before its
/// authority: that of then was replaced by one for the same key, and its first moment is not known.
fn period(
    asked: &Asked,
    old: &Certificate,
    authority: &Authority,
    usual: Option<SignedDuration>,
) -> SignedDuration {
    let told = length(old.validity);
    let begin = old.validity.not_before;
    let is_backdated = asked.in_kubeconfig
        && (begin < authority.certificate().validity.not_before
            || authority
                .certificates
                .iter()
                .any(|signer| signer.validity.not_before == begin));
    if is_backdated {
        told.min(usual.unwrap_or_else(|| length(asked.validity)))
    } else {
        told
    }
}

/// From the first moment to the last.
pub(super) fn length(validity: Validity) -> SignedDuration {
    validity.not_after.duration_since(validity.not_before)
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
