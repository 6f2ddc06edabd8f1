//! The mark phase of init, `mark-control-plane`: the node is labelled and tainted as a control
//! plane.
//!
//! It never takes a label or a taint away.

use rinit_facts::Facts;
use rinit_plan::constants::{CONTROL_PLANE, EXCLUDE_FROM_LOAD_BALANCERS};
use rinit_plan::{NodeMark, Plan, Resource};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "mark-control-plane",
        "Mark a node as a control-plane",
        Reach::Cluster,
        plan,
    )
    .with_aliases(&["mark"])
}

/// The same as the group of join, which has nothing to do on a worker.
pub fn join_phase() -> Phase<Facts> {
    Phase::group(
        "control-plane-join",
        "Join a machine as a control plane instance",
        [Phase::leaf(
            "mark-control-plane",
            "Mark a node as a control-plane",
            Reach::Cluster,
            plan,
        )],
    )
}

fn plan(facts: &Facts) -> Plan {
    if facts.is_worker() {
        return Plan::default();
    }
    Plan::of([
        Resource::ClusterAdmins(facts.node.access.clone()),
        Resource::NodeMark {
            access: facts.node.access.clone(),
            mark: NodeMark {
                node: facts.node.name.clone(),
                labels: vec![CONTROL_PLANE, EXCLUDE_FROM_LOAD_BALANCERS],
                taints: facts.node.taints.clone(),
                annotations: Vec::new(),
                limit_seconds: facts.node.timeouts.kubernetes_api_call,
            },
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_plan::Action;

    #[test]
    fn a_control_plane_is_labelled_and_tainted() {
        insta::assert_yaml_snapshot!(plan(&rinit_testkit::facts("objects/plain")));
    }

    #[test]
    fn taints_are_the_configured_ones_and_the_wait_is_that_of_api_calls() {
        let mut facts = rinit_testkit::facts("objects/plain");
        facts.node.taints.clear();
        facts.node.timeouts.kubernetes_api_call = 77;
        let plan = plan(&facts);
        let Some(Action::Ensure(Resource::NodeMark { mark, .. })) = plan.actions.last() else {
            panic!("the last action marks the node: {plan:?}");
        };
        assert_eq!(mark.taints, []);
        assert_eq!(mark.labels, [CONTROL_PLANE, EXCLUDE_FROM_LOAD_BALANCERS]);
        assert_eq!(mark.limit_seconds, 77);
    }
}
