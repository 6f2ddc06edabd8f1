//! What can go wrong with keys and certificates, told without a byte of a key.

use rinit_plan::KeyAlgorithm;

/// Why bytes are no key or certificate, or why none could be made.
///
/// Paths are not known here; callers put them in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// The PEM framing or its base64 is broken.
    #[error("malformed PEM: {reason}")]
    Pem {
        /// What is wrong with it.
        reason: String,
    },
    /// Something stands behind the END line of a block, so that Go passes the block over.
    #[error(
        "line {line} has more than the END line of a block, so that Kubernetes reads nothing of it"
    )]
    TextBehindEnd {
        /// The line, from 1.
        line: usize,
    },
    /// No `CERTIFICATE` block was found.
    #[error("no certificate in PEM form")]
    NoCertificate,
    /// A block holds no certificate that can be read.
    #[error("certificate {position} of the file cannot be read: {reason}")]
    Certificate {
        /// Its position in the file, from 1.
        position: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Go's `crypto/x509` cannot read the certificate, so that no part of Kubernetes can.
    #[error(
        "certificate {position} of the file is one that Kubernetes cannot read: its key is on none of \
         the curves P-256, P-384 and P-521, or spells out the parameters of the curve"
    )]
    Curve {
        /// Its position in the file, from 1.
        position: usize,
    },
    /// No block with a private key was found.
    #[error("no private key in PEM form")]
    NoPrivateKey,
    /// The key is protected by a passphrase, which nobody could type.
    #[error("the private key is encrypted, and Kubernetes takes no passphrase")]
    EncryptedKey,
    /// The key is damaged or of a kind that Kubernetes components do not take.
    #[error("the key is neither RSA of 2048 bits or more nor ECDSA over P-256, P-384 or P-521")]
    UnsupportedKey,
    /// No block with a public key was found.
    #[error("no public key in PEM form")]
    NoPublicKey,
    /// The certificate file and the key file do not belong together.
    #[error("no certificate in the file belongs to the private key")]
    AuthorityMismatch,
    /// The certificate that should sign is not allowed to.
    #[error("the certificate of {subject} is not that of a certificate authority")]
    NotAuthority {
        /// Whom it names.
        subject: String,
    },
    /// Bytes are no request for a certificate that can be granted.
    #[error("the request for a certificate cannot be used: {reason}")]
    Request {
        /// What is wrong with it.
        reason: String,
    },
    /// A key could not be generated.
    #[error("cannot generate a key for {algorithm}: {reason}")]
    Generate {
        /// The wanted algorithm.
        algorithm: KeyAlgorithm,
        /// What the cryptographic library says.
        reason: String,
    },
    /// A certificate could not be signed.
    #[error("cannot sign the certificate of {subject}: {reason}")]
    Sign {
        /// Whom it was for.
        subject: String,
        /// What stood in the way.
        reason: String,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes can be had")]
    Random,
    /// A certificate key has the wrong form.
    #[error("the certificate key is not 64 hexadecimal digits")]
    CertificateKey,
    /// Sealed bytes were changed, cut short, or sealed under another key.
    #[error("the content was not sealed with this certificate key")]
    Unseal,
}
