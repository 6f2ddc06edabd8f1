//! rinit against kubeadm: an init of either leaves the same traces.

use std::path::Path;

use anyhow::{Result, bail};
use rinit_parity::{Scope, Snapshot, Table, compare};

use super::cluster::Initiator;
use super::{Context, checkout};
use crate::record;

/// rinit leaves behind what kubeadm does, but for what stands in `docs/differences.md`.
pub(super) fn minimal(context: &Context) -> Result<()> {
    let folder = record::folder(&context.components.kubernetes, "minimal");
    let recorded = Snapshot::read(&folder)?;
    let node = context.start("cp", 2)?;
    let ours = record::take_init(context, &node, Initiator::Rinit, "minimal")?;
    let table = Table::read(&checkout().join(Path::new("docs/differences.md")))?;
    let differences = compare(&recorded, &ours);
    let faults = table.judge(&differences, Scope::Init);
    if !faults.is_empty() {
        bail!("{} faults:\n{}", faults.len(), faults.join("\n"));
    }
    println!(
        "{} files and {} objects compared, {} differences, all in the table",
        recorded.files.len(),
        recorded.objects.len(),
        differences.len()
    );
    Ok(())
}
