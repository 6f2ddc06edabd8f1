//! The resolved cluster: everything decided, nothing left to default.
//!
//! [`resolve`] joins what the user wrote with what the host is, and answers with [`Facts`] or with
//! every problem at once. After it nothing fails for reasons of configuration. Phases are pure
//! functions of facts.
//!
//! This crate never reads a file, a clock or the environment: all of that is in [`HostFacts`],
//! which `rinit-observe` fills.

mod advice;
mod component_configs;
mod facts;
mod gates;
mod host_facts;
mod join;
mod overrides;
mod paths;
mod resolve;
mod sourced;

pub use advice::{Advice, Missing, WrittenPath, advise, endpoint_host, written_paths};
pub use facts::{
    Addon, AlternativeNames, Api, Argument, CertificateNames, Certificates, ClusterSpec, Component,
    Endpoint, EnvironmentVariable, Etcd, ExternalEtcd, Facts, HostPathVolume, Images, JoinOptions,
    LocalEtcd, Network, NodeSpec, Patch, PatchTarget, PatchType, Role, RunInputs, Signing,
    Timeouts, UploadCerts,
};
pub use host_facts::{ClusterCa, DefaultRoute, HostFacts, Look, PatchFile};
pub use join::{Discovery, Join, JoinRequest, node_document};
pub use overrides::{Command, Flag, Kind, Overrides, truth};
pub use paths::Paths;
pub use resolve::{BACKDATE, ResolveError, resolve, resolve_join, unreachable};
pub use sourced::{Origin, Settings, Sourced};
