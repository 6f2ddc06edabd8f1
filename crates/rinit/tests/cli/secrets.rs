//! No key and no token is shown, whatever is asked for and however much is told.

use crate::support::{CONFIG, HOST_PHASES, Place, Said, ends, sign};

const TOKEN_SECRET: &str = "s3cr3ts3cr3ts3cr";
const CERTIFICATE_KEY: &str = "5ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e7aaaa";

/// `-----BEGIN EC PRIV` as base64: how an embedded key begins.
const PRIVATE_KEY_ENCODED: &str = "LS0tLS1CRUdJTiBFQyBQUklW";

/// A configuration with everything that is secret.
fn secretive() -> String {
    CONFIG.replace(
        "nodeRegistration:",
        &format!(
            "bootstrapTokens:\n- token: abcdef.{TOKEN_SECRET}\ncertificateKey: {CERTIFICATE_KEY}\nnodeRegistration:"
        ),
    )
}

/// Looks for everything secret on a node in what was said.
fn hides(said: &Said, secrets: &[String], what: &str) {
    let all = format!("{}{}", said.stdout, said.stderr);
    for secret in secrets {
        assert!(
            !all.contains(secret.as_str()),
            "{what} shows {secret}: {all}"
        );
    }
    for label in ["PRIVATE KEY", PRIVATE_KEY_ENCODED] {
        assert!(!all.contains(label), "{what}: {all}");
    }
}

/// A piece of every secret: enough to know it by, little enough to find it in part.
fn secrets(place: &Place) -> Vec<String> {
    let mut found = vec![TOKEN_SECRET.to_owned(), CERTIFICATE_KEY[..24].to_owned()];
    for (path, entry) in place.snapshot("root") {
        let text = String::from_utf8(entry.bytes.unwrap_or_default()).unwrap();
        if ends(&path, "key") {
            let body = text.lines().nth(1).unwrap();
            found.push(body[12..36].to_owned());
        }
        if ends(&path, "conf") {
            let (_, key) = text.split_once("client-key-data: ").unwrap();
            assert!(key.starts_with(PRIVATE_KEY_ENCODED), "{path}");
            // Behind the label, which is the same in all.
            found.push(key[48..72].to_owned());
        }
    }
    found
}

#[test]
fn nothing_secret_is_told() {
    let place = Place::new();
    place.write("config.yaml", secretive());
    place.write(
        "broken.yaml",
        secretive().replace("name: node-1", "nam: node-1"),
    );
    let run = format!("init --config config.yaml --root root --skip-phases {HOST_PHASES}");
    let first = place.run(&format!("{run} -vv")).succeeded();
    let secrets = secrets(&place);
    assert_eq!(secrets.len(), 2 + 11 + 5);
    hides(&first, &secrets, "the first run");
    let whole = "init --config config.yaml --dry-run --ignore-preflight-errors all";
    for (words, code) in [
        (format!("{run} -vv"), Some(0)),
        (format!("{run} -vv -o json"), Some(0)),
        (format!("{run} -vv --dry-run"), Some(0)),
        (format!("{whole} -vv"), Some(0)),
        (format!("{whole} -vv -o json"), Some(0)),
        (format!("{whole} -vv --upload-certs"), Some(0)),
        ("certs check-expiration --root root -vv".to_owned(), Some(0)),
        (
            "certs check-expiration --root root -vv -o json".to_owned(),
            Some(0),
        ),
        (
            "certs check-expiration --root root -vv -o yaml".to_owned(),
            Some(0),
        ),
        (
            format!("{run} -vv --config broken.yaml").replacen("--config config.yaml ", "", 1),
            Some(3),
        ),
    ] {
        let said = place.run(&words);
        assert_eq!(said.code, code, "{words}: {}", said.shown());
        hides(&said, &secrets, &words);
    }
}

/// Commands that make keys: neither the old nor the new ones are told, and the log is there.
/// What a variable of the environment holds may be a password, also where it changes.
#[test]
fn the_difference_of_a_manifest_shows_no_variables() {
    let place = Place::new();
    let with = |password: &str| {
        format!("{CONFIG}apiServer: {{extraEnvs: [{{name: DB_PASSWORD, value: {password}}}]}}\n")
    };
    let run = format!("init --config config.yaml --root root --skip-phases {HOST_PHASES}");
    place.write("config.yaml", with("pw987001"));
    place.run(&run).succeeded();
    place.write("config.yaml", with("pw987002"));
    for more in [
        "--dry-run",
        "--dry-run -vv",
        "--dry-run -o json",
        "",
        "-v -o json",
    ] {
        place.write(
            "config.yaml",
            with(if more.is_empty() {
                "pw987003"
            } else {
                "pw987002"
            }),
        );
        let said = place.run(&format!("{run} {more}"));
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains("value: <redacted>"), "{more}: {all}");
        assert!(!all.contains("98700"), "{more}: {all}");
    }
    let manifest = place.read("root/etc/kubernetes/manifests/kube-apiserver.yaml");
    assert!(manifest.contains("value: pw987002"), "{manifest}");
}

