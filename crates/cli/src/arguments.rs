//! Flags, by kubeadm's names and meanings.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use crate::table::{OfCertificates, OfExpiration, OfInit, OfJoin, OfPhase, OfUser};

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArguments {
    /// Work on this directory instead of the running host: paths of the node are looked for and made
    /// below it
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Take this directory for the file system of the host: the program changes its root to it before
    /// it reads anything
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "root")]
    pub rootfs: Option<PathBuf>,
    /// Say more: once also what holds already, twice also a log of what is read, written, run and
    /// asked
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// The same as a number, by kubeadm's habit: 1 says what holds already, 2 adds the log, 5 all
    /// of it
    #[arg(
        long = "v",
        global = true,
        value_name = "LEVEL",
        allow_negative_numbers = true
    )]
    pub level: Option<i32>,
    /// How much single source files of the program log: `PATTERN=LEVEL`, separated by commas; a
    /// pattern is a file name without its extension, with `*` and `?`
    #[arg(long, global = true, value_name = "PATTERNS", value_delimiter = ',', value_parser = file_level)]
    pub vmodule: Vec<(String, i32)>,
}

impl GlobalArguments {
    /// How much is said: 0 what changes, 1 also what holds, 2 also the log, 3 all of it.
    pub fn verbosity(&self) -> u8 {
        self.verbose.max(verbosity(self.level.unwrap_or_default()))
    }
}

/// What a level of kubeadm's stands for: nobody asks it for 5 but to see everything.
pub fn verbosity(level: i32) -> u8 {
    match level {
        ..=0 => 0,
        1 => 1,
        2..=4 => 2,
        5.. => 3,
    }
}

/// How a run is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people: progress on stderr, the join commands on stdout.
    #[default]
    Text,
    /// For machines: events on stdout, one JSON object a line.
    Json,
}

/// Flags of `init` and of its phases, beside those of the table.
#[derive(Debug, Clone, Default, Args)]
pub struct CommonArguments {
    /// The configuration file, with kubeadm.k8s.io/v1beta4 documents; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take warnings about the configuration for errors
    #[arg(long)]
    pub strict: bool,
    /// Only warn of fields that are not known, for files made for a newer kubeadm
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// How the run is reported
    #[arg(short, long, value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// `rinit init`
#[derive(Debug, Clone, Default, Args)]
pub struct InitArguments {
    /// What it shares with its phases.
    #[command(flatten)]
    pub common: CommonArguments,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfInit,
    /// Go on where the cluster was made with another configuration, and change it to this one
    #[arg(long)]
    pub reconfigure: bool,
}

/// `rinit init phase …`
#[derive(Debug, Clone, Default, Args)]
pub struct PhaseArguments {
    /// What it shares with `init`.
    #[command(flatten)]
    pub common: CommonArguments,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfPhase,
    /// Print the objects of an add-on as YAML and install nothing
    #[arg(long)]
    pub print_manifest: bool,
}

/// `rinit join` and `rinit join phase …`
#[derive(Debug, Clone, Default, Args)]
pub struct JoinArguments {
    /// The API server of the cluster, `HOST:PORT`
    #[arg(value_name = "ENDPOINT")]
    pub endpoint: Option<String>,
    /// What it shares with `init`.
    #[command(flatten)]
    pub common: CommonArguments,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfJoin,
}

/// `rinit certs …`
#[derive(Debug, Clone, Subcommand)]
pub enum CertsCommand {
    /// Say until when every certificate of this control plane is valid
    CheckExpiration(CheckExpirationArguments),
    /// Renew certificates by the CAs on this host
    Renew(RenewArguments),
    /// Renew and prune the certificates of CAs
    #[command(subcommand)]
    Ca(crate::CaCommand),
    /// Print a new key for `--certificate-key`
    CertificateKey,
    /// Make keys and requests for another CA to sign
    GenerateCsr(GenerateCsrArguments),
    /// Check and install what another CA has signed
    InstallSigned(InstallSignedArguments),
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// Flags of `init` that decide what certificates and kubeconfigs hold: for clusters that were made
/// by flags, and for the hints of `init`, which repeat what it was given.
#[derive(Debug, Clone, Default, Args)]
pub struct SpecificationArguments {
    /// Only warn of fields that are not known in the configuration file
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfCertificates,
}

/// `rinit certs renew`
#[derive(Debug, Clone, Default, Args)]
pub struct RenewArguments {
    /// What to renew, by the names of `rinit certs check-expiration`, or `all`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// The configuration file, whose names, algorithm and period count then; without it, and
    /// without flags in its place, everything is as in the old certificates
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What counts beside the file.
    #[command(flatten)]
    pub specification: SpecificationArguments,
    /// Leave out the names of old certificates that the configuration or the flags do not ask for
    #[arg(long)]
    pub prune_sans: bool,
    /// Bring back the static pods that use renewed certificates, one at a time, and the kubelet
    #[arg(long)]
    pub restart: bool,
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the outcome is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ReportFormat,
}

/// `rinit certs generate-csr`
#[derive(Debug, Clone, Default, Args)]
pub struct GenerateCsrArguments {
    /// What to make requests for, by the names of `rinit certs check-expiration`; a key that is
    /// there is used then. All, with new keys, if none is named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What counts beside the file.
    #[command(flatten)]
    pub specification: SpecificationArguments,
}

/// `rinit certs install-signed`
#[derive(Debug, Clone, Default, Args)]
pub struct InstallSignedArguments {
    /// The directory with what was signed: for each request FILE.csr the certificate FILE.crt, in the
    /// same directories below it
    #[arg(value_name = "DIR")]
    pub from: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What counts beside the file.
    #[command(flatten)]
    pub specification: SpecificationArguments,
    /// Check everything and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `rinit kubeconfig …`
#[derive(Debug, Clone, Subcommand)]
pub enum KubeconfigCommand {
    /// Print a kubeconfig for another user
    User(KubeconfigUserArguments),
}

/// `rinit kubeconfig user`
#[derive(Debug, Clone, Default, Args)]
pub struct KubeconfigUserArguments {
    /// The name of the user
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub client_name: String,
    /// The groups of the user, with commas between them; may be given several times
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    pub org: Vec<String>,
    /// A token that the user shows in place of a client certificate
    #[arg(long, value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// How long the client certificate is valid: a Go duration, also with days
    #[arg(long, value_name = "DURATION", default_value = "8760h")]
    pub validity_period: String,
    /// A request for the certificate, made by whoever has the key: the kubeconfig then names the
    /// file of the key, and has no key in it; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub csr: Option<PathBuf>,
    /// The certificate of the CA that signs, if that is not the cluster's own
    #[arg(
        long,
        value_name = "FILE",
        requires = "ca_key",
        conflicts_with = "token"
    )]
    pub ca_cert: Option<PathBuf>,
    /// The key of the CA that signs
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    pub ca_key: Option<PathBuf>,
    /// The configuration file; without it, the server is that of the administrator's kubeconfig
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfUser,
}

/// How expirations are printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ExpirationFormat {
    /// kubeadm's two tables, and one of the kubelet's own certificates.
    #[default]
    Text,
    /// `output.kubeadm.k8s.io/v1alpha3` as JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// What a template makes of the JSON.
    JsonPath(String),
    /// Gauges for the textfile collector of node_exporter.
    Prometheus,
}

