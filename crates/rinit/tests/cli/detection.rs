//! What is detected is said aloud, with where it was found: on hosts with one default route, in
//! network namespaces of the test's own.

use std::process::{Command, Output};

use crate::support::{Place, Said, has, is_root};

/// Hosts: how they come to their addresses, and what is to be found.
const HOSTS: &[(&str, &str, &str)] = &[
    (
        "IPv4",
        "ip addr add 192.0.2.77/24 dev up0 && ip route add default via 192.0.2.1 dev up0",
        "192.0.2.77",
    ),
    (
        "IPv6",
        "ip -6 addr add 2001:db8::77/64 dev up0 nodad && ip -6 route add default via 2001:db8::1 dev up0",
        "2001:db8::77",
    ),
    (
        "both",
        "ip -6 addr add 2001:db8::77/64 dev up0 nodad && ip -6 route add default via 2001:db8::1 dev up0 \
         && ip addr add 192.0.2.77/24 dev up0 && ip route add default via 192.0.2.1 dev up0",
        "192.0.2.77",
    ),
];

/// Runs a program where `up0` is the only way out.
fn on_host(place: &Place, addresses: &str, program: &str, words: &str) -> Output {
    let script = format!(
        "ip link add up0 type veth peer name other0 && ip link set lo up \
         && ip link set other0 up && ip link set up0 up && {addresses} \
         && hostname Node-7 && exec {program} {words}"
    );
    Command::new("unshare")
        .args(["--net", "--uts", "--", "sh", "-c", &script])
        .current_dir(place.path())
        .output()
        .unwrap()
}

fn may_try() -> bool {
    if !is_root() {
        eprintln!("skipped: only root makes hosts");
        return false;
    }
    has("unshare") && has("ip") && has("hostname")
}

/// The real kubeadm, where there is one and hosts can be made.
fn kubeadm() -> Option<String> {
    let Some(components) = std::env::var_os("RINIT_TEST_COMPONENTS") else {
        eprintln!("skipped: the comparison with what kubeadm detects needs RINIT_TEST_COMPONENTS");
        return None;
    };
    let program = std::path::Path::new(&components).join("bin/kubeadm");
    may_try().then(|| program.display().to_string())
}

#[test]
fn addresses_and_names_are_found_and_told() {
    if !may_try() {
        return;
    }
    let place = Place::new();
    let rinit = &rinit_testkit::program().display().to_string();
    for (name, addresses, found) in HOSTS {
        let words = "init --dry-run --root empty --skip-phases preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";
        let said = Said::of(&on_host(&place, addresses, rinit, words)).succeeded();
        for part in [
            format!(
                "localAPIEndpoint.advertiseAddress: {found} (detected: the default route, which is over up0)"
            ),
            "nodeRegistration.name: node-7 (detected: the name of this host)".to_owned(),
            "kubernetesVersion: v1.37.1 (default)".to_owned(),
            "nodeRegistration.criSocket: unix:///var/run/containerd/containerd.sock (default)"
                .to_owned(),
            "KubeletConfiguration.cgroupDriver: systemd (default)".to_owned(),
        ] {
            assert!(
                said.stderr.contains(&part),
                "{name}: {part}: {}",
                said.stderr
            );
        }
    }
}

/// What is detected on the same hosts is what kubeadm detects.
#[test]
fn kubeadm_finds_the_same() {
    let Some(kubeadm) = kubeadm() else {
        return;
    };
    let place = Place::new();
    place.write(
        "old.yaml",
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n---\n\
         apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.37.1\n",
    );
    for (name, addresses, found) in HOSTS {
        let seen = |program: &str| -> Vec<String> {
            let words = "config migrate --old-config old.yaml";
            let said = Said::of(&on_host(&place, addresses, program, words)).succeeded();
            said.stdout
                .lines()
                .map(str::trim)
                .filter(|line| {
                    ["advertiseAddress:", "name:", "criSocket:"]
                        .iter()
                        .any(|field| line.starts_with(field))
                })
                .map(str::to_owned)
                .collect()
        };
        let ours = seen(&rinit_testkit::program().display().to_string());
        assert_eq!(ours, seen(&kubeadm), "{name}");
        assert!(
            ours.contains(&format!("advertiseAddress: {found}")),
            "{ours:?}"
        );
        assert!(ours.contains(&"name: node-7".to_owned()), "{ours:?}");
    }
}

