//! The show-join-command phase of init: the user learns how other nodes join.
//!
//! It never makes a token and changes nothing; the token and the certificate key that it shows are
//! withheld where the user wants that.

use rinit_facts::Facts;
use rinit_plan::{CaId, JoinCommandSpec, Output, Plan};
use rinit_workflow::{Phase, Reach};

/// The phase. A leaf.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "show-join-command",
        "Show the join command for control-plane and worker node",
        // A token that init draws is looked for in the cluster: an earlier run may have left one.
        Reach::Cluster,
        plan,
    )
}

fn plan(facts: &Facts) -> Plan {
    let upload = &facts.inputs.upload_certs;
    Plan::of([Output::JoinCommand(JoinCommandSpec {
        access: facts.node.access.clone(),
        endpoint: facts.endpoint().to_string(),
        ca_certificate: facts.node.paths.ca_certificate(CaId::Cluster),
        tokens: facts.inputs.bootstrap_tokens.clone(),
        control_plane: facts.cluster.endpoint.is_some(),
        certificate_key: upload.enabled.then(|| upload.certificate_key.clone()),
        certificate_key_drawn: upload.generated,
        withhold_token: facts.inputs.join_options.skip_token,
        withhold_certificate_key: facts.inputs.join_options.skip_certificate_key,
    })])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_plan::Action;

    #[test]
    fn workers_join_by_the_first_api_server() {
        insta::assert_yaml_snapshot!(plan(&rinit_testkit::facts("objects/plain")));
    }

    #[test]
    fn control_planes_join_by_a_stable_endpoint_with_what_was_uploaded() {
        let mut facts = rinit_testkit::facts("objects/endpoint-and-patches");
        facts.inputs.upload_certs.enabled = true;
        facts.inputs.join_options.skip_certificate_key = true;
        let plan = plan(&facts);
        let [Action::Output(Output::JoinCommand(command))] = plan.actions.as_slice() else {
            panic!("one join command, not {plan:?}");
        };
        assert_eq!(command.endpoint, "cp.example.org:8443");
        assert!(command.control_plane);
        assert_eq!(
            command.certificate_key.as_ref(),
            Some(&facts.inputs.upload_certs.certificate_key)
        );
        assert!(command.withhold_certificate_key);
        assert!(!command.withhold_token);
        let ids: Vec<&str> = command
            .tokens
            .iter()
            .map(|token| token.id.as_str())
            .collect();
        assert_eq!(ids, ["abcdef", "ghijkl"]);
    }
}
