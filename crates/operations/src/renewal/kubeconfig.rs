//! Where the client certificate of a kubeconfig is, and how a new one gets there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_manifest::yaml;
use rinit_pki::PrivateKey;
use rinit_plan::{FileMode, KubeconfigSpec, LogicalPath, Secret, users};
use serde_json::{Value, json};

use super::{LinkTarget, NewFile};
use crate::expiration::ReadFile;

/// Where a new certificate and its key go.
pub(super) enum Place {
    /// Two files, or one for both, as the kubelet keeps its own.
    Pair {
        certificate: LogicalPath,
        key: LogicalPath,
    },
    /// Into the kubeconfig itself, of which everything else stays.
    Embedded {
        path: LogicalPath,
        document: Document,
        user: String,
    },
}

/// A kubeconfig with a key in it.
pub(super) struct Document(Value);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pair { certificate, key } => write!(f, "{certificate}, {key}"),
            Self::Embedded { path, .. } => write!(f, "{path}"),
        }
    }
}

impl Place {
    /// The files, the key before the certificate.
    pub(super) fn files(&self, certificate: &str, key: &PrivateKey) -> Vec<NewFile> {
        let key_text = key.pem().expose();
        match self {
            Self::Pair {
                certificate: path,
                key: key_path,
            } if path == key_path => vec![NewFile {
                path: path.clone(),
                mode: FileMode::PRIVATE,
                content: Secret::new(format!("{certificate}{key_text}").into_bytes()),
            }],
            Self::Pair {
                certificate: path,
                key: key_path,
            } => vec![
                NewFile {
                    path: key_path.clone(),
                    mode: FileMode::PRIVATE,
                    content: Secret::new(key_text.clone().into_bytes()),
                },
                NewFile {
                    path: path.clone(),
                    mode: FileMode::PUBLIC,
                    content: Secret::new(certificate.as_bytes().to_vec()),
                },
            ],
            Self::Embedded {
                path,
                document,
                user,
            } => {
                let mut document = document.0.clone();
                let entry = document["users"]
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .find(|entry| entry["name"] == user.as_str());
                if let Some(entry) = entry {
                    if !entry["user"].is_object() {
                        entry["user"] = json!({});
                    }
                    if let Some(fields) = entry["user"].as_object_mut() {
                        fields.remove("client-certificate");
                        fields.remove("client-key");
                        fields.insert(
                            "client-certificate-data".to_owned(),
                            STANDARD.encode(certificate).into(),
                        );
                        fields.insert(
                            "client-key-data".to_owned(),
                            STANDARD.encode(key_text).into(),
                        );
                    }
                }
                let text = Secret::new(yaml::to_string(&document));
                vec![NewFile {
                    path: path.clone(),
                    mode: KubeconfigSpec::MODE,
                    content: Secret::new(text.expose().clone().into_bytes()),
                }]
            }
        }
    }
}

/// What is found in a kubeconfig.
pub(super) struct Found {
    /// The old certificate; empty where it is gone.
    pub(super) certificate: Vec<u8>,
    pub(super) place: Place,
    user: String,
}

impl Found {
    /// The user name of a node, if the entry is named after it.
    pub(super) fn node_user(&self) -> Option<String> {
        self.user
            .starts_with(users::NODE_PREFIX)
            .then(|| self.user.clone())
    }
}

pub(super) fn find(
    path: &LogicalPath,
    text: &Secret<Vec<u8>>,
    read: &mut ReadFile<'_>,
    link: &mut LinkTarget<'_>,
) -> Result<Found, String> {
    let text =
        std::str::from_utf8(text.expose()).map_err(|_| "the kubeconfig is not UTF-8".to_owned())?;
    let context = CurrentContext::parse(text).map_err(|error| rinit_diag::chain(&error))?;
    let document = yaml::parse_documents(text)
        .map_err(|error| rinit_diag::chain(&error))?
        .pop()
        .unwrap_or_default();
    let embedded = Place::Embedded {
        path: path.clone(),
        document: Document(document),
        user: context.user.clone(),
    };
    let (certificate, place) = match (context.client_certificate, context.client_key) {
        (Some(Source::Data(data)), _) => (data.expose().clone(), embedded),
        (Some(Source::File(certificate)), Some(Source::File(key))) => {
            let certificate = real(path, &certificate, link)?;
            let key = real(path, &key, link)?;
            match read(&certificate)? {
                Some(pem) => (pem, Place::Pair { certificate, key }),
                // A link that leads nowhere: the kubelet starts anew from what is embedded.
                None => (Vec::new(), embedded),
            }
        }
        (None, _) if context.token.is_some() => {
            return Err("the current user has a token and no client certificate".to_owned());
        }
        _ => (Vec::new(), embedded),
    };
    Ok(Found {
        certificate,
        place,
        user: context.user,
    })
}

/// The file itself: a relative one lies beside the kubeconfig, and the kubelet's is behind a link
/// that must stay one, since the kubelet changes where it leads.
fn real(
    kubeconfig: &LogicalPath,
    file: &str,
    link: &mut LinkTarget<'_>,
) -> Result<LogicalPath, String> {
    let beside = |folder: &LogicalPath, file: &str| {
        let text = if file.starts_with('/') {
            file.to_owned()
        } else {
            format!("{folder}/{file}")
        };
        LogicalPath::parse(&text).map_err(|error| error.to_string())
    };
    let path = beside(&kubeconfig.parent(), file)?;
    match link(&path) {
        Some(target) => beside(&path.parent(), &target),
        None => Ok(path),
    }
}
