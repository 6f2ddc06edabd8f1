//! URLs of endpoints: a scheme, a host and perhaps a port, as far as kubeadm and rinit agree on them.

use std::net::Ipv6Addr;

use crate::format::is_number;

/// The scheme of a URL, if it has one and a host. An IPv6 address stands in brackets, which kubeadm
/// asks for since it is built with Go 1.26.
pub(crate) fn url_scheme(text: &str) -> Option<&str> {
    let (scheme, after) = text.split_once("://")?;
    let mut letters = scheme.bytes();
    let scheme_holds = letters.next().is_some_and(|it| it.is_ascii_alphabetic())
        && letters.all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it));
    let blank = |next: char| next.is_whitespace() || next.is_control();
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (scheme_holds && !text.contains(blank) && is_host(host)).then_some(scheme)
}

fn is_host(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host_holds, port) = if let Some((address, port)) = bracketed {
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let is_of_name = |next: char| next.is_alphanumeric() || "-_.".contains(next);
        (!name.is_empty() && name.chars().all(is_of_name), port)
    };
    let port_holds = |port: &str| port.is_empty() || is_number(port);
    host_holds && (port.is_empty() || port.strip_prefix(':').is_some_and(port_holds))
}

#[cfg(test)]
mod tests {
    use super::url_scheme;

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port() {
        for text in [
            "https://192.0.2.1:2379",
            "https://[::1]:2379",
            "https://etcd.example.com",
            "https://etcd.example.com:/path?query#fragment",
            "https://a:b@c@d:1",
        ] {
            assert_eq!(url_scheme(text), Some("https"), "{text}");
        }
        for text in [
            "https://fd00::1:2379",
            "https://a:1:2",
            "https://a:b",
            "https://a:+443",
            "https://[foo]:2379",
            "https://[::1]x:2379",
            "https://[::1",
            "https://a b:2379",
            "https://:1",
            "h_ttps://a:1",
        ] {
            assert_eq!(url_scheme(text), None, "{text}");
        }
    }
}
