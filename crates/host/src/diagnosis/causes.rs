//! Known causes: words that a component says, what they mean, and what to do.

use rinit_diag::Problem;
use rinit_plan::component::{API_SERVER, Component, ETCD};
use rinit_plan::defaults::ETCD_FOLDER;

use super::lines::{essence, is_error};
use super::{ComponentEvidence, Evidence};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    /// A kubelet that does not run.
    StoppedKubelet,
    /// The kubelet, running or not.
    Kubelet,
    /// This static pod.
    Component(&'static Component),
    /// Any static pod.
    AnyComponent,
}

/// A known cause.
struct Cause {
    speaker: Speaker,
    /// Words that a line must have, all of them. `{port}` is any port of the component that it
    /// follows.
    words: &'static [&'static str],
    meaning: &'static str,
    /// `{component}`, `{container}`, `{socket}` and `{data}` are filled in.
    remedy: &'static str,
    /// The component whose own trouble explains this one.
    follows: Option<&'static Component>,
}

const fn cause(
    speaker: Speaker,
    words: &'static [&'static str],
    meaning: &'static str,
    remedy: &'static str,
) -> Cause {
    Cause {
        speaker,
        words,
        meaning,
        remedy,
        follows: None,
    }
}

impl Cause {
    fn is_in(&self, line: &str, evidence: &Evidence) -> bool {
        self.words.iter().all(|word| {
            let Some(start) = word.strip_suffix("{port}") else {
                return line.contains(word);
            };
            self.follows.is_some_and(|leader| {
                let found = evidence.ports.iter().find(|(name, _)| *name == leader.name);
                let usual = [leader.port()];
                let ports = found.map_or(usual.as_slice(), |(_, ports)| ports);
                ports
                    .iter()
                    .any(|port| line.contains(&format!("{start}{port}:")))
            })
        })
    }
}

