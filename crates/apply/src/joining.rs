//! What a joining node makes: trust in the cluster, files that control planes share, the kubeconfig
//! of the TLS bootstrap, and its etcd member.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rinit_cluster::{Client, Timeouts};
use rinit_diag::Problem;
use rinit_etcd::{Etcd, EtcdError, Member, Promotion};
use rinit_manifest::kubeconfig::CurrentContext;
use rinit_manifest::view::ManifestView;
use rinit_pki::Trust;
use rinit_plan::component::ETCD;
use rinit_plan::constants::{ETCD_CLIENT_URLS_ANNOTATION, KUBE_SYSTEM, KUBEADM_CERTS};
use rinit_plan::{
    BootstrapKubeconfigSpec, EtcdMemberSpec, LogicalPath, ObjectId, Secret, SharedFileSpec,
    TrustBundleSpec,
};
use rinit_workflow::{Ensured, State};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{Apply, ApplyError};

/// Between two looks at a member that starts or catches up.
const PAUSE: Duration = Duration::from_millis(250);

impl Apply {
    pub(crate) fn inspect_shared_file(&self, spec: &SharedFileSpec) -> Result<State, ApplyError> {
        Ok(if self.host.exists(&spec.path)? {
            State::HOLDS
        } else {
            State::Absent
        })
    }

    pub(crate) async fn ensure_shared_file(
        &self,
        spec: &SharedFileSpec,
    ) -> Result<Ensured, ApplyError> {
        let secret = self
            .shared
            .get_or_try_init(async || self.read_shared(spec).await)
            .await?;
        let encoded = secret["data"][&spec.entry].as_str().ok_or_else(|| {
            ApplyError::NoObject(format!("{} in Secret {KUBEADM_CERTS}", spec.entry))
        })?;
        let unusable = |source| ApplyError::Material {
            path: spec.path.clone(),
            source,
        };
        let sealed = STANDARD.decode(encoded).map_err(|_| {
            ApplyError::Impossible(format!(
                "{} in Secret {KUBEADM_CERTS} is not base64",
                spec.entry
            ))
        })?;
        // What the first control plane does not have, it uploads as nothing.
        if sealed.is_empty() {
            return Ok(Ensured {
                unchanged: true,
                ..Ensured::default()
            });
        }
        let content = rinit_pki::open(spec.certificate_key.expose(), &sealed).map_err(unusable)?;
        let (path, mode) = (spec.path.clone(), spec.mode);
        self.write(move |host| host.write(&path, mode, &content))
            .await?;
        Ok(Ensured::default())
    }

