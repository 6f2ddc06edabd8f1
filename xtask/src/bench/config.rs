//! `config validate` of a file with all seven kinds and 2,000 lines.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::Bench;
use super::measure::{Side, compare};

const LINES: usize = 2_000;

/// Every kind, with the lists that grow long in the field. Nothing in it is warned of, but for the
/// kinds that kubeadm always says it leaves out.
fn seven_kinds() -> String {
    let list = |head: &str, count: usize, item: &dyn Fn(usize) -> String| {
        (0..count).fold(head.to_owned(), |text, number| text + &item(number))
    };
    let kubeadm = "apiVersion: kubeadm.k8s.io/v1beta4\nkind:";
    let checks =
        |head: &str, indent: usize| list(head, 100, &|n| format!("{:indent$}- Check{n}\n", ""));
    let documents = [
        list(
            &checks(&format!("{kubeadm} InitConfiguration\nlocalAPIEndpoint:\n  advertiseAddress: 10.123.0.2\nnodeRegistration:\n  name: node-1\n  ignorePreflightErrors:\n"), 2),
            1,
            &|_| list("  taints:\n", 50, &|n| format!("  - key: example.com/taint-{n}\n    effect: NoSchedule\n")),
        ),
        [
            format!("{kubeadm} ClusterConfiguration\nkubernetesVersion: v1.37.1\nnetworking:\n  podSubnet: 10.244.0.0/16\napiServer:\n"),
            list("  certSANs:\n", 300, &|n| format!("  - host-{n}.example.com\n")),
            list("  extraVolumes:\n", 60, &|n| format!("  - name: volume-{n}\n    hostPath: /var/lib/volume-{n}\n    mountPath: /volumes/{n}\n    readOnly: true\n")),
            list("  extraEnvs:\n", 100, &|n| format!("  - name: VARIABLE_{n}\n    value: \"{n}\"\n")),
            list("controllerManager:\n  extraEnvs:\n", 100, &|n| format!("  - name: VARIABLE_{n}\n    value: \"{n}\"\n")),
        ]
        .concat(),
        checks(&format!("{kubeadm} JoinConfiguration\ndiscovery:\n  bootstrapToken:\n    token: abcdef.0123456789abcdef\n    apiServerEndpoint: 10.123.0.2:6443\n    unsafeSkipCAVerification: true\nnodeRegistration:\n  ignorePreflightErrors:\n"), 2),
        checks(&format!("{kubeadm} ResetConfiguration\nignorePreflightErrors:\n"), 0),
        checks(&format!("{kubeadm} UpgradeConfiguration\napply:\n  ignorePreflightErrors:\n"), 2),
        list("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nallowedUnsafeSysctls:\n", 300, &|n| format!("- net.example.setting_{n}\n")),
        list("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nnodePortAddresses:\n", 150, &|n| format!("- 10.{}.{}.0/24\n", n / 250, n % 250)),
    ];
    let mut text = documents.join("---\n");
    let missing = LINES.saturating_sub(text.lines().count());
    for number in 0..missing {
        let _ = writeln!(text, "# line {number}");
    }
    text
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    let text = seven_kinds();
    let lines = text.lines().count();
    ensure!(lines == LINES, "the file has {lines} lines");
    let file = bench.folder.join("seven.yaml");
    fs::write(&file, text)?;
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.args(["config", "validate", "--config"]).arg(&file);
        command
    };
    compare(
        &format!("config validate, seven kinds, {LINES} lines"),
        bench.rounds,
        &Side {
            before: &|| Ok(()),
            command: &|| command(&bench.kubeadm),
        },
        &Side {
            before: &|| Ok(()),
            command: &|| command(&bench.rinit),
        },
    )
}
