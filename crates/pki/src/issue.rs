//! Issuing: the exact profiles of kubeadm, so that certificates of both look the same to any tool.
//!
//! rcgen lays out the certificate; names and extensions are put in as the bytes that Go's
//! `crypto/x509` writes, because rcgen has another order of extensions, other key identifiers, and
//! loses repeated attributes of a foreign authority's name. The issuer is therefore always the
//! authority's subject, byte for byte.

use std::cmp::Reverse;
use std::net::IpAddr;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, IsCa, Issuer, PublicKeyData,
    SerialNumber, SignatureAlgorithm, SigningKey,
};
use rinit_plan::{
    CertificateAuthoritySpec, CertificateBundle, CertificateSpec, ExtendedKeyUsage, KubeconfigSpec,
    Subject, Validity,
};
use time::OffsetDateTime;

use crate::der::{self, tag};
use crate::{Certificate, PkiError, PrivateKey, Request, SignedBy, name, random};

/// A certificate authority that can sign: its certificates and the key of one of them.
#[derive(Debug)]
pub struct Authority {
    /// All certificates of the file, in its order: a bundle during a rotation, or a chain.
    pub certificates: Vec<Certificate>,
    /// Which of them belongs to the key and signs.
    signer: usize,
    key: PrivateKey,
}

/// What a leaf certificate shall say.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// Whom it names.
    pub subject: &'a Subject,
    /// What it is for, in this order.
    pub usages: &'a [ExtendedKeyUsage],
    /// Its DNS names.
    pub dns_names: &'a [String],
    /// Its IP addresses.
    pub ip_addresses: &'a [IpAddr],
    /// From when until when it is valid.
    pub validity: Validity,
}

impl<'a> From<&'a CertificateSpec> for Leaf<'a> {
    fn from(spec: &'a CertificateSpec) -> Self {
        Self {
            subject: &spec.subject,
            usages: &spec.usages,
            dns_names: &spec.dns_names,
            ip_addresses: &spec.ip_addresses,
            validity: spec.validity,
        }
    }
}

impl<'a> From<&'a KubeconfigSpec> for Leaf<'a> {
    fn from(spec: &'a KubeconfigSpec) -> Self {
        Self {
            subject: &spec.subject,
            usages: &[ExtendedKeyUsage::ClientAuth],
            dns_names: &[],
            ip_addresses: &[],
            validity: spec.validity,
        }
    }
}

/// Issues the self-signed certificate of a new authority, as PEM.
pub fn issue_authority(
    spec: &CertificateAuthoritySpec,
    key: &PrivateKey,
) -> Result<CertificateBundle, PkiError> {
    let subject = Subject {
        common_name: spec.common_name.clone(),
        organizations: Vec::new(),
    };
    let subject_raw = name::write(&subject);
    let extensions = vec![
        extension::key_usage(true),
        extension::basic_constraints(true),
        extension::subject_key_id(&key_id(key)),
        extension::alternative_names(std::slice::from_ref(&spec.common_name), &[]),
    ];
    let certificate = Unsigned {
        subject: &subject.to_string(),
        subject_raw: &subject_raw,
        issuer_raw: &subject_raw,
        validity: spec.validity,
        extensions,
        old_extensions: None,
    };
    certificate.sign(key.pair(), key)
}

impl Authority {
    /// Loads an authority from its certificate file, which may hold a chain or a bundle, and its
    /// key file. Of several certificates of that key the one signs that ends last of those that are
    /// valid `now`; if none is, the one that ends last.
    pub fn load(certificate_pem: &[u8], key_pem: &[u8], now: Timestamp) -> Result<Self, PkiError> {
        let key = PrivateKey::load(key_pem)?;
        let certificates = Certificate::read_all(certificate_pem)?;
        let rank = |one: &Certificate| {
            (
                one.is_authority,
                one.is_valid_at(now),
                one.validity.not_after,
            )
        };
        let (signer, _) = certificates
            .iter()
            .enumerate()
            .filter(|(_, one)| key.belongs_to(one))
            // The first of several that are equal.
            .min_by_key(|(_, one)| Reverse(rank(one)))
            .ok_or(PkiError::AuthorityMismatch)?;
        if !certificates[signer].is_authority {
            return Err(PkiError::NotAuthority {
                subject: certificates[signer].subject.to_string(),
            });
        }
        Ok(Self {
            certificates,
            signer,
            key,
        })
    }

    /// The certificate whose key signs.
    pub fn certificate(&self) -> &Certificate {
        &self.certificates[self.signer]
    }

    /// The same as it is told to people.
    pub fn signs_as(&self) -> SignedBy {
        SignedBy::new(&self.certificates, self.signer)
    }

    /// The certificate whose key signs as PEM, without the others of its file; none if it is alone
    /// there.
    pub fn singled_out(&self) -> Option<CertificateBundle> {
        let several = self.certificates.len() > 1;
        several.then(|| self.certificate().pem())
    }

