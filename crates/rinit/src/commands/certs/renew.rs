//! `rinit certs renew`

use std::path::Path;
use std::sync::Arc;

use rinit_cli::{GlobalArguments, RenewArguments, ReportFormat};
use rinit_config::ReadOptions;
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, Overrides};
use rinit_host::{Host, Lock};
use rinit_operations::Scope;
use rinit_operations::expiration::ReadFile;
use rinit_operations::renewal::{self, Left, LeftReason, LinkTarget, NewFile, Options, Renewal};
use rinit_pki::{KeyPool, SignedBy};
use rinit_plan::LogicalPath;
use rinit_workflow::Phase;
use serde_json::{Value, json};

use super::read::{Reader, UnknownDirectory};
use super::restart::{self, Before, Restart};
use super::write::replace;
use super::{PHASES, Setting, actions, setting_of, warn_of_cut_off_runs, writing_setting};
use crate::commands::interrupts::Interrupts;
use crate::given::Given;
use crate::printer;
use crate::settings;

/// What stands for every name.
const ALL: &str = "all";

/// What the kubelet reads when it starts.
const KUBELET: &str = "kubelet.conf";

/// Makes certificates anew.
pub(super) async fn renew(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &RenewArguments,
) -> ExitCode {
    run(tree, global, arguments)
        .await
        .unwrap_or_else(|code| code)
}

async fn run(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &RenewArguments,
) -> Result<ExitCode, ExitCode> {
    may_restart(global, arguments.restart)?;
    let specification = &arguments.specification;
    let overrides = specification.flags.overrides.clone();
    let config = arguments.config.as_deref();
    let configured = config.is_some() || overrides.decide_certificates();
    if arguments.prune_sans && !configured {
        printer::error(
            "--prune-sans needs to know which names are asked for",
            Some("give the configuration with `--config`, or the flags of `rinit init`"),
        );
        return Err(ExitCode::Usage);
    }
    let reading = settings::reading(specification.allow_unknown_fields);
    let given = Given::to_certificates(global, specification, config, &overrides);
    let (setting, _lock) = begin(
        global,
        config,
        reading,
        overrides,
        !configured,
        arguments.dry_run,
        &given,
    )
    .await?;
    let actions = actions(tree, &setting.facts, &PHASES)?;
    let names = asked(&arguments.names, &renewal::names(&actions))?;
    let is_named = !names.is_empty();
    let options = Options {
        names,
        configured,
        prune: arguments.prune_sans,
        now: setting.facts.inputs.now,
        scope: setting.scope.clone(),
        cluster_signer: setting.facts.node.paths.cluster_signer_certificate(),
    };
    let renewal = planned(
        &setting.host,
        setting.unknown.as_ref(),
        &given,
        |read, link| Renewal::plan(&actions, &options, read, link),
    )?;
    Execution {
        tree,
        global,
        setting: &setting,
        given: &given,
        restart: arguments.restart,
        dry_run: arguments.dry_run,
        output: arguments.output,
    }
    .finish(renewal, is_named)
    .await
}

/// Refuses to restart anything below another root.
pub(super) fn may_restart(global: &GlobalArguments, restart: bool) -> Result<(), ExitCode> {
    if restart && global.root.is_some() {
        printer::error(
            "--restart is about the running host, and --root is not",
            Some("leave out `--restart`"),
        );
        return Err(ExitCode::Usage);
    }
    Ok(())
}

/// What the commands that write certificates are given.
pub(super) struct Execution<'a> {
    pub(super) tree: &'a [Phase<Facts>],
    pub(super) global: &'a GlobalArguments,
    pub(super) setting: &'a Setting,
    pub(super) given: &'a Given,
    pub(super) restart: bool,
    pub(super) dry_run: bool,
    pub(super) output: ReportFormat,
}

/// The host and the facts, and the lock unless nothing is written.
pub(super) async fn begin(
    global: &GlobalArguments,
    config: Option<&Path>,
    reading: ReadOptions,
    overrides: Overrides,
    lenient: bool,
    dry_run: bool,
    given: &Given,
) -> Result<(Setting, Option<Lock>), ExitCode> {
    if dry_run {
        let setting = setting_of(global, config, reading, overrides, lenient).await?;
        warn_of_cut_off_runs(&setting, given);
        Ok((setting, None))
    } else {
        let (setting, lock) = writing_setting(global, config, reading, overrides, lenient).await?;
        Ok((setting, Some(lock)))
    }
}

