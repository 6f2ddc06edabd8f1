//! The phases of `init` and `join`, in the order in which they run.

use rinit_cli::Trees;
use rinit_facts::Facts;
use rinit_workflow::Phase;

/// The phases of all commands, by their names.
pub(crate) fn trees(init: &[Phase<Facts>], join: &[Phase<Facts>]) -> Trees {
    Trees {
        init: init.iter().map(Phase::outline).collect(),
        join: join.iter().map(Phase::outline).collect(),
    }
}

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
