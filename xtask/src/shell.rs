//! Running other programs and telling how long each step took.
//!
//! Nothing here knows of components or nodes. Output of a program is either captured, to be
//! shown when it fails, or passed through.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// What a program that has ended left behind.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Captured standard output.
    pub(crate) stdout: String,
    /// Captured standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// True if the program exited with 0.
    pub(crate) fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The same output, or an error that shows `command` and what it printed.
    pub(crate) fn or_fail(self, command: &str) -> Result<Self> {
        if self.success() {
            return Ok(self);
        }
        bail!("`{command}` failed: {self}")
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "exit code {code}")?,
            None => f.write_str("ended by a signal")?,
        }
        for text in [&self.stdout, &self.stderr] {
            if !text.trim().is_empty() {
                write!(f, "\n{}", tail(text.trim_end(), 60))?;
            }
        }
        Ok(())
    }
}

/// Runs `command` to its end with its output captured, feeding it `stdin` if there is any.
pub(crate) fn capture(command: &mut Command, stdin: Option<&[u8]>) -> Result<Output> {
    let shown = show(command);
    command.stdin(if stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        if let (Some(mut pipe), Some(bytes)) = (pipe, stdin) {
            // A program that does not read all its input is no failure of ours.
            scope.spawn(move || pipe.write_all(bytes).ok());
        }
        child.wait_with_output()
    })
    .with_context(|| format!("cannot read what `{shown}` prints"))?;
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `command` with its output captured; its standard output, or an error that shows all.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = show(command);
    Ok(capture(command, None)?.or_fail(&shown)?.stdout)
}

/// Runs `command` with its output passed through.
pub(crate) fn pass(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// True if PATH has `program`.
pub(crate) fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Does `work`, then prints a line with its name and its seconds.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work().with_context(|| name.to_owned());
    let mark = if result.is_ok() { "" } else { "  FAILED" };
    println!("{}  {name}{mark}", seconds(start.elapsed()));
    result
}

/// A duration as a column of seconds.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:7.1} s", duration.as_secs_f64())
}

/// Asks `probe` again and again until it gives a value; an error after `limit`.
///
/// `probe` gives `Err` for what no waiting mends, and `Ok(Err(state))` with what is still amiss.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Result<T, String>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let state = match probe().with_context(|| format!("while waiting until {what}"))? {
            Ok(value) => return Ok(value),
            Err(state) => state,
        };
        if start.elapsed() > limit {
            bail!(
                "not within {} s: {what}; the last state was: {}",
                limit.as_secs(),
                state.trim()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An error with all that led to it, without a backtrace.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let mut text = causes.next().unwrap_or_default();
    for cause in causes {
        text.extend(["\n  because: ", &cause]);
    }
    text
}

/// The last `lines` lines of `text`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
