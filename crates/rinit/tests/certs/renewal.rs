//! `rinit certs renew`: what it makes, keeps and refuses.

use jiff::SignedDuration;
use rinit_pki::{Certificate, PrivateKey};
use rinit_plan::{CaId, CertificateAuthoritySpec, KeyAlgorithm, LogicalPath, Subject, Validity};

use crate::support::{KUBECONFIGS, Node, PAIRS, embedded};

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
        rinit_pki::chain(&[new], &authority, &[]).unwrap();
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
fn the_flags_of_init_say_too_which_names_are_asked_for() {
    let node = Node::new();
    let flags = [
        "--apiserver-advertise-address",
        "192.0.2.10",
        "--node-name",
        "cp",
    ];
    let output = node.renew(&[&["apiserver"], &flags[..]].concat());
    assert!(
        output.stderr.contains("which are kept"),
        "{}",
        output.stderr
    );
    let output = node.renew(&[&["apiserver", "--prune-sans"], &flags[..]].concat());
    assert!(output.stderr.contains("are left out"), "{}", output.stderr);
    let refused = node.rinit(&["certs", "renew", "apiserver", "--prune-sans"]);
    assert_eq!(refused.code, Some(2));
    let told = "--prune-sans needs to know which names are asked for";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
}

/// kubeadm dates the certificate of a kubeconfig back to the first moment of its authority, which may
/// have been replaced by one for the same key since.
#[test]
fn a_certificate_that_begins_with_its_authority_gets_the_period_of_the_pairs() {
    let day = SignedDuration::from_hours(24);
    let minutes = SignedDuration::from_mins(5);
    for (years, age, replaced) in [
        (1, 1800, false),
        (3, 0, false),
        (3, 400, false),
        (1, 1800, true),
    ] {
        let node = Node::new();
        let period = day * 365 * years;
        let config = std::fs::read_to_string(node.config()).unwrap()
            + &format!("certificateValidityPeriod: {}h\n", period.as_hours());
        std::fs::write(node.config(), config).unwrap();
        let now = node.certificate("ca").validity.not_before;
        let begin = now - day * age;
        let authority = |begin| {
            let spec = CertificateAuthoritySpec {
                id: CaId::Cluster,
                common_name: "kubernetes".to_owned(),
                certificate: LogicalPath::parse("/etc/kubernetes/pki/ca.crt").unwrap(),
                key: LogicalPath::parse("/etc/kubernetes/pki/ca.key").unwrap(),
                algorithm: KeyAlgorithm::EcdsaP256,
                validity: Validity {
                    not_before: begin,
                    not_after: begin + day * 3650,
                },
            };
            let key = PrivateKey::load(&node.pki("ca.key")).unwrap();
            let authority = rinit_pki::issue_authority(&spec, &key).unwrap();
            std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), authority).unwrap();
        };
        authority(begin);
        node.renew(&["apiserver", "--config", &node.config()]);
        let admin = Subject {
            common_name: "kubernetes-admin".to_owned(),
            organizations: vec!["kubeadm:cluster-admins".to_owned()],
        };
        let validity = Validity {
            not_before: begin,
            not_after: begin + day * age + minutes + period,
        };
        node.embed("admin.conf", &admin, validity);
        if replaced {
            authority(now);
        }
        node.renew(&["admin.conf"]);
        let (new, _) = embedded(&node.read("/etc/kubernetes/admin.conf"));
        let length = new
            .validity
            .not_after
            .duration_since(new.validity.not_before);
        assert_eq!(length, period + minutes, "{years} years, {age} days");
    }
}

