//! What may be shown of a configuration, a file or an object: the one place that decides it.
//!
//! A value is shown where its field is known as harmless. Of all others only the path and the
//! position are shown, or [`REDACTED`] in their place. Who knows the fields, such as the schema of
//! the configuration, says whether one is harmless; a text that rinit writes itself is known but
//! for the fields that hold secrets by their purpose.

use std::collections::HashSet;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// What stands in the place of a value that is not shown.
pub const REDACTED: &str = "<redacted>";
/// The lines that are shown around a difference.
const CONTEXT: usize = 2;
/// The longest text of a file that is shown, in characters.
const LONGEST: usize = 110;

/// The text of a field as a report shows it, if its field is harmless. A URL may hold a password
/// wherever it stands.
pub fn shown(text: &str, is_harmless: bool) -> Option<String> {
    (is_harmless && !text.is_empty() && !text.contains('@')).then(|| {
        let printable = |next: char| if next.is_control() { ' ' } else { next };
        text.chars().take(LONGEST).map(printable).collect()
    })
}

/// The name of a field, unless it is more than a name, as where the blank before a value is missing:
/// `{token:abcdef.0123456789abcdef}`.
pub fn name(name: &str) -> &str {
    let is_name = |next: char| next.is_alphanumeric() || "-_./".contains(next);
    if name.chars().all(is_name) {
        name
    } else {
        REDACTED
    }
}

/// A message about a value without what may be the password of a URL: all that the message quotes,
/// as a password may hold any character.
pub fn message(text: &str) -> String {
    match (text.find('`'), text.rfind('`')) {
        (Some(start), Some(end)) if text[start..end].contains('@') => {
            format!("{}{REDACTED}{}", &text[..=start], &text[end..])
        }
        _ => redact_credentials(text),
    }
}

/// The same text without user names and passwords in URLs, such as a proxy's, also where the
/// scheme was forgotten.
pub fn redact_credentials(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    // A password may hold a slash; only the end of the word ends it for certain.
    for word in text.split_inclusive(|next: char| next.is_whitespace() || next == '"') {
        let parts = word
            .split_once("://")
            .and_then(|(scheme, after)| Some((scheme, after.rsplit_once('@')?.1)));
        match (parts, word.rsplit_once('@')) {
            (Some((scheme, host)), _) => redacted.extend([scheme, "://", REDACTED, "@", host]),
            // An image by its digest has a slash before it.
            (None, Some((before, host))) if before.contains(':') && !before.contains('/') => {
                redacted.extend([REDACTED, "@", host]);
            }
            _ => redacted.push_str(word),
        }
    }
    redacted
}

/// The unified diff of two YAML texts, the second of which rinit writes. Of the first nothing is
/// shown that the second does not know: values below other fields, and lines without a field.
pub fn text_diff(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let known = Known::by(diff.new_slices());
    let (old, new) = (
        known.shown(diff.old_slices()),
        known.shown(diff.new_slices()),
    );
    let mut text = String::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        text.extend([&hunk.header().to_string(), "\n"]);
        for change in hunk.iter_changes() {
            let line = match change.tag() {
                ChangeTag::Insert => change.new_index().and_then(|index| new.get(index)),
                ChangeTag::Delete | ChangeTag::Equal => {
                    change.old_index().and_then(|index| old.get(index))
                }
            };
            let line = line.map_or(REDACTED, String::as_str);
            text.extend([&change.tag().to_string(), line, "\n"]);
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    redact_credentials(text.trim_end())
}

/// A value of an object that rinit writes, or of the same object as it stands, by the JSON pointer
/// of where it is in the object.
pub fn value(pointer: &str, value: &Value) -> Value {
    let is_below = pointer.rsplit_once('/').is_some_and(|(above, name)| {
        holds_secrets(name) || name != "name" && above.split('/').any(holds_secrets)
    });
    redacted(value, is_below)
}

fn redacted(value: &Value, is_below: bool) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let is_name = is_below && key == "name" && value.is_string();
                let is_below = !is_name && (is_below || holds_secrets(key));
                (key.clone(), redacted(value, is_below))
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| redacted(item, is_below)).collect(),
        Value::Null => Value::Null,
        _ if is_below => REDACTED.into(),
        value => value.clone(),
    }
}

