//! The clock: an input of planning, read here only.

use jiff::Timestamp;

/// The time now, in UTC.
pub fn now() -> Timestamp {
    Timestamp::now()
}
