//! What planning must know of the host, collected once before anything is decided.

use std::path::{Path, PathBuf};

use rinit_config::Documents;
use rinit_diag::{Hint, Problem};
use rinit_facts::{ExistingCluster, Facts, HostFacts, Overrides, PatchFile};
use rinit_host::Host;
use rinit_manifest::yaml;
use rinit_plan::LogicalPath;

/// How long a name may take to resolve.
const RESOLUTION: std::time::Duration = std::time::Duration::from_secs(2);

/// Collects the facts of a host.
pub(crate) async fn host_facts(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
    patches: Option<&Path>,
) -> Result<HostFacts, Problem> {
    let machine = host
        .machine_facts()
        .await
        .map_err(|error| Problem::from_error(&error))?;
    let random = |error: rinit_pki::PkiError| Problem::new(rinit_diag::chain(&error));
    let (ca_certificate, ca_key) = authority_files(documents, overrides);
    let exists = |path: &Option<LogicalPath>| {
        path.as_ref().is_some_and(|path| {
            // A folder that this user may not enter may well hold them.
            host.exists(path)
                .unwrap_or_else(|error| error.is_permission_denied())
        })
    };
    let default_interface = machine.default_address.and_then(|address| {
        machine
            .interfaces
            .iter()
            .find(|interface| interface.addresses.contains(&address))
            .map(|interface| interface.name.clone())
    });
    Ok(HostFacts {
        hostname: machine.hostname,
        default_address: machine.default_address,
        default_interface,
        loopback_global_address: rinit_host::loopback_address(&machine.interfaces),
        cri_sockets: machine
            .cri_sockets
            .iter()
            .map(|socket| socket.trim_start_matches("unix://").to_owned())
            .collect(),
        ca_folders: machine.ca_folders,
        proxy_environment: machine
            .proxy_variables
            .iter()
            .map(|variable| (variable.name.clone(), variable.value.expose().clone()))
            .collect(),
        systemd_resolved: machine.systemd_resolved,
        cluster_ca_certificate: exists(&ca_certificate),
        cluster_ca_key: exists(&ca_key),
        cluster_ca_signer: cluster_ca_signer(host, ca_certificate.as_ref(), ca_key.as_ref()),
        existing: existing_cluster(host),
        patch_files: patch_files(documents, patches)?,
        now: rinit_host::now(),
        drawn_token: rinit_pki::bootstrap_token().map_err(random)?,
        drawn_ttl_token: rinit_pki::bootstrap_token().map_err(random)?,
        drawn_certificate_key: rinit_pki::certificate_key().map_err(random)?,
    })
}

/// Whether an address of this host is wanted where the documents name none.
pub(crate) fn needs_address(documents: &Documents) -> bool {
    documents.init.is_some()
        || documents.cluster.is_some()
        || documents
            .join
            .as_ref()
            .is_some_and(|join| join.control_plane.is_some())
}

/// What the configuration names and this host does not have, and the name of the endpoint if it
/// does not resolve. With a folder for a root there is no network to ask.
pub(crate) async fn missing(
    host: &Host,
    documents: &Documents,
    facts: &Facts,
) -> rinit_facts::Missing {
    let paths = rinit_facts::written_paths(documents)
        .into_iter()
        // What this user may not look at may well be there.
        .filter(|written| !host.exists(&written.path).unwrap_or(true))
        .collect();
    let name = facts
        .api
        .control_plane_host
        .as_deref()
        .filter(|name| name.parse::<std::net::IpAddr>().is_err())
        .filter(|_| host.is_running_system());
    let mut endpoint = None;
    if let Some(name) = name {
        let asked = tokio::time::timeout(RESOLUTION, tokio::net::lookup_host((name, 0))).await;
        let found = match asked {
            Ok(Ok(mut addresses)) => addresses.next().is_some(),
            Ok(Err(_)) | Err(_) => false,
        };
        endpoint = (!found).then(|| name.to_owned());
    }
    rinit_facts::Missing { paths, endpoint }
}

/// Where the cluster's authority lies, as far as it can be told before everything is resolved.
fn authority_files(
    documents: &Documents,
    overrides: &Overrides,
) -> (Option<LogicalPath>, Option<LogicalPath>) {
    let configured = documents
        .cluster
        .as_ref()
        .and_then(|cluster| cluster.certificates_dir.as_deref());
    let folder = overrides
        .cert_dir
        .as_deref()
        .or(configured)
        .unwrap_or("/etc/kubernetes/pki");
    match LogicalPath::parse(folder) {
        Ok(folder) => (Some(folder.join("ca.crt")), Some(folder.join("ca.key"))),
        // A path that is none is told by resolve.
        Err(_) => (None, None),
    }
}

/// The certificate of the cluster authority's key, if the authority's file has several. What
/// cannot be read or does not fit is judged with the authority itself.
fn cluster_ca_signer(
    host: &Host,
    certificate: Option<&LogicalPath>,
    key: Option<&LogicalPath>,
) -> Option<String> {
    let certificate = host.read(certificate?).ok()??;
    let key = host.read(key?).ok()??;
    rinit_pki::Authority::load(&certificate, &key)
        .ok()?
        .singled_out()
}

/// The version in the API server's manifest of an earlier init.
fn existing_cluster(host: &Host) -> ExistingCluster {
    let version = LogicalPath::parse("/etc/kubernetes/manifests/kube-apiserver.yaml")
        .ok()
        .and_then(|path| host.read_text(&path).ok().flatten())
        .and_then(|text| yaml::parse_documents(&text).ok()?.into_iter().next())
        .and_then(|pod| {
            let image = pod.pointer("/spec/containers/0/image")?.as_str()?;
            let (_, tag) = image.rsplit_once(':')?;
            Some(tag.to_owned())
        });
    ExistingCluster { version }
}

/// The files of the patch folder that a flag or the configuration names.
fn patch_files(documents: &Documents, typed: Option<&Path>) -> Result<Vec<PatchFile>, Problem> {
    let configured = documents
        .init
        .as_ref()
        .and_then(|init| init.patches.as_ref())
        .and_then(|patches| patches.directory.as_deref())
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let Some(folder) = typed.map(Path::to_path_buf).or(configured) else {
        return Ok(Vec::new());
    };
    let names = match rinit_host::list_typed(&folder) {
        Ok(Some(names)) => names,
        Ok(None) => {
            return Err(
                Problem::new(format!("there is no patch folder {}", folder.display()))
                    .with_hint("check the path after `--patches`, or `patches.directory`"),
            );
        }
        Err(error) => {
            return Err(Problem {
                message: rinit_diag::chain(&error),
                hint: error.hint(),
            });
        }
    };
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(|name| {
            let documents = read_patch(&folder.join(&name));
            PatchFile { name, documents }
        })
        .collect())
}

fn read_patch(path: &Path) -> Result<Vec<serde_json::Value>, String> {
    match rinit_host::read_typed(path) {
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
            yaml::parse_documents(&text).map_err(|error| rinit_diag::chain(&error))
        }
        Ok(None) => Err("it has just gone".to_owned()),
        Err(error) => Err(rinit_diag::chain(&error)),
    }
}
