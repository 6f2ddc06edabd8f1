//! `rinit init` and `rinit init phase …`: the same run over different selections.

use rinit_apply::Apply;
use rinit_cli::{CommonArguments, GlobalArguments, InitArguments, PhaseArguments};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, Origin, Overrides};
use rinit_host::{Host, Lock, Root};
use rinit_observe::{Observed, Verdict};
use rinit_plan::{Action, Gate, Resource, WriteStyle};
use rinit_workflow::{Event, Executor as _, Mode, Phase, Reporter, RunOptions, Selection, State};

use crate::commands::interrupts::Interrupts;
use crate::given::Given;
use crate::printer::{self, Printer};
use crate::settings;
use crate::trouble::{Remarks, Trouble};

/// What the command line asks for.
struct Asked<'run> {
    tree: &'run [Phase<Facts>],
    global: &'run GlobalArguments,
    common: &'run CommonArguments,
    overrides: Overrides,
    selection: Selection,
    /// Whether the file may name phases to skip.
    skips_by_file: bool,
    /// Whether the configuration of a cluster may be changed.
    reconfigures: bool,
    /// The flags of a phase, if it is one.
    phase: Option<&'run PhaseArguments>,
}

impl Asked<'_> {
    /// Whether objects are printed and nothing is done.
    fn prints_manifest(&self) -> bool {
        self.phase.is_some_and(|phase| phase.print_manifest)
    }
}

/// Runs `rinit init`.
pub(crate) async fn init(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: InitArguments,
) -> ExitCode {
    let overrides = settings::of_init(&arguments);
    let asked = Asked {
        tree,
        global,
        common: &arguments.common,
        // The flag replaces what the file says, as in kubeadm.
        skips_by_file: overrides.skip_phases.is_empty(),
        selection: Selection {
            only: Vec::new(),
            skip: overrides.skip_phases.clone(),
        },
        overrides,
        reconfigures: arguments.reconfigure,
        phase: None,
    };
    run(asked).await
}

/// Runs `rinit init phase …`.
pub(crate) async fn phase(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    name: String,
    arguments: PhaseArguments,
) -> ExitCode {
    let asked = Asked {
        tree,
        global,
        common: &arguments.common,
        overrides: settings::of_phase(&arguments),
        skips_by_file: false,
        selection: Selection {
            only: vec![name],
            skip: Vec::new(),
        },
        // A phase that is asked for by name asks no cluster how that was made.
        reconfigures: true,
        phase: Some(&arguments),
    };
    run(asked).await
}

async fn run(asked: Asked<'_>) -> ExitCode {
    let tree = asked.tree;
    let printer = Printer::new(asked.common.output, asked.global.verbosity());
    let print_manifest = asked.prints_manifest();
    let (global, common) = (asked.global, asked.common);
    let prepared = match prepare(asked).await {
        Ok(prepared) => prepared,
        Err(trouble) => return printer.refuse(&trouble),
    };
    if print_manifest {
        prepared.remarks.print();
        return match manifests(tree, &prepared.facts, &prepared.selection) {
            Ok(text) => {
                printer::data(&text);
                ExitCode::Success
            }
            Err(trouble) => printer.refuse(&trouble),
        };
    }
    let address = prepared.facts.node.api.advertise_address;
    printer.repeat(Given::new(global, common, &prepared.overrides, address));
    printer.remark(&prepared.remarks);
    if prepared.tells_settings {
        report_settings(&prepared.facts, &printer);
    }
    act(
        tree,
        &prepared.facts,
        &prepared.selection,
        &prepared.options,
        &prepared.executor,
        &printer,
    )
    .await
}

/// Everything that a run needs.
struct Prepared {
    /// Held until the run ends.
    _lock: Option<Lock>,
    executor: Apply,
    overrides: Overrides,
    facts: Facts,
    selection: Selection,
    options: RunOptions,
    remarks: Remarks,
    /// Whether every value that decides is said, with where it came from.
    tells_settings: bool,
}

