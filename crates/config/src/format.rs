//! Rules for a single text or number, such as CIDRs, names, paths and endpoints.
//!
//! Each rule is kubeadm's own unless its line says so. None of them reads the host or the network,
//! and none of their messages repeats a secret.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::rule::Rule;
use crate::url::url_scheme;

/// A range of whole numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The least.
    pub minimum: i64,
    /// The most.
    pub maximum: i64,
}

/// A rule for the text of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anything.
    Free,
    /// Anything, and no output may show it.
    Confidential,
    /// Anything but nothing.
    Required,
    /// A number in a range.
    Number(Count),
    /// A path that begins with a slash.
    AbsolutePath,
    /// An IP address.
    IpAddress,
    /// A host name or address, with a port or without.
    HostPort,
    /// A host name or address with its port.
    HostAndPort,
    /// A DNS name in lower case (RFC 1123 subdomain).
    DnsSubdomain,
    /// The name of a node, which kubeadm turns to lower case and trims.
    NodeName,
    /// An address, a DNS name or a wildcard name, which kubeadm turns to lower case.
    SubjectAlternativeName,
    /// The same where kubeadm takes it as it is.
    LowerCaseSubjectAlternativeName,
    /// One service network, or two of different families.
    ServiceSubnet,
    /// One pod network, or two of different families.
    PodSubnet,
    /// A registry with a path, as it stands before `/name:tag`.
    ImageRepository,
    /// A version or the label of one.
    KubernetesVersion,
    /// A socket of a container runtime.
    CriSocket,
    /// A URL with its scheme.
    Url,
    /// A quantity of Kubernetes, such as `1Mi` or `100m`.
    Quantity,
    /// A group that a bootstrap token may authenticate as.
    TokenGroup,
    /// `sha256:` and 64 hexadecimal digits.
    CaCertHash,
    /// A bootstrap token.
    BootstrapToken,
    /// 64 hexadecimal digits.
    CertificateKey,
}

/// Why a text breaks a rule: a message and, where there is one, a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) rule: Rule,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Breach {
    fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A service network has at least this many addresses, for the DNS service takes the tenth.
const SERVICE_ADDRESSES: u128 = 10;
/// A service network has at most this many bits for hosts, as in the API server.
const SERVICE_HOST_BITS: u8 = 20;
/// A pod network has at least this many addresses.
const POD_ADDRESSES: u128 = 14;

impl Format {
    /// Whether a text keeps the rule. Empty text is not given to it: it stands for no value.
    pub(crate) fn check(self, text: &str) -> Result<(), Breach> {
        match self {
            Self::Required if text.is_empty() => {
                Err(Breach::new(Rule::EmptyField, "must not be empty"))
            }
            Self::Free | Self::Confidential | Self::Number(_) | Self::Required => Ok(()),
            Self::AbsolutePath if text.starts_with('/') => Ok(()),
            Self::AbsolutePath => Err(Breach::new(
                Rule::AbsolutePath,
                format!("`{text}` is not an absolute path"),
            )
            .hint("write the path from `/` on")),
            Self::IpAddress => match parse_ip(text) {
                Some(_) => Ok(()),
                None => Err(Breach::new(
                    Rule::IpAddress,
                    format!("`{text}` is not an IP address"),
                )),
            },
            Self::HostPort => host_port(text).map(drop),
            Self::HostAndPort => host_and_port(text),
            Self::DnsSubdomain => dns_subdomain(text),
            Self::NodeName => dns_subdomain(&text.trim().to_ascii_lowercase()),
            Self::SubjectAlternativeName => {
                subject_alternative_name(&text.to_ascii_lowercase(), text)
            }
            Self::LowerCaseSubjectAlternativeName => subject_alternative_name(text, text),
            Self::ServiceSubnet => networks(text).and_then(|networks| service_networks(&networks)),
            Self::PodSubnet => networks(text).and_then(|networks| pod_networks(&networks)),
            Self::ImageRepository => image_repository(text),
            Self::KubernetesVersion => kubernetes_version(text),
            Self::CriSocket => cri_socket(text),
            Self::Url => url(text),
            Self::Quantity => quantity(text),
            Self::TokenGroup => token_group(text),
            Self::CaCertHash => ca_cert_hash(text),
            Self::BootstrapToken => bootstrap_token(text),
            Self::CertificateKey => certificate_key(text),
        }
    }
}

