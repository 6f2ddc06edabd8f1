//! CoreDNS, the DNS of the cluster, as kubeadm installs it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, HTTPGetAction,
    KeyToPath, PodAffinityTerm, PodAntiAffinity, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SecurityContext, Service, ServicePort, ServiceSpec, Toleration, Volume,
    VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rinit_facts::Patch;
use rinit_plan::constants::CONTROL_PLANE;
use rinit_plan::{ObjectSpec, WriteStyle};

use crate::patch::{self, MergeKeys, PatchError};

use super::config_map::config_map;
use super::rbac::{ClusterBinding, ClusterRights, Rule, Who, service_account};
use super::{in_kube_system, object, string_map, strings};

/// The name of most of its objects.
const NAME: &str = "coredns";

/// The label that Services and people find the cluster's DNS by, from the time of kube-dns.
const APP: &[(&str, &str)] = &[("k8s-app", "kube-dns")];

/// What CoreDNS may see.
static RIGHTS: ClusterRights = ClusterRights {
    name: "system:coredns",
    rules: &[
        Rule {
            api_group: "",
            resources: &["endpoints", "services", "pods", "namespaces"],
            verbs: &["list", "watch"],
        },
        Rule {
            api_group: "discovery.k8s.io",
            resources: &["endpointslices"],
            verbs: &["list", "watch"],
        },
    ],
};

static BINDING: ClusterBinding = ClusterBinding {
    name: "system:coredns",
    cluster_role: "system:coredns",
    subject: Who::ServiceAccount(NAME),
};

/// A port of the container: its name, its number, its protocol.
type Port = (&'static str, i32, &'static str);

/// The ports that the Service leads to.
const PORTS: &[Port] = &[
    ("dns", 53, "UDP"),
    ("dns-tcp", 53, "TCP"),
    ("metrics", 9153, "TCP"),
];

const LIVENESS_PORT: Port = ("liveness-probe", 8080, "TCP");
const READINESS_PORT: Port = ("readiness-probe", 8181, "TCP");

/// All objects but the Deployment that stand before it, in kubeadm's order: the Corefile, the
/// rights and the service account.
///
/// A Corefile that stands already may be the user's, and is kept.
pub fn prerequisites(dns_domain: &str) -> [ObjectSpec; 4] {
    let corefile = ObjectSpec {
        write: WriteStyle::Retain,
        ..config_map(NAME, [("Corefile", corefile(dns_domain))])
    };
    [
        corefile,
        RIGHTS.object(),
        BINDING.object(),
        service_account(NAME),
    ]
}

/// The Deployment with the user's patches. The number of its replicas is the user's once it stands.
///
/// `named_probe_ports` says whether the probes go by named ports (Kubernetes 1.34).
pub fn deployment<'a>(
    image: &str,
    named_probe_ports: bool,
    patches: impl IntoIterator<Item = &'a Patch>,
) -> Result<ObjectSpec, PatchError> {
    let mut object = unpatched(image, named_probe_ports);
    object.body = patch::apply(object.body, patches, MergeKeys::Workload)?;
    Ok(object)
}

fn unpatched(image: &str, named_probe_ports: bool) -> ObjectSpec {
    let metadata = ObjectMeta {
        labels: Some(string_map(APP)),
        ..in_kube_system(NAME)
    };
    let spec = DeploymentSpec {
        replicas: Some(2),
        strategy: Some(DeploymentStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateDeployment {
                max_unavailable: Some(IntOrString::Int(1)),
                max_surge: None,
            }),
        }),
        selector: LabelSelector {
            match_labels: Some(string_map(APP)),
            ..LabelSelector::default()
        },
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(string_map(APP)),
                ..ObjectMeta::default()
            }),
            spec: Some(pod(container(image, named_probe_ports))),
        },
        ..DeploymentSpec::default()
    };
    ObjectSpec {
        unmanaged: vec!["/spec/replicas"],
        ..object(&Deployment {
            metadata,
            spec,
            ..Deployment::default()
        })
    }
}

/// The Service `kube-dns`, at the address that kubelets give to their pods.
pub fn service(cluster_ip: IpAddr) -> ObjectSpec {
    let metadata = ObjectMeta {
        labels: Some(string_map(&[
            ("k8s-app", "kube-dns"),
            ("kubernetes.io/cluster-service", "true"),
            ("kubernetes.io/name", "CoreDNS"),
        ])),
        annotations: Some(string_map(&[
            ("prometheus.io/port", "9153"),
            ("prometheus.io/scrape", "true"),
        ])),
        ..in_kube_system("kube-dns")
    };
    let ports = PORTS.iter().map(|&(name, port, protocol)| ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some(protocol.to_owned()),
        target_port: Some(IntOrString::Int(port)),
        ..ServicePort::default()
    });
    object(&Service {
        metadata,
        spec: Some(ServiceSpec {
            cluster_ip: Some(cluster_ip.to_string()),
            ports: Some(ports.collect()),
            selector: Some(string_map(APP)),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    })
}

/// kubeadm's Corefile for a cluster domain. It has been the same since Kubernetes 1.32.
fn corefile(dns_domain: &str) -> String {
    format!(
        "\
.:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes {dns_domain} in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
    cache 30 {{
       disable success {dns_domain}
       disable denial {dns_domain}
    }}
    loop
    reload
    loadbalance
}}
"
    )
}

