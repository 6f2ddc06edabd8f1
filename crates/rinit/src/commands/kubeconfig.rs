//! `rinit kubeconfig …`

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rinit_cli::{
    GlobalArguments, KubeconfigCommand, KubeconfigUserArguments, SpecificationArguments,
};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::BACKDATE;
use rinit_manifest::kubeconfig::{CurrentContext, Kubeconfig, Source};
use rinit_manifest::yaml;
use rinit_pki::{Authority, Certificate, Leaf, PrivateKey, Request, Trust};
use rinit_plan::{
    CaId, CertificateBundle, ExtendedKeyUsage, LogicalPath, Secret, Subject, Validity,
};
use serde_json::{Value, json};

use crate::commands::certs::{Setting, duration, setting};
use crate::given::Given;
use crate::printer;

/// The longest period that is not warned of, as in kubeadm.
const USUAL: SignedDuration = SignedDuration::from_hours(8760);

/// Runs one of the commands.
pub(crate) async fn kubeconfig(global: &GlobalArguments, command: KubeconfigCommand) -> ExitCode {
    match command {
        KubeconfigCommand::User(arguments) => {
            user(global, arguments).await.unwrap_or_else(|code| code)
        }
    }
}

/// Prints a kubeconfig for another user: with a new client certificate, with one for a key that
/// the user keeps, or with a token.
async fn user(
    global: &GlobalArguments,
    arguments: KubeconfigUserArguments,
) -> Result<ExitCode, ExitCode> {
    let period = period(&arguments.validity_period)?;
    let (setting, server) = cluster(global, &arguments).await?;
    let Setting { host, facts, .. } = &setting;
    let signer = facts.node.paths.signer(CaId::Cluster);
    let read = |path: &LogicalPath| {
        found(
            host.read(path).map_err(|error| Problem::from_error(&error)),
            path.as_str(),
            "Run this on a control-plane node, or name the folder with `--cert-dir`.",
        )
    };
    // What the user trusts is the cluster's, whoever signs.
    let trusted = read(&signer.certificate)?;
    let mut authorities = Certificate::read_all(trusted.expose()).map_err(|error| {
        let place = &signer.certificate;
        refuse(&Problem::new(format!("{place}: {error}")))
    })?;
    // Who answers there may show a certificate of one that the administrator trusts beside it.
    match Trust::of(&server.trusted, &authorities) {
        Ok(trust) => {
            let valid = |one: &Certificate| one.validity.not_after > facts.inputs.now;
            authorities.extend(trust.foreign.into_iter().filter(valid));
        }
        Err(_) if server.trusted.is_empty() => {}
        Err(error) => printer::warning(&Problem::new(format!(
            "whom the administrator trusts cannot be read ({error}): the new kubeconfig trusts the \
             cluster's authority alone"
        ))),
    }
    let ca = Certificate::bundle(&authorities);
    let unspecified = SpecificationArguments::default();
    let given = Given::to_certificates(global, &unspecified, None, &arguments.flags.overrides);
    if let Some(finding) = rinit_pki::key_among_certificates(&signer, trusted.expose()) {
        given
            .complete_problems(&[finding.into()])
            .iter()
            .for_each(printer::warning);
    }
    // An empty word names no group, as for kubeadm.
    let organizations: Vec<String> = arguments
        .org
        .into_iter()
        .filter(|group| !group.is_empty())
        .collect();
    if let Some(token) = arguments.token.map(Secret::new) {
        if !organizations.is_empty() {
            printer::warning(&Problem::new(
                "who shows a token has the groups that the API server knows of it; `--org` says \
                 nothing of them",
            ));
        }
        let user = json!({ "token": token.expose() });
        let text = Secret::new(document(&server, &arguments.client_name, &ca, &user));
        printer::data(text.expose());
        return Ok(ExitCode::Success);
    }
    let subject = Subject {
        common_name: arguments.client_name,
        organizations,
    };
    let request = arguments
        .csr
        .as_deref()
        .map(|file| requested(file, &subject))
        .transpose()?;
    let (place, certificate, key) = match (&arguments.ca_cert, &arguments.ca_key) {
        (Some(certificate), Some(key)) => (
            certificate.display().to_string(),
            read_typed(certificate)?,
            read_typed(key)?,
        ),
        _ => (
            signer.certificate.to_string(),
            trusted.clone(),
            read(&signer.key)?,
        ),
    };
    let unusable = |error: &rinit_pki::PkiError| {
        refuse(&Problem::new(format!(
            "{place}: {}",
            rinit_diag::chain(error)
        )))
    };
    let authority = Authority::load(certificate.expose(), key.expose(), facts.inputs.now)
        .map_err(|error| unusable(&error))?;
    let end = authority.certificate().validity.not_after;
    if end <= facts.inputs.now {
        let message = format!(
            "{place}: the certificate of the authority expired at {end}, so that nothing it signs \
             is of use"
        );
        let problem = Problem::new(message);
        let is_typed = arguments.ca_cert.is_some();
        return Err(refuse(&if is_typed {
            problem
        } else {
            problem.with_hint(given.complete_all(&authority.renewal_hint(&signer)))
        }));
    }
    let leaf = Leaf {
        subject: &subject,
        usages: &[ExtendedKeyUsage::ClientAuth],
        dns_names: &[],
        ip_addresses: &[],
        validity: validity(facts.inputs.now, period, &authority)?,
    };
    if let Some(reason) = authority.refusal(leaf).map_err(|error| unusable(&error))? {
        let message = format!("{place}: the CA must not sign this: {reason}");
        return Err(refuse(&Problem::new(message)));
    }
    let text = if let Some((request, key_file)) = request {
        let issued = authority
            .issue_requested(leaf, &request)
            .map_err(|error| unusable(&error))?;
        printer::progress(&format!(
            "the kubeconfig looks for the key in {key_file} beside it"
        ));
        let user = json!({
            "client-certificate-data": STANDARD.encode(issued),
            "client-key": key_file,
        });
        Secret::new(document(&server, &subject.common_name, &ca, &user))
    } else {
        let key = PrivateKey::generate(facts.cluster.certificates.algorithm)
            .map_err(|error| unusable(&error))?;
        let issued = authority
            .issue(leaf, &key)
            .map_err(|error| unusable(&error))?;
        Kubeconfig {
            server: &server.url,
            cluster_name: &server.cluster,
            user: &subject.common_name,
            ca_certificates: &ca,
            client_certificate: &issued,
            client_key: key.pem(),
        }
        .to_yaml(facts.cluster.version.table().writes_zero_values)
    };
    printer::data(text.expose());
    Ok(ExitCode::Success)
}

