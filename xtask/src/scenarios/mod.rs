//! Scenarios on real nodes: a table of named functions, each on a LAN of its own.
//!
//! A scenario starts the nodes it needs with `Context::start`, does its work through `Node` and
//! `cluster`, waits for conditions with `shell::until`, and fails by returning an error. Nodes
//! are taken down after it; when it fails, their journals and pod logs are shown first.

mod certs;
pub(crate) mod cluster;
mod harness;
mod init;
mod join;
mod parity;
mod restart;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};

use crate::components::Components;
use crate::node::{Lan, Node};
use crate::shell;

/// One scenario.
pub(crate) struct Scenario {
    /// What `--only` matches, in the form `group/case`.
    pub(crate) name: &'static str,
    /// The scenario itself.
    pub(crate) run: fn(&Context) -> Result<()>,
}

/// All scenarios, in the order they run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "harness/kill",
        run: harness::kill,
    },
    Scenario {
        name: "harness/kubeadm-init-join",
        run: harness::kubeadm_init_join,
    },
    Scenario {
        name: "init/join",
        run: harness::rinit_init_join,
    },
    Scenario {
        name: "init/join-control-plane",
        run: join::control_plane,
    },
    Scenario {
        name: "join/cluster",
        run: join::cluster,
    },
    Scenario {
        name: "init/again",
        run: init::again,
    },
    Scenario {
        name: "init/killed",
        run: init::killed,
    },
    Scenario {
        name: "certs/recovery",
        run: certs::recovery,
    },
    Scenario {
        name: "certs/restart-fails",
        run: restart::fails,
    },
    Scenario {
        name: "certs/bundle",
        run: certs::bundle,
    },
    Scenario {
        name: "parity/minimal",
        run: parity::minimal,
    },
    Scenario {
        name: "parity/join",
        run: parity::join,
    },
];

/// What a scenario works with.
pub(crate) struct Context {
    /// The programs and images of its nodes.
    pub(crate) components: Components,
    /// The LAN of its nodes.
    pub(crate) lan: Lan,
}

impl Context {
    /// A context with a new LAN.
    pub(crate) fn new(components: Components, lan: Lan) -> Self {
        Self { components, lan }
    }

    /// Starts a node with the address `number` on the LAN.
    pub(crate) fn start(&self, name: &str, number: u8) -> Result<Node> {
        shell::step(&format!("node {name} up"), || {
            self.lan.start(&self.components, name, number)
        })
    }
}

/// The rinit program, optimised as users get it, built from this checkout once in a task.
pub(crate) fn rinit() -> Result<&'static Path> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(built) = BUILT.get() {
        return Ok(built);
    }
    let built = build_rinit("node")?;
    Ok(BUILT.get_or_init(|| built))
}

/// Builds rinit with a profile of the workspace; the path of its program.
pub(crate) fn build_rinit(profile: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--profile", profile, "-p", "rinit"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let name = format!("cargo build --profile {profile} -p rinit");
    let messages = shell::step(&name, || shell::read(cargo.current_dir(checkout())))?;
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if message["target"]["name"] == "rinit"
            && let Some(program) = message["executable"].as_str()
        {
            return Ok(PathBuf::from(program));
        }
    }
    None.context("cargo built no program named rinit")
}

/// The root of the checkout that this program was built from.
pub(crate) fn checkout() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
