//! The configurations of the kubelet and of kube-proxy as kubeadm completes them.
//!
//! kubeadm reads them into Go structures and writes every field back, zeroes included; the
//! skeletons here are those zeroes (checked against `kubeadm config print init-defaults
//! --component-configs …` of 1.36 and 1.37). What the user wrote stands above the skeleton;
//! where it differs from what kubeadm recommends it stays, with a warning.

use std::net::IpAddr;

use rinit_diag::Problem;
use rinit_plan::CaId;
use rinit_versions::KubernetesVersion;
use serde_json::{Map, Value, json};

use crate::facts::Network;
use crate::paths::Paths;

const KUBELET: &str = "KubeletConfiguration";
const KUBE_PROXY: &str = "KubeProxyConfiguration";

/// Where kube-proxy's pod finds its kubeconfig.
const KUBE_PROXY_KUBECONFIG: &str = "/var/lib/kube-proxy/kubeconfig.conf";

/// A value of the user that is hardly meant.
pub(crate) struct Doubt {
    /// The field of the component's configuration.
    pub(crate) field: String,
    pub(crate) problem: Problem,
    /// The field of kubeadm's documents that decides what would be better.
    pub(crate) depends_on: Option<&'static str>,
}

/// A field as a JSON pointer, the value that kubeadm recommends, and the field of its own documents
/// that decides the value.
type Recommended = (&'static str, Value, Option<&'static str>);

/// The KubeletConfiguration of all nodes, and what is doubtful in it.
pub(crate) fn kubelet(
    written: Option<&Value>,
    paths: &Paths,
    network: &Network,
) -> (Value, Vec<Doubt>) {
    let mut doubts = Vec::new();
    let mut config = kubelet_skeleton();
    overlay(KUBELET, &mut config, written);
    let recommended = [
        ("/staticPodPath", json!(paths.manifests), None),
        (
            "/clusterDNS",
            json!([network.dns_service_ip]),
            Some("networking.serviceSubnet"),
        ),
        (
            "/clusterDomain",
            json!(network.dns_domain),
            Some("networking.dnsDomain"),
        ),
        (
            "/authentication/x509/clientCAFile",
            json!(paths.ca_certificate(CaId::Cluster)),
            Some("certificatesDir"),
        ),
        ("/authentication/anonymous/enabled", json!(false), None),
        ("/authentication/webhook/enabled", json!(true), None),
        ("/authorization/mode", json!("Webhook"), None),
        ("/healthzBindAddress", json!("127.0.0.1"), None),
        ("/healthzPort", json!(10248), None),
    ];
    recommend(KUBELET, &mut config, written, &recommended, &mut doubts);
    // Another cgroup driver is no reason to warn. That certificates rotate is not for choice:
    // kubeadm cannot tell `false` from nothing.
    recommend(
        KUBELET,
        &mut config,
        written,
        &[("/cgroupDriver", json!("systemd"), None)],
        &mut Vec::new(),
    );
    set(&mut config, "/rotateCertificates", json!(true));
    rinit_config::omit_component_zeroes(KUBELET, &mut config);
    (config, doubts)
}

/// The KubeProxyConfiguration, and what is doubtful in it.
pub(crate) fn kube_proxy(
    written: Option<&Value>,
    version: &KubernetesVersion,
    network: &Network,
    advertise_address: IpAddr,
) -> (Value, Vec<Doubt>) {
    let mut doubts = Vec::new();
    let mut config = kube_proxy_skeleton();
    overlay(KUBE_PROXY, &mut config, written);
    let any_address = if advertise_address.is_ipv4() {
        "0.0.0.0"
    } else {
        "::"
    };
    let mut recommended = vec![(
        "/clientConnection/kubeconfig",
        json!(KUBE_PROXY_KUBECONFIG),
        None,
    )];
    // The other family's address for any is no reason to warn either.
    if config["bindAddress"] != json!("0.0.0.0") && config["bindAddress"] != json!("::") {
        recommended.push((
            "/bindAddress",
            json!(any_address),
            Some("localAPIEndpoint.advertiseAddress"),
        ));
    }
    if !network.pod_subnet.is_empty() {
        recommended.push((
            "/clusterCIDR",
            json!(network.pod_subnet),
            Some("networking.podSubnet"),
        ));
    }
    recommend(KUBE_PROXY, &mut config, written, &recommended, &mut doubts);
    if version.table().explicit_proxy_mode && config["mode"] == json!("") {
        config["mode"] = json!("iptables");
    }
    rinit_config::omit_component_zeroes(KUBE_PROXY, &mut config);
    if version.table().warns_of_ipvs && config["mode"] == json!("ipvs") {
        let problem =
            Problem::new("kube-proxy's mode \"ipvs\" is deprecated since Kubernetes 1.35")
                .with_hint(
                    "use `mode: nftables` or `mode: iptables` in the KubeProxyConfiguration",
                );
        doubts.push(Doubt {
            field: "mode".to_owned(),
            problem,
            depends_on: None,
        });
    }
    (config, doubts)
}

