//! Runs two commands by turns and compares what each took: time, processor, memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use wait4::Wait4 as _;

/// What one run of a command took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// From its start to its end.
    time: Duration,
    /// What its threads computed, in the program and in the kernel.
    processor: Duration,
    /// The most memory that it had at once (`ru_maxrss`), in bytes.
    memory: u64,
}

/// One of the two that are compared.
pub(super) struct Side<'a> {
    /// Puts things back to where every run starts. Not timed.
    pub(super) before: &'a dyn Fn() -> Result<()>,
    /// The command.
    pub(super) command: &'a dyn Fn() -> Command,
}

/// Runs both `rounds` times by turns and prints a line for each measure.
pub(super) fn compare(
    name: &str,
    rounds: usize,
    kubeadm: &Side<'_>,
    rinit: &Side<'_>,
) -> Result<()> {
    let mut taken: [Vec<Usage>; 2] = [Vec::new(), Vec::new()];
    // One round more, whose files are read from the disk for the first time, does not count.
    for round in 0..=rounds {
        for (side, taken) in [kubeadm, rinit].into_iter().zip(&mut taken) {
            (side.before)()?;
            let usage = run(&mut (side.command)())?;
            if round > 0 {
                taken.push(usage);
            }
        }
    }
    println!("{name}: medians of {rounds}");
    let seconds = |of: fn(&Usage) -> Duration| move |usage: &Usage| of(usage).as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a process has no such memory")]
    let megabytes = |usage: &Usage| usage.memory as f64 / 1e6;
    line("time", "ms", &taken, &seconds(|usage| usage.time));
    line("processor", "ms", &taken, &seconds(|usage| usage.processor));
    line("memory", "MB", &taken, &megabytes);
    Ok(())
}

fn line(name: &str, unit: &str, taken: &[Vec<Usage>; 2], value: &dyn Fn(&Usage) -> f64) {
    let [kubeadm, rinit] = taken.each_ref().map(|taken| {
        let mut values: Vec<f64> = taken.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    });
    let ratio = kubeadm / rinit;
    println!(
        "  {name:<10} kubeadm {kubeadm:8.1} {unit}   rinit {rinit:8.1} {unit}   kubeadm/rinit {ratio:6.1}"
    );
}

fn run(command: &mut Command) -> Result<Usage> {
    let shown = format!("{command:?}");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let ended = child.wait4()?;
    let time = start.elapsed();
    ensure!(ended.status.success(), "`{shown}` failed: {}", ended.status);
    Ok(Usage {
        time,
        processor: ended.rusage.utime + ended.rusage.stime,
        memory: ended.rusage.maxrss,
    })
}
