//! URLs as Go's `net/url` takes them: kubeadm asks it, and more of it than of any RFC.

use std::net::Ipv6Addr;

use crate::format::is_number;

/// The scheme of a URL, if it has one and the rest could be a URL.
pub(crate) fn url_scheme(text: &str) -> Option<&str> {
    let (scheme, after) = text.split_once("://")?;
    let mut bytes = scheme.bytes();
    let scheme_holds = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let blank = text
        .chars()
        .any(|next| next.is_whitespace() || next.is_control());
    (scheme_holds && !blank && has_good_authority(authority) && has_good_escapes(after))
        .then_some(scheme)
}

/// Whether Go takes what stands between `//` and the path: who, which host, which port. An IPv6
/// address must stand in brackets, which kubeadm asks for since it is built with Go 1.26.
fn has_good_authority(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let has_only = |text: &str, marks: &str| {
        text.chars()
            .all(|next| next.is_ascii_alphanumeric() || marks.contains(next) || !next.is_ascii())
    };
    let is_port = |port: &str| port.is_empty() || is_number(port);
    let host_holds = if let Some(bracketed) = host.strip_prefix('[') {
        bracketed.split_once(']').is_some_and(|(inside, after)| {
            let (address, zone) = inside
                .split_once("%25")
                .map_or((inside, None), |(address, zone)| (address, Some(zone)));
            address.parse::<Ipv6Addr>().is_ok()
                && zone.is_none_or(|zone| !zone.is_empty())
                && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port))
        })
    } else {
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        has_only(name, "-_.~!$&'()*+,;=<>\"%]") && is_port(port)
    };
    host_holds && user.is_ascii() && has_only(user, "-_.:~!$&'()*+,;=%@")
}

/// Whether every `%` of a URL after its scheme begins an escape that Go takes there. In a query
/// anything goes; a host has escapes for letters beyond ASCII and for `%` itself only.
fn has_good_escapes(after: &str) -> bool {
    let (before, fragment) = after.split_once('#').unwrap_or((after, ""));
    let before = before.split_once('?').map_or(before, |(before, _)| before);
    let (authority, path) = before.split_once('/').unwrap_or((before, ""));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let escapes = |text: &str, in_host: bool| {
        text.split('%').skip(1).all(|escape| {
            escape.as_bytes().get(..2).is_some_and(|digits| {
                digits.iter().all(u8::is_ascii_hexdigit)
                    && (!in_host
                        || !digits[0].is_ascii_digit()
                        || digits[0] >= b'8'
                        || digits == b"25")
            })
        })
    };
    escapes(host, true)
        && [user, path, fragment]
            .iter()
            .all(|part| escapes(part, false))
}

#[cfg(test)]
mod tests {
    use super::url_scheme;

    /// What kubeadm 1.37.1 takes as an endpoint of etcd.
    #[test]
    fn hosts_and_ports_that_go_takes_are_taken() {
        for text in [
            "https://192.0.2.1:2379",
            "https://[::1]:2379",
            "https://[::ffff:192.0.2.1]:1",
            "https://[fe80::1%25eth0]:2379",
            "https://etcd.example.com",
            "https://etcd.example.com:/path?query#fragment",
            "https://\u{fc}:2379",
            "https://a\"b<c:1",
            "https://a]b!$&(*)+,;=~_.-'x:1",
            "https://:1",
            "https://@a:1",
            "https://a:b@c@d:1",
        ] {
            assert_eq!(url_scheme(text), Some("https"), "{text}");
        }
    }

    /// What it refuses, and 1.32 to 1.35 besides: an IPv6 address without brackets.
    #[test]
    fn hosts_that_go_refuses_are_refused() {
        for text in [
            "https://fd00::1:2379",
            "https://fd00::1",
            "https://a:1:2",
            "https://a:b",
            "https://a:+443",
            "https://[foo]:2379",
            "https://[192.0.2.1]:1",
            "https://[]:1",
            "https://[::1]x:2379",
            "https://[::1",
            "https://[::1%25]:1",
            "https://[::1%41]:1",
            "https://a[b:2379",
            "https://a b:2379",
            "https://a\\b:1",
            "https://a^b:1",
            "https://a`b:1",
            "https://a|b:1",
            "https://a{b:1",
            "https://u{:p@a:1",
            "https://\u{fc}@a:1",
        ] {
            assert_eq!(url_scheme(text), None, "{text}");
        }
    }
}