impl Format {
    /// What is wrong with a text that did not come from a file, such as the value of a flag.
    pub fn refuse(self, text: &str) -> Option<rinit_diag::Problem> {
        self.check(text).err().map(|breach| rinit_diag::Problem {
            message: breach.message,
            hint: breach.hint,
        })
    }
}

/// An address as Kubernetes takes it: leading zeros in IPv4 parts are left out, and an IPv4 address
/// that is written as one of IPv6 (`::ffff:192.0.2.1`) is one of IPv4.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    written_ip(text).map(|address| address.to_canonical())
}

/// Whether other nodes can reach an address: it is neither multicast nor link-local.
pub fn is_reachable(address: IpAddr) -> bool {
    !match address {
        IpAddr::V4(address) => {
            address.is_multicast() || address.is_link_local() || address.is_broadcast()
        }
        IpAddr::V6(address) => address.is_multicast() || address.is_unicast_link_local(),
    }
}

/// An address in the family that it is written in.
fn written_ip(text: &str) -> Option<IpAddr> {
    if let Ok(address) = IpAddr::from_str(text) {
        return Some(address);
    }
    let parts: Vec<u8> = text
        .split('.')
        .map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| part.trim_start_matches('0'))
                .map(|part| if part.is_empty() { "0" } else { part })
        })
        .map(|part| part.and_then(|part| part.parse().ok()))
        .collect::<Option<_>>()?;
    let octets: [u8; 4] = parts.try_into().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// A network, with leading zeros in IPv4 parts as Kubernetes takes them.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    IpNet::new(written_ip(address)?, length.parse().ok()?).ok()
}

/// The networks of a text such as `10.244.0.0/16,fd00::/56`.
pub(crate) fn networks(text: &str) -> Result<Vec<IpNet>, Breach> {
    let mut networks = Vec::new();
    for part in text.split(',') {
        let Some(network) = parse_network(part) else {
            let breach = Breach::new(Rule::Network, format!("`{part}` is not a CIDR"));
            return Err(
                if part.trim() != part && parse_network(part.trim()).is_some() {
                    breach.hint(if text.contains(',') {
                        "write the two networks without a space between them"
                    } else {
                        "write the network without a space or line break around it"
                    })
                } else if parse_ip(part).is_some() {
                    breach.hint("add the length of the prefix, such as `/16`")
                } else {
                    breach.hint(
                        "write it as `10.96.0.0/12`, and two networks as `10.96.0.0/12,fd00::/108`",
                    )
                },
            );
        };
        networks.push(network);
    }
    let families_differ = || {
        matches!(
            networks[..],
            [IpNet::V4(_), IpNet::V6(_)] | [IpNet::V6(_), IpNet::V4(_)]
        )
    };
    if networks.len() > 1 && !families_differ() {
        return Err(Breach::new(
            Rule::NetworkFamilies,
            format!("`{text}` is neither one network nor one of each address family"),
        ));
    }
    Ok(networks)
}

fn host_bits(network: &IpNet) -> u8 {
    network.max_prefix_len() - network.prefix_len()
}

fn addresses(network: &IpNet) -> u128 {
    1_u128
        .checked_shl(host_bits(network).into())
        .unwrap_or(u128::MAX)
}

