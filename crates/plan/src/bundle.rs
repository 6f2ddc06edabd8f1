//! Certificates on their way into a file that others read, and nothing beside them.

use std::fmt;
use std::ops::Deref;

/// Certificates as PEM, a `CERTIFICATE` block (RFC 7468) each with lines of 64 characters, and
/// nothing else.
///
/// The only way to one is [`CertificateBundle::from_der`]. A file that somebody else wrote may hold
/// a private key, or anything else, beside its certificates: whatever takes a bundle never gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateBundle(String);

impl CertificateBundle {
    /// Writes certificates in DER, in their order.
    pub fn from_der<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Self(
            certificates
                .into_iter()
                .map(|der| pem::encode_config(&pem::Pem::new("CERTIFICATE", der), lines))
                .collect(),
        )
    }
}

impl Deref for CertificateBundle {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for CertificateBundle {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for CertificateBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CertificateBundle> for String {
    fn from(bundle: CertificateBundle) -> Self {
        bundle.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_certificate_is_a_block() {
        let long = [0; 49];
        let bundle = CertificateBundle::from_der([long.as_slice(), b"\x30\x00"]);
        assert_eq!(
            &*bundle,
            "-----BEGIN CERTIFICATE-----\n\
             AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
             AA==\n\
             -----END CERTIFICATE-----\n\
             -----BEGIN CERTIFICATE-----\n\
             MAA=\n\
             -----END CERTIFICATE-----\n"
        );
    }
}
