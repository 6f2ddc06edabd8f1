//! Proof of the harness itself: what the real kubeadm does on nodes works on these.

use anyhow::{Result, ensure};

use super::Context;
use super::cluster::{Cluster, Initiator, minimal_config};

/// A command can be killed in its tracks, and so can a node.
pub(super) fn kill(context: &Context) -> Result<()> {
    let node = context.start("cp", 2)?;
    node.write_file("/srv/some/file", "text", 0o640)?;
    ensure!(node.read_file("/srv/some/file")? == "text");
    ensure!(
        node.run(&["stat", "-c", "%a", "/srv/some/file"])?
            .stdout
            .trim()
            == "640"
    );

    let mut command = node.spawn(&["sh", "-c", "echo begun; exec sleep 1234"])?;
    ensure!(command.is_running()?, "the command has ended by itself");
    let output = command.kill()?;
    ensure!(!output.success(), "a killed command ended with success");
    ensure!(
        !node.try_run(&["pgrep", "-f", "sleep 1234"])?.success(),
        "the command still runs"
    );
    let output = node.spawn(&["sh", "-c", "echo said; exit 3"])?.wait()?;
    ensure!(
        (output.code, output.stdout.as_str()) == (Some(3), "said\n"),
        "{output}"
    );

    node.kill()?;
    ensure!(
        node.try_run(&["true"])
            .is_ok_and(|output| !output.success()),
        "the node is still up"
    );
    node.down()
}

/// The real kubeadm initialises a node, pods reach the API, and a worker joins.
pub(super) fn kubeadm_init_join(context: &Context) -> Result<()> {
    init_join(context, Initiator::Kubeadm)
}

/// The same with rinit: the worker joins by the real kubeadm and the command that rinit printed.
pub(super) fn rinit_init_join(context: &Context) -> Result<()> {
    init_join(context, Initiator::Rinit)
}

/// `who` initialises a node; system pods run, pods reach DNS and the API, a worker joins.
fn init_join(context: &Context, who: Initiator) -> Result<()> {
    let first = context.start("cp", 2)?;
    let cluster = Cluster::init(&first, who, &minimal_config(context, &first)?)?;
    cluster.connect_pods(&[&first])?;
    cluster.wait_for_ready_nodes(&[&first])?;
    cluster.wait_for_system_pods()?;
    cluster.probe_from_pod(&first)?;

    let worker = context.start("worker", 3)?;
    cluster.join(&worker)?;
    cluster.connect_pods(&[&first, &worker])?;
    cluster.wait_for_ready_nodes(&[&first, &worker])?;
    cluster.probe_from_pod(&worker)
}
