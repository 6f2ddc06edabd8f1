//! The API server.

use std::net::IpAddr;

use rinit_facts::{Etcd, Facts};
use rinit_manifest::arguments::{command_line, last_value, of_files};
use rinit_manifest::pod::{Health, StaticPod, merge_environment, merge_volumes};
use rinit_plan::CaId;
use rinit_plan::component::{API_SERVER, ETCD};

use crate::{authorization, volumes};

/// Its pod.
pub(crate) fn pod(facts: &Facts) -> StaticPod<'_> {
    let configured = &facts.cluster.api_server;
    StaticPod {
        component: &API_SERVER,
        image: &facts.cluster.images.api_server,
        arguments: command_line(arguments(facts), &configured.extra_args),
        // By which a second node and other tools find this API server; the user's own
        // `advertise-address` argument does not change it.
        annotations: vec![(
            "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint",
            facts.node.api.endpoint().to_string(),
        )],
        environment: merge_environment(&facts.node.proxy_environment, &configured.extra_envs),
        volumes: merge_volumes(volumes::of_api_server(facts), &configured.extra_volumes),
        requests: &[("cpu", "250m")],
        health: Health {
            host: Some(facts.node.api.advertise_address.to_string()),
            port: facts.node.api.bind_port,
            scheme: API_SERVER.health.scheme,
            startup_seconds: facts.node.timeouts.control_plane_component_health_check,
        },
    }
}

fn arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    let fixed = |text: &str| text.to_owned();
    let mut arguments = of_files(&API_SERVER, &facts.node.paths);
    arguments.extend([
        (
            "advertise-address",
            facts.node.api.advertise_address.to_string(),
        ),
        ("allow-privileged", fixed("true")),
        ("enable-admission-plugins", fixed("NodeRestriction")),
        ("enable-bootstrap-token-auth", fixed("true")),
        (
            "kubelet-preferred-address-types",
            fixed("InternalIP,ExternalIP,Hostname"),
        ),
        ("requestheader-allowed-names", fixed("front-proxy-client")),
        (
            "requestheader-extra-headers-prefix",
            fixed("X-Remote-Extra-"),
        ),
        ("requestheader-group-headers", fixed("X-Remote-Group")),
        ("requestheader-username-headers", fixed("X-Remote-User")),
        ("secure-port", facts.node.api.bind_port.to_string()),
        (
            "service-account-issuer",
            format!(
                "https://kubernetes.default.svc.{}",
                facts.cluster.network.dns_domain
            ),
        ),
        (
            "service-cluster-ip-range",
            facts.cluster.network.service_subnet.clone(),
        ),
    ]);
    arguments.extend(etcd_arguments(facts));
    arguments.extend(authorization::mode(facts).map(|mode| ("authorization-mode", mode)));
    arguments
}

fn etcd_arguments(facts: &Facts) -> Vec<(&'static str, String)> {
    match &facts.cluster.etcd {
        Etcd::Local(etcd) => {
            let loopback = match facts.node.api.advertise_address {
                IpAddr::V4(_) => "127.0.0.1",
                IpAddr::V6(_) => "[::1]",
            };
            let servers = last_value(&etcd.extra_args, "advertise-client-urls").map_or_else(
                || format!("https://{loopback}:{}", ETCD.port()),
                str::to_owned,
            );
            let file = |name: &str| facts.node.paths.certificate_file(name).to_string();
            vec![
                ("etcd-servers", servers),
                (
                    "etcd-cafile",
                    facts.node.paths.ca_certificate(CaId::Etcd).to_string(),
                ),
                ("etcd-certfile", file("apiserver-etcd-client.crt")),
                ("etcd-keyfile", file("apiserver-etcd-client.key")),
            ]
        }
        Etcd::External(etcd) => std::iter::once(("etcd-servers", etcd.endpoints.join(",")))
            .chain(
                [
                    ("etcd-cafile", &etcd.ca_file),
                    ("etcd-certfile", &etcd.cert_file),
                    ("etcd-keyfile", &etcd.key_file),
                ]
                .into_iter()
                .filter_map(|(name, file)| Some((name, file.as_ref()?.to_string()))),
            )
            .collect(),
    }
}
