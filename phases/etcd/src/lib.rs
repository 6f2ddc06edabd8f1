//! The etcd phase of init: the directory and the static pod of this node's etcd.
//!
//! With an external etcd it has nothing to do. It never speaks to etcd.

use std::net::IpAddr;

use rinit_facts::{Etcd, Facts, HostPathVolume, LocalEtcd, PatchTarget, Role};
use rinit_manifest::arguments::{command_line, last_value, of_files};
use rinit_manifest::pod::{Health, PodError, StaticPod, merge_environment};
use rinit_plan::component::ETCD;
use rinit_plan::{
    CaId, DirectorySpec, EtcdMemberSpec, FileMode, LogicalPath, Plan, Resource, StaticPodSpec,
    constants,
};
use rinit_versions::MinorTable;
use rinit_workflow::{Phase, Reach};

mod metrics;

/// The phase with its one leaf.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "etcd",
        "Generate the static pod of a local etcd",
        [Phase::leaf(
            "local",
            "Generate the static pod of a local, single-node etcd",
            Reach::Files,
            plan,
        )],
    )
}

/// The leaf of join: the same static pod, of a member that is added to those of the cluster.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf(
        "etcd-join",
        "Join etcd for control plane nodes",
        Reach::Cluster,
        join_plan,
    )
}

fn join_plan(facts: &Facts) -> Plan {
    let (Etcd::Local(etcd), false, Some(join)) =
        (&facts.cluster.etcd, facts.is_worker(), &facts.inputs.join)
    else {
        return Plan::default();
    };
    let pod = match static_pod(facts, etcd) {
        Ok(pod) => pod,
        Err(error) => return Plan::of([error.refusal()]),
    };
    let address = facts.node.api.advertise_address;
    let paths = &facts.node.paths;
    Plan::of([
        directory(&etcd.data_dir),
        directory(&paths.manifests),
        Resource::EtcdMember(EtcdMemberSpec {
            name: facts.node.name.clone(),
            peer_url: url(address, ETCD.ports[1].number),
            client_url: url(address, ETCD.port()),
            kubeconfig: paths.kubeconfig("admin.conf"),
            server: join.access.server.clone(),
            ca: paths.ca_certificate(CaId::Etcd),
            certificate: paths.certificate_file("etcd/healthcheck-client.crt"),
            key: paths.certificate_file("etcd/healthcheck-client.key"),
            data_dir: etcd.data_dir.clone(),
            pod,
            limit_seconds: facts.node.timeouts.control_plane_component_health_check,
        }),
    ])
}

fn directory(path: &LogicalPath) -> Resource {
    Resource::Directory(DirectorySpec {
        path: path.clone(),
        mode: FileMode::PRIVATE_DIRECTORY,
    })
}

fn plan(facts: &Facts) -> Plan {
    let etcd = match &facts.cluster.etcd {
        Etcd::Local(etcd) => etcd,
        Etcd::External(_) => {
            return Plan::nothing("external etcd: this node runs none");
        }
    };
    match static_pod(facts, etcd) {
        Ok(pod) => Plan::of([
            directory(&etcd.data_dir),
            directory(&facts.node.paths.manifests),
            Resource::StaticPod(pod),
        ]),
        Err(error) => Plan::of([error.refusal()]),
    }
}

