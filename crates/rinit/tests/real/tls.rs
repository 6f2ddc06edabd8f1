//! A client that trusts what rustls (webpki) trusts, and webpki's judgement of certificates.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// A certificate and its key, as PEM.
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

/// One request to a server on this machine that must prove to be `name`.
pub(crate) struct Request<'a> {
    pub(crate) port: u16,
    pub(crate) name: &'a str,
    pub(crate) authority: &'a [u8],
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Request<'_> {
    /// Status and body of the answer, or why there is none.
    pub(crate) fn send(&self) -> Result<(u16, String), String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(self.authority) {
            roots.add(certificate).map_err(|error| told(&error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| told(&error))?
            .with_root_certificates(roots);
        let config = match self.identity {
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(&identity.key).unwrap();
                config
                    .with_client_auth_cert(certificates(&identity.certificate), key)
                    .map_err(|error| told(&error))?
            }
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from(self.name.to_owned()).unwrap();
        let connection =
            ClientConnection::new(Arc::new(config), name).map_err(|error| told(&error))?;
        let socket =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map_err(|error| told(&error))?;
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        // HTTP/1.0 has no chunks: the answer ends with the connection.
        let headers: String = self
            .headers
            .iter()
            .flat_map(|(name, value)| [*name, ": ", *value, "\r\n"])
            .collect();
        let text = format!(
            "{} {} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n{}",
            self.method,
            self.path,
            self.name,
            self.body.len(),
            self.body
        );
        stream
            .write_all(text.as_bytes())
            .map_err(|error| told(&error))?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(told(&error)),
            _ => {}
        }
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok((status.ok_or("no status")?, body.to_owned()))
    }
}

/// Why webpki refuses a certificate for a usage or a name.
pub(crate) fn webpki_refuses(
    certificate: &[u8],
    authority: &[u8],
    usage: webpki::KeyUsage,
    names: &[String],
) -> Option<String> {
    let authorities = certificates(authority);
    let anchors: Vec<_> = authorities
        .iter()
        .map(|authority| webpki::anchor_from_trusted_cert(authority).unwrap())
        .collect();
    let certificates = certificates(certificate);
    let (leaf, others) = certificates.split_first()?;
    let leaf = match webpki::EndEntityCert::try_from(leaf) {
        Ok(leaf) => leaf,
        Err(error) => return Some(error.to_string()),
    };
    let path = leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        others,
        UnixTime::now(),
        usage,
        None,
        None,
    );
    if let Err(error) = path {
        return Some(error.to_string());
    }
    names.iter().find_map(|name| {
        let parsed = ServerName::try_from(name.as_str()).unwrap();
        let error = leaf.verify_is_valid_for_subject_name(&parsed).err()?;
        Some(format!("{name}: {error}"))
    })
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .unwrap()
}
