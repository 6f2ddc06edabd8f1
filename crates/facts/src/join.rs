//! How a node joins: what the JoinConfiguration and the flags ask for, and what discovery has found.

use rinit_config::v1beta4::{InitConfiguration, JoinConfiguration};
use rinit_config::{BootstrapToken, CertificateKey, Documents, Format, GoDuration};
use rinit_diag::Problem;
use rinit_plan::{CertificateBundle, DiscoveryAccess, Secret, defaults};
use serde::Serialize;

use crate::overrides::{Overrides, of_flag};

/// What a join is asked to do.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// How the cluster is found.
    pub discovery: Discovery,
    /// The token that the kubelet bootstraps with; none where the discovery file has credentials.
    pub tls_bootstrap_token: Option<Secret<String>>,
    /// Whether the node becomes one of the control plane.
    pub control_plane: bool,
    /// What the shared certificates are decrypted with.
    pub certificate_key: Option<Secret<String>>,
    /// How long discovery may take, in seconds (`timeouts.discovery`).
    pub discovery_seconds: u64,
    /// How long the TLS bootstrap of the kubelet may take, in seconds (`timeouts.tlsBootstrap`).
    pub tls_bootstrap_seconds: u64,
}

/// How a cluster is found.
#[derive(Debug, Clone)]
pub enum Discovery {
    /// By `cluster-info`, which is signed with a bootstrap token.
    Token {
        /// The API server, `host:port`.
        endpoint: String,
        /// The token.
        token: Secret<String>,
        /// Hashes of public keys, `sha256:<hex>`: one certificate of the CA must have one of them.
        pins: Vec<String>,
    },
    /// By a kubeconfig: a path or an https URL.
    File(String),
}

/// What discovery has found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// How this run reaches the cluster until the node has credentials.
    pub access: DiscoveryAccess,
    /// The URL of the API server that the cluster announces.
    pub server: String,
    /// The certificates of the cluster's CA.
    #[serde(skip)]
    pub certificates: CertificateBundle,
    /// The user of the kubelet's TLS bootstrap, as in a kubeconfig, as JSON.
    pub user: Secret<String>,
    /// What the shared certificates are decrypted with; none where they are copied by hand.
    pub certificate_key: Option<Secret<String>>,
    /// How long the TLS bootstrap of the kubelet may take, in seconds.
    pub tls_bootstrap_seconds: u64,
}

impl JoinRequest {
    /// Returns what the documents, the flags and the endpoint of the command line ask for, or
    /// everything that is wrong with it.
    pub fn of(
        documents: &Documents,
        overrides: &Overrides,
        endpoint: Option<&str>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = overrides.problems.clone();
        let request = match &documents.join {
            Some(join) => {
                problems.extend(beside_a_file(overrides, endpoint));
                of_document(join)
            }
            None if documents.from_file => {
                problems.push(
                    Problem::new(format!(
                        "{} has no JoinConfiguration",
                        documents.source.shown_name()
                    ))
                    .with_hint(
                        "check the path after `--config`; `rinit config print join-defaults` \
                         prints a document to start from",
                    ),
                );
                None
            }
            None => of_flags(overrides, endpoint, &mut problems),
        };
        // Where there is none, the document's own findings say what it lacks.
        let Some(mut request) = request.filter(|_| problems.is_empty()) else {
            return Err(problems);
        };
        if let Some(key) = &overrides.certificate_key {
            request.certificate_key = Some(key.clone());
        }
        if request.certificate_key.is_some() && !request.control_plane {
            return Err(vec![
                Problem::new("--certificate-key is for control-plane nodes")
                    .with_hint("add `--control-plane`, or leave the key out"),
            ]);
        }
        Ok(request)
    }
}

/// Returns the document of this node that decides what is common to `init` and `join`.
pub fn node_document(join: Option<&JoinConfiguration>) -> InitConfiguration {
    let Some(join) = join else {
        return InitConfiguration::default();
    };
    InitConfiguration {
        node_registration: join.node_registration.clone(),
        local_api_endpoint: join
            .control_plane
            .as_ref()
            .map(|control_plane| control_plane.local_api_endpoint.clone())
            .unwrap_or_default(),
        patches: join.patches.clone(),
        timeouts: join.timeouts.clone(),
        skip_phases: join.skip_phases.clone(),
        dry_run: join.dry_run,
        ..InitConfiguration::default()
    }
}

/// Flags that a configuration file has the fields for. kubeadm refuses them too.
fn beside_a_file(overrides: &Overrides, endpoint: Option<&str>) -> Vec<Problem> {
    let refused = [
        "token",
        "discovery-token",
        "discovery-file",
        "discovery-token-ca-cert-hash",
        "discovery-token-unsafe-skip-ca-verification",
        "tls-bootstrap-token",
        "control-plane",
    ];
    let flags = refused.into_iter().filter(|name| overrides.has(name));
    let mut problems: Vec<Problem> = flags
        .map(|name| {
            Problem::new(format!("--{name} cannot be used with --config"))
                .with_hint("put it into the JoinConfiguration")
        })
        .collect();
    if endpoint.is_some() {
        problems.push(
            Problem::new("the API server's endpoint cannot be given with --config")
                .with_hint("set `discovery.bootstrapToken.apiServerEndpoint` in the file"),
        );
    }
    problems
}

