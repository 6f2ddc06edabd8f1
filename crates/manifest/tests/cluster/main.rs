//! The objects of the phases that write into the cluster, held against those that a real kubeadm
//! would create from the same configuration.
//!
//! `testdata/kubeadm/<version>/objects/<case>.yaml` has the objects that `kubeadm init --dry-run
//! --upload-certs` prints for `testdata/configs/objects/<case>.yaml`, in its order, with
//! `HTTPS_PROXY` and `no_proxy` in its environment and the patches below in the patches folder.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rinit_facts::{Facts, HostFacts, Overrides, PatchFile};
use rinit_manifest::yaml;
use rinit_plan::{Action, BootstrapTokenSpec, Gate, LogicalPath, Output, Resource, Secret};
use rinit_workflow::{Body, Phase};
use serde_json::{Value, json};

/// The version that the cases name.
const VERSION: &str = "v1.37.1";

#[test]
fn a_plain_control_plane() {
    check(VERSION, "plain", Vec::new());
}

#[test]
fn a_plain_control_plane_of_the_minor_before() {
    check("v1.36.3", "plain", Vec::new());
}

#[test]
fn a_stable_endpoint_two_families_two_tokens_and_patches() {
    check(
        VERSION,
        "endpoint-and-patches",
        vec![
            PatchFile {
                name: "corednsdeployment+strategic.yaml".to_owned(),
                documents: Ok(vec![json!({"spec": {
                    "replicas": 3,
                    "template": {"spec": {"containers": [
                        {"name": "coredns", "resources": {"limits": {"memory": "300Mi"}}},
                    ]}},
                }})]),
            },
            PatchFile {
                name: "kubeproxydaemonset+json.json".to_owned(),
                documents: Ok(vec![json!([{
                    "op": "add",
                    "path": "/spec/template/spec/containers/0/env/-",
                    "value": {"name": "GOGC", "value": "50"},
                }])]),
            },
        ],
    );
}

#[test]
fn component_configurations_of_the_users_own_and_an_external_etcd() {
    check(VERSION, "written-component-configs", Vec::new());
}

/// Plans a case as kubeadm ran it and compares every object, in order.
fn check(version: &str, case: &str, patch_files: Vec<PatchFile>) {
    let recorded = recorded(version, case);
    let facts = facts(version, case, patch_files, &recorded);
    let mut recorded = recorded.into_iter();
    for action in actions(&facts) {
        match action {
            Action::Ensure(Resource::Object { object, .. }) => {
                let mut theirs = recorded
                    .next()
                    .unwrap_or_else(|| panic!("kubeadm does not write {}", object.id));
                // What stands in a gap is not the business of a plan.
                for fill in &object.fills {
                    *theirs
                        .pointer_mut(&fill.pointer)
                        .unwrap_or_else(|| panic!("{}: no {}", object.id, fill.pointer)) =
                        json!("");
                }
                assert_eq!(
                    yaml::to_string(&normalised(&object.body)),
                    yaml::to_string(&normalised(&theirs)),
                    "{}",
                    object.id
                );
            }
            Action::Ensure(Resource::BootstrapToken { token, .. }) => {
                let theirs = recorded.next().unwrap_or_default();
                assert_eq!(theirs["metadata"]["name"], json!(token.object_id().name));
                assert_eq!(rights_and_end(&token), recorded_rights_and_end(&theirs));
            }
            Action::Ensure(Resource::ClusterAdmins(_))
            | Action::Output(Output::CertificateKey { .. }) => {}
            other => panic!("{other} writes no object"),
        }
    }
    assert_eq!(recorded.next(), None, "kubeadm writes more");
}

/// The usages of a token in order, its groups, and whether it ends.
type RightsAndEnd = (Vec<String>, String, bool);

fn rights_and_end(token: &BootstrapTokenSpec) -> RightsAndEnd {
    let mut usages = token.usages.clone();
    usages.sort();
    (usages, token.groups.join(","), token.expires.is_some())
}

fn recorded_rights_and_end(secret: &Value) -> RightsAndEnd {
    let text = |key: &str| {
        let encoded = secret["data"][key].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(encoded).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    };
    let usages = ["authentication", "signing"]
        .into_iter()
        .filter(|usage| text(&format!("usage-bootstrap-{usage}")) == "true")
        .map(str::to_owned)
        .collect();
    (
        usages,
        text("auth-extra-groups"),
        !text("expiration").is_empty(),
    )
}

/// The actions of the phases that write objects.
fn actions(facts: &Facts) -> Vec<Action> {
    [
        rinit_phase_upload_config::phase(),
        rinit_phase_upload_certs::phase(),
        rinit_phase_bootstrap_token::phase(),
        rinit_phase_addon::phase(),
    ]
    .iter()
    .flat_map(|phase| phase_actions(phase, facts))
    .collect()
}

