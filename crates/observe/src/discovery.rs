//! How a joining node finds its cluster: from a token or a file to a CA that it trusts, and to the
//! configuration that the cluster keeps.

use std::path::Path;
use std::time::Duration;

use rinit_cluster::{Client, ClusterError, Patience, Timeouts};
use rinit_config::{Documents, ReadOptions, UnknownFields};
use rinit_diag::{Hint as _, Problem, chain};
use rinit_facts::{Discovery, Join, JoinRequest};
use rinit_manifest::kubeconfig;
use rinit_plan::constants::{
    CLUSTER_INFO, KUBE_PUBLIC, KUBE_SYSTEM, KUBEADM_CONFIG, KUBELET_CONFIG,
};
use rinit_plan::{CertificateBundle, DiscoveryAccess, ObjectId, Secret};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a cluster may take to sign `cluster-info` with a new token.
const SIGNING: Duration = Duration::from_secs(6);
/// How often an API server that does not answer is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// A cluster that a node can join.
#[derive(Debug)]
pub struct Discovered {
    /// How it is reached, and what is trusted.
    pub join: Join,
    /// The ClusterConfiguration and the KubeletConfiguration that it keeps.
    pub documents: Documents,
    client: Client,
}

/// What `cluster-info` or a discovery file says.
struct Found {
    /// The URL of the API server that answered.
    endpoint: String,
    /// The URL that the cluster announces.
    server: String,
    ca: CertificateBundle,
    /// The user of the file, if it has one.
    user: Option<Value>,
}

/// Finds the cluster and reads its configuration. `progress` is called with what is waited for.
/// Fails at once where it is certain that the join cannot succeed: a token that the cluster does
/// not know, a CA without the pinned key, an endpoint that is no API server.
pub async fn discover(
    request: &JoinRequest,
    progress: &(dyn Fn(String) + Sync),
) -> Result<Discovered, Problem> {
    let limit = Duration::from_secs(request.discovery_seconds);
    let found = match &request.discovery {
        Discovery::Token {
            endpoint,
            token,
            pins,
        } => by_token(endpoint, token, pins, limit, progress).await?,
        Discovery::File(file) => by_file(file)?,
    };
    let token = request.tls_bootstrap_token.as_ref();
    let user = match (token, found.user) {
        (Some(token), _) => json!({ "token": token.expose() }),
        (None, Some(user)) => user,
        (None, None) => {
            return Err(Problem::new("the discovery file has no credentials")
                .with_hint("add `--tls-bootstrap-token TOKEN`"));
        }
    };
    let kubeconfig = kubeconfig::of_user(&found.endpoint, "kubernetes", &found.ca, &user);
    let client = client(&kubeconfig).await?;
    let [cluster, kubelet] = configuration(&client).await?;
    let text = format!("{cluster}\n---\n{kubelet}");
    let documents = rinit_config::read(
        "the configuration of the cluster",
        text.as_bytes(),
        ReadOptions {
            unknown_fields: UnknownFields::Warn,
        },
    );
    Ok(Discovered {
        join: Join {
            access: DiscoveryAccess {
                server: found.endpoint,
                kubeconfig,
            },
            server: found.server,
            certificates: found.ca,
            user: Secret::new(user.to_string()),
            certificate_key: request.certificate_key.clone(),
            tls_bootstrap_seconds: request.tls_bootstrap_seconds,
        },
        documents,
        client,
    })
}

impl Discovered {
    /// Returns why a node must not take a name: a node of that name is in the cluster and ready.
    /// Only for a host that is not that node already.
    pub async fn name_is_taken(&self, name: &str) -> Option<Problem> {
        let id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        // Who may not look is not held up: the kubelet will be told.
        let node = self.client.get(&id).await.ok()??;
        let conditions = node["status"]["conditions"].as_array()?;
        conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
            .then(|| {
                Problem::new(format!(
                    "the cluster has a node {name} already, and it is ready"
                ))
                .with_hint(format!(
                    "give this host another name with `--node-name`, or delete that node first \
                     with `kubectl delete node {name}`"
                ))
            })
    }
}

async fn client(kubeconfig: &Secret<String>) -> Result<Client, Problem> {
    Client::from_kubeconfig(kubeconfig.expose(), None, Timeouts::default())
        .await
        .map_err(|error| Problem::new(chain(&error)))
}

