//! One `match` over all actions for looking, and one for acting.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rinit_diag::Problem;
use rinit_facts::Facts;
use rinit_host::{Host, HostError};
use rinit_pki::KeyPool;
use rinit_plan::{
    Action, ApiAccess, CaId, Gate, LogicalPath, Output, Removal, Resource, ResourceId,
};
use rinit_workflow::{Ensured, Executor, Presence, Report, State};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use crate::api::Clients;
use crate::error::{ApplyError, problem};

/// How many files are written at once: as many as the schedule of `rinit-workflow` begins at once, so
/// that no write waits while [`Apply::settle`] lets those under way end.
const WRITES: u32 = 16;

/// The executor over one host and the API servers that its kubeconfigs lead to.
pub struct Apply {
    pub(crate) host: Host,
    /// When this run began: what certificates and tokens are judged by.
    pub(crate) now: Timestamp,
    /// How the API server is reached, to tell whether it answers.
    pub(crate) access: ApiAccess,
    /// How long one write to the API server may take with its retries.
    pub(crate) api_limit: Duration,
    /// Whether kubeconfigs have `preferences: {}` (Kubernetes 1.33 and earlier).
    pub(crate) writes_preferences: bool,
    /// The socket of the container runtime, for evidence of what went wrong.
    pub(crate) cri_socket: String,
    /// Where the static pods are.
    pub(crate) manifests: LogicalPath,
    /// Keys that are made in the background.
    pub(crate) keys: Mutex<Option<Arc<KeyPool>>>,
    /// A permit for each credential that may be written at a time.
    pub(crate) writes: Arc<Semaphore>,
    pub(crate) clients: Clients,
    /// The Secret with the shared certificates, once it was read.
    pub(crate) shared: OnceCell<Value>,
    /// Whether the first write is still to come. Until then nobody waits for anything.
    pub(crate) looking: AtomicBool,
    /// Whether the configuration that a cluster keeps may be changed.
    pub(crate) reconfigures: bool,
    /// Whether this run has uploaded certificates.
    pub(crate) uploaded: AtomicBool,
    /// The controller manager's own copy of the certificate that signs for the cluster.
    pub(crate) cluster_signer: LogicalPath,
    /// When what is signed in this run ends.
    pub(crate) leaf_not_after: Timestamp,
    /// Authorities of which all was told that there is to say of them.
    pub(crate) told: Mutex<BTreeSet<CaId>>,
}

impl Apply {
    /// An executor for a run.
    pub fn new(host: Host, facts: &Facts) -> Self {
        Self {
            host,
            now: facts.inputs.now,
            access: facts.node.access.clone(),
            api_limit: Duration::from_secs(facts.node.timeouts.kubernetes_api_call),
            writes_preferences: facts.cluster.version.table().writes_zero_values,
            cri_socket: facts.node.cri_socket.clone(),
            manifests: facts.node.paths.manifests.clone(),
            keys: Mutex::new(None),
            writes: Arc::new(Semaphore::new(WRITES as usize)),
            clients: Clients::default(),
            shared: OnceCell::new(),
            looking: AtomicBool::new(true),
            reconfigures: false,
            uploaded: AtomicBool::new(false),
            cluster_signer: facts.node.paths.cluster_signer_certificate(),
            leaf_not_after: facts.cluster.certificates.leaf_validity.not_after,
            told: Mutex::default(),
        }
    }

    /// The same for a run that may change how a cluster is configured: that of a phase that is asked
    /// for by name, or one with `--reconfigure`.
    #[must_use]
    pub fn reconfiguring(self) -> Self {
        Self {
            reconfigures: true,
            ..self
        }
    }

    /// Waits until everything is in its place that was being written when a run was dropped.
    pub async fn settle(&self) {
        // It is never closed.
        let _ = self.writes.acquire_many(WRITES).await;
    }

