//! The program, run in a folder of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A configuration whose certificates are quick to make, and that asks the host for nothing.
pub(crate) const CONFIG: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 10.123.0.2
nodeRegistration:
  name: node-1
  criSocket: unix:///run/rinit-test/none.sock
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
encryptionAlgorithm: ECDSA-P256
";

/// The phases that act on the running host or its cluster.
pub(crate) const HOST_PHASES: &str = "preflight,kubelet-start,wait-control-plane,upload-config,\
    upload-certs,mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";

/// A user without any rights.
const NOBODY: u32 = 65534;

/// A folder with a configuration, in which the program is run.
pub(crate) struct Place {
    folder: TempDir,
}

/// How the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// All of it for a snapshot: times stand as `0.00 s`, and no version of rinit.
    pub(crate) fn shown(&self) -> String {
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        format!(
            "exit code {code}\n--- stdout\n{}--- stderr\n{}",
            without_times(&self.stdout),
            without_times(&self.stderr)
        )
        .replace(
            concat!("rinit ", env!("CARGO_PKG_VERSION")),
            "rinit <version>",
        )
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.shown());
        self
    }
}

/// The text with every time such as `12.34 s` as `0.00 s`.
pub(crate) fn without_times(text: &str) -> String {
    let mut shown = String::new();
    for (index, part) in text.split(" s").enumerate() {
        if index > 0 {
            shown.push_str(" s");
        }
        let number = part
            .rfind(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .map_or(part, |at| &part[at + 1..]);
        let is_time = number
            .rsplit_once('.')
            .is_some_and(|(whole, part)| !whole.is_empty() && part.len() == 2);
        if is_time {
            shown.push_str(&part[..part.len() - number.len()]);
            shown.push_str("0.00");
        } else {
            shown.push_str(part);
        }
    }
    shown
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        place.write("config.yaml", CONFIG);
        // Others than root may come in.
        open(place.path(), 0o755);
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.at(path), text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The program with words of its command line, in this folder.
    pub(crate) fn command(&self, words: &str) -> Command {
        self.wrapped(&[], &rinit_testkit::program(), words)
    }

    fn wrapped(&self, before: &[&OsStr], program: &Path, words: &str) -> Command {
        let mut line = before.iter().copied().chain([program.as_os_str()]);
        let mut command = Command::new(line.next().unwrap());
        command
            .args(line)
            .args(words.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path());
        command
    }

    /// Runs the program.
    pub(crate) fn run(&self, words: &str) -> Said {
        Said::of(&self.command(words).output().unwrap())
    }

    /// The program under the name kubeadm.
    pub(crate) fn kubeadm_command(&self, words: &str) -> Command {
        let mut command = self.command(words);
        command.arg0("kubeadm");
        command
    }

    /// Runs the program under the name kubeadm.
    pub(crate) fn kubeadm(&self, words: &str) -> Said {
        Said::of(&self.kubeadm_command(words).output().unwrap())
    }

    /// Renders a control plane into the folder `root`.
    pub(crate) fn render(&self, root: &str) -> Said {
        self.run(&rendering(root))
    }

    /// Everything below a path: kind and mode, identity and time, and what is in it.
    pub(crate) fn snapshot(&self, path: &str) -> BTreeMap<String, Entry> {
        let mut found = BTreeMap::new();
        let root = self.at(path);
        if root.exists() {
            collect(&root, &root, &mut found);
        }
        found
    }

    /// The program as a user without any rights runs it: this very user, if that is not root.
    pub(crate) fn nobody(&self) -> Nobody<'_> {
        if !is_root() {
            return Nobody {
                place: self,
                _folder: None,
                program: rinit_testkit::program(),
                switch: Vec::new(),
            };
        }
        // The checkout may lie where others may not come in.
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 0o755);
        let program = folder.path().join("rinit");
        let built = rinit_testkit::program();
        if std::fs::hard_link(&built, &program).is_err() {
            std::fs::copy(&built, &program).unwrap();
        }
        let switch = format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --");
        Nobody {
            place: self,
            _folder: Some(folder),
            program,
            switch: switch.split(' ').map(str::to_owned).collect(),
        }
    }
}

/// A user without any rights, and a program that this user may run.
pub(crate) struct Nobody<'a> {
    place: &'a Place,
    _folder: Option<TempDir>,
    program: PathBuf,
    switch: Vec<String>,
}

impl Nobody<'_> {
    pub(crate) fn run(&self, words: &str) -> Said {
        Said::of(&self.command(&[], words).output().unwrap())
    }

    /// The program under other programs, such as a tracer, which this user runs too.
    pub(crate) fn command(&self, under: &[&str], words: &str) -> Command {
        let before: Vec<&OsStr> = self
            .switch
            .iter()
            .map(String::as_str)
            .chain(under.iter().copied())
            .map(OsStr::new)
            .collect();
        self.place.wrapped(&before, &self.program, words)
    }
}

