//! A control plane of real servers on loopback, started by the command lines of rendered manifests.
//!
//! Three things of a command line are changed: the folder of the files, the ports of etcd, and
//! addresses of the node, which become addresses of the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::said;
use crate::tls::{Identity, Request};

/// The node's address in configurations, which no machine has.
pub(crate) const ADDRESS: &str = "192.0.2.10";

/// How long a server may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The ports of one control plane.
pub(crate) struct Ports {
    pub(crate) api_server: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
    pub(crate) kubelet: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    etcd_metrics: u16,
}

impl Ports {
    /// Ports that nobody listens on.
    pub(crate) fn free() -> Self {
        // Held until all are drawn, so that none comes twice.
        let held: Vec<TcpListener> = (0..7)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        let port = |number: usize| held[number].local_addr().unwrap().port();
        Self {
            api_server: port(0),
            controller_manager: port(1),
            scheduler: port(2),
            kubelet: port(3),
            etcd: port(4),
            etcd_peer: port(5),
            etcd_metrics: port(6),
        }
    }
}

/// The servers, which end when this is dropped.
pub(crate) struct ControlPlane<'a> {
    programs: &'a Path,
    root: &'a Path,
    pub(crate) ports: Ports,
    processes: Vec<Child>,
}

impl Drop for ControlPlane<'_> {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            for log in std::fs::read_dir(self.root).unwrap() {
                let path = log.unwrap().path();
                if path.extension().is_some_and(|end| end == "log") {
                    let text = std::fs::read_to_string(&path).unwrap_or_default();
                    let lines: Vec<&str> = text.lines().collect();
                    let end = lines[lines.len().saturating_sub(12)..].join("\n");
                    eprintln!("end of {}:\n{end}", path.display());
                }
            }
        }
    }
}

impl<'a> ControlPlane<'a> {
    pub(crate) fn new(programs: &'a Path, root: &'a Path, ports: Ports) -> Self {
        Self {
            programs,
            root,
            ports,
            processes: Vec::new(),
        }
    }

    /// Starts a component by the command line of its manifest.
    pub(crate) fn start(&mut self, component: &str) {
        let manifest = self.path(&format!("manifests/{component}.yaml"));
        let manifest: Value =
            serde_yaml::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
        let words = manifest["spec"]["containers"][0]["command"].as_array();
        let words: Vec<String> = words
            .unwrap()
            .iter()
            .map(|word| self.here(word.as_str().unwrap()))
            .collect();
        assert_eq!(words[0], component);
        let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let program = self.programs.join(component);
        self.spawn(component, &program, &words);
    }

    /// Starts a program, with what it says in a file.
    pub(crate) fn spawn(&mut self, name: &str, program: &Path, words: &[&str]) {
        let log = std::fs::File::create(self.root.join(format!("{name}.log"))).unwrap();
        let process = Command::new(program)
            .args(words)
            .current_dir(self.root)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.processes.push(process);
    }

    /// A word of a command line as it holds on this machine.
    fn here(&self, word: &str) -> String {
        let below = |path: &str| format!("={}{path}", self.root.display());
        let Ports {
            etcd,
            etcd_peer,
            etcd_metrics,
            ..
        } = self.ports;
        word.replace("=/etc/kubernetes", &below("/etc/kubernetes"))
            .replace("=/var/lib/etcd", &below("/var/lib/etcd"))
            // One listener for each of the two addresses, as on a node.
            .replace(&format!("{ADDRESS}:2379"), &format!("127.0.0.2:{etcd}"))
            .replace("127.0.0.1:2379", &format!("127.0.0.1:{etcd}"))
            .replace(
                &format!("{ADDRESS}:2380"),
                &format!("127.0.0.1:{etcd_peer}"),
            )
            .replace("127.0.0.1:2381", &format!("127.0.0.1:{etcd_metrics}"))
    }

