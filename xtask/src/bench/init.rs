//! `cargo xtask bench init`: how long kubeadm and rinit take, on nodes of the same kind, by turns.
//! It prints and asserts nothing, as other work on the machine counts too.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::components::Components;
use crate::node::{Lan, Node};
use crate::scenarios::cluster::{Initiator, minimal_config, prepare};
use crate::scenarios::{Context, build_rinit};
use crate::shell;

/// Waits in the node until the API server says that it is ready, and prints the moment.
const WATCH: &str = "while ! printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' \
    | socat -T 2 - \"OPENSSL:$1:6443,verify=0\" 2>/dev/null | grep -q '^HTTP/1.. 200'; \
    do sleep 0.02; done; date +%s.%N";

/// Lets both initialise `rounds` nodes each with `testdata/configs/minimal.yaml`.
pub(crate) fn init(kubernetes: &str, profile: &str, rounds: usize) -> Result<()> {
    ensure!(rounds > 0, "no round gives no time");
    let components = Components::obtain(kubernetes)?;
    let rinit = build_rinit(profile)?;
    let lan = Lan::create(&format!("bench-{}", std::process::id()))?;
    let context = Context::new(components, lan);
    let mut taken = Vec::new();
    for _ in 0..rounds {
        for who in [Initiator::Kubeadm, Initiator::Rinit] {
            let node = context.start("cp", 2)?;
            if who == Initiator::Rinit {
                node.copy_file(&rinit, "/usr/local/bin/rinit", 0o755)?;
            }
            let times =
                time(&context, &node, who).inspect_err(|_| println!("{}", node.diagnose()))?;
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
    println!("medians of {rounds}           kubeadm     rinit     kubeadm/rinit");
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
    // The program itself is there already, built as users get it.
    let config = minimal_config(context, node)?;
    prepare(node, Initiator::Kubeadm, &config)?;
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
