//! The flags of kubeadm's commands: each is taken, under its name and shorthand and in the forms
//! that Go programs take, and the files that come of it are those of the real kubeadm.
//!
//! `testdata/flags/VERSION.txt` has what the help of that kubeadm lists. Where the programs are at
//! hand (`RINIT_TEST_COMPONENTS`, see `docs/testing.md`), the list itself is held against them.

#![expect(
    clippy::disallowed_methods,
    reason = "the record is a file of the checkout, and programs are run"
)]
#![expect(clippy::expect_used, reason = "a test that cannot run fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The commands whose flags are looked at, with those below them.
const COMMANDS: [&str; 7] = [
    "init",
    "certs",
    "completion",
    "config",
    "kubeconfig user",
    "token",
    "version",
];

/// Flags of kubeadm that rinit does not take, by the beginning of the command. Those of `init` and
/// its phases are all taken.
const NOT_TAKEN: &[(&str, &str, &str)] = &[
    (
        "certs",
        "allow-missing-template-keys",
        "there are no templates",
    ),
    (
        "certs",
        "show-managed-fields",
        "there are no managed fields",
    ),
    (
        "certs check-expiration",
        "kubeconfig",
        "the configuration is never read from the cluster",
    ),
    (
        "certs renew",
        "kubeconfig",
        "the configuration is never read from the cluster",
    ),
];
/// Flags of `config` and of `token list` that do nothing, in kubeadm as here. They are taken by the commands that do
/// something, and not shown.
const IDLE: [&str; 5] = [
    "allow-deprecated-api",
    "allow-experimental-api",
    "allow-missing-template-keys",
    "kubeconfig",
    "show-managed-fields",
];

/// Flags of `init` that decide nothing about what comes of it.
const UNTOLD: [&str; 5] = ["config", "help", "rootfs", "v", "vmodule"];

/// A flag as the help lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flag {
    name: String,
    short: Option<char>,
    /// What Go calls the type of its value; `bool` for a switch.
    kind: String,
}

type Flags = BTreeMap<String, Vec<Flag>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/flags")
}

/// The kubeadm programs at hand: that of `RINIT_TEST_COMPONENTS`, and that of each other version
/// with a record.
fn programs(test: &str) -> Vec<PathBuf> {
    let Some(newest) = std::env::var_os("RINIT_TEST_COMPONENTS").map(PathBuf::from) else {
        eprintln!("skipped: {test} needs RINIT_TEST_COMPONENTS");
        return Vec::new();
    };
    let versions = newest.parent().expect("a folder of versions");
    let mut found = vec![newest.join("bin/kubeadm")];
    for (version, _) in records() {
        let program = versions.join(version).join("bin/kubeadm");
        if program.exists() && !found.contains(&program) {
            found.push(program);
        }
    }
    found
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// The flags and subcommands in a help text of Go's `cobra`.
fn read_help(help: &str) -> (Vec<Flag>, Vec<String>) {
    let mut flags = Vec::new();
    let mut commands = Vec::new();
    let mut section = "";
    for line in help.lines() {
        if !line.starts_with(' ') {
            section = line;
            continue;
        }
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if section == "Available Commands:" {
            commands.push(first.to_owned());
        }
        if section != "Flags:" && section != "Global Flags:" {
            continue;
        }
        let (short, long) = match first.strip_suffix(',') {
            Some(short) => (short.chars().nth(1), words.next().unwrap_or_default()),
            None => (None, first),
        };
        // Lines that go on with the text of a flag have none.
        let Some(name) = long.strip_prefix("--") else {
            continue;
        };
        let after = &line[line.find(long).expect("it was read from there") + long.len()..];
        let kind = match after
            .strip_prefix(' ')
            .filter(|rest| !rest.starts_with(' '))
        {
            Some(rest) => rest.split(' ').next().unwrap_or_default(),
            None => "bool",
        };
        flags.push(Flag {
            name: name.to_owned(),
            short,
            kind: kind.to_owned(),
        });
    }
    flags.sort();
    (flags, commands)
}

fn collect(program: &Path, command: &str, found: &mut Flags) {
    let mut arguments: Vec<&str> = command.split(' ').collect();
    arguments.push("--help");
    let (flags, commands) = read_help(&text(&run(program, &arguments)));
    assert!(!flags.is_empty(), "no help for {command}");
    found.insert(command.to_owned(), flags);
    for below in commands {
        collect(program, &format!("{command} {below}"), found);
    }
}

fn write_record(flags: &Flags) -> String {
    let mut text = String::new();
    for (command, flags) in flags {
        text.push_str(command);
        text.push('\n');
        for flag in flags {
            let short = flag
                .short
                .map_or("   ".to_owned(), |short| format!("-{short},"));
            writeln!(text, "  {short} --{} {}", flag.name, flag.kind).expect("text");
        }
    }
    text
}

/// The records by version.
fn records() -> Vec<(String, Flags)> {
    let mut records: Vec<_> = std::fs::read_dir(folder())
        .expect("the folder of records")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let version = path.file_stem().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a record");
            (version.into_owned(), read_record(&text))
        })
        .collect();
    records.sort();
    records
}

