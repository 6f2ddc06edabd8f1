//! The flags that decide facts, in one table: what is typed, which commands take it, and which field
//! of the configuration it replaces.
//!
//! The command line is built from the table, and so are the commands in hints, the origins of values
//! and the checks of flags. A flag wins over the file: the value that it replaces is not validated.

use std::fmt::Display;

use rinit_config::Format;
use rinit_config::v1beta4::{Argument, ClusterConfiguration, InitConfiguration};
use rinit_diag::Problem;
use rinit_plan::Secret;

/// A command, or a family of commands, that takes flags of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `init`
    Init,
    /// `init phase …`
    Phase,
    /// `certs renew`, `generate-csr` and `install-signed`
    Certificates,
    /// `certs ca renew` and `certs ca prune`
    Cas,
    /// `certs check-expiration`
    Expiration,
    /// `kubeconfig user`
    User,
    /// `config images list`
    Images,
    /// `join` and `join phase …`
    Join,
}

use Command::{Cas, Certificates, Expiration, Images, Init, Join, Phase, User};

/// How a flag is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off, without a value.
    Switch,
    /// With a value.
    Text,
    /// With the number of a port.
    Port,
    /// With values, separated by commas.
    List,
    /// The same with pairs `name=value`.
    Pairs,
}

/// A flag, what it looks like, and which field of the file it speaks for.
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// What it is for, for the help.
    pub help: &'static str,
    /// What stands for its value in the help; empty for a switch.
    pub value: &'static str,
    /// How it is typed.
    pub kind: Kind,
    /// The commands that take it.
    pub commands: &'static [Command],
    /// The field of the file, such as `networking.podSubnet`; empty if there is none.
    pub field: &'static str,
    /// The rule that its value, or each item of it, is checked by.
    pub(crate) format: Format,
    /// Whether it is left out of the commands in hints: it is a secret, or decides nothing that a
    /// hint is about.
    once: bool,
    /// Puts its value into the documents.
    put: fn(&Overrides, &mut InitConfiguration, &mut ClusterConfiguration),
    text: fn(&Overrides) -> Option<String>,
    set: fn(&mut Overrides, Vec<String>),
}

/// A flag that puts nothing into the documents, and is repeated in hints.
const PLAIN: Flag = Flag {
    name: "",
    help: "",
    value: "",
    kind: Kind::Switch,
    commands: &[],
    field: "",
    format: Format::Free,
    once: false,
    put: |_, _, _| {},
    text: |_| None,
    set: |_, _| {},
};

type Text = Option<String>;
type Hidden = Option<Secret<String>>;
type Names = Vec<String>;
type Pairs = Vec<(String, String)>;

macro_rules! flags {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty = $name:literal $value:literal in $commands:expr, $path:expr, $rest:expr;
    )+) => {
        /// The values of the flags; nothing where a flag was not given.
        #[derive(Debug, Clone, Default)]
        pub struct Overrides {
            $(
                $(#[doc = $help])+
                pub $field: $type,
            )+
            /// The phases that this `init` skips, by `--skip-phases` or `skipPhases`. Skipped
            /// add-ons are stored as disabled; nothing else depends on it.
            pub skipped_phases: Vec<String>,
            /// What of the flags could not be understood.
            pub problems: Vec<Problem>,
        }

        /// All of them, in the order in which hints repeat them.
        static FLAGS: &[Flag] = &[$(
            Flag {
                name: $name,
                help: concat!($($help),+),
                value: $value,
                kind: <$type as Typed>::KIND,
                commands: $commands,
                field: $path,
                text: |given| given.$field.text(),
                set: |given, words| {
                    let mut problems = Vec::new();
                    given.$field = Typed::read(words, &mut problems);
                    let problems = problems.into_iter().map(|problem| of_flag($name, problem));
                    given.problems.extend(problems);
                },
                ..$rest
            },
        )+];
    };
}

