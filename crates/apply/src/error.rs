//! Why an action could not be made to hold.

use rinit_cluster::ClusterError;
use rinit_diag::{Hint, Problem};
use rinit_host::HostError;
use rinit_manifest::kubeconfig::KubeconfigError;
use rinit_pki::PkiError;
use rinit_plan::LogicalPath;

/// Why an action could not be made to hold.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The machine said no.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The API server said no.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// etcd said no.
    #[error(transparent)]
    Etcd(rinit_etcd::EtcdError),
    /// The Secret with the shared certificates is not there.
    #[error(
        "the cluster has no shared certificates (Secret kube-system/kubeadm-certs): they expire after two hours"
    )]
    NoSharedCertificates,
    /// An etcd member did not become a voting one, and was removed again.
    #[error("the new etcd member was removed again")]
    NotPromoted {
        /// Why it did not.
        #[source]
        source: Box<ApplyError>,
    },
    /// A key or certificate could not be made.
    #[error("cannot make {path}")]
    Issue {
        /// The file it was for.
        path: LogicalPath,
        /// What is wrong.
        #[source]
        source: PkiError,
    },
    /// A key or certificate on disk could not be used.
    #[error("cannot use {path}")]
    Material {
        /// The file.
        path: LogicalPath,
        /// What is wrong.
        #[source]
        source: PkiError,
    },
    /// A kubeconfig on disk could not be used.
    #[error("cannot use {path}")]
    Kubeconfig {
        /// The file.
        path: LogicalPath,
        /// What is wrong.
        #[source]
        source: KubeconfigError,
    },
    /// A file that this needs is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: LogicalPath,
    },
    /// A file is not what it should be.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: LogicalPath,
        /// What is wrong with it.
        reason: String,
    },
    /// An object that this needs is not there.
    #[error("{0} is missing in the cluster")]
    NoObject(String),
    /// The cluster was made with another configuration.
    #[error("{object} in the cluster differs:\n{differences}")]
    Refused {
        /// The object.
        object: String,
        /// What differs.
        differences: String,
    },
    /// A component did not become healthy.
    #[error("{component} is not healthy: {last}{}", shown(.evidence))]
    Unhealthy {
        /// The component.
        component: String,
        /// What its health endpoint said last.
        last: String,
        /// What was found about the cause.
        evidence: Vec<String>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// An image is not there and must not be pulled.
    #[error("image {image} is not on this host, and the pull policy is Never")]
    NoImage {
        /// The image.
        image: String,
    },
    /// What the user asked for cannot be done.
    #[error("{0}")]
    Impossible(String),
}

fn shown(evidence: &[String]) -> String {
    evidence.iter().fold(String::new(), |mut text, line| {
        text.push_str("\n  ");
        text.push_str(line);
        text
    })
}

impl Hint for ApplyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Host(error) => error.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Etcd(error) => error.hint(),
            Self::NotPromoted { source } => source.hint(),
            Self::NoSharedCertificates => Some(
                "upload them again with `rinit init phase upload-certs --upload-certs` on a control \
                 plane, and give the key that it prints to `--certificate-key`"
                    .to_owned(),
            ),
            Self::Unhealthy { hint, .. } => hint.clone(),
            Self::NoImage { image } => Some(format!(
                "load it, such as with `ctr -n k8s.io images import`, or set `imagePullPolicy: IfNotPresent`; the image is {image}"
            )),
            Self::Issue { .. }
            | Self::Material { .. }
            | Self::Kubeconfig { .. }
            | Self::Missing { .. }
            | Self::Malformed { .. }
            | Self::NoObject(_)
            | Self::Refused { .. }
            | Self::Impossible(_) => None,
        }
    }
}

/// The problem behind an error.
pub(crate) fn problem(error: &ApplyError) -> Problem {
    Problem::from_error(error)
}
