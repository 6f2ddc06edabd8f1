//! Outputs: what the user gets to know from a run.

use std::fmt;

use serde::Serialize;

use crate::constants::{KUBE_SYSTEM, KUBEADM_CERTS};
use crate::resource::api;
use crate::{ApiAccess, BootstrapTokenSpec, LogicalPath, ObjectId, ResourceId, Secret};

/// What the user gets to know. An output changes nothing, and is made by every run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "output", rename_all = "kebab-case")]
pub enum Output {
    /// The key under which this run uploads certificates.
    CertificateKey {
        /// The uploaded certificates.
        uploaded: ObjectId,
        /// The key, generated for this run.
        key: Secret<String>,
    },
    /// The commands by which other nodes join.
    JoinCommand(JoinCommandSpec),
}

/// What the join commands are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says how one thing is shown"
)]
#[serde(rename_all = "camelCase")]
pub struct JoinCommandSpec {
    /// How the API server is reached, to find a live token.
    pub access: ApiAccess,
    /// `host:port` of the control plane.
    pub endpoint: String,
    /// The cluster's authority, whose public key joiners pin.
    pub ca_certificate: LogicalPath,
    /// The tokens, in order.
    pub tokens: Vec<BootstrapTokenSpec>,
    /// Whether a control plane may join: only with a stable endpoint.
    pub control_plane: bool,
    /// The certificate key, if the certificates were uploaded.
    pub certificate_key: Option<Secret<String>>,
    /// Whether that key was drawn for this run, so that it is worth nothing unless this run
    /// uploads under it.
    pub certificate_key_drawn: bool,
    /// Whether tokens are shown as `<value withheld>`.
    pub withhold_token: bool,
    /// Whether the certificate key is shown as `<value withheld>`.
    pub withhold_certificate_key: bool,
}

impl Output {
    pub(crate) fn requires(&self) -> Vec<ResourceId> {
        match self {
            Self::CertificateKey { uploaded, .. } => vec![ResourceId::Object(uploaded.clone())],
            Self::JoinCommand(spec) => {
                let mut ids = vec![ResourceId::File(spec.ca_certificate.clone())];
                if spec.tokens.iter().any(|token| token.drawn) && !spec.withhold_token {
                    ids.extend(api(&spec.access));
                }
                ids
            }
        }
    }

    pub(crate) fn reads(&self) -> Vec<ResourceId> {
        match self {
            Self::CertificateKey { .. } => Vec::new(),
            Self::JoinCommand(_) => vec![
                ResourceId::BootstrapTokens,
                ResourceId::Object(ObjectId {
                    api_version: "v1".to_owned(),
                    kind: "Secret".to_owned(),
                    namespace: Some(KUBE_SYSTEM.to_owned()),
                    name: KUBEADM_CERTS.to_owned(),
                }),
            ],
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateKey { .. } => "certificate key",
            Self::JoinCommand(_) => "join command",
        })
    }
}
