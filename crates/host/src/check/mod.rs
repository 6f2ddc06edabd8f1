//! Preflight checks: each looks at the machine once and changes nothing.

mod files;
mod port;
mod resources;
mod runtime;
mod system;
mod version;

use rinit_diag::Problem;
use rinit_plan::{Check, CheckKind};

pub use resources::resolves;

use crate::{Host, HostError, InitSystem};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It is as it should be.
    Passed,
    /// It will do, and something about it should be known.
    Warned {
        /// What should be known.
        problems: Vec<Problem>,
    },
    /// It is not as it should be.
    Failed {
        /// What is wrong and what to do about it.
        problem: Problem,
    },
    /// It cannot be told, mostly because only root may look.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl CheckOutcome {
    fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed {
            problem: Problem::new(message).with_hint(hint),
        }
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    /// A check that could not be made because of this error.
    fn of_error(error: &HostError) -> Self {
        if error.is_permission_denied() {
            Self::unknown(rinit_diag::chain(error))
        } else {
            Self::Failed {
                problem: Problem::from_error(error),
            }
        }
    }
}

impl Host {
    /// Makes one check. What it looks at beside files is the running machine's in any case.
    pub async fn run_check(&self, check: &Check) -> CheckOutcome {
        self.look(&check.kind)
            .await
            .unwrap_or_else(|error| CheckOutcome::of_error(&error))
    }

    async fn look(&self, kind: &CheckKind) -> crate::Result<CheckOutcome> {
        match kind {
            CheckKind::Privileged => Ok(resources::privileged(nix::unistd::geteuid().as_raw())),
            CheckKind::ProcessorCount { minimum } => resources::processors(*minimum),
            CheckKind::Memory { minimum_megabytes } => resources::memory(*minimum_megabytes),
            CheckKind::Swap => resources::swap(),
            CheckKind::Executable { name } => Ok(resources::executable(name)),
            CheckKind::HostnameResolves { name } => Ok(resources::hostname(name).await),
            CheckKind::Firewalld { ports } => resources::firewalld(ports).await,
            CheckKind::ServiceEnabled { unit } => {
                resources::service(InitSystem::detect().await, unit).await
            }
            CheckKind::KnownVersion { requested, known } => {
                Ok(version::known_version(requested, *known))
            }
            CheckKind::KubeletVersion {
                control_plane,
                minimum_minor,
            } => version::kubelet(control_plane, *minimum_minor).await,
            CheckKind::ExternalEtcdVersion {
                endpoint,
                minimum,
                ca,
                certificate,
                key,
            } => {
                let files = [ca, certificate, key].map(Option::as_ref);
                self.external_etcd(endpoint, minimum, files).await
            }
            CheckKind::Port {
                address,
                port,
                owner,
            } => Ok(port::port(*address, *port, owner)),
            CheckKind::NoProxyFor { destination, proxy } => {
                Ok(resources::proxy(destination, proxy.as_deref()))
            }
            CheckKind::ContainerRuntime { socket } => Ok(self.container_runtime(socket).await),
            CheckKind::ContainerRuntimeVersion { socket } => runtime::config_call(socket).await,
            CheckKind::System { cgroup_v1_is_error } => system::system(*cgroup_v1_is_error),
            CheckKind::FileAvailable { path } => self.file_available(path),
            CheckKind::DirectoryAvailable {
                path,
                owner_manifest,
            } => self.folder_available(path, owner_manifest),
            CheckKind::FileContent { path, content } => self.file_content(path, content),
            CheckKind::FileExists { path } => self.file_exists(path),
        }
    }
}
