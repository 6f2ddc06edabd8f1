//! `cargo xtask record`: what the real kubeadm leaves behind, kept for comparison.
//!
//! The scenario `parity` takes rinit's traces with the very same functions. A record holds no
//! private key and no token.

mod node;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use rinit_parity::{Init, Snapshot};

use crate::cache;
use crate::components::Components;
use crate::node::{Lan, Node};
use crate::scenarios::cluster::{CONFIG, Cluster, Initiator, case_config, prepare};
use crate::scenarios::{Context, checkout};
use crate::shell;
use node::Before;

/// The phases that only render files, in kubeadm's order.
const RENDERING: [&str; 4] = ["certs", "kubeconfig", "etcd", "control-plane"];

/// The folder of a record.
pub(crate) fn folder(kubernetes: &str, case: &str) -> PathBuf {
    let records = checkout().join("testdata/kubeadm");
    records.join(kubernetes).join(case)
}

/// Records what kubeadm of this version makes of `testdata/configs/<case>.yaml`.
pub(crate) fn record(kubernetes: &str, case: &str) -> Result<()> {
    let components = Components::obtain(kubernetes)?;
    let lan = Lan::create(&format!("record-{}", std::process::id()))?;
    let context = Context::new(components, lan);
    let result = take_both(&context, case);
    if let Err(error) = &result {
        println!("error: {}", shell::explain(error));
        for node in context.lan.nodes()? {
            println!("{}", node.diagnose());
        }
    }
    let down = shell::step("down", || context.lan.down());
    let (init, render) = result?;
    down?;

    let folder = folder(kubernetes, case);
    cache::remove(&folder)?;
    init.write(&folder)?;
    render.write(&folder.join("render"))?;
    println!("{}", folder.display());
    Ok(())
}

fn take_both(context: &Context, case: &str) -> Result<(Snapshot, Snapshot)> {
    // The traces of a whole init lack what its last phases write over.
    let node = context.start("cp", 2)?;
    let render = shell::step("kubeadm renders", || render(context, &node, case))?;
    node.down()?;
    let node = context.start("cp", 2)?;
    let init = take_init(context, &node, Initiator::Kubeadm, case)?;
    Ok((init, render))
}

/// Lets kubeadm run the phases that only render files, and takes what they wrote.
fn render(context: &Context, node: &Node, case: &str) -> Result<Snapshot> {
    let who = Initiator::Kubeadm;
    prepare(node, who, &case_config(context, node, case)?)?;
    let before = Before::take(node)?;
    let init = Init::starting_now();
    for phase in RENDERING {
        let all = if phase == "etcd" { "local" } else { "all" };
        node.run(&[
            who.program(),
            "init",
            "phase",
            phase,
            all,
            "--config",
            CONFIG,
        ])?;
    }
    Ok(Snapshot::take(&before.written(node)?, &[], init)?)
}

/// Lets `who` join a fresh node, and takes what it left on the disk, with other names in place of
/// the node's.
pub(crate) fn take_join(
    cluster: &Cluster,
    node: &Node,
    who: Initiator,
    control_plane: bool,
) -> Result<Snapshot> {
    let before = Before::take(node)?;
    let init = Init::starting_now();
    cluster.join_with(who, node, control_plane)?;
    let mut disk = before.written(node)?;
    disk.entries.remove("/usr/local/bin/rinit");
    let snapshot = Snapshot::take(&disk, &[], init).context("what join left behind")?;
    renamed(&snapshot, &[(&node.name, "NODE"), (&node.ip, "ADDRESS")])
}

/// The snapshot with other words in it.
fn renamed(snapshot: &Snapshot, words: &[(&str, &str)]) -> Result<Snapshot> {
    let folder = std::env::temp_dir().join(format!("rinit-parity-{}", std::process::id()));
    cache::remove(&folder)?;
    snapshot.write(&folder)?;
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut text = cache::read(&path)?;
            for (from, to) in words {
                text = text.replace(from, to);
            }
            // Whose turn it was decides which members there were.
            let kept = text
                .lines()
                .filter(|line| !line.contains("--initial-cluster="));
            let text = kept.fold(String::new(), |text, line| text + line + "\n");
            std::fs::write(&path, text)?;
        }
    }
    let renamed = Snapshot::read(&folder)?;
    cache::remove(&folder)?;
    Ok(renamed)
}

/// Lets `who` initialise a fresh node, waits until all is settled, and takes what it left.
pub(crate) fn take_init(
    context: &Context,
    node: &Node,
    who: Initiator,
    case: &str,
) -> Result<Snapshot> {
    let config = case_config(context, node, case)?;
    prepare(node, who, &config)?;
    let before = Before::take(node)?;
    let init = Init::starting_now();
    let output = shell::step(&format!("{} init", who.program()), || {
        node.run(&who.command())
    })?;
    let cluster = Cluster {
        first: node.clone(),
        output,
    };
    let disk = before.written(node)?;
    cluster.connect_pods(&[node])?;
    // The objects are settled when the controllers have nothing left to do.
    cluster.wait_for_ready_nodes(&[node])?;
    cluster.wait_for_system_pods()?;
    let objects = node::objects(node)?;
    if objects.is_empty() {
        bail!("the cluster has no objects");
    }
    Snapshot::take(&disk, &objects, init).context("what init left behind")
}