    /// Writes on a thread that may wait for the disk. What is written at the same time the file
    /// system flushes together.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Host) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, ApplyError> {
        let permit = Arc::clone(&self.writes).acquire_owned().await;
        let host = self.host.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            write(&host)
        });
        match written.await {
            Ok(written) => Ok(written?),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => Err(ApplyError::Impossible(error.to_string())),
            },
        }
    }

    async fn look(&self, action: &Action) -> Result<State, ApplyError> {
        match action {
            Action::Ensure(resource) => self.look_at(resource).await,
            Action::Remove(removal) => self.inspect_removal(removal).await,
            Action::Gate(gate) => Ok(match gate {
                Gate::Check(check) => self.inspect_check(check).await,
                Gate::Wait(spec) => self.inspect_wait(spec).await,
                Gate::Refuse { message, hint } => State::Blocked {
                    problems: vec![Problem {
                        message: message.clone(),
                        hint: hint.clone(),
                    }],
                    conflict: false,
                },
            }),
            Action::Output(_) => Ok(State::Absent),
        }
    }

    async fn look_at(&self, resource: &Resource) -> Result<State, ApplyError> {
        match resource {
            Resource::Image(pull) => self.inspect_image(pull).await,
            Resource::CertificateAuthority(spec) => {
                self.with_readers(self.inspect_authority(spec)?, &spec.key)
            }
            Resource::Certificate(spec) => {
                self.with_readers(self.inspect_certificate(spec)?, &spec.key)
            }
            Resource::KeyPair(spec) => {
                self.with_readers(self.inspect_key_pair(spec)?, &spec.private_key)
            }
            Resource::Kubeconfig(spec) => {
                self.with_readers_of_client(self.inspect_kubeconfig(spec)?, &spec.path)
            }
            Resource::Directory(spec) => self.inspect_directory(spec),
            Resource::File(spec) => self.inspect_file(spec),
            Resource::StaticPod(spec) => self.inspect_file(&spec.file),
            Resource::Unit(spec) => self.inspect_unit(spec).await,
            Resource::ClusterAdmins(access) => self.inspect_cluster_admins(access).await,
            Resource::Object { access, object } => self.inspect_object(access, object).await,
            Resource::NodeMark { access, mark } => self.inspect_node_mark(access, mark).await,
            Resource::BootstrapToken { access, token } => self.inspect_token(access, token).await,
            Resource::ClientRotation(spec) => self.inspect_rotation(spec),
            Resource::SharedFile(spec) => self.inspect_shared_file(spec),
            Resource::TrustBundle(spec) => self.inspect_trust_bundle(spec),
            Resource::BootstrapKubeconfig(spec) => self.inspect_bootstrap(spec),
            Resource::EtcdMember(spec) => self.inspect_etcd_member(spec),
        }
    }

    async fn act(
        &self,
        action: &Action,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        match action {
            Action::Ensure(resource) => self.ensure_resource(resource, progress).await,
            Action::Remove(removal) => self.remove(removal).await,
            Action::Gate(gate) => match gate {
                Gate::Check(check) => Ok(self.ensure_check(check).await),
                Gate::Wait(spec) => self.ensure_wait(spec, progress).await,
                Gate::Refuse { message, .. } => Err(ApplyError::Impossible(message.clone())),
            },
            Action::Output(output) => match output {
                Output::CertificateKey { key, .. } => Ok(Ensured {
                    report: Some(Report::CertificateKey(key.expose().clone())),
                    ..Ensured::default()
                }),
                Output::JoinCommand(spec) => self.ensure_join_command(spec).await,
            },
        }
    }

    async fn ensure_resource(
        &self,
        resource: &Resource,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        match resource {
            Resource::Image(pull) => self.ensure_image(pull, progress).await,
            Resource::CertificateAuthority(spec) => self.ensure_authority(spec).await,
            Resource::Certificate(spec) => self.ensure_certificate(spec).await,
            Resource::KeyPair(spec) => self.ensure_key_pair(spec).await,
            Resource::Kubeconfig(spec) => self.ensure_kubeconfig(spec).await,
            Resource::Directory(spec) => self.ensure_directory(spec),
            Resource::File(spec) => self.ensure_file(spec),
            Resource::StaticPod(spec) => self.ensure_file(&spec.file),
            Resource::Unit(spec) => self.ensure_unit(spec).await,
            Resource::ClusterAdmins(access) => self.ensure_cluster_admins(access).await,
            Resource::Object { access, object } => self.ensure_object(access, object).await,
            Resource::NodeMark { access, mark } => self.ensure_node_mark(access, mark).await,
            Resource::BootstrapToken { access, token } => self.ensure_token(access, token).await,
            Resource::ClientRotation(spec) => self.ensure_rotation(spec),
            Resource::SharedFile(spec) => self.ensure_shared_file(spec).await,
            Resource::TrustBundle(spec) => self.ensure_trust_bundle(spec).await,
            Resource::BootstrapKubeconfig(spec) => self.ensure_bootstrap(spec).await,
            Resource::EtcdMember(spec) => self.ensure_etcd_member(spec, progress).await,
        }
    }

    async fn inspect_removal(&self, removal: &Removal) -> Result<State, ApplyError> {
        let exists = match removal {
            Removal::File { path, .. } => self.host.info(path)?.is_some(),
            Removal::Object { access, id } => {
                match self
                    .asked(access, async |client, _| client.get(id).await)
                    .await?
                {
                    Ok(live) => live.is_some(),
                    Err(state) => return Ok(state),
                }
            }
        };
        Ok(if exists {
            State::Differs {
                diff: "- it exists".to_owned(),
            }
        } else {
            State::HOLDS
        })
    }

    async fn remove(&self, removal: &Removal) -> Result<Ensured, ApplyError> {
        let removed = match removal {
            Removal::File { path, .. } => self.host.remove_file(path)?,
            Removal::Object { access, id } => self.admin(access).await?.delete(id).await?,
        };
        Ok(Ensured {
            unchanged: !removed,
            ..Ensured::default()
        })
    }
}

