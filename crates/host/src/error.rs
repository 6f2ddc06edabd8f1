//! What goes wrong on the machine, with the path or the command in it, and the way out.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use rinit_diag::Hint;

/// An error of the machine. Never carries the content of a file or a secret argument.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The file system refused because of who we are. Callers that only look can say "unknown".
    #[error("cannot {operation} {}", path.display())]
    PermissionDenied {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The path on the machine, with the folder of `--root` in front.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The file system refused for another reason.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The path on the machine, with the folder of `--root` in front.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Only root may change the root of the file system.
    #[error("cannot change the root to {}: only root may", folder.display())]
    RootRefused {
        /// The folder of `--rootfs`.
        folder: PathBuf,
    },
    /// A file is larger than anything that rinit reads.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLarge {
        /// The path on the machine.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A text file is not UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The path on the machine.
        path: PathBuf,
    },
    /// A named pipe stands where a file belongs.
    #[error("{} is a named pipe", path.display())]
    Pipe {
        /// The path on the machine.
        path: PathBuf,
    },
    /// A symbolic link on the way to a file leads nowhere.
    #[error("{} is a symbolic link that leads nowhere", link.display())]
    DanglingLink {
        /// The link on the machine.
        link: PathBuf,
    },
    /// Symbolic links lead in a circle.
    #[error("{} goes through too many symbolic links", path.display())]
    TooManyLinks {
        /// The path on the machine.
        path: PathBuf,
    },
    /// Another rinit is at work on the same root.
    #[error("another rinit{} is at work ({} is locked)", holder_text(*holder), path.display())]
    Locked {
        /// The file or folder that is locked.
        path: PathBuf,
        /// The process that holds it, if the kernel tells.
        holder: Option<u32>,
    },
    /// An executable is not in the PATH.
    #[error("executable {program} is not in the PATH")]
    NoExecutable {
        /// Its name.
        program: String,
    },
    /// A process could not be started.
    #[error("cannot start `{command}`")]
    Spawn {
        /// The command line.
        command: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A process did not end in time and was killed.
    #[error("`{command}` did not end within {} s", limit.as_secs())]
    TimedOut {
        /// The command line.
        command: String,
        /// The time it had.
        limit: Duration,
    },
    /// A process ended with a failure.
    #[error("`{command}` failed with {}{}", code_text(*code), said(output))]
    Failed {
        /// The command line.
        command: String,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// The end of what it said.
        output: String,
    },
    /// No container runtime answers on the socket.
    #[error("no container runtime answers on {socket}")]
    RuntimeUnreachable {
        /// The CRI socket.
        socket: String,
        /// What the connection says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The container runtime did not answer in time.
    #[error("the container runtime on {socket} did not answer {call} within {} s", limit.as_secs())]
    RuntimeSilent {
        /// The CRI socket.
        socket: String,
        /// The call.
        call: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// The container runtime answered with an error.
    #[error("the container runtime on {socket} refused {call}: {code}: {message}")]
    RuntimeRefused {
        /// The CRI socket.
        socket: String,
        /// The call.
        call: String,
        /// The name of the gRPC status.
        code: &'static str,
        /// What the runtime says.
        message: String,
    },
    /// An endpoint gave no usable answer.
    #[error("{url} does not answer: {problem}")]
    Probe {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The connection to an endpoint failed.
    #[error("{url} does not answer")]
    ProbeConnection {
        /// The URL.
        url: String,
        /// What the connection says.
        #[source]
        source: io::Error,
    },
    /// The network interfaces cannot be listed.
    #[error("cannot list the network interfaces")]
    Interfaces(#[source] io::Error),
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

fn code_text(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

fn said(output: &str) -> String {
    let output = output.trim();
    if output.is_empty() {
        String::new()
    } else {
        format!(": {output}")
    }
}

impl HostError {
    /// Sorts an error of the file system.
    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: io::Error,
    ) -> Self {
        let path = path.into();
        if source.kind() == io::ErrorKind::PermissionDenied {
            Self::PermissionDenied {
                operation,
                path,
                source,
            }
        } else {
            Self::File {
                operation,
                path,
                source,
            }
        }
    }

    /// Whether more rights would have shown more.
    pub fn is_permission_denied(&self) -> bool {
        if matches!(self, Self::PermissionDenied { .. }) {
            return true;
        }
        // A socket that only root may open is told through the layers of the client.
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let denied = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
            if denied {
                return true;
            }
            source = error.source();
        }
        false
    }
}

impl Hint for HostError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::PermissionDenied { path, source, .. } => {
                Some(if source.raw_os_error() == Some(Errno::EPERM as i32) {
                    format!(
                        "It may be immutable; `lsattr -d {}` shows it.",
                        standing(path).display()
                    )
                } else {
                    "Run the command as root, for example with `sudo`.".to_owned()
                })
            }
            Self::File { path, source, .. } => file_hint(path, source),
            Self::RootRefused { .. } => Some(
                "Run the command as root, for example with `sudo`; `--root` in place of `--rootfs` needs no rights.".to_owned(),
            ),
            Self::TooLarge { path, .. } | Self::NotText { path } | Self::Pipe { path } => Some(format!(
                "See what it is with `file {}`; rinit expects a text of Kubernetes' own there.",
                path.display()
            )),
            Self::DanglingLink { link } => Some(format!(
                "Mount what {} leads to, or remove the link.",
                link.display()
            )),
            Self::TooManyLinks { path } => Some(format!(
                "Show the links with `namei -l {}`.",
                path.display()
            )),
            Self::Locked { holder, .. } => Some(match holder {
                Some(pid) => format!("Wait for it, or see what it does with `ps -fp {pid}`."),
                None => "Wait for it, then run the command again.".to_owned(),
            }),
            Self::NoExecutable { program } => Some(format!(
                "Install {program}, or put its folder into the PATH; `command -v {program}` finds it."
            )),
            Self::RuntimeUnreachable { socket, .. } | Self::RuntimeSilent { socket, .. } => {
                let unit = runtime_unit(socket);
                Some(format!(
                    "Start the runtime with `systemctl enable --now {unit}`; \
                     `journalctl -u {unit} --no-pager -n 50` says why it does not run. Another \
                     socket is set by nodeRegistration.criSocket."
                ))
            }
            Self::RuntimeRefused { socket, call, .. } => {
                Some(match call.strip_prefix("PullImage of ") {
                    Some(image) => format!(
                        "Try it by hand with `crictl --runtime-endpoint {socket} pull {image}`."
                    ),
                    None => format!(
                        "See what the runtime lacks with `crictl --runtime-endpoint {socket} info`."
                    ),
                })
            }
            Self::Spawn { .. }
            | Self::Failed { .. }
            | Self::Interfaces(_)
            | Self::Probe { .. }
            | Self::ProbeConnection { .. } => None,
            Self::TimedOut { command, .. } => Some(format!("Run `{command}` by hand to see why.")),
        }
    }
}

/// The unit that usually serves a CRI socket.
pub(crate) fn runtime_unit(socket: &str) -> &'static str {
    if socket.contains("crio") {
        "crio"
    } else if socket.contains("cri-dockerd") {
        "cri-docker"
    } else {
        "containerd"
    }
}

