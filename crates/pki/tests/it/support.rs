//! Specifications to start from, and OpenSSL as another pair of eyes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;

use jiff::Timestamp;
use rinit_pki::{Authority, Certificate, PrivateKey, issue_authority};
use rinit_plan::{
    CaId, CertificateAuthoritySpec, CertificateSpec, ExtendedKeyUsage, KeyAlgorithm,
    KubeconfigSpec, LogicalPath, Signer, Subject, Validity,
};

/// The moment at which the tests take place.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn validity(not_before: &str, not_after: &str) -> Validity {
    Validity {
        not_before: not_before.parse().unwrap(),
        not_after: not_after.parse().unwrap(),
    }
}

pub(crate) fn path(text: &str) -> LogicalPath {
    LogicalPath::parse(text).unwrap()
}

pub(crate) fn subject(organizations: &[&str], common_name: &str) -> Subject {
    Subject {
        common_name: common_name.to_owned(),
        organizations: organizations.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn authority_spec(algorithm: KeyAlgorithm) -> CertificateAuthoritySpec {
    CertificateAuthoritySpec {
        id: CaId::Cluster,
        certificate: path("/etc/kubernetes/pki/ca.crt"),
        key: path("/etc/kubernetes/pki/ca.key"),
        common_name: "kubernetes".to_owned(),
        algorithm,
        // Beyond 2049, where UTCTime ends.
        validity: validity("2026-06-01T00:00:00Z", "2056-06-01T00:00:00Z"),
    }
}

fn signer() -> Signer {
    Signer {
        id: CaId::Cluster,
        certificate: path("/etc/kubernetes/pki/ca.crt"),
        key: path("/etc/kubernetes/pki/ca.key"),
    }
}

pub(crate) fn server_spec() -> CertificateSpec {
    CertificateSpec {
        name: "apiserver".to_owned(),
        certificate: path("/etc/kubernetes/pki/apiserver.crt"),
        key: path("/etc/kubernetes/pki/apiserver.key"),
        signer: signer(),
        subject: subject(&[], "kube-apiserver"),
        usages: vec![ExtendedKeyUsage::ServerAuth],
        dns_names: ["*.example.com", "kubernetes", "node-1"]
            .map(str::to_owned)
            .to_vec(),
        ip_addresses: vec![address("10.96.0.1"), address("2001:db8::1")],
        algorithm: KeyAlgorithm::EcdsaP256,
        validity: validity("2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z"),
    }
}

pub(crate) fn client_spec() -> KubeconfigSpec {
    KubeconfigSpec {
        name: "super-admin.conf".to_owned(),
        path: path("/etc/kubernetes/super-admin.conf"),
        server: "https://192.0.2.10:6443".to_owned(),
        cluster_name: "kubernetes".to_owned(),
        signer: signer(),
        subject: subject(&["system:masters"], "kubernetes-super-admin"),
        algorithm: KeyAlgorithm::EcdsaP256,
        validity: validity("2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z"),
        rotated: None,
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn read_one(pem: &str) -> Certificate {
    let [certificate] = Certificate::read_all(pem.as_bytes())
        .unwrap()
        .try_into()
        .unwrap();
    certificate
}

/// An authority as PEM, and loaded from it.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: PrivateKey,
    pub(crate) authority: Authority,
}

pub(crate) fn authority(algorithm: KeyAlgorithm) -> Issued {
    let key = PrivateKey::generate(algorithm).unwrap();
    let certificate = issue_authority(&authority_spec(algorithm), &key).unwrap();
    let authority = load(&certificate, key.pem().expose());
    Issued {
        certificate: certificate.into(),
        key,
        authority,
    }
}

pub(crate) fn load(certificate: &str, key: &str) -> Authority {
    Authority::load(certificate.as_bytes(), key.as_bytes(), now()).unwrap()
}

/// A folder of files for OpenSSL, removed at the end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "OpenSSL reads files")]
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    #[expect(clippy::disallowed_methods, reason = "OpenSSL writes files")]
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// Runs OpenSSL in the folder; its output, or a panic with what it complained about.
    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let (success, output) = self.try_openssl(arguments);
        assert!(success, "openssl {arguments}: {output}");
        output
    }

    #[expect(clippy::disallowed_methods, reason = "OpenSSL judges what was issued")]
    pub(crate) fn try_openssl(&self, arguments: &str) -> (bool, String) {
        let output = std::process::Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }
}
