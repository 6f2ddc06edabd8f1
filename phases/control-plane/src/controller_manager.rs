//! The controller manager.

use rinit_facts::Facts;
use rinit_manifest::arguments::{command_line, last_value, of_files};
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::component::CONTROLLER_MANAGER;
use rinit_plan::{CaId, FileMode, FileSpec};

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.cluster.controller_manager;
    StaticPod {
        component: &CONTROLLER_MANAGER,
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
            port: CONTROLLER_MANAGER.port(),
            scheme: CONTROLLER_MANAGER.health.scheme,
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
}

/// The certificate that it signs with, where the CA's file holds others too. It does not
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
    let ca = facts.node.paths.ca_certificate(CaId::Cluster).to_string();
    let signer = signer(facts).map_or(ca, |file| file.path.to_string());
    // Who holds the CA's key elsewhere signs there.
    let signing = |path: String| {
        if facts.node.signing.external {
            String::new()
        } else {
            path
        }
    };
    let mut arguments = of_files(&CONTROLLER_MANAGER, &facts.node.paths);
    arguments.extend([
        ("bind-address", fixed(LOOPBACK)),
        ("cluster-name", facts.cluster.name.clone()),
        ("cluster-signing-cert-file", signing(signer)),
        (
            "cluster-signing-key-file",
            signing(facts.node.paths.ca_key(CaId::Cluster).to_string()),
        ),
        ("controllers", fixed("*,bootstrapsigner,tokencleaner")),
        ("leader-elect", fixed("true")),
        ("use-service-account-credentials", fixed("true")),
    ]);
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
