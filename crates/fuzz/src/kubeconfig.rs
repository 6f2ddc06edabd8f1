//! The directory of a control plane as `certs check-expiration`, `certs renew` and `certs
//! install-signed` read it, with kubeconfigs that somebody else wrote.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rinit_facts::Facts;
use rinit_manifest::kubeconfig::{CurrentContext, Kubeconfig};
use rinit_operations::Scope;
use rinit_operations::expiration::ExpirationReport;
use rinit_operations::renewal::{Options, Renewal};
use rinit_operations::requests;
use rinit_pki::PrivateKey;
use rinit_plan::{Action, CertificateBundle, LogicalPath, Secret};
use rinit_workflow::Selection;

use crate::config::now;
use crate::pki::FIXTURE;
use crate::show;

/// What the phases make that can expire.
pub(crate) fn actions(facts: &Facts) -> Vec<Action> {
    let tree = [rinit_phase_certs::phase(), rinit_phase_kubeconfig::phase()];
    let plans = rinit_workflow::plans(&tree, facts, &Selection::default());
    let plans = plans.unwrap_or_else(|error| panic!("{error}"));
    plans.into_iter().flat_map(|plan| plan.actions).collect()
}

/// Every kubeconfig of the directory is this one. Certificates are good.
pub(crate) fn run(data: &[u8]) -> bool {
    renew(&|path| match end_of(path) {
        ("ca" | "front-proxy-ca", "crt") => FIXTURE.ca.as_bytes(),
        (_, "crt") => FIXTURE.leaf.as_bytes(),
        ("ca" | "front-proxy-ca", "key") => FIXTURE.ca_key.as_bytes(),
        (_, "key") => FIXTURE.leaf_key.as_bytes(),
        _ => data,
    });
    std::str::from_utf8(data).is_ok_and(|text| match CurrentContext::parse(text) {
        Ok(context) => {
            assert!(!format!("{context:?}").contains("PRIVATE KEY"));
            true
        }
        Err(error) => {
            show(error.to_string());
            false
        }
    })
}

/// The name of a file in two, at its last dot.
fn end_of(path: &LogicalPath) -> (&str, &str) {
    let name = path.file_name();
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// Everything that is done with such a directory.
fn renew<'data>(content: &dyn Fn(&LogicalPath) -> &'data [u8]) {
    let fixture = &*FIXTURE;
    let mut read = |path: &LogicalPath| Ok(Some(content(path).to_vec()));
    let report = ExpirationReport::collect(&fixture.actions, &Scope::Host, &mut read, now());
    show((report.to_text(), report.to_json(), report.to_yaml()));
    show((
        report.to_prometheus(),
        report.problems(std::time::Duration::ZERO).len(),
    ));

    let directory =
        LogicalPath::parse("/etc/kubernetes/pki").unwrap_or_else(|error| panic!("{error}"));
    for (configured, prune) in [(false, false), (true, false), (true, true)] {
        let options = Options {
            names: Vec::new(),
            configured,
            prune,
            now: now(),
            scope: Scope::Host,
            cluster_signer: directory.join("ca-signer.crt"),
        };
        let mut link = |_: &LogicalPath| None;
        match Renewal::plan(&fixture.actions, &options, &mut read, &mut link) {
            Err(problems) => show(problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
            Ok(renewal) => {
                show(format!("{renewal:?}"));
                let mut key = |_| PrivateKey::load(fixture.leaf_key.as_bytes());
                show(renewal.issue(&mut key).is_ok());
            }
        }
    }

    let mut signed = |_: &str| Ok(Some(fixture.leaf.clone().into_bytes()));
    show(requests::install(&fixture.actions, &directory, &mut read, &mut signed, now()).is_ok());
}

fn bundle(pem: &str) -> CertificateBundle {
    rinit_pki::certificates_of(pem.as_bytes()).unwrap_or_else(|error| panic!("no fixture: {error}"))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let fixture = &*FIXTURE;
    let embedded = |server, user| {
        Kubeconfig {
            server,
            cluster_name: "kubernetes",
            user,
            ca_certificates: &bundle(&fixture.ca),
            client_certificate: &bundle(&fixture.leaf),
            client_key: &Secret::new(fixture.leaf_key.clone()),
        }
        .to_yaml(true)
        .expose()
        .clone()
        .into_bytes()
    };
    let token = "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\n\
                 clusters: [{name: k, cluster: {server: 'https://a', certificate-authority: ca.crt}}]\n";
    vec![
        embedded("https://10.0.0.1:6443", "kubernetes-admin"),
        embedded("https://[::1]:6443", "system:node:node-1"),
        format!("{token}users: [{{name: u, user: {{token: t}}}}]\n").into_bytes(),
        format!("{token}users: [{{name: u, user: {{client-certificate: a.pem, client-key: a.pem}}}}]\n").into_bytes(),
        format!("{token}users: &u [{{name: u, user: {{client-certificate-data: {0}, client-key-data: {0}}}}}]\nmore: *u\n", STANDARD.encode("x")).into_bytes(),
    ]
}
