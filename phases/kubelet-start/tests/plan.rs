//! What the kubelet-start phase plans where it differs from one Kubernetes minor to the other;
//! the newest minors are held against kubeadm in the manifest crate's tests.

#![expect(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use rinit_facts::{Facts, HostFacts, Overrides, PatchFile};
use rinit_manifest::yaml;
use rinit_plan::{Action, Gate, LogicalPath, Plan, Resource};
use rinit_testkit::{facts, facts_with, host_facts};
use rinit_workflow::Body;

fn plan(facts: &Facts) -> Plan {
    match rinit_phase_kubelet_start::phase().body {
        Body::Leaf { plan, .. } => plan(facts),
        Body::Group(_) => panic!("kubelet-start is a leaf"),
    }
}

fn version(version: &str) -> Overrides {
    Overrides {
        kubernetes_version: Some(version.to_owned()),
        ..Overrides::default()
    }
}

fn file(name: &str, plan: &Plan) -> Option<String> {
    plan.actions.iter().find_map(|action| match action {
        Action::Ensure(Resource::File(file)) if file.path.file_name() == name => {
            Some(file.text.clone())
        }
        _ => None,
    })
}

fn arguments(minor: &str) -> String {
    let plan = plan(&facts_with("minimal", &version(minor), &host_facts()));
    file("kubeadm-flags.env", &plan).unwrap()
}

#[test]
fn the_kubelet_starts_after_its_files() {
    let plan = plan(&facts("minimal"));
    let shown: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "directory /var/lib/kubelet",
            "directory /etc/kubernetes/manifests",
            "file /var/lib/kubelet/kubeadm-flags.env",
            "file /var/lib/kubelet/instance-config.yaml",
            "file /var/lib/kubelet/config.yaml",
            "unit kubelet",
            "unit kubelet with its static pods",
        ]
    );
    let [
        ..,
        Action::Ensure(Resource::Unit(unit)),
        Action::Ensure(Resource::Unit(pods)),
    ] = plan.actions.as_slice()
    else {
        panic!("the kubelet is started, and started again for its static pods");
    };
    assert_eq!(pods.pods.len(), 4);
    let files: Vec<&str> = unit.files.iter().map(LogicalPath::as_str).collect();
    assert_eq!(
        files,
        [
            "/var/lib/kubelet/kubeadm-flags.env",
            "/var/lib/kubelet/instance-config.yaml",
            "/var/lib/kubelet/config.yaml",
        ]
    );
    // It starts without a kubeconfig too, and again when there is one.
    let optional: Vec<&str> = unit.optional.iter().map(LogicalPath::as_str).collect();
    assert_eq!(optional, ["/etc/kubernetes/kubelet.conf"]);
}

#[test]
fn arguments_became_fewer() {
    let socket = "--container-runtime-endpoint=unix:///var/run/containerd/containerd.sock";
    let pause = "--pod-infra-container-image=registry.k8s.io/pause:3.10";
    for (minor, expected) in [
        ("v1.37.0", String::new()),
        ("v1.35.0", String::new()),
        ("v1.34.0", format!("{pause}.1")),
        ("v1.33.0", format!("{socket} {pause}")),
        ("v1.32.0", format!("{socket} {pause}")),
    ] {
        assert_eq!(
            arguments(minor),
            format!("KUBELET_KUBEADM_ARGS=\"{expected}\"\n"),
            "{minor}"
        );
    }
}

#[test]
fn the_socket_is_in_the_instance_configuration_since_1_34() {
    for (minor, has_one) in [("v1.34.0", true), ("v1.33.0", false)] {
        let plan = plan(&facts_with("minimal", &version(minor), &host_facts()));
        let config = file("config.yaml", &plan).unwrap();
        assert_eq!(file("instance-config.yaml", &plan).is_some(), has_one);
        let socket = "containerRuntimeEndpoint: unix:///var/run/containerd/containerd.sock\n";
        assert_eq!(config.contains(socket), has_one, "{minor}: {config}");
    }
}

#[test]
fn systemd_resolved_brings_its_own_resolv_conf() {
    for (systemd_resolved, expected) in [
        (true, Some("/run/systemd/resolve/resolv.conf")),
        (false, None),
    ] {
        let host = HostFacts {
            systemd_resolved,
            ..host_facts()
        };
        let plan = plan(&facts_with("minimal", &Overrides::default(), &host));
        let text = file("config.yaml", &plan).unwrap();
        let config = yaml::parse_documents(&text).unwrap().remove(0);
        assert_eq!(config["resolvConf"].as_str(), expected);
    }
}

#[test]
fn a_patch_that_does_not_fit_stops_the_run() {
    let host = HostFacts {
        patch_files: vec![PatchFile {
            name: "kubeletconfiguration+json.yaml".to_owned(),
            documents: Ok(vec![serde_json::json!({ "maxPods": 1 })]),
        }],
        ..host_facts()
    };
    let plan = plan(&facts_with("minimal", &Overrides::default(), &host));
    match &plan.actions[..] {
        [Action::Gate(Gate::Refuse { message, .. })] => {
            assert!(
                message.contains("kubeletconfiguration+json.yaml"),
                "{message}"
            );
        }
        other => panic!("one refusal, not {other:?}"),
    }
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
    match &plan.actions[..] {
        [Action::Gate(Gate::Refuse { message, hint })] => {
            assert!(
                message.contains("unix:///var/run/crio/crio.sock"),
                "{message}"
            );
            assert!(hint.as_ref().unwrap().contains("--cri-socket"));
        }
        other => panic!("one refusal, not {other:?}"),
    }
}
