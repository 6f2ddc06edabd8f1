//! Steps that scenarios share: initialise a cluster, connect its pods, join nodes, wait.
//!
//! Every step takes the cluster or nodes it works on; who initialises is a parameter, so the
//! same scenario runs with kubeadm and with rinit.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Context, checkout, rinit};
use crate::cache;
use crate::components::PROBE_IMAGE;
use crate::node::Node;
use crate::shell::{self, Output};

/// Where the configuration lies in a node.
pub(crate) const CONFIG: &str = "/etc/rinit/config.yaml";

/// Who turns a node into a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Initiator {
    Rinit,
    Kubeadm,
}

impl Initiator {
    /// The name of its program in a node.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Rinit => "rinit",
            Self::Kubeadm => "kubeadm",
        }
    }

    /// The command that initialises a cluster from `CONFIG`.
    pub(crate) fn command(self) -> Vec<&'static str> {
        // kubeadm's look at the system wants kernel modules and cgroup v2.
        let ignored = "--ignore-preflight-errors=SystemVerification";
        vec![self.program(), "init", "--config", CONFIG, ignored]
    }
}

/// A cluster whose first control-plane node is up.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// The node that was initialised.
    pub(crate) first: Node,
    /// What init printed.
    pub(crate) output: Output,
}

impl Cluster {
    /// Initialises a cluster on `node` from `config`.
    pub(crate) fn init(node: &Node, who: Initiator, config: &str) -> Result<Self> {
        Self::init_with(node, who, config, &[])
    }

    /// The same with more flags.
    pub(crate) fn init_with(
        node: &Node,
        who: Initiator,
        config: &str,
        flags: &[&str],
    ) -> Result<Self> {
        prepare(node, who, config)?;
        let output = shell::step(&format!("{} init", who.program()), || {
            node.run(&[&who.command(), flags].concat())
        })?;
        Ok(Self {
            first: node.clone(),
            output,
        })
    }

    /// The `kubeadm join` command for workers or for control planes that init printed.
    pub(crate) fn join_command(&self, control_plane: bool) -> Result<Vec<String>> {
        let text = self.output.stdout.replace("\\\n", " ");
        let line = text
            .lines()
            .map(str::trim)
            .rfind(|line| {
                line.starts_with("kubeadm join")
                    && line.contains("--control-plane") == control_plane
            })
            .with_context(|| format!("init printed no join command: {}", self.output))?;
        Ok(line.split_whitespace().map(str::to_owned).collect())
    }

    /// Joins `worker` with the printed command, by kubeadm.
    pub(crate) fn join(&self, worker: &Node) -> Result<()> {
        self.join_with(Initiator::Kubeadm, worker, false)?;
        Ok(())
    }

    /// Joins `node` as another control plane with the printed command, by kubeadm.
    pub(crate) fn join_control_plane(&self, node: &Node) -> Result<()> {
        self.join_with(Initiator::Kubeadm, node, true)?;
        Ok(())
    }

    /// Joins `node` with the printed command, whose first word is the program's.
    pub(crate) fn join_with(
        &self,
        who: Initiator,
        node: &Node,
        control_plane: bool,
    ) -> Result<Output> {
        let command = self.join_command(control_plane)?;
        let mut words = vec![who.program()];
        words.extend(command.iter().skip(1).map(String::as_str));
        if control_plane {
            words.extend(["--apiserver-advertise-address", &node.ip]);
        }
        words.push("--ignore-preflight-errors=SystemVerification");
        if who == Initiator::Rinit {
            node.copy_file(rinit()?, "/usr/local/bin/rinit", 0o755)?;
        }
        shell::step(&format!("{} join on {}", who.program(), node.name), || {
            node.run(&words)
        })
    }

    /// Runs kubectl as administrator on the first node.
    pub(crate) fn kubectl(&self, words: &[&str]) -> Result<Output> {
        self.first.run(&[&["kubectl"], words].concat())
    }

    /// What `kubectl get` gives for `words`, or why it fails.
    pub(crate) fn get(&self, words: &[&str]) -> Result<Result<Value, String>> {
        let words = [&["kubectl", "get", "-o", "json"], words].concat();
        let output = self.first.try_run(&words)?;
        if !output.success() {
            return Ok(Err(output.stderr));
        }
        Ok(Ok(serde_json::from_str(&output.stdout)?))
    }

