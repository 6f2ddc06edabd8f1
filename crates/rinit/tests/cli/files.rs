//! Commands over files alone: what `config migrate` writes to, what a loopback address comes to, and
//! how the standard input is named.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::support::{CONFIG, Place, Said, is_root};

#[test]
fn a_migrated_file_goes_where_a_link_leads() {
    let place = Place::new();
    let migrate = |target: &str| {
        place.run(&format!(
            "config migrate --old-config config.yaml --new-config {target}"
        ))
    };
    let printed = place
        .run("config migrate --old-config config.yaml")
        .succeeded();
    let without_token = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("token: "));
        lines.map(str::to_owned).collect()
    };
    let expected = without_token(&printed.stdout);

    fs::create_dir(place.at("other")).unwrap();
    place.write("other/new.yaml", "old");
    fs::set_permissions(
        place.at("other/new.yaml"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    symlink("other/new.yaml", place.at("link.yaml")).unwrap();
    let before = fs::metadata(place.at("other/new.yaml")).unwrap().ino();
    migrate("link.yaml").succeeded();
    assert!(
        fs::symlink_metadata(place.at("link.yaml"))
            .unwrap()
            .is_symlink()
    );
    let written = fs::metadata(place.at("other/new.yaml")).unwrap();
    // It may hold tokens.
    assert_eq!(written.mode() & 0o7777, 0o600);
    assert_ne!(written.ino(), before, "it was not put there whole");
    let text = fs::read_to_string(place.at("other/new.yaml")).unwrap();
    assert_eq!(without_token(&text), expected);

    let said = migrate("mistyped/here.yaml");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("namei -l mistyped"), "{said:?}");
    assert!(!place.at("mistyped").exists());

    migrate("other/../beside.yaml").succeeded();
    assert!(place.at("beside.yaml").exists());

    let said = migrate("/dev/stdout").succeeded();
    assert_eq!(without_token(&said.stdout), expected);
    migrate("/dev/null").succeeded();
    let null = fs::metadata("/dev/null").unwrap().file_type();
    assert!(null.is_char_device());

    symlink("nowhere", place.at("dangling.yaml")).unwrap();
    let said = migrate("dangling.yaml");
    assert_eq!(said.code, Some(1), "{}", said.shown());
    assert!(said.stderr.contains("leads nowhere"), "{}", said.stderr);
    assert!(!place.at("nowhere").exists());
}

/// A command on a host whose loopback interface has a global address or none.
fn on_a_host(place: &Place, global: bool, words: &str) -> Said {
    let setup = format!(
        "ip link set lo up && {} && ip link add eth0 type veth peer name far && \
         ip address add 192.0.2.10/24 dev eth0 && ip link set eth0 up && ip link set far up && \
         ip route add default via 192.0.2.1 && exec \"$@\"",
        if global {
            "ip address add 203.0.113.7/32 dev lo"
        } else {
            "true"
        }
    );
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", &setup, "sh"])
        .arg(rinit_testkit::program())
        .args(words.split(' '))
        .current_dir(place.path())
        .output()
        .unwrap();
    Said::of(&output)
}

#[test]
fn a_loopback_address_stands_for_a_global_one_of_its_interface_or_is_refused() {
    if !is_root() {
        eprintln!("skipped: a network of its own needs root");
        return;
    }
    let place = Place::new();
    let join = "---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n\
                discovery: {file: {kubeConfigPath: /a}}\n\
                controlPlane:\n  localAPIEndpoint:\n    advertiseAddress: 10.123.0.2\n";
    let file = format!("{CONFIG}{join}");
    for address in ["127.0.0.1", "127.8.9.10", "'::1'", "'::ffff:127.0.0.1'"] {
        place.write("loopback.yaml", file.replace("10.123.0.2", address));
        for words in [
            "config validate --config loopback.yaml",
            "config migrate --old-config loopback.yaml",
        ] {
            let said = on_a_host(&place, false, words);
            assert_eq!(said.code, Some(3), "{address} {words}: {}", said.shown());
            assert_eq!(said.stdout, "", "{address} {words}");
            for field in [
                "loopback.yaml:4:21: error: localAPIEndpoint.advertiseAddress: ",
                "loopback.yaml:19:23: error: controlPlane.localAPIEndpoint.advertiseAddress: ",
            ] {
                let count = said.stderr.matches(field).count();
                assert_eq!(count, 1, "{address} {words}: {}", said.stderr);
            }
            let said = on_a_host(&place, true, words).succeeded();
            assert_eq!(said.stderr, "", "{address} {words}");
            if words.contains("migrate") {
                let settled = said
                    .stdout
                    .matches("advertiseAddress: 203.0.113.7\n")
                    .count();
                assert_eq!(settled, 2, "{address}: {}", said.stdout);
            }
        }
    }
}

#[test]
fn the_standard_input_has_a_name() {
    let place = Place::new();
    for words in [
        "config validate --config -",
        "config migrate --old-config -",
        "init --config - --root root",
    ] {
        let mut child = place
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let said = Said::of(&child.wait_with_output().unwrap());
        assert_eq!(said.code, Some(3), "{words}: {}", said.shown());
        let expected = "error: the standard input has ";
        assert!(
            said.stderr.starts_with(expected),
            "{words}: {}",
            said.stderr
        );
    }
}

/// A migration is refused with all that is wrong, each with the field that it is about.
#[test]
fn a_migration_shows_the_fields_that_are_wrong() {
    let place = Place::new();
    let file = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {bindPort: 70000}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.20.0
featureGates: {NoSuch: true}
";
    let version = "file.yaml:7:20: error: kubernetesVersion: Kubernetes v1.20.0 cannot be set up \
                   by this rinit, which knows 1.32 to 1.37
  7 | kubernetesVersion: v1.20.0
    |                    ^^^^^^^
  hint: ";
    let gate = "error: featureGates.NoSuch: there is no feature gate \"NoSuch\" in kubeadm
  8 | NoSuch: true
    |         ^^^^
";
    let port = "error: localAPIEndpoint.bindPort: 70000 is not within 0 and 65535
  3 | bindPort: 70000
    |           ^^^^^
";
    for (file, parts) in [
        (file.to_owned(), &[port, version, gate][..]),
        (file.replace("70000", "6443"), &[version, gate]),
        (
            file.replace("v1.20.0", "v1.37.1").replace("true", "1"),
            &[port],
        ),
    ] {
        place.write("file.yaml", &file);
        let said = place.run("config migrate --old-config file.yaml");
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(3), ""),
            "{}",
            said.stderr
        );
        for part in parts {
            assert_eq!(
                said.stderr.matches(part).count(),
                1,
                "{part}: {}",
                said.stderr
            );
        }
    }
}