flags! {
    /// The directory of the certificates
    cert_dir: Text = "cert-dir" "DIR" in &[Init, Phase, Certificates, Cas, Expiration, User],
        "certificatesDir", Flag {
            format: Format::AbsolutePath,
            put: |given, _, cluster| replace(given.cert_dir.as_ref(), &mut cluster.certificates_dir),
            ..PLAIN
        };
    /// The directory of the kubeconfigs
    kubeconfig_dir: Text = "kubeconfig-dir" "DIR" in &[Phase, Certificates, Cas, Expiration],
        "", PLAIN;
    /// The address at which the API server is announced
    apiserver_advertise_address: Text = "apiserver-advertise-address" "ADDRESS" in NODE,
        "localAPIEndpoint.advertiseAddress", Flag {
            put: |given, init, _| replace(
                given.apiserver_advertise_address.as_ref(),
                &mut init.local_api_endpoint.advertise_address,
            ),
            ..PLAIN
        };
    /// The port of the API server; 0 is the usual one, 6443
    apiserver_bind_port: Option<u16> = "apiserver-bind-port" "PORT" in NODE,
        "localAPIEndpoint.bindPort", Flag {
            put: |given, init, _| replace(
                given.apiserver_bind_port.map(i32::from).as_ref(),
                &mut init.local_api_endpoint.bind_port,
            ),
            ..PLAIN
        };
    /// More names and addresses for the API server's certificate
    apiserver_cert_extra_sans: Names = "apiserver-cert-extra-sans" "NAMES" in DECIDING,
        "apiServer.certSANs", Flag {
            format: Format::SubjectAlternativeName,
            put: |given, _, cluster| if !given.apiserver_cert_extra_sans.is_empty() {
                cluster.api_server.cert_sans.clone_from(&given.apiserver_cert_extra_sans);
            },
            ..PLAIN
        };
    /// A stable endpoint in front of all control planes: host or host:port
    control_plane_endpoint: Text = "control-plane-endpoint" "ENDPOINT" in DECIDING,
        "controlPlaneEndpoint", Flag {
            format: Format::HostPort,
            put: |given, _, cluster| replace(
                given.control_plane_endpoint.as_ref(),
                &mut cluster.control_plane_endpoint,
            ),
            ..PLAIN
        };
    /// The version of the control plane
    kubernetes_version: Text = "kubernetes-version" "VERSION" in
        &[Init, Phase, Certificates, Images], "kubernetesVersion", Flag {
            format: Format::KubernetesVersion,
            put: |given, _, cluster| replace(
                given.kubernetes_version.as_ref(),
                &mut cluster.kubernetes_version,
            ),
            ..PLAIN
        };
    /// The name of the node
    node_name: Text = "node-name" "NAME" in NODE, "nodeRegistration.name", Flag {
            put: |given, init, _| replace(given.node_name.as_ref(), &mut init.node_registration.name),
            ..PLAIN
        };
    /// The service network
    service_cidr: Text = "service-cidr" "CIDR" in DECIDING, "networking.serviceSubnet", Flag {
            format: Format::ServiceSubnet,
            put: |given, _, cluster| replace(
                given.service_cidr.as_ref(),
                &mut cluster.networking.service_subnet,
            ),
            ..PLAIN
        };
    /// The domain of services
    service_dns_domain: Text = "service-dns-domain" "DOMAIN" in DECIDING,
        "networking.dnsDomain", Flag {
            format: Format::DnsSubdomain,
            put: |given, _, cluster| replace(
                given.service_dns_domain.as_ref(),
                &mut cluster.networking.dns_domain,
            ),
            ..PLAIN
        };
    /// The pod network
    pod_network_cidr: Text = "pod-network-cidr" "CIDR" in COMMON, "networking.podSubnet", Flag {
            format: Format::PodSubnet,
            put: |given, _, cluster| replace(
                given.pod_network_cidr.as_ref(),
                &mut cluster.networking.pod_subnet,
            ),
            ..PLAIN
        };
    /// The socket of the container runtime
    cri_socket: Text = "cri-socket" "SOCKET" in RUNS, "nodeRegistration.criSocket", Flag {
            format: Format::CriSocket,
            put: |given, init, _| replace(
                given.cri_socket.as_ref(),
                &mut init.node_registration.cri_socket,
            ),
            ..PLAIN
        };
    /// Feature gates of kubeadm: name=true or name=false
    feature_gates: Vec<(String, bool)> = "feature-gates" "GATES" in &[Init, Phase, Images],
        "featureGates", Flag {
            put: |given, _, cluster| cluster.feature_gates.extend(given.feature_gates.clone()),
            ..PLAIN
        };
    /// Preflight checks whose errors are only warned of; `all` is all
    ignore_preflight_errors: Names = "ignore-preflight-errors" "CHECKS" in RUNS,
        IGNORED_CHECKS, Flag {
            put: |given, init, _| init
                .node_registration
                .ignore_preflight_errors
                .extend(given.ignore_preflight_errors.clone()),
            ..PLAIN
        };
    /// The registry of the control plane's images
    image_repository: Text = "image-repository" "REPOSITORY" in &[Init, Phase, Images],
        "imageRepository", Flag {
            format: Format::ImageRepository,
            put: |given, _, cluster| replace(
                given.image_repository.as_ref(),
                &mut cluster.image_repository,
            ),
            ..PLAIN
        };
    /// The directory with patches: `target[suffix][+patchtype].extension`
    patches: Text = "patches" "DIR" in RUNS, "patches.directory", Flag {
            put: |given, init, _| if given.patches.is_some() {
                init.patches.get_or_insert_default().directory.clone_from(&given.patches);
            },
            ..PLAIN
        };
    /// The kubeconfig with which the API server is reached
    kubeconfig: Text = "kubeconfig" "FILE" in &[Phase], "", PLAIN;
    /// More arguments of the API server: name=value
    apiserver_extra_args: Pairs = "apiserver-extra-args" "ARGUMENTS" in &[Phase],
        "apiServer.extraArgs", Flag {
            once: true,
            put: |given, _, cluster| replace_arguments(
                &given.apiserver_extra_args,
                &mut cluster.api_server.component.extra_args,
            ),
            ..PLAIN
        };
    /// More arguments of the controller manager: name=value
    controller_manager_extra_args: Pairs = "controller-manager-extra-args" "ARGUMENTS" in &[Phase],
        "controllerManager.extraArgs", Flag {
            once: true,
            put: |given, _, cluster| replace_arguments(
                &given.controller_manager_extra_args,
                &mut cluster.controller_manager.extra_args,
            ),
            ..PLAIN
        };
    /// More arguments of the scheduler: name=value
    scheduler_extra_args: Pairs = "scheduler-extra-args" "ARGUMENTS" in &[Phase],
        "scheduler.extraArgs", Flag {
            once: true,
            put: |given, _, cluster| replace_arguments(
                &given.scheduler_extra_args,
                &mut cluster.scheduler.extra_args,
            ),
            ..PLAIN
        };
    /// The bootstrap token: [a-z0-9]{6}.[a-z0-9]{16}
    token: Hidden = "token" "TOKEN" in RUNS, "bootstrapTokens", Flag {
            once: true,
            ..PLAIN
        };
    /// How long the bootstrap token lives; 0 is for ever
    token_ttl: Text = "token-ttl" "DURATION" in COMMON, "", Flag { once: true, ..PLAIN };
    /// The key that the uploaded certificates are encrypted with: 64 hexadecimal digits
    certificate_key: Hidden = "certificate-key" "KEY" in RUNS, "certificateKey", Flag {
            once: true,
            ..PLAIN
        };
    /// Make this node one of the control plane
    control_plane: bool = "control-plane" "" in &[Join], "", Flag { once: true, ..PLAIN };
    /// The kubeconfig that leads to the cluster: a file or an https URL
    discovery_file: Text = "discovery-file" "FILE" in &[Join], "", Flag { once: true, ..PLAIN };
    /// The token that the cluster's information is verified with
    discovery_token: Hidden = "discovery-token" "TOKEN" in &[Join], "",
        Flag { once: true, ..PLAIN };
    /// The hashes of the CA's public keys: sha256:HEX
    discovery_token_ca_cert_hash: Names = "discovery-token-ca-cert-hash" "HASHES" in &[Join], "",
        Flag { format: Format::CaCertHash, once: true, ..PLAIN };
    /// Trust the CA that the token leads to, without its hash
    discovery_token_unsafe_skip_ca_verification: bool =
        "discovery-token-unsafe-skip-ca-verification" "" in &[Join], "",
        Flag { once: true, ..PLAIN };
    /// The token that the kubelet asks for its certificate with
    tls_bootstrap_token: Hidden = "tls-bootstrap-token" "TOKEN" in &[Join], "",
        Flag { once: true, ..PLAIN };
    /// Upload the shared certificates, encrypted, for other control planes
    upload_certs: bool = "upload-certs" "" in COMMON, "", Flag { once: true, ..PLAIN };
    /// Phases to leave out
    skip_phases: Names = "skip-phases" "PHASES" in &[Init, Join], "skipPhases",
        Flag {
            once: true,
            put: |given, init, _| init.skip_phases.clone_from(&given.skipped_phases),
            ..PLAIN
        };
    /// Do not print the bootstrap token
    skip_token_print: bool = "skip-token-print" "" in COMMON, "", Flag { once: true, ..PLAIN };
    /// Do not print the certificate key
    skip_certificate_key_print: bool = "skip-certificate-key-print" "" in COMMON, "",
        Flag { once: true, ..PLAIN };
    /// Say what would be done, with a diff of what exists, and write nothing
    dry_run: bool = "dry-run" "" in RUNS, "dryRun", Flag {
            once: true,
            put: |given, init, _| if given.dry_run {
                init.dry_run = Some(true);
            },
            ..PLAIN
        };
}

