//! Certificates as they stand in a file: what they say, and nothing of whether it is right.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use rinit_plan::{CertificateBundle, ExtendedKeyUsage, Validity};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::Oid;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::{Name, PkiError, check_end_lines, der, hexadecimal, pem_error};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The whole certificate in DER.
    pub der: Vec<u8>,
    /// Whom it is about.
    pub subject: Name,
    /// Who signed it, by its own word.
    pub issuer: Name,
    /// The serial number, big-endian.
    pub serial: Vec<u8>,
    /// From when until when it is valid.
    pub validity: Validity,
    /// The kind of the public key.
    pub public_key: PublicKey,
    /// Its SubjectPublicKeyInfo in DER.
    pub subject_public_key_info: Vec<u8>,
    /// The hash and key by which it was signed.
    pub signature: SignatureKind,
    /// Whether it is the certificate of an authority (RFC 5280, section 4.2.1.9), allowed to sign
    /// certificates where it limits its usages.
    pub is_authority: bool,
    /// Whether it may limit what it signs: by usages, by names, or by a critical extension that is
    /// not read here.
    pub is_constrained: bool,
    /// What the key may do (RFC 5280, section 4.2.1.3); none if it does not say.
    pub key_usage: Option<KeyUsage>,
    /// What the certificate is for, in its order.
    pub extended_key_usages: Vec<Usage>,
    /// The subject alternative names, in their order.
    pub alternative_names: Vec<AlternativeName>,
    /// The subject key identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// The authority key identifier.
    pub authority_key_id: Option<Vec<u8>>,
    public_key_bits: Vec<u8>,
}

/// The extensions that are read; others may be broken.
const READ_EXTENSIONS: [&str; 6] = [
    "2.5.29.14", // subject key identifier
    "2.5.29.15", // key usage
    "2.5.29.17", // subject alternative names
    "2.5.29.19", // basic constraints
    "2.5.29.35", // authority key identifier
    "2.5.29.37", // extended key usage
];

/// anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
const ANY_USAGE: &str = "2.5.29.37.0";

/// The kind of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// The length of the modulus.
        bits: usize,
    },
    /// ECDSA.
    Ecdsa {
        /// The curve: `P256`, or its dotted OID; empty where it is not named.
        curve: String,
    },
    /// Another one.
    Other {
        /// Its dotted OID.
        oid: String,
    },
}

impl PublicKey {
    /// Whether it is on a curve that Go does not read by its name (`parsePublicKey` of Go 1.26), so
    /// that no part of Kubernetes reads the certificate.
    fn is_unknown_curve(&self) -> bool {
        // The last is P-224, of which Go can read what it cannot use.
        matches!(self, Self::Ecdsa { curve }
            if !["P256", "P384", "P521", "1.3.132.0.33"].contains(&curve.as_str()))
    }
}

impl fmt::Display for PublicKey {
    /// `RSA-2048`, `ECDSA-P256`, as in `encryptionAlgorithm`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::Ecdsa { curve } => write!(f, "ECDSA-{curve}"),
            Self::Other { oid } => f.write_str(oid),
        }
    }
}

/// How a certificate was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureKind {
    /// The dotted OID.
    pub oid: String,
    /// Whether its hash is one that can be forged today (MD5, SHA-1).
    pub is_weak: bool,
}

/// The key usages that Kubernetes certificates carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// Signs handshakes.
    pub digital_signature: bool,
    /// Takes part in an RSA key exchange.
    pub key_encipherment: bool,
    /// Signs certificates.
    pub certificate_signing: bool,
}

/// An extended key usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// One that kubeadm writes.
    Known(ExtendedKeyUsage),
    /// Another one, by its dotted OID.
    Other(String),
}

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// A DNS name, possibly with a wildcard.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// Something else, as text for people.
    Other(String),
}

impl Certificate {
    /// Reads every certificate of a PEM file, in its order. Other blocks are passed over.
    pub fn read_all(pem: &[u8]) -> Result<Vec<Self>, PkiError> {
        check_end_lines(pem)?;
        let mut certificates = Vec::new();
        for (block, position) in CertificateDer::pem_slice_iter(pem).zip(1..) {
            let block = block.map_err(|error| pem_error(&error))?;
            certificates.push(Self::read_at(&block, position)?);
        }
        if certificates.is_empty() {
            return Err(PkiError::NoCertificate);
        }
        Ok(certificates)
    }

    fn read_at(der: &[u8], position: usize) -> Result<Self, PkiError> {
        let certificate =
            Self::read_der(der).map_err(|reason| PkiError::Certificate { position, reason })?;
        if certificate.public_key.is_unknown_curve() {
            return Err(PkiError::Curve { position });
        }
        Ok(certificate)
    }

