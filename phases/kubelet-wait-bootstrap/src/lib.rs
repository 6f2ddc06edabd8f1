//! The kubelet-wait-bootstrap phase of join: the kubelet answers and has its own certificate, and
//! what it asked for it with is removed.
//!
//! It never asks for a certificate itself.

use rinit_facts::Facts;
use rinit_plan::{ApiAccess, Gate, NodeMark, Plan, Removal, Resource, WaitSpec, WaitTarget};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "kubelet-wait-bootstrap",
        "Wait for the kubelet to bootstrap itself",
        Reach::Cluster,
        plan,
    )
}

fn plan(facts: &Facts) -> Plan {
    let Some(join) = &facts.inputs.join else {
        return Plan::default();
    };
    let paths = &facts.node.paths;
    let kubeconfig = paths.kubeconfig("kubelet.conf");
    let wait = |target, limit_seconds| {
        Gate::Wait(WaitSpec {
            target,
            limit_seconds,
        })
    };
    let mut plan = Plan::default();
    if let Some(url) = facts.kubelet_health_url() {
        let target = WaitTarget::Kubelet { url };
        let limit = facts.node.timeouts.kubelet_health_check;
        plan.actions.push(wait(target, limit).into());
    }
    let target = WaitTarget::KubeletBootstrap {
        kubeconfig: kubeconfig.clone(),
    };
    plan.actions
        .push(wait(target, join.tls_bootstrap_seconds).into());
    plan.actions.push(
        Removal::File {
            path: paths.kubeconfig("bootstrap-kubelet.conf"),
            after: vec![kubeconfig.clone()],
        }
        .into(),
    );
    if let Some(annotation) = facts.socket_annotation() {
        plan.actions.push(
            Resource::NodeMark {
                access: ApiAccess {
                    kubeconfig,
                    super_kubeconfig: None,
                    server: None,
                },
                mark: NodeMark {
                    node: facts.node.name.clone(),
                    labels: Vec::new(),
                    taints: Vec::new(),
                    annotations: vec![annotation],
                    limit_seconds: facts.node.timeouts.kubernetes_api_call,
                },
            }
            .into(),
        );
    }
    plan
}
