//! How certificates and keys travel in the Secret `kubeadm-certs`: AES-256-GCM under the
//! certificate key, the form that `kubeadm join --certificate-key` opens.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::PkiError;

/// Seals bytes under a certificate key of 64 hexadecimal digits.
///
/// The result is the nonce of 12 random bytes, the ciphertext, and the tag of 16 bytes.
pub fn seal(certificate_key: &str, content: &[u8]) -> Result<Vec<u8>, PkiError> {
    let key = key_of(certificate_key)?;
    let mut nonce = [0; NONCE_LEN];
    crate::random::fill(&mut nonce)?;
    let mut sealed = content.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::empty(),
        &mut sealed,
    )
    .map_err(|_| PkiError::Unseal)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] or kubeadm has sealed.
pub fn open(certificate_key: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    let key = key_of(certificate_key)?;
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(PkiError::Unseal)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| PkiError::Unseal)?;
    let mut content = Zeroizing::new(ciphertext.to_vec());
    let length = key
        .open_in_place(nonce, Aad::empty(), &mut content)
        .map_err(|_| PkiError::Unseal)?
        .len();
    content.truncate(length);
    Ok(content)
}

fn key_of(digits: &str) -> Result<LessSafeKey, PkiError> {
    let mut key = Zeroizing::new([0; 32]);
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(PkiError::CertificateKey);
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| PkiError::CertificateKey)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| PkiError::CertificateKey)?;
    }
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| PkiError::CertificateKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    #[test]
    fn what_is_sealed_opens_under_the_same_key_only() {
        let sealed = seal(KEY, b"a certificate").unwrap();
        assert_eq!(sealed.len(), 12 + 13 + 16);
        assert_eq!(open(KEY, &sealed).unwrap().as_slice(), b"a certificate");
        assert_ne!(sealed, seal(KEY, b"a certificate").unwrap());

        let other = crate::certificate_key().unwrap();
        assert_eq!(open(other.expose(), &sealed), Err(PkiError::Unseal));
        for cut in 0..sealed.len() {
            assert_eq!(open(KEY, &sealed[..cut]), Err(PkiError::Unseal));
        }
    }

    #[test]
    fn sealed_bytes_of_another_implementation_open() {
        // Test case 14 of McGrew and Viega, The Galois/Counter Mode of Operation: an all-zero key
        // and nonce, 16 zero bytes.
        let key = "0".repeat(64);
        let mut sealed = vec![0; 12];
        sealed.extend([
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3,
            0x9d, 0x18, 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5,
            0xd4, 0x8a, 0xb9, 0x19,
        ]);
        assert_eq!(open(&key, &sealed).unwrap().as_slice(), [0; 16]);
    }

    #[test]
    fn a_key_of_another_form_is_refused() {
        for key in ["", "00", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(seal(key, b""), Err(PkiError::CertificateKey));
        }
    }
}
