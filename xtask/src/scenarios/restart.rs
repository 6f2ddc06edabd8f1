//! What `rinit certs renew --restart` promises where something goes wrong on a running node.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::Context;
use super::cluster::{Cluster, Initiator, minimal_config};
use crate::node::Node;
use crate::shell::{self, Output};

const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
const PKI: &str = "/etc/kubernetes/pki";
const POLICY: &str = "/etc/audit/policy.yaml";
/// A policy of the API server's audit that keeps nothing.
const NO_AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n";
/// The configuration, with a short time for pods to be healthy, where none is to be.
const SHORT: &str = "/etc/rinit/short.yaml";
/// The same with time for etcd, and it asks for another algorithm of keys.
const OTHER: &str = "/etc/rinit/other.yaml";
/// The folder of the patches of static pods.
const PATCHES: &str = "/etc/rinit/patches";
/// The API server waits for its watchers, as a rule until it is killed after 30 s.
const GRACE: &str = "spec: {terminationGracePeriodSeconds: 5}\n";
const COMPONENTS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// A pod that does not come back gets its old certificates again; a restart that is cut off, or
/// has no container runtime to ask, leaves no manifest aside.
pub(super) fn fails(context: &Context) -> Result<()> {
    let node = context.start("cp", 2)?;
    let config = hardened(&minimal_config(context, &node)?)?;
    node.run(&["mkdir", "-p", "/etc/audit"])?;
    node.write_file(POLICY, NO_AUDIT, 0o644)?;
    node.write_file(&format!("{PATCHES}/kube-apiserver.yaml"), GRACE, 0o644)?;
    let cluster = Cluster::init(&node, Initiator::Rinit, &config)?;
    // By then the kubelet, which init starts again at its end, knows its pods.
    cluster.connect_pods(&[&node])?;
    cluster.wait_for_ready_nodes(&[&node])?;
    let within = |limit: &str| {
        let timeouts = format!("timeouts: {{controlPlaneComponentHealthCheck: {limit}}}");
        let point = "localAPIEndpoint:";
        config.replacen(point, &format!("{timeouts}\n{point}"), 1)
    };
    node.write_file(SHORT, within("5s"), 0o600)?;
    let other = within("15s").replacen(
        "kubernetesVersion:",
        "encryptionAlgorithm: ECDSA-P256\nkubernetesVersion:",
        1,
    );
    node.write_file(OTHER, &other, 0o600)?;

    shell::step("only what uses a certificate is restarted", || {
        let before = processes(&node)?;
        let output = renew(&node, &["scheduler.conf", "--restart"])?;
        ensure!(output.success(), "{output}");
        let after = processes(&node)?;
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            ensure!(
                (before != after) == (*name == "kube-scheduler"),
                "{name} had the processes {before} and has {after}: {output}"
            );
        }
        Ok(())
    })?;
    shell::step("no container runtime can be asked", || {
        let before = process(&node, "kube-apiserver")?;
        let script = "mount -t tmpfs none /run/containerd && \
            rinit certs renew apiserver --restart";
        let output = node.try_run(&["unshare", "-m", "sh", "-c", script])?;
        ensure!(output.success(), "{output}");
        ensure!(
            process(&node, "kube-apiserver")? != before,
            "the API server was not restarted: {output}"
        );
        ready(&node)
    })?;
    shell::step("killed while the manifest is away", || killed(&node))?;
    shell::step("asked to end while the manifest is away", || ended(&node))?;
    shell::step(
        "etcd with a certificate that its clients cannot use",
        || etcd(&node),
    )?;
    shell::step("an API server that does not come back at all", || {
        api_server(&node)
    })?;
    node.down()
}

