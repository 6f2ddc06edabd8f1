//! rinit against kubeadm: the same traces, and how long both take.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use rinit_parity::{Scope, Snapshot, Table, compare};

use super::cluster::{Initiator, minimal_config, prepare};
use super::{Context, checkout};
use crate::node::Node;
use crate::record;
use crate::shell;

/// How often each program initialises a node in `times`.
const ROUNDS: usize = 3;

/// Says when the API server is ready: its moment goes to the file, in seconds of the clock.
const WATCH: &str = "while ! printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' \
    | socat -T 2 - \"OPENSSL:$1:6443,verify=0\" 2>/dev/null | grep -q '^HTTP/1.. 200'; \
    do sleep 0.02; done; date +%s.%N";

/// rinit leaves behind what kubeadm does, but for what stands in `docs/differences.md`.
pub(super) fn minimal(context: &Context) -> Result<()> {
    let folder = record::folder(&context.components.kubernetes, "minimal");
    let recorded = Snapshot::read(&folder)?;
    let node = context.start("cp", 2)?;
    let ours = record::take_init(context, &node, Initiator::Rinit, "minimal")?;
    let table = Table::read(&checkout().join(Path::new("docs/differences.md")))?;
    let differences = compare(&recorded, &ours);
    let faults = table.judge(&differences, Scope::Init);
    if !faults.is_empty() {
        bail!("{} faults:\n{}", faults.len(), faults.join("\n"));
    }
    println!(
        "{} files and {} objects compared, {} differences, all in the table",
        recorded.files.len(),
        recorded.objects.len(),
        differences.len()
    );
    Ok(())
}

/// How long kubeadm and rinit take on nodes of the same kind, by turns. It asserts nothing.
pub(super) fn times(context: &Context) -> Result<()> {
    let mut taken = Vec::new();
    for _ in 0..ROUNDS {
        for who in [Initiator::Kubeadm, Initiator::Rinit] {
            let node = context.start("cp", 2)?;
            let times = time(context, &node, who)?;
            println!(
                "           {:<8} API server ready {:6.2} s   end {:6.2} s",
                who.program(),
                times.ready,
                times.end
            );
            taken.push((who, times));
            node.down()?;
        }
    }
    println!("medians of {ROUNDS}           kubeadm     rinit     kubeadm/rinit");
    for part in [Part::Ready, Part::End] {
        let kubeadm = median(&taken, Initiator::Kubeadm, part);
        let rinit = median(&taken, Initiator::Rinit, part);
        let ratio = kubeadm / rinit;
        let name = match part {
            Part::Ready => "API server ready",
            Part::End => "end of init",
        };
        println!("{name:<18} {kubeadm:9.2} s {rinit:9.2} s {ratio:13.2}");
    }
    Ok(())
}

/// A moment of an init.
#[derive(Clone, Copy)]
enum Part {
    Ready,
    End,
}

fn median(taken: &[(Initiator, Times)], who: Initiator, part: Part) -> f64 {
    let of_who = taken.iter().filter(|(other, _)| *other == who);
    let mut seconds: Vec<f64> = of_who
        .map(|(_, times)| match part {
            Part::Ready => times.ready,
            Part::End => times.end,
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Seconds from the start of init's process.
struct Times {
    ready: f64,
    end: f64,
}

fn time(context: &Context, node: &Node, who: Initiator) -> Result<Times> {
    prepare(node, who, &minimal_config(context, node)?)?;
    let watch = node.spawn(&["sh", "-c", WATCH, "sh", &node.ip])?;
    let begun: f64 = node.run(&["date", "+%s.%N"])?.stdout.trim().parse()?;
    let start = Instant::now();
    let ended = shell::step(&format!("{} init", who.program()), || {
        node.run(&who.command())
    });
    let end = start.elapsed().as_secs_f64();
    if let Err(error) = ended {
        watch.kill()?;
        return Err(error);
    }
    let ready: f64 = watch.wait()?.stdout.trim().parse()?;
    Ok(Times {
        ready: ready - begun,
        end,
    })
}
