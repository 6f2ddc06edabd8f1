//! Taking secrets out of text that is about to be shown.
//!
//! The schema knows most of them by their field. This module is for the rest: a token under a
//! misspelt name, in a document that does not parse, or in a message of the parser. It rather
//! masks too much than too little.

use crate::source::{Place, Span};

/// What stands where a secret was.
const MASK: &str = "<withheld>";
/// Parts of field names whose values are masked wherever they stand.
const NAMES: [&str; 6] = [
    "token",
    "certificatekey",
    "certkey",
    "password",
    "secret",
    "credential",
];

/// A line of the file with everything masked that looks like a secret.
pub(crate) fn line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let named = NAMES
        .iter()
        .filter_map(|name| lower.find(name).map(|start| start + name.len()))
        .filter_map(|end| lower[end..].find(':').map(|colon| end + colon + 1))
        .filter(|colon| {
            line[*colon..].starts_with([' ', '\t', '"', '\'', '{', '[', '&', '!', '|', '>'])
        })
        .min();
    match named {
        // A list or map on the next lines holds the secret, not this line.
        Some(colon) if !line[colon..].trim().is_empty() => {
            let blank = line[colon..].len() - line[colon..].trim_start().len();
            format!("{}{MASK}", text(&line[..colon + blank]))
        }
        _ => text(line),
    }
}

/// So many lines above another may be the beginning of what it goes on with.
const LINES_ABOVE: usize = 200;

/// What of a line may be a secret in a document that does not parse. Nobody knows what belongs to
/// what there, so it is much: what stands behind a name like that of a secret, and all of a line
/// that by its indentation, an open quote or the line above may belong to such a name.
pub(crate) fn around(lines: &[&str], number: usize) -> Option<Span> {
    let index = number.checked_sub(1)?;
    let line = lines.get(index)?;
    let from = |column: usize| {
        let place = |column| Place {
            line: number,
            column,
        };
        Span {
            start: place(column + 1),
            end: place(line.chars().count() + 1),
        }
    };
    if belongs_to_secret(lines, index) {
        return Some(from(indentation(line)));
    }
    let end = secret_name(line)?;
    let separator = line[end..]
        .chars()
        .take_while(|one| "\"': =\t".contains(*one));
    Some(from(line[..end].chars().count() + separator.count()))
}

fn belongs_to_secret(lines: &[&str], index: usize) -> bool {
    let line = lines[index];
    let has_text = |line: &str| {
        let begin = line.trim_start();
        !begin.is_empty() && !begin.starts_with('#')
    };
    let above = lines[index.saturating_sub(LINES_ABOVE)..index]
        .iter()
        .rev()
        .take_while(|line| !line.starts_with("---"))
        .filter(|line| has_text(line));
    // Whoever is indented less is around; a list item is in a field of the same indentation.
    let (mut column, mut is_item) = (width(line), line.trim_start().starts_with('-'));
    let mut distance = 0;
    for above in above {
        let is_secret = secret_name(above).is_some();
        let goes_on = distance == 0
            || ['"', '\'']
                .iter()
                .any(|quote| above.matches(*quote).count() % 2 == 1);
        if is_secret && goes_on {
            return true;
        }
        if distance == 0 && above.contains("://") && line.contains('@') {
            return true;
        }
        let begin = width(above);
        let starts_item = above.trim_start().starts_with('-');
        if begin < column || (begin == column && is_item && !starts_item) {
            if is_secret {
                return true;
            }
            (column, is_item) = (begin, starts_item);
        }
        // A value by itself is one more of what stands above it.
        distance += usize::from(!above.trim_start().starts_with(':'));
    }
    false
}

/// How far a line is indented, a tab counted as eight.
fn width(line: &str) -> usize {
    line.chars()
        .take_while(|one| one.is_whitespace())
        .map(|one| if one == '\t' { 8 } else { 1 })
        .sum()
}

/// The same in characters.
fn indentation(line: &str) -> usize {
    line.chars().take_while(|one| one.is_whitespace()).count()
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
        .chain(&["extraenvs"])
        .filter_map(|name| lower.find(name).map(|at| at + name.len()))
        .map(|end| {
            end + lower[end..]
                .find(|one| !is_name(one))
                .unwrap_or(lower.len() - end)
        });
    value.chain(named).min()
}

/// Whether a field may have a secret, by its name.
pub(crate) fn may_be_secret(name: &str) -> bool {
    secret_name(name).is_some()
}

/// A key that a text stands behind without a blank, without the text if it may be a secret.
pub(crate) fn key(key: &str) -> std::borrow::Cow<'_, str> {
    match key.find([':', '=']) {
        Some(end) if may_be_secret(&key[..end]) => format!("{}{MASK}", &key[..=end]).into(),
        _ => key.into(),
    }
}

/// A line of the file up to a column, counted in characters from zero, and a mask after it.
pub(crate) fn from_column(text: &str, from: usize) -> String {
    let kept: String = text.chars().take(from).collect();
    let masked = line(&kept);
    if kept.len() == text.len() || masked.ends_with(MASK) {
        return masked;
    }
    masked + MASK
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
                masked.push_str(MASK);
                rest = &after[1 + second.len()..];
            }
            _ => {
                let key = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
                masked.push_str(if key { MASK } else { word });
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
