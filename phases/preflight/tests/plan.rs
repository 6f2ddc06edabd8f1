//! The checks by name, for configurations and Kubernetes minors in which they differ.

use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_plan::{Action, CheckKind, Gate, Plan, Resource};
use rinit_testkit::{facts, facts_with, host_facts};
use rinit_workflow::Body;

fn plan(facts: &Facts) -> Plan {
    match rinit_phase_preflight::phase().body {
        Body::Leaf { plan, .. } => plan(facts),
        Body::Group(_) => panic!("preflight is a leaf"),
    }
}

fn version(version: &str) -> Overrides {
    Overrides {
        kubernetes_version: Some(version.to_owned()),
        ..Overrides::default()
    }
}

/// The names of the checks, with what their failure means.
fn names(facts: &Facts) -> String {
    plan(facts)
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Gate(Gate::Check(check)) => {
                Some(format!("{:?} {}\n", check.severity, check.name))
            }
            _ => None,
        })
        .collect()
}

fn images(facts: &Facts) -> Vec<String> {
    plan(facts)
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Ensure(Resource::Image(pull)) => Some(pull.image.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn newest_minor() {
    insta::assert_yaml_snapshot!(plan(&facts_with(
        "minimal",
        &version("v1.37.0"),
        &host_facts()
    )));
}

#[test]
fn oldest_minor() {
    insta::assert_snapshot!(names(&facts_with(
        "minimal",
        &version("v1.32.0"),
        &host_facts()
    )));
}

#[test]
fn dual_stack() {
    insta::assert_snapshot!(names(&facts("files/ipv6")));
}

#[test]
fn external_etcd() {
    insta::assert_snapshot!(names(&facts("files/external-etcd")));
}

#[test]
fn ignored_checks_go_by_their_name_in_any_case() {
    for (ignored, expected) in [
        (
            vec!["Swap", "port-6443", "ImagePull"],
            vec!["Port-6443", "Swap"],
        ),
        (vec!["nothing-like-it"], vec![]),
    ] {
        let overrides = Overrides {
            ignore_preflight_errors: ignored.iter().map(|name| (*name).to_owned()).collect(),
            ..Overrides::default()
        };
        let plan = plan(&facts_with("minimal", &overrides, &host_facts()));
        let mut names = Vec::new();
        let pulls = ignored.contains(&"ImagePull");
        for action in &plan.actions {
            match action {
                Action::Gate(Gate::Check(check)) if check.ignored => {
                    names.push(check.name.as_str());
                }
                Action::Ensure(Resource::Image(pull)) => assert_eq!(pull.ignored, pulls),
                _ => {}
            }
        }
        assert_eq!(names, expected);
    }
}

#[test]
fn all_checks_can_be_ignored_at_once() {
    let overrides = Overrides {
        ignore_preflight_errors: vec!["all".to_owned()],
        ..Overrides::default()
    };
    let plan = plan(&facts_with("minimal", &overrides, &host_facts()));
    assert!(plan.actions.iter().all(|action| match action {
        Action::Gate(Gate::Check(check)) => check.ignored,
        Action::Ensure(Resource::Image(pull)) => pull.ignored,
        _ => false,
    }));
}

#[test]
fn images_are_those_that_will_run() {
    let at = |case: &str| images(&facts_with(case, &version("v1.37.1"), &host_facts()));
    let all = [
        "registry.k8s.io/kube-apiserver:v1.37.1",
        "registry.k8s.io/kube-controller-manager:v1.37.1",
        "registry.k8s.io/kube-scheduler:v1.37.1",
        "registry.k8s.io/kube-proxy:v1.37.1",
        "registry.k8s.io/coredns/coredns:v1.14.6",
        "registry.k8s.io/pause:3.10.2",
        "registry.k8s.io/etcd:3.7.0-0",
    ];
    assert_eq!(at("minimal"), all);
    assert_eq!(at("files/external-etcd"), all[..6]);
    let mut facts = facts("minimal");
    facts.cluster.proxy.disabled = true;
    facts.cluster.dns.disabled = true;
    assert_eq!(images(&facts).len(), 5);
}

#[test]
fn a_proxy_in_between_is_named_without_its_password() {
    let host = HostFacts {
        proxy_environment: [
            ("HTTPS_PROXY", "http://user:secret@proxy:3128"),
            ("NO_PROXY", "10.123.0.0/16"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        ..host_facts()
    };
    let plan = plan(&facts_with("minimal", &Overrides::default(), &host));
    let proxies: Vec<(&str, Option<&str>)> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Gate(Gate::Check(check)) => match &check.kind {
                CheckKind::NoProxyFor { destination, proxy } => {
                    Some((destination.as_str(), proxy.as_deref()))
                }
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(
        proxies,
        [
            ("10.123.0.2", None),
            ("10.96.0.0/12", Some("http://proxy:3128")),
            ("10.244.0.0/16", Some("http://proxy:3128")),
        ]
    );
}

#[test]
fn several_runtimes_are_not_guessed_at() {
    let host = HostFacts {
        cri_sockets: vec![
            "/var/run/containerd/containerd.sock".to_owned(),
            "/var/run/crio/crio.sock".to_owned(),
        ],
        ..host_facts()
    };
    let plan = plan(&facts_with("minimal", &Overrides::default(), &host));
    assert!(matches!(plan.actions[0], Action::Gate(Gate::Refuse { .. })));
    assert!(plan.actions.len() > 20, "everything else is looked at too");
}
