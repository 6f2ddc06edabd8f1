//! Each algorithm from the key to the leaf, as other implementations see it.

use std::time::Duration;

use rinit_pki::{AlternativeName, PrivateKey, PublicKey, Usage, chain, public_key_pins};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::support::{
    Folder, address, authority, authority_spec, client_spec, now, read_one, server_spec,
};

#[test]
fn rsa_2048() {
    check(KeyAlgorithm::Rsa2048);
}

#[test]
fn rsa_3072() {
    check(KeyAlgorithm::Rsa3072);
}

#[test]
fn rsa_4096() {
    check(KeyAlgorithm::Rsa4096);
}

#[test]
fn ecdsa_p256() {
    check(KeyAlgorithm::EcdsaP256);
}

#[test]
fn ecdsa_p384() {
    check(KeyAlgorithm::EcdsaP384);
}

fn check(algorithm: KeyAlgorithm) {
    let root = authority(algorithm);
    let key = PrivateKey::generate(algorithm).unwrap();
    let server = root.authority.issue(&server_spec(), &key).unwrap();
    let client = root.authority.issue(&client_spec(), &key).unwrap();

    profile(algorithm, &root.certificate, &server, &client);
    openssl_accepts(&root.certificate, &key, &server, &client);
    webpki_accepts(&root.certificate, &server, &client);
}

fn profile(algorithm: KeyAlgorithm, root: &str, server: &str, client: &str) {
    let (root, server, client) = (read_one(root), read_one(server), read_one(client));
    let spec = authority_spec(algorithm);

    assert!(root.is_authority);
    assert_eq!(root.subject.to_string(), "CN=kubernetes");
    assert_eq!(root.issuer, root.subject);
    assert_eq!(root.validity, spec.validity);
    assert_eq!(root.dns_names().collect::<Vec<_>>(), ["kubernetes"]);
    assert_eq!(root.subject_key_id.as_ref().unwrap().len(), 20);
    assert_eq!(root.authority_key_id, None);
    assert!(root.key_usage.unwrap().certificate_signing);
    assert!(root.extended_key_usages.is_empty());

    for leaf in [&server, &client] {
        assert!(!leaf.is_authority);
        assert_eq!(leaf.issuer, root.subject);
        assert_eq!(leaf.authority_key_id, root.subject_key_id);
        assert_eq!(leaf.subject_key_id, None);
        assert_eq!(leaf.validity, server_spec().validity);
        let usage = leaf.key_usage.unwrap();
        assert!(usage.digital_signature && usage.key_encipherment && !usage.certificate_signing);
        assert!(leaf.serial.len() <= 8 && leaf.serial != root.serial);
        assert_eq!(
            chain(std::slice::from_ref(leaf), std::slice::from_ref(&root), &[]),
            Ok(0)
        );
    }
    assert_ne!(server.serial, client.serial);
    assert_eq!(
        server.alternative_names,
        [
            AlternativeName::Dns("*.example.com".to_owned()),
            AlternativeName::Dns("kubernetes".to_owned()),
            AlternativeName::Dns("node-1".to_owned()),
            AlternativeName::Ip(address("10.96.0.1")),
            AlternativeName::Ip(address("2001:db8::1")),
        ]
    );
    assert_eq!(
        server.extended_key_usages,
        [Usage::Known(ExtendedKeyUsage::ServerAuth)]
    );
    assert_eq!(
        client.extended_key_usages,
        [Usage::Known(ExtendedKeyUsage::ClientAuth)]
    );
    assert_eq!(
        client.subject.to_string(),
        "O=system:masters, CN=kubernetes-super-admin"
    );
    assert!(client.alternative_names.is_empty());

    assert_eq!(server.public_key.to_string(), algorithm.name());
    let (public_key, signature) = match algorithm {
        KeyAlgorithm::Rsa2048 => (PublicKey::Rsa { bits: 2048 }, "1.2.840.113549.1.1.11"),
        KeyAlgorithm::Rsa3072 => (PublicKey::Rsa { bits: 3072 }, "1.2.840.113549.1.1.11"),
        KeyAlgorithm::Rsa4096 => (PublicKey::Rsa { bits: 4096 }, "1.2.840.113549.1.1.11"),
        KeyAlgorithm::EcdsaP256 => (
            PublicKey::Ecdsa {
                curve: "P256".to_owned(),
            },
            "1.2.840.10045.4.3.2",
        ),
        KeyAlgorithm::EcdsaP384 => (
            PublicKey::Ecdsa {
                curve: "P384".to_owned(),
            },
            "1.2.840.10045.4.3.3",
        ),
    };
    assert_eq!(server.public_key, public_key);
    assert_eq!(server.signature.oid, signature);
}