/// Names of checks that a flag adds to those of the file.
pub(crate) const IGNORED_CHECKS: &str = "nodeRegistration.ignorePreflightErrors";
/// Of `init` and its phases.
const COMMON: &[Command] = &[Init, Phase];
/// Of these and of `join`.
const RUNS: &[Command] = &[Init, Phase, Join];
/// What `certs` may take in place of a file, and `join` too.
const NODE: &[Command] = &[Init, Phase, Certificates, Join];
/// What certificates and kubeconfigs hold, and with it what `certs` may take in place of a file.
const DECIDING: &[Command] = &[Init, Phase, Certificates];

/// A value as it is typed.
trait Typed: Sized {
    const KIND: Kind;
    /// Reads what was typed. An empty text is none, as in kubeadm, since scripts pass one for "no
    /// wish".
    fn read(words: Vec<String>, problems: &mut Vec<Problem>) -> Self;
    /// Returns the value as it can be typed; `None` if there is none. Empty for what hints never
    /// repeat, so that no secret is shown.
    fn text(&self) -> Option<String>;
}

fn last(mut words: Vec<String>) -> Option<String> {
    words.pop().filter(|word| !word.is_empty())
}

impl Typed for Text {
    const KIND: Kind = Kind::Text;

    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        last(words)
    }

    fn text(&self) -> Option<String> {
        self.clone()
    }
}

