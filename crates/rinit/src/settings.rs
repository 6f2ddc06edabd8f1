//! From flags to plain settings: what the command line says beside the configuration file.

use std::path::{Path, PathBuf};

use rinit_cli::{CommonArguments, InitArguments, PhaseArguments, SpecificationArguments};
use rinit_config::{Documents, Findings, ReadOptions, UnknownFields};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, Missing, Overrides};
use rinit_plan::{LogicalPath, Secret};

use crate::printer;

/// Why the settings cannot be made.
#[derive(Debug)]
pub(crate) enum SettingsError {
    /// The file has errors.
    Findings(Box<Findings>),
    /// Something else is wrong with what was typed.
    Problem(Problem),
}

/// How exactly a configuration file is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// Warnings are errors.
    pub(crate) strict: bool,
    /// Fields that are not known are only warned of.
    pub(crate) allow_unknown_fields: bool,
}

impl Reading {
    /// As the flags of `init` and its phases say.
    pub(crate) fn of_common(common: &CommonArguments) -> Self {
        Self {
            strict: common.strict,
            allow_unknown_fields: common.allow_unknown_fields,
        }
    }

    /// As the flags of the commands for certificates say.
    pub(crate) fn of_specification(specification: &SpecificationArguments) -> Self {
        Self {
            strict: false,
            allow_unknown_fields: specification.allow_unknown_fields,
        }
    }

    fn options(self) -> ReadOptions {
        ReadOptions {
            unknown_fields: if self.allow_unknown_fields {
                UnknownFields::Warn
            } else {
                UnknownFields::Error
            },
        }
    }
}

/// The documents of a configuration file; none of them without a file.
pub(crate) fn documents(
    config: Option<&Path>,
    reading: Reading,
) -> Result<Documents, SettingsError> {
    let Some(path) = config else {
        return Ok(Documents::none("no configuration file"));
    };
    let name = path.display().to_string();
    let text = if name == "-" {
        rinit_host::read_standard_input().map(Some)
    } else {
        rinit_host::read_typed(path)
    };
    match text {
        Ok(Some(text)) => match rinit_config::parse(&name, &text, reading.options()) {
            Ok(documents) if reading.strict && !documents.warnings.is_empty() => Err(
                SettingsError::Findings(Box::new(documents.warnings.strict())),
            ),
            Ok(documents) => Ok(documents),
            Err(findings) => Err(SettingsError::Findings(Box::new(findings))),
        },
        Ok(None) => Err(SettingsError::Problem(
            Problem::new(format!("there is no configuration file {name}"))
                .with_hint("check the path after `--config`"),
        )),
        Err(error) => Err(SettingsError::Problem(Problem::from_error(&error))),
    }
}

/// Warns of what is allowed but hardly meant; an error with `--strict`.
pub(crate) fn advise(
    documents: &Documents,
    facts: &Facts,
    missing: &Missing,
    strict: bool,
) -> Result<(), ExitCode> {
    let advice = rinit_facts::advise(documents, facts, missing);
    let count = advice.findings.len() + advice.problems.len();
    if strict && count > 0 {
        if !advice.findings.is_empty() {
            printer::report(&advice.findings.strict().to_string());
        }
        for problem in &advice.problems {
            printer::problem(problem);
        }
        return Err(ExitCode::Configuration);
    }
    if !advice.findings.is_empty() {
        printer::report(&advice.findings.to_string());
    }
    for problem in &advice.problems {
        printer::warning(problem);
    }
    Ok(())
}

/// Ends a command that `--strict` does not let go on.
pub(crate) fn strictly(warnings: usize) -> ExitCode {
    printer::error(
        &format!("{warnings} of these are warnings, which `--strict` does not let pass"),
        Some("mend what they name, or leave `--strict` out"),
    );
    ExitCode::Configuration
}

/// What the flags of `init` say beside the file.
pub(crate) fn of_init(arguments: &InitArguments) -> Result<Overrides, SettingsError> {
    of_common(&arguments.common)
}

