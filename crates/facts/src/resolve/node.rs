//! This node: its name, its container runtime, where its API server listens and is found, and what
//! an init on it waits for and overlooks.

use std::net::IpAddr;

use rinit_config::v1beta4::{
    ClusterConfiguration, ImagePullPolicy, InitConfiguration, NodeRegistrationOptions,
};
use rinit_config::{Format, GoDuration, Rule};
use rinit_diag::Problem;
use rinit_plan::{ApiAccess, LogicalPath, PullPolicy, Taint, defaults};

use super::Resolver;
use super::network::split_host_port;
use crate::facts::{Api, Endpoint, Role, Timeouts};
use crate::overrides::IGNORED_CHECKS;
use crate::paths::Paths;

/// Why an API server cannot be announced at an address that only this host reaches.
pub fn unreachable(address: IpAddr) -> Problem {
    Problem::new(format!(
        "the API server cannot be announced at {address}, which no other node reaches"
    ))
    .with_hint(
        "give an address of this host that other nodes reach, or leave it out to have it detected",
    )
}

impl Resolver<'_> {
    pub(super) fn hostname(&self) -> String {
        self.host.hostname.trim().to_lowercase()
    }

    pub(super) fn node_name(&mut self, init: &InitConfiguration) -> String {
        let asked = init.node_registration.name.as_deref();
        let name = if let Some(name) = asked {
            name.trim().to_lowercase()
        } else {
            self.find("nodeRegistration.name", "the name of this host");
            self.hostname()
        };
        if let Some(problem) = Format::NodeName.refuse(&name) {
            self.wrong(
                Rule::DnsName,
                "nodeRegistration.name",
                Problem {
                    message: match asked {
                        Some(_) => problem.message,
                        None => format!("the name of this host: {}", problem.message),
                    },
                    hint: Some("give one with `--node-name` or `nodeRegistration.name`".to_owned()),
                },
            );
        }
        name
    }

    pub(super) fn cri_socket(&mut self, configured: Option<&str>) -> (String, Vec<String>) {
        let with_scheme = |socket: &str| {
            if socket.contains("://") {
                socket.to_owned()
            } else {
                format!("unix://{socket}")
            }
        };
        if let Some(socket) = configured.filter(|socket| !socket.is_empty()) {
            return (with_scheme(socket), Vec::new());
        }
        let found = &self.host.cri_sockets;
        let Some(first) = found.first() else {
            return (defaults::CRI_SOCKETS[0].to_owned(), Vec::new());
        };
        self.find("nodeRegistration.criSocket", "a socket on this host");
        (
            with_scheme(first),
            found[1..]
                .iter()
                .map(|socket| with_scheme(socket))
                .collect(),
        )
    }

    pub(super) fn advertise_address(&mut self, configured: Option<&str>) -> IpAddr {
        const FIELD: &str = "localAPIEndpoint.advertiseAddress";
        let unspecified = IpAddr::from([0, 0, 0, 0]);
        let Some(asked) = configured.filter(|text| !text.is_empty()) else {
            return self.detected_address(None);
        };
        let Some(address) = rinit_config::parse_ip(asked) else {
            self.wrong(
                Rule::IpAddress,
                FIELD,
                Problem::new(format!("\"{asked}\" is no IP address")),
            );
            return unspecified;
        };
        if address.is_unspecified() {
            // kubeadm reads 0.0.0.0 and :: as a wish for the default address.
            return self.detected_address(Some(address));
        }
        if address.is_loopback()
            && let Some(global) = self.host.loopback_global_address
        {
            self.find(FIELD, "a global address of the loopback interface");
            return global;
        }
        if address.is_loopback() || !rinit_config::is_reachable(address) {
            self.wrong(Rule::UnreachableAddress, FIELD, unreachable(address));
        }
        address
    }

    fn detected_address(&mut self, asked: Option<IpAddr>) -> IpAddr {
        let Some(route) = self.host.default_route(asked) else {
            if self.role == Role::Worker {
                // It announces nothing.
                return IpAddr::from([0, 0, 0, 0]);
            }
            self.wrong(
                Rule::DefaultRoute,
                "localAPIEndpoint.advertiseAddress",
                Problem::new("no advertise address is configured, and this host has no default route to take one from")
                    .with_hint("give one with `--apiserver-advertise-address` or `localAPIEndpoint.advertiseAddress`"),
            );
            return IpAddr::from([0, 0, 0, 0]);
        };
        let address = route.address;
        let how = match &route.interface {
            Some(name) => format!("the default route, which is over {name}"),
            None => "the default route".to_owned(),
        };
        self.find("localAPIEndpoint.advertiseAddress", &how);
        address
    }

    pub(super) fn access(&mut self, paths: &Paths, api: &Api) -> ApiAccess {
        let typed = self.overrides.kubeconfig.as_deref().map(LogicalPath::parse);
        let typed = typed.and_then(|path| {
            path.map_err(|error| self.wrong_flag("kubeconfig", Problem::new(error.to_string())))
                .ok()
        });
        match typed {
            // Another kubeconfig is taken at its word.
            Some(kubeconfig) => ApiAccess {
                kubeconfig,
                super_kubeconfig: None,
                server: None,
            },
            None => ApiAccess {
                kubeconfig: paths.kubeconfig("admin.conf"),
                super_kubeconfig: (self.role == Role::FirstControlPlane)
                    .then(|| paths.kubeconfig("super-admin.conf")),
                // A new API server knows no rights at first; the one that was found does.
                server: Some(match &self.join {
                    Some(join) => join.access.server.clone(),
                    None => api.endpoint().url(),
                }),
            },
        }
    }

    pub(super) fn ignored_checks(&mut self, init: &InitConfiguration) -> Vec<String> {
        let registration = &init.node_registration;
        let mut names: Vec<String> = registration
            .ignore_preflight_errors
            .iter()
            .map(|name| name.trim().to_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        names.sort();
        names.dedup();
        // What is wrong in the file by itself was reported.
        let is_reported = !self.documents.is_settled(IGNORED_CHECKS);
        if !is_reported && names.len() > 1 && names.iter().any(|name| name == "all") {
            self.wrong(
                Rule::IgnoreAllAlone,
                IGNORED_CHECKS,
                Problem::new(
                    "the name `all` stands beside other names of preflight checks to ignore",
                )
                .with_hint("name `all` alone, or only single checks"),
            );
        }
        names
    }
}

