//! `rinit completion` and `rinit man`.

use rinit_cli::{CompletionArguments, ManArguments, Trees};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::Facts;
use rinit_operations::renewal;
use rinit_plan::FileMode;
use rinit_workflow::Phase;

use crate::commands::{certs, config};
use crate::{name, printer};

/// Prints the completions of a shell, for the name that this program was started by.
pub(crate) fn completion(
    tree: &[Phase<Facts>],
    trees: &Trees,
    arguments: &CompletionArguments,
) -> ExitCode {
    let facts = match config::facts_without_file() {
        Ok(facts) => facts,
        Err(code) => return code,
    };
    let actions = match certs::actions(tree, &facts, &certs::PHASES) {
        Ok(actions) => actions,
        Err(code) => return code,
    };
    let names = renewal::names(&actions);
    let script = rinit_cli::completion(trees, arguments.shell, name::own(), &names);
    printer::data(&String::from_utf8_lossy(&script));
    ExitCode::Success
}

/// Writes a manual page for each command.
pub(crate) fn manual(trees: &Trees, arguments: &ManArguments) -> ExitCode {
    let pages = match rinit_cli::manual(trees) {
        Ok(pages) => pages,
        Err(error) => {
            printer::error(&format!("cannot make the manual pages: {error}"), None);
            return ExitCode::Failure;
        }
    };
    for (name, text) in &pages {
        let path = arguments.directory.join(name);
        if let Err(error) = rinit_host::write_typed(&path, FileMode::PUBLIC, text) {
            printer::problem(&Problem::from_error(&error));
            return ExitCode::Failure;
        }
    }
    printer::progress(&format!(
        "wrote {} pages to {}",
        pages.len(),
        arguments.directory.display()
    ));
    ExitCode::Success
}
