//! `rinit token …` and `kubeadm token …` on one API server: what one makes, the other lists and
//! deletes.

use std::process::{Command, Output};

use serde_json::Value;

use crate::accepted::configuration_for;
use crate::control_plane::{ADDRESS, ControlPlane, Ports};
use crate::{programs, rinit, said};

/// What a command line ends with.
struct Cluster<'a> {
    servers: &'a ControlPlane<'a>,
    kubeadm: std::path::PathBuf,
}

impl Cluster<'_> {
    fn run(&self, program: &std::path::Path, words: &str) -> Output {
        Command::new(program)
            .arg("--kubeconfig")
            .arg(self.servers.path("super-admin.conf"))
            .arg("token")
            .args(words.split_whitespace())
            .output()
            .unwrap()
    }

    fn ours(&self, words: &str) -> Output {
        self.run(&rinit_testkit::program(), words)
    }

    #[track_caller]
    fn printed(&self, by: &str, words: &str) -> String {
        let output = match by {
            "rinit" => self.ours(words),
            _ => self.run(&self.kubeadm, words),
        };
        assert!(output.status.success(), "{by} {words}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The data of a token's Secret, without what differs by chance.
    fn secret(&self, id: &str) -> Value {
        let words = format!("-n kube-system get secret bootstrap-token-{id} -o json");
        let text = self.servers.kubectl("super-admin.conf", &words);
        let mut secret: Value = serde_json::from_str(&text).unwrap();
        for name in ["token-id", "token-secret", "expiration"] {
            assert_ne!(secret["data"][name], Value::Null, "{name} of {id}");
            secret["data"][name] = "".into();
        }
        Value::Array(vec![secret["type"].take(), secret["data"].take()])
    }
}

#[test]
fn what_one_program_makes_the_other_lists_and_deletes() {
    let Some(programs) = programs() else {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no folder with bin/kube-apiserver");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let ports = Ports::free();
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, configuration_for(&ports)).unwrap();
    let output = rinit(&root, &config);
    assert!(output.status.success(), "{}", said(&output));
    let mut servers = ControlPlane::new(&programs, &root, ports);
    servers.redirect("super-admin.conf");
    servers.start("etcd");
    servers.start("kube-apiserver");
    servers.until("super-admin.conf", "get --raw=/readyz", |text| text == "ok");
    let cluster = Cluster {
        kubeadm: programs.join("kubeadm"),
        servers: &servers,
    };
    assert_eq!(cluster.printed("rinit", "list"), "");

    let flags = "--ttl 90m --description for-tests --usages authentication \
                 --groups system:bootstrappers:a,system:bootstrappers:b";
    for (by, plain, flagged) in [
        ("rinit", "aaaaaa", "bbbbbb"),
        ("kubeadm", "cccccc", "dddddd"),
    ] {
        let token = format!("{plain}.0123456789abcdef");
        let printed = cluster.printed(by, &format!("create {token}"));
        assert_eq!(printed, format!("{token}\n"));
        cluster.printed(by, &format!("create {flagged}.0123456789abcdef {flags}"));
    }
    assert_eq!(cluster.secret("aaaaaa"), cluster.secret("cccccc"));
    assert_eq!(cluster.secret("bbbbbb"), cluster.secret("dddddd"));

    for format in ["json", "yaml"] {
        let list = |by| cluster.printed(by, &format!("list -o {format}"));
        assert_eq!(list("rinit"), list("kubeadm"), "{format}");
        assert_eq!(list("rinit").matches("BootstrapToken").count(), 4);
    }
    let cells = |by| -> Vec<Vec<String>> {
        let row = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        cluster.printed(by, "list").lines().map(row).collect()
    };
    assert_eq!(cells("rinit"), cells("kubeadm"));

    join_commands_are_the_same(&cluster);

    // One that is there is not overwritten, and a dry run creates none.
    let again = cluster.ours("create aaaaaa.fedcba9876543210");
    assert_eq!(again.status.code(), Some(4), "{}", said(&again));
    cluster.printed("rinit", "create eeeeee.0123456789abcdef --dry-run");
    cluster.printed("rinit", "delete --dry-run aaaaaa");

    assert_eq!(
        cluster.printed("rinit", "delete cccccc.0123456789abcdef dddddd"),
        "bootstrap token \"cccccc\" deleted\nbootstrap token \"dddddd\" deleted\n"
    );
    cluster.printed("kubeadm", "delete aaaaaa bbbbbb");
    let absent = cluster.ours("delete eeeeee");
    assert_eq!(absent.status.code(), Some(1), "{}", said(&absent));
}

fn join_commands_are_the_same(cluster: &Cluster<'_>) {
    let key = "f8902e114ef118304e561c3ecd4d0b543adc226b7a07f675f56564185ffe0c07";
    for more in ["", &format!("--certificate-key {key}")] {
        let printed = |by, token: &str| {
            let token = format!("{token}.0123456789abcdef");
            let text = cluster.printed(by, &format!("create {token} --print-join-command {more}"));
            cluster.printed(by, &format!("delete {token}"));
            text.trim_end().replace(&token, "TOKEN")
        };
        let ours = printed("rinit", "eeeeee");
        assert_eq!(ours, printed("kubeadm", "ffffff"));
        assert!(ours.starts_with("kubeadm join 127.0.0.1:"), "{ours}");
        assert!(!ours.contains(ADDRESS));
    }
}
