//! Waiting for the kubelet and the static pods, and saying why one does not come up.

use std::time::Duration;

use rinit_diag::Problem;
use rinit_host::{HostError, Identity, InitSystem, Suspect, Trust, probe};
use rinit_manifest::kubeconfig::CurrentContext;
use rinit_manifest::view::ManifestView;
use rinit_plan::component::Component;
use rinit_plan::{ApiAccess, LogicalPath, ObjectId, WaitSpec, WaitTarget, constants};
use rinit_workflow::{Ensured, State};
use tokio::time::Instant;

use crate::{Apply, ApplyError};

/// How long one question to a health endpoint may take.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// After how long the user hears what is waited for and what seems to be the cause, and how often
/// after that.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How long a cause must stand before it is believed and the rest of the limit is spared. A start
/// on a slow machine goes through states that look like causes and pass by themselves.
const CERTAIN_AFTER: Duration = Duration::from_secs(30);

impl Apply {
    pub(crate) async fn inspect_wait(&self, spec: &WaitSpec) -> State {
        match self.ask(&spec.target).await {
            Ok(Answer::Healthy) => State::HOLDS,
            Ok(Answer::Not(reason)) => State::Unknown { reason },
            Err(error) => State::Unknown {
                reason: rinit_diag::chain(&error),
            },
        }
    }

