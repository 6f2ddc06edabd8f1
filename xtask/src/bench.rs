//! `cargo xtask bench`: rinit and the real kubeadm by turns, on the same input, in the same run.
//!
//! It prints medians and ratios. It asserts nothing but that both succeed, as other work on the
//! machine counts too. `docs/benchmarks.md` has the numbers and what bounds them.

mod certs;
mod config;
mod init;
mod measure;

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::components::{Components, DEFAULT_KUBERNETES};
use crate::scenarios::build_rinit;

pub(crate) use init::init;

/// How the short commands are compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Version of kubeadm.
    #[arg(long, default_value = DEFAULT_KUBERNETES)]
    kubernetes: String,
    /// The profile that rinit is built with.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// How often each runs each command.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
    /// The folder to work in; on a file system in memory, flushing costs nothing.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Both programs, and where they work.
struct Bench {
    kubeadm: PathBuf,
    rinit: PathBuf,
    folder: PathBuf,
    rounds: usize,
}

impl Bench {
    fn new(options: &Options) -> Result<Self> {
        ensure!(options.rounds > 0, "no round gives no time");
        let components = Components::obtain(&options.kubernetes)?;
        let base = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = base.join(format!("rinit-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            kubeadm: components.folder.join("bin/kubeadm"),
            rinit: build_rinit(&options.profile)?,
            folder,
            rounds: options.rounds,
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // It holds what this run has made, and nothing else.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Certificates: made with each usual algorithm, and looked at.
pub(crate) fn certs(options: &Options) -> Result<()> {
    certs::run(&Bench::new(options)?)
}

/// A long configuration file, validated.
pub(crate) fn config(options: &Options) -> Result<()> {
    config::run(&Bench::new(options)?)
}
