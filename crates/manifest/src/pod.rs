//! Static pods of the control plane, as kubeadm writes them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, HTTPGetAction, HostPathVolumeSource, Pod, PodSecurityContext,
    PodSpec, PodStatus, Probe, ResourceRequirements, SeccompProfile, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rinit_diag::Hint;
use rinit_facts::{EnvironmentVariable, HostPathVolume, Patch};
use rinit_plan::component::Component;
use rinit_plan::constants::KUBE_SYSTEM;
use rinit_plan::{FileMode, FileSpec, Gate, LogicalPath, ResourceId, StaticPodSpec};
use rinit_versions::MinorTable;
use serde_json::{Value, json};

use crate::patch::{self, MergeKeys, PatchError};
use crate::yaml;

/// Folders and files of the node that a pod mounts, in the order of its mounts.
pub type Volumes = Vec<HostPathVolume>;

/// What differs between the static pods.
#[derive(Debug, Clone)]
pub struct StaticPod<'a> {
    /// The component.
    pub component: &'static Component,
    /// The image.
    pub image: &'a str,
    /// The arguments behind the executable.
    pub arguments: Vec<String>,
    /// Annotations of the pod.
    pub annotations: Vec<(&'static str, String)>,
    /// Variables, sorted by name.
    pub environment: Vec<EnvironmentVariable>,
    /// Host paths, in the order of the mounts. The volumes are sorted by name.
    pub volumes: Volumes,
    /// What the container asks for, such as `("cpu", "250m")`.
    pub requests: &'static [(&'static str, &'static str)],
    /// Where it reports its health.
    pub health: Health,
}

/// Where the kubelet asks a component for its health, and how long it may take to start.
#[derive(Debug, Clone)]
pub struct Health {
    /// The address that the kubelet asks; the pod's own, which is the node's, if none.
    pub host: Option<String>,
    /// The port, which the pod names `probe-port` from Kubernetes 1.34 on.
    pub port: u16,
    /// `HTTP` or `HTTPS`.
    pub scheme: &'static str,
    /// How long the component may take to start, in seconds.
    pub startup_seconds: u64,
}