fn phase_actions(phase: &Phase<rinit_facts::Facts>, facts: &Facts) -> Vec<Action> {
    match &phase.body {
        Body::Group(phases) => phases
            .iter()
            .flat_map(|phase| phase_actions(phase, facts))
            .collect(),
        Body::Leaf { plan, .. } => plan(facts).actions,
    }
}

/// The facts of a case, with what kubeadm drew by chance when it was recorded.
fn facts(version: &str, case: &str, patch_files: Vec<PatchFile>, recorded: &[Value]) -> Facts {
    let mut drawn = recorded
        .iter()
        .filter(|object| object["type"] == "bootstrap.kubernetes.io/token")
        .filter_map(|object| object["metadata"]["name"].as_str())
        .filter_map(|name| name.strip_prefix("bootstrap-token-"))
        .map(|id| Secret::new(format!("{id}.0123456789abcdef")));
    let mut token = || {
        drawn
            .next()
            .unwrap_or_else(|| panic!("the recording has no token"))
    };
    let host = HostFacts {
        drawn_ttl_token: token(),
        drawn_tokens: vec![token()],
        proxy_environment: vec![
            (
                "HTTPS_PROXY".to_owned(),
                "http://proxy.example.org:3128".to_owned(),
            ),
            ("no_proxy".to_owned(), "10.0.0.0/8,.svc".to_owned()),
        ],
        patch_files,
        ..rinit_testkit::host_facts()
    };
    let overrides = Overrides {
        kubernetes_version: Some(version.to_owned()),
        upload_certs: true,
        ..Overrides::default()
    };
    rinit_testkit::facts_with(&format!("objects/{case}"), &overrides, &host)
}

fn recorded(version: &str, case: &str) -> Vec<Value> {
    let path = rinit_testkit::testdata().join(format!("kubeadm/{version}/objects/{case}.yaml"));
    #[expect(
        clippy::disallowed_methods,
        reason = "recordings are read from the checkout"
    )]
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    yaml::parse_documents(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The object as the API server would keep it: without status, without what is empty, and without
/// the resource version that only makes kubeadm's plain update legal.
fn normalised(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    without_empty(object)
}

fn without_empty(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, without_empty(value)))
            .filter(|(_, value)| !is_empty(value))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        other => other,
    }
}

#[test]
fn a_patch_that_does_not_fit_is_refused() {
    let patch = PatchFile {
        name: "corednsdeployment+json.yaml".to_owned(),
        documents: Ok(vec![json!([{"op": "remove", "path": "/spec/nowhere"}])]),
    };
    let facts = facts(VERSION, "plain", vec![patch], &recorded(VERSION, "plain"));
    let refusals: Vec<_> = actions(&facts)
        .into_iter()
        .filter_map(|action| match action {
            Action::Gate(Gate::Refuse { message, .. }) => Some(message),
            _ => None,
        })
        .collect();
    let [message] = refusals.as_slice() else {
        panic!("one refusal, not {refusals:?}");
    };
    assert!(message.contains("corednsdeployment+json.yaml"), "{message}");
}

#[test]
fn add_ons_that_the_user_does_without_are_left_alone() {
    let mut facts = facts(VERSION, "plain", Vec::new(), &recorded(VERSION, "plain"));
    facts.cluster.dns.disabled = true;
    facts.cluster.proxy.disabled = true;
    assert_eq!(phase_actions(&rinit_phase_addon::phase(), &facts), []);
}

#[test]
fn nothing_is_uploaded_unless_asked_for() {
    let mut facts = facts(VERSION, "plain", Vec::new(), &recorded(VERSION, "plain"));
    facts.inputs.upload_certs.enabled = false;
    assert_eq!(
        phase_actions(&rinit_phase_upload_certs::phase(), &facts),
        []
    );
}

/// The folder that a path lies in is followed into what is uploaded.
#[test]
fn uploaded_files_come_from_where_they_are_configured() {
    let case = "written-component-configs";
    let facts = facts(VERSION, case, Vec::new(), &recorded(VERSION, case));
    let files: Vec<LogicalPath> = phase_actions(&rinit_phase_upload_certs::phase(), &facts)
        .into_iter()
        .filter_map(|action| match action {
            Action::Ensure(Resource::Object { object, .. }) => Some(object.fills),
            _ => None,
        })
        .flatten()
        .filter_map(|fill| match fill.reference {
            rinit_plan::Reference::SealedFile { path, .. } => Some(path),
            _ => None,
        })
        .collect();
    let files: Vec<&str> = files.iter().map(LogicalPath::as_str).collect();
    assert_eq!(
        files,
        [
            "/srv/pki/ca.crt",
            "/srv/pki/ca.key",
            "/srv/pki/front-proxy-ca.crt",
            "/srv/pki/front-proxy-ca.key",
            "/srv/pki/sa.pub",
            "/srv/pki/sa.key",
            "/srv/etcd/ca.crt",
            "/srv/etcd/client.crt",
            "/srv/etcd/client.key",
        ]
    );
}
