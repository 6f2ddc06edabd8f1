//! The executor on a folder, with the phases that the program has: what is made, what is taken up
//! after a crash, what holds, and what is refused without a single write.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails so")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests make and break files themselves"
)]

mod command;
mod complete;
mod crash;
mod external;
mod refused;
mod support;
