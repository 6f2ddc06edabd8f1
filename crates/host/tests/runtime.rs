//! Against a real containerd, started as a process in mount and network namespaces of its own.
//!
//! `RINIT_TEST_COMPONENTS` names the folder above `bin` with the executables and `images` with the
//! image archives. Without it, or without root, the test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails so, and says so where it is skipped"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the test starts a runtime and writes its configuration"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rinit_diag::chain;
use rinit_host::{CheckOutcome, Host, Root, Runtime};
use rinit_plan::{Check, CheckKind, Severity};

#[tokio::test]
async fn against_a_real_runtime() {
    let Some(components) = components() else {
        return;
    };
    let containerd = Containerd::start(&components, "").await;
    let runtime = Runtime::connect(&containerd.socket()).await.unwrap();
    assert_eq!(runtime.version().await.unwrap().name, "containerd");
    let conditions = runtime.conditions().await.unwrap();
    let ready = |name: &str| {
        conditions
            .iter()
            .find(|one| one.name == name)
            .unwrap()
            .holds
    };
    assert!(ready("RuntimeReady"));
    assert!(!ready("NetworkReady"), "there is no CNI configuration");
    assert!(runtime.cgroup_driver().await.unwrap().is_some());
    assert_eq!(runtime.containers().await.unwrap(), []);
    assert_eq!(runtime.sandboxes().await.unwrap(), []);

    let (image, archive) = pause_image(&components);
    assert!(!runtime.has_image(&image).await.unwrap());
    containerd.import(&components, &archive);
    // The CRI plugin hears of it by an event.
    let limit = Instant::now() + Duration::from_secs(30);
    while !runtime.has_image(&image).await.unwrap() {
        assert!(Instant::now() < limit, "{image} does not appear");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Its network namespace leads nowhere.
    let mut tries = Vec::new();
    let absent = "registry.invalid/absent:1";
    let error = runtime
        .pull(absent, |number, _| tries.push(number))
        .await
        .unwrap_err();
    assert_eq!(tries, [1, 2, 3, 4]);
    assert!(chain(&error).contains(absent), "{}", chain(&error));
    let error = runtime.container_status("none").await.unwrap_err();
    assert!(chain(&error).contains("NotFound"), "{}", chain(&error));

    assert_eq!(containerd.check(false).await, CheckOutcome::Passed);
    assert_eq!(containerd.check(true).await, CheckOutcome::Passed);
}

#[tokio::test]
async fn against_a_runtime_without_its_cri_plugin() {
    let Some(components) = components() else {
        return;
    };
    let disabled = "\"io.containerd.grpc.v1.cri\", ";
    let containerd = Containerd::start(&components, disabled).await;
    let CheckOutcome::Failed { problem } = containerd.check(false).await else {
        panic!("a runtime without the CRI passed");
    };
    assert!(problem.message.contains("Unimplemented"), "{problem}");
    assert!(
        problem.hint.as_ref().unwrap().contains("plugin"),
        "{problem}"
    );
}

fn components() -> Option<PathBuf> {
    let folder = std::env::var_os("RINIT_TEST_COMPONENTS").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join("bin/containerd").is_file());
    if folder.is_none() {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no folder with bin/containerd");
    } else if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root may make a mount namespace");
        return None;
    }
    folder
}

/// The name of the pause image and its archive.
fn pause_image(components: &Path) -> (String, PathBuf) {
    let archive = std::fs::read_dir(components.join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.display().to_string().contains("_pause_"))
        .unwrap();
    let stem = archive.file_stem().unwrap().to_str().unwrap();
    let tag = stem.rsplit('_').next().unwrap();
    (format!("registry.k8s.io/pause:{tag}"), archive)
}

/// A containerd, killed when dropped.
struct Containerd {
    process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Containerd {
    async fn start(components: &Path, disabled: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let config = format!(
            "version = 3\nroot = \"{path}/root\"\nstate = \"{path}/state\"\n\
             disabled_plugins = [{disabled}\"io.containerd.snapshotter.v1.zfs\", \
             \"io.containerd.internal.v1.opt\"]\n\
             [grpc]\naddress = \"{path}/containerd.sock\"\n\
             [ttrpc]\naddress = \"{path}/ttrpc.sock\"\n\
             [plugins.\"io.containerd.cri.v1.images\"]\nsnapshotter = \"native\"\n\
             [plugins.\"io.containerd.cri.v1.runtime\".cni]\nconf_dir = \"{path}/cni\"\n"
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        // unshare executes containerd in its own place, so that killing it kills that.
        let process = Command::new("unshare")
            .args(["--mount", "--net"])
            .arg(components.join("bin/containerd"))
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let containerd = Self { process, folder };
        let begun = Instant::now();
        while Runtime::connect(&containerd.socket()).await.is_err() {
            let log = std::fs::read_to_string(containerd.folder.path().join("log")).unwrap();
            assert!(begun.elapsed() < Duration::from_mins(1), "{log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        containerd
    }

    fn socket(&self) -> String {
        format!("unix://{}/containerd.sock", self.folder.path().display())
    }

    fn import(&self, components: &Path, archive: &Path) {
        let status = Command::new(components.join("bin/ctr"))
            .arg("--address")
            .arg(self.folder.path().join("containerd.sock"))
            .args([
                "--namespace",
                "k8s.io",
                "images",
                "import",
                "--local",
                "--no-unpack",
            ])
            .arg(archive)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The check of the runtime, or of its RuntimeConfig call.
    async fn check(&self, config_call: bool) -> CheckOutcome {
        let socket = self.socket();
        let check = Check {
            name: "CRI".into(),
            severity: Severity::Error,
            ignored: false,
            kind: if config_call {
                CheckKind::ContainerRuntimeVersion { socket }
            } else {
                CheckKind::ContainerRuntime { socket }
            },
        };
        // A root of its own, so that the machine's configuration of containerd does not count.
        let root = Root::Folder(self.folder.path().to_owned());
        Host::new(root).run_check(&check).await
    }
}
