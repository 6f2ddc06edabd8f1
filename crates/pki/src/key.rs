//! Private keys: generated in the PEM forms that kubeadm writes, or loaded in any form that it
//! reads. A loaded key keeps its own text; nothing here ever writes it anew.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
};
use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize, SignatureAlgorithm, SigningKey as _};
use rinit_plan::{KeyAlgorithm, Secret};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroize as _;

use crate::{Certificate, PkiError, pem_text};

/// A private key with the text of its file.
///
/// Debug output names the algorithm only.
pub struct PrivateKey {
    pair: KeyPair,
    pem: Secret<String>,
}

impl PrivateKey {
    /// Generates a key. Its PEM is that of kubeadm: `RSA PRIVATE KEY` (PKCS#1, RFC 8017) with
    /// the public exponent 65537, or `EC PRIVATE KEY` (SEC1, RFC 5915) with the named curve and
    /// the public key.
    ///
    /// RSA takes from tens of milliseconds to seconds; see [`crate::KeyPool`].
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, PkiError> {
        let failed = |reason: String| PkiError::Generate { algorithm, reason };
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let pair = match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyAlgorithm::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyAlgorithm::Rsa4096 => rsa(RsaKeySize::_4096),
            KeyAlgorithm::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyAlgorithm::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        }
        .map_err(|error| failed(error.to_string()))?;

        // A generated pair serialises as PKCS#8; kubeadm writes the forms inside of it.
        let pkcs8 = pair.serialized_der();
        let pem = match algorithm {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                let info = pkcs8::PrivateKeyInfoRef::try_from(pkcs8)
                    .map_err(|error| failed(error.to_string()))?;
                pem_text("RSA PRIVATE KEY", info.private_key.as_bytes())
            }
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => {
                let curve = match algorithm {
                    KeyAlgorithm::EcdsaP256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
                    _ => &ECDSA_P384_SHA384_ASN1_SIGNING,
                };
                let pair = EcdsaKeyPair::from_private_key_der(curve, pkcs8)
                    .map_err(|error| failed(error.to_string()))?;
                let sec1: EcPrivateKeyRfc5915Der<'_> = pair
                    .private_key()
                    .as_der()
                    .map_err(|error| failed(error.to_string()))?;
                pem_text("EC PRIVATE KEY", sec1.as_ref())
            }
        };
        Ok(Self {
            pair,
            pem: Secret::new(pem),
        })
    }

    /// Loads the first private key of a PEM file: PKCS#1, SEC1 or PKCS#8, RSA or ECDSA. Other
    /// blocks, such as the `EC PARAMETERS` that OpenSSL puts in front, are passed over.
    pub fn load(pem: &[u8]) -> Result<Self, PkiError> {
        let text = std::str::from_utf8(pem).map_err(|_| PkiError::NoPrivateKey)?;
        crate::check_end_lines(pem)?;
        let mut der = match PrivateKeyDer::from_pem_slice(pem) {
            Ok(der) => der,
            // Both the old and the PKCS#8 form of an encrypted key say so in their text.
            Err(_) if text.contains("ENCRYPTED") => return Err(PkiError::EncryptedKey),
            Err(rustls_pki_types::pem::Error::NoItemsFound) => return Err(PkiError::NoPrivateKey),
            Err(error) => return Err(crate::pem_error(&error)),
        };
        let pair = KeyPair::try_from(&der);
        der.zeroize();
        let pair = pair.map_err(|_| PkiError::UnsupportedKey)?;
        // Ed25519 would load, but kubeadm and the signer of service account tokens refuse it.
        if pair.algorithm() == &rcgen::PKCS_ED25519 {
            return Err(PkiError::UnsupportedKey);
        }
        Ok(Self {
            pair,
            pem: Secret::new(text.to_owned()),
        })
    }

    /// The text of the key file: as generated, or as it was loaded to the byte.
    pub fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The public key as PEM: `PUBLIC KEY` (PKIX, RFC 5280, section 4.1.2.7), as in `sa.pub`.
    pub fn public_key_pem(&self) -> String {
        pem_text("PUBLIC KEY", &self.subject_public_key_info())
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn subject_public_key_info(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The bits of the public key, without its algorithm.
    pub(crate) fn public_key_bits(&self) -> &[u8] {
        self.pair.public_key_raw()
    }

    /// Whether a certificate is about this key.
    pub fn belongs_to(&self, certificate: &Certificate) -> bool {
        self.public_key_bits() == certificate.public_key_bits()
    }

    /// Whether a PEM file of public keys (`PUBLIC KEY` blocks) has this key's.
    pub fn is_in_public_keys(&self, pem: &[u8]) -> Result<bool, PkiError> {
        crate::check_end_lines(pem)?;
        let own = self.subject_public_key_info();
        let mut found = false;
        for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = block.map_err(|error| crate::pem_error(&error))?;
            if kind == SectionKind::PublicKey {
                found = true;
                if der == own {
                    return Ok(true);
                }
            }
        }
        if found {
            Ok(false)
        } else {
            Err(PkiError::NoPublicKey)
        }
    }

    /// Signs with the hash that Go takes by default for such a key: SHA-256 for RSA and P-256,
    /// SHA-384 for P-384, SHA-512 for P-521.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.pair.sign(message)
    }

    pub(crate) fn signature_algorithm(&self) -> &'static SignatureAlgorithm {
        self.pair.algorithm()
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.pair.zeroize();
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", self.pair.algorithm())
            .finish_non_exhaustive()
    }
}
