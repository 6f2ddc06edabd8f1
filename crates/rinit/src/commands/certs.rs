//! `rinit certs …`

mod ca;
mod csr;
mod read;
mod renew;
mod restart;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rinit_cli::{
    CertsCommand, CheckExpirationArguments, ExpirationFormat, GlobalArguments,
    SpecificationArguments,
};
use rinit_config::{Documents, ReadOptions};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, Look, Overrides};
use rinit_host::{FileKind, Host, HostError, Lock, Root};
use rinit_observe::{Manifests, Observed};
use rinit_operations::Scope;
use rinit_operations::Template;
use rinit_operations::expiration::ExpirationReport;
use rinit_plan::defaults::{CERTIFICATES_FOLDER, KUBERNETES_FOLDER};
use rinit_plan::{Action, LogicalPath};
use rinit_workflow::{Phase, Selection};

use self::read::{Reader, UnknownDirectory};
use crate::commands::{refuse, resolve};
use crate::given::Given;
use crate::{printer, settings};

/// The phases that make what can expire.
pub(crate) const PHASES: [&str; 2] = ["certs", "kubeconfig"];

/// Runs one of the commands.
pub(crate) async fn certs(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    command: CertsCommand,
) -> ExitCode {
    match command {
        CertsCommand::CheckExpiration(arguments) => {
            check_expiration(tree, global, &arguments).await
        }
        CertsCommand::Renew(arguments) => Box::pin(renew::renew(tree, global, &arguments)).await,
        CertsCommand::Ca(command) => Box::pin(ca::ca(tree, global, &command)).await,
        CertsCommand::CertificateKey => certificate_key(),
        CertsCommand::GenerateCsr(arguments) => csr::generate(tree, global, &arguments).await,
        CertsCommand::InstallSigned(arguments) => csr::install(tree, global, &arguments).await,
    }
}

/// What the commands about certificates work with.
pub(crate) struct Setting {
    pub(crate) host: Host,
    pub(crate) facts: Facts,
    pub(crate) scope: Scope,
    /// Whether nothing is worked on that belongs to this host's control plane.
    is_copy: bool,
    /// The folder that keeps what is replaced.
    keeping: LogicalPath,
    /// Whether it is not known where the certificates of this host's control plane are.
    unknown: Option<UnknownDirectory>,
}

/// The host and the facts. Where `lenient`, nothing is asked of a host that only its own name and
/// address would answer: neither decides which certificates there are, and a copied folder lies on
/// any host. Where then no configuration is given, that is taken which the static pods show.
pub(crate) async fn setting(
    global: &GlobalArguments,
    config: Option<&Path>,
    overrides: Overrides,
    lenient: bool,
) -> Result<Setting, ExitCode> {
    setting_of(global, config, ReadOptions::default(), overrides, lenient).await
}

/// The same, for a file that is read in another manner.
pub(crate) async fn setting_of(
    global: &GlobalArguments,
    config: Option<&Path>,
    reading: ReadOptions,
    overrides: Overrides,
    lenient: bool,
) -> Result<Setting, ExitCode> {
    let host = Host::new(Root::typed(global.root.as_deref()));
    let manifests = Manifests::read(&host);
    let found = if lenient && config.is_none() {
        manifests.documents()
    } else {
        Look::Absent
    };
    let typed = overrides.cert_dir.is_some();
    let (documents, reason) = match found {
        Look::Present(documents) => (documents, None),
        other => (
            settings::readable(config, reading, &overrides).map_err(refuse)?,
            other.reason().filter(|_| !typed).map(str::to_owned),
        ),
    };
    let observed = if lenient {
        Observed::of_files(&host, manifests, &documents, &overrides)
    } else {
        Observed::of_host(&host, &documents, &overrides).await
    };
    let observed = observed.map_err(|problem| {
        printer::problem(&problem);
        ExitCode::Failure
    })?;
    let facts = resolve(&documents, &overrides, &observed.host)?;
    let unknown = reason.map(|reason| UnknownDirectory {
        usual: facts.node.paths.certificates.clone(),
        reason,
    });
    let typed = typed.then_some(&documents);
    let (scope, is_copy) = scope(&observed.manifests, &facts, typed);
    // Keys of a copy are no matter of this host's folders.
    let keeping = if is_copy {
        facts.node.paths.kubeconfigs.join("tmp")
    } else {
        write::keeping(&facts)
    };
    Ok(Setting {
        host,
        facts,
        scope,
        is_copy,
        keeping,
        unknown,
    })
}

