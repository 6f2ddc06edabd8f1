//! From flags to plain settings: what the command line says beside the configuration file.

use std::path::{Path, PathBuf};

use rinit_cli::{CommonArguments, InitArguments, PhaseArguments, SpecificationArguments};
use rinit_config::{Documents, Finding, ReadOptions, Rule, Severity, UnknownFields};
use rinit_diag::{ExitCode, Hint, Problem};
use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_plan::{LogicalPath, Secret};
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
    flags: &Flags,
    host: &HostFacts,
    strict: bool,
) -> Result<Facts, Trouble> {
    let resolved = rinit_facts::resolve(documents, &flags.overrides, host);
    let (problems, error) = match (resolved, flags.problems.as_slice()) {
        (Ok(facts), []) => return Ok(facts),
        (Ok(_), problems) => (problems, None),
        (Err(error), problems) => (problems, Some(error)),
    };
    let mut doubtful = Remarks::default();
    let mut wrong = Remarks::default();
    doubtful.find(documents.findings.clone());
    for problem in problems {
        wrong.add(Severity::Error, problem.clone());
    }
    if let Some(error) = error {
        doubtful.find(error.findings);
        for problem in error.problems {
            wrong.add(Severity::Error, problem);
        }
        for warning in error.warnings {
            doubtful.add(Severity::Warning, warning);
        }
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

/// What the flags say beside the file, and what of it could not be understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// What was understood.
    pub(crate) overrides: Overrides,
    /// What was not.
    pub(crate) problems: Vec<Problem>,
}

impl From<Overrides> for Flags {
    fn from(overrides: Overrides) -> Self {
        Self {
            overrides,
            problems: Vec::new(),
        }
    }
}

/// What the flags of `init` say beside the file.
pub(crate) fn of_init(arguments: &InitArguments) -> Flags {
    let mut flags = of_common(&arguments.common);
    flags.overrides.skipped_phases = list(&arguments.skip_phases);
    flags.overrides.skips_by_flag = !flags.overrides.skipped_phases.is_empty();
    flags
}

/// What the flags of a phase say beside the file.
pub(crate) fn of_phase(arguments: &PhaseArguments) -> Flags {
    let mut flags = of_common(&arguments.common);
    let typed = arguments.kubeconfig.as_ref();
    let kubeconfig = match typed
        .filter(|path| !path.as_os_str().is_empty())
        .map(|path| absolute(path))
    {
        Some(Ok(path)) => Some(path),
        Some(Err(problem)) => {
            flags.problems.push(problem);
            None
        }
        None => None,
    };
    flags.overrides = Overrides {
        kubeconfig,
        kubeconfig_dir: given(arguments.kubeconfig_dir.as_ref()),
        apiserver_extra_args: pairs(&arguments.apiserver_extra_args),
        controller_manager_extra_args: pairs(&arguments.controller_manager_extra_args),
        scheduler_extra_args: pairs(&arguments.scheduler_extra_args),
        ..flags.overrides
    };
    flags
}

/// What the flags of the commands for certificates say beside the file.
pub(crate) fn of_specification(
    specification: &SpecificationArguments,
    cert_dir: Option<&str>,
    kubeconfig_dir: Option<&str>,
) -> Overrides {
    Overrides {
        apiserver_advertise_address: given(specification.apiserver_advertise_address.as_ref()),
        apiserver_bind_port: specification.apiserver_bind_port,
        apiserver_cert_extra_sans: names(&specification.apiserver_cert_extra_sans),
        cert_dir: given(cert_dir.map(str::to_owned).as_ref()),
        control_plane_endpoint: given(specification.control_plane_endpoint.as_ref()),
        kubeconfig_dir: given(kubeconfig_dir.map(str::to_owned).as_ref()),
        kubernetes_version: given(specification.kubernetes_version.as_ref()),
        node_name: given(specification.node_name.as_ref()),
        service_cidr: given(specification.service_cidr.as_ref()),
        service_dns_domain: given(specification.service_dns_domain.as_ref()),
        ..Overrides::default()
    }
}

fn of_common(common: &CommonArguments) -> Flags {
    let patches = common.patches.as_ref();
    let (feature_gates, problems) = feature_gates(&common.feature_gates);
    let overrides = Overrides {
        apiserver_advertise_address: given(common.apiserver_advertise_address.as_ref()),
        apiserver_bind_port: common.apiserver_bind_port,
        apiserver_cert_extra_sans: names(&common.apiserver_cert_extra_sans),
        cert_dir: given(common.cert_dir.as_ref()),
        certificate_key: given(common.certificate_key.as_ref()).map(Secret::new),
        control_plane_endpoint: given(common.control_plane_endpoint.as_ref()),
        cri_socket: given(common.cri_socket.as_ref()),
        feature_gates,
        ignore_preflight_errors: list(&common.ignore_preflight_errors),
        image_repository: given(common.image_repository.as_ref()),
        kubernetes_version: given(common.kubernetes_version.as_ref()),
        node_name: given(common.node_name.as_ref()),
        patches: given(patches.map(|path| path.display().to_string()).as_ref()),
        pod_network_cidr: given(common.pod_network_cidr.as_ref()),
        service_cidr: given(common.service_cidr.as_ref()),
        service_dns_domain: given(common.service_dns_domain.as_ref()),
        skip_certificate_key_print: common.skip_certificate_key_print,
        skip_token_print: common.skip_token_print,
        token: given(common.token.as_ref()).map(Secret::new),
        token_ttl: given(common.token_ttl.as_ref()),
        upload_certs: common.upload_certs,
        dry_run: common.dry_run,
        ..Overrides::default()
    };
    Flags {
        overrides,
        problems,
    }
}

/// What was typed; an empty text is none, as in kubeadm, since scripts pass one for "no wish".
fn given(typed: Option<&String>) -> Option<String> {
    typed.filter(|text| !text.is_empty()).cloned()
}

/// The same for each of a list.
pub(crate) fn list(typed: &[String]) -> Vec<String> {
    typed
        .iter()
        .filter(|text| !text.is_empty())
        .cloned()
        .collect()
}

/// A list whose items are judged, the empty ones among them. One that is empty as a whole is none.
fn names(typed: &[String]) -> Vec<String> {
    if typed.iter().all(String::is_empty) {
        return Vec::new();
    }
    typed.to_vec()
}

fn pairs(typed: &[(String, String)]) -> Vec<(String, String)> {
    typed
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .cloned()
        .collect()
}

/// Feature gates with their values, and those whose value is none.
pub(crate) fn feature_gates(typed: &[(String, String)]) -> (Vec<(String, bool)>, Vec<Problem>) {
    let mut gates = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in pairs(typed) {
        match rinit_cli::truth(&value) {
            Ok(value) => gates.push((name, value)),
            Err(_) => problems.push(
                Problem::new(format!("--feature-gates: {name} is \"{value}\""))
                    .with_hint("write `true` or `false`"),
            ),
        }
    }
    (gates, problems)
}

/// A typed path from the root on.
fn absolute(typed: &Path) -> Result<LogicalPath, Problem> {
    let wrong = |reason: String| {
        Problem::new(format!(
            "--kubeconfig: cannot use {}: {reason}",
            typed.display()
        ))
    };
    let path: PathBuf = std::path::absolute(typed).map_err(|error| wrong(error.to_string()))?;
    LogicalPath::parse(&path.to_string_lossy()).map_err(|error| wrong(error.to_string()))
}