    pub(crate) fn read_der(der: &[u8]) -> Result<Self, String> {
        let (rest, parsed) =
            x509_parser::parse_x509_certificate(der).map_err(|error| reason(error.into()))?;
        if !rest.is_empty() {
            return Err("bytes follow its end".to_owned());
        }
        let mut certificate = Self {
            der: der.to_vec(),
            subject: Name::read(parsed.subject()).ok_or("its subject is malformed")?,
            issuer: Name::read(parsed.issuer()).ok_or("its issuer is malformed")?,
            serial: parsed.raw_serial().to_vec(),
            validity: validity_of(&parsed)?,
            public_key: kind_of(parsed.public_key()),
            subject_public_key_info: parsed.public_key().raw.to_vec(),
            signature: signature_of(&parsed.signature_algorithm.algorithm),
            is_authority: false,
            is_constrained: false,
            key_usage: None,
            extended_key_usages: Vec::new(),
            alternative_names: Vec::new(),
            subject_key_id: None,
            authority_key_id: None,
            public_key_bits: parsed.public_key().subject_public_key.data.to_vec(),
        };
        for extension in parsed.extensions() {
            let oid = extension.oid.to_id_string();
            let is_read = READ_EXTENSIONS.contains(&oid.as_str());
            if is_read {
                certificate.read_extension(extension.value, extension.parsed_extension())?;
            }
            certificate.is_constrained |= matches!(
                extension.parsed_extension(),
                ParsedExtension::NameConstraints(_) | ParsedExtension::ExtendedKeyUsage(_)
            ) || (extension.critical && !is_read);
        }
        if certificate
            .key_usage
            .is_some_and(|usage| !usage.certificate_signing)
        {
            certificate.is_authority = false;
        }
        Ok(certificate)
    }

