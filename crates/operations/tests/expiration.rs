//! `certs check-expiration` against what kubeadm printed about its own files, byte for byte, and
//! what kubeadm gives up on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rinit_diag::{ExitCode, Problem};
use rinit_operations::Scope;
use rinit_operations::expiration::{ExpirationReport, State};
use rinit_plan::{
    Action, CaId, CertificateAuthoritySpec, CertificateSpec, KeyAlgorithm, KubeconfigSpec,
    LogicalPath, Resource, Signer, Subject, Validity,
};

macro_rules! recorded {
    ($file:literal) => {
        include_str!(concat!("kubeadm/", $file))
    };
}

const PKI: &str = "/etc/kubernetes/pki";

/// The files of the recorded control plane. Of keys only their existence matters.
fn files() -> BTreeMap<String, Vec<u8>> {
    [
        ("pki/ca.crt", recorded!("pki/ca.crt")),
        ("pki/apiserver.crt", recorded!("pki/apiserver.crt")),
        (
            "pki/apiserver-kubelet-client.crt",
            recorded!("pki/apiserver-kubelet-client.crt"),
        ),
        (
            "pki/apiserver-etcd-client.crt",
            recorded!("pki/apiserver-etcd-client.crt"),
        ),
        (
            "pki/front-proxy-ca.crt",
            recorded!("pki/front-proxy-ca.crt"),
        ),
        (
            "pki/front-proxy-client.crt",
            recorded!("pki/front-proxy-client.crt"),
        ),
        ("pki/etcd/ca.crt", recorded!("pki/etcd/ca.crt")),
        ("pki/etcd/server.crt", recorded!("pki/etcd/server.crt")),
        ("pki/etcd/peer.crt", recorded!("pki/etcd/peer.crt")),
        (
            "pki/etcd/healthcheck-client.crt",
            recorded!("pki/etcd/healthcheck-client.crt"),
        ),
        ("admin.conf", recorded!("admin.conf")),
        ("super-admin.conf", recorded!("super-admin.conf")),
        (
            "controller-manager.conf",
            recorded!("controller-manager.conf"),
        ),
        ("scheduler.conf", recorded!("scheduler.conf")),
        ("kubelet.conf", recorded!("kubelet.conf")),
        ("pki/ca.key", ""),
        ("pki/front-proxy-ca.key", ""),
        ("pki/etcd/ca.key", ""),
    ]
    .into_iter()
    .map(|(name, text)| (format!("/etc/kubernetes/{name}"), text.as_bytes().to_vec()))
    .collect()
}

fn path(text: &str) -> LogicalPath {
    LogicalPath::parse(text).unwrap()
}

fn signer(id: CaId) -> Signer {
    let base = match id {
        CaId::Cluster => "ca",
        CaId::FrontProxy => "front-proxy-ca",
        CaId::Etcd => "etcd/ca",
    };
    Signer {
        id,
        certificate: path(&format!("{PKI}/{base}.crt")),
        key: path(&format!("{PKI}/{base}.key")),
    }
}

