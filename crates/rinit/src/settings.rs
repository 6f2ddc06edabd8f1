//! From flags to plain settings: what the command line says beside the configuration file.

use std::path::Path;

use rinit_cli::{InitArguments, PhaseArguments};
use rinit_config::{Documents, Finding, ReadOptions, Rule, Severity, UnknownFields};
use rinit_diag::{ExitCode, Hint, Problem};
use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_workflow::{Phase, Selection};

use crate::trouble::{Remarks, Trouble};

/// Which fields a configuration file may have.
pub(crate) fn reading(allow_unknown_fields: bool) -> ReadOptions {
    ReadOptions {
        unknown_fields: if allow_unknown_fields {
            UnknownFields::Warn
        } else {
            UnknownFields::Error
        },
    }
}

/// Why a file with errors is not taken, as far as it tells by itself.
pub(crate) fn refused(documents: Documents) -> Trouble {
    let mut remarks = Remarks::default();
    remarks.find(documents.findings);
    Trouble {
        code: ExitCode::Configuration,
        remarks,
    }
}

/// The documents of a configuration file, none of them without a file, and what could be read of one
/// with errors: [`resolve`] refuses it with all that can be told at once. What is wrong in fields that
/// flags replace does not count.
pub(crate) fn readable(
    config: Option<&Path>,
    options: ReadOptions,
    overrides: &Overrides,
) -> Result<Documents, Trouble> {
    let Some(path) = config.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(Documents::none("no configuration file"));
    };
    let name = path.display().to_string();
    let text = if name == "-" {
        rinit_host::read_standard_input().map(Some)
    } else {
        rinit_host::read_typed(path)
    };
    match text {
        Ok(Some(text)) => {
            let mut documents = rinit_config::read(&name, &text, options);
            documents.leave_out(&|path| overrides.replaces(path));
            Ok(documents)
        }
        Ok(None) => Err(Trouble::configuration(
            Problem::new(format!("there is no configuration file {name}"))
                .with_hint("check the path as it was typed"),
        )),
        Err(error) => Err(Trouble::of(ExitCode::Configuration, &error)),
    }
}

/// Notes the phases to be skipped that no tree has, at their place in the file.
pub(crate) fn judge_skipped_phases(tree: &[Phase<Facts>], documents: &mut Documents) {
    let names = documents.init.iter().flat_map(|init| &init.skip_phases);
    let unknown: Vec<Finding> = names
        .enumerate()
        // What is empty is refused as such.
        .filter(|(_, name)| !name.is_empty())
        .filter_map(|(index, name)| {
            let selection = Selection {
                only: Vec::new(),
                skip: vec![name.clone()],
            };
            let error = rinit_workflow::leaves(tree, &selection).err()?;
            let path = format!("skipPhases[{index}]");
            let (source, severity) = (&documents.source, Severity::Error);
            let finding = source.finding(Rule::UnknownPhase, severity, &path, error.to_string());
            Some(match error.hint() {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            })
        })
        .collect();
    for finding in unknown {
        documents.findings.push(finding);
    }
}

/// Resolves everything, or gathers everything that is wrong and doubtful. What is doubtful in a
/// configuration that resolves is left to [`warnings`].
pub(crate) fn resolve(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
    strict: bool,
) -> Result<Facts, Trouble> {
    let error = match rinit_facts::resolve(documents, overrides, host) {
        Ok(facts) => return Ok(facts),
        Err(error) => error,
    };
    let mut doubtful = Remarks::default();
    let mut wrong = Remarks::default();
    doubtful.find(documents.findings.clone());
    doubtful.find(error.findings);
    for problem in error.problems {
        wrong.add(Severity::Error, problem);
    }
    for warning in error.warnings {
        doubtful.add(Severity::Warning, warning);
    }
    if strict {
        doubtful = doubtful.strict();
    }
    wrong.append(doubtful);
    Err(Trouble {
        code: ExitCode::Configuration,
        remarks: wrong,
    })
}

/// What is allowed but hardly meant. With `strict` all of it is wrong, and none of it is left to
/// the run, which tells the warnings of the facts otherwise.
pub(crate) fn warnings(
    documents: &Documents,
    overrides: &Overrides,
    resolved: Option<(&Facts, &HostFacts)>,
    strict: bool,
) -> Result<Remarks, Trouble> {
    let mut remarks = Remarks::default();
    remarks.find(documents.findings.clone());
    if let Some((facts, host)) = resolved {
        let advice = rinit_facts::advise(documents, overrides, host, facts);
        remarks.find(advice.findings);
        let of_facts = facts.warnings.iter().filter(|_| strict).cloned();
        for problem in advice.problems.into_iter().chain(of_facts) {
            remarks.add(Severity::Warning, problem);
        }
    }
    if strict && !remarks.is_empty() {
        return Err(Trouble {
            code: ExitCode::Configuration,
            remarks: remarks.strict(),
        });
    }
    Ok(remarks)
}

/// What the flags of `init` say beside the file.
pub(crate) fn of_init(arguments: &InitArguments) -> Overrides {
    let mut overrides = arguments.flags.overrides.clone();
    overrides.skip_phases.retain(|name| !name.is_empty());
    overrides.skipped_phases.clone_from(&overrides.skip_phases);
    overrides
}

/// What the flags of a phase say beside the file.
pub(crate) fn of_phase(arguments: &PhaseArguments) -> Overrides {
    let mut overrides = arguments.flags.overrides.clone();
    if let Some(typed) = overrides.kubeconfig.take() {
        match std::path::absolute(&typed) {
            Ok(path) => overrides.kubeconfig = Some(path.to_string_lossy().into_owned()),
            Err(error) => overrides.problems.push(Problem::new(format!(
                "--kubeconfig: cannot use {typed}: {error}"
            ))),
        }
    }
    overrides
}
