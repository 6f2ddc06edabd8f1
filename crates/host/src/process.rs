//! Processes: started without a shell, with a bare environment, a time limit and captured output.
//!
//! Arguments are shown in errors and by `ps`, so a secret never goes into one.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::{HostError, Result};

/// The PATH where the environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of the output of a failed process is shown, in bytes from its end.
const SHOWN_OUTPUT: usize = 2000;

/// A process to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The name of an executable in the PATH, or its absolute path.
    pub program: String,
    /// The arguments.
    pub arguments: Vec<String>,
    /// How long it may run before it is killed.
    pub limit: Duration,
}

impl Invocation {
    /// A process that may take ten seconds.
    pub fn new(program: &str, arguments: &[&str]) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            limit: Duration::from_secs(10),
        }
    }

    /// The same with another limit.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        for argument in &self.arguments {
            write!(f, " {argument}")?;
        }
        Ok(())
    }
}

/// What a process left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output, bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a process to its end. A failing exit code is not an error here.
pub async fn run(invocation: &Invocation) -> Result<Output> {
    let program = if invocation.program.contains('/') {
        PathBuf::from(&invocation.program)
    } else {
        find_executable(&invocation.program).ok_or_else(|| HostError::NoExecutable {
            program: invocation.program.clone(),
        })?
    };
    let child = Command::new(program)
        .args(&invocation.arguments)
        .env_clear()
        .env("PATH", search_path())
        // Messages that are read by rinit are in English, times in UTC.
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| HostError::Spawn {
            command: invocation.to_string(),
            source,
        })?;
    let output = tokio::time::timeout(invocation.limit, child.wait_with_output())
        .await
        .map_err(|_| HostError::TimedOut {
            command: invocation.to_string(),
            limit: invocation.limit,
        })?
        .map_err(|source| HostError::Spawn {
            command: invocation.to_string(),
            source,
        })?;
    tracing::debug!(command = %invocation, code = output.status.code(), "ran");
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a process to its end; a failing exit code is an error with the end of what it said.
pub async fn run_to_success(invocation: &Invocation) -> Result<Output> {
    let output = run(invocation).await?;
    if output.success() {
        return Ok(output);
    }
    let said = if output.stderr.trim().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    Err(HostError::Failed {
        command: invocation.to_string(),
        code: output.code,
        output: end_of(said, SHOWN_OUTPUT).to_owned(),
    })
}

/// The executable of that name in the PATH.
pub fn find_executable(name: &str) -> Option<PathBuf> {
    find_in(&search_path(), name)
}

/// The PATH of this process.
pub(crate) fn search_path() -> String {
    match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => path,
        _ => DEFAULT_PATH.to_owned(),
    }
}

fn find_in(path: &str, name: &str) -> Option<PathBuf> {
    path.split(':')
        // An empty element means the working folder, which is no place to look as root.
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join(name))
        .find(|candidate| candidate.metadata().is_ok_and(|data| is_executable(&data)))
}

/// Whether somebody may execute the file.
pub(crate) fn is_executable(data: &std::fs::Metadata) -> bool {
    data.is_file() && data.permissions().mode() & 0o111 != 0
}

/// The last bytes of a text, from a character's beginning on.
fn end_of(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn output_and_exit_code_are_captured() {
        let output = run(&Invocation::new(
            "sh",
            &["-c", "echo out; echo err >&2; exit 3"],
        ))
        .await
        .unwrap();
        assert_eq!(
            output,
            Output {
                code: Some(3),
                stdout: "out\n".into(),
                stderr: "err\n".into()
            }
        );
        let error = run_to_success(&Invocation::new("sh", &["-c", "echo broken >&2; exit 3"]))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh -c echo broken >&2; exit 3` failed with exit code 3: broken"
        );
    }

    #[tokio::test]
    async fn a_process_without_end_is_killed() {
        let begun = Instant::now();
        let invocation = Invocation::new("sleep", &["60"]).within(Duration::from_millis(100));
        assert!(matches!(
            run(&invocation).await,
            Err(HostError::TimedOut { .. })
        ));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn the_environment_is_bare() {
        let output = run(&Invocation::new("env", &[])).await.unwrap();
        let names: Vec<&str> = output
            .stdout
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            .collect();
        assert!(
            names
                .iter()
                .all(|name| ["PATH", "LC_ALL", "TZ", "PWD"].contains(name)),
            "{names:?}"
        );
    }

    #[tokio::test]
    async fn what_is_not_in_the_path_is_named() {
        let error = run(&Invocation::new("no-such-program", &[]))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "executable no-such-program is not in the PATH"
        );
    }

    #[test]
    fn only_executables_in_absolute_folders_are_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tool"), "").unwrap();
        let path = format!("relative::{}", folder.path().display());
        assert_eq!(find_in(&path, "tool"), None);
        std::fs::set_permissions(
            folder.path().join("tool"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        assert_eq!(find_in(&path, "tool"), Some(folder.path().join("tool")));
    }

    #[test]
    fn the_end_of_a_text_begins_with_a_whole_character() {
        assert_eq!(end_of("aé", 1), "");
        assert_eq!(end_of("aé", 2), "é");
        assert_eq!(end_of("aé", 9), "aé");
    }
}