impl Typed for Hidden {
    const KIND: Kind = Kind::Text;

    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        last(words).map(Secret::new)
    }

    fn text(&self) -> Option<String> {
        self.as_ref().map(|_| String::new())
    }
}

impl Typed for Option<u16> {
    const KIND: Kind = Kind::Port;

    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        // The command line takes nothing but ports.
        last(words)?.parse().ok()
    }

    fn text(&self) -> Option<String> {
        self.map(|port| port.to_string())
    }
}

impl Typed for bool {
    const KIND: Kind = Kind::Switch;

    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        last(words).is_some_and(|word| word == "true")
    }

    fn text(&self) -> Option<String> {
        self.then(String::new)
    }
}

impl Typed for Names {
    const KIND: Kind = Kind::List;

    /// One that is empty as a whole is none; single empty items are checked.
    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        let is_none = words.iter().all(String::is_empty);
        if is_none { Vec::new() } else { words }
    }

    fn text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.join(","))
    }
}

impl Typed for Pairs {
    const KIND: Kind = Kind::Pairs;

    fn read(words: Vec<String>, _: &mut Vec<Problem>) -> Self {
        let pairs = words.iter().filter_map(|word| word.split_once('='));
        pairs
            .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
            .collect()
    }

    fn text(&self) -> Option<String> {
        joined(self)
    }
}

impl Typed for Vec<(String, bool)> {
    const KIND: Kind = Kind::Pairs;

