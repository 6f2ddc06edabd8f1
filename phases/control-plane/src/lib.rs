//! The control-plane phase of init: the static pods of the API server, the controller manager and
//! the scheduler.
//!
//! Each component is a row of a table and a module that says what it is started with. It
//! never starts a pod: the kubelet does, when it finds the manifests.

mod api_server;
mod authorization;
mod controller_manager;
mod scheduler;
mod volumes;

use rinit_facts::{Component, Facts, PatchTarget};
use rinit_manifest::arguments::last_value;
use rinit_manifest::pod::{PodError, StaticPod};
use rinit_plan::{DirectorySpec, FileMode, FileSpec, Plan, Resource, StaticPodSpec};
use rinit_workflow::{Phase, Reach};

/// The phase, with a leaf for each component.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "control-plane",
        "Generate the static pods of the control plane",
        PODS.iter().map(|row| {
            Phase::leaf(row.name, row.about, Reach::Files, |facts: &Facts| {
                plan(row, facts)
            })
        }),
    )
}

/// The leaf of join.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "control-plane",
        "Generate the manifests for the new control plane components",
        Reach::Files,
        |facts: &Facts| {
            let mut whole = Plan::default();
            for row in PODS.iter().filter(|_| !facts.is_worker()) {
                let plan = plan(row, facts);
                whole.actions.extend(plan.actions);
                whole.notes.extend(plan.notes);
            }
            whole
        },
    )
}

/// One component.
struct Row {
    /// kubeadm's name of the leaf.
    name: &'static str,
    /// What it does, for the help.
    about: &'static str,
    /// What its patches are called.
    patches: PatchTarget,
    /// Its pod.
    pod: fn(&Facts) -> StaticPod<'_>,
    /// A file that only it needs.
    beside: fn(&Facts) -> Option<FileSpec>,
    /// What the user should know about it.
    notes: fn(&Facts) -> Vec<String>,
}

static PODS: &[Row] = &[
    Row {
        name: "apiserver",
        about: "Generate the static pod of the API server",
        patches: PatchTarget::ApiServer,
        pod: api_server::pod,
        beside: |_| None,
        notes: authorization::notes,
    },
    Row {
        name: "controller-manager",
        about: "Generate the static pod of the controller manager",
        patches: PatchTarget::ControllerManager,
        pod: controller_manager::pod,
        beside: controller_manager::signer,
        notes: |_| Vec::new(),
    },
    Row {
        name: "scheduler",
        about: "Generate the static pod of the scheduler",
        patches: PatchTarget::Scheduler,
        pod: scheduler::pod,
        beside: |_| None,
        notes: |_| Vec::new(),
    },
];

fn plan(row: &Row, facts: &Facts) -> Plan {
    let plan = match file(row, facts) {
        Ok(file) => {
            let directory = Resource::Directory(DirectorySpec {
                path: facts.node.paths.manifests.clone(),
                mode: FileMode::PRIVATE_DIRECTORY,
            });
            let beside = (row.beside)(facts).map(Resource::File);
            let pod = Resource::StaticPod(file);
            Plan::of([directory].into_iter().chain(beside).chain([pod]))
        }
        Err(error) => Plan::of([error.refusal()]),
    };
    (row.notes)(facts).into_iter().fold(plan, Plan::with_note)
}

fn file(row: &Row, facts: &Facts) -> Result<StaticPodSpec, PodError> {
    let pod = (row.pod)(facts);
    pod.spec(
        facts.node.paths.manifest(pod.component.name),
        Facts::MANIFEST_MODE,
        facts.cluster.version.table(),
        facts.patches_of(row.patches),
    )
}

/// Where the kubelet asks a component that listens on the loopback address unless configured. The
/// node's own address serves where it listens on all.
fn probe_host(component: &Component) -> Option<String> {
    let configured = last_value(&component.extra_args, "bind-address").unwrap_or_default();
    match configured.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_unspecified() => None,
        _ if configured.is_empty() => Some(LOOPBACK.to_owned()),
        _ => Some(configured.to_owned()),
    }
}

/// The address that the controller manager and the scheduler listen on unless configured.
const LOOPBACK: &str = "127.0.0.1";
