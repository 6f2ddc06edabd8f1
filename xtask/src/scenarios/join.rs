//! Nodes that join: by kubeadm a cluster that rinit made, and by rinit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Context;
use super::cluster::{Cluster, Initiator, minimal_config};
use super::init::with_line_after;
use crate::node::Node;
use crate::shell;

/// The name under which the nodes find the API servers.
pub(super) const ENDPOINT: &str = "cluster.rinit.test";

/// Has a node find the endpoint of the control plane at another node.
pub(super) fn know_endpoint(node: &Node, at: &Node) -> Result<()> {
    let hosts = node.read_file("/etc/hosts")?;
    node.write_file(
        "/etc/hosts",
        format!("{hosts}{} {ENDPOINT}\n", at.ip),
        0o644,
    )
}

/// The real kubeadm makes a second control plane of what rinit uploaded: it opens the Secret,
/// takes the configuration, and its etcd becomes a member.
pub(super) fn control_plane(context: &Context) -> Result<()> {
    let first = context.start("cp", 2)?;
    let second = context.start("cp2", 3)?;
    for node in [&first, &second] {
        know_endpoint(node, &first)?;
    }
    let config = minimal_config(context, &first)?;
    let endpoint = format!("controlPlaneEndpoint: {ENDPOINT}:6443");
    let config = with_line_after(&config, "kubernetesVersion:", &endpoint)?;
    let cluster = Cluster::init_with(&first, Initiator::Rinit, &config, &["--upload-certs"])?;
    cluster.join_control_plane(&second)?;

    shell::step("both have the same authorities and account keys", || {
        for file in [
            "ca.crt",
            "ca.key",
            "front-proxy-ca.key",
            "etcd/ca.key",
            "sa.key",
            "sa.pub",
        ] {
            let path = format!("/etc/kubernetes/pki/{file}");
            let same = first.read_file(&path)? == second.read_file(&path)?;
            ensure!(same, "{path} is not the same on both nodes");
        }
        Ok(())
    })?;
    wait_for_voters(&first, &["cp", "cp2"])?;
    cluster.connect_pods(&[&first, &second])?;
    cluster.wait_for_ready_nodes(&[&first, &second])?;
    shell::step("the second API server answers", || {
        let server = format!("https://{}:6443", second.ip);
        shell::until("it is ready", Duration::from_mins(1), || {
            let words = ["kubectl", "--server", &server, "get", "--raw", "/readyz"];
            let ready = first.try_run(&words)?;
            Ok(if ready.success() {
                Ok(())
            } else {
                Err(ready.to_string())
            })
        })
    })?;
    shell::step("a second init of the first changes nothing", || {
        let output = first.run(&Initiator::Rinit.command())?;
        ensure!(output.stderr.contains("nothing was changed"), "{output}");
        Ok(())
    })
}