fn expiration_format(text: &str) -> Result<ExpirationFormat, String> {
    match text.split_once('=') {
        Some(("jsonpath", template)) => Ok(ExpirationFormat::JsonPath(template.to_owned())),
        None if text == "text" => Ok(ExpirationFormat::Text),
        None if text == "json" => Ok(ExpirationFormat::Json),
        None if text == "yaml" => Ok(ExpirationFormat::Yaml),
        None if text == "prometheus" => Ok(ExpirationFormat::Prometheus),
        _ => Err("the formats are text, json, yaml, prometheus and jsonpath=TEMPLATE".to_owned()),
    }
}

/// `rinit certs check-expiration`
#[derive(Debug, Clone, Default, Args)]
pub struct CheckExpirationArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfExpiration,
    /// End with exit code 6 if a certificate is missing, has expired, or expires within this time:
    /// a Go duration, also with days, such as 30d or 36h
    #[arg(long, value_name = "DURATION")]
    pub warn_within: Option<String>,
    /// How they are printed: text, json, yaml, prometheus, or jsonpath=TEMPLATE
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        value_parser = expiration_format
    )]
    pub output: ExpirationFormat,
}

/// How the version is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum VersionFormat {
    /// One line.
    #[default]
    Text,
    /// The version alone.
    Short,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// `rinit version`
#[derive(Debug, Clone, Default, Args)]
pub struct VersionArguments {
    /// How it is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: VersionFormat,
}

/// A pair; an empty text, which scripts pass for none, is an empty pair.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ if text.is_empty() => Ok((String::new(), String::new())),
        _ => Err("it must be name=value".to_owned()),
    }
}

fn file_level(text: &str) -> Result<(String, i32), String> {
    match text.split_once('=') {
        Some((pattern, level)) if !pattern.is_empty() => match level.parse() {
            Ok(level) => Ok((pattern.to_owned(), level)),
            Err(_) => Err("the level must be a number".to_owned()),
        },
        _ if text.is_empty() => Ok((String::new(), 0)),
        _ => Err("it must be pattern=level".to_owned()),
    }
}
