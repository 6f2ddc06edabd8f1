//! Test nodes: a Debian root with a real systemd as PID 1, in namespaces and cgroups of its own,
//! on a LAN that leads nowhere.
//!
//! A `Lan` is a bridge in a network namespace without any uplink; a `Node` is a machine on it.
//! Nodes reach each other and nothing else, and different LANs use the same addresses without
//! meeting. All that a node is made of is recorded in a folder under the cache, so that any
//! later task can take it down, whatever became of the task that made it.

mod cgroup;
mod commands;
mod down;
pub(crate) mod inside;
mod process;
mod store;
mod sysctl;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::components::Components;
use crate::shell;
use crate::{cache, install};
pub(crate) use cgroup::describe as describe_cgroups;
pub(crate) use down::{is_interrupted, take_lan_down, take_own_down};
use down::{own, take_down, take_node_down};
use process::Process;

/// This program, also if its file was replaced since it started.
const SELF: &str = "/proc/self/exe";

/// Where the processes that keep a LAN or node up write down which they are.
const HOLDER: &str = "holder.json";
const LAUNCHER: &str = "launcher.json";
const INIT: &str = "init.json";

/// The first three numbers of the addresses on a LAN. `.1` is the LAN itself.
const SUBNET: &str = "10.123.0";

/// A bridge in a network namespace without any uplink.
#[derive(Debug)]
pub(crate) struct Lan {
    folder: PathBuf,
    keep: bool,
}

/// A machine on a LAN. This is a handle; the machine lives until its LAN is taken down or
/// `Node::down` is called.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// Its address on the LAN.
    pub(crate) ip: String,
    folder: PathBuf,
}

/// What is recorded of a node.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    ip: String,
    /// Name of its cgroup in every hierarchy.
    cgroup: String,
    /// The read-only layers of its root, as overlayfs wants them.
    lower: String,
}

impl Record {
    fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("node.json");
        serde_json::from_str(&cache::read(&file)?)
            .with_context(|| format!("{} cannot be read", file.display()))
    }

    fn write(&self, folder: &Path) -> Result<()> {
        cache::write(
            &folder.join("node.json"),
            serde_json::to_string_pretty(self)?,
        )
    }
}

/// PID 1 of the node in `folder`, which must be up.
fn up(folder: &Path) -> Result<Process> {
    let init = Process::read(&folder.join(INIT))?.filter(|init| init.is_alive());
    init.with_context(|| {
        format!(
            "node {} is not up",
            folder.file_name().unwrap_or_default().to_string_lossy()
        )
    })
}