fn read_record(text: &str) -> Flags {
    let mut found = Flags::new();
    let mut command = String::new();
    for line in text.lines() {
        let Some(flag) = line.strip_prefix("  ") else {
            line.clone_into(&mut command);
            continue;
        };
        let mut words = flag.split_whitespace().rev();
        let kind = words.next().expect("a type").to_owned();
        let name = words.next().and_then(|word| word.strip_prefix("--"));
        found.entry(command.clone()).or_default().push(Flag {
            name: name.expect("a name").to_owned(),
            short: words.next().and_then(|word| word.chars().nth(1)),
            kind,
        });
    }
    found
}

#[test]
fn the_records_are_what_kubeadm_lists() {
    for program in programs("the record of kubeadm's flags") {
        let version = text(&run(&program, &["version", "-o", "short"]));
        let mut flags = Flags::new();
        for command in COMMANDS {
            collect(&program, command, &mut flags);
        }
        let path = folder().join(format!("{}.txt", version.trim()));
        let listed = write_record(&flags);
        if std::env::var_os("RINIT_BLESS").is_some() {
            std::fs::write(&path, &listed).expect("the record");
        }
        let record = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(record == listed, "{} is another list", path.display());
        assert_eq!(read_record(&record), flags);
    }
}

fn is_not_taken(command: &str, flag: &Flag) -> bool {
    NOT_TAKEN
        .iter()
        .any(|(beginning, name, _)| command.starts_with(beginning) && flag.name == *name)
}

/// A value of a type, as a script would pass one.
fn sample(flag: &Flag) -> &'static str {
    match (flag.name.as_str(), flag.kind.as_str()) {
        ("feature-gates", _) => "RootlessControlPlane=false",
        ("component-configs", _) => "KubeletConfiguration",
        ("output", _) => "json",
        (_, "string" | "strings") => "a",
        (_, "int32" | "Level") => "1",
        (_, "duration") => "1h30m",
        (_, "moduleSpec") => "a*=1",
        (name, kind) => panic!("--{name} is of the type {kind}, for which there is no sample"),
    }
}

/// Every flag in each of its forms. `--help` comes last: all before it is read, and nothing done.
fn forms(flags: &[Flag]) -> Vec<String> {
    let mut words = Vec::new();
    for flag in flags.iter().filter(|flag| flag.name != "help") {
        let name = &flag.name;
        if flag.kind == "bool" {
            words.push(format!("--{name}"));
            words.push(format!("--{name}=false"));
            words.extend(flag.short.map(|short| format!("-{short}")));
            continue;
        }
        let value = sample(flag);
        words.push(format!("--{name}={value}"));
        words.extend([format!("--{name}"), value.to_owned()]);
        if let Some(short) = flag.short {
            words.push(format!("-{short}={value}"));
            words.extend([format!("-{short}"), value.to_owned()]);
        }
        // What scripts pass for no wish. Both programs want a format, and a name for a certificate.
        if matches!(flag.kind.as_str(), "string" | "strings" | "moduleSpec")
            && !["output", "client-name"].contains(&name.as_str())
        {
            words.push(format!("--{name}="));
        }
    }
    words.push("--help".to_owned());
    words
}

