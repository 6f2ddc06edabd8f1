//! A static pod as its manifest on the disk describes it, read as the kubelet and the component
//! read it.
//!
//! A flag counts in `command` or in `args`, as `--name=value` or as two items, in the container
//! that has the component's name, or in the only one.

use rinit_plan::component::{Component, Port};
use serde_json::Value;

use crate::yaml::{self, YamlError};

/// The pod of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestView {
    pod: Value,
}

/// Why a text describes no static pod.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It has no list of containers.
    #[error("it is no pod with containers")]
    NoPod,
}

impl ManifestView {
    /// Reads a manifest.
    pub fn parse(text: &str) -> Result<Self, ViewError> {
        let pod = yaml::parse_documents(text)?.into_iter().next();
        let view = Self {
            pod: pod.unwrap_or_default(),
        };
        if view.containers().is_empty() {
            return Err(ViewError::NoPod);
        }
        Ok(view)
    }

    fn containers(&self) -> &[Value] {
        let containers = self.pod.pointer("/spec/containers");
        containers
            .and_then(Value::as_array)
            .map_or(&[], |list| list)
    }

    /// The container of a component.
    fn container(&self, component: &str) -> Option<&Value> {
        let containers = self.containers();
        let named = containers.iter().find(|one| one["name"] == component);
        named.or(match containers {
            [only] => Some(only),
            _ => None,
        })
    }

    /// Returns the value of a flag of the component. Of several the last counts, as for the
    /// component itself.
    pub fn flag(&self, component: &Component, flag: &str) -> Option<&str> {
        let container = self.container(component.name)?;
        let mut words = ["command", "args"]
            .into_iter()
            .filter_map(|list| container[list].as_array())
            .flatten()
            .filter_map(Value::as_str);
        let mut found = None;
        while let Some(word) = words.next() {
            let Some(word) = word.strip_prefix("--") else {
                continue;
            };
            match word.split_once('=') {
                Some((name, value)) if is_flag(name, flag) => found = Some(value),
                None if is_flag(word, flag) => found = words.next().or(found),
                _ => {}
            }
        }
        found
    }

    /// Returns the ports that a flag sets, by itself or in URLs; the component's own where it sets
    /// none.
    fn ports_of(&self, component: &Component, port: Port) -> Vec<u16> {
        let value = self.flag(component, port.flag).unwrap_or_default();
        let ports: Vec<u16> = value
            .split(',')
            .filter_map(|one| one.trim_end_matches('/').rsplit(':').next()?.parse().ok())
            .collect();
        if ports.is_empty() {
            vec![port.number]
        } else {
            ports
        }
    }

    /// Returns the ports at which the component is reached.
    pub fn ports(&self, component: &Component) -> Vec<u16> {
        let ports = component.ports.iter();
        ports
            .flat_map(|port| self.ports_of(component, *port))
            .collect()
    }

    /// Returns where the component reports its health, at an address of its own if none is
    /// configured.
    pub fn health_url(&self, component: &Component, default_address: &str) -> String {
        let health = &component.health;
        let configured = component
            .address_flag
            .and_then(|flag| self.flag(component, flag));
        let address = match configured.unwrap_or(default_address) {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            address => address,
        };
        let port = self.ports_of(component, health.port);
        url(
            health.scheme,
            address,
            port.first().copied().unwrap_or(health.port.number),
            health.liveness,
        )
    }

    /// Returns the tag of the component's image.
    pub fn image_tag(&self, component: &Component) -> Option<&str> {
        let image = self.container(component.name)?["image"].as_str()?;
        let name = image.rsplit('/').next().unwrap_or(image);
        name.split_once(':').map(|(_, tag)| tag)
    }

    /// Whether a text of the pod is the file, or a flag with it as its value.
    pub fn uses(&self, file: &str) -> bool {
        uses(&self.pod, file)
    }

    /// Returns the namespace of the pod.
    pub fn namespace(&self) -> &str {
        let namespace = self.pod["metadata"]["namespace"].as_str();
        namespace.unwrap_or("default")
    }

    /// Returns the name of the pod. The kubelet adds that of the node.
    pub fn name(&self) -> Option<&str> {
        self.pod["metadata"]["name"].as_str()
    }

    /// Returns where the kubelet asks a pod for its health.
    pub fn probe_url(&self) -> Option<String> {
        let container = self.containers().first()?;
        let get = ["readinessProbe", "livenessProbe", "startupProbe"]
            .iter()
            .find_map(|probe| container[*probe].get("httpGet"))?;
        let port = match &get["port"] {
            Value::Number(port) => port.as_u64()?,
            Value::String(name) => container["ports"]
                .as_array()?
                .iter()
                .find(|port| port["name"] == name.as_str())?["containerPort"]
                .as_u64()?,
            _ => return None,
        };
        Some(url(
            get["scheme"].as_str().unwrap_or("HTTP"),
            get["host"].as_str().unwrap_or("127.0.0.1"),
            u16::try_from(port).ok()?,
            get["path"].as_str().unwrap_or("/"),
        ))
    }
}

/// Components of Kubernetes take `_` for `-` in the name of a flag.
fn is_flag(word: &str, flag: &str) -> bool {
    word == flag || word.replace('_', "-") == flag
}

