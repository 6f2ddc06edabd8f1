//! What `rinit init` promises on a node that has been initialised, or half so.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::Context;
use super::cluster::{CONFIG, Cluster, Initiator, minimal_config, prepare};
use crate::node::Node;
use crate::shell::{self, Output};

/// Exit codes of rinit, by its documentation.
const USAGE: i32 = 2;
const BLOCKED: i32 = 4;
const CONFLICT: i32 = 5;

/// A second init changes nothing and says so; one with another configuration refuses; phases do
/// just what they are named for; the certificates are told of as kubeadm tells of them.
pub(super) fn again(context: &Context) -> Result<()> {
    let node = context.start("cp", 2)?;
    let config = minimal_config(context, &node)?;
    Cluster::init(&node, Initiator::Rinit, &config)?;

    shell::step("a second init changes nothing", || {
        let before = fingerprint(&node)?;
        let output = node.run(&Initiator::Rinit.command())?;
        ensure!(output.stderr.contains("nothing was changed"), "{output}");
        ensure!(output.stdout.contains("kubeadm join"), "{output}");
        same(&before, &fingerprint(&node)?)
    })?;

    shell::step("another service network is refused", || {
        let other = with_line_after(&config, "networking:", "  serviceSubnet: 10.97.0.0/16")?;
        refuses(&node, &other, &["10.96.0.0/12", "10.97.0.0/16"])
    })?;
    shell::step("another version is refused", || {
        let version = line_of(&config, "kubernetesVersion:")?;
        let other = config.replace(version, "kubernetesVersion: v1.37.0");
        refuses(&node, &other, &["v1.37.0"])
    })?;
    node.write_file(CONFIG, &config, 0o600)?;

    shell::step(
        "another version is refused while the API server is down",
        || unverified(&node, &config),
    )?;
    shell::step("single phases", || phases(&node))?;
    shell::step("a single phase changes the stored configuration", || {
        reconfigured(&node, &config)
    })?;
    shell::step("check-expiration beside kubeadm's", || {
        expirations(&node, "the certificates of rinit")
    })?;
    node.down()?;

    let made_by_kubeadm = context.start("kubeadm", 3)?;
    let config = minimal_config(context, &made_by_kubeadm)?;
    Cluster::init(&made_by_kubeadm, Initiator::Kubeadm, &config)?;
    prepare(&made_by_kubeadm, Initiator::Rinit, &config)?;
    shell::step("check-expiration on a node made by kubeadm", || {
        expirations(&made_by_kubeadm, "the certificates of kubeadm")
    })?;
    shell::step("init takes up a node made by kubeadm", || {
        let ca = made_by_kubeadm.read_file("/etc/kubernetes/pki/ca.crt")?;
        made_by_kubeadm.run(&Initiator::Rinit.command())?;
        ensure!(made_by_kubeadm.read_file("/etc/kubernetes/pki/ca.crt")? == ca);
        Ok(())
    })?;
    made_by_kubeadm.down()
}

/// An init that is killed at any moment is completed by the next one, with the same authority.
pub(super) fn killed(context: &Context) -> Result<()> {
    let node = context.start("cp", 2)?;
    let config = minimal_config(context, &node)?;
    prepare(&node, Initiator::Rinit, &config)?;
    // Each is a state that init reaches a while before its end.
    let moments: [(&str, &[&str]); 5] = [
        (
            "the cluster's authority is there",
            &["test", "-e", "/etc/kubernetes/pki/ca.crt"],
        ),
        (
            "the administrator's kubeconfig is there",
            &["test", "-e", "/etc/kubernetes/admin.conf"],
        ),
        (
            "the scheduler's manifest is there",
            &[
                "test",
                "-e",
                "/etc/kubernetes/manifests/kube-scheduler.yaml",
            ],
        ),
        (
            "the kubelet listens",
            &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/10248"],
        ),
        (
            "the API server listens",
            &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/6443"],
        ),
    ];
    let mut authority: Option<String> = None;
    for (moment, reached) in moments {
        shell::step(&format!("killed when {moment}"), || {
            let mut run = node.spawn(&Initiator::Rinit.command())?;
            shell::until(moment, Duration::from_mins(1), || {
                let done = node.try_run(reached)?;
                Ok(if done.success() {
                    Ok(())
                } else {
                    Err(done.to_string())
                })
            })?;
            ensure!(run.is_running()?, "init ended before it could be killed");
            run.kill()?;
            let found = node.read_file("/etc/kubernetes/pki/ca.crt")?;
            if let Some(known) = &authority {
                ensure!(*known == found, "the authority is another one");
            }
            authority = Some(found);
            Ok(())
        })?;
    }
    let cluster = Cluster::init(&node, Initiator::Rinit, &config)?;
    let found = node.read_file("/etc/kubernetes/pki/ca.crt")?;
    ensure!(authority == Some(found), "the authority is another one");
    let left = node.run(&[
        "find",
        "/etc/kubernetes",
        "/var/lib/kubelet",
        "-name",
        "*.rinit-*",
    ])?;
    ensure!(
        left.stdout.is_empty(),
        "temporary files are left:\n{}",
        left.stdout
    );
    cluster.connect_pods(&[&node])?;
    cluster.wait_for_ready_nodes(&[&node])?;
    cluster.wait_for_system_pods()?;
    cluster.probe_from_pod(&node)?;
    let output = node.run(&Initiator::Rinit.command())?;
    ensure!(output.stderr.contains("nothing was changed"), "{output}");
    node.down()
}