/// What stands in the place of an address that is written, against kubeadm's `config migrate`.
#[test]
fn kubeadm_finds_the_same_for_what_is_written() {
    let Some(kubeadm) = kubeadm() else {
        return;
    };
    let place = Place::new();
    for (written, on_hosts) in [
        ("0.0.0.0", ["192.0.2.77", "2001:db8::77", "192.0.2.77"]),
        (
            "::ffff:0.0.0.0",
            ["192.0.2.77", "2001:db8::77", "192.0.2.77"],
        ),
        ("::", ["192.0.2.77", "2001:db8::77", "2001:db8::77"]),
        ("::ffff:198.51.100.7", ["198.51.100.7"; 3]),
        ("198.051.100.007", ["198.51.100.7"; 3]),
        ("2001:DB8:0::7", ["2001:db8::7"; 3]),
    ] {
        let endpoint = format!("localAPIEndpoint:\n    advertiseAddress: '{written}'\n");
        place.write(
            "old.yaml",
            format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n{}---\n\
                 apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n\
                 kubernetesVersion: v1.37.1\n---\n\
                 apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n\
                 discovery:\n  bootstrapToken:\n    token: abcdef.0123456789abcdef\n    \
                 apiServerEndpoint: 192.0.2.1:6443\n    unsafeSkipCAVerification: true\n\
                 controlPlane:\n  {endpoint}",
                endpoint.replace("    ", "  "),
            ),
        );
        for ((name, addresses, _), expected) in HOSTS.iter().zip(on_hosts) {
            let seen = |program: &str| -> Vec<String> {
                let words = "config migrate --old-config old.yaml";
                let said = Said::of(&on_host(&place, addresses, program, words)).succeeded();
                said.stdout
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("advertiseAddress: "))
                    .map(str::to_owned)
                    .collect()
            };
            let ours = seen(&rinit_testkit::program().display().to_string());
            assert_eq!(ours, [expected, expected], "{name}: {written}");
            let theirs = seen(&kubeadm);
            assert_eq!(ours, theirs, "{name}: {written}");
        }
    }
}

/// Where no address is to be looked for, none is missing.
#[test]
fn a_file_with_addresses_is_migrated_without_a_network() {
    if !may_try() {
        return;
    }
    let place = Place::new();
    let rinit = &rinit_testkit::program().display().to_string();
    for (address, code) in [("192.0.2.7", 0), ("0.0.0.0", 3)] {
        place.write(
            "old.yaml",
            format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n\
                 localAPIEndpoint: {{advertiseAddress: {address}}}\n"
            ),
        );
        let words = "config migrate --old-config old.yaml";
        let said = Said::of(&on_host(&place, "true", rinit, words));
        assert_eq!(said.code, Some(code), "{address}: {said:?}");
    }
}

/// A socket of a runtime, and what a second init finds of the first.
#[test]
fn a_runtime_is_found_by_its_socket() {
    let place = Place::new();
    let run = place.at("root/var/run/crio");
    std::fs::create_dir_all(&run).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(run.join("crio.sock")).unwrap();
    let words =
        "init phase etcd local --dry-run --root root --apiserver-advertise-address 192.0.2.1";
    let said = place.run(words).succeeded();
    let part = "nodeRegistration.criSocket: unix:///var/run/crio/crio.sock (detected: a socket on this host)";
    assert!(said.stderr.contains(part), "{}", said.stderr);
}