async fn prepare(asked: Asked<'_>) -> Result<Prepared, Trouble> {
    let print_manifest = asked.prints_manifest();
    let Asked {
        tree,
        global,
        common,
        mut overrides,
        mut selection,
        skips_by_file,
        reconfigures,
        phase: _,
    } = asked;
    // An unknown name is told before all else, and all else with it.
    let unknown = known(tree, &selection);
    let reading = settings::reading(common.allow_unknown_fields);
    let mut documents = match settings::readable(common.config.as_deref(), reading, &overrides) {
        Ok(documents) => documents,
        Err(trouble) => return Err(worse(unknown, trouble.beside(&overrides.problems))),
    };
    if skips_by_file {
        settings::judge_skipped_phases(tree, &mut documents);
        let init = documents.init.as_ref();
        selection.skip = init
            .map(|init| init.skip_phases.clone())
            .unwrap_or_default();
    }
    let init = documents.init.as_ref();
    overrides.skipped_phases.clone_from(&selection.skip);
    let host = Host::new(Root::typed(global.root.as_deref()));
    let dry_run = overrides.dry_run || init.and_then(|init| init.dry_run).unwrap_or(false);
    let is_refused =
        unknown.is_err() || !overrides.problems.is_empty() || documents.findings.has_errors();
    let lock = if dry_run || print_manifest || is_refused {
        None
    } else {
        let lock = host.lock();
        Some(lock.map_err(|error| Trouble::of(ExitCode::Blocked, &error))?)
    };
    // Looked at under the lock: another run may just have ended.
    let mut observed = match Observed::of_host(&host, &documents, &overrides).await {
        Ok(observed) => observed,
        Err(problem) => {
            let trouble = Trouble::configuration(problem).beside(&overrides.problems);
            let trouble = trouble.and(settings::refused(documents).remarks);
            return Err(worse(unknown, trouble));
        }
    };
    observed.look_for_named(&host, &documents, &overrides).await;
    if !reconfigures {
        observed.ask_cluster(&host).await;
    }
    let host_facts = &observed.host;
    let resolved = settings::resolve(&documents, &overrides, host_facts, common.strict);
    let judged = resolved.and_then(|facts| {
        let resolved = Some((&facts, host_facts));
        let remarks = settings::warnings(&documents, &overrides, resolved, common.strict)?;
        Ok((facts, remarks))
    });
    let (facts, remarks) = match (judged, unknown) {
        (Ok(judged), Ok(())) => judged,
        (Ok((_, remarks)), Err(unknown)) => return Err(unknown.and(remarks)),
        (Err(trouble), unknown) => return Err(worse(unknown, trouble)),
    };
    let executor = Apply::new(host.clone(), &facts);
    let executor = if reconfigures {
        executor.reconfiguring()
    } else {
        match contradiction(tree, &facts, &selection, &observed, &executor).await {
            Ok(()) => executor,
            Err((code, problem)) => {
                let address = facts.node.api.advertise_address;
                let given = Given::new(global, common, &overrides, address);
                let problems = given.complete_problems(&[problem]);
                let trouble = Trouble {
                    code,
                    remarks: Remarks::default(),
                };
                return Err(trouble.beside(&problems).and(remarks));
            }
        }
    };
    Ok(Prepared {
        _lock: lock,
        executor,
        options: RunOptions {
            command: "init",
            kubernetes_version: Some(facts.cluster.version.to_string()),
            mode: if dry_run { Mode::DryRun } else { Mode::Apply },
            rooted: !host.is_running_system(),
            warnings: facts.warnings.clone(),
            notes: facts.detected.clone(),
        },
        overrides,
        facts,
        selection,
        remarks,
        tells_settings: dry_run || global.verbosity() > 0,
    })
}

