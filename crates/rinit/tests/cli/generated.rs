//! Completions, as a real bash uses them, and manual pages.

use std::process::Command;

use crate::support::Place;

/// Sources the script on stdin and prints what is offered for the last of the words.
const COMPLETE: &str = r#"
source /dev/stdin
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn offered(place: &Place, script: &str, words: &[&str]) -> Vec<String> {
    place.write("completion", script);
    let output = Command::new("bash")
        .args(["--norc", "-c", COMPLETE, "bash"])
        .args(words)
        .stdin(std::fs::File::open(place.at("completion")).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{words:?}: {stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_phases_names_of_certificates_and_flags() {
    let place = Place::new();
    let scripts = [
        ("rinit", place.run("completion bash").succeeded().stdout),
        (
            "kubeadm",
            place.kubeadm("completion bash").succeeded().stdout,
        ),
    ];
    for (program, script) in &scripts {
        let offered = |words: &[&str]| {
            let words: Vec<&str> = std::iter::once(*program)
                .chain(words.iter().copied())
                .collect();
            offered(&place, script, &words)
        };
        for (words, expected) in [
            (&["ini"][..], &["init"][..]),
            (&["init", "phase", "kubelet-s"], &["kubelet-start"]),
            (
                &["init", "phase", "certs", "apiserver"],
                &[
                    "apiserver",
                    "apiserver-kubelet-client",
                    "apiserver-etcd-client",
                ],
            ),
            (&["init", "--upload"], &["--upload-certs"]),
            (&["certs", "renew", "sched"], &["scheduler.conf"]),
            (&["certs", "renew", "etcd-p"], &["etcd-peer"]),
            (&["token", "create", "--print"], &["--print-join-command"]),
            (&["config", "images", "pull", "--cri"], &["--cri-socket"]),
        ] {
            assert_eq!(offered(words), expected, "{program} {words:?}");
        }
        assert!(offered(&["certs", "renew", ""]).contains(&"all".to_owned()));
    }
    for words in ["completion", "completion tcsh"] {
        assert_eq!(place.run(words).code, Some(2));
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    std::fs::create_dir(place.at("man")).unwrap();
    place.run("man man").succeeded();
    assert!(place.read("man/rinit.1").contains("rinit\\-certs(1)"));
    let page = place.read("man/rinit-init-phase-certs-apiserver.1");
    assert!(page.contains("\\-\\-cert\\-dir"));
    let absent = place.run("man nowhere");
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("nowhere"), "{}", absent.stderr);
}
