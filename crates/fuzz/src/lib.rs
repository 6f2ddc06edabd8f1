//! What the fuzzers run: every reader of files that others wrote, from bytes to what a user sees.
//!
//! A target is a function over bytes and a row of [`TARGETS`]. libFuzzer calls it by way of
//! `fuzz/`, and the tests of this crate call it with every input that was ever found to be bad,
//! `testdata/fuzz/TARGET/*`. A target never reads a file, never writes one, and never swallows a
//! panic. `docs/testing.md` says how to run them.

mod config;
mod kubeconfig;
mod pki;

/// A reader that is fuzzed.
pub struct Target {
    /// Its name, which is that of its directory of kept inputs and of its libFuzzer binary.
    pub name: &'static str,
    /// Reads the bytes as the program would. Returns whether they were accepted.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub static TARGETS: &[Target] = &[
    Target {
        name: "config_bytes",
        run: config::bytes,
        seeds: config::seeds,
    },
    Target {
        name: "certificate",
        run: pki::certificate,
        seeds: pki::certificate_seeds,
    },
    Target {
        name: "key",
        run: pki::key,
        seeds: pki::key_seeds,
    },
    Target {
        name: "kubeconfig",
        run: kubeconfig::run,
        seeds: kubeconfig::seeds,
    },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Stands for showing something to the user: it is made and thrown away.
fn show<T>(value: T) {
    std::hint::black_box(value);
}
