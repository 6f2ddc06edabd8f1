//! What this crate issues is held against other implementations: OpenSSL, webpki, and what kubeadm
//! wrote. What it judges is made wrong on purpose, one thing at a time.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod authorities;
mod foreign;
mod issued;
mod judged;
mod kubeadm;
mod support;