/// In order: of several that fit a line, the first counts.
const CAUSES: &[Cause] = &[
    cause(
        Speaker::StoppedKubelet,
        &["configured to not run on a host using cgroup v1"],
        "the kubelet refuses cgroup v1",
        "Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line, or set \
         `failCgroupV1: false` in the KubeletConfiguration.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["running with swap on is not supported"],
        "the kubelet refuses to run with swap",
        "Turn swap off with `swapoff -a` and in /etc/fstab, or set `failSwapOn: false` in the \
         KubeletConfiguration.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["unknown service runtime.v1.RuntimeService"],
        "the container runtime does not serve Kubernetes: its CRI plugin is off or too old",
        "Take \"cri\" out of disabled_plugins in /etc/containerd/config.toml, then \
         `systemctl restart containerd kubelet`.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["validate CRI v1 runtime API"],
        "the kubelet cannot reach the container runtime",
        "See why it does not answer on {socket} with `systemctl status containerd`; the kubelet's \
         own setting is containerRuntimeEndpoint in /var/lib/kubelet/config.yaml.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["unknown flag"],
        "the kubelet does not know one of its flags",
        "Look for the flag in /var/lib/kubelet/kubeadm-flags.env and in `systemctl cat kubelet`, \
         and take it out of kubeletExtraArgs.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["failed to load kubelet config file"],
        "the kubelet cannot read its configuration",
        "Write it again with `rinit init phase kubelet-start`.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["failed to validate kubelet configuration"],
        "the kubelet's configuration does not hold together",
        "Mend the KubeletConfiguration that init was given, then `rinit init phase kubelet-start`.",
    ),
    cause(
        Speaker::Kubelet,
        &["expected cgroupsPath to be of format"],
        "the kubelet uses the systemd cgroup driver and the container runtime cgroupfs, or the \
         other way round",
        "Set `SystemdCgroup = true` for runc in /etc/containerd/config.toml, then \
         `systemctl restart containerd`; or set cgroupDriver in the KubeletConfiguration.",
    ),
    cause(
        Speaker::Kubelet,
        &["failed to get sandbox image"],
        "the runtime cannot pull its pause image, so no pod can start",
        "Pull it by the name in the message with `crictl pull`, or set sandbox (containerd 1: \
         sandbox_image) in /etc/containerd/config.toml to an image that is there.",
    ),
    cause(
        Speaker::Kubelet,
        &["ErrImagePull"],
        "an image cannot be pulled",
        "Try it by hand with `crictl --runtime-endpoint {socket} pull IMAGE`; for a registry of \
         your own, set imageRepository.",
    ),
    cause(
        Speaker::Kubelet,
        &["ImagePullBackOff"],
        "an image cannot be pulled",
        "Try it by hand with `crictl --runtime-endpoint {socket} pull IMAGE`; for a registry of \
         your own, set imageRepository.",
    ),
    cause(
        Speaker::StoppedKubelet,
        &["bind: address already in use"],
        "a port of the kubelet is taken",
        "See by whom with `ss -ltnp`; another kubelet may be running.",
    ),
    cause(
        Speaker::AnyComponent,
        &["unknown flag: "],
        "it does not know one of its flags",
        "Take the flag out of extraArgs of {component}, then \
         `rinit init phase control-plane all` (for etcd: `rinit init phase etcd local`).",
    ),
    cause(
        Speaker::AnyComponent,
        &["flag provided but not defined"],
        "it does not know one of its flags",
        "Take the flag out of extraArgs of {component}, then `rinit init phase etcd local`.",
    ),
    cause(
        Speaker::AnyComponent,
        &["invalid argument ", " flag: "],
        "one of its flags has a value that it does not take",
        "Mend extraArgs of {component}, then `rinit init phase control-plane all`.",
    ),
    cause(
        Speaker::AnyComponent,
        &["bind: address already in use"],
        "its port is taken",
        "See by whom with `ss -ltnp`, and stop that process.",
    ),
    cause(
        Speaker::AnyComponent,
        &["bind: cannot assign requested address"],
        "no interface of this host has the address that it should listen on",
        "See the addresses with `ip -brief address`, and mend localAPIEndpoint.advertiseAddress.",
    ),
    cause(
        Speaker::Component(&ETCD),
        &["couldn't find local name"],
        "its member name is not in its initial cluster",
        "Mend name and initial-cluster in extraArgs of etcd, then `rinit init phase etcd local`.",
    ),
    cause(
        Speaker::Component(&ETCD),
        &["cluster ID mismatch"],
        "its data belong to another cluster",
        "Move the data away with `mv {data} {data}.old` if a new cluster is wanted.",
    ),
    cause(
        Speaker::Component(&ETCD),
        &["has already been bootstrapped"],
        "its data belong to another cluster",
        "Move the data away with `mv {data} {data}.old` if a new cluster is wanted.",
    ),
    cause(
        Speaker::Component(&ETCD),
        &["data directory", "permission denied"],
        "it may not use its data folder",
        "See the rights with `ls -ldZ {data}`; etcd runs as root and needs mode 0700.",
    ),
    cause(
        Speaker::Component(&ETCD),
        &["crc mismatch"],
        "its data are damaged",
        "Restore a backup, or move the data away with `mv {data} {data}.old` to begin \
         anew.",
    ),
    cause(
        Speaker::AnyComponent,
        &["no space left on device"],
        "the disk is full",
        "See which with `df -h` and `df -i`.",
    ),
    cause(
        Speaker::AnyComponent,
        &["certificate signed by unknown authority"],
        "it is shown a certificate of another authority",
        "See which certificates are of which authority with `rinit certs check-expiration`; after \
         moving the wrong ones away, `rinit init phase certs all` makes them anew.",
    ),
    Cause {
        speaker: Speaker::Component(&API_SERVER),
        words: &["dial tcp", ":{port}", "connection refused"],
        meaning: "it cannot reach etcd",
        remedy: "See whether etcd runs with `crictl --runtime-endpoint {socket} ps -a --name etcd`.",
        follows: Some(&ETCD),
    },
    Cause {
        speaker: Speaker::Component(&API_SERVER),
        words: &["error creating storage factory"],
        meaning: "it cannot reach etcd",
        remedy: "See whether etcd runs with `crictl --runtime-endpoint {socket} ps -a --name etcd`.",
        follows: Some(&ETCD),
    },
    cause(
        Speaker::AnyComponent,
        &["open /etc/kubernetes/", "no such file or directory"],
        "a file that it needs is missing",
        "Make it with `rinit init phase certs all` and `rinit init phase kubeconfig all`.",
    ),
    Cause {
        speaker: Speaker::AnyComponent,
        words: &["dial tcp", ":{port}", "connection refused"],
        meaning: "it cannot reach the API server",
        remedy: "See why that is down with \
                 `crictl --runtime-endpoint {socket} ps -a --name kube-apiserver`.",
        follows: Some(&API_SERVER),
    },
];