    /// Issues a leaf certificate for a key, as PEM.
    pub fn issue<'a>(
        &self,
        leaf: impl Into<Leaf<'a>>,
        key: &PrivateKey,
    ) -> Result<CertificateBundle, PkiError> {
        self.issue_for(leaf.into(), key.pair())
    }

    /// Issues a leaf certificate for the key of a request, as PEM. Nothing but the key is taken
    /// from the request.
    pub fn issue_requested<'a>(
        &self,
        leaf: impl Into<Leaf<'a>>,
        request: &Request,
    ) -> Result<CertificateBundle, PkiError> {
        self.issue_for(leaf.into(), &request.public_key)
    }

    /// Another certificate for the key of this CA: name, issuer and extensions stay as they are, so
    /// that what the CA has signed stays valid. Only for one that has signed itself.
    pub fn renewed(&self, validity: Validity) -> Result<Certificate, PkiError> {
        let old = self.certificate();
        let failed = |reason: String| PkiError::Sign {
            subject: old.subject.to_string(),
            reason,
        };
        let certificate = Unsigned {
            subject: &old.subject.to_string(),
            subject_raw: &old.subject.raw,
            issuer_raw: &old.issuer.raw,
            validity,
            // rcgen writes the list where there is one; it gives way to the old one.
            extensions: vec![extension::key_usage(true)],
            old_extensions: Some(
                extensions_of(&old.der).ok_or_else(|| failed("it has no extensions".to_owned()))?,
            ),
        };
        let certificate = certificate.sign(self.key.pair(), &self.key)?;
        Certificate::read_all(certificate.as_bytes())?
            .pop()
            .ok_or(PkiError::NoCertificate)
    }

    fn issue_for(
        &self,
        leaf: Leaf<'_>,
        key: &impl PublicKeyData,
    ) -> Result<CertificateBundle, PkiError> {
        let signer = self.certificate();
        let subject_raw = name::write(leaf.subject);
        let mut extensions = vec![extension::key_usage(false)];
        if !leaf.usages.is_empty() {
            extensions.push(extension::extended_key_usage(leaf.usages));
        }
        extensions.push(extension::basic_constraints(false));
        // Like Go: no identifier is made up for an authority that has none.
        if let Some(id) = &signer.subject_key_id {
            extensions.push(extension::authority_key_id(id));
        }
        if !leaf.dns_names.is_empty() || !leaf.ip_addresses.is_empty() {
            extensions.push(extension::alternative_names(
                leaf.dns_names,
                leaf.ip_addresses,
            ));
        }
        let certificate = Unsigned {
            subject: &leaf.subject.to_string(),
            subject_raw: &subject_raw,
            issuer_raw: &signer.subject.raw,
            validity: leaf.validity,
            extensions,
            old_extensions: None,
        };
        certificate.sign(key, &self.key)
    }
}

/// The key identifier of Go 1.25 and later: the leftmost 160 bits of the SHA-256 hash of the public
/// key's bits (RFC 7093, section 2, method 1).
fn key_id(key: &PrivateKey) -> Vec<u8> {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_bits());
    hash.as_ref()[..20].to_vec()
}

/// A certificate before its signature.
struct Unsigned<'a> {
    /// Whom it names, for errors.
    subject: &'a str,
    subject_raw: &'a [u8],
    issuer_raw: &'a [u8],
    validity: Validity,
    extensions: Vec<CustomExtension>,
    /// The extensions of another certificate in DER, which take the place of those.
    old_extensions: Option<&'a [u8]>,
}

impl Unsigned<'_> {
    fn sign(
        mut self,
        key: &impl PublicKeyData,
        signer: &PrivateKey,
    ) -> Result<CertificateBundle, PkiError> {
        let failed = |reason: String| PkiError::Sign {
            subject: self.subject.to_owned(),
            reason,
        };
        let time = |timestamp: Timestamp| {
            OffsetDateTime::from_unix_timestamp(timestamp.as_second())
                .map_err(|error| failed(error.to_string()))
        };
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(random::serial()?));
        params.not_before = time(self.validity.not_before)?;
        params.not_after = time(self.validity.not_after)?;
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::NoCa;
        params.use_authority_key_identifier_extension = false;
        params.custom_extensions = std::mem::take(&mut self.extensions);

        let layout = {
            let mut nameless = CertificateParams::default();
            nameless.distinguished_name = DistinguishedName::new();
            let issuer = Issuer::new(nameless, Blank(signer));
            params
                .signed_by(key, &issuer)
                .map_err(|error| failed(error.to_string()))?
        };
        let (tbs, algorithm) = self
            .fill(layout.der())
            .ok_or_else(|| failed("its layout is not that of RFC 5280".to_owned()))?;
        let signature = signer
            .sign(&tbs)
            .map_err(|error| failed(error.to_string()))?;
        let certificate = der::sequence([
            tbs.as_slice(),
            algorithm.as_slice(),
            der::bit_string(&signature).as_slice(),
        ]);
        Ok(CertificateBundle::from_der([certificate.as_slice()]))
    }

    /// The TBSCertificate (RFC 5280, section 4.1) of a layout with its empty names filled, and the
    /// algorithm of its signature.
    fn fill(&self, layout: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let [tbs, algorithm, _signature] = der::elements_of(layout)?.try_into().ok()?;
        let [
            version,
            serial,
            tbs_algorithm,
            _issuer,
            validity,
            _subject,
            public_key,
            extensions,
        ] = der::elements_of(tbs)?.try_into().ok()?;
        let tbs = der::sequence([
            version,
            serial,
            tbs_algorithm,
            self.issuer_raw,
            validity,
            self.subject_raw,
            public_key,
            self.old_extensions.unwrap_or(extensions),
        ]);
        Some((tbs, algorithm.to_vec()))
    }
}