/// The actions of a full init with local etcd, in the order of the phases. What the certificates
/// should say is of no matter here.
fn actions() -> Vec<Action> {
    let subject = Subject {
        common_name: String::new(),
        organizations: Vec::new(),
    };
    let validity = Validity {
        not_before: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::UNIX_EPOCH,
    };
    let authority = |id: CaId| {
        let place = signer(id);
        Action::Ensure(Resource::CertificateAuthority(CertificateAuthoritySpec {
            id,
            certificate: place.certificate,
            key: place.key,
            common_name: id.name().to_owned(),
            algorithm: KeyAlgorithm::EcdsaP256,
            validity,
        }))
    };
    let leaf = |name: &str, base: &str, id: CaId| {
        Action::Ensure(Resource::Certificate(CertificateSpec {
            name: name.to_owned(),
            certificate: path(&format!("{PKI}/{base}.crt")),
            key: path(&format!("{PKI}/{base}.key")),
            signer: signer(id),
            subject: subject.clone(),
            usages: Vec::new(),
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
            algorithm: KeyAlgorithm::EcdsaP256,
            validity,
        }))
    };
    let kubeconfig = |name: &str| {
        Action::Ensure(Resource::Kubeconfig(KubeconfigSpec {
            name: name.to_owned(),
            path: path(&format!("/etc/kubernetes/{name}")),
            server: String::new(),
            cluster_name: String::new(),
            signer: signer(CaId::Cluster),
            subject: subject.clone(),
            algorithm: KeyAlgorithm::EcdsaP256,
            validity,
            rotated: (name == "kubelet.conf")
                .then(|| path("/var/lib/kubelet/pki/kubelet-client-current.pem")),
        }))
    };
    vec![
        authority(CaId::Cluster),
        leaf("apiserver", "apiserver", CaId::Cluster),
        leaf(
            "apiserver-kubelet-client",
            "apiserver-kubelet-client",
            CaId::Cluster,
        ),
        authority(CaId::FrontProxy),
        leaf("front-proxy-client", "front-proxy-client", CaId::FrontProxy),
        authority(CaId::Etcd),
        leaf("etcd-server", "etcd/server", CaId::Etcd),
        leaf("etcd-peer", "etcd/peer", CaId::Etcd),
        leaf(
            "etcd-healthcheck-client",
            "etcd/healthcheck-client",
            CaId::Etcd,
        ),
        leaf("apiserver-etcd-client", "apiserver-etcd-client", CaId::Etcd),
        kubeconfig("admin.conf"),
        kubeconfig("super-admin.conf"),
        kubeconfig("kubelet.conf"),
        kubeconfig("controller-manager.conf"),
        kubeconfig("scheduler.conf"),
    ]
}

/// The report without the list that kubeadm does not have.
fn of_kubeadm(files: &BTreeMap<String, Vec<u8>>, now: Timestamp) -> ExpirationReport {
    let mut report = report(files, now);
    assert!(!report.kubelet.is_empty());
    report.kubelet.clear();
    report
}

fn report(files: &BTreeMap<String, Vec<u8>>, now: Timestamp) -> ExpirationReport {
    ExpirationReport::collect(
        &actions(),
        &Scope::Host,
        &mut |path| Ok(files.get(path.as_str()).cloned()),
        now,
    )
}

/// A moment so many seconds before the recorded leaf certificates end.
fn before_end(seconds: i64) -> Timestamp {
    let end: Timestamp = "2027-11-22T01:41:52Z".parse().unwrap();
    end - SignedDuration::from_secs(seconds)
}

fn row(report: &ExpirationReport, name: &str) -> (State, bool) {
    let row = report.rows().find(|row| row.name == name).unwrap();
    (row.state.clone(), row.externally_managed)
}

#[test]
fn text_json_and_yaml_are_those_of_kubeadm() {
    // A fraction of a second does not count.
    let now = before_end(31_534_910) - SignedDuration::from_millis(300);
    let complete = of_kubeadm(&files(), now);
    assert_eq!(complete.to_text(), recorded!("complete.txt"));
    assert_eq!(complete.to_json(), recorded!("complete.json"));
    let complete = of_kubeadm(&files(), before_end(31_534_907));
    assert_eq!(complete.to_yaml(), recorded!("complete.yaml"));
    assert!(complete.problems(Duration::ZERO).is_empty());
}

#[test]
fn what_is_missing_or_external_is_told_as_kubeadm_tells_it() {
    let mut files = files();
    for name in [
        "pki/apiserver.crt",
        "pki/front-proxy-ca.key",
        "scheduler.conf",
    ] {
        files.remove(&format!("/etc/kubernetes/{name}")).unwrap();
    }
    let partial = of_kubeadm(&files, before_end(31_534_900));
    assert_eq!(partial.to_text(), recorded!("partial.txt"));
    assert_eq!(partial.to_json(), recorded!("partial.json"));
}

