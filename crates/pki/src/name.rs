//! Distinguished names (RFC 5280, section 4.1.2.4): written as Go's `crypto/x509/pkix` writes
//! them, read as far as anybody wants to see them. The raw bytes decide what equals what.

use std::fmt;

use rinit_plan::Subject;
use x509_parser::x509::X509Name;

use crate::der::{self, tag};

/// 2.5.4.10.
const ORGANIZATION: [u8; 3] = [0x55, 4, 10];
/// 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];

/// The short names of RFC 4519 and what follows them in practice.
const SHORT_NAMES: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A distinguished name as it stands in a certificate.
#[derive(Debug, Clone)]
pub struct Name {
    /// The DER bytes. Two names are the same if these are.
    pub raw: Vec<u8>,
    /// Attribute types by short name (`CN`, `O`, `DC`) or dotted OID, with their values, in the
    /// order of the certificate. A value that is no text is shown as `#` and hexadecimal digits.
    pub attributes: Vec<(String, String)>,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Name {}

impl Name {
    /// Nothing if the name is broken: of such a one the parser gives the part that it could read,
    /// which must not become the issuer of anything.
    pub(crate) fn read(name: &X509Name<'_>) -> Option<Self> {
        let whole = der::split_first(name.as_raw())?;
        if whole.tag != tag::SEQUENCE || !whole.rest.is_empty() {
            return None;
        }
        let attributes = name
            .iter_attributes()
            .map(|attribute| {
                let oid = attribute.attr_type().to_id_string();
                let kind = SHORT_NAMES
                    .iter()
                    .find(|(known, _)| *known == oid)
                    .map_or(oid, |(_, short)| (*short).to_owned());
                let value = attribute
                    .as_str()
                    .map_or_else(|_| hexadecimal(attribute.as_slice()), str::to_owned);
                (kind, value)
            })
            .collect();
        Some(Self {
            raw: name.as_raw().to_vec(),
            attributes,
        })
    }

    /// The common name; the last, where there are several, as Go takes it.
    pub fn common_name(&self) -> Option<&str> {
        self.attributes
            .iter()
            .rev()
            .find(|(kind, _)| kind == "CN")
            .map(|(_, value)| value.as_str())
    }

    /// The organizations, which Kubernetes takes for groups.
    pub fn organizations(&self) -> impl Iterator<Item = &str> {
        self.attributes
            .iter()
            .filter(|(kind, _)| kind == "O")
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Name {
    /// `O=system:masters, CN=kubernetes-super-admin`, in the order of the certificate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, value)) in self.attributes.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // A control character in a foreign certificate must not reach a terminal.
            write!(f, "{separator}{kind}={}", printable(value))?;
        }
        Ok(())
    }
}

/// The DER of a subject: all organizations in one RDN, then the common name, each as
/// PrintableString where its characters allow it and as UTF8String else.
pub(crate) fn write(subject: &Subject) -> Vec<u8> {
    let mut rdns = Vec::new();
    if !subject.organizations.is_empty() {
        let organizations = subject
            .organizations
            .iter()
            .map(|organization| attribute(&ORGANIZATION, organization))
            .collect();
        rdns.push(der::set_of(organizations));
    }
    if !subject.common_name.is_empty() {
        rdns.push(der::set_of(vec![attribute(
            &COMMON_NAME,
            &subject.common_name,
        )]));
    }
    der::sequence(rdns.iter().map(Vec::as_slice))
}

fn attribute(oid: &[u8], value: &str) -> Vec<u8> {
    let string = if value.bytes().all(is_printable_string) {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    };
    let oid = der::element(tag::OBJECT_IDENTIFIER, oid);
    let value = der::element(string, value.as_bytes());
    der::sequence([oid.as_slice(), value.as_slice()])
}

/// The characters of PrintableString (ITU-T X.680, section 41.4).
fn is_printable_string(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("#{}", crate::hexadecimal(bytes))
}

/// The text with control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control();
            let escaped = escape.then(|| character.escape_default());
            let plain = (!escape).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(organizations: &[&str], common_name: &str) -> Subject {
        Subject {
            common_name: common_name.to_owned(),
            organizations: organizations.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn names_are_written_as_go_writes_them() {
        assert_eq!(
            write(&subject(&[], "etcd-ca")),
            [
                b"\x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x13\x07".as_slice(),
                b"etcd-ca"
            ]
            .concat()
        );
        // `_` and `*` are not in PrintableString; one RDN holds all organizations, sorted.
        assert_eq!(
            write(&subject(&["b", "a_"], "")),
            [
                b"\x30\x17\x31\x15".as_slice(),
                b"\x30\x08\x06\x03\x55\x04\x0a\x13\x01b",
                b"\x30\x09\x06\x03\x55\x04\x0a\x0c\x02a_",
            ]
            .concat()
        );
    }

    /// The parser stops at what it cannot read, here a length in a form that DER forbids.
    #[test]
    fn a_broken_name_is_none() {
        use x509_parser::prelude::FromDer as _;
        let mut raw = write(&subject(&[], "kubernetes"));
        let oid = raw.iter().position(|byte| *byte == tag::OBJECT_IDENTIFIER);
        raw[oid.unwrap() + 1] = 0x90;
        let read = X509Name::from_der(&raw);
        assert!(read.is_ok_and(|(_, name)| Name::read(&name).is_none()));
    }

    #[test]
    fn what_was_written_is_read_and_shown() {
        use x509_parser::prelude::FromDer as _;
        let raw = write(&subject(&["system:masters", "ops\u{1b}[31m"], "jürgen"));
        let (_, name) = X509Name::from_der(&raw).unwrap();
        let name = Name::read(&name).unwrap();
        assert_eq!(name.common_name(), Some("jürgen"));
        assert_eq!(
            name.to_string(),
            "O=ops\\u{1b}[31m, O=system:masters, CN=jürgen"
        );
    }
}
