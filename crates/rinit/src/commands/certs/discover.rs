//! What the static pods of a control plane tell of it, for commands that are given no
//! configuration: where its certificates lie, and whether its etcd is elsewhere.
//!
//! kubeadm asks the cluster for that, which does not answer once everything has expired. The
//! manifests are on the disk in any case.

use std::net::IpAddr;

use rinit_config::{Documents, ReadOptions};
use rinit_host::Host;
use rinit_manifest::yaml;
use rinit_plan::{LogicalPath, defaults::MANIFESTS_FOLDER};
use serde_json::{Value, json};

/// How the documents are named in messages.
const NAME: &str = "the manifest of the API server";

/// The configuration that the manifests speak of; nothing where they tell nothing.
pub(super) fn documents(host: &Host) -> Option<Documents> {
    let manifest = |name: &str| {
        let path = LogicalPath::parse(&format!("{MANIFESTS_FOLDER}/{name}.yaml")).ok()?;
        let text = host.read_text(&path).ok().flatten()?;
        yaml::parse_documents(&text).ok()?.into_iter().next()
    };
    let api_server = manifest("kube-apiserver")?;
    let document = configuration(&api_server, manifest("etcd").is_some())?;
    let text = yaml::to_string(&document);
    rinit_config::parse(NAME, text.as_bytes(), ReadOptions::default()).ok()
}

fn configuration(api_server: &Value, has_etcd: bool) -> Option<Value> {
    let command = api_server
        .pointer("/spec/containers/0/command")?
        .as_array()?;
    // The last one counts, as for the component itself.
    let argument = |name: &str| {
        command.iter().rev().find_map(|word| {
            word.as_str()?
                .strip_prefix("--")?
                .strip_prefix(name)?
                .strip_prefix('=')
        })
    };
    let folder = [
        ("tls-cert-file", "apiserver.crt"),
        ("client-ca-file", "ca.crt"),
    ]
    .iter()
    .find_map(|(name, file)| argument(name)?.strip_suffix(file)?.strip_suffix('/'))?;
    let mut document = json!({
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "certificatesDir": folder,
    });
    // A manifest of etcd may be lost, or be away while somebody mends. Only elsewhere than on this
    // node is an etcd another's.
    if !has_etcd
        && let Some(servers) = argument("etcd-servers")
        && !servers.split(',').all(is_on_this_node)
    {
        let mut external = json!({ "endpoints": servers.split(',').collect::<Vec<_>>() });
        for (field, name) in [
            ("caFile", "etcd-cafile"),
            ("certFile", "etcd-certfile"),
            ("keyFile", "etcd-keyfile"),
        ] {
            if let Some(file) = argument(name) {
                external[field] = file.into();
            }
        }
        document["etcd"] = json!({ "external": external });
    }
    Some(document)
}

/// Whether the URL of an etcd leads to the loopback interface, as that of a static pod does.
fn is_on_this_node(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    // An address of IPv6 has colons of its own, and brackets around it.
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(arguments: &[&str]) -> Value {
        json!({"spec": {"containers": [{ "command": arguments }]}})
    }

    #[test]
    fn the_folder_of_the_certificates_is_told() {
        let found = configuration(
            &pod(&["kube-apiserver", "--tls-cert-file=/srv/pki/apiserver.crt"]),
            true,
        );
        assert_eq!(found.unwrap()["certificatesDir"], "/srv/pki");
        // A certificate of another name says nothing, the authority's does.
        let found = configuration(
            &pod(&[
                "--tls-cert-file=/srv/own.pem",
                "--client-ca-file=/srv/pki/ca.crt",
            ]),
            true,
        );
        assert_eq!(found.unwrap()["certificatesDir"], "/srv/pki");
        assert_eq!(configuration(&pod(&["kube-apiserver"]), true), None);
    }

    #[test]
    fn without_a_pod_of_etcd_it_is_elsewhere() {
        let pod = pod(&[
            "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt",
            "--etcd-servers=https://192.0.2.1:2379,https://192.0.2.2:2379",
            "--etcd-cafile=/etc/etcd/ca.crt",
        ]);
        let found = configuration(&pod, false).unwrap();
        let external = &found["etcd"]["external"];
        assert_eq!(external["endpoints"][1], "https://192.0.2.2:2379");
        assert_eq!(external["caFile"], "/etc/etcd/ca.crt");
        assert_eq!(configuration(&pod, true).unwrap()["etcd"], Value::Null);
    }

    #[test]
    fn an_etcd_on_the_loopback_interface_is_this_node_s_own_without_its_pod_too() {
        let external = |servers: &str| {
            let servers = format!("--etcd-servers={servers}");
            let ca = "--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt";
            let pod = pod(&["--client-ca-file=/etc/kubernetes/pki/ca.crt", ca, &servers]);
            configuration(&pod, false).unwrap()["etcd"].is_object()
        };
        for own in [
            "https://127.0.0.1:2379",
            "https://[::1]:2379",
            "https://localhost:2379/",
            "127.0.0.1",
        ] {
            assert!(!external(own), "{own}");
        }
        for other in [
            "https://192.0.2.1:2379",
            "https://[2001:db8::1]:2379",
            "https://127.0.0.1:2379,https://192.0.2.2:2379",
            "https://127.etcd.example.com:2379",
        ] {
            assert!(external(other), "{other}");
        }
    }
}
