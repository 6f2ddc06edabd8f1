//! What runs on the way into a node: hidden subcommands of this program, each in a process of
//! its own, since a process changes namespaces as a whole.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::unistd::{chdir, pivot_root, sethostname, setsid};

use super::cgroup::{self, Hierarchy};
use super::process::Process;
use super::{HOLDER, INIT, LAUNCHER, Record, SELF, up};
use crate::cache;

/// The search path in a node.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Holds a LAN's network namespace open until it is killed.
pub(crate) fn hold(folder: &Path) -> Result<ExitCode> {
    setsid().context("setsid")?;
    unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
    // Without its folder, which whoever takes the LAN down removes, it ends here.
    Process::own()?.write(&folder.join(HOLDER))?;
    loop {
        std::thread::park();
    }
}

/// Makes a node's namespaces, starts its PID 1 and waits for that to end.
pub(crate) fn launch(folder: &Path) -> Result<ExitCode> {
    setsid().context("setsid")?;
    Process::own()?.write(&folder.join(LAUNCHER))?;
    cgroup::enter(&cgroup::hierarchies()?, &Record::read(folder)?.cgroup)?;
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWCGROUP,
    )
    .context("cannot make the node's namespaces")?;
    // From here on nothing that is mounted shows up on the machine.
    mount_at(
        None,
        Path::new("/"),
        None,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        "",
    )?;
    let mut init = Command::new(SELF)
        .args(["inside", "init"])
        .arg(folder)
        .spawn()
        .context("cannot start the node's PID 1")?;
    // PID 1 changes the root of this process too, so nothing can be read or written from here on.
    init.wait()?;
    Ok(ExitCode::SUCCESS)
}

/// As PID 1 of the new namespaces: builds the node's own root and becomes systemd.
pub(crate) fn init(folder: &Path) -> Result<ExitCode> {
    set_pdeathsig(Signal::SIGKILL).context("prctl")?;
    let record = Record::read(folder)?;
    Process::own()?.write(&folder.join(INIT))?;
    let hierarchies = cgroup::hierarchies()?;
    sethostname(&record.name).context("sethostname")?;
    umask(Mode::empty());

    let root = folder.join("root");
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        record.lower,
        folder.join("upper").display(),
        folder.join("work").display()
    );
    mount_at(
        Some("overlay"),
        &root,
        Some("overlay"),
        MsFlags::empty(),
        &layers,
    )?;
    // The container runtime lays overlays itself, which does not work on top of one.
    let containerd = root.join("var/lib/containerd");
    cache::make_folder(&containerd)?;
    let store = folder.join("containerd");
    mount_at(store.to_str(), &containerd, None, MsFlags::MS_BIND, "")?;

    let guarded = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount_at(Some("proc"), &root.join("proc"), Some("proc"), guarded, "")?;
    mount_at(Some("sysfs"), &root.join("sys"), Some("sysfs"), guarded, "")?;
    mount_at(
        Some("tmpfs"),
        &root.join("run"),
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        "mode=755",
    )?;
    make_devices(&root.join("dev"))?;
    mount_cgroups(&root.join("sys/fs/cgroup"), &hierarchies)?;

    let old = root.join(".old");
    cache::make_folder(&old)?;
    pivot_root(&root, &old).context("pivot_root")?;
    chdir("/").context("chdir")?;
    umount2("/.old", MntFlags::MNT_DETACH).context("cannot leave the machine's root behind")?;
    fs::remove_dir("/.old")?;
    umask(Mode::from_bits_truncate(0o022));
    let error = Command::new("/lib/systemd/systemd")
        .env_clear()
        .env("PATH", PATH)
        .env("container", "rinit-node")
        .exec();
    Err(error).context("cannot start systemd")
}

/// Runs a command in a node and gives its exit code.
pub(crate) fn exec(folder: &Path, words: &[String]) -> Result<ExitCode> {
    let record = Record::read(folder)?;
    let init = up(folder)?;
    cgroup::enter(&cgroup::hierarchies()?, &record.cgroup)?;
    let kinds = [
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("net", CloneFlags::CLONE_NEWNET),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    let mut files = Vec::new();
    for (kind, flag) in kinds {
        let path = format!("/proc/{}/ns/{kind}", init.pid);
        files.push((
            fs::File::open(&path).with_context(|| format!("cannot open {path}"))?,
            flag,
        ));
    }
    for (file, flag) in files {
        setns(file, flag).context("cannot enter the node's namespaces")?;
    }
    let (program, arguments) = words
        .split_first()
        .context("no command to run in the node")?;
    let status = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env(
            "TERM",
            std::env::var_os("TERM").unwrap_or_else(|| "dumb".into()),
        )
        .env("KUBECONFIG", "/etc/kubernetes/admin.conf")
        .current_dir("/")
        .status()
        .with_context(|| format!("cannot start `{program}` in node {}", record.name))?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        // As a shell has it for a program that a signal ended.
        None => ExitCode::from(137),
    })
}

/// A `/dev` with device files of its own.
///
/// The machine's are never bound into a node: a node's systemd changes their modes.
fn make_devices(dev: &Path) -> Result<()> {
    mount_at(
        Some("tmpfs"),
        dev,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        "mode=755",
    )?;
    let nodes = [
        ("null", 0o666, 1, 3),
        ("zero", 0o666, 1, 5),
        ("full", 0o666, 1, 7),
        ("random", 0o666, 1, 8),
        ("urandom", 0o666, 1, 9),
        ("kmsg", 0o644, 1, 11),
        ("tty", 0o666, 5, 0),
        // What is written to the console goes nowhere.
        ("console", 0o600, 1, 3),
    ];
    for (name, mode, major, minor) in nodes {
        let mode = Mode::from_bits_truncate(mode);
        mknod(&dev.join(name), SFlag::S_IFCHR, mode, makedev(major, minor))
            .with_context(|| format!("cannot make /dev/{name}"))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(name))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name))?;
    }
    let options = "newinstance,ptmxmode=0666,mode=620,gid=5";
    mount_at(
        Some("devpts"),
        &dev.join("pts"),
        Some("devpts"),
        MsFlags::MS_NOSUID,
        options,
    )?;
    mount_at(
        Some("tmpfs"),
        &dev.join("shm"),
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        "mode=1777",
    )
}

/// Mounts the machine's hierarchies again; in this cgroup namespace they show the node's part.
fn mount_cgroups(root: &Path, hierarchies: &[Hierarchy]) -> Result<()> {
    mount_at(
        Some("tmpfs"),
        root,
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        "mode=755",
    )?;
    for hierarchy in hierarchies {
        let folder = root.join(&hierarchy.name);
        fs::create_dir(&folder)?;
        let kind = hierarchy.kind.as_str();
        mount_at(
            Some(kind),
            &folder,
            Some(kind),
            MsFlags::empty(),
            &hierarchy.options,
        )?;
        if hierarchy.name.contains(',') {
            for controller in hierarchy.name.split(',') {
                symlink(&hierarchy.name, root.join(controller))?;
            }
        }
    }
    Ok(())
}

fn mount_at(
    source: Option<&str>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> Result<()> {
    mount(source, target, kind, flags, Some(options)).with_context(|| {
        format!(
            "cannot mount {} at {}",
            source.unwrap_or("nothing"),
            target.display()
        )
    })
}