/// rinit makes a cluster of two control planes and a worker.
pub(super) fn cluster(context: &Context) -> Result<()> {
    let first = context.start("cp", 2)?;
    let second = context.start("cp2", 3)?;
    let worker = context.start("worker", 4)?;
    for node in [&first, &second, &worker] {
        know_endpoint(node, &first)?;
    }
    let config = minimal_config(context, &first)?;
    let endpoint = format!("controlPlaneEndpoint: {ENDPOINT}:6443");
    let config = with_line_after(&config, "kubernetesVersion:", &endpoint)?;
    let cluster = Cluster::init_with(&first, Initiator::Rinit, &config, &["--upload-certs"])?;
    worker.copy_file(super::rinit()?, "/usr/local/bin/rinit", 0o755)?;
    refuses_what_cannot_join(&cluster, &worker)?;
    cluster.join_with(Initiator::Rinit, &worker, false)?;
    cluster.join_with(Initiator::Rinit, &second, true)?;
    wait_for_voters(&first, &["cp", "cp2"])?;
    let nodes = [&first, &second, &worker];
    cluster.connect_pods(&nodes)?;
    cluster.wait_for_ready_nodes(&nodes)?;
    cluster.wait_for_system_pods()?;
    cluster.probe_from_pod(&worker)?;
    for (node, control_plane) in [(&worker, false), (&second, true)] {
        shell::step(
            &format!("a second join of {} changes nothing", node.name),
            || {
                let output = cluster.join_with(Initiator::Rinit, node, control_plane)?;
                ensure!(output.stderr.contains("nothing was changed"), "{output}");
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// What is wrong with a join command is said within seconds, and nothing is written.
fn refuses_what_cannot_join(cluster: &Cluster, node: &Node) -> Result<()> {
    let command = cluster.join_command(false)?;
    let word = |flag: &str| {
        let at = command.iter().position(|word| word == flag);
        at.and_then(|at| command.get(at + 1))
            .context("no such flag")
    };
    let (endpoint, token) = (&command[2], word("--token")?);
    let pin = word("--discovery-token-ca-cert-hash")?;
    let (id, _) = token.split_once('.').context("a token has a point")?;
    let other_secret = format!("{id}.0123456789abcdef");
    let other_pin = format!("sha256:{}", "0".repeat(64));
    let cp = &cluster.first.ip;
    let kubelet = format!("{cp}:10250");
    let closed = format!("{cp}:6444");
    let refused = [
        (
            endpoint,
            "abcdef.0123456789abcdef",
            pin.as_str(),
            "does not know the token",
        ),
        (endpoint, &other_secret, pin, "another secret"),
        (endpoint, token, &other_pin, "none of the pinned keys"),
        (&kubelet, token, pin, "does not answer as an API server"),
    ];
    for (endpoint, token, pin, expected) in refused {
        shell::step(&format!("a join is refused: {expected}"), || {
            let words = [
                "rinit",
                "join",
                endpoint,
                "--token",
                token,
                "--discovery-token-ca-cert-hash",
                pin,
            ];
            let begun = Instant::now();
            let output = node.try_run(&words)?;
            ensure!(!output.success(), "it joined: {output}");
            ensure!(output.stderr.contains(expected), "{output}");
            ensure!(
                begun.elapsed() < Duration::from_secs(10),
                "it took too long"
            );
            Ok(())
        })?;
    }
    shell::step("a join to a closed port waits and says so", || {
        let words = [
            "timeout",
            "3",
            "rinit",
            "join",
            &closed,
            "--token",
            token,
            "--discovery-token-unsafe-skip-ca-verification",
        ];
        let output = node.try_run(&words)?;
        ensure!(
            output.stderr.contains("waiting for the API server"),
            "{output}"
        );
        ensure!(output.stderr.contains("refused"), "{output}");
        Ok(())
    })?;
    // The directories need not be there.
    let written = node.try_run(&["find", "/etc/kubernetes", "/var/lib/kubelet", "-type", "f"])?;
    let written = written.stdout.trim();
    ensure!(written.is_empty(), "files were written: {written}");
    Ok(())
}

fn wait_for_voters(node: &Node, names: &[&str]) -> Result<()> {
    shell::step(&format!("etcd has the voting members {names:?}"), || {
        shell::until("all members vote", Duration::from_mins(1), || {
            let members = members(node)?;
            let mut voters: Vec<&str> = members
                .iter()
                .filter(|member| member["isLearner"] != true)
                .filter_map(|member| member["name"].as_str())
                .collect();
            voters.sort_unstable();
            let done = voters == names && members.len() == names.len();
            Ok(if done {
                Ok(())
            } else {
                Err(format!("{members:?}"))
            })
        })
    })
}

/// The members of the etcd on a node.
fn members(node: &Node) -> Result<Vec<Value>> {
    let pki = "/etc/kubernetes/pki/etcd";
    let output = node.run(&[
        "etcdctl",
        "--endpoints=https://127.0.0.1:2379",
        &format!("--cacert={pki}/ca.crt"),
        &format!("--cert={pki}/healthcheck-client.crt"),
        &format!("--key={pki}/healthcheck-client.key"),
        "-w=json",
        "member",
        "list",
    ])?;
    let answer: Value = serde_json::from_str(&output.stdout)?;
    let members = answer["members"].as_array().context("no list of members")?;
    Ok(members.clone())
}
