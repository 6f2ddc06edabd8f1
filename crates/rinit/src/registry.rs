//! The phases of `init` and `join`, in the order in which they run.

use rinit_facts::Facts;
use rinit_workflow::Phase;

/// The phase tree of `join`. Those that `init` has too come from the same crates.
pub(crate) fn join() -> Vec<Phase<Facts>> {
    vec![
        rinit_phase_preflight::join_phase(),
        Phase::group(
            "control-plane-prepare",
            "Prepare the machine for serving a control plane",
            [
                rinit_phase_download_certs::phase(),
                rinit_phase_certs::join_phase(),
                rinit_phase_kubeconfig::join_phase(),
                rinit_phase_control_plane::join_phase(),
            ],
        ),
        rinit_phase_kubelet_start::join_phase(),
        rinit_phase_etcd::join_phase(),
        rinit_phase_kubelet_wait_bootstrap::phase(),
        rinit_phase_mark::join_phase(),
        rinit_phase_wait::join_phase(),
    ]
}

/// The phase tree of `init`.
pub(crate) fn init() -> Vec<Phase<Facts>> {
    vec![
        rinit_phase_preflight::phase(),
        rinit_phase_certs::phase(),
        rinit_phase_kubeconfig::phase(),
        rinit_phase_etcd::phase(),
        rinit_phase_control_plane::phase(),
        rinit_phase_kubelet_start::phase(),
        rinit_phase_wait::phase(),
        rinit_phase_upload_config::phase(),
        rinit_phase_upload_certs::phase(),
        rinit_phase_mark::phase(),
        rinit_phase_bootstrap_token::phase(),
        rinit_phase_kubelet_finalize::phase(),
        rinit_phase_addon::phase(),
        rinit_phase_show_join_command::phase(),
    ]
}

#[cfg(test)]
mod tests {
    use rinit_facts::Role;
    use rinit_plan::{Action, Resource};
    use rinit_workflow::Selection;

    use super::*;

    fn joins(role: Role) -> Vec<Action> {
        let facts = rinit_testkit::join_facts("minimal", role);
        let plans = rinit_workflow::plans(&join(), &facts, &Selection::default());
        let plans = plans.unwrap_or_else(|error| panic!("{error}"));
        plans.into_iter().flat_map(|plan| plan.actions).collect()
    }

    #[test]
    fn a_worker_gets_nothing_of_a_control_plane() {
        let steps: Vec<String> = joins(Role::Worker)
            .iter()
            .filter(|action| !action.to_string().starts_with("check "))
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            steps,
            [
                "CA certificates /etc/kubernetes/pki/ca.crt",
                "kubeconfig /etc/kubernetes/bootstrap-kubelet.conf",
                "directory /var/lib/kubelet",
                "file /var/lib/kubelet/kubeadm-flags.env",
                "file /var/lib/kubelet/instance-config.yaml",
                "file /var/lib/kubelet/config.yaml",
                "unit kubelet",
                "health of kubelet",
                "TLS bootstrap of the kubelet (/etc/kubernetes/kubelet.conf)",
                "removal of file /etc/kubernetes/bootstrap-kubelet.conf",
            ]
        );
    }

    #[test]
    fn a_control_plane_never_generates_what_all_share() {
        for action in joins(Role::ControlPlane) {
            assert!(
                !matches!(
                    action,
                    Action::Ensure(Resource::CertificateAuthority(_) | Resource::KeyPair(_))
                ),
                "{action}"
            );
        }
    }

    #[test]
    fn a_plan_of_join_shows_no_token_and_no_key() {
        let shown = format!("{:?}", joins(Role::ControlPlane));
        assert!(shown.contains("bootstrap-kubelet.conf"));
        for secret in ["0123456789abcdef", "LS0t"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
