//! Certificates and keys, as they are and as DER, so that the fuzzer need not learn base64.

use std::sync::LazyLock;

use jiff::Timestamp;
use rinit_config::ReadOptions;
use rinit_facts::Overrides;
use rinit_pki::{Authority, Certificate, PrivateKey};
use rinit_plan::{
    Action, CertificateAuthoritySpec, CertificateSpec, KeyPairSpec, KubeconfigSpec, Resource,
};

use crate::config::now;
use crate::{kubeconfig, show};

/// Keys, certificates and specifications that a validation wants beside its subject.
pub(crate) struct Fixture {
    pub(crate) actions: Vec<Action>,
    pub(crate) ca: String,
    pub(crate) ca_key: String,
    pub(crate) leaf: String,
    pub(crate) leaf_key: String,
}

/// Keys of nobody. That they are the same in every run lets an input that was found be kept.
const CA_KEY: &str = include_str!("ca.key");
const LEAF_KEY: &str = include_str!("leaf.key");

/// The same in every run but for serial numbers and signatures.
pub(crate) static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    // Mostly small keys, so that the fuzzer gets around.
    let text = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                 kubernetesVersion: v1.37.1\nencryptionAlgorithm: ECDSA-P256\n";
    let documents = rinit_config::parse("fixture.yaml", text, ReadOptions::default())
        .unwrap_or_else(|findings| panic!("{findings}"));
    let host = rinit_testkit::host_facts();
    let facts = rinit_facts::resolve(&documents, &Overrides::default(), &host)
        .unwrap_or_else(|error| panic!("{error}"));
    let actions = kubeconfig::actions(&facts);
    let made = || {
        let key = PrivateKey::load(CA_KEY.as_bytes())?;
        let leaf_key = PrivateKey::load(LEAF_KEY.as_bytes())?;
        let ca = rinit_pki::issue_authority(first_ca(&actions), &key)?;
        let signer = Authority::load(ca.as_bytes(), key.pem().expose().as_bytes(), now())?;
        let leaf = signer.issue(first_leaf(&actions), &leaf_key)?;
        Ok::<_, rinit_pki::PkiError>((ca.into(), leaf.into()))
    };
    let (ca, leaf) = made().unwrap_or_else(|error| panic!("no fixture: {error}"));
    Fixture {
        ca,
        ca_key: CA_KEY.to_owned(),
        leaf,
        leaf_key: LEAF_KEY.to_owned(),
        actions,
    }
});

fn first<T>(actions: &[Action], is_it: impl Fn(&Action) -> Option<&T>) -> &T {
    let found = actions.iter().find_map(is_it);
    found.unwrap_or_else(|| panic!("the phases make none"))
}

fn first_ca(actions: &[Action]) -> &CertificateAuthoritySpec {
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

/// A certificate file, or one certificate in DER.
pub(crate) fn certificate(data: &[u8]) -> bool {
    certificate_pem(data) | certificate_pem(wrapped("CERTIFICATE", data).as_bytes())
}

/// A certificate file, which is validated as leaf, as client and as CA.
fn certificate_pem(data: &[u8]) -> bool {
    let fixture = &*FIXTURE;
    let (key, ca_key) = (fixture.leaf_key.as_bytes(), fixture.ca_key.as_bytes());
    let ca = fixture.ca.as_bytes();
    let actions = &fixture.actions;
    for moment in [now(), Timestamp::MIN, Timestamp::MAX] {
        let checked = [
            rinit_pki::judge_leaf(first_leaf(actions), data, Some(key), ca, moment),
            rinit_pki::judge_leaf(
                first_leaf(actions),
                fixture.leaf.as_bytes(),
                Some(key),
                data,
                moment,
            ),
            rinit_pki::judge_client(first_kubeconfig(actions), data, Some(key), ca, moment),
            rinit_pki::judge_authority(first_ca(actions), data, Some(ca_key), moment),
            rinit_pki::judge_authority(first_ca(actions), data, None, moment),
        ];
        for finding in checked.iter().flatten() {
            show(finding.fault.to_string());
            show(finding.severity());
        }
    }
    if let Ok(signer) = Authority::load(data, ca_key, now())
        && let Ok(leaf_key) = PrivateKey::load(key)
        && let Ok(leaf) = signer.issue(first_leaf(actions), &leaf_key)
    {
        // What an odd CA signs can be read.
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

/// A key file, or one key in DER, in each of the forms.
pub(crate) fn key(data: &[u8]) -> bool {
    let labels = [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PUBLIC KEY",
    ];
    let accepted = labels.map(|label| key_pem(wrapped(label, data).as_bytes()));
    key_pem(data) | accepted.contains(&true)
}

/// A key file: a private key, or public keys as in `sa.pub`.
fn key_pem(data: &[u8]) -> bool {
    let fixture = &*FIXTURE;
    let actions = &fixture.actions;
    let leaf = fixture.leaf.as_bytes();
    let ca = fixture.ca.as_bytes();
    for finding in [
        rinit_pki::judge_key_pair(first_pair(actions), data, Some(fixture.leaf_key.as_bytes())),
        rinit_pki::judge_key_pair(first_pair(actions), fixture.leaf_key.as_bytes(), Some(data)),
        rinit_pki::judge_leaf(first_leaf(actions), leaf, Some(data), ca, now()),
        rinit_pki::judge_authority(first_ca(actions), ca, Some(data), now()),
    ]
    .iter()
    .flatten()
    {
        show(finding.fault.to_string());
    }
    show(Authority::load(ca, data, now()).is_ok());
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
    let issued = rinit_pki::issue_authority(first_ca(actions), &key);
    if let Ok(certificate) = issued {
        assert!(Authority::load(certificate.as_bytes(), data, now()).is_ok());
    }
    true
}

fn wrapped(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

pub(crate) fn certificate_seeds() -> Vec<Vec<u8>> {
    with_der(certificate_pem_seeds())
}

fn certificate_pem_seeds() -> Vec<Vec<u8>> {
    let fixture = &*FIXTURE;
    let bundle = format!("# two\n{}{}", fixture.leaf, fixture.ca);
    let mut seeds = vec![
        fixture.leaf.clone().into_bytes(),
        fixture.ca.clone().into_bytes(),
        bundle.into_bytes(),
    ];
    for algorithm in [
        rinit_plan::KeyAlgorithm::Rsa2048,
        rinit_plan::KeyAlgorithm::EcdsaP384,
    ] {
        let ca = PrivateKey::generate(algorithm)
            .and_then(|key| rinit_pki::issue_authority(first_ca(&fixture.actions), &key));
        seeds.extend(ca.map(|ca| ca.as_bytes().to_vec()));
    }
    seeds
}

pub(crate) fn key_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (algorithm, _) in rinit_plan::KeyAlgorithm::ALL {
        if let Ok(key) = PrivateKey::generate(algorithm) {
            let text = key.pem().expose();
            seeds.push(text.clone().into_bytes());
            seeds.push(key.public_key_pem().into_bytes());
            seeds.push(format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{text}").into_bytes());
        }
    }
    with_der(seeds)
}

/// The texts, and what is in each of them.
fn with_der(mut texts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let parsed = texts.iter().filter_map(|text| pem::parse(text).ok());
    let der: Vec<_> = parsed.map(pem::Pem::into_contents).collect();
    texts.extend(der);
    texts
}
