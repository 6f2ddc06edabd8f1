//! Processes that outlive the task which started them: recorded by id and start time, so that
//! nothing else is ever ended in their place.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::{cache, shell};

/// One process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its id in the machine's PID namespace.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot.
    start: u64,
}

impl Process {
    /// The process that has `pid` now; none if there is none or it is a zombie.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command's name, in parentheses, may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        Some(Self {
            pid,
            start: fields.get(19)?.parse().ok()?,
        })
    }

    /// The calling process, by the machine's `/proc`, whatever its PID namespace is.
    pub(crate) fn own() -> Result<Self> {
        let link = fs::read_link("/proc/self").context("cannot read /proc/self")?;
        let pid = link
            .to_string_lossy()
            .parse()
            .context("/proc/self is no number")?;
        Self::of(pid).context("/proc has no entry for this process")
    }

    /// Writes down which process this is.
    pub(crate) fn write(self, file: &Path) -> Result<()> {
        cache::write(file, serde_json::to_string(&self)?)
    }

    /// The process that was written down in `file`; none if there is no such file.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>> {
        if !file.exists() {
            return Ok(None);
        }
        let process = serde_json::from_str(&cache::read(file)?);
        process
            .with_context(|| format!("{} cannot be read", file.display()))
            .map(Some)
    }

    /// True while it runs.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it with SIGKILL and waits until it is gone.
    pub(crate) fn end(self) -> Result<()> {
        if self.is_alive() {
            // It may be gone by now, which is all that is wanted.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        shell::until(
            &format!("process {} has ended", self.pid),
            Duration::from_secs(30),
            || {
                // Reaps it if it is a child of ours.
                let _ = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
                Ok(if self.is_alive() {
                    Err("it still runs".to_owned())
                } else {
                    Ok(())
                })
            },
        )
    }

    /// Identifies its namespace of one kind (`net`, `mnt`, `pid`, …).
    pub(crate) fn namespace(self, kind: &str) -> Result<String> {
        let path = format!("/proc/{}/ns/{kind}", self.pid);
        let link = fs::read_link(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(link.to_string_lossy().into_owned())
    }
}

/// Namespaces that are held open. The kernel gives the number of a namespace that is gone to the
/// next one that anybody makes, so only of these can be said who is in them.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    held: Vec<(&'static str, u64, File)>,
}

impl Namespaces {
    /// Holds the namespaces of a process; none if it has ended.
    pub(crate) fn of_living(process: Process, kinds: &[&'static str]) -> Result<Self> {
        let mut held = Vec::new();
        if !process.is_alive() {
            return Ok(Self { held });
        }
        for kind in kinds {
            let path = format!("/proc/{}/ns/{kind}", process.pid);
            let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
            held.push((*kind, file.metadata()?.ino(), file));
        }
        if !process.is_alive() {
            bail!("process {} has ended while it was looked at", process.pid);
        }
        Ok(Self { held })
    }

    /// The ids of all processes that are in one of them.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let is_in = |(kind, number, _): &(&str, u64, File)| {
                fs::metadata(format!("/proc/{pid}/ns/{kind}"))
                    .is_ok_and(|namespace| namespace.ino() == *number)
            };
            if self.held.iter().any(is_in) {
                found.push(pid);
            }
        }
        Ok(found)
    }
}

/// The children of a process.
pub(crate) fn children(parent: i32) -> Result<Vec<i32>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let list = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(list
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect())
}