/// Why a static pod cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// An extra variable is no EnvVar (Kubernetes core/v1).
    #[error("variable {name} of {component} is not valid")]
    Environment {
        /// The component.
        component: &'static str,
        /// The variable.
        name: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A patch does not fit.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// With its patches it is no pod any more.
    #[error("{component} with its patches is not a valid pod")]
    Patched {
        /// The component.
        component: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl PodError {
    /// The action that stops a run before its first write and says why.
    pub fn refusal(&self) -> Gate {
        let hint = match self {
            Self::Patch(error) => error.hint(),
            Self::Patched { .. } => Some("mend the patches of this component".to_owned()),
            Self::Environment { .. } => Some(
                "give each of `extraEnvs` a `name` and either a `value` or a `valueFrom`"
                    .to_owned(),
            ),
        };
        Gate::Refuse {
            message: rinit_diag::chain(self),
            hint,
        }
    }
}

impl StaticPod<'_> {
    /// Its manifest with the user's patches, to be written to a file.
    pub fn spec<'p>(
        &self,
        path: LogicalPath,
        mode: FileMode,
        table: &MinorTable,
        patches: impl IntoIterator<Item = &'p Patch>,
    ) -> Result<StaticPodSpec, PodError> {
        let manifest = self.manifest(table, patches)?;
        Ok(StaticPodSpec {
            reads: reads(&manifest),
            file: FileSpec {
                path,
                mode,
                text: yaml::to_string(&manifest),
            },
        })
    }

    fn manifest<'p>(
        &self,
        table: &MinorTable,
        patches: impl IntoIterator<Item = &'p Patch>,
    ) -> Result<Value, PodError> {
        let mut manifest = written(self.pod(table)?, table);
        let mut patches = patches.into_iter().peekable();
        if patches.peek().is_some() {
            let patched = patch::apply(manifest, patches, MergeKeys::Workload)?;
            // Read as a pod once more, so that what no kubelet would understand is found here.
            let pod = serde_json::from_value(patched).map_err(|source| PodError::Patched {
                component: self.component.name,
                source,
            })?;
            manifest = written(pod, table);
        }
        Ok(manifest)
    }

    fn pod(&self, table: &MinorTable) -> Result<Pod, PodError> {
        let name = self.component.name;
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let annotations: BTreeMap<String, String> = self
            .annotations
            .iter()
            .map(|(name, value)| label(name, value))
            .collect();
        let mut volumes: Vec<Volume> = self.volumes.iter().map(volume).collect();
        volumes.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Pod {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(KUBE_SYSTEM.to_owned()),
                labels: Some(BTreeMap::from([
                    label("component", name),
                    label("tier", "control-plane"),
                ])),
                annotations: (!annotations.is_empty()).then_some(annotations),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                containers: vec![self.container(table)?],
                host_network: Some(true),
                priority: Some(2_000_001_000),
                priority_class_name: Some("system-node-critical".to_owned()),
                security_context: Some(PodSecurityContext {
                    seccomp_profile: Some(SeccompProfile {
                        type_: "RuntimeDefault".to_owned(),
                        ..SeccompProfile::default()
                    }),
                    ..PodSecurityContext::default()
                }),
                volumes: Some(volumes),
                ..PodSpec::default()
            }),
            status: Some(PodStatus::default()),
        })
    }

    fn container(&self, table: &MinorTable) -> Result<Container, PodError> {
        let paths = &self.component.health;
        let environment = self
            .environment
            .iter()
            .map(|variable| self.variable(variable))
            .collect::<Result<Vec<EnvVar>, PodError>>()?;
        let port = ContainerPort {
            container_port: i32::from(self.health.port),
            name: Some(PROBE_PORT.to_owned()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        };
        Ok(Container {
            name: self.component.name.to_owned(),
            image: Some(self.image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(
                std::iter::once(self.component.name.to_owned())
                    .chain(self.arguments.iter().cloned())
                    .collect(),
            ),
            env: (!environment.is_empty()).then_some(environment),
            liveness_probe: Some(Probe {
                failure_threshold: Some(8),
                initial_delay_seconds: Some(10),
                period_seconds: Some(10),
                ..self.health.probe(paths.liveness, table)
            }),
            readiness_probe: paths.readiness.map(|path| Probe {
                failure_threshold: Some(3),
                period_seconds: Some(1),
                ..self.health.probe(path, table)
            }),
            // As many tries of ten seconds as cover the time that the component may take.
            startup_probe: Some(Probe {
                failure_threshold: Some(
                    i32::try_from(self.health.startup_seconds.div_ceil(10)).unwrap_or(i32::MAX),
                ),
                initial_delay_seconds: Some(10),
                period_seconds: Some(10),
                ..self.health.probe(paths.startup, table)
            }),
            ports: table.named_probe_port.then(|| vec![port]),
            resources: Some(ResourceRequirements {
                requests: Some(
                    self.requests
                        .iter()
                        .map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned())))
                        .collect(),
                ),
                ..ResourceRequirements::default()
            }),
            volume_mounts: Some(self.volumes.iter().map(volume_mount).collect()),
            ..Container::default()
        })
    }

    fn variable(&self, variable: &EnvironmentVariable) -> Result<EnvVar, PodError> {
        let mut source = variable.source.clone();
        source.insert("name".to_owned(), json!(variable.name));
        let mut parsed: EnvVar =
            serde_json::from_value(Value::Object(source)).map_err(|source| {
                PodError::Environment {
                    component: self.component.name,
                    name: variable.name.clone(),
                    source,
                }
            })?;
        parsed.value = parsed.value.filter(|value| !value.is_empty());
        // Kubernetes' default, which kubeadm writes out.
        if let Some(field) = parsed
            .value_from
            .as_mut()
            .and_then(|source| source.field_ref.as_mut())
            && field.api_version.as_deref().unwrap_or_default().is_empty()
        {
            field.api_version = Some("v1".to_owned());
        }
        Ok(parsed)
    }
}

