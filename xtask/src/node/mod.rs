//! Test nodes: a Debian root with a real systemd as PID 1, in namespaces and cgroups of its own,
//! on a LAN that leads nowhere.
//!
//! A `Lan` is a bridge in a network namespace without any uplink; a `Node` is a machine on it.
//! Nodes reach each other and nothing else, and different LANs use the same addresses without
//! meeting. All that a node is made of is recorded in a folder under the cache, so that any
//! later task can take it down, whatever became of the task that made it.

mod cgroup;
pub(crate) mod inside;
mod process;
mod store;
mod sysctl;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::components::Components;
use crate::shell::{self, Output};
use crate::{cache, install};
pub(crate) use cgroup::describe as describe_cgroups;
use process::{Namespaces, Process};

/// This program, also if its file was replaced since it started.
const SELF: &str = "/proc/self/exe";

/// Set when this task is being interrupted.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while something is taken down, so that it is done once.
static TAKING_DOWN: Mutex<()> = Mutex::new(());

/// Where the processes that keep a LAN or node up write down which they are.
const HOLDER: &str = "holder.json";
const LAUNCHER: &str = "launcher.json";
const INIT: &str = "init.json";

/// The kinds of namespaces that a node has of its own.
const NAMESPACES: [&str; 6] = ["mnt", "uts", "ipc", "net", "pid", "cgroup"];

/// The first three numbers of the addresses on a LAN. `.1` is the LAN itself.
const SUBNET: &str = "10.123.0";

/// Folders of the LANs, and of nodes on LANs of earlier tasks, to take down if this task is
/// interrupted.
static OWN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

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

    /// A command of the machine that runs `words` in the node.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(SELF);
        command
            .args(["inside", "exec"])
            .arg(&self.folder)
            .arg("--")
            .args(words);
        command
    }

    /// Runs a command to its end; its output, whatever the exit code.
    pub(crate) fn try_run(&self, words: &[&str]) -> Result<Output> {
        shell::capture(&mut self.command(words), None)
    }

    /// Runs a command to its end; its output, or an error that shows it.
    pub(crate) fn run(&self, words: &[&str]) -> Result<Output> {
        self.try_run(words)?
            .or_fail(&format!("{}: {}", self.name, words.join(" ")))
    }

    /// Runs a command to its end with a file of the machine as its input.
    fn run_with_stdin_from(&self, file: &Path, words: &[&str]) -> Result<Output> {
        let file = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        let output = self.command(words).stdin(file).output()?;
        let output = Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        output.or_fail(&format!("{}: {}", self.name, words.join(" ")))
    }

    /// Starts a command and gives a handle to it while it runs.
    pub(crate) fn spawn(&self, words: &[&str]) -> Result<Spawned> {
        let mut command = self.command(words);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", words.join(" ")))?;
        Ok(Spawned { child })
    }

    /// Writes a file in the node, with the folders above it.
    pub(crate) fn write_file(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
        const SCRIPT: &str = "set -e; umask 077; mkdir -p -m 755 \"$(dirname \"$1\")\"; \
            cat > \"$1.part\"; chmod \"$2\" \"$1.part\"; mv \"$1.part\" \"$1\"";
        let mode = format!("{mode:o}");
        let mut command = self.command(&["/bin/sh", "-c", SCRIPT, "sh", path, &mode]);
        shell::capture(&mut command, Some(text.as_ref()))?
            .or_fail(&format!("{}: writing {path}", self.name))?;
        Ok(())
    }

    /// Copies a file of the machine into the node.
    pub(crate) fn copy_file(&self, from: &Path, path: &str, mode: u32) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.write_file(path, bytes, mode)
    }

    /// Reads a text file of the node.
    pub(crate) fn read_file(&self, path: &str) -> Result<String> {
        Ok(self.run(&["cat", path])?.stdout)
    }

    /// Pulls the plug: ends the node's PID 1 and with it everything that runs in the node. Its
    /// files stay until `down`.
    pub(crate) fn kill(&self) -> Result<()> {
        up(&self.folder)?.end()
    }

    /// Takes the node down; fails if anything of it is left.
    pub(crate) fn down(self) -> Result<()> {
        take_node_down(&self.folder)
    }

    /// What helps to understand a failure: journals and the logs of containers.
    pub(crate) fn diagnose(&self) -> String {
        let pods = "for log in /var/log/pods/*/*/*.log; do \
            [ -e \"$log\" ] || continue; echo \"-- $log\"; tail -n 12 \"$log\"; done";
        let parts: [(&str, &[&str]); 5] = [
            (
                "failed units",
                &["systemctl", "--failed", "--no-pager", "--plain"],
            ),
            (
                "kubelet",
                &[
                    "journalctl",
                    "-u",
                    "kubelet",
                    "-n",
                    "40",
                    "--no-pager",
                    "-o",
                    "cat",
                ],
            ),
            (
                "containerd",
                &[
                    "journalctl",
                    "-u",
                    "containerd",
                    "-n",
                    "25",
                    "--no-pager",
                    "-o",
                    "cat",
                ],
            ),
            ("containers", &["ctr", "-n", "k8s.io", "tasks", "list"]),
            ("pod logs", &["/bin/sh", "-c", pods]),
        ];
        let mut text = String::new();
        for (title, words) in parts {
            text.extend(["==== node ", &self.name, ": ", title, "\n"]);
            match self.try_run(words) {
                Ok(output) => text.extend([output.stdout, output.stderr, "\n".to_owned()]),
                Err(error) => text.extend([format!("{error:#}"), "\n".to_owned()]),
            }
        }
        text
    }
}

