//! A kubeconfig that somebody made, of which everything stays but what is to change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rinit_manifest::yaml;
use rinit_plan::{CertificateBundle, KubeconfigSpec, LogicalPath, Secret};
use serde_json::{Map, Value, json};

use crate::renewal::NewFile;

/// What a user may have instead of a client certificate, by the names of the fields.
const OTHER_CREDENTIALS: [&str; 5] = ["token", "tokenFile", "exec", "auth-provider", "username"];

/// A kubeconfig with a key in it.
#[derive(Clone)]
pub(crate) struct Document(Value);

impl Document {
    /// The last document of the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut documents =
            yaml::parse_documents(text).map_err(|error| rinit_diag::chain(&error))?;
        Ok(Self(documents.pop().unwrap_or_default()))
    }

    pub(crate) fn file(&self, path: &LogicalPath) -> NewFile {
        let text = Secret::new(yaml::to_string(&self.0));
        NewFile {
            path: path.clone(),
            mode: KubeconfigSpec::MODE,
            content: Secret::new(text.expose().clone().into_bytes()),
        }
    }

    /// The fields of a named user or cluster.
    fn fields(&mut self, list: &str, kind: &str, name: &str) -> Option<&mut Map<String, Value>> {
        let entry = self.0[list]
            .as_array_mut()?
            .iter_mut()
            .find(|entry| entry["name"] == name)?;
        if !entry[kind].is_object() {
            entry[kind] = json!({});
        }
        entry[kind].as_object_mut()
    }

    /// What a user has instead of a client certificate, by the name of its field.
    pub(crate) fn other_credentials(&mut self, user: &str) -> Option<&'static str> {
        let fields = self.fields("users", "user", user)?;
        OTHER_CREDENTIALS.into_iter().find(|name| {
            fields
                .get(*name)
                .is_some_and(|value| !value.is_null() && value != "")
        })
    }

    /// Whether a cluster is not asked who it is.
    pub(crate) fn verifies_nothing(&mut self, cluster: &str) -> bool {
        self.fields("clusters", "cluster", cluster)
            .is_some_and(|fields| fields.get("insecure-skip-tls-verify") == Some(&json!(true)))
    }

    /// Puts a client certificate and its key in.
    pub(crate) fn embed(&mut self, user: &str, certificate: &CertificateBundle, key: &str) {
        if let Some(fields) = self.fields("users", "user", user) {
            for (file, data, text) in [
                (
                    "client-certificate",
                    "client-certificate-data",
                    &**certificate,
                ),
                ("client-key", "client-key-data", key),
            ] {
                fields.remove(file);
                fields.insert(data.to_owned(), STANDARD.encode(text).into());
            }
        }
    }

    /// Leads to another server from now on.
    pub(crate) fn lead_to(&mut self, cluster: &str, server: &str) {
        if let Some(fields) = self.fields("clusters", "cluster", cluster) {
            fields.insert("server".to_owned(), server.into());
        }
    }

    /// Trusts just these from now on.
    pub(crate) fn trust(&mut self, cluster: &str, authorities: &CertificateBundle) {
        if let Some(fields) = self.fields("clusters", "cluster", cluster) {
            fields.remove("certificate-authority");
            // Clients refuse a cluster with both.
            fields.remove("insecure-skip-tls-verify");
            fields.insert(
                "certificate-authority-data".to_owned(),
                STANDARD.encode(authorities).into(),
            );
        }
    }
}