    fn read(words: Vec<String>, problems: &mut Vec<Problem>) -> Self {
        let mut gates = Vec::new();
        for (name, value) in Pairs::read(words, problems) {
            match truth(&value) {
                Some(value) => gates.push((name, value)),
                None => problems.push(
                    Problem::new(format!("{name} is \"{value}\""))
                        .with_hint("write `true` or `false`"),
                ),
            }
        }
        gates
    }

    fn text(&self) -> Option<String> {
        joined(self)
    }
}

fn joined<T: Display>(pairs: &[(String, T)]) -> Option<String> {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().text()
}

/// Reads the words of Go's `strconv.ParseBool`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn replace<T: Clone>(given: Option<&T>, field: &mut Option<T>) {
    if given.is_some() {
        *field = given.cloned();
    }
}

fn replace_arguments(given: &Pairs, field: &mut Vec<Argument>) {
    if !given.is_empty() {
        *field = given
            .iter()
            .map(|(name, value)| Argument {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
    }
}

/// Returns a problem with the value of a flag as that of the flag.
pub(crate) fn of_flag(flag: &str, problem: Problem) -> Problem {
    Problem {
        message: format!("--{flag}: {}", problem.message),
        hint: problem.hint,
    }
}

impl Flag {
    /// Returns its value as hints repeat it; `None` if it was not given or is never repeated.
    pub fn repeated(&self, overrides: &Overrides) -> Option<String> {
        (self.text)(overrides).filter(|_| !self.once)
    }

    /// Whether a command takes it.
    pub fn is_of(&self, command: Command) -> bool {
        self.commands.contains(&command)
    }

    /// Sets its value to what was typed.
    pub fn set(&self, overrides: &mut Overrides, words: Vec<String>) {
        (self.set)(overrides, words);
    }

    /// Returns what was typed, item by item; nothing if it was not given.
    pub(crate) fn items(&self, overrides: &Overrides) -> Vec<String> {
        let text = (self.text)(overrides);
        match self.kind {
            Kind::List => text
                .iter()
                .flat_map(|text| text.split(','))
                .map(str::to_owned)
                .collect(),
            _ => text.into_iter().collect(),
        }
    }

    fn is_given(&self, overrides: &Overrides) -> bool {
        (self.text)(overrides).is_some()
    }

    /// Whether a field of the file is the one that it speaks for, or below it.
    fn speaks_for(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.field);
        !self.field.is_empty()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl Overrides {
    /// Returns every flag that can be given, in the order in which hints repeat them.
    pub fn flags() -> &'static [Flag] {
        FLAGS
    }

    /// Returns the flags that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static Flag> {
        FLAGS.iter().filter(|flag| flag.is_given(self))
    }

    /// Whether a flag was given, by its name without dashes.
    pub fn has(&self, name: &str) -> bool {
        self.given().any(|flag| flag.name == name)
    }

    /// Whether any of them says what a certificate or kubeconfig should hold.
    pub fn decide_certificates(&self) -> bool {
        self.given()
            .any(|flag| flag.is_of(Certificates) && !flag.is_of(Expiration))
    }

    /// Puts them over the documents.
    pub(crate) fn put(&self, init: &mut InitConfiguration, cluster: &mut ClusterConfiguration) {
        for flag in FLAGS {
            (flag.put)(self, init, cluster);
        }
    }

    /// The flag, without its dashes, that speaks for a field of the file. The field is named by its
    /// path, such as `networking.podSubnet` or `apiServer.extraArgs[0].name`.
    ///
    /// What is wrong with the value is then wrong with the flag, whatever the file says.
    pub fn flag(&self, path: &str) -> Option<&'static str> {
        let flag = FLAGS.iter().find(|flag| flag.speaks_for(path))?;
        // A gate that no flag names is that of the file.
        let is_of_file = path
            .strip_prefix("featureGates.")
            .is_some_and(|gate| self.feature_gates.iter().all(|(name, _)| name != gate));
        (flag.is_given(self) && !is_of_file).then_some(flag.name)
    }

    /// Whether what the file says of a field does not count, because a flag replaces it.
    pub fn replaces(&self, path: &str) -> bool {
        self.flag(path).is_some() && path != "featureGates" && !path.starts_with(IGNORED_CHECKS)
    }
}