/// An error of looking as a state.
fn unseen(error: &ApplyError) -> State {
    match error {
        ApplyError::Host(host) if host.is_permission_denied() => State::Hidden {
            problem: problem(error),
        },
        _ => State::Blocked {
            problems: vec![problem(error)],
            conflict: false,
        },
    }
}

impl Executor for Apply {
    type Error = ApplyError;

    async fn holds(&self, id: &ResourceId) -> Presence {
        let found = match id {
            ResourceId::File(path) | ResourceId::Directory(path) => match self.host.exists(path) {
                Ok(found) => found,
                Err(error) if HostError::is_permission_denied(&error) => return Presence::Unknown,
                Err(_) => false,
            },
            ResourceId::Kubelet => self.kubelet_runs().await,
            ResourceId::ApiServer => return self.api_server_answers(&self.access).await,
            ResourceId::Object(id) => return self.object_exists(&self.access, id).await,
            // No action requires these: they only decide about the order.
            ResourceId::Image(_)
            | ResourceId::ImageQueue
            | ResourceId::Healthy(_)
            | ResourceId::AdminRights
            | ResourceId::Node(_)
            | ResourceId::BootstrapTokens => return Presence::Unknown,
        };
        if found {
            Presence::Present
        } else {
            Presence::Missing
        }
    }

    async fn inspect(&self, action: &Action) -> State {
        self.look(action)
            .await
            .unwrap_or_else(|error| unseen(&error))
    }

    fn prepare(&self, actions: &[&Action]) {
        self.looking.store(false, Ordering::Relaxed);
        self.clients.forget_unreachable();
        let algorithms: Vec<_> = actions
            .iter()
            .filter_map(|action| self.new_key(action))
            .collect();
        if let Ok(mut keys) = self.keys.lock()
            && !algorithms.is_empty()
        {
            *keys = Some(Arc::new(KeyPool::new(algorithms)));
        }
    }

    async fn ensure(
        &self,
        action: &Action,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Ensured, ApplyError> {
        self.act(action, progress).await
    }
}