#[test]
fn every_flag_of_kubeadm_is_taken() {
    let rinit = &rinit_testkit::program();
    let mut mistakes = Vec::new();
    let mut taken = 0;
    let records = records();
    assert!(!records.is_empty());
    for (version, flags) in records {
        let commands: Vec<String> = flags.keys().cloned().collect();
        for (command, flags) in flags {
            let is_idle = |flag: &Flag| {
                IDLE.contains(&flag.name.as_str())
                    && (command.starts_with("config")
                        || (command == "token list" && flag.name != "kubeconfig"))
            };
            let is_group = commands
                .iter()
                .any(|other| other.starts_with(&format!("{command} ")));
            let flags: Vec<Flag> = flags
                .into_iter()
                .filter(|flag| !is_not_taken(&command, flag))
                .filter(|flag| !(is_group && is_idle(flag)))
                .collect();
            taken += flags.len();
            let mut words: Vec<&str> = command.split(' ').collect();
            let forms = forms(&flags);
            words.extend(forms.iter().map(String::as_str));
            let output = run(rinit, &words);
            let help = text(&output);
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                mistakes.push(format!("{version}: {command}: {said}"));
                continue;
            }
            let listed = |word: &str| {
                help.split([' ', ',', '[', '=', '\n'])
                    .any(|found| found == word)
            };
            for flag in flags.iter().filter(|flag| !is_idle(flag)) {
                let short = flag.short.map(|short| format!("-{short}"));
                if !listed(&format!("--{}", flag.name)) || !short.as_deref().is_none_or(listed) {
                    mistakes.push(format!("{version}: {command}: no {flag:?} in its help"));
                }
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert!(taken > 500, "only {taken} flags were looked at");
}

/// A row of [`NOT_TAKEN`] that no record has, or that rinit takes by now, is taken out.
/// A dry run tells of each that it decided: what it tells comes from the list that is looked at
/// here, and the tests of `rinit-facts` see that it does.
#[test]
fn every_flag_of_init_is_in_the_list_of_those_that_decide() {
    for (version, flags) in records() {
        for (command, flags) in flags {
            let is_init = command == "init" || command.starts_with("init phase control-plane ");
            for flag in flags.iter().filter(|_| is_init) {
                let is_listed = rinit_facts::Overrides::flags()
                    .iter()
                    .any(|listed| listed.name == flag.name);
                let is_untold = UNTOLD.contains(&flag.name.as_str());
                assert!(
                    is_listed != is_untold,
                    "{version}: {command} --{}",
                    flag.name
                );
            }
        }
    }
}

#[test]
fn what_is_not_taken_is_still_there_to_be_taken() {
    let records = records();
    for (beginning, name, _) in NOT_TAKEN {
        let found = records.iter().any(|(_, flags)| {
            flags.iter().any(|(command, flags)| {
                command.starts_with(beginning) && flags.iter().any(|flag| flag.name == *name)
            })
        });
        assert!(found, "no {beginning} has --{name}");
    }
}

/// What is done with a flag: the phase, and the words that make the difference.
const EFFECTS: &[(&str, &str)] = &[
    (
        "certs apiserver",
        "--apiserver-cert-extra-sans api.example.com,192.0.2.7 --apiserver-cert-extra-sans b.example.com",
    ),
    ("certs front-proxy-client", "--cert-dir /etc/own/pki"),
    (
        "certs apiserver",
        "--control-plane-endpoint api.example.com:8443",
    ),
    ("certs apiserver", "--service-cidr 10.7.0.0/16"),
    ("certs apiserver", "--service-dns-domain own.example.com"),
    (
        "certs apiserver-etcd-client",
        "--cert-dir /etc/kubernetes/pki",
    ),
    ("kubeconfig admin", "--apiserver-bind-port 7443"),
    ("kubeconfig admin", "--apiserver-bind-port 0"),
    (
        "kubeconfig admin",
        "--control-plane-endpoint [2001:db8::1]:8443",
    ),
    ("kubeconfig admin", "--kubeconfig-dir /etc/own/kubeconfigs"),
    ("kubeconfig kubelet", "--node-name another"),
    ("kubeconfig kubelet", "--node-name a --node-name another"),
    ("etcd local", "--image-repository registry.example.com/k8s"),
    ("etcd local", "--cert-dir /etc/own/pki"),
    ("etcd local", "--patches /patches"),
    ("control-plane all", "--apiserver-bind-port=7443"),
    ("control-plane all", "--cert-dir /etc/own/pki"),
    (
        "control-plane all",
        "--image-repository registry.example.com/k8s",
    ),
    ("control-plane all", "--kubernetes-version v1.37.0"),
    ("control-plane all", "--kubernetes-version 1.37.0"),
    ("control-plane all", "--patches /patches"),
    ("control-plane all", "--pod-network-cidr 10.5.0.0/16"),
    (
        "control-plane all",
        "--service-cidr 10.7.0.0/16,fd00:7::/112",
    ),
    (
        "control-plane all",
        "--apiserver-extra-args v=4,profiling=false",
    ),
    ("control-plane all", "--controller-manager-extra-args v=4"),
    ("control-plane all", "--scheduler-extra-args v=4"),
    (
        "control-plane controller-manager",
        "--pod-network-cidr 10.5.0.0/16",
    ),
    (
        "control-plane all",
        "--dry-run=false --image-repository= --pod-network-cidr= --cert-dir=",
    ),
];

/// Whether this can be tried here; changing the root needs root.
fn root_may(test: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = std::fs::metadata("/proc/self").expect("this process").uid() == 0;
    if !root {
        eprintln!("skipped: {test} needs root");
    }
    root
}

fn has_default_route(test: &str) -> bool {
    let routes = std::fs::read_to_string("/proc/net/route").expect("the routes");
    let found = routes.lines().any(|line| line.contains("\t00000000\t"));
    if !found {
        eprintln!("skipped: {test} needs a default route");
    }
    found
}

/// A host with authorities and patches, as a folder.
fn host(folder: &Path, pki: &Path) {
    for own in ["etc/kubernetes/pki", "etc/own/pki"] {
        let own = folder.join(own);
        std::fs::create_dir_all(own.join("etcd")).expect("a folder");
        for name in ["ca", "front-proxy-ca", "etcd/ca"] {
            for extension in ["crt", "key"] {
                let file = format!("{name}.{extension}");
                std::fs::copy(pki.join(&file), own.join(&file)).expect("an authority");
            }
        }
    }
    // Where a phase has no flag for the address, both look for the default route.
    std::fs::create_dir_all(folder.join("proc/net")).expect("a folder");
    for routes in ["proc/net/route", "proc/net/ipv6_route"] {
        let text = std::fs::read(Path::new("/").join(routes)).unwrap_or_default();
        std::fs::write(folder.join(routes), text).expect("the routes");
    }
    std::fs::create_dir_all(folder.join("patches")).expect("a folder");
    for target in ["kube-apiserver", "etcd"] {
        let patch = folder.join(format!("patches/{target}0+merge.yaml"));
        std::fs::write(patch, "metadata:\n  labels:\n    patched: \"yes\"\n").expect("a patch");
    }
}

/// Every file below a folder but keys: certificates as OpenSSL shows the parts that flags decide,
/// kubeconfigs without what is drawn, all else as it is.
fn files(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.join("etc")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(root)
                .expect("below")
                .display()
                .to_string();
            if path.is_dir() {
                // Kubeadm keeps a folder for what it replaces and for dry runs.
                if name != "etc/kubernetes/tmp" {
                    folders.push(path);
                }
                continue;
            }
            let end = path.extension().and_then(|end| end.to_str());
            let shown = match end {
                Some("key" | "pub") => String::new(),
                Some("crt") => certificate(&path),
                _ => std::fs::read_to_string(&path)
                    .expect("a text")
                    .lines()
                    .filter(|line| !line.contains("-data: "))
                    .fold(String::new(), |text, line| text + line + "\n"),
            };
            found.insert(name, shown);
        }
    }
    found
}

