//! Requests for certificates (PKCS#10, RFC 2986) that another authority is to sign, as Go's
//! `crypto/x509` lays them out.

use rcgen::{CertificateParams, DistinguishedName, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use crate::certificate::kind_of;
use crate::der;
use crate::issue::extension;
use crate::{Leaf, Name, PkiError, PrivateKey, PublicKey, name, pem_text};

/// The labels of a request; the second is the one of old tools.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// A request that somebody has made for a key of their own, and signed with that key.
#[derive(Debug)]
pub struct Request {
    /// Whom the certificate shall name.
    pub subject: Name,
    /// Whether it asks for extensions, such as alternative names.
    pub asks_for_extensions: bool,
    pub(crate) public_key: SubjectPublicKeyInfo,
}

impl Request {
    /// Reads the first request of a PEM file. Its own signature must fit, which shows that whoever
    /// made it has the key, and the key must be one that Kubernetes takes.
    pub fn read(pem: &[u8]) -> Result<Self, PkiError> {
        let malformed = |reason: &str| PkiError::Request {
            reason: reason.to_owned(),
        };
        let blocks = pem::parse_many(pem).map_err(|_| malformed("its PEM form is broken"))?;
        let block = blocks
            .iter()
            .find(|block| LABELS.contains(&block.tag()))
            .ok_or_else(|| malformed("there is none in PEM form"))?;
        let (rest, request) = X509CertificationRequest::from_der(block.contents())
            .map_err(|_| malformed("it is no request of PKCS#10"))?;
        if !rest.is_empty() {
            return Err(malformed("bytes follow it"));
        }
        let info = &request.certification_request_info;
        match kind_of(&info.subject_pki) {
            PublicKey::Rsa { bits: 2048.. } => {}
            PublicKey::Ecdsa { curve } if ["P256", "P384", "P521"].contains(&curve.as_str()) => {}
            _ => return Err(PkiError::UnsupportedKey),
        }
        request
            .verify_signature()
            .map_err(|_| malformed("it is not signed with the key that it is for"))?;
        let public_key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|_| PkiError::UnsupportedKey)?;
        Ok(Self {
            subject: Name::read(&info.subject)
                .ok_or_else(|| malformed("its subject is malformed"))?,
            asks_for_extensions: request
                .requested_extensions()
                .is_some_and(|mut extensions| extensions.next().is_some()),
            public_key,
        })
    }
}

/// A request for a certificate, as PEM. It asks for the subject and the alternative names; usages
/// and validity are the authority's to set, and kubeadm asks for none.
pub fn request<'a>(leaf: impl Into<Leaf<'a>>, key: &PrivateKey) -> Result<String, PkiError> {
    let leaf = leaf.into();
    let failed = |reason: String| PkiError::Sign {
        subject: leaf.subject.to_string(),
        reason,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !leaf.dns_names.is_empty() || !leaf.ip_addresses.is_empty() {
        params.custom_extensions = vec![extension::alternative_names(
            leaf.dns_names,
            leaf.ip_addresses,
        )];
    }
    let layout = params
        .serialize_request(key.pair())
        .map_err(|error| failed(error.to_string()))?;
    let (info, algorithm) = put_subject(layout.der(), &name::write(leaf.subject))
        .ok_or_else(|| failed("its layout is not that of RFC 2986".to_owned()))?;
    let signature = key.sign(&info).map_err(|error| failed(error.to_string()))?;
    let request = der::sequence([
        info.as_slice(),
        algorithm.as_slice(),
        der::bit_string(&signature).as_slice(),
    ]);
    Ok(pem_text("CERTIFICATE REQUEST", &request))
}

/// The CertificationRequestInfo of a request with its empty subject filled, and the algorithm of
/// its signature.
fn put_subject(request: &[u8], subject: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let [info, algorithm, _signature] = der::elements_of(request)?.try_into().ok()?;
    let [version, _subject, public_key, attributes] = der::elements_of(info)?.try_into().ok()?;
    let info = der::sequence([version, subject, public_key, attributes]);
    Some((info, algorithm.to_vec()))
}
