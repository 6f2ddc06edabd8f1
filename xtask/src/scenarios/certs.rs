//! What `rinit certs` promises on a running node.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::cluster::{Cluster, Initiator, minimal_config};
use super::{Context, checkout};
use crate::node::Node;
use crate::shell;

/// Where the tool that ages certificates lies in a node.
const AGED: &str = "/usr/local/bin/aged";

/// A node that was forgotten for more than a year is dead, and one command brings it back, the
/// kubelet included.
pub(super) fn recovery(context: &Context) -> Result<()> {
    let node = context.start("cp", 2)?;
    let config = minimal_config(context, &node)?;
    let cluster = Cluster::init(&node, Initiator::Rinit, &config)?;
    cluster.connect_pods(&[&node])?;
    cluster.wait_for_ready_nodes(&[&node])?;
    node.copy_file(&build_aged()?, AGED, 0o755)?;

    shell::step("the node sleeps for 400 days", || {
        stop(&node)?;
        node.run(&[AGED, "400"])?;
        node.run(&["systemctl", "start", "containerd"])?;
        node.run(&["systemctl", "start", "--no-block", "kubelet"])?;
        Ok(())
    })?;
    shell::step("nothing of it works", || {
        let check = node.try_run(&["rinit", "certs", "check-expiration", "--warn-within", "0"])?;
        ensure!(check.code == Some(6), "{check}");
        ensure!(
            check.stdout.matches("<invalid>").count() == 12,
            "not every certificate has expired: {check}"
        );
        // The kubelet gives up at its start.
        let limit = Duration::from_mins(1);
        shell::until("the kubelet complains of its certificate", limit, || {
            let journal = node.run(&["journalctl", "-u", "kubelet", "-n", "60", "--no-pager"])?;
            let complains = journal.stdout.contains("expired");
            Ok(complains.then_some(()).ok_or(journal.stdout))
        })?;
        let kubectl = node.try_run(&["kubectl", "get", "nodes"])?;
        ensure!(!kubectl.success(), "the API server answers: {kubectl}");
        Ok(())
    })?;
    shell::step("one command", || {
        let output = node.run(&["rinit", "certs", "renew", "all", "--restart"])?;
        ensure!(output.stderr.contains("renewing kubelet.conf"), "{output}");
        ensure!(!output.stderr.contains("PRIVATE KEY"), "{output}");
        Ok(())
    })?;
    cluster.wait_for_ready_nodes(&[&node])?;
    shell::step("the kubelet tells of itself", || lives(&node))?;
    node.run(&[
        "rinit",
        "certs",
        "check-expiration",
        "--warn-within",
        "300d",
    ])?;
    node.down()
}

/// Two authorities in one file, as they are while one replaces another: all that the cluster knows of
/// its authority has both, the one that the key belongs to signs, and a real kubeadm joins by it. At
/// the end one of them goes, and with it the trust of the kubelet.
pub(super) fn bundle(context: &Context) -> Result<()> {
    const PKI: &str = "/etc/kubernetes/pki";
    let node = context.start("cp", 2)?;
    let worker = context.start("worker", 3)?;
    shell::step("two authorities", || {
        node.run(&["mkdir", "-p", PKI])?;
        for name in ["old", "new"] {
            let (key, certificate) = (format!("/root/{name}.key"), format!("/root/{name}.crt"));
            let subject = format!("/OU={name}/CN=kubernetes");
            node.run(&[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "3650",
                "-subj",
                &subject,
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])?;
        }
        let script = format!(
            "cat /root/old.crt /root/new.crt > {PKI}/ca.crt && install -m 600 /root/new.key {PKI}/ca.key"
        );
        node.run(&["sh", "-c", &script])
    })?;
    let file = format!("{PKI}/ca.crt");
    let embedded = node.run(&["base64", "-w0", &file])?.stdout;
    let config = minimal_config(context, &node)?;
    let cluster = Cluster::init(&node, Initiator::Rinit, &config)?;
    shell::step("everybody is told of both", || {
        let admin = node.read_file("/etc/kubernetes/admin.conf")?;
        ensure!(admin.contains(&embedded), "admin.conf lacks one");
        let info = cluster.kubectl(&[
            "get",
            "cm",
            "cluster-info",
            "-n",
            "kube-public",
            "-o",
            "yaml",
        ])?;
        ensure!(
            info.stdout.contains(&embedded),
            "cluster-info lacks one: {info}"
        );
        let limit = Duration::from_mins(1);
        shell::until("pods are told of both", limit, || {
            let told = cluster.get(&["configmap", "kube-root-ca.crt"])?;
            Ok(told.and_then(|told| {
                let certificates = told["data"]["ca.crt"].as_str().unwrap_or_default();
                let both = certificates.matches("BEGIN CERTIFICATE").count() == 2;
                both.then_some(()).ok_or_else(|| certificates.to_owned())
            }))
        })?;
        let output = node.run(&Initiator::Rinit.command())?;
        let pins = output.stdout.matches("--discovery-token-ca-cert-hash");
        ensure!(pins.count() == 2, "one pin an authority: {output}");
        let leaf = format!("{PKI}/apiserver.crt");
        let verify = ["openssl", "verify", "-x509_strict", "-CAfile"];
        let by_new = [&verify[..], &["/root/new.crt", &leaf]].concat();
        ensure!(node.run(&by_new)?.stdout.contains("OK"));
        Ok(())
    })?;
    cluster.join(&worker)?;
    cluster.connect_pods(&[&node, &worker])?;
    cluster.wait_for_ready_nodes(&[&node, &worker])?;
    worker.down()?;
    shell::step("one authority goes, and nobody can sign", || {
        trust(&node, PKI)
    })?;
    node.down()
}