/// The files that init writes, with mode and time, and its objects with their versions. Of what a
/// controller keeps up to date only the generation counts.
fn fingerprint(node: &Node) -> Result<String> {
    let files = files(node)?;
    let own = [
        "kubeadm",
        "coredns",
        "kube-dns",
        "kube-proxy",
        "kubelet-config",
        "bootstrap-token-",
    ];
    let mut objects = String::new();
    for (kinds, version) in [
        (
            "configmaps,secrets,roles,rolebindings,clusterroles,clusterrolebindings,serviceaccounts",
            "resourceVersion",
        ),
        ("deployments,daemonsets,services", "generation"),
    ] {
        let columns = format!(
            "custom-columns=K:.kind,N:.metadata.namespace,M:.metadata.name,V:.metadata.{version}"
        );
        let list = [
            "kubectl",
            "get",
            kinds,
            "-A",
            "--no-headers",
            "-o",
            &columns,
        ];
        for line in node.run(&list)?.stdout.lines() {
            if own.iter().any(|name| line.contains(name)) {
                // The width of the columns depends on what else there is.
                let words: Vec<&str> = line.split_whitespace().collect();
                objects.push_str(&words.join(" "));
                objects.push('\n');
            }
        }
    }
    Ok(files + &objects)
}

/// The files that init writes, with mode and time.
fn files(node: &Node) -> Result<String> {
    let found = node.run(&[
        "bash",
        "-c",
        "find /etc/kubernetes /var/lib/kubelet/config.yaml /var/lib/kubelet/instance-config.yaml \
         /var/lib/kubelet/kubeadm-flags.env -printf '%p %m %u %s %T@\\n' | sort",
    ])?;
    Ok(found.stdout)
}

fn same(before: &str, after: &str) -> Result<()> {
    let changed: Vec<String> = after
        .lines()
        .filter(|line| !before.lines().any(|known| known == *line))
        .map(|line| format!("+ {line}"))
        .chain(
            before
                .lines()
                .filter(|line| !after.lines().any(|known| known == *line))
                .map(|line| format!("- {line}")),
        )
        .collect();
    ensure!(
        changed.is_empty(),
        "something has changed:\n{}",
        changed.join("\n")
    );
    Ok(())
}

/// Init with that configuration exits with a conflict, shows what differs, and writes nothing.
fn refuses(node: &Node, config: &str, shown: &[&str]) -> Result<()> {
    let before = fingerprint(node)?;
    node.write_file(CONFIG, config, 0o600)?;
    let output = node.try_run(&Initiator::Rinit.command())?;
    ensure!(output.code == Some(CONFLICT), "{output}");
    for text in shown {
        ensure!(
            output.stderr.contains(text),
            "{text} is not shown: {output}"
        );
    }
    same(&before, &fingerprint(node)?)
}

/// Without an API server to ask, a finished control plane is not written over; what it was made
/// with brings it back.
fn unverified(node: &Node, config: &str) -> Result<()> {
    let before = files(node)?;
    node.run(&["systemctl", "stop", "kubelet"])?;
    node.run(&["bash", "-c", "kill -9 $(pidof kube-apiserver)"])?;
    let other = config.replace(
        line_of(config, "kubernetesVersion:")?,
        "kubernetesVersion: v1.37.0",
    );
    node.write_file(CONFIG, &other, 0o600)?;
    let output = node.try_run(&Initiator::Rinit.command())?;
    ensure!(output.code == Some(BLOCKED), "{output}");
    ensure!(output.stderr.contains("finished control plane"), "{output}");
    same(&before, &files(node)?)?;
    node.write_file(CONFIG, config, 0o600)?;
    node.run(&Initiator::Rinit.command())?;
    same(&before, &files(node)?)
}

