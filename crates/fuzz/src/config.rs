//! A configuration file all the way: read, reported on, resolved, advised on, migrated, planned.

use rinit_config::{
    BootstrapToken, Documents, Findings, ReadOptions, Surroundings, UnknownFields, complete,
    exposed, parse, read,
};
use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_manifest::yaml;
use rinit_versions::KubernetesVersion;
use rinit_workflow::{Phase, Selection};

use crate::show;

/// Any bytes.
pub(crate) fn bytes(data: &[u8]) -> bool {
    let lenient = ReadOptions {
        unknown_fields: UnknownFields::Warn,
    };
    match parse("fuzz.yaml", data, ReadOptions::default()) {
        Ok(documents) => {
            go_on(documents);
            true
        }
        Err(findings) => {
            report(&findings);
            check_the_rest(data);
            match parse("fuzz.yaml", data, lenient) {
                Ok(documents) => go_on(documents),
                Err(findings) => report(&findings),
            }
            false
        }
    }
}

/// What is reported of a file with errors beside them. It never resolves.
fn check_the_rest(data: &[u8]) {
    let documents = read("fuzz.yaml", data, ReadOptions::default());
    let host = HostFacts::of_no_host(&documents, now());
    match rinit_facts::resolve(&documents, &Overrides::default(), &host) {
        Err(error) => show(error.to_string()),
        Ok(_) => unreachable!("a file with errors resolves"),
    }
    with_flags(documents, &host);
}

/// What flags that replace much of a file make of it, be it wrong or not.
fn with_flags(mut documents: Documents, host: &HostFacts) {
    let text = |value: &str| Some(value.to_owned());
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let overrides = Overrides {
        apiserver_advertise_address: text("192.0.2.7"),
        apiserver_extra_args: pair("v", "2"),
        controller_manager_extra_args: pair("node-cidr-mask-size-ipv4", "26"),
        feature_gates: vec![("PublicKeysECDSA".to_owned(), true)],
        kubernetes_version: text("v1.32.13"),
        node_name: text("flagged"),
        pod_network_cidr: text("10.7.0.0/16"),
        service_cidr: text("10.8.0.0/16"),
        token_ttl: text("2h"),
        ..Overrides::default()
    };
    documents.leave_out(&|path| overrides.replaces(path));
    match rinit_facts::resolve(&documents, &overrides, host) {
        Err(error) => show(error.to_string()),
        Ok(facts) => {
            assert!(!documents.findings.has_errors(), "errors resolve");
            for (field, setting) in facts.settings() {
                show(format!("{field}: {setting}"));
            }
        }
    }
}

/// The examples are beside it in the corpus.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    vec![text.as_bytes().to_vec()]
}

fn report(findings: &Findings) {
    assert!(findings.has_errors(), "refused for no reason");
    let text = findings.to_string();
    assert!(
        text.len() < 1 << 20,
        "a report of {} bytes helps nobody",
        text.len()
    );
}

/// What is done with a file that was read.
fn go_on(documents: Documents) {
    show(documents.findings.to_string());
    show(documents.findings.clone().strict().to_string());
    let host = HostFacts::of_no_host(&documents, now());
    match rinit_facts::resolve(&documents, &Overrides::default(), &host) {
        Err(error) => show(error.to_string()),
        Ok(facts) => {
            let advice = rinit_facts::advise(&documents, &Overrides::default(), &host, &facts);
            show(advice.findings.to_string());
            show(facts.needed_images());
            for (_, sourced) in facts.settings() {
                show(sourced.to_string());
            }
            plan(&facts);
        }
    }
    with_flags(documents.clone(), &host);
    migrate(documents);
}

/// What the phases make of the values that the file decides.
fn plan(facts: &Facts) {
    thread_local! {
        static TREE: Vec<Phase<Facts>> = vec![
            rinit_phase_certs::phase(),
            rinit_phase_kubeconfig::phase(),
            rinit_phase_etcd::phase(),
            rinit_phase_control_plane::phase(),
            rinit_phase_kubelet_start::phase(),
            rinit_phase_upload_config::phase(),
            rinit_phase_addon::phase(),
        ];
    }
    TREE.with(|tree| {
        let plans = rinit_workflow::plans(tree, facts, &Selection::default());
        assert!(plans.is_ok_and(|plans| plans.iter().any(|plan| !plan.actions.is_empty())));
    });
}

/// What `config migrate` prints is read without a complaint, and printed the same again.
fn migrate(mut documents: Documents) {
    let Some(bootstrap_token) = BootstrapToken::new("abcdef.0123456789abcdef".to_owned()) else {
        return;
    };
    let surroundings = Surroundings {
        node_name: "node".to_owned(),
        advertise_address: "192.0.2.1".to_owned(),
        ipv6_advertise_address: "2001:db8::1".to_owned(),
        cri_socket: "unix:///var/run/containerd/containerd.sock".to_owned(),
        kubernetes_version: KubernetesVersion::newest().to_string(),
        bootstrap_token: Some(bootstrap_token),
        etcd_http_endpoints: true,
        taints: true,
    };
    complete(&mut documents, &surroundings);
    let printed = yaml::join_documents(&exposed(&documents));
    match parse("printed.yaml", printed.as_bytes(), ReadOptions::default()) {
        Err(findings) => panic!("what was printed is refused: {findings}\n{printed}"),
        Ok(mut again) => {
            complete(&mut again, &surroundings);
            let twice = yaml::join_documents(&exposed(&again));
            assert_eq!(printed, twice, "printed differently");
        }
    }
}

/// A moment that is the same in every run.
pub(crate) fn now() -> jiff::Timestamp {
    rinit_testkit::host_facts().now
}
