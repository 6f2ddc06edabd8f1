//! Taking secrets out of text that is about to be shown.
//!
//! The schema knows most of them by their field. This module is for the rest: a token under a
//! misspelt name, in a document that does not parse, or in a message of the parser. It rather
//! masks too much than too little.

use std::collections::HashSet;

use rinit_diag::WITHHELD;

use crate::component_fields;
use crate::documents::KINDS;
use crate::source::{Place, Span};
use crate::withheld::each_field;

/// Parts of field names whose values are masked wherever they stand.
const NAMES: [&str; 6] = [
    "token",
    "certificatekey",
    "certkey",
    "password",
    "secret",
    "credential",
];

/// Whether a field's name in lower case is like that of a secret.
pub(crate) fn is_named_like_a_secret(lower: &str) -> bool {
    NAMES.iter().any(|name| lower.contains(name))
}

/// A line of the file with everything masked that looks like a secret.
pub(crate) fn line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let named = NAMES
        .iter()
        .filter_map(|name| value_behind(line, &lower, name))
        .min();
    match named {
        // A list or map on the next lines holds the secret, not this line.
        Some(colon) if !line[colon..].trim().is_empty() => {
            let blank = line[colon..].len() - line[colon..].trim_start().len();
            format!("{}{WITHHELD}", text(&line[..colon + blank]))
        }
        _ => text(line),
    }
}

/// Where the value begins that stands behind the first field with such a name, in bytes.
fn value_behind(line: &str, lower: &str, name: &str) -> Option<usize> {
    // A line may have very many of a name and few colons.
    let mut colon = 0;
    for (start, _) in lower.match_indices(name) {
        let end = start + name.len();
        if colon < end {
            colon = end + lower[end..].find(':')?;
            let value = &line[colon + 1..];
            if value.starts_with([' ', '\t', '"', '\'', '{', '[', '&', '!', '|', '>']) {
                return Some(colon + 1);
            }
        }
    }
    None
}

/// So many lines above another may be the beginning of what it goes on with.
const LINES_ABOVE: usize = 100;

/// The lines of a file that does not parse, and what there is to know of each.
pub(crate) struct Broken {
    lines: Vec<Known>,
}

/// What there is to know of a line. A file may be one long line with many findings.
struct Known {
    /// The column behind the first name that may be that of a secret, in characters from zero.
    secret: Option<usize>,
    /// The column in which it begins, in characters from zero.
    begin: usize,
    /// Whether it begins with a field of kubeadm's documents.
    has_field: bool,
    /// Whether something in it may be a user and a host.
    has_at: bool,
}

