//! What both programs render from the same configuration into equal folders: every file,
//! certificate, kubeconfig and key, and whether they refuse.
//!
//! Nothing is recorded: the real kubeadm of the components runs here, in a changed root.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rinit_parity::{Content, Difference, Disk, Init, Scope, Snapshot, Table, compare};

use crate::openssl::{KeyForm, make_authority, make_intermediate, make_leaf};
use crate::{NOT_RENDERED, programs, rinit, said};

/// A configuration, and what lies in the folder before.
struct Case {
    /// What a failure calls it.
    name: &'static str,
    /// `testdata/configs/rendered/<config>.yaml`.
    config: &'static str,
    prepare: fn(&Path),
    outcome: Outcome,
}

/// What both programs make of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The same.
    Same,
    /// The same but for what stands in the table of differences.
    Rendered,
    /// Neither takes what lies there.
    Refused,
}

/// A configuration in an empty folder.
const fn plain(name: &'static str) -> Case {
    Case {
        name,
        config: name,
        prepare: |_| {},
        outcome: Outcome::Same,
    }
}

/// `own-authorities.yaml` in a folder where something lies already.
const fn prepared(name: &'static str, prepare: fn(&Path)) -> Case {
    Case {
        name,
        config: "own-authorities",
        prepare,
        outcome: Outcome::Rendered,
    }
}

const CASES: &[Case] = &[
    plain("defaults"),
    plain("algorithm-rsa-2048"),
    plain("algorithm-rsa-3072"),
    plain("algorithm-rsa-4096"),
    plain("algorithm-ecdsa-p256"),
    plain("algorithm-ecdsa-p384"),
    plain("names-dns"),
    plain("names-ipv4"),
    plain("advertise-address-mapped"),
    plain("names-ipv6"),
    plain("names-wildcard"),
    plain("names-etcd"),
    plain("endpoint-name"),
    plain("endpoint-name-without-port"),
    plain("endpoint-address"),
    plain("endpoint-address-ipv6"),
    plain("dual-stack"),
    plain("dual-stack-ipv6-first"),
    plain("ipv6"),
    plain("dns-domain"),
    plain("periods"),
    plain("node-name"),
    plain("certificates-folder"),
    plain("external-etcd"),
    prepared("own-authorities", own_authorities),
    prepared("own-authorities-of-unusual-names", unusual_names),
    prepared("own-authority-is-intermediate", intermediate),
    prepared("external-authorities", external),
    prepared("external-authority-of-the-cluster", |pki| {
        external(pki);
        for name in [
            "front-proxy-ca",
            "front-proxy-client",
            "etcd",
            "apiserver-etcd-client",
        ] {
            remove(pki, name);
        }
    }),
    Case {
        outcome: Outcome::Refused,
        ..prepared("external-authority-without-a-certificate", |pki| {
            external(pki);
            remove(pki, "apiserver");
        })
    },
    Case {
        outcome: Outcome::Refused,
        ..prepared("external-authority-without-a-kubeconfig", |pki| {
            external(pki);
            std::fs::remove_file(pki.join("../scheduler.conf")).unwrap();
        })
    },
    Case {
        outcome: Outcome::Refused,
        ..prepared("external-authorities-and-nothing-else", |pki| {
            external(pki);
            for [name, ..] in LEAVES {
                remove(pki, name);
            }
            kubeconfigs_removed(pki);
        })
    },
    prepared("external-authority-of-the-front-proxy", |pki| {
        external(pki);
        for name in [
            "ca",
            "apiserver",
            "apiserver-kubelet-client",
            "etcd",
            "apiserver-etcd-client",
        ] {
            remove(pki, name);
        }
        kubeconfigs_removed(pki);
    }),
    prepared("external-authority-of-etcd", |pki| {
        external(pki);
        for name in [
            "ca",
            "apiserver",
            "apiserver-kubelet-client",
            "front-proxy-ca",
            "front-proxy-client",
        ] {
            remove(pki, name);
        }
        kubeconfigs_removed(pki);
    }),
];

