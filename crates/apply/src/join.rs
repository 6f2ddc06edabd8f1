//! The join commands.

use std::sync::atomic::Ordering;

use rinit_plan::JoinCommandSpec;
use rinit_workflow::{Ensured, JoinCommands, Report};

use crate::{Apply, ApplyError};

/// What stands in place of a value that the user does not want to see (kubeadm's words).
const WITHHELD: &str = "<value withheld>";

/// Returns the command by which a worker joins, in one line. Its first word is always `kubeadm`:
/// scripts replace it, and nodes may have the real one.
pub fn join_command(endpoint: &str, token: &str, pins: &[String]) -> String {
    let mut command = format!("kubeadm join {endpoint} --token {token}");
    for pin in pins {
        command.push_str(" --discovery-token-ca-cert-hash ");
        command.push_str(pin);
    }
    command
}

/// Returns the command by which a control plane joins, from that of a worker and the key of the
/// uploaded certificates.
pub fn control_plane_join_command(worker: &str, certificate_key: Option<&str>) -> String {
    let mut command = format!("{worker} --control-plane");
    if let Some(key) = certificate_key {
        command.push_str(" --certificate-key ");
        command.push_str(key);
    }
    command
}

impl Apply {
    pub(crate) async fn ensure_join_command(
        &self,
        spec: &JoinCommandSpec,
    ) -> Result<Ensured, ApplyError> {
        let ca = self
            .host
            .read(&spec.ca_certificate)?
            .ok_or_else(|| ApplyError::Missing {
                path: spec.ca_certificate.clone(),
            })?;
        let pins = rinit_pki::public_key_pins(&ca).map_err(|source| ApplyError::Material {
            path: spec.ca_certificate.clone(),
            source,
        })?;
        let token = match spec.tokens.first() {
            None => "<no token>".to_owned(),
            Some(_) if spec.withhold_token => WITHHELD.to_owned(),
            Some(token) => {
                let token = self.told_token(&spec.access, token).await?;
                format!("{}.{}", token.id, token.secret.expose())
            }
        };
        let worker = join_command(&spec.endpoint, &token, &pins);
        // A drawn key that this run has not uploaded under decrypts nothing.
        let uploaded = !spec.certificate_key_drawn || self.uploaded.load(Ordering::Relaxed);
        let certificate_key = spec.certificate_key.as_ref().filter(|_| uploaded);
        let control_plane = spec.control_plane.then(|| {
            let key = certificate_key.map(|key| {
                if spec.withhold_certificate_key {
                    WITHHELD
                } else {
                    key.expose()
                }
            });
            control_plane_join_command(&worker, key)
        });
        let join = JoinCommands {
            worker,
            control_plane,
            endpoint: spec.endpoint.clone(),
            ca_certificate_hashes: pins,
            certificates_uploaded: certificate_key.is_some(),
            kubeconfig: spec.access.kubeconfig.to_string(),
        };
        Ok(Ensured {
            report: Some(Report::Join(join)),
            ..Ensured::default()
        })
    }
}
