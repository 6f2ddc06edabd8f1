//! kube-proxy, which leads service addresses to pods on every node, as kubeadm installs it.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, HostPathVolumeSource,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, ResourceRequirements, SecurityContext,
    Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use rinit_facts::{EnvironmentVariable, Patch};
use rinit_plan::constants::KUBE_SYSTEM;
use rinit_plan::{ObjectSpec, groups};
use serde_json::Value;

use crate::patch::{self, MergeKeys, PatchError};

use super::config_map::component_config;
use super::rbac::{ClusterBinding, Readers, Who, service_account};
use super::{in_kube_system, object, string_map, strings};

/// The name of most of its objects.
const NAME: &str = "kube-proxy";

const APP: &[(&str, &str)] = &[("k8s-app", NAME)];

static BINDING: ClusterBinding = ClusterBinding {
    name: "kubeadm:node-proxier",
    cluster_role: "system:node-proxier",
    subject: Who::ServiceAccount(NAME),
};

/// A joining kubeadm reads the configuration with its bootstrap token.
static READERS: Readers = Readers {
    name: NAME,
    namespace: KUBE_SYSTEM,
    resource: "configmaps",
    resource_name: NAME,
    subjects: &[Who::Group(groups::BOOTSTRAPPERS)],
};

/// The ConfigMap with kube-proxy's two files.
///
/// `configuration` is the KubeProxyConfiguration as YAML, `written` whether the user wrote it, and
/// `server` the URL by which every node finds the API server.
pub fn configuration(configuration: &str, written: bool, server: &str) -> ObjectSpec {
    let data = [
        // kubeadm's template strips the line break at the end of both.
        (
            "config.conf",
            configuration.trim_end_matches('\n').to_owned(),
        ),
        ("kubeconfig.conf", kubeconfig(server)),
    ];
    component_config(NAME, &[("app", NAME)], data, written)
}

/// The DaemonSet with the user's patches, and with the host's variables such as `HTTPS_PROXY`.
///
/// The variables come last, behind those of patches, as they do in kubeadm. kubeadm gives them to
/// the first container, whichever that is after the patches; here it is the one of kube-proxy.
pub fn daemon_set<'a>(
    image: &str,
    environment: &[EnvironmentVariable],
    patches: impl IntoIterator<Item = &'a Patch>,
) -> Result<ObjectSpec, PatchError> {
    let mut object = unpatched(image);
    object.body = patch::apply(object.body, patches, MergeKeys::Workload)?;
    if let Some(container) = object
        .body
        .pointer_mut("/spec/template/spec/containers")
        .and_then(Value::as_array_mut)
        .and_then(|containers| {
            containers
                .iter_mut()
                .find(|container| container["name"] == NAME)
        })
    {
        match &mut container["env"] {
            Value::Array(variables) => variables.extend(environment.iter().map(variable)),
            absent => *absent = environment.iter().map(variable).collect(),
        }
    }
    Ok(object)
}

/// The variable of a container (Kubernetes core/v1 EnvVar).
fn variable(variable: &EnvironmentVariable) -> Value {
    let mut fields = variable.source.clone();
    fields.insert("name".to_owned(), variable.name.clone().into());
    fields.into()
}

fn unpatched(image: &str) -> ObjectSpec {
    let metadata = ObjectMeta {
        labels: Some(string_map(APP)),
        ..in_kube_system(NAME)
    };
    let spec = DaemonSetSpec {
        selector: LabelSelector {
            match_labels: Some(string_map(APP)),
            ..LabelSelector::default()
        },
        update_strategy: Some(DaemonSetUpdateStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: None,
        }),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(string_map(APP)),
                ..ObjectMeta::default()
            }),
            spec: Some(pod(container(image))),
        },
        ..DaemonSetSpec::default()
    };
    object(&DaemonSet {
        metadata,
        spec,
        ..DaemonSet::default()
    })
}

/// The service account and the rights, in kubeadm's order.
pub fn rights() -> [ObjectSpec; 4] {
    let [role, role_binding] = READERS.objects();
    [service_account(NAME), BINDING.object(), role, role_binding]
}

/// How kube-proxy reaches the API server: with the token of its service account. The order of the
/// keys is kubeadm's, whose hash annotation covers this text.
fn kubeconfig(server: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
    server: {server}
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token"
    )
}