impl Lan {
    /// Makes a LAN. It is taken down when this value is dropped, unless `keep` was called.
    pub(crate) fn create(name: &str) -> Result<Self> {
        check_name(name)?;
        install::packages(install::FOR_NODES)?;
        let nodes = nodes_folder()?;
        let _lock = cache::lock(&nodes.join(".lock"))?;
        let folder = nodes.join(name);
        if folder.exists() {
            bail!("there is a LAN `{name}` already: `cargo xtask down {name}` takes it down");
        }
        sysctl::save(&nodes.join("sysctls.json"))?;
        cache::make_folder(&folder)?;
        own().push(folder.clone());
        // From here on dropping the value cleans up.
        let lan = Self {
            folder,
            keep: false,
        };
        let mut child = Command::new(SELF)
            .args(["inside", "hold"])
            .arg(&lan.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // It outlives this task, and a pipe that it held open would never end.
            .stderr(File::create(lan.folder.join("holder.log"))?)
            .spawn()
            .context("cannot start the holder of the LAN's namespace")?;
        let holder = shell::until("the LAN has its namespace", Duration::from_secs(10), || {
            if let Some(status) = child.try_wait()? {
                bail!("its holder ended: {status}; test nodes need root");
            }
            let holder = Process::read(&lan.folder.join(HOLDER))?;
            Ok(holder.ok_or_else(|| "not yet".to_owned()))
        })?;
        if holder.namespace("net")? == Process::own()?.namespace("net")? {
            bail!("the LAN's namespace is the machine's own");
        }
        for words in [
            "ip link set lo up",
            "ip link add br0 type bridge",
            &format!("ip addr add {SUBNET}.1/24 dev br0"),
            "ip link set br0 up",
            // Every other address is answered by the LAN itself, with a refusal. A dial of a
            // service address that kube-proxy does not know yet would hang for half a minute
            // if nothing answered.
            "ip route add local default dev lo table main",
            "sysctl -qw net.ipv4.icmp_echo_ignore_all=1",
            "sysctl -qw net.ipv4.icmp_ratelimit=0",
            "sysctl -qw net.ipv4.ip_forward=0",
        ] {
            in_network(holder, words)?;
        }
        Ok(lan)
    }

    /// The LAN `name`, made if it is not there. It outlives this value.
    pub(crate) fn open_or_create(name: &str) -> Result<Self> {
        let folder = nodes_folder()?.join(name);
        if folder.join(HOLDER).exists() {
            return Ok(Self { folder, keep: true });
        }
        Self::create(name)
    }

    /// Leaves the LAN and its nodes up when this value is dropped.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
        own().retain(|folder| !folder.starts_with(&self.folder));
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Starts a machine with the address `number` on this LAN, waits until its systemd and its
    /// container runtime are up. The runtime then has all images of `components`.
    pub(crate) fn start(&self, components: &Components, name: &str, number: u8) -> Result<Node> {
        Node::start(self, components, name, number)
    }

    /// The nodes on this LAN.
    pub(crate) fn nodes(&self) -> Result<Vec<Node>> {
        nodes_of(&self.folder)
    }

    /// An address number that no node of this LAN has.
    pub(crate) fn free_number(&self) -> Result<u8> {
        let taken: Vec<String> = self.nodes()?.into_iter().map(|node| node.ip).collect();
        (2..=254)
            .find(|number| !taken.contains(&format!("{SUBNET}.{number}")))
            .with_context(|| format!("the LAN `{}` has no address left", self.name()))
    }

    /// Takes down all nodes and the LAN; fails if anything of them is left.
    pub(crate) fn down(self) -> Result<()> {
        take_down(&self.folder)
    }

    fn holder(&self) -> Result<Process> {
        Process::read(&self.folder.join(HOLDER))?
            .filter(|holder| holder.is_alive())
            .with_context(|| format!("the LAN `{}` is not up", self.name()))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if !self.keep
            && self.folder.exists()
            && let Err(error) = take_down(&self.folder)
        {
            let error = shell::explain(&error);
            println!(
                "error: the LAN {} was not taken down cleanly: {error}",
                self.name()
            );
        }
    }
}

impl Node {
    fn start(lan: &Lan, components: &Components, name: &str, number: u8) -> Result<Self> {
        check_name(name)?;
        let ip = format!("{SUBNET}.{number}");
        let folder = lan.folder.join(name);
        if folder.exists() {
            bail!("there is a node `{name}` already: `cargo xtask down {name}` takes it down");
        }
        if let Some(other) = lan.nodes()?.into_iter().find(|node| node.ip == ip) {
            bail!("node `{}` has the address {ip} already", other.name);
        }
        let hierarchies = cgroup::hierarchies()?;
        for part in ["upper/etc", "work", "root"] {
            cache::make_folder(&folder.join(part))?;
        }
        let node = Self {
            name: name.to_owned(),
            ip: ip.clone(),
            folder: folder.clone(),
        };
        let record = Record {
            name: name.to_owned(),
            ip: ip.clone(),
            cgroup: format!("rinit-{}-{name}", lan.name()),
            lower: format!(
                "{}:{}",
                components.layer().display(),
                components.rootfs.display()
            ),
        };
        record.write(&folder)?;
        if lan.keep {
            own().push(folder.clone());
        }
        cgroup::create(&hierarchies, &record.cgroup)?;
        let machine_id = cache::read(Path::new("/proc/sys/kernel/random/uuid"))?.replace('-', "");
        let has_images = components.store.is_dir();
        if has_images {
            store::duplicate(&components.store, &folder.join("containerd"))?;
        } else {
            cache::make_folder(&folder.join("containerd"))?;
        }
        for (file, text) in [
            ("hostname", format!("{name}\n")),
            ("hosts", format!("127.0.0.1 localhost\n{ip} {name}\n")),
            // Nothing answers there, and it says so at once.
            ("resolv.conf", format!("nameserver {SUBNET}.1\n")),
            ("machine-id", machine_id),
        ] {
            cache::write(&folder.join("upper/etc").join(file), text)?;
        }

        let log = File::create(folder.join("console.log"))?;
        let mut launcher = Command::new(SELF)
            .args(["inside", "launch"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the node's launcher")?;
        let what = format!("node {name} has a PID 1");
        let init = shell::until(&what, Duration::from_secs(20), || {
            if let Some(status) = launcher.try_wait()? {
                let log = cache::read(&folder.join("console.log")).unwrap_or_default();
                bail!("its launcher ended: {status}\n{}", shell::tail(&log, 20));
            }
            let Some(init) = Process::read(&folder.join(INIT))? else {
                return Ok(Err("not yet".to_owned()));
            };
            // It is another program once it has become systemd.
            let program = fs::read_link(format!("/proc/{}/exe", init.pid));
            let is_systemd = program.is_ok_and(|program| program.ends_with("systemd"));
            Ok(if is_systemd {
                Ok(init)
            } else {
                Err("it is not systemd yet".to_owned())
            })
        })?;
        node.connect(lan, init, number)?;
        node.wait_for_services()?;
        if !has_images {
            node.import_images(components)?;
        }
        Ok(node)
    }

    /// Gives the node its link to the LAN.
    fn connect(&self, lan: &Lan, init: Process, number: u8) -> Result<()> {
        let holder = lan.holder()?;
        let pid = init.pid;
        in_network(
            holder,
            &format!("ip link add v{number} type veth peer name eth0 netns {pid}"),
        )?;
        in_network(holder, &format!("ip link set v{number} master br0 up"))?;
        for words in [
            "ip link set lo up",
            &format!("ip addr add {}/24 dev eth0", self.ip),
            "ip link set eth0 up",
            // Service addresses need a default route, though this one is a dead end.
            &format!("ip route add default via {SUBNET}.1"),
            // Spares the kubelet a slow dial to a cloud's metadata server.
            "ip route add unreachable 169.254.0.0/16",
            "sysctl -qw net.ipv4.ip_forward=1",
            "sysctl -qw net.bridge.bridge-nf-call-iptables=1",
        ] {
            in_network(init, words)?;
        }
        Ok(())
    }

    /// Imports the images, and keeps what the runtime made of them for the nodes to come.
    fn import_images(&self, components: &Components) -> Result<()> {
        let _lock = components.lock()?;
        shell::step("import the images", || {
            for image in components.images()? {
                let words = ["ctr", "-n", "k8s.io", "images", "import", "-"];
                self.run_with_stdin_from(&image, &words)?;
            }
            Ok(())
        })?;
        if !components.store.exists() {
            self.run(&["systemctl", "stop", "containerd"])?;
            store::duplicate(&self.folder.join("containerd"), &components.store)?;
            self.run(&["systemctl", "start", "containerd"])?;
        }
        Ok(())
    }

    fn wait_for_services(&self) -> Result<()> {
        let limit = Duration::from_mins(1);
        shell::until(
            &format!("systemd of node {} is up", self.name),
            limit,
            || {
                let output = self.try_run(&["systemctl", "is-system-running"])?;
                let state = output.stdout.trim();
                Ok(match state {
                    "running" | "degraded" => Ok(()),
                    _ => Err(format!("{state} {}", output.stderr.trim())),
                })
            },
        )?;
        shell::until(
            &format!("containerd of node {} answers", self.name),
            limit,
            || {
                let output = self.try_run(&["ctr", "version"])?;
                Ok(if output.success() {
                    Ok(())
                } else {
                    Err(output.stderr)
                })
            },
        )
    }

    /// The node `name`: `node` of the LAN `up`, or `lan/node`.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let (lan, node) = name.split_once('/').unwrap_or((UP, name));
        let nodes = nodes_of(&nodes_folder()?.join(lan))?;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        nodes.into_iter().find(|found| found.name == node).with_context(|| {
            format!(
                "no node `{node}` on the LAN `{lan}` (it has: {}): `cargo xtask up --name {node}` \
                starts one",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )
        })
    }

    /// Takes the node down; fails if anything of it is left.
    pub(crate) fn down(self) -> Result<()> {
        take_node_down(&self.folder)
    }
}

/// The LAN of nodes that `cargo xtask up` starts.
pub(crate) const UP: &str = "up";

/// The folders of all LANs that are recorded.
pub(crate) fn all_lans() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(nodes_folder()?)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn nodes_of(lan: &Path) -> Result<Vec<Node>> {
    let Ok(entries) = fs::read_dir(lan) else {
        return Ok(Vec::new());
    };
    let mut nodes = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        if folder.join("node.json").exists() {
            let record = Record::read(&folder)?;
            nodes.push(Node {
                name: record.name,
                ip: record.ip,
                folder,
            });
        }
    }
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(nodes)
}

fn nodes_folder() -> Result<PathBuf> {
    let folder = cache::folder()?.join("nodes");
    cache::make_folder(&folder)?;
    Ok(folder)
}

fn in_network(process: Process, words: &str) -> Result<()> {
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.pid.to_string(), "--net", "--"]);
    shell::read(command.args(words.split(' ')))?;
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || name.starts_with('-') || !name.chars().all(good) {
        return Err(anyhow!(
            "`{name}` is no name for a node: use a-z, 0-9 and -"
        ));
    }
    Ok(())
}
