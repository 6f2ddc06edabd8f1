//! The program itself: what it prints where, how it ends, what it writes, and what it leaves when
//! it is killed.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails so, and says so where it is skipped"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests run the program and look at what it wrote"
)]

mod again;
mod as_kubeadm;
mod at_once;
mod configuration;
mod detection;
mod dry_run;
mod events;
mod expiration;
mod files;
mod generated;
mod killed;
mod modes;
mod names;
mod ordinary;
mod render;
mod secrets;
mod settings;
mod stdout;
mod support;
mod version;
