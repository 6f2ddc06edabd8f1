//! The `jsonpath=` templates of kubectl and kubeadm, as far as scripts use them: text with paths in
//! braces, as RFC 9535 has them. Ranges are not there: a template that is not understood is an
//! error, since an empty answer would look like one.

use serde_json::Value;
use serde_json_path::JsonPath;

/// A template.
#[derive(Debug, Clone)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Path(JsonPath),
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its other one.
    #[error("a brace in the template has no other one")]
    Unbalanced,
    /// Neither a path nor a text in quotes.
    #[error("\"{expression}\" in the template is not a path: {reason}")]
    Expression {
        /// What is between the braces.
        expression: String,
        /// Why not.
        reason: String,
    },
    /// Nothing in braces.
    #[error("the template has no path in braces")]
    Empty,
}

impl Template {
    /// Reads a template such as `{.certificates[?(@.residualTime<86400)].name}`. One without braces
    /// is a path as a whole.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.contains(['{', '}']) && text.starts_with(['.', '$', '[']) {
            return Ok(Self(vec![expression(text)?]));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let end = closing(after).ok_or(TemplateError::Unbalanced)?;
            if before.contains('}') {
                return Err(TemplateError::Unbalanced);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(expression(after[..end].trim())?);
            rest = &after[end + 1..];
        }
        if rest.contains('}') {
            return Err(TemplateError::Unbalanced);
        }
        if !parts.iter().any(|part| matches!(part, Part::Path(_))) {
            return Err(TemplateError::Empty);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Returns what the template makes of a document. Several values are separated by blanks; a
    /// path that leads nowhere is empty.
    pub fn render(&self, document: &Value) -> String {
        let render = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Path(path) => {
                let found = path.query(document);
                let values: Vec<String> = found.iter().map(|value| shown(value)).collect();
                values.join(" ")
            }
        };
        self.0.iter().map(render).collect()
    }
}

/// Where the brace closes that is open at the beginning, not counting those in quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '}') => return Some(index),
            _ => {}
        }
    }
    None
}

fn expression(text: &str) -> Result<Part, TemplateError> {
    let refused = |reason: &dyn std::fmt::Display| TemplateError::Expression {
        expression: text.to_owned(),
        reason: reason.to_string(),
    };
    if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
        let literal: String = serde_json::from_str(text).map_err(|error| refused(&error))?;
        return Ok(Part::Text(literal));
    }
    let path = match text.chars().next() {
        Some('.' | '[') => format!("${text}"),
        Some('$') => text.to_owned(),
        _ => return Err(refused(&"a path begins with `.`")),
    };
    let path = JsonPath::parse(&path).map_err(|error| refused(&error))?;
    Ok(Part::Path(path))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> String {
        let document = json!({"kind": "Info", "certificates": [
            {"name": "a", "residualTime": 100, "missing": false},
            {"name": "b", "residualTime": 5000, "missing": true},
        ]});
        Template::parse(template).unwrap().render(&document)
    }

    #[test]
    fn paths_in_braces_are_filled_in() {
        for (template, expected) in [
            ("{.kind}", "Info"),
            (".kind", "Info"),
            ("{$.kind}{\"\\n\"}", "Info\n"),
            ("kind: {.kind}, {.nothing}.", "kind: Info, ."),
            ("{.certificates[*].name}", "a b"),
            ("{.certificates[0].residualTime}", "100"),
            ("{.certificates[?(@.name=='b')].missing}", "true"),
            // kubespray's timer renews if this is not empty.
            ("{.certificates[?(@.residualTime<1000.0)].name}", "a"),
            ("{.certificates[?(@.residualTime<10.0)]}", ""),
            (
                "{.certificates[?(@.residualTime<1000.0)]}",
                r#"{"missing":false,"name":"a","residualTime":100}"#,
            ),
        ] {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for template in [
            "",
            "text",
            "{.kind",
            ".kind}",
            "{range .certificates[*]}{.name}{end}",
            "{.certificates[}",
            "{\"text\"}",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }
}
