//! What the etcd phase plans where it differs from one Kubernetes minor to the other; the newest
//! minors are held against kubeadm in the manifest crate's tests.

#![expect(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use rinit_facts::{Facts, HostFacts, Overrides, PatchFile};
use rinit_manifest::yaml;
use rinit_plan::{Action, Gate, Plan, Resource, StaticPodSpec};
use rinit_testkit::{facts, facts_with, host_facts};
use rinit_workflow::Body;

fn plan(facts: &Facts) -> Plan {
    let Body::Group(mut leaves) = rinit_phase_etcd::phase().body else {
        panic!("etcd is a group");
    };
    match leaves.pop().unwrap().body {
        Body::Leaf { plan, .. } => plan(facts),
        Body::Group(_) => panic!("local is a leaf"),
    }
}

fn version(version: &str) -> Overrides {
    Overrides {
        kubernetes_version: Some(version.to_owned()),
        ..Overrides::default()
    }
}

fn manifest(facts: &Facts) -> String {
    match plan(facts).actions.pop() {
        Some(Action::Ensure(Resource::StaticPod(StaticPodSpec { file, .. }))) => file.text,
        other => panic!("a file, not {other:?}"),
    }
}

#[test]
fn its_data_are_only_its_own() {
    let plan = plan(&facts("minimal"));
    let shown: Vec<String> = plan
        .actions
        .iter()
        .map(|action| match action {
            Action::Ensure(Resource::Directory(folder)) => {
                format!("{} {}", folder.path, folder.mode)
            }
            Action::Ensure(Resource::StaticPod(StaticPodSpec { file, .. })) => {
                format!("{} {}", file.path, file.mode)
            }
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "/var/lib/etcd 0700",
            "/etc/kubernetes/manifests 0700",
            "/etc/kubernetes/manifests/etcd.yaml 0600",
        ]
    );
}

#[test]
fn an_external_etcd_leaves_nothing_to_do() {
    let plan = plan(&facts("files/external-etcd"));
    assert_eq!(plan.actions, []);
    assert_eq!(plan.notes.len(), 1);
}

/// 3.6 took over what was experimental before. Up to 1.35 the image's tag decides.
#[test]
fn flags_follow_the_version_of_etcd() {
    let new = [
        "--feature-gates=InitialCorruptCheck=true",
        "--watch-progress-notify-interval=5s",
    ];
    let old = [
        "--experimental-initial-corrupt-check=true",
        "--experimental-watch-progress-notify-interval=5s",
    ];
    // The case `volumes` names the image 3.5.9-0.
    for (case, minor, (expected, absent)) in [
        ("minimal", "v1.37.0", (new, old)),
        ("minimal", "v1.34.0", (new, old)),
        ("minimal", "v1.33.0", (old, new)),
        ("files/volumes", "v1.36.0", (new, old)),
        ("files/volumes", "v1.35.0", (old, new)),
    ] {
        let text = manifest(&facts_with(case, &version(minor), &host_facts()));
        for flag in expected {
            assert!(
                text.contains(&format!("- {flag}\n")),
                "{case} {minor}: {text}"
            );
        }
        for flag in absent {
            assert!(!text.contains(flag), "{case} {minor}: {text}");
        }
    }
}

#[test]
fn the_probe_port_has_a_name_since_1_34() {
    let port = |minor: &str| {
        let text = manifest(&facts_with("minimal", &version(minor), &host_facts()));
        let pod = yaml::parse_documents(&text).unwrap().remove(0);
        pod["spec"]["containers"][0]["livenessProbe"]["httpGet"]["port"].clone()
    };
    assert_eq!(port("v1.34.0"), "probe-port");
    assert_eq!(port("v1.33.0"), 2381);
}

#[test]
fn a_patch_that_does_not_fit_stops_the_run() {
    let host = HostFacts {
        patch_files: vec![PatchFile {
            name: "etcd+json.yaml".to_owned(),
            documents: yaml::parse_documents("- {op: remove, path: /none}")
                .map_err(|error| error.to_string()),
        }],
        ..host_facts()
    };
    let plan = plan(&facts_with("minimal", &Overrides::default(), &host));
    match &plan.actions[..] {
        [Action::Gate(Gate::Refuse { message, hint })] => {
            assert!(message.contains("etcd+json.yaml does not fit"), "{message}");
            assert!(hint.is_some());
        }
        other => panic!("one refusal, not {other:?}"),
    }
}
