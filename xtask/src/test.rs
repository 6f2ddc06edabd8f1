//! `cargo xtask test`: the stages that CI runs, from cheap to dear.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::cache;
use crate::components::Components;
use crate::node::{self, Lan};
use crate::scenarios::{self, Context, SCENARIOS, Scenario, checkout};
use crate::shell::{self, seconds};

/// What is run for a stage.
enum Work {
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
    /// A scenario on nodes.
    Nodes(&'static Scenario),
}

/// The stages before the scenarios.
const CARGO_STAGES: &[(&str, &[&str])] = &[
    ("fmt", &["fmt", "--all", "--check"]),
    ("tidy", &["xtask", "tidy"]),
    (
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    ("unit", &["test", "--workspace"]),
];

/// What to run and how.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// Version of Kubernetes on the nodes.
    pub(crate) kubernetes: &'a str,
    /// Run only stages whose name contains this.
    pub(crate) only: Option<&'a str>,
    /// Print the names and run nothing.
    pub(crate) list: bool,
    /// Leave the nodes of failed scenarios up.
    pub(crate) keep: bool,
}

/// Runs the chosen stages and sums up; an error if one failed.
pub(crate) fn test(options: &Options<'_>) -> Result<()> {
    let mut stages: Vec<(&str, Work)> = CARGO_STAGES
        .iter()
        .map(|(name, words)| (*name, Work::Cargo(words)))
        .collect();
    stages.extend(
        SCENARIOS
            .iter()
            .map(|scenario| (scenario.name, Work::Nodes(scenario))),
    );
    stages.retain(|(name, _)| options.only.is_none_or(|pattern| name.contains(pattern)));
    if options.list {
        for (name, _) in stages {
            println!("{name}");
        }
        return Ok(());
    }
    if stages.is_empty() {
        bail!("no stage has that in its name: `cargo xtask test --list` shows them");
    }
    describe_machine()?;

    let components = OnceCell::new();
    let mut results = Vec::new();
    for (name, work) in stages {
        println!("\n==== {name}");
        let start = Instant::now();
        let result = match work {
            Work::Cargo(words) => {
                let mut cargo = Command::new(env!("CARGO"));
                cargo.args(words).current_dir(checkout());
                let prepared = if words.contains(&"test") {
                    for_tests(&mut cargo, &components, options.kubernetes)
                } else {
                    Ok(())
                };
                prepared.and_then(|()| shell::pass(&mut cargo))
            }
            Work::Nodes(scenario) => {
                obtain(&components, options.kubernetes).and_then(|components| {
                    let lan = format!("test-{}-{}", std::process::id(), results.len());
                    run(scenario, components, &lan, options.keep)
                })
            }
        };
        if node::is_interrupted() {
            bail!("interrupted");
        }
        if let Err(error) = &result {
            println!("error: {}", shell::explain(error));
        }
        println!(
            "{}  {name}: {}",
            seconds(start.elapsed()),
            outcome(result.is_ok())
        );
        results.push((name, start.elapsed(), result.is_ok()));
    }
    sum_up(&results)
}

/// Names the programs that tests run: etcd, an API server and kubeadm as processes, and rinit itself
/// as users get it.
fn for_tests(cargo: &mut Command, known: &OnceCell<Components>, kubernetes: &str) -> Result<()> {
    let components = obtain(known, kubernetes)?;
    cargo.env("RINIT_TEST_COMPONENTS", &components.folder);
    cargo.env("RINIT_TEST_PROGRAM", scenarios::rinit()?);
    Ok(())
}

fn obtain<'a>(known: &'a OnceCell<Components>, kubernetes: &str) -> Result<&'a Components> {
    if let Some(components) = known.get() {
        return Ok(components);
    }
    let components = Components::obtain(kubernetes)?;
    let mut iptables = Command::new("chroot");
    iptables
        .arg(&components.rootfs)
        .args(["iptables", "--version"]);
    println!("iptables of nodes: {}", shell::read(&mut iptables)?.trim());
    Ok(known.get_or_init(|| components))
}

/// Runs one scenario on a LAN of its own.
fn run(scenario: &Scenario, components: &Components, lan: &str, keep: bool) -> Result<()> {
    let mut context = Context::new(components.clone(), Lan::create(lan)?);
    // A panic is a failure like another: it shows the nodes' logs, and they are taken down.
    let result = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&context)))
        .unwrap_or_else(|_| Err(anyhow!("the scenario panicked")));
    if node::is_interrupted() {
        return result;
    }
    if result.is_err() {
        for node in context.lan.nodes()? {
            println!("{}", node.diagnose());
        }
        if keep {
            context.lan.keep();
            let lan = context.lan.name();
            println!(
                "the nodes are left up: `cargo xtask exec {lan}/NODE -- …` looks around, \
                `cargo xtask down {lan}` takes them down"
            );
            return result;
        }
    }
    let down = shell::step("down", || context.lan.down());
    result.and(down)
}

/// What tests may depend on and a log should show.
fn describe_machine() -> Result<()> {
    let status = cache::read(Path::new("/proc/self/status"))?;
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .context("/proc/self/status has no capability set")?
        .trim();
    let set = u64::from_str_radix(capabilities, 16)?;
    let lacking: Vec<&str> = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| set & (1 << number) == 0)
        .map(|(_, name)| *name)
        .collect();
    let lacking = if lacking.is_empty() {
        "none".to_owned()
    } else {
        lacking.join(", ")
    };
    println!("capabilities: {capabilities}, lacking: {lacking}");
    println!("cgroups: {}", node::describe_cgroups()?);
    let kernel = cache::read(Path::new("/proc/sys/kernel/osrelease"))?;
    let cores = std::thread::available_parallelism()?;
    println!("kernel: {}, cores: {cores}", kernel.trim());
    Ok(())
}

fn sum_up(results: &[(&str, Duration, bool)]) -> Result<()> {
    println!("\n==== summary");
    for (name, time, good) in results {
        println!("{}  {:<7} {name}", seconds(*time), outcome(*good));
    }
    let failed = results.iter().filter(|(_, _, good)| !good).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed > 0 {
        bail!("{failed} of {} stages failed", results.len());
    }
    Ok(())
}

fn outcome(good: bool) -> &'static str {
    if good { "passed" } else { "FAILED" }
}

/// The names of capabilities, by number.
const CAPABILITIES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
