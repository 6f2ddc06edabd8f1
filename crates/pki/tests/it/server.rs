//! Servers, judged by the verifier of rinit's connections and, to compare with, by rustls alone.

use std::sync::Arc;
use std::time::Duration;

use rinit_pki::{Certificate, ServerVerifier};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{Error, RootCertStore};
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
            "x509 -req -in {name}.csr {signer} -days 3650 -extfile extensions -out {name}.crt"
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
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(|root| der(root)));
    let of_rustls =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
    let ours = ServerVerifier::new(roots.iter().map(|root| root.der.as_slice()), provider);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let seconds = u64::try_from(shown[0].validity.not_before.as_second() + age).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let below: Vec<CertificateDer<'_>> = shown[1..].iter().map(|one| der(one)).collect();
    let verify = |verifier: &dyn ServerCertVerifier| {
        verifier
            .verify_server_cert(&der(shown[0]), &below, &name, &[], time)
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
        ("extendedKeyUsage=clientAuth", "", "", [true, true]),
        ("", "extendedKeyUsage=clientAuth", "", [false, false]),
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
        assert_eq!(of_rustls, ours);
        assert!(ours.is_err());
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
