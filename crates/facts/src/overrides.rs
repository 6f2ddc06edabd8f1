//! What the command line says beside the configuration file. A flag wins over the file: the value
//! that it replaces is not judged, and its own value is judged as that of the flag.

use rinit_plan::{LogicalPath, Secret};

/// The flags of `init` and its phases that decide facts; `None` where a flag was not given.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, and any of them may be given with any other"
)]
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
    /// `--dry-run`
    pub dry_run: bool,
    /// The phases that this `init` skips, by `--skip-phases` or `skipPhases`. Skipped add-ons are
    /// stored as disabled; nothing else hangs on it.
    pub skipped_phases: Vec<String>,
    /// Whether it is `--skip-phases` that names them.
    pub skips_by_flag: bool,
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

/// A flag, and which field of the file it speaks for.
///
/// This is the only list of them: what a dry run tells of origins, whose mistake a wrong value is,
/// and the flags in the commands of hints come from it.
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// The field of the file, such as `networking.podSubnet`; empty if there is none.
    pub field: &'static str,
    /// What becomes of the field.
    pub effect: Effect,
    /// In which commands of hints it is repeated.
    pub repeated: Repeated,
    text: fn(&Overrides) -> Option<String>,
}

/// What a flag does to its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What the file says there does not count.
    Replaces,
    /// Names are added to those of the file; one that is in both counts as the flag has it.
    Adds,
}

/// In which commands of hints a flag is repeated, so that they work on the same cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// In all of them: it says where files are.
    Places,
    /// In all of them: it decides what certificates and kubeconfigs hold.
    Certificates,
    /// In `rinit init phase …`.
    Phases,
    /// In none: it is a secret, or decides nothing that a hint is about.
    Never,
}

impl Flag {
    /// Its value as it can be typed; `None` if the flag was not given. Empty for what is not
    /// repeated, so that no secret is shown.
    pub fn text(&self, overrides: &Overrides) -> Option<String> {
        (self.text)(overrides)
    }

    const fn replacing(
        name: &'static str,
        field: &'static str,
        repeated: Repeated,
        text: fn(&Overrides) -> Option<String>,
    ) -> Self {
        Self {
            name,
            field,
            effect: Effect::Replaces,
            repeated,
            text,
        }
    }

    const fn adding(
        name: &'static str,
        field: &'static str,
        text: fn(&Overrides) -> Option<String>,
    ) -> Self {
        Self {
            name,
            field,
            effect: Effect::Adds,
            repeated: Repeated::Phases,
            text,
        }
    }

    /// One that is not repeated.
    const fn alone(
        name: &'static str,
        field: &'static str,
        text: fn(&Overrides) -> Option<String>,
    ) -> Self {
        Self::replacing(name, field, Repeated::Never, text)
    }
}

const CERTIFICATES: Repeated = Repeated::Certificates;
const PHASES: Repeated = Repeated::Phases;

