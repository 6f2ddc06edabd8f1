//! The kubelet-finalize phase of init: once the kubelet has its own client certificate,
//! `kubelet.conf` points at it.
//!
//! It never issues a certificate; before the kubelet has one, nothing changes.

use rinit_facts::Facts;
use rinit_plan::{ClientRotation, Gate, LogicalPath, PathError, Plan, Resource, UnitSpec, users};
use rinit_workflow::{Phase, Reach};

/// The phase: a group of one leaf.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "kubelet-finalize",
        "Updates settings relevant to the kubelet after TLS bootstrap",
        [Phase::leaf(
            "enable-client-cert-rotation",
            "Enable kubelet client certificate rotation",
            Reach::Host,
            plan,
        )],
    )
}

/// The kubelet is restarted only after these have started.
const HEALTHY: [&str; 4] = [
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

fn plan(facts: &Facts) -> Plan {
    let certificate = match certificate(facts) {
        Ok(certificate) => certificate,
        Err(error) => {
            return Plan::of([Gate::Refuse {
                message: format!("argument cert-dir of the kubelet: {error}"),
                hint: Some(
                    "give an absolute path in `nodeRegistration.kubeletExtraArgs`".to_owned(),
                ),
            }]);
        }
    };
    let kubeconfig = facts.node.paths.kubeconfig("kubelet.conf");
    Plan::of([
        Resource::ClientRotation(ClientRotation {
            kubeconfig: kubeconfig.clone(),
            user: format!("{}{}", users::NODE_PREFIX, facts.node.name),
            certificate,
            after: HEALTHY.to_vec(),
        }),
        Resource::Unit(UnitSpec {
            optional: Vec::new(),
            name: "kubelet",
            files: vec![kubeconfig],
            reads: Vec::new(),
            pods: Vec::new(),
            only_if_running: true,
        }),
    ])
}

/// The link that the kubelet keeps pointing at its newest certificate, in the directory that its
/// extra arguments name; of several the last counts, as it does for the kubelet.
fn certificate(facts: &Facts) -> Result<LogicalPath, PathError> {
    let directory = facts
        .node
        .kubelet_extra_args
        .iter()
        .rfind(|argument| argument.name == "cert-dir");
    match directory {
        Some(argument) => {
            Ok(LogicalPath::parse(&argument.value)?.join("kubelet-client-current.pem"))
        }
        None => Ok(facts.node.paths.kubelet_client_certificate()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_facts::Argument;
    use rinit_plan::Action;

    fn with_directory(directories: &[&str]) -> Facts {
        let mut facts = rinit_testkit::facts("objects/plain");
        facts.node.kubelet_extra_args = directories
            .iter()
            .map(|&directory| Argument {
                name: "cert-dir".to_owned(),
                value: directory.to_owned(),
            })
            .collect();
        facts
    }

    #[test]
    fn kubelet_conf_points_at_the_kubelets_own_certificate() {
        insta::assert_yaml_snapshot!(plan(&rinit_testkit::facts("objects/plain")));
    }

    #[test]
    fn the_kubelets_directory_of_certificates_is_followed_and_the_last_one_counts() {
        let path = certificate(&with_directory(&["/srv/a", "/srv/b/"])).unwrap();
        assert_eq!(path.as_str(), "/srv/b/kubelet-client-current.pem");
    }

    #[test]
    fn a_relative_directory_of_certificates_is_refused() {
        let plan = plan(&with_directory(&["pki"]));
        let [Action::Gate(Gate::Refuse { message, .. })] = plan.actions.as_slice() else {
            panic!("one refusal, not {plan:?}");
        };
        assert_eq!(
            message,
            "argument cert-dir of the kubelet: path \"pki\" is not absolute"
        );
    }
}