#[test]
fn groups_and_the_algorithm_of_the_key_that_change_are_told() {
    let node = Node::new();
    let config = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), config.replace("ECDSA-P256", "ECDSA-P384")).unwrap();
    let (old, _) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    let admin = Subject {
        common_name: "kubernetes-admin".to_owned(),
        organizations: vec!["system:masters".to_owned()],
    };
    node.embed("admin.conf", &admin, old.validity);
    // Without a configuration it stays what it is.
    let output = node.renew(&["admin.conf"]);
    for part in ["groups", "gets a key"] {
        assert!(!output.stderr.contains(part), "{}", output.stderr);
    }
    let (kept, _) = embedded(&node.read("/etc/kubernetes/admin.conf"));
    assert!(kept.subject.organizations().eq(["system:masters"]));

    let config = node.config();
    let output = node.renew(&["admin.conf", "--config", &config, "-o", "json"]);
    for part in [
        "admin.conf: the groups system:masters are left out",
        "in the new groups kubeadm:cluster-admins",
        "/etc/kubernetes/admin.conf gets a key of ECDSA-P384 and no longer of ECDSA-P256",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let renewed = &report["renewed"][0];
    assert_eq!(renewed["droppedGroups"][0], "system:masters");
    assert_eq!(renewed["addedGroups"][0], "kubeadm:cluster-admins");
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
    let hinted = format!(
        "`rinit certs renew apiserver --config FILE --root {}`",
        node.root().display()
    );
    for part in ["apiserver.crt", &hinted, "etcd/ca.key"] {
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

/// `kubelet.conf` of a copy still leads to the kubelet's files on the host.
#[test]
fn the_kubelet_s_files_of_the_host_are_left_where_a_copy_is_renewed() {
    const FILE: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    const LEFT: &str = "kubelet.conf: its client certificate is in a file outside of the folders";
    let node = Node::new();
    let (old, _) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
    let (certificate, key) = node.issue_aged(&old, "ca", 400);
    std::fs::create_dir_all(node.path("/var/lib/kubelet/pki")).unwrap();
    std::fs::write(
        node.path(FILE),
        format!("{certificate}{}", key.pem().expose()),
    )
    .unwrap();
    let text = std::fs::read_to_string(node.path("/etc/kubernetes/kubelet.conf")).unwrap();
    let text: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("-data: ") {
            Some((field, _)) if field.contains("client") => format!("{field}: {FILE}"),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(node.path("/etc/kubernetes/kubelet.conf"), text.join("\n")).unwrap();
    std::fs::create_dir_all(node.path("/srv")).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-a".as_ref(), node.path("/etc/kubernetes").as_os_str()])
        .arg(node.path("/srv/copy"))
        .status();
    assert!(copied.unwrap().success());
    let before = node.read(FILE);
    let (certificates, kubeconfigs) = (
        ["--cert-dir", "/srv/copy/pki"],
        ["--kubeconfig-dir", "/srv/copy"],
    );
    for folders in [
        &[certificates, kubeconfigs].concat()[..],
        &kubeconfigs,
        &certificates,
    ] {
        let output = node.renew(&[&["all"], folders].concat());
        assert!(output.stderr.contains(LEFT), "{}", output.stderr);
        let named = [&["certs", "renew", "kubelet.conf"], folders].concat();
        let output = node.rinit(&named);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert!(output.stderr.contains("not renewed"), "{}", output.stderr);
        assert_eq!(node.read(FILE), before, "{folders:?}");
        let check = [&["certs", "check-expiration"], folders].concat();
        let check = node.rinit(&check);
        assert!(
            !check.stdout.contains("\nkubelet.conf "),
            "{}",
            check.stdout
        );
    }
    // The host's own.
    let output = node.renew(&["all"]);
    assert!(
        !output.stderr.contains("leaving kubelet.conf"),
        "{}",
        output.stderr
    );
    assert_ne!(node.read(FILE), before);
}

/// The kubelet renews its certificate by itself, and never whom it trusts.
#[test]
fn a_kubelet_that_goes_on_gets_a_new_trust_and_keeps_its_certificate() {
    let node = Node::new();
    let other = Node::new();
    let (old, key) = embedded(&node.read("/etc/kubernetes/kubelet.conf"));
    let bundle = [node.pki("ca.crt"), other.pki("ca.crt")].concat();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), &bundle).unwrap();
    let output = node.renew(&["all", "-o", "json"]);
    for part in [
        "leaving kubelet.conf",
        "/etc/kubernetes/kubelet.conf trusts what is in /etc/kubernetes/pki/ca.crt",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        report["rewritten"][0]["path"],
        "/etc/kubernetes/kubelet.conf"
    );
    let text = node.read("/etc/kubernetes/kubelet.conf");
    assert_eq!(node.trusted("kubelet.conf"), bundle);
    let (kept, kept_key) = embedded(&text);
    assert_eq!(kept.serial, old.serial);
    assert_eq!(kept_key.pem().expose(), key.pem().expose());
    // Then there is nothing left to change.
    let output = node.renew(&["all", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["rewritten"], serde_json::json!([]));
    assert_eq!(node.read("/etc/kubernetes/kubelet.conf"), text);
}

/// The controller manager signs by a file of its own where `ca.crt` has several certificates.
#[test]
fn the_controller_manager_s_copy_of_the_signing_certificate_follows_the_key() {
    let node = Node::new();
    let other = Node::new();
    let pki = node.path("/etc/kubernetes/pki");
    let (first, second) = (node.pki("ca.crt"), other.pki("ca.crt"));
    std::fs::write(pki.join("ca.crt"), [&first[..], &second[..]].concat()).unwrap();
    let config = node.config();
    let phase = |words: &[&str]| {
        let output = node.rinit(&[&["init", "phase"], words, &["--config", &config]].concat());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output.stderr
    };
    phase(&["control-plane", "controller-manager"]);
    let signer = || Certificate::read_all(&node.pki("ca-signer.crt")).unwrap();
    let is = |pem: &[u8]| signer()[0].der == Certificate::read_all(pem).unwrap()[0].der;
    assert!(is(&first));
    let stale = "ca-signer.crt is not the certificate of the key that signs";
    assert!(!phase(&["certs", "all"]).contains(stale));
    // Another key signs from now on.
    std::fs::write(pki.join("ca.key"), other.pki("ca.key")).unwrap();
    let told = phase(&["certs", "all"]);
    assert!(told.contains(stale), "{told}");
    assert!(told.contains("phase control-plane controller-manager"));
    let told = "ca-signer.crt gets the certificate";
    // The authority of etcd has nothing to do with it; whatever the other one signs has.
    assert!(!node.renew(&["etcd-peer"]).stderr.contains(told));
    assert!(is(&first));
    let output = node.renew(&["scheduler.conf"]);
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert!(is(&second) && signer().len() == 1);
    assert!(!node.renew(&["all"]).stderr.contains(told));
    assert!(!phase(&["certs", "all"]).contains(stale));
}

/// The action of the authority itself is no part of these runs.
#[test]
fn a_bad_authority_is_told_once_before_the_first_write_by_those_it_would_sign() {
    let other = Node::new();
    for (file, bad, told) in [
        ("ca.key", b"junk".to_vec(), "ca.key: "),
        (
            "ca.key",
            other.pki("ca.key"),
            "ca.key: the key does not belong",
        ),
        ("ca.crt", b"junk".to_vec(), "ca.crt: "),
        (
            "ca.crt",
            other.pki("apiserver.crt"),
            "is not that of a certificate authority",
        ),
    ] {
        let node = Node::new();
        let config = node.config();
        for name in KUBECONFIGS.iter().chain(&["kubelet.conf"]) {
            std::fs::remove_file(node.path(&format!("/etc/kubernetes/{name}"))).unwrap();
        }
        std::fs::remove_file(node.path("/etc/kubernetes/pki/apiserver.crt")).unwrap();
        std::fs::write(node.path(&format!("/etc/kubernetes/pki/{file}")), bad).unwrap();
        let before = node.files();
        for phase in [["kubeconfig", "all"], ["certs", "apiserver"]] {
            let words = [&["init", "phase"], &phase[..], &["--config", &config]].concat();
            let output = node.rinit(&words);
            assert_eq!(output.code, Some(4), "{}", output.stderr);
            assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
            assert!(
                output.stderr.contains("hint: Put the "),
                "{}",
                output.stderr
            );
            assert_eq!(node.files(), before);
        }
    }
}

#[test]
fn a_missing_public_key_is_told_as_the_one_that_was_written() {
    let node = Node::new();
    let key = node.pki("sa.key");
    std::fs::remove_file(node.path("/etc/kubernetes/pki/sa.pub")).unwrap();
    let output = node.rinit(&["init", "phase", "certs", "sa", "--config", &node.config()]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told = "wrote /etc/kubernetes/pki/sa.pub for the key that was there";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert_eq!(node.pki("sa.key"), key);
}

#[test]
fn where_nothing_is_there_nothing_is_renewed_and_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--dry-run"]] {
        let output = std::process::Command::new(rinit_testkit::program())
            .arg("--root")
            .arg(folder.path().join("elsewhere"))
            .args(["certs", "renew", "all"])
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("nothing to renew"), "{told}");
    }
    assert!(!folder.path().join("elsewhere").exists());
}

