//! Where the client certificate of a kubeconfig is, and how a new one gets there.

use rinit_manifest::kubeconfig::{CurrentContext, Kubeconfig, KubeconfigError, Source};
use rinit_pki::PrivateKey;
use rinit_plan::{CertificateBundle, FileMode, KubeconfigSpec, LogicalPath, Secret, users};

use super::{LinkTarget, NewFile};
use crate::Scope;
use crate::expiration::ReadFile;
use crate::kubeconfig::Document;

/// Where a new certificate and its key go.
pub(super) enum Place {
    /// Two files, or one for both, as the kubelet keeps its own.
    Pair {
        certificate: LogicalPath,
        key: LogicalPath,
        /// The kubeconfig that names the files, if something else in it changes.
        kubeconfig: Option<(LogicalPath, Document)>,
    },
    /// Into the kubeconfig itself, of which everything else stays.
    Embedded {
        path: LogicalPath,
        document: Document,
        user: String,
    },
    /// Into a kubeconfig that is made from nothing.
    Whole {
        spec: Box<KubeconfigSpec>,
        authority: CertificateBundle,
    },
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pair {
                certificate, key, ..
            } => write!(f, "{certificate}, {key}"),
            Self::Embedded { path, .. } => write!(f, "{path}"),
            Self::Whole { spec, .. } => write!(f, "{}", spec.path),
        }
    }
}

