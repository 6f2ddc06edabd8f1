//! Whether the kernel suits a kubelet: its release, its configuration, its cgroups.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use rinit_diag::Problem;

use super::CheckOutcome;
use crate::{HostError, Result};

/// Where the kernel's configuration may be, `*` being its release. The first that exists counts.
const CONFIG_PLACES: &[&str] = &[
    "/proc/config.gz",
    "/boot/config-*",
    "/usr/src/linux-*/.config",
    "/usr/src/linux/.config",
    "/usr/lib/modules/*/config",
    "/usr/lib/ostree-boot/config-*",
    "/usr/lib/kernel/config-*",
    "/usr/src/linux-headers-*/.config",
    "/lib/modules/*/build/.config",
];

/// Options that a kubelet cannot do without. Where there are two, either will do.
const REQUIRED: &[&[&str]] = &[
    &["NAMESPACES"],
    &["NET_NS"],
    &["PID_NS"],
    &["IPC_NS"],
    &["UTS_NS"],
    &["CGROUPS"],
    &["CPUSETS"],
    &["MEMCG"],
    &["INET"],
    &["EXT4_FS"],
    &["PROC_FS"],
    &["NETFILTER_XT_TARGET_REDIRECT", "IP_NF_TARGET_REDIRECT"],
    &["NETFILTER_XT_MATCH_COMMENT"],
    &["FAIR_GROUP_SCHED"],
    &["CGROUP_PIDS"],
    &["CGROUP_SCHED"],
];
const REQUIRED_CGROUP_V1: &[&[&str]] =
    &[&["CGROUP_CPUACCT"], &["CGROUP_DEVICE"], &["CGROUP_FREEZER"]];
const REQUIRED_CGROUP_V2: &[&[&str]] = &[&["CGROUP_BPF"]];
/// Options that something is missing without. AUFS_FS, which kubeadm names too, has left Linux.
const OPTIONAL: &[&str] = &[
    "OVERLAY_FS",
    "BLK_DEV_DM",
    "CFS_BANDWIDTH",
    "SECCOMP",
    "SECCOMP_FILTER",
    "CGROUP_HUGETLB",
];

/// Which cgroup hierarchy the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hierarchy {
    /// Each controller on its own, also beside an empty unified one.
    V1,
    /// Unified.
    V2,
}

/// What was found wrong.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub(super) fn system(cgroup_v1_is_error: bool) -> Result<CheckOutcome> {
    let mut findings = Findings::default();
    let release = crate::machine::kernel_release();
    judge_release(&release, &mut findings);
    let unified = crate::files::read_file(Path::new("/sys/fs/cgroup/cgroup.controllers"))?;
    let (hierarchy, controllers) = if let Some(bytes) = unified {
        (Hierarchy::V2, String::from_utf8_lossy(&bytes).into_owned())
    } else {
        let table = crate::files::read_file(Path::new("/proc/cgroups"))?.unwrap_or_default();
        let controllers = enabled_v1(&String::from_utf8_lossy(&table)).join(" ");
        (Hierarchy::V1, controllers)
    };
    match kernel_config(&release)? {
        Some(config) => judge_config(&config, hierarchy, &mut findings),
        None => findings.warnings.push(
            Problem::new("the configuration of the kernel is in none of the usual places")
                .with_hint(
                    "It can be seen after `modprobe configs`, or with the package that holds \
                 /boot/config-$(uname -r).",
                ),
        ),
    }
    judge_cgroups(hierarchy, &controllers, cgroup_v1_is_error, &mut findings);
    Ok(findings.outcome())
}

impl Findings {
    fn outcome(self) -> CheckOutcome {
        if !self.errors.is_empty() {
            let messages: Vec<&str> = self
                .errors
                .iter()
                .map(|problem| problem.message.as_str())
                .collect();
            let hints: Vec<&str> = self
                .errors
                .iter()
                .filter_map(|problem| problem.hint.as_deref())
                .collect();
            return CheckOutcome::failed(messages.join("; "), hints.join(" "));
        }
        if self.warnings.is_empty() {
            CheckOutcome::Passed
        } else {
            CheckOutcome::Warned {
                problems: self.warnings,
            }
        }
    }
}

/// 5.4, 5.10, 5.15 and everything from 6 on are long-term kernels that Kubernetes is tested with.
fn judge_release(release: &str, findings: &mut Findings) {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let known = match (number(), number()) {
        (Some(5), Some(minor)) => matches!(minor, 4 | 10 | 15),
        (Some(major), Some(_)) => major >= 6,
        _ => false,
    };
    if !known {
        findings.warnings.push(
            Problem::new(format!(
                "Kubernetes is not tested with kernel {release}, but with 5.4, 5.10, 5.15 and 6.x"
            ))
            .with_hint("Install a long-term kernel; `uname -r` shows the one that runs."),
        );
    }
}