#[test]
fn what_is_rendered_is_what_the_real_kubeadm_renders() {
    let Some(programs) = programs() else {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no folder with bin/kubeadm");
        return;
    };
    let testdata = rinit_testkit::testdata();
    let configs = testdata.join("configs/rendered");
    let table = Table::read(&testdata.join("../docs/differences.md")).unwrap();
    let kubeadm = programs.join("kubeadm");
    let version = Command::new(&kubeadm)
        .args(["version", "-o", "short"])
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap().trim().to_owned();
    let newest = "kubernetesVersion: v1.37.1";
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let text = std::fs::read_to_string(configs.join(format!("{}.yaml", case.config)));
            let text = text.unwrap();
            assert!(
                text.contains(newest),
                "{} names another version",
                case.config
            );
            let text = text.replace(newest, &format!("kubernetesVersion: {version}"));
            let differences = check(case, &text, &kubeadm);
            eprintln!("{}: {} differences", case.name, differences.len());
            if case.outcome != Outcome::Rendered {
                let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
                assert!(lines.is_empty(), "{}", lines.join("\n"));
            }
            found.extend(differences);
        }
        found
    };
    let differences = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let found = workers.into_iter().map(|worker| worker.join().unwrap());
        found.collect::<Vec<_>>().concat()
    });
    eprintln!("{} cases beside kubeadm {version}", CASES.len());
    let faults = table.judge(&differences, Scope::Cases);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_configuration_is_a_case() {
    let folder = rinit_testkit::testdata().join("configs/rendered");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut cases: Vec<String> = CASES
        .iter()
        .map(|case| format!("{}.yaml", case.config))
        .collect();
    cases.sort();
    cases.dedup();
    assert_eq!(files, cases);
}

/// Lets both programs render, and says what differs in what they wrote.
fn check(case: &Case, config: &str, kubeadm: &Path) -> Vec<Difference> {
    let folder = tempfile::tempdir().unwrap();
    let prepared = folder.path().join("prepared");
    let above = ["etc/kubernetes/pki", "etc/ssl/certs", "var/lib"];
    for above in above {
        std::fs::create_dir_all(prepared.join(above)).unwrap();
    }
    (case.prepare)(&prepared.join("etc/kubernetes/pki"));
    let before = files(&prepared);

    let mut outcomes = Vec::new();
    for program in ["kubeadm", "rinit"] {
        let root = folder.path().join(program);
        let copied = Command::new("cp")
            .arg("-a")
            .args([&prepared, &root])
            .status()
            .unwrap();
        assert!(copied.success());
        // Inside, since kubeadm reads it after it has changed its root.
        let file = root.join("config.yaml");
        std::fs::write(&file, config).unwrap();
        let init = Init::starting_now();
        let output = match program {
            "kubeadm" => below(kubeadm, &root),
            _ => rinit(&root, &file),
        };
        let refused = !output.status.success();
        assert_eq!(
            refused,
            case.outcome == Outcome::Refused,
            "{} by {program}: {}",
            case.name,
            said(&output)
        );
        let after = files(&root);
        for (path, bytes) in &before {
            let left = after.get(path) == Some(bytes);
            assert!(left, "{}: {program} did not leave {path} alone", case.name);
        }
        let mut disk = Disk::of_folder(&root).unwrap();
        disk.entries.remove("/config.yaml");
        // Keys that users bring have forms that neither program writes.
        disk.entries
            .retain(|path, _| !is_key(path) || !before.contains_key(path));
        let mut snapshot = Snapshot::take(&disk, &[], init).unwrap();
        // What was there was compared byte for byte; its age depends on when the program ran.
        let is_new = |name: &String| !before.contains_key(name.split(": ").next().unwrap());
        snapshot.certificates.retain(|name, _| is_new(name));
        outcomes.push(snapshot);
    }
    let mut differences = compare(&outcomes[0], &outcomes[1]);
    for difference in &mut differences {
        // The table has no column for the case; a report that fails must name it.
        for value in [&mut difference.recorded, &mut difference.ours]
            .into_iter()
            .flatten()
        {
            *value = format!("{value} (case {})", case.name);
        }
    }
    differences
}

/// Runs kubeadm with its root changed to a folder.
fn below(kubeadm: &Path, root: &Path) -> Output {
    Command::new(kubeadm)
        .args([
            "init",
            "--config",
            "/config.yaml",
            "--skip-phases",
            NOT_RENDERED,
            "--rootfs",
        ])
        .arg(root)
        .env_clear()
        .output()
        .unwrap()
}

fn is_key(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "key")
}

/// The bytes of every file below a folder, by absolute path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let disk = Disk::of_folder(root).unwrap();
    disk.entries
        .into_iter()
        .filter_map(|(path, entry)| match entry.content {
            Content::File(bytes) => Some((path, bytes)),
            _ => None,
        })
        .collect()
}

/// One authority in each of three forms.
fn own_authorities(pki: &Path) {
    make_authority(pki, "ca", "/CN=own-ca", KeyForm::Pkcs1);
    make_authority(
        pki,
        "front-proxy-ca",
        "/CN=own-front-proxy",
        KeyForm::EcParameters,
    );
    make_authority(pki, "etcd/ca", "/CN=own-etcd", KeyForm::Pkcs8Ecdsa);
}