fn service_networks(networks: &[IpNet]) -> Result<(), Breach> {
    for network in networks {
        at_least(network, SERVICE_ADDRESSES)?;
        if host_bits(network) > SERVICE_HOST_BITS {
            let shortest = network.max_prefix_len() - SERVICE_HOST_BITS;
            return Err(Breach::new(
                Rule::ServiceNetworkTooLarge,
                format!("`{network}` is too large for a service network"),
            )
            .hint(format!("use a prefix of /{shortest} or longer")));
        }
    }
    Ok(())
}

fn pod_networks(networks: &[IpNet]) -> Result<(), Breach> {
    networks
        .iter()
        .try_for_each(|network| at_least(network, POD_ADDRESSES))
}

fn at_least(network: &IpNet, minimum: u128) -> Result<(), Breach> {
    let addresses = addresses(network);
    if addresses < minimum {
        return Err(Breach::new(
            Rule::NetworkTooSmall,
            format!("`{network}` has {addresses} addresses, at least {minimum} are needed"),
        ));
    }
    Ok(())
}

fn port(text: &str) -> Result<u16, Breach> {
    let number = is_number(text).then(|| text.parse().ok()).flatten();
    number.filter(|port| *port > 0).ok_or_else(|| {
        Breach::new(Rule::Port, format!("`{text}` is not a port"))
            .hint("a port is a number from 1 to 65535")
    })
}

/// Splits as Go's `net.SplitHostPort`; what cannot be split is a host without a port.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        return Some((host, after.strip_prefix(':')?))
            .filter(|(_, port)| !port.contains([':', '[', ']']));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains([':', '[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

fn host_port(text: &str) -> Result<(), Breach> {
    if let Some((_, after)) = text.split_once("://") {
        let authority = after.split('/').next().unwrap_or_default();
        let breach = Breach::new(
            Rule::HostIsUrl,
            format!("`{text}` is a URL, where a host is wanted"),
        );
        return Err(if host_port(authority).is_ok() {
            breach.hint(format!("leave the scheme out: `{authority}`"))
        } else {
            breach.hint("leave the scheme out: `host` or `host:6443`")
        });
    }
    let (host, after) = split_host_port(text).unwrap_or((text, ""));
    if !after.is_empty() {
        port(after)?;
    }
    if parse_ip(host).is_some() || dns_subdomain(host).is_ok() {
        return Ok(());
    }
    let breach = Breach::new(
        Rule::Host,
        format!("`{text}` is not a host with or without a port"),
    );
    Err(if text.contains('_') {
        breach.hint("a host name has letters, digits, `-` and `.` only")
    } else if text.chars().any(char::is_uppercase) {
        breach.hint("write the host name in lower case")
    } else {
        breach.hint("write it as `host`, `host:6443`, `192.0.2.1:6443` or `[2001:db8::1]:6443`")
    })
}

fn host_and_port(text: &str) -> Result<(), Breach> {
    match split_host_port(text) {
        Some(_) => Ok(()),
        None => Err(Breach::new(
            Rule::HostPort,
            format!("`{text}` is not a host with its port"),
        )
        .hint("write it as `host:6443` or `[2001:db8::1]:6443`")),
    }
}

/// Labels of `a-z0-9-` that neither begin nor end with a dash, joined by points, 253 in all.
fn is_dns_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn dns_subdomain(text: &str) -> Result<(), Breach> {
    if is_dns_subdomain(text) {
        return Ok(());
    }
    let breach = Breach::new(Rule::DnsName, format!("`{text}` is not a DNS name"));
    Err(if is_dns_subdomain(&text.to_ascii_lowercase()) {
        breach.hint("write it in lower case")
    } else {
        breach.hint(
            "a DNS name has lower-case letters, digits, `-` and `.`, and at most 253 characters",
        )
    })
}

fn subject_alternative_name(name: &str, text: &str) -> Result<(), Breach> {
    if is_dns_subdomain(name.strip_prefix("*.").unwrap_or(name)) || parse_ip(text).is_some() {
        return Ok(());
    }
    let breach = Breach::new(
        Rule::AlternativeName,
        format!("`{text}` is neither an IP address nor a DNS name"),
    );
    Err(if text.contains(['/', ':']) {
        breach.hint("leave scheme, port and prefix length out")
    } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        breach.hint("write it in lower case")
    } else {
        breach.hint("write it as `192.0.2.1`, `api.example.com` or `*.example.com`")
    })
}

/// The part of an image reference before `/name:tag`: a host with or without port, then a path.
fn image_repository(text: &str) -> Result<(), Breach> {
    let holds = {
        let mut parts = text.split('/');
        let first = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        (is_registry_host(first) || is_path_component(first))
            && rest.iter().all(|part| is_path_component(part))
    };
    if holds {
        return Ok(());
    }
    let breach = Breach::new(
        Rule::ImageRepository,
        format!("`{text}` is not a registry with a path"),
    );
    Err(if text.contains("://") {
        breach.hint("leave the scheme out: `registry.example.com/kubernetes`")
    } else if text.ends_with('/') {
        breach.hint("leave the slash at the end out")
    } else {
        breach.hint("write it as `registry.example.com:5000/kubernetes`, the path in lower case")
    })
}

fn is_registry_host(text: &str) -> bool {
    let (host, port) = match text
        .strip_prefix('[')
        .and_then(|bracketed| bracketed.split_once(']'))
    {
        Some((address, after)) => {
            let bracket_holds = !address.is_empty()
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b':');
            return bracket_holds
                && (after.is_empty() || after.strip_prefix(':').is_some_and(is_number));
        }
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label) && port.is_none_or(is_number)
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words of `a-z0-9` with `.`, `_`, `__` or dashes between them.
fn is_path_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = text
        .split(|next: char| u8::try_from(next).is_ok_and(word))
        .filter(|part| !part.is_empty());
    text.bytes().next().is_some_and(word)
        && text.bytes().last().is_some_and(word)
        && separators
            .all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|byte| byte == b'-'))
}

