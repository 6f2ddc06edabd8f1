//! Taking secrets out of text that is about to be shown.
//!
//! The schema knows most of them by their field. This module is for the rest: a token under a
//! misspelt name, in a document that does not parse, or in a message of the parser. It rather
//! masks too much than too little.

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
