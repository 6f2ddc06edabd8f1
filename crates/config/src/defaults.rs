//! The defaults that kubeadm writes into its documents, for `init`, `config print` and
//! `config migrate`.
//!
//! What depends on the host or on chance is handed in as [`Surroundings`]; everything else is
//! kubeadm's constants.

use std::net::IpAddr;

use rinit_plan::{constants, defaults, groups};
use serde_json::{Map, Value, json};

use crate::documents::{API_VERSION, Documents};
use crate::duration::GoDuration;
use crate::format::parse_ip;
use crate::secret::{BootstrapToken as Token, CertificateKey};
use crate::v1beta4::{
    ApiEndpoint, BootstrapToken, ClusterConfiguration, EncryptionAlgorithm, ImagePullPolicy,
    InitConfiguration, JoinConfiguration, NodeRegistrationOptions, ResetConfiguration, Taint,
    TaintEffect, Timeouts, TokenUsage, UpgradeConfiguration,
};

/// What the defaults take from elsewhere.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The name of the node.
    pub node_name: String,
    /// The address of the API server where none is written, or `0.0.0.0`.
    pub advertise_address: String,
    /// The same where `::` is written.
    pub ipv6_advertise_address: String,
    /// The socket of the container runtime.
    pub cri_socket: String,
    /// The version of the control plane.
    pub kubernetes_version: String,
    /// A token where none is written.
    pub bootstrap_token: Option<Token>,
    /// Whether etcd's endpoints for HTTP are written down, as Kubernetes knows them.
    pub etcd_http_endpoints: bool,
    /// Whether a control-plane node without taints in its file gets the usual one.
    pub taints: bool,
}

/// Fills in everything that kubeadm fills in. Where there is one of InitConfiguration and
/// ClusterConfiguration, the other is made.
pub fn complete(documents: &mut Documents, surroundings: &Surroundings) {
    if documents.init.is_some() || documents.cluster.is_some() {
        let init = documents.init.get_or_insert_default();
        complete_init(
            init,
            documents.cluster.get_or_insert_default(),
            surroundings,
        );
    }
    if let Some(document) = &mut documents.join {
        join(document, surroundings);
    }
    if let Some(document) = &mut documents.reset {
        reset(document, surroundings);
    }
    if let Some(document) = &mut documents.upgrade {
        upgrade(document);
    }
}

/// Fills in the documents of a first control plane.
pub fn complete_init(
    of_node: &mut InitConfiguration,
    of_cluster: &mut ClusterConfiguration,
    surroundings: &Surroundings,
) {
    init(of_node, surroundings);
    cluster(of_cluster, surroundings);
    endpoint_port(of_cluster, of_node.local_api_endpoint.bind_port);
}

fn init(document: &mut InitConfiguration, surroundings: &Surroundings) {
    if document.bootstrap_tokens.is_empty() {
        document.bootstrap_tokens.push(BootstrapToken::default());
    }
    for token in &mut document.bootstrap_tokens {
        if token.token.is_none() {
            token.token.clone_from(&surroundings.bootstrap_token);
        }
        token
            .ttl
            .get_or_insert(GoDuration::from_seconds(defaults::TOKEN_SECONDS));
        if token.usages.is_empty() {
            token.usages = vec![TokenUsage::Signing, TokenUsage::Authentication];
        }
        if token.groups.is_empty() {
            token.groups = vec![groups::BOOTSTRAPPERS.to_owned()];
        }
    }
    node(&mut document.node_registration, surroundings);
    if surroundings.taints {
        control_plane_taint(&mut document.node_registration);
    }
    endpoint(&mut document.local_api_endpoint, surroundings);
    timeouts(&mut document.timeouts);
}