/// A command that was started in a node.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Child,
}

impl Spawned {
    /// Ends the command in the node with SIGKILL, as a crash would.
    pub(crate) fn kill(mut self) -> Result<Output> {
        // The child is the way into the node; its child is the command.
        let pid = i32::try_from(self.child.id())?;
        let inner = shell::until("the command has started", Duration::from_secs(10), || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it has ended before it was to be killed: {status}");
            }
            let children = process::children(pid)?;
            Ok(children
                .first()
                .copied()
                .ok_or_else(|| "no child yet".to_owned()))
        })?;
        if let Some(process) = Process::of(inner) {
            process.end()?;
        }
        self.wait()
    }

    /// True while the command runs.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until the command ends.
    pub(crate) fn wait(self) -> Result<Output> {
        let output = self.child.wait_with_output()?;
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
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

/// Takes down the LAN `name` with all its nodes; fails if anything of them is left.
pub(crate) fn take_lan_down(name: &str) -> Result<()> {
    let folder = nodes_folder()?.join(name);
    if !folder.is_dir() {
        bail!(
            "there is no LAN `{name}`; these are up: {}",
            all_lans()?.join(", ")
        );
    }
    take_down(&folder)
}

/// Takes down what this task has made so far, since it is interrupted.
pub(crate) fn take_own_down() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    let folders = std::mem::take(&mut *own());
    for folder in folders.into_iter().filter(|folder| folder.exists()) {
        println!("taking down {}", folder.display());
        let is_node = folder.join("node.json").exists();
        let result = if is_node {
            take_node_down(&folder)
        } else {
            take_down(&folder)
        };
        if let Err(error) = result {
            println!("error: {}", shell::explain(&error));
        }
    }
}

/// True from when this task is interrupted; it will then end without more ado.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

fn take_down(folder: &Path) -> Result<()> {
    let _once = TAKING_DOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !folder.exists() {
        return Ok(());
    }
    let mut problems = Vec::new();
    for node in nodes_of(folder)? {
        if let Err(error) = take_node_down(&node.folder) {
            problems.push(format!("{error:#}"));
        }
    }
    if let Some(holder) = Process::read(&folder.join(HOLDER))? {
        let held = Namespaces::of_living(holder, &["net"])?;
        holder.end()?;
        let left = held.processes()?;
        if !left.is_empty() {
            problems.push(format!(
                "processes {left:?} are still in the LAN's namespace"
            ));
        }
    }
    if !problems.is_empty() {
        bail!(
            "something is left of the LAN {}:\n{}",
            folder.display(),
            problems.join("\n")
        );
    }
    let nodes = nodes_folder()?;
    cache::remove(folder)?;
    own().retain(|own| own != folder);
    let _lock = cache::lock(&nodes.join(".lock"))?;
    if all_lans()?.is_empty() {
        sysctl::restore(&nodes.join("sysctls.json"))?;
    }
    Ok(())
}

fn take_node_down(folder: &Path) -> Result<()> {
    let record = Record::read(folder)?;
    // Where PID 1 is gone already, so is all that was in its PID namespace.
    let held = match Process::read(&folder.join(INIT))? {
        Some(init) => Namespaces::of_living(init, &NAMESPACES)?,
        None => Namespaces::default(),
    };
    for file in [LAUNCHER, INIT] {
        if let Some(process) = Process::read(&folder.join(file))? {
            process.end()?;
        }
    }
    let limit = Duration::from_secs(30);
    shell::until(
        &format!("no process of node {} is left", record.name),
        limit,
        || {
            let left = held.processes()?;
            Ok(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("processes {left:?} are left"))
            })
        },
    )?;
    // They would keep its mounts.
    drop(held);
    cgroup::remove(&cgroup::hierarchies()?, &record.cgroup)?;
    let mounts = cache::read(Path::new("/proc/self/mountinfo"))?;
    let place = folder.to_string_lossy();
    if let Some(line) = mounts.lines().find(|line| line.contains(&*place)) {
        bail!(
            "a mount of node {} is left on the machine: {line}",
            record.name
        );
    }
    let what = format!("the files of node {} are removed", record.name);
    shell::until(&what, limit, || {
        Ok(cache::remove(folder).map_err(|error| format!("{error:#}")))
    })
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

fn own() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
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
