//! `rinit certs ca renew` and `rinit certs ca prune`

use rinit_cli::{CaArguments, CaCommand, GlobalArguments, ReportFormat, SpecificationArguments};
use rinit_diag::ExitCode;
use rinit_facts::Facts;
use rinit_operations::renewal::{self, Options, Renewal};
use rinit_workflow::Phase;

use super::renew::{Execution, asked, begin, may_restart, planned};
use super::{PHASES, actions};
use crate::given::Given;
use crate::{printer, settings};

/// Runs one of the two commands.
pub(super) async fn ca(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    command: &CaCommand,
) -> ExitCode {
    let outcome = match command {
        CaCommand::Renew(arguments) => {
            run(tree, global, &arguments.common, Some(&arguments.names)).await
        }
        CaCommand::Prune(arguments) => run(tree, global, arguments, None).await,
    };
    outcome.unwrap_or_else(|code| code)
}

/// Renews the CAs of these names, or prunes all where there is no list.
async fn run(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &CaArguments,
    renewed: Option<&[String]>,
) -> Result<ExitCode, ExitCode> {
    may_restart(global, arguments.restart)?;
    let specification = SpecificationArguments {
        allow_unknown_fields: arguments.allow_unknown_fields,
        ..SpecificationArguments::default()
    };
    let overrides = arguments.flags.overrides.clone();
    let config = arguments.config.as_deref();
    let reading = settings::reading(arguments.allow_unknown_fields);
    let given = Given::to_certificates(global, &specification, config, &overrides);
    let (setting, _lock) = begin(
        global,
        config,
        reading,
        overrides,
        config.is_none(),
        arguments.dry_run,
        &given,
    )
    .await?;
    let actions = actions(tree, &setting.facts, &PHASES)?;
    let known = renewal::ca_names(&actions);
    let named = asked(renewed.unwrap_or_default(), &known)?;
    let is_named = !named.is_empty();
    let options = Options {
        // The names of CAs alone, so that no other certificate counts as renewed.
        names: if is_named {
            named
        } else {
            known.iter().map(|name| (*name).to_owned()).collect()
        },
        configured: config.is_some(),
        prune: false,
        now: setting.facts.inputs.now,
        scope: setting.scope.clone(),
        cluster_signer: setting.facts.node.paths.cluster_signer_certificate(),
    };
    let renewal = planned(
        &setting.host,
        setting.unknown.as_ref(),
        &given,
        |read, link| match renewed {
            Some(_) => Renewal::of_cas(&actions, &options, read, link),
            None => Renewal::pruned_cas(&actions, &options, read, link),
        },
    )?;
    if renewed.is_none() && renewal.rewritten.is_empty() && arguments.output == ReportFormat::Text {
        given
            .complete_problems(&renewal.warnings)
            .iter()
            .for_each(printer::warning);
        printer::progress("there is nothing to prune");
        return Ok(ExitCode::Success);
    }
    let run = Execution {
        tree,
        global,
        setting: &setting,
        given: &given,
        restart: arguments.restart,
        dry_run: arguments.dry_run,
        output: arguments.output,
    };
    run.finish(renewal, is_named).await
}
