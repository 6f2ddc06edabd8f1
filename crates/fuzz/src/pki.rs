//! Certificates and keys, as text and as DER, so that the fuzzer need not learn base64.

use std::sync::LazyLock;

use jiff::Timestamp;
use rinit_config::ReadOptions;
use rinit_facts::Overrides;
use rinit_pki::{Authority, Certificate, PrivateKey, Request};
use rinit_plan::{
    Action, CertificateAuthoritySpec, CertificateSpec, KeyPairSpec, KubeconfigSpec, Resource,
};

use crate::config::now;
use crate::{folder, show};

/// Keys, certificates and specifications that a judgement wants beside what it judges.
pub(crate) struct Fixture {
    pub(crate) actions: Vec<Action>,
    pub(crate) authority: String,
    pub(crate) authority_key: String,
    pub(crate) leaf: String,
    pub(crate) leaf_key: String,
}

/// Keys of nobody. That they are the same in every run lets an input that was found be kept.
const AUTHORITY_KEY: &str = include_str!("authority.key");
const LEAF_KEY: &str = include_str!("leaf.key");
/// A request of openssl with attributes, by its old label.
const OPENSSL_REQUEST: &str = include_str!("request.csr");

/// The same in every run but for serial numbers and signatures.
pub(crate) static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    // What is judged is mostly small keys, so that the fuzzer gets around.
    let text = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                 kubernetesVersion: v1.37.1\nencryptionAlgorithm: ECDSA-P256\n";
    let documents = rinit_config::parse("fixture.yaml", text, ReadOptions::default())
        .unwrap_or_else(|findings| panic!("{findings}"));
    let host = rinit_testkit::host_facts();
    let facts = rinit_facts::resolve(&documents, &Overrides::default(), &host)
        .unwrap_or_else(|error| panic!("{error}"));
    let actions = folder::actions(&facts);
    let made = || {
        let key = PrivateKey::load(AUTHORITY_KEY.as_bytes())?;
        let leaf_key = PrivateKey::load(LEAF_KEY.as_bytes())?;
        let authority = rinit_pki::issue_authority(first_authority(&actions), &key)?;
        let signer = Authority::load(authority.as_bytes(), key.pem().expose().as_bytes(), now())?;
        let leaf = signer.issue(first_leaf(&actions), &leaf_key)?;
        Ok::<_, rinit_pki::PkiError>((authority.into(), leaf.into()))
    };
    let (authority, leaf) = made().unwrap_or_else(|error| panic!("no fixture: {error}"));
    Fixture {
        authority,
        authority_key: AUTHORITY_KEY.to_owned(),
        leaf,
        leaf_key: LEAF_KEY.to_owned(),
        actions,
    }
});

fn first<T>(actions: &[Action], is_it: impl Fn(&Action) -> Option<&T>) -> &T {
    let found = actions.iter().find_map(is_it);
    found.unwrap_or_else(|| panic!("the phases make none"))
}

fn first_authority(actions: &[Action]) -> &CertificateAuthoritySpec {
    first(actions, |action| match action {
        Action::Ensure(Resource::CertificateAuthority(spec)) => Some(spec),
        _ => None,
    })
}

fn first_leaf(actions: &[Action]) -> &CertificateSpec {
    first(actions, |action| match action {
        Action::Ensure(Resource::Certificate(spec)) => Some(spec),
        _ => None,
    })
}

fn first_pair(actions: &[Action]) -> &KeyPairSpec {
    first(actions, |action| match action {
        Action::Ensure(Resource::KeyPair(spec)) => Some(spec),
        _ => None,
    })
}

fn first_kubeconfig(actions: &[Action]) -> &KubeconfigSpec {
    first(actions, |action| match action {
        Action::Ensure(Resource::Kubeconfig(spec)) => Some(spec),
        _ => None,
    })
}

/// A certificate file, which is judged as leaf, as client and as authority.
pub(crate) fn certificate_pem(data: &[u8]) -> bool {
    let fixture = &*FIXTURE;
    let (key, authority_key) = (
        fixture.leaf_key.as_bytes(),
        fixture.authority_key.as_bytes(),
    );
    let authority = fixture.authority.as_bytes();
    let actions = &fixture.actions;
    for moment in [now(), Timestamp::MIN, Timestamp::MAX] {
        let judged = [
            rinit_pki::judge_leaf(first_leaf(actions), data, Some(key), authority, moment),
            rinit_pki::judge_leaf(
                first_leaf(actions),
                fixture.leaf.as_bytes(),
                Some(key),
                data,
                moment,
            ),
            rinit_pki::judge_client(
                first_kubeconfig(actions),
                data,
                Some(key),
                authority,
                moment,
            ),
            rinit_pki::judge_authority(first_authority(actions), data, Some(authority_key), moment),
            rinit_pki::judge_authority(first_authority(actions), data, None, moment),
        ];
        for finding in judged.iter().flatten() {
            show(finding.fault.to_string());
            show(finding.severity());
        }
    }
    if let Ok(signer) = Authority::load(data, authority_key, now())
        && let Ok(leaf_key) = PrivateKey::load(key)
        && let Ok(leaf) = signer.issue(first_leaf(actions), &leaf_key)
    {
        // What an odd authority signs can be read.
        assert!(
            Certificate::read_all(leaf.as_bytes()).is_ok(),
            "unreadable: {leaf}"
        );
    }
    show(rinit_pki::public_key_pins(data));
    match Certificate::read_all(data) {
        Ok(certificates) => {
            for certificate in &certificates {
                show(format!(
                    "{certificate:?} {} {}",
                    certificate.subject, certificate.issuer
                ));
                show((
                    certificate.dns_names().count(),
                    certificate.ip_addresses().count(),
                ));
                show((certificate.public_key_pin(), certificate.is_self_issued()));
            }
            show(
                rinit_pki::chain(&certificates, &certificates, &[])
                    .map_err(|fault| fault.to_string()),
            );
            true
        }
        Err(error) => {
            show(error.to_string());
            false
        }
    }
}

