//! The kubeconfig phase of init: the files by which the administrators and the components of this
//! node reach the API server.
//!
//! Every file is a row of a table. This crate never makes a key; it says which file should exist,
//! for whom and where it points.

use rinit_facts::Facts;
use rinit_plan::{CaId, KubeconfigSpec, LogicalPath, Plan, Resource, Subject, groups, users};
use rinit_workflow::{Phase, Reach};

/// The phase, with a leaf for each file in the order of their making.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "kubeconfig",
        "Generate the kubeconfig files of the administrators and the control plane",
        FILES.iter().map(|file| {
            Phase::leaf(file.name, file.about, Reach::Files, |facts: &Facts| {
                Plan::of([Resource::Kubeconfig(spec(file, facts))])
            })
        }),
    )
}

/// The leaf of join. Its kubelet writes `kubelet.conf` itself, and `super-admin.conf` is for the
/// first control plane alone.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "kubeconfig",
        "Generate the kubeconfig for the new control plane components",
        Reach::Files,
        |facts: &Facts| {
            let files = FILES.iter().filter(|file| !facts.is_worker() && file.joins);
            Plan::of(files.map(|file| Resource::Kubeconfig(spec(file, facts))))
        },
    )
}

/// One kubeconfig file.
struct Row {
    /// kubeadm's name of the leaf.
    name: &'static str,
    /// The file below the kubeconfigs directory.
    file_name: &'static str,
    /// What it is for, for the help.
    about: &'static str,
    /// The user.
    user: fn(&Facts) -> String,
    /// The user's groups.
    organizations: &'static [&'static str],
    /// The URL of the API server that it points at.
    server: fn(&Facts) -> String,
    /// Whether a control plane that joins gets it.
    joins: bool,
    /// What says that the user of the file renews its certificate on its own.
    rotated: fn(&Facts) -> Option<LogicalPath>,
}

static FILES: &[Row] = &[
    Row {
        name: "admin",
        file_name: "admin.conf",
        about: "Generate a kubeconfig for the administrator and for init itself",
        user: |_| users::ADMINISTRATOR.to_owned(),
        organizations: &[groups::CLUSTER_ADMINS],
        server: control_plane,
        joins: true,
        rotated: never,
    },
    Row {
        name: "super-admin",
        file_name: "super-admin.conf",
        about: "Generate a kubeconfig for the administrator whom no rule of RBAC holds back",
        user: |_| users::SUPER_ADMINISTRATOR.to_owned(),
        organizations: &[groups::MASTERS],
        server: control_plane,
        joins: false,
        rotated: never,
    },
    Row {
        name: "kubelet",
        file_name: "kubelet.conf",
        about: "Generate a kubeconfig for the kubelet, for its start only",
        user: |facts| format!("{}{}", users::NODE_PREFIX, facts.node.name),
        organizations: &[groups::NODES],
        server: |facts| {
            if facts.kubelet_asks_own_api_server() {
                this_node(facts)
            } else {
                control_plane(facts)
            }
        },
        joins: false,
        rotated: |facts| Some(facts.node.paths.kubelet_client_certificate()),
    },
    Row {
        name: "controller-manager",
        file_name: "controller-manager.conf",
        about: "Generate a kubeconfig for the controller manager",
        user: |_| users::CONTROLLER_MANAGER.to_owned(),
        organizations: &[],
        server: this_node,
        joins: true,
        rotated: never,
    },
    Row {
        name: "scheduler",
        file_name: "scheduler.conf",
        about: "Generate a kubeconfig for the scheduler",
        user: |_| users::SCHEDULER.to_owned(),
        organizations: &[],
        server: this_node,
        joins: true,
        rotated: never,
    },
];

fn spec(file: &Row, facts: &Facts) -> KubeconfigSpec {
    KubeconfigSpec {
        name: file.file_name.to_owned(),
        path: facts.node.paths.kubeconfig(file.file_name),
        server: (file.server)(facts),
        cluster_name: facts.cluster.name.clone(),
        signer: facts.node.paths.signer(CaId::Cluster),
        subject: Subject {
            common_name: (file.user)(facts),
            organizations: file
                .organizations
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        },
        algorithm: facts.cluster.certificates.algorithm,
        validity: facts.cluster.certificates.leaf_validity,
        rotated: (file.rotated)(facts),
    }
}

/// The endpoint in front of all control planes, or this node's API server where there is none.
fn control_plane(facts: &Facts) -> String {
    facts.endpoint().url()
}

/// This node's own API server.
fn this_node(facts: &Facts) -> String {
    facts.node.api.endpoint().url()
}

fn never(_: &Facts) -> Option<LogicalPath> {
    None
}
