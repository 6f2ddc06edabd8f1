//! What differs by Kubernetes minor, as data: images, flags, probes, behaviour.
//!
//! For each minor rinit behaves as the newest kubeadm patch that this table names, but where a row
//! says from which patch on. This crate never computes a version at run time and never looks one
//! up on a network.

mod flags;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

pub use flags::{FlaggedComponent, flags};

/// A Kubernetes minor that this rinit can set up: 1.32 to 1.37.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Minor(pub u32);

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// A Kubernetes version such as `v1.37.1`, by semantic versioning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion(semver::Version);

/// Why a text is no Kubernetes version that can be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not of the form `v1.37.1`.
    #[error("\"{0}\" is not a version of the form v1.37.1")]
    Malformed(String),
    /// A version whose minor stands in no table.
    #[error("Kubernetes {0} cannot be set up by this rinit, which knows 1.{first} to 1.{last}",
        first = MINORS[0].minor, last = MINORS[MINORS.len() - 1].minor)]
    Unknown(String),
}

impl KubernetesVersion {
    /// The newest released patch that this rinit knows.
    pub fn newest() -> Self {
        let newest = &MINORS[MINORS.len() - 1];
        Self(semver::Version::new(
            1,
            u64::from(newest.minor),
            newest.newest_patch,
        ))
    }

    /// Its minor.
    pub fn minor(&self) -> Minor {
        Minor(u32::try_from(self.0.minor).unwrap_or(u32::MAX))
    }

    /// The row of its minor.
    pub fn table(&self) -> &'static MinorTable {
        MINORS
            .iter()
            .find(|row| u64::from(row.minor) == self.0.minor)
            .unwrap_or(&MINORS[MINORS.len() - 1])
    }

    /// Whether the client certificate with which the API server connects to kubelets names the
    /// group of administrators, instead of a binding to its user.
    pub fn kubelet_client_is_administrator(&self) -> bool {
        let first = self.table().kubelet_client_has_binding_from;
        first.is_none_or(|patch| self.0.patch < patch)
    }

    /// The version as an image tag: `+` is no character of a tag and becomes `_`.
    pub fn image_tag(&self) -> String {
        self.to_string().replace('+', "_")
    }
}

impl FromStr for KubernetesVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let version =
            semver::Version::parse(bare).map_err(|_| VersionError::Malformed(text.to_owned()))?;
        if version.major != 1
            || !MINORS
                .iter()
                .any(|row| u64::from(row.minor) == version.minor)
        {
            return Err(VersionError::Unknown(text.to_owned()));
        }
        Ok(Self(version))
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Serialize for KubernetesVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What one minor does, as the newest patch of its kubeadm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a table of independent differences"
)]
pub struct MinorTable {
    /// The minor.
    pub minor: u32,
    /// The newest released patch known to this table.
    pub newest_patch: u64,
    /// The tag of etcd's image.
    pub etcd: &'static str,
    /// The tag of CoreDNS's image.
    pub coredns: &'static str,
    /// The tag of the pause image.
    pub pause: &'static str,
    /// Whether static pods name their probe port (1.34).
    pub named_probe_port: bool,
    /// Whether etcd takes the flags of 3.6 instead of the experimental ones (1.34).
    pub etcd_3_6_flags: bool,
    /// Whether the tag of a user's etcd image decides about those flags (1.34 and 1.35): what is no
    /// version counts as an older etcd.
    pub etcd_tag_decides_flags: bool,
    /// The oldest external etcd that preflight accepts, by kubeadm's own constant.
    pub oldest_external_etcd: &'static str,
    /// The first patch in which the client certificate with which the API server connects to
    /// kubelets does not name the group of administrators any more, and its user has a binding of
    /// its own; none if it always does. It is decided by the patch, since a certificate without the
    /// group is of no use in a cluster that an older kubeadm made.
    pub kubelet_client_has_binding_from: Option<u64>,
    /// Whether `kubelet.conf` leads to this node's own API server (1.33) instead of the endpoint in
    /// front of all: a kubelet must not be newer than the API server that it asks.
    pub kubelet_asks_own_api_server: bool,
    /// Whether the CRI socket is in the kubelet's instance configuration (1.34) instead of its
    /// arguments and an annotation of the Node.
    pub instance_config: bool,
    /// Whether the kubelet takes `--pod-infra-container-image` (until 1.34).
    pub pod_infra_container_image: bool,
    /// Whether a kubelet refuses cgroup v1 unless configured otherwise (1.35).
    pub cgroup_v1_is_error: bool,
    /// Whether the RuntimeConfig call of the runtime is checked (1.35).
    pub checks_runtime_config: bool,
    /// Whether an external etcd has `httpEndpoints` (1.35); they default to its endpoints.
    pub etcd_http_endpoints: bool,
    /// Whether `encryptionAlgorithm` may be `ECDSA-P384` (1.34).
    pub ecdsa_p384: bool,
    /// Whether a variable may come from a file, as `fileKeyRef` (1.34).
    pub env_from_files: bool,
    /// Whether the controller manager mounts the flex volume directory (until 1.35).
    pub flex_volume_mount: bool,
    /// Whether kube-proxy's mode is written (1.37).
    pub explicit_proxy_mode: bool,
    /// Whether kube-proxy's mode `ipvs` is warned of as deprecated (1.37).
    pub warns_of_ipvs: bool,
    /// Whether zero creation timestamps and empty preferences are written (until 1.33).
    pub writes_zero_values: bool,
    /// Executables that preflight looks for, and whether each is mandatory.
    pub executables: &'static [(&'static str, bool)],
}

