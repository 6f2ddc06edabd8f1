//! Points in time as Kubernetes writes them: RFC 3339, to the second, in UTC.

use std::fmt;

use serde_json::Value;

use crate::schema::{Mismatch, Shape, Typed};
use crate::tree::Node;

/// A point in time, kept to the second as Kubernetes' `metav1.Time` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        // Go wants the `T` and the offset in RFC 3339 form; the looser forms are refused.
        if !text.contains('T') || text.contains('[') || text.contains(' ') {
            return Err(jiff::Error::from_args(format_args!(
                "not in the form of RFC 3339"
            )));
        }
        text.parse().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = jiff::Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        write!(formatter, "{whole}")
    }
}

impl Typed for Timestamp {
    const SHAPE: Shape = Shape::Timestamp;
    fn read(node: &Node) -> Result<Self, Mismatch> {
        node.text()
            .and_then(|text| text.parse().ok())
            .ok_or(Mismatch("time"))
    }
    fn absent() -> Result<Self, Mismatch> {
        Err(Mismatch("time"))
    }
    fn write(&self) -> Value {
        Value::from(self.to_string())
    }
    fn zero() -> Value {
        Value::Null
    }
}
