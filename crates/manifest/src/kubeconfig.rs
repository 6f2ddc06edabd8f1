//! Kubeconfigs: kubeadm's layout out, and the few fields in that tell how a server is reached.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rinit_plan::{CertificateBundle, Secret};
use serde_json::{Value, json};

use crate::yaml::{self, YamlError};

/// What a kubeconfig with one user by client certificate holds.
#[derive(Debug, Clone, Copy)]
pub struct Kubeconfig<'a> {
    /// The URL of the API server.
    pub server: &'a str,
    /// The name of the cluster entry.
    pub cluster_name: &'a str,
    /// The name of the user entry.
    pub user: &'a str,
    /// The certificates of the cluster's authority.
    pub ca_certificates: &'a CertificateBundle,
    /// The client certificate, with those that lead to its authority behind it.
    pub client_certificate: &'a CertificateBundle,
    /// The key of the client certificate, PEM.
    pub client_key: &'a Secret<String>,
}

impl Kubeconfig<'_> {
    /// The text of the file. `preferences: {}` is written up to Kubernetes 1.33
    /// (`writes_zero_values` of the version tables).
    ///
    /// The text holds the key.
    pub fn to_yaml(&self, writes_preferences: bool) -> Secret<String> {
        let context = format!("{}@{}", self.user, self.cluster_name);
        let mut document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": self.cluster_name,
                "cluster": {
                    "certificate-authority-data": STANDARD.encode(self.ca_certificates),
                    "server": self.server,
                },
            }],
            "contexts": [{
                "name": context,
                "context": { "cluster": self.cluster_name, "user": self.user },
            }],
            "current-context": context,
            "users": [{
                "name": self.user,
                "user": {
                    "client-certificate-data": STANDARD.encode(self.client_certificate),
                    "client-key-data": STANDARD.encode(self.client_key.expose()),
                },
            }],
        });
        if writes_preferences {
            document["preferences"] = json!({});
        }
        Secret::new(yaml::to_string(&document))
    }
}

/// The name of the user entry in the kubeconfig of a TLS bootstrap.
pub const BOOTSTRAP_USER: &str = "tls-bootstrap-token-user";

/// Returns the text of a kubeconfig whose user is given as it stands in one, such as
/// `{"token": "…"}`.
pub fn of_user(
    server: &str,
    cluster_name: &str,
    ca_certificates: &CertificateBundle,
    user: &Value,
) -> Secret<String> {
    let context = format!("{BOOTSTRAP_USER}@{cluster_name}");
    Secret::new(yaml::to_string(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster_name,
            "cluster": {
                "certificate-authority-data": STANDARD.encode(ca_certificates),
                "server": server,
            },
        }],
        "contexts": [{
            "name": context,
            "context": { "cluster": cluster_name, "user": BOOTSTRAP_USER },
        }],
        "current-context": context,
        "users": [{ "name": BOOTSTRAP_USER, "user": user }],
    })))
}

/// Returns the server and the CA of the cluster that a kubeconfig leads to, and its user as it
/// stands there, if there is one. The unnamed cluster of `cluster-info` counts before the current
/// context, as for kubeadm.
pub fn discovered(text: &str) -> Result<(String, Vec<u8>, Option<Value>), KubeconfigError> {
    let mut documents = yaml::parse_documents(text)?;
    let (Some(document @ Value::Object(_)), true) = (documents.pop(), documents.is_empty()) else {
        return Err(KubeconfigError::NotAMapping);
    };
    let unnamed = document["clusters"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["name"] == "");
    let (cluster, user) = if let Some(entry) = unnamed {
        (&entry["cluster"], None)
    } else {
        let name = string(&document, "current-context")
            .ok_or_else(|| KubeconfigError::Missing("current-context".to_owned()))?;
        let context = entry(&document, "contexts", "context", &name)?;
        let missing =
            |field: &str| KubeconfigError::Missing(format!("{field} in the context \"{name}\""));
        let cluster = string(context, "cluster").ok_or_else(|| missing("cluster"))?;
        let user = string(context, "user")
            .map(|user| entry(&document, "users", "user", &user).cloned())
            .transpose()?;
        (entry(&document, "clusters", "cluster", &cluster)?, user)
    };
    let server =
        string(cluster, "server").ok_or_else(|| KubeconfigError::Missing("server".to_owned()))?;
    match source(
        cluster,
        "certificate-authority-data",
        "certificate-authority",
    )? {
        Some(Source::Data(ca)) => Ok((server, ca.expose().clone(), user)),
        _ => Err(KubeconfigError::Missing(
            "certificate-authority-data".to_owned(),
        )),
    }
}

/// The current context of a kubeconfig.
#[derive(Clone, PartialEq, Eq)]
pub struct CurrentContext {
    /// The URL of the API server.
    pub server: String,
    /// The name of the cluster entry.
    pub cluster_name: String,
    /// The certificates of the server's authority.
    pub ca: Option<Source>,
    /// The name of the user entry.
    pub user: String,
    /// The client certificate.
    pub client_certificate: Option<Source>,
    /// The key of the client certificate.
    pub client_key: Option<Source>,
    /// A bearer token.
    pub token: Option<Secret<String>>,
}

