//! The vocabulary of plans: what must hold on the host and in the cluster, as data.
//!
//! A phase turns facts into a [`Plan`], an ordered list of [`Action`]s from one closed enum; the
//! executor looks at each and makes it hold. A plan holds intent, never bytes of a key: a
//! certificate is a specification, a token is a reference. So a plan can be printed, compared and
//! kept as a snapshot, and cannot leak anything.
//!
//! This crate never touches the host, never draws a random number, and never reads a clock.

mod action;
mod bundle;
mod certificate;
mod check;
pub mod component;
pub mod defaults;
mod gate;
mod identity;
mod join;
mod object;
mod output;
mod path;
mod resource;
mod resource_id;
mod secret;

pub use action::{Action, Plan, Removal, Work};
pub use bundle::CertificateBundle;
pub use certificate::{
    CaId, CertificateAuthoritySpec, CertificateSpec, ExtendedKeyUsage, KeyAlgorithm, KeyPairSpec,
    KubeconfigSpec, Signer, Subject, Validity,
};
pub use check::{Check, CheckKind, Severity};
pub use gate::{Gate, WaitSpec, WaitTarget};
pub use identity::{constants, groups, users};
pub use join::{
    BootstrapKubeconfigSpec, DiscoveryAccess, EtcdMemberSpec, SharedFileSpec, TrustBundleSpec,
};
pub use object::{ApiAccess, Fill, ObjectId, ObjectSpec, Reference, WriteStyle};
pub use output::{JoinCommandSpec, Output};
pub use path::{FileMode, LogicalPath, PathError};
pub use resource::{
    BootstrapTokenSpec, ClientRotation, DirectorySpec, FileSpec, ImagePull, NodeMark, PullPolicy,
    Resource, StaticPodSpec, Taint, UnitSpec,
};
pub use resource_id::ResourceId;
pub use secret::Secret;