/// Whether what stands below a field of this name may be a secret: variables of an environment and
/// headers but for their names, tokens, keys, passwords.
fn holds_secrets(name: &str) -> bool {
    const NAMES: [&str; 4] = ["token", "tlsbootstraptoken", "certificatekey", "stringdata"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&&*name)
        || name.starts_with("env")
        || ["env", "envs", "vars", "-key-data"]
            .iter()
            .any(|end| name.ends_with(end))
        || ["header", "password", "credential"]
            .iter()
            .any(|part| name.contains(part))
}

/// What a text of rinit says, which makes the same harmless elsewhere.
struct Known<'text> {
    names: HashSet<&'text str>,
    lines: HashSet<&'text str>,
}

/// A line of YAML in its parts.
struct Line<'text> {
    /// What it begins with: blanks, and dashes of items.
    indent: &'text str,
    rest: &'text str,
    /// A field and its value.
    field: Option<(&'text str, &'text str)>,
}

impl<'text> Line<'text> {
    fn new(line: &'text str) -> Self {
        let line = line.trim_end_matches(['\n', '\r']);
        let mut rest = line.trim_start();
        while let Some(item) = rest.strip_prefix("- ") {
            rest = item.trim_start();
        }
        // A line of a file of variables has no blank there.
        let variable = rest.split_once('=').filter(|_| rest.len() == line.len());
        let field = rest
            .split_once(':')
            .filter(|(_, after)| after.is_empty() || after.starts_with([' ', '\t']))
            .or(variable)
            .filter(|(name, _)| !bare(name).is_empty() && self::name(bare(name)) == bare(name));
        Self {
            indent: &line[..line.len() - rest.len()],
            rest,
            field,
        }
    }

    /// Whether fields may stand in its value that are not looked at.
    fn is_flow(&self) -> bool {
        let value = self.field.map_or(self.rest, |(_, value)| value.trim());
        value.starts_with(['{', '[']) && !["{}", "[]"].contains(&value)
    }
}