/// Bytes in the kubeconfig itself, or the file that has them.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The bytes, which may be those of a key.
    Data(Secret<Vec<u8>>),
    /// The file, as it is named there: it may be relative to the kubeconfig.
    File(String),
}

/// Only names are shown, never bytes.
impl fmt::Debug for CurrentContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentContext")
            .field("server", &self.server)
            .field("cluster_name", &self.cluster_name)
            .field("user", &self.user)
            .field("ca", &self.ca)
            .field("client_certificate", &self.client_certificate)
            .field("client_key", &self.client_key)
            .field("token", &self.token)
            .finish()
    }
}

/// Only the file is shown, never bytes.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(_) => f.write_str("<embedded>"),
            Self::File(file) => f.write_str(file),
        }
    }
}

/// Why a text is no kubeconfig that can be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It is no YAML. The reader's own words show the text, which may be that of a key.
    #[error("the kubeconfig is not valid YAML{}", at(*.place))]
    Yaml {
        /// The line and the column, if they are known.
        place: Option<(u64, u64)>,
    },
    /// It is not one mapping.
    #[error("the kubeconfig is not one YAML mapping")]
    NotAMapping,
    /// A field is absent or empty.
    #[error("the kubeconfig has no {0}")]
    Missing(String),
    /// An entry that another one names is absent.
    #[error("the kubeconfig names the {kind} \"{name}\" but does not have it")]
    Dangling {
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Two entries of a list have one name, and clients of Kubernetes refuse the whole file.
    #[error("the kubeconfig has the name \"{name}\" twice in {list}")]
    Twice {
        /// `contexts`, `clusters` or `users`.
        list: &'static str,
        /// The name.
        name: String,
    },
    /// A field is no base64.
    #[error("the field {0} of the kubeconfig is not base64")]
    NotBase64(&'static str),
}

fn at(place: Option<(u64, u64)>) -> String {
    place.map_or_else(String::new, |(line, column)| {
        format!(" at line {line}, column {column}")
    })
}

impl From<YamlError> for KubeconfigError {
    fn from(error: YamlError) -> Self {
        Self::Yaml {
            place: error.place(),
        }
    }
}

impl CurrentContext {
    /// Reads the current context of a kubeconfig. Embedded data wins over a file, as for all
    /// clients of Kubernetes.
    pub fn parse(text: &str) -> Result<Self, KubeconfigError> {
        let mut documents = yaml::parse_documents(text)?;
        let (Some(document @ Value::Object(_)), true) = (documents.pop(), documents.is_empty())
        else {
            return Err(KubeconfigError::NotAMapping);
        };
        for list in ["contexts", "clusters", "users"] {
            if let Some(name) = repeated(&document, list) {
                return Err(KubeconfigError::Twice { list, name });
            }
        }
        let context_name = string(&document, "current-context")
            .ok_or_else(|| KubeconfigError::Missing("current-context".to_owned()))?;
        let context = entry(&document, "contexts", "context", &context_name)?;
        let name_in_context = |field: &str| {
            string(context, field).ok_or_else(|| {
                KubeconfigError::Missing(format!("{field} in the context \"{context_name}\""))
            })
        };
        let cluster_name = name_in_context("cluster")?;
        let user_name = name_in_context("user")?;
        let cluster = entry(&document, "clusters", "cluster", &cluster_name)?;
        let user = entry(&document, "users", "user", &user_name)?;
        Ok(Self {
            server: string(cluster, "server").ok_or_else(|| {
                KubeconfigError::Missing(format!("server in the cluster \"{cluster_name}\""))
            })?,
            ca: source(
                cluster,
                "certificate-authority-data",
                "certificate-authority",
            )?,
            client_certificate: source(user, "client-certificate-data", "client-certificate")?,
            client_key: source(user, "client-key-data", "client-key")?,
            token: string(user, "token").map(Secret::new),
            cluster_name,
            user: user_name,
        })
    }
}

/// The first name that two entries of a list have.
fn repeated(document: &Value, list: &str) -> Option<String> {
    let mut seen = HashSet::new();
    document[list]
        .as_array()?
        .iter()
        .map(|entry| string(entry, "name").unwrap_or_default())
        .find(|name| !seen.insert(name.clone()))
}

/// The body of the named entry of a list.
fn entry<'a>(
    document: &'a Value,
    list: &str,
    kind: &'static str,
    name: &str,
) -> Result<&'a Value, KubeconfigError> {
    document
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|entry| string(entry, "name").unwrap_or_default() == name)
        .and_then(|entry| entry.get(kind))
        .ok_or_else(|| KubeconfigError::Dangling {
            kind,
            name: name.to_owned(),
        })
}

fn string(value: &Value, field: &str) -> Option<String> {
    value
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn source(
    value: &Value,
    data_field: &'static str,
    file_field: &str,
) -> Result<Option<Source>, KubeconfigError> {
    match string(value, data_field) {
        Some(data) => {
            let bytes = STANDARD
                .decode(data.trim())
                .map_err(|_| KubeconfigError::NotBase64(data_field))?;
            Ok(Some(Source::Data(Secret::new(bytes))))
        }
        None => Ok(string(value, file_field).map(Source::File)),
    }
}

#[cfg(test)]
mod tests;
