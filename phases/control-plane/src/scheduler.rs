//! The scheduler.

use rinit_facts::Facts;
use rinit_manifest::arguments::command_line;
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.cluster.scheduler;
    StaticPod {
        component: "kube-scheduler",
        image: &facts.cluster.images.scheduler,
        arguments: command_line(arguments(facts), &configured.extra_args),
        annotations: Vec::new(),
        environment: merge_environment(&facts.node.proxy_environment, &configured.extra_envs),
        volumes: merge_volumes(volumes::of_scheduler(facts), &configured.extra_volumes),
        requests: &[("cpu", "100m")],
        health: Health {
            host: probe_host(configured),
            port: 10259,
            scheme: "HTTPS",
            liveness: "/livez",
            readiness: Some("/readyz"),
            startup: "/livez",
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
}

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let kubeconfig = facts.node.paths.kubeconfig("scheduler.conf").to_string();
    vec![
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig.clone()),
        ("bind-address", LOOPBACK.to_owned()),
        ("kubeconfig", kubeconfig),
        ("leader-elect", "true".to_owned()),
    ]
}
