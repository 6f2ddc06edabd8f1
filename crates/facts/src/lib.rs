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
mod decision;
mod facts;
mod gates;
mod host_facts;
mod overrides;
mod paths;
mod resolve;

pub use advice::{Advice, Missing, WrittenPath, advise, endpoint_host, written_paths};
pub use decision::{Decision, Origin, decisions};
pub use facts::{
    Addon, Api, Argument, Certificates, Component, EnvironmentVariable, Etcd, ExternalEtcd, Facts,
    HostPathVolume, Images, JoinOptions, LocalEtcd, Network, Node, Patch, PatchTarget, PatchType,
    Timeouts, UploadCerts,
};
pub use host_facts::{ClusterCa, DefaultRoute, HostFacts, Look, PatchFile};
pub use overrides::{Effect, Flag, Overrides, Repeated};
pub use paths::Paths;
pub use resolve::{BACKDATE, ResolveError, resolve, unreachable};
