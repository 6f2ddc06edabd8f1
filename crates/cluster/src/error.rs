//! What goes wrong between rinit and an API server, with the verb and the object in it.

use std::error::Error;
use std::time::Duration;

use rinit_diag::Hint;

/// An error of a call. Never carries the value of a Secret or a part of a kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used: {problem}")]
    Kubeconfig {
        /// What is wrong, without anything of its content that is secret.
        problem: String,
    },
    /// A kind that rinit never writes.
    #[error("objects of kind {kind} in {api_version} are unknown to rinit")]
    UnknownKind {
        /// Group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// The API server answered, and refused.
    #[error(
        "cannot {verb} {object}: the API server answers {code} {reason}{}",
        told(message)
    )]
    Rejected {
        /// What was tried, such as `create`.
        verb: &'static str,
        /// The object, as kind, namespace and name.
        object: String,
        /// The HTTP status.
        code: u16,
        /// Kubernetes' own word for it, such as `Forbidden`.
        reason: String,
        /// The server's explanation; left out where it could repeat a Secret.
        message: String,
    },
    /// No usable answer came.
    #[error("cannot {verb} {object} at {server}")]
    Unreachable {
        /// What was tried.
        verb: &'static str,
        /// The object.
        object: String,
        /// The URL of the API server.
        server: String,
        /// What the client library says.
        #[source]
        source: Box<kube::Error>,
    },
    /// The limit of a whole call was reached before the server answered.
    #[error("cannot {verb} {object} at {server}: no answer within {} s", limit.as_secs())]
    NoAnswer {
        /// What was tried.
        verb: &'static str,
        /// The object.
        object: String,
        /// The URL of the API server.
        server: String,
        /// The time that one call may take.
        limit: Duration,
    },
    /// Tries went on until the limit; the source is what the last one said.
    #[error("gave up after {} s", limit.as_secs())]
    GaveUp {
        /// How long it was tried.
        limit: Duration,
        /// The last error.
        #[source]
        last: Box<ClusterError>,
    },
    /// An object does not look as its kind should.
    #[error("{object} is malformed: {problem}")]
    Malformed {
        /// The object.
        object: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The node has not registered yet, or not completely.
    #[error("node {node} is not registered{}", if *present { ": it has no label kubernetes.io/hostname" } else { "" })]
    NodeNotRegistered {
        /// Its name.
        node: String,
        /// Whether there is a Node object at least.
        present: bool,
    },
    /// `admin.conf` has no rights yet, and there is nobody to grant them.
    #[error(
        "admin.conf may not bind its own group to cluster-admin, and there is no super-admin.conf to do it"
    )]
    NoSuperAdmin,
}

fn told(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// Whether another try may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The same call will always fail.
    Final,
    /// Worth trying until the limit.
    Retry,
    /// Heals within moments of a new cluster or never: RBAC rules and certificates that the
    /// server is about to load.
    RetryBriefly,
}

impl ClusterError {
    pub(crate) fn fate(&self) -> Fate {
        match self {
            Self::Kubeconfig { .. }
            | Self::UnknownKind { .. }
            | Self::Malformed { .. }
            | Self::NoSuperAdmin
            | Self::GaveUp { .. } => Fate::Final,
            Self::Rejected { code, .. } => match code {
                400 | 405 | 406 | 410 | 413 | 415 | 422 => Fate::Final,
                401 | 403 => Fate::RetryBriefly,
                // Also 404: right after the start, kube-system does not exist yet.
                _ => Fate::Retry,
            },
            Self::Unreachable { .. } if self.is_certificate_refused() => Fate::RetryBriefly,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::NodeNotRegistered { .. } => {
                Fate::Retry
            }
        }
    }

    /// Whether the server knows who asks and says no.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.last(), Self::Rejected { code: 403, .. })
    }

    /// Whether the server does not know who asks.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self.last(), Self::Rejected { code: 401, .. })
    }

    /// Whether nothing that speaks Kubernetes answered.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.last(),
            Self::Unreachable { .. } | Self::NoAnswer { .. }
        )
    }

    /// Whether nothing answered at all: no connection came about, or no answer in time. Unlike an
    /// answer that is none of an API server, that may pass by itself.
    pub fn is_no_connection(&self) -> bool {
        match self.last() {
            Self::NoAnswer { .. } => true,
            Self::Unreachable { source, .. } => io_kind(source.as_ref()).is_some_and(|kind| {
                use std::io::ErrorKind as Kind;
                matches!(
                    kind,
                    Kind::ConnectionRefused
                        | Kind::ConnectionReset
                        | Kind::ConnectionAborted
                        | Kind::HostUnreachable
                        | Kind::NetworkUnreachable
                        | Kind::TimedOut
                        | Kind::UnexpectedEof
                        | Kind::BrokenPipe
                )
            }),
            _ => false,
        }
    }

    /// Whether another try may succeed: the server is starting, busy, or not there yet.
    pub fn may_pass(&self) -> bool {
        self.last().fate() == Fate::Retry
    }

    pub(crate) fn is_invalid(&self) -> bool {
        matches!(self, Self::Rejected { code: 422, .. })
    }

    /// The error that counts, without the limit around it.
    fn last(&self) -> &Self {
        match self {
            Self::GaveUp { last, .. } => last,
            other => other,
        }
    }

    /// Whether the server's certificate was not accepted.
    pub fn is_certificate_refused(&self) -> bool {
        self.source().is_some_and(refuses_certificate)
    }
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<std::io::ErrorKind> {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) if error.get_ref().is_none() => Some(error.kind()),
        // An I/O error gives the source of what is in it, not what is in it.
        Some(error) => match error.get_ref().and_then(|inner| io_kind(inner)) {
            Some(kind) => Some(kind),
            None => Some(error.kind()),
        },
        None => error.source().and_then(io_kind),
    }
}