#[test]
fn nothing_secret_is_told_of_certificates() {
    let place = Place::new();
    place.write("config.yaml", secretive());
    place.render("root").succeeded();
    sign(&place);
    let config = "--root root --config config.yaml -vv";
    let own = "--cert-dir /own/pki --kubeconfig-dir /own";
    for (words, logged) in [
        (format!("certs renew all {config}"), "wrote"),
        (format!("certs renew all {config} -o json"), "wrote"),
        (format!("certs renew all {config} --dry-run"), "read"),
        ("certs renew all --root root -vvv".to_owned(), "wrote"),
        (format!("certs generate-csr {config} {own}"), "wrote"),
        (
            format!("certs generate-csr {config} {own}"),
            "already there",
        ),
        (
            format!("certs install-signed signed {config}"),
            "the key does not belong",
        ),
        (
            format!("kubeconfig user --client-name jane {config}"),
            "read",
        ),
        (
            "kubeconfig user --client-name jane --root root -vv".to_owned(),
            "read",
        ),
        (
            format!("kubeconfig user --client-name jane --token {TOKEN_SECRET} {config}"),
            "read",
        ),
        ("certs certificate-key -vv".to_owned(), ""),
    ] {
        let mut known = secrets(&place);
        let said = place.run(&words);
        known.extend(secrets(&place));
        assert!(said.stderr.contains(logged), "{words}: {}", said.stderr);
        // What these are asked for is a secret, and goes where data goes.
        let prints = words.starts_with("kubeconfig user") || words.contains("certificate-key");
        if prints {
            assert_eq!(said.code, Some(0), "{words}: {}", said.stderr);
            let data = Said {
                stdout: String::new(),
                ..said
            };
            hides(&data, &known, &words);
        } else {
            hides(&said, &known, &words);
        }
    }
}

/// A secret that was mistyped is nearly the secret.
#[test]
fn a_secret_that_is_refused_is_not_repeated() {
    let place = Place::new();
    let run = format!("init --config config.yaml --root root --skip-phases {HOST_PHASES} -vv");
    let secrets = [TOKEN_SECRET, &CERTIFICATE_KEY[..24]].map(str::to_owned);
    for flags in [
        format!("--token abcdef.{TOKEN_SECRET}x"),
        format!("--token Abcdef.{TOKEN_SECRET}"),
        format!("--certificate-key {CERTIFICATE_KEY}0 --upload-certs"),
        format!(
            "--certificate-key {} --upload-certs",
            CERTIFICATE_KEY.replace("aaaa", "zzzz")
        ),
    ] {
        let said = place.run(&format!("{run} {flags}"));
        assert_eq!(said.code, Some(3), "{flags}: {}", said.shown());
        hides(&said, &secrets, &flags);
    }
    for (old, new) in [
        (TOKEN_SECRET.to_owned(), format!("{TOKEN_SECRET}x")),
        (CERTIFICATE_KEY.to_owned(), format!("{CERTIFICATE_KEY}0")),
        (CERTIFICATE_KEY.to_owned(), format!("[{CERTIFICATE_KEY}")),
        (
            format!("abcdef.{TOKEN_SECRET}"),
            format!("\"abcdef.{TOKEN_SECRET}"),
        ),
        (
            format!("- token: abcdef.{TOKEN_SECRET}"),
            format!("- abcdef.{TOKEN_SECRET}"),
        ),
    ] {
        let text = secretive();
        assert!(text.contains(&old));
        place.write("config.yaml", text.replace(&old, &new));
        let said = place.run(&run);
        assert_eq!(said.code, Some(3), "{new}: {}", said.shown());
        hides(&said, &secrets, &new);
    }
}

/// A file that is broken within a key is told without its text.
#[test]
fn a_key_that_is_broken_is_not_shown() {
    let place = Place::new();
    place.render("root").succeeded();
    let secrets = secrets(&place);
    for (path, old, new) in [
        ("admin.conf", "client-key-data: ", "client-key-data: ["),
        ("kubelet.conf", "client-key-data: ", "client-key-data: \""),
        ("scheduler.conf", "client-key-data: ", "client-key-data: !"),
        ("pki/apiserver.key", "-----END", "-----ENDE"),
        ("pki/ca.key", "-----BEGIN EC PRIVATE KEY-----\n", ""),
        ("pki/sa.key", "\n-----END", "=\n-----END"),
    ] {
        let path = format!("root/etc/kubernetes/{path}");
        let text = place.read(&path);
        assert!(text.contains(old), "{path}: {old:?}");
        place.write(&path, text.replace(old, new));
    }
    let run = format!("init --config config.yaml --root root --skip-phases {HOST_PHASES}");
    for words in [
        format!("{run} -vv"),
        format!("{run} -vv -o json"),
        "certs check-expiration --root root -vv".to_owned(),
        "certs check-expiration --root root -vv -o json".to_owned(),
    ] {
        hides(&place.run(&words), &secrets, &words);
    }
    assert_eq!(place.run(&run).code, Some(4));
}
