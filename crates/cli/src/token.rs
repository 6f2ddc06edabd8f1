//! The flags of `rinit token …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config_arguments::DataFormat;

/// `rinit token …`
#[derive(Debug, Clone, Args)]
pub struct TokenArguments {
    /// Flags of every command about tokens.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// What is asked for.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// The commands about tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Create a bootstrap token in the cluster and print it
    Create(Box<CreateTokenArguments>),
    /// List the bootstrap tokens of the cluster
    List(ListTokensArguments),
    /// Delete bootstrap tokens of the cluster
    Delete(DeleteTokensArguments),
    /// Print a random bootstrap token, without a cluster
    Generate,
}

/// Flags of every command about tokens.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArguments {
    /// The kubeconfig to use; without it /etc/kubernetes/admin.conf, the file that KUBECONFIG names,
    /// or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Report what would be done, and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
}

/// `rinit token create`
#[derive(Debug, Clone, Default, Args)]
pub struct CreateTokenArguments {
    /// The token, of the form `abcdef.0123456789abcdef`; a random one without it
    #[arg(value_name = "TOKEN", conflicts_with = "config")]
    pub token: Option<String>,
    /// A configuration file whose `bootstrapTokens` are created; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ttl", "description", "usages", "groups"])]
    pub config: Option<PathBuf>,
    /// How long the token is valid: a Go duration such as 2h; 0 for a token that does not expire
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h0m0s",
        allow_hyphen_values = true
    )]
    pub ttl: String,
    /// What the token is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// What the token can be used for, separated by commas
    #[arg(
        long,
        value_name = "USAGES",
        value_delimiter = ',',
        default_value = "signing,authentication"
    )]
    pub usages: Vec<String>,
    /// The groups that the token authenticates as, separated by commas; system:bootstrappers:kubeadm:default-node-token
    /// without it
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    pub groups: Option<Vec<String>>,
    /// Print the command by which a node joins with the token
    #[arg(long)]
    pub print_join_command: bool,
    /// The key of the uploaded certificates: print the command by which a control plane joins
    #[arg(long, value_name = "KEY")]
    pub certificate_key: Option<String>,
}

/// `rinit token list`
#[derive(Debug, Clone, Default, Args)]
pub struct ListTokensArguments {
    /// How they are printed
    #[arg(short, long, value_enum, default_value_t)]
    pub output: DataFormat,
    /// What is printed has no managed fields
    #[arg(long, hide = true)]
    pub show_managed_fields: bool,
    /// There are no templates
    #[arg(long, hide = true)]
    pub allow_missing_template_keys: bool,
}

/// `rinit token delete`
#[derive(Debug, Clone, Default, Args)]
pub struct DeleteTokensArguments {
    /// What to delete: tokens, or their IDs, which are the part before the dot
    #[arg(value_name = "TOKEN", required = true)]
    pub tokens: Vec<String>,
}