impl Broken {
    pub(crate) fn new(lines: &[&str]) -> Self {
        let fields = known_fields();
        let lines = lines.iter().map(|line| {
            let begin = line.trim_start_matches([' ', '\t', '-']);
            let name = begin
                .split_once(':')
                .map(|(name, _)| name.trim_matches(['"', '\'']));
            let secret = secret_name(line).map(|end| {
                let separator = line[end..]
                    .chars()
                    .take_while(|one| "\"': =\t".contains(*one));
                line[..end].chars().count() + separator.count()
            });
            Known {
                secret,
                begin: line.chars().take_while(|one| one.is_whitespace()).count(),
                has_field: name.is_some_and(|name| fields.contains(name)),
                has_at: line.contains('@'),
            }
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// What of a line may be a secret: what stands behind a name like that of a secret, and all of a
    /// line with no field of its own below such a name. Nobody knows what belongs to what there.
    pub(crate) fn secret_in(&self, number: usize) -> Option<Span> {
        let index = number.checked_sub(1)?;
        let line = self.lines.get(index)?;
        let column = if self.belongs_to_secret(index) {
            line.begin
        } else {
            line.secret?
        };
        let place = Place {
            line: number,
            column: column + 1,
        };
        Some(Span {
            start: place,
            end: place,
        })
    }

    fn belongs_to_secret(&self, index: usize) -> bool {
        let line = &self.lines[index];
        let mut above = self.lines[index.saturating_sub(LINES_ABOVE)..index]
            .iter()
            .rev();
        !line.has_field && (line.has_at || above.any(|above| above.secret.is_some()))
    }
}

/// The names of all fields of kubeadm's documents.
fn known_fields() -> HashSet<&'static str> {
    let mut names = HashSet::from(["apiVersion", "kind"]);
    for (_, schema) in KINDS {
        each_field(schema, &mut |name, _| {
            names.insert(name);
        });
    }
    names.extend(component_fields::names());
    names
}

/// Where the first name in a line ends that may be that of a secret, in bytes.
fn secret_name(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let is_name = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let value = lower
        .match_indices("value")
        .map(|(at, name)| (at, at + name.len()))
        .filter(|(at, end)| !lower[..*at].ends_with(is_name) && !lower[*end..].starts_with(is_name))
        .map(|(_, end)| end);
    let named = NAMES
        .iter()
        .chain(&["extraenv", "urlheader", "bearer"])
        .filter_map(|name| lower.find(name).map(|at| at + name.len()))
        .map(|end| {
            end + lower[end..]
                .find(|one| !is_name(one))
                .unwrap_or(lower.len() - end)
        });
    value.chain(named).min()
}

/// Whether a field may have a secret, by its name.
fn may_be_secret(name: &str) -> bool {
    secret_name(name).is_some()
}

/// A key that a text stands behind without a blank, without the text if it may be a secret.
pub(crate) fn key(key: &str) -> std::borrow::Cow<'_, str> {
    match key.find([':', '=']) {
        Some(end) if may_be_secret(&key[..end]) => format!("{}{WITHHELD}", &key[..=end]).into(),
        _ => key.into(),
    }
}

/// A line of the file up to a column, counted in characters from zero, and a mask after it.
pub(crate) fn from_column(text: &str, from: usize) -> String {
    let kept: String = text.chars().take(from).collect();
    let masked = line(&kept);
    if kept.len() == text.len() || masked.ends_with(WITHHELD) {
        return masked;
    }
    masked + WITHHELD
}

/// Any text with everything masked that has the form of a token or key, or stands before the host of a
/// URL.
pub(crate) fn text(text: &str) -> String {
    let text = rinit_diag::mask_credentials(text);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|next: char| next.is_ascii_alphanumeric()) {
        let (before, from) = rest.split_at(start);
        masked.push_str(before);
        let end = from
            .find(|next: char| !next.is_ascii_alphanumeric())
            .unwrap_or(from.len());
        let word = &from[..end];
        let after = &from[end..];
        let second = after.strip_prefix('.').map(|tail| {
            &tail[..tail
                .find(|next: char| !next.is_ascii_alphanumeric())
                .unwrap_or(tail.len())]
        });
        match second {
            Some(second) if word.len() == 6 && second.len() == 16 => {
                masked.push_str(WITHHELD);
                rest = &after[1 + second.len()..];
            }
            _ => {
                let key = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
                masked.push_str(if key { WITHHELD } else { word });
                rest = after;
            }
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_by_form() {
        assert_eq!(text("a abcdef.0123456789abcdef b"), "a <withheld> b");
        assert_eq!(text(&format!("k: {}", "0f".repeat(32))), "k: <withheld>");
        assert_eq!(text("`https://root:pw@a:1`"), "`https://<secret>@a:1`");
        for harmless in [
            "registry.k8s.io/kube-apiserver:v1.37.2",
            "system.authenticated",
            "10.96.0.0/12",
            "é",
            "",
        ] {
            assert_eq!(text(harmless), harmless);
        }
    }

    #[test]
    fn masks_by_name() {
        assert_eq!(line("  - token: short"), "  - token: <withheld>");
        assert_eq!(
            line("{\"tokn\": 1, \"token\":\"x\"}"),
            "{\"tokn\": 1, \"token\":<withheld>"
        );
        assert_eq!(line("bootstrapTokens:"), "bootstrapTokens:");
        assert_eq!(line("bootstrapToken: # why"), "bootstrapToken: <withheld>");
        assert_eq!(line("tokenTTL: 5"), "tokenTTL: <withheld>");
        assert_eq!(line("name: node-1"), "name: node-1");
        assert_eq!(
            line("{server: \"https://token.io:1\", token: x}"),
            "{server: \"https://token.io:1\", token: <withheld>"
        );
    }

    #[test]
    fn masks_from_a_column() {
        assert_eq!(from_column("key: value", 5), "key: <withheld>");
        assert_eq!(from_column("key: value", 10), "key: value");
        assert_eq!(from_column("é: value", 3), "é: <withheld>");
        // What stands before the column is longer than its mask.
        let line = format!("{{{}: 1, a: value}}", "0f".repeat(32));
        assert_eq!(from_column(&line, 73), "{<withheld>: 1, a: <withheld>");
        assert_eq!(from_column("token: &t value", 10), "token: <withheld>");
    }
}