    /// Creates or changes objects.
    pub(crate) fn apply(&self, objects: &Value) -> Result<()> {
        let path = "/run/apply.json";
        self.first.write_file(path, objects.to_string(), 0o600)?;
        self.kubectl(&["apply", "-f", path])?;
        Ok(())
    }

    /// Gives each of `nodes` a pod network of its own and routes to those of the others.
    pub(crate) fn connect_pods(&self, nodes: &[&Node]) -> Result<()> {
        let mut subnets = Vec::new();
        for node in nodes {
            let what = format!("node {} has a pod subnet", node.name);
            let subnet = shell::until(&what, Duration::from_mins(1), || {
                let object = match self.get(&["node", &node.name])? {
                    Ok(object) => object,
                    Err(error) => return Ok(Err(error)),
                };
                let subnet = object["spec"]["podCIDR"].as_str();
                Ok(subnet
                    .map(str::to_owned)
                    .ok_or_else(|| "it has none".to_owned()))
            })?;
            subnets.push(subnet);
        }
        for (node, subnet) in nodes.iter().zip(&subnets) {
            for (other, its_subnet) in nodes.iter().zip(&subnets) {
                if other.name != node.name {
                    node.run(&["ip", "route", "replace", its_subnet, "via", &other.ip])?;
                }
            }
            let network = json!({
                "cniVersion": "1.0.0",
                "name": "pods",
                "plugins": [
                    {
                        "type": "bridge",
                        "bridge": "cni0",
                        "isGateway": true,
                        "ipMasq": true,
                        "hairpinMode": true,
                        "ipam": {
                            "type": "host-local",
                            "ranges": [[{"subnet": subnet}]],
                            "routes": [{"dst": "0.0.0.0/0"}],
                        },
                    },
                    {"type": "portmap", "capabilities": {"portMappings": true}},
                ],
            });
            let path = "/etc/cni/net.d/10-pods.conflist";
            node.write_file(path, serde_json::to_string_pretty(&network)?, 0o644)?;
        }
        Ok(())
    }

    /// Waits until exactly `nodes` are there and Ready.
    pub(crate) fn wait_for_ready_nodes(&self, nodes: &[&Node]) -> Result<()> {
        let mut names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        let what = format!("Ready: {}", names.join(", "));
        shell::step(&what, || {
            shell::until(&what, Duration::from_mins(2), || {
                let list = match self.get(&["nodes"])? {
                    Ok(list) => list,
                    Err(error) => return Ok(Err(error)),
                };
                let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
                let mut ready: Vec<&str> = items
                    .iter()
                    .filter(|item| has_condition(item, "Ready"))
                    .filter_map(|item| item["metadata"]["name"].as_str())
                    .collect();
                ready.sort_unstable();
                let done = ready == names && items.len() == names.len();
                Ok(if done {
                    Ok(())
                } else {
                    Err(format!("Ready are {ready:?}"))
                })
            })
        })
    }

    /// Waits until every kube-system pod that kubeadm's cluster has is Running, those of CoreDNS
    /// and kube-proxy Ready too, and nothing restarted in the end.
    pub(crate) fn wait_for_system_pods(&self) -> Result<()> {
        let first = &self.first.name;
        let running = [
            format!("etcd-{first}"),
            format!("kube-apiserver-{first}"),
            format!("kube-controller-manager-{first}"),
            format!("kube-scheduler-{first}"),
        ];
        shell::step(
            "etcd, API server, controller manager, scheduler Running",
            || {
                shell::until(
                    "the control plane's pods are Running",
                    Duration::from_mins(2),
                    || {
                        self.pods("kube-system", |pods| {
                            running.iter().all(|name| {
                                pods.iter().any(|pod| {
                                    pod["metadata"]["name"] == name.as_str() && is_running(pod)
                                })
                            })
                        })
                    },
                )
            },
        )?;
        shell::step("CoreDNS and kube-proxy Ready", || {
            let what = "CoreDNS and kube-proxy are Ready";
            shell::until(what, Duration::from_mins(3), || {
                self.pods("kube-system", |pods| {
                    ["kube-dns", "kube-proxy"].iter().all(|app| {
                        let mut of_app = pods
                            .iter()
                            .filter(|pod| pod["metadata"]["labels"]["k8s-app"] == *app)
                            .peekable();
                        of_app.peek().is_some() && of_app.all(|pod| has_condition(pod, "Ready"))
                    })
                })
            })
        })
    }

