//! A control plane's files in a folder, and the program over them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_pki::{Authority, Certificate, Leaf, PrivateKey};
use rinit_plan::{
    CaId, CertificateAuthoritySpec, ExtendedKeyUsage, KeyAlgorithm, LogicalPath, Subject, Validity,
};

pub(crate) const CONFIG: &str = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.10}
nodeRegistration: {name: cp}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
encryptionAlgorithm: ECDSA-P256
apiServer: {certSANs: [SANS]}
";

/// A control plane's files in a folder.
pub(crate) struct Node {
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Node {
    pub(crate) fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        node.configure("api.example.com, 198.51.100.7");
        for phase in ["certs", "kubeconfig"] {
            let output = node.rinit(&["init", "phase", phase, "all", "--config", &node.config()]);
            assert_eq!(output.code, Some(0), "{}", output.stderr);
        }
        node
    }

    pub(crate) fn configure(&self, names: &str) {
        std::fs::write(
            self.folder.path().join("c.yaml"),
            CONFIG.replace("SANS", names),
        )
        .unwrap();
    }

    pub(crate) fn config(&self) -> String {
        self.folder.path().join("c.yaml").display().to_string()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn rinit(&self, arguments: &[&str]) -> Output {
        let output = Command::new(rinit_testkit::program())
            .arg("--root")
            .arg(self.root())
            .args(arguments)
            .output()
            .unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn renew(&self, arguments: &[&str]) -> Output {
        let output = self.rinit(&[&["certs", "renew"], arguments].concat());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("PRIVATE"), "{}", output.stderr);
        output
    }

    pub(crate) fn prune(&self) -> Output {
        let output = self.rinit(&["certs", "ca", "prune"]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).unwrap()
    }

    pub(crate) fn pki(&self, file: &str) -> Vec<u8> {
        self.read(&format!("/etc/kubernetes/pki/{file}"))
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        Certificate::read_all(&self.pki(&format!("{name}.crt")))
            .unwrap()
            .remove(0)
    }

    /// What a kubeconfig embeds: whom it trusts, and its client certificate.
    pub(crate) fn data(&self, kubeconfig: &str) -> [Vec<u8>; 2] {
        let text = String::from_utf8(self.read(&format!("/etc/kubernetes/{kubeconfig}"))).unwrap();
        let context = CurrentContext::parse(&text).unwrap();
        [context.ca, context.client_certificate].map(|source| match source {
            Some(Source::Data(data)) => data.expose().clone(),
            other => panic!("{kubeconfig}: {other:?}"),
        })
    }

    /// Every file below the folder, with its content.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.root(), &mut files);
        files
    }

