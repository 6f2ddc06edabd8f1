//! Why a control plane does not come up: what the kubelet, its journal and the containers of static
//! pods say, turned into causes with a way out.
//!
//! Gathering never fails; what cannot be read is left out. Judging is pure.

mod causes;
mod lines;

use std::path::Path;

use rinit_diag::Problem;
use rinit_plan::{LogicalPath, defaults::MANIFESTS_FOLDER};

use crate::{ContainerState, Host, InitSystem, Runtime, UnitState};

pub use causes::judge;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The state of the kubelet's unit; none without an init system.
    pub kubelet: Option<UnitState>,
    /// The end of the kubelet's journal, oldest line first.
    pub kubelet_log: String,
    /// The CRI socket.
    pub socket: String,
    /// Why the container runtime could not be asked, if so.
    pub runtime_problem: Option<Problem>,
    /// Static pods, in the order in which they were asked about.
    pub components: Vec<ComponentEvidence>,
}

/// What was found of a static pod's container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComponentEvidence {
    /// Its name, such as `kube-apiserver`.
    pub name: String,
    /// Whether there is any container of it.
    pub exists: bool,
    /// Whether its newest container runs.
    pub running: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// The identifier of the container that ended last.
    pub container: String,
    /// The exit code of the container that ended last.
    pub exit_code: Option<i32>,
    /// Why that one ended, in one word, such as `Error` or `OOMKilled`.
    pub reason: String,
    /// The end of that one's log; of the running one if none has ended.
    pub log: String,
}

/// How much of the journal is read, in lines.
const JOURNAL_LINES: u32 = 200;
/// How much of a container's log is read, in bytes.
const LOG_BYTES: u64 = 32 << 10;

impl Host {
    /// Asks the init system and the container runtime about the kubelet and these static pods.
    pub async fn gather_evidence(
        &self,
        init_system: InitSystem,
        unit: &str,
        socket: &str,
        components: &[&str],
    ) -> Evidence {
        let mut evidence = Evidence {
            socket: socket.to_owned(),
            ..Evidence::default()
        };
        if init_system != InitSystem::None {
            evidence.kubelet = init_system.state(unit).await.ok();
            evidence.kubelet_log = init_system
                .journal_tail(unit, JOURNAL_LINES)
                .await
                .unwrap_or_default();
        }
        match self.ask_runtime(socket, components).await {
            Ok(components) => evidence.components = components,
            Err(error) => evidence.runtime_problem = Some(Problem::from_error(&error)),
        }
        evidence
    }

    /// The causes that can be told, most likely first; empty if nothing is conspicuous.
    pub async fn diagnose(
        &self,
        init_system: InitSystem,
        unit: &str,
        socket: &str,
        components: &[&str],
    ) -> Vec<Problem> {
        let evidence = self.gather_evidence(init_system, unit, socket, components);
        judge(&evidence.await)
    }

    async fn ask_runtime(
        &self,
        socket: &str,
        components: &[&str],
    ) -> crate::Result<Vec<ComponentEvidence>> {
        let runtime = Runtime::connect(socket).await?;
        let containers = runtime.containers().await?;
        let mut found = Vec::new();
        for name in components {
            let since = self.manifest_written(name);
            // Newest first. What an earlier manifest led to says nothing about this one.
            let own: Vec<_> = containers
                .iter()
                .filter(|container| container.name == *name && container.namespace == "kube-system")
                .filter(|container| i128::from(container.created_at) >= since)
                .collect();
            let mut evidence = ComponentEvidence {
                name: (*name).to_owned(),
                exists: !own.is_empty(),
                ..ComponentEvidence::default()
            };
            if let Some(newest) = own.first() {
                evidence.running = newest.state == ContainerState::Running;
                evidence.restarts = newest.attempt;
            }
            let ended = own
                .iter()
                .find(|container| container.state == ContainerState::Exited);
            if let Some(container) = ended.or(own.first()) {
                let status = runtime.container_status(&container.id).await?;
                evidence.container.clone_from(&container.id);
                if container.state == ContainerState::Exited {
                    evidence.exit_code = Some(status.exit_code);
                }
                evidence.reason = status.reason;
                evidence.log = crate::files::read_end(Path::new(&status.log_path), LOG_BYTES)
                    .ok()
                    .flatten()
                    .map(|bytes| lines::container_text(&String::from_utf8_lossy(&bytes)))
                    .unwrap_or_default();
            }
            found.push(evidence);
        }
        Ok(found)
    }

    /// When the manifest of a static pod was last written, in nanoseconds since 1970; 0 if it
    /// cannot be told.
    fn manifest_written(&self, component: &str) -> i128 {
        LogicalPath::parse(&format!("{MANIFESTS_FOLDER}/{component}.yaml"))
            .ok()
            .and_then(|path| self.info(&path).ok().flatten())
            .map_or(0, |info| info.modified.as_nanosecond())
    }
}
