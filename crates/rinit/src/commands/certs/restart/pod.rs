//! A static pod: its manifest, what it uses, and what is there of it.

use std::collections::HashSet;
use std::time::Duration;

use rinit_facts::Facts;
use rinit_host::{ContainerState, Host, HostError, Runtime, Sandbox, Trust, probe};
use rinit_manifest::yaml;
use rinit_plan::LogicalPath;
use serde_json::Value;

/// How long one question to a pod may take.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// The order in which pods come back: each needs those before it.
const ORDER: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// The identifiers of containers.
pub(super) type Known = HashSet<String>;

/// A static pod.
pub(in super::super) struct Pod {
    /// The name of its manifest without `.yaml`.
    pub(in super::super) name: String,
    pub(super) manifest: LogicalPath,
    document: Value,
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
        let Some(document) = read(host, &manifest) else {
            continue;
        };
        if files.iter().any(|file| names(&document, file.as_str())) {
            pods.push(Pod {
                name: name.to_owned(),
                manifest,
                document,
            });
        }
    }
    pods.sort_by_key(|pod| {
        ORDER
            .iter()
            .position(|known| *known == pod.name)
            .unwrap_or(ORDER.len())
    });
    pods
}

/// The pod of a manifest that lies aside.
pub(super) fn pod_aside(host: &Host, aside: &LogicalPath, manifest: &LogicalPath) -> Option<Pod> {
    Some(Pod {
        name: manifest.file_name().strip_suffix(".yaml")?.to_owned(),
        manifest: manifest.clone(),
        document: read(host, aside)?,
    })
}

fn read(host: &Host, manifest: &LogicalPath) -> Option<Value> {
    let text = host.read_text(manifest).ok().flatten()?;
    yaml::parse_documents(&text).ok()?.pop()
}

/// Whether a text of the pod is the file, or an argument with it as its value.
fn names(value: &Value, file: &str) -> bool {
    match value {
        Value::String(text) => {
            text == file
                || text
                    .rsplit_once('=')
                    .is_some_and(|(_, value)| value == file)
        }
        Value::Array(values) => values.iter().any(|value| names(value, file)),
        Value::Object(fields) => fields.values().any(|value| names(value, file)),
        _ => false,
    }
}

impl Pod {
    /// Whether it uses a file: itself, or as the key of a certificate that it names.
    pub(super) fn uses(&self, path: &LogicalPath) -> bool {
        names(&self.document, path.as_str())
            || path
                .as_str()
                .strip_suffix(".key")
                .is_some_and(|base| names(&self.document, &format!("{base}.crt")))
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
        let metadata = &self.document["metadata"];
        let name = metadata["name"].as_str().unwrap_or(&self.name);
        namespace == metadata["namespace"].as_str().unwrap_or("default")
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
        probe_url(&self.document)
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

/// Where the kubelet asks the pod how it is.
fn probe_url(pod: &Value) -> Option<String> {
    let container = pod.pointer("/spec/containers/0")?;
    let get = ["readinessProbe", "livenessProbe", "startupProbe"]
        .iter()
        .find_map(|probe| container[*probe].get("httpGet"))?;
    let host = get["host"].as_str().unwrap_or("127.0.0.1");
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let port = match &get["port"] {
        Value::Number(port) => port.as_u64()?,
        Value::String(name) => container["ports"]
            .as_array()?
            .iter()
            .find(|port| port["name"] == name.as_str())?["containerPort"]
            .as_u64()?,
        _ => return None,
    };
    let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
    let path = get["path"].as_str().unwrap_or("/");
    Some(format!("{scheme}://{host}:{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_uses_the_files_that_its_arguments_name() {
        let pod = json!({"spec": {"containers": [{"command": [
            "kube-scheduler", "--kubeconfig=/etc/kubernetes/scheduler.conf",
        ]}]}});
        assert!(names(&pod, "/etc/kubernetes/scheduler.conf"));
        assert!(!names(&pod, "/etc/kubernetes/scheduler"));
        assert!(!names(&pod, "kube-scheduler.conf"));
    }

    #[test]
    fn the_probe_of_a_pod_may_name_its_port() {
        let pod = |port: Value| {
            json!({"spec": {"containers": [{
                "ports": [{"name": "probe-port", "containerPort": 2381}],
                "readinessProbe": {"httpGet": {"host": "::1", "path": "/readyz", "port": port}},
            }]}})
        };
        let expected = Some("http://[::1]:2381/readyz".to_owned());
        assert_eq!(probe_url(&pod(json!("probe-port"))), expected);
        assert_eq!(probe_url(&pod(json!(2381))), expected);
        assert_eq!(probe_url(&json!({})), None);
    }
}
