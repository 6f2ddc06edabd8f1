//! The flags of `rinit config …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::table::OfImages;

/// `rinit config …`
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print the defaults that a configuration file starts from
    #[command(subcommand)]
    Print(PrintCommand),
    /// Say everything that is wrong with a configuration file
    Validate(ValidateArguments),
    /// Write a configuration file in the newest version of its documents, with every default
    Migrate(MigrateArguments),
    /// Handle the images of the control plane
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Print the JSON Schema of the documents, for editors and pipelines
    Schema,
}

/// `rinit config print …`
#[derive(Debug, Clone, Subcommand)]
pub enum PrintCommand {
    /// The documents of `init`
    InitDefaults(PrintArguments),
    /// The document of `join`
    JoinDefaults(PrintArguments),
    /// The document of `reset`
    ResetDefaults(PrintArguments),
    /// The document of `upgrade`
    UpgradeDefaults(PrintArguments),
}

/// Flags of kubeadm's `config` commands that change nothing there either, taken so that the same
/// words work.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags that nobody looks at")]
pub struct IdleArguments {
    /// No command of this family reaches a cluster
    #[arg(long, value_name = "FILE", hide = true)]
    pub kubeconfig: Option<PathBuf>,
    /// There is no experimental version of the documents
    #[arg(long, hide = true)]
    pub allow_experimental_api: bool,
    /// An older version is always read, with a notice
    #[arg(long, hide = true)]
    pub allow_deprecated_api: bool,
    /// What is printed has no managed fields
    #[arg(long, hide = true)]
    pub show_managed_fields: bool,
    /// There are no templates
    #[arg(long, hide = true)]
    pub allow_missing_template_keys: bool,
}

/// `rinit config print …-defaults`
#[derive(Debug, Clone, Default, Args)]
pub struct PrintArguments {
    /// The configurations of components to print as well: KubeletConfiguration,
    /// KubeProxyConfiguration
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub component_configs: Vec<String>,
    /// Flags without effect
    #[command(flatten)]
    pub idle: IdleArguments,
}

/// `rinit config validate`
#[derive(Debug, Clone, Default, Args)]
pub struct ValidateArguments {
    /// The configuration file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Take warnings for errors
    #[arg(long)]
    pub strict: bool,
    /// Only warn of fields that are not known, for files made for a newer kubeadm
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// Flags without effect
    #[command(flatten)]
    pub idle: IdleArguments,
}

/// `rinit config migrate`
#[derive(Debug, Clone, Default, Args)]
pub struct MigrateArguments {
    /// The configuration file to convert; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub old_config: PathBuf,
    /// Only warn of fields that are not known, and leave them out
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// The file to write; stdout without it
    #[arg(long, value_name = "FILE")]
    pub new_config: Option<PathBuf>,
    /// Flags without effect
    #[command(flatten)]
    pub idle: IdleArguments,
}

/// `rinit config images …`
#[derive(Debug, Clone, Subcommand)]
pub enum ImagesCommand {
    /// Print the images that a control plane needs
    List(Box<ImagesArguments>),
    /// Pull the images that a control plane needs
    Pull(Box<PullArguments>),
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DataFormat {
    /// Lines.
    #[default]
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// `rinit config images list`
#[derive(Debug, Clone, Default, Args)]
pub struct ImagesArguments {
    /// The configuration file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only warn of fields that are not known, for files made for a newer kubeadm
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfImages,
    /// How they are printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: DataFormat,
    /// Flags without effect
    #[command(flatten)]
    pub idle: IdleArguments,
}

/// `rinit config images pull`
#[derive(Debug, Clone, Default, Args)]
pub struct PullArguments {
    /// The configuration file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only warn of fields that are not known, for files made for a newer kubeadm
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// What decides facts.
    #[command(flatten)]
    pub flags: OfImages,
    /// The socket of the container runtime; detected without it
    #[arg(long, value_name = "SOCKET")]
    pub cri_socket: Option<String>,
    /// Flags without effect
    #[command(flatten)]
    pub idle: IdleArguments,
}
