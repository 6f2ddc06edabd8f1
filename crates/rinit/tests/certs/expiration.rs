//! `rinit certs check-expiration` on folders that something happened to.

use std::process::Command;

use jiff::Timestamp;
use rinit_pki::Certificate;
use rinit_plan::Validity;
use serde_json::Value;

use crate::support::{Node, follow, has, kubeadm};

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
fn what_is_not_valid_yet_counts_as_bad() {
    let node = Node::new();
    node.age("etcd/server", "etcd/ca", -5);
    let check = node.rinit(&["certs", "check-expiration", "--warn-within", "1d"]);
    assert_eq!(check.code, Some(6), "{}", check.stdout);
    let told = "etcd/server.crt: it is not valid before 20";
    assert!(check.stderr.contains(told), "{}", check.stderr);
}

#[test]
fn the_kubelet_s_files_of_the_host_are_no_part_of_a_copy() {
    let node = Node::new();
    let pki = node.path("/var/lib/kubelet/pki");
    std::fs::create_dir_all(&pki).unwrap();
    std::fs::write(pki.join("kubelet.crt"), "broken").unwrap();
    let check = |words: &[&str]| {
        let within = ["certs", "check-expiration", "--warn-within", "30d"];
        node.rinit(&[&within, words].concat())
    };
    let own = check(&[]);
    assert_eq!(own.code, Some(6), "{}", own.stdout);
    assert!(own.stdout.contains("kubelet-server"), "{}", own.stdout);
    std::fs::create_dir_all(node.path("/srv")).unwrap();
    std::fs::rename(node.path("/etc/kubernetes"), node.path("/srv/copy")).unwrap();
    let folders = [
        "--cert-dir",
        "/srv/copy/pki",
        "--kubeconfig-dir",
        "/srv/copy",
    ];
    let copy = check(&folders);
    assert_eq!(copy.code, Some(0), "{}{}", copy.stdout, copy.stderr);
    assert!(!copy.stdout.contains("kubelet-server"), "{}", copy.stdout);
    assert!(copy.stdout.contains("\nkubelet.conf "), "{}", copy.stdout);
    // What is in the copy and cannot be read is not left out.
    std::fs::write(node.path("/srv/copy/kubelet.conf"), "{").unwrap();
    let copy = check(&folders);
    assert_eq!(copy.code, Some(6), "{}", copy.stdout);
    assert!(
        copy.stdout.contains("!UNREADABLE! kubelet.conf"),
        "{}",
        copy.stdout
    );
    let told = "warning: /srv/copy/kubelet.conf: ";
    assert!(copy.stderr.contains(told), "{}", copy.stderr);
}

#[test]
fn what_another_authority_has_signed_counts_as_bad() {
    let (node, other) = (Node::new(), Node::new());
    for file in ["pki/apiserver.crt", "pki/apiserver.key", "admin.conf"] {
        let file = format!("/etc/kubernetes/{file}");
        std::fs::write(node.path(&file), other.read(&file)).unwrap();
    }
    let check = || node.rinit(&["certs", "check-expiration", "--warn-within", "1d"]);
    let found = check();
    assert_eq!(found.code, Some(6), "{}", found.stderr);
    node.renew(&["apiserver", "admin.conf"]);
    let found = check();
    assert_eq!(found.code, Some(0), "{}", found.stderr);
}

#[test]
fn a_folder_that_is_not_there_is_told_and_not_a_row_of_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (name, told) in [
        ("elsewhere", "there is no such folder"),
        ("file", "it is not a folder"),
    ] {
        let root = folder.path().join(name);
        let output = Command::new(rinit_testkit::program())
            .args(["certs", "check-expiration", "--root"])
            .arg(&root)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let told = format!("error: --root {}: {told}", root.display());
        assert!(stderr.contains(&told), "{stderr}");
    }
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

