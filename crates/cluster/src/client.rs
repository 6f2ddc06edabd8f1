//! The client: one kubeconfig, one API server, single calls.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Request;
use kube::core::params::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use rinit_plan::ObjectId;
use serde_json::Value;

use crate::kinds::collection;
use crate::retry::retry;
use crate::{ClusterError, Patience, Result};

/// How long single calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer is there, connection included.
    pub call: Duration,
}

impl Default for Timeouts {
    /// A local API server answers at once or is not up; one behind a load balancer has time.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(15),
        }
    }
}

/// A client of one API server with the credentials of one kubeconfig. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: kube::Client,
    server: String,
    timeouts: Timeouts,
}

/// Shows where it leads, never the credentials.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client from the text of a kubeconfig; `server` takes the place of the URL in it, for this
    /// node's own API server. Nothing is sent yet. Needs a tokio runtime around it.
    ///
    /// A proxy of the environment is used as `NO_PROXY` says, but never for `server` or a loopback
    /// address.
    pub async fn from_kubeconfig(
        text: &str,
        server: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self> {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| unusable(&error))?;
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| unusable(&error))?;
        if let Some(server) = server {
            config.cluster_url = server.parse().map_err(|_| ClusterError::Kubeconfig {
                problem: format!("\"{server}\" is no URL"),
            })?;
        }
        if server.is_some() || is_loopback(config.cluster_url.host()) {
            config.proxy_url = None;
        }
        config.connect_timeout = Some(timeouts.connect);
        config.read_timeout = Some(timeouts.call);
        config.write_timeout = Some(timeouts.call);
        // Tries are counted by this crate, which knows what is worth one.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        // The library's own text may quote what it could not read.
        let inner = kube::Client::try_from(config).map_err(|_| ClusterError::Kubeconfig {
            problem: "its certificates or its key cannot be read".to_owned(),
        })?;
        Ok(Self {
            inner,
            server: server.trim_end_matches('/').to_owned(),
            timeouts,
        })
    }

    /// An anonymous client that does not verify the server: for the first look of a joining node,
    /// whose answer is verified by its signature. Nothing is sent yet.
    pub fn unverified(server: &str, timeouts: Timeouts) -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let url = server.parse().map_err(|_| ClusterError::Kubeconfig {
            problem: format!("\"{server}\" is no URL"),
        })?;
        let mut config = kube::Config::new(url);
        config.accept_invalid_certs = true;
        config.connect_timeout = Some(timeouts.connect);
        config.read_timeout = Some(timeouts.call);
        config.write_timeout = Some(timeouts.call);
        config.default_retry = false;
        let inner = kube::Client::try_from(config).map_err(|error| ClusterError::Kubeconfig {
            problem: error.to_string(),
        })?;
        Ok(Self {
            inner,
            server: server.to_owned(),
            timeouts,
        })
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Reads an object; none if it does not exist.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Value>> {
        let request = Request::new(collection(id)?).get(&id.name, &GetParams::default());
        match self.call("read", id, request).await {
            Ok(object) => Ok(Some(object)),
            // What is no API server answers 404 too, without Kubernetes' word for it.
            Err(ClusterError::Rejected {
                code: 404, reason, ..
            }) if reason == "NotFound" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an object and answers it as it stands then; none if it exists already.
    pub async fn create(&self, id: &ObjectId, body: &Value) -> Result<Option<Value>> {
        let request = Request::new(collection(id)?).create(&PostParams::default(), bytes_of(body));
        match self.call("create", id, request).await {
            Ok(object) => Ok(Some(object)),
            Err(ClusterError::Rejected {
                code: 409, reason, ..
            }) if reason == "AlreadyExists" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces an object and answers it as it stands then. With a `resourceVersion` in it, the
    /// server refuses if somebody else changed it since.
    pub async fn replace(&self, id: &ObjectId, body: &Value) -> Result<Value> {
        let request =
            Request::new(collection(id)?).replace(&id.name, &PostParams::default(), bytes_of(body));
        self.call("replace", id, request).await
    }

    /// Deletes an object. Answers whether there was one.
    pub async fn delete(&self, id: &ObjectId) -> Result<bool> {
        let request = Request::new(collection(id)?).delete(&id.name, &DeleteParams::default());
        match self.call("delete", id, request).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Rejected { code: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Changes an object by a strategic merge patch.
    pub(crate) async fn patch(&self, id: &ObjectId, patch: &Value) -> Result<Value> {
        let request = Request::new(collection(id)?).patch(
            &id.name,
            &PatchParams::default(),
            &Patch::Strategic(patch),
        );
        self.call("patch", id, request).await
    }

    /// The objects of a kind in a namespace that a field selector fits. The name in `id` does not
    /// count.
    pub async fn list(&self, id: &ObjectId, field_selector: &str) -> Result<Vec<Value>> {
        self.list_by(id, &ListParams::default().fields(field_selector))
            .await
    }

    /// The objects of a kind in a namespace that have these labels (`a=b,c=d`), asked for until the
    /// server answers. The name in `id` does not count.
    pub async fn list_labelled(
        &self,
        id: &ObjectId,
        labels: &str,
        patience: &Patience,
    ) -> Result<Vec<Value>> {
        let parameters = ListParams::default().labels(labels);
        retry(patience, || self.list_by(id, &parameters)).await
    }

    async fn list_by(&self, id: &ObjectId, parameters: &ListParams) -> Result<Vec<Value>> {
        let request = Request::new(collection(id)?).list(parameters);
        let mut answer = self.call("list", id, request).await?;
        match answer["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Err(ClusterError::Malformed {
                object: format!("list of kind {}", id.kind),
                problem: "it has no items",
            }),
        }
    }

    /// Asks a health endpoint such as `/livez` and succeeds if it says 200.
    pub async fn probe(&self, endpoint: &str) -> Result<()> {
        let verb = "ask";
        let request = http::Request::get(endpoint)
            .body(Vec::new())
            .map_err(|error| self.unreachable(verb, endpoint, kube::Error::HttpError(error)))?;
        let answer = tokio::time::timeout(self.timeouts.call, self.inner.request_text(request));
        match answer.await {
            Err(_) => Err(self.no_answer(verb, endpoint)),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) => Err(ClusterError::Rejected {
                verb,
                object: endpoint.to_owned(),
                code: status.code,
                reason: "not well".to_owned(),
                message: failing_checks(&status.message),
            }),
            Ok(Err(error)) => Err(self.unreachable(verb, endpoint, error)),
        }
    }

    /// Asks a health endpoint until it says 200.
    pub async fn wait_until_well(&self, endpoint: &str, patience: &Patience) -> Result<()> {
        retry(patience, || self.probe(endpoint)).await
    }

    async fn call(
        &self,
        verb: &'static str,
        id: &ObjectId,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value> {
        let request = request.map_err(|error| {
            self.unreachable(verb, &id.to_string(), kube::Error::BuildRequest(error))
        })?;
        let answer = tokio::time::timeout(self.timeouts.call, self.inner.request::<Value>(request));
        let outcome = match answer.await {
            Err(_) => Err(self.no_answer(verb, &id.to_string())),
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) => Err(self.sorted(verb, id.to_string(), id.kind == "Secret", error)),
        };
        match &outcome {
            Ok(_) => tracing::debug!(server = %self.server, verb, object = %id, "requested"),
            Err(error) => tracing::debug!(
                server = %self.server,
                verb,
                object = %id,
                error = %error,
                "requested"
            ),
        }
        outcome
    }

    fn sorted(
        &self,
        verb: &'static str,
        object: String,
        is_secret: bool,
        error: kube::Error,
    ) -> ClusterError {
        match error {
            kube::Error::Api(status) => ClusterError::Rejected {
                verb,
                object,
                code: status.code,
                // Validation quotes the value that it refuses.
                message: if is_secret && matches!(status.code, 400 | 422) {
                    String::new()
                } else {
                    status.message.trim().to_owned()
                },
                reason: status.reason,
            },
            other => self.unreachable(verb, &object, other),
        }
    }

    fn unreachable(&self, verb: &'static str, object: &str, source: kube::Error) -> ClusterError {
        ClusterError::Unreachable {
            verb,
            object: object.to_owned(),
            server: self.server.clone(),
            source: Box::new(source),
        }
    }

    fn no_answer(&self, verb: &'static str, object: &str) -> ClusterError {
        ClusterError::NoAnswer {
            verb,
            object: object.to_owned(),
            server: self.server.clone(),
            limit: self.timeouts.call,
        }
    }
}

fn bytes_of(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// The checks that failed, out of an answer with a line a check such as `[-]etcd failed: reason
/// withheld`; the whole answer where there is no such line.
fn failing_checks(answer: &str) -> String {
    let failing: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("[-]"))
        .map(|line| line.trim_end_matches(": reason withheld"))
        .collect();
    if failing.is_empty() {
        answer.trim().to_owned()
    } else {
        failing.join(", ")
    }
}

fn is_loopback(host: Option<&str>) -> bool {
    let host = host.unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Says what is wrong with a kubeconfig without quoting it: parsers show the line, and a line may
/// be a key.
fn unusable(error: &KubeconfigError) -> ClusterError {
    let problem = match error {
        KubeconfigError::Parse(_) => "it is not valid YAML of that shape".to_owned(),
        KubeconfigError::LoadClientKey(_) => "its client key cannot be read".to_owned(),
        KubeconfigError::LoadClientCertificate(_) => {
            "its client certificate cannot be read".to_owned()
        }
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its certificate authority cannot be read".to_owned()
        }
        KubeconfigError::ParseProxyUrl(_) => "the proxy URL is no URL".to_owned(),
        other => other.to_string(),
    };
    ClusterError::Kubeconfig { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(server: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
             contexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
             users: [{{name: u, user: {user}}}]\n"
        )
    }

    #[tokio::test]
    async fn a_broken_kubeconfig_is_told_without_its_content() {
        let texts = [
            "users: [{user: {client-key-data: SECRETSECRET".to_owned(),
            kubeconfig(
                "https://x",
                "{client-key-data: SECRET*SECRET, client-certificate-data: c2VjcmV0}",
            ),
            kubeconfig(
                "https://x",
                "{client-key-data: U0VDUkVU, client-certificate-data: U0VDUkVU}",
            ),
        ];
        for text in texts {
            let error = Client::from_kubeconfig(&text, None, Timeouts::default())
                .await
                .unwrap_err();
            let shown = format!("{} {error:?}", rinit_diag::chain(&error));
            assert!(shown.contains("the kubeconfig cannot be used"), "{shown}");
            assert!(!shown.contains("SECRET"), "{shown}");
            assert!(!shown.contains("U0VD"), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_with_verb_and_object() {
        // Bound and dropped, so nothing listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let server = format!("https://127.0.0.1:{port}");
        let client = Client::from_kubeconfig(
            &kubeconfig("https://load-balancer:6443", "{}"),
            Some(&server),
            Timeouts::default(),
        )
        .await
        .unwrap();
        let id = ObjectId {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: Some("kube-system".into()),
            name: "kubeadm-config".into(),
        };
        let error = client.get(&id).await.unwrap_err();
        assert!(error.is_unreachable());
        let shown = rinit_diag::chain(&error);
        assert!(
            shown.starts_with(&format!(
                "cannot read ConfigMap kube-system/kubeadm-config at {server}: "
            )),
            "{shown}"
        );
        assert_eq!(shown.matches("refused").count(), 1, "{shown}");
    }

    #[test]
    fn only_the_failing_checks_are_told() {
        // From a kube-apiserver 1.36 that is starting.
        let answer = "[+]ping ok\n[+]etcd ok\n[-]poststarthook/rbac/bootstrap-roles failed: \
                      reason withheld\n[+]autoregister-completion ok\nlivez check failed";
        assert_eq!(
            failing_checks(answer),
            "poststarthook/rbac/bootstrap-roles failed"
        );
        assert_eq!(failing_checks("not found\n"), "not found");
    }

    #[test]
    fn loopback_is_told_from_other_hosts() {
        assert!(is_loopback(Some("127.0.0.1")));
        assert!(is_loopback(Some("[::1]")));
        assert!(is_loopback(Some("localhost")));
        assert!(!is_loopback(Some("10.0.0.1")));
        assert!(!is_loopback(Some("127.example.com")));
    }
}
