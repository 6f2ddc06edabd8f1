//! What the fuzzers run: every reader of files that others wrote, from bytes to what a user sees.
//!
//! A target is a function over bytes and a row of [`TARGETS`]. libFuzzer calls it by way of
//! `fuzz/`, and the tests of this crate call it with every input that was ever found to be bad,
//! `testdata/fuzz/TARGET/*`. A target never reads a file, never writes one, and never swallows a
//! panic. `docs/testing.md` tells how to run them.

mod config;
pub mod crafted;
mod folder;
mod generate;
mod pki;

/// A reader that is fuzzed.
pub struct Target {
    /// Its name, which is that of its folder of kept inputs and of its libFuzzer binary.
    pub name: &'static str,
    /// Reads the bytes as the program would. Whether they were taken for good.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The size in bytes of the largest file that it makes of a small input; none where the input
    /// is the file.
    pub makes: Option<usize>,
}

/// All of them.
pub static TARGETS: &[Target] = &[
    Target {
        name: "config_bytes",
        run: config::bytes,
        seeds: config::seeds,
        makes: None,
    },
    Target {
        name: "config_structured",
        run: config::structured,
        seeds: Vec::new,
        makes: None,
    },
    Target {
        name: "config_repeated",
        run: config::repeated,
        seeds: Vec::new,
        makes: Some(config::LARGEST),
    },
    Target {
        name: "certificate_pem",
        run: pki::certificate_pem,
        seeds: pki::certificate_pem_seeds,
        makes: None,
    },
    Target {
        name: "certificate_der",
        run: pki::certificate_der,
        seeds: pki::certificate_der_seeds,
        makes: None,
    },
    Target {
        name: "key_pem",
        run: pki::key_pem,
        seeds: pki::key_pem_seeds,
        makes: None,
    },
    Target {
        name: "key_der",
        run: pki::key_der,
        seeds: pki::key_der_seeds,
        makes: None,
    },
    Target {
        name: "request_pem",
        run: pki::request_pem,
        seeds: pki::request_pem_seeds,
        makes: None,
    },
    Target {
        name: "request_der",
        run: pki::request_der,
        seeds: pki::request_der_seeds,
        makes: None,
    },
    Target {
        name: "kubeconfig",
        run: folder::kubeconfig,
        seeds: folder::kubeconfig_seeds,
        makes: None,
    },
    Target {
        name: "certificates_folder",
        run: folder::certificates,
        seeds: folder::certificates_seeds,
        makes: None,
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
