//! Whether a TCP port is free, and who listens on it if not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;

use super::CheckOutcome;

/// A process that listens.
#[derive(Debug, PartialEq, Eq)]
struct Listener {
    process: u32,
    executable: String,
}

pub(super) fn port(address: Option<IpAddr>, port: u16, owner: &str) -> CheckOutcome {
    let error = match bind(address, port) {
        Ok(()) => return CheckOutcome::Passed,
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => taken(port, owner),
        io::ErrorKind::PermissionDenied => {
            CheckOutcome::unknown(format!("only root may try port {port}"))
        }
        io::ErrorKind::AddrNotAvailable => CheckOutcome::failed(
            format!(
                "no interface of this host has the address {}",
                address.map_or_else(String::new, |address| address.to_string())
            ),
            "See which addresses there are with `ip -brief address`.",
        ),
        _ => CheckOutcome::failed(
            format!("cannot listen on port {port}: {error}"),
            format!("See who listens there with `ss -ltnp 'sport = :{port}'`."),
        ),
    }
}

/// Listens for a moment. Without an address, on all addresses of both families.
fn bind(address: Option<IpAddr>, port: u16) -> io::Result<()> {
    let Some(address) = address else {
        return match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
            // A kernel without IPv6.
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EAFNOSUPPORT as i32) => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop)
            }
            other => other.map(drop),
        };
    };
    TcpListener::bind((address, port)).map(drop)
}

fn taken(port: u16, owner: &str) -> CheckOutcome {
    let listeners = listeners(port);
    // Our own component, from an earlier init.
    if !listeners.is_empty()
        && listeners
            .iter()
            .all(|listener| is_owner(&listener.executable, owner))
    {
        return CheckOutcome::Passed;
    }
    let stranger = listeners
        .into_iter()
        .find(|listener| !is_owner(&listener.executable, owner));
    match stranger {
        Some(Listener {
            process,
            executable,
        }) => CheckOutcome::failed(
            format!("port {port} is held by {executable} (process {process})"),
            format!(
                "See what it is with `ps -fp {process}` and stop it, or give {owner} another port."
            ),
        ),
        None if !nix::unistd::geteuid().is_root() => CheckOutcome::unknown(format!(
            "port {port} is in use, and only root can see whether by {owner}"
        )),
        None => CheckOutcome::failed(
            format!("port {port} is in use by a process that cannot be seen from here"),
            format!("Look for it with `ss -ltnp 'sport = :{port}'`, in other containers as well."),
        ),
    }
}

fn is_owner(executable: &str, owner: &str) -> bool {
    // The kernel cuts the name that stands in for an unreadable path after 15 bytes.
    executable == owner || (executable.len() == 15 && owner.starts_with(executable))
}

/// The processes that listen on a port, as far as they can be seen.
fn listeners(port: u16) -> Vec<Listener> {
    let mut sockets = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        if let Ok(text) = std::fs::read_to_string(table) {
            sockets.extend(listening_sockets(&text, port));
        }
    }
    let links: Vec<String> = sockets
        .into_iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| holds_any(*process, &links))
        .map(|process| Listener {
            process,
            executable: executable_of(process),
        })
        .collect()
}

/// The inodes of the sockets that listen on a port. Columns: number, local address, remote
/// address, state, queues, timer, retransmits, user, timeout, inode.
fn listening_sockets(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listens = columns.get(1)?.ends_with(&suffix) && *columns.get(3)? == LISTEN;
            listens.then(|| columns.get(9)?.parse().ok())?
        })
        .collect()
}

fn holds_any(process: u32, links: &[String]) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    descriptors.flatten().any(|entry| {
        std::fs::read_link(entry.path())
            .is_ok_and(|target| links.iter().any(|link| Path::new(link) == target))
    })
}

fn executable_of(process: u32) -> String {
    if let Ok(path) = std::fs::read_link(format!("/proc/{process}/exe"))
        && let Some(name) = path.file_name()
    {
        let name = name.to_string_lossy();
        // What the kernel appends once the file was replaced.
        return name.trim_end_matches(" (deleted)").to_owned();
    }
    std::fs::read_to_string(format!("/proc/{process}/comm"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_passes_and_a_held_one_names_its_holder() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = held.local_addr().unwrap().port();
        let CheckOutcome::Failed { problem } = port(None, number, "kube-apiserver") else {
            panic!("a held port passed");
        };
        let process = std::process::id();
        assert!(
            problem
                .message
                .starts_with(&format!("port {number} is held by "))
                && problem.message.ends_with(&format!("(process {process})")),
            "{problem}"
        );
        assert!(
            problem
                .hint
                .unwrap()
                .contains(&format!("`ps -fp {process}`"))
        );
        // The same listener, if it is ours.
        let name = executable_of(process);
        assert_eq!(port(None, number, &name), CheckOutcome::Passed);
        drop(held);
        assert_eq!(port(None, number, "kube-apiserver"), CheckOutcome::Passed);
    }

    #[test]
    fn an_address_that_is_not_here_is_told() {
        // TEST-NET-1 belongs to no host.
        let outcome = port(Some("192.0.2.1".parse().unwrap()), 0, "etcd");
        assert!(
            matches!(outcome, CheckOutcome::Failed { problem } if problem.message.contains("192.0.2.1"))
        );
    }

    #[test]
    fn only_listeners_on_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
            1: 0100007F:192B 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n\
            2: 0100007F:9999 0100007F:192B 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n";
        assert_eq!(listening_sockets(table, 6443), [111]);
    }

    #[test]
    fn a_cut_name_is_recognised() {
        assert!(is_owner("kube-controller", "kube-controller-manager"));
        assert!(!is_owner("kube", "kube-apiserver"));
        assert!(!is_owner("nginx", "kube-apiserver"));
    }
}
