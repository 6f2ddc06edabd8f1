//! Builders of the objects that kubeadm writes into the cluster.
//!
//! They turn plain values into an [`ObjectSpec`]; which objects a cluster gets, and in which order,
//! is the business of the phases. Names, labels, annotations and texts are kubeadm's, so that
//! everything that looks for them finds them. Where kubeadm leaves a field to the API server's
//! defaults, such as the `apiGroup` of RBAC subjects, so do these.
//!
//! A gap that only the running host can fill holds an empty string, and a [`Fill`] says what goes
//! there.
//!
//! [`Fill`]: rinit_plan::Fill

pub mod certificates;
pub mod config_map;
pub mod coredns;
pub mod kube_proxy;
pub mod rbac;

use std::collections::BTreeMap;

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rinit_plan::constants::KUBE_SYSTEM;
use rinit_plan::{Action, ApiAccess, ObjectId, ObjectSpec, Resource, WriteStyle};
use serde::Serialize;

use crate::patch::PatchError;

/// The action that an object stands in the cluster.
pub fn apply(access: &ApiAccess, object: ObjectSpec) -> Action {
    Action::Ensure(Resource::Object {
        access: access.clone(),
        object: Box::new(object),
    })
}

/// The action that an object stands in the cluster with the user's patches, or a refusal where one
/// of them does not fit.
pub fn apply_patched(access: &ApiAccess, object: Result<ObjectSpec, PatchError>) -> Action {
    match object {
        Ok(object) => apply(access, object),
        Err(error) => error.refusal().into(),
    }
}

/// An object without gaps that is ours to overwrite.
fn object<K>(object: &K) -> ObjectSpec
where
    K: Metadata<Ty = ObjectMeta> + Serialize,
{
    let metadata = object.metadata();
    #[expect(
        clippy::expect_used,
        reason = "types with nothing but named fields always have a JSON form"
    )]
    let body = serde_json::to_value(object).expect("a Kubernetes object has a JSON form");
    ObjectSpec {
        id: ObjectId {
            api_version: K::API_VERSION.to_owned(),
            kind: K::KIND.to_owned(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
        },
        body,
        fills: Vec::new(),
        write: WriteStyle::Replace,
        unmanaged: Vec::new(),
    }
}

/// Metadata with a name and no namespace.
fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

/// Metadata with a name in the control plane's own namespace.
fn in_kube_system(name: &str) -> ObjectMeta {
    in_namespace(KUBE_SYSTEM, name)
}

/// Metadata with a name in a namespace.
fn in_namespace(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        ..named(name)
    }
}

/// Labels, annotations or selectors from a table.
fn string_map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Texts from a table.
fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