#[test]
fn one_unreadable_file_does_not_hide_the_others() {
    let mut files = files();
    files.insert(format!("{PKI}/apiserver.crt"), b"nonsense".to_vec());
    files.insert(format!("{PKI}/etcd/ca.crt"), Vec::new());
    files.insert(
        "/etc/kubernetes/admin.conf".to_owned(),
        b"kind: Config".to_vec(),
    );
    files.remove(&format!("{PKI}/ca.crt"));
    files.remove(&format!("{PKI}/ca.key"));
    let report = report(&files, before_end(1000));
    assert_eq!(
        report
            .problems(Duration::ZERO)
            .into_iter()
            .map(|problem| problem.message)
            .collect::<Vec<_>>(),
        [
            "/etc/kubernetes/admin.conf: the kubeconfig has no current-context",
            "/etc/kubernetes/pki/apiserver.crt: no certificate in PEM form",
            "/etc/kubernetes/pki/etcd/ca.crt: no certificate in PEM form",
        ]
    );
    // An authority of which nothing is there is missing, not external.
    assert_eq!(row(&report, "ca"), (State::Missing, false));
    assert!(!row(&report, "scheduler.conf").1);
    let text = report.to_text();
    assert!(text.contains("\n!UNREADABLE! apiserver "), "{text}");
    assert!(text.contains("\n!MISSING! ca "), "{text}");
    assert!(text.contains("\netcd-server "), "{text}");
    assert_eq!(report.worst(Duration::ZERO), ExitCode::Expiring);
}

#[test]
fn a_client_certificate_may_lie_beside_its_kubeconfig() {
    let mut files = files();
    for (name, file) in [
        ("admin.conf", "/etc/kubernetes/pki/apiserver.crt"),
        ("scheduler.conf", "pki/apiserver.crt"),
        ("controller-manager.conf", "pki/nowhere.crt"),
    ] {
        let text = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: s}}}}]\n\
             users: [{{name: u, user: {{client-certificate: {file}}}}}]\n"
        );
        files.insert(format!("/etc/kubernetes/{name}"), text.into_bytes());
    }
    let report = report(&files, before_end(1000));
    let expected = row(&report, "apiserver");
    assert!(matches!(
        expected.0,
        State::Present {
            residual_seconds: 1000,
            ..
        }
    ));
    assert_eq!(row(&report, "admin.conf"), expected);
    assert_eq!(row(&report, "scheduler.conf"), expected);
    assert_eq!(
        row(&report, "controller-manager.conf").0,
        State::Unreadable(
            "the client certificate /etc/kubernetes/pki/nowhere.crt does not exist".to_owned()
        )
    );
}

#[test]
fn a_kubeconfig_with_other_credentials_has_no_certificate_that_ends() {
    let mut files = files();
    let text = "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n\
                clusters: [{name: k, cluster: {server: s}}]\n\
                users: [{name: u, user: {exec: {command: login}}}]\n";
    let path = "/etc/kubernetes/admin.conf".to_owned();
    files.insert(path.clone(), text.as_bytes().to_vec());
    let expected = row(&report(&files, before_end(1000)), "scheduler.conf");
    let other = report(&files, before_end(1000));
    assert_eq!(row(&other, "admin.conf").0, State::OtherCredentials("exec"));
    assert_eq!(row(&other, "scheduler.conf"), expected);
    assert!(other.problems(Duration::ZERO).is_empty());
    assert_eq!(other.worst(Duration::ZERO), ExitCode::Success);
    assert!(
        other
            .to_text()
            .contains("\nadmin.conf                 <exec>")
    );
    assert!(
        other
            .to_json()
            .contains("\"missing\": false,\n            \"otherCredentials\": \"exec\"")
    );
    assert!(!other.to_prometheus().contains("name=\"admin.conf\""));

    // No credentials at all are a fault.
    let none = text.replace("exec: {command: login}", "");
    files.insert(path, none.into_bytes());
    let none = report(&files, before_end(1000));
    assert_eq!(none.worst(Duration::ZERO), ExitCode::Expiring);
    assert!(none.to_prometheus().contains("name=\"admin.conf\""));
}

#[test]
fn a_key_that_may_not_be_read_is_not_an_external_authority() {
    let files = files();
    let report = ExpirationReport::collect(
        &actions(),
        &Scope::Host,
        &mut |path| {
            if path.file_name().rsplit('.').next() == Some("key") {
                Err("permission denied".to_owned())
            } else {
                Ok(files.get(path.as_str()).cloned())
            }
        },
        before_end(1000),
    );
    assert!(report.rows().all(|row| !row.externally_managed));
    assert!(report.problems(Duration::ZERO).is_empty());
}