fn container(image: &str, named_probe_ports: bool) -> Container {
    let probe_ports: &[Port] = if named_probe_ports {
        &[LIVENESS_PORT, READINESS_PORT]
    } else {
        &[]
    };
    let ports = PORTS
        .iter()
        .chain(probe_ports)
        .map(|&(name, container_port, protocol)| ContainerPort {
            name: Some(name.to_owned()),
            container_port,
            protocol: Some(protocol.to_owned()),
            ..ContainerPort::default()
        });
    let probe = |path: &str, (name, number, _): Port| Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: if named_probe_ports {
                IntOrString::String(name.to_owned())
            } else {
                IntOrString::Int(number)
            },
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    };
    Container {
        name: NAME.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(strings(&["-conf", "/etc/coredns/Corefile"])),
        ports: Some(ports.collect()),
        resources: Some(ResourceRequirements {
            limits: Some(quantities(&[("memory", "170Mi")])),
            requests: Some(quantities(&[("cpu", "100m"), ("memory", "70Mi")])),
            ..ResourceRequirements::default()
        }),
        liveness_probe: Some(Probe {
            initial_delay_seconds: Some(60),
            timeout_seconds: Some(5),
            success_threshold: Some(1),
            failure_threshold: Some(5),
            ..probe("/health", LIVENESS_PORT)
        }),
        readiness_probe: Some(probe("/ready", READINESS_PORT)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                add: Some(strings(&["NET_BIND_SERVICE"])),
                drop: Some(strings(&["ALL"])),
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "config-volume".to_owned(),
            mount_path: "/etc/coredns".to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

fn pod(container: Container) -> PodSpec {
    // Two replicas on one node would go down with it.
    let anti_affinity = WeightedPodAffinityTerm {
        weight: 100,
        pod_affinity_term: PodAffinityTerm {
            label_selector: Some(LabelSelector {
                match_expressions: Some(vec![LabelSelectorRequirement {
                    key: "k8s-app".to_owned(),
                    operator: "In".to_owned(),
                    values: Some(strings(&["kube-dns"])),
                }]),
                ..LabelSelector::default()
            }),
            topology_key: "kubernetes.io/hostname".to_owned(),
            ..PodAffinityTerm::default()
        },
    };
    PodSpec {
        priority_class_name: Some("system-cluster-critical".to_owned()),
        service_account_name: Some(NAME.to_owned()),
        affinity: Some(Affinity {
            pod_anti_affinity: Some(PodAntiAffinity {
                preferred_during_scheduling_ignored_during_execution: Some(vec![anti_affinity]),
                ..PodAntiAffinity::default()
            }),
            ..Affinity::default()
        }),
        tolerations: Some(vec![
            Toleration {
                key: Some("CriticalAddonsOnly".to_owned()),
                operator: Some("Exists".to_owned()),
                ..Toleration::default()
            },
            Toleration {
                key: Some(CONTROL_PLANE.to_owned()),
                effect: Some("NoSchedule".to_owned()),
                ..Toleration::default()
            },
        ]),
        node_selector: Some(string_map(&[("kubernetes.io/os", "linux")])),
        containers: vec![container],
        // The node's own DNS: the cluster's is this pod.
        dns_policy: Some("Default".to_owned()),
        volumes: Some(vec![Volume {
            name: "config-volume".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: NAME.to_owned(),
                items: Some(vec![KeyToPath {
                    key: "Corefile".to_owned(),
                    path: "Corefile".to_owned(),
                    ..KeyToPath::default()
                }]),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        }]),
        ..PodSpec::default()
    }
}

fn quantities(table: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    table
        .iter()
        .map(|&(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_corefile_serves_the_cluster_domain_and_is_kept_where_it_stands() {
        let [corefile, ..] = prerequisites("k8s.example.org");
        assert_eq!(corefile.write, WriteStyle::Retain);
        let text = corefile.body["data"]["Corefile"].as_str().unwrap();
        assert_eq!(text.matches(" k8s.example.org").count(), 3);
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert!(text.starts_with(".:53 {\n    errors\n"), "{text}");
        assert!(text.ends_with("    loadbalance\n}\n"), "{text}");
    }

    #[test]
    fn probes_go_by_name_since_1_34_and_by_number_before() {
        let container = |named| {
            unpatched("coredns:v1", named)
                .body
                .pointer("/spec/template/spec/containers/0")
                .unwrap()
                .clone()
        };
        let named = container(true);
        assert_eq!(
            named["livenessProbe"]["httpGet"]["port"],
            json!("liveness-probe")
        );
        assert_eq!(
            named["readinessProbe"]["httpGet"]["port"],
            json!("readiness-probe")
        );
        assert_eq!(
            named["ports"][3],
            json!({"name": "liveness-probe", "containerPort": 8080, "protocol": "TCP"})
        );
        assert_eq!(
            named["ports"][4],
            json!({"name": "readiness-probe", "containerPort": 8181, "protocol": "TCP"})
        );

        let numbered = container(false);
        assert_eq!(numbered["livenessProbe"]["httpGet"]["port"], json!(8080));
        assert_eq!(numbered["readinessProbe"]["httpGet"]["port"], json!(8181));
        assert_eq!(numbered["ports"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn replicas_are_written_once_and_then_left_to_others() {
        let deployment = unpatched("coredns:v1", true);
        assert_eq!(deployment.unmanaged, ["/spec/replicas"]);
        assert_eq!(deployment.body.pointer("/spec/replicas"), Some(&json!(2)));
        assert_eq!(deployment.body.get("status"), None);
    }

    #[test]
    fn the_service_has_the_address_that_kubelets_hand_out() {
        let service = service("fd00::a".parse().unwrap());
        assert_eq!(service.id.to_string(), "Service kube-system/kube-dns");
        assert_eq!(service.body["spec"]["clusterIP"], json!("fd00::a"));
        assert_eq!(
            service.body["spec"]["ports"][1],
            json!({"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53})
        );
    }
}
