//! The mark phase of init, `mark-control-plane`: the node is labelled and tainted as a control
//! plane.
//!
//! It never takes a label or a taint away.

use rinit_facts::Facts;
use rinit_plan::constants::{CONTROL_PLANE, EXCLUDE_FROM_LOAD_BALANCERS};
use rinit_plan::{Action, NodeMark, Plan};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase {
    Phase::leaf(
        "mark-control-plane",
        "Mark a node as a control-plane",
        Reach::Cluster,
        plan,
    )
    .with_aliases(&["mark"])
}

fn plan(facts: &Facts) -> Plan {
    Plan::of([
        Action::ClusterAdmins(facts.access.clone()),
        Action::NodeMark {
            access: facts.access.clone(),
            mark: NodeMark {
                node: facts.node.name.clone(),
                labels: vec![CONTROL_PLANE, EXCLUDE_FROM_LOAD_BALANCERS],
                taints: facts.node.taints.clone(),
                annotations: Vec::new(),
                limit_seconds: facts.timeouts.kubernetes_api_call,
            },
        },
    ])
}