    pub(crate) async fn ensure_wait(
        &self,
        spec: &WaitSpec,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        let started = Instant::now();
        let limit = Duration::from_secs(spec.limit_seconds);
        let component = spec.target.component();
        let mut told = started;
        let mut suspicion = Suspicion::default();
        loop {
            let last = match self.ask(&spec.target).await? {
                Answer::Healthy => return Ok(Ensured::default()),
                Answer::Not(reason) => reason,
            };
            let over = started.elapsed() >= limit;
            // The wait for its health says why the API server does not start.
            let is_watched = !matches!(spec.target, WaitTarget::ApiServer { .. });
            if over || is_watched && told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let causes = self.causes(component).await;
                let certain = suspicion.stands(&causes, told);
                if over || certain {
                    return Err(self.unhealthy(component, &last, started, causes));
                }
                let seconds = started.elapsed().as_secs();
                progress(format!("waiting for {component} since {seconds} s: {last}"));
                for cause in causes {
                    progress(format!("  likely: {}", cause.message));
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What seems to keep a component from coming up.
    pub(crate) async fn causes(&self, component: &str) -> Vec<Problem> {
        let suspects: Vec<Suspect> = Component::named(component)
            .map(Component::with_dependencies)
            .unwrap_or_default()
            .into_iter()
            .map(|one| self.suspect(one))
            .collect();
        let system = InitSystem::detect().await;
        self.host
            .diagnose(system, "kubelet", &self.cri_socket, &suspects)
            .await
    }

    /// Whether the API server serves and has made its namespaces: before that, no object of init can
    /// be written.
    async fn accepts_writes(&self, access: &ApiAccess) -> Result<Answer, ApplyError> {
        let kubeconfig = match &access.super_kubeconfig {
            Some(path) if self.host.exists(path)? => path,
            _ => &access.kubeconfig,
        };
        let client = self.client(kubeconfig, access.server.as_deref()).await?;
        for namespace in [constants::KUBE_SYSTEM, constants::KUBE_PUBLIC] {
            let id = ObjectId {
                api_version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                namespace: None,
                name: namespace.to_owned(),
            };
            match client.get(&id).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Answer::Not(format!("{id} does not exist yet"))),
                // Another kubeconfig than that of an administrator need not see it.
                Err(error) if error.is_forbidden() => {}
                Err(error) if error.may_pass() => {
                    return Ok(Answer::Not(rinit_diag::chain(&error)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Answer::Healthy)
    }

    /// What its manifest says of a component, as far as it can be read.
    fn suspect(&self, component: &'static Component) -> Suspect {
        let manifest = self.manifests.join(&format!("{}.yaml", component.name));
        let text = self.host.read_text(&manifest).ok().flatten();
        let view = text.and_then(|text| ManifestView::parse(&text).ok());
        let view = view.as_ref();
        let data = component.data_flag.zip(view);
        Suspect {
            component,
            manifest,
            ports: view.map_or_else(
                || component.ports.iter().map(|port| port.number).collect(),
                |view| view.ports(component),
            ),
            data: data.and_then(|(flag, view)| Some(view.flag(component, flag)?.to_owned())),
        }
    }

    async fn ask(&self, target: &WaitTarget) -> Result<Answer, ApplyError> {
        let (url, identity) = match target {
            WaitTarget::Kubelet { url } => (url.clone(), None),
            WaitTarget::ApiServer { access } => return self.accepts_writes(access).await,
            WaitTarget::KubeletBootstrap { kubeconfig } => {
                return Ok(if self.is_bootstrapped(kubeconfig)? {
                    Answer::Healthy
                } else {
                    Answer::Not("it has no client certificate yet".to_owned())
                });
            }
            WaitTarget::StaticPod {
                component,
                manifest,
                default_address,
                credentials,
            } => {
                let text = self
                    .host
                    .read_text(manifest)?
                    .ok_or_else(|| ApplyError::Missing {
                        path: manifest.clone(),
                    })?;
                let malformed = |reason: String| ApplyError::Malformed {
                    path: manifest.clone(),
                    reason,
                };
                let view = ManifestView::parse(&text)
                    .map_err(|error| malformed(rinit_diag::chain(&error)))?;
                let component = Component::named(component)
                    .ok_or_else(|| malformed(format!("there is no component {component}")))?;
                let url = view.health_url(component, default_address);
                (url, self.identity(credentials.as_ref())?)
            }
        };
        match probe(&url, &Trust::Anyone, identity.as_ref(), PROBE_LIMIT).await {
            Ok(answer) if answer.status == 200 => Ok(Answer::Healthy),
            // A new API server knows nobody before it has loaded its own roles.
            Ok(answer) if answer.status == 403 => Ok(Answer::Not(format!(
                "{url} answers 403: it has not loaded its access rules yet"
            ))),
            Ok(answer) => Ok(Answer::Not(format!(
                "{url} answers {} {}",
                answer.status,
                first_complaint(&answer.body)
            ))),
            Err(error @ (HostError::Probe { .. } | HostError::ProbeConnection { .. })) => {
                Ok(Answer::Not(rinit_diag::chain(&error)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The client certificate of a kubeconfig.
    fn identity(&self, kubeconfig: Option<&LogicalPath>) -> Result<Option<Identity>, ApplyError> {
        let Some(path) = kubeconfig else {
            return Ok(None);
        };
        let Some(text) = self.host.read_text(path)? else {
            return Ok(None);
        };
        let context = CurrentContext::parse(&text).map_err(|source| ApplyError::Kubeconfig {
            path: path.clone(),
            source,
        })?;
        let certificate = self.bytes(path, context.client_certificate.as_ref())?;
        let key = self.bytes(path, context.client_key.as_ref())?;
        Ok(match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: certificate.expose().clone(),
                key,
            }),
            _ => None,
        })
    }

    fn unhealthy(
        &self,
        component: &str,
        last: &str,
        started: Instant,
        causes: Vec<Problem>,
    ) -> ApplyError {
        let hint = causes.iter().find_map(|cause| cause.hint.clone()).unwrap_or_else(|| {
            format!(
                "look at `journalctl -xeu kubelet` and `crictl --runtime-endpoint {} ps -a`, then run the same command again",
                self.cri_socket
            )
        });
        ApplyError::Unhealthy {
            component: component.to_owned(),
            last: format!("{last}, after {} s", started.elapsed().as_secs()),
            evidence: causes.into_iter().map(|cause| cause.message).collect(),
            hint: Some(hint),
        }
    }
}

/// The likeliest cause, and since when it is the same.
#[derive(Default)]
struct Suspicion {
    cause: Option<(String, Instant)>,
}

impl Suspicion {
    /// Whether the likeliest cause has stood long enough to be believed.
    fn stands(&mut self, causes: &[Problem], now: Instant) -> bool {
        let Some(likeliest) = causes.first() else {
            self.cause = None;
            return false;
        };
        match &self.cause {
            Some((known, since)) if *known == likeliest.message => {
                now.duration_since(*since) >= CERTAIN_AFTER
            }
            _ => {
                self.cause = Some((likeliest.message.clone(), now));
                false
            }
        }
    }
}

enum Answer {
    Healthy,
    Not(String),
}

/// The first failing check in the answer of a verbose health endpoint, or its first line.
fn first_complaint(body: &str) -> &str {
    body.lines()
        .find(|line| line.starts_with("[-]"))
        .or_else(|| body.lines().next())
        .unwrap_or_default()
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_believed_when_it_stands() {
        let mut suspicion = Suspicion::default();
        let start = Instant::now();
        let causes = |text: &str| [Problem::new(text)];
        assert!(!suspicion.stands(&causes("no etcd"), start));
        assert!(!suspicion.stands(&causes("no etcd"), start + CERTAIN_AFTER / 2));
        assert!(!suspicion.stands(&causes("other"), start + CERTAIN_AFTER));
        assert!(!suspicion.stands(&[], start + CERTAIN_AFTER * 2));
        assert!(!suspicion.stands(&causes("other"), start + CERTAIN_AFTER * 3));
        assert!(suspicion.stands(&causes("other"), start + CERTAIN_AFTER * 4));
    }

    #[test]
    fn the_failing_check_is_what_is_told() {
        assert_eq!(
            first_complaint("[+]ping ok\n[-]etcd failed: reason withheld\n"),
            "[-]etcd failed: reason withheld"
        );
        assert_eq!(first_complaint("Unauthorized"), "Unauthorized");
        assert_eq!(first_complaint(""), "");
    }
}
