//! rinit against kubeadm: an init or a join of either leaves the same traces.

use std::path::Path;

use anyhow::{Result, bail};
use rinit_parity::{Difference, Scope, Snapshot, Table, compare};

use super::cluster::{Cluster, Initiator, minimal_config};
use super::init::with_line_after;
use super::join::{ENDPOINT, know_endpoint};
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

/// A node that rinit joined has the files of one that kubeadm joined, whoever made the cluster.
pub(super) fn join(context: &Context) -> Result<()> {
    let first = context.start("cp", 2)?;
    know_endpoint(&first, &first)?;
    let config = minimal_config(context, &first)?;
    let endpoint = format!("controlPlaneEndpoint: {ENDPOINT}:6443");
    let config = with_line_after(&config, "kubernetesVersion:", &endpoint)?;
    let cluster = Cluster::init_with(&first, Initiator::Kubeadm, &config, &["--upload-certs"])?;
    let mut number = 3;
    let mut differences = Vec::new();
    for control_plane in [false, true] {
        let mut snapshots = Vec::new();
        for who in [Initiator::Kubeadm, Initiator::Rinit] {
            let kind = if control_plane { "other" } else { "worker" };
            let node = context.start(&format!("{kind}-by-{}", who.program()), number)?;
            number += 1;
            know_endpoint(&node, &first)?;
            snapshots.push(record::take_join(&cluster, &node, who, control_plane)?);
        }
        differences.extend(compare(&snapshots[0], &snapshots[1]));
        println!("{} files compared", snapshots[0].files.len());
    }
    // kubeadm's kubeconfigs begin with the CA, so that these depend on when each node joined.
    let is_of_clock = |one: &Difference| {
        one.place.ends_with("backdated") || one.place.ends_with("client-certificate-data: validity")
    };
    let faults: Vec<String> = differences
        .iter()
        .filter(|one| !is_of_clock(one))
        .map(ToString::to_string)
        .collect();
    if !faults.is_empty() {
        bail!("{} faults:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}
