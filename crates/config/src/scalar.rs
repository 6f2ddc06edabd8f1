//! What a plain YAML scalar is, as the YAML library of Kubernetes sees it.
//!
//! That library reads YAML 1.1: `yes`, `on` and `n` are booleans, `0644` is octal, `1_000` is a
//! thousand. Times and numbers in base 60 stay text.

use crate::tree::NodeKind;

/// The kind and value of a scalar without quotes.
pub(crate) fn resolve_plain(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return NodeKind::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return NodeKind::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return NodeKind::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return NodeKind::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return NodeKind::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return NodeKind::Text(text.to_owned());
    }
    let digits = text.replace('_', "");
    if let Some(number) = whole_number(&digits) {
        return NodeKind::Integer(number);
    }
    if is_float(&digits)
        && let Ok(number) = digits.parse::<f64>()
        && number.is_finite()
    {
        return NodeKind::Float(number);
    }
    NodeKind::Text(text.to_owned())
}

/// A number as Go's `strconv.ParseInt` reads it in base 0, within 64 bits signed or unsigned.
fn whole_number(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (base, digits) = if let Some(digits) = lower.strip_prefix("0x") {
        (16, digits)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (2, digits)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (8, digits)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    // `from_str_radix` takes a sign of its own, Go does not.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, base).ok()?;
    let number = if negative { -magnitude } else { magnitude };
    (i128::from(i64::MIN)..=i128::from(u64::MAX))
        .contains(&number)
        .then_some(number)
}

/// Whether the text is a number with a fraction or an exponent, in decimal.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or(("", mantissa));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_holds = exponent.is_none_or(|exponent| {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !unsigned.is_empty() && digits(unsigned)
    });
    // `1.` is a float to that library as well, because Go reads it.
    let mantissa_holds =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    mantissa_holds && exponent_holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_yaml_1_1() {
        for word in ["y", "yes", "Yes", "on", "ON", "True"] {
            assert!(
                matches!(resolve_plain(word), NodeKind::Bool(true)),
                "{word}"
            );
        }
        for word in ["n", "No", "off", "FALSE"] {
            assert!(
                matches!(resolve_plain(word), NodeKind::Bool(false)),
                "{word}"
            );
        }
        for word in ["", "~", "null"] {
            assert!(matches!(resolve_plain(word), NodeKind::Null), "{word}");
        }
        for word in [
            "yEs",
            "tRUE",
            "1:30",
            "2001-01-01",
            "10.96.0.0/12",
            "v1.37.2",
            "+",
            "-",
            ".",
            "1e",
            "0x",
            "1.2.3",
        ] {
            assert!(matches!(resolve_plain(word), NodeKind::Text(_)), "{word}");
        }
    }

    #[test]
    fn numbers() {
        for (text, number) in [
            ("0", 0),
            ("6443", 6443),
            ("-1", -1),
            ("+7", 7),
            ("0644", 420),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b101", 5),
            ("1_000", 1000),
        ] {
            assert!(
                matches!(resolve_plain(text), NodeKind::Integer(found) if found == number),
                "{text}"
            );
        }
        for (text, number) in [
            ("1.5", 1.5),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("-2.50", -2.5),
            ("1.", 1.0),
        ] {
            assert!(
                matches!(resolve_plain(text), NodeKind::Float(found) if (found - number).abs() < 1e-9),
                "{text}"
            );
        }
        assert!(matches!(
            resolve_plain("18446744073709551615"),
            NodeKind::Integer(_)
        ));
        assert!(matches!(
            resolve_plain("18446744073709551616"),
            NodeKind::Float(_)
        ));
        assert!(
            matches!(resolve_plain("08"), NodeKind::Float(_)),
            "not octal, so a float as in Go"
        );
    }
}
