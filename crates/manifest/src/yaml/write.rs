//! The layout of a document: indents, dashes, folded lines.

use serde_json::{Map, Number, Value};

use super::order::in_order;
use super::scalar::{Style, is_break, is_printable, style_of};

/// Columns behind which a space becomes a line break.
const WIDTH: usize = 80;
/// Spaces of one level.
const STEP: usize = 2;

/// Writes one document.
pub(super) fn document(value: &Value) -> String {
    let mut writer = Writer::default();
    match value {
        Value::Object(map) if !map.is_empty() => writer.mapping(map, 0),
        Value::Array(items) if !items.is_empty() => writer.sequence(items, 0),
        scalar => writer.scalar(scalar, STEP),
    }
    writer.fresh_line();
    writer.text
}

/// A text under way, and where its last line ends.
#[derive(Default)]
struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    /// The entries of a mapping; the first stands where the writer is.
    fn mapping(&mut self, map: &Map<String, Value>, indent: usize) {
        for (index, (key, value)) in in_order(map).into_iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.key(key);
            self.put(':');
            match value {
                Value::Object(map) if !map.is_empty() => {
                    self.line(indent + STEP);
                    self.mapping(map, indent + STEP);
                }
                Value::Array(items) if !items.is_empty() => {
                    self.line(indent);
                    self.sequence(items, indent);
                }
                scalar => {
                    self.put(' ');
                    self.scalar(scalar, indent + STEP);
                }
            }
        }
    }

    /// The items of a list; the first dash stands where the writer is.
    fn sequence(&mut self, items: &[Value], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.line(indent);
            }
            self.put('-');
            self.put(' ');
            match item {
                Value::Object(map) if !map.is_empty() => self.mapping(map, indent + STEP),
                Value::Array(items) if !items.is_empty() => self.sequence(items, indent + STEP),
                scalar => self.scalar(scalar, indent + STEP),
            }
        }
    }

    /// Anything that fits behind a key; further lines of it are indented by `indent`.
    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put_all("null"),
            Value::Bool(value) => self.put_all(if *value { "true" } else { "false" }),
            Value::Number(number) => self.put_all(&number_text(number)),
            Value::String(text) => self.string(text, indent),
            Value::Array(_) => self.put_all("[]"),
            Value::Object(_) => self.put_all("{}"),
        }
    }

    fn string(&mut self, text: &str, indent: usize) {
        match style_of(text) {
            Style::Plain => self.plain(text, Some(indent)),
            Style::SingleQuoted => self.single_quoted(text, Some(indent)),
            Style::DoubleQuoted => self.double_quoted(text, Some(indent)),
            Style::Literal => self.literal(text, indent),
        }
    }

    /// A key stays on its line whatever its length.
    fn key(&mut self, text: &str) {
        match style_of(text) {
            Style::Plain => self.plain(text, None),
            Style::SingleQuoted => self.single_quoted(text, None),
            Style::DoubleQuoted | Style::Literal => self.double_quoted(text, None),
        }
    }

    fn plain(&mut self, text: &str, fold: Option<usize>) {
        let mut after_space = false;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let before_space = characters.peek() == Some(&' ');
            if character == ' ' {
                match fold {
                    Some(indent) if !after_space && self.column > WIDTH && !before_space => {
                        self.line(indent);
                    }
                    _ => self.put(' '),
                }
            } else {
                self.put(character);
            }
            after_space = character == ' ';
        }
    }

    fn single_quoted(&mut self, text: &str, fold: Option<usize>) {
        self.put('\'');
        let mut after_space = false;
        let mut characters = text.chars().enumerate().peekable();
        while let Some((index, character)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            match (character, fold) {
                (' ', Some(indent))
                    if !after_space
                        && self.column > WIDTH
                        && index > 0
                        && next.is_some_and(|next| next != ' ') =>
                {
                    self.line(indent);
                }
                ('\'', _) => self.put_all("''"),
                _ => self.put(character),
            }
            after_space = character == ' ';
        }
        self.put('\'');
    }

    fn double_quoted(&mut self, text: &str, fold: Option<usize>) {
        self.put('"');
        let mut after_space = false;
        let mut characters = text.chars().enumerate().peekable();
        while let Some((index, character)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            match (character, fold) {
                (' ', Some(indent))
                    if !after_space && self.column > WIDTH && index > 0 && next.is_some() =>
                {
                    self.line(indent);
                    if next == Some(' ') {
                        self.put('\\');
                    }
                }
                ('"' | '\\', _) => {
                    self.put('\\');
                    self.put(character);
                }
                _ if is_printable(character) && !is_break(character) => self.put(character),
                _ => self.put_all(&escape(character)),
            }
            after_space = character == ' ';
        }
        self.put('"');
    }

    /// The lines of a text below a `|`, which says how the text begins and ends.
    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with([' ', '\n']) {
            self.put_all(&STEP.to_string());
        }
        if !text.ends_with('\n') {
            self.put('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put('+');
        }
        for line in text.split_inclusive('\n') {
            self.end_line();
            let line = line.trim_end_matches('\n');
            if !line.is_empty() {
                self.put_all(&" ".repeat(indent));
                self.put_all(line);
            }
        }
        if text.ends_with('\n') {
            self.end_line();
        }
    }

    /// Goes to the next line, indented.
    fn line(&mut self, indent: usize) {
        self.fresh_line();
        self.put_all(&" ".repeat(indent));
    }

    /// Goes to the next line, unless the writer stands at the beginning of one.
    fn fresh_line(&mut self) {
        if self.column > 0 {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn put(&mut self, character: char) {
        self.text.push(character);
        self.column += 1;
    }

    fn put_all(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }
}

/// A character that may not stand for itself, as an escape of a double-quoted text.
fn escape(character: char) -> String {
    match character {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        other => match u32::from(other) {
            code @ 0..=0xff => format!("\\x{code:02X}"),
            code @ 0x100..=0xffff => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}

/// A number as Go writes it: the fewest digits that read back the same, with an exponent below
/// 10^-4 and from 10^6 on.
fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