/// Puts the written fields, in Go's form, over the skeleton.
fn overlay(kind: &str, config: &mut Value, written: Option<&Value>) {
    if let Some(written) = written {
        merge(config, rinit_config::canonical_component(kind, written));
    }
}

fn merge(base: &mut Value, written: Value) {
    match (base, written) {
        (Value::Object(base), Value::Object(written)) => {
            for (name, value) in written {
                match base.get_mut(&name) {
                    Some(field) => merge(field, value),
                    None => {
                        base.insert(name, value);
                    }
                }
            }
        }
        (base, written) => *base = written,
    }
}

/// Sets what kubeadm recommends where the user is silent, and warns where the user differs.
fn recommend(
    kind: &str,
    config: &mut Value,
    written: Option<&Value>,
    recommended: &[Recommended],
    doubts: &mut Vec<Doubt>,
) {
    for (pointer, value, depends_on) in recommended {
        let is_written = written
            .and_then(|written| written.pointer(pointer))
            .is_some_and(|own| !is_unset(own));
        match config.pointer(pointer).filter(|_| is_written) {
            Some(own) if own != value => {
                let field = pointer[1..].replace('/', ".");
                doubts.push(Doubt {
                    problem: Problem::new(format!("{kind} has {own}; kubeadm recommends {value}")),
                    field,
                    depends_on: *depends_on,
                });
            }
            Some(_) => {}
            None => set(config, pointer, value.clone()),
        }
    }
}

/// Whether kubeadm takes the value for one that was not written. `false` and `[]` are written.
fn is_unset(value: &Value) -> bool {
    value.is_null() || value == ""
}

/// Sets a field by its JSON pointer, making the objects on the way.
fn set(config: &mut Value, pointer: &str, value: Value) {
    let mut target = config;
    for name in pointer[1..].split('/') {
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        target = &mut target[name];
    }
    *target = value;
}

fn logging_skeleton() -> Value {
    json!({
        "flushFrequency": 0,
        "options": {
            "json": { "infoBufferSize": "0" },
            "text": { "infoBufferSize": "0" },
        },
        "verbosity": 0,
    })
}

fn kubelet_skeleton() -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": KUBELET,
        "authentication": {
            "anonymous": {},
            "webhook": { "cacheTTL": "0s" },
            "x509": {},
        },
        "authorization": {
            "webhook": { "cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s" },
        },
        "containerRuntimeEndpoint": "",
        "cpuManagerReconcilePeriod": "0s",
        "crashLoopBackOff": {},
        "evictionPressureTransitionPeriod": "0s",
        "fileCheckFrequency": "0s",
        "httpCheckFrequency": "0s",
        "imageMaximumGCAge": "0s",
        "imageMinimumGCAge": "0s",
        "logging": logging_skeleton(),
        "memorySwap": {},
        "nodeStatusReportFrequency": "0s",
        "nodeStatusUpdateFrequency": "0s",
        "runtimeRequestTimeout": "0s",
        "shutdownGracePeriod": "0s",
        "shutdownGracePeriodCriticalPods": "0s",
        "streamingConnectionIdleTimeout": "0s",
        "syncFrequency": "0s",
        "volumeStatsAggPeriod": "0s",
    })
}

fn kube_proxy_skeleton() -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": KUBE_PROXY,
        "bindAddress": "",
        "bindAddressHardFail": false,
        "clientConnection": {
            "acceptContentTypes": "",
            "burst": 0,
            "contentType": "",
            "kubeconfig": "",
            "qps": 0,
        },
        "clusterCIDR": "",
        "configSyncPeriod": "0s",
        "conntrack": {
            "maxPerCore": null,
            "min": null,
            "tcpBeLiberal": false,
            "tcpCloseWaitTimeout": null,
            "tcpEstablishedTimeout": null,
            "udpStreamTimeout": "0s",
            "udpTimeout": "0s",
        },
        "detectLocal": { "bridgeInterface": "", "interfaceNamePrefix": "" },
        "detectLocalMode": "",
        "enableProfiling": false,
        "healthzBindAddress": "",
        "hostnameOverride": "",
        "iptables": {
            "localhostNodePorts": null,
            "masqueradeAll": false,
            "masqueradeBit": null,
            "minSyncPeriod": "0s",
            "syncPeriod": "0s",
        },
        "ipvs": {
            "excludeCIDRs": null,
            "minSyncPeriod": "0s",
            "scheduler": "",
            "strictARP": false,
            "syncPeriod": "0s",
            "tcpFinTimeout": "0s",
            "tcpTimeout": "0s",
            "udpTimeout": "0s",
        },
        "logging": logging_skeleton(),
        "metricsBindAddress": "",
        "mode": "",
        "nftables": {
            "masqueradeAll": false,
            "masqueradeBit": null,
            "minSyncPeriod": "0s",
            "syncPeriod": "0s",
        },
        "nodePortAddresses": null,
        "oomScoreAdj": null,
        "portRange": "",
        "showHiddenMetricsForVersion": "",
        "winkernel": {
            "enableDSR": false,
            "forwardHealthCheckVip": false,
            "networkName": "",
            "rootHnsEndpointName": "",
            "sourceVip": "",
        },
    })
}
