//! The bootstrap-token phase of init: nodes can join by a token, discover the cluster and get
//! certificates.
//!
//! It never changes what the controller manager adds to `cluster-info`, the signatures of live
//! tokens.

use rinit_facts::Facts;
use rinit_manifest::cluster;
use rinit_manifest::cluster::config_map::cluster_info;
use rinit_manifest::cluster::rbac::{ClusterBinding, ClusterRights, Readers, Rule, Who};
use rinit_plan::constants::{CLUSTER_INFO, KUBE_PUBLIC};
use rinit_plan::{Action, CaId, Plan, Resource, groups, users};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "bootstrap-token",
        "Generate bootstrap tokens used to join a node to a cluster",
        Reach::Cluster,
        plan,
    )
    .with_aliases(&["bootstraptoken"])
}

/// A node that joins looks whether one of its name is there already.
static GET_NODES: ClusterRights = ClusterRights {
    name: "kubeadm:get-nodes",
    rules: &[Rule {
        api_group: "",
        resources: &["nodes"],
        verbs: &["get"],
    }],
};

/// The rights that nodes and the API server need from the first join on, in kubeadm's order.
static BINDINGS: &[ClusterBinding] = &[
    ClusterBinding {
        name: "kubeadm:get-nodes",
        cluster_role: "kubeadm:get-nodes",
        subject: Who::Group(groups::BOOTSTRAPPERS),
    },
    // A node that joins asks for a client certificate,
    ClusterBinding {
        name: "kubeadm:kubelet-bootstrap",
        cluster_role: "system:node-bootstrapper",
        subject: Who::Group(groups::BOOTSTRAPPERS),
    },
    // gets it without anybody's approval,
    ClusterBinding {
        name: "kubeadm:node-autoapprove-bootstrap",
        cluster_role: "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        subject: Who::Group(groups::BOOTSTRAPPERS),
    },
    // and renews it likewise.
    ClusterBinding {
        name: "kubeadm:node-autoapprove-certificate-rotation",
        cluster_role: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        subject: Who::Group(groups::NODES),
    },
];

/// What the API server may do at kubelets, where its client certificate is of no group.
static KUBELET_CLIENT: ClusterBinding = ClusterBinding {
    name: "kubeadm:apiserver-kubelet-client",
    cluster_role: "system:kubelet-api-admin",
    subject: Who::User(users::API_SERVER_KUBELET_CLIENT),
};

/// A node that joins reads `cluster-info` before it can trust anybody.
static CLUSTER_INFO_READERS: Readers = Readers {
    name: "kubeadm:bootstrap-signer-clusterinfo",
    namespace: KUBE_PUBLIC,
    resource: "configmaps",
    resource_name: CLUSTER_INFO,
    subjects: &[Who::User(users::ANONYMOUS)],
};

fn plan(facts: &Facts) -> Plan {
    let mut actions = vec![Action::from(Resource::ClusterAdmins(
        facts.node.access.clone(),
    ))];
    actions.extend(
        facts
            .inputs
            .bootstrap_tokens
            .iter()
            .map(|token| Resource::BootstrapToken {
                access: facts.node.access.clone(),
                token: token.clone(),
            })
            .map(Action::from),
    );
    let mut objects = vec![GET_NODES.object()];
    objects.extend(BINDINGS.iter().map(ClusterBinding::object));
    if !facts.cluster.version.kubelet_client_is_administrator() {
        objects.push(KUBELET_CLIENT.object());
    }
    objects.push(cluster_info(
        &facts.endpoint().url(),
        &facts.node.paths.ca_certificate(CaId::Cluster),
    ));
    objects.extend(CLUSTER_INFO_READERS.objects());
    actions.extend(
        objects
            .into_iter()
            .map(|object| cluster::apply(&facts.node.access, object)),
    );
    Plan::of(actions)
}