impl<'text> Known<'text> {
    fn by(written: &[&'text str]) -> Self {
        let lines = || written.iter().map(|line| Line::new(line));
        Self {
            names: lines()
                .filter_map(|line| line.field)
                .map(|(name, _)| bare(name))
                .collect(),
            lines: lines().map(|line| line.rest).collect(),
        }
    }

    /// The lines as they may be shown.
    fn shown(&self, lines: &[&str]) -> Vec<String> {
        // The fields that a line stands below: their columns, and whether they are redacted.
        let mut above: Vec<(usize, bool)> = Vec::new();
        let mut shown = Vec::with_capacity(lines.len());
        for line in lines.iter().map(|line| Line::new(line)) {
            let Line { indent, rest, .. } = line;
            if rest.is_empty() {
                shown.push(indent.to_owned());
                continue;
            }
            let column = indent.len();
            while above.last().is_some_and(|(other, _)| *other >= column) {
                above.pop();
            }
            let is_below = above.iter().any(|(_, is_redacted)| *is_redacted);
            let Some((name, value)) = line.field else {
                // An item of a list that is known, or a line of a text that is written as well.
                let is_known = indent.ends_with("- ") || self.lines.contains(rest);
                let is_shown = is_known && !is_below && !line.is_flow();
                shown.push(format!(
                    "{indent}{}",
                    if is_shown { rest } else { REDACTED }
                ));
                continue;
            };
            let holds_secrets = holds_secrets(bare(name)) || !self.names.contains(bare(name));
            // That of a variable, and no line of its value.
            let is_variable = bare(name) == "name" && above.last().is_some_and(|(_, it)| *it);
            let is_shown = (!is_below || is_variable) && !holds_secrets && !line.is_flow();
            shown.push(if is_shown || value.trim().is_empty() {
                format!("{indent}{rest}")
            } else {
                format!("{indent}{name}: {REDACTED}")
            });
            above.push((column, holds_secrets));
        }
        shown
    }
}

fn bare(name: &str) -> &str {
    name.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_and_headers_are_redacted() {
        let old = "\
spec:
  containers:
  - command:
    - etcd
    env:
    - name: A
      value: old password
    - name: B
      value: |-
        - several
        lines: of it
        - name: old
    - valueFrom: {x: y}
    image: i:1
header:
  Authorization:
  - Bearer old
";
        let new = old
            .replace("old", "new")
            .replace("of it", "of them")
            .replace("x: y", "x: z")
            .replace("i:1", "i:2");
        let diff = text_diff(old, &new);
        assert_eq!(
            diff,
            "\
@@ -5,13 +5,13 @@
     env:
     - name: A
-      value: <redacted>
+      value: <redacted>
     - name: B
       value: <redacted>
         - <redacted>
-        lines: <redacted>
-        - name: <redacted>
-    - valueFrom: <redacted>
-    image: i:1
+        lines: <redacted>
+        - name: <redacted>
+    - valueFrom: <redacted>
+    image: i:2
 header:
   Authorization:
-  - <redacted>
+  - <redacted>"
        );
    }

    #[test]
    fn what_rinit_does_not_write_is_redacted() {
        let new = "a:\n- --x=1\nb: 2\ntext: |\n  .:53 {\n      errors\n  }\nARGS=\"--c=d\"\n";
        for (old, shown) in [
            ("a:\n- --x=2\n", "-- --x=2"),
            ("b: 1 # c", "-b: 1 # c"),
            ("ARGS=\"--c=e\"\n", "-ARGS=\"--c=e\""),
            ("OTHER=pw\n", "-OTHER: <redacted>"),
            ("c: pw\n", "-c: <redacted>"),
            ("c:\n  b: pw\n", "-  b: <redacted>"),
            ("c:\n- pw\n", "-- <redacted>"),
            ("b: {c: pw}\n", "-b: <redacted>"),
            ("b:\n- {c: pw}\n", "-- <redacted>"),
            ("{\"b\": {\"c\": \"pw\"}}\n", "-<redacted>"),
            ("b: x\n   pw\n", "-   <redacted>"),
            ("text: |\n  .:54 {\n", "-  <redacted>"),
            ("b: http://u:p@h\n", "-b: http://<redacted>@h"),
        ] {
            let diff = text_diff(old, new);
            assert!(diff.lines().any(|line| line == shown), "{old}: {diff}");
            assert!(!diff.contains("pw"), "{old}: {diff}");
        }
        let diff = text_diff("", new);
        assert!(
            diff.contains("+      errors\n+  }\n+ARGS=\"--c=d\""),
            "{diff}"
        );
        for secret in ["token: pw", "env: [{value: pw}]", "xHeaders:\n  A: pw"] {
            let diff = text_diff("", secret);
            assert!(diff.contains(REDACTED) && !diff.contains("pw"), "{diff}");
        }
    }

    #[test]
    fn values_below_secret_fields_are_redacted() {
        let object = json!({"a": 1, "env": [{"name": "A", "value": "pw"}], "token": "pw"});
        assert_eq!(
            value("/spec", &object),
            json!({"a": 1, "env": [{"name": "A", "value": REDACTED}], "token": REDACTED})
        );
        for (pointer, is_shown) in [
            ("/env/0/value", false),
            ("/env/0/name", true),
            ("/data/token", false),
            ("/data/a", true),
            ("", true),
        ] {
            let text = value(pointer, &"x".into());
            assert_eq!(text == "x", is_shown, "{pointer}");
        }
    }

    #[test]
    fn credentials_in_urls_are_redacted() {
        assert_eq!(
            redact_credentials("- value: http://u:se/k@p:3128\n+ value: http://p:3128 a@b"),
            "- value: http://<redacted>@p:3128\n+ value: http://p:3128 a@b"
        );
        for harmless in [
            "https://[fd00::1]:1 a@b",
            "plain",
            "a@b",
            "r.io:5000/a@sha256:0",
        ] {
            assert_eq!(redact_credentials(harmless), harmless);
        }
        for (said, shown) in [
            ("`root:pw@a:2379` is not a URL", "`<redacted>` is not a URL"),
            (
                "`https://a:x pw@h` is not a URL",
                "`<redacted>` is not a URL",
            ),
            ("`https://a:x` is not a URL", "`https://a:x` is not a URL"),
        ] {
            assert_eq!(message(said), shown);
        }
    }

    #[test]
    fn texts_of_harmless_fields_are_shown() {
        assert_eq!(shown("a: b\tc", true), Some("a: b c".to_owned()));
        assert_eq!(shown("a: b", false), None);
        assert_eq!(shown("a: https://u:p@h", true), None);
        assert_eq!(name("featureGates.A-b_c/d"), "featureGates.A-b_c/d");
        assert_eq!(name("token:abcdef"), REDACTED);
        assert_eq!(name("A=pw"), REDACTED);
    }
}
