//! Issues, reads and judges keys and certificates.
//!
//! Bytes come in and bytes go out: this crate never touches a file, never reads a clock (the
//! moment is an argument), and never writes a key anew that it has loaded. Keys, tokens and
//! certificate keys are in no Debug output and in no error.

mod certificate;
mod chain;
mod der;
mod error;
mod issue;
mod judge;
mod jws;
mod key;
mod name;
mod pool;
mod random;
mod request;
mod seal;
mod trust;

pub use certificate::{
    AlternativeName, Certificate, KeyUsage, PublicKey, SignatureKind, Usage, certificates_of,
    has_private_key, public_key_pins,
};
pub use chain::{ChainFault, SignedBy, chain, hint_of_constraints, judge_signing};
pub use error::PkiError;
pub use issue::{Authority, Leaf, issue_authority};
pub use judge::{
    Fault, Finding, judge_authority, judge_client, judge_expired, judge_key_pair, judge_leaf,
    judge_signer, key_among_certificates, renewal_in_a_new_cluster,
};
pub use jws::verify_detached_jws;
pub use key::PrivateKey;
pub use name::Name;
pub use pool::KeyPool;
pub use random::{bootstrap_token, certificate_key};
pub use request::{Request, request};
pub use seal::{open, seal};
pub use trust::Trust;

/// One PEM block (RFC 7468) with lines of 64 characters and a line feed after each.
fn pem_text(label: &str, der: &[u8]) -> String {
    use zeroize::Zeroize as _;
    let block = pem::Pem::new(label, der);
    let text = pem::encode_config(
        &block,
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    );
    // The block may be a key.
    block.into_contents().zeroize();
    text
}

fn pem_error(error: &rustls_pki_types::pem::Error) -> PkiError {
    use rustls_pki_types::pem::Error;
    // The library's own text shows the lines it stumbled over, which may be a key's.
    let reason = match error {
        Error::MissingSectionEnd { .. } => "a block has no end line",
        Error::IllegalSectionStart { .. } => "a block has a broken begin line",
        Error::Base64Decode(_) => "a block is not base64",
        _ => "it cannot be read",
    };
    PkiError::Pem {
        reason: reason.to_owned(),
    }
}

/// Go's `encoding/pem` takes a block only where nothing but white space follows its END line, and our
/// reader does not mind.
fn check_end_lines(pem: &[u8]) -> Result<(), PkiError> {
    let is_bad = |line: &[u8]| {
        line.strip_prefix(b"-----END ").is_some_and(|rest| {
            match rest.windows(5).position(|part| part == b"-----") {
                Some(dashes) => !rest[dashes + 5..].trim_ascii().is_empty(),
                None => false,
            }
        })
    };
    match pem.split(|byte| *byte == b'\n').position(is_bad) {
        Some(index) => Err(PkiError::TextBehindEnd { line: index + 1 }),
        None => Ok(()),
    }
}

/// Lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
