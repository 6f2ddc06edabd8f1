//! The order in which Kubernetes' YAML writer puts keys: like a reader would, `a2` before `a10`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// Puts the entries of a mapping in that order.
///
/// Keys with leading zeros can stand in a circle (`1`, `0991`, `0c`), which the library's sort may
/// answer with a panic. Inserting one entry after the other always ends, and needs hardly more
/// than one step each, since the entries come sorted by code point.
pub(super) fn in_order(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<(&String, &Value)> = Vec::with_capacity(map.len());
    for entry in map {
        let at = sorted
            .iter()
            .rposition(|(key, _)| compare_keys(key, entry.0).is_le())
            .map_or(0, |before| before + 1);
        sorted.insert(at, entry);
    }
    sorted
}

/// Compares two keys.
///
/// At the first difference, two letters compare by code point and a letter comes after anything
/// else. Otherwise the numbers that begin there compare by value, then by length, and then the
/// characters themselves by code point.
fn compare_keys(left: &str, right: &str) -> Ordering {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) else {
        return left.len().cmp(&right.len());
    };
    let (a, b) = (left[at], right[at]);
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero inside a number, such as in `10` and `1`, counts as a digit and not as a filler.
    let inside_number = (a == '0' || b == '0')
        && left[..at]
            .iter()
            .rev()
            .take_while(|character| character.is_ascii_digit())
            .any(|character| *character != '0');
    let left_number = number_at(&left[at..], inside_number);
    let right_number = number_at(&right[at..], inside_number);
    left_number.cmp(&right_number).then(a.cmp(&b))
}

/// The value and the length of the number that a text begins with.
fn number_at(text: &[char], inside_number: bool) -> (i64, usize) {
    let digits = text
        .iter()
        .take_while(|character| character.is_ascii_digit())
        .collect::<Vec<_>>();
    let value = digits
        .iter()
        .fold(i64::from(inside_number), |value, digit| {
            value
                .wrapping_mul(10)
                .wrapping_add(i64::from(digit.to_digit(10).unwrap_or(0)))
        });
    (value, digits.len())
}
