//! The controller manager.

use rinit_facts::Facts;
use rinit_manifest::arguments::{command_line, last_value};
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::{CaId, FileMode, FileSpec};

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.cluster.controller_manager;
    StaticPod {
        component: "kube-controller-manager",
        image: &facts.cluster.images.controller_manager,
        arguments: command_line(arguments(facts), &configured.extra_args),
        annotations: Vec::new(),
        environment: merge_environment(&facts.node.proxy_environment, &configured.extra_envs),
        volumes: merge_volumes(
            volumes::of_controller_manager(facts),
            &configured.extra_volumes,
        ),
        requests: &[("cpu", "200m")],
        health: Health {
            host: probe_host(configured),
            port: 10257,
            scheme: "HTTPS",
            liveness: "/healthz",
            readiness: None,
            startup: "/healthz",
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
}

/// The certificate that it signs with, where the authority's file holds others too. It does not
/// start if its file has more than one ("expected 1 certificate, found 2").
pub(crate) fn signer(facts: &Facts) -> Option<FileSpec> {
    let signing = &facts.node.signing;
    let configured = last_value(
        &facts.cluster.controller_manager.extra_args,
        "cluster-signing-cert-file",
    );
    if signing.external || configured.is_some() {
        return None;
    }
    Some(FileSpec {
        path: facts.node.paths.cluster_signer_certificate(),
        mode: FileMode::PUBLIC,
        text: signing.certificate.clone()?,
    })
}

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let fixed = |text: &str| text.to_owned();
    let kubeconfig = facts
        .node
        .paths
        .kubeconfig("controller-manager.conf")
        .to_string();
    let ca = facts.node.paths.ca_certificate(CaId::Cluster).to_string();
    let signer = signer(facts).map_or_else(|| ca.clone(), |file| file.path.to_string());
    // Who holds the authority's key elsewhere signs there.
    let signing = |path: String| {
        if facts.node.signing.external {
            String::new()
        } else {
            path
        }
    };
    let mut arguments = vec![
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig.clone()),
        ("bind-address", fixed(LOOPBACK)),
        ("client-ca-file", ca.clone()),
        ("cluster-name", facts.cluster.name.clone()),
        ("cluster-signing-cert-file", signing(signer)),
        (
            "cluster-signing-key-file",
            signing(facts.node.paths.ca_key(CaId::Cluster).to_string()),
        ),
        ("controllers", fixed("*,bootstrapsigner,tokencleaner")),
        ("kubeconfig", kubeconfig),
        ("leader-elect", fixed("true")),
        (
            "requestheader-client-ca-file",
            facts
                .node
                .paths
                .ca_certificate(CaId::FrontProxy)
                .to_string(),
        ),
        ("root-ca-file", ca),
        (
            "service-account-private-key-file",
            facts.node.paths.certificate_file("sa.key").to_string(),
        ),
        ("use-service-account-credentials", fixed("true")),
    ];
    if !facts.cluster.network.pod_subnet.is_empty() {
        arguments.push(("allocate-node-cidrs", fixed("true")));
        arguments.push(("cluster-cidr", facts.cluster.network.pod_subnet.clone()));
        arguments.push((
            "service-cluster-ip-range",
            facts.cluster.network.service_subnet.clone(),
        ));
    }
    arguments
}
