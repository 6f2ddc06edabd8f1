//! One HTTP request to a health or version endpoint, in the clear or through TLS.

use std::sync::Arc;
use std::time::Duration;

use rinit_plan::Secret;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{HostError, Result};

/// Which servers are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whoever holds the port. For our own component on an address of this node, whose serving
    /// certificate is often self-signed, and whose answer only says whether it is well.
    Anyone,
    /// Servers with a certificate of these authorities (PEM).
    Authorities(Vec<u8>),
    /// Servers with a certificate of the authorities that the machine trusts.
    Machine,
}

/// A client certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate chain (PEM).
    pub certificate: Vec<u8>,
    /// The key (PEM).
    pub key: Secret<Vec<u8>>,
}

/// The answer of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
}

/// How much of an answer is read, in bytes.
const ANSWER_LIMIT: u64 = 64 << 10;
/// Where distributions keep the authorities that the machine trusts, in one file.
const MACHINE_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Asks `url` once. Proxies of the environment are not used, redirects not followed. An answer with
/// another status than 200 is an answer.
pub async fn probe(
    url: &str,
    trust: &Trust,
    identity: Option<&Identity>,
    limit: Duration,
) -> Result<ProbeAnswer> {
    let target = Target::parse(url).ok_or_else(|| failed(url, "it is no http or https URL"))?;
    let exchange = async {
        let stream = TcpStream::connect((target.host, target.port))
            .await
            .map_err(|source| probe_io(url, source))?;
        if !target.tls {
            return exchange(stream, &target)
                .await
                .map_err(|source| probe_io(url, source));
        }
        let config = tls_config(trust, identity).map_err(|problem| failed(url, problem))?;
        let name = ServerName::try_from(target.host.to_owned())
            .map_err(|_| failed(url, "its host is neither a name nor an address"))?;
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|source| probe_io(url, source))?;
        exchange(stream, &target)
            .await
            .map_err(|source| probe_io(url, source))
    };
    let answer = tokio::time::timeout(limit, exchange)
        .await
        .unwrap_or_else(|_| {
            let problem = format!("no answer within {} ms", limit.as_millis());
            Err(failed(url, problem))
        })
        .and_then(|bytes| read_answer(&bytes).ok_or_else(|| failed(url, "the answer is not HTTP")));
    match &answer {
        Ok(answer) => tracing::debug!(url, status = answer.status, "asked"),
        Err(error) => tracing::debug!(url, error = rinit_diag::chain(error), "asked"),
    }
    answer
}

fn failed(url: &str, problem: impl Into<String>) -> HostError {
    HostError::Probe {
        url: url.to_owned(),
        problem: problem.into(),
    }
}

