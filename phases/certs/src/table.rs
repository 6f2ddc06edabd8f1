//! The certificates of a control plane, as data.

use std::net::IpAddr;

use rinit_facts::{Etcd, Facts, LocalEtcd};
use rinit_plan::ExtendedKeyUsage::{self, ClientAuth, ServerAuth};
use rinit_plan::{CaId, groups, users};

/// One leaf of the phase.
pub(crate) struct Entry {
    /// kubeadm's name.
    pub(crate) name: &'static str,
    /// What it is for, for the help.
    pub(crate) about: &'static str,
    /// Whether it belongs to an etcd of this node, so that an external one does without it.
    pub(crate) of_local_etcd: bool,
    /// What it makes.
    pub(crate) kind: Kind,
}

/// What a leaf makes.
pub(crate) enum Kind {
    /// A self-signed authority.
    Authority { id: CaId, common_name: &'static str },
    /// A certificate signed by one of them.
    Leaf(Leaf),
    /// The key pair of service account tokens.
    ServiceAccountKeys,
}

/// A signed certificate.
pub(crate) struct Leaf {
    /// The path of its files below the certificates folder, without `.crt` and `.key`.
    pub(crate) base_name: &'static str,
    /// Who signs it.
    pub(crate) signer: CaId,
    /// Whom it names.
    pub(crate) common_name: fn(&Facts) -> &str,
    /// The groups of whom it names.
    pub(crate) organizations: fn(&Facts) -> &'static [&'static str],
    /// What it is for, in kubeadm's order.
    pub(crate) usages: &'static [ExtendedKeyUsage],
    /// What else it names.
    pub(crate) alternative_names: fn(&Facts) -> AlternativeNames<'_>,
}

/// The names and addresses at which a server is found.
#[derive(Default)]
pub(crate) struct AlternativeNames<'a> {
    pub(crate) dns_names: &'a [String],
    pub(crate) ip_addresses: &'a [IpAddr],
}

/// All of them, in kubeadm's order.
pub(crate) static ENTRIES: &[Entry] = &[
    Entry {
        name: "ca",
        about: "Generate the self-signed authority that provisions identities for Kubernetes",
        of_local_etcd: false,
        kind: Kind::Authority {
            id: CaId::Cluster,
            common_name: "kubernetes",
        },
    },
    Entry {
        name: "apiserver",
        about: "Generate the certificate with which the API server serves",
        of_local_etcd: false,
        kind: Kind::Leaf(Leaf {
            base_name: "apiserver",
            signer: CaId::Cluster,
            common_name: |_| "kube-apiserver",
            organizations: no_groups,
            usages: &[ServerAuth],
            alternative_names: |facts| AlternativeNames {
                dns_names: &facts.certificates.api_server_dns_names,
                ip_addresses: &facts.certificates.api_server_ip_addresses,
            },
        }),
    },
    Entry {
        name: "apiserver-kubelet-client",
        about: "Generate the certificate with which the API server connects to kubelets",
        of_local_etcd: false,
        kind: Kind::Leaf(Leaf {
            base_name: "apiserver-kubelet-client",
            signer: CaId::Cluster,
            common_name: |_| users::API_SERVER_KUBELET_CLIENT,
            organizations: kubelet_client_groups,
            usages: &[ClientAuth],
            alternative_names: no_names,
        }),
    },
    Entry {
        name: "front-proxy-ca",
        about: "Generate the self-signed authority that provisions identities for the front proxy",
        of_local_etcd: false,
        kind: Kind::Authority {
            id: CaId::FrontProxy,
            common_name: "front-proxy-ca",
        },
    },
    Entry {
        name: "front-proxy-client",
        about: "Generate the certificate of the front proxy's client",
        of_local_etcd: false,
        kind: Kind::Leaf(Leaf {
            base_name: "front-proxy-client",
            signer: CaId::FrontProxy,
            common_name: |_| users::FRONT_PROXY_CLIENT,
            organizations: no_groups,
            usages: &[ClientAuth],
            alternative_names: no_names,
        }),
    },
    Entry {
        name: "etcd-ca",
        about: "Generate the self-signed authority that provisions identities for etcd",
        of_local_etcd: true,
        kind: Kind::Authority {
            id: CaId::Etcd,
            common_name: "etcd-ca",
        },
    },
    Entry {
        name: "etcd-server",
        about: "Generate the certificate with which etcd serves",
        of_local_etcd: true,
        kind: Kind::Leaf(Leaf {
            base_name: "etcd/server",
            signer: CaId::Etcd,
            common_name: node_name,
            organizations: no_groups,
            usages: &[ServerAuth, ClientAuth],
            alternative_names: |facts| {
                local_etcd(facts).map_or_else(AlternativeNames::default, |etcd| AlternativeNames {
                    dns_names: &etcd.server_dns_names,
                    ip_addresses: &etcd.server_ip_addresses,
                })
            },
        }),
    },
    Entry {
        name: "etcd-peer",
        about: "Generate the certificate with which the members of etcd speak to each other",
        of_local_etcd: true,
        kind: Kind::Leaf(Leaf {
            base_name: "etcd/peer",
            signer: CaId::Etcd,
            common_name: node_name,
            organizations: no_groups,
            usages: &[ServerAuth, ClientAuth],
            alternative_names: |facts| {
                local_etcd(facts).map_or_else(AlternativeNames::default, |etcd| AlternativeNames {
                    dns_names: &etcd.peer_dns_names,
                    ip_addresses: &etcd.peer_ip_addresses,
                })
            },
        }),
    },
    Entry {
        name: "etcd-healthcheck-client",
        about: "Generate the certificate of etcd's health checks",
        of_local_etcd: true,
        kind: Kind::Leaf(Leaf {
            base_name: "etcd/healthcheck-client",
            signer: CaId::Etcd,
            common_name: |_| users::ETCD_HEALTHCHECK_CLIENT,
            organizations: no_groups,
            usages: &[ClientAuth],
            alternative_names: no_names,
        }),
    },
    Entry {
        name: "apiserver-etcd-client",
        about: "Generate the certificate with which the API server connects to etcd",
        of_local_etcd: true,
        kind: Kind::Leaf(Leaf {
            base_name: "apiserver-etcd-client",
            signer: CaId::Etcd,
            common_name: |_| users::API_SERVER_ETCD_CLIENT,
            organizations: no_groups,
            usages: &[ClientAuth],
            alternative_names: no_names,
        }),
    },
    Entry {
        name: "sa",
        about: "Generate the key pair that signs service account tokens",
        of_local_etcd: false,
        kind: Kind::ServiceAccountKeys,
    },
];

fn no_groups(_: &Facts) -> &'static [&'static str] {
    &[]
}

fn no_names(_: &Facts) -> AlternativeNames<'_> {
    AlternativeNames::default()
}

fn node_name(facts: &Facts) -> &str {
    &facts.node.name
}

fn kubelet_client_groups(facts: &Facts) -> &'static [&'static str] {
    if facts.version.kubelet_client_is_administrator() {
        &[groups::CLUSTER_ADMINS]
    } else {
        &[]
    }
}

fn local_etcd(facts: &Facts) -> Option<&LocalEtcd> {
    match &facts.etcd {
        Etcd::Local(etcd) => Some(etcd),
        Etcd::External(_) => None,
    }
}
