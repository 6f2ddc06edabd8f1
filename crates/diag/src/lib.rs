//! How rinit speaks of trouble: problems with a way out, error chains, exit codes.
//!
//! Every crate has its own error enum; this crate holds what they share. It never prints, never
//! ends the process, and knows nothing of Kubernetes.

mod diff;
mod probable;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

pub use diff::{WITHHELD, holds_variables, text_diff};
pub use probable::probable;

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

/// The same text without user names and passwords in URLs, such as a proxy's, also where the
/// scheme was forgotten.
pub fn mask_credentials(text: &str) -> String {
    let text = &mask_passwords_with_blanks(text);
    let text = &mask_bearers(text);
    let mut masked = String::with_capacity(text.len());
    // A password may hold a slash; only the end of the word ends it for certain.
    for word in text.split_inclusive(|c: char| c.is_whitespace() || c == '"') {
        let parts = word
            .split_once("://")
            .and_then(|(scheme, after)| Some((scheme, after.rsplit_once('@')?.1)));
        match parts {
            Some((scheme, host)) => masked.extend([scheme, "://<secret>@", host]),
            None => match word.rsplit_once('@') {
                // An image by its digest has a slash before it.
                Some((before, host)) if before.contains(':') && !before.contains('/') => {
                    let begin = before.len()
                        - before
                            .trim_start_matches(['`', '\'', '[', '(', '{', '-'])
                            .len();
                    masked.extend([&before[..begin], "<secret>@", host]);
                }
                _ => masked.push_str(word),
            },
        }
    }
    masked
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

/// The same for what stands behind the word that an `Authorization` header begins with (RFC 6750).
fn mask_bearers(text: &str) -> Cow<'_, str> {
    const BEARER: &str = "bearer ";
    // Most texts have none.
    let lower = text.to_ascii_lowercase();
    if !lower.contains(BEARER) {
        return text.into();
    }
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for (start, word) in lower.match_indices(BEARER) {
        // In a sentence it is a word as others.
        let before = lower[..start]
            .split(' ')
            .rev()
            .find(|word| !word.is_empty());
        if start < at || before.is_some_and(|word| ["a", "the"].contains(&word)) {
            continue;
        }
        let token = start + word.len();
        let token = token + text[token..].len() - text[token..].trim_start_matches(' ').len();
        let end = text[token..]
            .find(|one: char| one.is_whitespace() || "\"'`,]})".contains(one))
            .map_or(text.len(), |length| token + length);
        masked.extend([&text[at..token], "<secret>"]);
        at = end;
    }
    masked.push_str(&text[at..]);
    masked.into()
}

/// The same where a password has a blank in it: behind the colon stands no port, and an `@` later.
fn mask_passwords_with_blanks(text: &str) -> String {
    let mask = |line: &str| {
        let (scheme, rest) = line.split_once("://")?;
        let word = rest.split(char::is_whitespace).next()?;
        let (_, behind) = word.split_once(':')?;
        let port = behind.split('/').next().unwrap_or_default();
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if word.contains('@') || word.starts_with('[') || is_port {
            return None;
        }
        let (_, host) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://<secret>@{host}"))
    };
    text.split_inclusive('\n')
        .map(|line| mask(line).unwrap_or_else(|| line.to_owned()))
        .collect()
}

/// The exit codes of rinit: a contract with scripts, listed in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// What was asked for holds.
    Success = 0,
    /// Something failed while it was being done. Running the command again resumes.
    Failure = 1,
    /// The command line was not understood, or names an unknown phase.
    Usage = 2,
    /// The configuration has errors. Nothing was written.
    Configuration = 3,
    /// The host is not ready, or something on it stands in the way. Nothing was written.
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
            "the command line was not understood, or names an unknown phase",
        ),
        (
            Self::Configuration,
            "the configuration has errors; nothing was written",
        ),
        (
            Self::Blocked,
            "the host is not ready, or something stands in the way; nothing was written",
        ),
        (
            Self::Conflict,
            "the cluster was made with another configuration; nothing was written",
        ),
        (
            Self::Expiring,
            "a certificate is missing, unreadable, not valid yet, not signed by its authority, expired, or expires within the time asked about; or a renewal was cut off",
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
    fn credentials_in_urls_are_masked() {
        assert_eq!(
            mask_credentials("- value: http://u:se/k@p:3128\n+ value: http://p:3128 a@b"),
            "- value: http://<secret>@p:3128\n+ value: http://p:3128 a@b"
        );
        assert_eq!(
            mask_credentials("`root:pw@a:2379` is not a URL"),
            "`<secret>@a:2379` is not a URL"
        );
        assert_eq!(
            mask_credentials("`https://a:x pw@h:1` is not a URL"),
            "`https://<secret>@h:1` is not a URL"
        );
        assert_eq!(
            mask_credentials("- \"Bearer  abc.d\"\nAuthorization: bearer x: y"),
            "- \"Bearer  <secret>\"\nAuthorization: bearer <secret> y"
        );
        for harmless in [
            "the bearer token",
            "http://p:3128 a@b",
            "https://[fd00::1]:1 a@b",
            "plain",
            "a@b",
            "r.io:5000/a@sha256:0",
        ] {
            assert_eq!(mask_credentials(harmless), harmless);
        }
    }

    #[test]
    fn every_exit_code_is_listed_in_order() {
        for (index, (code, _)) in ExitCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
        }
    }
}
