//! The configuration that a cluster keeps, and how another one compares with it.

use std::time::Duration;

use rinit_cluster::{Client, Difference, Patience, Timeouts};
use rinit_diag::Problem;
use rinit_facts::Look;
use rinit_host::{Host, InitSystem};
use rinit_manifest::yaml;
use rinit_plan::constants::{KUBE_SYSTEM, KUBEADM_CONFIG};
use rinit_plan::{ObjectId, ObjectSpec, Secret};
use serde_json::{Map, Value};

use crate::Observed;

/// How long a finished control plane may take to answer before it counts as down: it may just be
/// starting.
const LIMIT: Duration = Duration::from_secs(15);

/// Whether a cluster was made with a configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It was, or there is none yet.
    Same,
    /// It was made with another one, with the difference.
    Differs(Problem),
    /// It is finished, and nobody answers who knows.
    Unknown(Problem),
}

impl Observed {
    pub(crate) async fn stored_configuration(&self, host: &Host) -> Look<Value> {
        let kubeconfig = self.paths.kubeconfig("admin.conf");
        let text = match host.read_text(&kubeconfig) {
            Ok(Some(text)) => Secret::new(text),
            Ok(None) => return Look::Unreachable(format!("there is no {kubeconfig}")),
            Err(error) => return Look::Unreadable(rinit_diag::chain(&error)),
        };
        let server = self.manifests.server();
        let client =
            Client::from_kubeconfig(text.expose(), server.as_deref(), Timeouts::default()).await;
        let client = match client {
            Ok(client) => client,
            Err(error) => return Look::Unreadable(rinit_diag::chain(&error)),
        };
        if self.is_finished && kubelet_runs().await {
            // How it stands then is seen by the question that follows.
            let _ = client
                .wait_until_well("/readyz", &Patience::of(LIMIT))
                .await;
        }
        let id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(KUBE_SYSTEM.to_owned()),
            name: KUBEADM_CONFIG.to_owned(),
        };
        match client.get(&id).await {
            Ok(Some(live)) => Look::Present(live),
            Ok(None) => Look::Absent,
            Err(error) => Look::Unreachable(rinit_diag::chain(&error)),
        }
    }

    /// Compares the configuration that a cluster keeps with what would be stored.
    pub fn verdict(&self, wanted: &ObjectSpec) -> Verdict {
        match &self.stored {
            Look::Present(live) => {
                let differences = documents_differ(&wanted.body, live, &wanted.unmanaged);
                if differences.is_empty() {
                    return Verdict::Same;
                }
                Verdict::Differs(
                    Problem::new(format!(
                        "the cluster was made with another configuration; {} differs (- cluster, \
                         + configuration):\n{}",
                        wanted.id,
                        rinit_cluster::render(&differences)
                    ))
                    .with_hint(
                        "init completes a cluster and does not change one: give it the \
                         configuration that the cluster has, `kubectl -n kube-system get \
                         configmap kubeadm-config -o yaml`, or add `--reconfigure` to change the \
                         cluster",
                    ),
                )
            }
            Look::Unreadable(reason) | Look::Unreachable(reason) if self.is_finished => {
                Verdict::Unknown(
                    Problem::new(format!(
                        "this host has a finished control plane, and whether it was made with \
                         this configuration is not known: {reason}"
                    ))
                    .with_hint(
                        "bring its API server back first, such as with `systemctl start \
                         kubelet`, or give the configuration that it was made with; to change \
                         single files all the same, run their phases, such as `rinit init phase \
                         control-plane apiserver`",
                    ),
                )
            }
            // An init that was cut off, or whose API server does not start, goes on.
            Look::Unreadable(_) | Look::Unreachable(_) | Look::Absent => Verdict::Same,
        }
    }
}

async fn kubelet_runs() -> bool {
    let system = InitSystem::detect().await;
    system.is_active("kubelet").await.unwrap_or(false)
}

/// Compares the YAML documents in the data of two ConfigMaps by meaning, in both directions: what
/// the cluster says and the configuration does not is a difference too. `unmanaged` are pointers
/// into the documents.
pub fn documents_differ(ours: &Value, live: &Value, unmanaged: &[&str]) -> Vec<Difference> {
    let documents = |object: &Value, keys: &Map<String, Value>| -> Value {
        let data = &object["data"];
        keys.keys()
            .map(|key| {
                let text = data[key].as_str().unwrap_or_default();
                let document = yaml::parse_documents(text)
                    .ok()
                    .and_then(|documents| documents.into_iter().next())
                    .unwrap_or_else(|| Value::from(text));
                (key.clone(), document)
            })
            .collect::<Map<_, _>>()
            .into()
    };
    let Some(keys) = ours["data"].as_object() else {
        return Vec::new();
    };
    let (ours, live) = (documents(ours, keys), documents(live, keys));
    let mut differences = rinit_cluster::compare(&ours, &live, &[]);
    for back in rinit_cluster::compare(&live, &ours, &[]) {
        if !differences
            .iter()
            .any(|known| known.pointer == back.pointer)
        {
            differences.push(Difference {
                pointer: back.pointer,
                ours: back.live,
                live: back.ours,
            });
        }
    }
    differences.retain(|difference| !unmanaged.contains(&difference.pointer.as_str()));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_compared_by_meaning_and_both_ways() {
        let map = |text: &str| json!({"data": {"ClusterConfiguration": text}});
        let ours = map("networking:\n  serviceSubnet: 10.96.0.0/12\n");
        assert!(
            documents_differ(
                &ours,
                &map("networking: {serviceSubnet: \"10.96.0.0/12\"}"),
                &[]
            )
            .is_empty()
        );
        let other = map("networking:\n  serviceSubnet: 10.97.0.0/16\ncontrolPlaneEndpoint: a\n");
        let pointers: Vec<String> = documents_differ(&ours, &other, &[])
            .into_iter()
            .map(|difference| difference.pointer)
            .collect();
        assert_eq!(
            pointers,
            [
                "/ClusterConfiguration/networking/serviceSubnet",
                "/ClusterConfiguration/controlPlaneEndpoint"
            ]
        );
        let left: Vec<String> = documents_differ(
            &ours,
            &other,
            &["/ClusterConfiguration/controlPlaneEndpoint"],
        )
        .into_iter()
        .map(|difference| difference.pointer)
        .collect();
        assert_eq!(left, ["/ClusterConfiguration/networking/serviceSubnet"]);
    }
}
