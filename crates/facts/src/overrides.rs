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
    /// The phases that this `init` skips, by `--skip-phases` or `skipPhases`. Skipped add-ons are
    /// stored as disabled; nothing else hangs on it.
    pub skipped_phases: Vec<String>,
    /// `--token`
    pub token: Option<Secret<String>>,
    /// `--token-ttl`, as Go writes durations
    pub token_ttl: Option<String>,
    /// `--upload-certs`
    pub upload_certs: bool,
    /// `--patches`, as typed
    pub patches: Option<String>,
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

impl Overrides {
    /// The flag, without its dashes, that was given in place of a field of the file. The field is
    /// named by its path, such as `networking.podSubnet` or `apiServer.extraArgs[0].name`.
    ///
    /// What is wrong with the value is then wrong with the flag, whatever the file says.
    pub fn flag(&self, path: &str) -> Option<&'static str> {
        let fields = [
            (
                "apiServer.certSANs",
                "apiserver-cert-extra-sans",
                !self.apiserver_cert_extra_sans.is_empty(),
            ),
            (
                "apiServer.extraArgs",
                "apiserver-extra-args",
                !self.apiserver_extra_args.is_empty(),
            ),
            ("bootstrapTokens", "token", self.token.is_some()),
            (
                "certificateKey",
                "certificate-key",
                self.certificate_key.is_some(),
            ),
            ("certificatesDir", "cert-dir", self.cert_dir.is_some()),
            (
                "controlPlaneEndpoint",
                "control-plane-endpoint",
                self.control_plane_endpoint.is_some(),
            ),
            (
                "controllerManager.extraArgs",
                "controller-manager-extra-args",
                !self.controller_manager_extra_args.is_empty(),
            ),
            (
                "imageRepository",
                "image-repository",
                self.image_repository.is_some(),
            ),
            (
                "kubernetesVersion",
                "kubernetes-version",
                self.kubernetes_version.is_some(),
            ),
            (
                "localAPIEndpoint.advertiseAddress",
                "apiserver-advertise-address",
                self.apiserver_advertise_address.is_some(),
            ),
            (
                "localAPIEndpoint.bindPort",
                "apiserver-bind-port",
                self.apiserver_bind_port.is_some(),
            ),
            (
                "networking.dnsDomain",
                "service-dns-domain",
                self.service_dns_domain.is_some(),
            ),
            (
                "networking.podSubnet",
                "pod-network-cidr",
                self.pod_network_cidr.is_some(),
            ),
            (
                "networking.serviceSubnet",
                "service-cidr",
                self.service_cidr.is_some(),
            ),
            (
                "nodeRegistration.criSocket",
                "cri-socket",
                self.cri_socket.is_some(),
            ),
            (
                "nodeRegistration.ignorePreflightErrors",
                "ignore-preflight-errors",
                !self.ignore_preflight_errors.is_empty(),
            ),
            (
                "nodeRegistration.name",
                "node-name",
                self.node_name.is_some(),
            ),
            ("patches.directory", "patches", self.patches.is_some()),
            (
                "scheduler.extraArgs",
                "scheduler-extra-args",
                !self.scheduler_extra_args.is_empty(),
            ),
        ];
        if path == "featureGates" {
            return (!self.feature_gates.is_empty()).then_some("feature-gates");
        }
        // Flags add gates to those of the file.
        if let Some(gate) = path.strip_prefix("featureGates.") {
            let given = self.feature_gates.iter().any(|(name, _)| name == gate);
            return given.then_some("feature-gates");
        }
        fields.into_iter().find_map(|(field, flag, given)| {
            let rest = path.strip_prefix(field)?;
            let within = rest.is_empty() || rest.starts_with(['.', '[']);
            (given && within).then_some(flag)
        })
    }
}