/// The static pods on the disk say where the certificates are, so that nobody needs to.
#[test]
fn an_own_folder_and_an_external_etcd_are_found_by_the_static_pods() {
    let node = Node::new();
    let kubernetes = node.path("/etc/kubernetes");
    std::fs::create_dir_all(node.path("/srv")).unwrap();
    std::fs::rename(kubernetes.join("pki"), node.path("/srv/pki")).unwrap();
    let check = || node.rinit(&["certs", "check-expiration", "--warn-within", "30d"]);
    assert_eq!(check().code, Some(6));
    let manifests = kubernetes.join("manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    let api_server = |etcd: &str| {
        let text = format!(
            "spec: {{containers: [{{image: 'r/kube-apiserver:v1.37.1', command: [
            kube-apiserver, --tls-cert-file=/srv/pki/apiserver.crt,
            '--etcd-servers=https://{etcd}:2379', --etcd-cafile=/srv/pki/etcd/ca.crt,
            --etcd-certfile=/srv/e.crt, --etcd-keyfile=/srv/e.key]}}]}}"
        );
        std::fs::write(manifests.join("kube-apiserver.yaml"), text).unwrap();
    };
    api_server("192.0.2.1");
    std::fs::write(manifests.join("etcd.yaml"), "spec: {}").unwrap();
    let found = check();
    assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
    assert!(found.stdout.contains("etcd-server"), "{}", found.stdout);
    let before = node.read("/srv/pki/apiserver.crt");
    node.renew(&["apiserver"]);
    assert_ne!(node.read("/srv/pki/apiserver.crt"), before);
    // Without a pod of etcd and with its servers elsewhere, its certificates are none of this
    // node's.
    std::fs::remove_file(manifests.join("etcd.yaml")).unwrap();
    let found = check();
    assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
    assert!(!found.stdout.contains("etcd"), "{}", found.stdout);
    // With its servers on this node, only the manifest is lost.
    api_server("127.0.0.1");
    let found = check();
    for name in ["etcd-server", "etcd-peer", "etcd-ca"] {
        assert!(found.stdout.contains(name), "{name}: {}", found.stdout);
    }
    let before = node.read("/srv/pki/etcd/server.crt");
    node.renew(&["all"]);
    assert_ne!(node.read("/srv/pki/etcd/server.crt"), before);
}

