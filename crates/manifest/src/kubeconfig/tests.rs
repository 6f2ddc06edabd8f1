//! The layout against a file of kubeadm 1.37, and what can be wrong with a file.

use super::*;

fn key() -> Secret<String> {
    Secret::new("key".to_owned())
}

fn bundle(der: &[u8]) -> CertificateBundle {
    CertificateBundle::from_der([der])
}

fn to_yaml(writes_preferences: bool) -> Secret<String> {
    Kubeconfig {
        server: "https://10.123.0.2:6443",
        cluster_name: "kubernetes",
        user: "system:node:cp1",
        ca_certificates: &bundle(b"ca"),
        client_certificate: &bundle(b"certificate"),
        client_key: &key(),
    }
    .to_yaml(writes_preferences)
}

/// The text of kubeadm 1.37.1, with other data.
const TEXT: &str = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
    server: https://10.123.0.2:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: system:node:cp1
  name: system:node:cp1@kubernetes
current-context: system:node:cp1@kubernetes
kind: Config
users:
- name: system:node:cp1
  user:
    client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyVnlkR2xtYVdOaGRHVT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
    client-key-data: a2V5
";

#[test]
fn the_layout_is_kubeadms() {
    assert_eq!(to_yaml(false).expose(), TEXT);
    let older = TEXT.replace("kind: Config\n", "kind: Config\npreferences: {}\n");
    assert_eq!(*to_yaml(true).expose(), older);
}

#[test]
fn what_is_written_is_read() {
    let read = CurrentContext::parse(TEXT).unwrap();
    let data = |text: &str| Some(Source::Data(Secret::new(text.as_bytes().to_vec())));
    assert_eq!(
        read,
        CurrentContext {
            server: "https://10.123.0.2:6443".to_owned(),
            cluster_name: "kubernetes".to_owned(),
            ca: data(&bundle(b"ca")),
            user: "system:node:cp1".to_owned(),
            client_certificate: data(&bundle(b"certificate")),
            client_key: data("key"),
            token: None,
        }
    );
}

#[test]
fn files_and_tokens_are_read() {
    let text = TEXT
        .replace(
            "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
            "certificate-authority: ca.crt",
        )
        .replace(
            "client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyVnlkR2xtYVdOaGRHVT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
            "client-certificate: /pki/current.pem",
        )
        .replace("client-key-data: a2V5", "token: abcdef.0123456789abcdef");
    let read = CurrentContext::parse(&text).unwrap();
    assert_eq!(read.ca, Some(Source::File("ca.crt".to_owned())));
    assert_eq!(
        read.client_certificate,
        Some(Source::File("/pki/current.pem".to_owned()))
    );
    assert_eq!(read.client_key, None);
    assert_eq!(
        read.token,
        Some(Secret::new("abcdef.0123456789abcdef".to_owned()))
    );
}

#[test]
fn nothing_secret_is_shown() {
    let text = TEXT.replace("kind: Config", "kind: Config # x");
    let shown = format!("{:?}", CurrentContext::parse(&text).unwrap());
    assert!(shown.contains("client_key: Some(<embedded>)"), "{shown}");
    assert!(!shown.contains("a2V5") && !shown.contains("107"), "{shown}");
    let with_token = TEXT.replace("client-key-data: a2V5", "token: abcdef.0123456789abcdef");
    let shown = format!("{:?}", CurrentContext::parse(&with_token).unwrap());
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
    for broken in ["[a2V5", "\"a2V5", "a2V5\n  - a2V5", "!a2V5 {"] {
        let text = TEXT.replace(
            "client-key-data: a2V5",
            &format!("client-key-data: {broken}"),
        );
        let error = CurrentContext::parse(&text).unwrap_err();
        let shown = format!("{error} {error:?} {}", rinit_diag::chain(&error));
        assert!(!shown.contains("a2V5"), "{shown}");
        assert!(shown.contains("not valid YAML at line "), "{shown}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (old, new, expected) in [
        (
            "current-context: system:node:cp1@kubernetes\n",
            "",
            "the kubeconfig has no current-context",
        ),
        (
            "current-context: system:node:cp1@kubernetes",
            "current-context: other",
            "the kubeconfig names the context \"other\" but does not have it",
        ),
        (
            "    user: system:node:cp1\n",
            "",
            "the kubeconfig has no user in the context \"system:node:cp1@kubernetes\"",
        ),
        (
            "    cluster: kubernetes\n",
            "    cluster: other\n",
            "the kubeconfig names the cluster \"other\" but does not have it",
        ),
        (
            "- name: system:node:cp1\n",
            "- name: other\n",
            "the kubeconfig names the user \"system:node:cp1\" but does not have it",
        ),
        (
            "    server: https://10.123.0.2:6443\n",
            "",
            "the kubeconfig has no server in the cluster \"kubernetes\"",
        ),
        (
            "client-key-data: a2V5",
            "client-key-data: '%%%'",
            "the field client-key-data of the kubeconfig is not base64",
        ),
        (TEXT, "", "the kubeconfig is not one YAML mapping"),
        (TEXT, "[]\n", "the kubeconfig is not one YAML mapping"),
        (
            TEXT,
            "a: 1\n---\nb: 1\n",
            "the kubeconfig is not one YAML mapping",
        ),
        (
            TEXT,
            "a: [",
            "the kubeconfig is not valid YAML at line 1, column 4",
        ),
    ] {
        assert!(TEXT.contains(old), "{old}");
        let error = CurrentContext::parse(&TEXT.replace(old, new)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