fn static_pod(facts: &Facts, etcd: &LocalEtcd) -> Result<StaticPodSpec, PodError> {
    let table = facts.cluster.version.table();
    let loopback = loopback(facts.node.api.advertise_address);
    let metrics = metrics::endpoint(
        last_value(&etcd.extra_args, "listen-metrics-urls"),
        loopback,
    );
    let certificates = facts.node.paths.certificate_file("etcd").to_string();
    StaticPod {
        component: &ETCD,
        image: &facts.cluster.images.etcd,
        arguments: command_line(arguments(facts, etcd, table), &etcd.extra_args),
        // The address under which other nodes join, even where the user announces another.
        annotations: vec![(
            constants::ETCD_CLIENT_URLS_ANNOTATION,
            url(facts.node.api.advertise_address, ETCD.port()),
        )],
        environment: merge_environment(&[], &etcd.extra_envs),
        volumes: vec![
            writable("etcd-data", etcd.data_dir.as_str()),
            writable("etcd-certs", &certificates),
        ],
        requests: &[("cpu", "100m"), ("memory", "100Mi")],
        health: Health {
            host: Some(metrics.host),
            port: metrics.port,
            scheme: metrics.scheme,
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
    .spec(
        facts.node.paths.manifest(ETCD.name),
        Facts::MANIFEST_MODE,
        table,
        facts.patches_of(PatchTarget::Etcd),
    )
}

fn arguments(facts: &Facts, etcd: &LocalEtcd, table: &MinorTable) -> Vec<(&'static str, String)> {
    let address = facts.node.api.advertise_address;
    let [client_port, peer_port] = [0, 1].map(|index| ETCD.ports[index].number);
    let client_url = url(address, client_port);
    let peer_url = url(address, peer_port);
    let loopback = loopback(address);
    let members = match facts.node.role {
        // They are known once it is one of them.
        Role::ControlPlane => EtcdMemberSpec::MEMBERS.to_owned(),
        Role::FirstControlPlane | Role::Worker => format!("{}={peer_url}", facts.node.name),
    };
    let mut arguments = of_files(&ETCD, &facts.node.paths);
    arguments.extend([
        ("advertise-client-urls", client_url.clone()),
        ("client-cert-auth", "true".to_owned()),
        ("data-dir", etcd.data_dir.to_string()),
        ("initial-advertise-peer-urls", peer_url.clone()),
        ("initial-cluster", members),
        (
            "listen-client-urls",
            format!("{},{client_url}", url(loopback, client_port)),
        ),
        (
            "listen-metrics-urls",
            format!("http://{}:{}", host(loopback), ETCD.health.port.number),
        ),
        ("listen-peer-urls", peer_url),
        ("name", facts.node.name.clone()),
        ("peer-client-cert-auth", "true".to_owned()),
        ("snapshot-count", "10000".to_owned()),
    ]);
    if facts.node.role == Role::ControlPlane {
        arguments.push(("initial-cluster-state", "existing".to_owned()));
    }
    if takes_new_flags(facts, table) {
        arguments.push(("feature-gates", "InitialCorruptCheck=true".to_owned()));
        arguments.push(("watch-progress-notify-interval", "5s".to_owned()));
    } else {
        arguments.push(("experimental-initial-corrupt-check", "true".to_owned()));
        arguments.push((
            "experimental-watch-progress-notify-interval",
            "5s".to_owned(),
        ));
    }
    arguments
}

/// Whether etcd is one of 3.6 or later; some minors look at the tag of the image that the user names.
fn takes_new_flags(facts: &Facts, table: &MinorTable) -> bool {
    if !table.etcd_tag_decides_flags {
        return table.etcd_3_6_flags;
    }
    let tag = facts
        .cluster
        .images
        .etcd
        .rsplit(':')
        .next()
        .unwrap_or_default();
    let mut parts = tag.trim_start_matches('v').split(['.', '-']);
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number()) {
        (Some(major), Some(minor)) => (major, minor) >= (3, 6),
        _ => false,
    }
}

fn url(address: IpAddr, port: u16) -> String {
    format!("https://{}:{port}", host(address))
}

/// An address as the host of a URL.
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The loopback address of the family that etcd is announced in.
fn loopback(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    }
}

fn writable(name: &str, path: &str) -> HostPathVolume {
    HostPathVolume {
        name: name.to_owned(),
        host_path: path.to_owned(),
        mount_path: path.to_owned(),
        read_only: false,
        path_type: "DirectoryOrCreate".to_owned(),
    }
}