async fn by_token(
    endpoint: &str,
    token: &Secret<String>,
    pins: &[String],
    limit: Duration,
    progress: &(dyn Fn(String) + Sync),
) -> Result<Found, Problem> {
    let url = format!("https://{endpoint}");
    let unverified = Client::unverified(&url, Timeouts::default())
        .map_err(|error| Problem::new(chain(&error)))?;
    let text = signed(&unverified, token, limit, progress).await?;
    let (server, ca, _) = kubeconfig::discovered(&text).map_err(|error| {
        Problem::new(format!("cluster-info at {url}: {}", chain(&error)))
            .with_hint("write it again with `rinit init phase bootstrap-token` on a control plane")
    })?;
    let ca = bundle(&ca, "cluster-info")?;
    let found_pins = rinit_pki::public_key_pins(ca.as_ref())
        .map_err(|error| Problem::new(format!("the CA in cluster-info: {}", chain(&error))))?;
    if !pins.is_empty()
        && !pins.iter().any(|pin| {
            found_pins
                .iter()
                .any(|found| found.eq_ignore_ascii_case(pin))
        })
    {
        return Err(Problem::new(format!(
            "the CA of the cluster at {url} has none of the pinned keys; it has {}",
            found_pins.join(", ")
        ))
        .with_hint(
            "take the hash from the join command of this cluster: `kubeadm token create \
             --print-join-command` on a control plane; do not join if it shows another one",
        ));
    }
    // The same again from a server that shows a certificate of this CA.
    let verified = kubeconfig::of_user(&url, "kubernetes", &ca, &json!({}));
    let verified = client(&verified).await?;
    let again = cluster_info(&verified).await.map_err(|error| {
        if error.is_certificate_refused() {
            Problem::new(format!(
                "{url} has no certificate for itself: {}",
                chain(&error)
            ))
            .with_hint(
                "join by an address or name that the API server's certificate has, and \
                     compare this host's clock with the control plane's",
            )
        } else {
            Problem::new(chain(&error))
        }
    })?;
    if again.as_ref().and_then(kubeconfig_of).as_deref() != Some(text.as_str()) {
        return Err(Problem::new(format!(
            "cluster-info at {url} is another one once the server's certificate is verified"
        ))
        .with_hint("do not join: somebody answers in the cluster's place, or it just changed"));
    }
    Ok(Found {
        endpoint: url,
        server,
        ca,
        user: None,
    })
}