/// Whose files the folders hold. Kubeconfigs of a control plane are in one place; its certificates
/// are where the configuration or the static pods of this host have them. Where `--cert-dir` was
/// typed, `documents` are what there is without it. With it whether neither is of this host.
fn scope(manifests: &Manifests, facts: &Facts, documents: Option<&Documents>) -> (Scope, bool) {
    let paths = &facts.node.paths;
    let is_own = |documents: &Documents| {
        let cluster = documents.cluster.as_ref();
        let folder = cluster.and_then(|cluster| cluster.certificates_dir.as_deref());
        LogicalPath::parse(folder.unwrap_or(CERTIFICATES_FOLDER))
            .is_ok_and(|folder| folder == paths.certificates)
    };
    let has_own_certificates = documents.is_none_or(|documents| {
        is_own(documents) || manifests.certificates() == Look::Present(paths.certificates.clone())
    });
    let has_own_kubeconfigs = paths.kubeconfigs.as_str() == KUBERNETES_FOLDER;
    let scope = if has_own_certificates && has_own_kubeconfigs {
        Scope::Host
    } else {
        Scope::Apart(vec![paths.kubeconfigs.clone(), paths.certificates.clone()])
    };
    (scope, !has_own_certificates && !has_own_kubeconfigs)
}

/// The same for a command that writes: takes the lock first, and takes up what runs that were cut
/// off have left behind.
pub(crate) async fn writing_setting(
    global: &GlobalArguments,
    config: Option<&Path>,
    reading: ReadOptions,
    overrides: Overrides,
    lenient: bool,
) -> Result<(Setting, Lock), ExitCode> {
    let found = setting_of(global, config, reading, overrides.clone(), lenient).await?;
    let lock = if found.is_copy {
        found.host.lock_folder(&found.facts.node.paths.kubeconfigs)
    } else {
        found.host.lock()
    };
    let lock = lock.map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Blocked
    })?;
    let told = take_up(&found).await.map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Failure
    })?;
    if told.is_empty() {
        return Ok((found, lock));
    }
    for line in &told {
        printer::progress(line);
    }
    // What is back in place may tell more.
    let found = setting_of(global, config, reading, overrides, lenient).await?;
    Ok((found, lock))
}

impl Setting {
    /// The folders that a run which kept its old files there may be about.
    fn within(&self) -> &Scope {
        if self.is_copy {
            &self.scope
        } else {
            &Scope::Host
        }
    }
}

async fn take_up(setting: &Setting) -> Result<Vec<String>, HostError> {
    let Setting { host, facts, .. } = setting;
    let (mut told, left) = write::take_up(host, &setting.keeping, setting.within())?;
    left.iter().for_each(printer::warning);
    if !setting.is_copy {
        told.extend(restart::put_back(host, facts).await?);
    }
    Ok(told)
}

/// What runs that were cut off have left behind, for commands that write nothing. Answers whether one was cut off while it replaced files, so that they may not fit each other.
fn warn_of_cut_off_runs(setting: &Setting, given: &Given) -> bool {
    let Setting { host, facts, .. } = setting;
    let mut warnings = Vec::new();
    // What cannot be looked at is told by those who need it.
    let runs = write::cut_off(host, &setting.keeping, setting.within()).unwrap_or_default();
    let is_ours = |run: &write::CutOff| run.replacing && run.foreign.is_none();
    let is_half_made = runs.iter().any(is_ours);
    if is_half_made {
        warnings.push(
            Problem::new("an earlier run was cut off while it replaced certificates").with_hint(
                "Run `rinit certs renew all`: it puts the old files back before it renews them.",
            ),
        );
    }
    warnings.extend(runs.into_iter().filter_map(|run| run.foreign));
    let parked = if setting.is_copy {
        Vec::new()
    } else {
        restart::parked(host, facts).unwrap_or_default()
    };
    for manifest in parked {
        warnings.push(
            Problem::new(format!(
                "{manifest} is away: a restart was cut off, and its pod does not run"
            ))
            .with_hint("Run `rinit certs renew all`: it puts the manifest back first."),
        );
    }
    given
        .complete_problems(&warnings)
        .iter()
        .for_each(printer::warning);
    is_half_made
}

/// The actions of some phases.
pub(crate) fn actions(
    tree: &[Phase<Facts>],
    facts: &Facts,
    phases: &[&str],
) -> Result<Vec<Action>, ExitCode> {
    let selection = Selection {
        only: phases.iter().map(|phase| (*phase).to_owned()).collect(),
        skip: Vec::new(),
    };
    match rinit_workflow::plans(tree, facts, &selection) {
        Ok(plans) => Ok(plans.into_iter().flat_map(|plan| plan.actions).collect()),
        Err(error) => {
            printer::problem(&Problem::from_error(&error));
            Err(ExitCode::Failure)
        }
    }
}

fn certificate_key() -> ExitCode {
    match rinit_pki::certificate_key() {
        Ok(key) => {
            printer::data(&format!("{}\n", key.expose()));
            ExitCode::Success
        }
        Err(error) => {
            printer::error(&rinit_diag::chain(&error), None);
            ExitCode::Failure
        }
    }
}

