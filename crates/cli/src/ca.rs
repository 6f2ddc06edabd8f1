//! `rinit certs ca …`: the certificates of CAs themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::ReportFormat;
use crate::table::OfCas;

/// `rinit certs ca …`
#[derive(Debug, Clone, Subcommand)]
pub enum CaCommand {
    /// Sign another certificate for the key of a CA, under the same name: what it has signed stays
    /// valid
    Renew(CaRenewArguments),
    /// Remove expired and former CAs from the files of CAs and from the kubeconfigs that trust them
    Prune(CaArguments),
}

/// `rinit certs ca renew`
#[derive(Debug, Clone, Default, Args)]
pub struct CaRenewArguments {
    /// The CAs, by the names of `rinit certs check-expiration`; all whose key is here, if none is
    /// named
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// What both commands take.
    #[command(flatten)]
    pub common: CaArguments,
}

/// `rinit certs ca prune`, and what it shares with `rinit certs ca renew`.
#[derive(Debug, Clone, Default, Args)]
pub struct CaArguments {
    /// The configuration file, whose period counts then; without it, a CA lives as long as before
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only warn of fields that are not known in the configuration file
    #[arg(long)]
    pub allow_unknown_fields: bool,
    /// Where the files are.
    #[command(flatten)]
    pub flags: OfCas,
    /// Restart the static pods that use changed files, one at a time, and the kubelet
    #[arg(long)]
    pub restart: bool,
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How the outcome is reported
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ReportFormat,
}