#[test]
fn the_exit_code_follows_the_worst_row() {
    let mut files = files();
    let code = |files: &_, now, within| report(files, now).worst(Duration::from_secs(within));
    assert_eq!(code(&files, before_end(1000), 999), ExitCode::Success);
    assert_eq!(code(&files, before_end(1000), 1000), ExitCode::Expiring);
    assert_eq!(code(&files, before_end(-1), 0), ExitCode::Expiring);
    files.remove("/etc/kubernetes/super-admin.conf");
    assert_eq!(code(&files, before_end(1000), 0), ExitCode::Success);
    // Signed by another authority, and valid as long.
    let own = files[&format!("{PKI}/apiserver.crt")].clone();
    let foreign = files[&format!("{PKI}/etcd/peer.crt")].clone();
    files.insert(format!("{PKI}/apiserver.crt"), foreign);
    assert_eq!(code(&files, before_end(1000), 0), ExitCode::Expiring);
    files.insert(format!("{PKI}/apiserver.crt"), own);
    assert_eq!(code(&files, before_end(1000), 0), ExitCode::Success);
    files.remove("/etc/kubernetes/admin.conf");
    assert_eq!(code(&files, before_end(1000), 0), ExitCode::Expiring);
}

/// RSA of 1024 bits, which kubeadm takes and no client of Kubernetes verifies.
#[test]
fn what_a_ca_with_a_short_key_signed_is_reported_by_the_key() {
    let mut files = files();
    for (name, text) in [
        ("front-proxy-ca.crt", include_str!("short-key/ca.crt")),
        ("front-proxy-client.crt", include_str!("short-key/leaf.crt")),
    ] {
        files.insert(format!("{PKI}/{name}"), text.as_bytes().to_vec());
    }
    let report = report(&files, before_end(1000));
    let told: Vec<String> = report
        .problems(Duration::ZERO)
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    assert_eq!(
        told,
        [
            "/etc/kubernetes/pki/front-proxy-client.crt: it is not signed by \
             /etc/kubernetes/pki/front-proxy-ca.crt: the RSA key of the CA of that name has 1024 \
             bits, too few for TLS libraries"
        ]
    );
}

/// The kubelet keeps one that has expired.
#[test]
fn a_serving_certificate_of_the_kubelet_s_own_that_ends_is_told_with_a_way_out() {
    let mut files = files();
    let certificate = files[&format!("{PKI}/ca.crt")].clone();
    let folder = "/var/lib/kubelet/pki";
    files.insert(format!("{folder}/kubelet.crt"), certificate);
    let told = |now: &str, within| {
        report(&files, now.parse().unwrap()).problems(Duration::from_hours(within))
    };
    // The authority lives ten years.
    assert_eq!(told("2027-01-01T00:00:00Z", 0), []);
    assert_eq!(told("2027-01-01T00:00:00Z", 24 * 30), []);
    for (now, verb, within) in [
        ("2036-11-10T00:00:00Z", "expires", 24 * 30),
        ("2037-01-01T00:00:00Z", "expired", 0),
    ] {
        // The authorities have expired by then too.
        let problems: Vec<Problem> = told(now, within)
            .into_iter()
            .filter(|problem| !problem.message.contains("ca.crt: "))
            .collect();
        let [problem] = &problems[..] else {
            panic!("{problems:?}");
        };
        let message = format!("{folder}/kubelet.crt: it {verb} at 2036-");
        assert!(problem.message.starts_with(&message), "{problem:?}");
        let command = format!("`rm {folder}/kubelet.crt {folder}/kubelet.key && systemctl restart");
        assert!(problem.hint.as_ref().unwrap().contains(&command));
    }
}

proptest! {
    #[test]
    fn arbitrary_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let report = ExpirationReport::collect(
            &actions(),
            &Scope::Host,
            &mut |_| Ok(Some(bytes.clone())),
            before_end(0),
        );
        prop_assert_eq!(report.problems(Duration::ZERO).len(), report.rows().count());
        let _ = (report.to_text(), report.to_json(), report.to_yaml());
    }
}
