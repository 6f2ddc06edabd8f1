//! How rinit speaks of trouble: problems with a way out, error chains, exit codes, and what of a
//! file or object may be shown ([`redact`]).
//!
//! Every crate has its own error enum; this crate holds what they share. It never prints, never
//! ends the process, and knows nothing of Kubernetes.

mod probable;
pub mod redact;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

pub use probable::probable;
pub use redact::{REDACTED, redact_credentials, text_diff};

/// One thing that is wrong, said to the person who can change it.
///
/// The message is a fragment that starts in lower case and has no full stop; the hint is a
/// sentence that names the way out, with a command in backticks where there is one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What is wrong, and where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a known way out.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// The same problem with a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem behind an error: its chain as the message, and its hint.
    pub fn from_error<E: Error + Hint>(error: &E) -> Self {
        Self {
            message: chain(error),
            hint: error.hint(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// What a user can do about an error.
pub trait Hint {
    /// A sentence with a way out, or nothing where there is none.
    fn hint(&self) -> Option<String>;
}

/// The error and its sources, joined by `: `.
///
/// Some libraries repeat their source in their own text; a source whose text already stands at
/// the end of what was said is not said again.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(current) = source {
        let next = current.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = current.source();
    }
    text
}

/// A word as a POSIX shell takes it: as it is, or in single quotes.
pub fn shell_word(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The same text with line feeds and other control characters escaped: a terminal obeys them, and a
/// line feed would begin another message.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped.into()
}

/// The exit codes of rinit: a contract with scripts, listed in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// What was asked for holds.
    Success = 0,
    /// Something failed while it was being done. Running the command again resumes.
    Failure = 1,
    /// The command line was not understood, names an unknown phase, or asks for a command that rinit
    /// leaves to kubeadm where there is none.
    Usage = 2,
    /// The configuration has errors. Nothing was written.
    Configuration = 3,
    /// The host is not ready, or something on it blocks the run. Nothing was written.
    Blocked = 4,
    /// The cluster was made with another configuration, and init does not change one.
    /// Nothing was written.
    Conflict = 5,
    /// A certificate is missing, has expired, or expires within the time asked about.
    Expiring = 6,
}

impl ExitCode {
    /// Every exit code with what it means, for the documentation and the help.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Success, "what was asked for holds"),
        (
            Self::Failure,
            "something failed while it was being done; run the command again to resume",
        ),
        (
            Self::Usage,
            "the command line was not understood, names an unknown phase, or is for a kubeadm that is not there",
        ),
        (
            Self::Configuration,
            "the configuration has errors; nothing was written",
        ),
        (
            Self::Blocked,
            "the host is not ready, or something on it blocks the run; nothing was written",
        ),
        (
            Self::Conflict,
            "the cluster was made with another configuration; nothing was written",
        ),
        (
            Self::Expiring,
            "a certificate is missing, unreadable, not valid yet, not signed by its CA, expired, or expires within the time asked about; or a renewal was cut off",
        ),
    ];
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file: {0}")]
    struct Repeats(#[source] std::io::Error);

    #[test]
    fn a_source_is_said_once() {
        let error = Repeats(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "cannot read the file: disk on fire");
    }

    #[test]
    fn every_exit_code_is_listed_in_order() {
        for (index, (code, _)) in ExitCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
        }
    }
}
