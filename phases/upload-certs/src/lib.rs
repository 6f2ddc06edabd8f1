//! The upload-certs phase of init: the certificates and keys that all control planes share go into
//! the cluster, encrypted, for two hours.
//!
//! It never writes the certificate key that they are encrypted under, and uploads nothing unless the
//! user asks for it.

use rinit_facts::Facts;
use rinit_manifest::cluster;
use rinit_manifest::cluster::certificates::sealed;
use rinit_manifest::cluster::rbac::{Readers, Who};
use rinit_plan::constants::{KUBE_SYSTEM, KUBEADM_CERTS};
use rinit_plan::{Action, BootstrapTokenSpec, Output, Plan, Resource, groups};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "upload-certs",
        "Upload control plane certificates to the kubeadm-certs Secret",
        Reach::Cluster,
        plan,
    )
}

/// Control planes that join read the Secret.
static READERS: Readers = Readers {
    name: "kubeadm:kubeadm-certs",
    namespace: KUBE_SYSTEM,
    resource: "secrets",
    resource_name: KUBEADM_CERTS,
    subjects: &[Who::Group(groups::BOOTSTRAPPERS)],
};

fn plan(facts: &Facts) -> Plan {
    let upload = &facts.inputs.upload_certs;
    if !upload.enabled {
        return Plan::nothing("certificates are not uploaded: ask for it by `--upload-certs`");
    }
    let token = BootstrapTokenSpec {
        // Another token that init drew must not stand in for this one: the Secret ends with it.
        drawn: false,
        alike: 0,
        ..upload.ttl_token.clone()
    };
    let secret = sealed(
        &token.object_id(),
        facts.shared_files(),
        &upload.certificate_key,
    );
    let uploaded = secret.id.clone();
    let mut actions: Vec<Action> = vec![
        Resource::ClusterAdmins(facts.node.access.clone()).into(),
        Resource::BootstrapToken {
            access: facts.node.access.clone(),
            token,
        }
        .into(),
        cluster::apply(&facts.node.access, secret),
    ];
    actions.extend(
        READERS
            .objects()
            .map(|object| cluster::apply(&facts.node.access, object)),
    );
    // Nobody else knows a key that was drawn for this run.
    if upload.generated && !facts.inputs.join_options.skip_certificate_key {
        let key = upload.certificate_key.clone();
        actions.push(Output::CertificateKey { uploaded, key }.into());
    }
    Plan::of(actions)
}
