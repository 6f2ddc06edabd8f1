//! The controller manager.

use rinit_facts::Facts;
use rinit_manifest::arguments::command_line;
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::CaId;

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.controller_manager;
    StaticPod {
        component: "kube-controller-manager",
        image: &facts.images.controller_manager,
        arguments: command_line(
            arguments(facts),
            &configured.extra_args,
            facts.version.table(),
        ),
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

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let fixed = |text: &str| text.to_owned();
    let kubeconfig = facts
        .paths
        .kubeconfig("controller-manager.conf")
        .to_string();
    let ca = facts.paths.ca_certificate(CaId::Cluster).to_string();
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
        ("cluster-signing-cert-file", signing(ca.clone())),
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
