//! The cgroups of a node: one folder in each hierarchy of the machine, in which the node's own
//! systemd then rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::process::Process;
use crate::{cache, shell};

const ROOT: &str = "/sys/fs/cgroup";

/// One mounted cgroup hierarchy of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    /// Where the machine has it mounted.
    pub(crate) mount: PathBuf,
    /// Name of its folder under `/sys/fs/cgroup`.
    pub(crate) name: String,
    /// `cgroup` or `cgroup2`.
    pub(crate) kind: String,
    /// What to mount it with.
    pub(crate) options: String,
}

/// The hierarchies of this machine.
///
/// Nodes need those of version 1, with each controller's mount under `/sys/fs/cgroup`; that is
/// the layout of all machines that nodes were tried on.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>> {
    let found = parse(&cache::read(Path::new("/proc/self/mounts"))?);
    if !found.iter().any(|hierarchy| hierarchy.kind == "cgroup") {
        bail!(
            "this machine has no cgroup v1 hierarchies under {ROOT}, and test nodes were made for \
            those only: boot it with systemd.unified_cgroup_hierarchy=0, or use another machine"
        );
    }
    Ok(found)
}

/// The layout in one line.
pub(crate) fn describe() -> Result<String> {
    let hierarchies = parse(&cache::read(Path::new("/proc/self/mounts"))?);
    let list: Vec<String> = hierarchies
        .iter()
        .map(|hierarchy| format!("{} ({})", hierarchy.name, hierarchy.kind))
        .collect();
    Ok(if list.is_empty() {
        format!("none under {ROOT}")
    } else {
        list.join(", ")
    })
}

fn parse(mounts: &str) -> Vec<Hierarchy> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, mount, kind, options, ..] = fields[..] else {
            continue;
        };
        let Some(name) = mount
            .strip_prefix(ROOT)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        if !matches!(kind, "cgroup" | "cgroup2") {
            continue;
        }
        let controllers: Vec<&str> = options
            .split(',')
            .filter(|option| is_controller(option))
            .collect();
        let options = match kind {
            "cgroup2" => String::new(),
            _ if controllers.iter().all(|name| name.starts_with("name=")) => {
                format!("none,{}", controllers.join(","))
            }
            _ => controllers.join(","),
        };
        found.push(Hierarchy {
            mount: PathBuf::from(mount),
            name: name.to_owned(),
            kind: kind.to_owned(),
            options,
        });
    }
    found
}

fn is_controller(option: &str) -> bool {
    const OTHER: &[&str] = &[
        "rw",
        "ro",
        "nosuid",
        "nodev",
        "noexec",
        "relatime",
        "noatime",
        "xattr",
        "clone_children",
    ];
    !OTHER.contains(&option) && !option.starts_with("release_agent=")
}

/// Makes the folder `name` in each hierarchy.
pub(crate) fn create(hierarchies: &[Hierarchy], name: &str) -> Result<()> {
    for hierarchy in hierarchies {
        let folder = hierarchy.mount.join(name);
        cache::make_folder(&folder)?;
        // A new cpuset of version 1 has no processors and no memory.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if hierarchy.kind == "cgroup" && folder.join(file).exists() {
                put(
                    &folder.join(file),
                    &cache::read(&hierarchy.mount.join(file))?,
                )?;
                put(&folder.join("cgroup.clone_children"), "1")?;
            }
        }
    }
    Ok(())
}

/// Moves the calling process into the folder `name` of each hierarchy.
pub(crate) fn enter(hierarchies: &[Hierarchy], name: &str) -> Result<()> {
    let pid = std::process::id().to_string();
    for hierarchy in hierarchies {
        put(&hierarchy.mount.join(name).join("cgroup.procs"), &pid)?;
    }
    Ok(())
}

/// Removes the folder `name` from each hierarchy, with all that was made in it, ending what
/// still runs there.
pub(crate) fn remove(hierarchies: &[Hierarchy], name: &str) -> Result<()> {
    for hierarchy in hierarchies {
        let folder = hierarchy.mount.join(name);
        let what = format!("{} is removed", folder.display());
        shell::until(&what, Duration::from_secs(10), || {
            remove_tree(&folder)?;
            Ok(if folder.exists() {
                Err("it is busy".to_owned())
            } else {
                Ok(())
            })
        })?;
    }
    Ok(())
}

/// Folders of a cgroup file system go one by one, the deepest first; their files go with them.
fn remove_tree(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        remove_tree(&path)?;
    }
    for pid in fs::read_to_string(folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
    {
        // Nothing but the node is ever put into its cgroups.
        if let Some(process) = pid.parse().ok().and_then(Process::of) {
            process.end()?;
        }
    }
    // What is still busy shows by being there afterwards.
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)
        .with_context(|| format!("cannot write {} to {}", text.trim(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn hierarchies_are_read_from_mounts() {
        let mounts = "\
            tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let options: Vec<_> = parse(mounts)
            .into_iter()
            .map(|one| (one.name, one.options))
            .collect();
        let wanted = [
            ("cpu,cpuacct", "cpu,cpuacct"),
            ("systemd", "none,name=systemd"),
            ("unified", ""),
        ]
        .map(|(name, options)| (name.to_owned(), options.to_owned()));
        assert_eq!(options, wanted);
    }
}
