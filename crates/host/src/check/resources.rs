//! Checks of the running machine: user, processors, memory, swap, names, services.

use std::path::Path;

use super::CheckOutcome;
use crate::process::{find_executable, run};
use crate::{InitSystem, Invocation, Result};

pub(super) fn privileged(effective_user: u32) -> CheckOutcome {
    if effective_user == 0 {
        CheckOutcome::Passed
    } else {
        CheckOutcome::failed(
            format!("rinit runs as user {effective_user}, not as root"),
            "Run it with `sudo`.",
        )
    }
}

fn kernel_text(path: &str) -> Result<String> {
    let bytes = crate::files::read_file(Path::new(path))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn processors(minimum: u32) -> Result<CheckOutcome> {
    let status = kernel_text("/proc/self/status")?;
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .and_then(count_listed);
    Ok(match count {
        None => CheckOutcome::unknown("/proc/self/status does not list the processors"),
        Some(count) if count >= minimum => CheckOutcome::Passed,
        Some(count) => CheckOutcome::failed(
            format!("{count} processors are usable, and a control plane needs {minimum}"),
            "Give the machine more processors; `nproc` shows how many it has.",
        ),
    })
}

/// The number of processors in a list such as `0-3,8`.
fn count_listed(processors: &str) -> Option<u32> {
    processors
        .trim()
        .split(',')
        .map(|part| match part.split_once('-') {
            None => part.parse::<u32>().ok().map(|_| 1),
            Some((first, last)) => {
                let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
                last.checked_sub(first)?.checked_add(1)
            }
        })
        .sum()
}

pub(super) fn memory(minimum_megabytes: u64) -> Result<CheckOutcome> {
    Ok(judge_memory(
        &kernel_text("/proc/meminfo")?,
        minimum_megabytes,
    ))
}

fn judge_memory(meminfo: &str, minimum_megabytes: u64) -> CheckOutcome {
    let kibibytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let Some(kibibytes) = kibibytes else {
        return CheckOutcome::unknown("/proc/meminfo does not tell the memory");
    };
    let megabytes = kibibytes * 1024 / 1_000_000;
    if megabytes >= minimum_megabytes {
        CheckOutcome::Passed
    } else {
        CheckOutcome::failed(
            format!(
                "the machine has {megabytes} MB of memory, and a control plane needs \
                 {minimum_megabytes} MB"
            ),
            "Give it more memory; `free --mega` shows what it has.",
        )
    }
}

pub(super) fn swap() -> Result<CheckOutcome> {
    Ok(judge_swap(&kernel_text("/proc/swaps")?))
}

fn judge_swap(swaps: &str) -> CheckOutcome {
    let active: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if active.is_empty() {
        return CheckOutcome::Passed;
    }
    CheckOutcome::failed(
        format!(
            "swap is active on {}, and the kubelet refuses to start with swap unless its \
             configuration has failSwapOn: false",
            active.join(", ")
        ),
        "Turn it off with `swapoff -a`, and comment it out in /etc/fstab for the next boot \
         (`systemctl list-units --type swap` shows swap that systemd turns on).",
    )
}

pub(super) fn executable(name: &str) -> CheckOutcome {
    if find_executable(name).is_some() {
        return CheckOutcome::Passed;
    }
    let package = match name {
        "mount" | "losetup" | "nsenter" => "util-linux",
        "cp" | "touch" => "coreutils",
        "ip" | "tc" => "iproute2",
        "conntrack" => "conntrack-tools, on Debian conntrack",
        other => other,
    };
    CheckOutcome::failed(
        format!("executable {name} is not in the PATH"),
        format!("It comes with the package {package}; `command -v {name}` finds it."),
    )
}

/// How long the look-up of a name may take. A name server that drops packets takes far longer.
const LOOKUP_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// How long the name of an endpoint may take.
const ENDPOINT_LIMIT: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether a name resolves to an address, in a moment.
pub async fn resolves(name: &str) -> bool {
    let lookup = tokio::net::lookup_host((name, 0));
    match tokio::time::timeout(ENDPOINT_LIMIT, lookup).await {
        Ok(Ok(mut addresses)) => addresses.next().is_some(),
        Ok(Err(_)) | Err(_) => false,
    }
}

pub(super) async fn hostname(name: &str) -> CheckOutcome {
    let lookup = tokio::net::lookup_host((name, 0));
    let Ok(found) = tokio::time::timeout(LOOKUP_LIMIT, lookup).await else {
        let seconds = LOOKUP_LIMIT.as_secs();
        return unresolved(name, &format!("no answer within {seconds} s"));
    };
    match found.map(|mut addresses| addresses.next()) {
        Ok(Some(_)) => CheckOutcome::Passed,
        Ok(None) => unresolved(name, "no address"),
        Err(error) => unresolved(name, &error.to_string()),
    }
}

fn unresolved(name: &str, reason: &str) -> CheckOutcome {
    CheckOutcome::failed(
        format!("the node name \"{name}\" resolves to no address: {reason}"),
        format!(
            "Add it to the DNS or to /etc/hosts, for example with \
             `echo \"$(hostname -I | cut -d' ' -f1) {name}\" >> /etc/hosts`."
        ),
    )
}

pub(super) async fn firewalld(ports: &[u16]) -> Result<CheckOutcome> {
    if !InitSystem::detect().await.is_active("firewalld").await? {
        return Ok(CheckOutcome::Passed);
    }
    let mut closed = Vec::new();
    for port in ports {
        let query = format!("--query-port={port}/tcp");
        let answer = run(&Invocation::new("firewall-cmd", &[&query])).await;
        // Without an answer the port counts as closed: the warning says what to look at.
        if !answer.is_ok_and(|output| output.success()) {
            closed.push(*port);
        }
    }
    if closed.is_empty() {
        return Ok(CheckOutcome::Passed);
    }
    let list = |format: &dyn Fn(&u16) -> String, separator: &str| {
        closed
            .iter()
            .map(format)
            .collect::<Vec<_>>()
            .join(separator)
    };
    Ok(CheckOutcome::failed(
        format!(
            "firewalld is active and does not open port {}",
            list(&u16::to_string, ", ")
        ),
        format!(
            "Open them with `firewall-cmd --permanent {} && firewall-cmd --reload`.",
            list(&|port| format!("--add-port={port}/tcp"), " ")
        ),
    ))
}

pub(super) async fn service(init_system: InitSystem, unit: &str) -> Result<CheckOutcome> {
    if init_system == InitSystem::None {
        return Ok(CheckOutcome::unknown(
            "neither systemd nor OpenRC runs this machine",
        ));
    }
    let state = init_system.state(unit).await?;
    Ok(if !state.exists {
        CheckOutcome::failed(
            format!("there is no unit {unit}"),
            format!(
                "Install the package of {unit}, or write its unit; `systemctl cat {unit}` shows it."
            ),
        )
    } else if state.enabled {
        CheckOutcome::Passed
    } else {
        let command = match init_system {
            InitSystem::OpenRc => format!("rc-update add {unit} default"),
            InitSystem::Systemd | InitSystem::None => format!("systemctl enable {unit}.service"),
        };
        CheckOutcome::failed(
            format!("unit {unit} does not start at boot"),
            format!("Enable it with `{command}`."),
        )
    })
}

pub(super) fn proxy(destination: &str, proxy: Option<&str>) -> CheckOutcome {
    match proxy {
        None => CheckOutcome::Passed,
        Some(variable) => CheckOutcome::failed(
            format!("connections to {destination} would go through the proxy of {variable}"),
            format!("Except it with `export NO_PROXY=\"$NO_PROXY,{destination}\"`."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        assert_eq!(count_listed("\t0"), Some(1));
        assert_eq!(count_listed("0-3,8,10-11\n"), Some(7));
        assert_eq!(count_listed(""), None);
        assert_eq!(processors(1).unwrap(), CheckOutcome::Passed);
        assert!(matches!(
            processors(1_000_000).unwrap(),
            CheckOutcome::Failed { .. }
        ));
    }

    #[test]
    fn memory_is_judged_in_megabytes() {
        // 1700 MB are 1660157 KiB.
        let meminfo = |kibibytes| format!("MemTotal:        {kibibytes} kB\nMemFree: 1 kB\n");
        assert_eq!(
            judge_memory(&meminfo(1_660_157), 1700),
            CheckOutcome::Passed
        );
        let CheckOutcome::Failed { problem } = judge_memory(&meminfo(1_000_000), 1700) else {
            panic!("too little memory passed");
        };
        assert!(problem.message.contains("1024 MB"), "{problem}");
        assert!(matches!(
            judge_memory("", 1700),
            CheckOutcome::Unknown { .. }
        ));
    }

    #[test]
    fn active_swap_is_named() {
        let header = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(judge_swap(header), CheckOutcome::Passed);
        let CheckOutcome::Failed { problem } = judge_swap(&format!(
            "{header}/dev/sda2                               partition\t998396\t\t0\t\t-2\n"
        )) else {
            panic!("active swap passed");
        };
        assert!(problem.message.contains("/dev/sda2"));
        assert!(problem.hint.unwrap().contains("`swapoff -a`"));
    }

    #[tokio::test]
    async fn names_are_looked_up() {
        assert_eq!(hostname("localhost").await, CheckOutcome::Passed);
        // RFC 2606 keeps this domain empty.
        let CheckOutcome::Failed { problem } = hostname("node.invalid").await else {
            panic!("a name that cannot exist was found");
        };
        assert!(problem.hint.unwrap().contains("/etc/hosts`"));
    }

    #[test]
    fn only_root_is_root() {
        assert_eq!(privileged(0), CheckOutcome::Passed);
        assert!(matches!(privileged(1000), CheckOutcome::Failed { .. }));
        assert_eq!(executable("sh"), CheckOutcome::Passed);
        assert!(matches!(
            executable("no-such-program"),
            CheckOutcome::Failed { .. }
        ));
    }
}
