//! The components of a control plane: what must be known of each to write its manifest, check its
//! ports, wait for it, restart it and find out why it does not start.
//!
//! Names, paths and ports are kubeadm's. What a user configures otherwise is in the facts, and on
//! a node in the manifest.

use crate::defaults::BIND_PORT;

/// A component of the control plane, a static pod.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    /// The name of its pod, its container, its executable and, before `.yaml`, its manifest.
    pub name: &'static str,
    /// Where its clients and peers reach it.
    pub ports: &'static [Port],
    /// The flag with the address at which it is asked for its health; none where URLs hold it.
    pub address_flag: Option<&'static str>,
    /// Where it reports its health.
    pub health: HealthEndpoint,
    /// The components without which it does not become healthy.
    pub depends_on: &'static [&'static Component],
    /// Flags that name a file of the certificates directory, each with the file. The first tell
    /// best which directory that is.
    pub files: &'static [(&'static str, &'static str)],
    /// Its kubeconfig, which the flags of [`KUBECONFIG_FLAGS`] name.
    pub kubeconfig: Option<&'static str>,
    /// The flag that names the directory of its data.
    pub data_flag: Option<&'static str>,
}

/// A port, and the flag that sets it: by itself, or as a part of URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The number unless configured.
    pub number: u16,
    /// The flag.
    pub flag: &'static str,
}

/// Where a component reports its health.
#[derive(Debug, PartialEq, Eq)]
pub struct HealthEndpoint {
    /// The port.
    pub port: Port,
    /// `HTTP` or `HTTPS`.
    pub scheme: &'static str,
    /// The path that says whether it works. Init waits for it, and the kubelet restarts the
    /// component where it fails.
    pub liveness: &'static str,
    /// The path that says whether it takes requests.
    pub readiness: Option<&'static str>,
    /// The path that the kubelet asks first.
    pub startup: &'static str,
}

/// The flags of a component that name its kubeconfig.
pub const KUBECONFIG_FLAGS: [&str; 3] = [
    "authentication-kubeconfig",
    "authorization-kubeconfig",
    "kubeconfig",
];

/// The port of the kubelet's API.
pub const KUBELET_PORT: u16 = 10250;
/// The port at which the kubelet reports its health, unless configured.
pub const KUBELET_HEALTH_PORT: u16 = 10248;

const fn port(number: u16, flag: &'static str) -> Port {
    Port { number, flag }
}

const SECURE_PORT: &str = "secure-port";

/// etcd.
pub static ETCD: Component = Component {
    name: "etcd",
    ports: &[
        port(2379, "listen-client-urls"),
        port(2380, "listen-peer-urls"),
    ],
    address_flag: None,
    health: HealthEndpoint {
        port: port(2381, "listen-metrics-urls"),
        scheme: "HTTP",
        liveness: "/livez",
        readiness: Some("/readyz"),
        startup: "/readyz",
    },
    depends_on: &[],
    files: &[
        ("cert-file", "etcd/server.crt"),
        ("key-file", "etcd/server.key"),
        ("peer-cert-file", "etcd/peer.crt"),
        ("peer-key-file", "etcd/peer.key"),
        ("peer-trusted-ca-file", "etcd/ca.crt"),
        ("trusted-ca-file", "etcd/ca.crt"),
    ],
    kubeconfig: None,
    data_flag: Some("data-dir"),
};

/// The API server.
pub static API_SERVER: Component = Component {
    name: "kube-apiserver",
    ports: &[port(BIND_PORT, SECURE_PORT)],
    address_flag: Some("advertise-address"),
    health: HealthEndpoint {
        port: port(BIND_PORT, SECURE_PORT),
        scheme: "HTTPS",
        liveness: "/livez",
        readiness: Some("/readyz"),
        startup: "/livez",
    },
    depends_on: &[&ETCD],
    files: &[
        ("tls-cert-file", "apiserver.crt"),
        ("client-ca-file", "ca.crt"),
        ("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
        ("kubelet-client-key", "apiserver-kubelet-client.key"),
        ("proxy-client-cert-file", "front-proxy-client.crt"),
        ("proxy-client-key-file", "front-proxy-client.key"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("service-account-key-file", "sa.pub"),
        ("service-account-signing-key-file", "sa.key"),
        ("tls-private-key-file", "apiserver.key"),
    ],
    kubeconfig: None,
    data_flag: None,
};

/// The controller manager.
pub static CONTROLLER_MANAGER: Component = Component {
    name: "kube-controller-manager",
    ports: &[port(10257, SECURE_PORT)],
    address_flag: Some("bind-address"),
    health: HealthEndpoint {
        port: port(10257, SECURE_PORT),
        scheme: "HTTPS",
        liveness: "/healthz",
        readiness: None,
        startup: "/healthz",
    },
    depends_on: &[&API_SERVER],
    files: &[
        ("client-ca-file", "ca.crt"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("root-ca-file", "ca.crt"),
        ("service-account-private-key-file", "sa.key"),
    ],
    kubeconfig: Some("controller-manager.conf"),
    data_flag: None,
};

/// The scheduler.
pub static SCHEDULER: Component = Component {
    name: "kube-scheduler",
    ports: &[port(10259, SECURE_PORT)],
    address_flag: Some("bind-address"),
    health: HealthEndpoint {
        port: port(10259, SECURE_PORT),
        scheme: "HTTPS",
        liveness: "/livez",
        readiness: Some("/readyz"),
        startup: "/livez",
    },
    depends_on: &[&API_SERVER],
    files: &[],
    kubeconfig: Some("scheduler.conf"),
    data_flag: None,
};

/// All of them, in the order in which they start.
pub static COMPONENTS: [&Component; 4] = [&ETCD, &API_SERVER, &CONTROLLER_MANAGER, &SCHEDULER];

impl Component {
    /// The component of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COMPONENTS.into_iter().find(|one| one.name == name)
    }

    /// The port of its clients, unless configured.
    pub fn port(&self) -> u16 {
        self.ports[0].number
    }

    /// Its position in the order in which components start; unknown pods start last.
    pub fn start_order(name: &str) -> usize {
        COMPONENTS
            .iter()
            .position(|one| one.name == name)
            .unwrap_or(COMPONENTS.len())
    }

    /// Everything that it depends on, directly or not, and itself, in the order in which they
    /// start.
    pub fn with_dependencies(&'static self) -> Vec<&'static Self> {
        let mut found: Vec<&'static Self> = self
            .depends_on
            .iter()
            .flat_map(|one| one.with_dependencies())
            .collect();
        found.push(self);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_starts_after_those_it_depends_on() {
        for (index, component) in COMPONENTS.iter().enumerate() {
            let names: Vec<&str> = component
                .with_dependencies()
                .iter()
                .map(|one| one.name)
                .collect();
            assert_eq!(names.last(), Some(&component.name));
            for name in names {
                assert!(Component::start_order(name) <= index, "{name}");
            }
        }
        assert_eq!(Component::start_order("backup"), COMPONENTS.len());
    }
}