/// How the cluster is reached and called.
struct Server {
    url: String,
    cluster: String,
    /// Whom the kubeconfig trusts that names it (PEM); empty where a configuration does.
    trusted: Vec<u8>,
}

/// What the configuration says of the cluster, or without one the kubeconfig of its administrator,
/// or without that the host.
async fn cluster(
    global: &GlobalArguments,
    arguments: &KubeconfigUserArguments,
) -> Result<(Setting, Server), ExitCode> {
    let overrides = || arguments.flags.overrides.clone();
    let config = arguments.config.as_deref();
    if config.is_none() {
        let setting = setting(global, None, overrides(), true).await?;
        let of_administrator = ["admin.conf", "super-admin.conf"].iter().find_map(|name| {
            let path = setting.facts.node.paths.kubeconfig(name);
            let text = Secret::new(setting.host.read_text(&path).ok()??);
            let context = CurrentContext::parse(text.expose()).ok()?;
            let trusted = match context.ca {
                Some(Source::Data(data)) => data.expose().clone(),
                Some(Source::File(file)) => {
                    let read = path
                        .beside(&file)
                        .map_err(|error| error.to_string())
                        .and_then(|file| {
                            let read = setting.host.read(&file);
                            read.map_err(|error| rinit_diag::chain(&error))
                        })
                        .and_then(|read| read.ok_or_else(|| format!("{file} does not exist")));
                    read.unwrap_or_else(|reason| {
                        printer::warning(&Problem::new(format!(
                            "whom {path} trusts is not known ({reason}): the new one trusts the \
                             cluster's authority alone"
                        )));
                        Vec::new()
                    })
                }
                None => Vec::new(),
            };
            Some(Server {
                url: context.server,
                cluster: context.cluster_name,
                trusted,
            })
        });
        if let Some(server) = of_administrator {
            return Ok((setting, server));
        }
    }
    // The address of the API server is in the result, so that no stand-in will do.
    let setting = setting(global, config, overrides(), false).await?;
    let server = Server {
        url: setting.facts.endpoint().url(),
        cluster: setting.facts.cluster.name.clone(),
        trusted: Vec::new(),
    };
    Ok((setting, server))
}

fn period(typed: &str) -> Result<SignedDuration, ExitCode> {
    let period = duration(typed)
        .ok()
        .and_then(|period: Duration| SignedDuration::try_from(period).ok())
        .filter(SignedDuration::is_positive);
    let Some(period) = period else {
        printer::error(
            &format!("--validity-period {typed} is no period"),
            Some("write a duration such as `30d` or `8760h`"),
        );
        return Err(ExitCode::Usage);
    };
    if period > USUAL {
        printer::warning(&Problem::new(format!(
            "a client certificate cannot be taken back, and this one is valid for {typed}"
        )));
    }
    Ok(period)
}