#[test]
fn links_to_files_stay_links() {
    let node = Node::new();
    let store = node.path("/srv/store");
    std::fs::create_dir_all(&store).unwrap();
    let paths = [
        "/etc/kubernetes/admin.conf",
        "/etc/kubernetes/pki/apiserver.crt",
        "/etc/kubernetes/pki/apiserver.key",
    ];
    let mut old = Vec::new();
    for path in paths {
        let name = path.rsplit('/').next().unwrap();
        std::fs::rename(node.path(path), store.join(name)).unwrap();
        std::os::unix::fs::symlink(format!("/srv/store/{name}"), node.path(path)).unwrap();
        old.push(std::fs::read(store.join(name)).unwrap());
    }
    let output = node.renew(&["all", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let backup = node.path(report["backup"].as_str().unwrap());
    for (path, old) in paths.iter().zip(old) {
        assert!(node.path(path).is_symlink(), "{path}");
        let name = path.rsplit('/').next().unwrap();
        assert_ne!(std::fs::read(store.join(name)).unwrap(), old, "{path}");
        let kept = std::fs::read(backup.join(path.trim_start_matches('/'))).unwrap();
        assert_eq!(kept, old, "{path}");
    }
    assert_eq!(std::fs::read_dir(&store).unwrap().count(), 3);
    let pair = Certificate::read_all(&std::fs::read(store.join("apiserver.crt")).unwrap()).unwrap();
    let key = PrivateKey::load(&std::fs::read(store.join("apiserver.key")).unwrap()).unwrap();
    assert!(key.belongs_to(&pair[0]));
}

/// Who trusts only what is above an intermediate authority finds the way by what a server shows.
#[test]
fn certificates_behind_the_old_one_stay_where_they_lead_on() {
    let node = Node::new();
    let authority = node.pki("ca.crt");
    let file = node.path("/etc/kubernetes/pki/apiserver.crt");
    let leaf = node.pki("apiserver.crt");
    std::fs::write(&file, [leaf.clone(), authority.clone()].concat()).unwrap();
    node.renew(&["apiserver"]);
    let renewed = node.pki("apiserver.crt");
    assert!(renewed.ends_with(&authority));
    assert!(!renewed.starts_with(&leaf));
    // The authority has another certificate by now, and its old one has expired.
    let old = node.authority_anew(Validity {
        not_before: "2020-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2025-01-01T00:00:00Z".parse().unwrap(),
    });
    let leaf_now = String::from(node.certificate("apiserver").pem());
    std::fs::write(&file, leaf_now + &old).unwrap();
    let told = "apiserver.crt: the certificate of CN=kubernetes behind it expired at 2025-01-01";
    let check = ["certs", "check-expiration", "--warn-within", "1d"];
    let output = node.rinit(&check);
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    assert!(output.stderr.contains(told), "{}", output.stderr);
    let config = node.config();
    let output = node.rinit(&["init", "phase", "certs", "apiserver", "--config", &config]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told = "apiserver.crt: the certificate of CN=kubernetes expired at 2025-01-01";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    node.renew(&["apiserver"]);
    assert!(node.pki("apiserver.crt").ends_with(&authority));
    assert_eq!(node.rinit(&check).code, Some(0));

    // Another issuer's leads elsewhere, and nothing else is there.
    let leaf_now = String::from(node.certificate("apiserver").pem());
    let elsewhere = node.pki("etcd/ca.crt");
    let behind = [leaf_now.as_bytes(), &authority, &elsewhere].concat();
    std::fs::write(&file, behind).unwrap();
    node.renew(&["apiserver"]);
    assert!(node.pki("apiserver.crt").ends_with(&elsewhere));

    let other = node.pki("etcd/ca.crt");
    std::fs::write(&file, [leaf, other].concat()).unwrap();
    let output = node.renew(&["apiserver"]);
    let told = "apiserver.crt no longer has certificates behind it that are not its CA's";
    assert!(output.stderr.contains(told), "{}", output.stderr);
}