/// Says until when every certificate is valid: what the phases would make is what is looked at, so
/// that there is no second list.
async fn check_expiration(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &CheckExpirationArguments,
) -> ExitCode {
    let within = match arguments.warn_within.as_deref().map(duration).transpose() {
        Ok(within) => within,
        Err(reason) => {
            printer::error(&format!("--warn-within: {reason}"), None);
            return ExitCode::Usage;
        }
    };
    let template = match &arguments.output {
        ExpirationFormat::JsonPath(text) => match Template::parse(text) {
            Ok(template) => Some(template),
            Err(error) => {
                let message = format!("-o jsonpath: {}", rinit_diag::chain(&error));
                let hint = "write `{.certificates[*].name}`, or use `-o json` with `jq`";
                printer::error(&message, Some(hint));
                return ExitCode::Usage;
            }
        },
        _ => None,
    };
    let specification = SpecificationArguments::default();
    let overrides = arguments.flags.overrides.clone();
    let config = arguments.config.as_deref();
    let given = Given::to_certificates(global, &specification, config, &overrides);
    let setting = match setting(global, config, overrides, true).await {
        Ok(setting) => setting,
        Err(code) => return code,
    };
    if let Err(problem) = has_root(&setting.host) {
        printer::problem(&problem);
        return ExitCode::Blocked;
    }
    let is_half_made = warn_of_cut_off_runs(&setting, &given);
    let Setting {
        host,
        facts,
        scope,
        unknown,
        ..
    } = setting;
    let actions = match actions(tree, &facts, &PHASES) {
        Ok(actions) => actions,
        Err(code) => return code,
    };
    let mut files = BTreeMap::new();
    let reader = Reader::new(&host, unknown.as_ref());
    let mut read = |path: &LogicalPath| {
        // Of a key only its presence counts, and others than root may not read it.
        if path.file_name().rsplit('.').next() == Some("key") {
            return reader.find(path);
        }
        // Each certificate asks for the CA that signed it.
        files
            .entry(path.clone())
            .or_insert_with(|| reader.read(path))
            .clone()
    };
    let report = ExpirationReport::collect(&actions, &scope, &mut read, rinit_host::now());
    given
        .complete_problems(&report.problems(within.unwrap_or_default()))
        .iter()
        .for_each(printer::warning);
    reader.tell();
    printer::data(&match arguments.output {
        ExpirationFormat::JsonPath(_) => template
            .map(|template| template.render(&report.to_value()))
            .unwrap_or_default(),
        ExpirationFormat::Text => report.to_text(),
        ExpirationFormat::Json => report.to_json(),
        ExpirationFormat::Yaml => report.to_yaml(),
        ExpirationFormat::Prometheus => report.to_prometheus(),
    });
    match within {
        Some(_) if is_half_made => ExitCode::Expiring,
        Some(within) => report.worst(within),
        None => ExitCode::Success,
    }
}

/// A folder of `--root` that is not there has nothing in it, which is hardly what was meant.
fn has_root(host: &Host) -> Result<(), Problem> {
    let (Root::Folder(folder), Ok(root)) = (host.root(), LogicalPath::parse("/")) else {
        return Ok(());
    };
    let what = match host.info(&root) {
        Ok(Some(info)) if info.kind == FileKind::Folder => return Ok(()),
        Ok(Some(_)) => "it is not a folder".to_owned(),
        Ok(None) => "there is no such folder".to_owned(),
        Err(error) => rinit_diag::chain(&error),
    };
    Err(Problem::new(format!("--root {}: {what}", folder.display())))
}

/// A duration as Go writes them, with days in front: `30d`, `1d12h`, `90m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 60 * 60;
    let wrong = || "it must be a duration such as 30d, 36h or 1h30m".to_owned();
    let (days, rest) = text.split_once('d').unwrap_or(("0", text));
    let days: u64 = days.parse().map_err(|_| wrong())?;
    let days = days.checked_mul(DAY).ok_or_else(wrong)?;
    let rest = if rest.is_empty() && text.contains('d') {
        Duration::ZERO
    } else {
        rest.parse::<rinit_config::GoDuration>()
            .ok()
            .and_then(rinit_config::GoDuration::to_std)
            .ok_or_else(wrong)?
    };
    Duration::from_secs(days)
        .checked_add(rest)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_days_and_what_go_reads() {
        const HOUR: u64 = 3600;
        for (text, seconds) in [
            ("30d", 30 * 24 * HOUR),
            ("1d12h", 36 * HOUR),
            ("90m", HOUR + HOUR / 2),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "30", "-1h", "1dd", "99999999999999999999d", "1w"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