fn uses(value: &Value, file: &str) -> bool {
    match value {
        Value::String(text) => {
            text == file
                || text
                    .rsplit_once('=')
                    .is_some_and(|(_, value)| value == file)
        }
        Value::Array(values) => values.iter().any(|value| uses(value, file)),
        Value::Object(fields) => fields.values().any(|value| uses(value, file)),
        _ => false,
    }
}

fn url(scheme: &str, host: &str, port: u16, path: &str) -> String {
    let scheme = scheme.to_lowercase();
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}{path}")
    } else {
        format!("{scheme}://{host}:{port}{path}")
    }
}

#[cfg(test)]
mod tests {
    use rinit_plan::component::{API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER};
    use serde_json::json;

    use super::*;

    fn view(containers: &Value) -> ManifestView {
        let pod = json!({"spec": {"containers": containers}});
        ManifestView::parse(&pod.to_string()).unwrap()
    }

    fn scheduler(arguments: &[&str]) -> ManifestView {
        let mut command = vec!["kube-scheduler"];
        command.extend(arguments);
        view(&json!([{"name": "kube-scheduler", "command": command}]))
    }

    #[test]
    fn a_flag_counts_in_all_four_spellings() {
        for container in [
            json!({"command": ["kube-apiserver", "--client-ca-file=/a/ca.crt"]}),
            json!({"command": ["kube-apiserver", "--client-ca-file", "/a/ca.crt"]}),
            json!({"command": ["kube-apiserver"], "args": ["--client-ca-file=/a/ca.crt"]}),
            json!({"args": ["--client-ca-file", "/a/ca.crt", "--allow-privileged"]}),
        ] {
            let view = view(&json!([container]));
            let found = view.flag(&API_SERVER, "client-ca-file");
            assert_eq!(found, Some("/a/ca.crt"), "{container}");
            assert!(view.uses("/a/ca.crt"), "{container}");
            assert_eq!(view.flag(&API_SERVER, "ca-file"), None);
        }
    }

    #[test]
    fn the_container_of_the_components_name_counts() {
        let container = |name: &str, port: &str| json!({"name": name, "args": [format!("--secure-port={port}")]});
        let both = view(&json!([
            container("proxy", "1"),
            container("kube-apiserver", "2"),
        ]));
        assert_eq!(both.flag(&API_SERVER, "secure-port"), Some("2"));
        let foreign = view(&json!([container("a", "1"), container("b", "2")]));
        assert_eq!(foreign.flag(&API_SERVER, "secure-port"), None);
    }

    #[test]
    fn the_health_endpoint_follows_the_arguments() {
        let url = |arguments: &[&str]| scheduler(arguments).health_url(&SCHEDULER, "127.0.0.1");
        assert_eq!(url(&[]), "https://127.0.0.1:10259/livez");
        assert_eq!(
            url(&["--bind-address=fd00::1", "--secure-port", "1"]),
            "https://[fd00::1]:1/livez"
        );
        assert_eq!(
            url(&["--bind-address=10.0.0.1", "--bind-address=0.0.0.0"]),
            "https://127.0.0.1:10259/livez"
        );
        assert!(ManifestView::parse("spec: {}").is_err());
        let pod = view(&json!([{"name": "x"}]));
        assert!(
            pod.health_url(&CONTROLLER_MANAGER, "::1")
                .ends_with("/healthz")
        );
    }

    #[test]
    fn ports_follow_the_urls_of_etcd() {
        let etcd = view(&json!([{"name": "etcd", "command": [
            "etcd", "--listen-client-urls=https://127.0.0.1:2479,https://[fd00::1]:2579/",
        ]}]));
        assert_eq!(etcd.ports(&ETCD), [2479, 2579, 2380]);
    }

    #[test]
    fn a_pod_uses_the_files_that_its_arguments_name() {
        let pod = scheduler(&["--kubeconfig=/etc/kubernetes/scheduler.conf"]);
        assert!(pod.uses("/etc/kubernetes/scheduler.conf"));
        assert!(!pod.uses("/etc/kubernetes/scheduler"));
        assert!(!pod.uses("kube-scheduler.conf"));
    }

    #[test]
    fn the_tag_of_an_image_is_found_beside_a_port() {
        for (image, tag) in [
            ("registry.k8s.io/kube-apiserver:v1.37.1", Some("v1.37.1")),
            ("host:5000/a/kube-apiserver:v1.37.1", Some("v1.37.1")),
            ("host:5000/a/kube-apiserver", None),
        ] {
            let pod = view(&json!([{"name": "kube-apiserver", "image": image}]));
            assert_eq!(pod.image_tag(&API_SERVER), tag, "{image}");
        }
    }

    #[test]
    fn the_probe_of_a_pod_may_name_its_port() {
        let pod = |port: Value| {
            view(&json!([{
                "ports": [{"name": "probe-port", "containerPort": 2381}],
                "readinessProbe": {"httpGet": {"host": "::1", "path": "/readyz", "port": port}},
            }]))
        };
        let expected = Some("http://[::1]:2381/readyz".to_owned());
        assert_eq!(pod(json!("probe-port")).probe_url(), expected);
        assert_eq!(pod(json!(2381)).probe_url(), expected);
        assert_eq!(view(&json!([{}])).probe_url(), None);
    }
}
