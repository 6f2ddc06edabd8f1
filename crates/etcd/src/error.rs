//! What goes wrong between rinit and etcd, and which of it another try may outlast.

use std::time::Duration;

use rinit_diag::Hint;

/// An error of a call. Never carries a key.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// No endpoint was given.
    #[error("no endpoint of etcd is known")]
    NoEndpoint,
    /// An endpoint is no URL of the form `https://HOST:PORT`.
    #[error("\"{endpoint}\" is no endpoint of etcd")]
    Endpoint {
        /// As it was given.
        endpoint: String,
    },
    /// The CA, the client certificate or its key cannot be used.
    #[error("the credentials for etcd cannot be used")]
    Credentials {
        /// What the TLS library says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing that speaks etcd's protocol answers.
    #[error("cannot reach etcd at {endpoint}")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What the transport says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// One side does not accept the other's certificate.
    #[error("etcd at {endpoint} and this client do not trust each other")]
    Untrusted {
        /// The endpoint.
        endpoint: String,
        /// What the TLS library says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An endpoint took too long. Whether the call had its effect is unknown.
    #[error("cannot {call}: no answer from etcd at {endpoint} within {} s", limit.as_secs())]
    NoAnswer {
        /// What was tried, such as `add a member`.
        call: &'static str,
        /// The endpoint.
        endpoint: String,
        /// The limit of one call.
        limit: Duration,
    },
    /// The cluster cannot do this now: it lacks a leader or started members, or another member is
    /// joining.
    #[error("cannot {call}: etcd at {endpoint} is busy: {message}")]
    Busy {
        /// What was tried.
        call: &'static str,
        /// The endpoint.
        endpoint: String,
        /// etcd's words.
        message: String,
    },
    /// etcd refused.
    #[error("cannot {call}: etcd at {endpoint} answers: {message}")]
    Refused {
        /// What was tried.
        call: &'static str,
        /// The endpoint.
        endpoint: String,
        /// etcd's words.
        message: String,
    },
    /// The answer lacks what it must have.
    #[error("cannot {call}: the answer of etcd is incomplete")]
    Incomplete {
        /// What was tried.
        call: &'static str,
    },
    /// Tries went on until the limit; the source is the last error.
    #[error("gave up after {} s", limit.as_secs())]
    GaveUp {
        /// How long it was tried.
        limit: Duration,
        /// The last error.
        #[source]
        last: Box<EtcdError>,
    },
}

impl EtcdError {
    /// Whether another try may succeed: etcd starts, elects a leader, or another member joins.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Unreachable { .. } | Self::NoAnswer { .. }
        )
    }

    /// Whether nothing that speaks etcd's protocol answered.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } => true,
            Self::GaveUp { last, .. } => last.is_unreachable(),
            _ => false,
        }
    }

    /// The error of a gRPC status.
    pub(crate) fn of(call: &'static str, endpoint: &str, status: &tonic::Status) -> Self {
        let endpoint = endpoint.to_owned();
        let message = status.message().trim_start_matches("etcdserver: ");
        if BUSY.iter().any(|text| message.contains(text)) {
            return Self::Busy {
                call,
                endpoint,
                message: message.to_owned(),
            };
        }
        match status.code() {
            // What the transport says; etcd's own reasons are above.
            tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled
                if !status.message().starts_with("etcdserver: ") =>
            {
                Self::of_transport(&endpoint, status.clone().into())
            }
            tonic::Code::Unavailable
            | tonic::Code::ResourceExhausted
            | tonic::Code::DeadlineExceeded => Self::Busy {
                call,
                endpoint,
                message: message.to_owned(),
            },
            _ => Self::Refused {
                call,
                endpoint,
                message: message.to_owned(),
            },
        }
    }

    /// The error of a connection.
    pub(crate) fn of_transport(
        endpoint: &str,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> Self {
        let endpoint = endpoint.to_owned();
        if is_of_tls(source.as_ref()) {
            Self::Untrusted { endpoint, source }
        } else {
            Self::Unreachable { endpoint, source }
        }
    }

    /// Whether etcd refused in these words.
    pub(crate) fn says(&self, text: &str) -> bool {
        matches!(self, Self::Refused { message, .. } if message.contains(text))
    }
}

fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An I/O error gives the source of what is in it, not what is in it.
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match inner {
        Some(inner) => is_of_tls(inner),
        None => error.source().is_some_and(is_of_tls),
    }
}

/// What etcd says where the same call may succeed later or at another member.
const BUSY: &[&str] = &[
    "unhealthy cluster",
    "re-configuration failed due to not enough started members",
    "too many learner members in cluster",
    "leader changed",
    "no leader",
    "not leader",
    "not supported for learner",
    "request timed out",
    "too many requests",
];

impl Hint for EtcdError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } => Some(
                "See whether etcd runs there with `crictl ps -a --name etcd`, and whether a \
                 firewall blocks ports 2379 and 2380."
                    .to_owned(),
            ),
            Self::Credentials { .. } | Self::Untrusted { .. } => Some(
                "Compare the client certificate with etcd's CA: `openssl verify -CAfile \
                 /etc/kubernetes/pki/etcd/ca.crt /etc/kubernetes/pki/etcd/healthcheck-client.crt`."
                    .to_owned(),
            ),
            Self::Busy { message, .. } if message.contains("learner members") => Some(
                "Another control plane is joining, or an earlier join did not end: list the \
                 members with `etcdctl member list` and remove a learner that is left over."
                    .to_owned(),
            ),
            Self::GaveUp { last, .. } => last.hint(),
            Self::NoEndpoint
            | Self::Endpoint { .. }
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::Incomplete { .. } => None,
        }
    }
}
