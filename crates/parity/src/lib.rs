//! What an init leaves behind on a node and in its cluster, without its secrets, and how two of
//! them differ.
//!
//! A [`Disk`] is what lies there, private keys and all. A [`Snapshot`] is made from it and from
//! the cluster's objects: certificates and keys become profiles, tokens become shapes, and what a
//! server or a clock fills in is left out by the one closed list in `left_out.rs`. Only snapshots
//! are kept and compared. [`compare`] finds every [`Difference`] by meaning, and [`Table`] reads
//! those that are ours on purpose from `docs/differences.md`.
//!
//! This crate stands apart from `testkit`, since the tasks of `xtask`, which record, must build
//! while rinit's own crates do not. It depends on none of them, so it also shares no mistake with
//! what it judges. It never runs anything and never draws or keeps a key.

#![expect(
    clippy::disallowed_methods,
    reason = "snapshots are files of the checkout; rinit itself never uses this crate"
)]

mod builds;
mod certificate;
mod der;
mod difference;
mod disk;
mod error;
mod key;
mod left_out;
mod mask;
mod objects;
mod pem;
mod snapshot;
mod table;
mod values;

pub use builds::is_of_an_older_build;
pub use certificate::CertificateProfile;
pub use difference::{Difference, Kind, compare};
pub use disk::{Content, Disk, Entry};
pub use error::ParityError;
pub use key::KeyProfile;
pub use left_out::{is_path_left_out, is_resource_left_out};
pub use mask::secret_in;
pub use objects::ObjectId;
pub use snapshot::{FileProfile, Init, Snapshot};
pub use table::{Scope, Table};
