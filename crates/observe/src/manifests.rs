//! What the manifests of a control plane say of it: its version, where its certificates lie, and
//! whether its etcd is elsewhere.
//!
//! kubeadm asks the cluster for that, which does not answer once everything has expired. The
//! manifests are on the disk in any case.

use std::net::IpAddr;

use rinit_config::{Documents, ReadOptions};
use rinit_facts::Look;
use rinit_host::Host;
use rinit_manifest::view::ManifestView;
use rinit_manifest::yaml;
use rinit_plan::LogicalPath;
use rinit_plan::component::{API_SERVER, Component, ETCD};
use rinit_plan::defaults::MANIFESTS_FOLDER;
use serde_json::json;

/// How the documents are named in messages.
const NAME: &str = "the manifest of the API server";

/// The manifests that other commands ask.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// That of the API server.
    pub api_server: Look<ManifestView>,
    /// That of etcd.
    pub etcd: Look<ManifestView>,
}

impl Manifests {
    /// Reads them.
    pub fn read(host: &Host) -> Self {
        Self {
            api_server: read(host, &API_SERVER),
            etcd: read(host, &ETCD),
        }
    }

    /// Returns the tag of the API server's image.
    pub fn version(&self) -> Look<String> {
        self.api_server.read(|view| {
            view.image_tag(&API_SERVER)
                .map(str::to_owned)
                .ok_or_else(|| format!("{} names no image with a tag", file(&API_SERVER)))
        })
    }

    /// Returns the URL of this node's own API server.
    pub fn server(&self) -> Option<String> {
        let Look::Present(view) = &self.api_server else {
            return None;
        };
        let address = view.flag(&API_SERVER, API_SERVER.address_flag?)?;
        let port = *view.ports(&API_SERVER).first()?;
        Some(if address.contains(':') {
            format!("https://[{address}]:{port}")
        } else {
            format!("https://{address}:{port}")
        })
    }

    /// Returns the directory of the certificates.
    pub fn certificates(&self) -> Look<LogicalPath> {
        self.api_server.read(directory)
    }

    /// Returns the configuration that the manifests amount to.
    pub fn documents(&self) -> Look<Documents> {
        self.api_server.read(|view| {
            let certificates = directory(view)?;
            let mut document = json!({
                "apiVersion": rinit_config::API_VERSION,
                "kind": "ClusterConfiguration",
                "certificatesDir": certificates,
            });
            // A manifest of etcd may be lost, or be away while somebody repairs it. Only elsewhere
            // than on this node is an etcd another's.
            if matches!(self.etcd, Look::Absent)
                && let Some(servers) = view.flag(&API_SERVER, "etcd-servers")
                && !servers.split(',').all(is_on_this_node)
            {
                let mut external = json!({ "endpoints": servers.split(',').collect::<Vec<_>>() });
                for (field, flag) in [
                    ("caFile", "etcd-cafile"),
                    ("certFile", "etcd-certfile"),
                    ("keyFile", "etcd-keyfile"),
                ] {
                    if let Some(file) = view.flag(&API_SERVER, flag) {
                        external[field] = file.into();
                    }
                }
                document["etcd"] = json!({ "external": external });
            }
            let text = yaml::to_string(&document);
            rinit_config::parse(NAME, text.as_bytes(), ReadOptions::default())
                .map_err(|findings| findings.to_string())
        })
    }
}

/// The directory of the certificates that an API server uses.
fn directory(view: &ManifestView) -> Result<LogicalPath, String> {
    let mut found = API_SERVER.files.iter().filter_map(|(flag, file)| {
        let path = view.flag(&API_SERVER, flag)?.strip_suffix(file)?;
        LogicalPath::parse(path.strip_suffix('/')?).ok()
    });
    found.next().ok_or_else(|| {
        format!(
            "{} does not say where the certificates are: neither `command` nor `args` of the \
             container {} has a flag such as --{}",
            file(&API_SERVER),
            API_SERVER.name,
            API_SERVER.files[0].0
        )
    })
}