/// A version such as `v1.37.2` or `1.37.2`, or a label such as `stable-1` or `ci/latest-1.37`.
fn kubernetes_version(text: &str) -> Result<(), Breach> {
    let label = text
        .strip_prefix("ci/")
        .or_else(|| text.strip_prefix("release/"))
        .unwrap_or(text);
    if is_version(label) || is_version_label(label) {
        return Ok(());
    }
    Err(Breach::new(
        Rule::KubernetesVersion,
        format!("`{text}` is neither a version nor a label of one"),
    )
    .hint("write all three numbers, such as `v1.37.2`, or a label such as `stable-1.37`"))
}

fn is_version(text: &str) -> bool {
    let canonical = |number: &str| is_number(number) && (number == "0" || !number.starts_with('0'));
    let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
    let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let patch = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
    let tail = &rest[patch.len()..];
    canonical(major)
        && canonical(minor)
        && canonical(patch)
        && tail
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

fn is_version_label(text: &str) -> bool {
    let Some(of) = text
        .strip_prefix("stable")
        .or_else(|| text.strip_prefix("latest"))
    else {
        return false;
    };
    let Some(number) = of.strip_prefix('-') else {
        return of.is_empty();
    };
    let (major, minor) = number
        .split_once('.')
        .map_or((number, None), |(major, minor)| (major, Some(minor)));
    let positive = |number: &str| is_number(number) && !number.starts_with('0');
    major.len() == 1
        && positive(major)
        && minor.is_none_or(|minor| minor.len() <= 2 && positive(minor))
}

fn cri_socket(text: &str) -> Result<(), Breach> {
    match text.split_once("://") {
        _ if text.chars().any(|next| next.is_ascii_control()) => Err(Breach::new(
            Rule::CriSocket,
            "the path of the socket has a control character in it",
        )
        .hint("write it as `unix:///run/containerd/containerd.sock`")),
        None if text.starts_with('/') => Ok(()),
        Some(("unix", _)) => Ok(()),
        Some((scheme, _)) => Err(Breach::new(
            Rule::CriSocketScheme,
            format!("`{scheme}` is not a scheme for the socket of a runtime"),
        )
        .hint("write it as `unix:///run/containerd/containerd.sock`")),
        None => Err(Breach::new(
            Rule::CriSocket,
            format!("`{text}` is not the socket of a runtime"),
        )
        .hint("write it as `unix:///run/containerd/containerd.sock`")),
    }
}

/// A number with a suffix, as the API of Kubernetes reads it: spaces around it are left out, and
/// the digits may be missing.
fn quantity(text: &str) -> Result<(), Breach> {
    const SUFFIXES: [&str; 16] = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let trimmed = text.trim();
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let after = &unsigned[digits(unsigned)..];
    let suffix = match after.strip_prefix('.') {
        Some(fraction) => &fraction[digits(fraction)..],
        None => after,
    };
    let is_exponent = || {
        suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| {
            is_number(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
                && exponent.parse::<i64>().is_ok()
        })
    };
    if !trimmed.is_empty() && (SUFFIXES.contains(&suffix) || is_exponent()) {
        return Ok(());
    }
    Err(
        Breach::new(Rule::Quantity, format!("`{text}` is not a quantity"))
            .hint("write a number with or without a suffix, such as `1`, `100m` or `1Mi`"),
    )
}

fn url(text: &str) -> Result<(), Breach> {
    if url_scheme(text).is_some() {
        return Ok(());
    }
    let hint = if text.contains("://") {
        "write one URL an item, and an IPv6 address in brackets: `https://[2001:db8::1]:2379`"
    } else {
        "write it with its scheme, as `https://192.0.2.1:2379`"
    };
    Err(Breach::new(Rule::Url, format!("`{text}` is not a URL")).hint(hint))
}

fn token_group(text: &str) -> Result<(), Breach> {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let holds = text
        .strip_prefix("system:bootstrappers:")
        .is_some_and(|name| {
            name.len() <= 256
                && name.bytes().all(|byte| word(byte) || b":-".contains(&byte))
                && name.bytes().last().is_some_and(word)
        });
    if holds {
        return Ok(());
    }
    Err(Breach::new(
        Rule::TokenGroup,
        format!("`{text}` is not a group for bootstrap tokens"),
    )
    .hint("such a group begins with `system:bootstrappers:` and goes on with `a-z0-9:-`"))
}

fn ca_cert_hash(text: &str) -> Result<(), Breach> {
    let holds = text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if holds {
        return Ok(());
    }
    Err(Breach::new(Rule::CaHash, "not the hash of a public key")
        .hint("write it as `sha256:` and 64 hexadecimal digits"))
}

fn bootstrap_token(text: &str) -> Result<(), Breach> {
    let holds = text.split_once('.').is_some_and(|(id, secret)| {
        let word = |part: &str| {
            part.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        id.len() == 6 && secret.len() == 16 && word(id) && word(secret)
    });
    if holds {
        return Ok(());
    }
    Err(Breach::new(Rule::BootstrapToken, "not a bootstrap token")
        .hint("a token has six characters, a point and sixteen characters, all of `a-z0-9`; leave it out to get one"))
}

fn certificate_key(text: &str) -> Result<(), Breach> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Breach::new(
            Rule::CertificateKeyDigits,
            "the key has characters that are not hexadecimal digits",
        ));
    }
    if text.len() != 64 {
        return Err(Breach::new(
            Rule::CertificateKeyLength,
            format!(
                "the key has {} hexadecimal digits instead of 64",
                text.len()
            ),
        )
        .hint("make one with `openssl rand -hex 32`, or leave it out to get one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_kubernetes() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.000.002.010", Some("192.0.2.10")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:DB8:0::1", Some("2001:db8::1")),
            ("192.0.2", None),
            ("192.0.2.256", None),
            ("fe80::1%eth0", None),
        ] {
            let address = parse_ip(text).map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }
}
