//! What differs between two texts, without the passwords in them.

use similar::{ChangeTag, TextDiff};

/// What stands where something was withheld.
pub const WITHHELD: &str = "<withheld>";
/// The lines that are shown around a difference.
const CONTEXT: usize = 2;

/// The unified diff of two YAML texts. Variables of an environment and headers may be passwords,
/// whatever their names, so that their values are withheld, and so are credentials in URLs.
pub fn text_diff(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let (old, new) = (shown(diff.old_slices()), shown(diff.new_slices()));
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
            let line = line.map_or(WITHHELD, String::as_str);
            text.extend([&change.tag().to_string(), line, "\n"]);
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    crate::mask_credentials(text.trim_end())
}

/// A key of YAML that a line belongs to.
struct Key {
    /// The column in which it begins, in characters.
    column: usize,
    /// Whether what stands below it is withheld.
    is_secret: bool,
}

/// The lines as they may be shown.
fn shown(lines: &[&str]) -> Vec<String> {
    let mut above: Vec<Key> = Vec::new();
    let mut shown = Vec::with_capacity(lines.len());
    for line in lines {
        let line = line.trim_end_matches(['\n', '\r']);
        let begin = line.trim_start_matches([' ', '\t', '-']);
        if begin.is_empty() {
            shown.push(line.to_owned());
            continue;
        }
        let column = line.len() - begin.len();
        while above.last().is_some_and(|key| key.column >= column) {
            above.pop();
        }
        let is_below = above.iter().any(|key| key.is_secret);
        let key = begin.split_once(':').filter(|(name, after)| {
            is_name(name) && (after.is_empty() || after.starts_with([' ', '\t']))
        });
        let Some((name, value)) = key else {
            shown.push(match (is_below, secret_within(begin)) {
                (true, _) => format!("{}{WITHHELD}", &line[..column]),
                (false, Some(end)) => format!("{}{WITHHELD}", &line[..column + end]),
                (false, None) => line.to_owned(),
            });
            continue;
        };
        let is_secret = holds_variables(bare(name));
        // That of a variable, and no line of its value.
        let is_variable = bare(name) == "name" && above.last().is_some_and(|key| key.is_secret);
        let is_withheld = (is_below && !is_variable) || is_secret;
        shown.push(if is_withheld && !value.trim().is_empty() {
            format!("{}{name}: {WITHHELD}", &line[..column])
        } else if let Some(end) = secret_within(value) {
            format!("{}{name}:{}{WITHHELD}", &line[..column], &value[..end])
        } else {
            line.to_owned()
        });
        above.push(Key { column, is_secret });
    }
    shown
}

fn bare(name: &str) -> &str {
    name.trim().trim_matches(['"', '\''])
}

fn is_name(name: &str) -> bool {
    let name = bare(name);
    !name.is_empty() && !name.contains([' ', '{', '[', '"', '\''])
}

/// Whether a field of that name holds variables of an environment or headers, any of which may be a
/// password.
pub fn holds_variables(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("env")
        || name.ends_with("env")
        || name.ends_with("envs")
        || name.contains("extraenv")
        || name.ends_with("vars")
        || name.contains("header")
}

/// Where such a field ends that stands within a line, as in JSON.
fn secret_within(line: &str) -> Option<usize> {
    line.match_indices(':').map(|(at, _)| at).find_map(|colon| {
        let name = line[..colon].trim_end_matches([' ', '"', '\'']);
        let begin = name
            .rfind(|one: char| !one.is_ascii_alphanumeric() && one != '_')
            .map_or(0, |before| before + 1);
        (line[..begin].contains('{') && holds_variables(&name[begin..])).then_some(colon + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_headers_are_withheld() {
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
-      value: <withheld>
+      value: <withheld>
     - name: B
       value: <withheld>
         - <withheld>
-        lines: <withheld>
-        - name: <withheld>
-    - valueFrom: <withheld>
-    image: i:1
+        lines: <withheld>
+        - name: <withheld>
+    - valueFrom: <withheld>
+    image: i:2
 header:
   Authorization:
-  - <withheld>
+  - <withheld>"
        );
    }

    #[test]
    fn other_layouts_are_withheld_too() {
        for (old, shown) in [
            (
                "{\"a\": {\"env\": [{\"value\": \"x\"}]}}",
                "{\"a\": {\"env\":<withheld>",
            ),
            ("a: {env: [{value: x}]}", "a: {env:<withheld>"),
            ("extraEnvs: [{value: x}]", "extraEnvs: <withheld>"),
            ("- \"env\" : [x]", "- \"env\" : <withheld>"),
        ] {
            let expected = format!("@@ -1 +1 @@\n-{shown}\n+b: 1");
            assert_eq!(text_diff(&format!("{old}\n"), "b: 1\n"), expected);
        }
        for harmless in ["- name: environment", "value: x", "a: b:c", "- --env=x"] {
            let expected = format!("@@ -1 +1 @@\n-{harmless}\n+b: 1");
            assert_eq!(text_diff(&format!("{harmless}\n"), "b: 1\n"), expected);
        }
        // What belongs to nothing that is known.
        assert_eq!(
            text_diff("value: http://u:p@h\r\nx: y", ""),
            "@@ -1,2 +0,0 @@\n-value: http://<secret>@h\n-x: y\n\\ No newline at end of file"
        );
    }
}
