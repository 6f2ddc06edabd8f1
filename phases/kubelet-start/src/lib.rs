//! The kubelet-start phase of init: the kubelet's configuration on this node, and its start.
//!
//! It writes what is the cluster's and what is this node's alone, and asks for a kubelet that
//! read both. It never waits for the kubelet: that is the next phase.

mod flags;

use rinit_facts::{Etcd, Facts, Patch, PatchTarget, PatchType};
use rinit_manifest::patch::{self, MergeKeys, PatchError};
use rinit_manifest::yaml;
use rinit_plan::component::{COMPONENTS, Component, ETCD};
use rinit_plan::{DirectorySpec, FileMode, FileSpec, LogicalPath, Plan, Resource, UnitSpec};
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

fn plan(facts: &Facts) -> Plan {
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
    let unit = UnitSpec {
        name: "kubelet",
        files: files.iter().map(|file| file.path.clone()).collect(),
        // Without it the kubelet ends, and is started again until it is there.
        optional: vec![paths.kubeconfig("kubelet.conf")],
        // A kubelet that does not find the directory looks for it only after a while.
        reads: vec![paths.manifests.clone()],
        pods: Vec::new(),
        only_if_running: false,
    };
    let pods = UnitSpec {
        name: "kubelet",
        files: Vec::new(),
        optional: Vec::new(),
        reads: Vec::new(),
        pods: static_pods(facts),
        only_if_running: true,
    };
    let directories = [&paths.kubelet, &paths.manifests].map(|path| {
        Resource::Directory(DirectorySpec {
            path: path.clone(),
            mode: FileMode::PRIVATE_DIRECTORY,
        })
    });
    Plan::of(
        directories
            .into_iter()
            .chain(files.into_iter().map(Resource::File))
            .chain([unit, pods].map(Resource::Unit)),
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