impl Execution<'_> {
    /// Reports a plan, carries it out, and restarts what uses the files. `is_named` is whether
    /// single names were asked for, none of which may be left out.
    pub(super) async fn finish(
        self,
        renewal: Renewal,
        is_named: bool,
    ) -> Result<ExitCode, ExitCode> {
        let Self {
            tree,
            global,
            setting,
            given,
            restart,
            dry_run,
            output,
        } = self;
        let Setting {
            host,
            facts,
            scope,
            keeping,
            ..
        } = setting;
        let renewal = Arc::new(renewal);
        tell(&renewal, dry_run);
        given
            .complete_problems(&renewal.warnings)
            .iter()
            .for_each(printer::warning);
        // What is not there is no fault, as in kubeadm: scripts renew each name in turn.
        let of_missing = |left: &&Left| left.reason == LeftReason::Missing;
        for left in renewal.left.iter().filter(of_missing).filter(|_| is_named) {
            if output == ReportFormat::Text {
                printer::data(&format!("MISSING! {}\n", left.name));
            }
        }
        if is_named && let Some(left) = renewal.left.iter().find(|left| !of_missing(left)) {
            printer::error(
                &format!("{} is not renewed: {}", left.name, left.reason.text()),
                None,
            );
            return Err(ExitCode::Blocked);
        }
        let is_empty = renewal.renewed.is_empty() && renewal.rewritten.is_empty();
        if is_empty
            && !is_named
            && renewal
                .left
                .iter()
                .all(|left| left.reason == LeftReason::Missing)
        {
            printer::error(
                &format!(
                    "there is nothing to renew in {}",
                    host.resolve(&facts.node.paths.certificates).display()
                ),
                Some("is this a control-plane node? `--cert-dir` and `--root` name other folders"),
            );
            return Err(ExitCode::Blocked);
        }
        if dry_run || is_empty {
            report(output, &renewal, None);
            return Ok(ExitCode::Success);
        }
        // Until here one that comes ends the program at once, for nothing is under way.
        let mut interrupts = Interrupts::listen_or_fail()?;
        let issued = Arc::clone(&renewal);
        let files = interrupts.unless(move || issue(&issued)).await??;
        let before = if restart {
            Some(Before::look(tree, host, facts).await?)
        } else {
            None
        };
        let backup =
            replace(host, keeping, facts.inputs.now, &files).map_err(|problem| failed(&problem))?;
        if let Some(folder) = &backup.folder {
            printer::progress(&format!(
                "the old files are in {}",
                host.resolve(folder).display()
            ));
        }
        report(output, &renewal, backup.folder.as_ref());
        let paths: Vec<LogicalPath> = files.iter().map(|file| file.path.clone()).collect();
        let kubelet = *scope == Scope::Host
            && (renewal
                .renewed
                .iter()
                .any(|renewed| renewed.name == KUBELET)
                || renewal
                    .rewritten
                    .iter()
                    .any(|rewritten| rewritten.path.file_name() == KUBELET));
        drop(files);
        if interrupts.have_come().await {
            printer::error(
                "interrupted",
                Some("the new certificates are in place, and nothing was restarted"),
            );
            return Ok(ExitCode::Failure);
        }
        if let Some(before) = before {
            let restart = Restart {
                before,
                host,
                facts,
                backup: &backup,
                renewed: &paths,
                kubelet,
            };
            return Ok(restart.run(&mut interrupts).await);
        }
        if global.root.is_none() {
            remind(host, facts, &paths, kubelet);
        }
        Ok(ExitCode::Success)
    }
}

fn failed(problem: &Problem) -> ExitCode {
    printer::problem(problem);
    ExitCode::Failure
}

/// The names that were typed; none for all.
pub(super) fn asked(typed: &[String], known: &[&str]) -> Result<Vec<String>, ExitCode> {
    for name in typed {
        if name == ALL || known.contains(&name.as_str()) {
            continue;
        }
        let candidates = known.iter().copied().chain([ALL]);
        let hint = match rinit_diag::probable(name, candidates) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the names are {} and {ALL}", known.join(", ")),
        };
        printer::error(&format!("there is no certificate {name}"), Some(&hint));
        return Err(ExitCode::Usage);
    }
    if typed.iter().any(|name| name == ALL) {
        return Ok(Vec::new());
    }
    Ok(typed.to_vec())
}

/// Makes a plan of what the host has.
pub(super) fn planned(
    host: &Host,
    unknown: Option<&UnknownDirectory>,
    given: &Given,
    plan: impl FnOnce(&mut ReadFile<'_>, &mut LinkTarget<'_>) -> Result<Renewal, Vec<Problem>>,
) -> Result<Renewal, ExitCode> {
    let reader = Reader::new(host, unknown);
    let mut read = |path: &LogicalPath| reader.read(path);
    let mut link = |path: &LogicalPath| host.link_target(path).ok().flatten();
    plan(&mut read, &mut link).map_err(|problems| {
        given
            .complete_problems(&problems)
            .iter()
            .for_each(printer::problem);
        reader.tell();
        ExitCode::Blocked
    })
}

