//! The download-certs phase of join: the certificates and keys that all control planes share, from
//! the Secret that `init --upload-certs` has filled.
//!
//! Without a certificate key there is nothing to do: then they were copied by hand. It never
//! replaces a file.

use rinit_facts::Facts;
use rinit_plan::{FileMode, Plan, Resource, SharedFileSpec};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "download-certs",
        "Download certificates shared among control-plane nodes from the kubeadm-certs Secret",
        Reach::Cluster,
        plan,
    )
}

fn plan(facts: &Facts) -> Plan {
    let Some(join) = facts.inputs.join.as_ref().filter(|_| !facts.is_worker()) else {
        return Plan::default();
    };
    let Some(certificate_key) = &join.certificate_key else {
        return Plan::nothing(
            "no certificate key is given: the shared certificates on this host are used",
        );
    };
    Plan::of(facts.shared_files().into_iter().map(|(entry, path)| {
        let is_key = path
            .file_name()
            .rsplit_once('.')
            .is_some_and(|(_, end)| end == "key");
        Resource::SharedFile(SharedFileSpec {
            path,
            mode: if is_key {
                FileMode::PRIVATE
            } else {
                FileMode::PUBLIC
            },
            entry: entry.to_owned(),
            access: join.access.clone(),
            certificate_key: certificate_key.clone(),
        })
    }))
}