/// etcd takes no ciphers but those for RSA keys, the API server has a policy to read and does not
/// take long to end.
fn hardened(config: &str) -> Result<String> {
    let point = "localAPIEndpoint:";
    ensure!(config.contains(point) && config.contains("networking:"));
    Ok(config
        .replacen(
            point,
            &format!("patches: {{directory: {PATCHES}}}\n{point}"),
            1,
        )
        .replacen(
            "networking:",
            "etcd:
  local:
    extraArgs:
    - {name: cipher-suites, value: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
    - {name: tls-min-version, value: TLS1.2}
    - {name: tls-max-version, value: TLS1.2}
apiServer:
  extraArgs:
  - {name: audit-policy-file, value: /etc/audit/policy.yaml}
  - {name: shutdown-delay-duration, value: 3s}
  extraVolumes:
  - {name: audit, hostPath: /etc/audit, mountPath: /etc/audit, readOnly: true}
networking:",
            1,
        ))
}

/// The new certificate is in order, and etcd starts with it; but no client shares a cipher with
/// it, so that the API server loses its store.
fn etcd(node: &Node) -> Result<()> {
    let before = files(node)?;
    let output = renew(node, &["etcd-server", "--config", OTHER, "--restart"])?;
    ensure!(output.code == Some(1), "{output}");
    for text in [
        "etcd is back, but the API server cannot work with it",
        "putting the old certificates of etcd back",
        "etcd is healthy again with its old certificates",
    ] {
        ensure!(output.stderr.contains(text), "{text} is not told: {output}");
    }
    same(&before, &files(node)?)?;
    ready(node)
}

/// What keeps it down is no certificate: something else was changed since its last start.
fn api_server(node: &Node) -> Result<()> {
    let before = files(node)?;
    node.write_file(POLICY, "kind: Nonsense\n", 0o644)?;
    let output = renew(
        node,
        &[
            "apiserver",
            "front-proxy-client",
            "--config",
            SHORT,
            "--restart",
        ],
    )?;
    ensure!(output.code == Some(1), "{output}");
    ensure!(
        output
            .stderr
            .contains("does not come back with its old certificates either"),
        "{output}"
    );
    same(&before, &files(node)?)?;
    node.write_file(POLICY, NO_AUDIT, 0o644)?;
    ready(node)
}

/// Nothing can be done at that moment; the next run of any renewal does it first.
fn killed(node: &Node) -> Result<()> {
    let output = signalled(node, "KILL")?;
    ensure!(output.stdout.contains("ended with 137"), "{output}");
    let there = node.try_run(&["test", "-e", MANIFEST])?;
    ensure!(!there.success(), "the manifest is there");
    let check = node.try_run(&["rinit", "certs", "check-expiration"])?;
    ensure!(
        check.stderr.contains(&format!("{MANIFEST} is away")),
        "{check}"
    );
    let output = renew(node, &["admin.conf"])?;
    ensure!(output.success(), "{output}");
    ensure!(
        output.stderr.contains(&format!("{MANIFEST} is back")),
        "{output}"
    );
    ready(node)
}

/// A program that is asked to end puts the manifest back by itself.
fn ended(node: &Node) -> Result<()> {
    let output = signalled(node, "TERM")?;
    ensure!(output.stdout.contains("ended with 1\n"), "{output}");
    ensure!(output.stderr.contains("interrupted"), "{output}");
    node.run(&["test", "-e", MANIFEST])?;
    ready(node)
}

/// Restarts the API server and sends a signal to rinit while the manifest is away.
fn signalled(node: &Node, signal: &str) -> Result<Output> {
    let script = format!(
        "rinit certs renew apiserver --restart & \
         while test -e {MANIFEST}; do sleep 0.02; done; \
         kill -{signal} $!; wait $!; echo ended with $?"
    );
    node.try_run(&["bash", "-c", &script])
}

fn renew(node: &Node, words: &[&str]) -> Result<Output> {
    node.try_run(&[&["rinit", "certs", "renew"], words].concat())
}

/// Waits until the API server and its store answer.
fn ready(node: &Node) -> Result<()> {
    shell::until("the API server is ready", Duration::from_mins(2), || {
        let ready = node.try_run(&["kubectl", "get", "--raw", "/readyz"])?;
        Ok(if ready.success() {
            Ok(())
        } else {
            Err(ready.to_string())
        })
    })
}

/// Certificates, keys and manifests, with modes, and a hash of each.
fn files(node: &Node) -> Result<String> {
    let script = format!(
        "find {PKI} /etc/kubernetes/manifests -type f -exec sha256sum {{}} + | sort -k 2; \
         find {PKI} /etc/kubernetes/manifests -printf '%p %m %u:%g\\n' | sort"
    );
    Ok(node.run(&["bash", "-c", &script])?.stdout)
}

fn same(before: &str, after: &str) -> Result<()> {
    ensure!(
        before == after,
        "files are not as before:\n{before}\nand after:\n{after}"
    );
    Ok(())
}

fn processes(node: &Node) -> Result<Vec<(&'static str, String)>> {
    COMPONENTS
        .iter()
        .map(|name| Ok((*name, process(node, name)?)))
        .collect()
}

/// The process of a component.
fn process(node: &Node, name: &str) -> Result<String> {
    let found = node.run(&["pidof", name])?.stdout.trim().to_owned();
    (!found.is_empty())
        .then_some(found)
        .with_context(|| format!("no {name} runs"))
}