/// Returns the kubeconfig in `cluster-info` once it is signed with the token.
async fn signed(
    client: &Client,
    token: &Secret<String>,
    limit: Duration,
    progress: &(dyn Fn(String) + Sync),
) -> Result<String, Problem> {
    let (id, secret) = token.expose().split_once('.').unwrap_or_default();
    let begun = Instant::now();
    let mut answered: Option<Instant> = None;
    let mut told = false;
    let server = client.server().to_owned();
    loop {
        let unsigned =
            match cluster_info(client).await {
                Ok(Some(object)) => {
                    let signature = object["data"][format!("jws-kubeconfig-{id}")].as_str();
                    match (kubeconfig_of(&object), signature) {
                    (Some(text), Some(signature)) => {
                        if rinit_pki::verify_detached_jws(signature, id, secret, &text) {
                            return Ok(text);
                        }
                        return Err(Problem::new(format!(
                            "the cluster at {server} knows the token {id}, but with another secret"
                        ))
                        .with_hint(NEW_TOKEN));
                    }
                    (Some(_), None) => Problem::new(format!(
                        "the cluster at {server} does not know the token {id}: it has expired, or \
                         belongs to another cluster"
                    ))
                    .with_hint(NEW_TOKEN),
                    (None, _) => Problem::new(format!("cluster-info at {server} has no kubeconfig"))
                        .with_hint(
                            "write it again with `rinit init phase bootstrap-token` on a control \
                             plane",
                        ),
                }
                }
                Ok(None) => Problem::new(format!("the cluster at {server} has no cluster-info"))
                    .with_hint(
                        "write it with `rinit init phase bootstrap-token` on a control plane, or \
                     join with `--discovery-file`",
                    ),
                Err(error) if error.is_no_connection() && begun.elapsed() + PAUSE < limit => {
                    if !told {
                        progress(format!(
                            "waiting for the API server at {server}: {}",
                            last_cause(&error)
                        ));
                        told = true;
                    }
                    sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(no_api_server(&server, &error)),
            };
        let since = *answered.get_or_insert_with(Instant::now);
        if since.elapsed() > SIGNING {
            return Err(unsigned);
        }
        sleep(PAUSE / 2).await;
    }
}

const NEW_TOKEN: &str = "get a new join command with `kubeadm token create --print-join-command` \
                         on a control plane";

fn no_api_server(server: &str, error: &ClusterError) -> Problem {
    if error.is_no_connection() {
        return Problem::new(format!(
            "nothing answers at {server}: {}",
            last_cause(error)
        ))
        .with_hint("check the address and the port, and that no firewall is in between");
    }
    if error.is_forbidden() {
        return Problem::new(format!(
            "the cluster at {server} does not show cluster-info to anonymous clients"
        ))
        .with_hint("join with `--discovery-file`, or grant it again with `rinit init phase bootstrap-token`");
    }
    Problem::new(format!(
        "{server} does not answer as an API server: {}",
        last_cause(error)
    ))
    .with_hint("check the address and the port of the join command")
}

/// The innermost cause, which is the one that says something.
fn last_cause(error: &ClusterError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn cluster_info(client: &Client) -> Result<Option<Value>, ClusterError> {
    client
        .get(&ObjectId {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(KUBE_PUBLIC.to_owned()),
            name: CLUSTER_INFO.to_owned(),
        })
        .await
}

fn kubeconfig_of(object: &Value) -> Option<String> {
    object["data"]["kubeconfig"].as_str().map(str::to_owned)
}

fn bundle(ca: &[u8], of: &str) -> Result<CertificateBundle, Problem> {
    rinit_pki::certificates_of(ca)
        .map_err(|error| Problem::new(format!("the CA in {of}: {}", chain(&error))))
}

fn by_file(file: &str) -> Result<Found, Problem> {
    if file.starts_with("https://") || file.starts_with("http://") {
        return Err(
            Problem::new(format!("discovery from {file} is not supported"))
                .with_hint("download the file and give its path to `--discovery-file`"),
        );
    }
    let text = match rinit_host::read_typed(Path::new(file)) {
        Ok(Some(text)) => Secret::new(text),
        Ok(None) => {
            return Err(Problem::new(format!("there is no discovery file {file}"))
                .with_hint("check the path as it was typed"));
        }
        Err(error) => return Err(Problem::from_error(&error)),
    };
    let wrong = |reason: String| {
        Problem::new(format!("the discovery file {file}: {reason}"))
            .with_hint("give a kubeconfig with the server and `certificate-authority-data`")
    };
    let text = std::str::from_utf8(text.expose()).map_err(|_| wrong("it is not UTF-8".into()))?;
    let (server, ca, user) = kubeconfig::discovered(text).map_err(|error| wrong(chain(&error)))?;
    Ok(Found {
        endpoint: server.clone(),
        server,
        ca: bundle(&ca, file)?,
        user,
    })
}

/// The texts of the ClusterConfiguration and the KubeletConfiguration.
async fn configuration(client: &Client) -> Result<[String; 2], Problem> {
    let mut texts = [String::new(), String::new()];
    let objects = [
        (KUBEADM_CONFIG, "ClusterConfiguration"),
        (KUBELET_CONFIG, "kubelet"),
    ];
    for ((name, key), text) in objects.into_iter().zip(&mut texts) {
        let id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(KUBE_SYSTEM.to_owned()),
            name: name.to_owned(),
        };
        let object = client
            .get_patiently(&id, &Patience::of(Duration::from_secs(8)))
            .await
            .map_err(|error| unreadable(&error))?;
        let data = object
            .as_ref()
            .and_then(|object| object["data"][key].as_str());
        let missing = || {
            Problem::new(format!("the cluster has no {key} in ConfigMap {name}"))
                .with_hint("write it with `rinit init phase upload-config all` on a control plane")
        };
        data.ok_or_else(missing)?.clone_into(text);
    }
    Ok(texts)
}

fn unreadable(error: &ClusterError) -> Problem {
    let problem = Problem::new(chain(error));
    if error.is_unauthorized() {
        return Problem::new(
            "the cluster does not accept the bootstrap token: it has expired, or is not for \
             authentication",
        )
        .with_hint(NEW_TOKEN);
    }
    match error.hint() {
        Some(_) if error.is_forbidden() => problem.with_hint(
            "the token needs the group system:bootstrappers:kubeadm:default-node-token; \
             `rinit init phase bootstrap-token` on a control plane grants its rights",
        ),
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}
