//! Rules about networks that depend on more than their own text: of pod networks beside the networks
//! of single nodes, and of ranges that were given up. They validate texts, so that a flag is validated as
//! the file is.

use ipnet::IpNet;
use rinit_diag::Problem;

use crate::format::networks;
use crate::rule::Rule;

/// Where the arguments of the controller manager stand.
pub(crate) const ARGUMENTS: &str = "controllerManager.extraArgs";
/// Where the pod networks stand.
pub(crate) const PODS: &str = "networking.podSubnet";

/// The mask of a node's pod network, unless a flag of the controller manager sets another.
const NODE_MASK_IPV4: i32 = 24;
const NODE_MASK_IPV6: i32 = 64;
/// The controller manager keeps track of at most 2^16 networks of nodes.
const NODE_MASK_DIFFERENCE: i32 = 16;

/// What keeps the controller manager from giving each node a network of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodNetworkFault {
    /// The rule that is broken.
    pub rule: Rule,
    /// The field that is wrong: `networking.podSubnet` or `controllerManager.extraArgs`.
    pub path: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
    /// The argument of the controller manager that sets the mask.
    pub(crate) argument: &'static str,
}

/// Validates pod networks, such as `10.244.0.0/16,fd00::/56`, beside the last value of each argument
/// of the controller manager. Of a text that is no network nothing is said.
pub fn pod_network_faults(
    pods: &str,
    argument: &dyn Fn(&str) -> Option<String>,
) -> Vec<PodNetworkFault> {
    let Ok(pods) = networks(pods) else {
        return Vec::new();
    };
    if argument("allocate-node-cidrs").is_some_and(|value| value == "false") {
        return Vec::new();
    }
    pods.into_iter()
        .filter_map(|pod| fault(pod, argument))
        .collect()
}

fn fault(pod: IpNet, argument: &dyn Fn(&str) -> Option<String>) -> Option<PodNetworkFault> {
    let (flag, default) = match pod {
        IpNet::V4(_) => ("node-cidr-mask-size-ipv4", NODE_MASK_IPV4),
        IpNet::V6(_) => ("node-cidr-mask-size-ipv6", NODE_MASK_IPV6),
    };
    let report = |rule, path, message: String, hint: String| {
        Some(PodNetworkFault {
            rule,
            path,
            problem: Problem::new(message).with_hint(hint),
            argument: flag,
        })
    };
    let value = argument(flag).filter(|value| !value.is_empty());
    let mask = value.as_ref().map(|value| value.parse::<i32>());
    let (node_mask, value) = (mask.unwrap_or(Ok(default)), value.unwrap_or_default());
    let Ok(node_mask) = node_mask else {
        let message = format!("`{value}` is not a whole number, as `{flag}` must be");
        let hint = "give the length of the prefix, such as `24`".to_owned();
        return report(Rule::NodeMask, ARGUMENTS, message, hint);
    };
    let pod_mask = i32::from(pod.prefix_len());
    if pod_mask > node_mask {
        let message = format!("`{pod}` is smaller than the /{node_mask} network of a single node");
        let hint = format!(
            "use a prefix shorter than /{node_mask}, or set `{flag}` of the controller manager"
        );
        return report(Rule::PodNetworkTooSmall, PODS, message, hint);
    }
    if i64::from(node_mask) - i64::from(pod_mask) > i64::from(NODE_MASK_DIFFERENCE) {
        let message = format!(
            "`{pod}` has room for more than 2^{NODE_MASK_DIFFERENCE} node networks of /{node_mask}"
        );
        let hint = format!(
            "use a prefix of /{} or longer, or set `{flag}` of the controller manager",
            node_mask - NODE_MASK_DIFFERENCE
        );
        return report(Rule::PodNetworkTooLarge, PODS, message, hint);
    }
    None
}

/// Why each of the networks of a text that lies in a range that was given up is doubtful.
pub fn site_local_networks(text: &str) -> Vec<String> {
    let is_site_local = |network: &IpNet| matches!(network, IpNet::V6(network) if network.addr().segments()[0] & 0xffc0 == 0xfec0);
    networks(text)
        .unwrap_or_default()
        .into_iter()
        .filter(is_site_local)
        .map(|network| {
            format!("`{network}` is of the site-local range fec0::/10, which RFC 3879 gave up")
        })
        .collect()
}
