//! Judges the certificate that a server shows as Go's clients judge it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rinit_plan::ExtendedKeyUsage;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::chain::{chain, chain_of_server, is_valid_at};
use crate::view::View;
use crate::{Certificate, ChainFault};

/// Verifies servers for rinit's own connections, as kubectl and the kubelet do: the same chains are
/// good, such as below an authority with constraints on directory names or with critical certificate
/// policies, which rustls refuses, and the same are not, such as below an authority that has expired
/// or whose usages are others, which rustls takes. So rinit talks to whom everybody else talks to.
///
/// Only what Go alone looks at is refused, as by rustls: a URI or an email address below constraints
/// on such, keys of RSA below 2048 bits and of curves that webpki does not have.
#[derive(Debug)]
pub struct ServerVerifier {
    trusted: Vec<Certificate>,
    provider: Arc<CryptoProvider>,
}

impl ServerVerifier {
    /// Trusts the authorities, each in DER. Those that cannot be read are passed over, as Go passes
    /// over them; nothing if none is left.
    pub fn new<'a>(
        authorities: impl IntoIterator<Item = &'a [u8]>,
        provider: Arc<CryptoProvider>,
    ) -> Option<Self> {
        let trusted: Vec<Certificate> = authorities
            .into_iter()
            .filter_map(|der| Certificate::read_der(der).ok())
            .collect();
        (!trusted.is_empty()).then_some(Self { trusted, provider })
    }

    fn judge(&self, shown: &[Certificate], now: UnixTime) -> Result<(), Error> {
        let Some(server) = shown.first() else {
            return Err(Error::NoCertificatesPresented);
        };
        if let Some(oid) = &server.unknown_extension {
            return Err(other(&ChainFault::UnknownExtension(oid.clone())));
        }
        if !is_valid_at(server, now) {
            let is_over = now.as_secs() > time(server.validity.not_after).as_secs();
            return Err(if is_over {
                CertificateError::ExpiredContext {
                    time: now,
                    not_after: time(server.validity.not_after),
                }
                .into()
            } else {
                CertificateError::NotValidYetContext {
                    time: now,
                    not_before: time(server.validity.not_before),
                }
                .into()
            });
        }
        if !server.allows(ExtendedKeyUsage::ServerAuth) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        // Whoever is trusted itself needs nobody above it.
        if self.trusted.iter().any(|one| one.der == server.der) {
            return Ok(());
        }
        let Err(fault) = chain_of_server(shown, &self.trusted, now) else {
            return Ok(());
        };
        // Of what has expired there is a path at another moment.
        if chain(shown, &self.trusted, &[ExtendedKeyUsage::ServerAuth]).is_ok() {
            return Err(other(&"the certificate of its authority is not valid now"));
        }
        Err(match fault {
            ChainFault::UnknownIssuer => CertificateError::UnknownIssuer.into(),
            ChainFault::OtherKey => CertificateError::BadSignature.into(),
            fault => other(&fault),
        })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Go looks at no handshake with a certificate in it that it cannot read.
        let shown: Vec<Certificate> = std::iter::once(certificate)
            .chain(intermediates)
            .map(|der| Certificate::read_der(der))
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::BadEncoding)?;
        self.judge(&shown, now)?;
        let view = View::of_server(certificate);
        verify_server_name(&ParsedCertificate::try_from(&view.der)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let certificate = View::of_server(certificate).der;
        rustls::crypto::verify_tls12_signature(message, &certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let certificate = View::of_server(certificate).der;
        rustls::crypto::verify_tls13_signature(message, &certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What rustls has no words for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

fn other(reason: &impl ToString) -> Error {
    let refused = Refused(reason.to_string());
    CertificateError::Other(OtherError(Arc::new(refused))).into()
}

fn time(moment: Timestamp) -> UnixTime {
    let seconds = u64::try_from(moment.as_second()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
