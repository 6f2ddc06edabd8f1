//! The files of a control plane in a folder, the program over them, and OpenSSL beside them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_pki::{Authority, Certificate, Leaf, PrivateKey};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, Validity};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PKI: &str = "etc/kubernetes/pki";

/// A configuration whose certificates are quick to make.
pub(crate) const CONFIG: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.10}
nodeRegistration: {name: node-1, criSocket: unix:///run/rinit-test/none.sock}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
encryptionAlgorithm: ECDSA-P256
apiServer: {certSANs: [api.example.com]}
";

/// The phases that act on the running host or its cluster.
const HOST_PHASES: &str = "preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,\
    mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";

/// Every certificate with its authority.
pub(crate) const LEAVES: [(&str, &str); 7] = [
    ("apiserver", "ca"),
    ("apiserver-kubelet-client", "ca"),
    ("front-proxy-client", "front-proxy-ca"),
    ("etcd/server", "etcd/ca"),
    ("etcd/peer", "etcd/ca"),
    ("etcd/healthcheck-client", "etcd/ca"),
    ("apiserver-etcd-client", "etcd/ca"),
];

pub(crate) const KUBECONFIGS: [&str; 5] = [
    "admin.conf",
    "super-admin.conf",
    "kubelet.conf",
    "controller-manager.conf",
    "scheduler.conf",
];

pub(crate) const AUTHORITIES: [&str; 3] = ["ca", "front-proxy-ca", "etcd/ca"];

/// A folder with a configuration `c.yaml` and the node's `root`. Its name has a space.
pub(crate) struct Node {
    folder: TempDir,
}

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }
}

/// A run told in events.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
}

impl Run {
    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events
            .iter()
            .filter(move |event| event["event"] == kind)
    }

    pub(crate) fn messages(&self, kind: &str) -> Vec<String> {
        self.of(kind)
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn hints(&self, kind: &str) -> Vec<String> {
        self.of(kind)
            .filter_map(|event| event["hint"].as_str().map(str::to_owned))
            .collect()
    }

    /// The commands of the one way out.
    #[track_caller]
    pub(crate) fn remedy(&self) -> Vec<String> {
        let mut remedies = self.remedies();
        assert_eq!(remedies.len(), 1, "{}", self.shown());
        remedies.remove(0)
    }

    /// The commands of each remedy.
    pub(crate) fn remedies(&self) -> Vec<Vec<String>> {
        self.of("remedy")
            .map(|remedy| {
                let commands = remedy["commands"].as_array().unwrap();
                commands
                    .iter()
                    .map(|command| command.as_str().unwrap().to_owned())
                    .collect()
            })
            .collect()
    }

    /// What an action came to, and its detail.
    #[track_caller]
    pub(crate) fn action(&self, phase: &str) -> (String, String) {
        let event = self
            .of("step-finished")
            .find(|event| event["phase"] == phase)
            .unwrap_or_else(|| panic!("{phase}: {}", self.shown()));
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        (text("outcome"), text("detail"))
    }

    /// How the run ended.
    pub(crate) fn outcome(&self) -> String {
        let last = self.of("run-finished").next().unwrap();
        last["outcome"].as_str().unwrap().to_owned()
    }

    pub(crate) fn shown(&self) -> String {
        self.events
            .iter()
            .filter(|event| {
                ["problem", "warning", "remedy", "run-finished"]
                    .contains(&event["event"].as_str().unwrap())
            })
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// It went through, and there was nothing to complain of.
    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.shown());
        assert_eq!(self.messages("warning"), Vec::<String>::new());
        self
    }
}

