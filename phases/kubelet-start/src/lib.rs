//! The kubelet-start phase of init: the kubelet's configuration on this node, and its start.
//!
//! It writes what is the cluster's and what is this node's alone, and asks for a kubelet that
//! read both. It never waits for the kubelet: that is the next phase.

mod flags;

use rinit_facts::{Etcd, Facts, Join, Patch, PatchTarget, PatchType};
use rinit_manifest::kubeconfig;
use rinit_manifest::patch::{self, MergeKeys, PatchError};
use rinit_manifest::yaml;
use rinit_plan::component::{COMPONENTS, Component, ETCD};
use rinit_plan::{
    BootstrapKubeconfigSpec, CaId, DirectorySpec, FileMode, FileSpec, LogicalPath, Plan, Resource,
    Secret, TrustBundleSpec, UnitSpec,
};
use rinit_workflow::{Phase, Reach};
use serde_json::{Value, json};

/// The phase.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "kubelet-start",
        "Write the settings of the kubelet and start it",
        Reach::Host,
        plan,
    )
}

/// The same for a node that joins: its kubelet has a kubeconfig to ask for its certificate with.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "kubelet-start",
        "Write kubelet settings, certificates and (re)start the kubelet",
        Reach::Host,
        join_plan,
    )
}

fn join_plan(facts: &Facts) -> Plan {
    let Some(join) = &facts.inputs.join else {
        return Plan::default();
    };
    let paths = &facts.node.paths;
    let ca = paths.ca_certificate(CaId::Cluster);
    let bootstrap = paths.kubeconfig("bootstrap-kubelet.conf");
    let mut plan = Plan::of([
        Resource::TrustBundle(TrustBundleSpec {
            path: ca.clone(),
            certificates: join.certificates.clone(),
        }),
        Resource::BootstrapKubeconfig(BootstrapKubeconfigSpec {
            path: bootstrap.clone(),
            kubelet_kubeconfig: paths.kubeconfig("kubelet.conf"),
            certificates: join.certificates.clone(),
            text: bootstrap_kubeconfig(facts, join),
        }),
    ]);
    plan.actions
        .extend(start(facts, Vec::new(), vec![ca, bootstrap]).actions);
    plan
}

/// On a control plane it leads to the node's own API server, where the minor does so.
fn bootstrap_kubeconfig(facts: &Facts, join: &Join) -> Secret<String> {
    let server = if facts.is_worker() || !facts.kubelet_asks_own_api_server() {
        join.server.clone()
    } else {
        facts.node.api.endpoint().url()
    };
    let user = serde_json::from_str(join.user.expose()).unwrap_or_default();
    kubeconfig::of_user(&server, &facts.cluster.name, &join.certificates, &user)
}

fn plan(facts: &Facts) -> Plan {
    // Without it the kubelet ends, and is started again until it is there.
    let kubeconfig = facts.node.paths.kubeconfig("kubelet.conf");
    let mut plan = start(facts, vec![kubeconfig], Vec::new());
    if facts.ambiguous_runtime().is_none() && plan.actions.len() > 1 {
        plan.actions.push(
            Resource::Unit(UnitSpec {
                name: "kubelet",
                files: Vec::new(),
                optional: Vec::new(),
                reads: Vec::new(),
                pods: static_pods(facts),
                only_if_running: true,
            })
            .into(),
        );
    }
    plan
}

/// The kubelet's files, and its start. What is optional is a reason to restart if it is newer; what
/// is read is none.
fn start(facts: &Facts, optional: Vec<LogicalPath>, mut reads: Vec<LogicalPath>) -> Plan {
    let paths = &facts.node.paths;
    if let Some(refusal) = facts.ambiguous_runtime() {
        return Plan::of([refusal]);
    }
    let configuration = match configuration(facts) {
        Ok(configuration) => configuration,
        Err(error) => return Plan::of([error.refusal()]),
    };
    let mut files = vec![file(paths.kubelet_flags(), flags::environment_file(facts))];
    if let Some(instance) = instance_configuration(facts) {
        files.push(file(paths.kubelet_instance_config(), instance));
    }
    files.push(file(
        paths.kubelet_config(),
        yaml::to_string(&configuration),
    ));
    // A kubelet that does not find the directory looks for it only after a while.
    reads.push(paths.manifests.clone());
    let unit = UnitSpec {
        name: "kubelet",
        files: files.iter().map(|file| file.path.clone()).collect(),
        optional,
        reads,
        pods: Vec::new(),
        only_if_running: false,
    };
    // Without static pods the kubelet does without the directory, as after a join of kubeadm.
    let manifests = (!facts.is_worker()).then_some(&paths.manifests);
    let directories = [Some(&paths.kubelet), manifests]
        .into_iter()
        .flatten()
        .map(|path| {
            Resource::Directory(DirectorySpec {
                path: path.clone(),
                mode: FileMode::PRIVATE_DIRECTORY,
            })
        });
    Plan::of(
        directories
            .chain(files.into_iter().map(Resource::File))
            .chain([Resource::Unit(unit)]),
    )
}

fn file(path: LogicalPath, text: String) -> FileSpec {
    FileSpec {
        path,
        mode: FileMode::PUBLIC,
        text,
    }
}

/// The cluster's configuration, what this host needs, the user's patches, and last what this node
/// alone has: the runtime's socket, which no patch may move.
fn configuration(facts: &Facts) -> Result<Value, PatchError> {
    let mut configuration = facts.cluster.kubelet_configuration.clone();
    if let (Some(resolv_conf), None) = (&facts.node.resolv_conf, configuration.get("resolvConf")) {
        configuration["resolvConf"] = json!(resolv_conf.as_str());
    }
    let instance = facts.has_instance_configuration().then(|| Patch {
        target: PatchTarget::KubeletConfiguration,
        patch_type: PatchType::Strategic,
        document: json!({ "containerRuntimeEndpoint": facts.node.cri_socket }),
        file: facts.node.paths.kubelet_instance_config().to_string(),
    });
    patch::apply(
        configuration,
        facts
            .patches_of(PatchTarget::KubeletConfiguration)
            .chain(&instance),
        MergeKeys::None,
    )
}

/// What is this node's alone, in the one line that kubeadm reads back (Kubernetes 1.34).
fn instance_configuration(facts: &Facts) -> Option<String> {
    facts.has_instance_configuration().then(|| {
        format!(
            "containerRuntimeEndpoint: {}\n",
            flags::quote(&facts.node.cri_socket)
        )
    })
}

/// The manifests of the static pods that this node runs.
fn static_pods(facts: &Facts) -> Vec<LogicalPath> {
    let is_here = |one: &&Component| *one != &ETCD || matches!(facts.cluster.etcd, Etcd::Local(_));
    COMPONENTS
        .into_iter()
        .filter(is_here)
        .map(|one| facts.node.paths.manifest(one.name))
        .collect()
}
