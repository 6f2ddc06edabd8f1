//! Flags and file together: who is told to have said what, how doubts are taken, and what flags
//! that make no file do.

use serde_json::Value;

use crate::events::events;
use crate::support::{CONFIG, HOST_PHASES, Place, has, is_root, rendering};

/// A file whose every doubt is one of its own, and that resolves.
fn doubtful() -> String {
    CONFIG.replace(
        "kubernetesVersion: v1.37.1",
        "kubernetesVersion: v1.37.1
controlPlaneEndpoint: nowhere.invalid:6443
networking:
  podSubnet: 10.96.0.0/16
  serviceSubnet: 10.96.0.0/20
featureGates:
  RootlessControlPlane: true
apiServer:
  extraArgs:
    - name: advertise-adress
      value: 192.0.2.1
  extraVolumes:
    - name: own
      hostPath: /nowhere/at/all
      mountPath: /own
      pathType: Directory",
    )
}

/// What stands in the way of nothing is a warning each, and an error each with `--strict`.
#[test]
fn doubts_are_warnings_and_errors_if_asked_for() {
    let place = Place::new();
    place.write("doubtful.yaml", doubtful());
    let init = "init --config doubtful.yaml --dry-run --ignore-preflight-errors all";
    let doubts = [
        "doubtful.yaml:12:23: ",
        "does not resolve from this host",
        "doubtful.yaml:14:14: ",
        "overlaps the service network",
        "doubtful.yaml:20:13: ",
        "shows no flag `advertise-adress`",
        "doubtful.yaml:24:17: ",
        "/nowhere/at/all is not on this host",
        "the feature gate RootlessControlPlane",
    ];
    let said = place.run(init).succeeded();
    for doubt in doubts {
        assert!(said.stderr.contains(doubt), "{doubt}: {}", said.stderr);
    }
    let is_error = |line: &str| line.starts_with("error: ") || line.contains(": error: ");
    assert!(!said.stderr.lines().any(is_error), "{}", said.stderr);

    let said = place.run(&format!("{init} --strict"));
    assert_eq!(said.code, Some(3), "{}", said.shown());
    assert_eq!(said.stdout, "");
    for doubt in doubts {
        let line = said.stderr.lines().find(|line| line.contains(doubt));
        assert!(line.is_some_and(is_error), "{doubt}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("warning: "), "{}", said.stderr);

    // Where it does not resolve either, all of it is told at once.
    let said = place.run(&format!("{init} --strict --token short"));
    assert_eq!(said.code, Some(3));
    for wrong in doubts.iter().chain(&["error: --token: "]) {
        let line = said.stderr.lines().find(|line| line.contains(wrong));
        assert!(line.is_some_and(is_error), "{wrong}: {}", said.stderr);
    }
}

/// What is doubtful in a flag is told of the flag, whatever the file says.
#[test]
fn doubts_about_flags_name_the_flag() {
    let place = Place::new();
    place.write("doubtful.yaml", doubtful());
    let words = "init phase control-plane all --config doubtful.yaml --dry-run --root root \
         --pod-network-cidr 10.96.8.0/24 --apiserver-extra-args advertize-address=192.0.2.1";
    let said = place.run(words).succeeded();
    for part in [
        "warning: --pod-network-cidr: the pod network 10.96.8.0/24 overlaps",
        "warning: --apiserver-extra-args: kube-apiserver of Kubernetes 1.37 shows no flag `advertize-address`",
    ] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
    assert!(!said.stderr.contains("advertise-adress"), "{}", said.stderr);
}

/// Machines are told what people are told, and why there was no run.
#[test]
fn what_keeps_a_run_from_beginning_is_in_the_events() {
    let place = Place::new();
    let bad = CONFIG
        .replace("  name: node-1", "  nam: node-1")
        .replace("ECDSA-P256", "ROT13");
    place.write("bad.yaml", &bad);
    let words = "init --config bad.yaml --dry-run -o json";
    let said = place.run(words);
    assert_eq!(said.code, Some(3));
    let told = events(&said);
    assert_eq!(told.last().unwrap()["outcome"], "refused");
    let findings: Vec<&Value> = told
        .iter()
        .filter(|event| event["event"] == "finding")
        .collect();
    assert_eq!(findings.len(), 2, "{told:?}");
    let first = findings[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["rule"], "unknown-field");
    assert_eq!(first["file"], "bad.yaml");
    assert_eq!(first["path"], "nodeRegistration.nam");
    assert_eq!((&first["line"], &first["column"]), (&6.into(), &3.into()));
    for finding in findings {
        let message = finding["message"].as_str().unwrap();
        assert!(said.stderr.contains(message), "{message}: {}", said.stderr);
    }
    let hint = first["hint"].as_str().unwrap();
    assert!(said.stderr.contains(hint), "{hint}: {}", said.stderr);

    let problem = |words: &str, code: i32, part: &str| {
        let said = place.run(words);
        assert_eq!(said.code, Some(code), "{words}: {}", said.shown());
        let told = events(&said);
        assert_eq!(told.len(), 2, "{words}: {told:?}");
        assert_eq!(told[0]["event"], "problem");
        assert_eq!(told[1]["outcome"], "refused");
        let message = told[0]["message"].as_str().unwrap();
        assert!(message.contains(part), "{words}: {message}");
        assert!(said.stderr.contains(message), "{words}: {}", said.stderr);
    };
    let init = "init --config config.yaml --root root -o json";
    problem(&format!("{init} --token short"), 3, "--token: ");
    problem(&format!("{init} --skip-phases cert"), 2, "cert");
    problem("init phase certs nothing -o json", 2, "nothing");
    problem("init --config nowhere.yaml -o json", 3, "nowhere.yaml");
    std::fs::create_dir(place.at("root")).unwrap();
    let folder = std::fs::File::open(place.at("root")).unwrap();
    folder.lock().unwrap();
    problem(init, 4, "root");
}

/// Warnings of the file are events of a run that goes on.
#[test]
fn warnings_of_the_file_are_in_the_events() {
    let place = Place::new();
    place.write("doubtful.yaml", doubtful());
    let words = "init phase control-plane all --config doubtful.yaml --root root --dry-run -o json";
    let said = place.run(words).succeeded();
    let told = events(&said);
    let warned: Vec<&Value> = told
        .iter()
        .filter(|event| event["event"] == "finding")
        .map(|event| &event["path"])
        .collect();
    assert_eq!(
        warned,
        [
            "networking.podSubnet",
            "featureGates.RootlessControlPlane",
            "apiServer.extraArgs[0].name",
            "apiServer.extraVolumes[0].hostPath"
        ]
    );
    assert!(told.iter().all(|event| event["severity"] != "error"));
}

/// A folder of patches that the file names lies on the node, below `--root`; one that was typed
/// lies where it was typed.
#[test]
fn patches_of_the_file_are_looked_for_below_the_root() {
    let place = Place::new();
    let folder = place.at("root/etc/patches");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir(place.at("typed")).unwrap();
    let patch = |label: &str| format!("metadata:\n  labels:\n    patched-by: {label}\n");
    let name = "kube-scheduler0+merge.yaml";
    std::fs::write(folder.join(name), patch("file")).unwrap();
    std::fs::write(place.at("typed").join(name), patch("flag")).unwrap();
    let config = CONFIG.replace(
        "nodeRegistration:",
        "patches:\n  directory: /etc/patches\nnodeRegistration:",
    );
    place.write("config.yaml", &config);
    let manifest = "root/etc/kubernetes/manifests/kube-scheduler.yaml";
    place.render("root").succeeded();
    assert!(place.read(manifest).contains("patched-by: file"));
    place
        .run(&format!("{} --patches typed", rendering("root")))
        .succeeded();
    assert!(place.read(manifest).contains("patched-by: flag"));

    // What is missing is told at the line, or of the flag.
    let said = place.run(&rendering("other"));
    assert_eq!(said.code, Some(3), "{}", said.shown());
    assert!(
        said.stderr.contains(
            "config.yaml:6:14: error: patches.directory: there is no directory other/etc/patches"
        ),
        "{}",
        said.stderr
    );
    let said = place.run(&format!("{} --patches nowhere", rendering("root")));
    assert_eq!(said.code, Some(3), "{}", said.shown());
    assert!(
        said.stderr
            .contains("error: --patches: there is no directory nowhere"),
        "{}",
        said.stderr
    );
}

/// The version of an earlier init counts; where it cannot be told, that is said.
#[test]
fn a_version_on_disk_that_cannot_be_told_is_told() {
    let place = Place::new();
    place.write("config.yaml", CONFIG.replace("v1.37.1", "v1.36.3"));
    place.render("root").succeeded();
    place.write(
        "config.yaml",
        CONFIG.replace("kubernetesVersion: v1.37.1\n", ""),
    );
    let words = format!("{} --dry-run", rendering("root"));
    let said = place.run(&words).succeeded();
    let found = "kubernetesVersion: v1.36.3 (detected: the control plane that is on this host)";
    assert!(said.stderr.contains(found), "{}", said.stderr);

    let manifest = "root/etc/kubernetes/manifests/kube-apiserver.yaml";
    for text in [
        "not: [a pod",
        "spec:\n  containers:\n    - image: registry.example.com:5000/kube-apiserver\n",
    ] {
        place.write(manifest, text);
        let said = place.run(&words);
        assert!(
            said.stderr.contains(
                "warning: the version of the control plane that is on this host is not known"
            ),
            "{}",
            said.stderr
        );
        assert!(
            said.stderr.contains("--kubernetes-version"),
            "{}",
            said.stderr
        );
    }
}

/// Objects of add-ons are printed, and nothing is done.
#[test]
fn add_ons_are_printed() {
    let place = Place::new();
    for (add_on, kinds) in [
        (
            "coredns",
            "ServiceAccount ClusterRole ClusterRoleBinding ConfigMap Deployment Service",
        ),
        (
            "kube-proxy",
            "ServiceAccount ClusterRoleBinding Role RoleBinding ConfigMap DaemonSet",
        ),
    ] {
        let words = format!(
            "init phase addon {add_on} --config config.yaml --print-manifest --image-repository registry.example.com"
        );
        let said = place.run(&words).succeeded();
        let mut found: Vec<&str> = said
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix("kind: "))
            .collect();
        let mut kinds: Vec<&str> = kinds.split(' ').collect();
        found.sort_unstable();
        kinds.sort_unstable();
        assert_eq!(found, kinds);
        assert!(said.stdout.contains("image: registry.example.com/"));
        assert_eq!(said.stderr, "");
    }
    let said = place.run("init phase certs ca --config config.yaml --print-manifest --root root");
    assert_eq!(said.code, Some(2), "{}", said.shown());
    assert!(!place.at("root").exists());
}

/// Another root is for root alone, and is said to be.
#[test]
fn only_root_changes_the_root() {
    if !is_root() {
        eprintln!("skipped: it takes root to become somebody else");
        return;
    }
    let place = Place::new();
    let said = place.nobody().run("--rootfs . init phase certs ca");
    assert_eq!(said.code, Some(4), "{}", said.shown());
    assert!(said.stderr.contains("only root may"), "{}", said.stderr);
    assert!(said.stderr.contains("`--root`"), "{}", said.stderr);
    let said = place.run("--rootfs nowhere init phase certs ca");
    assert_eq!(said.code, Some(4), "{}", said.shown());
    assert!(said.stderr.contains("nowhere"), "{}", said.stderr);
    let said = place.run("--rootfs . --root . init phase certs ca");
    assert_eq!(said.code, Some(2), "{}", said.shown());
}

/// Nothing outside of another root is read, and all that is typed is looked for in it.
#[test]
fn with_another_root_every_path_is_in_it() {
    if !is_root() || !has("strace") {
        eprintln!("skipped: only root changes the root");
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.at("host")).unwrap();
    place.write("host/only-there.yaml", CONFIG);
    let said = place.run("--rootfs host init phase certs all --config /only-there.yaml");
    said.succeeded();
    assert!(place.at("host/etc/kubernetes/pki/ca.key").exists());
    let said = place.run("--rootfs host init phase certs all --config config.yaml");
    assert_eq!(said.code, Some(3), "{}", said.shown());
}

/// `--v` and `-v` ask for more, and `--vmodule` for more of single files.
#[test]
fn levels_say_more() {
    let place = Place::new();
    place.render("root").succeeded();
    let quiet = place.run(&rendering("root")).succeeded();
    assert!(!quiet.stderr.contains("holds: "), "{}", quiet.stderr);
    for level in ["-v", "--v=1", "-v 1", "--v 3"] {
        let said = place
            .run(&format!("{level} {}", rendering("root")))
            .succeeded();
        assert!(said.stderr.contains("holds: "), "{level}: {}", said.stderr);
    }

    // A server that is not there has the client log what it does.
    place.write(
        "nobody.conf",
        "apiVersion: v1
kind: Config
current-context: c
clusters:
  - {name: c, cluster: {server: \"https://127.0.0.1:1\", insecure-skip-tls-verify: true}}
users:
  - {name: u, user: {token: none}}
contexts:
  - {name: c, context: {cluster: c, user: u}}
",
    );
    let words =
        "init phase upload-config kubeadm --config config.yaml --dry-run --kubeconfig nobody.conf";
    let lines = |flags: &str| {
        let said = place.run(&format!("{flags} {words}"));
        let count = said
            .stderr
            .lines()
            .filter(|line| line.contains(" DEBUG ") || line.contains(" TRACE "))
            .count();
        (count, said.stderr)
    };
    let (none, stderr) = lines("--v=1");
    assert_eq!(none, 0, "{stderr}");
    let (all, stderr) = lines("--v=5");
    assert!(all > 0, "{stderr}");
    let (some, stderr) = lines("--vmodule *=5");
    // Tries against a server that is not there are not the same number twice.
    assert!(some > 0, "{stderr}");
    assert_eq!(lines("--vmodule no-such-file=5").0, 0);
    assert_eq!(lines("--vmodule *=1").0, 0);
    let said = place.run(&format!("--vmodule [=5 {words}"));
    assert_eq!(said.code, Some(2), "{}", said.shown());
}

/// `--skip-phases`, `--ignore-preflight-errors` and a switch that is off.
#[test]
fn a_switch_that_is_off_is_off() {
    let place = Place::new();
    let words = format!("{} --dry-run=false --upload-certs=false", rendering("root"));
    place.run(&words).succeeded();
    assert!(place.at("root/etc/kubernetes/pki/ca.crt").exists());
    let words = format!(
        "init --config config.yaml --root other --skip-phases {HOST_PHASES} --skip-phases certs,kubeconfig --skip-phases="
    );
    place.run(&words).succeeded();
    assert!(!place.at("other/etc/kubernetes/pki").exists());
    assert!(place.at("other/etc/kubernetes/manifests").exists());
}
