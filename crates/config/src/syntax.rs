//! Errors of the YAML syntax: where they are, and what was mostly meant.

use granit_parser::{ErrorKind, ScanError};

use crate::rule::Rule;
use crate::source::{Place, Span};
use crate::tree::Fault;

/// The fault of an error of the syntax, with what was mostly meant.
pub(crate) fn syntax_fault(place: Place, error: &ScanError, lines: &[&str]) -> Fault {
    let place = within(place, lines);
    let line = lines.get(place.line - 1).copied().unwrap_or_default();
    let message = error.info();
    Fault {
        rule: Rule::YamlSyntax,
        span: Span {
            start: place,
            end: place,
        },
        hint: syntax_hint(error.kind(), &message, line).map(str::to_owned),
        message: format!("not valid YAML: {}", message.trim_end_matches('.')),
    }
}

/// What mostly was meant.
fn syntax_hint(kind: &ErrorKind, message: &str, line: &str) -> Option<&'static str> {
    let begin = line.trim_start();
    let indent = &line[..line.len() - begin.len()];
    if indent.contains('\t') && message.contains("tab") {
        return Some("indent with spaces; YAML does not take tabs there");
    }
    if ["<<<<<<<", "=======", ">>>>>>>"]
        .iter()
        .any(|mark| begin.starts_with(mark))
    {
        return Some("settle this conflict of two versions of the file");
    }
    if line.contains("{{") {
        return Some("fill in the template, or put a text with `{{` in quotes");
    }
    match kind {
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => {
            Some("write a backslash in double quotes as `\\\\`, or use single quotes")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            Some("a quote within single quotes is written as `''`")
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            Some("a quote within double quotes is written as `\\\"`")
        }
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::DocumentIndicatorInQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::TabInIndentation => Some("close the quote that an earlier line opens"),
        ErrorKind::UnexpectedCharacter { .. } => {
            Some("put a text that begins with that character in quotes")
        }
        _ if message.contains("mapping values") => Some(if line.matches(": ").count() > 1 {
            "put a text with `: ` in it in quotes"
        } else {
            "indent it as the fields beside it"
        }),
        _ => odd_characters(line),
    }
}

/// What is odd in a line of which the parser only says that it expects something else.
fn odd_characters(line: &str) -> Option<&'static str> {
    let text = line.split(" #").next().unwrap_or_default();
    let value = text.split_once(": ").map_or(text, |(_, value)| value);
    let value = value.trim_start_matches([' ', '-']);
    if text.contains(is_invisible) {
        return Some("the line has an invisible character, such as U+00A0: type its blanks again");
    }
    if value.starts_with('[') && value.contains("]:") {
        return Some("put a text that begins with `[` in quotes");
    }
    let is_plain = !text.contains(['"', '\'']);
    (is_plain && text.contains(['[', '{']) && text.replace(' ', "").contains(",,"))
        .then_some("take out the comma that has nothing before it")
}

/// A blank that YAML takes for a letter, as web pages have them.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{2060}' | '\u{3000}' | '\u{feff}'
    )
}

/// The same place, or the end of the last line with text if it is after that.
fn within(place: Place, lines: &[&str]) -> Place {
    if place.line <= lines.len() {
        return place;
    }
    let last = lines.iter().rposition(|line| !line.trim().is_empty());
    let line = last.unwrap_or_default();
    Place {
        line: line + 1,
        column: lines
            .get(line)
            .map_or(0, |line| line.trim_end().chars().count())
            + 1,
    }
}
