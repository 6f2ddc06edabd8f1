//! What the control-plane phase plans where it differs from one Kubernetes minor to the other;
//! the newest minors are held against kubeadm in the manifest crate's tests.

#![expect(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use rinit_facts::{ClusterCa, Facts, HostFacts, Overrides, PatchFile};
use rinit_manifest::yaml;
use rinit_plan::{Action, Gate, Plan, Resource, StaticPodSpec};
use rinit_testkit::{facts, facts_with, host_facts};
use rinit_workflow::Body;
use serde_json::{Value, json};

/// The plan of a leaf.
fn plan(leaf: &str, facts: &Facts) -> Plan {
    let Body::Group(leaves) = rinit_phase_control_plane::phase().body else {
        panic!("control-plane is a group");
    };
    let found = leaves.into_iter().find(|phase| phase.name == leaf);
    match found.unwrap().body {
        Body::Leaf { plan, .. } => plan(facts),
        Body::Group(_) => panic!("{leaf} is a leaf"),
    }
}

fn manifest(leaf: &str, facts: &Facts) -> Value {
    match plan(leaf, facts).actions.pop() {
        Some(Action::Ensure(Resource::StaticPod(StaticPodSpec { file, .. }))) => {
            yaml::parse_documents(&file.text).unwrap().remove(0)
        }
        other => panic!("a file, not {other:?}"),
    }
}

fn at(version: &str, case: &str) -> Facts {
    let overrides = Overrides {
        kubernetes_version: Some(version.to_owned()),
        ..Overrides::default()
    };
    facts_with(case, &overrides, &host_facts())
}

fn patched(name: &str, document: Value) -> Facts {
    let host = HostFacts {
        patch_files: vec![PatchFile {
            name: name.to_owned(),
            documents: Ok(vec![document]),
        }],
        ..host_facts()
    };
    facts_with("minimal", &Overrides::default(), &host)
}

#[test]
fn oldest_minor() {
    let facts = at("v1.32.0", "files/args");
    for leaf in ["apiserver", "controller-manager", "scheduler"] {
        match plan(leaf, &facts).actions.pop() {
            Some(Action::Ensure(Resource::StaticPod(StaticPodSpec { file, .. }))) => {
                insta::assert_snapshot!(leaf, file.text);
            }
            other => panic!("a file, not {other:?}"),
        }
    }
}

#[test]
fn only_its_owner_reads_a_manifest() {
    for (leaf, component) in [
        ("apiserver", "kube-apiserver"),
        ("controller-manager", "kube-controller-manager"),
        ("scheduler", "kube-scheduler"),
    ] {
        let plan = plan(leaf, &facts("minimal"));
        let [
            Action::Ensure(Resource::Directory(folder)),
            Action::Ensure(Resource::StaticPod(StaticPodSpec { file, .. })),
        ] = &plan.actions[..]
        else {
            panic!("a folder and a file, not {plan:?}");
        };
        assert_eq!(folder.path.as_str(), "/etc/kubernetes/manifests");
        assert_eq!(folder.mode.to_string(), "0700");
        assert_eq!(
            file.path.as_str(),
            format!("/etc/kubernetes/manifests/{component}.yaml")
        );
        assert_eq!(file.mode.to_string(), "0600");
        assert_eq!(plan.notes, [""; 0]);
    }
}

#[test]
fn flex_volumes_ended_with_1_35() {
    let names = |version: &str| -> Vec<String> {
        manifest("controller-manager", &at(version, "minimal"))["spec"]["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|volume| volume["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("v1.35.0"),
        ["ca-certs", "flexvolume-dir", "k8s-certs", "kubeconfig"]
    );
    assert_eq!(names("v1.36.0"), ["ca-certs", "k8s-certs", "kubeconfig"]);
}

#[test]
fn an_unknown_authorization_mode_is_pointed_out() {
    let plan = plan("apiserver", &facts("files/args"));
    assert_eq!(
        plan.notes,
        ["the API server knows no authorization mode \"Bogus\""]
    );
}

#[test]
fn a_patch_that_does_not_fit_stops_the_run() {
    for (document, expected) in [
        (
            json!({ "spec": { "containers": [{ "image": "x" }] } }),
            "kube-apiserver.yaml does not fit at spec.containers: an item has no `name`",
        ),
        (
            json!({ "spec": { "hostNetwork": "certainly" } }),
            "kube-apiserver with its patches is not a valid pod: \
             invalid type: string \"certainly\", expected a boolean",
        ),
    ] {
        let facts = patched("kube-apiserver.yaml", document);
        match &plan("apiserver", &facts).actions[..] {
            [Action::Gate(Gate::Refuse { message, hint })] => {
                assert!(message.ends_with(expected), "{message}");
                assert!(hint.is_some());
            }
            other => panic!("one refusal, not {other:?}"),
        }
        // The patches of one component are nothing to another.
        assert_eq!(
            plan("scheduler", &facts),
            plan("scheduler", &rinit_testkit::facts("minimal"))
        );
    }
}

#[test]
fn the_controller_manager_signs_by_one_certificate() {
    let at = |external: bool| {
        let host = HostFacts {
            cluster_ca: if external {
                ClusterCa::External
            } else {
                ClusterCa::Local {
                    signer: Some("the one that signs".to_owned()),
                }
            },
            ..host_facts()
        };
        facts_with("minimal", &Overrides::default(), &host)
    };
    let signs_by = |facts: &Facts| {
        let plan = plan("controller-manager", facts);
        let beside = plan.actions.iter().find_map(|action| match action {
            Action::Ensure(Resource::File(file)) if file.path.file_name() == "ca-signer.crt" => {
                Some(&file.text)
            }
            _ => None,
        });
        let manifest = manifest("controller-manager", facts);
        let words = manifest["spec"]["containers"][0]["command"].as_array();
        let flag = words.unwrap().iter().find_map(|word| {
            let word = word.as_str()?;
            word.strip_prefix("--cluster-signing-cert-file=")
        });
        (flag.unwrap().to_owned(), beside.cloned())
    };
    let own = "/etc/kubernetes/pki/ca-signer.crt".to_owned();
    let text = Some("the one that signs".to_owned());
    assert_eq!(signs_by(&at(false)), (own, text));
    // Nobody signs here, and nothing is needed for it.
    assert_eq!(signs_by(&at(true)), (String::new(), None));
    // One certificate in the file of the authority is the rule.
    let plain = signs_by(&facts("minimal"));
    assert_eq!(plain, ("/etc/kubernetes/pki/ca.crt".to_owned(), None));
}