/// A flag counts as Kubernetes reads it. Where no flag is found, nobody knows what is missing.
#[test]
fn the_folder_is_found_in_every_spelling_of_a_flag() {
    let node = Node::new();
    let kubernetes = node.path("/etc/kubernetes");
    std::fs::create_dir_all(node.path("/srv")).unwrap();
    std::fs::rename(kubernetes.join("pki"), node.path("/srv/pki")).unwrap();
    let manifests = kubernetes.join("manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    std::fs::write(manifests.join("etcd.yaml"), "spec: {containers: [{}]}").unwrap();
    let check = |container: &str| {
        let text = format!(
            "spec: {{containers: [{{name: proxy, args: [--tls-cert-file=/no/apiserver.crt]}}, \
             {{name: kube-apiserver, {container}}}]}}"
        );
        std::fs::write(manifests.join("kube-apiserver.yaml"), text).unwrap();
        node.rinit(&["certs", "check-expiration", "--warn-within", "30d"])
    };
    for container in [
        "command: [kube-apiserver, --tls-cert-file=/srv/pki/apiserver.crt]",
        "command: [kube-apiserver, --tls-cert-file, /srv/pki/apiserver.crt]",
        "command: [kube-apiserver], args: [--tls-cert-file=/srv/pki/apiserver.crt]",
        "args: [--tls-cert-file, /srv/pki/apiserver.crt]",
    ] {
        let found = check(container);
        assert_eq!(found.code, Some(0), "{container}: {}", found.stderr);
        let before = node.read("/srv/pki/apiserver.crt");
        node.renew(&["apiserver"]);
        assert_ne!(node.read("/srv/pki/apiserver.crt"), before, "{container}");
    }
    let found = check("command: [sh, -c, 'exec kube-apiserver $FLAGS']");
    assert_eq!(found.code, Some(6), "{}", found.stdout);
    assert!(!found.stdout.contains("MISSING"), "{}", found.stdout);
    let told = "kube-apiserver.yaml does not say where the certificates are";
    assert!(found.stderr.contains(told), "{}", found.stderr);
    let renewal = node.rinit(&["certs", "renew", "all"]);
    assert_eq!(renewal.code, Some(4), "{}", renewal.stderr);
    assert!(renewal.stderr.contains(told), "{}", renewal.stderr);
}

/// The document for machines has kubeadm's fields with kubeadm's values, and the kubelet's rows
/// beside them.
#[test]
fn the_document_is_kubeadm_s() {
    let Some(kubeadm) = kubeadm() else {
        return;
    };
    let node = Node::new();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/front-proxy-ca.key")).unwrap();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/etcd/peer.crt")).unwrap();
    // kubeadm knows no `--root`: the folder of the certificates is named.
    let config = node.folder.path().join("kubeadm.yaml");
    let text = std::fs::read_to_string(node.config()).unwrap();
    let folder = node.path("/etc/kubernetes/pki");
    let text = format!("{text}certificatesDir: {}\n", folder.display());
    std::fs::write(&config, text).unwrap();
    for format in ["json", "yaml"] {
        let output = Command::new(&kubeadm)
            .args(["certs", "check-expiration", "-o", format, "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let theirs: Value = serde_yaml::from_slice(&output.stdout).unwrap();
        let output = node.rinit(&["certs", "check-expiration", "-o", format]);
        let ours: Value = serde_yaml::from_str(&output.stdout).unwrap();
        assert_eq!(ours["kind"], theirs["kind"]);
        assert_eq!(ours["apiVersion"], theirs["apiVersion"]);
        let mut compared = 0;
        for list in ["certificates", "certificateAuthorities"] {
            let rows = |document: &Value| document[list].as_array().cloned().unwrap();
            for theirs in rows(&theirs) {
                // kubeadm looks for kubeconfigs on the machine itself.
                let name = theirs["name"].as_str().unwrap();
                if name.ends_with("conf") {
                    continue;
                }
                let ours = rows(&ours)
                    .into_iter()
                    .find(|row| row["name"] == name)
                    .unwrap_or_else(|| panic!("{name} is not told"));
                for (field, value) in theirs.as_object().unwrap() {
                    if field == "residualTime" {
                        let seconds = |row: &Value| row[field].as_i64().unwrap();
                        assert!((seconds(&ours) - seconds(&theirs)).abs() <= 5, "{name}");
                    } else {
                        assert_eq!(ours[field], *value, "{name} {field}");
                    }
                }
                assert_eq!(
                    ours.as_object().unwrap().len(),
                    theirs.as_object().unwrap().len(),
                    "{name} has other fields"
                );
                compared += 1;
            }
        }
        assert_eq!(compared, 10);
    }
}

/// What node_exporter reads: after the two lines of each metric, samples with labels of a closed
/// set and a number (Prometheus text format 0.0.4). No sample stands twice.
#[test]
fn the_metrics_are_in_the_format_of_prometheus() {
    let node = Node::new();
    std::fs::remove_file(node.path("/etc/kubernetes/pki/etcd/peer.crt")).unwrap();
    let text = node
        .rinit(&["certs", "check-expiration", "-o", "prometheus"])
        .stdout;
    assert!(text.ends_with('\n'));
    let mut metric = "";
    let mut samples = std::collections::BTreeSet::new();
    let mut metrics = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            metric = help.split_once(' ').unwrap().0;
            metrics.push(metric);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert_eq!(kind, format!("{metric} gauge"));
        } else {
            let (name, rest) = line.split_once('{').unwrap();
            assert_eq!(name, metric, "{line}");
            let (labels, value) = rest.rsplit_once("} ").unwrap();
            let labels: Vec<&str> = labels
                .split("\",")
                .map(|label| label.split_once("=\"").unwrap().0)
                .collect();
            assert_eq!(labels, ["name", "ca", "path", "kind"], "{line}");
            value.parse::<i64>().unwrap();
            assert!(samples.insert(line.rsplit_once(' ').unwrap().0), "{line}");
        }
    }
    assert_eq!(metrics.len(), 4);
    // 11 certificates, 3 authorities and the kubelet's; of a missing one there is no end, and who
    // signed an authority is not told.
    assert_eq!(samples.len(), 4 * 15 - 2 - 3, "{text}");
    assert!(
        text.contains("rinit_certificate_readable{name=\"etcd-peer\",")
            && text.contains("kind=\"leaf\"} 0\n"),
        "{text}"
    );
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_told_and_not_waited_for() {
    if !has("mkfifo") {
        return;
    }
    let node = Node::new();
    for path in [
        "/etc/kubernetes/pki/apiserver.crt",
        "/etc/kubernetes/admin.conf",
    ] {
        std::fs::remove_file(node.path(path)).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(node.path(path))
            .status()
            .unwrap();
        assert!(made.success());
    }
    let output = node.rinit(&["certs", "check-expiration"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("!UNREADABLE! apiserver"));
    assert!(output.stdout.contains("!UNREADABLE! admin.conf"));
    assert_eq!(output.stderr.matches("is a named pipe").count(), 2);
    let output = node.rinit(&["certs", "renew", "all"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
}

#[test]
fn what_ends_with_its_signer_counts_as_ending_then() {
    if !has("openssl") {
        return;
    }
    let node = Node::new();
    let check = |more: &[&str]| node.rinit(&[&["certs", "check-expiration"], more].concat());
    assert_eq!(check(&["--warn-within", "30d"]).code, Some(0));
    // A second authority that signs from now on, and ends in ten days. kubeadm's table has the
    // first.
    let (certificate, key) = (
        node.path("/etc/kubernetes/new.crt"),
        node.path("/etc/kubernetes/pki/ca.key"),
    );
    let made = Command::new("openssl")
        .args("req -x509 -newkey rsa:2048 -nodes -subj /CN=new -days 10 -keyout".split(' '))
        .args([key.as_path(), std::path::Path::new("-out"), &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let old = node.pki("ca.crt");
    let both = [old, std::fs::read(certificate).unwrap()].concat();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), both).unwrap();

    let told = node.renew(&["apiserver", "admin.conf"]).stderr;
    let warning = "warning: ca (CN=new, certificate 2 of 2) expires at";
    assert_eq!(told.matches(warning).count(), 1, "{told}");
    assert_eq!(check(&["--warn-within", "9d"]).code, Some(0));
    assert_eq!(check(&["--warn-within", "30d"]).code, Some(6));
    let metrics = check(&["-o", "prometheus"]).stdout;
    let ends = |name: &str| -> i64 {
        let sample = format!(
            "rinit_certificate_signer_expiration_timestamp_seconds{{name=\"{name}\",ca=\"ca\","
        );
        let line = metrics.lines().find(|line| line.starts_with(&sample));
        line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let years = ends("scheduler.conf") - ends("apiserver");
    assert!(years > 9 * 365 * 86400, "{metrics}");
}

/// kubeadm's table has the first certificate of a file, which is not the one that counts.
#[test]
fn an_expired_certificate_before_the_valid_one_is_told_with_the_way_out() {
    let node = Node::new();
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let old = node.authority_anew(Validity {
        not_before: day("2020-01-01T00:00:00Z"),
        not_after: day("2025-01-01T00:00:00Z"),
    });
    let current = node.pki("ca.crt");
    std::fs::write(&file, [old.as_bytes(), &current].concat()).unwrap();
    let check = || node.rinit(&["certs", "check-expiration"]);
    let output = check();
    let told = "warning: /etc/kubernetes/pki/ca.crt: the certificate of CN=kubernetes expired at \
                2025-01-01T00:00:00Z";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    follow(&output.stderr);
    assert_eq!(node.pki("ca.crt"), current);
    let output = check();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_key_in_an_authoritys_file_is_told() {
    let node = Node::new();
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    let authority = node.pki("ca.crt");
    std::fs::write(&file, [authority.clone(), node.pki("ca.key")].concat()).unwrap();
    let output = node.rinit(&["certs", "check-expiration"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let told = "warning: /etc/kubernetes/pki/ca.crt: a private key stands among the certificates";
    assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
    follow(&output.stderr);
    assert_eq!(node.pki("ca.crt"), authority);

    // What has no end is not taken out, and no certificate with it.
    let open = [b"-----BEGIN PRIVATE KEY-----\n", &authority[..]].concat();
    std::fs::write(&file, open).unwrap();
    let output = node.rinit(&["certs", "check-expiration"]);
    assert!(output.stderr.contains(told), "{}", output.stderr);
    let command = output.stderr.split('`').nth(1).unwrap();
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(!status.success());
    assert!(node.pki("ca.crt").ends_with(&authority));
}

/// What Kubernetes reads nothing of is no bundle.
#[test]
fn certificates_that_a_line_break_is_missing_between_are_refused() {
    let node = Node::new();
    let (own, other) = (node.pki("ca.crt"), node.pki("etcd/ca.crt"));
    let glued = [own.trim_ascii_end(), &other].concat();
    std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), glued).unwrap();
    let before = node.files();
    let config = node.config();
    for (words, code) in [
        (&["certs", "check-expiration", "--warn-within", "1d"][..], 6),
        (&["certs", "renew", "all"], 4),
        (&["init", "phase", "certs", "all", "--config", &config], 4),
    ] {
        let output = node.rinit(words);
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        let told = "has more than the END line of a block";
        assert!(output.stderr.contains(told), "{}", output.stderr);
        assert_eq!(node.files(), before);
    }
}

/// Leaves, kubeconfigs and what stands beside it in the file stay as they are, but for whom they
/// trust.
#[test]
fn a_ca_is_renewed_for_its_own_key_alone() {
    let node = Node::new();
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let old = node.authority_anew(Validity {
        not_before: day("2020-01-01T00:00:00Z"),
        not_after: day("2025-01-01T00:00:00Z"),
    });
    let other = node.pki("etcd/ca.crt");
    let both = [other.as_slice(), old.as_bytes()].concat();
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    std::fs::write(&file, &both).unwrap();
    node.put("admin.conf", "certificate-authority-data", old.as_bytes());
    let key = node.path("/etc/kubernetes/pki/ca.key");
    let own_key = std::fs::read(&key).unwrap();
    std::fs::write(&key, Node::new().pki("ca.key")).unwrap();
    let before = node.files();
    let output = node.rinit(&["certs", "ca", "renew", "ca"]);
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert_eq!(node.files(), before);

    std::fs::write(&key, &own_key).unwrap();
    let before = node.files();
    let dry = node.rinit(&["certs", "ca", "renew", "ca", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert_eq!(node.files(), before);
    let output = node.rinit(&["certs", "check-expiration"]);
    assert!(output.stderr.contains("`rinit certs ca renew ca "));
    let hint = output.stderr.lines().find(|line| line.contains("ca renew"));
    follow(hint.unwrap());

    let pem = node.pki("ca.crt");
    assert!(pem.starts_with(&other));
    let [_, new] = <[Certificate; 2]>::try_from(Certificate::read_all(&pem).unwrap()).unwrap();
    let old = Certificate::read_all(old.as_bytes()).unwrap().remove(0);
    assert_ne!(new.serial, old.serial);
    assert_eq!(
        (&new.subject, &new.issuer, &new.subject_public_key_info),
        (&old.subject, &old.issuer, &old.subject_public_key_info)
    );
    assert_eq!(new.subject_key_id, old.subject_key_id);
    assert_eq!(new.alternative_names, old.alternative_names);
    let length = |one: &Certificate| {
        one.validity
            .not_after
            .duration_since(one.validity.not_before)
    };
    assert_eq!(length(&new), length(&old));
    assert_eq!(node.trusted("admin.conf"), pem);
    let output = node.rinit(&["certs", "check-expiration", "--warn-within", "1d"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    if has("openssl") {
        let leaf = node.path("/etc/kubernetes/pki/apiserver.crt");
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-x509_strict", "-CAfile"]);
        assert!(openssl.arg(&file).arg(&leaf).status().unwrap().success());
    }
    // The old file is kept.
    let kept = node.files().into_values().any(|content| content == both);
    assert!(kept);
}

/// Whom nobody can be signed by is trusted all the same by whoever trusts the file.
#[test]
fn what_is_no_authority_in_an_authoritys_file_is_told_and_not_spread() {
    for leaf_first in [false, true] {
        let node = Node::new();
        let (authority, leaf) = (node.pki("ca.crt"), node.pki("apiserver-kubelet-client.crt"));
        let both = if leaf_first {
            [leaf, authority.clone()].concat()
        } else {
            [authority.clone(), leaf].concat()
        };
        std::fs::write(node.path("/etc/kubernetes/pki/ca.crt"), both).unwrap();
        let told = "/etc/kubernetes/pki/ca.crt: the certificate of \
                    CN=kube-apiserver-kubelet-client is not that of a certificate authority";
        let before = node.files();
        let output = node.rinit(&["certs", "renew", "all"]);
        assert_eq!(output.code, Some(4), "{}", output.stderr);
        assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
        assert_eq!(node.files(), before);
        let output = node.rinit(&["certs", "check-expiration"]);
        assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
        follow(&output.stderr);
        assert_eq!(node.pki("ca.crt"), authority);
        node.renew(&["all"]);
    }
}

/// What it has signed tells which one is the cluster's, wherever it stands in the file.
#[test]
fn an_expired_authority_is_never_to_be_replaced_by_a_stranger() {
    let node = Node::new();
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let old = node.authority_anew(Validity {
        not_before: day("2020-01-01T00:00:00Z"),
        not_after: day("2025-01-01T00:00:00Z"),
    });
    let stranger = node.pki("etcd/ca.crt");
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    for whole in [
        [old.as_bytes(), &stranger].concat(),
        [&stranger, old.as_bytes()].concat(),
    ] {
        std::fs::write(&file, whole).unwrap();
        let output = node.rinit(&["certs", "check-expiration"]);
        let told = "the certificate of CN=kubernetes expired at 2025-01-01T00:00:00Z";
        assert!(output.stderr.contains(told), "{}", output.stderr);
        assert!(!output.stderr.contains("ca prune"), "{}", output.stderr);
        assert!(output.stderr.contains("ca renew ca"), "{}", output.stderr);
    }
    // One that has signed nothing may go.
    let other = Node::new().authority_anew(Validity {
        not_before: day("2020-01-01T00:00:00Z"),
        not_after: day("2025-01-01T00:00:00Z"),
    });
    let node = Node::new();
    let own = node.pki("ca.crt");
    let file = node.path("/etc/kubernetes/pki/ca.crt");
    std::fs::write(&file, [other.as_bytes(), &own].concat()).unwrap();
    let output = node.rinit(&["certs", "check-expiration"]);
    follow(&output.stderr);
    assert_eq!(node.pki("ca.crt"), own);
}
