//! `rinit certs generate-csr` and `rinit certs install-signed`.

use std::path::Path;
use std::process::Command;

use crate::support::{KUBECONFIGS, Node, PAIRS, embedded, has, is_root, kubeadm};

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
    // One command for all of them, that works on the same folder as it stands.
    assert_eq!(refused.stderr.matches("hint: ").count(), 1);
    let root = node.root();
    let hinted = format!(
        "apiserver-etcd-client admin.conf super-admin.conf kubelet.conf controller-manager.conf \
         scheduler.conf --config {config} --root {}`",
        root.display()
    );
    assert!(refused.stderr.contains(&hinted), "{}", refused.stderr);
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

/// As the certificates of an authority elsewhere are renewed, year after year.
#[test]
fn what_else_is_in_a_kubeconfig_stays_when_its_certificate_is_installed() {
    let node = Node::new();
    let signed = node.folder.path().join("signed");
    std::fs::create_dir_all(&signed).unwrap();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace(
            "contexts:\n",
            "contexts:\n- name: other\n  context: {cluster: other, user: other}\n",
        )
        .replace(
            "clusters:\n",
            "clusters:\n- name: other\n  cluster: {server: https://other:6443}\n",
        )
        .replace("users:\n", "users:\n- name: other\n  user: {token: abc}\n")
        .replace("    server:", "    tls-server-name: api\n    server:");
    std::fs::write(&path, &text).unwrap();
    let (own, other) = (node.pki("ca.crt"), node.pki("etcd/ca.crt"));
    let both = [own, other].concat();
    node.put("admin.conf", "certificate-authority-data", &both);
    let (old, key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    let certificate = node.issue_for(&old, "ca", &key, 1);
    std::fs::write(signed.join("admin.conf.crt"), &certificate).unwrap();
    let from = signed.display().to_string();
    let config = node.config();
    let output = node.rinit(&["certs", "install-signed", &from, "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told = "admin.conf: it trusts CN=etcd-ca (until 20";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(node.trusted("admin.conf"), both);
    let (new, new_key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    assert_ne!(new.serial, old.serial);
    assert_eq!(new_key.pem().expose(), key.pem().expose());
    let text = std::fs::read_to_string(&path).unwrap();
    for part in ["https://other:6443", "token: abc", "tls-server-name: api"] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(text.matches("name: other").count(), 3);
}

#[test]
fn what_is_not_valid_yet_is_not_installed() {
    let node = Node::new();
    let signed = node.folder.path().join("signed");
    std::fs::create_dir_all(signed.join("etcd")).unwrap();
    let old = node.certificate("etcd/server");
    let (certificate, key) = node.issue_aged(&old, "etcd/ca", -5);
    std::fs::write(signed.join("etcd/server.crt"), certificate).unwrap();
    let path = node.path("/etc/kubernetes/pki/etcd/server.key");
    std::fs::write(path, key.pem().expose()).unwrap();
    let before = node.files();
    let from = signed.display().to_string();
    let refused = node.rinit(&["certs", "install-signed", &from, "--config", &node.config()]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for part in ["is not valid before", "the clock of this host"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(node.files(), before);
}

/// What is installed, everybody may read.
#[test]
fn a_private_key_beside_a_certificate_is_not_installed() {
    let node = Node::new();
    let signed = node.folder.path().join("signed");
    std::fs::create_dir_all(&signed).unwrap();
    let certificate = node.pki("apiserver.crt");
    let (client, key) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    let put = |name: &str, parts: [&[u8]; 3]| {
        std::fs::write(signed.join(name), parts.concat()).unwrap();
    };
    let server_key = node.pki("apiserver.key");
    put("apiserver.crt", [b"", &certificate, &server_key]);
    let client_pem = client.pem();
    let client_key = key.pem().expose().as_bytes();
    put("admin.conf.crt", [client_key, client_pem.as_bytes(), b""]);
    let from = signed.display().to_string();
    let install = ["certs", "install-signed", &from, "--config", &node.config()];
    let before = node.files();
    let refused = node.rinit(&install);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    for file in ["apiserver.crt", "admin.conf.crt"] {
        let told = format!("{file}: a private key stands beside the certificate");
        assert!(refused.stderr.contains(&told), "{}", refused.stderr);
    }
    assert!(!refused.stderr.contains("-----BEGIN"), "{}", refused.stderr);
    assert_eq!(node.files(), before);

    // Text beside the certificates stays behind.
    let text = b"Certificate:\n    Data:\n";
    put("apiserver.crt", [text, &certificate, b""]);
    put("admin.conf.crt", [text, client_pem.as_bytes(), b""]);
    let output = node.rinit(&install);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(node.pki("apiserver.crt"), certificate);
    let [_, written] = node.data("admin.conf");
    assert_eq!(written, client_pem.as_bytes());
}

/// A request as OpenSSL tells it, without the numbers of its key and signature.
fn told(request: &Path) -> String {
    let output = Command::new("openssl")
        .args([
            "req",
            "-noout",
            "-text",
            "-nameopt",
            "RFC2253,show_type",
            "-in",
        ])
        .arg(request)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let is_number = |line: &str| {
        line.trim()
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b':')
    };
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !is_number(line) && line.trim() != "(none)")
        .collect::<Vec<_>>()
        .join("\n")
}

/// kubeadm's requests and ours, from the same configuration: subjects with the types of their
/// texts, names, algorithms, file names and modes, and the kubeconfigs that hold the keys.
#[test]
fn requests_are_as_kubeadm_s() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(kubeadm) = kubeadm() else {
        return;
    };
    let node = Node::new();
    for (algorithm, names) in [
        (
            "ECDSA-P256",
            "api.example.com, 198.51.100.7, \"*.x.example.com\", \"2001:db8::7\"",
        ),
        ("RSA-2048", "a.example.com"),
        ("ECDSA-P384", "b.example.com"),
    ] {
        node.configure(names);
        let config = std::fs::read_to_string(node.config()).unwrap();
        let config = format!(
            "{}controlPlaneEndpoint: api.example.com:7443\nclusterName: prod\n",
            config.replace("ECDSA-P256", algorithm)
        );
        std::fs::write(node.config(), config).unwrap();
        let place = tempfile::tempdir().unwrap();
        let make = |program: &Path, folder: &str| {
            let folder = place.path().join(folder);
            let output = Command::new(program)
                .args(["certs", "generate-csr", "--config", &node.config()])
                .arg("--cert-dir")
                .arg(folder.join("pki"))
                .arg("--kubeconfig-dir")
                .arg(&folder)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            folder
        };
        let theirs = make(&kubeadm, "kubeadm");
        let ours = make(&rinit_testkit::program(), "rinit");
        let files = files_below(&theirs);
        assert_eq!(files, files_below(&ours));
        assert_eq!(files.len(), 24);
        for file in files {
            let mode = |folder: &Path| {
                let data = std::fs::metadata(folder.join(&file)).unwrap();
                data.permissions().mode() & 0o7777
            };
            assert_eq!(mode(&theirs), mode(&ours), "{file}");
            let kind = file.rsplit('.').next().unwrap();
            if kind == "csr" {
                assert_eq!(told(&theirs.join(&file)), told(&ours.join(&file)), "{file}");
            } else if kind == "conf" {
                let text = |folder: &Path| {
                    let text = std::fs::read_to_string(folder.join(&file)).unwrap();
                    let (before, key) = text.split_once("client-key-data: ").unwrap();
                    assert_eq!(key.trim().lines().count(), 1, "{file}");
                    before.to_owned()
                };
                // kubeadm sends this kubelet by way of the endpoint, and that of init to its own
                // API server; here both go there.
                let wanted = match file.as_str() {
                    "kubelet.conf" => {
                        text(&theirs).replace("api.example.com:7443", "192.0.2.10:6443")
                    }
                    _ => text(&theirs),
                };
                assert_eq!(text(&ours), wanted, "{file}");
            }
        }
    }
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for below in ["", "pki", "pki/etcd"] {
        for entry in std::fs::read_dir(folder.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    files.sort();
    files
}

/// Whoever names folders of his own needs no rights on the machine.
#[test]
fn an_ordinary_user_makes_requests_in_folders_of_his_own() {
    if !is_root() || !has("setpriv") {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    std::fs::copy(rinit_testkit::program(), place.path().join("rinit")).unwrap();
    std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
    let node = Node::new();
    std::fs::copy(node.config(), place.path().join("c.yaml")).unwrap();
    let run = || {
        Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .args(["--", "./rinit", "certs", "generate-csr"])
            .args(["--config", "c.yaml", "--cert-dir"])
            .arg(place.path().join("k/pki"))
            .arg("--kubeconfig-dir")
            .arg(place.path().join("k"))
            .current_dir(place.path())
            .output()
            .unwrap()
    };
    let output = run();
    assert!(output.status.success(), "{output:?}");
    let files = files_below(&place.path().join("k"));
    assert_eq!(files.len(), 24);
    // Nothing is written over.
    let output = run();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.matches("is already there").count(), 24, "{told}");
}