    /// A file below `/etc/kubernetes`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join("etc/kubernetes").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// A pair of `/etc/kubernetes/pki`.
    pub(crate) fn pair(&self, name: &str) -> Identity {
        Identity {
            certificate: self.read(&format!("pki/{name}.crt")),
            key: self.read(&format!("pki/{name}.key")),
        }
    }

    /// Has a kubeconfig connect to loopback, and expect there whom it expected at the node.
    pub(crate) fn redirect(&self, name: &str) {
        let path = self.path(name);
        let port = self.ports.api_server;
        let text = std::fs::read_to_string(&path).unwrap();
        let server = format!("    server: https://{ADDRESS}:{port}\n");
        assert!(text.contains(&server), "{name} has no {server}");
        let here =
            format!("    server: https://127.0.0.1:{port}\n    tls-server-name: {ADDRESS}\n");
        std::fs::write(path, text.replace(&server, &here)).unwrap();
    }

    /// Runs kubectl with a kubeconfig and words that have no space in them.
    pub(crate) fn try_kubectl(&self, kubeconfig: &str, words: &str) -> Output {
        Command::new(self.programs.join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.path(kubeconfig))
            .args(words.split_whitespace())
            .current_dir(self.root)
            .env_clear()
            .env("HOME", self.root)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn kubectl(&self, kubeconfig: &str, words: &str) -> String {
        let output = self.try_kubectl(kubeconfig, words);
        assert!(
            output.status.success(),
            "kubectl {words}: {}",
            said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes an object as `super-admin.conf`.
    pub(crate) fn create(&self, object: &Value) {
        std::fs::write(self.root.join("object.json"), object.to_string()).unwrap();
        self.kubectl("super-admin.conf", "create -f object.json");
    }

    /// Runs kubectl until what it prints pleases.
    pub(crate) fn until(&self, kubeconfig: &str, words: &str, pleases: impl Fn(&str) -> bool) {
        wait(|| {
            let output = self.try_kubectl(kubeconfig, words);
            let pleased =
                output.status.success() && pleases(&String::from_utf8_lossy(&output.stdout));
            if pleased { Ok(()) } else { Err(said(&output)) }
        });
    }

    /// Runs etcdctl with a pair of `/etc/kubernetes/pki`.
    pub(crate) fn etcdctl(&self, pair: Option<&str>, words: &str) -> Output {
        let mut command = Command::new(self.programs.join("etcdctl"));
        command
            .arg(format!("--endpoints=https://127.0.0.1:{}", self.ports.etcd))
            .arg("--cacert")
            .arg(self.path("pki/etcd/ca.crt"))
            .args(["--command-timeout=10s", "--dial-timeout=5s"]);
        if let Some(pair) = pair {
            command
                .arg("--cert")
                .arg(self.path(&format!("pki/{pair}.crt")));
            command
                .arg("--key")
                .arg(self.path(&format!("pki/{pair}.key")));
        }
        command
            .args(words.split_whitespace())
            .env_clear()
            .output()
            .unwrap()
    }

    /// A request to the API server, in the name of the node's address.
    pub(crate) fn api<'b>(
        &self,
        authority: &'b [u8],
        identity: Option<&'b Identity>,
        path: &'b str,
    ) -> Request<'b> {
        Request {
            port: self.ports.api_server,
            name: ADDRESS,
            authority,
            identity,
            method: "GET",
            path,
            headers: &[],
            body: "",
        }
    }
}

/// Tries until something holds.
pub(crate) fn wait(mut attempt: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    while let Err(reason) = attempt() {
        assert!(start.elapsed() < LIMIT, "still not: {reason}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Certificate and key of a kubeconfig that has them in it.
pub(crate) fn embedded(kubeconfig: &[u8]) -> Identity {
    let document: Value = serde_yaml::from_slice(kubeconfig).unwrap();
    let user = &document["users"][0]["user"];
    let field = |name: &str| {
        BASE64_STANDARD
            .decode(user[name].as_str().unwrap())
            .unwrap()
    };
    Identity {
        certificate: field("client-certificate-data"),
        key: field("client-key-data"),
    }
}