fn openssl_accepts(root: &str, key: &PrivateKey, server: &str, client: &str) {
    let folder = Folder::new();
    folder.write("ca.crt", root);
    folder.write("server.crt", server);
    folder.write("client.crt", client);
    folder.write("leaf.key", key.pem().expose());
    folder.write("leaf.pub", &key.public_key_pem());

    let verify = format!(
        "verify -x509_strict -attime {} -CAfile ca.crt",
        now().as_second()
    );
    folder.openssl(&format!("{verify} ca.crt"));
    folder.openssl(&format!(
        "{verify} -purpose sslserver -verify_hostname a.example.com server.crt"
    ));
    folder.openssl(&format!("{verify} -verify_ip 10.96.0.1 server.crt"));
    folder.openssl(&format!("{verify} -verify_ip 2001:db8::1 server.crt"));
    folder.openssl(&format!("{verify} -purpose sslclient client.crt"));
    let (success, _) = folder.try_openssl(&format!("{verify} -purpose sslserver client.crt"));
    assert!(!success, "a client certificate must not serve");

    folder.openssl("pkey -in leaf.key -check -noout");
    // The key is in the form that OpenSSL calls traditional, to the byte.
    folder.openssl("pkey -in leaf.key -traditional -out again.key");
    assert_eq!(&folder.read("again.key"), key.pem().expose());
    folder.openssl("pkey -in leaf.key -pubout -out again.pub");
    assert_eq!(folder.read("again.pub"), key.public_key_pem());
    folder.openssl("x509 -in server.crt -noout -pubkey -out of-certificate.pub");
    assert_eq!(folder.read("of-certificate.pub"), key.public_key_pem());
    // The certificate is in the PEM form that OpenSSL writes.
    folder.openssl("x509 -in server.crt -out again.crt");
    assert_eq!(folder.read("again.crt"), server);

    let digest = folder.openssl("pkey -pubin -in leaf.pub -outform DER -out leaf.der");
    assert_eq!(digest, "");
    let digest = folder.openssl("dgst -sha256 -r leaf.der");
    let pin = format!("sha256:{}", digest.split(' ').next().unwrap());
    assert_eq!(public_key_pins(server.as_bytes()).unwrap(), [pin]);
}

fn webpki_accepts(root: &str, server: &str, client: &str) {
    let root = read_one(root);
    let root = CertificateDer::from(root.der.as_slice());
    let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
    let time =
        UnixTime::since_unix_epoch(Duration::from_secs(now().as_second().try_into().unwrap()));
    for (pem, usage) in [
        (server, webpki::KeyUsage::server_auth()),
        (client, webpki::KeyUsage::client_auth()),
    ] {
        let certificate = read_one(pem);
        let der = CertificateDer::from(certificate.der.as_slice());
        let leaf = webpki::EndEntityCert::try_from(&der).unwrap();
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            std::slice::from_ref(&anchor),
            &[],
            time,
            usage,
            None,
            None,
        )
        .unwrap();
        let is_server = pem == server;
        for name in ["kubernetes", "a.example.com", "10.96.0.1", "2001:db8::1"] {
            let name = ServerName::try_from(name).unwrap();
            assert_eq!(
                leaf.verify_is_valid_for_subject_name(&name).is_ok(),
                is_server
            );
        }
        let other = ServerName::try_from("example.com").unwrap();
        assert!(leaf.verify_is_valid_for_subject_name(&other).is_err());
    }
}
