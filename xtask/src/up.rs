//! `cargo xtask up`, `down` and `exec`: nodes for a person to look around in.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::cache;
use crate::components::Components;
use crate::node::{self, Lan, Node, UP};
use crate::scenarios::Context;
use crate::scenarios::cluster::{CONFIG, Cluster, Initiator, minimal_config, prepare};
use crate::shell;

/// Starts a node and, if `who` is given, makes it a control plane. It stays up.
pub(crate) fn up(
    kubernetes: &str,
    name: &str,
    who: Option<Initiator>,
    config: Option<&Path>,
) -> Result<()> {
    let components = Components::obtain(kubernetes)?;
    let mut context = Context::new(components, Lan::open_or_create(UP)?);
    let node = context.start(name, context.lan.free_number()?)?;
    context.lan.keep();
    let Some(who) = who else {
        print_ways_on(&node);
        return Ok(());
    };
    let config = match config {
        Some(path) => cache::read(path)?,
        None => minimal_config(&context, &node)?,
    };
    prepare(&node, who, &config)?;
    if let Err(error) = init(&node, who, &config) {
        println!("{}", node.diagnose());
        println!("the node is left up, with the configuration in {CONFIG}");
        print_ways_on(&node);
        return Err(error);
    }
    print_ways_on(&node);
    Ok(())
}

fn init(node: &Node, who: Initiator, config: &str) -> Result<()> {
    let cluster = Cluster::init(node, who, config)?;
    cluster.connect_pods(&[node])?;
    cluster.wait_for_ready_nodes(&[node])?;
    cluster.wait_for_system_pods()?;
    println!(
        "\n{}",
        cluster
            .kubectl(&["get", "nodes,pods", "-A", "-o", "wide"])?
            .stdout
    );
    if let Ok(command) = cluster.join_command(false) {
        println!("a further node joins with:\n  {}\n", command.join(" "));
    }
    Ok(())
}

fn print_ways_on(node: &Node) {
    let name = &node.name;
    println!("go on with:");
    println!("  cargo xtask exec {name} -- kubectl get pods -A");
    println!("  cargo xtask exec {name} -- journalctl -u kubelet -f");
    println!("  cargo xtask exec {name} -- bash");
    println!("  cargo xtask up --name NAME --with none     another node on the same LAN");
    println!("  cargo xtask down                           takes all of it down");
}

/// Takes down the LAN or node `name`; without one, the nodes of `up`; or all that is recorded.
pub(crate) fn down(name: Option<&str>, all: bool) -> Result<()> {
    let lans = node::all_lans()?;
    let chosen = match name {
        _ if all => lans,
        None => lans.into_iter().filter(|lan| lan == UP).collect(),
        Some(name) if lans.iter().any(|lan| lan == name) => vec![name.to_owned()],
        Some(name) => {
            let node = Node::find(name)?;
            return shell::step(&format!("node {name} down"), || node.down());
        }
    };
    if chosen.is_empty() {
        println!("nothing is up");
    }
    for lan in chosen {
        shell::step(&format!("LAN {lan} down"), || node::take_lan_down(&lan))?;
    }
    Ok(())
}

/// Runs a command in a node, with this task's own input and output.
pub(crate) fn exec(name: &str, words: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let status = Node::find(name)?.command(&words).status()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, Into::into))
}
