//! What the certs phase plans; the certificates themselves are held against kubeadm's in the
//! manifest crate's tests.

use rinit_facts::{ClusterCa, Facts, HostFacts, Overrides};
use rinit_plan::{Action, Plan, Resource};
use rinit_testkit::{facts, facts_with, host_facts};
use rinit_workflow::Body;

/// The leaves and their plans.
fn plans(facts: &Facts) -> Vec<(&'static str, Plan)> {
    let Body::Group(leaves) = rinit_phase_certs::phase().body else {
        panic!("certs is a group");
    };
    leaves
        .into_iter()
        .map(|leaf| match leaf.body {
            Body::Leaf { plan, .. } => (leaf.name, plan(facts)),
            Body::Group(_) => panic!("{} is a leaf", leaf.name),
        })
        .collect()
}

/// The order in which kubeadm 1.37 lists them.
const LEAVES: [&str; 11] = [
    "ca",
    "apiserver",
    "apiserver-kubelet-client",
    "front-proxy-ca",
    "front-proxy-client",
    "etcd-ca",
    "etcd-server",
    "etcd-peer",
    "etcd-healthcheck-client",
    "apiserver-etcd-client",
    "sa",
];

#[test]
fn every_leaf_plans_one_thing() {
    let plans = plans(&facts("minimal"));
    let names: Vec<&str> = plans.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, LEAVES);
    assert!(plans.iter().all(|(_, plan)| plan.actions.len() == 1));
}

#[test]
fn an_external_etcd_brings_its_own() {
    let plans = plans(&facts("files/external-etcd"));
    let skipped: Vec<&str> = plans
        .iter()
        .filter(|(_, plan)| plan.actions.is_empty())
        .map(|(name, plan)| {
            assert_eq!(plan.notes.len(), 1, "{name} says why it is empty");
            *name
        })
        .collect();
    assert_eq!(skipped, LEAVES[5..10]);
}

#[test]
fn the_client_of_kubelets_is_an_administrator_where_kubeadm_makes_it_one() {
    for (version, groups) in [
        ("v1.37.0", vec![]),
        ("v1.35.5", vec![]),
        ("v1.35.4", vec!["kubeadm:cluster-admins".to_owned()]),
        ("v1.32.13", vec!["kubeadm:cluster-admins".to_owned()]),
    ] {
        let overrides = Overrides {
            kubernetes_version: Some(version.to_owned()),
            ..Overrides::default()
        };
        let plans = plans(&facts_with("minimal", &overrides, &host_facts()));
        let Action::Ensure(Resource::Certificate(spec)) = &plans[2].1.actions[0] else {
            panic!("a certificate");
        };
        assert_eq!(spec.subject.organizations, groups, "{version}");
    }
}

#[test]
fn an_authority_without_its_key_is_planned_all_the_same() {
    let host = HostFacts {
        cluster_ca: ClusterCa::External,
        ..host_facts()
    };
    let external = plans(&facts_with("minimal", &Overrides::default(), &host));
    assert_eq!(external, plans(&facts("minimal")));
}
