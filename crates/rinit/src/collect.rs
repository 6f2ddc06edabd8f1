//! What planning must know of the host, collected once before anything is decided.

use std::net::IpAddr;
use std::path::PathBuf;

use rinit_config::Documents;
use rinit_config::v1beta4::ApiEndpoint;
use rinit_diag::Problem;
use rinit_facts::{DefaultRoute, ExistingCluster, HostFacts, Missing, Overrides, PatchFile};
use rinit_host::{Host, HostError, MachineFacts};
use rinit_manifest::yaml;
use rinit_plan::{LogicalPath, defaults};

/// How long a name may take to resolve.
const RESOLUTION: std::time::Duration = std::time::Duration::from_secs(2);

/// Collects the facts of a host.
pub(crate) async fn host_facts(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
) -> Result<HostFacts, Problem> {
    let machine = host
        .machine_facts()
        .await
        .map_err(|error| Problem::from_error(&error))?;
    of_machine(machine, host, documents, overrides)
}

/// Collects them for what hangs on no machine, such as which certificates there are: a copied
/// folder lies on any. Of the host only files are asked for.
pub(crate) fn of_any_machine(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
) -> Result<HostFacts, Problem> {
    // An address that is nobody's (RFC 5737).
    let address = [192, 0, 2, 1].into();
    let machine = MachineFacts::unasked("node", address);
    let mut facts = of_machine(machine, host, documents, overrides)?;
    // A file may leave the choice to the interface of its own host.
    facts.loopback_global_address = Some(address);
    facts.stand_in_addresses = true;
    Ok(facts)
}

fn of_machine(
    machine: MachineFacts,
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
) -> Result<HostFacts, Problem> {
    let mut unseen = Vec::new();
    let patch_files = patch_files(host, documents, overrides).unwrap_or_else(|problem| {
        unseen.push(("patches.directory", problem));
        Vec::new()
    });
    let random = |error: rinit_pki::PkiError| Problem::new(rinit_diag::chain(&error));
    let (ca_certificate, ca_key) = authority_files(documents, overrides);
    let exists = |path: &Option<LogicalPath>| {
        path.as_ref().is_some_and(|path| {
            // A folder that this user may not enter may well hold them.
            host.exists(path)
                .unwrap_or_else(|error| error.is_permission_denied())
        })
    };
    let route = |address: IpAddr| DefaultRoute {
        address,
        interface: machine
            .interfaces
            .iter()
            .find(|interface| interface.addresses.contains(&address))
            .map(|interface| interface.name.clone()),
    };
    let addresses = machine.default_addresses;
    let ipv4_default_route = addresses.ipv4.map(route);
    let ipv6_default_route = addresses.ipv6.map(route);
    Ok(HostFacts {
        hostname: machine.hostname,
        ipv4_default_route,
        ipv6_default_route,
        stand_in_addresses: false,
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
        patch_files,
        missing: Missing::default(),
        unseen,
        now: rinit_host::now(),
        drawn_tokens: (0..HostFacts::tokens_to_draw(documents))
            .map(|_| rinit_pki::bootstrap_token().map_err(random))
            .collect::<Result<_, _>>()?,
        drawn_ttl_token: rinit_pki::bootstrap_token().map_err(random)?,
        drawn_certificate_key: rinit_pki::certificate_key().map_err(random)?,
    })
}

/// Whether an address of this host is wanted where the documents name none.
pub(crate) fn needs_address(documents: &Documents) -> bool {
    let asks = |endpoint: &ApiEndpoint| {
        let written = endpoint.advertise_address.as_deref();
        written.is_none_or(|text| {
            text.is_empty()
                || rinit_config::parse_ip(text).is_some_and(|address| address.is_unspecified())
        })
    };
    let control_plane = documents
        .join
        .as_ref()
        .and_then(|join| join.control_plane.as_ref());
    let init = match (&documents.init, &documents.cluster) {
        (Some(init), _) => asks(&init.local_api_endpoint),
        // An InitConfiguration is made beside it.
        (None, cluster) => cluster.is_some(),
    };
    init || control_plane.is_some_and(|node| asks(&node.local_api_endpoint))
}

