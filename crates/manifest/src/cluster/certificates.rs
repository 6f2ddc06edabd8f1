//! The Secret with the encrypted certificates and keys that another control plane needs to join.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use rinit_plan::constants::KUBEADM_CERTS;
use rinit_plan::{Fill, LogicalPath, ObjectId, ObjectSpec, Reference, Secret as Hidden};

use super::{in_kube_system, object};

/// The Secret `kubeadm-certs`: `files` by their keys in it, each sealed under the certificate key.
///
/// It belongs to `owner`, the Secret of a token of short life, and is removed with it.
pub fn sealed<'a>(
    owner: &ObjectId,
    files: impl IntoIterator<Item = (&'a str, LogicalPath)>,
    certificate_key: &Hidden<String>,
) -> ObjectSpec {
    let mut data = BTreeMap::new();
    let mut gaps = vec![Fill {
        pointer: "/metadata/ownerReferences/0/uid".to_owned(),
        reference: Reference::ObjectUid(owner.clone()),
    }];
    for (key, path) in files {
        data.insert(key.to_owned(), ByteString::default());
        gaps.push(Fill {
            pointer: format!("/data/{key}"),
            reference: Reference::SealedFile {
                path,
                certificate_key: certificate_key.clone(),
            },
        });
    }
    let metadata = ObjectMeta {
        owner_references: Some(vec![OwnerReference {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: String::new(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..in_kube_system(KUBEADM_CERTS)
    };
    ObjectSpec {
        fills: gaps,
        ..object(&Secret {
            metadata,
            data: Some(data),
            ..Secret::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_file_is_a_gap_and_the_owner_is_the_token() {
        let owner = ObjectId {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some("kube-system".into()),
            name: "bootstrap-token-abcdef".into(),
        };
        let path = |text| LogicalPath::parse(text).unwrap();
        let key = Hidden::new("ab".repeat(32));
        let files = [
            ("ca.crt", path("/pki/ca.crt")),
            ("etcd-ca.key", path("/pki/etcd/ca.key")),
        ];
        let object = sealed(&owner, files, &key);
        assert_eq!(
            object.body,
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": "kubeadm-certs",
                    "namespace": "kube-system",
                    "ownerReferences": [{
                        "apiVersion": "v1",
                        "kind": "Secret",
                        "name": "bootstrap-token-abcdef",
                        "uid": "",
                        "controller": true,
                        "blockOwnerDeletion": true,
                    }],
                },
                "data": {"ca.crt": "", "etcd-ca.key": ""},
            })
        );
        assert_eq!(object.fills.len(), 3);
        for fill in &object.fills {
            assert_eq!(object.body.pointer(&fill.pointer), Some(&json!("")));
        }
        assert_eq!(object.fills[0].reference, Reference::ObjectUid(owner));
        assert_eq!(
            object.fills[2].reference,
            Reference::SealedFile {
                path: path("/pki/etcd/ca.key"),
                certificate_key: key,
            }
        );
    }
}
