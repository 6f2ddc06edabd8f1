//! What the command line says beside the configuration file. A flag wins over the file.

use rinit_plan::{LogicalPath, Secret};

/// The flags of `init` and its phases that decide facts; `None` where a flag was not given.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--apiserver-advertise-address`
    pub apiserver_advertise_address: Option<String>,
    /// `--apiserver-bind-port`
    pub apiserver_bind_port: Option<u16>,
    /// `--apiserver-cert-extra-sans`
    pub apiserver_cert_extra_sans: Vec<String>,
    /// `--cert-dir`
    pub cert_dir: Option<String>,
    /// `--certificate-key`
    pub certificate_key: Option<Secret<String>>,
    /// `--control-plane-endpoint`
    pub control_plane_endpoint: Option<String>,
    /// `--cri-socket`
    pub cri_socket: Option<String>,
    /// `--feature-gates`, as pairs
    pub feature_gates: Vec<(String, bool)>,
    /// `--ignore-preflight-errors`
    pub ignore_preflight_errors: Vec<String>,
    /// `--image-repository`
    pub image_repository: Option<String>,
    /// `--kubernetes-version`
    pub kubernetes_version: Option<String>,
    /// `--node-name`
    pub node_name: Option<String>,
    /// `--pod-network-cidr`
    pub pod_network_cidr: Option<String>,
    /// `--service-cidr`
    pub service_cidr: Option<String>,
    /// `--service-dns-domain`
    pub service_dns_domain: Option<String>,
    /// `--skip-certificate-key-print`
    pub skip_certificate_key_print: bool,
    /// `--skip-token-print`
    pub skip_token_print: bool,
    /// `--token`
    pub token: Option<Secret<String>>,
    /// `--token-ttl`, as Go writes durations
    pub token_ttl: Option<String>,
    /// `--upload-certs`
    pub upload_certs: bool,
    /// `--kubeconfig`, for phases that reach the API server
    pub kubeconfig: Option<LogicalPath>,
    /// `--kubeconfig-dir`, for the kubeconfig phases
    pub kubeconfig_dir: Option<String>,
    /// `--apiserver-extra-args`, `--controller-manager-extra-args`, `--scheduler-extra-args` of
    /// the control-plane phases, as pairs
    pub apiserver_extra_args: Vec<(String, String)>,
    /// See [`Overrides::apiserver_extra_args`].
    pub controller_manager_extra_args: Vec<(String, String)>,
    /// See [`Overrides::apiserver_extra_args`].
    pub scheduler_extra_args: Vec<(String, String)>,
}
