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

/// What of a line may be a secret in a document that does not parse: what the line says of a field
/// with such a name, or of a `value`, or whatever it says if the next field above it is such a one.
pub(crate) fn around(text: &str, number: usize) -> Option<Span> {
    let lines: Vec<&str> = text.lines().take(number).collect();
    let line = lines.last()?;
    let whole = |from: usize| {
        let place = |column| Place {
            line: number,
            column,
        };
        Span {
            start: place(from + 1),
            end: place(line.chars().count() + 1),
        }
    };
    if let Some(end) = fields(line)
        .filter(|(name, _)| may_be_secret(name))
        .map(|(_, end)| end)
        .next()
    {
        let kept = &line[..end];
        return Some(whole(kept.chars().count() + blank_count(&line[end..])));
    }
    if fields(line).next().is_some() {
        return None;
    }
    let (name, _) = lines.iter().rev().find_map(|line| fields(line).next())?;
    may_be_secret(name).then(|| whole(blank_count(line)))
}

fn blank_count(text: &str) -> usize {
    text.chars().take_while(|one| one.is_whitespace()).count()
}

/// Whether a field may have a secret, by its name.
pub(crate) fn may_be_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "value" || lower == "extraenvs" || NAMES.iter().any(|part| lower.contains(part))
}

/// The names in a line that a colon follows, and where each colon ends, in bytes.
fn fields(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices(':').filter_map(|(colon, _)| {
        let before = line[..colon].trim_end_matches([' ', '\t', '"', '\'']);
        let is_part = |one: char| one.is_alphanumeric() || matches!(one, '_' | '-' | '.' | '/');
        let begin = before.rfind(|one| !is_part(one)).map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
        let name = &before[begin..];
        let is_field = line[colon + 1..]
            .chars()
            .next()
            .is_none_or(|next| next.is_whitespace() || "\"'{[&!|>*@%`".contains(next));
        (!name.is_empty() && is_field).then_some((name, colon + 1))
    })
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