fn of_document(join: &JoinConfiguration) -> Option<JoinRequest> {
    let discovery = &join.discovery;
    let found = match (&discovery.bootstrap_token, &discovery.file) {
        (Some(by_token), _) => Discovery::Token {
            endpoint: by_token.api_server_endpoint.clone()?,
            token: by_token.token.clone()?.into_secret(),
            pins: by_token.ca_cert_hashes.clone(),
        },
        (None, Some(file)) => Discovery::File(file.kube_config_path.clone()?),
        (None, None) => return None,
    };
    let own = discovery.tls_bootstrap_token.clone();
    let own = own.map(BootstrapToken::into_secret);
    let of_discovery = match &found {
        Discovery::Token { token, .. } => Some(token.clone()),
        Discovery::File(_) => None,
    };
    let timeouts = join.timeouts.clone().unwrap_or_default();
    Some(JoinRequest {
        discovery: found,
        tls_bootstrap_token: own.or(of_discovery),
        control_plane: join.control_plane.is_some(),
        certificate_key: join
            .control_plane
            .as_ref()
            .and_then(|control_plane| control_plane.certificate_key.clone())
            .map(CertificateKey::into_secret),
        discovery_seconds: seconds(timeouts.discovery),
        tls_bootstrap_seconds: seconds(timeouts.tls_bootstrap),
    })
}

fn of_flags(
    overrides: &Overrides,
    endpoint: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Option<JoinRequest> {
    let mut checked = |name: &'static str, token: Option<&Secret<String>>| {
        let token = token?.clone();
        if let Some(problem) = Format::BootstrapToken.refuse(token.expose()) {
            problems.push(of_flag(name, problem));
        }
        Some(token)
    };
    let both = checked("token", overrides.token.as_ref());
    let discovery_token = checked("discovery-token", overrides.discovery_token.as_ref());
    let bootstrap_token = checked(
        "tls-bootstrap-token",
        overrides.tls_bootstrap_token.as_ref(),
    );
    let discovery_token = discovery_token.or_else(|| both.clone());
    let pins = overrides.discovery_token_ca_cert_hash.clone();
    for pin in &pins {
        if let Some(problem) = Format::CaCertHash.refuse(pin) {
            problems.push(of_flag("discovery-token-ca-cert-hash", problem));
        }
    }
    let discovery = match (&overrides.discovery_file, discovery_token) {
        (Some(_), Some(_)) if overrides.discovery_token.is_some() => {
            problems.push(
                Problem::new("--discovery-file and --discovery-token exclude each other")
                    .with_hint("keep one of the two"),
            );
            None
        }
        (Some(file), _) => Some(Discovery::File(file.clone())),
        (None, Some(token)) => {
            if pins.is_empty() && !overrides.discovery_token_unsafe_skip_ca_verification {
                problems.push(
                    Problem::new("the CA of the cluster is not pinned").with_hint(
                        "add `--discovery-token-ca-cert-hash sha256:HEX`, which `rinit init` \
                         prints; `--discovery-token-unsafe-skip-ca-verification` trusts whoever \
                         knows the token",
                    ),
                );
            }
            let Some(endpoint) = endpoint else {
                problems.push(
                    Problem::new("the API server's endpoint is missing")
                        .with_hint("write `rinit join HOST:PORT --token …`"),
                );
                return None;
            };
            if let Some(problem) = Format::HostAndPort.refuse(endpoint) {
                problems.push(Problem {
                    message: format!("the API server's endpoint: {}", problem.message),
                    hint: problem.hint,
                });
            }
            Some(Discovery::Token {
                endpoint: endpoint.to_owned(),
                token,
                pins,
            })
        }
        (None, None) => {
            problems.push(
                Problem::new("nothing says how the cluster is found").with_hint(
                    "give `HOST:PORT --token TOKEN --discovery-token-ca-cert-hash HASH`, which \
                     `rinit init` prints, `--discovery-file FILE`, or `--config FILE`",
                ),
            );
            None
        }
    };
    Some(JoinRequest {
        discovery: discovery?,
        tls_bootstrap_token: bootstrap_token
            .or(both)
            .or_else(|| overrides.discovery_token.clone()),
        control_plane: overrides.control_plane,
        certificate_key: None,
        discovery_seconds: seconds(None),
        tls_bootstrap_seconds: seconds(None),
    })
}

/// The time of discovery and TLS bootstrap is five minutes unless configured (kubeadm v1beta4).
fn seconds(configured: Option<GoDuration>) -> u64 {
    configured
        .and_then(GoDuration::to_std)
        .map(|duration| duration.as_secs())
        .filter(|seconds| *seconds > 0)
        .unwrap_or(defaults::JOIN_SECONDS)
}
