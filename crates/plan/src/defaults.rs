//! What holds where a configuration says nothing: kubeadm's defaults, each once.
//!
//! Plain values without a reader of their own; what decides when they count is in `rinit-config`,
//! which writes them into documents, and in `rinit-facts`, which resolves them.

/// The folder of kubeconfigs, with all else of a node below it.
pub const KUBERNETES_FOLDER: &str = "/etc/kubernetes";
/// The folder of certificates and keys.
pub const CERTIFICATES_FOLDER: &str = "/etc/kubernetes/pki";
/// The certificate by which a joining node knows the cluster.
pub const CA_CERTIFICATE: &str = "/etc/kubernetes/pki/ca.crt";
/// The folder of static pods, which no configuration moves.
pub const MANIFESTS_FOLDER: &str = "/etc/kubernetes/manifests";
/// The folder of the kubelet, which no configuration moves.
pub const KUBELET_FOLDER: &str = "/var/lib/kubelet";
/// The folder of a local etcd.
pub const ETCD_FOLDER: &str = "/var/lib/etcd";
/// What systemd-resolved keeps up to date while it runs, and the kubelet then reads for its pods.
pub const RESOLVED_FILE: &str = "/run/systemd/resolve/resolv.conf";
/// The CRI sockets that are looked for, in kubeadm's order; the first is the default.
pub const CRI_SOCKETS: [&str; 3] = [
    "unix:///var/run/containerd/containerd.sock",
    "unix:///var/run/crio/crio.sock",
    "unix:///var/run/cri-dockerd.sock",
];
/// The registry of all images.
pub const IMAGE_REPOSITORY: &str = "registry.k8s.io";
/// The name of the cluster in kubeconfigs.
pub const CLUSTER_NAME: &str = "kubernetes";
/// The domain of services.
pub const DNS_DOMAIN: &str = "cluster.local";
/// The network of services.
pub const SERVICE_SUBNET: &str = "10.96.0.0/12";
/// The port of the API server.
pub const BIND_PORT: u16 = 6443;
/// How long certificates are valid, in seconds: a year of 365 days.
pub const CERTIFICATE_SECONDS: i64 = 8760 * 3600;
/// How long authorities are valid, in seconds: ten such years.
pub const CA_CERTIFICATE_SECONDS: i64 = 87_600 * 3600;
/// How long bootstrap tokens live, in seconds: a day.
pub const TOKEN_SECONDS: i64 = 24 * 3600;
/// How long discovery and the TLS bootstrap of a joining node may take each, in seconds.
pub const JOIN_SECONDS: u64 = 5 * 60;
