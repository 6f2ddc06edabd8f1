//! The kubeadm configuration documents as the user wrote them.
//!
//! Reads a file of `kubeadm.k8s.io/v1beta4` documents, strictly, and says everything that is wrong
//! with it at once, each finding with its place. It never reads a file, the host or the network,
//! and never shows a token or key. It knows kubeadm's defaults; what the values lead to is decided in
//! `rinit-facts`.
//!
//! ```
//! use rinit_config::{ReadOptions, parse};
//!
//! let text = b"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: one\n";
//! let documents = parse("cluster.yaml", text, ReadOptions::default()).expect("a good file");
//! assert_eq!(documents.cluster.and_then(|cluster| cluster.cluster_name).as_deref(), Some("one"));
//! ```

mod check;
mod component_fields;
mod component_values;
mod defaults;
mod documents;
mod duration;
mod finding;
mod format;
mod json_schema;
mod pod_networks;
mod rule;
mod rules;
mod scalar;
pub mod schema;
mod secret;
mod source;
mod syntax;
mod timestamp;
mod tree;
mod unsettled;
mod url;
mod v1beta3;
pub mod v1beta4;

pub use component_fields::{LaterField, later_fields};
pub use component_values::{
    canonical as canonical_component, omit_zeroes as omit_component_zeroes,
};
pub use defaults::{Surroundings, complete, complete_init, exposed};
pub use documents::{API_VERSION, Documents, ReadOptions, UnknownFields, parse, read};
pub use duration::{GoDuration, NotADuration};
pub use finding::{Finding, Findings, Severity};
pub use format::{Count, Format, is_reachable, parse_ip};
pub use json_schema::json_schema;
pub use pod_networks::{PodNetworkFault, pod_network_faults, site_local_networks};
pub use rule::{Ground, Rule};
pub use secret::{BootstrapToken, CertificateKey};
pub use source::{Place, Source};
pub use timestamp::Timestamp;
pub use v1beta4::{
    ClusterConfiguration, InitConfiguration, JoinConfiguration, ResetConfiguration,
    UpgradeConfiguration,
};