    /// From a pod on `node`, resolves the API's service name and reaches its service address.
    pub(crate) fn probe_from_pod(&self, node: &Node) -> Result<()> {
        let name = format!("probe-{}", node.name);
        shell::step(
            &format!("a pod on {} resolves names and reaches the API", node.name),
            || {
                let what = "the namespace has its service account";
                shell::until(what, Duration::from_mins(1), || {
                    Ok(self.get(&["serviceaccount", "default"])?.map(|_| ()))
                })?;
                self.apply(&json!({
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": name, "namespace": "default"},
                    "spec": {
                        "nodeName": node.name,
                        "restartPolicy": "OnFailure",
                        "terminationGracePeriodSeconds": 0,
                        "tolerations": [{"operator": "Exists"}],
                        "containers": [{
                            "name": "probe",
                            "image": PROBE_IMAGE,
                            "imagePullPolicy": "Never",
                            "args": [
                                "check",
                                "kubernetes.default.svc.cluster.local",
                                "https://10.96.0.1:443/version",
                            ],
                        }],
                    },
                }))?;
                shell::until(
                    &format!("{name} has succeeded"),
                    Duration::from_secs(90),
                    || {
                        let pod = match self.get(&["pod", &name])? {
                            Ok(pod) => pod,
                            Err(error) => return Ok(Err(error)),
                        };
                        let done = pod["status"]["phase"] == "Succeeded";
                        Ok(if done {
                            Ok(())
                        } else {
                            Err(pod["status"].to_string())
                        })
                    },
                )?;
                let log = self.kubectl(&["logs", &name])?.stdout;
                if !log.contains("[10.96.0.1]") || !log.contains("gitVersion") {
                    bail!("the probe printed something else: {log}");
                }
                self.kubectl(&["delete", "pod", &name, "--now"])?;
                Ok(())
            },
        )
    }

    fn pods(&self, namespace: &str, good: impl Fn(&[Value]) -> bool) -> Result<Result<(), String>> {
        let list = match self.get(&["pods", "-n", namespace])? {
            Ok(list) => list,
            Err(error) => return Ok(Err(error)),
        };
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        if good(items) {
            return Ok(Ok(()));
        }
        let states = items.iter().map(|pod| {
            let ready = if has_condition(pod, "Ready") {
                "Ready"
            } else {
                "not Ready"
            };
            format!(
                "{} {} {ready}",
                pod["metadata"]["name"], pod["status"]["phase"]
            )
        });
        Ok(Err(states.collect::<Vec<_>>().join("; ")))
    }
}

/// Puts into a node what `who` needs to initialise it.
pub(crate) fn prepare(node: &Node, who: Initiator, config: &str) -> Result<()> {
    node.write_file(CONFIG, config, 0o600)?;
    if who == Initiator::Rinit {
        node.copy_file(rinit()?, "/usr/local/bin/rinit", 0o755)?;
    }
    Ok(())
}

/// The text of `testdata/configs/minimal.yaml` for `node` and the Kubernetes version in use.
pub(crate) fn minimal_config(context: &Context, node: &Node) -> Result<String> {
    case_config(context, node, "minimal")
}

/// The text of `testdata/configs/<case>.yaml` for `node` and the Kubernetes version in use.
pub(crate) fn case_config(context: &Context, node: &Node, case: &str) -> Result<String> {
    let configs = checkout().join(Path::new("testdata/configs"));
    let text = cache::read(&configs.join(format!("{case}.yaml")))?;
    let lines = text.lines().map(|line| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.split_once(": ") {
            Some(("kubernetesVersion", _)) => {
                format!(
                    "{indent}kubernetesVersion: {}\n",
                    context.components.kubernetes
                )
            }
            Some(("advertiseAddress", _)) => format!("{indent}advertiseAddress: {}\n", node.ip),
            _ => format!("{line}\n"),
        }
    });
    Ok(lines.collect())
}

/// True if the object's condition `kind` is True.
fn has_condition(object: &Value, kind: &str) -> bool {
    object["status"]["conditions"]
        .as_array()
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition["type"] == kind && condition["status"] == "True")
        })
}

fn is_running(pod: &Value) -> bool {
    pod["status"]["containerStatuses"]
        .as_array()
        .is_some_and(|containers| {
            !containers.is_empty()
                && containers
                    .iter()
                    .all(|container| container["state"]["running"].is_object())
        })
}
