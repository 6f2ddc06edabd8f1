//! What a node's root gets on top of Debian: the programs of Kubernetes and containerd, their
//! units and settings, as the packages of a distribution would bring them.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::recipe::ImageNames;
use crate::cache;

/// Part of what decides whether the layer is laid out again.
pub(super) const SOURCE: &str = include_str!("layer.rs");

const PROGRAMS: &[(&str, &str)] = &[
    ("usr/bin", "kubeadm"),
    ("usr/bin", "kubectl"),
    ("usr/bin", "kubelet"),
    ("usr/bin", "containerd"),
    ("usr/bin", "containerd-shim-runc-v2"),
    ("usr/bin", "ctr"),
    ("usr/bin", "etcdctl"),
];

/// Units that would change the machine's settings, wait for a terminal or fetch packages.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "getty.target",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
];

const KUBELET_UNIT: &str = "\
[Unit]
Description=kubelet
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
";

const KUBELET_DROP_IN: &str = r#"[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"#;

/// The disk is the machine's, and how full that is says nothing about a node: by its own limit of
/// 15 % free the kubelet would evict the pods of a scenario.
const KUBELET_DEFAULTS: &str = "\
KUBELET_EXTRA_ARGS=--eviction-hard=memory.available<100Mi,nodefs.available<1%,imagefs.available<1%
";

const CONTAINERD_UNIT: &str = "\
[Unit]
Description=containerd
After=network.target dbus.service

[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
TasksMax=infinity

[Install]
WantedBy=multi-user.target
";

/// Root without CAP_SYS_RESOURCE may not lower an OOM score, hence `restrict_oom_score_adj`.
const CONTAINERD_CONFIG: &str = "\
version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '@PAUSE@'

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true
";

/// Writes the layer to `folder/layer`, taking the programs from `folder/bin`.
pub(super) fn write(folder: &Path, images: &ImageNames) -> Result<()> {
    let layer = folder.join("layer");
    let file = |name: &str, text: &str| -> Result<()> {
        let path = layer.join(name);
        cache::make_folder(path.parent().unwrap_or(&layer))?;
        cache::write(&path, text)
    };
    let link = |name: &str, target: &str| -> Result<()> {
        let path = layer.join(name);
        cache::make_folder(path.parent().unwrap_or(&layer))?;
        symlink(target, &path).with_context(|| format!("cannot make {}", path.display()))
    };
    for (place, program) in PROGRAMS {
        cache::make_folder(&layer.join(place))?;
        let path = layer.join(place).join(program);
        std::fs::hard_link(folder.join("bin").join(program), &path)
            .with_context(|| format!("cannot make {}", path.display()))?;
    }
    file("etc/systemd/system/kubelet.service", KUBELET_UNIT)?;
    file(
        "etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
        KUBELET_DROP_IN,
    )?;
    file("etc/default/kubelet", KUBELET_DEFAULTS)?;
    file("etc/systemd/system/containerd.service", CONTAINERD_UNIT)?;
    let config = CONTAINERD_CONFIG.replace("@PAUSE@", images.name("pause")?);
    file("etc/containerd/config.toml", &config)?;
    for unit in ["kubelet", "containerd"] {
        let name = format!("{unit}.service");
        link(
            &format!("etc/systemd/system/multi-user.target.wants/{name}"),
            &format!("/etc/systemd/system/{name}"),
        )?;
    }
    for unit in MASKED {
        link(&format!("etc/systemd/system/{unit}"), "/dev/null")?;
    }
    link("opt/cni/bin", "/usr/lib/cni")?;
    cache::make_folder(&layer.join("etc/cni/net.d"))
}
