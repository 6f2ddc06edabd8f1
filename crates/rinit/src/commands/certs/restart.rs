//! Bringing back what uses renewed certificates: the kubelet, then one static pod after another.
//!
//! A static pod ends when its manifest leaves the folder of manifests, and starts when it is back.
//! While it is away the manifest lies in a folder of its own, from which the next run puts it back
//! if this one is killed.

use std::time::{Duration, Instant};

use rinit_apply::Apply;
use rinit_diag::{ExitCode, Hint as _, Problem};
use rinit_facts::Facts;
use rinit_host::{ContainerState, Host, HostError, InitSystem, Runtime, Trust, probe};
use rinit_manifest::yaml;
use rinit_plan::{Action, FileMode, LogicalPath, WaitSpec, WaitTarget};
use rinit_workflow::{Executor as _, Phase};
use serde_json::Value;

use super::actions;
use super::write::Backup;
use crate::printer;

/// The order in which pods come back: each needs those before it.
const ORDER: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];
/// How long a pod may take to end: the kubelet looks every 20 s, and grants 30 s.
const END_LIMIT: Duration = Duration::from_secs(90);
/// How long is waited for the end of a pod where no runtime can be asked.
const BLIND_WAIT: Duration = Duration::from_secs(55);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// A static pod.
pub(super) struct Pod {
    /// The name of its manifest without `.yaml`.
    pub(super) name: String,
    manifest: LogicalPath,
    document: Value,
}

/// Everything that a restart needs.
pub(super) struct Restart<'a> {
    pub(super) tree: &'a [Phase],
    pub(super) host: &'a Host,
    pub(super) facts: &'a Facts,
    pub(super) backup: &'a Backup,
    /// The files that were renewed.
    pub(super) renewed: &'a [LogicalPath],
    /// Whether the kubelet's client certificate is among them.
    pub(super) kubelet: bool,
}

/// Where manifests lie while their pods end.
fn parking(facts: &Facts) -> LogicalPath {
    facts
        .paths
        .manifests
        .parent()
        .join("tmp")
        .join("rinit-restart")
}

/// Puts back the manifests that a killed run has left aside.
pub(super) fn put_back(host: &Host, facts: &Facts) -> Result<(), HostError> {
    let folder = parking(facts);
    for name in host.list(&folder)?.unwrap_or_default() {
        let parked = folder.join(&name);
        let manifest = facts.paths.manifests.join(&name);
        if name.starts_with('.') {
            continue;
        }
        if !host.exists(&manifest)?
            && let Some(content) = host.read(&parked)?
        {
            host.write(&manifest, FileMode::PRIVATE, &content)?;
            printer::progress(&format!(
                "{manifest} is back, which an earlier run left aside"
            ));
        }
        host.remove_file(&parked)?;
    }
    Ok(())
}