fn file(component: &Component) -> String {
    format!("{MANIFESTS_FOLDER}/{}.yaml", component.name)
}

fn read(host: &Host, component: &Component) -> Look<ManifestView> {
    let file = file(component);
    let text = match LogicalPath::parse(&file) {
        Ok(path) => host.read_text(&path),
        Err(error) => return Look::Unreadable(error.to_string()),
    };
    match text {
        Ok(None) => Look::Absent,
        Ok(Some(text)) => match ManifestView::parse(&text) {
            Ok(view) => Look::Present(view),
            Err(error) => Look::Unreadable(format!("{file}: {}", rinit_diag::chain(&error))),
        },
        Err(error) => Look::Unreadable(rinit_diag::chain(&error)),
    }
}

/// Whether the URL of an etcd leads to the loopback interface, as that of a static pod does.
fn is_on_this_node(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    // An address of IPv6 has colons of its own, and brackets around it.
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(arguments: &[&str], has_etcd: bool) -> Manifests {
        let pod = json!({"spec": {"containers": [
            {"name": "kube-apiserver", "command": ["kube-apiserver"], "args": arguments},
        ]}});
        let view = ManifestView::parse(&pod.to_string()).unwrap();
        Manifests {
            etcd: if has_etcd {
                Look::Present(view.clone())
            } else {
                Look::Absent
            },
            api_server: Look::Present(view),
        }
    }

    fn documents(manifests: &Manifests) -> rinit_config::ClusterConfiguration {
        match manifests.documents() {
            Look::Present(documents) => documents.cluster.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_directory_of_the_certificates_is_found() {
        for arguments in [
            &["--tls-cert-file=/srv/pki/apiserver.crt"][..],
            &["--tls-cert-file", "/srv/pki/apiserver.crt"],
            // A certificate of another name says nothing, the CA's does.
            &[
                "--tls-cert-file=/srv/own.pem",
                "--client-ca-file=/srv/pki/ca.crt",
            ],
        ] {
            let found = documents(&manifests(arguments, true));
            assert_eq!(found.certificates_dir.as_deref(), Some("/srv/pki"));
            assert!(found.etcd.external.is_none());
        }
    }

    #[test]
    fn a_manifest_without_flags_is_unreadable_and_not_absent() {
        let Look::Unreadable(reason) = manifests(&["--v=2"], true).documents() else {
            panic!("the documents of nothing");
        };
        assert!(reason.contains("kube-apiserver.yaml"), "{reason}");
    }

    #[test]
    fn the_server_of_this_node_is_that_of_the_manifest() {
        let server = |arguments: &[&str]| manifests(arguments, true).server();
        assert_eq!(
            server(&["--advertise-address=fd00::1", "--secure-port=7443"]).as_deref(),
            Some("https://[fd00::1]:7443")
        );
        assert_eq!(server(&[]), None);
    }

    #[test]
    fn an_etcd_on_the_loopback_interface_is_this_nodes_own_without_its_pod_too() {
        let external = |servers: &str, has_etcd: bool| {
            let servers = format!("--etcd-servers={servers}");
            let ca = "--etcd-cafile=/etc/etcd/ca.crt";
            let arguments = ["--client-ca-file=/etc/kubernetes/pki/ca.crt", ca, &servers];
            documents(&manifests(&arguments, has_etcd)).etcd.external
        };
        for own in [
            "https://127.0.0.1:2379",
            "https://[::1]:2379",
            "https://localhost:2379/",
        ] {
            assert!(external(own, false).is_none(), "{own}");
        }
        for other in [
            "https://192.0.2.1:2379",
            "https://[2001:db8::1]:2379",
            "https://127.0.0.1:2379,https://192.0.2.2:2379",
            "https://127.etcd.example.com:2379",
        ] {
            let found = external(other, false).unwrap();
            assert_eq!(found.endpoints.join(","), other);
            assert_eq!(found.ca_file.as_deref(), Some("/etc/etcd/ca.crt"));
            assert!(external(other, true).is_none(), "{other}");
        }
    }
}