/// Why a whole init must not go on: it completes a cluster and does not change one.
async fn contradiction(
    tree: &[Phase<Facts>],
    facts: &Facts,
    selection: &Selection,
    observed: &Observed,
    executor: &Apply,
) -> Result<(), (ExitCode, Problem)> {
    let plans = rinit_workflow::plans(tree, facts, selection).unwrap_or_default();
    let actions: Vec<Action> = plans.into_iter().flat_map(|plan| plan.actions).collect();
    let stored = actions.iter().find_map(|action| match action {
        Action::Ensure(Resource::Object { object, .. }) if object.write == WriteStyle::Verify => {
            Some(object)
        }
        _ => None,
    });
    match stored.map(|object| observed.verdict(object)) {
        None | Some(Verdict::Same) => Ok(()),
        Some(Verdict::Differs(problem)) => Err((ExitCode::Conflict, problem)),
        // As long as no file would change, that does not matter.
        Some(Verdict::Unknown(problem)) => {
            for action in &actions {
                if matches!(
                    action,
                    Action::Ensure(Resource::File(_) | Resource::StaticPod(_))
                ) && matches!(
                    executor.inspect(action).await,
                    State::Absent | State::Differs { .. }
                ) {
                    return Err((ExitCode::Blocked, problem));
                }
            }
            Ok(())
        }
    }
}

/// What is refused with an unknown phase, if there is one: the line is the first to mend.
fn worse(unknown: Result<(), Trouble>, trouble: Trouble) -> Trouble {
    match unknown {
        Ok(()) => trouble,
        Err(unknown) => unknown.and(trouble.remarks),
    }
}

/// Reports every value that decides, with where it came from. What was detected is reported in any
/// case.
pub(crate) fn report_settings(facts: &Facts, reporter: &dyn Reporter) {
    for (field, sourced) in facts.settings() {
        if !matches!(sourced.origin, Origin::Detected(_)) {
            reporter.report(Event::Note {
                phase: None,
                message: format!("{field}: {sourced}"),
            });
        }
    }
}

pub(crate) fn known(tree: &[Phase<Facts>], selection: &Selection) -> Result<(), Trouble> {
    match rinit_workflow::leaves(tree, selection) {
        Ok(_) => Ok(()),
        Err(error) => Err(Trouble::of(ExitCode::Usage, &error)),
    }
}

/// The objects that the selected phases would make, as YAML documents. Only phases that make
/// nothing else have them.
fn manifests(
    tree: &[Phase<Facts>],
    facts: &Facts,
    selection: &Selection,
) -> Result<String, Trouble> {
    let plans = rinit_workflow::plans(tree, facts, selection)
        .map_err(|error| Trouble::of(ExitCode::Usage, &error))?;
    let mut text = String::new();
    for plan in &plans {
        for note in &plan.notes {
            printer::progress(&format!("note: {note}"));
        }
        for action in &plan.actions {
            match action {
                Action::Ensure(Resource::ClusterAdmins(_)) => {}
                Action::Ensure(Resource::Object { object, .. }) if object.fills.is_empty() => {
                    text.push_str("---\n");
                    text.push_str(&rinit_manifest::yaml::to_string(&object.body));
                }
                Action::Gate(Gate::Refuse { message, hint }) => {
                    let (message, hint) = (message.clone(), hint.clone());
                    return Err(Trouble::new(ExitCode::Blocked, Problem { message, hint }));
                }
                other => {
                    let problem = Problem::new(format!(
                        "--print-manifest: {other} is no object that can be printed"
                    ));
                    let hint = "it is for add-ons: `rinit init phase addon coredns --print-manifest`; others tell what they would do with `--dry-run`";
                    return Err(Trouble::new(ExitCode::Usage, problem.with_hint(hint)));
                }
            }
        }
    }
    Ok(text)
}

pub(crate) async fn act(
    tree: &[Phase<Facts>],
    facts: &Facts,
    selection: &Selection,
    options: &RunOptions,
    executor: &Apply,
    reporter: &dyn Reporter,
) -> ExitCode {
    // Listened for before the first write.
    let mut interrupts = match Interrupts::listen_or_fail() {
        Ok(interrupts) => interrupts,
        Err(code) => return code,
    };
    let running = rinit_workflow::run(tree, facts, selection, options, executor, reporter);
    tokio::select! {
        biased;
        // Every write is whole or not at all, so that it is safe to end anywhere. Those under way
        // leave nothing beside their places, if they may end.
        () = interrupts.next() => {
            executor.settle().await;
            printer::error("interrupted", Some("run the same command again: what is done stays done"));
            ExitCode::Failure
        }
        result = running => match result {
            Ok(_) => ExitCode::Success,
            Err(error) => error.exit_code(),
        },
    }
}
