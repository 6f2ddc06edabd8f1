//! What the kubeconfig phase plans; what stands in the files is held against kubeadm's in the
//! manifest crate's tests.

use rinit_facts::Overrides;
use rinit_plan::{Action, KubeconfigSpec, Resource};
use rinit_testkit::{facts_with, host_facts};
use rinit_workflow::Body;

fn specs(overrides: &Overrides) -> Vec<KubeconfigSpec> {
    let facts = facts_with("minimal", overrides, &host_facts());
    let Body::Group(leaves) = rinit_phase_kubeconfig::phase().body else {
        panic!("kubeconfig is a group");
    };
    leaves
        .into_iter()
        .map(|leaf| {
            let Body::Leaf { plan, .. } = leaf.body else {
                panic!("{} is a leaf", leaf.name);
            };
            let mut actions = plan(&facts).actions;
            match (actions.pop(), actions.is_empty()) {
                (Some(Action::Ensure(Resource::Kubeconfig(spec))), true) => spec,
                other => panic!("one kubeconfig, not {other:?}"),
            }
        })
        .collect()
}

fn servers(version: &str) -> Vec<(String, String)> {
    let overrides = Overrides {
        kubernetes_version: Some(version.to_owned()),
        control_plane_endpoint: Some("api.example.com:8443".to_owned()),
        ..Overrides::default()
    };
    specs(&overrides)
        .into_iter()
        .map(|spec| (spec.name, spec.server))
        .collect()
}

#[test]
fn components_ask_their_own_node_and_the_kubelet_does_since_1_33() {
    let stable = "https://api.example.com:8443";
    let local = "https://10.123.0.2:6443";
    for (version, kubelet) in [("v1.37.0", local), ("v1.33.0", local), ("v1.32.0", stable)] {
        let expected = [
            ("admin.conf", stable),
            ("super-admin.conf", stable),
            ("kubelet.conf", kubelet),
            ("controller-manager.conf", local),
            ("scheduler.conf", local),
        ]
        .map(|(name, server)| (name.to_owned(), server.to_owned()));
        assert_eq!(servers(version), expected, "{version}");
    }
}

#[test]
fn only_the_kubelet_renews_its_certificate() {
    let rotated: Vec<(String, String)> = specs(&Overrides::default())
        .into_iter()
        .filter_map(|spec| Some((spec.name, spec.rotated?.to_string())))
        .collect();
    let expected = (
        "kubelet.conf".to_owned(),
        "/var/lib/kubelet/pki/kubelet-client-current.pem".to_owned(),
    );
    assert_eq!(rotated, [expected]);
}

#[test]
fn another_folder_is_followed() {
    let overrides = Overrides {
        kubeconfig_dir: Some("/srv/confs".to_owned()),
        ..Overrides::default()
    };
    let paths: Vec<String> = specs(&overrides)
        .iter()
        .map(|spec| spec.path.to_string())
        .collect();
    assert_eq!(paths[0], "/srv/confs/admin.conf");
    assert!(paths.iter().all(|path| path.starts_with("/srv/confs/")));
}
