//! One fault at a time: each is found, named, and the only one.

use rinit_pki::{
    Certificate, ChainFault, Fault, Finding, PkiError, PrivateKey, judge_authority, judge_client,
    judge_key_pair, judge_leaf,
};
use rinit_plan::{CertificateSpec, ExtendedKeyUsage, KeyAlgorithm, KeyPairSpec, Severity};

use crate::support::{
    Folder, Issued, address, authority, authority_spec, client_spec, now, path, read_one,
    server_spec, subject, validity,
};

/// A good pair, to be judged against specifications that ask for something else.
struct Pair {
    root: Issued,
    certificate: String,
    key: PrivateKey,
}

impl Pair {
    fn new() -> Self {
        Self::of(&server_spec())
    }

    fn of(spec: &CertificateSpec) -> Self {
        let root = authority(KeyAlgorithm::EcdsaP256);
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let certificate = root.authority.issue(spec, &key).unwrap();
        Self {
            root,
            certificate: certificate.into(),
            key,
        }
    }

    fn judge(&self, spec: &CertificateSpec) -> Vec<Finding> {
        judge_leaf(
            spec,
            self.certificate.as_bytes(),
            Some(self.key.pem().expose().as_bytes()),
            self.root.certificate.as_bytes(),
            now(),
        )
    }
}

/// The one finding, as severity and text.
fn only(findings: Vec<Finding>) -> (Severity, String) {
    let [finding] = findings.try_into().unwrap();
    (finding.severity(), finding.to_string())
}

const CERTIFICATE: &str = "/etc/kubernetes/pki/apiserver.crt";

fn refused(text: &str) -> (Severity, String) {
    (Severity::Error, format!("{CERTIFICATE}: {text}"))
}

fn warned(text: &str) -> (Severity, String) {
    (Severity::Warning, format!("{CERTIFICATE}: {text}"))
}

#[test]
fn what_was_issued_is_good() {
    let pair = Pair::new();
    assert_eq!(pair.judge(&server_spec()), []);
    // Another algorithm, another period and fewer names are no fault.
    let mut spec = server_spec();
    spec.algorithm = KeyAlgorithm::Rsa4096;
    spec.validity = validity("2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    spec.dns_names = vec!["Kubernetes".to_owned()];
    spec.ip_addresses.clear();
    assert_eq!(pair.judge(&spec), []);
}

#[test]
fn missing_names_are_listed() {
    let mut spec = server_spec();
    spec.dns_names.push("new.example.org".to_owned());
    spec.ip_addresses.push(address("192.0.2.99"));
    assert_eq!(
        only(Pair::new().judge(&spec)),
        refused("the certificate lacks the names new.example.org, 192.0.2.99")
    );
}

#[test]
fn a_wrong_subject_is_refused_and_a_group_too_many_is_told() {
    let client_spec = || {
        let mut spec = server_spec();
        spec.usages = vec![ExtendedKeyUsage::ClientAuth];
        spec
    };
    let pair = Pair::of(&client_spec());
    let mut spec = client_spec();
    spec.subject = subject(&[], "somebody");
    assert_eq!(
        only(pair.judge(&spec)),
        refused("the certificate is for CN=kube-apiserver and must be for CN=somebody")
    );
    spec.subject = subject(&["group"], "kube-apiserver");
    assert_eq!(
        only(pair.judge(&spec)),
        refused(
            "the certificate is for CN=kube-apiserver and must be for O=group, CN=kube-apiserver"
        )
    );
    let pair = Pair::of(&spec);
    assert_eq!(
        only(pair.judge(&client_spec())),
        warned("the certificate has groups that are not asked for: group")
    );
}

/// minikube brings one for itself.
#[test]
fn a_server_of_another_subject_is_warned_of() {
    let mut spec = server_spec();
    spec.subject = subject(&["system:masters"], "minikube");
    spec.usages = vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth];
    let pair = Pair::of(&spec);
    let text = "the certificate is for O=system:masters, CN=minikube and not for \
                CN=kube-apiserver; it is used all the same, since clients look at its alternative \
                names alone";
    assert_eq!(only(pair.judge(&server_spec())), warned(text));
}

#[test]
fn wrong_usages_are_refused() {
    let mut spec = server_spec();
    spec.usages = vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth];
    assert_eq!(
        only(Pair::new().judge(&spec)),
        refused("the certificate lacks the usages clientAuth")
    );
}

