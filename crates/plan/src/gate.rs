//! Gates: what must hold before the run goes on. A gate changes nothing.

use std::fmt;

use serde::Serialize;

use crate::resource::{api, files};
use crate::{ApiAccess, Check, LogicalPath, ResourceId};

/// What must hold before the actions that depend on it run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "gate", rename_all = "kebab-case")]
pub enum Gate {
    /// A preflight check passes.
    Check(Check),
    /// Something answers.
    Wait(WaitSpec),
    /// Never holds: what the user asked for cannot be planned, such as a patch that does not fit.
    Refuse {
        /// What is wrong, and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// Something that must answer before the run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitSpec {
    /// What must answer.
    pub target: WaitTarget,
    /// How long it may take, in seconds.
    pub limit_seconds: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "target",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum WaitTarget {
    /// The kubelet's health endpoint answers 200.
    Kubelet {
        /// The URL, such as `http://127.0.0.1:10248/healthz`.
        url: String,
    },
    /// The API server of this node accepts writes: it serves, and its system namespaces exist. It
    /// does so before all of its health checks pass.
    ApiServer {
        /// How it is reached.
        access: ApiAccess,
    },
    /// The kubelet has got its client certificate and written its kubeconfig.
    KubeletBootstrap {
        /// `kubelet.conf`.
        kubeconfig: LogicalPath,
    },
    /// The health endpoint of a static pod answers 200. Address and port are read from the
    /// command line in its manifest, so that a user's arguments are followed.
    StaticPod {
        /// The component, such as `kube-apiserver`.
        component: &'static str,
        /// Its manifest.
        manifest: LogicalPath,
        /// The address where the manifest names none.
        default_address: String,
        /// The kubeconfig whose credentials are shown, where anonymous requests may be refused.
        credentials: Option<LogicalPath>,
    },
}

impl WaitTarget {
    /// The component that is waited for.
    pub fn component(&self) -> &'static str {
        match self {
            Self::Kubelet { .. } | Self::KubeletBootstrap { .. } => "kubelet",
            Self::ApiServer { .. } => "kube-apiserver",
            Self::StaticPod { component, .. } => component,
        }
    }
}

impl Gate {
    pub(crate) fn requires(&self) -> Vec<ResourceId> {
        match self {
            Self::Wait(WaitSpec { target, .. }) => match target {
                WaitTarget::StaticPod {
                    manifest,
                    credentials,
                    ..
                } => files(std::iter::once(manifest).chain(credentials)),
                WaitTarget::ApiServer { access } => files([&access.kubeconfig]),
                WaitTarget::Kubelet { .. } | WaitTarget::KubeletBootstrap { .. } => Vec::new(),
            },
            Self::Check(_) | Self::Refuse { .. } => Vec::new(),
        }
    }

    /// A wait begins when the kubelet was started: its limit counts from then on.
    pub(crate) fn reads(&self) -> Vec<ResourceId> {
        match self {
            Self::Wait(WaitSpec {
                target: WaitTarget::ApiServer { access },
                ..
            }) => {
                let mut ids = files(&access.super_kubeconfig);
                ids.extend(api(access));
                ids.push(ResourceId::Kubelet);
                ids
            }
            Self::Wait(_) => vec![ResourceId::Kubelet],
            Self::Check(_) | Self::Refuse { .. } => Vec::new(),
        }
    }

    pub(crate) fn gives(&self) -> Vec<ResourceId> {
        match self {
            Self::Wait(WaitSpec { target, .. }) => match target {
                WaitTarget::ApiServer { .. } => vec![ResourceId::ApiServer],
                WaitTarget::Kubelet { .. } => {
                    vec![ResourceId::Healthy("kubelet"), ResourceId::Kubelet]
                }
                WaitTarget::KubeletBootstrap { kubeconfig } => files([kubeconfig]),
                WaitTarget::StaticPod { component, .. } => vec![ResourceId::Healthy(component)],
            },
            Self::Check(_) | Self::Refuse { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(check) => write!(f, "check {}", check.name),
            Self::Wait(WaitSpec {
                target: WaitTarget::ApiServer { .. },
                ..
            }) => f.write_str("first answer of kube-apiserver"),
            Self::Wait(WaitSpec {
                target: WaitTarget::KubeletBootstrap { kubeconfig },
                ..
            }) => write!(f, "TLS bootstrap of the kubelet ({kubeconfig})"),
            Self::Wait(spec) => write!(f, "health of {}", spec.target.component()),
            Self::Refuse { .. } => f.write_str("what cannot be planned"),
        }
    }
}
