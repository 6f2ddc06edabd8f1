//! The files of the phases that only render, held against those that a real kubeadm writes from
//! the same configuration: manifests and the kubelet's files byte for byte, certificates and
//! kubeconfigs by what stands in them.
//!
//! `testdata/kubeadm/<version>/files/<case>/` has what `kubeadm init phase certs all`,
//! `kubeconfig all`, `etcd local`, `control-plane all` and `kubelet-start` wrote for
//! `testdata/configs/files/<case>.yaml` below a changed root with nothing in it, with the
//! variables and folders of [`CASES`].

#![expect(
    clippy::disallowed_methods,
    reason = "recorded files are read from the checkout"
)]
#![expect(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::path::{Path, PathBuf};

use rinit_facts::{ClusterCa, Facts, HostFacts, Overrides, PatchFile};
use rinit_manifest::yaml;
use rinit_plan::{Action, Gate, LogicalPath, Plan, Resource, StaticPodSpec, Subject};
use rinit_workflow::{Body, Phase};

/// A case, and what of the host it was recorded with.
struct Case {
    name: &'static str,
    environment: &'static [(&'static str, &'static str)],
    ca_folders: &'static [&'static str],
    patches: Option<&'static str>,
    external_ca: bool,
}

const PLAIN: Case = Case {
    name: "basic",
    environment: &[],
    ca_folders: &[],
    patches: None,
    external_ca: false,
};

const CASES: &[Case] = &[
    PLAIN,
    Case {
        name: "args",
        ca_folders: &[
            "/etc/pki/ca-trust",
            "/etc/pki/tls/certs",
            "/etc/ca-certificates",
            "/usr/share/ca-certificates",
            "/usr/local/share/ca-certificates",
        ],
        ..PLAIN
    },
    Case {
        name: "volumes",
        environment: &[
            ("HTTPS_PROXY", "http://p:1"),
            ("no_proxy", "10.0.0.0/8"),
            ("Some_Proxy", "x"),
        ],
        ..PLAIN
    },
    Case {
        name: "ipv6",
        ..PLAIN
    },
    Case {
        name: "external-etcd",
        ..PLAIN
    },
    Case {
        name: "external-etcd-plain",
        ..PLAIN
    },
    Case {
        name: "external-ca",
        external_ca: true,
        ..PLAIN
    },
    Case {
        name: "patches",
        patches: Some("patches"),
        ..PLAIN
    },
    Case {
        name: "directives",
        patches: Some("directives"),
        ..PLAIN
    },
];

/// The version that the cases name, and the one before.
const VERSIONS: [&str; 2] = ["v1.37.1", "v1.36.3"];

#[test]
fn files_are_those_of_kubeadm() {
    for version in VERSIONS {
        for case in CASES {
            let recorded = recorded(version, case.name);
            // The minor before was recorded for some cases only.
            if version == VERSIONS[0] || recorded.exists() {
                check(&facts(case, version), &recorded);
            }
        }
    }
}

/// A folder of an external etcd's certificates whose name begins like that of ours is mounted;
/// kubeadm takes it for ours and leaves it out, and the API server does not find its key.
#[test]
fn a_folder_next_to_ours_is_mounted() {
    let case = Case {
        name: "external-etcd-covered",
        ..PLAIN
    };
    let facts = facts(&case, VERSIONS[0]);
    let ours = files(&plans(&facts))
        .into_iter()
        .find(|(path, _)| path == "kube-apiserver.yaml")
        .map(|(_, text)| text)
        .unwrap();
    let theirs = read(&recorded(VERSIONS[0], case.name).join("kube-apiserver.yaml"));
    for line in [
        "    - mountPath: /etc/kubernetes/pki-other\n      name: etcd-certs-0\n",
        "      path: /etc/kubernetes/pki-other\n",
    ] {
        assert!(ours.contains(line), "{ours}");
    }
    assert!(!theirs.contains("etcd-certs"), "{theirs}");
}

fn check(facts: &Facts, recorded: &Path) {
    let plans = plans(facts);
    let mut written = files(&plans);
    written.push(("certificates.txt".to_owned(), certificates(&plans, facts)));
    written.push(("kubeconfigs.txt".to_owned(), kubeconfigs(&plans)));
    written.sort();
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected: Vec<String> = std::fs::read_dir(recorded)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", recorded.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    expected.sort();
    assert_eq!(names, expected, "{}", recorded.display());
    for (name, text) in &written {
        let path = recorded.join(name);
        let theirs = read(&path);
        assert!(
            *text == theirs,
            "{} differs:\n{}",
            path.display(),
            similar::TextDiff::from_lines(&theirs, text).unified_diff()
        );
    }
}

fn facts(case: &Case, version: &str) -> Facts {
    let overrides = Overrides {
        kubernetes_version: Some(version.to_owned()),
        ..Overrides::default()
    };
    let host = HostFacts {
        proxy_environment: case
            .environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ca_folders: case
            .ca_folders
            .iter()
            .map(|folder| LogicalPath::parse(folder).unwrap())
            .collect(),
        patch_files: case.patches.map(patch_files).unwrap_or_default(),
        cluster_ca: if case.external_ca {
            ClusterCa::External
        } else {
            ClusterCa::Absent
        },
        ..rinit_testkit::host_facts()
    };
    rinit_testkit::facts_with(&format!("files/{}", case.name), &overrides, &host)
}

