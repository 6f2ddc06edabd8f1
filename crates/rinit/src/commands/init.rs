//! `rinit init` and `rinit init phase …`: the same run over different selections.

use rinit_apply::Apply;
use rinit_cli::{CommonArguments, GlobalArguments, InitArguments, PhaseArguments};
use rinit_config::Documents;
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Decision, Facts, Overrides};
use rinit_host::{Host, Root};
use rinit_workflow::{Event, Mode, Phase, Reporter, RunOptions, Selection};

use crate::commands::{refuse, resolve};
use crate::given::Given;
use crate::printer::{self, Printer};
use crate::{collect, settings};

/// Runs `rinit init`.
pub(crate) async fn init(
    tree: &[Phase],
    global: &GlobalArguments,
    arguments: InitArguments,
) -> ExitCode {
    let documents = match settings::documents(
        arguments.common.config.as_deref(),
        settings::Reading::of_common(&arguments.common),
    ) {
        Ok(documents) => documents,
        Err(error) => return refuse(error),
    };
    let overrides = match settings::of_init(&arguments) {
        Ok(overrides) => overrides,
        Err(error) => return refuse(error),
    };
    // The flag replaces what the file says, as in kubeadm.
    let skip = if arguments.skip_phases.is_empty() {
        documents
            .init
            .as_ref()
            .map(|init| init.skip_phases.clone())
            .unwrap_or_default()
    } else {
        arguments.skip_phases.clone()
    };
    let selection = Selection {
        only: Vec::new(),
        skip,
    };
    run(
        tree,
        global,
        &arguments.common,
        None,
        &documents,
        &overrides,
        selection,
    )
    .await
}

/// Runs `rinit init phase …`.
pub(crate) async fn phase(
    tree: &[Phase],
    global: &GlobalArguments,
    name: String,
    arguments: PhaseArguments,
) -> ExitCode {
    let selection = Selection {
        only: vec![name],
        skip: Vec::new(),
    };
    // An unknown name is told before anything else is looked at.
    if let Err(error) = rinit_workflow::leaves(tree, &selection) {
        printer::problem(&Problem::from_error(&error));
        return ExitCode::Usage;
    }
    let documents = match settings::documents(
        arguments.common.config.as_deref(),
        settings::Reading::of_common(&arguments.common),
    ) {
        Ok(documents) => documents,
        Err(error) => return refuse(error),
    };
    let overrides = match settings::of_phase(&arguments) {
        Ok(overrides) => overrides,
        Err(error) => return refuse(error),
    };
    run(
        tree,
        global,
        &arguments.common,
        Some(&arguments),
        &documents,
        &overrides,
        selection,
    )
    .await
}

async fn run(
    tree: &[Phase],
    global: &GlobalArguments,
    common: &CommonArguments,
    phase: Option<&PhaseArguments>,
    documents: &Documents,
    overrides: &Overrides,
    selection: Selection,
) -> ExitCode {
    // An unknown name to skip is told before the host is looked at.
    if let Err(error) = rinit_workflow::leaves(tree, &selection) {
        printer::problem(&Problem::from_error(&error));
        return ExitCode::Usage;
    }
    let host = Host::new(Root::typed(global.root.as_deref()));
    let dry_run = common.dry_run
        || documents
            .init
            .as_ref()
            .and_then(|init| init.dry_run)
            .unwrap_or(false);
    let _lock = if dry_run {
        None
    } else {
        match host.lock() {
            Ok(lock) => Some(lock),
            Err(error) => {
                printer::problem(&Problem::from_error(&error));
                return ExitCode::Blocked;
            }
        }
    };
    // Looked at under the lock: another run may just have ended.
    let (facts, decisions) = match facts(&host, documents, overrides, common).await {
        Ok(found) => found,
        Err(code) => return code,
    };
    let options = RunOptions {
        mode: if dry_run { Mode::DryRun } else { Mode::Apply },
        rooted: !host.is_running_system(),
    };
    let printer = Printer::new(
        common.output,
        global.verbose,
        dry_run,
        Given::new(global, common, phase, facts.api.advertise_address),
    );
    if dry_run || global.verbose > 0 {
        for decision in &decisions {
            printer.report(Event::Note {
                phase: None,
                message: decision.to_string(),
            });
        }
    }
    act(
        tree,
        &facts,
        &selection,
        options,
        &Apply::new(host, &facts),
        &printer,
    )
    .await
}

async fn facts(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
    common: &CommonArguments,
) -> Result<(Facts, Vec<Decision>), ExitCode> {
    let collected =
        collect::host_facts(host, documents, overrides, common.patches.as_deref()).await;
    let host_facts = collected.map_err(|problem| {
        printer::problem(&problem);
        ExitCode::Configuration
    })?;
    let facts = resolve(documents, overrides, &host_facts)?;
    let missing = collect::missing(host, documents, &facts).await;
    settings::advise(documents, &facts, &missing, common.strict)?;
    let decisions = rinit_facts::decisions(documents, overrides, &host_facts, &facts);
    Ok((facts, decisions))
}

async fn act(
    tree: &[Phase],
    facts: &Facts,
    selection: &Selection,
    options: RunOptions,
    executor: &Apply,
    reporter: &dyn Reporter,
) -> ExitCode {
    let running = rinit_workflow::run(tree, facts, selection, options, executor, reporter);
    tokio::select! {
        result = running => match result {
            Ok(_) => ExitCode::Success,
            Err(error) => error.exit_code(),
        },
        // Every write is whole or not at all, so that it is safe to end anywhere.
        _ = tokio::signal::ctrl_c() => {
            printer::error("interrupted", Some("run the same command again: what is done stays done"));
            ExitCode::Failure
        }
    }
}