/// The causes that the evidence shows, the kubelet's first; empty if nothing is conspicuous.
pub fn judge(evidence: &Evidence) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(judge_kubelet(evidence));
    let mut faulty: Vec<&str> = Vec::new();
    let mut following = Vec::new();
    for component in &evidence.components {
        if let Some((problem, follows)) = judge_component(component, evidence) {
            faulty.push(&component.name);
            match follows {
                None => problems.push(problem),
                Some(leader) => following.push((problem, leader)),
            }
        }
    }
    for (problem, leader) in following {
        // The leader's own trouble, or that no pod starts at all, was told already.
        if !faulty.contains(&leader.name) && problems.is_empty() {
            problems.push(problem);
        }
    }
    if problems.is_empty() {
        problems.extend(evidence.runtime_problem.clone());
    }
    problems.dedup();
    problems
}

fn judge_kubelet(evidence: &Evidence) -> Option<Problem> {
    let stopped = match &evidence.kubelet {
        // Without an init system, only the log could tell, and there is none.
        None => false,
        Some(state) if !state.exists => {
            return Some(
                Problem::new("there is no unit kubelet")
                    .with_hint("Install the kubelet; `systemctl cat kubelet` shows its unit."),
            );
        }
        Some(state) => !state.is_active() || state.sub == "auto-restart",
    };
    let fits = |speaker| match speaker {
        Speaker::Kubelet => true,
        // What it said before it last started is no news.
        Speaker::StoppedKubelet => stopped,
        Speaker::Component(_) | Speaker::AnyComponent => false,
    };
    if let Some((cause, line)) = find_cause(&evidence.kubelet_log, evidence, fits) {
        return Some(tell(cause, line, "kubelet", "", evidence));
    }
    if !stopped {
        return None;
    }
    let restarts = evidence.kubelet.as_ref().map_or(0, |state| state.restarts);
    let said = last_error(&evidence.kubelet_log)
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    Some(
        Problem::new(format!(
            "the kubelet does not run (started again {restarts} times){said}"
        ))
        .with_hint("See why with `journalctl -u kubelet --no-pager -n 50`."),
    )
}

fn judge_component(
    component: &ComponentEvidence,
    evidence: &Evidence,
) -> Option<(Problem, Option<&'static Component>)> {
    let fits = |speaker| match speaker {
        Speaker::AnyComponent => true,
        Speaker::Component(one) => one.name == component.name,
        Speaker::Kubelet | Speaker::StoppedKubelet => false,
    };
    let name = &component.name;
    if let Some((cause, line)) = find_cause(&component.log, evidence, fits) {
        let problem = tell(cause, line, name, &component.container, evidence);
        return Some((problem, cause.follows));
    }
    let code = component.exit_code?;
    if component.running && component.restarts == 0 {
        return None;
    }
    let said = last_error(&component.log)
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    let (message, hint) = if component.reason == "OOMKilled" || code == 137 {
        (
            format!("{name} was killed, for want of memory or by its liveness probe"),
            "See which with `dmesg | grep -i oom` and `journalctl -u kubelet | grep -i liveness`."
                .to_owned(),
        )
    } else {
        (
            format!("{name} ends with exit code {code}{said}"),
            format!(
                "See what it says with `crictl --runtime-endpoint {} logs {}`.",
                evidence.socket, component.container
            ),
        )
    };
    Some((Problem::new(message).with_hint(hint), None))
}

/// The first cause that the newest telling line fits.
fn find_cause<'log>(
    log: &'log str,
    evidence: &Evidence,
    fits: impl Fn(Speaker) -> bool,
) -> Option<(&'static Cause, &'log str)> {
    log.lines().rev().find_map(|line| {
        let cause = CAUSES
            .iter()
            .filter(|cause| fits(cause.speaker))
            .find(|cause| cause.is_in(line, evidence))?;
        Some((cause, line))
    })
}