    fn read_extension(
        &mut self,
        raw: &[u8],
        extension: &ParsedExtension<'_>,
    ) -> Result<(), String> {
        match extension {
            ParsedExtension::BasicConstraints(constraints) => {
                self.is_authority = constraints.ca;
            }
            ParsedExtension::KeyUsage(usage) => {
                self.key_usage = Some(KeyUsage {
                    digital_signature: usage.digital_signature(),
                    key_encipherment: usage.key_encipherment(),
                    certificate_signing: usage.key_cert_sign(),
                });
            }
            // The parsed form is a set of flags and has lost the order.
            ParsedExtension::ExtendedKeyUsage(_) => {
                self.extended_key_usages =
                    usages_of(raw).ok_or("extended key usages are broken")?;
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                self.alternative_names = names.general_names.iter().map(name_of).collect();
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::ParseError { error } => {
                return Err(format!(
                    "an extension is broken: {}",
                    reason(error.clone().into())
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> CertificateBundle {
        CertificateBundle::from_der([self.der.as_slice()])
    }

    /// Certificates as PEM, in their order.
    pub fn bundle(certificates: &[Self]) -> CertificateBundle {
        CertificateBundle::from_der(certificates.iter().map(|one| one.der.as_slice()))
    }

    /// The DNS names among the alternative names.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.alternative_names.iter().filter_map(|name| match name {
            AlternativeName::Dns(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The IP addresses among the alternative names.
    pub fn ip_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.alternative_names.iter().filter_map(|name| match name {
            AlternativeName::Ip(address) => Some(*address),
            _ => None,
        })
    }

    /// The pin that `kubeadm join --discovery-token-ca-cert-hash` takes: `sha256:` and the hash of
    /// the SubjectPublicKeyInfo (RFC 7469, section 2.4) in hexadecimal digits.
    pub fn public_key_pin(&self) -> String {
        let hash =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.subject_public_key_info);
        format!("sha256:{}", hexadecimal(hash.as_ref()))
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it may be used so, by its extended key usages: by one that stands for all, and
    /// where it does not limit them, too.
    pub(crate) fn allows(&self, usage: ExtendedKeyUsage) -> bool {
        let allowed = &self.extended_key_usages;
        allowed.is_empty()
            || allowed.iter().any(|one| match one {
                Usage::Known(known) => *known == usage,
                Usage::Other(oid) => oid == ANY_USAGE,
            })
    }

    /// Whether it is about the same key as another one.
    pub fn has_same_key(&self, other: &Self) -> bool {
        self.public_key_bits == other.public_key_bits
    }

    /// Whether it is valid at that moment; its last second is, to its end (RFC 5280, section
    /// 4.1.2.5).
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        let Validity {
            not_before,
            not_after,
        } = self.validity;
        now >= not_before && now.as_second() <= not_after.as_second()
    }

    pub(crate) fn public_key_bits(&self) -> &[u8] {
        &self.public_key_bits
    }
}

/// What of a PEM file may go elsewhere: its certificates, written anew. Other blocks and all text
/// between them stay behind.
pub fn certificates_of(pem: &[u8]) -> Result<CertificateBundle, PkiError> {
    Ok(Certificate::bundle(&Certificate::read_all(pem)?))
}

/// Whether a private key of any kind stands in a PEM file, also one that is encrypted.
pub fn has_private_key(pem: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [b"-----BEGIN ", b"PRIVATE KEY-----"];
    pem.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| {
        marks
            .iter()
            .all(|mark| line.windows(mark.len()).any(|part| part == *mark))
    })
}

/// The pins of all certificates in a PEM file; see [`Certificate::public_key_pin`].
pub fn public_key_pins(pem: &[u8]) -> Result<Vec<String>, PkiError> {
    Ok(Certificate::read_all(pem)?
        .iter()
        .map(Certificate::public_key_pin)
        .collect())
}

/// The text of a parser's error without the wrapping of its framework.
fn reason(error: X509Error) -> String {
    match error {
        X509Error::Der(error) => format!("malformed DER: {error}"),
        X509Error::NomError(_) | X509Error::Generic => "malformed DER".to_owned(),
        other => other.to_string(),
    }
}

fn validity_of(parsed: &X509Certificate<'_>) -> Result<Validity, String> {
    let time = |seconds| {
        Timestamp::from_second(seconds).map_err(|_| "its validity is out of range".to_owned())
    };
    Ok(Validity {
        not_before: time(parsed.validity().not_before.timestamp())?,
        not_after: time(parsed.validity().not_after.timestamp())?,
    })
}

pub(crate) fn kind_of(key: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let oid = key.algorithm.algorithm.to_id_string();
    match oid.as_str() {
        "1.2.840.113549.1.1.1" => {
            // PKCS#1: SEQUENCE of modulus and exponent; the modulus may have a leading zero byte.
            let bits = der::elements_of(&key.subject_public_key.data)
                .and_then(|elements| der::split_first(elements.first()?))
                .map(|modulus| {
                    let digits: &[u8] = modulus.content;
                    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
                    let digits = &digits[zeros..];
                    digits
                        .first()
                        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
                });
            PublicKey::Rsa {
                bits: bits.unwrap_or(0),
            }
        }
        "1.2.840.10045.2.1" => {
            let curve = key
                .algorithm
                .parameters
                .as_ref()
                // The library takes any element for one.
                .filter(|parameters| parameters.tag().0 == u32::from(der::tag::OBJECT_IDENTIFIER))
                .and_then(|parameters| parameters.as_oid().ok())
                .map(|oid| oid.to_id_string())
                .unwrap_or_default();
            let curve = match curve.as_str() {
                "1.2.840.10045.3.1.7" => "P256".to_owned(),
                "1.3.132.0.34" => "P384".to_owned(),
                "1.3.132.0.35" => "P521".to_owned(),
                _ => curve,
            };
            PublicKey::Ecdsa { curve }
        }
        _ => PublicKey::Other { oid },
    }
}

fn signature_of(oid: &Oid<'_>) -> SignatureKind {
    const WEAK: [&str; 5] = [
        "1.2.840.113549.1.1.2", // md2WithRSAEncryption
        "1.2.840.113549.1.1.4", // md5WithRSAEncryption
        "1.2.840.113549.1.1.5", // sha1WithRSAEncryption
        "1.3.14.3.2.29",        // sha1WithRSAEncryption, the older name
        "1.2.840.10045.4.1",    // ecdsa-with-SHA1
    ];
    let oid = oid.to_id_string();
    SignatureKind {
        is_weak: WEAK.contains(&oid.as_str()),
        oid,
    }
}

fn usages_of(raw: &[u8]) -> Option<Vec<Usage>> {
    der::elements_of(raw)?
        .into_iter()
        .map(|element| {
            let oid = der::split_first(element)?;
            if oid.tag != der::tag::OBJECT_IDENTIFIER {
                return None;
            }
            let oid = Oid::new(oid.content.into()).to_id_string();
            Some(match oid.as_str() {
                "1.3.6.1.5.5.7.3.1" => Usage::Known(ExtendedKeyUsage::ServerAuth),
                "1.3.6.1.5.5.7.3.2" => Usage::Known(ExtendedKeyUsage::ClientAuth),
                _ => Usage::Other(oid),
            })
        })
        .collect()
}

fn name_of(name: &GeneralName<'_>) -> AlternativeName {
    match name {
        GeneralName::DNSName(name) => AlternativeName::Dns((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => AlternativeName::Ip(Ipv4Addr::new(*a, *b, *c, *d).into()),
            bytes => <[u8; 16]>::try_from(bytes).map_or_else(
                |_| AlternativeName::Other(format!("IP:{}", hexadecimal(bytes))),
                |bytes| AlternativeName::Ip(Ipv6Addr::from(bytes).into()),
            ),
        },
        // As OpenSSL's configuration names the kinds.
        GeneralName::RFC822Name(name) => AlternativeName::Other(format!("email:{name}")),
        GeneralName::URI(name) => AlternativeName::Other(format!("URI:{name}")),
        GeneralName::RegisteredID(oid) => AlternativeName::Other(format!("RID:{oid}")),
        GeneralName::DirectoryName(name) => AlternativeName::Other(format!("dirName:{name}")),
        GeneralName::OtherName(oid, _) => AlternativeName::Other(format!("otherName:{oid}")),
        GeneralName::X400Address(_) => AlternativeName::Other("X.400 address".to_owned()),
        GeneralName::EDIPartyName(_) => AlternativeName::Other("EDI party name".to_owned()),
        GeneralName::Invalid(..) => AlternativeName::Other("a name that cannot be read".to_owned()),
    }
}
