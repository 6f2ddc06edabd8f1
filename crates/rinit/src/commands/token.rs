//! `rinit token …`: the bootstrap tokens of a cluster, by calls to its API server and no phases.
//!
//! Tokens are what these commands are asked for, so they are on stdout, and nowhere else.

mod access;
mod print;

use jiff::{SignedDuration, Timestamp};
use rinit_apply::{control_plane_join_command, join_command};
use rinit_cli::{
    ClusterArguments, CreateTokenArguments, DeleteTokensArguments, GlobalArguments,
    ListTokensArguments, TokenArguments, TokenCommand,
};
use rinit_cluster::{Patience, create_token, delete_token, list_tokens};
use rinit_config::{Format, GoDuration};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::Overrides;
use rinit_plan::{BootstrapTokenSpec, Secret, groups};

use self::access::Access;
use crate::commands::{config, refuse, resolve};
use crate::{printer, settings};

const SIGNING: &str = "signing";
const AUTHENTICATION: &str = "authentication";

/// Runs one of the commands.
pub(crate) async fn token(global: &GlobalArguments, arguments: TokenArguments) -> ExitCode {
    let cluster = &arguments.cluster;
    let outcome = match arguments.command {
        TokenCommand::Create(arguments) => create(global, cluster, *arguments).await,
        TokenCommand::List(arguments) => list(global, cluster, &arguments).await,
        TokenCommand::Delete(arguments) => delete(global, cluster, &arguments).await,
        TokenCommand::Generate => generated().map(|token| {
            printer::data(&format!("{}\n", token.expose()));
            ExitCode::Success
        }),
    };
    outcome.unwrap_or_else(|code| code)
}

/// How long a server that does not answer is tried. It is not being set up now, so it either
/// answers soon or is down; missing rights stay missing.
fn patience() -> Patience {
    Patience {
        limit: std::time::Duration::from_secs(10),
        rights_limit: std::time::Duration::ZERO,
    }
}

fn end(code: ExitCode, problem: &Problem) -> ExitCode {
    printer::problem(problem);
    code
}

fn failed(error: &rinit_cluster::ClusterError) -> ExitCode {
    end(ExitCode::Failure, &Problem::from_error(error))
}

fn generated() -> Result<Secret<String>, ExitCode> {
    rinit_pki::bootstrap_token()
        .map_err(|error| end(ExitCode::Failure, &Problem::new(rinit_diag::chain(&error))))
}

async fn create(
    global: &GlobalArguments,
    cluster: &ClusterArguments,
    arguments: CreateTokenArguments,
) -> Result<ExitCode, ExitCode> {
    let key = arguments.certificate_key.clone().map(Secret::new);
    if let Some(key) = &key {
        if !arguments.print_join_command {
            let problem = Problem::new("--certificate-key is only for --print-join-command");
            return Err(end(
                ExitCode::Usage,
                &problem.with_hint("add `--print-join-command`"),
            ));
        }
        check("--certificate-key", Format::CertificateKey, key.expose())?;
    }
    let tokens = match &arguments.config {
        Some(path) if !path.as_os_str().is_empty() => of_file(path).await?,
        _ => vec![of_flags(&arguments, rinit_host::now())?],
    };
    let access = Access::of(global, cluster).await?;
    for token in &tokens {
        if cluster.dry_run {
            dry_run(&access, token).await?;
        } else if !create_token(&access.client, token, &patience())
            .await
            .map_err(|error| failed(&error))?
        {
            return Err(exists(token));
        }
    }
    // A file without tokens has one all the same, so that there is a first.
    let Some(token) = tokens.first() else {
        return Ok(ExitCode::Success);
    };
    let token = Secret::new(format!("{}.{}", token.id, token.secret.expose()));
    let text = if arguments.print_join_command {
        let worker = join_command(&access.endpoint, token.expose(), &access.pins()?);
        Secret::new(match &key {
            Some(key) => control_plane_join_command(&worker, Some(key.expose())),
            None => worker,
        })
    } else {
        token
    };
    printer::data(&format!("{}\n", text.expose()));
    Ok(ExitCode::Success)
}

fn exists(token: &BootstrapTokenSpec) -> ExitCode {
    let problem = Problem::new(format!("a token with the ID {} exists already", token.id));
    let hint = format!("delete it with `rinit token delete {}`", token.id);
    end(ExitCode::Blocked, &problem.with_hint(hint))
}

async fn dry_run(access: &Access, token: &BootstrapTokenSpec) -> Result<(), ExitCode> {
    let id = token.object_id();
    let there = access.client.get_patiently(&id, &patience()).await;
    if there.map_err(|error| failed(&error))?.is_some() {
        return Err(exists(token));
    }
    printer::progress(&format!("would create {id}"));
    Ok(())
}

/// The tokens of a configuration file, as `init` makes them.
async fn of_file(path: &std::path::Path) -> Result<Vec<BootstrapTokenSpec>, ExitCode> {
    let (overrides, reading) = (Overrides::default(), settings::reading(false));
    let documents = settings::readable(Some(path), reading, &overrides).map_err(refuse)?;
    let mut host = config::host_of(&documents).await?;
    for token in &mut host.drawn_tokens {
        *token = generated()?;
    }
    let facts = resolve(&documents, &overrides, &host)?;
    Ok(facts.inputs.bootstrap_tokens)
}