fn probe_io(url: &str, source: std::io::Error) -> HostError {
    HostError::ProbeConnection {
        url: url.to_owned(),
        source,
    }
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    tls: bool,
    /// Without the brackets of an IPv6 address.
    host: &'a str,
    port: u16,
    /// Host and port as written.
    authority: &'a str,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
            (true, rest)
        } else {
            (false, url.strip_prefix("http://")?)
        };
        let (authority, path) = match rest.find('/') {
            Some(index) => rest.split_at(index),
            None => (rest, "/"),
        };
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        let port = match port {
            Some(port) => port.parse().ok()?,
            None if tls => 443,
            None => 80,
        };
        let plain = |text: &str| !text.contains(|c: char| c.is_control() || c.is_whitespace());
        (!host.is_empty() && plain(url)).then_some(Self {
            tls,
            host,
            port,
            authority,
            path,
        })
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target<'_>,
) -> std::io::Result<Vec<u8>> {
    // HTTP/1.0, so that the answer comes in one piece and ends with the connection.
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: rinit\r\nAccept: */*\r\n\r\n",
        target.path, target.authority
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_LIMIT).read_to_end(&mut answer).await {
        // A server that hangs up without a farewell of TLS has answered all the same.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

fn read_answer(bytes: &[u8]) -> Option<ProbeAnswer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut words = head.lines().next()?.split_whitespace();
    if !words.next()?.starts_with("HTTP/1.") {
        return None;
    }
    Some(ProbeAnswer {
        status: words.next()?.parse().ok()?,
        body: body.to_owned(),
    })
}

fn tls_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match trust {
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAnyServer(provider))),
        Trust::Authorities(pem) => builder.with_root_certificates(trust_store(pem)?),
        Trust::Machine => {
            let pem = MACHINE_AUTHORITIES
                .iter()
                .find_map(|path| crate::files::read_file(path.as_ref()).ok().flatten())
                .ok_or("the machine has no file of trusted certificate authorities")?;
            builder.with_root_certificates(trust_store(&pem)?)
        }
    };
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let chain = certificates(&identity.certificate)?;
            // The parser's own words could repeat the key.
            let key = PrivateKeyDer::from_pem_slice(identity.key.expose())
                .map_err(|_| "the client key cannot be read")?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate cannot be used: {error}"))
        }
    }
}

/// The CAs in a PEM file. Those that rustls cannot use are passed over.
fn trust_store(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(pem)?);
    if added == 0 {
        return Err("there is no CA to trust".to_owned());
    }
    Ok(store)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| "a certificate cannot be read".to_owned())
}

/// Accepts every server certificate, see [`Trust::Anyone`]. The handshake's signature is checked
/// all the same, so that a broken server is not taken for a sound one.
#[derive(Debug)]
struct AcceptAnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyServer {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rinit_diag::chain;
    use rustls::ServerConfig;
    use rustls::server::WebPkiClientVerifier;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// A server that answers every request so, and its port.
    async fn serve(tls: Option<ServerConfig>, answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match &acceptor {
                    None => reply(stream, answer).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            reply(stream, answer).await;
                        }
                    }
                }
            }
        });
        port
    }

    async fn reply(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut request = [0; 1024];
        let count = stream.read(&mut request).await.unwrap();
        assert!(request[..count].starts_with(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:"));
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    struct Certified {
        certificate: Vec<u8>,
        key: Vec<u8>,
    }

    fn self_signed() -> Certified {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Certified {
            certificate: made.cert.pem().into_bytes(),
            key: made.signing_key.serialize_pem().into_bytes(),
        }
    }

    fn server_config(server: &Certified, client: Option<&Certified>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let mut trusted = RootCertStore::empty();
                trusted.add_parsable_certificates(certificates(&client.certificate).unwrap());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from_pem_slice(&server.key).unwrap();
        builder
            .with_single_cert(certificates(&server.certificate).unwrap(), key)
            .unwrap()
    }

    #[tokio::test]
    async fn an_answer_in_the_clear_is_read() {
        let port = serve(
            None,
            "HTTP/1.0 500 Internal Server Error\r\nX: y\r\n\r\n[-]etcd failed",
        )
        .await;
        let url = format!("http://127.0.0.1:{port}/healthz");
        let answer = probe(&url, &Trust::Machine, None, LIMIT).await.unwrap();
        assert_eq!(
            answer,
            ProbeAnswer {
                status: 500,
                body: "[-]etcd failed".into()
            }
        );
    }

    #[tokio::test]
    async fn trust_decides_about_a_self_signed_server() {
        let server = self_signed();
        let port = serve(
            Some(server_config(&server, None)),
            "HTTP/1.1 200 OK\r\n\r\nok",
        )
        .await;
        let url = format!("https://127.0.0.1:{port}/healthz");
        let answer = probe(&url, &Trust::Anyone, None, LIMIT).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        let own = Trust::Authorities(server.certificate);
        assert_eq!(probe(&url, &own, None, LIMIT).await.unwrap().status, 200);
        let other = Trust::Authorities(self_signed().certificate);
        let error = probe(&url, &other, None, LIMIT).await.unwrap_err();
        assert!(chain(&error).contains("certificate"), "{}", chain(&error));
    }

    #[tokio::test]
    async fn a_client_certificate_is_shown() {
        let (server, client) = (self_signed(), self_signed());
        let config = server_config(&server, Some(&client));
        let port = serve(Some(config), "HTTP/1.1 200 OK\r\n\r\nok").await;
        let url = format!("https://127.0.0.1:{port}/healthz");
        assert!(probe(&url, &Trust::Anyone, None, LIMIT).await.is_err());
        let identity = Identity {
            certificate: client.certificate,
            key: client.key.into(),
        };
        assert!(!format!("{identity:?}").contains("PRIVATE"));
        let answer = probe(&url, &Trust::Anyone, Some(&identity), LIMIT).await;
        assert_eq!(answer.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/healthz", listener.local_addr().unwrap());
        let limit = Duration::from_millis(100);
        let error = probe(&url, &Trust::Anyone, None, limit).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{url} does not answer: no answer within 100 ms")
        );
    }

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("https://[fd00::1]:6443/livez?verbose").unwrap();
        assert_eq!((target.host, target.port), ("fd00::1", 6443));
        assert_eq!(target.path, "/livez?verbose");
        let target = Target::parse("http://127.0.0.1").unwrap();
        assert_eq!((target.port, target.path), (80, "/"));
        for url in [
            "ftp://x/",
            "https://:1/",
            "http://x:abc/",
            "http://x/\r\nEvil: 1",
        ] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }
}
