//! Units of the init system.

use rinit_diag::Problem;
use rinit_host::InitSystem;
use rinit_plan::UnitSpec;
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
        let files = [spec.files.as_slice(), spec.watched.as_slice()].concat();
        if self
            .host
            .unit_started_after(system, spec.name, &files)
            .await?
        {
            return Ok(State::HOLDS);
        }
        Ok(if unit.is_active() {
            State::Differs {
                diff: "- started before its files were written".to_owned(),
            }
        } else {
            State::Absent
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
