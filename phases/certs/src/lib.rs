//! The certs phase of init: three certificate authorities, the seven certificates that they sign,
//! and the key pair of service account tokens.
//!
//! Every leaf is a row of a table. This crate never makes a key and never reads a certificate; it
//! says which should exist.

mod table;

use rinit_facts::{Etcd, Facts};
use rinit_plan::{
    CaId, CertificateAuthoritySpec, CertificateSpec, KeyPairSpec, Plan, Resource, Subject,
};
use rinit_workflow::{Phase, Reach};

use table::{ENTRIES, Entry, Kind, Leaf};

/// The phase, with a leaf for each certificate in the order of their making.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "certs",
        "Generate the certificates and keys",
        ENTRIES.iter().map(|entry| {
            Phase::leaf(entry.name, entry.about, Reach::Files, |facts: &Facts| {
                plan(entry, facts)
            })
        }),
    )
}

/// The leaf of join that generates what each control plane has for itself. The CAs and the service
/// account keys are shared, and never generated.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "certs",
        "Generate the certificates for the new control plane components",
        Reach::Files,
        |facts: &Facts| {
            if facts.is_worker() {
                return Plan::default();
            }
            let own = ENTRIES
                .iter()
                .filter(|entry| matches!(entry.kind, Kind::Leaf(_)))
                .filter(|entry| {
                    !entry.of_local_etcd || matches!(facts.cluster.etcd, Etcd::Local(_))
                });
            Plan::of(own.flat_map(|entry| plan(entry, facts).actions))
        },
    )
}

fn plan(entry: &Entry, facts: &Facts) -> Plan {
    if entry.of_local_etcd && matches!(facts.cluster.etcd, Etcd::External(_)) {
        return Plan::nothing(format!("external etcd: {} is not made here", entry.name));
    }
    Plan::of([match &entry.kind {
        Kind::Authority { id, common_name } => authority(*id, common_name, facts),
        Kind::Leaf(leaf) => certificate(entry.name, leaf, facts),
        Kind::ServiceAccountKeys => Resource::KeyPair(KeyPairSpec {
            private_key: facts.node.paths.certificate_file("sa.key"),
            public_key: facts.node.paths.certificate_file("sa.pub"),
            algorithm: facts.cluster.certificates.algorithm,
        }),
    }])
}

fn authority(id: CaId, common_name: &str, facts: &Facts) -> Resource {
    Resource::CertificateAuthority(CertificateAuthoritySpec {
        id,
        certificate: facts.node.paths.ca_certificate(id),
        key: facts.node.paths.ca_key(id),
        common_name: common_name.to_owned(),
        algorithm: facts.cluster.certificates.algorithm,
        validity: facts.cluster.certificates.ca_validity,
    })
}

fn certificate(name: &str, leaf: &Leaf, facts: &Facts) -> Resource {
    let names = (leaf.alternative_names)(facts).cloned().unwrap_or_default();
    Resource::Certificate(CertificateSpec {
        name: name.to_owned(),
        certificate: facts
            .node
            .paths
            .certificate_file(&format!("{}.crt", leaf.base_name)),
        key: facts
            .node
            .paths
            .certificate_file(&format!("{}.key", leaf.base_name)),
        signer: facts.node.paths.signer(leaf.signer),
        subject: Subject {
            common_name: (leaf.common_name)(facts).to_owned(),
            organizations: (leaf.organizations)(facts)
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        },
        usages: leaf.usages.to_vec(),
        dns_names: names.dns_names,
        ip_addresses: names.ip_addresses,
        algorithm: facts.cluster.certificates.algorithm,
        validity: facts.cluster.certificates.leaf_validity,
    })
}
