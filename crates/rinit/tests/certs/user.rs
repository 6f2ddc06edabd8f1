//! `rinit kubeconfig user` and `rinit certs certificate-key`.

use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_parity::{Disk, Init, Snapshot, compare};
use rinit_pki::{Certificate, PrivateKey};
use rinit_plan::Validity;

use crate::support::{KUBECONFIGS, Node, Output, embedded, has, kubeadm};

/// The command for the user jane, with the configuration of the node.
fn jane(node: &Node, more: &[&str]) -> Output {
    let config = node.config();
    let words = [
        "kubeconfig",
        "user",
        "--client-name",
        "jane",
        "--config",
        &config,
    ];
    node.rinit(&[&words, more].concat())
}

#[test]
fn a_kubeconfig_for_a_user_is_printed() {
    let node = Node::new();
    let before = node.files();
    let output = jane(&node, &["--org", "ops,dev", "--validity-period", "30d"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stderr, "");
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

    let output = jane(&node, &["--token", "abc.def"]);
    let context = CurrentContext::parse(&output.stdout).unwrap();
    assert_eq!(context.token.unwrap().expose(), "abc.def");
    assert!(context.client_certificate.is_none());
    assert_eq!(node.files(), before);
}

/// An authority in one file with its key is what other tools make. What rinit writes for others to
/// read has its certificates alone.
#[test]
fn a_key_in_the_authoritys_file_goes_nowhere() {
    let node = Node::new();
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    let whole = |parts: &[&[u8]]| std::fs::write(&file, parts.concat()).unwrap();
    let (authority, key) = (node.pki("ca.crt"), node.pki("ca.key"));
    let config = node.config();
    let trusted = |name: &str| {
        let [trusted, _] = node.data(name);
        String::from_utf8(trusted).unwrap()
    };

    whole(&[b"subject=CN = kubernetes\n", &authority, &key]);
    let output = node.rinit(&["init", "phase", "certs", "all", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let mend = "`rinit certs ca prune ";
    let told = "ca.crt: a private key stands among the certificates";
    for part in [told, mend] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    std::fs::remove_file(node.path("/etc/kubernetes/admin.conf")).unwrap();
    let output = node.rinit(&["init", "phase", "kubeconfig", "all", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    // Text beside the certificates makes no difference either.
    assert!(!output.stderr.contains("trust"), "{}", output.stderr);
    assert_eq!(trusted("admin.conf").as_bytes(), authority);

    let output = jane(&node, &[]);
    for part in [told, mend] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    for output in [output, jane(&node, &["--token", "abc.def"])] {
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let context = CurrentContext::parse(&output.stdout).unwrap();
        let Some(Source::Data(trusted)) = context.ca else {
            panic!("no authority");
        };
        assert_eq!(*trusted.expose(), authority);
    }

    // A renewal that changes whom kubeconfigs trust, one of them made from nothing.
    let other = node.pki("front-proxy-ca.crt");
    whole(&[&authority, &key, &other]);
    std::fs::write(node.path("/etc/kubernetes/scheduler.conf"), "nothing").unwrap();
    let output = node.rinit(&["certs", "renew", "all", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains(mend), "{}", output.stderr);
    let both = String::from_utf8([authority, other].concat()).unwrap();
    for name in KUBECONFIGS.iter().chain(&["kubelet.conf"]) {
        assert_eq!(trusted(name), both, "{name}");
    }

    node.prune();
    assert_eq!(node.pki("ca.crt"), both.as_bytes());
}

/// kubeadm's and ours from the same authority and configuration: they differ in the key, the
/// serial number and the signature alone.
#[test]
fn a_user_s_kubeconfig_is_as_kubeadm_s() {
    let Some(kubeadm) = kubeadm() else {
        return;
    };
    let node = Node::new();
    // kubeadm knows no `--root`: the folder of the certificates is named.
    let folder = node.path("/etc/kubernetes/pki");
    let config = node.folder.path().join("kubeadm.yaml");
    let text = std::fs::read_to_string(node.config()).unwrap();
    let text = format!(
        "{text}certificatesDir: {}\nclusterName: prod\ncontrolPlaneEndpoint: api.example.com:7443\n",
        folder.display()
    );
    std::fs::write(&config, text).unwrap();
    let take = |program: &Path, more: &str| {
        let root = tempfile::tempdir().unwrap();
        let kubernetes = root.path().join("etc/kubernetes");
        std::fs::create_dir_all(kubernetes.join("pki")).unwrap();
        for file in ["ca.crt", "ca.key"] {
            std::fs::copy(folder.join(file), kubernetes.join("pki").join(file)).unwrap();
        }
        let init = Init::starting_now();
        let output = Command::new(program)
            .args(["kubeconfig", "user", "--client-name", "jane"])
            .args(more.split_whitespace())
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        let text = String::from_utf8(output.stdout).unwrap();
        // kubeadm prints an empty line behind it.
        std::fs::write(
            kubernetes.join("jane.conf"),
            format!("{}\n", text.trim_end()),
        )
        .unwrap();
        let disk = Disk::of_folder(root.path()).unwrap();
        (Snapshot::take(&disk, &[], init).unwrap(), stderr)
    };
    let rinit = &rinit_testkit::program();
    for more in [
        "",
        "--org b,a --org ops",
        "--validity-period 36h",
        "--validity-period 20000h",
        "--token that-somebody-made",
    ] {
        let (theirs, said) = take(&kubeadm, more);
        let (ours, told) = take(rinit, more);
        let differences = compare(&theirs, &ours);
        assert!(differences.is_empty(), "{more}: {differences:#?}");
        assert_eq!(
            told.contains("is valid for"),
            said.contains("validity period"),
            "{more}: {told}{said}"
        );
    }
    // The comparison would have seen it.
    let (theirs, _) = take(&kubeadm, "--org a");
    let (ours, _) = take(rinit, "--org b");
    assert!(!compare(&theirs, &ours).is_empty());
}

/// Without a configuration, the address is where the administrator finds the cluster, and not one
/// of this host's that is made up.
#[test]
fn without_a_configuration_the_server_is_the_administrator_s() {
    let node = Node::new();
    let path = node.path("/etc/kubernetes/admin.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text
        .replace("https://192.0.2.10:6443", "https://api.example.com:7443")
        .replace("kubernetes-admin@kubernetes", "context")
        .replace("name: kubernetes\n", "name: prod\n")
        .replace("cluster: kubernetes\n", "cluster: prod\n");
    std::fs::write(&path, text).unwrap();
    let output = node.rinit(&["kubeconfig", "user", "--client-name", "jane"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let context = CurrentContext::parse(&output.stdout).unwrap();
    assert_eq!(context.server, "https://api.example.com:7443");
    assert_eq!(context.cluster_name, "prod");
}

#[test]
fn an_empty_name_is_refused_and_an_empty_group_is_none() {
    let node = Node::new();
    let output = node.rinit(&["kubeconfig", "user", "--client-name", ""]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert_eq!(output.stdout, "");

    let output = jane(&node, &["--org", ""]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let (certificate, _) = embedded(output.stdout.as_bytes());
    assert_eq!(certificate.subject.organizations().count(), 0);

    let output = jane(&node, &["--token", "abc", "--org", "dev"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("`--org` says nothing"),
        "{}",
        output.stderr
    );
    let output = jane(&node, &["--token", "abc"]);
    assert_eq!(output.stderr, "");
}

fn openssl(folder: &Path, words: &[&str]) {
    let output = Command::new("openssl")
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The user keeps the key; whom the certificate names the administrator says.
#[test]
fn a_request_is_granted_as_far_as_the_command_line_says() {
    if !has("openssl") {
        return;
    }
    let node = Node::new();
    let folder = node.folder.path();
    let request = folder.join("jane.csr").display().to_string();
    for (key, subject, more, code, told) in [
        (
            "ec:P-256",
            "/O=dev/CN=jane",
            &["--org", "dev,ops"][..],
            0,
            "the key in jane.key",
        ),
        ("rsa:2048", "/CN=jane", &[], 0, "the key in jane.key"),
        ("ec:P-384", "/O=dev", &["--org", "dev"], 0, "jane.key"),
        (
            "ec:P-256",
            "/O=system:masters/CN=jane",
            &["--org", "dev"],
            4,
            "asks for the group system:masters",
        ),
        ("ec:P-256", "/CN=joe", &[], 4, "names another user"),
        ("rsa:1024", "/CN=jane", &[], 4, "neither RSA of 2048 bits"),
    ] {
        let (kind, option) = key.split_once(':').unwrap();
        let option = match kind {
            "ec" => format!("ec_paramgen_curve:{option}"),
            _ => format!("rsa_keygen_bits:{option}"),
        };
        let words = [
            "req", "-new", "-nodes", "-newkey", kind, "-pkeyopt", &option,
        ];
        let files = ["-keyout", "jane.key", "-out", "jane.csr", "-subj", subject];
        openssl(folder, &[&words[..], &files].concat());
        let output = jane(&node, &[&["--csr", &request], more].concat());
        assert_eq!(output.code, Some(code), "{subject}: {}", output.stderr);
        assert!(output.stderr.contains(told), "{told}: {}", output.stderr);
        if code != 0 {
            assert_eq!(output.stdout, "");
            continue;
        }
        let context = CurrentContext::parse(&output.stdout).unwrap();
        assert_eq!(
            context.client_key,
            Some(Source::File("jane.key".to_owned()))
        );
        let Some(Source::Data(pem)) = context.client_certificate else {
            panic!("{}", output.stdout);
        };
        let certificate = Certificate::read_all(pem.expose()).unwrap().remove(0);
        let key = PrivateKey::load(&std::fs::read(folder.join("jane.key")).unwrap()).unwrap();
        assert!(key.belongs_to(&certificate));
        assert_eq!(certificate.subject.common_name(), Some("jane"));
        let groups: Vec<&str> = certificate.subject.organizations().collect();
        let wanted: Vec<&str> = more
            .get(1)
            .map_or(Vec::new(), |list| list.split(',').collect());
        assert_eq!(groups, wanted);
        assert_eq!(certificate.extended_key_usages.len(), 1);
        let authority = Certificate::read_all(&node.pki("ca.crt")).unwrap();
        rinit_pki::chain(&[certificate], &authority, &[]).unwrap();
    }
    // A request that was changed after it was signed is not that of whoever has the key.
    openssl(
        folder,
        &[
            "req", "-in", "jane.csr", "-outform", "DER", "-out", "jane.der",
        ],
    );
    let mut der = std::fs::read(folder.join("jane.der")).unwrap();
    let end = der.len() - 1;
    der[end] ^= 1;
    std::fs::write(folder.join("jane.der"), der).unwrap();
    openssl(folder, &["base64", "-in", "jane.der", "-out", "jane.b64"]);
    let body = std::fs::read_to_string(folder.join("jane.b64")).unwrap();
    std::fs::write(
        folder.join("jane.csr"),
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"),
    )
    .unwrap();
    let output = jane(&node, &["--csr", &request]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
}

/// Another authority may sign for clients; what the user trusts stays the cluster's.
#[test]
fn another_authority_may_sign() {
    let node = Node::new();
    let other = Node::new();
    let file = |name: &str| {
        let path = other.path(&format!("/etc/kubernetes/pki/{name}"));
        path.display().to_string()
    };
    let (certificate, key) = (file("ca.crt"), file("ca.key"));
    let output = jane(&node, &["--ca-cert", &certificate, "--ca-key", &key]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let (issued, _) = embedded(output.stdout.as_bytes());
    let chains = |authority: &[u8]| {
        let authority = Certificate::read_all(authority).unwrap();
        rinit_pki::chain(std::slice::from_ref(&issued), &authority, &[]).is_ok()
    };
    assert!(chains(&other.pki("ca.crt")) && !chains(&node.pki("ca.crt")));
    let context = CurrentContext::parse(&output.stdout).unwrap();
    let Some(Source::Data(trusted)) = context.ca else {
        panic!("{}", output.stdout);
    };
    assert_eq!(*trusted.expose(), node.pki("ca.crt"));
    // With another authority's key it is refused, and half of it is no authority.
    let wrong = node
        .path("/etc/kubernetes/pki/ca.key")
        .display()
        .to_string();
    let output = jane(&node, &["--ca-cert", &certificate, "--ca-key", &wrong]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert_eq!(jane(&node, &["--ca-cert", &certificate]).code, Some(2));
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

/// What it signs would be of no use, and who gets the kubeconfig would be the first to know.
#[test]
fn an_authority_that_has_expired_signs_for_nobody() {
    let node = Node::new();
    let now = Timestamp::now();
    let day = SignedDuration::from_hours(24);
    let expired = node.authority_anew(Validity {
        not_before: now - day * 400,
        not_after: now - day,
    });
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), expired).unwrap();
    let output = jane(&node, &[]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""));
    let told = "/etc/kubernetes/pki/ca.crt: the certificate of the authority expired at";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert!(
        output.stderr.contains("`rinit certs ca renew ca "),
        "{}",
        output.stderr
    );
}

/// The proxy in front of it may have a certificate of another authority.
#[test]
fn who_gets_the_server_of_the_administrator_trusts_whom_he_trusts() {
    let node = Node::new();
    let both = [node.pki("ca.crt"), node.pki("etcd/ca.crt")].concat();
    node.put("admin.conf", "certificate-authority-data", &both);
    let trusted = |output: &Output| {
        let context = CurrentContext::parse(&output.stdout).unwrap();
        match context.ca {
            Some(Source::Data(trusted)) => trusted.expose().clone(),
            _ => Vec::new(),
        }
    };
    let user = ["kubeconfig", "user", "--client-name", "jane"];
    assert_eq!(trusted(&node.rinit(&user)), both);
    // The server of a configuration has nothing to do with it.
    assert_eq!(trusted(&jane(&node, &[])), node.pki("ca.crt"));
}