/// Keys are made on all cores; what is issued waits in memory until all of it is there.
fn issue(renewal: &Renewal) -> Result<Vec<NewFile>, ExitCode> {
    let pool = KeyPool::new(renewal.algorithms());
    renewal
        .issue(&mut |algorithm| pool.take(algorithm))
        .map_err(|problem| failed(&problem))
}

/// What happens, and every name that is not what somebody may expect.
fn tell(renewal: &Renewal, dry_run: bool) {
    let verb = if dry_run { "would renew" } else { "renewing" };
    for renewed in &renewal.renewed {
        printer::progress(&format!(
            "{verb} {} until {}, signed by {} ({})",
            renewed.name, renewed.not_after, renewed.signer, renewed.signed_by
        ));
        if !renewed.added.is_empty() {
            printer::progress(&format!(
                "  with the new names {}",
                renewed.added.join(", ")
            ));
        }
        if !renewed.added_groups.is_empty() {
            printer::progress(&format!(
                "  in the new groups {}",
                renewed.added_groups.join(", ")
            ));
        }
        for change in &renewed.changes {
            printer::progress(&format!("  {} {change}", renewed.path));
        }
        if !renewed.kept.is_empty() {
            printer::warning(
                &Problem::new(format!(
                    "{}: the configuration does not ask for the names {}, which are kept",
                    renewed.name,
                    renewed.kept.join(", ")
                ))
                .with_hint("Leave them out with `--prune-sans`."),
            );
        }
        if !renewed.dropped.is_empty() {
            printer::warning(&Problem::new(format!(
                "{}: the names {} are left out",
                renewed.name,
                renewed.dropped.join(", ")
            )));
        }
        if !renewed.dropped_groups.is_empty() {
            printer::warning(&Problem::new(format!(
                "{}: the groups {} are left out",
                renewed.name,
                renewed.dropped_groups.join(", ")
            )));
        }
    }
    for rewritten in &renewal.rewritten {
        for change in &rewritten.changes {
            printer::progress(&format!("{} {change}", rewritten.path));
        }
    }
    let mut short: Vec<&SignedBy> = Vec::new();
    for renewed in &renewal.renewed {
        let signer = &renewed.signed_by;
        if let Some(message) = signer.ends_before(renewed.signer, renewed.not_after)
            && !short.contains(&signer)
        {
            printer::warning(&Problem::new(message));
            short.push(signer);
        }
    }
    for left in &renewal.left {
        printer::progress(&format!("leaving {}: {}", left.name, left.reason.text()));
    }
}

/// What was done, for machines; for people it is told while it is done.
fn report(format: ReportFormat, renewal: &Renewal, backup: Option<&LogicalPath>) {
    if format == ReportFormat::Text {
        return;
    }
    let renewed: Vec<Value> = renewal
        .renewed
        .iter()
        .map(|renewed| {
            json!({
                "name": renewed.name,
                "path": renewed.path,
                "certificateAuthority": renewed.signer.name(),
                "signedBy": renewed.signed_by.subject,
                "signingCertificate": {
                    "position": renewed.signed_by.position,
                    "of": renewed.signed_by.of,
                },
                "previousExpirationDate": renewed.previous_end.map(|end| end.to_string()),
                "expirationDate": renewed.not_after.to_string(),
                "addedNames": renewed.added,
                "keptNames": renewed.kept,
                "droppedNames": renewed.dropped,
                "addedGroups": renewed.added_groups,
                "droppedGroups": renewed.dropped_groups,
                "changes": renewed.changes,
            })
        })
        .collect();
    let left: Vec<Value> = renewal
        .left
        .iter()
        .map(|left| json!({ "name": left.name, "path": left.path, "reason": left.reason.text() }))
        .collect();
    let rewritten: Vec<Value> = renewal
        .rewritten
        .iter()
        .map(|rewritten| json!({ "path": rewritten.path, "changes": rewritten.changes }))
        .collect();
    let warnings: Vec<&str> = renewal
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    let document = json!({
        "renewed": renewed,
        "left": left,
        "rewritten": rewritten,
        "warnings": warnings,
        "backup": backup,
    });
    printer::data(&format!("{document:#}\n"));
}

/// Renewed files count once those who read them start again.
fn remind(host: &Host, facts: &Facts, paths: &[LogicalPath], kubelet: bool) {
    let mut users: Vec<String> = restart::pods_that_use(host, facts, paths)
        .into_iter()
        .map(|pod| pod.name)
        .collect();
    if kubelet {
        users.insert(0, "the kubelet".to_owned());
    }
    if !users.is_empty() {
        printer::progress(&format!(
            "still run with the old ones until they are restarted: {} (`--restart` does it)",
            users.join(", ")
        ));
    }
}
