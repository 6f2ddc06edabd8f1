//! One module a command.

pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod init;
pub(crate) mod kubeconfig;
pub(crate) mod version;

use rinit_config::Documents;
use rinit_diag::ExitCode;
use rinit_facts::{Facts, HostFacts, Overrides};

use crate::printer;
use crate::settings::SettingsError;

/// Says what is wrong with the settings.
fn refuse(error: SettingsError) -> ExitCode {
    match error {
        SettingsError::Findings(findings) => {
            printer::report(&findings.to_string());
            ExitCode::Configuration
        }
        SettingsError::Problem(problem) => {
            printer::problem(&problem);
            ExitCode::Configuration
        }
    }
}

/// Resolves everything, or says everything that is wrong.
fn resolve(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, ExitCode> {
    if !documents.warnings.is_empty() {
        printer::report(&documents.warnings.to_string());
    }
    rinit_facts::resolve(documents, overrides, host).map_err(|error| {
        if !error.findings.is_empty() {
            printer::report(&error.findings.to_string());
        }
        for problem in &error.problems {
            printer::problem(problem);
        }
        ExitCode::Configuration
    })
}
