//! `rinit certs generate-csr` and `rinit certs install-signed`

use rinit_cli::{GenerateCsrArguments, GlobalArguments, InstallSignedArguments};
use rinit_diag::{ExitCode, Problem};
use rinit_operations::requests;
use rinit_pki::KeyPool;
use rinit_plan::LogicalPath;
use rinit_workflow::Phase;

use super::renew::{asked, backup_folder};
use super::write::{Backup, replace};
use super::{PHASES, Setting, actions, setting_of};
use crate::printer;
use crate::settings::{self, Reading};

/// Makes keys and requests.
pub(super) async fn generate(
    tree: &[Phase],
    global: &GlobalArguments,
    arguments: &GenerateCsrArguments,
) -> ExitCode {
    run_generate(tree, global, arguments)
        .await
        .unwrap_or_else(|code| code)
}

async fn run_generate(
    tree: &[Phase],
    global: &GlobalArguments,
    arguments: &GenerateCsrArguments,
) -> Result<ExitCode, ExitCode> {
    let overrides = settings::of_specification(
        &arguments.specification,
        arguments.cert_dir.as_deref(),
        arguments.kubeconfig_dir.as_deref(),
    );
    let config = arguments.config.as_deref();
    let reading = Reading::of_specification(&arguments.specification);
    let Setting { host, facts } = setting_of(global, config, reading, overrides, false).await?;
    let actions = actions(tree, &facts, &PHASES)?;
    let names = asked(&arguments.names, &actions)?;
    let _lock = host.lock().map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Blocked
    })?;
    let mut read = |path: &LogicalPath| host.read(path).map_err(|error| rinit_diag::chain(&error));
    let files = tokio::task::block_in_place(|| {
        let wanted = requests::wanted(&actions, &names, &mut read)?;
        let pool = KeyPool::new(wanted.iter().filter_map(requests::Wanted::new_key));
        requests::generate(&wanted, &mut |algorithm| pool.take(algorithm))
    })
    .map_err(|problems| blocked(&problems))?;
    for file in files {
        if let Err(error) = host.write(&file.path, file.mode, file.content.expose()) {
            printer::problem(&Problem::from_error(&error));
            return Err(ExitCode::Failure);
        }
        printer::progress(&format!("wrote {}", host.resolve(&file.path).display()));
    }
    Ok(ExitCode::Success)
}

/// Checks and installs what another authority has signed.
pub(super) async fn install(
    tree: &[Phase],
    global: &GlobalArguments,
    arguments: &InstallSignedArguments,
) -> ExitCode {
    run_install(tree, global, arguments)
        .await
        .unwrap_or_else(|code| code)
}

async fn run_install(
    tree: &[Phase],
    global: &GlobalArguments,
    arguments: &InstallSignedArguments,
) -> Result<ExitCode, ExitCode> {
    let overrides = settings::of_specification(
        &arguments.specification,
        arguments.cert_dir.as_deref(),
        arguments.kubeconfig_dir.as_deref(),
    );
    let config = arguments.config.as_deref();
    let reading = Reading::of_specification(&arguments.specification);
    let Setting { host, facts } = setting_of(global, config, reading, overrides, false).await?;
    let actions = actions(tree, &facts, &PHASES)?;
    let _lock = host.lock().map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Blocked
    })?;
    let mut read = |path: &LogicalPath| host.read(path).map_err(|error| rinit_diag::chain(&error));
    let mut signed = |name: &str| {
        rinit_host::read_typed(&arguments.from.join(name))
            .map_err(|error| rinit_diag::chain(&error))
    };
    let folder = &facts.paths.certificates;
    let installation = requests::install(&actions, folder, &mut read, &mut signed, facts.now)
        .map_err(|problems| blocked(&problems))?;
    for warning in &installation.warnings {
        printer::warning(warning);
    }
    if installation.files.is_empty() {
        printer::error(
            &format!(
                "nothing that was asked for is in {}",
                arguments.from.display()
            ),
            Some(
                "put the certificates there as `apiserver.crt`, `etcd/server.crt`, `admin.conf.crt` and so on",
            ),
        );
        return Err(ExitCode::Blocked);
    }
    for name in &installation.absent {
        printer::progress(&format!("leaving {name}: nothing signed for it is there"));
    }
    if !arguments.dry_run {
        let backup = Backup::make(&host, backup_folder(&facts), &installation.files)
            .map_err(|error| blocked(&[Problem::from_error(&error)]))?;
        replace(&host, &backup, &installation.files).map_err(|problem| {
            printer::problem(&problem);
            ExitCode::Failure
        })?;
    }
    let verb = if arguments.dry_run {
        "would install"
    } else {
        "installed"
    };
    for name in &installation.installed {
        printer::progress(&format!("{verb} {name}"));
    }
    Ok(ExitCode::Success)
}

fn blocked(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        printer::problem(problem);
    }
    ExitCode::Blocked
}
