//! `rinit certs …` and `rinit kubeconfig …` through the program, on folders that it made itself.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs the program and reads what it wrote"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_pki::{Authority, Certificate, Leaf, PrivateKey};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, Subject, Validity};

const CONFIG: &str = "apiVersion: kubeadm.k8s.io/v1beta4
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
struct Node {
    folder: tempfile::TempDir,
}

struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Node {
    fn new() -> Self {
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

    fn configure(&self, names: &str) {
        std::fs::write(
            self.folder.path().join("c.yaml"),
            CONFIG.replace("SANS", names),
        )
        .unwrap();
    }

    fn config(&self) -> String {
        self.folder.path().join("c.yaml").display().to_string()
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn rinit(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_rinit"))
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

    fn renew(&self, arguments: &[&str]) -> Output {
        let output = self.rinit(&[&["certs", "renew"], arguments].concat());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("PRIVATE"), "{}", output.stderr);
        output
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).unwrap()
    }

    fn pki(&self, file: &str) -> Vec<u8> {
        self.read(&format!("/etc/kubernetes/pki/{file}"))
    }

    fn certificate(&self, name: &str) -> Certificate {
        Certificate::read_all(&self.pki(&format!("{name}.crt")))
            .unwrap()
            .remove(0)
    }

    /// Every file below the folder, with its content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
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
    fn age(&self, name: &str, authority: &str, days: i64) {
        let old = self.certificate(name);
        let (certificate, key) = self.issue_aged(&old, authority, days);
        let pki = self.path("/etc/kubernetes/pki");
        std::fs::write(pki.join(format!("{name}.crt")), certificate).unwrap();
        std::fs::write(pki.join(format!("{name}.key")), key.pem().expose()).unwrap();
    }

    fn issue_aged(&self, old: &Certificate, authority: &str, days: i64) -> (String, PrivateKey) {
        let authority = Authority::load(
            &self.pki(&format!("{authority}.crt")),
            &self.pki(&format!("{authority}.key")),
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
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
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
        (authority.issue(leaf, &key).unwrap(), key)
    }
}

fn embedded(kubeconfig: &[u8]) -> (Certificate, PrivateKey) {
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

const PAIRS: [(&str, &str); 7] = [
    ("apiserver", "ca"),
    ("apiserver-kubelet-client", "ca"),
    ("front-proxy-client", "front-proxy-ca"),
    ("etcd/server", "etcd/ca"),
    ("etcd/peer", "etcd/ca"),
    ("etcd/healthcheck-client", "etcd/ca"),
    ("apiserver-etcd-client", "etcd/ca"),
];

const KUBECONFIGS: [&str; 4] = [
    "admin.conf",
    "super-admin.conf",
    "controller-manager.conf",
    "scheduler.conf",
];

#[test]
fn everything_is_renewed_as_it_was_and_the_old_is_kept() {
    let node = Node::new();
    let before = node.files();
    let old: Vec<Certificate> = PAIRS
        .iter()
        .map(|(name, _)| node.certificate(name))
        .collect();
    // Without a configuration: everything comes from the old certificates.
    let output = node.renew(&["all", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["renewed"].as_array().unwrap().len(), 11);
    assert_eq!(report["left"][0]["name"], "kubelet.conf");

    for ((name, authority), old) in PAIRS.iter().zip(old) {
        let new = node.certificate(name);
        assert_ne!(new.serial, old.serial, "{name}");
        assert_ne!(new.subject_public_key_info, old.subject_public_key_info);
        assert_eq!(new.subject, old.subject);
        assert_eq!(new.issuer, old.issuer);
        assert_eq!(new.alternative_names, old.alternative_names, "{name}");
        assert_eq!(new.extended_key_usages, old.extended_key_usages);
        assert_eq!(new.public_key, old.public_key);
        let length = |one: &Certificate| {
            let validity = one.validity;
            validity.not_after.duration_since(validity.not_before)
        };
        assert_eq!(length(&new), length(&old));
        let key = PrivateKey::load(&node.pki(&format!("{name}.key"))).unwrap();
        assert!(key.belongs_to(&new), "{name}");
        let authority = Certificate::read_all(&node.pki(&format!("{authority}.crt"))).unwrap();
        rinit_pki::chain(&[new], &authority).unwrap();
    }
    for name in KUBECONFIGS {
        let path = format!("/etc/kubernetes/{name}");
        let (certificate, key) = embedded(&node.read(&path));
        let (old, _) = embedded(&before[&node.path(&path)]);
        assert!(key.belongs_to(&certificate));
        assert_eq!(certificate.subject, old.subject);
        assert_ne!(certificate.serial, old.serial);
    }
    // What init finds good afterwards is good.
    let again = node.rinit(&["init", "phase", "certs", "all", "--config", &node.config()]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);

    let backup = node.path(report["backup"].as_str().unwrap());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&backup).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o700);
    for (name, _) in PAIRS {
        for end in ["crt", "key"] {
            let path = format!("etc/kubernetes/pki/{name}.{end}");
            let kept = std::fs::read(backup.join(&path)).unwrap();
            assert_eq!(kept, before[&node.path(&path)], "{path}");
        }
    }
    // Authorities and the keys of service accounts are no matter of a renewal.
    for file in ["ca.crt", "ca.key", "sa.key", "etcd/ca.crt"] {
        assert_eq!(
            node.pki(file),
            before[&node.path(&format!("/etc/kubernetes/pki/{file}"))]
        );
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let node = Node::new();
    let before = node.files();
    let output = node.renew(&["all", "--dry-run"]);
    assert!(
        output.stderr.contains("would renew etcd-server"),
        "{}",
        output.stderr
    );
    assert_eq!(node.files(), before);
}

#[test]
fn names_are_added_and_those_no_longer_asked_for_are_kept_unless_pruned() {
    let node = Node::new();
    node.configure("new.example.com");
    let config = node.config();
    let output = node.renew(&["apiserver", "--config", &config]);
    let names: Vec<String> = node
        .certificate("apiserver")
        .dns_names()
        .map(str::to_owned)
        .collect();
    assert!(names.contains(&"new.example.com".to_owned()), "{names:?}");
    assert!(names.contains(&"api.example.com".to_owned()), "{names:?}");
    assert!(
        output
            .stderr
            .contains("api.example.com, 198.51.100.7, which are kept"),
        "{}",
        output.stderr
    );
    let output = node.renew(&["apiserver", "--config", &config, "--prune-sans"]);
    let names: Vec<String> = node
        .certificate("apiserver")
        .dns_names()
        .map(str::to_owned)
        .collect();
    assert!(!names.contains(&"api.example.com".to_owned()), "{names:?}");
    assert!(
        output
            .stderr
            .contains("api.example.com, 198.51.100.7 are left out"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_authority_without_its_key_is_left_and_said() {
    let node = Node::new();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/ca.key")).unwrap();
    let before = node.pki("apiserver.crt");
    let output = node.renew(&["all"]);
    assert!(
        output
            .stderr
            .contains("leaving apiserver: the key of ca is not on this host"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("renewing etcd-peer"),
        "{}",
        output.stderr
    );
    assert_eq!(node.pki("apiserver.crt"), before);
    let output = node.rinit(&["certs", "renew", "apiserver"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
}

#[test]
fn a_pair_that_a_crash_left_apart_is_mended() {
    let node = Node::new();
    // The key is new and the certificate old: what a crash between the two writes leaves.
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let path = node.path("/etc/kubernetes/pki/etcd/peer.key");
    std::fs::write(path, key.pem().expose()).unwrap();
    let init = ["init", "phase", "certs", "all", "--config", &node.config()];
    let refused = node.rinit(&init);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("etcd/peer.key"),
        "{}",
        refused.stderr
    );
    node.renew(&["etcd-peer"]);
    assert_eq!(node.rinit(&init).code, Some(0));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let node = Node::new();
    let output = node.rinit(&["certs", "renew", "etcd-serve"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("`etcd-server`"), "{}", output.stderr);
}

#[test]
fn all_problems_are_told_before_anything_is_written() {
    let node = Node::new();
    for file in ["apiserver.crt", "etcd/ca.key"] {
        std::fs::write(
            node.path(&format!("/etc/kubernetes/pki/{file}")),
            "nonsense",
        )
        .unwrap();
    }
    let before = node.files();
    let output = node.rinit(&["certs", "renew", "all"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    for part in [
        "apiserver.crt",
        "`rinit certs renew apiserver --config FILE`",
        "etcd/ca.key",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert_eq!(node.files(), before);
    // With the configuration it is known what an unreadable certificate should say.
    node.renew(&["apiserver", "--config", &node.config()]);
    assert!(
        node.certificate("apiserver")
            .dns_names()
            .any(|name| name == "api.example.com")
    );
}

#[test]
fn an_expired_kubelet_is_renewed_behind_its_link() {
    let node = Node::new();
    let (old, _) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
    let (certificate, key) = node.issue_aged(&old, "ca", 400);
    let pki = node.path("/var/lib/kubelet/pki");
    std::fs::create_dir_all(&pki).unwrap();
    let file = pki.join("kubelet-client-2025-01-01-00-00-00.pem");
    std::fs::write(&file, format!("{certificate}{}", key.pem().expose())).unwrap();
    let link = pki.join("kubelet-client-current.pem");
    // Absolute, as the kubelet makes it.
    std::os::unix::fs::symlink(
        "/var/lib/kubelet/pki/kubelet-client-2025-01-01-00-00-00.pem",
        &link,
    )
    .unwrap();
    let text = "current-context: c
contexts: [{name: c, context: {cluster: k, user: default-auth}}]
clusters: [{name: k, cluster: {server: 'https://192.0.2.10:6443'}}]
users: [{name: default-auth, user: {
  client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem,
  client-key: /var/lib/kubelet/pki/kubelet-client-current.pem}}]
";
    std::fs::write(node.path("/etc/kubernetes/kubelet.conf"), text).unwrap();
    let check = node.rinit(&["certs", "check-expiration", "--warn-within", "1d"]);
    assert_eq!(check.code, Some(6));
    assert!(check.stdout.contains("\nkubelet.conf "), "{}", check.stdout);
    assert!(check.stdout.contains("<invalid>"), "{}", check.stdout);

    node.renew(&["all"]);
    assert!(link.is_symlink());
    let pem = std::fs::read(&file).unwrap();
    let new = Certificate::read_all(&pem).unwrap().remove(0);
    assert!(PrivateKey::load(&pem).unwrap().belongs_to(&new));
    assert_eq!(new.subject, old.subject);
    assert_eq!(node.read("/etc/kubernetes/kubelet.conf"), text.as_bytes());
    let check = node.rinit(&["certs", "check-expiration", "--warn-within", "30d"]);
    assert_eq!(check.code, Some(0), "{}{}", check.stdout, check.stderr);
    // Now the kubelet goes on by itself.
    let output = node.renew(&["all"]);
    assert!(
        output.stderr.contains("leaving kubelet.conf"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_expired_certificate_ends_with_its_exit_code_and_a_metric() {
    let node = Node::new();
    node.age("etcd/server", "etcd/ca", 400);
    let check =
        |arguments: &[&str]| node.rinit(&[&["certs", "check-expiration"], arguments].concat());
    assert_eq!(check(&[]).code, Some(0));
    assert_eq!(check(&["--warn-within", "0"]).code, Some(6));
    assert_eq!(check(&["--warn-within", "1w"]).code, Some(2));
    let metrics = check(&["-o", "prometheus"]).stdout;
    let end = node
        .certificate("etcd/server")
        .validity
        .not_after
        .as_second();
    let line = format!(
        "rinit_certificate_expiration_timestamp_seconds{{name=\"etcd-server\",ca=\"etcd-ca\",\
         path=\"/etc/kubernetes/pki/etcd/server.crt\",kind=\"leaf\"}} {end}\n"
    );
    assert!(metrics.contains(&line), "{metrics}");
    node.renew(&["etcd-server"]);
    assert_eq!(check(&["--warn-within", "30d"]).code, Some(0));
    assert_eq!(check(&["--warn-within", "400d"]).code, Some(6));
}

#[test]
fn a_bundle_is_kept_and_it_is_said_which_authority_signed() {
    let node = Node::new();
    let other = Node::new();
    // The other authority stands first, and the key is that of the second.
    let bundle = [other.pki("ca.crt"), node.pki("ca.crt")].concat();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), &bundle).unwrap();
    node.renew(&["apiserver"]);
    assert_eq!(node.pki("ca.crt"), bundle);
    let table = node.rinit(&["certs", "check-expiration"]).stdout;
    let line = table
        .lines()
        .find(|line| line.starts_with("apiserver ") && line.contains(" of "))
        .unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains("2 of 2"), "{line}");
}

#[test]
fn a_kubeconfig_for_a_user_is_printed() {
    let node = Node::new();
    let before = node.files();
    let config = node.config();
    let user = |more: &[&str]| {
        let arguments = [
            "kubeconfig",
            "user",
            "--client-name",
            "jane",
            "--config",
            &config,
        ];
        node.rinit(&[&arguments, more].concat())
    };
    let output = user(&["--org", "ops", "--org", "dev", "--validity-period", "30d"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let (certificate, key) = embedded(output.stdout.as_bytes());
    assert!(key.belongs_to(&certificate));
    assert_eq!(certificate.subject.to_string(), "O=dev, O=ops, CN=jane");
    let days = certificate
        .validity
        .not_after
        .duration_since(Timestamp::now())
        .as_hours();
    assert!((719..=720).contains(&days), "{days}");
    let context = CurrentContext::parse(&output.stdout).unwrap();
    assert_eq!(context.server, "https://192.0.2.10:6443");

    let output = user(&["--token", "abc.def"]);
    let context = CurrentContext::parse(&output.stdout).unwrap();
    assert_eq!(context.token.unwrap().expose(), "abc.def");
    assert!(context.client_certificate.is_none());
    assert_eq!(node.files(), before);
}

#[test]
fn a_certificate_key_is_64_digits_and_another_each_time() {
    let node = Node::new();
    let print = || node.rinit(&["certs", "certificate-key"]).stdout;
    let (one, other) = (print(), print());
    assert_eq!(one.trim_end().len(), 64);
    assert!(
        one.ends_with('\n')
            && one
                .trim_end()
                .bytes()
                .all(|digit| digit.is_ascii_hexdigit())
    );
    assert_ne!(one, other);
}

#[test]
fn what_another_authority_signed_is_checked_and_installed() {
    let node = Node::new();
    // The keys of the authorities are elsewhere from now on.
    let elsewhere = node.folder.path().join("elsewhere");
    let signed = node.folder.path().join("signed");
    std::fs::create_dir_all(elsewhere.join("etcd")).unwrap();
    std::fs::create_dir_all(signed.join("etcd")).unwrap();
    let pki = node.path("/etc/kubernetes/pki");
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        for end in ["crt", "key"] {
            let file = format!("{name}.{end}");
            std::fs::copy(pki.join(&file), elsewhere.join(&file)).unwrap();
        }
        std::fs::remove_file(pki.join(format!("{name}.key"))).unwrap();
    }
    let config = node.config();
    let generate = ["certs", "generate-csr", "--config", &config];
    let refused = node.rinit(&generate);
    assert_eq!(refused.code, Some(4));
    assert!(
        refused
            .stderr
            .contains("pki/etcd/peer.key is already there")
    );
    assert!(refused.stderr.contains("scheduler.conf is already there"));
    for (name, _) in PAIRS {
        for end in ["crt", "key"] {
            std::fs::remove_file(pki.join(format!("{name}.{end}"))).unwrap();
        }
    }
    for name in KUBECONFIGS.iter().chain(&["kubelet.conf"]) {
        std::fs::remove_file(node.path(&format!("/etc/kubernetes/{name}"))).unwrap();
    }
    let output = node.rinit(&generate);
    assert_eq!(output.code, Some(0), "{}", output.stderr);

    // Whoever signs there takes the names and the key from the request.
    let sign = |request: &Path, authority: &str, usage: &str, certificate: &Path| {
        let extensions = node.folder.path().join("extensions");
        std::fs::write(&extensions, format!("extendedKeyUsage={usage}\n")).unwrap();
        let output = Command::new("openssl")
            .args(["x509", "-req", "-days", "30", "-copy_extensions", "copyall"])
            .arg("-in")
            .arg(request)
            .arg("-CA")
            .arg(elsewhere.join(format!("{authority}.crt")))
            .arg("-CAkey")
            .arg(elsewhere.join(format!("{authority}.key")))
            .arg("-extfile")
            .arg(&extensions)
            .arg("-out")
            .arg(certificate)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for (name, authority) in PAIRS {
        let usage = match name {
            "apiserver" => "serverAuth",
            "etcd/server" | "etcd/peer" => "serverAuth,clientAuth",
            _ => "clientAuth",
        };
        let request = pki.join(format!("{name}.csr"));
        sign(
            &request,
            authority,
            usage,
            &signed.join(format!("{name}.crt")),
        );
    }
    for name in KUBECONFIGS.iter().chain(&["kubelet.conf"]) {
        let request = node.path(&format!("/etc/kubernetes/{name}.csr"));
        sign(
            &request,
            "ca",
            "clientAuth",
            &signed.join(format!("{name}.crt")),
        );
    }
    // Two are not what was asked for, and nothing is written as long as that is so.
    let good = std::fs::read(signed.join("apiserver.crt")).unwrap();
    let request = pki.join("apiserver-kubelet-client.csr");
    sign(&request, "ca", "serverAuth", &signed.join("apiserver.crt"));
    sign(
        &request,
        "etcd/ca",
        "clientAuth",
        &signed.join("front-proxy-client.crt"),
    );
    let from = signed.display().to_string();
    let install = ["certs", "install-signed", &from, "--config", &config];
    let before = node.files();
    let refused = node.rinit(&install);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for part in [
        "apiserver.crt: the certificate lacks the names",
        "apiserver.crt: the key does not belong",
        "front-proxy-client.crt: the certificate names CN=etcd-ca as its issuer",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(node.files(), before);

    std::fs::write(signed.join("apiserver.crt"), good).unwrap();
    let request = pki.join("front-proxy-client.csr");
    sign(
        &request,
        "front-proxy-ca",
        "clientAuth",
        &signed.join("front-proxy-client.crt"),
    );
    let output = node.rinit(&install);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    // Init finds all of it good.
    for phase in ["certs", "kubeconfig"] {
        let output = node.rinit(&["init", "phase", phase, "all", "--config", &config]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
    let (certificate, key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    assert!(key.belongs_to(&certificate));
}
