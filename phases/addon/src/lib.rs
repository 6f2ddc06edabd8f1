//! The addon phase of init: CoreDNS and kube-proxy.
//!
//! It never takes an add-on away: one that the user disables is left as it stands.

use rinit_facts::{Facts, PatchTarget};
use rinit_manifest::cluster::{coredns, kube_proxy};
use rinit_manifest::{cluster, yaml};
use rinit_plan::{Action, Plan, Resource};
use rinit_workflow::{Phase, Reach};

/// The phase: a group of two leaves.
pub fn phase() -> Phase<Facts> {
    Phase::group(
        "addon",
        "Install required addons for passing conformance tests",
        [
            Phase::leaf(
                "coredns",
                "Install the CoreDNS addon to a Kubernetes cluster",
                Reach::Cluster,
                coredns_plan,
            ),
            Phase::leaf(
                "kube-proxy",
                "Install the kube-proxy addon to a Kubernetes cluster",
                Reach::Cluster,
                kube_proxy_plan,
            ),
        ],
    )
}

fn coredns_plan(facts: &Facts) -> Plan {
    if facts.cluster.dns.disabled {
        return Plan::nothing("CoreDNS is not installed: the configuration has `dns.disabled`");
    }
    let access = &facts.node.access;
    let deployment = coredns::deployment(
        &facts.cluster.images.dns,
        facts.cluster.version.table().named_probe_port,
        facts.patches_of(PatchTarget::CoreDnsDeployment),
    );
    let mut actions = vec![Action::from(Resource::ClusterAdmins(access.clone()))];
    actions.extend(
        coredns::prerequisites(&facts.cluster.network.dns_domain)
            .map(|object| cluster::apply(access, object)),
    );
    actions.push(cluster::apply_patched(access, deployment));
    actions.push(cluster::apply(
        access,
        coredns::service(facts.cluster.network.dns_service_ip),
    ));
    Plan::of(actions)
}

fn kube_proxy_plan(facts: &Facts) -> Plan {
    if facts.cluster.proxy.disabled {
        return Plan::nothing(
            "kube-proxy is not installed: the configuration has `proxy.disabled`",
        );
    }
    let access = &facts.node.access;
    let configuration = kube_proxy::configuration(
        &yaml::to_string(&facts.cluster.kube_proxy_configuration),
        facts.cluster.kube_proxy_configuration_written,
        &facts.endpoint().url(),
    );
    let daemon_set = kube_proxy::daemon_set(
        &facts.cluster.images.proxy,
        &facts.node.proxy_environment,
        facts.patches_of(PatchTarget::KubeProxyDaemonSet),
    );
    let mut actions = vec![
        Resource::ClusterAdmins(access.clone()).into(),
        cluster::apply(access, configuration),
        cluster::apply_patched(access, daemon_set),
    ];
    actions.extend(kube_proxy::rights().map(|object| cluster::apply(access, object)));
    Plan::of(actions)
}
