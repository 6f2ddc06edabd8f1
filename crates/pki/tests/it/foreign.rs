//! Keys and authorities that others have made: every form of key, unusual names, chains, bundles.

use proptest::prelude::*;
use rinit_pki::{Authority, Certificate, PkiError, PrivateKey, chain, public_key_pins};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm};

use crate::support::{Folder, authority, client_spec, load, now, read_one, server_spec};

const ISSUE: &str = "-days 3650 -addext keyUsage=critical,keyCertSign,cRLSign";

#[test]
fn every_form_of_a_key_is_loaded_and_kept_as_it_is() {
    let folder = Folder::new();
    folder.openssl("genrsa -traditional -out pkcs1.key 2048");
    folder.openssl("pkcs8 -topk8 -nocrypt -in pkcs1.key -out pkcs8-rsa.key");
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        // With EC PARAMETERS in front, as OpenSSL does unless told otherwise.
        folder.openssl(&format!(
            "ecparam -name {curve} -genkey -out {curve}-parameters.key"
        ));
        folder.openssl(&format!(
            "ec -in {curve}-parameters.key -out {curve}-sec1.key"
        ));
        folder.openssl(&format!(
            "pkcs8 -topk8 -nocrypt -in {curve}-sec1.key -out {curve}-pkcs8.key"
        ));
    }
    let parameters = folder.read("prime256v1-parameters.key");
    assert!(parameters.starts_with("-----BEGIN EC PARAMETERS-----"));

    for name in [
        "pkcs1",
        "pkcs8-rsa",
        "prime256v1-parameters",
        "prime256v1-sec1",
        "prime256v1-pkcs8",
        "secp384r1-parameters",
        "secp384r1-sec1",
        "secp384r1-pkcs8",
        "secp521r1-parameters",
        "secp521r1-sec1",
        "secp521r1-pkcs8",
    ] {
        let text = folder.read(&format!("{name}.key"));
        let key = PrivateKey::load(text.as_bytes()).unwrap();
        assert_eq!(key.pem().expose(), &text);
        folder.openssl(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
        assert_eq!(key.public_key_pem(), folder.read(&format!("{name}.pub")));
        assert!(!format!("{key:?}").contains("PRIVATE"));

        // An authority with such a key signs, and OpenSSL agrees.
        folder.openssl(&format!(
            "req -x509 -new -key {name}.key -subj /CN=own -out {name}.crt {ISSUE}"
        ));
        let root = folder.read(&format!("{name}.crt"));
        let leaf_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let leaf = load(&root, &text).issue(&server_spec(), &leaf_key).unwrap();
        folder.write("leaf.crt", &leaf);
        folder.openssl(&format!(
            "verify -partial_chain -no_check_time -CAfile {name}.crt leaf.crt"
        ));
    }
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let folder = Folder::new();
    folder.openssl("genrsa -traditional -out plain.key 2048");
    folder.openssl("rsa -in plain.key -traditional -aes128 -passout pass:x -out old.key");
    folder.openssl("pkcs8 -topk8 -passout pass:x -in plain.key -out new.key");
    folder.openssl("genpkey -algorithm ed25519 -out ed25519.key");
    folder.openssl("genrsa -traditional -out short.key 1024");
    folder.openssl("ecparam -name secp256k1 -genkey -noout -out curve.key");
    for (name, error) in [
        ("old", PkiError::EncryptedKey),
        ("new", PkiError::EncryptedKey),
        ("ed25519", PkiError::UnsupportedKey),
        ("short", PkiError::UnsupportedKey),
        ("curve", PkiError::UnsupportedKey),
    ] {
        let text = folder.read(&format!("{name}.key"));
        assert_eq!(
            PrivateKey::load(text.as_bytes()).unwrap_err(),
            error,
            "{name}"
        );
    }
    assert_eq!(
        PrivateKey::load(b"no key").unwrap_err(),
        PkiError::NoPrivateKey
    );
    let text = folder.read("plain.key");
    let cut = &text[..text.len() / 2];
    let error = PrivateKey::load(cut.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "malformed PEM: a block has no end line");
}

#[test]
fn an_authority_of_any_name_is_named_as_it_names_itself() {
    for name in [
        "/DC=com/DC=acme/CN=Acme-Issuing-CA",
        "/O=Acme/OU=a/OU=b/CN=root",
        "/O=Acme/OU=a+CN=both",
        "/C=DE/ST=Baden-W\u{fc}rttemberg/CN=k8s/emailAddress=pki@example.com",
    ] {
        let folder = Folder::new();
        folder.openssl("genrsa -traditional -out ca.key 2048");
        folder.openssl(&format!(
            "req -x509 -utf8 -new -key ca.key -multivalue-rdn -subj {name} -out ca.crt {ISSUE}"
        ));
        let root = folder.read("ca.crt");
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let leaf = load(&root, &folder.read("ca.key"))
            .issue(&client_spec(), &key)
            .unwrap();
        folder.write("leaf.crt", &leaf);
        folder.openssl(&format!(
            "verify -x509_strict -purpose sslclient -attime {} -CAfile ca.crt leaf.crt",
            read_one(&root).validity.not_before.as_second() + 60
        ));
        let (leaf, root) = (read_one(&leaf), read_one(&root));
        assert_eq!(leaf.issuer.raw, root.subject.raw);
        assert_eq!(chain(&[leaf], &[root], &[]), Ok(0));
    }
}