/// The text of the kernel's configuration; none if it is nowhere.
fn kernel_config(release: &str) -> Result<Option<String>> {
    for place in CONFIG_PLACES {
        let path = place.replace('*', release);
        let Some(bytes) = crate::files::read_file(Path::new(&path))? else {
            continue;
        };
        let mut text = String::new();
        // The magic number of gzip.
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(bytes.as_slice())
                // As for every file that is read.
                .take(crate::SIZE_LIMIT)
                .read_to_string(&mut text)
                .map_err(|error| HostError::file("unpack", path, error))?;
        } else {
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        return Ok(Some(text));
    }
    Ok(None)
}

fn judge_config(config: &str, hierarchy: Hierarchy, findings: &mut Findings) {
    let options: HashMap<&str, &str> = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("CONFIG_")?.split_once('='))
        .collect();
    let has = |option: &&str| matches!(options.get(option), Some(&("y" | "m")));
    let of_hierarchy = match hierarchy {
        Hierarchy::V1 => REQUIRED_CGROUP_V1,
        Hierarchy::V2 => REQUIRED_CGROUP_V2,
    };
    let missing: Vec<String> = REQUIRED
        .iter()
        .chain(of_hierarchy)
        .filter(|names| !names.iter().any(has))
        .map(|names| format!("CONFIG_{}", names.join(" or CONFIG_")))
        .collect();
    if !missing.is_empty() {
        findings.errors.push(
            Problem::new(format!("the kernel lacks {}", missing.join(", "))).with_hint(
                "Install a kernel of the distribution; `uname -r` shows the one that runs.",
            ),
        );
    }
    let lacking: Vec<String> = OPTIONAL
        .iter()
        .filter(|option| !has(option))
        .map(|option| format!("CONFIG_{option}"))
        .collect();
    if !lacking.is_empty() {
        findings.warnings.push(Problem::new(format!(
            "the kernel has no {}, which some features need",
            lacking.join(", ")
        )));
    }
}

/// The enabled controllers in `/proc/cgroups`. Columns: name, hierarchy, cgroups, enabled.
fn enabled_v1(table: &str) -> Vec<&str> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            (*columns.get(3)? == "1").then(|| columns[0])
        })
        .collect()
}

