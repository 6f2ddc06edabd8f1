//! Runs the target that the binary is named after.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rinit_fuzz::Target;

static TARGET: LazyLock<&Target> =
    LazyLock::new(|| rinit_fuzz::target(env!("CARGO_BIN_NAME")).expect("a row of TARGETS"));

fuzz_target!(|data: &[u8]| {
    (TARGET.run)(data);
});
