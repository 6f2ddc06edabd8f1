//! ConfigMaps, and the annotation that tells a generated component configuration from a written
//! one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;
use rinit_plan::constants::{CLUSTER_INFO, COMPONENT_CONFIG_HASH, KUBE_PUBLIC};
use rinit_plan::{Fill, LogicalPath, ObjectSpec, Reference};
use sha2::{Digest, Sha256};

use super::{in_kube_system, in_namespace, object, string_map};

/// A ConfigMap in `kube-system`.
pub fn config_map<'a>(name: &str, data: impl IntoIterator<Item = (&'a str, String)>) -> ObjectSpec {
    object(&ConfigMap {
        metadata: in_kube_system(name),
        data: Some(owned(data)),
        ..ConfigMap::default()
    })
}

/// A ConfigMap in `kube-system` with a component's configuration.
///
/// A generated one is annotated with its hash, so that a later kubeadm knows that it may generate
/// it anew; one that the user wrote (`written`) is not.
pub fn component_config<'a>(
    name: &str,
    labels: &[(&str, &str)],
    data: impl IntoIterator<Item = (&'a str, String)>,
    written: bool,
) -> ObjectSpec {
    let data = owned(data);
    let mut metadata = in_kube_system(name);
    if !labels.is_empty() {
        metadata.labels = Some(string_map(labels));
    }
    if !written {
        metadata.annotations = Some(string_map(&[(COMPONENT_CONFIG_HASH, &hash(&data))]));
    }
    object(&ConfigMap {
        metadata,
        data: Some(data),
        ..ConfigMap::default()
    })
}

/// The ConfigMap that a joining node discovers the cluster by. Anybody may read it.
///
/// `server` is the URL of the control plane as the whole cluster reaches it, even where init itself
/// talks to this node's own API server.
pub fn cluster_info(server: &str, ca_certificate: &LogicalPath) -> ObjectSpec {
    ObjectSpec {
        fills: vec![Fill {
            pointer: "/data/kubeconfig".to_owned(),
            reference: Reference::DiscoveryKubeconfig {
                server: server.to_owned(),
                ca_certificate: ca_certificate.clone(),
            },
        }],
        ..object(&ConfigMap {
            metadata: in_namespace(KUBE_PUBLIC, CLUSTER_INFO),
            data: Some(owned([("kubeconfig", String::new())])),
            ..ConfigMap::default()
        })
    }
}

fn owned<'a>(data: impl IntoIterator<Item = (&'a str, String)>) -> BTreeMap<String, String> {
    data.into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// kubeadm's hash of a component configuration: SHA-256 of the values in the order of their keys,
/// as `sha256:` and hexadecimal digits. Keys do not count.
fn hash(data: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new();
    for value in data.values() {
        digest.update(value);
    }
    let mut text = String::from("sha256:");
    for byte in digest.finalize() {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_generated_configuration_carries_the_hash_of_its_values_in_key_order() {
        let labels = [("app", "kube-proxy")];
        // The values count in the order of their keys, whatever the order given here.
        let data = [("b", "c".to_owned()), ("a", "ab".to_owned())];
        let object = component_config("kube-proxy", &labels, data, false);
        assert_eq!(
            object.body,
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "kube-proxy",
                    "namespace": "kube-system",
                    "labels": {"app": "kube-proxy"},
                    "annotations": {
                        // The well-known SHA-256 of "abc" (FIPS 180-2, appendix B.1).
                        "kubeadm.kubernetes.io/component-config.hash":
                            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                    },
                },
                "data": {"a": "ab", "b": "c"},
            })
        );
    }

    #[test]
    fn a_written_configuration_carries_no_hash() {
        let data = [("kubelet", "maxPods: 50\n".to_owned())];
        let object = component_config("kubelet-config", &[], data, true);
        assert_eq!(
            object.body["metadata"],
            json!({"name": "kubelet-config", "namespace": "kube-system"})
        );
    }

    #[test]
    fn the_discovery_kubeconfig_is_filled_in_later() {
        let ca_certificate = LogicalPath::parse("/etc/kubernetes/pki/ca.crt").unwrap();
        let object = cluster_info("https://cp.example.org:6443", &ca_certificate);
        assert_eq!(object.id.to_string(), "ConfigMap kube-public/cluster-info");
        assert_eq!(object.body["data"], json!({"kubeconfig": ""}));
        let [fill] = object.fills.as_slice() else {
            panic!("one gap, not {:?}", object.fills);
        };
        assert!(object.body.pointer(&fill.pointer).is_some());
        assert_eq!(
            fill.reference,
            Reference::DiscoveryKubeconfig {
                server: "https://cp.example.org:6443".into(),
                ca_certificate,
            }
        );
    }
}
