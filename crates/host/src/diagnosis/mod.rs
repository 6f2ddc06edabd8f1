//! Why a control plane does not come up: what the kubelet, its journal and the containers of static
//! pods say, turned into causes with a way out.
//!
//! Gathering never fails; what cannot be read is left out. Finding causes in it is pure.

mod causes;
mod lines;

use std::path::Path;

use rinit_diag::Problem;
use rinit_plan::LogicalPath;
use rinit_plan::component::Component;

use crate::{ContainerState, Host, InitSystem, Runtime, UnitState};

pub use causes::judge;

/// A static pod to ask about.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// The component.
    pub component: &'static Component,
    /// Its manifest.
    pub manifest: LogicalPath,
    /// The ports at which it is reached, by its manifest.
    pub ports: Vec<u16>,
    /// The directory of its data, by its manifest.
    pub data: Option<String>,
}

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
    /// The ports of each component.
    pub ports: Vec<(&'static str, Vec<u16>)>,
    /// The directory of etcd's data.
    pub data: Option<String>,
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
        suspects: &[Suspect],
    ) -> Evidence {
        let ports = |one: &Suspect| (one.component.name, one.ports.clone());
        let mut evidence = Evidence {
            socket: socket.to_owned(),
            ports: suspects.iter().map(ports).collect(),
            data: suspects.iter().find_map(|one| one.data.clone()),
            ..Evidence::default()
        };
        if init_system != InitSystem::None {
            evidence.kubelet = init_system.state(unit).await.ok();
            evidence.kubelet_log = init_system
                .journal_tail(unit, JOURNAL_LINES)
                .await
                .unwrap_or_default();
        }
        match self.ask_runtime(socket, suspects).await {
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
        suspects: &[Suspect],
    ) -> Vec<Problem> {
        let evidence = self.gather_evidence(init_system, unit, socket, suspects);
        judge(&evidence.await)
    }

    async fn ask_runtime(
        &self,
        socket: &str,
        suspects: &[Suspect],
    ) -> crate::Result<Vec<ComponentEvidence>> {
        let runtime = Runtime::connect(socket).await?;
        let containers = runtime.containers().await?;
        let mut found = Vec::new();
        for suspect in suspects {
            let name = suspect.component.name;
            // In nanoseconds since 1970; 0 if it is not known.
            let since = self
                .info(&suspect.manifest)
                .ok()
                .flatten()
                .map_or(0, |info| info.modified.as_nanosecond());
            // Newest first. What an earlier manifest led to says nothing about this one.
            let own: Vec<_> = containers
                .iter()
                .filter(|container| container.name == name && container.namespace == "kube-system")
                .filter(|container| i128::from(container.created_at) >= since)
                .collect();
            let mut evidence = ComponentEvidence {
                name: name.to_owned(),
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
}
