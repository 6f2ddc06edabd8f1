//! What the checks ask about addresses: proxies in between, and forwarding in the kernel.

use std::net::IpAddr;

use ipnet::IpNet;
use rinit_facts::Facts;
use rinit_plan::{CheckKind, LogicalPath};

use crate::proxy::ProxyEnvironment;

/// A connection to the API server at an address of this node.
pub(crate) fn no_proxy_for_address(facts: &Facts, address: IpAddr) -> CheckKind {
    CheckKind::NoProxyFor {
        destination: address.to_string(),
        proxy: environment(facts).proxy_for(address, facts.node.api.bind_port),
    }
}

/// A connection to the first address that a network gives away.
pub(crate) fn no_proxy_for_cidr(facts: &Facts, cidr: IpNet) -> CheckKind {
    let first = match cidr {
        IpNet::V4(cidr) => IpAddr::V4(u32::from(cidr.network()).saturating_add(1).into()),
        IpNet::V6(cidr) => IpAddr::V6(u128::from(cidr.network()).saturating_add(1).into()),
    };
    CheckKind::NoProxyFor {
        destination: cidr.to_string(),
        proxy: environment(facts).proxy_for(first, 443),
    }
}

fn environment(facts: &Facts) -> ProxyEnvironment {
    ProxyEnvironment::of(facts.node.proxy_environment.iter().filter_map(|variable| {
        let value = variable.source.get("value")?.as_str()?;
        Some((variable.name.as_str(), value))
    }))
}

/// The kernel's switches of forwarding, for each address family that the cluster uses.
pub(crate) fn forwarding_switches(facts: &Facts) -> impl Iterator<Item = LogicalPath> {
    let addresses: Vec<IpAddr> = std::iter::once(facts.node.api.advertise_address)
        .chain(
            facts
                .cluster
                .network
                .service_cidrs
                .iter()
                .chain(&facts.cluster.network.pod_cidrs)
                .map(IpNet::addr),
        )
        .collect();
    [
        (
            addresses.iter().any(IpAddr::is_ipv4),
            "/proc/sys/net/ipv4/ip_forward",
        ),
        (
            addresses.iter().any(IpAddr::is_ipv6),
            "/proc/sys/net/ipv6/conf/default/forwarding",
        ),
    ]
    .into_iter()
    .filter_map(|(used, path)| used.then(|| LogicalPath::parse(path).ok()).flatten())
}