fn patch_files(folder: &str) -> Vec<PatchFile> {
    let folder = rinit_testkit::testdata().join("configs/files").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| PatchFile {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            documents: yaml::parse_documents(&read(&path)).map_err(|error| error.to_string()),
        })
        .collect()
}

fn recorded(version: &str, case: &str) -> PathBuf {
    rinit_testkit::testdata()
        .join("kubeadm")
        .join(version)
        .join("files")
        .join(case)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn plans(facts: &Facts) -> Vec<Plan> {
    [
        rinit_phase_certs::phase(),
        rinit_phase_kubeconfig::phase(),
        rinit_phase_etcd::phase(),
        rinit_phase_control_plane::phase(),
        rinit_phase_kubelet_start::phase(),
    ]
    .iter()
    .flat_map(|phase| leaves(phase, facts))
    .collect()
}

fn leaves(phase: &Phase<rinit_facts::Facts>, facts: &Facts) -> Vec<Plan> {
    match &phase.body {
        Body::Group(phases) => phases
            .iter()
            .flat_map(|phase| leaves(phase, facts))
            .collect(),
        Body::Leaf { plan, .. } => vec![plan(facts)],
    }
}

fn actions(plans: &[Plan]) -> impl Iterator<Item = &Action> {
    plans.iter().flat_map(|plan| &plan.actions)
}

/// Names of the record, and texts.
fn files(plans: &[Plan]) -> Vec<(String, String)> {
    actions(plans)
        .filter_map(|action| match action {
            Action::Ensure(
                Resource::File(file) | Resource::StaticPod(StaticPodSpec { file, .. }),
            ) => {
                let name = match file.path.file_name() {
                    "config.yaml" => "kubelet-config.yaml",
                    "instance-config.yaml" => "kubelet-instance-config.yaml",
                    name => name,
                };
                Some((name.to_owned(), file.text.clone()))
            }
            Action::Gate(Gate::Refuse { message, .. }) => panic!("{message}"),
            _ => None,
        })
        .collect()
}

fn certificates(plans: &[Plan], facts: &Facts) -> String {
    let folder = format!("{}/", facts.node.paths.certificates);
    let relative = |path: &LogicalPath| path.as_str().strip_prefix(&folder).unwrap().to_owned();
    let mut entries: Vec<String> = actions(plans)
        .filter_map(|action| match action {
            Action::Ensure(Resource::CertificateAuthority(spec)) => Some(format!(
                "{}\n  CN={name}\n  signed by CN={name}\n  names {name}\n",
                relative(&spec.certificate),
                name = spec.common_name,
            )),
            Action::Ensure(Resource::Certificate(spec)) => {
                let usages: Vec<String> = spec.usages.iter().copied().map(kebab).collect();
                let names: Vec<String> = spec
                    .dns_names
                    .iter()
                    .cloned()
                    .chain(spec.ip_addresses.iter().map(ToString::to_string))
                    .collect();
                let names = if names.is_empty() {
                    String::new()
                } else {
                    format!("  names {}\n", names.join(", "))
                };
                Some(format!(
                    "{}\n  {}\n  signed by CN={}\n  for {}\n{names}",
                    relative(&spec.certificate),
                    subject(&spec.subject),
                    common_name(spec.signer.id),
                    usages.join(", "),
                ))
            }
            _ => None,
        })
        .collect();
    entries.sort();
    entries.concat()
}

fn kubeconfigs(plans: &[Plan]) -> String {
    let mut entries: Vec<String> = actions(plans)
        .filter_map(|action| match action {
            Action::Ensure(Resource::Kubeconfig(spec)) => Some(format!(
                "{}\n  server {}\n  context {}@{}\n  {}\n  signed by CN={}\n  for client-auth\n",
                spec.path.file_name(),
                spec.server,
                spec.subject.common_name,
                spec.cluster_name,
                subject(&spec.subject),
                common_name(spec.signer.id),
            )),
            _ => None,
        })
        .collect();
    entries.sort();
    entries.concat()
}

/// A subject as RFC 2253 writes it: the last part first.
fn subject(subject: &Subject) -> String {
    std::iter::once(format!("CN={}", subject.common_name))
        .chain(subject.organizations.iter().map(|name| format!("O={name}")))
        .collect::<Vec<_>>()
        .join(",")
}

fn common_name(id: rinit_plan::CaId) -> &'static str {
    match id {
        rinit_plan::CaId::Cluster => "kubernetes",
        rinit_plan::CaId::FrontProxy => "front-proxy-ca",
        rinit_plan::CaId::Etcd => "etcd-ca",
    }
}

fn kebab(usage: rinit_plan::ExtendedKeyUsage) -> String {
    serde_json::to_value(usage)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}