fn cluster(document: &mut ClusterConfiguration, surroundings: &Surroundings) {
    if document.etcd.external.is_none() {
        document
            .etcd
            .local
            .get_or_insert_default()
            .data_dir
            .get_or_insert_with(|| defaults::ETCD_FOLDER.to_owned());
    }
    if let Some(external) = &mut document.etcd.external
        && external.http_endpoints.is_empty()
        && surroundings.etcd_http_endpoints
    {
        external.http_endpoints.clone_from(&external.endpoints);
    }
    let networking = &mut document.networking;
    networking
        .service_subnet
        .get_or_insert_with(|| defaults::SERVICE_SUBNET.to_owned());
    networking
        .dns_domain
        .get_or_insert_with(|| defaults::DNS_DOMAIN.to_owned());
    // Labels are names for versions; the one that counts is written.
    let label = document
        .kubernetes_version
        .as_deref()
        .is_none_or(|version| {
            !version.starts_with(|first: char| first == 'v' || first.is_ascii_digit())
        });
    if label {
        document.kubernetes_version = Some(surroundings.kubernetes_version.clone());
    }
    document
        .certificates_dir
        .get_or_insert_with(|| defaults::CERTIFICATES_FOLDER.to_owned());
    document
        .image_repository
        .get_or_insert_with(|| defaults::IMAGE_REPOSITORY.to_owned());
    document
        .cluster_name
        .get_or_insert_with(|| defaults::CLUSTER_NAME.to_owned());
    document
        .encryption_algorithm
        .get_or_insert(EncryptionAlgorithm::Rsa2048);
    document
        .certificate_validity_period
        .get_or_insert(GoDuration::from_seconds(defaults::CERTIFICATE_SECONDS));
    document
        .ca_certificate_validity_period
        .get_or_insert(GoDuration::from_seconds(defaults::CA_CERTIFICATE_SECONDS));
    if let Some(version) = &mut document.kubernetes_version
        && !version.starts_with('v')
    {
        version.insert(0, 'v');
    }
    for name in &mut document.api_server.cert_sans {
        *name = name.to_lowercase();
    }
    field_references(document);
}

/// Says of each reference to a field of the pod in which version its path is written.
fn field_references(document: &mut ClusterConfiguration) {
    let etcd = document
        .etcd
        .local
        .as_mut()
        .map(|local| &mut local.extra_envs);
    for variables in [
        &mut document.api_server.component.extra_envs,
        &mut document.controller_manager.extra_envs,
        &mut document.scheduler.extra_envs,
    ]
    .into_iter()
    .chain(etcd)
    {
        for reference in variables
            .iter_mut()
            .filter_map(|variable| variable.value_from.as_mut()?.field_ref.as_mut())
        {
            reference.api_version.get_or_insert_with(|| "v1".to_owned());
        }
    }
}

/// An endpoint without a port gets that of the API server.
fn endpoint_port(cluster: &mut ClusterConfiguration, port: Option<i32>) {
    let endpoint = cluster.control_plane_endpoint.as_mut();
    let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else {
        return;
    };
    let bare = endpoint.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    let has_port = !is_address && endpoint.contains(':');
    if !has_port {
        let port = port.unwrap_or(i32::from(defaults::BIND_PORT));
        *endpoint = if bare.contains(':') {
            format!("[{bare}]:{port}")
        } else {
            format!("{bare}:{port}")
        };
    }
}

fn node(options: &mut NodeRegistrationOptions, surroundings: &Surroundings) {
    let name = options
        .name
        .get_or_insert_with(|| surroundings.node_name.clone());
    *name = name.trim().to_lowercase();
    socket(&mut options.cri_socket, surroundings);
    options
        .image_pull_policy
        .get_or_insert(ImagePullPolicy::IfNotPresent);
    options.image_pull_serial.get_or_insert(true);
}

fn socket(socket: &mut Option<String>, surroundings: &Surroundings) {
    let socket = socket.get_or_insert_with(|| surroundings.cri_socket.clone());
    if socket.starts_with('/') {
        socket.insert_str(0, "unix://");
    }
}

fn control_plane_taint(options: &mut NodeRegistrationOptions) {
    options.taints.get_or_insert_with(|| {
        vec![Taint {
            key: constants::CONTROL_PLANE.to_owned(),
            effect: Some(TaintEffect::NoSchedule),
            ..Taint::default()
        }]
    });
}

fn endpoint(endpoint: &mut ApiEndpoint, surroundings: &Surroundings) {
    let written = endpoint.advertise_address.as_deref();
    endpoint.advertise_address = match (written, written.and_then(parse_ip)) {
        (Some(_), Some(address)) if !address.is_unspecified() => Some(address.to_string()),
        (Some(text), None) if !text.is_empty() => Some(text.to_owned()),
        (_, Some(IpAddr::V6(_))) => Some(surroundings.ipv6_advertise_address.clone()),
        _ => Some(surroundings.advertise_address.clone()),
    };
    if endpoint.bind_port.is_none_or(|port| port == 0) {
        endpoint.bind_port = Some(i32::from(defaults::BIND_PORT));
    }
}

fn join(document: &mut JoinConfiguration, surroundings: &Surroundings) {
    node(&mut document.node_registration, surroundings);
    document
        .ca_cert_path
        .get_or_insert_with(|| defaults::CA_CERTIFICATE.to_owned());
    let discovery = &mut document.discovery;
    if discovery.tls_bootstrap_token.is_none()
        && let Some(token) = discovery
            .bootstrap_token
            .as_ref()
            .and_then(|bootstrap| bootstrap.token.clone())
    {
        discovery.tls_bootstrap_token = Some(token);
    }
    if let Some(control_plane) = &mut document.control_plane {
        endpoint(&mut control_plane.local_api_endpoint, surroundings);
        if surroundings.taints {
            control_plane_taint(&mut document.node_registration);
        }
    }
    timeouts(&mut document.timeouts);
}

