//! The real kubeadm: which ones are at hand, and what a dry run of one would make.
//!
//! A dry run has a network and a host name of its own and a changed root with nothing in it, so it
//! sees one host whatever the machine is, and leaves nothing behind on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rinit_manifest::yaml;
use rinit_parity::{Content, Disk, Entry, Init, Snapshot};
use serde_json::Value;

/// The name of the host that both programs see.
pub(crate) const HOST_NAME: &str = "cp";
/// Its address at the default route.
pub(crate) const ADDRESS: &str = "192.0.2.10";
/// A host with one interface, in a namespace that ends with its command.
const HOST: &str = "set -e
hostname cp
ip link set lo up
ip link add eth0 type veth peer name far
ip address add 192.0.2.10/24 dev eth0
ip -6 address add 2001:db8::10/64 dev eth0 nodad
ip link set eth0 up
ip link set far up
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1
exec \"$@\"
";
/// Where a dry run of kubeadm puts its files, below the changed root.
const OUT: &str = "/out";

/// The real kubeadms by minor, and why there are none.
pub(crate) fn at_hand(test: &str) -> BTreeMap<u32, PathBuf> {
    let Some(folder) = std::env::var_os("RINIT_TEST_COMPONENTS") else {
        eprintln!("skipped: {test} needs RINIT_TEST_COMPONENTS");
        return BTreeMap::new();
    };
    if !Path::new("/proc/self/ns/net").exists() || !is_root() {
        eprintln!("skipped: {test} needs root, for a network and a root of its own");
        return BTreeMap::new();
    }
    let folder = PathBuf::from(folder);
    let newest = minor_of(&folder).expect("a folder named by its version");
    let mut found = BTreeMap::new();
    let beside = folder.parent().expect("a folder of versions");
    for entry in std::fs::read_dir(beside).expect("a folder of versions") {
        let folder = entry.expect("an entry").path();
        let program = folder.join("bin/kubeadm");
        if let Some(minor) = minor_of(&folder)
            && program.exists()
        {
            found.insert(minor, program);
        }
    }
    found.insert(newest, folder.join("bin/kubeadm"));
    found
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout == b"0\n"
}

/// The minor in a name such as `v1.37.1`.
fn minor_of(folder: &Path) -> Option<u32> {
    let name = folder.file_name()?.to_str()?;
    name.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

/// The version of a kubeadm, such as `v1.37.1`.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program)
        .args(["version", "-o", "short"])
        .output()
        .expect("kubeadm runs");
    text(&output.stdout).trim().to_owned()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that sees the host of [`HOST`].
pub(crate) fn on_the_host(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--uts", "sh", "-c", HOST, "sh"])
        .arg(program);
    command
}

/// What kubeadm would make.
pub(crate) struct DryRun {
    /// Its files, by the paths that they would have.
    pub(crate) disk: Disk,
    /// Its objects, in its order.
    pub(crate) objects: Vec<Value>,
    /// All that it printed.
    pub(crate) said: String,
    /// What it warned of.
    pub(crate) warned: String,
}

/// What a configuration decides of a dry run before it begins.
pub(crate) struct Asked<'a> {
    /// The configuration file.
    pub(crate) config: &'a Path,
    /// Phases that do not run.
    pub(crate) skipped: &'a [String],
    /// Folder of certificates.
    pub(crate) certificates: &'a str,
    /// Folder of patches, which is empty.
    pub(crate) patches: Option<&'a str>,
}

/// Runs `kubeadm init --dry-run`; what it said, if it refuses.
pub(crate) fn dry_run(program: &Path, asked: &Asked<'_>) -> Result<DryRun, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::create_dir(root.join("tmp")).expect("a folder");
    std::fs::create_dir(root.join(&OUT[1..])).expect("a folder");
    if let Some(patches) = asked.patches {
        make_folder(root, patches);
    }
    std::fs::copy(asked.config, root.join("config.yaml")).expect("the configuration is copied");
    let mut command = on_the_host(program);
    command
        .args(["init", "--dry-run", "--config", "/config.yaml", "--rootfs"])
        .arg(root)
        .arg(format!("--skip-phases={}", asked.skipped.join(",")))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("KUBEADM_INIT_DRYRUN_DIR", OUT);
    let output: Output = command.output().expect("kubeadm runs");
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    let said = text(&output.stdout);
    let written = Disk::of_folder(&root.join(&OUT[1..])).expect("what kubeadm wrote");
    let mut disk = Disk::default();
    for (path, entry) in written.entries {
        if matches!(entry.content, Content::File(_)) {
            disk.entries.insert(place(&path, asked.certificates), entry);
        }
    }
    Ok(DryRun {
        disk,
        objects: objects(&said),
        said,
        warned: text(&output.stderr),
    })
}

/// The phases that only render files, in kubeadm's order.
const RENDERING: [[&str; 2]; 4] = [
    ["certs", "all"],
    ["kubeconfig", "all"],
    ["etcd", "local"],
    ["control-plane", "all"],
];
/// Folders of a node's distribution: those with authorities are mounted into static pods.
const FOLDERS: [&str; 6] = [
    "/etc/ca-certificates",
    "/etc/ssl/certs",
    "/tmp",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/var/lib",
];

/// Lets kubeadm run the phases that only render files.
pub(crate) fn render(program: &Path, config: &str) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for folder in FOLDERS {
        make_folder(root, folder);
    }
    std::fs::write(root.join("config.yaml"), config).expect("the configuration");
    let before = Disk::of_folder(root).expect("what is there");
    let init = Init::starting_now();
    for phase in RENDERING {
        let output = on_the_host(program)
            .args(["init", "phase"])
            .args(phase)
            .args(["--config", "/config.yaml", "--rootfs"])
            .arg(root)
            .output()
            .expect("kubeadm runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let mut disk = Disk::of_folder(root).expect("what kubeadm wrote");
    disk.entries
        .retain(|path, _| !before.entries.contains_key(path));
    Snapshot::take(&disk, &[], init).expect("files can be read")
}

/// Makes a folder below a root.
pub(crate) fn make_folder(root: &Path, path: &str) {
    std::fs::create_dir_all(root.join(path.trim_start_matches('/'))).expect("a folder");
}

/// Where a file of the dry run's one folder would lie.
fn place(path: &str, certificates: &str) -> String {
    let folder = match (path, path.rsplit_once('.').map(|(_, end)| end)) {
        ("/config.yaml" | "/instance-config.yaml" | "/kubeadm-flags.env", _) => "/var/lib/kubelet",
        (_, Some("conf")) => "/etc/kubernetes",
        (_, Some("yaml")) => "/etc/kubernetes/manifests",
        _ => certificates,
    };
    format!("{folder}{path}")
}

/// The objects that a dry run says it would create or update.
fn objects(said: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for part in said.split("[dryrun] Would perform action ").skip(1) {
        if !(part.starts_with("CREATE") || part.starts_with("UPDATE")) {
            continue;
        }
        let (_, rest) = part
            .split_once("[dryrun] Attached object:\n")
            .expect("an object is shown");
        // It ends with an empty line; those within its texts are indented.
        let object = rest.split("\n\n").next().unwrap_or(rest);
        let documents = yaml::parse_documents(object).expect("an object is YAML");
        objects.extend(documents);
    }
    objects
}

/// Only the files; folders are made by the way.
pub(crate) fn files_of(disk: Disk) -> Disk {
    let entries: BTreeMap<String, Entry> = disk
        .entries
        .into_iter()
        .filter(|(_, entry)| matches!(entry.content, Content::File(_)))
        .collect();
    Disk { entries }
}