fn unusual_names(pki: &Path) {
    make_authority(
        pki,
        "ca",
        "/DC=com/DC=acme/CN=Acme-Issuing-CA",
        KeyForm::Sec1,
    );
    make_authority(
        pki,
        "front-proxy-ca",
        "/O=Acme/OU=a/OU=b/OU=c/CN=proxy",
        KeyForm::Sec1,
    );
    make_authority(pki, "etcd/ca", "/O=Acme/OU=a+CN=both", KeyForm::Pkcs8Rsa);
}

fn intermediate(pki: &Path) {
    make_authority(pki, "root", "/CN=root", KeyForm::Pkcs1);
    make_intermediate(pki, "ca", "/O=Acme/CN=issuing", KeyForm::Sec1, "root");
    for end in ["key", "crt", "srl"] {
        let _ = std::fs::remove_file(pki.join(format!("root.{end}")));
    }
}

/// The certificates of a control plane: path, subject, authority, usage, names.
const LEAVES: [[&str; 5]; 7] = [
    [
        "apiserver",
        "/CN=kube-apiserver",
        "ca",
        "serverAuth",
        "DNS:cp,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
         DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:10.123.0.2",
    ],
    [
        "apiserver-kubelet-client",
        "/CN=kube-apiserver-kubelet-client",
        "ca",
        "clientAuth",
        "",
    ],
    [
        "front-proxy-client",
        "/CN=front-proxy-client",
        "front-proxy-ca",
        "clientAuth",
        "",
    ],
    [
        "etcd/server",
        "/CN=cp",
        "etcd/ca",
        "serverAuth,clientAuth",
        "DNS:cp,DNS:localhost,IP:10.123.0.2,IP:127.0.0.1,IP:::1",
    ],
    [
        "etcd/peer",
        "/CN=cp",
        "etcd/ca",
        "serverAuth,clientAuth",
        "DNS:cp,DNS:localhost,IP:10.123.0.2,IP:127.0.0.1,IP:::1",
    ],
    [
        "etcd/healthcheck-client",
        "/CN=kube-etcd-healthcheck-client",
        "etcd/ca",
        "clientAuth",
        "",
    ],
    [
        "apiserver-etcd-client",
        "/CN=kube-apiserver-etcd-client",
        "etcd/ca",
        "clientAuth",
        "",
    ],
];

/// The kubeconfigs of a control plane: name, user, subject.
const KUBECONFIGS: [[&str; 3]; 5] = [
    [
        "admin",
        "kubernetes-admin",
        "/O=kubeadm:cluster-admins/CN=kubernetes-admin",
    ],
    [
        "super-admin",
        "kubernetes-super-admin",
        "/O=system:masters/CN=kubernetes-super-admin",
    ],
    [
        "kubelet",
        "system:node:cp",
        "/O=system:nodes/CN=system:node:cp",
    ],
    [
        "controller-manager",
        "system:kube-controller-manager",
        "/CN=system:kube-controller-manager",
    ],
    [
        "scheduler",
        "system:kube-scheduler",
        "/CN=system:kube-scheduler",
    ],
];

/// All that another authority signed, without the keys of the authorities.
fn external(pki: &Path) {
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        make_authority(
            pki,
            name,
            &format!("/CN={}", name.replace('/', "-")),
            KeyForm::Sec1,
        );
    }
    for [name, subject, authority, usage, names] in LEAVES {
        make_leaf(pki, name, subject, authority, usage, names);
    }
    let kubernetes = pki.parent().unwrap();
    let read = |name: &str| BASE64_STANDARD.encode(std::fs::read(pki.join(name)).unwrap());
    for [name, user, subject] in KUBECONFIGS {
        make_leaf(pki, name, subject, "ca", "clientAuth", "");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: kubernetes, user: '{user}'}}}}]\n\
             clusters:\n- name: kubernetes\n  cluster:\n    server: https://10.123.0.2:6443\n    \
             certificate-authority-data: {}\n\
             users:\n- name: '{user}'\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            read("ca.crt"),
            read(&format!("{name}.crt")),
            read(&format!("{name}.key")),
        );
        std::fs::write(kubernetes.join(format!("{name}.conf")), text).unwrap();
        remove(pki, name);
    }
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        for end in ["key", "srl"] {
            std::fs::remove_file(pki.join(format!("{name}.{end}"))).unwrap();
        }
    }
}

/// Takes a pair or a folder away.
fn remove(pki: &Path, name: &str) {
    let folder = pki.join(name);
    if folder.is_dir() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    for end in ["crt", "key"] {
        let _ = std::fs::remove_file(pki.join(format!("{name}.{end}")));
    }
}

fn kubeconfigs_removed(pki: &Path) {
    for [name, ..] in KUBECONFIGS {
        let file = pki.parent().unwrap().join(format!("{name}.conf"));
        std::fs::remove_file(file).unwrap();
    }
}