fn last_error(log: &str) -> Option<String> {
    log.lines().rev().find(|line| is_error(line)).map(essence)
}

fn tell(
    cause: &Cause,
    line: &str,
    component: &str,
    container: &str,
    evidence: &Evidence,
) -> Problem {
    let remedy = cause
        .remedy
        .replace("{component}", component)
        .replace("{container}", container)
        .replace("{socket}", &evidence.socket)
        .replace("{data}", evidence.data.as_deref().unwrap_or(ETCD_FOLDER));
    let meaning = if component == "kubelet" {
        cause.meaning.to_owned()
    } else {
        format!("{component}: {}", cause.meaning)
    };
    Problem::new(format!("{meaning} ({})", essence(line))).with_hint(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnitState;

    // Recorded from the components of Kubernetes 1.36.3 and etcd 3.6.8.
    const CGROUP_V1: &str = r#"E1122 01:50:29.796001   30139 run.go:72] "command failed" err="failed to validate kubelet configuration, error: kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported and will be removed in a future release, path: &TypeMeta{Kind:,APIVersion:,}""#;
    const KUBELET_FLAG: &str = r#"E1122 01:50:30.185556   30146 run.go:72] "command failed" err="failed to parse kubelet flag: unknown flag: --bogus""#;
    const KUBELET_CONFIG: &str = r#"E1122 01:50:30.386018   30153 run.go:72] "command failed" err="failed to load kubelet config file, path: none.yaml, error: failed to load Kubelet config file none.yaml, error failed to read kubelet config file \"/none.yaml\", error: open /none.yaml: no such file or directory""#;
    const NO_RUNTIME: &str = r#"E1122 01:50:32.218716   30172 run.go:72] "command failed" err="failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \"unix:///run/none.sock\": rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/none.sock: connect: no such file or directory\"""#;
    const ETCD_PORT: &str = r#"{"level":"fatal","ts":"2026-11-22T01:50:35.905748Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"listen tcp 127.0.0.1:12379: bind: address already in use","stacktrace":"go.etcd.io"}"#;
    const ETCD_NAME: &str = r#"{"level":"fatal","ts":"2026-11-22T02:00:52.510547Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"couldn't find local name \"b\" in the initial cluster configuration"}"#;
    const NO_ETCD: &str = "W1122 02:00:43.434360   21175 logging.go:55] [core] [Channel #3 SubChannel #9] grpc: addrConn.createTransport failed to connect to {Addr: \"127.0.0.1:2379\", ServerName: \"127.0.0.1:2379\", }. Err: connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection refused\"\nE1122 02:00:46.406333   21175 run.go:72] \"command failed\" err=\"error creating storage factory: context deadline exceeded\"\n";
    const API_SERVER_FLAG: &str = "Error: unknown flag: --bogus\n";
    const API_SERVER_VALUE: &str = "Error: invalid argument \"abc\" for \"--secure-port\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax\n";

    fn stopped_kubelet(log: &str) -> Evidence {
        Evidence {
            kubelet: Some(UnitState {
                exists: true,
                active: "activating".into(),
                sub: "auto-restart".into(),
                restarts: 7,
                ..UnitState::default()
            }),
            kubelet_log: log.into(),
            socket: "unix:///run/containerd/containerd.sock".into(),
            ..Evidence::default()
        }
    }

    fn exited(components: &[(&str, &str)]) -> Evidence {
        let mut evidence = stopped_kubelet("");
        if let Some(kubelet) = &mut evidence.kubelet {
            kubelet.active = "active".into();
            kubelet.sub = "running".into();
        }
        evidence.components = components
            .iter()
            .map(|(name, log)| ComponentEvidence {
                name: (*name).into(),
                exists: true,
                restarts: 3,
                container: "abc123".into(),
                exit_code: Some(1),
                reason: "Error".into(),
                log: (*log).into(),
                ..ComponentEvidence::default()
            })
            .collect();
        evidence
    }

    fn only(evidence: &Evidence) -> Problem {
        let mut problems = judge(evidence);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn what_stops_a_kubelet_is_recognised() {
        for (log, meaning, remedy) in [
            (CGROUP_V1, "refuses cgroup v1", "`failCgroupV1: false`"),
            (
                KUBELET_FLAG,
                "does not know one of its flags",
                "kubeletExtraArgs",
            ),
            (
                KUBELET_CONFIG,
                "cannot read its configuration",
                "`rinit init phase kubelet-start`",
            ),
            (
                NO_RUNTIME,
                "cannot reach the container runtime",
                "`systemctl status containerd`",
            ),
        ] {
            let problem = only(&stopped_kubelet(log));
            assert!(problem.message.contains(meaning), "{problem}");
            assert!(problem.hint.unwrap().contains(remedy), "{log}");
        }
    }

    #[test]
    fn what_a_kubelet_said_before_it_ran_is_no_news() {
        let mut evidence = stopped_kubelet(KUBELET_CONFIG);
        evidence.kubelet = Some(UnitState {
            exists: true,
            active: "active".into(),
            sub: "running".into(),
            ..UnitState::default()
        });
        assert_eq!(judge(&evidence), []);
    }

    #[test]
    fn the_newest_word_counts() {
        let problem = only(&stopped_kubelet(&format!(
            "{KUBELET_CONFIG}\n{CGROUP_V1}\n"
        )));
        assert!(problem.message.contains("cgroup v1"), "{problem}");
    }

    #[test]
    fn an_unknown_failure_is_quoted() {
        let log = "E1122 01:50:29.796001   30139 run.go:72] \"command failed\" err=\"the moon is full\"\n";
        let problem = only(&stopped_kubelet(log));
        assert_eq!(
            problem.message,
            "the kubelet does not run (started again 7 times): the moon is full"
        );
        let problem = only(&exited(&[("kube-scheduler", log)]));
        assert_eq!(
            problem.message,
            "kube-scheduler ends with exit code 1: the moon is full"
        );
        assert!(problem.hint.unwrap().contains("logs abc123`"));
    }

    #[test]
    fn what_stops_a_static_pod_is_recognised() {
        for (name, log, meaning) in [
            (
                "etcd",
                ETCD_PORT,
                "etcd: its port is taken (discovery failed: listen tcp",
            ),
            (
                "etcd",
                ETCD_NAME,
                "etcd: its member name is not in its initial cluster",
            ),
            (
                "kube-apiserver",
                NO_ETCD,
                "kube-apiserver: it cannot reach etcd",
            ),
            (
                "kube-apiserver",
                API_SERVER_FLAG,
                "kube-apiserver: it does not know one of its flags (unknown flag: --bogus)",
            ),
            (
                "kube-apiserver",
                API_SERVER_VALUE,
                "kube-apiserver: one of its flags has a value that it does not take",
            ),
        ] {
            let problem = only(&exited(&[(name, log)]));
            assert!(problem.message.starts_with(meaning), "{problem}");
            assert!(problem.hint.unwrap().contains('`'));
        }
    }

    #[test]
    fn what_follows_from_another_is_not_told() {
        let problem = only(&exited(&[("etcd", ETCD_PORT), ("kube-apiserver", NO_ETCD)]));
        assert!(problem.message.starts_with("etcd: "), "{problem}");
    }

    #[test]
    fn a_running_control_plane_has_no_cause() {
        let mut evidence = exited(&[("etcd", ""), ("kube-apiserver", "")]);
        for component in &mut evidence.components {
            component.running = true;
            component.restarts = 0;
            component.exit_code = None;
        }
        assert_eq!(judge(&evidence), []);
    }

    #[test]
    fn a_missing_unit_and_a_silent_runtime_are_told() {
        let mut evidence = Evidence {
            kubelet: Some(UnitState::default()),
            ..Evidence::default()
        };
        assert_eq!(only(&evidence).message, "there is no unit kubelet");
        evidence.kubelet = None;
        evidence.runtime_problem = Some(Problem::new("no container runtime answers"));
        assert_eq!(only(&evidence).message, "no container runtime answers");
    }

    #[test]
    fn every_remedy_is_a_sentence_with_a_command() {
        for cause in CAUSES {
            assert!(cause.remedy.ends_with('.'), "{}", cause.remedy);
            assert!(cause.remedy.matches('`').count() >= 2, "{}", cause.remedy);
            assert!(!cause.meaning.ends_with('.'), "{}", cause.meaning);
        }
    }
}