/// A renewal that makes no certificate anew, since every key is elsewhere, has the kubeconfigs trust
/// what is in `ca.crt` alone from then on; only those who read them start again.
fn trust(node: &Node, pki: &str) -> Result<()> {
    let script = format!(
        "cp /root/new.crt {pki}/ca.crt && mkdir /root/keys && \
         for name in ca front-proxy-ca etcd/ca; do \
         mv {pki}/$name.key /root/keys/$(echo $name | tr / -).key; done"
    );
    node.run(&["bash", "-c", &script])?;
    let processes = || -> Result<_> {
        let of = |names: &[&str]| Ok(node.run(&[&["pidof"], names].concat())?.stdout);
        let readers: Result<Vec<String>> = ["kubelet", "kube-controller-manager", "kube-scheduler"]
            .into_iter()
            .map(|name| of(&[name]))
            .collect();
        Ok((readers?, of(&["etcd", "kube-apiserver"])?))
    };
    let before = processes()?;
    let renew = ["rinit", "certs", "ca", "prune", "--restart"];
    let output = node.run(&renew)?;
    ensure!(
        output
            .stderr
            .contains("/etc/kubernetes/kubelet.conf trusts what is in")
            && !output.stderr.contains("\nrenewing "),
        "{output}"
    );
    let after = processes()?;
    for (old, new) in before.0.iter().zip(&after.0) {
        ensure!(
            old != new,
            "who reads a kubeconfig was not restarted: {output}"
        );
    }
    ensure!(before.1 == after.1, "another pod was restarted: {output}");
    let embedded = node
        .run(&["base64", "-w0", &format!("{pki}/ca.crt")])?
        .stdout;
    let kubeconfig = node.read_file("/etc/kubernetes/kubelet.conf")?;
    ensure!(
        kubeconfig.contains(&format!("certificate-authority-data: {embedded}")),
        "kubelet.conf trusts something else"
    );
    lives(node)
}

/// Waits until the kubelet has told the API server again that it lives.
fn lives(node: &Node) -> Result<()> {
    let before = heartbeat(node)?;
    shell::until("its lease is renewed", Duration::from_mins(1), || {
        let now = heartbeat(node)?;
        Ok(if now == before { Err(now) } else { Ok(()) })
    })
}

/// When the kubelet last told the API server that it lives.
fn heartbeat(node: &Node) -> Result<String> {
    let path = "jsonpath={.spec.renewTime}";
    let lease = [
        "kubectl",
        "get",
        "lease",
        "-n",
        "kube-node-lease",
        &node.name,
        "-o",
        path,
    ];
    Ok(node.run(&lease)?.stdout)
}

/// Ends the kubelet, every container, and the runtime.
fn stop(node: &Node) -> Result<()> {
    node.run(&["systemctl", "stop", "kubelet"])?;
    let containers = node.run(&["ctr", "-n", "k8s.io", "tasks", "list", "-q"])?;
    for container in containers.stdout.lines() {
        // A sandbox may end with its last container.
        node.try_run(&[
            "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container,
        ])?;
    }
    node.run(&["systemctl", "stop", "containerd"])?;
    Ok(())
}

/// Builds the tool that ages certificates; the path of its program.
fn build_aged() -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "rinit", "--example", "aged"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let name = "cargo build -p rinit --example aged";
    let messages = shell::step(name, || shell::read(cargo.current_dir(checkout())))?;
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if message["target"]["name"] == "aged"
            && let Some(program) = message["executable"].as_str()
        {
            return Ok(PathBuf::from(program));
        }
    }
    None.context("cargo built no program named aged")
}
