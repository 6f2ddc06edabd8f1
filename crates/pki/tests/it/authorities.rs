//! Authorities that were given another certificate for their key, and keys that Go cannot read:
//! which certificate signs, what is told, and that the way out leads there.

use rinit_pki::{
    Authority, Certificate, ChainFault, Finding, PkiError, PrivateKey, chain, issue_authority,
    judge_authority, judge_leaf,
};
use rinit_plan::KeyAlgorithm;

use crate::support::{
    Folder, Issued, authority, authority_spec, now, read_one, server_spec, validity,
};

/// A certificate for the key of an authority that is valid in these years.
fn of_years(root: &Issued, first: u16, last: u16) -> String {
    let mut spec = authority_spec(KeyAlgorithm::EcdsaP256);
    spec.validity = validity(
        &format!("{first}-01-01T00:00:00Z"),
        &format!("{last}-01-01T00:00:00Z"),
    );
    issue_authority(&spec, &root.key).unwrap().into()
}

fn judge(certificates: &str, key: Option<&PrivateKey>) -> Vec<Finding> {
    judge_authority(
        &authority_spec(KeyAlgorithm::EcdsaP256),
        certificates.as_bytes(),
        key.map(|key| key.pem().expose().as_bytes()),
        now(),
    )
}

/// The hint of the one finding.
fn hint(findings: Vec<Finding>) -> String {
    let [finding] = findings.try_into().unwrap();
    finding.hint.unwrap()
}

#[test]
fn of_several_certificates_of_the_key_one_that_is_valid_signs() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let (old, older) = (of_years(&root, 2016, 2025), of_years(&root, 2010, 2020));
    let (current, coming) = (of_years(&root, 2026, 2036), of_years(&root, 2030, 2040));
    let signer = |bundle: &[&String]| {
        let text: String = bundle.iter().map(|one| one.as_str()).collect();
        let key = root.key.pem().expose().as_bytes();
        let authority = Authority::load(text.as_bytes(), key, now()).unwrap();
        authority.certificate().pem().to_string()
    };
    assert_eq!(signer(&[&old, &current]), current);
    assert_eq!(signer(&[&coming, &current, &old]), current);
    assert_eq!(signer(&[&older, &old, &older]), old);
    let ending = of_years(&root, 2025, 2027);
    assert_eq!(signer(&[&ending, &current]), current);
    // What they signed is good for as long as the last of them.
    let leaf = read_one(&root.authority.issue(&server_spec(), &root.key).unwrap());
    let authorities = [read_one(&old), read_one(&current)];
    assert_eq!(chain(&[leaf], &authorities, &[]), Ok(1));
    // Nobody is sent for another certificate where there is one.
    let told = hint(judge(&format!("{old}{current}"), Some(&root.key)));
    assert!(
        told.ends_with("that is valid. `rinit certs ca prune` takes this one out."),
        "{told}"
    );
}

#[test]
fn what_has_expired_and_signs_nothing_is_to_be_taken_out() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let other = of_years(&authority(KeyAlgorithm::EcdsaP256), 2010, 2020);
    let told = hint(judge(
        &format!("{}{other}", root.certificate),
        Some(&root.key),
    ));
    assert!(told.starts_with("Its key is not the one here."), "{told}");
    let told = hint(judge(&of_years(&root, 2030, 2040), Some(&root.key)));
    assert!(told.starts_with("Look whether the clock"), "{told}");
}

/// `openssl req -x509` writes the same name as UTF8String.
#[test]
fn a_name_in_another_encoding_is_reported() {
    let root = authority(KeyAlgorithm::EcdsaP256);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let leaf = root.authority.issue(&server_spec(), &key).unwrap();
    let folder = Folder::new();
    folder.write("ca.crt", &of_years(&root, 2010, 2020));
    folder.write("ca.key", root.key.pem().expose());
    folder.openssl("req -x509 -new -key ca.key -subj /CN=kubernetes -days 30 -out renamed.crt");
    let renamed = folder.read("renamed.crt");
    assert_eq!(
        chain(&[read_one(&leaf)], &[read_one(&renamed)], &[]),
        Err(ChainFault::OtherEncoding)
    );
    let findings = judge_leaf(
        &server_spec(),
        leaf.as_bytes(),
        Some(key.pem().expose().as_bytes()),
        renamed.as_bytes(),
        now(),
    );
    let [finding] = findings.try_into().unwrap();
    assert!(
        finding.to_string().ends_with(
            "a certificate of the CA has the same name in another encoding, and names are compared \
             byte for byte"
        ),
        "{finding}"
    );
}

#[test]
fn who_has_signed_an_authority_is_asked_to_prolong_it() {
    let folder = Folder::new();
    for name in ["corporate", "ca"] {
        folder.openssl(&format!(
            "ecparam -name prime256v1 -genkey -noout -out {name}.key"
        ));
    }
    folder.openssl("req -x509 -new -key corporate.key -subj /CN=corporate -out corporate.crt");
    folder.openssl("req -new -key ca.key -subj /CN=kubernetes -out ca.csr");
    folder.write("extensions", "basicConstraints=critical,CA:TRUE\n");
    folder.openssl(
        "x509 -req -in ca.csr -CA corporate.crt -CAkey corporate.key -days 1 -extfile extensions \
         -out ca.crt",
    );
    let certificate = folder.read("ca.crt");
    let spec = authority_spec(KeyAlgorithm::EcdsaP256);
    let key = folder.read("ca.key");
    let later = "2050-01-01T00:00:00Z".parse().unwrap();
    let findings = judge_authority(&spec, certificate.as_bytes(), Some(key.as_bytes()), later);
    let told = hint(findings);
    assert!(
        told.starts_with("Have CN=corporate sign another certificate"),
        "{told}"
    );
    let authority = Authority::load(certificate.as_bytes(), key.as_bytes(), later).unwrap();
    assert_eq!(authority.renewal_hint(&spec.signer()), told);
    assert!(!told.contains('`'), "{told}");
}

#[test]
fn a_curve_that_go_does_not_read_is_refused() {
    for curve in ["-name secp256k1", "-name prime256v1 -param_enc explicit"] {
        let folder = Folder::new();
        folder.openssl(&format!("ecparam {curve} -genkey -noout -out ca.key"));
        folder.openssl("req -x509 -key ca.key -subj /CN=kubernetes -days 3650 -out ca.crt");
        assert_eq!(
            Certificate::read_all(folder.read("ca.crt").as_bytes()).unwrap_err(),
            PkiError::Curve { position: 1 },
            "{curve}"
        );
    }
}