/// The token that flags describe.
fn of_flags(
    arguments: &CreateTokenArguments,
    now: Timestamp,
) -> Result<BootstrapTokenSpec, ExitCode> {
    let text = match arguments.token.clone().map(Secret::new) {
        Some(text) => {
            check("TOKEN", Format::BootstrapToken, text.expose())?;
            text
        }
        None => generated()?,
    };
    let usages = named(&arguments.usages);
    if let Some(unknown) = usages
        .iter()
        .find(|usage| ![SIGNING, AUTHENTICATION].contains(&usage.as_str()))
    {
        let problem = Problem::new(format!("--usages: there is no usage \"{unknown}\""));
        let hint = format!("the usages are `{SIGNING}` and `{AUTHENTICATION}`");
        return Err(end(ExitCode::Usage, &problem.with_hint(hint)));
    }
    let authenticates = usages.iter().any(|usage| usage == AUTHENTICATION);
    let groups = match &arguments.groups {
        Some(groups) => named(groups),
        None if authenticates => vec![groups::BOOTSTRAPPERS.to_owned()],
        None => Vec::new(),
    };
    for group in &groups {
        check("--groups", Format::TokenGroup, group)?;
    }
    if !groups.is_empty() && !authenticates {
        let problem = Problem::new("--groups: only a token that authenticates has groups");
        let hint = format!("add `{AUTHENTICATION}` to `--usages`, or leave out `--groups`");
        return Err(end(ExitCode::Usage, &problem.with_hint(hint)));
    }
    let (id, secret) = text.expose().split_once('.').unwrap_or_default();
    Ok(BootstrapTokenSpec {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
        description: arguments
            .description
            .clone()
            .filter(|text| !text.is_empty()),
        expires: expiry(&arguments.ttl, now)?,
        usages,
        groups,
        drawn: false,
        alike: 0,
    })
}

/// The items of a list without the empty one that `--flag=` has.
fn named(list: &[String]) -> Vec<String> {
    list.iter().filter(|one| !one.is_empty()).cloned().collect()
}

/// When a token expires; never, for a duration of zero.
fn expiry(ttl: &str, now: Timestamp) -> Result<Option<Timestamp>, ExitCode> {
    let refused = || {
        let problem = Problem::new(format!(
            "--ttl: \"{ttl}\" is not how long a token can be valid"
        ));
        let hint = "write a Go duration such as `2h30m`, or `0` for a token that does not expire";
        end(ExitCode::Usage, &problem.with_hint(hint))
    };
    let duration: GoDuration = ttl.parse().map_err(|_| refused())?;
    match duration.nanoseconds() {
        0 => Ok(None),
        nanoseconds if nanoseconds > 0 => now
            .checked_add(SignedDuration::from_nanos(nanoseconds))
            .map(Some)
            .map_err(|_| refused()),
        _ => Err(refused()),
    }
}

/// Refuses a value that was typed, by the rule of the field that it stands for.
fn check(what: &str, format: Format, text: &str) -> Result<(), ExitCode> {
    match format.refuse(text) {
        None => Ok(()),
        Some(problem) => Err(end(
            ExitCode::Usage,
            &Problem {
                message: format!("{what}: {}", problem.message),
                hint: problem.hint,
            },
        )),
    }
}

async fn list(
    global: &GlobalArguments,
    cluster: &ClusterArguments,
    arguments: &ListTokensArguments,
) -> Result<ExitCode, ExitCode> {
    let access = Access::of(global, cluster).await?;
    let found = list_tokens(&access.client, &patience())
        .await
        .map_err(|error| failed(&error))?;
    for name in &found.malformed {
        printer::warning(&Problem::new(format!(
            "the Secret kube-system/{name} is not a token that can be used"
        )));
    }
    printer::data(&print::tokens(
        &found.tokens,
        arguments.output,
        rinit_host::now(),
    ));
    Ok(ExitCode::Success)
}

async fn delete(
    global: &GlobalArguments,
    cluster: &ClusterArguments,
    arguments: &DeleteTokensArguments,
) -> Result<ExitCode, ExitCode> {
    let ids: Vec<&str> = arguments
        .tokens
        .iter()
        .map(|word| id_of(word))
        .collect::<Result<_, _>>()?;
    let access = Access::of(global, cluster).await?;
    let mut code = ExitCode::Success;
    for id in ids {
        let object = BootstrapTokenSpec::object_id_of(id);
        let was_there = if cluster.dry_run {
            let there = access.client.get_patiently(&object, &patience()).await;
            there.map(|object| object.is_some())
        } else {
            delete_token(&access.client, id, &patience()).await
        };
        match was_there {
            Ok(true) if cluster.dry_run => {
                printer::progress(&format!("would delete {object}"));
            }
            Ok(true) => printer::data(&format!("bootstrap token \"{id}\" deleted\n")),
            Ok(false) => {
                let message = format!("there is no bootstrap token with the ID {id}");
                let hint = "`rinit token list` shows those that there are";
                code = end(ExitCode::Failure, &Problem::new(message).with_hint(hint));
            }
            Err(error) => code = failed(&error),
        }
    }
    Ok(code)
}

/// The ID of a token that is named by it, or by all of it. What was typed is not repeated: it may be
/// a token with a mistake.
fn id_of(word: &str) -> Result<&str, ExitCode> {
    let is_id = |text: &str| {
        text.len() == 6
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if is_id(word) {
        return Ok(word);
    }
    match word.split_once('.') {
        Some((id, _)) if Format::BootstrapToken.refuse(word).is_none() => Ok(id),
        _ => {
            let problem =
                Problem::new("what is to be deleted is neither a token nor the ID of one");
            let hint = "a token looks like `abcdef.0123456789abcdef`, its ID like `abcdef`";
            Err(end(ExitCode::Usage, &problem.with_hint(hint)))
        }
    }
}