/// All of them, in the order in which they are repeated.
const FLAGS: &[Flag] = &[
    Flag::replacing("cert-dir", "certificatesDir", Repeated::Places, |given| {
        given.cert_dir.clone()
    }),
    Flag::replacing("kubeconfig-dir", "", Repeated::Places, |given| {
        given.kubeconfig_dir.clone()
    }),
    Flag::replacing(
        "apiserver-advertise-address",
        "localAPIEndpoint.advertiseAddress",
        CERTIFICATES,
        |given| given.apiserver_advertise_address.clone(),
    ),
    Flag::replacing(
        "apiserver-bind-port",
        "localAPIEndpoint.bindPort",
        CERTIFICATES,
        |given| given.apiserver_bind_port.map(|port| port.to_string()),
    ),
    Flag::replacing(
        "apiserver-cert-extra-sans",
        "apiServer.certSANs",
        CERTIFICATES,
        |given| joined(&given.apiserver_cert_extra_sans),
    ),
    Flag::replacing(
        "control-plane-endpoint",
        "controlPlaneEndpoint",
        CERTIFICATES,
        |given| given.control_plane_endpoint.clone(),
    ),
    Flag::replacing(
        "kubernetes-version",
        "kubernetesVersion",
        CERTIFICATES,
        |given| given.kubernetes_version.clone(),
    ),
    Flag::replacing(
        "node-name",
        "nodeRegistration.name",
        CERTIFICATES,
        |given| given.node_name.clone(),
    ),
    Flag::replacing(
        "service-cidr",
        "networking.serviceSubnet",
        CERTIFICATES,
        |given| given.service_cidr.clone(),
    ),
    Flag::replacing(
        "service-dns-domain",
        "networking.dnsDomain",
        CERTIFICATES,
        |given| given.service_dns_domain.clone(),
    ),
    Flag::replacing(
        "pod-network-cidr",
        "networking.podSubnet",
        PHASES,
        |given| given.pod_network_cidr.clone(),
    ),
    Flag::replacing(
        "cri-socket",
        "nodeRegistration.criSocket",
        PHASES,
        |given| given.cri_socket.clone(),
    ),
    Flag::adding("feature-gates", "featureGates", |given| {
        let gates = given.feature_gates.iter();
        joined(
            &gates
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>(),
        )
    }),
    Flag::adding("ignore-preflight-errors", IGNORED_CHECKS, |given| {
        joined(&given.ignore_preflight_errors)
    }),
    Flag::replacing("image-repository", "imageRepository", PHASES, |given| {
        given.image_repository.clone()
    }),
    Flag::replacing("patches", "patches.directory", PHASES, |given| {
        given.patches.clone()
    }),
    Flag::replacing("kubeconfig", "", PHASES, |given| {
        given.kubeconfig.as_ref().map(ToString::to_string)
    }),
    Flag::alone("apiserver-extra-args", "apiServer.extraArgs", |given| {
        unless(given.apiserver_extra_args.is_empty())
    }),
    Flag::alone(
        "controller-manager-extra-args",
        "controllerManager.extraArgs",
        |given| unless(given.controller_manager_extra_args.is_empty()),
    ),
    Flag::alone("scheduler-extra-args", "scheduler.extraArgs", |given| {
        unless(given.scheduler_extra_args.is_empty())
    }),
    Flag::alone("token", "bootstrapTokens", |given| {
        unless(given.token.is_none())
    }),
    Flag::alone("token-ttl", "", |given| unless(given.token_ttl.is_none())),
    Flag::alone("certificate-key", "certificateKey", |given| {
        unless(given.certificate_key.is_none())
    }),
    Flag::alone("upload-certs", "", |given| unless(!given.upload_certs)),
    Flag::alone("skip-phases", "skipPhases", |given| {
        unless(!given.skips_by_flag || given.skipped_phases.is_empty())
    }),
    Flag::alone("skip-token-print", "", |given| {
        unless(!given.skip_token_print)
    }),
    Flag::alone("skip-certificate-key-print", "", |given| {
        unless(!given.skip_certificate_key_print)
    }),
    Flag::alone("dry-run", "dryRun", |given| unless(!given.dry_run)),
];

/// Names of checks that a flag adds to those of the file.
pub(crate) const IGNORED_CHECKS: &str = "nodeRegistration.ignorePreflightErrors";

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(","))
}

fn unless(is_missing: bool) -> Option<String> {
    (!is_missing).then(String::new)
}

impl Overrides {
    /// Every flag that can be given, in the order in which they are repeated.
    pub fn flags() -> &'static [Flag] {
        FLAGS
    }

    /// Whether a flag was given, by its name without dashes.
    pub fn has(&self, name: &str) -> bool {
        FLAGS
            .iter()
            .any(|flag| flag.name == name && flag.text(self).is_some())
    }

    /// Whether any of them says what a certificate or kubeconfig should hold.
    pub fn decide_certificates(&self) -> bool {
        FLAGS
            .iter()
            .any(|flag| flag.repeated == Repeated::Certificates && flag.text(self).is_some())
    }

    /// The flag, without its dashes, that speaks for a field of the file. The field is named by its
    /// path, such as `networking.podSubnet` or `apiServer.extraArgs[0].name`.
    ///
    /// What is wrong with the value is then wrong with the flag, whatever the file says.
    pub fn flag(&self, path: &str) -> Option<&'static str> {
        let flag = FLAGS.iter().find(|flag| {
            let rest = path.strip_prefix(flag.field);
            !flag.field.is_empty()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })?;
        // A gate that no flag names is that of the file.
        let is_of_file = path
            .strip_prefix("featureGates.")
            .is_some_and(|gate| self.feature_gates.iter().all(|(name, _)| name != gate));
        (flag.text(self).is_some() && !is_of_file).then_some(flag.name)
    }

    /// Whether what the file says of a field does not count, because a flag replaces it.
    pub fn replaces(&self, path: &str) -> bool {
        self.flag(path).is_some() && path != "featureGates" && !path.starts_with(IGNORED_CHECKS)
    }
}
