//! The controller manager.

use rinit_facts::Facts;
use rinit_manifest::arguments::{command_line, last_value};
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::{CaId, FileMode, FileSpec};

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.controller_manager;
    StaticPod {
        component: "kube-controller-manager",
        image: &facts.images.controller_manager,
        arguments: command_line(arguments(facts), &configured.extra_args),
        annotations: Vec::new(),
        environment: merge_environment(&facts.proxy_environment, &configured.extra_envs),
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
            startup_seconds: facts.timeouts.control_plane_component_health_check,
        },
    }
}

/// The certificate that it signs with, where the authority's file holds others too. It does not
/// start if its file has more than one ("expected 1 certificate, found 2").
pub(crate) fn signer(facts: &Facts) -> Option<FileSpec> {
    let certificates = &facts.certificates;
    let configured = last_value(
        &facts.controller_manager.extra_args,
        "cluster-signing-cert-file",
    );
    if certificates.external_cluster_ca || configured.is_some() {
        return None;
    }
    Some(FileSpec {
        path: facts.paths.cluster_signer_certificate(),
        mode: FileMode::PUBLIC,
        text: certificates.cluster_ca_signer.clone()?,
    })
}

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let fixed = |text: &str| text.to_owned();
    let kubeconfig = facts
        .paths
        .kubeconfig("controller-manager.conf")
        .to_string();
    let ca = facts.paths.ca_certificate(CaId::Cluster).to_string();
    let signer = signer(facts).map_or_else(|| ca.clone(), |file| file.path.to_string());
    // Who holds the authority's key elsewhere signs there.
    let signing = |path: String| {
        if facts.certificates.external_cluster_ca {
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
        ("cluster-name", facts.cluster_name.clone()),
        ("cluster-signing-cert-file", signing(signer)),
        (
            "cluster-signing-key-file",
            signing(facts.paths.ca_key(CaId::Cluster).to_string()),
        ),
        ("controllers", fixed("*,bootstrapsigner,tokencleaner")),
        ("kubeconfig", kubeconfig),
        ("leader-elect", fixed("true")),
        (
            "requestheader-client-ca-file",
            facts.paths.ca_certificate(CaId::FrontProxy).to_string(),
        ),
        ("root-ca-file", ca),
        (
            "service-account-private-key-file",
            facts.paths.certificate_file("sa.key").to_string(),
        ),
        ("use-service-account-credentials", fixed("true")),
    ];
    if !facts.network.pod_subnet.is_empty() {
        arguments.push(("allocate-node-cidrs", fixed("true")));
        arguments.push(("cluster-cidr", facts.network.pod_subnet.clone()));
        arguments.push((
            "service-cluster-ip-range",
            facts.network.service_subnet.clone(),
        ));
    }
    arguments
}