#[test]
fn an_authority_without_a_key_identifier_gives_none() {
    let folder = Folder::new();
    folder.openssl("genrsa -traditional -out ca.key 2048");
    folder.openssl(&format!(
        "req -x509 -new -key ca.key -subj /CN=bare -out ca.crt {ISSUE} \
         -addext subjectKeyIdentifier=none -addext authorityKeyIdentifier=none"
    ));
    let root = folder.read("ca.crt");
    assert_eq!(read_one(&root).subject_key_id, None);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = load(&root, &folder.read("ca.key"))
        .issue(&client_spec(), &key)
        .unwrap();
    assert_eq!(read_one(&leaf).authority_key_id, None);
    assert_eq!(chain(&[read_one(&leaf)], &[read_one(&root)], &[]), Ok(0));
}

#[test]
fn an_intermediate_authority_signs_with_its_chain_beside_it() {
    let folder = Folder::new();
    folder.openssl("genrsa -traditional -out root.key 2048");
    folder.openssl(&format!(
        "req -x509 -new -key root.key -subj /CN=root -out root.crt {ISSUE}"
    ));
    folder.openssl("ecparam -name prime256v1 -genkey -out ca.key");
    folder.openssl("req -new -key ca.key -subj /CN=intermediate -out ca.csr");
    folder.write(
        "extensions",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    folder.openssl(
        "x509 -req -in ca.csr -CA root.crt -CAkey root.key -days 3650 -extfile extensions \
         -out intermediate.crt",
    );
    let (intermediate, root) = (folder.read("intermediate.crt"), folder.read("root.crt"));
    let bundle = format!("{intermediate}{root}");
    let loaded = load(&bundle, &folder.read("ca.key"));
    assert_eq!(
        loaded.certificate().subject.common_name(),
        Some("intermediate")
    );
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = loaded.issue(&client_spec(), &key).unwrap();

    let all = |pem: &str| Certificate::read_all(pem.as_bytes()).unwrap();
    // The chain beside the authority, the intermediate alone, and the chain beside the leaf.
    assert_eq!(chain(&all(&leaf), &all(&bundle), &[]), Ok(0));
    assert_eq!(chain(&all(&leaf), &all(&intermediate), &[]), Ok(0));
    let with_chain = format!("{leaf}{intermediate}");
    assert_eq!(chain(&all(&with_chain), &all(&root), &[]), Ok(0));
    assert!(chain(&all(&leaf), &all(&root), &[]).is_err());
}

/// A constrained CA signs anything; webpki refuses what it signed, before anybody else does.
#[test]
fn what_a_ca_must_not_sign_is_reported_with_the_reason() {
    let folder = Folder::new();
    folder.openssl("ecparam -name prime256v1 -genkey -noout -out ca.key");
    let spec = server_spec();
    let usage = "its extended key usage does not allow serverAuth";
    let names = "its name constraints do not allow the names";
    for (extensions, expected) in [
        ("", None),
        ("extendedKeyUsage=2.5.29.37.0", None),
        ("nameConstraints=critical,excluded;DNS:example.org", None),
        ("extendedKeyUsage=codeSigning", Some(usage)),
        (
            "nameConstraints=critical,permitted;DNS:example.com",
            Some(names),
        ),
        (
            "nameConstraints=critical,permitted;dirName:directory\n[directory]\nO=acme",
            Some(names),
        ),
        ("certificatePolicies=critical,1.2.3", None),
    ] {
        folder.write(
            "request",
            &format!(
                "[req]\ndistinguished_name=name\n[name]\n[ca]\nbasicConstraints=critical,CA:true\n\
                 keyUsage=critical,keyCertSign\n{extensions}\n"
            ),
        );
        folder.openssl(
            "req -config request -extensions ca -x509 -new -key ca.key -subj /CN=ca -out ca.crt \
             -days 3650",
        );
        let authority = load(&folder.read("ca.crt"), &folder.read("ca.key"));
        let refusal = authority.refusal((&spec).into()).unwrap();
        match (&refusal, expected) {
            (None, None) => {}
            (Some(reason), Some(expected)) => {
                assert!(reason.starts_with(expected), "{extensions}: {reason}");
                assert!(reason.ends_with("10.96.0.1, 2001:db8::1)"), "{reason}");
            }
            other => panic!("{extensions}: {other:?}"),
        }
    }
}

/// Two certificates for one key that differ in what they allow: one of them is enough.
#[test]
fn a_certificate_without_the_limit_beside_the_limited_one_is_enough() {
    let folder = Folder::new();
    folder.openssl("ecparam -name prime256v1 -genkey -noout -out ca.key");
    let made = |limit: &str| {
        folder.openssl(&format!(
            "req -x509 -new -key ca.key -subj /CN=ca -out ca.crt -days 3650 \
             -addext keyUsage=critical,keyCertSign{limit}"
        ));
        folder.read("ca.crt")
    };
    let limited = made(" -addext extendedKeyUsage=clientAuth");
    let both = format!("{limited}{}", made(""));
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let authority = load(&both, &folder.read("ca.key"));
    let leaf = read_one(&authority.issue(&server_spec(), &key).unwrap());
    let usages = [ExtendedKeyUsage::ServerAuth];
    assert_eq!(chain(&[leaf], &authority.certificates, &usages), Ok(1));
    let spec = server_spec();
    let judged = |authority: &Authority| {
        rinit_pki::judge_signing(&spec.signer, authority, &spec.name, &spec).unwrap()
    };
    assert_eq!(judged(&authority), None);
    let alone = load(&limited, &folder.read("ca.key"));
    assert_eq!(
        judged(&alone).unwrap().to_string(),
        "/etc/kubernetes/pki/ca.crt: the CA must not sign apiserver: its extended key usage does not \
         allow serverAuth (for *.example.com, kubernetes, node-1, 10.96.0.1, 2001:db8::1)"
    );
}

#[test]
fn in_a_bundle_the_certificate_of_the_key_signs() {
    let (old, new) = (
        authority(KeyAlgorithm::EcdsaP256),
        authority(KeyAlgorithm::EcdsaP384),
    );
    let bundle = format!("{}{}", old.certificate, new.certificate);
    let loaded = load(&bundle, new.key.pem().expose());
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = loaded.issue(&server_spec(), &key).unwrap();
    // Both bear the same name, so only the signature tells which of them signed.
    assert_eq!(chain(&[read_one(&leaf)], &loaded.certificates, &[]), Ok(1));
    assert_eq!(
        public_key_pins(bundle.as_bytes()).unwrap(),
        [
            read_one(&old.certificate).public_key_pin(),
            read_one(&new.certificate).public_key_pin()
        ]
    );

    let stranger = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(
        Authority::load(bundle.as_bytes(), stranger.pem().expose().as_bytes(), now()).unwrap_err(),
        PkiError::AuthorityMismatch
    );
}

#[test]
fn a_leaf_is_no_authority() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = root.authority.issue(&server_spec(), &key).unwrap();
    let error = Authority::load(leaf.as_bytes(), key.pem().expose().as_bytes(), now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the certificate of CN=kube-apiserver is not that of a certificate authority"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        read_everything(&bytes);
    }

    #[test]
    fn a_damaged_file_never_panics(
        position in 0_usize..2000,
        byte in any::<u8>(),
        kind in 0_usize..3,
    ) {
        let text = [
            include_str!("../kubeadm/RSA-2048/apiserver.crt"),
            include_str!("../kubeadm/ECDSA-P256/ca.key"),
            include_str!("../kubeadm/RSA-2048/ca.key"),
        ][kind];
        let mut bytes = text.as_bytes().to_vec();
        let position = position % bytes.len();
        bytes[position] = byte;
        read_everything(&bytes);
    }

    #[test]
    fn a_damaged_certificate_never_panics(
        position in 0_usize..2000,
        byte in any::<u8>(),
        length in 0_usize..2000,
    ) {
        let original = read_one(include_str!("../kubeadm/ECDSA-P256/apiserver.crt"));
        let mut der = original.der;
        let position = position % der.len();
        der[position] = byte;
        der.truncate(1 + length % der.len().max(1));
        let text = pem::encode(&pem::Pem::new("CERTIFICATE", der));
        read_everything(text.as_bytes());
    }
}

fn read_everything(bytes: &[u8]) {
    if let Ok(certificates) = Certificate::read_all(bytes) {
        for certificate in &certificates {
            let _ = (
                certificate.subject.to_string(),
                certificate.public_key_pin(),
            );
        }
        let _ = chain(&certificates, &certificates, &[]);
    }
    if let Ok(key) = PrivateKey::load(bytes) {
        let _ = key.is_in_public_keys(bytes);
    }
    let _ = rinit_pki::judge_leaf(&server_spec(), bytes, Some(bytes), bytes, now());
    let _ = rinit_pki::open(&"0".repeat(64), bytes);
}