fn judge_cgroups(
    hierarchy: Hierarchy,
    controllers: &str,
    cgroup_v1_is_error: bool,
    findings: &mut Findings,
) {
    // In the unified hierarchy, every kernel from 5.4 on has devices (as BPF) and freezer.
    let (required, optional): (&[&str], &[&str]) = match hierarchy {
        Hierarchy::V1 => (
            &[
                "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids",
            ],
            &["hugetlb", "blkio"],
        ),
        Hierarchy::V2 => (&["cpu", "cpuset", "memory", "pids"], &["hugetlb", "io"]),
    };
    let missing = |names: &[&'static str]| -> Vec<&'static str> {
        names
            .iter()
            .copied()
            .filter(|name| !controllers.split_whitespace().any(|found| found == *name))
            .collect()
    };
    let lacking = missing(required);
    if !lacking.is_empty() {
        let memory_hint = if lacking.contains(&"memory") {
            " Some boards need `cgroup_enable=memory` on the kernel's command line."
        } else {
            ""
        };
        findings.errors.push(
            Problem::new(format!(
                "the cgroup controllers {} are missing",
                lacking.join(", ")
            ))
            .with_hint(format!(
                "See which there are with `cat /sys/fs/cgroup/cgroup.controllers /proc/cgroups`.\
                     {memory_hint}"
            )),
        );
    }
    let lacking = missing(optional);
    if !lacking.is_empty() {
        findings.warnings.push(Problem::new(format!(
            "the cgroup controllers {} are missing, which some limits need",
            lacking.join(", ")
        )));
    }
    if hierarchy == Hierarchy::V2 {
        return;
    }
    let problem = if cgroup_v1_is_error {
        Problem::new("the machine uses cgroup v1, which a kubelet from 1.35 on refuses").with_hint(
            "Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line. Until \
             then, `failCgroupV1: false` in the KubeletConfiguration and \
             `--ignore-preflight-errors=SystemVerification` go on with cgroup v1.",
        )
    } else {
        Problem::new("the machine uses cgroup v1, which a kubelet from 1.35 on will refuse")
            .with_hint(
                "Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line.",
            )
    };
    if cgroup_v1_is_error {
        findings.errors.push(problem);
    } else {
        findings.warnings.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(problems: &[Problem]) -> String {
        let messages: Vec<&str> = problems.iter().map(|one| one.message.as_str()).collect();
        messages.join("\n")
    }

    fn full_config() -> String {
        let required = REQUIRED
            .iter()
            .chain(REQUIRED_CGROUP_V1)
            .chain(REQUIRED_CGROUP_V2)
            .map(|names| names[0]);
        required
            .chain(OPTIONAL.iter().copied())
            .fold("# Linux\n".to_owned(), |text, name| {
                text + "CONFIG_" + name + "=y\n"
            })
    }

    #[test]
    fn long_term_kernels_are_known() {
        let warned = |release| {
            let mut findings = Findings::default();
            judge_release(release, &mut findings);
            !findings.warnings.is_empty()
        };
        for release in [
            "5.4.0-150-generic",
            "5.10.0-30-amd64",
            "5.15.167.4-WSL2",
            "6.18.44",
            "7.0.1",
        ] {
            assert!(!warned(release), "{release}");
        }
        for release in ["4.18.0-553.el8", "5.14.0-427.el9", "3.10.0", "nonsense"] {
            assert!(warned(release), "{release}");
        }
    }

    #[test]
    fn missing_options_are_listed() {
        let judge = |config: &str, hierarchy| {
            let mut findings = Findings::default();
            judge_config(config, hierarchy, &mut findings);
            (messages(&findings.errors), messages(&findings.warnings))
        };
        let full = full_config();
        assert_eq!(judge(&full, Hierarchy::V1), (String::new(), String::new()));
        let modular = full
            .replace("EXT4_FS=y", "EXT4_FS=m")
            .replace("NETFILTER_XT_TARGET_REDIRECT=y", "IP_NF_TARGET_REDIRECT=m");
        assert_eq!(judge(&modular, Hierarchy::V2).0, "");
        let lacking = full
            .replace("CONFIG_MEMCG=y", "# CONFIG_MEMCG is not set")
            .replace("CONFIG_CGROUP_FREEZER=y", "CONFIG_CGROUP_FREEZER=n")
            .replace("CONFIG_SECCOMP=y\n", "");
        assert_eq!(
            judge(&lacking, Hierarchy::V1),
            (
                "the kernel lacks CONFIG_MEMCG, CONFIG_CGROUP_FREEZER".into(),
                "the kernel has no CONFIG_SECCOMP, which some features need".into()
            )
        );
        assert_eq!(
            judge(&lacking, Hierarchy::V2).0,
            "the kernel lacks CONFIG_MEMCG"
        );
    }

    #[test]
    fn cgroup_v1_is_a_warning_and_later_an_error() {
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\ncpu\t1\t1\t1\n\
            cpuacct\t2\t1\t1\nblkio\t7\t1\t1\nmemory\t4\t445\t1\ndevices\t5\t1\t1\nfreezer\t6\t1\t1\n\
            hugetlb\t0\t1\t0\npids\t8\t1\t1\n";
        let controllers = enabled_v1(table).join(" ");
        let judge = |is_error| {
            let mut findings = Findings::default();
            judge_cgroups(Hierarchy::V1, &controllers, is_error, &mut findings);
            findings
        };
        let earlier = judge(false);
        assert_eq!(messages(&earlier.errors), "");
        assert_eq!(
            messages(&earlier.warnings),
            "the cgroup controllers hugetlb are missing, which some limits need\n\
             the machine uses cgroup v1, which a kubelet from 1.35 on will refuse"
        );
        let CheckOutcome::Failed { problem } = judge(true).outcome() else {
            panic!("cgroup v1 passed");
        };
        assert!(problem.hint.unwrap().contains("`failCgroupV1: false`"));
    }

    #[test]
    fn missing_controllers_are_listed() {
        let mut findings = Findings::default();
        judge_cgroups(
            Hierarchy::V2,
            "cpuset cpu io pids hugetlb\n",
            true,
            &mut findings,
        );
        assert_eq!(
            messages(&findings.errors),
            "the cgroup controllers memory are missing"
        );
        assert!(findings.warnings.is_empty());
    }

    #[test]
    fn this_machine_is_judged() {
        assert!(!matches!(
            system(false).unwrap(),
            CheckOutcome::Unknown { .. }
        ));
    }
}
