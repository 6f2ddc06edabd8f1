//! The connection below a client: kube's, but for how the server is verified.

use std::sync::Arc;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Config;
use kube::client::{Body, ConfigExt as _};
use rinit_pki::ServerVerifier;
use rustls::crypto::aws_lc_rs;
use tower::{BoxError, ServiceBuilder, ServiceExt as _};

/// The libraries' own texts may quote what they could not read.
const UNREADABLE: &str = "its certificates or its key cannot be read";

/// The error says what of a kubeconfig cannot be used, without quoting it.
///
/// kube hands the authorities to rustls, which refuses what kubectl takes; see [`ServerVerifier`].
/// It has no place to say otherwise, so what it stacks for a client is stacked here. Where there is
/// nothing to verify, or the machine's authorities decide, and behind a proxy, its own is used.
pub(crate) fn client(config: Config) -> Result<kube::Client, &'static str> {
    let authorities = match &config.root_cert {
        Some(authorities) if !config.accept_invalid_certs && config.proxy_url.is_none() => {
            authorities
        }
        _ => return kube::Client::try_from(config).map_err(|_| UNREADABLE),
    };
    let verifier = ServerVerifier::new(
        authorities.iter().map(Vec::as_slice),
        Arc::new(aws_lc_rs::default_provider()),
    )
    .ok_or("no certificate of its authority can be read")?;
    let mut without_authorities = config.clone();
    without_authorities.root_cert = Some(Vec::new());
    let mut tls = without_authorities
        .rustls_client_config()
        .map_err(|_| UNREADABLE)?;
    tls.dangerous().set_certificate_verifier(Arc::new(verifier));

    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    let https = match config.tls_server_name.clone() {
        Some(name) => https.with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(
            name.try_into()
                .map_err(|_| "its tls-server-name is no name")?,
        )),
        None => https,
    };
    let connector = https.enable_http1().wrap_connector(tcp);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(|_| UNREADABLE)?)
        .layer(config.extra_headers_layer().map_err(|_| UNREADABLE)?)
        .service(http.map_err(BoxError::from));
    Ok(kube::Client::new(service, config.default_namespace))
}