/// Returns the stable endpoint of the control plane, at the API server's port where none is given.
pub(super) fn endpoint(cluster: &ClusterConfiguration, api: &Api) -> Option<Endpoint> {
    let text = cluster.control_plane_endpoint.as_deref()?;
    let (host, port) = split_host_port(Some(text).filter(|text| !text.is_empty())?);
    Some(Endpoint {
        host,
        port: port.unwrap_or(api.bind_port),
    })
}

pub(super) fn taints(registration: &NodeRegistrationOptions) -> Vec<Taint> {
    let taints = registration.taints.iter().flatten();
    taints
        .map(|taint| Taint {
            key: taint.key.clone(),
            value: taint.value.clone().filter(|value| !value.is_empty()),
            effect: taint
                .effect
                .map_or_else(String::new, |effect| effect.to_string()),
        })
        .collect()
}

pub(super) fn pull_policy(registration: &NodeRegistrationOptions) -> PullPolicy {
    match registration.image_pull_policy {
        Some(ImagePullPolicy::Always) => PullPolicy::Always,
        Some(ImagePullPolicy::Never) => PullPolicy::Never,
        Some(ImagePullPolicy::IfNotPresent) | None => PullPolicy::IfNotPresent,
    }
}

/// Takes out the timeouts that no start could keep, so that the defaults count.
pub(super) fn without_zero_timeouts(init: &mut InitConfiguration) {
    let Some(timeouts) = &mut init.timeouts else {
        return;
    };
    for timeout in [
        &mut timeouts.control_plane_component_health_check,
        &mut timeouts.kubelet_health_check,
        &mut timeouts.kubernetes_api_call,
    ] {
        *timeout = timeout.filter(|duration| duration.nanoseconds() > 0);
    }
}

pub(super) fn timeouts(init: &InitConfiguration) -> Timeouts {
    let timeouts = init.timeouts.clone().unwrap_or_default();
    let seconds = |value: Option<GoDuration>| {
        let duration = value.and_then(GoDuration::to_std).unwrap_or_default();
        duration.as_secs().max(1)
    };
    Timeouts {
        control_plane_component_health_check: seconds(
            timeouts.control_plane_component_health_check,
        ),
        kubelet_health_check: seconds(timeouts.kubelet_health_check),
        kubernetes_api_call: seconds(timeouts.kubernetes_api_call),
    }
}