fn validity(
    now: Timestamp,
    period: SignedDuration,
    authority: &Authority,
) -> Result<Validity, ExitCode> {
    let signer = authority.certificate().validity;
    let not_after = now.checked_add(period).map_err(|_| {
        printer::error("--validity-period is too long", None);
        ExitCode::Usage
    })?;
    if not_after > signer.not_after {
        printer::warning(&Problem::new(format!(
            "the authority expires at {}, and with it what it has signed",
            signer.not_after
        )));
    }
    if now < signer.not_before {
        printer::warning(&Problem::new(format!(
            "the authority is not valid before {}, nor is what it signs",
            signer.not_before
        )));
    }
    Ok(Validity {
        not_before: now
            .checked_sub(BACKDATE)
            .unwrap_or(now)
            .max(signer.not_before),
        not_after,
    })
}

/// The request in a file, and the name of the file with its key: the same with the end `.key`.
/// Whom the certificate names, the command line alone decides; a request for more is refused.
fn requested(file: &Path, subject: &Subject) -> Result<(Request, String), ExitCode> {
    let is_standard_input = file.as_os_str() == "-";
    let (pem, name) = if is_standard_input {
        let read = rinit_host::read_standard_input().map(Some);
        let name = "the standard input".to_owned();
        let read = read.map_err(|error| Problem::from_error(&error));
        (found(read, &name, "Check the pipe.")?, name)
    } else {
        (read_typed(file)?, file.display().to_string())
    };
    let request = Request::read(pem.expose()).map_err(|error| {
        refuse(
            &Problem::new(format!("{name}: {}", rinit_diag::chain(&error))).with_hint(
                "Make one with `openssl req -new -newkey rsa:2048 -nodes -keyout USER.key -subj /CN=USER -out USER.csr`.",
            ),
        )
    })?;
    let mut problems = Vec::new();
    let asked = request.subject.common_name().unwrap_or_default();
    if !asked.is_empty() && asked != subject.common_name {
        problems.push(Problem::new(format!(
            "{name} asks for a certificate of {}, and `--client-name` names another user",
            request.subject
        )));
    }
    for group in request.subject.organizations() {
        if !subject.organizations.iter().any(|given| given == group) {
            problems.push(
                Problem::new(format!(
                    "{name} asks for the group {}, which `--org` does not name",
                    group.escape_debug()
                ))
                .with_hint("If the user is to have that group, add it to `--org`."),
            );
        }
    }
    if !problems.is_empty() {
        for problem in &problems {
            printer::problem(problem);
        }
        return Err(ExitCode::Blocked);
    }
    if request.asks_for_extensions {
        printer::warning(&Problem::new(format!(
            "{name} asks for extensions, such as alternative names; the certificate has none"
        )));
    }
    if is_standard_input {
        return Ok((request, format!("{}.key", key_name(&subject.common_name))));
    }
    let stem = file
        .file_stem()
        .map_or_else(|| "client".into(), |stem| stem.to_string_lossy());
    Ok((request, format!("{stem}.key")))
}

/// A user's name as that of a file.
fn key_name(user: &str) -> String {
    let plain = |next: char| next.is_ascii_alphanumeric() || "-_.@".contains(next);
    user.chars()
        .map(|next| if plain(next) { next } else { '-' })
        .collect()
}

/// A kubeconfig with a user of any kind.
fn document(server: &Server, user_name: &str, ca: &CertificateBundle, user: &Value) -> String {
    let Server { url, cluster, .. } = server;
    let context = format!("{user_name}@{cluster}");
    yaml::to_string(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": {
                "certificate-authority-data": STANDARD.encode(ca),
                "server": url,
            },
        }],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user_name}}],
        "current-context": context,
        "users": [{"name": user_name, "user": user}],
    }))
}

fn read_typed(file: &Path) -> Result<Secret<Vec<u8>>, ExitCode> {
    found(
        rinit_host::read_typed(file).map_err(|error| Problem::from_error(&error)),
        &file.display().to_string(),
        "Check the path.",
    )
}

fn found(
    outcome: Result<Option<Vec<u8>>, Problem>,
    path: &str,
    hint: &str,
) -> Result<Secret<Vec<u8>>, ExitCode> {
    match outcome {
        Ok(Some(bytes)) => Ok(Secret::new(bytes)),
        Ok(None) => Err(refuse(
            &Problem::new(format!("{path} is missing")).with_hint(hint),
        )),
        Err(problem) => Err(refuse(&problem)),
    }
}

fn refuse(problem: &Problem) -> ExitCode {
    printer::problem(problem);
    ExitCode::Blocked
}
