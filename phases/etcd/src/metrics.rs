//! Where etcd reports its metrics and its health, which the user may move.

use std::net::IpAddr;

use rinit_plan::component::ETCD;

/// Where the kubelet asks for etcd's health.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The host.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// `HTTP` or `HTTPS`.
    pub(crate) scheme: &'static str,
}

/// The first of the configured URLs. What it leaves out is as if nothing was configured, and so
/// is all of it where it is no URL.
pub(crate) fn endpoint(configured: Option<&str>, loopback: IpAddr) -> Endpoint {
    let url = configured
        .and_then(|urls| urls.split(',').next())
        .and_then(parse);
    let (scheme, host, port) = url.unwrap_or(("http", "", None));
    Endpoint {
        host: if host.is_empty() {
            loopback.to_string()
        } else {
            host.to_owned()
        },
        port: port.unwrap_or(ETCD.health.port.number),
        scheme: if scheme.eq_ignore_ascii_case("https") {
            "HTTPS"
        } else {
            ETCD.health.scheme
        },
    }
}

/// Scheme, host and port of a URL.
fn parse(url: &str) -> Option<(&str, &str, Option<u16>)> {
    let (scheme, rest) = url.split_once("://")?;
    let address = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match address.strip_prefix('[') {
        // The colons of an IPv6 address are no port.
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    match port.filter(|port| !port.is_empty()) {
        Some(port) => Some((scheme, host, Some(port.parse().ok()?))),
        None => Some((scheme, host, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_url_says_where_health_is_reported() {
        for (configured, scheme, host, port) in [
            (None, "HTTP", "::1", 2381),
            (
                Some("https://10.0.0.1:2391,http://127.0.0.1:2381"),
                "HTTPS",
                "10.0.0.1",
                2391,
            ),
            (Some("http://0.0.0.0:2381"), "HTTP", "0.0.0.0", 2381),
            (Some("https://[::]:999"), "HTTPS", "::", 999),
            (Some("http://etcd.example:80/x"), "HTTP", "etcd.example", 80),
            (Some("http://1.2.3.4"), "HTTP", "1.2.3.4", 2381),
            (Some("http://:2399"), "HTTP", "::1", 2399),
            (Some("bogus"), "HTTP", "::1", 2381),
            (Some("http://a:b"), "HTTP", "::1", 2381),
            (Some(""), "HTTP", "::1", 2381),
        ] {
            let expected = Endpoint {
                host: host.to_owned(),
                port,
                scheme,
            };
            let loopback = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
            assert_eq!(endpoint(configured, loopback), expected, "{configured:?}");
        }
    }
}