/// Fills the folder `signed` as an authority elsewhere would, with what is in `root` already: the
/// certificates that belong to its keys.
pub(crate) fn sign(place: &Place) {
    use base64::Engine as _;
    std::fs::create_dir_all(place.at("signed/etcd")).unwrap();
    for (path, entry) in place.snapshot("root/etc/kubernetes") {
        let Some(bytes) = entry.bytes else { continue };
        if let Some(name) = path.strip_prefix("pki/")
            && ends(name, "crt")
            && !name.ends_with("ca.crt")
        {
            place.write(&format!("signed/{name}"), bytes);
        } else if ends(&path, "conf") && !path.contains('/') {
            let text = String::from_utf8(bytes).unwrap();
            let (_, data) = text.split_once("client-certificate-data: ").unwrap();
            let data = data.lines().next().unwrap();
            let certificate = base64::engine::general_purpose::STANDARD
                .decode(data)
                .unwrap();
            place.write(&format!("signed/{path}.crt"), certificate);
        }
    }
}

/// The command line that renders a control plane.
pub(crate) fn rendering(root: &str) -> String {
    format!("init --config config.yaml --root {root} --skip-phases {HOST_PHASES}")
}

pub(crate) fn is_root() -> bool {
    let own = std::fs::metadata("/proc/self").unwrap();
    own.uid() == 0
}

pub(crate) fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a path to the user without any rights.
pub(crate) fn give_away(path: &Path) {
    if is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Whether a program is on this machine; says what is skipped if not.
pub(crate) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|folders| {
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    });
    if !found {
        eprintln!("skipped: there is no `{program}` on this machine");
    }
    found
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) written: (u64, i64, i64),
    pub(crate) bytes: Option<Vec<u8>>,
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Entry>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let data = path.symlink_metadata().unwrap();
        found.insert(
            path.strip_prefix(root).unwrap().display().to_string(),
            Entry {
                mode: data.mode() & 0o7777,
                written: (data.ino(), data.mtime(), data.mtime_nsec()),
                bytes: data.is_file().then(|| std::fs::read(&path).unwrap()),
            },
        );
        if data.is_dir() {
            collect(root, &path, found);
        }
    }
}

/// Whether a file name ends so.
pub(crate) fn ends(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// A call of the system that was traced: its name, and its words between the brackets.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) words: String,
}

impl Call {
    /// The paths in quotes.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.words.split('"').skip(1).step_by(2).collect()
    }

    /// Whether it makes or changes something in the file system.
    pub(crate) fn writes(&self) -> bool {
        match self.name.as_str() {
            "openat" | "open" => ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
                .iter()
                .any(|flag| self.words.contains(flag)),
            "connect" | "execve" | "access" | "faccessat2" | "readlink" | "readlinkat" | "stat"
            | "lstat" | "statx" | "newfstatat" | "statfs" | "getcwd" | "chdir" => false,
            _ => true,
        }
    }
}

/// The calls about files in what strace wrote, those that failed left out.
pub(crate) fn calls(trace: &str) -> Vec<Call> {
    // A call during which another thread makes one is told in two lines.
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, told) = line.split_once(' ').unwrap();
        let told = told.trim_start();
        let whole = if let Some(start) = told.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, start);
            continue;
        } else if told.starts_with("<... ") {
            let (_, end) = told.split_once(" resumed>").unwrap();
            // The answer stands in a column of its own.
            let (end, answer) = end.split_once(" = ").unwrap_or((end, "?"));
            let start = begun.remove(thread).unwrap();
            format!("{start}{} = {answer}", end.trim_end())
        } else {
            told.to_owned()
        };
        if whole.contains("= -1 E") {
            continue;
        }
        if let Some((name, words)) = whole.split_once('(') {
            calls.push(Call {
                name: name.to_owned(),
                words: words.to_owned(),
            });
        }
    }
    calls
}

#[test]
fn a_call_that_another_thread_interrupts_is_one_call() {
    let trace = "\
        7  openat(AT_FDCWD, \"a\", O_CREAT, 0600 <unfinished ...>\n\
        8  openat(AT_FDCWD, \"b\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
        8  rename(\"c\", \"d\" <unfinished ...>\n\
        7  <... openat resumed>)          = 3\n\
        8  <... rename resumed>) = 0\n";
    let told: Vec<(String, String)> = calls(trace)
        .into_iter()
        .map(|call| (call.name, call.words))
        .collect();
    let wanted = [
        ("openat", "AT_FDCWD, \"a\", O_CREAT, 0600) = 3"),
        ("rename", "\"c\", \"d\") = 0"),
    ]
    .map(|(name, words)| (name.to_owned(), words.to_owned()));
    assert_eq!(told, wanted);
}

/// strace over the threads of a program, told into this file.
pub(crate) fn strace<'a>(into: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "strace",
        "-f",
        "-qq",
        "-s",
        "4096",
        "-e",
        "signal=none",
        "-o",
        into,
    ];
    words.extend_from_slice(more);
    words
}
