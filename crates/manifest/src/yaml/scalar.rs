//! Which way a text is written: plain, in one or the other kind of quotes, or as a block.
//!
//! The meaning of a plain word is that of YAML 1.1 as Kubernetes' parser knows it.

/// How a text stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// The style of a text in block context.
pub(super) fn style_of(text: &str) -> Style {
    let shape = Shape::of(text);
    if text.contains('\n') {
        return if shape.literal_allowed() {
            Style::Literal
        } else {
            Style::DoubleQuoted
        };
    }
    if is_resolved(text) || is_sexagesimal(text) {
        Style::DoubleQuoted
    } else if shape.plain_allowed() {
        Style::Plain
    } else if shape.single_quotes_allowed() {
        Style::SingleQuoted
    } else {
        Style::DoubleQuoted
    }
}

/// What stands in a text that decides how it can be written.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of a text"
)]
struct Shape {
    indicator: bool,
    special: bool,
    line_break: bool,
    leading_white: bool,
    trailing_white: bool,
    trailing_space: bool,
    break_then_space: bool,
    space_then_break: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self {
            indicator: text.starts_with("---") || text.starts_with("..."),
            ..Self::default()
        };
        let mut previous = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            let before_white = next.is_none_or(is_white);
            let after_white = previous.is_none_or(is_white);
            shape.indicator |= match (previous, character) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                    | '%' | '@' | '`',
                ) => true,
                (None, '?' | '-') | (_, ':') => before_white,
                (_, '#') => after_white,
                _ => false,
            };
            // Other line breaks than the plain one do not survive every parser unescaped.
            shape.special |= !is_printable(character) || (is_break(character) && character != '\n');
            if character == ' ' {
                shape.leading_white |= previous.is_none();
                shape.trailing_white |= next.is_none();
                shape.trailing_space |= next.is_none();
                shape.break_then_space |= previous == Some('\n');
            } else if character == '\n' {
                shape.line_break = true;
                shape.leading_white |= previous.is_none();
                shape.trailing_white |= next.is_none();
                shape.space_then_break |= previous == Some(' ');
            }
            previous = Some(character);
        }
        shape
    }

    fn plain_allowed(&self) -> bool {
        !(self.indicator
            || self.line_break
            || self.leading_white
            || self.trailing_white
            || self.break_then_space
            || self.space_then_break
            || self.special)
    }

    fn single_quotes_allowed(&self) -> bool {
        !(self.break_then_space || self.space_then_break || self.special)
    }

    fn literal_allowed(&self) -> bool {
        !(self.trailing_space || self.space_then_break || self.special)
    }
}

/// Whether a character may stand for itself, in any style.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && character != '\u{feff}'
}

/// Whether YAML takes a character for a line break.
pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t') || is_break(character)
}

/// Whether a plain word would be read as something other than a text.
fn is_resolved(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "y",
        "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off",
        "OFF", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
        "-.Inf", "-.INF", "<<",
    ];
    WORDS.contains(&text)
        || match text.chars().next() {
            Some('.') => separates_digits(text) && is_yaml_float(&text.replace('_', "")),
            Some('0'..='9' | '+' | '-') => {
                let bare = text.replace('_', "");
                is_date(text) || is_integer(&bare) || is_yaml_float(&bare)
            }
            _ => false,
        }
}

/// Whether every underscore stands between two digits.
fn separates_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'_')
        .all(|(at, _)| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}

/// A number of base 60 such as `1:30`, which YAML 1.1 parsers know. The dots and underscores of
/// its fraction are as YAML 1.1 has them.
fn is_sexagesimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let Some(first) = parts.next() else {
        return false;
    };
    let first_fits = first.starts_with(|character: char| character.is_ascii_digit())
        && first
            .chars()
            .all(|character| character.is_ascii_digit() || character == '_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    first_fits
        && middle.iter().copied().chain([last]).all(is_sixtieth)
        && fraction
            .chars()
            .all(|character| character.is_ascii_digit() || character == '_')
}

/// One or two digits below sixty.
fn is_sixtieth(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

/// An integer as Go reads one whose base its prefix tells, within 64 bits.
fn is_integer(text: &str) -> bool {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    if digits.starts_with(['+', '-']) {
        return false;
    }
    match u64::from_str_radix(digits, base) {
        Ok(value) => !negative || value <= i64::MIN.unsigned_abs(),
        Err(_) => false,
    }
}

/// A decimal number with an optional fraction and exponent.
fn is_yaml_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    mantissa_fits && exponent_fits
}

/// A date, or a date and a time, that YAML 1.1 takes for a timestamp.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return false;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let number = |part: Option<&str>| -> Option<u32> {
        let part = part?;
        (matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())
            .flatten()
    };
    let Some(year) = parts.next().and_then(|year| year.parse::<u32>().ok()) else {
        return false;
    };
    let (Some(month), Some(day)) = (number(parts.next()), number(parts.next())) else {
        return false;
    };
    (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && time.is_none_or(|(separator, time)| is_time(time, separator != " "))
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A time of day; with a zone if the date and it are joined by a `T`, without if by a space.
fn is_time(text: &str, zoned: bool) -> bool {
    let clock = if zoned {
        if let Some(clock) = text.strip_suffix('Z') {
            clock
        } else if let Some(at) = text.rfind(['+', '-']) {
            let zone = &text[at + 1..];
            let zone_fits = zone.len() == 5
                && zone.as_bytes()[2] == b':'
                && within(&zone[..2], 2, 24)
                && within(&zone[3..], 2, 60);
            if !zone_fits {
                return false;
            }
            &text[..at]
        } else {
            return false;
        }
    } else {
        text
    };
    let (clock, fraction) = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return false;
    };
    within(hour, 1, 23)
        && within(minute, 1, 59)
        && within(second, 1, 59)
        && fraction.is_none_or(|fraction| {
            !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// One or two digits, at least so many, of a value that is not larger.
fn within(text: &str, least_digits: usize, largest: u32) -> bool {
    (least_digits..=2).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u32>().is_ok_and(|value| value <= largest)
}
