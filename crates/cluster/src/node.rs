//! Labels, taints and annotations of a node: added, never taken away.

use std::time::Duration;

use rinit_plan::{NodeMark, ObjectId};
use serde_json::{Map, Value, json};

use crate::retry::retry;
use crate::{Client, ClusterError, Difference, Patience, Result, Standing, compare};

/// The label that the kubelet sets when it registers a node.
const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// How the node stands. A node that has not registered is absent.
pub async fn inspect_node_mark(
    client: &Client,
    mark: &NodeMark,
    patience: &Patience,
) -> Result<Standing> {
    let Some(live) = client.get_patiently(&node_id(mark), patience).await? else {
        return Ok(Standing::Absent);
    };
    Ok(Standing::from_differences(differences(mark, &live)))
}

/// Waits until the node has registered and gives it what it lacks. Answers what it lacked.
pub async fn mark_node(
    client: &Client,
    mark: &NodeMark,
    patience: &Patience,
) -> Result<Vec<Difference>> {
    let id = node_id(mark);
    let limit = Duration::from_secs(mark.limit_seconds).max(patience.limit);
    let patience = Patience { limit, ..*patience };
    retry(&patience, async || {
        let live = client.get(&id).await?;
        let Some(live) = live.as_ref().filter(|live| is_registered(live)) else {
            return Err(ClusterError::NodeNotRegistered {
                node: mark.node.clone(),
                present: live.is_some(),
            });
        };
        let differences = differences(mark, live);
        if !differences.is_empty() {
            client.patch(&id, &patch(mark, live)).await?;
        }
        Ok(differences)
    })
    .await
}

fn node_id(mark: &NodeMark) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        namespace: None,
        name: mark.node.clone(),
    }
}

fn is_registered(live: &Value) -> bool {
    live["metadata"]["labels"][HOSTNAME_LABEL].is_string()
}

fn differences(mark: &NodeMark, live: &Value) -> Vec<Difference> {
    let mut found = compare(&json!({"metadata": metadata(mark)}), live, &[]);
    let taints = taints(mark, live);
    let standing = live["spec"]["taints"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    // The order of taints means nothing.
    if taints.iter().any(|taint| !standing.contains(taint)) {
        found.push(Difference {
            pointer: "/spec/taints".to_owned(),
            ours: taints.into(),
            live: live["spec"]["taints"].clone(),
        });
    }
    found
}

fn metadata(mark: &NodeMark) -> Value {
    let labels: Map<String, Value> = mark
        .labels
        .iter()
        .map(|label| ((*label).to_owned(), "".into()))
        .collect();
    let annotations: Map<String, Value> = mark
        .annotations
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    json!({"labels": labels, "annotations": annotations})
}

/// The taints that must stand, then those that stand beside them. A taint is named by key and
/// effect: the server accepts one value only for each such pair.
fn taints(mark: &NodeMark, live: &Value) -> Vec<Value> {
    let mut taints: Vec<Value> = mark
        .taints
        .iter()
        .map(|taint| {
            let mut fields = json!({"key": taint.key, "effect": taint.effect});
            if let Some(value) = taint.value.as_deref().filter(|value| !value.is_empty()) {
                fields["value"] = value.into();
            }
            fields
        })
        .collect();
    let standing = live["spec"]["taints"].as_array();
    for taint in standing.into_iter().flatten() {
        let same = taints
            .iter_mut()
            .find(|ours| ours["key"] == taint["key"] && ours["effect"] == taint["effect"]);
        match same {
            None => taints.push(taint.clone()),
            // The time that the server noted is not ours to drop.
            Some(ours) if ours["value"] == taint["value"] => *ours = taint.clone(),
            Some(_) => {}
        }
    }
    taints
}

fn patch(mark: &NodeMark, live: &Value) -> Value {
    let mut metadata = metadata(mark);
    // Taints are replaced as a list, so a taint that a controller adds meanwhile must be a
    // conflict.
    metadata["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    let mut patch = json!({"metadata": metadata});
    if !mark.taints.is_empty() {
        patch["spec"] = json!({"taints": taints(mark, live)});
    }
    patch
}

#[cfg(test)]
mod tests {
    use rinit_plan::{Taint, constants};

    use super::*;

    fn mark() -> NodeMark {
        NodeMark {
            node: "node-1".into(),
            labels: vec![constants::CONTROL_PLANE],
            taints: vec![Taint {
                key: constants::CONTROL_PLANE.into(),
                value: None,
                effect: "NoSchedule".into(),
            }],
            annotations: vec![],
            limit_seconds: 0,
        }
    }

    fn ours() -> Value {
        json!({"key": constants::CONTROL_PLANE, "effect": "NoSchedule"})
    }

    #[test]
    fn a_new_node_lacks_everything() {
        let not_ready = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule", "timeAdded": "2026-11-22T01:00:00Z"});
        let live = json!({
            "metadata": {"resourceVersion": "5", "labels": {HOSTNAME_LABEL: "node-1"}},
            "spec": {"taints": [not_ready]}
        });
        assert!(is_registered(&live));
        let pointers: Vec<String> = differences(&mark(), &live)
            .into_iter()
            .map(|difference| difference.pointer)
            .collect();
        assert_eq!(
            pointers,
            [
                "/metadata/labels/node-role.kubernetes.io~1control-plane",
                "/spec/taints"
            ]
        );
        assert_eq!(
            patch(&mark(), &live),
            json!({
                "metadata": {
                    "labels": {constants::CONTROL_PLANE: ""},
                    "annotations": {},
                    "resourceVersion": "5"
                },
                "spec": {"taints": [ours(), not_ready]}
            })
        );
    }

    #[test]
    fn a_marked_node_lacks_nothing() {
        let mut standing = ours();
        standing["timeAdded"] = "2026-11-22T01:00:00Z".into();
        let live = json!({
            "metadata": {"labels": {constants::CONTROL_PLANE: "", "other": "x"}},
            "spec": {"taints": [{"key": "a", "effect": "NoExecute"}, standing]}
        });
        assert_eq!(differences(&mark(), &live), []);
    }

    #[test]
    fn a_taint_with_another_value_is_replaced_not_doubled() {
        let live = json!({
            "metadata": {"labels": {constants::CONTROL_PLANE: ""}},
            "spec": {"taints": [{"key": constants::CONTROL_PLANE, "value": "true", "effect": "NoSchedule"}]}
        });
        assert_eq!(taints(&mark(), &live), [ours()]);
        assert_eq!(differences(&mark(), &live).len(), 1);
    }

    #[test]
    fn without_taints_of_ours_none_is_touched() {
        let mut mark = mark();
        mark.taints.clear();
        let live =
            json!({"metadata": {}, "spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}});
        assert_eq!(patch(&mark, &live).get("spec"), None);
    }
}
