//! The networks of the cluster, and addresses in them.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use rinit_config::Rule;
use rinit_config::v1beta4::ClusterConfiguration;
use rinit_diag::Problem;

use super::Resolver;
use crate::facts::Network;

impl Resolver<'_> {
    pub(super) fn network(&mut self, cluster: &ClusterConfiguration) -> Network {
        let networking = &cluster.networking;
        let service_subnet = networking.service_subnet.clone().unwrap_or_default();
        let dns_domain = networking.dns_domain.clone().unwrap_or_default();
        let pod_subnet = networking.pod_subnet.clone().unwrap_or_default();
        let service_cidrs = self.networks("networking.serviceSubnet", &service_subnet);
        let pod_cidrs = self.networks("networking.podSubnet", &pod_subnet);
        let nth = |index: u128| {
            service_cidrs
                .first()
                .and_then(|cidr| address_at(cidr, index))
        };
        let (api_service_ip, dns_service_ip) = (nth(1), nth(10));
        self.networks_of_flags(cluster, &service_subnet, &pod_subnet);
        let unspecified = IpAddr::from([0, 0, 0, 0]);
        if !service_cidrs.is_empty() && dns_service_ip.is_none() {
            self.wrong(
                Rule::NetworkTooSmall,
                "networking.serviceSubnet",
                Problem::new(format!(
                    "the service network {service_subnet} has no tenth address"
                ))
                .with_hint("give a network of at least 16 addresses"),
            );
        }
        Network {
            service_cidrs,
            service_subnet,
            pod_cidrs,
            pod_subnet,
            dns_domain,
            api_service_ip: api_service_ip.unwrap_or(unspecified),
            dns_service_ip: dns_service_ip.unwrap_or(unspecified),
        }
    }

    /// Validates networks of flags by the rules that depend on more than their form, as those of the file
    /// were when it was read.
    fn networks_of_flags(&mut self, cluster: &ClusterConfiguration, services: &str, pods: &str) {
        const PODS: &str = "networking.podSubnet";
        const ARGUMENTS: &str = "controllerManager.extraArgs";
        let replaced = |path: &str| self.overrides.replaces(path);
        if (replaced(PODS) || replaced(ARGUMENTS))
            && self.is_settled(PODS)
            && self.is_settled(ARGUMENTS)
        {
            let argument = |name: &str| {
                let arguments = cluster.controller_manager.extra_args.iter();
                let last = arguments.rev().find(|argument| argument.name == name)?;
                Some(last.value.clone())
            };
            for fault in rinit_config::pod_network_faults(pods, &argument) {
                self.wrong(fault.rule, fault.path, fault.problem);
            }
        }
        for (path, text) in [(PODS, pods), ("networking.serviceSubnet", services)] {
            if self.overrides.replaces(path) {
                for message in rinit_config::site_local_networks(text) {
                    let problem = Problem::new(message);
                    self.doubt(
                        Rule::SiteLocalNetwork,
                        "ClusterConfiguration",
                        path,
                        problem,
                    );
                }
            }
        }
    }

    pub(super) fn networks(&mut self, field: &str, text: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match IpNet::from_str(part) {
                Ok(network) => networks.push(network),
                Err(_) => self.wrong(
                    Rule::Network,
                    field,
                    Problem::new(format!("\"{part}\" is no network in CIDR form")),
                ),
            }
        }
        networks
    }
}

/// The address at that index of a network, if it has one.
pub(super) fn address_at(network: &IpNet, index: u128) -> Option<IpAddr> {
    let address = match network.network() {
        IpAddr::V4(base) => IpAddr::from(
            u32::from(base)
                .checked_add(u32::try_from(index).ok()?)?
                .to_be_bytes(),
        ),
        IpAddr::V6(base) => IpAddr::from(u128::from(base).checked_add(index)?.to_be_bytes()),
    };
    network.contains(&address).then_some(address)
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; the file's rules have checked the form.
pub(crate) fn split_host_port(text: &str) -> (String, Option<u16>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host.to_owned(),
            port.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host.to_owned(), port.parse().ok()),
        _ => (text.to_owned(), None),
    }
}
