//! Judges the certificate that a server shows as Go's clients judge it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};

use crate::Certificate;
use crate::view::{OverTrueBytes, View};

/// Verifies servers for rinit's own connections.
///
/// It takes what rustls takes, and what rustls refuses for an extension that kubectl and the kubelet
/// know or pass over: an authority with constraints on directory names, critical certificate
/// policies. So rinit never waits for a server that everybody else talks to.
#[derive(Debug)]
pub struct ServerVerifier {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerVerifier {
    /// Trusts the authorities, each in DER. Those that cannot be read are passed over, as Go passes
    /// over them; nothing if none is left.
    pub fn new<'a>(
        authorities: impl IntoIterator<Item = &'a [u8]>,
        provider: Arc<CryptoProvider>,
    ) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            if !has_unknown_extension(authority) {
                roots.add_parsable_certificates([View::of_der(authority).der]);
            }
        }
        (!roots.is_empty()).then_some(Self { roots, provider })
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
        if has_unknown_extension(certificate) {
            return Err(CertificateError::UnhandledCriticalExtension.into());
        }
        let certificate = View::of_der(certificate);
        let intermediates: Vec<View<'_>> = intermediates
            .iter()
            .filter(|der| !has_unknown_extension(der))
            .map(|der| View::of_der(der))
            .collect();
        let algorithms =
            OverTrueBytes::all(std::iter::once(&certificate).chain(intermediates.iter()));
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> = algorithms
            .iter()
            .map(|one| one as &dyn SignatureVerificationAlgorithm)
            .collect();
        let intermediates: Vec<CertificateDer<'_>> =
            intermediates.iter().map(|view| view.der.clone()).collect();
        let parsed = ParsedCertificate::try_from(&certificate.der)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            &intermediates,
            now,
            &algorithms,
        )?;
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let certificate = View::of_der(certificate).der;
        rustls::crypto::verify_tls12_signature(message, &certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let certificate = View::of_der(certificate).der;
        rustls::crypto::verify_tls13_signature(message, &certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether Go refuses the certificate for a critical extension. What cannot be read is left to
/// webpki to refuse.
fn has_unknown_extension(der: &[u8]) -> bool {
    Certificate::read_der(der).is_ok_and(|certificate| certificate.unknown_extension.is_some())
}