/// The static pods whose manifests name one of the files, in the order in which they come back.
pub(super) fn pods_that_use(host: &Host, facts: &Facts, files: &[LogicalPath]) -> Vec<Pod> {
    let folder = &facts.paths.manifests;
    let mut pods = Vec::new();
    for file in host.list(folder).ok().flatten().unwrap_or_default() {
        let Some(name) = file
            .strip_suffix(".yaml")
            .filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        let manifest = folder.join(&file);
        let Some(document) = host
            .read_text(&manifest)
            .ok()
            .flatten()
            .and_then(|text| yaml::parse_documents(&text).ok()?.pop())
        else {
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

impl Restart<'_> {
    /// Brings back everything, or says what does not come back.
    pub(super) async fn run(&self) -> ExitCode {
        let waits = match actions(self.tree, self.facts, &["wait-control-plane"]) {
            Ok(waits) => waits,
            Err(code) => return code,
        };
        let apply = Apply::new(self.host.clone(), self.facts);
        // Tells the executor that looking is over, so that it waits.
        apply.prepare(&[]);
        if let Err(problem) = self.kubelet(&apply, &waits).await {
            printer::problem(&problem);
            return ExitCode::Failure;
        }
        for pod in pods_that_use(self.host, self.facts, self.renewed) {
            if let Err(problem) = self.pod(&apply, &waits, &pod).await {
                printer::problem(&problem);
                self.undo(&pod).await;
                return ExitCode::Failure;
            }
        }
        ExitCode::Success
    }

    /// Restarts the kubelet if its certificate is new, and starts it if it does not run, since
    /// nothing else starts a static pod.
    async fn kubelet(&self, apply: &Apply, waits: &[Action]) -> Result<(), Problem> {
        let system = InitSystem::detect().await;
        let told = |error: HostError| Problem::from_error(&error);
        if !self.kubelet && system.is_active("kubelet").await.unwrap_or(true) {
            return Ok(());
        }
        printer::progress("restarting the kubelet");
        system.restart("kubelet").await.map_err(told)?;
        for action in waits {
            if let Action::Wait(WaitSpec {
                target: WaitTarget::Kubelet { .. },
                ..
            }) = action
            {
                ensure(apply, action).await?;
            }
        }
        Ok(())
    }

    async fn pod(&self, apply: &Apply, waits: &[Action], pod: &Pod) -> Result<(), Problem> {
        printer::progress(&format!("restarting {}", pod.name));
        self.bounce(pod)
            .await
            .map_err(|error| Problem::from_error(&error))?;
        for action in waits {
            if let Action::Wait(spec) = action
                && spec.target.component() == pod.name
            {
                return ensure(apply, action).await;
            }
        }
        self.answers(pod).await
    }

    /// Takes the manifest away, waits until the pod has ended, and puts it back.
    async fn bounce(&self, pod: &Pod) -> Result<(), HostError> {
        let Some(content) = self.host.read(&pod.manifest)? else {
            return Ok(());
        };
        let mode = self
            .host
            .info(&pod.manifest)?
            .map_or(FileMode::PRIVATE, |info| info.mode);
        let folder = parking(self.facts);
        self.host
            .create_folder(&folder, FileMode::PRIVATE_DIRECTORY)?;
        let parked = folder.join(pod.manifest.file_name());
        self.host.write(&parked, FileMode::PRIVATE, &content)?;
        self.host.remove_file(&pod.manifest)?;
        self.ended(pod).await;
        self.host.write(&pod.manifest, mode, &content)?;
        self.host.remove_file(&parked)?;
        Ok(())
    }

    /// Waits until no container of the pod runs, for a bounded time.
    async fn ended(&self, pod: &Pod) {
        let started = Instant::now();
        let Ok(runtime) = Runtime::connect(&self.facts.node.cri_socket).await else {
            printer::progress("  no container runtime can be asked; waiting for the kubelet");
            tokio::time::sleep(BLIND_WAIT).await;
            return;
        };
        while started.elapsed() < END_LIMIT {
            match runtime.containers().await {
                Ok(containers) => {
                    let runs = containers.iter().any(|container| {
                        container.name == pod.name
                            && container.namespace == rinit_plan::constants::KUBE_SYSTEM
                            && container.state == ContainerState::Running
                    });
                    if !runs && started.elapsed() > Duration::from_secs(1) {
                        return;
                    }
                }
                Err(error) => {
                    printer::progress(&format!("  {}", rinit_diag::chain(&error)));
                    tokio::time::sleep(BLIND_WAIT).await;
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until a pod that init does not wait for, such as etcd, answers where its own probe
    /// asks it.
    async fn answers(&self, pod: &Pod) -> Result<(), Problem> {
        let Some(url) = probe_url(&pod.document) else {
            return Ok(());
        };
        let limit = Duration::from_secs(self.facts.timeouts.control_plane_component_health_check);
        let started = Instant::now();
        loop {
            let last = match probe(&url, &Trust::Anyone, None, Duration::from_secs(5)).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) => format!("{url} answers {}", answer.status),
                Err(error) => rinit_diag::chain(&error),
            };
            if started.elapsed() >= limit {
                return Err(Problem::new(format!("{} is not healthy: {last}", pod.name))
                    .with_hint("Look at `journalctl -xeu kubelet`."));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Puts the old certificates of a pod back and starts it with them.
    async fn undo(&self, pod: &Pod) {
        let uses = |path: &LogicalPath| {
            names(&pod.document, path.as_str())
                // A key is named beside its certificate, or both are in one file.
                || names(&pod.document, &path.as_str().replace(".key", ".crt"))
        };
        printer::progress(&format!(
            "putting the old certificates of {} back from {}",
            pod.name,
            self.host.resolve(&self.backup.folder).display()
        ));
        let outcome = match self.backup.restore(self.host, uses) {
            Ok(()) => self.bounce(pod).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            printer::error(&rinit_diag::chain(&error), error.hint().as_deref());
        }
    }
}

async fn ensure(apply: &Apply, action: &Action) -> Result<(), Problem> {
    apply
        .ensure(action, &|line| printer::progress(&format!("  {line}")))
        .await
        .map(drop)
        .map_err(|error| Problem::from_error(&error))
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
