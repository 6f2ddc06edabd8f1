//! Certificates as profiles: everything but what is drawn by chance or read off a clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{Oid, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::X509Name;

use crate::key::{self, PublicHalf};
use crate::{ParityError, der};

/// What is kept of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateProfile {
    /// The layout of its PEM file.
    pub layout: String,
    /// The version of its form.
    pub version: u32,
    /// Attributes in order, with the type of each text: `CN=etcd-ca (PrintableString)`.
    pub subject: Vec<String>,
    /// The same of the issuer.
    pub issuer: Vec<String>,
    /// The files whose certificate has the key of the issuer's name and identifier.
    pub issued_by: Vec<String>,
    /// `positive, at most 63 bits`.
    pub serial: String,
    /// From the first to the last moment, to the minute.
    pub validity: String,
    /// From the first moment to the start of init, to the minute.
    pub backdated: String,
    /// The algorithm of its key.
    pub key_algorithm: String,
    /// The algorithm it is signed with.
    pub signature: String,
    /// Extensions in order, with ` (critical)` where they are.
    pub extensions: Vec<String>,
    /// What the key may do.
    pub key_usage: Vec<String>,
    /// What the certificate is for, in order.
    pub extended_key_usage: Vec<String>,
    /// `authority`, `authority, at most 0 below`, `no authority`, or `absent`.
    pub basic_constraints: String,
    /// Alternative names in order: `DNS:…`, `IP:…`.
    pub alternative_names: Vec<String>,
    /// How the identifier of its key came about.
    pub subject_key_id: String,
    /// Whether an identifier of the issuer's key is there.
    pub authority_key_id: String,
}

/// A profile with what links it to others in its tree.
pub(crate) struct Read {
    pub(crate) profile: CertificateProfile,
    pub(crate) public: PublicHalf,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) is_authority: bool,
}

/// Reads a certificate in DER that an init wrote which began at `started`.
pub(crate) fn read(
    place: &str,
    bytes: &[u8],
    layout: &str,
    started: Timestamp,
) -> Result<Read, ParityError> {
    let malformed = |reason: &str| ParityError::malformed(place, reason);
    let (rest, parsed) = x509_parser::parse_x509_certificate(bytes)
        .map_err(|_| malformed("it is no certificate"))?;
    if !rest.is_empty() {
        return Err(malformed("bytes follow the certificate"));
    }
    let public = key::subject_public_key(parsed.public_key().raw)
        .ok_or_else(|| malformed("its public key is of an unknown kind"))?;
    let mut read = Read {
        profile: CertificateProfile {
            layout: layout.to_owned(),
            version: parsed.version().0 + 1,
            subject: attributes(parsed.subject()),
            issuer: attributes(parsed.issuer()),
            issued_by: Vec::new(),
            serial: serial(parsed.raw_serial()),
            validity: validity(&parsed),
            backdated: backdated(&parsed, started),
            key_algorithm: public.algorithm.clone(),
            signature: signature(&parsed),
            extensions: Vec::new(),
            key_usage: Vec::new(),
            extended_key_usage: Vec::new(),
            basic_constraints: "absent".to_owned(),
            alternative_names: Vec::new(),
            subject_key_id: "absent".to_owned(),
            authority_key_id: "absent".to_owned(),
        },
        public,
        subject: parsed.subject().as_raw().to_vec(),
        issuer: parsed.issuer().as_raw().to_vec(),
        subject_key_id: None,
        authority_key_id: None,
        is_authority: false,
    };
    let key_bits = &parsed.public_key().subject_public_key.data;
    for extension in parsed.extensions() {
        let name = extension_name(&extension.oid);
        let critical = if extension.critical {
            " (critical)"
        } else {
            ""
        };
        read.profile.extensions.push(format!("{name}{critical}"));
        read.take(extension.value, extension.parsed_extension(), key_bits)
            .ok_or_else(|| malformed(&format!("its extension {name} is broken")))?;
    }
    Ok(read)
}

