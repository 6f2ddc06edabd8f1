//! What is told of authorities beside whether they fit, and hints that work as they are typed.

use crate::support::{Node, read, remove, write};

/// An authority of the cluster that ends in a month.
fn ending_soon() -> Node {
    let node = Node::new();
    node.authority("own", "genrsa", "/CN=kubernetes");
    for end in ["crt", "key"] {
        node.put(&format!("own.{end}"), &format!("ca.{end}"));
    }
    let ca = node.pki("ca.crt").display().to_string();
    let key = node.pki("ca.key").display().to_string();
    node.openssl(&format!(
        "req -x509 -new -days 30 -subj /CN=kubernetes -key '{key}' -out '{ca}'"
    ));
    node
}

/// A copy that was put back loses its modes easily. The group may be meant.
#[test]
fn keys_that_everybody_may_read_are_told_with_what_mends_it() {
    let node = Node::new();
    node.init().accepted();
    let files = [
        "pki/ca.key",
        "pki/apiserver.key",
        "pki/sa.key",
        "admin.conf",
    ];
    for file in files {
        node.chmod(0o640, &format!("root/etc/kubernetes/{file}"));
    }
    node.init().accepted();
    for file in files {
        node.chmod(0o644, &format!("root/etc/kubernetes/{file}"));
    }
    let run = node.init();
    assert_eq!(run.code, Some(0), "{}", run.shown());
    let told = run.messages("warning");
    assert_eq!(told.len(), files.len(), "{}", run.shown());
    for file in files {
        let words = format!(
            "every user of this host may read the private key in /etc/kubernetes/{file} (mode 0644)"
        );
        assert!(told.contains(&words), "{told:?}");
    }
    for hint in run.hints("warning") {
        let command = hint.split('`').nth(1).unwrap();
        node.shell(command).succeeded();
    }
    node.init().accepted();
}

#[test]
fn an_authority_that_ends_before_what_it_signs_is_told_in_one_manner() {
    let node = ending_soon();
    let end = node.certificate("ca").validity.not_after;
    let words = format!("ca (CN=kubernetes) expires at {end}, and with it all that it signs");
    let told = |stderr: &str| stderr.matches(&words).count();

    // At the look, so that a dry run tells it as well, and once, whatever is signed.
    let flags = "--config c.yaml --dry-run";
    assert_eq!(node.init_with(flags).messages("warning").len(), 1);
    let run = node.init();
    assert_eq!(run.code, Some(0), "{}", run.shown());
    assert_eq!(run.messages("warning"), std::slice::from_ref(&words));
    let hint = &run.hints("warning")[0];
    assert!(hint.contains("`rinit certs ca renew ca "), "{hint}");

    // A phase that does not look at the authority itself.
    for (phase, file) in [
        ("certs apiserver", "pki/apiserver.crt"),
        ("kubeconfig admin", "admin.conf"),
    ] {
        remove(&node.path(&format!("root/etc/kubernetes/{file}")));
        let said = node
            .shell(&format!(
                "rinit init phase {phase} --root root --config c.yaml"
            ))
            .succeeded();
        assert_eq!(told(&said.stderr), 1, "{phase}: {}", said.stderr);
    }
    let said = node
        .shell("rinit certs renew all --root root --config c.yaml")
        .succeeded();
    assert_eq!(told(&said.stderr), 1, "{}", said.stderr);

    // What ends with the authority or before it is no reason.
    let text = String::from_utf8(read(&node.path("c.yaml"))).unwrap();
    node.configure(&format!("{text}certificateValidityPeriod: 240h\n"));
    let said = node
        .shell("rinit init phase certs all --root root --config c.yaml")
        .succeeded();
    assert_eq!(told(&said.stderr), 0, "{}", said.stderr);
}

#[test]
fn a_certificate_that_is_made_anew_for_the_key_of_an_authority_is_told() {
    let node = Node::whole();
    let before = read(&node.pki("ca.crt"));
    let key = read(&node.pki("ca.key"));
    let phase = "rinit init phase certs ca --root root --config c.yaml";
    let said = node.shell(phase).succeeded();
    assert!(!said.stderr.contains("made anew"), "{}", said.stderr);

    remove(&node.pki("ca.crt"));
    // What it has signed stands there: the whole of init refuses.
    let run = node.init();
    assert_eq!(run.code, Some(4), "{}", run.shown());
    // Asked for alone it is made, as after a run that was cut off, and said.
    let said = node.shell(phase).succeeded();
    let told = "/etc/kubernetes/pki/ca.crt was missing and is made anew, for the key \
                /etc/kubernetes/pki/ca.key that was there: ";
    assert!(said.stderr.contains(told), "{}", said.stderr);
    assert_ne!(read(&node.pki("ca.crt")), before);
    assert_eq!(read(&node.pki("ca.key")), key);

    // With a key of its own there is nothing to say.
    for end in ["crt", "key"] {
        remove(&node.pki(&format!("ca.{end}")));
    }
    let said = node.shell(phase).succeeded();
    assert!(!said.stderr.contains("made anew"), "{}", said.stderr);
}

#[test]
fn what_cannot_be_read_is_named_once() {
    let node = Node::whole();
    remove(&node.pki("apiserver.key"));
    std::fs::create_dir(node.pki("apiserver.key")).unwrap();
    let said = node.shell("rinit certs generate-csr apiserver --root root --config c.yaml");
    assert_eq!(said.code, Some(4), "{}", said.stderr);
    let error =
        "error: /etc/kubernetes/pki/apiserver.key: cannot read it: Is a directory (os error 21)";
    assert_eq!(said.stderr.lines().collect::<Vec<_>>(), [error]);
}

#[test]
fn a_failed_request_leaves_no_folders() {
    let node = Node::new();
    // The folder of the kubeconfigs cannot be made.
    write(&node.path("root/b"), b"a file");
    let said = node.shell(
        "rinit certs generate-csr all --root root --config c.yaml \
         --cert-dir /a/pki --kubeconfig-dir /b/kubeconfigs",
    );
    assert_ne!(said.code, Some(0), "{}", said.stderr);
    assert!(!node.path("root/a").exists(), "{}", said.stderr);
    assert_eq!(read(&node.path("root/b")), b"a file");
}

#[test]
fn a_request_for_a_user_is_read_from_the_standard_input() {
    let node = Node::whole();
    node.openssl("req -new -newkey rsa:2048 -nodes -keyout jane.key -subj /CN=jane -out jane.csr");
    let user = "rinit kubeconfig user --client-name jane --root root --config c.yaml --csr";
    let by_file = node.shell(&format!("{user} jane.csr")).succeeded();
    let by_pipe = node.shell(&format!("cat jane.csr | {user} -")).succeeded();
    for said in [&by_file, &by_pipe] {
        assert!(
            said.stdout.contains("client-key: jane.key\n"),
            "{}",
            said.stdout
        );
    }
    let said = node.shell(&format!("echo nothing | {user} -"));
    assert_eq!(said.code, Some(4), "{}", said.stderr);
    let error = "error: the standard input: ";
    assert!(said.stderr.starts_with(error), "{}", said.stderr);
}
