//! What of the node the pods can see.

use rinit_facts::{Etcd, Facts, HostPathVolume};
use rinit_manifest::arguments::last_value;
use rinit_manifest::pod::Volumes;
use rinit_plan::LogicalPath;

const DIRECTORY: &str = "DirectoryOrCreate";
const FILE: &str = "FileOrCreate";
/// The CA certificates of the operating system on every host.
const CA_DIRECTORY: &str = "/etc/ssl/certs";
/// Where Kubernetes looked for flex volume plugins, up to 1.35.
const FLEX_VOLUME_DIRECTORY: &str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec";

/// The certificates, and those of an external etcd.
pub(crate) fn of_api_server(facts: &Facts) -> Volumes {
    let mut volumes = certificates(facts);
    if let Etcd::External(etcd) = &facts.cluster.etcd {
        let files = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file];
        let seen: Vec<LogicalPath> = std::iter::once(facts.node.paths.certificates.clone())
            .chain(ca_directories(facts))
            .collect();
        let mut directories: Vec<LogicalPath> = files
            .into_iter()
            .flatten()
            .map(LogicalPath::parent)
            .filter(|directory| !seen.iter().any(|seen| directory.is_within(seen)))
            .collect();
        directories.sort();
        directories.dedup();
        let all = directories.clone();
        directories.retain(|directory| {
            !all.iter()
                .any(|other| other != directory && directory.is_within(other))
        });
        volumes.extend(directories.iter().enumerate().map(|(index, directory)| {
            readable(
                &format!("etcd-certs-{index}"),
                directory.as_str(),
                DIRECTORY,
            )
        }));
    }
    volumes
}

/// The certificates and its kubeconfig; up to 1.35 the directory of flex volume plugins.
pub(crate) fn of_controller_manager(facts: &Facts) -> Volumes {
    let mut volumes = certificates(facts);
    volumes.push(readable(
        "kubeconfig",
        facts
            .node
            .paths
            .kubeconfig("controller-manager.conf")
            .as_str(),
        FILE,
    ));
    if facts.cluster.version.table().flex_volume_mount {
        let directory = last_value(
            &facts.cluster.controller_manager.extra_args,
            "flex-volume-plugin-dir",
        )
        .unwrap_or(FLEX_VOLUME_DIRECTORY);
        volumes.push(HostPathVolume {
            read_only: false,
            ..readable("flexvolume-dir", directory, DIRECTORY)
        });
    }
    volumes
}

/// Its kubeconfig.
pub(crate) fn of_scheduler(facts: &Facts) -> Volumes {
    vec![readable(
        "kubeconfig",
        facts.node.paths.kubeconfig("scheduler.conf").as_str(),
        FILE,
    )]
}

/// Our certificates and those of the operating system.
fn certificates(facts: &Facts) -> Volumes {
    let mut volumes = vec![
        readable("ca-certs", CA_DIRECTORY, DIRECTORY),
        readable(
            "k8s-certs",
            facts.node.paths.certificates.as_str(),
            DIRECTORY,
        ),
    ];
    volumes.extend(facts.node.ca_directories.iter().map(|directory| {
        let name = directory.as_str().trim_start_matches('/').replace('/', "-");
        readable(&name, directory.as_str(), DIRECTORY)
    }));
    volumes
}

fn ca_directories(facts: &Facts) -> impl Iterator<Item = LogicalPath> {
    LogicalPath::parse(CA_DIRECTORY)
        .into_iter()
        .chain(facts.node.ca_directories.iter().cloned())
}

fn readable(name: &str, path: &str, path_type: &str) -> HostPathVolume {
    HostPathVolume {
        name: name.to_owned(),
        host_path: path.to_owned(),
        mount_path: path.to_owned(),
        read_only: true,
        path_type: path_type.to_owned(),
    }
}