impl Node {
    /// Nothing but a configuration.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("rinit judged ")
            .tempdir()
            .unwrap();
        let node = Self { folder };
        node.configure(CONFIG);
        std::fs::create_dir_all(node.pki("etcd")).unwrap();
        node
    }

    /// Everything that init makes in a folder.
    pub(crate) fn whole() -> Self {
        let node = Self::new();
        node.init().accepted();
        node
    }

    pub(crate) fn copy(&self) -> Self {
        let node = Self::new();
        node.run(
            "cp",
            ["-a", "--"].into_iter().map(OsStr::new).chain([
                self.path("root").join(".").as_os_str(),
                node.path("root").as_os_str(),
            ]),
        )
        .succeeded();
        node
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.path("c.yaml"), text).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A file of the node.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path("root").join(path)
    }

    pub(crate) fn pki(&self, file: &str) -> PathBuf {
        self.at(PKI).join(file)
    }

    fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, program: &str, words: I) -> Said {
        let output = Command::new(program)
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command as somebody types it, in a shell that finds rinit.
    pub(crate) fn shell(&self, command: &str) -> Said {
        let program = rinit_testkit::program();
        let folder = program.parent().unwrap().display();
        let script = format!("PATH={folder}:$PATH\n{command}");
        self.run("sh", ["-c", &script])
    }

    pub(crate) fn openssl(&self, words: &str) -> Said {
        self.shell(&format!("openssl {words}")).succeeded()
    }

    pub(crate) fn init(&self) -> Run {
        self.init_with("--config c.yaml")
    }

    pub(crate) fn init_with(&self, flags: &str) -> Run {
        let said = self.shell(&format!(
            "rinit init --root root {flags} --skip-phases={HOST_PHASES} -o json"
        ));
        let events: Vec<Value> = said
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(!events.is_empty(), "{}", said.stderr);
        Run {
            code: said.code,
            events,
        }
    }

    /// The same run, as people see it.
    pub(crate) fn init_text(&self) -> Said {
        self.shell(&format!(
            "rinit init --root root --config c.yaml --skip-phases={HOST_PHASES}"
        ))
    }

    /// Every file below the node's root.
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
        walk(&self.path("root"), &mut files);
        files
    }

    pub(crate) fn certificates(&self, file: &str) -> Vec<Certificate> {
        Certificate::read_all(&read(&self.pki(file))).unwrap()
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        self.certificates(&format!("{name}.crt")).remove(0)
    }

    /// The kubeconfig's context, and what it embeds: trusted certificates, client certificate, key.
    pub(crate) fn kubeconfig(&self, name: &str) -> (CurrentContext, [Vec<u8>; 3]) {
        let text = String::from_utf8(read(&self.at(&format!("etc/kubernetes/{name}"))));
        let context = CurrentContext::parse(&text.unwrap()).unwrap();
        let data = |source: &Option<Source>| match source {
            Some(Source::Data(data)) => data.expose().clone(),
            other => panic!("{name}: {other:?}"),
        };
        let embedded = [
            data(&context.ca),
            data(&context.client_certificate),
            data(&context.client_key),
        ];
        (context, embedded)
    }

    /// Makes an authority by OpenSSL: `NAME.crt` and `NAME.key` below the folder of the test.
    pub(crate) fn authority(&self, name: &str, key: &str, subject: &str) {
        self.openssl(&format!("{key} -out {name}.key"));
        self.openssl(&format!(
            "req -x509 -new -key {name}.key -utf8 -subj '{subject}' -days 3650 -out {name}.crt \
             -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
        ));
    }

    /// Copies a file of the test into the folder of certificates.
    pub(crate) fn put(&self, from: &str, to: &str) {
        write(&self.pki(to), read(&self.path(from)));
    }

    pub(crate) fn chmod(&self, mode: u32, file: &str) {
        std::fs::set_permissions(self.path(file), Permissions::from_mode(mode)).unwrap();
    }

    /// Every leaf and every client certificate is what its authority signed, by the word of OpenSSL
    /// and of webpki, names it as its issuer byte for byte, and has its key; every kubeconfig trusts
    /// just what is in `ca.crt`. `flags` go to `openssl verify`.
    pub(crate) fn check_signatures(&self, flags: &str) {
        let mut checked = Vec::new();
        for (name, authority) in LEAVES {
            let pem = read(&self.pki(&format!("{name}.crt")));
            let key = read(&self.pki(&format!("{name}.key")));
            checked.push((name, authority, pem, key));
        }
        let trusted = read(&self.pki("ca.crt"));
        for name in KUBECONFIGS {
            let (_, [ca, pem, key]) = self.kubeconfig(name);
            assert!(ca == trusted, "{name} trusts something else");
            checked.push((name, "ca", pem, key));
        }
        for (name, authority, pem, key) in checked {
            write(&self.path("leaf"), &pem);
            let file = format!("root/{PKI}/{authority}.crt");
            let said = self.openssl(&format!("verify -x509_strict {flags} -CAfile {file} leaf"));
            assert_eq!(said.stdout, "leaf: OK\n", "{name}");
            let leaf = Certificate::read_all(&pem).unwrap();
            let authorities = self.certificates(&format!("{authority}.crt"));
            let signer = rinit_pki::chain(&leaf, &authorities, &[]).unwrap();
            assert_eq!(
                leaf[0].issuer.raw, authorities[signer].subject.raw,
                "{name}"
            );
            assert_eq!(leaf[0].authority_key_id, authorities[signer].subject_key_id);
            assert!(
                PrivateKey::load(&key).unwrap().belongs_to(&leaf[0]),
                "{name}"
            );
        }
    }

    /// What the real kubeadm makes of the node's folder of certificates; none where it is not at
    /// hand.
    pub(crate) fn kubeadm(&self, phase: &str) -> Option<Said> {
        let Some(folder) = std::env::var_os("RINIT_TEST_COMPONENTS") else {
            eprintln!("skipped: kubeadm needs RINIT_TEST_COMPONENTS");
            return None;
        };
        let program = PathBuf::from(folder).join("bin/kubeadm");
        let kubeconfigs = if phase.starts_with("kubeconfig") {
            format!("--kubeconfig-dir '{}'", self.at("etc/kubernetes").display())
        } else {
            String::new()
        };
        Some(self.shell(&format!(
            "{} init phase {phase} --cert-dir '{}' {kubeconfigs} --kubernetes-version v1.37.1 \
             --apiserver-advertise-address 192.0.2.10 2>&1",
            program.display(),
            self.at(PKI).display()
        )))
    }

    /// A certificate like the one that is there but for what is changed, by its own authority.
    pub(crate) fn reissue(&self, name: &str, authority: &str, change: Change) {
        let old = self.certificate(name);
        let load = |file: String| read(&self.pki(&file));
        let authority = Authority::load(
            &load(format!("{authority}.crt")),
            &load(format!("{authority}.key")),
            Timestamp::now(),
        )
        .unwrap();
        let subject = rinit_plan::Subject {
            common_name: change
                .common_name
                .unwrap_or(old.subject.common_name().unwrap())
                .to_owned(),
            organizations: old.subject.organizations().map(str::to_owned).collect(),
        };
        let dns_names: Vec<String> = old.dns_names().map(str::to_owned).collect();
        let ip_addresses: Vec<_> = old.ip_addresses().collect();
        let now = Timestamp::now();
        let day = SignedDuration::from_hours(24);
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let leaf = Leaf {
            subject: &subject,
            usages: change.usages,
            dns_names: &dns_names,
            ip_addresses: &ip_addresses,
            validity: Validity {
                not_before: now + day * change.days.0,
                not_after: now + day * change.days.1,
            },
        };
        let certificate = authority.issue(leaf, &key).unwrap();
        write(&self.pki(&format!("{name}.crt")), certificate);
        write(&self.pki(&format!("{name}.key")), key.pem().expose());
    }
}

/// What is another in a certificate.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) usages: &'static [ExtendedKeyUsage],
    pub(crate) common_name: Option<&'static str>,
    /// From when until when it is valid, in days from now.
    pub(crate) days: (i32, i32),
}

impl Change {
    pub(crate) const NONE: Self = Self {
        usages: &[ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth],
        common_name: None,
        days: (-1, 30),
    };
}

#[track_caller]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
    // A key that everybody may read is worth a word.
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[track_caller]
pub(crate) fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}
