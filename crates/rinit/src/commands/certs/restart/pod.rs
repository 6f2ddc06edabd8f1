//! A static pod: its manifest, what it uses, and what is there of it.

use std::collections::HashSet;
use std::time::Duration;

use rinit_facts::Facts;
use rinit_host::{ContainerState, Host, HostError, Runtime, Sandbox, Trust, probe};
use rinit_manifest::view::ManifestView;
use rinit_plan::LogicalPath;
use rinit_plan::component::Component;

/// How long one question to a pod may take.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// The identifiers of containers.
pub(super) type Known = HashSet<String>;

/// A static pod.
pub(in super::super) struct Pod {
    /// The name of its manifest without `.yaml`.
    pub(in super::super) name: String,
    pub(super) manifest: LogicalPath,
    view: ManifestView,
}

/// The static pods whose manifests name one of the files, in the order in which they come back.
pub(in super::super) fn pods_that_use(
    host: &Host,
    facts: &Facts,
    files: &[LogicalPath],
) -> Vec<Pod> {
    let folder = &facts.node.paths.manifests;
    let mut pods = Vec::new();
    for file in host.list(folder).ok().flatten().unwrap_or_default() {
        let Some(name) = file
            .strip_suffix(".yaml")
            .filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        let manifest = folder.join(&file);
        let Some(view) = read(host, &manifest) else {
            continue;
        };
        if files.iter().any(|file| view.uses(file.as_str())) {
            pods.push(Pod {
                name: name.to_owned(),
                manifest,
                view,
            });
        }
    }
    pods.sort_by_key(|pod| Component::start_order(&pod.name));
    pods
}

/// The pod of a manifest that lies aside.
pub(super) fn pod_aside(host: &Host, aside: &LogicalPath, manifest: &LogicalPath) -> Option<Pod> {
    Some(Pod {
        name: manifest.file_name().strip_suffix(".yaml")?.to_owned(),
        manifest: manifest.clone(),
        view: read(host, aside)?,
    })
}

fn read(host: &Host, manifest: &LogicalPath) -> Option<ManifestView> {
    let text = host.read_text(manifest).ok().flatten()?;
    ManifestView::parse(&text).ok()
}

impl Pod {
    /// Whether it uses a file: itself, or as the key of a certificate that it names.
    pub(super) fn uses(&self, path: &LogicalPath) -> bool {
        self.view.uses(path.as_str())
            || path
                .as_str()
                .strip_suffix(".key")
                .is_some_and(|base| self.view.uses(&format!("{base}.crt")))
    }

    /// What the runtime has of it.
    pub(super) async fn stage(&self, runtime: &Runtime) -> Result<Stage, HostError> {
        if !self.running(runtime).await?.is_empty() {
            return Ok(Stage::Running);
        }
        let sandboxes = self.sandboxes(runtime).await?;
        Ok(if sandboxes.iter().any(|sandbox| sandbox.ready) {
            Stage::Sandbox
        } else {
            Stage::Gone
        })
    }

    /// Whether it runs, and with no container of those that were there before.
    pub(super) async fn has_started_since(&self, runtime: &Runtime, before: &Known) -> bool {
        self.running(runtime).await.is_ok_and(|running| {
            !running.is_empty() && !running.iter().any(|container| before.contains(container))
        })
    }

    /// The identifiers of its containers that run.
    async fn running(&self, runtime: &Runtime) -> Result<Vec<String>, HostError> {
        let sandboxes = self.sandboxes(runtime).await?;
        let is_own = |id: &String| sandboxes.iter().any(|sandbox| sandbox.id == *id);
        let containers = runtime.containers().await?.into_iter();
        Ok(containers
            .filter(|one| one.state == ContainerState::Running && is_own(&one.sandbox))
            .map(|one| one.id)
            .collect())
    }

    /// Removes what is left of it once it has ended. As long as its ended containers are there,
    /// the kubelet takes each new start for one after a crash, and puts it off for up to 5 minutes.
    pub(super) async fn remove_ended(&self, runtime: &Runtime) -> Result<(), HostError> {
        for sandbox in self.sandboxes(runtime).await? {
            if !sandbox.ready {
                runtime.remove_sandbox(&sandbox.id).await?;
            }
        }
        Ok(())
    }

    async fn sandboxes(&self, runtime: &Runtime) -> Result<Vec<Sandbox>, HostError> {
        let mut sandboxes = runtime.sandboxes().await?;
        // Another pod may begin with its name, such as one that makes backups of etcd.
        sandboxes
            .retain(|sandbox| sandbox.is_static && self.is_named(&sandbox.namespace, &sandbox.pod));
        Ok(sandboxes)
    }

    /// Whether a pod of the runtime is this one: the kubelet names a static pod by its own name
    /// and the node's.
    fn is_named(&self, namespace: &str, pod: &str) -> bool {
        let name = self.view.name().unwrap_or(&self.name);
        namespace == self.view.namespace()
            && pod
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Whether anything answers where the kubelet asks the pod how it is.
    pub(super) async fn is_alive(&self) -> bool {
        let Some(url) = self.probe_url() else {
            return false;
        };
        match probe(&url, &Trust::Anyone, None, PROBE_LIMIT).await {
            // Whoever does not like the question is there all the same.
            Err(HostError::ProbeConnection { source, .. }) => {
                source.kind() != std::io::ErrorKind::ConnectionRefused
            }
            Ok(_) | Err(_) => true,
        }
    }

    /// Where the kubelet asks the pod how it is.
    pub(super) fn probe_url(&self) -> Option<String> {
        self.view.probe_url()
    }
}

/// What a container runtime has of a pod.
pub(super) enum Stage {
    /// A container that runs.
    Running,
    /// A sandbox without one.
    Sandbox,
    /// Nothing that runs.
    Gone,
}
