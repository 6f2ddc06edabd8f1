//! What planning must know of the machine, gathered once.

use std::net::IpAddr;
use std::path::Path;

use rinit_plan::defaults::{self, CRI_SOCKETS};
use rinit_plan::{LogicalPath, Secret};

use crate::{
    DefaultAddresses, FileKind, Host, InitSystem, Interface, Result, default_addresses, interfaces,
};

/// Folders of certificate authorities beside `/etc/ssl/certs`, which are mounted into the control
/// plane where they exist.
pub const CA_FOLDERS: &[&str] = &[
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// A variable of the environment. The value may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentVariable {
    /// Its name as it is written in the environment.
    pub name: String,
    /// Its value, not empty.
    pub value: Secret<String>,
}

/// What was found on the machine. Files and sockets are looked for under `--root`; names,
/// addresses and the environment are those of the running machine in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineFacts {
    /// The host name as the kernel has it, in its own case.
    pub hostname: String,
    /// The addresses that kubeadm would advertise; none without a default route.
    pub default_addresses: DefaultAddresses,
    /// Every network interface.
    pub interfaces: Vec<Interface>,
    /// Those of [`CRI_SOCKETS`] that are there.
    pub cri_sockets: Vec<String>,
    /// The variables whose name ends in `_proxy` in any case, sorted by name.
    pub proxy_variables: Vec<EnvironmentVariable>,
    /// Whether systemd-resolved runs. Below a folder of `--root` nothing runs.
    pub systemd_resolved: bool,
    /// Those of [`CA_FOLDERS`] that are there.
    pub ca_folders: Vec<LogicalPath>,
    /// The numeric user that rinit acts as; 0 is root.
    pub effective_user: u32,
    /// The release of the running kernel, such as `6.1.0-18-amd64`.
    pub kernel_release: String,
}

impl MachineFacts {
    /// Those of a machine that is not asked for any: for what is the same on every machine.
    pub fn unasked(hostname: &str, address: IpAddr) -> Self {
        Self {
            hostname: hostname.to_owned(),
            default_addresses: DefaultAddresses {
                ipv4: Some(address).filter(IpAddr::is_ipv4),
                ipv6: Some(address).filter(IpAddr::is_ipv6),
            },
            interfaces: Vec::new(),
            cri_sockets: Vec::new(),
            proxy_variables: Vec::new(),
            systemd_resolved: false,
            ca_folders: Vec::new(),
            effective_user: nix::unistd::geteuid().as_raw(),
            kernel_release: String::new(),
        }
    }
}

impl Host {
    /// Gathers the facts.
    pub async fn machine_facts(&self) -> Result<MachineFacts> {
        let interfaces = interfaces()?;
        let route = |name| -> Result<String> {
            let bytes = crate::files::read_file(Path::new(name))?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let default_addresses = default_addresses(
            &route("/proc/net/route")?,
            &route("/proc/net/ipv6_route")?,
            &interfaces,
        );
        // Where it runs, it keeps this file; asking means to start a program.
        let systemd_resolved = self.is_running_system()
            && self.kind_of(defaults::RESOLVED_FILE)?.is_some()
            && InitSystem::detect()
                .await
                .is_active("systemd-resolved")
                .await?;
        Ok(MachineFacts {
            hostname: hostname(),
            default_addresses,
            interfaces,
            cri_sockets: self.existing_sockets(&CRI_SOCKETS)?,
            proxy_variables: proxy_variables(std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            })),
            systemd_resolved,
            ca_folders: self.existing_folders(CA_FOLDERS)?,
            effective_user: nix::unistd::geteuid().as_raw(),
            kernel_release: kernel_release(),
        })
    }

    fn existing_sockets(&self, sockets: &[&str]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for socket in sockets {
            let path = socket.trim_start_matches("unix://");
            if self.kind_of(path)? == Some(FileKind::Socket) {
                found.push((*socket).to_owned());
            }
        }
        Ok(found)
    }

    fn existing_folders(&self, folders: &[&str]) -> Result<Vec<LogicalPath>> {
        let mut found = Vec::new();
        for folder in folders {
            if self.kind_of(folder)? == Some(FileKind::Folder)
                && let Ok(path) = LogicalPath::parse(folder)
            {
                found.push(path);
            }
        }
        Ok(found)
    }

    fn kind_of(&self, path: &str) -> Result<Option<FileKind>> {
        match LogicalPath::parse(path) {
            Ok(path) => Ok(self.info(&path)?.map(|info| info.kind)),
            Err(_) => Ok(None),
        }
    }
}

/// Whether rinit acts as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(crate) fn kernel_release() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| String::new(),
        |names| names.release().to_string_lossy().into_owned(),
    )
}

fn hostname() -> String {
    nix::unistd::gethostname().map_or_else(
        |_| String::new(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn proxy_variables(variables: impl Iterator<Item = (String, String)>) -> Vec<EnvironmentVariable> {
    let mut found: Vec<EnvironmentVariable> = variables
        .filter(|(name, value)| name.to_lowercase().ends_with("_proxy") && !value.is_empty())
        .map(|(name, value)| EnvironmentVariable {
            name,
            value: Secret::new(value),
        })
        .collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::Root;

    #[test]
    fn proxy_variables_are_found_in_any_case_and_not_shown() {
        let variables = [
            ("https_proxy", "http://user:password@proxy:3128"),
            ("NO_PROXY", "10.0.0.0/8"),
            ("HTTP_PROXY", ""),
            ("PROXY", "x"),
        ];
        let found = proxy_variables(
            variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["NO_PROXY", "https_proxy"]);
        assert!(!format!("{found:?}").contains("password"));
    }

    #[tokio::test]
    async fn sockets_and_folders_are_looked_for_under_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("run/containerd")).unwrap();
        std::fs::create_dir_all(root.join("etc/pki/tls/certs")).unwrap();
        std::fs::create_dir_all(root.join("var")).unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        let _listener = UnixListener::bind(root.join("run/containerd/containerd.sock")).unwrap();
        // A plain file is no runtime.
        std::fs::write(root.join("run/cri-dockerd.sock"), "").unwrap();
        let facts = Host::new(Root::Folder(root.to_owned()))
            .machine_facts()
            .await
            .unwrap();
        assert_eq!(facts.cri_sockets, [CRI_SOCKETS[0]]);
        assert_eq!(
            facts.ca_folders,
            [LogicalPath::parse("/etc/pki/tls/certs").unwrap()]
        );
        assert!(!facts.systemd_resolved);
        assert!(!facts.hostname.is_empty() && !facts.kernel_release.is_empty());
    }
}
