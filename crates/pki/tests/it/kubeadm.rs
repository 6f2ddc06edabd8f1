//! Issued again from the keys of a real kubeadm, every certificate is the same to the byte, apart
//! from its serial number and what follows from it, the signature.

use rinit_pki::{Certificate, PrivateKey, issue_authority};
use rinit_plan::{CaId, CertificateAuthoritySpec, CertificateSpec, ExtendedKeyUsage};

use crate::support::{address, authority_spec, client_spec, load, read_one, server_spec, subject};

macro_rules! recorded {
    ($algorithm:literal, $file:literal) => {
        include_str!(concat!("../kubeadm/", $algorithm, "/", $file))
    };
}

/// What kubeadm wrote for one algorithm.
struct Recorded {
    ca: [&'static str; 2],
    apiserver: [&'static str; 2],
    etcd_ca: [&'static str; 2],
    etcd_server: [&'static str; 2],
    super_admin: [&'static str; 2],
}

macro_rules! recorded_all {
    ($algorithm:literal) => {
        Recorded {
            ca: [
                recorded!($algorithm, "ca.crt"),
                recorded!($algorithm, "ca.key"),
            ],
            apiserver: [
                recorded!($algorithm, "apiserver.crt"),
                recorded!($algorithm, "apiserver.key"),
            ],
            etcd_ca: [
                recorded!($algorithm, "etcd-ca.crt"),
                recorded!($algorithm, "etcd-ca.key"),
            ],
            etcd_server: [
                recorded!($algorithm, "etcd-server.crt"),
                recorded!($algorithm, "etcd-server.key"),
            ],
            super_admin: [
                recorded!($algorithm, "super-admin.crt"),
                recorded!($algorithm, "super-admin.key"),
            ],
        }
    };
}

#[test]
fn rsa_2048() {
    check(&recorded_all!("RSA-2048"));
}

#[test]
fn ecdsa_p256() {
    check(&recorded_all!("ECDSA-P256"));
}

#[test]
fn ecdsa_p384() {
    check(&recorded_all!("ECDSA-P384"));
}

fn check(recorded: &Recorded) {
    for (id, [certificate, key]) in [(CaId::Cluster, recorded.ca), (CaId::Etcd, recorded.etcd_ca)] {
        let original = read_one(certificate);
        let spec = CertificateAuthoritySpec {
            id,
            common_name: original.subject.common_name().unwrap().to_owned(),
            validity: original.validity,
            ..authority_spec(rinit_plan::KeyAlgorithm::Rsa2048)
        };
        let key = PrivateKey::load(key.as_bytes()).unwrap();
        let again = issue_authority(&spec, &key).unwrap();
        assert_same(certificate, &again);
    }

    let apiserver = CertificateSpec {
        dns_names: [
            "*.example.com",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "node-1",
        ]
        .map(str::to_owned)
        .to_vec(),
        ip_addresses: ["10.96.0.1", "192.0.2.10", "2001:db8::1"]
            .map(address)
            .to_vec(),
        validity: read_one(recorded.apiserver[0]).validity,
        ..server_spec()
    };
    let key = PrivateKey::load(recorded.apiserver[1].as_bytes()).unwrap();
    let again = load(recorded.ca[0], recorded.ca[1])
        .issue(&apiserver, &key)
        .unwrap();
    assert_same(recorded.apiserver[0], &again);

    let etcd_server = CertificateSpec {
        subject: subject(&[], "node-1"),
        usages: vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth],
        dns_names: ["localhost", "node-1"].map(str::to_owned).to_vec(),
        ip_addresses: ["192.0.2.10", "127.0.0.1", "::1"].map(address).to_vec(),
        validity: read_one(recorded.etcd_server[0]).validity,
        ..server_spec()
    };
    let key = PrivateKey::load(recorded.etcd_server[1].as_bytes()).unwrap();
    let again = load(recorded.etcd_ca[0], recorded.etcd_ca[1])
        .issue(&etcd_server, &key)
        .unwrap();
    assert_same(recorded.etcd_server[0], &again);

    let mut super_admin = client_spec();
    super_admin.validity = read_one(recorded.super_admin[0]).validity;
    let key = PrivateKey::load(recorded.super_admin[1].as_bytes()).unwrap();
    let again = load(recorded.ca[0], recorded.ca[1])
        .issue(&super_admin, &key)
        .unwrap();
    assert_same(recorded.super_admin[0], &again);
}

/// Compares two certificates from the serial number to the signature.
fn assert_same(original: &str, again: &str) {
    let (original, again) = (read_one(original), read_one(again));
    assert_ne!(original.serial, again.serial);
    assert_eq!(after_serial(&original), after_serial(&again));
}

fn after_serial(certificate: &Certificate) -> Vec<u8> {
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate.der).unwrap();
    let tbs: &[u8] = parsed.tbs_certificate.as_ref();
    let serial = tbs
        .windows(certificate.serial.len())
        .position(|window| window == certificate.serial)
        .unwrap();
    tbs[serial + certificate.serial.len()..].to_vec()
}