fn certificate(path: &Path) -> String {
    let path = path.display().to_string();
    let arguments = [
        "x509",
        "-noout",
        "-subject",
        "-issuer",
        "-ext",
        "subjectAltName",
        "-in",
        &path,
    ];
    let output = run(Path::new("openssl"), &arguments);
    // Every name counts, and so does its order.
    text(&output)
}

/// Each flag makes of an empty host what it makes with the real kubeadm, and something else than
/// without it.
#[test]
fn flags_have_the_effect_that_they_have_in_kubeadm() {
    let test = "the comparison of what flags do";
    let Some(kubeadm) = programs(test).into_iter().next() else {
        return;
    };
    if !root_may(test) || !has_default_route(test) {
        return;
    }
    let rinit = &rinit_testkit::program();
    let place = tempfile::tempdir().expect("a folder");
    let pki = place.path().join("authorities/pki");
    let base = "--kubernetes-version v1.37.1";
    let address = "--apiserver-advertise-address 192.0.2.9";
    let made = render(
        &kubeadm,
        &place.path().join("authorities"),
        "certs all",
        &format!("{base} {address} --cert-dir /pki"),
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );

    let mut number = 0;
    let mut rendered = |program: &Path, phase: &str, flags: &str| {
        number += 1;
        let root = place.path().join(number.to_string());
        host(&root, &pki);
        let output = render(program, &root, phase, flags);
        let mut files = files(&root);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            files.insert(format!("stderr of {}", program.display()), said);
        }
        std::fs::remove_dir_all(root).expect("it can go");
        files
    };
    let mut mistakes = Vec::new();
    let mut untouched = BTreeMap::new();
    for (phase, flags) in EFFECTS {
        let has = |flag: &str| {
            let command = format!("init phase {phase}");
            let records = records();
            let (_, of_newest) = records.last().expect("a record");
            of_newest[&command].iter().any(|known| known.name == flag)
        };
        let mut without = String::new();
        for (flag, words) in [
            ("kubernetes-version", base),
            ("apiserver-advertise-address", address),
        ] {
            if has(flag) {
                without = format!("{without} {words}");
            }
        }
        let with = format!("{without} {flags}");
        let ours = rendered(rinit, phase, &with);
        let theirs = rendered(&kubeadm, phase, &with);
        if ours != theirs {
            for name in ours.keys().chain(theirs.keys()) {
                if ours.get(name) != theirs.get(name) {
                    mistakes.push(format!(
                        "{phase} {flags}: {name}\nrinit:\n{}\nkubeadm:\n{}",
                        ours.get(name).map_or("absent", String::as_str),
                        theirs.get(name).map_or("absent", String::as_str),
                    ));
                }
            }
        }
        // Flags that name what holds anyway have no effect of their own.
        let same = ["--apiserver-bind-port 0", "--cert-dir /etc/kubernetes/pki"];
        let nothing = same.contains(flags) || flags.ends_with('=');
        let before = untouched
            .entry(format!("{phase}{without}"))
            .or_insert_with(|| rendered(rinit, phase, &without));
        if (ours == *before) != nothing {
            mistakes.push(format!(
                "{phase}: {flags} changes nothing, or what it should not"
            ));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// An object without what means nothing: `null`, `false` and empty maps, which Go's types write or
/// leave out as they come, and what is no part of what is installed.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(key, _)| {
                let unasked = [
                    "resourceVersion",
                    "kubeadm.kubernetes.io/component-config.hash",
                ];
                !unasked.contains(&key.as_str())
            })
            .map(|(key, value)| (key, plain(value)))
            .filter(|(_, value)| !value.is_null() && *value != json!(false) && *value != json!({}))
            .collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