/// One certificate.
pub(crate) fn certificate_der(data: &[u8]) -> bool {
    certificate_pem(wrapped("CERTIFICATE", data).as_bytes())
}

/// A key file: a private key, or public keys as in `sa.pub`.
pub(crate) fn key_pem(data: &[u8]) -> bool {
    let fixture = &*FIXTURE;
    let actions = &fixture.actions;
    let leaf = fixture.leaf.as_bytes();
    let authority = fixture.authority.as_bytes();
    for finding in [
        rinit_pki::judge_key_pair(first_pair(actions), data, Some(fixture.leaf_key.as_bytes())),
        rinit_pki::judge_key_pair(first_pair(actions), fixture.leaf_key.as_bytes(), Some(data)),
        rinit_pki::judge_leaf(first_leaf(actions), leaf, Some(data), authority, now()),
        rinit_pki::judge_authority(first_authority(actions), authority, Some(data), now()),
    ]
    .iter()
    .flatten()
    {
        show(finding.fault.to_string());
    }
    show(Authority::load(authority, data, now()).is_ok());
    let key = match PrivateKey::load(data) {
        Ok(key) => key,
        Err(error) => {
            show(format!("{error} {error:?}"));
            return false;
        }
    };
    assert_eq!(key.pem().expose().as_bytes(), data, "the text was not kept");
    let public = key.public_key_pem();
    assert!(matches!(key.is_in_public_keys(public.as_bytes()), Ok(true)));
    // A key that was taken signs.
    let issued = rinit_pki::issue_authority(first_authority(actions), &key);
    if let Ok(certificate) = issued {
        assert!(Authority::load(certificate.as_bytes(), data, now()).is_ok());
    }
    true
}

/// One key in each of the three forms.
pub(crate) fn key_der(data: &[u8]) -> bool {
    let forms = [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PUBLIC KEY",
    ];
    let taken = forms.map(|label| key_pem(wrapped(label, data).as_bytes()));
    taken.contains(&true)
}

/// A request for a certificate, which the authority then signs.
pub(crate) fn request_pem(data: &[u8]) -> bool {
    let fixture = &*FIXTURE;
    let request = match Request::read(data) {
        Ok(request) => request,
        Err(error) => {
            show(format!("{error} {error:?}"));
            return false;
        }
    };
    show(format!("{} {request:?}", request.subject));
    let key = fixture.authority_key.as_bytes();
    let issued = Authority::load(fixture.authority.as_bytes(), key, now())
        .and_then(|authority| authority.issue_requested(first_leaf(&fixture.actions), &request));
    match issued.map(|leaf| Certificate::read_all(leaf.as_bytes())) {
        Ok(Ok(certificates)) => assert_eq!(certificates.len(), 1),
        failed => panic!("a request that was taken is signed: {failed:?}"),
    }
    true
}

/// One request.
pub(crate) fn request_der(data: &[u8]) -> bool {
    request_pem(wrapped("CERTIFICATE REQUEST", data).as_bytes())
}

fn wrapped(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

pub(crate) fn certificate_pem_seeds() -> Vec<Vec<u8>> {
    let fixture = &*FIXTURE;
    let bundle = format!("# two\n{}{}", fixture.leaf, fixture.authority);
    let mut seeds = vec![
        fixture.leaf.clone().into_bytes(),
        fixture.authority.clone().into_bytes(),
        bundle.into_bytes(),
    ];
    for algorithm in [
        rinit_plan::KeyAlgorithm::Rsa2048,
        rinit_plan::KeyAlgorithm::EcdsaP384,
    ] {
        let authority = PrivateKey::generate(algorithm)
            .and_then(|key| rinit_pki::issue_authority(first_authority(&fixture.actions), &key));
        seeds.extend(authority.map(|authority| authority.as_bytes().to_vec()));
    }
    seeds
}

pub(crate) fn certificate_der_seeds() -> Vec<Vec<u8>> {
    contents(&certificate_pem_seeds())
}

pub(crate) fn key_pem_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (algorithm, _) in rinit_plan::KeyAlgorithm::ALL {
        if let Ok(key) = PrivateKey::generate(algorithm) {
            let text = key.pem().expose();
            seeds.push(text.clone().into_bytes());
            seeds.push(key.public_key_pem().into_bytes());
            seeds.push(format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{text}").into_bytes());
        }
    }
    seeds
}

pub(crate) fn key_der_seeds() -> Vec<Vec<u8>> {
    contents(&key_pem_seeds())
}

pub(crate) fn request_pem_seeds() -> Vec<Vec<u8>> {
    let fixture = &*FIXTURE;
    let leaf = first_leaf(&fixture.actions);
    let key = PrivateKey::load(LEAF_KEY.as_bytes());
    let ours = key.and_then(|key| rinit_pki::request(leaf, &key));
    let mut seeds = vec![OPENSSL_REQUEST.as_bytes().to_vec()];
    seeds.extend(ours.map(String::into_bytes));
    seeds
}

pub(crate) fn request_der_seeds() -> Vec<Vec<u8>> {
    contents(&request_pem_seeds())
}

fn contents(texts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    texts
        .iter()
        .filter_map(|text| pem::parse(text).ok())
        .map(pem::Pem::into_contents)
        .collect()
}