fn refuses_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    // An I/O error gives the source of what is in it, not what is in it.
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match inner {
        Some(inner) => refuses_certificate(inner),
        None => error.source().is_some_and(refuses_certificate),
    }
}

impl Hint for ClusterError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Kubeconfig { .. } => Some(
                "Make it anew with `rinit init phase kubeconfig all`, after moving the old file away."
                    .to_owned(),
            ),
            Self::Rejected { code: 401, .. } => Some(
                "The API server does not trust the client certificate; compare its authority with \
                 `openssl x509 -in /etc/kubernetes/pki/ca.crt -noout -fingerprint`."
                    .to_owned(),
            ),
            Self::Rejected { code: 403, .. } => Some(
                "See who the API server takes you for with \
                 `kubectl --kubeconfig /etc/kubernetes/admin.conf auth whoami`."
                    .to_owned(),
            ),
            Self::Rejected {
                code: 422,
                message,
                object,
                ..
            } if message.contains("immutable") || message.contains("cannot change roleRef") => {
                Some(format!(
                    "The field cannot be changed in place; delete {object} with `{}` and run the \
                     command again.",
                    delete_command(object)
                ))
            }
            Self::Unreachable { .. } if self.is_certificate_refused() => Some(
                "The kubeconfig and the API server have different authorities, or the name in the \
                 URL is not in the server's certificate; see \
                 `openssl x509 -in /etc/kubernetes/pki/apiserver.crt -noout -ext subjectAltName`."
                    .to_owned(),
            ),
            Self::Unreachable { .. } | Self::NoAnswer { .. } => Some(
                "See whether the API server runs with `crictl ps -a --name kube-apiserver`."
                    .to_owned(),
            ),
            Self::GaveUp { last, .. } => last.hint(),
            Self::NodeNotRegistered { node, .. } => Some(format!(
                "See why the kubelet does not register {node} with \
                 `journalctl -u kubelet --no-pager -n 50`."
            )),
            Self::NoSuperAdmin => Some(
                "Make it with `rinit init phase kubeconfig super-admin` and run the command again."
                    .to_owned(),
            ),
            Self::Rejected { .. } | Self::UnknownKind { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The command that deletes an object, from its name in messages (`Kind namespace/name`).
fn delete_command(object: &str) -> String {
    let (kind, name) = object.split_once(' ').unwrap_or((object, ""));
    match name.split_once('/') {
        Some((namespace, name)) => format!("kubectl -n {namespace} delete {kind} {name}"),
        None => format!("kubectl delete {kind} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(code: u16, message: &str) -> ClusterError {
        ClusterError::Rejected {
            verb: "replace",
            object: "RoleBinding kube-public/kubeadm:bootstrap-signer-clusterinfo".into(),
            code,
            reason: "Invalid".into(),
            message: message.into(),
        }
    }

    #[test]
    fn what_will_always_fail_is_not_tried_again() {
        for (code, fate) in [
            (400, Fate::Final),
            (422, Fate::Final),
            (405, Fate::Final),
            (401, Fate::RetryBriefly),
            (403, Fate::RetryBriefly),
            (404, Fate::Retry),
            (409, Fate::Retry),
            (429, Fate::Retry),
            (500, Fate::Retry),
            (503, Fate::Retry),
        ] {
            assert_eq!(rejected(code, "").fate(), fate, "{code}");
        }
    }

    #[test]
    fn a_field_that_cannot_change_names_the_way_round_it() {
        let error = rejected(422, "roleRef: Invalid value: cannot change roleRef");
        assert!(error.hint().unwrap().contains(
            "`kubectl -n kube-public delete RoleBinding kubeadm:bootstrap-signer-clusterinfo`"
        ));
        let given_up = ClusterError::GaveUp {
            limit: Duration::from_mins(1),
            last: Box::new(rejected(403, "no")),
        };
        assert!(given_up.is_forbidden());
        assert!(given_up.hint().unwrap().contains("auth whoami"));
    }
}
