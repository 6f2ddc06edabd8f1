//! Durations as Go writes and reads them: `1h30m0s`, `4m0s`, `1.5h`, `100ms`.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::schema::{Mismatch, Shape, Typed};
use crate::tree::Node;

/// Go's `time.Duration`: nanoseconds with a sign, at most some 292 years either way.
///
/// Displayed exactly as Go's `String()`, which is how kubeadm stores it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

/// The text is no Go duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADuration;

impl fmt::Display for NotADuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a duration")
    }
}

impl std::error::Error for NotADuration {}

impl GoDuration {
    /// A duration of so many nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// A duration of so many seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// The nanoseconds.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// The same as a Rust duration, unless it is negative.
    pub fn to_std(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl std::str::FromStr for GoDuration {
    type Err = NotADuration;

    /// Reads what Go's `time.ParseDuration` reads.
    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(NotADuration);
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let whole_length = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (whole, after) = rest.split_at(whole_length);
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
                None => ("", after),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(NotADuration);
            }
            let unit_length = after
                .find(|next: char| next == '.' || next.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_length);
            let nanoseconds = unit_nanoseconds(unit).ok_or(NotADuration)?;
            let whole: u64 = if whole.is_empty() {
                0
            } else {
                whole.parse().map_err(|_| NotADuration)?
            };
            let part = whole
                .checked_mul(nanoseconds)
                .and_then(|part| part.checked_add(fraction_nanoseconds(fraction, nanoseconds)))
                .ok_or(NotADuration)?;
            total = total
                .checked_add(part)
                .filter(|total| *total <= 1 << 63)
                .ok_or(NotADuration)?;
            rest = after;
        }
        if negative {
            return Ok(Self(0_i64.wrapping_sub_unsigned(total)));
        }
        i64::try_from(total).map(Self).map_err(|_| NotADuration)
    }
}

fn unit_nanoseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter look alike and are both taken.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The part after the point in nanoseconds, rounded down; digits beyond any precision are dropped.
fn fraction_nanoseconds(fraction: &str, unit: u64) -> u64 {
    let digits = &fraction[..fraction.len().min(18)];
    let Ok(number) = digits.parse::<u128>() else {
        return 0;
    };
    let scale = 10_u128.pow(u32::try_from(digits.len()).unwrap_or(18));
    u64::try_from(number * u128::from(unit) / scale).unwrap_or(0)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return formatter.write_str("0s");
        }
        if self.0 < 0 {
            formatter.write_str("-")?;
        }
        let nanoseconds = self.0.unsigned_abs();
        if nanoseconds < 1_000_000_000 {
            let (unit, scale, digits) = match nanoseconds {
                0..1_000 => ("ns", 1, 0),
                1_000..1_000_000 => ("\u{b5}s", 1_000, 3),
                _ => ("ms", 1_000_000, 6),
            };
            write_fraction(formatter, nanoseconds / scale, nanoseconds % scale, digits)?;
            return formatter.write_str(unit);
        }
        let seconds = nanoseconds / 1_000_000_000;
        if seconds >= 3600 {
            write!(formatter, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(formatter, "{}m", seconds / 60 % 60)?;
        }
        write_fraction(formatter, seconds % 60, nanoseconds % 1_000_000_000, 9)?;
        formatter.write_str("s")
    }
}

fn write_fraction(
    formatter: &mut fmt::Formatter<'_>,
    whole: u64,
    part: u64,
    digits: usize,
) -> fmt::Result {
    write!(formatter, "{whole}")?;
    if part > 0 {
        let text = format!("{part:0digits$}");
        write!(formatter, ".{}", text.trim_end_matches('0'))?;
    }
    Ok(())
}

impl Typed for GoDuration {
    const SHAPE: Shape = Shape::Duration;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        node.text()
            .and_then(|text| text.parse().ok())
            .ok_or(Mismatch("duration"))
    }
    fn absent() -> Result<Self, Mismatch> {
        Ok(Self::default())
    }
    fn write(&self) -> Value {
        Value::from(self.to_string())
    }
    fn zero() -> Value {
        Value::from("0s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_as_go() {
        for (text, printed) in [
            ("0", "0s"),
            ("0s", "0s"),
            ("-0", "0s"),
            ("1h30m", "1h30m0s"),
            ("4m0s", "4m0s"),
            ("240s", "4m0s"),
            ("8760h0m0s", "8760h0m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("100ms", "100ms"),
            ("1us", "1\u{b5}s"),
            ("1500\u{3bc}s", "1.5ms"),
            ("7ns", "7ns"),
            ("-1m30.25s", "-1m30.25s"),
            ("1h0.000000001s", "1h0m0.000000001s"),
            ("1m1h", "1h1m0s"),
            ("9223372036854775807ns", "2562047h47m16.854775807s"),
            ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
        ] {
            let duration: GoDuration = text
                .parse()
                .unwrap_or_else(|_| panic!("{text} is a duration"));
            assert_eq!(duration.to_string(), printed, "{text}");
            assert_eq!(printed.parse(), Ok(duration), "{printed} is read back");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in [
            "",
            "1",
            "5",
            "h",
            ".s",
            "-",
            "1d",
            "1h 30m",
            "4 minutes",
            "1hh",
            "--1s",
            "9223372036854775808ns",
            "9999999999h",
        ] {
            assert_eq!(text.parse::<GoDuration>(), Err(NotADuration), "{text}");
        }
    }
}
