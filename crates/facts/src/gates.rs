//! The feature gates of kubeadm: which there are by minor, and what each decides.
//!
//! What they decide was asked of the kubeadms of 1.32 to 1.37 themselves, by dry runs with each gate
//! set and not set. Gates of the components are their own arguments and not for here.

use crate::facts::Facts;

/// A feature gate of kubeadm, as far as the supported minors go.
pub(crate) struct Gate {
    /// Its name.
    pub(crate) name: &'static str,
    /// The last minor whose kubeadm knows it.
    pub(crate) last_minor: u32,
    /// What is missing here if it is `true`.
    pub(crate) missing: Option<&'static str>,
}

/// Has the kubelet ask this node's own API server. Kubernetes 1.35 knows it and does so anyway.
const OWN_API_SERVER: &str = "ControlPlaneKubeletLocalMode";
const OWN_API_SERVER_DECIDES_UNTIL: u32 = 34;
/// Has the CRI socket in the kubelet's instance configuration.
const INSTANCE_CONFIG: &str = "NodeLocalCRISocket";
/// Has keys of ECDSA P-256, or of RSA-2048 if it is `false`, whatever `encryptionAlgorithm` says.
const ECDSA: &str = "PublicKeysECDSA";

/// All of them.
pub(crate) const GATES: [Gate; 6] = [
    gate(OWN_API_SERVER, 35),
    // Decides how further members join etcd.
    gate("EtcdLearnerMode", 32),
    gate(INSTANCE_CONFIG, 36),
    gate(ECDSA, 36),
    Gate {
        name: "RootlessControlPlane",
        last_minor: u32::MAX,
        missing: Some("the components of the control plane run as root"),
    },
    // Decides whether kubeadm waits for more than the API server, which rinit always does.
    gate("WaitForAllControlPlaneComponents", 34),
];

const fn gate(name: &'static str, last_minor: u32) -> Gate {
    Gate {
        name,
        last_minor,
        missing: None,
    }
}

/// The algorithm that the gate for keys asks for, if it is set.
pub(crate) fn algorithm(is_set: impl Fn(&str) -> Option<bool>) -> Option<&'static str> {
    is_set(ECDSA).map(|ecdsa| if ecdsa { "ECDSA-P256" } else { "RSA-2048" })
}

impl Gate {
    /// What to do where the minor does not know the gate any more. All that have gone are on for
    /// good, but the one for keys: without it they are of RSA.
    pub(crate) fn farewell(&self, is_on: bool) -> String {
        match algorithm(|name| (name == self.name).then_some(is_on)) {
            Some(algorithm) => format!(
                "take it out of the configuration and set `encryptionAlgorithm: {algorithm}`, which it stands for"
            ),
            None if is_on => "take it out of the configuration; it is always on now".to_owned(),
            None => "take it out of the configuration; it cannot be turned off any more".to_owned(),
        }
    }
}

impl Facts {
    /// Whether `kubelet.conf` leads to this node's own API server, by the minor and its feature gate
    /// `ControlPlaneKubeletLocalMode`.
    pub fn kubelet_asks_own_api_server(&self) -> bool {
        let table = self.cluster.version.table();
        self.gate(OWN_API_SERVER)
            .filter(|_| table.minor <= OWN_API_SERVER_DECIDES_UNTIL)
            .unwrap_or(table.kubelet_asks_own_api_server)
    }

    /// Whether the CRI socket is in the kubelet's instance configuration instead of its arguments
    /// and an annotation of the Node, by the minor and its feature gate `NodeLocalCRISocket`.
    pub fn has_instance_configuration(&self) -> bool {
        self.gate(INSTANCE_CONFIG)
            .unwrap_or(self.cluster.version.table().instance_config)
    }

    /// What a gate of kubeadm was set to; the minor knows it, or nothing would have been resolved.
    fn gate(&self, name: &str) -> Option<bool> {
        self.cluster
            .configuration
            .get("featureGates")?
            .get(name)?
            .as_bool()
    }
}
