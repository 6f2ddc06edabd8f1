//! What a comparison leaves out: the one closed list. Everything else counts.
//!
//! A row is here because a server, a clock or chance fills in the value, or because another
//! program than the init wrote it. What rinit does on purpose otherwise than kubeadm is not here
//! but in `docs/differences.md`. The values of keys and of certificates' serial numbers and
//! moments need no row: profiles have no room for them.

/// A pattern step that stands for any key or element.
pub(crate) const ANY: &str = "*";

/// Paths that others than the init write: each with all below it, with `/*` only what is below, and
/// with another `*` at the end all whose names begin so.
const PATHS: &[(&str, &str)] = &[
    ("/var/lib/etcd/*", "etcd's data"),
    (
        "/var/lib/kubelet/actuated_pods_state",
        "the kubelet's state",
    ),
    (
        "/var/lib/kubelet/allocated_pods_state",
        "the kubelet's state",
    ),
    ("/var/lib/kubelet/checkpoints", "the kubelet's state"),
    ("/var/lib/kubelet/cpu_manager_state", "the kubelet's state"),
    ("/var/lib/kubelet/device-plugins", "the kubelet's sockets"),
    ("/var/lib/kubelet/dra_manager_state", "the kubelet's state"),
    ("/var/lib/kubelet/image_manager", "the kubelet's state"),
    (
        "/var/lib/kubelet/memory_manager_state",
        "the kubelet's state",
    ),
    (
        "/var/lib/kubelet/pki",
        "certificates that the kubelet asks for",
    ),
    ("/var/lib/kubelet/plugins", "the kubelet's sockets"),
    ("/var/lib/kubelet/plugins_registry", "the kubelet's sockets"),
    ("/var/lib/kubelet/pod-resources", "the kubelet's sockets"),
    ("/var/lib/kubelet/pods", "the volumes of pods"),
    ("/var/lib/kubelet/pods-api", "the kubelet's sockets"),
    (
        "/usr/libexec/kubernetes",
        "made by the kubelet for plugins of volumes",
    ),
    (
        "/tmp/kubelet-detect-safe-umount*",
        "the kubelet's probe of the mount command, there for a moment",
    ),
    ("/var/lib/cni", "the network plugins' state"),
    ("/var/log/containers", "the logs of pods"),
    ("/var/log/journal", "the logs of units"),
    ("/var/log/pods", "the logs of pods"),
];

/// Kinds of object, by the name of their resource, that are only records of what happened.
const RESOURCES: &[(&str, &str)] = &[
    ("events", "written by every component about its own work"),
    ("events.events.k8s.io", "the same objects again"),
    ("componentstatuses", "computed at each request"),
];

/// Field managers of components. An object that has no other manager is none of an init's.
pub(crate) const COMPONENTS: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    // Parts of the first two that go by names of their own.
    "api-priority-and-fairness-config-consumer-v1",
    "api-priority-and-fairness-config-producer-v1",
    "clusterrole-aggregation-controller",
    "kubernetes-service-cidr-controller",
    "service-cidr-controller",
];

/// What becomes of a value that counts only in part.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instead {
    /// The field goes.
    Nothing,
    /// The value's length.
    Length,
    /// The time since the object's creation, in whole hours.
    Lifetime,
    /// That there is a value.
    Presence,
}

/// Fields of objects: kind (or any), steps (with `*` for any, or a `*` in the end), what stays. In
/// a list, a step other than `*` is the `key` of an element.
pub(crate) const FIELDS: &[(&str, &[&str], Instead)] = &[
    // The server's bookkeeping.
    (ANY, &["metadata", "uid"], Instead::Nothing),
    (ANY, &["metadata", "resourceVersion"], Instead::Nothing),
    (ANY, &["metadata", "creationTimestamp"], Instead::Nothing),
    (ANY, &["metadata", "managedFields"], Instead::Nothing),
    (ANY, &["metadata", "generation"], Instead::Nothing),
    (
        ANY,
        &["metadata", "ownerReferences", ANY, "uid"],
        Instead::Presence,
    ),
    (ANY, &["status"], Instead::Nothing),
    // The controllers' bookkeeping.
    (
        "Deployment",
        &[
            "metadata",
            "annotations",
            "deployment.kubernetes.io/revision",
        ],
        Instead::Nothing,
    ),
    (
        "DaemonSet",
        &[
            "metadata",
            "annotations",
            "deprecated.daemonset.template.generation",
        ],
        Instead::Nothing,
    ),
    // What the node's conditions bring about, such as a full disk.
    (
        "Node",
        &["spec", "taints", "node.kubernetes.io/*"],
        Instead::Nothing,
    ),
    // The signatures of cluster-info, made with the token by the controller manager.
    ("ConfigMap", &["data", "jws-kubeconfig-*"], Instead::Nothing),
    // What is drawn by chance or read off the clock.
    ("Secret", &["data", "token-id"], Instead::Length),
    ("Secret", &["data", "token-secret"], Instead::Length),
    ("Secret", &["data", "expiration"], Instead::Lifetime),
    // What `--upload-certs` encrypts under a new nonce each time.
    ("Secret", &["data", "ca.*"], Instead::Presence),
    ("Secret", &["data", "front-proxy-ca.*"], Instead::Presence),
    ("Secret", &["data", "etcd-ca.*"], Instead::Presence),
    ("Secret", &["data", "external-etcd*"], Instead::Presence),
    ("Secret", &["data", "sa.*"], Instead::Presence),
];

/// Whether a path is left out.
pub fn is_path_left_out(path: &str) -> bool {
    PATHS.iter().any(|(pattern, _)| {
        let (folder, itself) = match (pattern.strip_suffix("/*"), pattern.strip_suffix('*')) {
            (Some(folder), _) => (folder, false),
            (None, Some(start)) => return path.starts_with(start),
            (None, None) => (*pattern, true),
        };
        match path.strip_prefix(folder) {
            Some("") => itself,
            Some(rest) => rest.starts_with('/'),
            None => false,
        }
    })
}

/// Whether the objects of a resource are left out, by its full name (`roles.rbac.authorization.k8s.io`).
pub fn is_resource_left_out(resource: &str) -> bool {
    RESOURCES.iter().any(|(name, _)| *name == resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_left_out_with_all_below_it_and_no_namesake() {
        for path in [
            "/var/lib/etcd/member",
            "/var/lib/kubelet/pki",
            "/var/lib/kubelet/pki/a.pem",
            "/tmp/kubelet-detect-safe-umount1724767862",
        ] {
            assert!(is_path_left_out(path), "{path}");
        }
        for path in [
            "/var/lib/etcd",
            "/var/lib/kubelet",
            "/var/lib/kubelet/pki2",
            "/tmp/kubelet",
            "/var/lib",
        ] {
            assert!(!is_path_left_out(path), "{path}");
        }
    }
}
