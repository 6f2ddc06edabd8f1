//! Files that are hard to read, a megabyte each, through the program: none takes much memory, none
//! takes long, and none ends it by a signal. `rinit_fuzz::crafted` makes them.

#![expect(
    clippy::disallowed_methods,
    reason = "files are made for the program, which is run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::{ResUse, Wait4 as _};

const SIZE: usize = 1 << 20;
/// What a file of that size may add to the memory of a file that is nearly empty, in bytes.
const MEMORY: u64 = 200_000_000;
/// A second is what users wait for; tests run without optimisation, many at a time.
const TIME: Duration = Duration::from_secs(30);

fn validate(file: &Path) -> (ResUse, Duration) {
    let start = Instant::now();
    let mut child = Command::new(rinit_testkit::program())
        .args(["config", "validate", "--config"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rinit starts");
    let ended = child.wait4().expect("rinit ends");
    (ended, start.elapsed())
}

#[test]
fn a_hard_file_takes_little_memory_and_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    std::fs::write(
        &file,
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n",
    )
    .expect("a file");
    let (small, _) = validate(&file);
    assert!(small.status.success());
    let mut faults = Vec::new();
    for (name, make) in rinit_fuzz::crafted::HARD {
        // One at a time: what this process has when it starts another counts there too.
        let text = make(SIZE);
        assert!(text.len() >= SIZE / 2, "{name} is not hard");
        std::fs::write(&file, &text).expect("a file");
        let (ended, time) = validate(&file);
        let more = ended.rusage.maxrss.saturating_sub(small.rusage.maxrss);
        let megabytes = more / 1_000_000;
        let used = ended.rusage.utime + ended.rusage.stime;
        println!(
            "{name:<24} {megabytes:4} MB {:6.2} s, {:6.2} s of it at work",
            time.as_secs_f64(),
            used.as_secs_f64()
        );
        if more > MEMORY || used > TIME || ended.status.code().is_none() {
            faults.push(format!(
                "{name}: {megabytes} MB, {used:?}, {}",
                ended.status
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
