//! Runs the target that the binary is named after, with a limit on the memory and on the time of
//! the processor that it takes. Whoever takes more ends the process, and libFuzzer keeps the input.
#![no_main]

use std::alloc::System;
use std::sync::LazyLock;
use std::time::Duration;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use nix::time::{ClockId, clock_gettime};
use rinit_fuzz::Target;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What a small input may take, in bytes, and what each of its bytes may take on top: 200 MB for
/// an input of 1 MiB. So a small input of a kind that would grow past that shows as well.
const BASE: usize = 48 << 20;
const PER_BYTE: usize = 142;
/// What a small input may take of the processor, so that other work on the machine does not count,
/// and what each of its bytes may take on top: ten seconds for an input of 1 MiB. That is a second
/// of what users get, which does each thing once where a target does it several times, and is not
/// slowed down by the fuzzer's counters. Together they make ten times as much of it.
const TIME: Duration = Duration::from_secs(1);
const TIME_PER_BYTE: Duration = Duration::from_nanos(8_600);

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let target = rinit_fuzz::target(env!("CARGO_BIN_NAME")).expect("a row of TARGETS");
    // What is made once is not the input's.
    (target.run)(b"");
    target
});

fuzz_target!(|data: &[u8]| {
    let target = *TARGET;
    let size = target.makes.unwrap_or(data.len());
    let limit = ALLOCATOR.allocated() + BASE + PER_BYTE * size;
    ALLOCATOR
        .set_limit(limit)
        .expect("more is allowed than taken");
    let start = processor_time();
    (target.run)(data);
    let taken = processor_time() - start;
    ALLOCATOR.set_limit(usize::MAX).expect("no limit");
    let allowed = TIME + TIME_PER_BYTE * u32::try_from(size).expect("a size below 4 GiB");
    assert!(taken < allowed, "it took {taken:?} of {allowed:?}");
});

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .expect("a clock")
}
