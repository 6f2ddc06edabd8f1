//! Roles and bindings (Kubernetes rbac.authorization.k8s.io/v1), from rows of tables.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use rinit_plan::ObjectSpec;
use rinit_plan::constants::KUBE_SYSTEM;

use super::{in_kube_system, in_namespace, named, object, strings};

/// Who is given rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A group of users.
    Group(&'static str),
    /// One user.
    User(&'static str),
    /// A service account in `kube-system`.
    ServiceAccount(&'static str),
}

/// The right to read one object by its name: a Role and a RoleBinding of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readers {
    /// The name of both objects.
    pub name: &'static str,
    /// The namespace of both objects and of what is read.
    pub namespace: &'static str,
    /// The kind of what is read, in its plural form, such as `configmaps`.
    pub resource: &'static str,
    /// The name of what is read.
    pub resource_name: &'static str,
    /// Who reads it.
    pub subjects: &'static [Who],
}

/// Rights in the whole cluster, by a ClusterRoleBinding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterBinding {
    /// The name of the binding.
    pub name: &'static str,
    /// The ClusterRole whose rights are given.
    pub cluster_role: &'static str,
    /// Who is given them.
    pub subject: Who,
}

/// A ClusterRole of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterRights {
    /// The name of the ClusterRole.
    pub name: &'static str,
    /// Its rules.
    pub rules: &'static [Rule],
}

/// A rule of a ClusterRole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The API group, empty for the core group.
    pub api_group: &'static str,
    /// The kinds, in their plural form.
    pub resources: &'static [&'static str],
    /// What may be done with them.
    pub verbs: &'static [&'static str],
}

impl Readers {
    /// The Role and the RoleBinding, in this order.
    pub fn objects(&self) -> [ObjectSpec; 2] {
        let metadata = in_namespace(self.namespace, self.name);
        let role = Role {
            metadata: metadata.clone(),
            rules: Some(vec![PolicyRule {
                api_groups: Some(strings(&[""])),
                resources: Some(strings(&[self.resource])),
                resource_names: Some(strings(&[self.resource_name])),
                verbs: strings(&["get"]),
                ..PolicyRule::default()
            }]),
        };
        let binding = RoleBinding {
            metadata,
            role_ref: role_ref("Role", self.name),
            subjects: Some(self.subjects.iter().copied().map(subject).collect()),
        };
        [object(&role), object(&binding)]
    }
}

impl ClusterBinding {
    /// The ClusterRoleBinding.
    pub fn object(&self) -> ObjectSpec {
        object(&ClusterRoleBinding {
            metadata: named(self.name),
            role_ref: role_ref("ClusterRole", self.cluster_role),
            subjects: Some(vec![subject(self.subject)]),
        })
    }
}

impl ClusterRights {
    /// The ClusterRole.
    pub fn object(&self) -> ObjectSpec {
        let rules = self.rules.iter().map(|rule| PolicyRule {
            api_groups: Some(strings(&[rule.api_group])),
            resources: Some(strings(rule.resources)),
            verbs: strings(rule.verbs),
            ..PolicyRule::default()
        });
        object(&ClusterRole {
            metadata: named(self.name),
            rules: Some(rules.collect()),
            ..ClusterRole::default()
        })
    }
}

/// A service account in `kube-system`.
pub fn service_account(name: &str) -> ObjectSpec {
    object(&ServiceAccount {
        metadata: in_kube_system(name),
        ..ServiceAccount::default()
    })
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

/// The subject as kubeadm sends it: the API server puts the API group of users and groups in.
fn subject(who: Who) -> Subject {
    let (kind, name, namespace) = match who {
        Who::Group(name) => ("Group", name, None),
        Who::User(name) => ("User", name, None),
        Who::ServiceAccount(name) => ("ServiceAccount", name, Some(KUBE_SYSTEM.to_owned())),
    };
    Subject {
        api_group: None,
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn readers_are_a_role_and_its_binding() {
        let [role, binding] = Readers {
            name: "kubeadm:kubelet-config",
            namespace: "kube-system",
            resource: "configmaps",
            resource_name: "kubelet-config",
            subjects: &[Who::Group("system:nodes"), Who::User("system:anonymous")],
        }
        .objects();
        assert_eq!(
            role.body,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "kubeadm:kubelet-config", "namespace": "kube-system"},
                "rules": [{
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": ["kubelet-config"],
                    "verbs": ["get"],
                }],
            })
        );
        assert_eq!(
            binding.body,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "kubeadm:kubelet-config", "namespace": "kube-system"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": "kubeadm:kubelet-config",
                },
                "subjects": [
                    {"kind": "Group", "name": "system:nodes"},
                    {"kind": "User", "name": "system:anonymous"},
                ],
            })
        );
        assert_eq!(
            binding.id.to_string(),
            "RoleBinding kube-system/kubeadm:kubelet-config"
        );
    }

    #[test]
    fn a_cluster_binding_has_no_namespace() {
        let binding = ClusterBinding {
            name: "kubeadm:apiserver-kubelet-client",
            cluster_role: "system:kubelet-api-admin",
            subject: Who::User("kube-apiserver-kubelet-client"),
        }
        .object();
        assert_eq!(binding.id.namespace, None);
        assert_eq!(
            binding.body,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "kubeadm:apiserver-kubelet-client"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "system:kubelet-api-admin",
                },
                "subjects": [{"kind": "User", "name": "kube-apiserver-kubelet-client"}],
            })
        );
    }

    #[test]
    fn a_service_account_as_subject_names_its_namespace() {
        let binding = ClusterBinding {
            name: "kubeadm:node-proxier",
            cluster_role: "system:node-proxier",
            subject: Who::ServiceAccount("kube-proxy"),
        };
        assert_eq!(
            binding.object().body["subjects"],
            json!([{"kind": "ServiceAccount", "name": "kube-proxy", "namespace": "kube-system"}])
        );
    }

    #[test]
    fn rules_of_a_cluster_role_name_no_objects() {
        let role = ClusterRights {
            name: "kubeadm:get-nodes",
            rules: &[Rule {
                api_group: "",
                resources: &["nodes"],
                verbs: &["get"],
            }],
        };
        assert_eq!(
            role.object().body,
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "kubeadm:get-nodes"},
                "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
            })
        );
    }
}
