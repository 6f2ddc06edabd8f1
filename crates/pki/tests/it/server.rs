//! Servers, judged by the verifier of rinit's connections and, to compare with, by rustls alone.

use std::sync::Arc;
use std::time::Duration;

use rinit_pki::{Certificate, ServerVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::support::{Folder, read_one};

const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
const SERVER: &str = "subjectAltName=DNS:api\nextendedKeyUsage=serverAuth\n";
const OF_ACME: &str = "nameConstraints=permitted;dirName:directory\n[directory]\nO=acme\n";
const POLICIES: &str = "certificatePolicies=critical,1.2.3\n";
const UNKNOWN: &str = "1.2.3.4=critical,ASN1:NULL\n";

struct Pki(Folder);

impl Pki {
    fn new() -> Self {
        let folder = Folder::new();
        for name in ["root", "below", "leaf", "other"] {
            folder.openssl(&format!(
                "ecparam -name prime256v1 -genkey -noout -out {name}.key"
            ));
        }
        Self(folder)
    }

    /// Signs `name` with the key of `above`; with its own, a root.
    fn sign(&self, name: &str, above: &str, extensions: &str) -> Certificate {
        self.sign_for(name, above, extensions, 3650)
    }

    fn sign_for(&self, name: &str, above: &str, extensions: &str, days: u32) -> Certificate {
        let folder = &self.0;
        folder.openssl(&format!(
            "req -new -key {name}.key -subj /CN={name} -out {name}.csr"
        ));
        folder.write("extensions", extensions);
        let signer = if name == above {
            format!("-signkey {name}.key")
        } else {
            format!("-CA {above}.crt -CAkey {above}.key")
        };
        folder.openssl(&format!(
            "x509 -req -in {name}.csr {signer} -days {days} -extfile extensions -out {name}.crt"
        ));
        read_one(&folder.read(&format!("{name}.crt")))
    }
}

/// What the two say, that of rustls first, when the shown certificate has that age in seconds.
fn judged(
    roots: &[&Certificate],
    shown: &[&Certificate],
    name: &str,
    age: i64,
) -> [Result<(), Error>; 2] {
    let roots: Vec<CertificateDer<'_>> = roots.iter().map(|root| der(root)).collect();
    let seconds = u64::try_from(shown[0].validity.not_before.as_second() + age).unwrap();
    let shown: Vec<CertificateDer<'_>> = shown.iter().map(|one| der(one)).collect();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    judged_at(&roots, &shown, name, time)
}

fn judged_at(
    roots: &[CertificateDer<'_>],
    shown: &[CertificateDer<'_>],
    name: &str,
    time: UnixTime,
) -> [Result<(), Error>; 2] {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let of_rustls =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
    let ours = ServerVerifier::new(roots.iter().map(AsRef::as_ref), provider);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let verify = |verifier: &dyn ServerCertVerifier| {
        verifier
            .verify_server_cert(&shown[0], &shown[1..], &name, &[], time)
            .map(|_| ())
    };
    [
        of_rustls.map_or(Err(Error::General("no root".to_owned())), |verifier| {
            verify(&*verifier)
        }),
        ours.map_or(Err(Error::General("no root".to_owned())), |verifier| {
            verify(&verifier)
        }),
    ]
}

fn der(certificate: &Certificate) -> CertificateDer<'_> {
    CertificateDer::from(certificate.der.as_slice())
}

#[test]
fn what_kubectl_takes_is_taken() {
    let pki = Pki::new();
    // Extensions of the root, of the intermediate and of the leaf; whether each of the two takes it.
    for (root, below, leaf, expected) in [
        ("", "", "", [true, true]),
        (OF_ACME, "", "", [false, true]),
        ("", OF_ACME, "", [false, true]),
        (POLICIES, "", "", [true, true]),
        ("", POLICIES, "", [false, true]),
        ("", "", POLICIES, [false, true]),
        (POLICIES, POLICIES, POLICIES, [false, true]),
        (
            "nameConstraints=critical,permitted;DNS:api",
            "",
            "",
            [true, true],
        ),
        (
            "nameConstraints=critical,permitted;DNS:x",
            "",
            "",
            [false, false],
        ),
        ("extendedKeyUsage=clientAuth", "", "", [true, false]),
        ("", "extendedKeyUsage=2.5.29.37.0", "", [false, true]),
        (
            "",
            "policyConstraints=critical,requireExplicitPolicy:0",
            "",
            [false, false],
        ),
        (
            POLICIES,
            "policyConstraints=critical,requireExplicitPolicy:0\ncertificatePolicies=1.2.3",
            "certificatePolicies=1.2.3\n",
            [false, true],
        ),
        ("", "extendedKeyUsage=clientAuth", "", [false, false]),
        // A policy that the leaf does not have, and one that the leaf itself asks for.
        (
            "",
            "policyConstraints=critical,requireExplicitPolicy:0\ncertificatePolicies=1.2.3",
            "certificatePolicies=1.2.4\n",
            [false, false],
        ),
        (
            "",
            "",
            "policyConstraints=requireExplicitPolicy:0\n",
            [true, false],
        ),
        (
            "",
            "policyConstraints=requireExplicitPolicy:0\ncertificatePolicies=2.5.29.32.0",
            "certificatePolicies=2.5.29.32.0\n",
            [true, true],
        ),
        (
            "",
            "policyConstraints=requireExplicitPolicy:0\ninhibitAnyPolicy=0\n\
             certificatePolicies=2.5.29.32.0",
            "certificatePolicies=2.5.29.32.0\n",
            [true, false],
        ),
        (
            "",
            "policyConstraints=requireExplicitPolicy:1\ncertificatePolicies=1.2.3",
            "",
            [true, false],
        ),
        (
            "",
            "policyConstraints=requireExplicitPolicy:2\ncertificatePolicies=1.2.3",
            "",
            [true, true],
        ),
        // Go looks at the extensions of trusted ones too.
        (UNKNOWN, "", "", [true, false]),
        ("", UNKNOWN, "", [false, false]),
        ("", "", UNKNOWN, [false, false]),
        (
            "nameConstraints=critical,permitted;dirName:directory\n[directory]\nO=acme\n",
            "",
            "",
            [false, false],
        ),
    ] {
        let case = format!("root {root:?}, below {below:?}, leaf {leaf:?}");
        let root = pki.sign("root", "root", &format!("{AUTHORITY}{root}"));
        let below = pki.sign("below", "root", &format!("{AUTHORITY}{below}"));
        let leaf = pki.sign("leaf", "below", &format!("{SERVER}{leaf}"));
        let said = judged(&[&root], &[&leaf, &below], "api", 3600);
        assert_eq!(
            said.clone().map(|one| one.is_ok()),
            expected,
            "{case}: {said:?}"
        );
    }
}

/// A certificate that may not sign, and what it signed.
#[test]
fn who_is_no_authority_signs_nothing() {
    let pki = Pki::new();
    let may_sign = "basicConstraints=critical,CA:TRUE\n";
    for (root, below, expected) in [
        (AUTHORITY, AUTHORITY, true),
        (may_sign, may_sign, true),
        (
            AUTHORITY,
            "basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n",
            false,
        ),
        (
            "basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n",
            AUTHORITY,
            false,
        ),
        (AUTHORITY, "basicConstraints=CA:FALSE\n", false),
        ("basicConstraints=CA:FALSE\n", AUTHORITY, false),
        (
            "basicConstraints=critical,CA:TRUE,pathlen:0\n",
            AUTHORITY,
            false,
        ),
        (
            "basicConstraints=critical,CA:TRUE,pathlen:1\n",
            AUTHORITY,
            true,
        ),
    ] {
        let other = pki.sign("other", "other", AUTHORITY);
        let root = pki.sign("root", "root", root);
        let below = pki.sign("below", "root", below);
        let leaf = pki.sign("leaf", "below", SERVER);
        let [_, said] = judged(&[&other, &root], &[&leaf, &below], "api", 3600);
        assert_eq!(said.is_ok(), expected, "{said:?}");
        // The one that is no authority may be among the trusted, as the leaf of a bundle.
        let [_, said] = judged(&[&other, &root, &below], &[&leaf], "api", 3600);
        let expected = below.is_authority;
        assert_eq!(said.is_ok(), expected, "{said:?}");
    }
}

/// Go asks of the server's own certificate only that it is for servers.
#[test]
fn a_server_may_be_an_authority_or_trusted_itself() {
    let pki = Pki::new();
    let root = pki.sign("root", "root", AUTHORITY);
    let leaf = pki.sign("leaf", "root", &format!("{AUTHORITY}{SERVER}"));
    let [_, said] = judged(&[&root], &[&leaf], "api", 3600);
    assert_eq!(said, Ok(()));
    for extensions in [String::from(SERVER), format!("{AUTHORITY}{SERVER}")] {
        let own = pki.sign("other", "other", &extensions);
        assert_eq!(judged(&[&own], &[&own], "api", 3600)[1], Ok(()));
        assert!(judged(&[&own], &[&own], "x", 3600)[1].is_err());
        assert!(judged(&[&own], &[&own], "api", -3600)[1].is_err());
    }
    let own = pki.sign(
        "other",
        "other",
        "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:api\n",
    );
    assert!(judged(&[&own], &[&own], "api", 3600)[1].is_err());
}

/// One of version 1 says nothing of authorities, and Go takes it at its word.
#[test]
fn a_root_of_version_1_is_trusted() {
    let pki = Pki::new();
    pki.0
        .openssl("req -new -key root.key -subj /CN=root -out root.csr");
    pki.0
        .openssl("x509 -req -in root.csr -signkey root.key -days 3650 -out root.crt");
    let root = read_one(&pki.0.read("root.crt"));
    assert!(root.is_old);
    let leaf = pki.sign("leaf", "root", SERVER);
    assert_eq!(judged(&[&root], &[&leaf], "api", 3600)[1], Ok(()));
    let other = pki.sign("other", "other", AUTHORITY);
    assert!(judged(&[&other], &[&leaf], "api", 3600)[1].is_err());
}

/// rustls looks at no date of those that it trusts.
#[test]
fn an_authority_that_has_expired_vouches_for_nobody() {
    let pki = Pki::new();
    let root = pki.sign_for("root", "root", AUTHORITY, 10);
    let below = pki.sign_for("below", "root", AUTHORITY, 15);
    let leaf = pki.sign("leaf", "below", SERVER);
    let day = 24 * 3600;
    for (shown, age, expected) in [
        (&[&leaf, &below][..], 5 * day, Ok(())),
        (
            &[&leaf, &below],
            12 * day,
            Err("its authority is not valid now"),
        ),
        (
            &[&leaf, &below],
            20 * day,
            Err("its authority is not valid now"),
        ),
        (&[&leaf], 5 * day, Err("UnknownIssuer")),
    ] {
        let [_, said] = judged(&[&root], shown, "api", age);
        let said = said.map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(said, Ok(())),
            Err(words) => assert!(
                said.clone().is_err_and(|text| text.contains(words)),
                "{said:?}"
            ),
        }
    }
    let [_, said] = judged(&[&root, &below], &[&leaf], "api", 12 * day);
    assert_eq!(said, Ok(()));
}

#[test]
fn what_is_wrong_is_told_as_rustls_tells_it() {
    let pki = Pki::new();
    let root = pki.sign("root", "root", AUTHORITY);
    let leaf = pki.sign("leaf", "root", SERVER);
    let client = pki.sign(
        "leaf",
        "root",
        "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:api",
    );
    let other = pki.sign("other", "other", AUTHORITY);
    let mut forged = leaf.clone();
    *forged.der.last_mut().unwrap() ^= 1;
    let years = 11 * 365 * 24 * 3600;
    for (roots, shown, name, seconds) in [
        (&root, &leaf, "other", 3600),
        (&root, &leaf, "api", years),
        (&root, &leaf, "api", -years),
        (&root, &client, "api", 3600),
        (&root, &forged, "api", 3600),
        (&other, &leaf, "api", 3600),
    ] {
        let [of_rustls, ours] = judged(&[roots], &[shown], name, seconds);
        let purpose = |error: Error| match error {
            Error::InvalidCertificate(CertificateError::InvalidPurposeContext { .. }) => {
                CertificateError::InvalidPurpose.into()
            }
            other => other,
        };
        assert_eq!(of_rustls.map_err(purpose), ours);
        assert!(ours.is_err());
    }
}

/// What cannot be read whole is not looked at in part.
#[test]
fn a_broken_extension_hides_no_other() {
    let pki = Pki::new();
    let root = pki.sign("root", "root", AUTHORITY);
    pki.sign("leaf", "root", SERVER);
    // OpenSSL has them begin now.
    let time = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() + 3600));
    for (extensions, expected) in [
        ("", true),
        ("2.5.29.32=ASN1:NULL\n", false),
        ("1.2.3.4=critical,ASN1:NULL\n2.5.29.32=ASN1:NULL\n", false),
        (
            "1.2.3.4=critical,ASN1:NULL\n1.3.6.1.5.5.7.1.1=ASN1:NULL\n",
            false,
        ),
        ("1.2.3.4=critical,ASN1:NULL\n2.5.29.18=ASN1:NULL\n", false),
        // Nobody looks at these, nor whether they are whole.
        (
            "2.5.29.18=ASN1:NULL\n1.3.6.1.4.1.11129.2.4.2=ASN1:NULL\n",
            true,
        ),
        ("subjectKeyIdentifier=critical,hash\n", false),
        ("authorityKeyIdentifier=critical,keyid\n", false),
    ] {
        pki.0.write("extensions", &format!("{SERVER}{extensions}"));
        pki.0.openssl(
            "x509 -req -in leaf.csr -CA root.crt -CAkey root.key -days 9 -extfile extensions \
             -out leaf.crt",
        );
        let leaf = pki.0.read("leaf.crt");
        let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).unwrap();
        let [_, said] = judged_at(&[der(&root)], &[leaf], "api", time);
        assert_eq!(said.is_ok(), expected, "{extensions}: {said:?}");
    }
}

#[test]
fn a_signature_over_what_is_not_looked_at_counts() {
    let pki = Pki::new();
    let root = pki.sign("root", "root", &format!("{AUTHORITY}{OF_ACME}"));
    let leaf = pki.sign("leaf", "root", &format!("{SERVER}{POLICIES}"));
    let [_, sound] = judged(&[&root], &[&leaf], "api", 3600);
    assert_eq!(sound, Ok(()));
    // Another policy than the one that was signed, in a part that webpki is not shown.
    let policy = [6, 2, 0x2a, 3];
    let mut forged = leaf;
    let at = forged
        .der
        .windows(policy.len())
        .position(|part| part == policy)
        .unwrap();
    forged.der[at + 3] = 4;
    let [_, said] = judged(&[&root], &[&forged], "api", 3600);
    assert!(said.is_err());
}
