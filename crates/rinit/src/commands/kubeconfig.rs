//! `rinit kubeconfig …`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use rinit_cli::{GlobalArguments, KubeconfigCommand, KubeconfigUserArguments};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::Overrides;
use rinit_manifest::kubeconfig::Kubeconfig;
use rinit_manifest::yaml;
use rinit_pki::{Authority, Leaf, PrivateKey};
use rinit_plan::{CaId, ExtendedKeyUsage, LogicalPath, Secret, Subject, Validity};
use serde_json::json;

use crate::commands::certs::{Setting, duration, setting};
use crate::printer;

/// How long before the moment of its making a certificate begins, for clocks that are slow.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// Runs one of the commands.
pub(crate) async fn kubeconfig(global: &GlobalArguments, command: KubeconfigCommand) -> ExitCode {
    match command {
        KubeconfigCommand::User(arguments) => {
            user(global, arguments).await.unwrap_or_else(|code| code)
        }
    }
}

/// Prints a kubeconfig for another user: with a new client certificate, or with a token.
async fn user(
    global: &GlobalArguments,
    arguments: KubeconfigUserArguments,
) -> Result<ExitCode, ExitCode> {
    let period = duration(&arguments.validity_period)
        .ok()
        .and_then(|period| SignedDuration::try_from(period).ok())
        .filter(SignedDuration::is_positive)
        .ok_or_else(|| {
            printer::error(
                &format!(
                    "--validity-period {} is no period",
                    arguments.validity_period
                ),
                Some("write a duration such as `30d` or `8760h`"),
            );
            ExitCode::Usage
        })?;
    let overrides = Overrides {
        cert_dir: arguments.cert_dir.clone(),
        ..Overrides::default()
    };
    // The address of the API server is in the result, so that no stand-in will do.
    let config = arguments.config.as_deref();
    let Setting { host, facts } = setting(global, config, overrides, false).await?;
    let refuse = |problem: &Problem| {
        printer::problem(problem);
        ExitCode::Blocked
    };
    let signer = facts.paths.signer(CaId::Cluster);
    let read = |path: &LogicalPath| match host.read(path) {
        Ok(Some(bytes)) => Ok(Secret::new(bytes)),
        Ok(None) => Err(refuse(
            &Problem::new(format!("{path} is missing")).with_hint(
                "run this on a control-plane node, or name the folder with `--cert-dir`",
            ),
        )),
        Err(error) => Err(refuse(&Problem::from_error(&error))),
    };
    let certificate = read(&signer.certificate)?;
    let server = facts.api.url();
    let token = arguments.token.map(Secret::new);
    let unusable = |path: &LogicalPath, error: &rinit_pki::PkiError| {
        refuse(&Problem::new(format!(
            "{path}: {}",
            rinit_diag::chain(error)
        )))
    };
    let ca = String::from_utf8_lossy(certificate.expose()).into_owned();
    if let Some(token) = token {
        let text = with_token(
            &server,
            &facts.cluster_name,
            &arguments.client_name,
            &ca,
            &token,
        );
        printer::data(text.expose());
        return Ok(ExitCode::Success);
    }
    let key = read(&signer.key)?;
    let authority = Authority::load(certificate.expose(), key.expose())
        .map_err(|error| unusable(&signer.certificate, &error))?;
    let not_after = facts.now.checked_add(period).map_err(|_| {
        printer::error("--validity-period is too long", None);
        ExitCode::Usage
    })?;
    let not_before = facts
        .now
        .checked_sub(BACKDATED)
        .unwrap_or(facts.now)
        .max(authority.certificate().validity.not_before);
    let subject = Subject {
        common_name: arguments.client_name,
        organizations: arguments.org,
    };
    let client_key = PrivateKey::generate(facts.certificates.algorithm)
        .map_err(|error| unusable(&signer.key, &error))?;
    let leaf = Leaf {
        subject: &subject,
        usages: &[ExtendedKeyUsage::ClientAuth],
        dns_names: &[],
        ip_addresses: &[],
        validity: Validity {
            not_before,
            not_after,
        },
    };
    let client_certificate = authority
        .issue(leaf, &client_key)
        .map_err(|error| unusable(&signer.certificate, &error))?;
    let text = Kubeconfig {
        server: &server,
        cluster_name: &facts.cluster_name,
        user: &subject.common_name,
        ca_certificates: &ca,
        client_certificate: &client_certificate,
        client_key: client_key.pem(),
    }
    .to_yaml(facts.version.table().writes_zero_values);
    printer::data(text.expose());
    Ok(ExitCode::Success)
}

/// A kubeconfig whose user shows a token.
fn with_token(
    server: &str,
    cluster: &str,
    user: &str,
    ca: &str,
    token: &Secret<String>,
) -> Secret<String> {
    let context = format!("{user}@{cluster}");
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": {
                "certificate-authority-data": STANDARD.encode(ca),
                "server": server,
            },
        }],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
        "users": [{"name": user, "user": {"token": token.expose()}}],
    });
    Secret::new(yaml::to_string(&document))
}
