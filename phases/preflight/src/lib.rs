//! The preflight phase of init: what of the host must be as it should before anything is written,
//! and the images that the node will run.
//!
//! The checks are a table under kubeadm's names. This crate never looks at the host; it says what
//! is to be looked at.

mod network;
mod proxy;
mod table;

use rinit_facts::Facts;
use rinit_plan::{Action, Check, CheckKind, Gate, ImagePull, Plan, Resource, Severity};
use rinit_workflow::{Phase, Reach};

/// The phase.
pub fn phase() -> Phase<Facts> {
    Phase::leaf(
        "preflight",
        "Check that this host can become a control-plane node, and pull the images",
        Reach::Host,
        plan,
    )
}

/// The same for a node that joins.
pub fn join_phase() -> Phase<Facts> {
    Phase::leaf("preflight", "Run join pre-flight checks", Reach::Host, plan)
}

fn plan(facts: &Facts) -> Plan {
    let checks = table::CHECKS
        .iter()
        .flat_map(|row| (row)(facts))
        .map(|look| {
            Gate::Check(Check {
                ignored: is_ignored(&look.name, facts),
                name: look.name,
                severity: look.severity,
                kind: look.kind,
            })
        });
    let images = facts.needed_images().into_iter().map(|image| {
        Resource::Image(ImagePull {
            image,
            policy: facts.node.image_pull_policy,
            socket: facts.node.cri_socket.clone(),
            serial: facts.node.image_pull_serial,
            ignored: is_ignored("ImagePull", facts),
        })
    });
    let gates = facts.ambiguous_runtime().into_iter().chain(checks);
    Plan::of(gates.map(Action::from).chain(images.map(Action::from)))
}

/// One row of the table, filled with facts.
struct Look {
    name: String,
    severity: Severity,
    kind: CheckKind,
}

/// Whether the user asked for a failure to count as a warning.
fn is_ignored(name: &str, facts: &Facts) -> bool {
    let name = name.to_lowercase();
    facts
        .node
        .ignored_checks
        .iter()
        .any(|ignored| *ignored == name || ignored == "all")
}
