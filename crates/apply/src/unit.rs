//! Units of the init system.

use rinit_diag::Problem;
use rinit_host::{InitSystem, Runtime};
use rinit_plan::{LogicalPath, UnitSpec};
use rinit_workflow::{Ensured, State};

use crate::{Apply, ApplyError};

impl Apply {
    /// A unit holds if it runs since its files were last written. "Changed in this run" would
    /// lose the restart where a run was killed between write and restart.
    pub(crate) async fn inspect_unit(&self, spec: &UnitSpec) -> Result<State, ApplyError> {
        let system = InitSystem::detect().await;
        if system == InitSystem::None {
            return Ok(State::held_with(vec![no_init_system(spec)]));
        }
        let unit = system.state(spec.name).await?;
        if !unit.exists {
            return Ok(State::Blocked {
                problems: vec![
                    Problem::new(format!("there is no unit {} on this host", spec.name))
                        .with_hint(format!("install the package of {}", spec.name)),
                ],
                conflict: false,
            });
        }
        if spec.only_if_running && !unit.is_active() {
            return Ok(State::HOLDS);
        }
        let files = [&spec.files[..], &spec.optional].concat();
        let fresh = self
            .host
            .unit_started_after(system, spec.name, &files)
            .await?;
        if fresh {
            return Ok(match self.older_pod(&spec.pods).await {
                Some(manifest) => State::Differs {
                    diff: format!("- runs a pod of an older {manifest}"),
                },
                None => State::HOLDS,
            });
        }
        Ok(if unit.is_active() {
            State::Differs {
                diff: "- started before its files were written".to_owned(),
            }
        } else {
            State::Absent
        })
    }

    /// The manifest of a pod that the kubelet read before the manifest was last written.
    async fn older_pod<'a>(&self, manifests: &'a [LogicalPath]) -> Option<&'a LogicalPath> {
        if manifests.is_empty() {
            return None;
        }
        // Without a runtime there is no pod.
        let runtime = Runtime::connect(&self.cri_socket).await.ok()?;
        let sandboxes = runtime.sandboxes().await.ok()?;
        manifests.iter().find(|manifest| {
            let Ok(Some(written)) = self.host.info(manifest) else {
                return false;
            };
            // The kubelet appends the name of the node.
            let name = manifest.file_name().trim_end_matches(".yaml");
            sandboxes.iter().any(|sandbox| {
                sandbox.is_static
                    && sandbox.ready
                    && sandbox.pod.starts_with(&format!("{name}-"))
                    && sandbox.read.is_some_and(|read| read < written.modified)
            })
        })
    }

    pub(crate) async fn ensure_unit(&self, spec: &UnitSpec) -> Result<Ensured, ApplyError> {
        let system = InitSystem::detect().await;
        system.reload().await?;
        system.restart(spec.name).await?;
        Ok(Ensured::default())
    }

    pub(crate) async fn kubelet_runs(&self) -> bool {
        InitSystem::detect()
            .await
            .is_active("kubelet")
            .await
            .unwrap_or(false)
    }
}

fn no_init_system(spec: &UnitSpec) -> Problem {
    Problem::new(format!(
        "neither systemd nor OpenRC runs on this host, so {} is not started",
        spec.name
    ))
    .with_hint(format!("start {} by hand", spec.name))
}
