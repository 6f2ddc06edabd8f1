//! How the API server decides who may do what.

use rinit_facts::Facts;
use rinit_manifest::arguments::last_value;

/// The modes that the API server knows (Kubernetes 1.37, `--authorization-mode`).
const KNOWN: &[&str] = &[
    "Node",
    "RBAC",
    "Webhook",
    "ABAC",
    "AlwaysAllow",
    "AlwaysDeny",
];

/// The mode unless the user names one. A file with a whole chain of authorizers stands for itself:
/// the API server refuses both at once.
pub(crate) fn mode(facts: &Facts) -> Option<String> {
    last_value(&facts.cluster.api_server.extra_args, "authorization-config")
        .is_none()
        .then(|| "Node,RBAC".to_owned())
}

/// What the API server will not start with.
pub(crate) fn notes(facts: &Facts) -> Vec<String> {
    last_value(&facts.cluster.api_server.extra_args, "authorization-mode")
        .unwrap_or_default()
        .split(',')
        .filter(|mode| !mode.is_empty() && !KNOWN.contains(mode))
        .map(|mode| format!("the API server knows no authorization mode \"{mode}\""))
        .collect()
}