/// The extensions of a certificate, with their tag `[3]`.
fn extensions_of(certificate: &[u8]) -> Option<&[u8]> {
    let last = *der::elements_of(der::elements_of(certificate)?.first()?)?.last()?;
    (last.first() == Some(&0xa3)).then_some(last)
}

/// Stands in for a signer while the layout is made: it has the signer's algorithm and signs nothing.
struct Blank<'a>(&'a PrivateKey);

impl PublicKeyData for Blank<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key_bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.signature_algorithm()
    }
}

impl SigningKey for Blank<'_> {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

/// The extensions of RFC 5280, section 4.2, as Go encodes them.
pub(crate) mod extension {
    use super::{CustomExtension, ExtendedKeyUsage, IpAddr, der, tag};

    const SUBJECT_KEY_ID: u64 = 14;
    const KEY_USAGE: u64 = 15;
    const SUBJECT_ALTERNATIVE_NAME: u64 = 17;
    const BASIC_CONSTRAINTS: u64 = 19;
    const AUTHORITY_KEY_ID: u64 = 35;
    const EXTENDED_KEY_USAGE: u64 = 37;

    fn extension(id: u64, critical: bool, content: Vec<u8>) -> CustomExtension {
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, id], content);
        extension.set_criticality(critical);
        extension
    }

    /// DigitalSignature (bit 0), KeyEncipherment (bit 2), for an authority CertSign (bit 5).
    pub(super) fn key_usage(authority: bool) -> CustomExtension {
        // The first byte counts the unused bits at the end of the second.
        let content = if authority {
            [2, 0b1010_0100]
        } else {
            [5, 0b1010_0000]
        };
        extension(KEY_USAGE, true, der::element(tag::BIT_STRING, &content))
    }

    /// The default, which is no authority, is left out, as DER asks.
    pub(super) fn basic_constraints(authority: bool) -> CustomExtension {
        let content: &[u8] = if authority { &[1, 1, 0xff] } else { &[] };
        extension(
            BASIC_CONSTRAINTS,
            true,
            der::element(tag::SEQUENCE, content),
        )
    }

    pub(super) fn extended_key_usage(usages: &[ExtendedKeyUsage]) -> CustomExtension {
        let usages: Vec<Vec<u8>> = usages
            .iter()
            .map(|usage| {
                // 1.3.6.1.5.5.7.3.x
                let last = match usage {
                    ExtendedKeyUsage::ServerAuth => 1,
                    ExtendedKeyUsage::ClientAuth => 2,
                };
                der::element(tag::OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 3, last])
            })
            .collect();
        extension(
            EXTENDED_KEY_USAGE,
            false,
            der::sequence(usages.iter().map(Vec::as_slice)),
        )
    }

    pub(super) fn subject_key_id(id: &[u8]) -> CustomExtension {
        extension(SUBJECT_KEY_ID, false, der::element(tag::OCTET_STRING, id))
    }

    pub(super) fn authority_key_id(id: &[u8]) -> CustomExtension {
        let id = der::element(tag::context(0), id);
        extension(AUTHORITY_KEY_ID, false, der::sequence([id.as_slice()]))
    }

    pub(crate) fn alternative_names(dns: &[String], ip: &[IpAddr]) -> CustomExtension {
        let dns = dns
            .iter()
            .map(|name| der::element(tag::context(2), name.as_bytes()));
        let ip = ip.iter().map(|address| match address {
            IpAddr::V4(address) => der::element(tag::context(7), &address.octets()),
            IpAddr::V6(address) => der::element(tag::context(7), &address.octets()),
        });
        let names: Vec<Vec<u8>> = dns.chain(ip).collect();
        extension(
            SUBJECT_ALTERNATIVE_NAME,
            false,
            der::sequence(names.iter().map(Vec::as_slice)),
        )
    }
}