/// As Go takes them (RFC 5280, section 4.2.1.12).
#[test]
fn a_certificate_without_usages_or_for_any_may_be_used() {
    let folder = Folder::new();
    folder.openssl("ecparam -name prime256v1 -genkey -noout -out leaf.key");
    folder.openssl("req -new -key leaf.key -subj /CN=kube-apiserver -out leaf.csr");
    let root = Pair::new().root;
    folder.write("ca.crt", &root.certificate);
    folder.write("ca.key", root.key.pem().expose());
    let spec = CertificateSpec {
        dns_names: Vec::new(),
        ip_addresses: Vec::new(),
        ..server_spec()
    };
    for (usages, expected) in [
        ("", None),
        ("extendedKeyUsage=anyExtendedKeyUsage", None),
        (
            "extendedKeyUsage=clientAuth",
            Some("the certificate lacks the usages serverAuth"),
        ),
    ] {
        folder.write(
            "extensions",
            &format!("basicConstraints=critical,CA:FALSE\n{usages}\n"),
        );
        folder.openssl(
            "x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -days 30 -extfile extensions \
             -out leaf.crt",
        );
        let leaf = folder.read("leaf.crt");
        let findings = judge_leaf(
            &spec,
            leaf.as_bytes(),
            Some(folder.read("leaf.key").as_bytes()),
            root.certificate.as_bytes(),
            read_one(&leaf).validity.not_before,
        );
        let found: Vec<String> = findings.iter().map(|one| one.fault.to_string()).collect();
        assert_eq!(found, Vec::from_iter(expected), "{usages}");
    }
}

#[test]
fn expiry_is_told_to_the_second() {
    let pair = Pair::new();
    let at = |now: &str| {
        judge_leaf(
            &server_spec(),
            pair.certificate.as_bytes(),
            Some(pair.key.pem().expose().as_bytes()),
            pair.root.certificate.as_bytes(),
            now.parse().unwrap(),
        )
    };
    assert_eq!(at("2027-06-01T00:00:00.9Z"), []);
    assert_eq!(
        only(at("2027-06-01T00:00:01Z")),
        warned("the certificate of CN=kube-apiserver expired at 2027-06-01T00:00:00Z")
    );
    assert_eq!(at("2026-06-01T00:00:00Z"), []);
    assert_eq!(
        only(at("2026-05-31T23:59:59Z")),
        warned("the certificate of CN=kube-apiserver is not valid before 2026-06-01T00:00:00Z")
    );
}

#[test]
fn a_foreign_signer_is_refused() {
    let mut pair = Pair::new();
    // Of the same name, as after the authority was made anew.
    pair.root = authority(KeyAlgorithm::EcdsaP256);
    assert_eq!(
        only(pair.judge(&server_spec())),
        refused(
            "the certificate names CN=kubernetes as its issuer and is not signed by \
             /etc/kubernetes/pki/ca.crt: its signature does not verify with the key of the CA of \
             that name"
        )
    );
    let mut other = authority_spec(KeyAlgorithm::EcdsaP256);
    other.common_name = "other".to_owned();
    pair.root.certificate = rinit_pki::issue_authority(&other, &pair.root.key)
        .unwrap()
        .into();
    let [finding] = pair.judge(&server_spec()).try_into().unwrap();
    assert!(matches!(
        finding.fault,
        Fault::Unchained {
            reason: ChainFault::UnknownIssuer,
            ..
        }
    ));
}

#[test]
fn an_expired_certificate_still_chains() {
    let mut spec = server_spec();
    spec.validity = validity("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z");
    let (severity, text) = only(Pair::of(&spec).judge(&server_spec()));
    assert_eq!(severity, Severity::Warning);
    assert!(text.contains("expired at 2021-01-01T00:00:00Z"), "{text}");
}

#[test]
fn an_authority_in_place_of_a_leaf_is_refused() {
    let pair = Pair::new();
    let mut spec = server_spec();
    spec.subject = subject(&[], "kubernetes");
    spec.usages.clear();
    spec.dns_names.clear();
    spec.ip_addresses.clear();
    let root = &pair.root;
    let findings = judge_leaf(
        &spec,
        root.certificate.as_bytes(),
        Some(root.key.pem().expose().as_bytes()),
        root.certificate.as_bytes(),
        now(),
    );
    let (_, text) = only(findings);
    assert!(
        text.ends_with("it is the certificate of a CA itself"),
        "{text}"
    );
}

#[test]
fn a_key_is_missing_of_another_pair_or_unreadable() {
    let mut pair = Pair::new();
    let judge = |key: Option<&[u8]>| {
        judge_leaf(
            &server_spec(),
            pair.certificate.as_bytes(),
            key,
            pair.root.certificate.as_bytes(),
            now(),
        )
    };
    let key = "/etc/kubernetes/pki/apiserver.key";
    assert_eq!(
        only(judge(None)),
        (
            Severity::Error,
            format!("{key}: the key of {CERTIFICATE} is missing")
        )
    );
    assert_eq!(
        only(judge(Some(b""))),
        (
            Severity::Error,
            format!("{key}: no private key in PEM form")
        )
    );
    pair.key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(
        only(pair.judge(&server_spec())),
        (
            Severity::Error,
            format!("{key}: the key does not belong to {CERTIFICATE}")
        )
    );
}

