//! `rinit certs generate-csr` and `rinit certs install-signed`

use std::path::Path;
use std::sync::Arc;

use rinit_cli::{
    GenerateCsrArguments, GlobalArguments, InstallSignedArguments, SpecificationArguments,
};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::Facts;
use rinit_host::Lock;
use rinit_operations::renewal::{self, NewFile};
use rinit_operations::requests;
use rinit_pki::KeyPool;
use rinit_plan::{Action, LogicalPath};
use rinit_workflow::Phase;

use super::read::Reader;
use super::renew::asked;
use super::write::{replace, write_all};
use super::{PHASES, Setting, actions, setting_of, writing_setting};
use crate::commands::interrupts::Interrupts;
use crate::given::Given;
use crate::printer;
use crate::settings;

/// Makes keys and requests.
pub(super) async fn generate(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &GenerateCsrArguments,
) -> ExitCode {
    let typed = Typed {
        config: arguments.config.as_deref(),
        specification: &arguments.specification,
    };
    let outcome = async {
        let (work, _lock) = begin(tree, global, typed, false).await?;
        let names = asked(&arguments.names, &renewal::names(&work.actions))?;
        let work = Arc::new(work);
        let making = Arc::clone(&work);
        let mut interrupts = Interrupts::listen_or_fail()?;
        let files = interrupts.unless(move || make(&making, &names)).await??;
        write(&work, &files)
    };
    outcome.await.unwrap_or_else(|code| code)
}

/// Checks and installs what another authority has signed.
pub(super) async fn install(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    arguments: &InstallSignedArguments,
) -> ExitCode {
    let typed = Typed {
        config: arguments.config.as_deref(),
        specification: &arguments.specification,
    };
    let outcome = async {
        let (work, _lock) = begin(tree, global, typed, arguments.dry_run).await?;
        put(&work, &arguments.from, arguments.dry_run)
    };
    outcome.await.unwrap_or_else(|code| code)
}

/// What both commands are given.
struct Typed<'a> {
    config: Option<&'a Path>,
    specification: &'a SpecificationArguments,
}

/// A folder as it is seen from the working directory, as kubeadm takes it for these commands; below
/// another root there is none.
fn from_here(global: &GlobalArguments, folder: Option<&str>) -> Option<String> {
    let has_root = global.root.is_some() || global.rootfs.is_some();
    folder.map(|folder| {
        std::path::absolute(folder)
            .ok()
            .filter(|_| !has_root)
            .and_then(|path| path.to_str().map(str::to_owned))
            .unwrap_or_else(|| folder.to_owned())
    })
}

/// What both commands work with.
struct Work {
    setting: Setting,
    given: Given,
    actions: Vec<Action>,
}

async fn begin(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    typed: Typed<'_>,
    dry_run: bool,
) -> Result<(Work, Option<Lock>), ExitCode> {
    let mut overrides = typed.specification.flags.overrides.clone();
    for folder in [&mut overrides.cert_dir, &mut overrides.kubeconfig_dir] {
        *folder = from_here(global, folder.as_deref());
    }
    let given = Given::to_certificates(global, typed.specification, typed.config, &overrides);
    let reading = settings::reading(typed.specification.allow_unknown_fields);
    // An ordinary user who names his own folders is in nobody's way, as with kubeadm.
    let is_apart = overrides.cert_dir.is_some() && overrides.kubeconfig_dir.is_some();
    let (setting, lock) = if dry_run || (is_apart && !rinit_host::is_root()) {
        let setting = setting_of(global, typed.config, reading, overrides, false).await?;
        (setting, None)
    } else {
        let (setting, lock) =
            writing_setting(global, typed.config, reading, overrides, false).await?;
        (setting, Some(lock))
    };
    let actions = actions(tree, &setting.facts, &PHASES)?;
    let work = Work {
        setting,
        given,
        actions,
    };
    Ok((work, lock))
}

/// Makes keys and requests in memory.
fn make(work: &Work, names: &[String]) -> Result<Vec<NewFile>, ExitCode> {
    let reader = Reader::new(&work.setting.host, None);
    let mut read = |path: &LogicalPath| reader.read(path);
    let files = requests::wanted(&work.actions, names, &mut read).and_then(|wanted| {
        let pool = KeyPool::new(wanted.iter().filter_map(requests::Wanted::new_key));
        requests::generate(&wanted, &mut |algorithm| pool.take(algorithm))
    });
    files.map_err(|problems| blocked(&work.given, &reader, &problems))
}

fn write(work: &Work, files: &[NewFile]) -> Result<ExitCode, ExitCode> {
    let host = &work.setting.host;
    write_all(host, files).map_err(|problem| failed(&problem))?;
    for file in files {
        printer::progress(&format!("wrote {}", host.resolve(&file.path).display()));
    }
    Ok(ExitCode::Success)
}

fn put(work: &Work, from: &Path, dry_run: bool) -> Result<ExitCode, ExitCode> {
    let Setting {
        host,
        facts,
        keeping,
        ..
    } = &work.setting;
    let reader = Reader::new(host, None);
    let mut read = |path: &LogicalPath| reader.read(path);
    let mut signed = |name: &str| {
        rinit_host::read_typed(&from.join(name)).map_err(|error| rinit_diag::chain(&error))
    };
    let folder = &facts.node.paths.certificates;
    let installation = requests::install(
        &work.actions,
        folder,
        &mut read,
        &mut signed,
        facts.inputs.now,
    )
    .map_err(|problems| blocked(&work.given, &reader, &problems))?;
    work.given
        .complete_problems(&installation.warnings)
        .iter()
        .for_each(printer::warning);
    if installation.files.is_empty() {
        printer::error(
            &format!("nothing that was asked for is in {}", from.display()),
            Some(
                "put the certificates there as `apiserver.crt`, `etcd/server.crt`, `admin.conf.crt` and so on",
            ),
        );
        return Err(ExitCode::Blocked);
    }
    for name in &installation.absent {
        printer::progress(&format!("leaving {name}: nothing signed for it is there"));
    }
    for change in &installation.changes {
        printer::progress(change);
    }
    let verb = if dry_run {
        "would install"
    } else {
        "installed"
    };
    if !dry_run {
        let backup = replace(host, keeping, facts.inputs.now, &installation.files)
            .map_err(|problem| failed(&problem))?;
        if let Some(folder) = &backup.folder {
            printer::progress(&format!(
                "the old files are in {}",
                host.resolve(folder).display()
            ));
        }
    }
    for name in &installation.installed {
        printer::progress(&format!("{verb} {name}"));
    }
    Ok(ExitCode::Success)
}

fn blocked(given: &Given, reader: &Reader<'_>, problems: &[Problem]) -> ExitCode {
    given
        .complete_problems(problems)
        .iter()
        .for_each(printer::problem);
    reader.tell();
    ExitCode::Blocked
}

fn failed(problem: &Problem) -> ExitCode {
    printer::problem(problem);
    ExitCode::Failure
}
