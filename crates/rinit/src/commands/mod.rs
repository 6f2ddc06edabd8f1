//! One module a command.

pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod generated;
pub(crate) mod init;
mod interrupts;
pub(crate) mod join;
pub(crate) mod kubeconfig;
pub(crate) mod token;
pub(crate) mod version;

use rinit_config::Documents;
use rinit_diag::ExitCode;
use rinit_facts::{Facts, HostFacts, Overrides};

use crate::printer;
use crate::settings;
use crate::trouble::Trouble;

/// Says why the command ends.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what is refused is not needed any more"
)]
fn refuse(trouble: Trouble) -> ExitCode {
    trouble.remarks.print();
    trouble.code
}

/// Resolves everything, or says everything that is wrong.
fn resolve(
    documents: &Documents,
    overrides: &Overrides,
    host: &HostFacts,
) -> Result<Facts, ExitCode> {
    let facts = settings::resolve(documents, overrides, host, false).map_err(refuse)?;
    if !documents.findings.is_empty() {
        printer::report(&documents.findings.to_string());
    }
    Ok(facts)
}
