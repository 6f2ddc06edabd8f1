//! Which proxy a program written in Go takes for an address, by the variables of its environment.
//!
//! The rules are those of `golang.org/x/net/http/httpproxy`, by which kubelets and components go:
//! `HTTPS_PROXY` names the proxy and `NO_PROXY` the exceptions, the upper-case name before the
//! lower-case one. An exception is `*`, an address, a CIDR, or a domain with or without the ones
//! below it; addresses and domains may have a port. Loopback is never proxied.

use std::net::IpAddr;

use ipnet::IpNet;

/// What the environment says about connections by TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ProxyEnvironment {
    proxy: Option<String>,
    exceptions: Vec<Exception>,
}

/// Something that is reached without the proxy. Domains play no part: whoever asks here has an
/// address.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
}

impl ProxyEnvironment {
    /// Reads the variables.
    pub(crate) fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables: Vec<(&str, &str)> = variables.into_iter().collect();
        let value = |upper: &str, lower: &str| {
            [upper, lower].into_iter().find_map(|name| {
                variables
                    .iter()
                    .find(|(other, value)| *other == name && !value.is_empty())
                    .map(|(_, value)| *value)
            })
        };
        Self {
            proxy: value("HTTPS_PROXY", "https_proxy").map(without_credentials),
            exceptions: value("NO_PROXY", "no_proxy")
                .unwrap_or_default()
                .split(',')
                .filter_map(|text| exception(text.trim()))
                .collect(),
        }
    }

    /// The proxy that a connection to that address and port goes through.
    pub(crate) fn proxy_for(&self, address: IpAddr, port: u16) -> Option<String> {
        let is_exception = |exception: &Exception| match exception {
            Exception::Everything => true,
            Exception::Network(network) => network.contains(&address),
            Exception::Address(other, limit) => {
                *other == address && limit.is_none_or(|limit| limit == port)
            }
        };
        if address.is_loopback() || self.exceptions.iter().any(is_exception) {
            return None;
        }
        self.proxy.clone()
    }
}

fn exception(text: &str) -> Option<Exception> {
    if text == "*" {
        return Some(Exception::Everything);
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Exception::Network(network));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Exception::Address(address, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Some(Exception::Address(
        host.parse().ok()?,
        Some(port.parse().ok()?),
    ))
}

/// The proxy's URL without the user and password that may stand in it.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host_port, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = host_port.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(no_proxy: &str, address: &str, proxied: bool) {
        let environment =
            ProxyEnvironment::of([("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", no_proxy)]);
        let proxy = environment.proxy_for(address.parse().unwrap(), 6443);
        let expected = proxied.then(|| "http://proxy:3128".to_owned());
        assert_eq!(proxy, expected, "NO_PROXY={no_proxy:?} {address}");
    }

    #[test]
    fn exceptions_are_addresses_networks_or_everything() {
        check("", "10.0.0.1", true);
        check("10.0.0.1", "10.0.0.1", false);
        check("10.0.0.1", "10.0.0.11", true);
        check("10.0.0.0/8", "10.99.0.1", false);
        check("10.0.0.0/8", "11.0.0.1", true);
        check("a.example, 10.0.0.0/8 ,b", "10.99.0.1", false);
        check("*", "192.0.2.1", false);
        check("10.0.0.1:6443", "10.0.0.1", false);
        check("10.0.0.1:443", "10.0.0.1", true);
        check("fd00::/8", "fd00::1", false);
        check("fd00::1", "fd00::1", false);
        check("[fd00::1]:6443", "fd00::1", false);
        check("[fd00::1]:443", "fd00::1", true);
        check(".example.com,example.org", "10.0.0.1", true);
        check("1.2.3.4/99,:443,[", "10.0.0.1", true);
    }

    #[test]
    fn loopback_is_never_proxied() {
        check("", "127.0.0.1", false);
        check("", "::1", false);
    }

    #[test]
    fn upper_case_goes_before_lower_case_and_plain_http_does_not_count() {
        let address = "10.0.0.1".parse().unwrap();
        for (variables, expected) in [
            (vec![("HTTP_PROXY", "http://a")], None),
            (vec![("https_proxy", "http://a")], Some("http://a")),
            (
                vec![("https_proxy", "http://a"), ("HTTPS_PROXY", "http://b")],
                Some("http://b"),
            ),
            (
                vec![("https_proxy", "http://a"), ("HTTPS_PROXY", "")],
                Some("http://a"),
            ),
            (
                vec![("https_proxy", "http://a"), ("no_proxy", "10.0.0.0/8")],
                None,
            ),
        ] {
            let proxy = ProxyEnvironment::of(variables.clone()).proxy_for(address, 443);
            assert_eq!(proxy.as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        assert_eq!(
            without_credentials("http://user:p%40ss@proxy:3128/x"),
            "http://proxy:3128/x"
        );
        assert_eq!(without_credentials("proxy:3128"), "http://proxy:3128");
    }
}
