//! The flags of the components, by minor: the names in the `--help` of the real ones.
//!
//! A component takes some flags that its help does not show, so a name that is missing here is a
//! reason to warn and no more. Minors whose components were not asked have no list.

/// The components whose flags a configuration can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlaggedComponent {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kube-scheduler
    Scheduler,
    /// etcd
    Etcd,
    /// The kubelet.
    Kubelet,
}

impl FlaggedComponent {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Etcd,
        Self::Kubelet,
    ];

    /// The name of its program.
    pub const fn program(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Etcd => "etcd",
            Self::Kubelet => "kubelet",
        }
    }
}

macro_rules! lists {
    ($minor:literal) => {
        [
            include_str!(concat!("flags/", $minor, "/kube-apiserver.txt")),
            include_str!(concat!("flags/", $minor, "/kube-controller-manager.txt")),
            include_str!(concat!("flags/", $minor, "/kube-scheduler.txt")),
            include_str!(concat!("flags/", $minor, "/etcd.txt")),
            include_str!(concat!("flags/", $minor, "/kubelet.txt")),
        ]
    };
}

/// The lists in the order of [`FlaggedComponent::ALL`].
const LISTS: [(u32, [&str; 5]); 6] = [
    (32, lists!("1.32")),
    (33, lists!("1.33")),
    (34, lists!("1.34")),
    (35, lists!("1.35")),
    (36, lists!("1.36")),
    (37, lists!("1.37")),
];

/// The names of the flags of a component of Kubernetes 1.`minor`, sorted; none if its components
/// were not asked.
pub fn flags(minor: u32, component: FlaggedComponent) -> Option<Vec<&'static str>> {
    let (_, lists) = LISTS.iter().find(|(listed, _)| *listed == minor)?;
    Some(lists[component as usize].lines().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_have_what_every_static_pod_sets() {
        for (component, flag) in [
            (FlaggedComponent::ApiServer, "advertise-address"),
            (FlaggedComponent::ControllerManager, "cluster-cidr"),
            (FlaggedComponent::Scheduler, "leader-elect"),
            (FlaggedComponent::Etcd, "data-dir"),
            (FlaggedComponent::Kubelet, "node-ip"),
        ] {
            for minor in LISTS.map(|(minor, _)| minor) {
                let flags = flags(minor, component).unwrap_or_default();
                assert!(flags.contains(&flag), "{} {minor}", component.program());
                assert!(flags.is_sorted(), "{} {minor}", component.program());
                assert!(flags.len() > 50, "{} {minor}", component.program());
            }
        }
    }

    #[test]
    fn a_minor_that_was_not_asked_has_no_list() {
        assert_eq!(flags(31, FlaggedComponent::Etcd), None);
    }
}