impl Place {
    /// The files, the key before the certificate.
    pub(super) fn files(&self, certificate: &CertificateBundle, key: &PrivateKey) -> Vec<NewFile> {
        let key_text = key.pem().expose();
        match self {
            Self::Pair {
                certificate: path,
                key: key_path,
                kubeconfig,
            } => {
                let file = |path: &LogicalPath, mode, content: Vec<u8>| NewFile {
                    path: path.clone(),
                    mode,
                    content: Secret::new(content),
                };
                let mut files = if path == key_path {
                    let both = format!("{certificate}{key_text}").into_bytes();
                    vec![file(path, FileMode::PRIVATE, both)]
                } else {
                    vec![
                        file(key_path, FileMode::PRIVATE, key_text.clone().into_bytes()),
                        file(path, FileMode::PUBLIC, certificate.as_bytes().to_vec()),
                    ]
                };
                files.extend(
                    kubeconfig
                        .as_ref()
                        .map(|(path, document)| document.file(path)),
                );
                files
            }
            Self::Embedded {
                path,
                document,
                user,
            } => {
                let mut document = document.clone();
                document.embed(user, certificate, key_text);
                vec![document.file(path)]
            }
            Self::Whole { spec, authority } => {
                let text = Kubeconfig {
                    server: &spec.server,
                    cluster_name: &spec.cluster_name,
                    user: &spec.subject.common_name,
                    ca_certificates: authority,
                    client_certificate: certificate,
                    client_key: key.pem(),
                }
                .to_yaml(false);
                vec![NewFile {
                    path: spec.path.clone(),
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
    /// Its key; empty where it is gone or is not read.
    pub(super) key: Secret<Vec<u8>>,
    /// The URL of the API server.
    pub(super) server: String,
    /// The certificates that it trusts; empty where they are gone, none where it names none.
    pub(super) trusted: Option<Vec<u8>>,
    /// Whether certificate and key are in files out of scope, so that nothing of them was read.
    pub(super) is_elsewhere: bool,
    path: LogicalPath,
    user: String,
    cluster: String,
    document: Document,
    /// Whether something beside the certificate and its key changes.
    changed: bool,
    /// The files of certificate and key; embedded, if there are none.
    files: Option<(LogicalPath, LogicalPath)>,
}

/// Why a kubeconfig cannot be renewed.
pub(super) enum NotFound {
    /// Nothing in it can be kept.
    Unusable(String),
    /// Clients refuse it as a whole for something that is there twice. All of it may be of use.
    Ambiguous(String),
    /// It cannot be read.
    Unreadable(String),
    /// Its user has credentials of another kind: the name of their field.
    OwnCredentials(&'static str),
}

impl Found {
    /// The user name of a node, if the entry is named after it.
    pub(super) fn node_user(&self) -> Option<String> {
        self.user
            .starts_with(users::NODE_PREFIX)
            .then(|| self.user.clone())
    }

    /// Leads to another server from now on.
    pub(super) fn lead_to(&mut self, server: &str) {
        self.document.lead_to(&self.cluster, server);
        self.changed = true;
    }

    /// Trusts other certificates from now on.
    pub(super) fn trust(&mut self, authority: &CertificateBundle) {
        self.document.trust(&self.cluster, authority);
        self.changed = true;
    }

    /// Whether it takes whatever server answers.
    pub(super) fn verifies_nothing(&mut self) -> bool {
        self.trusted.is_none() && self.document.verifies_nothing(&self.cluster)
    }

    /// The kubeconfig with what was changed in it, and its client certificate as it was.
    pub(super) fn file(&self) -> NewFile {
        self.document.file(&self.path)
    }

    pub(super) fn into_place(self) -> Place {
        match self.files {
            Some((certificate, key)) => Place::Pair {
                certificate,
                key,
                kubeconfig: self.changed.then_some((self.path, self.document)),
            },
            None => Place::Embedded {
                path: self.path,
                document: self.document,
                user: self.user,
            },
        }
    }
}

pub(super) fn find(
    path: &LogicalPath,
    text: &Secret<Vec<u8>>,
    scope: &Scope,
    read: &mut ReadFile<'_>,
    link: &mut LinkTarget<'_>,
) -> Result<Found, NotFound> {
    let unusable = NotFound::Unusable;
    let text = std::str::from_utf8(text.expose())
        .map_err(|_| unusable("the kubeconfig is not UTF-8".to_owned()))?;
    let context = CurrentContext::parse(text).map_err(|error| {
        let reason = rinit_diag::chain(&error);
        match error {
            KubeconfigError::Twice { .. } => NotFound::Ambiguous(reason),
            _ => unusable(reason),
        }
    })?;
    let mut document = Document::parse(text).map_err(unusable)?;
    let mut is_elsewhere = false;
    let mut key = Secret::new(Vec::new());
    let (certificate, files) = match (context.client_certificate, context.client_key) {
        (Some(Source::Data(data)), embedded) => {
            key = match embedded {
                Some(Source::Data(data)) => data,
                Some(Source::File(file)) => {
                    let file = real(path, &file, link).map_err(unusable)?;
                    let text = if scope.has(&file) {
                        // Without its key the certificate is of no use, whatever the reason.
                        read(&file).ok().flatten()
                    } else {
                        None
                    };
                    Secret::new(text.unwrap_or_default())
                }
                None => key,
            };
            (data.expose().clone(), None)
        }
        (Some(Source::File(certificate)), Some(Source::File(key_file))) => {
            let certificate = real(path, &certificate, link).map_err(unusable)?;
            let key_file = real(path, &key_file, link).map_err(unusable)?;
            if scope.has(&certificate) && scope.has(&key_file) {
                key = Secret::new(read(&key_file).ok().flatten().unwrap_or_default());
                match read(&certificate).map_err(NotFound::Unreadable)? {
                    Some(pem) => (pem, Some((certificate, key_file))),
                    // A link that leads nowhere: the kubelet starts anew from what is embedded.
                    None => (Vec::new(), None),
                }
            } else {
                is_elsewhere = true;
                (Vec::new(), None)
            }
        }
        (None, _) => match document.other_credentials(&context.user) {
            Some(kind) => return Err(NotFound::OwnCredentials(kind)),
            None => (Vec::new(), None),
        },
        _ => (Vec::new(), None),
    };
    let trusted = match context.ca {
        Some(Source::Data(data)) => Some(data.expose().clone()),
        Some(Source::File(file)) => {
            let file = real(path, &file, link).map_err(unusable)?;
            let found = read(&file).map_err(NotFound::Unreadable)?;
            Some(found.unwrap_or_default())
        }
        None => None,
    };
    Ok(Found {
        certificate,
        key,
        server: context.server,
        trusted,
        is_elsewhere,
        path: path.clone(),
        user: context.user,
        cluster: context.cluster_name,
        document,
        changed: false,
        files,
    })
}

/// The file itself: a relative one lies beside the kubeconfig, and the kubelet's is behind a link
/// that must stay one, since the kubelet changes where it leads.
fn real(
    kubeconfig: &LogicalPath,
    file: &str,
    link: &mut LinkTarget<'_>,
) -> Result<LogicalPath, String> {
    let path = kubeconfig.beside(file).map_err(|error| error.to_string())?;
    match link(&path) {
        Some(target) => path.beside(&target).map_err(|error| error.to_string()),
        None => Ok(path),
    }
}