/// What `--print-manifest` prints is what kubeadm prints.
#[test]
fn add_ons_are_printed_as_kubeadm_prints_them() {
    let test = "the comparison of printed add-ons";
    let Some(kubeadm) = programs(test).into_iter().next() else {
        return;
    };
    let rinit = &rinit_testkit::program();
    for (add_on, flags) in [
        (
            "coredns",
            "--image-repository registry.example.com --service-cidr 10.7.0.0/16 --service-dns-domain own.example.com",
        ),
        (
            "kube-proxy",
            "--apiserver-advertise-address 192.0.2.9 --apiserver-bind-port 7443 --pod-network-cidr 10.5.0.0/16",
        ),
        (
            "kube-proxy",
            "--apiserver-advertise-address 192.0.2.9 --control-plane-endpoint api.example.com",
        ),
    ] {
        let printed = |program: &Path, more: &str| -> BTreeMap<String, Value> {
            let line = format!(
                "init phase addon {add_on} --print-manifest --kubernetes-version v1.37.1 {flags} {more}"
            );
            let words: Vec<&str> = line.split_whitespace().collect();
            let output = run(program, &words);
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            rinit_manifest::yaml::parse_documents(&text(&output))
                .expect("YAML")
                .into_iter()
                .map(|object| {
                    let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
                    (name, plain(object))
                })
                .collect()
        };
        // rinit wants an address of the host for every phase.
        let address = "--apiserver-advertise-address 192.0.2.9";
        let ours = printed(rinit, address);
        assert_eq!(ours.len(), 6);
        assert_eq!(ours, printed(&kubeadm, ""), "{add_on} {flags}");
    }
}

/// Runs one phase with this folder for the file system.
fn render(program: &Path, root: &Path, phase: &str, flags: &str) -> Output {
    std::fs::create_dir_all(root).expect("a folder");
    let root = root.display().to_string();
    let mut words = vec!["--rootfs", &root, "init", "phase"];
    words.extend(phase.split(' '));
    words.extend(flags.split_whitespace());
    run(program, &words)
}
