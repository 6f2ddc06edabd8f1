//! Network interfaces, default routes, and the address that a control plane advertises by default.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::{HostError, Result};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Its addresses in the order of the kernel.
    pub addresses: Vec<IpAddr>,
}

/// Every network interface of the running machine, in the order of the kernel.
pub fn interfaces() -> Result<Vec<Interface>> {
    let mut found: Vec<Interface> = Vec::new();
    for entry in getifaddrs().map_err(|errno| HostError::Interfaces(errno.into()))? {
        let index = found
            .iter()
            .position(|interface| interface.name == entry.interface_name)
            .unwrap_or_else(|| {
                found.push(Interface {
                    name: entry.interface_name.clone(),
                    up: entry.flags.contains(InterfaceFlags::IFF_UP),
                    loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                    addresses: Vec::new(),
                });
                found.len() - 1
            });
        let Some(address) = entry.address else {
            continue;
        };
        if let Some(address) = address.as_sockaddr_in() {
            found[index].addresses.push(IpAddr::V4(address.ip()));
        } else if let Some(address) = address.as_sockaddr_in6() {
            found[index].addresses.push(IpAddr::V6(address.ip()));
        }
    }
    Ok(found)
}

/// Which of the two families of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// The addresses of this host that its default routes lead to, of each family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefaultAddresses {
    /// That of the IPv4 default route.
    pub ipv4: Option<IpAddr>,
    /// That of the IPv6 default route.
    pub ipv6: Option<IpAddr>,
}

/// The addresses that kubeadm would choose: for each family the first global unicast address of the
/// interface with its default route. Where that interface has none, as with unnumbered links, one of
/// the loopback interface.
///
/// The routes are the texts of `/proc/net/route` and `/proc/net/ipv6_route`.
pub fn default_addresses(
    ipv4_routes: &str,
    ipv6_routes: &str,
    interfaces: &[Interface],
) -> DefaultAddresses {
    let choose = |family, names: Vec<&str>| {
        names.into_iter().find_map(|name| {
            let named = interfaces.iter().filter(|one| one.name == name);
            let loopback = interfaces.iter().filter(|one| one.loopback);
            named
                .chain(loopback)
                .find_map(|interface| first_global(interface, family))
        })
    };
    DefaultAddresses {
        ipv4: choose(Family::V4, ipv4_default_interfaces(ipv4_routes)),
        ipv6: choose(Family::V6, ipv6_default_interfaces(ipv6_routes)),
    }
}

/// A global unicast address of the loopback interface, IPv4 before IPv6: what stands in for a
/// loopback address that was asked for.
pub fn loopback_address(interfaces: &[Interface]) -> Option<IpAddr> {
    [Family::V4, Family::V6].into_iter().find_map(|family| {
        interfaces
            .iter()
            .filter(|interface| interface.loopback)
            .find_map(|interface| first_global(interface, family))
    })
}

fn first_global(interface: &Interface, family: Family) -> Option<IpAddr> {
    interface
        .addresses
        .iter()
        .copied()
        .find(|address| interface.up && family.has(*address) && is_global_unicast(*address))
}

/// Whether an address may be one of a host among others: private ranges count, loopback,
/// link-local, multicast, broadcast and unspecified addresses do not.
pub fn is_global_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && !address.is_link_local()
                && address != Ipv4Addr::BROADCAST
        }
        IpAddr::V6(address) => {
            address != Ipv6Addr::UNSPECIFIED
                && !address.is_loopback()
                && !address.is_multicast()
                && !address.is_unicast_link_local()
        }
    }
}

/// Flags of a route (linux/route.h).
const ROUTE_UP: u32 = 0x1;
const ROUTE_REJECT: u32 = 0x200;

fn usable(flags: &str) -> bool {
    u32::from_str_radix(flags, 16)
        .is_ok_and(|flags| flags & ROUTE_UP != 0 && flags & ROUTE_REJECT == 0)
}

/// Columns: interface, destination, gateway, flags, references, use, metric, mask, …
fn ipv4_default_interfaces(text: &str) -> Vec<&str> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_default = *columns.get(1)? == "00000000"
                && *columns.get(7)? == "00000000"
                && usable(columns.get(3)?);
            is_default.then(|| columns[0])
        })
        .collect()
}

/// Columns: destination, its length, source, its length, next hop, metric, references, use, flags,
/// interface.
fn ipv6_default_interfaces(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_default = columns.first()?.bytes().all(|byte| byte == b'0')
                && *columns.get(1)? == "00"
                && usable(columns.get(8)?)
                && *columns.get(9)? != "lo";
            is_default.then(|| columns[9])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    const NO_IPV6_ROUTE: &str = "00000000000000000000000000000000 00 \
        00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 \
        00000000 00200200       lo\n";

    fn interface(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.into(),
            up: true,
            loopback: name == "lo",
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn ipv4_routes(lines: &str) -> String {
        format!("{HEADER}{lines}")
    }

    #[test]
    fn the_interface_of_the_default_route_counts() {
        let routes = ipv4_routes(
            "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
             eth1\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
        );
        let interfaces = [
            interface("lo", &["127.0.0.1", "::1"]),
            interface("docker0", &["172.17.0.1"]),
            interface(
                "eth1",
                &["fe80::1", "2001:db8::5", "192.168.2.7", "10.0.0.9"],
            ),
        ];
        let chosen = default_addresses(&routes, NO_IPV6_ROUTE, &interfaces);
        assert_eq!(chosen.ipv4, Some("192.168.2.7".parse().unwrap()));
        assert_eq!(chosen.ipv6, None);
    }

    #[test]
    fn each_family_has_the_address_of_its_own_route() {
        let route = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
            fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n";
        let interfaces = [interface("eth0", &["10.0.0.9", "fe80::2", "2001:db8::5"])];
        let chosen = default_addresses(HEADER, &format!("{NO_IPV6_ROUTE}{route}"), &interfaces);
        assert_eq!(chosen.ipv4, None);
        assert_eq!(chosen.ipv6, Some("2001:db8::5".parse().unwrap()));
    }

    #[test]
    fn an_unnumbered_link_lends_the_address_of_loopback() {
        let routes = ipv4_routes("swp1\t00000000\t0100FEA9\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let interfaces = [
            interface("lo", &["127.0.0.1", "10.255.0.3"]),
            interface("swp1", &["169.254.0.1"]),
        ];
        let chosen = Some("10.255.0.3".parse().unwrap());
        assert_eq!(default_addresses(&routes, "", &interfaces).ipv4, chosen);
        assert_eq!(loopback_address(&interfaces), chosen);
    }

    #[test]
    fn without_a_usable_default_route_there_is_no_address() {
        let interfaces = [interface("eth0", &["10.0.0.9"])];
        let none = DefaultAddresses::default();
        assert_eq!(default_addresses(HEADER, NO_IPV6_ROUTE, &interfaces), none);
        let unreachable = ipv4_routes("*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n");
        assert_eq!(default_addresses(&unreachable, "", &interfaces), none);
        let mut down = interfaces;
        down[0].up = false;
        let routes = ipv4_routes("eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        assert_eq!(default_addresses(&routes, "", &down), none);
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|one| one.loopback).unwrap();
        assert!(
            loopback
                .addresses
                .contains(&IpAddr::V4(Ipv4Addr::LOCALHOST))
        );
    }
}
