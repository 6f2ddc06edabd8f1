//! Development tasks: real components, test nodes, tests.
#![expect(
    clippy::disallowed_methods,
    reason = "the rule that only crates/host touches the machine is about rinit, not its tools"
)]
#![expect(clippy::print_stdout, reason = "a task tells what it does on stdout")]

mod bench;
mod cache;
mod components;
mod fuzz;
mod install;
mod node;
mod record;
mod scenarios;
mod shell;
mod test;
mod tidy;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use components::{Components, DEFAULT_KUBERNETES};
use scenarios::cluster::Initiator;

/// Development tasks of rinit.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Obtain the real Kubernetes programs and images that nodes run.
    Components {
        /// Version of Kubernetes.
        #[arg(long, default_value = DEFAULT_KUBERNETES)]
        kubernetes: String,
        /// Print only the folder of the finished set.
        #[arg(long)]
        path: bool,
        /// Build only these programs of Kubernetes, or its etcd, such as an older kubeadm to compare with.
        #[arg(
            long,
            value_name = "PROGRAM",
            value_delimiter = ',',
            conflicts_with = "path"
        )]
        only: Vec<String>,
    },
    /// Start a node that stays up, as a control plane unless told otherwise.
    Up {
        /// Version of Kubernetes.
        #[arg(long, default_value = DEFAULT_KUBERNETES)]
        kubernetes: String,
        /// Name of the node.
        #[arg(long, default_value = "cp")]
        name: String,
        /// Who makes it a control plane.
        #[arg(long = "with", default_value = "rinit")]
        who: With,
        /// Configuration to use instead of testdata/configs/minimal.yaml.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Take down the nodes of `up`.
    Down {
        /// A node, or a LAN with all its nodes.
        name: Option<String>,
        /// Take down every node of every task.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Run a command in a node.
    Exec {
        /// The node: NODE for those of `up`, else LAN/NODE.
        node: String,
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run the tests, from formatting to scenarios on real nodes.
    Test {
        /// Version of Kubernetes on nodes.
        #[arg(long, default_value = DEFAULT_KUBERNETES)]
        kubernetes: String,
        /// Run only the stages whose name contains this.
        #[arg(long, value_name = "PATTERN")]
        only: Option<String>,
        /// List the stages and run none.
        #[arg(long)]
        list: bool,
        /// Leave the nodes of failed scenarios up.
        #[arg(long)]
        keep: bool,
    },
    /// Measure what kubeadm and rinit take for the same work.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Look for inputs that make a reader panic, hang or take much memory.
    Fuzz {
        /// Only the targets whose name contains this.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 15)]
        minutes: u64,
    },
    /// Record what the real kubeadm leaves behind, under testdata/kubeadm.
    Record {
        /// Version of Kubernetes.
        #[arg(long, default_value = DEFAULT_KUBERNETES)]
        kubernetes: String,
        /// The configuration: testdata/configs/CASE.yaml.
        #[arg(long, default_value = "minimal")]
        case: String,
    },
    /// Check the house rules that no compiler keeps.
    Tidy,
    /// The way into nodes; used by the other tasks.
    #[command(hide = true)]
    Inside {
        #[command(subcommand)]
        role: Role,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum With {
    Rinit,
    Kubeadm,
    None,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// From the start to a ready API server and to the end, by turns on fresh nodes.
    Init {
        /// Version of Kubernetes.
        #[arg(long, default_value = DEFAULT_KUBERNETES)]
        kubernetes: String,
        /// The profile that rinit is built with.
        #[arg(long, default_value = "dist")]
        profile: String,
        /// How many nodes each initialises.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Certificates: made with RSA-2048 and ECDSA-P256, and looked at.
    Certs(bench::Options),
    /// A configuration file of all kinds and 2,000 lines, validated.
    Config(bench::Options),
}

#[derive(Debug, Subcommand)]
enum Role {
    Hold {
        folder: PathBuf,
    },
    Launch {
        folder: PathBuf,
    },
    Init {
        folder: PathBuf,
    },
    Exec {
        folder: PathBuf,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = run(Arguments::parse().task);
    while node::is_interrupted() {
        // What failed did so for that reason; the clean-up ends the process.
        std::thread::park();
    }
    match result {
        Ok(code) => code,
        Err(error) => {
            println!("error: {}", shell::explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Inside { role } => {
            return match role {
                Role::Hold { folder } => node::inside::hold(&folder),
                Role::Launch { folder } => node::inside::launch(&folder),
                Role::Init { folder } => node::inside::init(&folder),
                Role::Exec { folder, command } => node::inside::exec(&folder, &command),
            };
        }
        Task::Exec { node, command } => return up::exec(&node, &command),
        Task::Components {
            kubernetes, only, ..
        } if !only.is_empty() => {
            let programs: Vec<_> = only.iter().map(String::as_str).collect();
            let folder = components::obtain_programs(&kubernetes, &programs)?;
            println!("{}", folder.display());
        }
        Task::Components {
            kubernetes, path, ..
        } => {
            let set = Components::obtain(&kubernetes)?;
            println!("{}", set.folder.display());
            if !path {
                set.describe()?;
            }
        }
        Task::Up {
            kubernetes,
            name,
            who,
            config,
        } => {
            clean_up_when_interrupted()?;
            let who = match who {
                With::Rinit => Some(Initiator::Rinit),
                With::Kubeadm => Some(Initiator::Kubeadm),
                With::None => None,
            };
            up::up(&kubernetes, &name, who, config.as_deref())?;
        }
        Task::Bench {
            what:
                Bench::Init {
                    kubernetes,
                    profile,
                    rounds,
                },
        } => {
            clean_up_when_interrupted()?;
            bench::init(&kubernetes, &profile, rounds)?;
        }
        Task::Bench {
            what: Bench::Certs(options),
        } => bench::certs(&options)?,
        Task::Bench {
            what: Bench::Config(options),
        } => bench::config(&options)?,
        Task::Fuzz { target, minutes } => fuzz::fuzz(target.as_deref(), minutes)?,
        Task::Record { kubernetes, case } => {
            clean_up_when_interrupted()?;
            record::record(&kubernetes, &case)?;
        }
        Task::Down { name, all } => up::down(name.as_deref(), all)?,
        Task::Tidy => tidy::tidy()?,
        Task::Test {
            kubernetes,
            only,
            list,
            keep,
        } => {
            clean_up_when_interrupted()?;
            test::test(&test::Options {
                kubernetes: &kubernetes,
                only: only.as_deref(),
                list,
                keep,
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Has ctrl-C take down the nodes that this task has made.
fn clean_up_when_interrupted() -> Result<()> {
    ctrlc::set_handler(|| {
        node::take_own_down();
        #[expect(clippy::exit, reason = "the main thread may wait for something else")]
        std::process::exit(130);
    })
    .context("cannot watch for ctrl-C")
}