fn phases(node: &Node) -> Result<()> {
    let rinit = |words: &[&str]| -> Result<Output> {
        node.try_run(&[&["rinit", "init"], words, &["--config", CONFIG]].concat())
    };
    let before = fingerprint(node)?;
    let output = rinit(&["phase", "certs", "all"])?;
    ensure!(
        output.success() && output.stderr.contains("nothing was changed"),
        "{output}"
    );
    same(&before, &fingerprint(node)?)?;

    let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    let text = node.read_file(manifest)?;
    node.run(&["rm", manifest])?;
    let output = rinit(&["phase", "control-plane", "apiserver"])?;
    ensure!(output.success(), "{output}");
    ensure!(
        node.read_file(manifest)? == text,
        "the manifest is another one"
    );
    let lines = output.stderr.matches("created:").count();
    ensure!(lines == 1, "more than the manifest was made: {output}");
    shell::until("the API server is back", Duration::from_mins(2), || {
        let ready = node.try_run(&["kubectl", "get", "--raw", "/readyz"])?;
        Ok(if ready.success() {
            Ok(())
        } else {
            Err(ready.to_string())
        })
    })?;

    let output = rinit(&[
        "--skip-phases",
        "addon/kube-proxy,show-join-command",
        "--ignore-preflight-errors=SystemVerification",
    ])?;
    ensure!(
        output.success() && !output.stdout.contains("kubeadm join"),
        "{output}"
    );
    ensure!(
        !output.stderr.contains("[addon/kube-proxy]") && output.stderr.contains("[addon/coredns]"),
        "{output}"
    );

    let output = rinit(&["phase", "nonsense"])?;
    ensure!(
        output.code == Some(USAGE) && output.stderr.contains("there is no phase"),
        "{output}"
    );
    Ok(())
}

/// `upload-config` by name writes what it is given, shows what changes, and does so again.
fn reconfigured(node: &Node, config: &str) -> Result<()> {
    let version = line_of(config, "kubernetesVersion:")?;
    let other = config.replace(version, "kubernetesVersion: v1.37.0");
    let phase = ["rinit", "init", "phase", "upload-config", "kubeadm"];
    for given in [other.as_str(), config] {
        node.write_file(CONFIG, given, 0o600)?;
        let output = node.run(&[&phase[..], &["--config", CONFIG]].concat())?;
        ensure!(output.stderr.contains("v1.37.0"), "{output}");
        let stored = [
            "kubectl",
            "-n",
            "kube-system",
            "get",
            "cm",
            "kubeadm-config",
        ];
        let stored = node.run(&[&stored[..], &["-o", "yaml"]].concat())?.stdout;
        ensure!(
            stored.contains(line_of(given, "kubernetesVersion:")?),
            "{stored}"
        );
    }
    let output = node.run(&Initiator::Rinit.command())?;
    ensure!(output.stderr.contains("nothing was changed"), "{output}");
    Ok(())
}

/// rinit's tables and kubeadm's over the same files: the same rows and dates.
fn expirations(node: &Node, what: &str) -> Result<()> {
    let ours = node.run(&["rinit", "certs", "check-expiration"])?;
    let theirs = node.run(&["kubeadm", "certs", "check-expiration", "--config", CONFIG])?;
    let tables = |text: &str| -> Vec<String> {
        text.lines()
            .skip_while(|line| !line.starts_with("CERTIFICATE"))
            // kubeadm has no table of the kubelet's own.
            .take_while(|line| !line.starts_with("KUBELET"))
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let (ours, theirs) = (tables(&ours.stdout), tables(&theirs.stdout));
    ensure!(ours.len() > 12, "{what}: no tables: {ours:?}");
    ensure!(
        ours == theirs,
        "{what}:\nrinit   {ours:#?}\nkubeadm {theirs:#?}"
    );
    Ok(())
}

fn line_of<'a>(config: &'a str, start: &str) -> Result<&'a str> {
    config
        .lines()
        .find(|line| line.starts_with(start))
        .with_context(|| format!("the configuration has no line {start}"))
}

pub(super) fn with_line_after(config: &str, start: &str, line: &str) -> Result<String> {
    let found = line_of(config, start)?;
    Ok(config.replacen(found, &format!("{found}\n{line}"), 1))
}
