//! Taking nodes and LANs down, and seeing that nothing of them is left on the machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use super::process::{Namespaces, Process};
use super::{HOLDER, INIT, LAUNCHER, Record, all_lans, cgroup, nodes_folder, nodes_of, sysctl};
use crate::{cache, shell};

/// Set when this task is being interrupted.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while something is taken down, so that it is done once.
static TAKING_DOWN: Mutex<()> = Mutex::new(());

/// The kinds of namespaces that a node has of its own.
const NAMESPACES: [&str; 6] = ["mnt", "uts", "ipc", "net", "pid", "cgroup"];

/// Folders of the LANs, and of nodes on LANs of earlier tasks, to take down if this task is
/// interrupted.
static OWN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

pub(super) fn own() -> MutexGuard<'static, Vec<PathBuf>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
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

pub(super) fn take_down(folder: &Path) -> Result<()> {
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

pub(super) fn take_node_down(folder: &Path) -> Result<()> {
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
