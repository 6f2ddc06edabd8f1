//! The phases of init, in the order in which they run.

use rinit_facts::Facts;
use rinit_workflow::Phase;

/// The phase tree.
pub(crate) fn phases() -> Vec<Phase<Facts>> {
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
