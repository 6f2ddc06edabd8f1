//! The rinit program: reads the command line, runs a command, and ends with its exit code.
//!
//! The phases are brought together in [`registry`], flags become plain settings in [`settings`],
//! and everything that a user sees goes through [`printer`]. It never decides what a control plane is.

mod commands;
mod given;
mod name;
mod printer;
mod registry;
mod settings;
mod trouble;

use std::process::ExitCode;

use rinit_cli::{CertsCommand, GlobalArguments, Invocation, Trees};
use rinit_diag::Problem;
use rinit_workflow::Phase;
use tokio::runtime::{Builder, Runtime};

/// What comes before everything else: the root is changed before a file is read.
fn prepare(global: &GlobalArguments) -> Result<(), (rinit_diag::ExitCode, Problem)> {
    let modules = global
        .vmodule
        .iter()
        .filter(|(pattern, _)| !pattern.is_empty())
        .map(|(pattern, level)| {
            let verbosity = rinit_cli::verbosity(*level);
            let pattern = glob::Pattern::new(pattern).map_err(|error| {
                Problem::new(format!("--vmodule: \"{pattern}\": {error}"))
                    .with_hint("a pattern is a file name without its extension, such as `host*`")
            })?;
            Ok((pattern, verbosity))
        })
        .collect::<Result<_, _>>()
        .map_err(|problem| (rinit_diag::ExitCode::Usage, problem))?;
    printer::start_log(global.verbosity(), modules);
    match &global.rootfs {
        Some(folder) if !folder.as_os_str().is_empty() => rinit_host::change_root(folder)
            .map_err(|error| (rinit_diag::ExitCode::Blocked, Problem::from_error(&error))),
        _ => Ok(()),
    }
}

/// What drives the commands. Threads begin here and not before, and only for commands that have
/// work for several: making them costs a short command a good part of its time.
fn runtime(invocation: &Invocation) -> std::io::Result<Runtime> {
    let mut builder = match invocation {
        Invocation::Init(_)
        | Invocation::Phase { .. }
        | Invocation::Join(_)
        | Invocation::JoinPhase { .. }
        | Invocation::Certs(
            CertsCommand::Renew(_)
            | CertsCommand::Ca(_)
            | CertsCommand::GenerateCsr(_)
            | CertsCommand::InstallSigned(_),
        ) => Builder::new_multi_thread(),
        Invocation::Certs(CertsCommand::CheckExpiration(_) | CertsCommand::CertificateKey)
        | Invocation::Config(_)
        | Invocation::Kubeconfig(_)
        | Invocation::Token(_)
        | Invocation::Completion(_)
        | Invocation::Man(_)
        | Invocation::Version(_) => Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

fn main() -> ExitCode {
    let tree = registry::init();
    let join = registry::join();
    let trees = Trees {
        init: tree.iter().map(Phase::outline).collect(),
        join: join.iter().map(Phase::outline).collect(),
    };
    if name::is_kubeadm()
        && let Some(command) = rinit_cli::foreign_command(&trees, std::env::args_os())
    {
        return name::hand_over(command).into();
    }
    let line = match rinit_cli::parse(&trees, std::env::args_os()) {
        Ok(line) => line,
        Err(error) => {
            // Help and version are what was asked for; all else is a line not understood.
            let code = if error.use_stderr() {
                rinit_diag::ExitCode::Usage
            } else {
                rinit_diag::ExitCode::Success
            };
            printer::told(error.print());
            return printer::ended(code).into();
        }
    };
    if let Err((code, problem)) = prepare(&line.global) {
        printer::problem(&problem);
        return code.into();
    }
    let runtime = match runtime(&line.invocation) {
        Ok(runtime) => runtime,
        Err(error) => {
            printer::error(
                &format!("cannot start the threads of this program: {error}"),
                None,
            );
            return rinit_diag::ExitCode::Failure.into();
        }
    };
    let code = runtime.block_on(async {
        match line.invocation {
            Invocation::Init(arguments) => {
                Box::pin(commands::init::init(&tree, &line.global, *arguments)).await
            }
            Invocation::Phase { name, arguments } => {
                commands::init::phase(&tree, &line.global, name, *arguments).await
            }
            Invocation::Join(arguments) => {
                Box::pin(commands::join::join(&join, &line.global, None, *arguments)).await
            }
            Invocation::JoinPhase { name, arguments } => {
                let name = Some(name);
                Box::pin(commands::join::join(&join, &line.global, name, *arguments)).await
            }
            Invocation::Certs(command) => {
                Box::pin(commands::certs::certs(&tree, &line.global, command)).await
            }
            Invocation::Kubeconfig(command) => {
                commands::kubeconfig::kubeconfig(&line.global, command).await
            }
            Invocation::Token(arguments) => commands::token::token(&line.global, arguments).await,
            Invocation::Config(command) => commands::config::config(&tree, command).await,
            Invocation::Completion(arguments) => {
                commands::generated::completion(&tree, &trees, &arguments)
            }
            Invocation::Man(arguments) => commands::generated::manual(&trees, &arguments),
            Invocation::Version(arguments) => commands::version::version(&line.global, &arguments),
        }
    });
    // A name that does not resolve may hold up a thread; nobody waits for it.
    runtime.shutdown_background();
    printer::ended(code).into()
}