/// What the configuration names and this host does not have, and the name of the endpoint if it
/// does not resolve. With a folder for a root there is no network to ask.
pub(crate) async fn missing(host: &Host, documents: &Documents, overrides: &Overrides) -> Missing {
    let paths = rinit_facts::written_paths(documents)
        .into_iter()
        // What this user may not look at may well be there.
        .filter(|written| !host.exists(&written.path).unwrap_or(true))
        .collect();
    let name = rinit_facts::endpoint_host(documents, overrides)
        .filter(|name| name.parse::<std::net::IpAddr>().is_err())
        .filter(|_| host.is_running_system());
    let mut endpoint = None;
    if let Some(name) = name {
        let asked = tokio::net::lookup_host((name.as_str(), 0));
        let found = match tokio::time::timeout(RESOLUTION, asked).await {
            Ok(Ok(mut addresses)) => addresses.next().is_some(),
            Ok(Err(_)) | Err(_) => false,
        };
        endpoint = (!found).then(|| name.clone());
    }
    Missing { paths, endpoint }
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
        .unwrap_or(defaults::CERTIFICATES_FOLDER);
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
    // Mostly there is one. Loading the key to see that it fits costs more than all else here.
    if rinit_pki::Certificate::read_all(&certificate).ok()?.len() < 2 {
        return None;
    }
    let key = host.read(key?).ok()??;
    rinit_pki::Authority::load(&certificate, &key, rinit_host::now())
        .ok()?
        .singled_out()
        .map(String::from)
}

/// The version in the API server's manifest of an earlier init.
fn existing_cluster(host: &Host) -> ExistingCluster {
    let manifest = format!("{}/kube-apiserver.yaml", defaults::MANIFESTS_FOLDER);
    let version = match LogicalPath::parse(&manifest) {
        Ok(path) => match host.read_text(&path) {
            Ok(None) => return ExistingCluster::default(),
            Ok(Some(text)) => {
                image_tag(&text).ok_or_else(|| format!("{manifest} names no image with a tag"))
            }
            Err(error) => Err(rinit_diag::chain(&error)),
        },
        Err(error) => Err(error.to_string()),
    };
    match version {
        Ok(version) => ExistingCluster {
            version: Some(version),
            unreadable: None,
        },
        Err(reason) => ExistingCluster {
            version: None,
            unreadable: Some(reason),
        },
    }
}

/// The tag of the image of a static pod's first container.
fn image_tag(manifest: &str) -> Option<String> {
    let pod = yaml::parse_documents(manifest).ok()?.into_iter().next()?;
    let image = pod.pointer("/spec/containers/0/image")?.as_str()?;
    let (_, tag) = image
        .rsplit_once('/')
        .unwrap_or(("", image))
        .1
        .rsplit_once(':')?;
    Some(tag.to_owned())
}

/// Where the patches lie: as typed in a flag, or as the configuration says, below the folder of
/// `--root`.
enum PatchFolder<'run> {
    Typed(PathBuf),
    Configured(&'run Host, LogicalPath),
}

impl PatchFolder<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Typed(folder) => folder.display().to_string(),
            Self::Configured(host, folder) => host.resolve(folder).display().to_string(),
        }
    }

    fn list(&self) -> Result<Option<Vec<String>>, HostError> {
        match self {
            Self::Typed(folder) => rinit_host::list_typed(folder),
            Self::Configured(host, folder) => host.list(folder),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        match self {
            Self::Typed(folder) => rinit_host::read_typed(&folder.join(name)),
            Self::Configured(host, folder) => host.read(&folder.join(name)),
        }
    }
}

/// The files of the patch folder that a flag or the configuration names.
fn patch_files(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
) -> Result<Vec<PatchFile>, Problem> {
    let configured = documents
        .init
        .as_ref()
        .and_then(|init| init.patches.as_ref())
        .and_then(|patches| patches.directory.as_deref())
        .filter(|folder| !folder.is_empty());
    let folder = match (&overrides.patches, configured) {
        (Some(typed), _) => PatchFolder::Typed(PathBuf::from(typed)),
        (None, Some(written)) => match LogicalPath::parse(written) {
            Ok(path) => PatchFolder::Configured(host, path),
            // A relative path is one from the working directory, as in kubeadm.
            Err(_) => PatchFolder::Typed(PathBuf::from(written)),
        },
        (None, None) => return Ok(Vec::new()),
    };
    let names = match folder.list() {
        Ok(Some(names)) => names,
        Ok(None) => {
            return Err(
                Problem::new(format!("there is no folder {}", folder.shown()))
                    .with_hint("make it, or name the folder that has the patches"),
            );
        }
        Err(error) => return Err(Problem::from_error(&error)),
    };
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(|name| {
            let documents = read_patch(&folder, &name);
            PatchFile { name, documents }
        })
        .collect())
}

fn read_patch(folder: &PatchFolder<'_>, name: &str) -> Result<Vec<serde_json::Value>, String> {
    match folder.read(name) {
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
            yaml::parse_documents(&text).map_err(|error| rinit_diag::chain(&error))
        }
        Ok(None) => Err("it has just gone".to_owned()),
        Err(error) => Err(rinit_diag::chain(&error)),
    }
}