    /// Replaces a pair by one with the same names that was issued so many days ago for a year.
    pub(crate) fn age(&self, name: &str, authority: &str, days: i64) {
        let old = self.certificate(name);
        let (certificate, key) = self.issue_aged(&old, authority, days);
        let pki = self.path("/etc/kubernetes/pki");
        std::fs::write(pki.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(pki.join(format!("{name}.key")), key.pem().expose()).unwrap();
    }

    /// Puts another client certificate, with its key, into a kubeconfig.
    pub(crate) fn embed(&self, name: &str, subject: &Subject, validity: Validity) {
        let authority =
            Authority::load(&self.pki("ca.crt"), &self.pki("ca.key"), Timestamp::now()).unwrap();
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let leaf = Leaf {
            subject,
            usages: &[ExtendedKeyUsage::ClientAuth],
            dns_names: &[],
            ip_addresses: &[],
            validity,
        };
        let certificate = authority.issue(leaf, &key).unwrap();
        self.put(name, "client-certificate-data", certificate.as_bytes());
        self.put(name, "client-key-data", key.pem().expose().as_bytes());
    }

    /// A certificate of another period for the key of the cluster's authority.
    pub(crate) fn authority_anew(&self, validity: Validity) -> String {
        let file = |name| LogicalPath::parse(&format!("/etc/kubernetes/pki/{name}")).unwrap();
        let spec = CertificateAuthoritySpec {
            id: CaId::Cluster,
            common_name: "kubernetes".to_owned(),
            certificate: file("ca.crt"),
            key: file("ca.key"),
            algorithm: KeyAlgorithm::EcdsaP256,
            validity,
        };
        let key = PrivateKey::load(&self.pki("ca.key")).unwrap();
        rinit_pki::issue_authority(&spec, &key).unwrap().into()
    }

    /// Puts other bytes into a field of a kubeconfig.
    pub(crate) fn put(&self, name: &str, wanted: &str, content: &[u8]) {
        let path = self.path(&format!("/etc/kubernetes/{name}"));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some((field, _)) if field.trim() == wanted => {
                format!("{field}: {}", STANDARD.encode(content))
            }
            _ => line.to_owned(),
        });
        let lines: Vec<String> = lines.collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
    }

    /// The certificates that a kubeconfig trusts, as PEM.
    pub(crate) fn trusted(&self, name: &str) -> Vec<u8> {
        let text = self.read(&format!("/etc/kubernetes/{name}"));
        let context = CurrentContext::parse(std::str::from_utf8(&text).unwrap()).unwrap();
        let Some(Source::Data(trusted)) = context.ca else {
            panic!("no authority is embedded");
        };
        trusted.expose().clone()
    }

    pub(crate) fn issue_aged(
        &self,
        old: &Certificate,
        authority: &str,
        days: i64,
    ) -> (String, PrivateKey) {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        (self.issue_for(old, authority, &key, days), key)
    }

    /// The same for a key that is there.
    pub(crate) fn issue_for(
        &self,
        old: &Certificate,
        authority: &str,
        key: &PrivateKey,
        days: i64,
    ) -> String {
        let authority = Authority::load(
            &self.pki(&format!("{authority}.crt")),
            &self.pki(&format!("{authority}.key")),
            Timestamp::now(),
        )
        .unwrap();
        let now = Timestamp::now();
        let day = SignedDuration::from_hours(24);
        let subject = Subject {
            common_name: old.subject.common_name().unwrap().to_owned(),
            organizations: old.subject.organizations().map(str::to_owned).collect(),
        };
        let dns_names: Vec<String> = old.dns_names().map(str::to_owned).collect();
        let ip_addresses: Vec<IpAddr> = old.ip_addresses().collect();
        let leaf = Leaf {
            subject: &subject,
            usages: &[ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth],
            dns_names: &dns_names,
            ip_addresses: &ip_addresses,
            validity: Validity {
                not_before: now - day * i32::try_from(days).unwrap(),
                not_after: now - day * i32::try_from(days - 365).unwrap(),
            },
        };
        authority.issue(leaf, key).unwrap().into()
    }
}

/// Runs the commands of a hint, one after the other.
pub(crate) fn follow(hint: &str) {
    let rinit = Path::new(env!("CARGO_BIN_EXE_rinit")).parent().unwrap();
    let path = format!("{}:{}", rinit.display(), std::env::var("PATH").unwrap());
    for command in hint.split('`').skip(1).step_by(2) {
        let mut shell = Command::new("sh");
        let status = shell.env("PATH", &path).args(["-c", command]).status();
        assert!(status.unwrap().success(), "{command}");
    }
}

pub(crate) fn embedded(kubeconfig: &[u8]) -> (Certificate, PrivateKey) {
    let context = CurrentContext::parse(std::str::from_utf8(kubeconfig).unwrap()).unwrap();
    let (Some(Source::Data(certificate)), Some(Source::Data(key))) =
        (context.client_certificate, context.client_key)
    else {
        panic!("nothing is embedded");
    };
    (
        Certificate::read_all(certificate.expose())
            .unwrap()
            .remove(0),
        PrivateKey::load(key.expose()).unwrap(),
    )
}

pub(crate) const PAIRS: [(&str, &str); 7] = [
    ("apiserver", "ca"),
    ("apiserver-kubelet-client", "ca"),
    ("front-proxy-client", "front-proxy-ca"),
    ("etcd/server", "etcd/ca"),
    ("etcd/peer", "etcd/ca"),
    ("etcd/healthcheck-client", "etcd/ca"),
    ("apiserver-etcd-client", "etcd/ca"),
];

pub(crate) const KUBECONFIGS: [&str; 4] = [
    "admin.conf",
    "super-admin.conf",
    "controller-manager.conf",
    "scheduler.conf",
];

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether a program is on this machine; says what is skipped if not.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|folders| {
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    });
    if !found {
        eprintln!("skipped: there is no `{program}` on this machine");
    }
    found
}

/// The real kubeadm, where its programs are at hand.
pub(crate) fn kubeadm() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("RINIT_TEST_COMPONENTS") else {
        eprintln!("skipped: this needs RINIT_TEST_COMPONENTS");
        return None;
    };
    Some(Path::new(&folder).join("bin/kubeadm"))
}