impl Read {
    fn take(&mut self, raw: &[u8], extension: &ParsedExtension<'_>, key_bits: &[u8]) -> Option<()> {
        let profile = &mut self.profile;
        match extension {
            ParsedExtension::KeyUsage(usage) => {
                profile.key_usage = usage.to_string().split(", ").map(str::to_owned).collect();
            }
            // The parsed form is a set of flags and has lost the order.
            ParsedExtension::ExtendedKeyUsage(_) => {
                profile.extended_key_usage = der::elements(raw)?
                    .iter()
                    .map(|element| Some(usage_name(&element.as_oid().ok()?)))
                    .collect::<Option<_>>()?;
            }
            ParsedExtension::BasicConstraints(constraints) => {
                self.is_authority = constraints.ca;
                profile.basic_constraints = match (constraints.ca, constraints.path_len_constraint)
                {
                    (true, None) => "authority".to_owned(),
                    (true, Some(length)) => format!("authority, at most {length} below"),
                    (false, _) => "no authority".to_owned(),
                };
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                profile.alternative_names = names.general_names.iter().map(name).collect();
            }
            ParsedExtension::SubjectKeyIdentifier(id) => {
                profile.subject_key_id = if id.0 == &Sha256::digest(key_bits)[..20] {
                    "the first 20 bytes of the SHA-256 of the key".to_owned()
                } else {
                    format!("{} other bytes", id.0.len())
                };
                self.subject_key_id = Some(id.0.to_vec());
            }
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                let only = id.authority_cert_issuer.is_none() && id.authority_cert_serial.is_none();
                let form = if only { "" } else { " and more" };
                let bytes = id.key_identifier.as_ref()?.0;
                profile.authority_key_id = format!("a key identifier{form}");
                self.authority_key_id = Some(bytes.to_vec());
            }
            ParsedExtension::ParseError { .. } => return None,
            _ => {}
        }
        Some(())
    }

    /// Whether `other` may have issued this one, by name and key.
    pub(crate) fn is_issued_by(&self, other: &Self) -> bool {
        let same_key = match &self.authority_key_id {
            Some(id) => other.subject_key_id.as_ref() == Some(id),
            // Who signs for himself need not say whose key it was.
            None => self.public == other.public,
        };
        other.is_authority && self.issuer == other.subject && same_key
    }
}

fn attributes(name: &X509Name<'_>) -> Vec<String> {
    name.iter_rdn()
        .map(|rdn| {
            let attributes = rdn.iter().map(|attribute| {
                let kind = match attribute.attr_type().to_id_string().as_str() {
                    "2.5.4.3" => "CN".to_owned(),
                    "2.5.4.10" => "O".to_owned(),
                    other => other.to_owned(),
                };
                let form = match attribute.attr_value().tag() {
                    Tag::PrintableString => "PrintableString".to_owned(),
                    Tag::Utf8String => "UTF8String".to_owned(),
                    other => other.to_string(),
                };
                let value = attribute.as_str().unwrap_or("no text");
                format!("{kind}={value} ({form})")
            });
            attributes.collect::<Vec<_>>().join(" + ")
        })
        .collect()
}

fn serial(raw: &[u8]) -> String {
    if raw.first().is_some_and(|first| first & 0x80 != 0) {
        return "negative".to_owned();
    }
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    // A number drawn by chance rarely has all its bits, so only bounds can be told.
    match der::bits(&raw[zeros..]) {
        0 => "zero".to_owned(),
        1..=63 => "positive, at most 63 bits".to_owned(),
        64..=127 => "positive, at most 127 bits".to_owned(),
        128..=159 => "positive, at most 159 bits".to_owned(),
        _ => "positive, more than 159 bits".to_owned(),
    }
}

fn validity(parsed: &X509Certificate<'_>) -> String {
    let validity = parsed.validity();
    let seconds = validity.not_after.timestamp() - validity.not_before.timestamp();
    // kubeadm reads the clock twice for the certificates of kubeconfigs, so a second may be more.
    let minutes = (seconds + 30).div_euclid(60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{hours}h{minutes}m")
}

fn backdated(parsed: &X509Certificate<'_>, started: Timestamp) -> String {
    let seconds = started.as_second() - parsed.validity().not_before.timestamp();
    // Init takes a few seconds from its start to its certificates.
    format!("{}m", (seconds + 30).div_euclid(60))
}

fn signature(parsed: &X509Certificate<'_>) -> String {
    let algorithm = &parsed.signature_algorithm;
    let name = match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => "SHA256-RSA".to_owned(),
        "1.2.840.10045.4.3.2" => "ECDSA-SHA256".to_owned(),
        "1.2.840.10045.4.3.3" => "ECDSA-SHA384".to_owned(),
        other => other.to_owned(),
    };
    let parameters = match &algorithm.parameters {
        None => "no parameters",
        Some(any) if any.tag() == Tag::Null => "parameters NULL",
        Some(_) => "other parameters",
    };
    format!("{name}, {parameters}")
}

fn extension_name(oid: &Oid<'_>) -> String {
    match oid.to_id_string().as_str() {
        "2.5.29.14" => "subject key identifier".to_owned(),
        "2.5.29.15" => "key usage".to_owned(),
        "2.5.29.17" => "subject alternative name".to_owned(),
        "2.5.29.19" => "basic constraints".to_owned(),
        "2.5.29.35" => "authority key identifier".to_owned(),
        "2.5.29.37" => "extended key usage".to_owned(),
        other => other.to_owned(),
    }
}

fn usage_name(oid: &Oid<'_>) -> String {
    match oid.to_id_string().as_str() {
        "1.3.6.1.5.5.7.3.1" => "server".to_owned(),
        "1.3.6.1.5.5.7.3.2" => "client".to_owned(),
        other => other.to_owned(),
    }
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::IPAddress(bytes) => {
            let address = match <[u8; 4]>::try_from(*bytes) {
                Ok(bytes) => Some(std::net::IpAddr::from(bytes)),
                Err(_) => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(std::net::IpAddr::from),
            };
            address.map_or_else(
                || format!("IP:{bytes:?}"),
                |address| format!("IP:{address}"),
            )
        }
        other => other.to_string(),
    }
}