fn reset(document: &mut ResetConfiguration, surroundings: &Surroundings) {
    document
        .certificates_dir
        .get_or_insert_with(|| defaults::CERTIFICATES_FOLDER.to_owned());
    socket(&mut document.cri_socket, surroundings);
    timeouts(&mut document.timeouts);
}

fn upgrade(document: &mut UpgradeConfiguration) {
    let apply = &mut document.apply;
    let node = &mut document.node;
    for flag in [
        &mut apply.certificate_renewal,
        &mut apply.etcd_upgrade,
        &mut apply.image_pull_serial,
        &mut node.certificate_renewal,
        &mut node.etcd_upgrade,
        &mut node.image_pull_serial,
        &mut document.plan.etcd_upgrade,
    ] {
        flag.get_or_insert(true);
    }
    for policy in [&mut apply.image_pull_policy, &mut node.image_pull_policy] {
        policy.get_or_insert(ImagePullPolicy::IfNotPresent);
    }
    timeouts(&mut document.timeouts);
}

fn timeouts(timeouts: &mut Option<Timeouts>) {
    let timeouts = timeouts.get_or_insert_default();
    for (timeout, minutes) in [
        (&mut timeouts.control_plane_component_health_check, 4),
        (&mut timeouts.kubelet_health_check, 4),
        (&mut timeouts.kubernetes_api_call, 1),
        (&mut timeouts.etcd_api_call, 2),
        (&mut timeouts.tls_bootstrap, 5),
        (&mut timeouts.discovery, 5),
        (&mut timeouts.upgrade_manifests, 5),
    ] {
        timeout.get_or_insert(GoDuration::from_seconds(minutes * 60));
    }
}

/// The documents as a file holds them, with `apiVersion`, `kind` and the secrets in the open.
///
/// Callers answer for where they go: it is what the user wrote, handed back.
pub fn exposed(documents: &Documents) -> Vec<Value> {
    let mut values = Vec::new();
    if let Some(init) = &documents.init {
        let mut value = init.to_value();
        for (index, token) in init.bootstrap_tokens.iter().enumerate() {
            expose(
                &mut value,
                &format!("/bootstrapTokens/{index}/token"),
                token.token.as_ref().map(Token::expose),
            );
        }
        let key = init.certificate_key.as_ref().map(CertificateKey::expose);
        expose(&mut value, "/certificateKey", key);
        values.push(named("InitConfiguration", value));
    }
    if let Some(cluster) = &documents.cluster {
        values.push(named("ClusterConfiguration", cluster.to_value()));
    }
    if let Some(join) = &documents.join {
        let mut value = join.to_value();
        let discovery = &join.discovery;
        let bootstrap = discovery.bootstrap_token.as_ref();
        for (pointer, secret) in [
            (
                "/discovery/bootstrapToken/token",
                bootstrap.and_then(|bootstrap| bootstrap.token.as_ref()),
            ),
            (
                "/discovery/tlsBootstrapToken",
                discovery.tls_bootstrap_token.as_ref(),
            ),
        ] {
            expose(&mut value, pointer, secret.map(Token::expose));
        }
        let key = join
            .control_plane
            .as_ref()
            .and_then(|control_plane| control_plane.certificate_key.as_ref());
        expose(
            &mut value,
            "/controlPlane/certificateKey",
            key.map(CertificateKey::expose),
        );
        values.push(named("JoinConfiguration", value));
    }
    if let Some(reset) = &documents.reset {
        values.push(named("ResetConfiguration", reset.to_value()));
    }
    if let Some(upgrade) = &documents.upgrade {
        values.push(named("UpgradeConfiguration", upgrade.to_value()));
    }
    values.extend(documents.kubelet.clone());
    values.extend(documents.kube_proxy.clone());
    values
}

fn expose(value: &mut Value, pointer: &str, secret: Option<&str>) {
    if let (Some(place), Some(secret)) = (value.pointer_mut(pointer), secret) {
        *place = json!(secret);
    }
}

fn named(kind: &str, value: Value) -> Value {
    let mut object = match value {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.insert("apiVersion".to_owned(), json!(API_VERSION));
    object.insert("kind".to_owned(), json!(kind));
    Value::Object(object)
}
