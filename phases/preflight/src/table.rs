//! The checks, in kubeadm's order. Each row gives the checks of one kind, none where the
//! configuration or the Kubernetes minor has no use for it.

use rinit_facts::{Etcd, Facts, LocalEtcd};
use rinit_plan::component::{
    API_SERVER, COMPONENTS, CONTROLLER_MANAGER, ETCD, KUBELET_PORT, SCHEDULER,
};
use rinit_plan::{CheckKind, LogicalPath, Severity};

use crate::{Look, network};

/// The processors that a control plane needs at least.
const MINIMUM_PROCESSORS: u32 = 2;
/// The memory that a control plane needs at least, in megabytes (10^6 bytes).
const MINIMUM_MEGABYTES: u64 = 1700;
/// By how many minors a kubelet may be older than its API server (Kubernetes version skew policy).
const KUBELET_SKEW: u32 = 3;

/// The rows.
pub(crate) static CHECKS: &[fn(&Facts) -> Vec<Look>] = &[
    |_| error("IsPrivilegedUser", CheckKind::Privileged),
    |facts| {
        if facts.is_worker() {
            return Vec::new();
        }
        error(
            "NumCPU",
            CheckKind::ProcessorCount {
                minimum: MINIMUM_PROCESSORS,
            },
        )
    },
    |facts| {
        if facts.is_worker() {
            return Vec::new();
        }
        error(
            "Mem",
            CheckKind::Memory {
                minimum_megabytes: MINIMUM_MEGABYTES,
            },
        )
    },
    |facts| {
        warning(
            "KubernetesVersion",
            CheckKind::KnownVersion {
                requested: facts.cluster.version.to_string(),
                // A version whose minor stands in no table does not become facts.
                known: true,
            },
        )
    },
    |facts| {
        warning(
            "Firewalld",
            CheckKind::Firewalld {
                ports: if facts.is_worker() {
                    vec![KUBELET_PORT]
                } else {
                    vec![facts.node.api.bind_port, KUBELET_PORT]
                },
            },
        )
    },
    |facts| {
        if facts.is_worker() {
            return Vec::new();
        }
        [
            (facts.node.api.bind_port, API_SERVER.name),
            (SCHEDULER.port(), SCHEDULER.name),
            (CONTROLLER_MANAGER.port(), CONTROLLER_MANAGER.name),
        ]
        .into_iter()
        .flat_map(|(number, owner)| port(number, owner))
        .collect()
    },
    |facts| {
        if facts.is_worker() {
            return Vec::new();
        }
        COMPONENTS
            .into_iter()
            .flat_map(|component| {
                let path = facts.node.paths.manifest(component.name);
                error(
                    &path_name("FileAvailable", &path),
                    CheckKind::FileAvailable { path },
                )
            })
            .collect()
    },
    |facts| {
        if facts.is_worker() {
            return Vec::new();
        }
        warning(
            "HTTPProxy",
            network::no_proxy_for_address(facts, facts.node.api.advertise_address),
        )
    },
    |facts| {
        facts
            .cluster
            .network
            .service_cidrs
            .iter()
            .chain(&facts.cluster.network.pod_cidrs)
            .flat_map(|cidr| warning("HTTPProxyCIDR", network::no_proxy_for_cidr(facts, *cidr)))
            .collect()
    },
    |facts| {
        error(
            "CRI",
            CheckKind::ContainerRuntime {
                socket: facts.node.cri_socket.clone(),
            },
        )
    },
    |facts| {
        if !facts.cluster.version.table().checks_runtime_config {
            return Vec::new();
        }
        warning(
            "ContainerRuntimeVersion",
            CheckKind::ContainerRuntimeVersion {
                socket: facts.node.cri_socket.clone(),
            },
        )
    },
    |_| warning("Swap", CheckKind::Swap),
    |facts| {
        facts
            .cluster
            .version
            .table()
            .executables
            .iter()
            .map(|(name, mandatory)| Look {
                name: format!("FileExisting-{name}"),
                severity: if *mandatory {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                kind: CheckKind::Executable {
                    name: (*name).to_owned(),
                },
            })
            .collect()
    },
    |facts| {
        error(
            "SystemVerification",
            CheckKind::System {
                // Who has the kubelet take cgroup v1 has decided; it is still remarked on.
                cgroup_v1_is_error: facts.cluster.version.table().cgroup_v1_is_error
                    && facts.cluster.kubelet_configuration["failCgroupV1"].as_bool() != Some(false),
            },
        )
    },
    |facts| {
        warning(
            "Hostname",
            CheckKind::HostnameResolves {
                name: facts.node.name.clone(),
            },
        )
    },
    |facts| {
        error(
            "KubeletVersion",
            CheckKind::KubeletVersion {
                control_plane: facts.cluster.version.to_string(),
                minimum_minor: facts.cluster.version.table().minor - KUBELET_SKEW,
            },
        )
    },
    |_| {
        warning(
            "Service-kubelet",
            CheckKind::ServiceEnabled {
                unit: "kubelet".to_owned(),
            },
        )
    },
    |_| port(KUBELET_PORT, "kubelet"),
    |facts| {
        network::forwarding_switches(facts)
            .flat_map(|path| {
                error(
                    &path_name("FileContent", &path),
                    CheckKind::FileContent {
                        path,
                        content: "1".to_owned(),
                    },
                )
            })
            .collect()
    },
    |facts| match &facts.cluster.etcd {
        _ if facts.is_worker() => Vec::new(),
        Etcd::Local(etcd) => local_etcd(facts, etcd),
        Etcd::External(_) => external_etcd(facts),
    },
];

fn local_etcd(facts: &Facts, etcd: &LocalEtcd) -> Vec<Look> {
    let ports = ETCD.ports.iter();
    let mut looks: Vec<Look> = ports.flat_map(|one| port(one.number, ETCD.name)).collect();
    looks.extend(error(
        &path_name("DirAvailable", &etcd.data_dir),
        CheckKind::DirectoryAvailable {
            path: etcd.data_dir.clone(),
            owner_manifest: facts.node.paths.manifest(ETCD.name),
        },
    ));
    looks
}

fn external_etcd(facts: &Facts) -> Vec<Look> {
    let Etcd::External(etcd) = &facts.cluster.etcd else {
        return Vec::new();
    };
    let endpoints = if etcd.http_endpoints.is_empty() {
        &etcd.endpoints
    } else {
        &etcd.http_endpoints
    };
    let versions = endpoints.iter().flat_map(|endpoint| {
        error(
            "ExternalEtcdVersion",
            CheckKind::ExternalEtcdVersion {
                endpoint: endpoint.clone(),
                minimum: facts
                    .cluster
                    .version
                    .table()
                    .oldest_external_etcd
                    .to_owned(),
                ca: etcd.ca_file.clone(),
                certificate: etcd.cert_file.clone(),
                key: etcd.key_file.clone(),
            },
        )
    });
    let files = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file]
        .into_iter()
        .flatten()
        .flat_map(|path| {
            error(
                "ExternalEtcdClientCertificates",
                CheckKind::FileExists { path: path.clone() },
            )
        });
    versions.chain(files).collect()
}

fn port(port: u16, owner: &str) -> Vec<Look> {
    error(
        &format!("Port-{port}"),
        CheckKind::Port {
            address: None,
            port,
            owner: owner.to_owned(),
        },
    )
}

/// kubeadm's name of a check of a path: the slashes become dashes.
fn path_name(check: &str, path: &LogicalPath) -> String {
    format!("{check}-{}", path.as_str().replace('/', "-"))
}

fn error(name: &str, kind: CheckKind) -> Vec<Look> {
    look(name, Severity::Error, kind)
}

fn warning(name: &str, kind: CheckKind) -> Vec<Look> {
    look(name, Severity::Warning, kind)
}

fn look(name: &str, severity: Severity, kind: CheckKind) -> Vec<Look> {
    vec![Look {
        name: name.to_owned(),
        severity,
        kind,
    }]
}