const EXECUTABLES_1_33: &[(&str, bool)] = &[("mount", true), ("losetup", true), ("cp", true)];
const EXECUTABLES_1_32: &[(&str, bool)] = &[
    ("ip", true),
    ("iptables", true),
    ("mount", true),
    ("nsenter", true),
    ("ethtool", false),
    ("tc", false),
    ("touch", false),
];

/// The minors, oldest first.
pub static MINORS: &[MinorTable] = &[
    MinorTable {
        minor: 32,
        newest_patch: 13,
        etcd: "3.5.24-0",
        coredns: "v1.11.3",
        pause: "3.10",
        named_probe_port: false,
        etcd_3_6_flags: false,
        etcd_tag_decides_flags: false,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: None,
        kubelet_asks_own_api_server: false,
        instance_config: false,
        pod_infra_container_image: true,
        cgroup_v1_is_error: false,
        checks_runtime_config: false,
        etcd_http_endpoints: false,
        ecdsa_p384: false,
        env_from_files: false,
        flex_volume_mount: true,
        explicit_proxy_mode: false,
        warns_of_ipvs: false,
        writes_zero_values: true,
        executables: EXECUTABLES_1_32,
    },
    MinorTable {
        minor: 33,
        newest_patch: 13,
        etcd: "3.5.24-0",
        coredns: "v1.12.0",
        pause: "3.10",
        named_probe_port: false,
        etcd_3_6_flags: false,
        etcd_tag_decides_flags: false,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: Some(12),
        kubelet_asks_own_api_server: true,
        instance_config: false,
        pod_infra_container_image: true,
        cgroup_v1_is_error: false,
        checks_runtime_config: false,
        etcd_http_endpoints: false,
        ecdsa_p384: false,
        env_from_files: false,
        flex_volume_mount: true,
        explicit_proxy_mode: false,
        warns_of_ipvs: false,
        writes_zero_values: true,
        executables: EXECUTABLES_1_33,
    },
    MinorTable {
        minor: 34,
        newest_patch: 10,
        etcd: "3.6.5-0",
        coredns: "v1.12.1",
        pause: "3.10.1",
        named_probe_port: true,
        etcd_3_6_flags: true,
        etcd_tag_decides_flags: true,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: Some(8),
        kubelet_asks_own_api_server: true,
        instance_config: true,
        pod_infra_container_image: true,
        cgroup_v1_is_error: false,
        checks_runtime_config: false,
        etcd_http_endpoints: false,
        ecdsa_p384: true,
        env_from_files: true,
        flex_volume_mount: true,
        explicit_proxy_mode: false,
        warns_of_ipvs: false,
        writes_zero_values: false,
        executables: EXECUTABLES_1_33,
    },
    MinorTable {
        minor: 35,
        newest_patch: 7,
        etcd: "3.6.6-0",
        coredns: "v1.13.1",
        pause: "3.10.1",
        named_probe_port: true,
        etcd_3_6_flags: true,
        etcd_tag_decides_flags: true,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: Some(5),
        kubelet_asks_own_api_server: true,
        instance_config: true,
        pod_infra_container_image: false,
        cgroup_v1_is_error: true,
        checks_runtime_config: true,
        etcd_http_endpoints: true,
        ecdsa_p384: true,
        env_from_files: true,
        flex_volume_mount: true,
        explicit_proxy_mode: false,
        warns_of_ipvs: false,
        writes_zero_values: false,
        executables: EXECUTABLES_1_33,
    },
    MinorTable {
        minor: 36,
        newest_patch: 3,
        etcd: "3.6.8-0",
        coredns: "v1.14.2",
        pause: "3.10.2",
        named_probe_port: true,
        etcd_3_6_flags: true,
        etcd_tag_decides_flags: false,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: Some(1),
        kubelet_asks_own_api_server: true,
        instance_config: true,
        pod_infra_container_image: false,
        cgroup_v1_is_error: true,
        checks_runtime_config: true,
        etcd_http_endpoints: true,
        ecdsa_p384: true,
        env_from_files: true,
        flex_volume_mount: false,
        explicit_proxy_mode: false,
        warns_of_ipvs: false,
        writes_zero_values: false,
        executables: EXECUTABLES_1_33,
    },
    MinorTable {
        minor: 37,
        newest_patch: 1,
        etcd: "3.7.0-0",
        coredns: "v1.14.6",
        pause: "3.10.2",
        named_probe_port: true,
        etcd_3_6_flags: true,
        etcd_tag_decides_flags: false,
        oldest_external_etcd: "3.5.24",
        kubelet_client_has_binding_from: Some(0),
        kubelet_asks_own_api_server: true,
        instance_config: true,
        pod_infra_container_image: false,
        cgroup_v1_is_error: true,
        checks_runtime_config: true,
        etcd_http_endpoints: true,
        ecdsa_p384: true,
        env_from_files: true,
        flex_volume_mount: false,
        explicit_proxy_mode: true,
        warns_of_ipvs: true,
        writes_zero_values: false,
        executables: EXECUTABLES_1_33,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors_stand_in_order_without_gaps() {
        for pair in MINORS.windows(2) {
            assert_eq!(pair[0].minor + 1, pair[1].minor);
        }
    }

    #[test]
    fn the_patch_decides_about_the_kubelet_client() {
        for (version, expected) in [
            ("v1.32.13", true),
            ("v1.33.11", true),
            ("v1.33.12", false),
            ("v1.34.4", true),
            ("v1.34.8", false),
            ("v1.35.4", true),
            ("v1.35.5", false),
            ("v1.36.0", true),
            ("v1.36.1", false),
            ("v1.37.0", false),
        ] {
            let version: KubernetesVersion = version.parse().unwrap();
            let is_administrator = version.kubelet_client_is_administrator();
            assert_eq!(is_administrator, expected, "{version}");
        }
    }

    #[test]
    fn versions_are_read_and_written() {
        let version: KubernetesVersion = "v1.37.1".parse().unwrap();
        assert_eq!(version.to_string(), "v1.37.1");
        assert_eq!(version.minor(), Minor(37));
        assert_eq!(version, KubernetesVersion::newest());
        assert_eq!(
            "1.36.1".parse::<KubernetesVersion>().unwrap().to_string(),
            "v1.36.1"
        );
        assert_eq!(
            "v1.36.1+x.1"
                .parse::<KubernetesVersion>()
                .unwrap()
                .image_tag(),
            "v1.36.1_x.1"
        );
    }

    #[test]
    fn versions_that_cannot_be_set_up_are_refused() {
        assert_eq!(
            "latest".parse::<KubernetesVersion>(),
            Err(VersionError::Malformed("latest".into()))
        );
        let old = "v1.20.2".parse::<KubernetesVersion>().unwrap_err();
        assert_eq!(
            old.to_string(),
            "Kubernetes v1.20.2 cannot be set up by this rinit, which knows 1.32 to 1.37"
        );
    }
}