/// What the flags of a phase say beside the file.
pub(crate) fn of_phase(arguments: &PhaseArguments) -> Result<Overrides, SettingsError> {
    let kubeconfig = match &arguments.kubeconfig {
        None => None,
        Some(typed) => Some(absolute(typed)?),
    };
    Ok(Overrides {
        kubeconfig,
        kubeconfig_dir: arguments.kubeconfig_dir.clone(),
        apiserver_extra_args: arguments.apiserver_extra_args.clone(),
        controller_manager_extra_args: arguments.controller_manager_extra_args.clone(),
        scheduler_extra_args: arguments.scheduler_extra_args.clone(),
        ..of_common(&arguments.common)?
    })
}

/// What the flags of the commands for certificates say beside the file.
pub(crate) fn of_specification(
    specification: &SpecificationArguments,
    cert_dir: Option<&str>,
    kubeconfig_dir: Option<&str>,
) -> Overrides {
    Overrides {
        apiserver_advertise_address: specification.apiserver_advertise_address.clone(),
        apiserver_bind_port: specification.apiserver_bind_port,
        apiserver_cert_extra_sans: specification.apiserver_cert_extra_sans.clone(),
        cert_dir: cert_dir.map(str::to_owned),
        control_plane_endpoint: specification.control_plane_endpoint.clone(),
        kubeconfig_dir: kubeconfig_dir.map(str::to_owned),
        kubernetes_version: specification.kubernetes_version.clone(),
        node_name: specification.node_name.clone(),
        service_cidr: specification.service_cidr.clone(),
        service_dns_domain: specification.service_dns_domain.clone(),
        ..Overrides::default()
    }
}

fn of_common(common: &CommonArguments) -> Result<Overrides, SettingsError> {
    Ok(Overrides {
        apiserver_advertise_address: common.apiserver_advertise_address.clone(),
        apiserver_bind_port: common.apiserver_bind_port,
        apiserver_cert_extra_sans: common.apiserver_cert_extra_sans.clone(),
        cert_dir: common.cert_dir.clone(),
        certificate_key: common.certificate_key.clone().map(Secret::new),
        control_plane_endpoint: common.control_plane_endpoint.clone(),
        cri_socket: common.cri_socket.clone(),
        feature_gates: feature_gates(&common.feature_gates)?,
        ignore_preflight_errors: common.ignore_preflight_errors.clone(),
        image_repository: common.image_repository.clone(),
        kubernetes_version: common.kubernetes_version.clone(),
        node_name: common.node_name.clone(),
        pod_network_cidr: common.pod_network_cidr.clone(),
        service_cidr: common.service_cidr.clone(),
        service_dns_domain: common.service_dns_domain.clone(),
        skip_certificate_key_print: common.skip_certificate_key_print,
        skip_token_print: common.skip_token_print,
        token: common.token.clone().map(Secret::new),
        token_ttl: common.token_ttl.clone(),
        upload_certs: common.upload_certs,
        ..Overrides::default()
    })
}

/// Feature gates with their values.
pub(crate) fn feature_gates(
    typed: &[(String, String)],
) -> Result<Vec<(String, bool)>, SettingsError> {
    typed
        .iter()
        .map(|(name, value)| match value.parse() {
            Ok(value) => Ok((name.clone(), value)),
            Err(_) => Err(SettingsError::Problem(
                Problem::new(format!("--feature-gates: {name} is \"{value}\""))
                    .with_hint("write `true` or `false`"),
            )),
        })
        .collect()
}

/// A typed path from the root on.
fn absolute(typed: &Path) -> Result<LogicalPath, SettingsError> {
    let path: PathBuf =
        std::path::absolute(typed).map_err(|error| wrong_path(typed, &error.to_string()))?;
    LogicalPath::parse(&path.to_string_lossy())
        .map_err(|error| wrong_path(typed, &error.to_string()))
}

fn wrong_path(typed: &Path, reason: &str) -> SettingsError {
    SettingsError::Problem(Problem::new(format!(
        "cannot use {}: {reason}",
        typed.display()
    )))
}
