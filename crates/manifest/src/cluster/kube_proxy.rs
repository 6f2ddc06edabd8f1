//! kube-proxy, which leads service addresses to pods on every node, as kubeadm installs it.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, HostPathVolumeSource,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, ResourceRequirements, SecurityContext,
    Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use rinit_facts::EnvironmentVariable;
use rinit_plan::constants::KUBE_SYSTEM;
use rinit_plan::{ObjectSpec, groups};
use serde_json::Value;

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

/// The DaemonSet, with variables such as `HTTPS_PROXY` that its container gets from the host.
pub fn daemon_set(image: &str, environment: &[EnvironmentVariable]) -> ObjectSpec {
    let metadata = ObjectMeta {
        labels: string_map(APP),
        ..in_kube_system(NAME)
    };
    let spec = DaemonSetSpec {
        selector: LabelSelector {
            match_labels: string_map(APP),
            ..LabelSelector::default()
        },
        update_strategy: Some(DaemonSetUpdateStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: None,
        }),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: string_map(APP),
                ..ObjectMeta::default()
            }),
            spec: Some(pod(container(image, environment))),
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

fn container(image: &str, environment: &[EnvironmentVariable]) -> Container {
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
    // What comes from the environment of a process is always a plain value.
    let environment = environment.iter().map(|variable| EnvVar {
        name: variable.name.clone(),
        value: variable
            .source
            .get("value")
            .and_then(Value::as_str)
            .map(str::to_owned),
        value_from: None,
    });
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
        env: Some(std::iter::once(node_name).chain(environment).collect()),
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
        node_selector: string_map(&[("kubernetes.io/os", "linux")]),
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
    fn the_environment_of_the_host_follows_the_name_of_the_node() {
        let variable = |name: &str, value: &str| EnvironmentVariable {
            name: name.to_owned(),
            source: serde_json::Map::from_iter([("value".to_owned(), json!(value))]),
        };
        let environment = [
            variable("HTTPS_PROXY", "http://proxy"),
            variable("no_proxy", ".svc"),
        ];
        let object = daemon_set("kube-proxy:v1", &environment);
        assert_eq!(
            object.body.pointer("/spec/template/spec/containers/0/env"),
            Some(&json!([
                {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
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
