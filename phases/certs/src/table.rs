//! The certificates of a control plane, as data.

use rinit_facts::{AlternativeNames, Facts};
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
    pub(crate) alternative_names: fn(&Facts) -> Option<&AlternativeNames>,
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
            alternative_names: |facts| Some(&facts.node.names.api_server),
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
            alternative_names: |facts| Some(&facts.node.names.etcd_server),
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
            alternative_names: |facts| Some(&facts.node.names.etcd_peer),
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

fn no_names(_: &Facts) -> Option<&AlternativeNames> {
    None
}

fn node_name(facts: &Facts) -> &str {
    &facts.node.name
}

fn kubelet_client_groups(facts: &Facts) -> &'static [&'static str] {
    if facts.cluster.version.kubelet_client_is_administrator() {
        &[groups::CLUSTER_ADMINS]
    } else {
        &[]
    }
}
