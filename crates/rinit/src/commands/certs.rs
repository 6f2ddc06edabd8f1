//! `rinit certs …`

use std::time::Duration;

use rinit_cli::{CheckExpirationArguments, ExpirationFormat, GlobalArguments};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::Overrides;
use rinit_host::{Host, Root};
use rinit_operations::expiration::ExpirationReport;
use rinit_plan::{Action, LogicalPath};
use rinit_workflow::{Phase, Selection};

use crate::commands::{refuse, resolve};
use crate::{collect, printer, settings};

/// The phases that make what can expire.
const PHASES: [&str; 2] = ["certs", "kubeconfig"];

/// Says until when every certificate is valid: what the phases would make is what is looked at, so
/// that there is no second list.
pub(crate) async fn check_expiration(
    tree: &[Phase],
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
    let documents =
        match settings::documents(arguments.config.as_deref(), settings::Reading::default()) {
            Ok(documents) => documents,
            Err(error) => return refuse(error),
        };
    let host = Host::new(Root::typed(global.root.as_deref()));
    let mut overrides = Overrides {
        cert_dir: arguments.cert_dir.clone(),
        kubeconfig_dir: arguments.kubeconfig_dir.clone(),
        ..Overrides::default()
    };
    // Neither decides which certificates there are, and a copied folder lies on any host.
    overrides
        .apiserver_advertise_address
        .get_or_insert_with(|| "127.0.0.1".to_owned());
    overrides.node_name.get_or_insert_with(|| "node".to_owned());
    let collected = collect::host_facts(&host, &documents, &overrides, None).await;
    let mut host_facts = match collected {
        Ok(host_facts) => host_facts,
        Err(problem) => {
            printer::problem(&problem);
            return ExitCode::Failure;
        }
    };
    host_facts.loopback_global_address = Some([192, 0, 2, 1].into());
    let facts = match resolve(&documents, &overrides, &host_facts) {
        Ok(facts) => facts,
        Err(code) => return code,
    };
    let selection = Selection {
        only: PHASES.map(str::to_owned).to_vec(),
        skip: Vec::new(),
    };
    let actions = match rinit_workflow::plans(tree, &facts, &selection) {
        Ok(plans) => plans
            .into_iter()
            .flat_map(|plan| plan.actions)
            .collect::<Vec<Action>>(),
        Err(error) => {
            printer::problem(&Problem::from_error(&error));
            return ExitCode::Failure;
        }
    };
    let mut read = |path: &LogicalPath| {
        // Of a key only its presence counts, and others than root may not read it.
        if path.as_str().ends_with(".key") {
            return host
                .exists(path)
                .map(|found| found.then(Vec::new))
                .map_err(|error| rinit_diag::chain(&error));
        }
        host.read(path).map_err(|error| rinit_diag::chain(&error))
    };
    let report = ExpirationReport::collect(&actions, &mut read, rinit_host::now());
    for problem in report.problems() {
        printer::warning(&problem);
    }
    printer::data(&match arguments.output {
        ExpirationFormat::Text => report.to_text(),
        ExpirationFormat::Json => report.to_json(),
        ExpirationFormat::Yaml => report.to_yaml(),
        ExpirationFormat::Prometheus => report.to_prometheus(),
    });
    match within {
        Some(within) => report.worst(within),
        None => ExitCode::Success,
    }
}

/// A duration as Go writes them, with days in front: `30d`, `1d12h`, `90m`.
fn duration(text: &str) -> Result<Duration, String> {
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
