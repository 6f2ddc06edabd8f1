//! The connection below a client: kube's, but for how the server is verified.

use std::sync::Arc;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::{Body, ConfigExt as _};
use rinit_pki::ServerVerifier;
use rustls::crypto::aws_lc_rs;
use tower::{BoxError, ServiceBuilder, ServiceExt as _};

/// Nothing if the certificates or the key cannot be read.
///
/// kube hands the authorities to rustls, which refuses what kubectl takes; see [`ServerVerifier`].
/// It has no place to say otherwise, so what it stacks for a client is stacked here. Where there is
/// nothing to verify, or the machine's authorities decide, and behind a proxy, its own is used.
pub(crate) fn client(config: Config) -> Option<kube::Client> {
    let authorities = match &config.root_cert {
        Some(authorities) if !config.accept_invalid_certs && config.proxy_url.is_none() => {
            authorities
        }
        _ => return kube::Client::try_from(config).ok(),
    };
    let verifier = ServerVerifier::new(
        authorities.iter().map(Vec::as_slice),
        Arc::new(aws_lc_rs::default_provider()),
    )?;
    let mut without_authorities = config.clone();
    without_authorities.root_cert = Some(Vec::new());
    let mut tls = without_authorities.rustls_client_config().ok()?;
    tls.dangerous().set_certificate_verifier(Arc::new(verifier));

    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    let https = match config.tls_server_name.clone() {
        Some(name) => https.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(
            name.try_into().ok()?,
        )),
        None => https,
    };
    let connector = https.enable_http1().wrap_connector(tcp);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().ok()?)
        .layer(config.extra_headers_layer().ok()?)
        .service(http.map_err(BoxError::from));
    Some(kube::Client::new(service, config.default_namespace))
}