/// What a pod uses of its node: images, what it mounts, and the files that its arguments name.
fn reads(pod: &Value) -> Vec<ResourceId> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let path = |text: &str| LogicalPath::parse(text).ok().map(ResourceId::File);
    let spec = &pod["spec"];
    let mounts = list(spec, "volumes")
        .into_iter()
        .filter_map(|volume| path(volume["hostPath"]["path"].as_str()?));
    let mut ids: BTreeSet<ResourceId> = mounts.collect();
    for container in list(spec, "initContainers")
        .into_iter()
        .chain(list(spec, "containers"))
    {
        ids.extend(
            container["image"]
                .as_str()
                .map(|image| ResourceId::Image(image.to_owned())),
        );
        let words = ["command", "args"]
            .map(|name| list(&container, name))
            .concat();
        let words = words.iter().filter_map(Value::as_str);
        ids.extend(words.filter_map(|word| path(word.split_once('=').map_or(word, |(_, it)| it))));
    }
    ids.into_iter().collect()
}

/// The name of the one port that a static pod declares (Kubernetes 1.34).
const PROBE_PORT: &str = "probe-port";

impl Health {
    fn probe(&self, path: &str, table: &MinorTable) -> Probe {
        Probe {
            http_get: Some(HTTPGetAction {
                host: self.host.clone(),
                path: Some(path.to_owned()),
                port: if table.named_probe_port {
                    IntOrString::String(PROBE_PORT.to_owned())
                } else {
                    IntOrString::Int(i32::from(self.port))
                },
                scheme: Some(self.scheme.to_owned()),
                ..HTTPGetAction::default()
            }),
            timeout_seconds: Some(15),
            ..Probe::default()
        }
    }
}

fn volume(volume: &HostPathVolume) -> Volume {
    Volume {
        name: volume.name.clone(),
        host_path: Some(HostPathVolumeSource {
            path: volume.host_path.clone(),
            type_: Some(volume.path_type.clone()),
        }),
        ..Volume::default()
    }
}

fn volume_mount(volume: &HostPathVolume) -> VolumeMount {
    VolumeMount {
        name: volume.name.clone(),
        mount_path: volume.mount_path.clone(),
        read_only: volume.read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// The pod as Kubernetes' own types are written: without empty lists, with the fields that are
/// always there, and up to 1.33 with a creation time that is not known yet.
fn written(pod: Pod, table: &MinorTable) -> Value {
    let mut value = serde_json::to_value(pod).unwrap_or_default();
    drop_empty_lists(&mut value);
    value["status"] = json!({});
    if table.writes_zero_values {
        value["metadata"]["creationTimestamp"] = Value::Null;
    }
    for list in ["containers", "initContainers"] {
        if let Some(Value::Array(containers)) = value["spec"].get_mut(list) {
            for container in containers {
                if container.get("resources").is_none() {
                    container["resources"] = json!({});
                }
            }
        }
    }
    value
}

fn drop_empty_lists(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
            map.values_mut().for_each(drop_empty_lists);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty_lists),
        _ => {}
    }
}

/// The volumes of a pod with those that the user adds, sorted by name, as their mounts are. A
/// name that the user gives again replaces ours.
pub fn merge_volumes(base: Volumes, extra: &[HostPathVolume]) -> Volumes {
    let mut volumes: BTreeMap<String, HostPathVolume> = BTreeMap::new();
    for volume in base.into_iter().chain(extra.iter().cloned()) {
        volumes.insert(volume.name.clone(), volume);
    }
    volumes.into_values().collect()
}

/// Variables with those that the user adds, sorted by name. A name that the user gives again
/// replaces ours.
pub fn merge_environment(
    base: &[EnvironmentVariable],
    extra: &[EnvironmentVariable],
) -> Vec<EnvironmentVariable> {
    let mut variables: BTreeMap<&str, &EnvironmentVariable> = BTreeMap::new();
    for variable in base.iter().chain(extra) {
        variables.insert(&variable.name, variable);
    }
    variables.into_values().cloned().collect()
}
