//! For every kind that is compared, one planted difference is seen, and nothing else is.
//!
//! Each test takes two snapshots from raw material, as a record and a comparison do.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod cluster;
mod disk;

use rinit_parity::{Difference, compare};

/// The titles of all differences between two snapshots.
fn titles(recorded: &rinit_parity::Snapshot, ours: &rinit_parity::Snapshot) -> Vec<String> {
    let differences = compare(recorded, ours);
    differences.iter().map(Difference::title).collect()
}
