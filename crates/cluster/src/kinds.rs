//! The kinds that rinit reads and writes, and the paths of their objects. A table instead of
//! discovery: these never change, and a new API server is spared the round trips.

use rinit_plan::ObjectId;

use crate::{ClusterError, Result};

/// Group and version, kind, and the plural that stands in URLs.
const KINDS: &[(&str, &str, &str)] = &[
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Namespace", "namespaces"),
    ("v1", "Node", "nodes"),
    ("v1", "Pod", "pods"),
    ("v1", "Secret", "secrets"),
    ("v1", "Service", "services"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "Deployment", "deployments"),
    (
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
    ),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
    ),
];

/// The URL path of the collection that an object is in.
pub(crate) fn collection(id: &ObjectId) -> Result<String> {
    let Some((api_version, _, plural)) = KINDS
        .iter()
        .find(|(api_version, kind, _)| *api_version == id.api_version && *kind == id.kind)
    else {
        return Err(ClusterError::UnknownKind {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
        });
    };
    // The core group alone has no name and another prefix.
    let prefix = if api_version.contains('/') {
        "/apis"
    } else {
        "/api"
    };
    Ok(match &id.namespace {
        Some(namespace) => format!("{prefix}/{api_version}/namespaces/{namespace}/{plural}"),
        None => format!("{prefix}/{api_version}/{plural}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(api_version: &str, kind: &str, namespace: Option<&str>) -> ObjectId {
        ObjectId {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.map(str::to_owned),
            name: "x".into(),
        }
    }

    #[test]
    fn collections_have_their_paths() {
        let path = |api_version, kind, namespace| collection(&id(api_version, kind, namespace));
        assert_eq!(
            path("v1", "Secret", Some("kube-system")).unwrap(),
            "/api/v1/namespaces/kube-system/secrets"
        );
        assert_eq!(
            path("rbac.authorization.k8s.io/v1", "ClusterRole", None).unwrap(),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        );
        assert!(matches!(
            path("v1", "ClusterRole", None),
            Err(ClusterError::UnknownKind { .. })
        ));
    }
}
