//! Random values from the cryptographic generator of the process.

use rinit_plan::Secret;

use crate::PkiError;

/// The alphabet of bootstrap tokens.
const TOKEN_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Fills a buffer.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), PkiError> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| PkiError::Random)
}

/// The serial number of a certificate: uniform over the positive numbers of 63 bits.
pub(crate) fn serial() -> Result<u64, PkiError> {
    loop {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        let serial = u64::from_be_bytes(bytes) >> 1;
        if serial != 0 {
            return Ok(serial);
        }
    }
}

/// Draws a bootstrap token, `[a-z0-9]{6}.[a-z0-9]{16}`, every character equally likely.
pub fn bootstrap_token() -> Result<Secret<String>, PkiError> {
    let mut token = String::with_capacity(23);
    while token.len() < 23 {
        if token.len() == 6 {
            token.push('.');
            continue;
        }
        let mut byte = [0];
        fill(&mut byte)?;
        // 252 is the largest multiple of 36 in a byte: what lies above would favour `a` to `d`.
        if byte[0] < 252 {
            token.push(char::from(TOKEN_ALPHABET[usize::from(byte[0] % 36)]));
        }
    }
    Ok(Secret::new(token))
}

/// Draws a certificate key: 32 random bytes as 64 lower-case hexadecimal digits.
pub fn certificate_key() -> Result<Secret<String>, PkiError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice())?;
    Ok(Secret::new(crate::hexadecimal(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_token_has_its_form_and_uses_the_whole_alphabet_evenly() {
        let mut counts = BTreeMap::new();
        for _ in 0..1000 {
            let token = bootstrap_token().unwrap();
            let (id, secret) = token.expose().split_once('.').unwrap();
            assert_eq!((id.len(), secret.len()), (6, 16));
            for character in id.chars().chain(secret.chars()) {
                *counts.entry(character).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(counts.len(), 36);
        // 22000 characters: 611 expected each, with a standard deviation of 24.
        assert!(
            counts.values().all(|count| (450..780).contains(count)),
            "{counts:?}"
        );
        assert!(
            counts
                .keys()
                .all(|character| TOKEN_ALPHABET.contains(&(*character as u8)))
        );
    }

    #[test]
    fn serials_are_positive_and_use_63_bits() {
        let serials: Vec<u64> = (0..200).map(|_| serial().unwrap()).collect();
        assert!(
            serials
                .iter()
                .all(|serial| *serial != 0 && *serial >> 63 == 0)
        );
        assert!(serials.iter().any(|serial| *serial >> 62 == 1));
    }

    #[test]
    fn certificate_keys_differ() {
        let (one, other) = (certificate_key().unwrap(), certificate_key().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one.expose(), other.expose());
    }
}
