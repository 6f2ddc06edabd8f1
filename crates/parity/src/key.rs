//! Keys as profiles: their kind, never their value.

use serde::{Deserialize, Serialize};
use x509_parser::asn1_rs::{Any, Tag};

use crate::der;
use crate::pem::Block;

/// What is kept of a private or public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyProfile {
    /// The label of its PEM block.
    pub label: String,
    /// The layout of its PEM file.
    pub layout: String,
    /// `RSA-2048`, `ECDSA-1.2.840.10045.3.1.7`.
    pub algorithm: String,
    /// The certificates and public keys that it belongs to.
    pub belongs_to: Vec<String>,
}

/// A public key: its algorithm and the bytes that tell it from others.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicHalf {
    pub(crate) algorithm: String,
    pub(crate) identity: Vec<u8>,
}

/// The public half of a block with a key.
pub(crate) fn public_half(block: &Block) -> Option<PublicHalf> {
    match block.label.as_str() {
        "RSA PRIVATE KEY" => rsa_private(&block.der),
        "EC PRIVATE KEY" => ecdsa_private(&block.der, None),
        "PRIVATE KEY" => {
            let parts = der::elements(&block.der)?;
            let inner = parts.get(2)?.data;
            match der::elements_of(parts.get(1)?.data)?.get(1) {
                Some(curve) if curve.tag() == Tag::Oid => ecdsa_private(inner, Some(curve)),
                _ => rsa_private(inner),
            }
        }
        "PUBLIC KEY" => subject_public_key(&block.der),
        _ => None,
    }
}

/// The public key of a SubjectPublicKeyInfo in DER.
pub(crate) fn subject_public_key(info: &[u8]) -> Option<PublicHalf> {
    let parts = der::elements(info)?;
    let bits = parts.get(1)?.data.get(1..)?;
    let algorithm = der::elements_of(parts.first()?.data)?;
    match algorithm.get(1) {
        Some(curve) if curve.tag() == Tag::Oid => ecdsa(curve, bits),
        _ => rsa(&der::elements(bits)?),
    }
}

fn rsa_private(der: &[u8]) -> Option<PublicHalf> {
    // A version comes first (RFC 8017, appendix A.1.2).
    rsa(der::elements(der)?.get(1..)?)
}

fn rsa(numbers: &[Any<'_>]) -> Option<PublicHalf> {
    let modulus = der::digits(numbers.first()?)?;
    let exponent = der::digits(numbers.get(1)?)?;
    let bits = der::bits(modulus);
    let algorithm = match exponent {
        [1, 0, 1] => format!("RSA-{bits}"),
        other => format!("RSA-{bits} with exponent {other:?}"),
    };
    Some(PublicHalf {
        algorithm,
        identity: modulus.to_vec(),
    })
}

fn ecdsa_private(der: &[u8], curve: Option<&Any<'_>>) -> Option<PublicHalf> {
    // [0] is the curve, unless it is told outside; [1] the public key (RFC 5915, section 3).
    let parts = der::elements(der)?;
    let part = |tag| {
        parts
            .iter()
            .find(|part| part.tag() == Tag(tag))?
            .data
            .into()
    };
    let key: Option<&[u8]> = part(1);
    let key = der::elements_of(key?)?.first()?.data.get(1..)?;
    if let Some(curve) = curve {
        return ecdsa(curve, key);
    }
    let curve: Option<&[u8]> = part(0);
    ecdsa(der::elements_of(curve?)?.first()?, key)
}

fn ecdsa(curve: &Any<'_>, point: &[u8]) -> Option<PublicHalf> {
    Some(PublicHalf {
        algorithm: format!("ECDSA-{}", curve.as_oid().ok()?),
        identity: point.to_vec(),
    })
}
