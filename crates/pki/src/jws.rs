//! The signature of `cluster-info`: a detached JWS (RFC 7515) with HMAC-SHA256 under the secret of
//! a bootstrap token.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether `jws`, in the form `HEADER..SIGNATURE`, signs the content with a bootstrap token's
/// secret. Only the algorithm HS256 and the key id of the token are accepted.
pub fn verify_detached_jws(jws: &str, id: &str, secret: &str, content: &str) -> bool {
    let mut parts = jws.split('.');
    let (Some(header), Some(""), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let (Some(fields), Some(signature)) = (decode(header), decode(signature)) else {
        return false;
    };
    let fields: Option<serde_json::Value> = serde_json::from_slice(&fields).ok();
    if fields.is_none_or(|fields| fields["alg"] != "HS256" || fields["kid"] != id) {
        return false;
    }
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `content`, signed as the `bootstrapsigner` of Kubernetes does: HMAC-SHA256 over the encoded
    /// header, a point and the encoded content.
    const JWS: &str =
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..psz1NayrXM3IaFzKZGsb5n_mBl7MjtlsZ1xE8MRmF_4";

    #[test]
    fn only_the_token_that_signed_verifies_and_only_what_it_signed() {
        let secret = "0123456789abcdef";
        assert!(verify_detached_jws(JWS, "abcdef", secret, "content"));
        assert!(!verify_detached_jws(JWS, "abcdeg", secret, "content"));
        assert!(!verify_detached_jws(
            JWS,
            "abcdef",
            "0123456789abcdeg",
            "content"
        ));
        assert!(!verify_detached_jws(JWS, "abcdef", secret, "contents"));
        for broken in ["", "..", "a..b", "a.b.c", &format!("{JWS}.x")] {
            assert!(
                !verify_detached_jws(broken, "abcdef", secret, "content"),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_header_without_a_known_algorithm_is_refused() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"abcdef"}"#);
        let jws = format!("{header}..");
        assert!(!verify_detached_jws(
            &jws,
            "abcdef",
            "0123456789abcdef",
            "content"
        ));
    }
}