/// What is there to be looked at: the path, or the innermost folder on the way to it. A file that
/// was being written is gone by the time that a user reads of it, and so may its folder be.
fn standing(path: &std::path::Path) -> &std::path::Path {
    let is_passing = |part: &std::path::Path| {
        part.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.contains(".rinit-") || name.ends_with(".incomplete")
        })
    };
    path.ancestors()
        .filter(|folder| !folder.ancestors().any(is_passing))
        .find(|folder| folder.symlink_metadata().is_ok())
        .unwrap_or(path)
}

fn file_hint(path: &std::path::Path, source: &io::Error) -> Option<String> {
    let folder = standing(path.parent().unwrap_or(path)).display();
    let errno = source.raw_os_error().map(Errno::from_raw)?;
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => Some(format!(
            "Make room; `df -h {folder}` and `df -i {folder}` show what is left."
        )),
        Errno::EROFS => Some(format!(
            "The file system is mounted read-only; `findmnt -T {folder}` shows it."
        )),
        Errno::EBUSY => Some(format!(
            "Something is mounted at this very name; `findmnt {}` shows it.",
            path.display()
        )),
        Errno::ENOENT => Some(format!(
            "A part of the path is missing; `namei -l {}` shows which.",
            path.parent().unwrap_or(path).display()
        )),
        Errno::ENOTDIR => Some(format!(
            "A part of the path is a file; `namei -l {}` shows which.",
            path.display()
        )),
        Errno::EISDIR => Some(format!(
            "A folder stands where a file belongs; `ls -ld {}` shows it.",
            path.display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().display();
        let passing = folder.path().join("rinit-backup-1.incomplete");
        let hint = |path: PathBuf, errno: Errno| {
            let source = io::Error::from(errno);
            HostError::file("write", path, source).hint().unwrap()
        };
        for inner in [passing.join("etc/kubernetes"), folder.path().join("a/b")] {
            assert_eq!(
                hint(inner.join("admin.conf"), Errno::ENOSPC),
                format!("Make room; `df -h {there}` and `df -i {there}` show what is left.")
            );
        }
        for file in [".server.key.rinit-1-2", "server.key"] {
            assert_eq!(
                hint(folder.path().join(file), Errno::EPERM),
                format!("It may be immutable; `lsattr -d {there}` shows it.")
            );
        }
    }
}
