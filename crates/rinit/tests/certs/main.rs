//! `rinit certs …` and `rinit kubeconfig …` through the program, on folders that it made itself.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test runs the program and reads what it wrote"
)]

mod atomic;
mod authorities;
mod copies;
mod expiration;
mod interrupted;
mod kept;
mod kubeconfigs;
mod renewal;
mod requests;
mod support;
mod user;