fn container(image: &str) -> Container {
    let node_name = EnvVar {
        name: "NODE_NAME".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "spec.nodeName".to_owned(),
                api_version: None,
            }),
            ..EnvVarSource::default()
        }),
    };
    let mount = |name: &str, path: &str, read_only| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    Container {
        name: NAME.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(strings(&[
            "/usr/local/bin/kube-proxy",
            "--config=/var/lib/kube-proxy/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ])),
        env: Some(vec![node_name]),
        resources: Some(ResourceRequirements::default()),
        security_context: Some(SecurityContext {
            privileged: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![
            mount(NAME, "/var/lib/kube-proxy", None),
            mount("xtables-lock", "/run/xtables.lock", None),
            mount("lib-modules", "/lib/modules", Some(true)),
        ]),
        ..Container::default()
    }
}

fn pod(container: Container) -> PodSpec {
    let host_path = |name: &str, path: &str, type_: Option<&str>| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: type_.map(str::to_owned),
        }),
        ..Volume::default()
    };
    PodSpec {
        priority_class_name: Some("system-node-critical".to_owned()),
        service_account_name: Some(NAME.to_owned()),
        host_network: Some(true),
        // On every node, whatever its taints.
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        node_selector: Some(string_map(&[("kubernetes.io/os", "linux")])),
        containers: vec![container],
        volumes: Some(vec![
            Volume {
                name: NAME.to_owned(),
                config_map: Some(ConfigMapVolumeSource {
                    name: NAME.to_owned(),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            },
            host_path("xtables-lock", "/run/xtables.lock", Some("FileOrCreate")),
            host_path("lib-modules", "/lib/modules", None),
        ]),
        ..PodSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_facts::{PatchTarget, PatchType};
    use serde_json::json;

    #[test]
    fn both_files_end_without_a_line_break() {
        let object = configuration("mode: iptables\n", true, "https://[fd00::1]:6443");
        let data = &object.body["data"];
        assert_eq!(data["config.conf"], json!("mode: iptables"));
        let kubeconfig = data["kubeconfig.conf"].as_str().unwrap();
        assert!(kubeconfig.ends_with("/token"), "{kubeconfig}");
        assert!(
            kubeconfig.contains("\n    server: https://[fd00::1]:6443\n"),
            "{kubeconfig}"
        );
        assert_eq!(object.body["metadata"].get("annotations"), None);
        assert_eq!(
            object.body["metadata"]["labels"],
            json!({"app": "kube-proxy"})
        );
    }

    #[test]
    fn the_environment_of_the_host_goes_to_kube_proxy_behind_that_of_patches() {
        let variable = |name: &str, value: &str| EnvironmentVariable {
            name: name.to_owned(),
            source: serde_json::Map::from_iter([("value".to_owned(), json!(value))]),
        };
        let environment = [
            variable("HTTPS_PROXY", "http://proxy"),
            variable("no_proxy", ".svc"),
        ];
        let sidecar = Patch {
            target: PatchTarget::KubeProxyDaemonSet,
            patch_type: PatchType::Json,
            document: json!([
                {
                    "op": "add",
                    "path": "/spec/template/spec/containers/0",
                    "value": {"name": "sidecar", "image": "sidecar:v1"},
                },
                {
                    "op": "add",
                    "path": "/spec/template/spec/containers/1/env/-",
                    "value": {"name": "GOGC", "value": "50"},
                },
            ]),
            file: "kubeproxydaemonset+json.yaml".to_owned(),
        };
        let object = daemon_set("kube-proxy:v1", &environment, [&sidecar]).unwrap();
        assert_eq!(
            object.body.pointer("/spec/template/spec/containers/1/env"),
            Some(&json!([
                {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "GOGC", "value": "50"},
                {"name": "HTTPS_PROXY", "value": "http://proxy"},
                {"name": "no_proxy", "value": ".svc"},
            ]))
        );
    }

    #[test]
    fn rights_are_the_proxiers_and_those_of_joining_nodes() {
        let names: Vec<String> = rights()
            .iter()
            .map(|object| object.id.to_string())
            .collect();
        assert_eq!(
            names,
            [
                "ServiceAccount kube-system/kube-proxy",
                "ClusterRoleBinding kubeadm:node-proxier",
                "Role kube-system/kube-proxy",
                "RoleBinding kube-system/kube-proxy",
            ]
        );
    }
}
