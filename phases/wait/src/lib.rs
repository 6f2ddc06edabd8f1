//! The wait phase of init, `wait-control-plane`: the kubelet and the components of the control
//! plane answer, and `admin.conf` has its rights.
//!
//! It never restarts or repairs anything; what does not answer in time is reported.

use rinit_facts::Facts;
use rinit_plan::component::{API_SERVER, CONTROLLER_MANAGER, SCHEDULER};
use rinit_plan::{Action, Gate, Plan, Resource, WaitSpec, WaitTarget};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "wait-control-plane",
        "Wait for the control plane to start",
        Reach::Cluster,
        plan,
    )
    .with_aliases(&["wait"])
}

/// The same as the last phase of join, which has nothing to do on a worker.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "wait-control-plane",
        "Wait for the control plane to start",
        Reach::Cluster,
        plan,
    )
}

fn plan(facts: &Facts) -> Plan {
    if facts.is_worker() {
        return Plan::default();
    }
    let mut plan = Plan::default();
    match facts.kubelet_health_url() {
        Some(url) => plan.actions.push(wait(
            WaitTarget::Kubelet { url },
            facts.node.timeouts.kubelet_health_check,
        )),
        None => plan
            .notes
            .push("the kubelet is not waited for: its `healthzPort` is 0".to_owned()),
    }
    let limit = facts.node.timeouts.control_plane_component_health_check;
    // etcd has no URL that kubeadm waits for: the API server is healthy with it alone.
    for component in [&API_SERVER, &CONTROLLER_MANAGER, &SCHEDULER] {
        let is_api_server = component == &API_SERVER;
        // The API server may refuse anonymous requests; the others let them read their health.
        let credentials = is_api_server.then(|| facts.node.access.kubeconfig.clone());
        plan.actions.push(wait(
            WaitTarget::StaticPod {
                component: component.name,
                manifest: facts.node.paths.manifest(component.name),
                default_address: if is_api_server {
                    facts.node.api.advertise_address.to_string()
                } else {
                    "127.0.0.1".to_owned()
                },
                credentials,
            },
            limit,
        ));
    }
    plan.actions.push(wait(
        WaitTarget::ApiServer {
            access: facts.node.access.clone(),
        },
        limit,
    ));
    plan.actions
        .push(Resource::ClusterAdmins(facts.node.access.clone()).into());
    plan
}

fn wait(target: WaitTarget, limit_seconds: u64) -> Action {
    Action::Gate(Gate::Wait(WaitSpec {
        target,
        limit_seconds,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_answers_and_then_the_administrator_has_his_rights() {
        insta::assert_yaml_snapshot!(plan(&rinit_testkit::facts("objects/plain")));
    }

    #[test]
    fn the_kubelet_is_asked_where_its_configuration_says() {
        let mut facts = rinit_testkit::facts("objects/plain");
        facts.cluster.kubelet_configuration["healthzBindAddress"] = "::1".into();
        facts.cluster.kubelet_configuration["healthzPort"] = 10333.into();
        assert_eq!(
            facts.kubelet_health_url().as_deref(),
            Some("http://[::1]:10333/healthz")
        );
    }

    #[test]
    fn a_kubelet_without_a_health_port_is_not_waited_for() {
        let mut facts = rinit_testkit::facts("objects/plain");
        facts.cluster.kubelet_configuration["healthzPort"] = 0.into();
        let plan = plan(&facts);
        let waits = plan.actions.iter().filter_map(|action| match action {
            Action::Gate(Gate::Wait(wait)) => Some(wait.target.component()),
            _ => None,
        });
        assert_eq!(
            waits.collect::<Vec<_>>(),
            [
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kube-apiserver"
            ]
        );
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn each_wait_has_the_patience_configured_for_it() {
        let mut facts = rinit_testkit::facts("objects/plain");
        facts.node.timeouts.kubelet_health_check = 11;
        facts.node.timeouts.control_plane_component_health_check = 22;
        let limits = plan(&facts)
            .actions
            .into_iter()
            .filter_map(|action| match action {
                Action::Gate(Gate::Wait(wait)) => Some(wait.limit_seconds),
                _ => None,
            });
        assert_eq!(limits.collect::<Vec<_>>(), [11, 22, 22, 22, 22]);
    }
}
