//! The scheduler.

use rinit_facts::Facts;
use rinit_manifest::arguments::{command_line, of_files};
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::component::SCHEDULER;

use crate::{LOOPBACK, probe_host, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.cluster.scheduler;
    StaticPod {
        component: &SCHEDULER,
        image: &facts.cluster.images.scheduler,
        arguments: command_line(arguments(facts), &configured.extra_args),
        annotations: Vec::new(),
        environment: merge_environment(&facts.node.proxy_environment, &configured.extra_envs),
        volumes: merge_volumes(volumes::of_scheduler(facts), &configured.extra_volumes),
        requests: &[("cpu", "100m")],
        health: Health {
            host: probe_host(configured),
            port: SCHEDULER.port(),
            scheme: SCHEDULER.health.scheme,
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
}

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut arguments = of_files(&SCHEDULER, &facts.node.paths);
    arguments.extend([
        ("bind-address", LOOPBACK.to_owned()),
        ("leader-elect", "true".to_owned()),
    ]);
    arguments
}
