//! Commands and files in a node, and what helps to understand its failures.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::process::{self, Process};
use super::{Node, SELF, up};
use crate::shell::{self, Output};

impl Node {
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
    pub(super) fn run_with_stdin_from(&self, file: &Path, words: &[&str]) -> Result<Output> {
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
