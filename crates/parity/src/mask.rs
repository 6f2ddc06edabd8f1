//! The secrets in texts: what takes their place, and the last look before anything is kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The fields of a kubeconfig that hold PEM files in base64.
pub(crate) const DATA_FIELDS: [&str; 3] = [
    "certificate-authority-data",
    "client-certificate-data",
    "client-key-data",
];

/// The text with every value of [`DATA_FIELDS`] replaced by what `profile` gives for its name
/// and bytes. The layout stays as it is.
pub(crate) fn kubeconfig<E>(
    text: &str,
    mut profile: impl FnMut(&'static str, Vec<u8>) -> Result<String, E>,
) -> Result<String, E> {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches([' ', '-']);
        let found = DATA_FIELDS.into_iter().find_map(|field| {
            let value = bare.strip_prefix(field)?.strip_prefix(": ")?;
            let bytes = STANDARD.decode(value.trim_end()).ok()?;
            Some((field, value.trim_end(), bytes))
        });
        match found {
            Some((field, value, bytes)) => {
                masked.push_str(&line.replace(value, &profile(field, bytes)?));
            }
            None => masked.push_str(line),
        }
    }
    Ok(masked)
}

/// The text with the id in each name of a bootstrap token's Secret replaced.
pub(crate) fn token_names(text: &str) -> String {
    const PREFIX: &str = "bootstrap-token-";
    let mut parts = text.split(PREFIX);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let id = part.bytes().take_while(|byte| is_of_token(*byte)).count();
        masked.push_str(PREFIX);
        match part.get(6..) {
            Some(rest) if id == 6 => masked.extend(["ID", rest]),
            _ => masked.push_str(part),
        }
    }
    masked
}

/// What must not be kept and stands in the text all the same.
pub fn secret_in(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    // `-----BEGIN ` in base64, at each of the three places where it may begin.
    if ["LS0tLS1CRUdJTi", "0tLS0tQkVHSU4g", "tLS0tLUJFR0lOI"]
        .iter()
        .any(|digits| text.contains(digits))
    {
        return Some("a PEM file in base64");
    }
    let words =
        text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '.'));
    words
        .filter_map(|word| word.split_once('.'))
        .any(|(id, secret)| {
            id.len() == 6
                && secret.len() == 16
                && (id.bytes().chain(secret.bytes())).all(is_of_token)
        })
        .then_some("a bootstrap token")
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_replaced_and_the_layout_stays() {
        let digits = STANDARD.encode("-----BEGIN CERTIFICATE-----");
        let text = format!("- cluster:\n    certificate-authority-data: {digits}\n    server: s\n");
        let masked = kubeconfig(&text, |field, bytes| {
            assert_eq!(bytes, b"-----BEGIN CERTIFICATE-----");
            Ok::<_, ()>(format!("<{field}>"))
        });
        assert_eq!(
            masked.unwrap(),
            "- cluster:\n    certificate-authority-data: <certificate-authority-data>\n    server: s\n"
        );
    }

    #[test]
    fn names_of_tokens_lose_their_ids() {
        assert_eq!(
            token_names("a bootstrap-token-abc123!"),
            "a bootstrap-token-ID!"
        );
        assert_eq!(
            token_names("bootstrap-token-auth-x"),
            "bootstrap-token-auth-x"
        );
    }

    #[test]
    fn secrets_are_seen() {
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----".to_owned(),
            STANDARD.encode("-----BEGIN EC"),
            STANDARD.encode("x-----BEGIN EC"),
            STANDARD.encode("xy-----BEGIN EC"),
            "token: abcdef.0123456789abcdef".to_owned(),
        ] {
            assert!(secret_in(&text).is_some(), "{text}");
        }
        for text in [
            "kubeadm.k8s.io/v1beta4",
            "abcdef.0123456789abcdef.io",
            "node-1.example.com",
        ] {
            assert_eq!(secret_in(text), None, "{text}");
        }
    }
}
