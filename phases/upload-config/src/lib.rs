//! The upload-config phase of init: the cluster keeps the ClusterConfiguration and the kubelets'
//! configuration, and nodes that join may read them.
//!
//! A whole init never changes a ClusterConfiguration that stands; a phase asked for by name does.

use rinit_facts::Facts;
use rinit_manifest::cluster;
use rinit_manifest::cluster::config_map::{component_config, config_map};
use rinit_manifest::cluster::rbac::{Readers, Who};
use rinit_manifest::yaml;
use rinit_plan::constants::{KUBE_SYSTEM, KUBEADM_CONFIG, KUBELET_CONFIG};
use rinit_plan::{Action, NodeMark, ObjectSpec, Plan, Resource, WriteStyle, groups};
use rinit_workflow::{Phase, Reach};

/// The phase: a group of two leaves.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "upload-config",
        "Upload the kubeadm and kubelet configuration to a ConfigMap",
        [
            Phase::leaf(
                "kubeadm",
                "Upload the ClusterConfiguration to a ConfigMap",
                Reach::Cluster,
                kubeadm,
            ),
            Phase::leaf(
                "kubelet",
                "Upload the kubelet configuration to a ConfigMap",
                Reach::Cluster,
                kubelet,
            ),
        ],
    )
    .with_aliases(&["uploadconfig"])
}

/// Nodes that join read the ClusterConfiguration, nodes that stand read it on upgrades.
static CLUSTER_CONFIGURATION_READERS: Readers = Readers {
    name: "kubeadm:nodes-kubeadm-config",
    namespace: KUBE_SYSTEM,
    resource: "configmaps",
    resource_name: KUBEADM_CONFIG,
    subjects: &[Who::Group(groups::BOOTSTRAPPERS), Who::Group(groups::NODES)],
};

/// The same nodes read the kubelets' configuration.
static KUBELET_CONFIGURATION_READERS: Readers = Readers {
    name: "kubeadm:kubelet-config",
    namespace: KUBE_SYSTEM,
    resource: "configmaps",
    resource_name: KUBELET_CONFIG,
    subjects: &[Who::Group(groups::NODES), Who::Group(groups::BOOTSTRAPPERS)],
};

fn kubeadm(facts: &Facts) -> Plan {
    let text = yaml::to_string(&facts.cluster.configuration);
    let skipped = [
        (
            facts.cluster.dns.skipped,
            "/ClusterConfiguration/dns/disabled",
        ),
        (
            facts.cluster.proxy.skipped,
            "/ClusterConfiguration/proxy/disabled",
        ),
    ];
    let configuration = ObjectSpec {
        write: WriteStyle::Verify,
        unmanaged: skipped
            .into_iter()
            .filter_map(|(skipped, pointer)| skipped.then_some(pointer))
            .collect(),
        ..config_map(KUBEADM_CONFIG, [("ClusterConfiguration", text)])
    };
    let mut actions = vec![
        Action::from(Resource::ClusterAdmins(facts.node.access.clone())),
        cluster::apply(&facts.node.access, configuration),
    ];
    actions.extend(
        CLUSTER_CONFIGURATION_READERS
            .objects()
            .map(|object| cluster::apply(&facts.node.access, object)),
    );
    Plan::of(actions)
}

fn kubelet(facts: &Facts) -> Plan {
    let configuration = component_config(
        KUBELET_CONFIG,
        &[],
        [(
            "kubelet",
            yaml::to_string(&facts.cluster.kubelet_configuration),
        )],
        facts.cluster.kubelet_configuration_written,
    );
    let mut actions = vec![
        Action::from(Resource::ClusterAdmins(facts.node.access.clone())),
        cluster::apply(&facts.node.access, configuration),
    ];
    actions.extend(
        KUBELET_CONFIGURATION_READERS
            .objects()
            .map(|object| cluster::apply(&facts.node.access, object)),
    );
    if let Some(annotation) = facts.socket_annotation() {
        actions.push(Action::from(Resource::NodeMark {
            access: facts.node.access.clone(),
            mark: NodeMark {
                node: facts.node.name.clone(),
                labels: Vec::new(),
                taints: Vec::new(),
                annotations: vec![annotation],
                limit_seconds: facts.node.timeouts.kubernetes_api_call,
            },
        }));
    }
    Plan::of(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cri_socket_is_an_annotation_of_the_node_until_1_33() {
        for (version, annotated) in [("v1.32.13", true), ("v1.33.13", true), ("v1.34.10", false)] {
            let mut facts = rinit_testkit::facts("objects/plain");
            facts.cluster.version = version.parse().unwrap();
            let marks: Vec<_> = kubelet(&facts)
                .actions
                .into_iter()
                .filter_map(|action| match action {
                    Action::Ensure(Resource::NodeMark { mark, .. }) => Some(mark.annotations),
                    _ => None,
                })
                .collect();
            let socket = "unix:///var/run/containerd/containerd.sock".to_owned();
            let annotation = rinit_plan::constants::CRI_SOCKET_ANNOTATION;
            let expected = [vec![(annotation, socket)]];
            assert_eq!(
                marks.as_slice(),
                if annotated { &expected[..] } else { &[] },
                "{version}"
            );
        }
    }

    #[test]
    fn a_cluster_configuration_that_stands_is_verified_and_the_kubelets_is_ours() {
        let facts = rinit_testkit::facts("objects/plain");
        let style = |plan: Plan| match &plan.actions[1] {
            Action::Ensure(Resource::Object { object, .. }) => object.write,
            other => panic!("{other} is no object"),
        };
        assert_eq!(style(kubeadm(&facts)), WriteStyle::Verify);
        assert_eq!(style(kubelet(&facts)), WriteStyle::Replace);
    }
}