#[test]
fn every_fault_of_a_pair_is_told_at_once() {
    let pair = Pair::new();
    let mut spec = server_spec();
    spec.subject = subject(&[], "somebody");
    spec.dns_names.push("new.example.org".to_owned());
    let findings = judge_leaf(
        &spec,
        pair.certificate.as_bytes(),
        None,
        authority(KeyAlgorithm::EcdsaP256).certificate.as_bytes(),
        "2030-01-01T00:00:00Z".parse().unwrap(),
    );
    assert_eq!(findings.len(), 5, "{findings:?}");
}

#[test]
fn an_unreadable_certificate_says_why() {
    let pair = Pair::new();
    let judge = |certificate: &str| {
        only(judge_leaf(
            &server_spec(),
            certificate.as_bytes(),
            Some(pair.key.pem().expose().as_bytes()),
            pair.root.certificate.as_bytes(),
            now(),
        ))
    };
    assert_eq!(judge(""), refused("no certificate in PEM form"));
    assert_eq!(
        judge(&pair.certificate[..200]),
        refused("malformed PEM: a block has no end line")
    );
    let broken = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    let (_, text) = judge(broken);
    assert!(
        text.starts_with(&format!(
            "{CERTIFICATE}: certificate 1 of the file cannot be read: "
        )),
        "{text}"
    );
}

#[test]
fn weak_certificates_are_refused() {
    let folder = Folder::new();
    folder.openssl("genrsa -traditional -out ca.key 2048");
    folder.openssl("req -x509 -new -key ca.key -subj /CN=own -days 3650 -out ca.crt");
    folder.openssl("genrsa -traditional -out leaf.key 2048");
    folder.openssl("req -new -key leaf.key -subj /CN=kube-apiserver -out leaf.csr");
    folder.write("extensions", "extendedKeyUsage=serverAuth\n");
    folder.openssl(
        "x509 -req -sha1 -in leaf.csr -CA ca.crt -CAkey ca.key -days 365 -extfile extensions \
         -out leaf.crt",
    );
    let root = folder.read("ca.crt");
    let moment = crate::support::read_one(&root).validity.not_before;
    let mut spec = server_spec();
    spec.dns_names.clear();
    spec.ip_addresses.clear();
    let findings = judge_leaf(
        &spec,
        folder.read("leaf.crt").as_bytes(),
        Some(folder.read("leaf.key").as_bytes()),
        root.as_bytes(),
        moment + jiff::SignedDuration::from_secs(60),
    );
    assert_eq!(
        only(findings),
        refused(
            "the certificate of CN=kube-apiserver is too weak: a signature with a hash that can be \
             forged"
        )
    );
}

#[test]
fn a_kubeconfig_is_judged_by_its_user() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let certificate = root.authority.issue(&client_spec(), &key).unwrap();
    let judge = |spec| {
        judge_client(
            &spec,
            certificate.as_bytes(),
            Some(key.pem().expose().as_bytes()),
            root.certificate.as_bytes(),
            now(),
        )
    };
    assert_eq!(judge(client_spec()), []);
    let mut spec = client_spec();
    spec.subject.organizations = vec!["kubeadm:cluster-admins".to_owned()];
    let [finding] = judge(spec).try_into().unwrap();
    assert_eq!(finding.severity(), Severity::Error);
}

#[test]
fn authorities_are_judged() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let spec = authority_spec(KeyAlgorithm::Rsa2048);
    let judge = |certificate: &str, key: Option<&str>| {
        judge_authority(&spec, certificate.as_bytes(), key.map(str::as_bytes), now())
    };
    let own_key = root.key.pem().expose().as_str();
    assert_eq!(judge(&root.certificate, Some(own_key)), []);
    // An external authority.
    assert_eq!(judge(&root.certificate, None), []);

    let stranger = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(
        only(judge(&root.certificate, Some(stranger.pem().expose()))),
        (
            Severity::Error,
            "/etc/kubernetes/pki/ca.key: the key does not belong to /etc/kubernetes/pki/ca.crt"
                .to_owned()
        )
    );
    let leaf_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = root.authority.issue(&server_spec(), &leaf_key).unwrap();
    let [finding] = judge(&leaf, None).try_into().unwrap();
    assert!(matches!(finding.fault, Fault::NotAuthority { .. }));

    let mut old = spec.clone();
    old.validity = validity("2010-01-01T00:00:00Z", "2020-01-01T00:00:00Z");
    let old = rinit_pki::issue_authority(&old, &root.key).unwrap();
    let (severity, text) = only(judge(&old, Some(own_key)));
    assert_eq!(severity, Severity::Warning);
    assert!(text.ends_with("the certificate of CN=kubernetes expired at 2020-01-01T00:00:00Z"));

    let [finding] = judge("", Some(own_key)).try_into().unwrap();
    assert_eq!(finding.fault, Fault::Unreadable(PkiError::NoCertificate));
}