    async fn read_shared(&self, spec: &SharedFileSpec) -> Result<Value, ApplyError> {
        let kubeconfig = spec.access.kubeconfig.expose();
        let client = Client::from_kubeconfig(kubeconfig, None, Timeouts::default()).await?;
        let id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(KUBE_SYSTEM.to_owned()),
            name: KUBEADM_CERTS.to_owned(),
        };
        client
            .get_patiently(&id, &self.patience())
            .await?
            .ok_or(ApplyError::NoSharedCertificates)
    }

    pub(crate) fn inspect_trust_bundle(&self, spec: &TrustBundleSpec) -> Result<State, ApplyError> {
        let Some(found) = self.host.read(&spec.path)? else {
            return Ok(State::Absent);
        };
        Ok(match Trust::between(&found, spec.certificates.as_ref()) {
            Ok(trust) if !trust.is_other() => State::HOLDS,
            Ok(_) => other_cluster(format!(
                "{} is the CA of another cluster than the one to join",
                spec.path
            )),
            Err(error) => other_cluster(format!("{} cannot be used: {error}", spec.path)),
        })
    }

    pub(crate) async fn ensure_trust_bundle(
        &self,
        spec: &TrustBundleSpec,
    ) -> Result<Ensured, ApplyError> {
        if self.host.exists(&spec.path)? {
            return Ok(Ensured {
                unchanged: true,
                ..Ensured::default()
            });
        }
        let (path, text) = (spec.path.clone(), spec.certificates.clone());
        self.write(move |host| host.write(&path, rinit_plan::FileMode::PUBLIC, text.as_ref()))
            .await?;
        Ok(Ensured::default())
    }

    /// Whether the kubelet has a kubeconfig with a client certificate.
    pub(crate) fn is_bootstrapped(&self, kubeconfig: &LogicalPath) -> Result<bool, ApplyError> {
        let Some(text) = self.host.read_text(kubeconfig)? else {
            return Ok(false);
        };
        let Ok(context) = CurrentContext::parse(&text) else {
            return Ok(false);
        };
        Ok(self
            .bytes(kubeconfig, context.client_certificate.as_ref())?
            .is_some())
    }

    pub(crate) fn inspect_bootstrap(
        &self,
        spec: &BootstrapKubeconfigSpec,
    ) -> Result<State, ApplyError> {
        if let Some(text) = self.host.read_text(&spec.kubelet_kubeconfig)? {
            let path = &spec.kubelet_kubeconfig;
            let ca = CurrentContext::parse(&text)
                .ok()
                .and_then(|context| self.bytes(path, context.ca.as_ref()).ok().flatten());
            let trust = ca.map(|ca| Trust::between(ca.expose(), spec.certificates.as_ref()));
            if trust.is_some_and(|trust| trust.is_ok_and(|trust| trust.is_other())) {
                return Ok(other_cluster(format!(
                    "{path} is of another cluster than the one to join"
                )));
            }
        }
        if self.is_bootstrapped(&spec.kubelet_kubeconfig)? {
            return Ok(State::HOLDS);
        }
        let found = self.host.read(&spec.path)?;
        Ok(match found {
            None => State::Absent,
            Some(found) if found == spec.text.expose().as_bytes() => State::HOLDS,
            Some(_) => State::Differs {
                diff: "another server, CA or token".to_owned(),
            },
        })
    }

    pub(crate) async fn ensure_bootstrap(
        &self,
        spec: &BootstrapKubeconfigSpec,
    ) -> Result<Ensured, ApplyError> {
        let (path, text) = (spec.path.clone(), spec.text.clone());
        self.write(move |host| {
            host.write(
                &path,
                BootstrapKubeconfigSpec::MODE,
                text.expose().as_bytes(),
            )
        })
        .await?;
        Ok(Ensured::default())
    }

    /// A member is looked at by the run itself: only etcd knows whether it votes.
    pub(crate) fn inspect_etcd_member(&self, spec: &EtcdMemberSpec) -> Result<State, ApplyError> {
        Ok(if self.host.exists(&spec.pod.file.path)? {
            State::Unknown {
                reason: "etcd says whether it is a voting member".to_owned(),
            }
        } else {
            State::Absent
        })
    }

    pub(crate) async fn ensure_etcd_member(
        &self,
        spec: &EtcdMemberSpec,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        let limit = Duration::from_secs(spec.limit_seconds);
        let etcd = self.etcd(spec, limit).await?;
        // Other control planes that join at the same time have their turn first.
        let member = rinit_etcd::retry(limit, || etcd.add_learner(&spec.peer_url)).await?;
        let members = rinit_etcd::retry(limit, || etcd.members()).await?;
        let written = self.write_member(spec, &members).await?;
        if !member.is_learner && !written {
            return Ok(Ensured {
                unchanged: true,
                ..Ensured::default()
            });
        }
        match self.promote(spec, &etcd, &member, limit, progress).await {
            Ok(()) => Ok(Ensured {
                detail: Some(format!("member {:x} of {}", member.id, members.len())),
                ..Ensured::default()
            }),
            Err(error) => Err(self.given_up(&etcd, &member, error).await),
        }
    }

    /// Connects to the voting members that are there already.
    async fn etcd(&self, spec: &EtcdMemberSpec, limit: Duration) -> Result<Etcd, ApplyError> {
        let client = self.client(&spec.kubeconfig, Some(&spec.server)).await?;
        let pods = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some(KUBE_SYSTEM.to_owned()),
            name: String::new(),
        };
        let begun = Instant::now();
        let mut endpoints = loop {
            let pods = client
                .list_labelled(&pods, "component=etcd,tier=control-plane", &self.patience())
                .await?;
            let found: Vec<String> = pods
                .iter()
                .filter_map(|pod| {
                    pod.pointer("/metadata/annotations")?[ETCD_CLIENT_URLS_ANNOTATION].as_str()
                })
                .filter(|url| *url != spec.client_url)
                .map(str::to_owned)
                .collect();
            // The mirror pod of a new member may not be there yet.
            if !found.is_empty() || begun.elapsed() > limit {
                break found;
            }
            sleep(PAUSE).await;
        };
        endpoints.sort();
        let read = |path: &LogicalPath| {
            self.host
                .read(path)?
                .ok_or_else(|| ApplyError::Missing { path: path.clone() })
        };
        let key = self.host.read_text(&spec.key)?;
        let key = Secret::new(key.ok_or_else(|| ApplyError::Missing {
            path: spec.key.clone(),
        })?);
        Ok(Etcd::connect(
            &endpoints,
            &read(&spec.ca)?,
            &read(&spec.certificate)?,
            &key,
        )?)
    }

    /// Writes the manifest with the members in it, unless one is there that names this member.
    async fn write_member(
        &self,
        spec: &EtcdMemberSpec,
        members: &[Member],
    ) -> Result<bool, ApplyError> {
        let path = spec.pod.file.path.clone();
        let own = format!("{}={}", spec.name, spec.peer_url);
        if let Some(text) = self.host.read_text(&path)? {
            let view = ManifestView::parse(&text).ok();
            let listed = view
                .as_ref()
                .and_then(|view| view.flag(&ETCD, "initial-cluster"));
            if listed.is_some_and(|listed| listed.split(',').any(|member| member == own)) {
                return Ok(false);
            }
        }
        let others = members
            .iter()
            .filter(|member| !member.has_peer_url(&spec.peer_url))
            .flat_map(|member| {
                let name = if member.name.is_empty() {
                    format!("{:x}", member.id)
                } else {
                    member.name.clone()
                };
                member
                    .peer_urls
                    .iter()
                    .map(move |url| format!("{name}={url}"))
            });
        let list: Vec<String> = others.chain([own]).collect();
        let text = spec
            .pod
            .file
            .text
            .replace(EtcdMemberSpec::MEMBERS, &list.join(","));
        let mode = spec.pod.file.mode;
        self.write(move |host| host.write(&path, mode, text.as_bytes()))
            .await?;
        Ok(true)
    }

    async fn promote(
        &self,
        spec: &EtcdMemberSpec,
        etcd: &Etcd,
        member: &Member,
        limit: Duration,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<(), ApplyError> {
        let begun = Instant::now();
        let mut last_said = begun;
        loop {
            let waiting = match etcd.status(&spec.client_url).await {
                Err(error) if error.may_pass() => "it does not answer yet".to_owned(),
                Err(error) => return Err(error.into()),
                Ok(_) => match etcd.promote(member.id).await {
                    Ok(Promotion::Voting) => return Ok(()),
                    Ok(Promotion::NotCaughtUp) => "it has not caught up yet".to_owned(),
                    Err(error) if error.may_pass() => rinit_diag::chain(&error),
                    Err(error) => return Err(error.into()),
                },
            };
            if begun.elapsed() > limit {
                return Err(ApplyError::Unhealthy {
                    component: "etcd".to_owned(),
                    last: format!("{waiting}, after {} s", limit.as_secs()),
                    evidence: self
                        .causes("etcd")
                        .await
                        .into_iter()
                        .map(|cause| cause.message)
                        .collect(),
                    hint: Some(format!(
                        "look at `crictl --runtime-endpoint {} ps -a --name etcd`, then run the \
                         same command again",
                        self.cri_socket
                    )),
                });
            }
            if last_said.elapsed() > Duration::from_secs(5) {
                last_said = Instant::now();
                progress(format!(
                    "waiting for etcd since {} s: {waiting}",
                    begun.elapsed().as_secs()
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes a learner out again that never became a voting member, so that it does not keep others
    /// from joining.
    async fn given_up(&self, etcd: &Etcd, member: &Member, error: ApplyError) -> ApplyError {
        let Ok(members) = etcd.members().await else {
            return error;
        };
        let is_learner = members
            .iter()
            .any(|one| one.id == member.id && one.is_learner);
        if is_learner && etcd.remove(member.id).await.is_ok() {
            return ApplyError::NotPromoted {
                source: Box::new(error),
            };
        }
        error
    }
}

fn other_cluster(message: String) -> State {
    State::Blocked {
        problems: vec![Problem::new(message).with_hint(
            "take this host out of the other cluster with `rinit reset`, then join again",
        )],
        conflict: false,
    }
}

impl From<EtcdError> for ApplyError {
    fn from(error: EtcdError) -> Self {
        Self::Etcd(error)
    }
}