/// Where everybody may read it; but the kubelet keeps certificate and key in one file for itself.
#[test]
fn a_key_among_certificates_is_told() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let key = root.key.pem().expose();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\r\nAAAA\r\n\
                     -----END ENCRYPTED PRIVATE KEY-----\r\n";
    for key in [key, encrypted] {
        let combined = format!("{}{key}", root.certificate);
        let spec = authority_spec(KeyAlgorithm::EcdsaP256);
        let [finding] = judge_authority(&spec, combined.as_bytes(), None, now())
            .try_into()
            .unwrap();
        assert_eq!(
            finding.to_string(),
            "/etc/kubernetes/pki/ca.crt: a private key stands among the certificates, where \
             everybody may read it"
        );
        assert_eq!(finding.severity(), Severity::Warning);
        assert_eq!(
            finding.hint.unwrap(),
            "`rinit certs ca prune` takes it out. The controller manager hands its file as it is to \
             every pod: if this is the one that it has, replace the CA."
        );
    }

    let mut pair = Pair::new();
    let key = pair.key.pem().expose().clone();
    pair.certificate.push_str(&key);
    assert_eq!(
        only(pair.judge(&server_spec())),
        warned("a private key stands among the certificates, where everybody may read it")
    );
    let mut both = server_spec();
    both.key = both.certificate.clone();
    assert_eq!(pair.judge(&both), []);
}

/// Go's `encoding/pem` passes such a block over (seen with kubeadm and kube-apiserver 1.37.1).
#[test]
fn a_block_with_something_behind_its_end_line_is_refused() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let one = root.certificate.trim_end();
    let key = root.key.pem().expose().trim_end();
    let lines = one.lines().count();
    for broken in [
        format!("{one}{one}\n"),
        format!("{one} # old\n"),
        format!("{one}{key}\n"),
    ] {
        let error = PkiError::TextBehindEnd { line: lines };
        assert_eq!(Certificate::read_all(broken.as_bytes()), Err(error.clone()));
        assert!(
            error
                .to_string()
                .starts_with(&format!("line {lines} has more"))
        );
    }
    let blank = format!("{one} \t\r\n\r\n  {one}\n").replace("  -", "-");
    assert_eq!(Certificate::read_all(blank.as_bytes()).unwrap().len(), 2);
    assert_eq!(
        PrivateKey::load(format!("{key}-\n").as_bytes()).unwrap_err(),
        PkiError::TextBehindEnd {
            line: key.lines().count()
        }
    );
}

#[test]
fn only_certificates_of_a_file_go_on() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let certificate = &root.certificate;
    let key = root.key.pem().expose();
    let windows = certificate.replace('\n', "\r\n");
    let file = format!("subject=CN = kubernetes\n{windows}{key}\n# the next\n{certificate}");
    let bundle = rinit_pki::certificates_of(file.as_bytes()).unwrap();
    assert_eq!(bundle.to_string(), format!("{certificate}{certificate}"));
    assert!(!rinit_pki::has_private_key(bundle.as_bytes()));
}

#[test]
fn key_pairs_are_judged() {
    let spec = KeyPairSpec {
        private_key: path("/etc/kubernetes/pki/sa.key"),
        public_key: path("/etc/kubernetes/pki/sa.pub"),
        algorithm: KeyAlgorithm::Rsa2048,
    };
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let private = key.pem().expose().as_bytes();
    let judge = |public: Option<&str>| judge_key_pair(&spec, private, public.map(str::as_bytes));
    assert_eq!(judge(None), []);
    assert_eq!(judge(Some(&key.public_key_pem())), []);
    // Public keys of earlier signers may stand beside the current one.
    let both = format!("{}{}", other.public_key_pem(), key.public_key_pem());
    assert_eq!(judge(Some(&both)), []);
    let (_, text) = only(judge(Some(&other.public_key_pem())));
    assert_eq!(
        text,
        "/etc/kubernetes/pki/sa.pub: the public key does not belong to /etc/kubernetes/pki/sa.key"
    );
    let (_, text) = only(judge(Some("")));
    assert_eq!(
        text,
        "/etc/kubernetes/pki/sa.pub: no public key in PEM form"
    );
}
