//! What is there before anything is decided: the machine, the files of an earlier run, the
//! manifests of its static pods, and the configuration that its cluster keeps.
//!
//! It is read once and read-only. Here alone is answered whether a node was initialised, whether
//! that came to its end, and whether its cluster was made with another configuration.
//!
//! This crate never writes, never decides what should be there, and never prints.

mod cluster;
mod discovery;
mod manifests;
mod patches;

use std::net::IpAddr;

use rinit_config::Documents;
use rinit_diag::Problem;
use rinit_facts::{ClusterCa, DefaultRoute, HostFacts, Look, Missing, Overrides, Paths};
use rinit_host::{Host, MachineFacts};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_plan::{CaId, LogicalPath, Secret};
use serde_json::Value;

pub use cluster::{Verdict, documents_differ};
pub use discovery::{Discovered, discover};
pub use manifests::Manifests;

/// What there is.
#[derive(Debug, Clone)]
pub struct Observed {
    /// What the configuration is resolved with.
    pub host: HostFacts,
    /// The manifests of the control plane.
    pub manifests: Manifests,
    /// Whether an earlier init came to its end: the kubelet's kubeconfig names a certificate that
    /// the kubelet renews, which is written after the cluster's configuration.
    pub is_finished: bool,
    /// The `kubeadm-config` of the cluster; absent where nobody asked.
    pub stored: Look<Value>,
    paths: Paths,
}

impl Observed {
    /// Looks at a host.
    pub async fn of_host(
        host: &Host,
        documents: &Documents,
        overrides: &Overrides,
    ) -> Result<Self, Problem> {
        let machine = host
            .machine_facts()
            .await
            .map_err(|error| Problem::from_error(&error))?;
        Self::of_machine(machine, host, Manifests::read(host), documents, overrides)
    }

    /// Looks at files alone, for what depends on no machine, such as which certificates there
    /// are: a copied directory lies on any.
    pub fn of_files(
        host: &Host,
        manifests: Manifests,
        documents: &Documents,
        overrides: &Overrides,
    ) -> Result<Self, Problem> {
        // An address that is nobody's (RFC 5737).
        let address = [192, 0, 2, 1].into();
        let machine = MachineFacts::unasked("node", address);
        let mut observed = Self::of_machine(machine, host, manifests, documents, overrides)?;
        // A file may leave the choice to the interface of its own host.
        observed.host.loopback_global_address = Some(address);
        observed.host.stand_in_addresses = true;
        Ok(observed)
    }

    fn of_machine(
        machine: MachineFacts,
        host: &Host,
        manifests: Manifests,
        documents: &Documents,
        overrides: &Overrides,
    ) -> Result<Self, Problem> {
        // What is wrong with a path is reported when the configuration is resolved.
        let (paths, _) = Paths::of(documents.cluster.as_ref(), overrides);
        let mut unseen = Vec::new();
        let patch_files = patches::files(host, documents, overrides).unwrap_or_else(|problem| {
            unseen.push(("patches.directory", problem));
            Vec::new()
        });
        let random = |error: rinit_pki::PkiError| Problem::new(rinit_diag::chain(&error));
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
        let facts = HostFacts {
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
            cluster_ca: cluster_ca(host, &paths),
            existing_version: manifests.version(),
            patch_files,
            missing: Missing::default(),
            unseen,
            now: rinit_host::now(),
            drawn_tokens: (0..HostFacts::tokens_to_draw(documents))
                .map(|_| rinit_pki::bootstrap_token().map_err(random))
                .collect::<Result<_, _>>()?,
            drawn_ttl_token: rinit_pki::bootstrap_token().map_err(random)?,
            drawn_certificate_key: rinit_pki::certificate_key().map_err(random)?,
        };
        Ok(Self {
            host: facts,
            is_finished: is_finished(host, &paths),
            manifests,
            stored: Look::Absent,
            paths,
        })
    }

    /// Looks for what the configuration names and this host may not have, and whether the name of
    /// the endpoint resolves. Below a directory for a root there is no network to ask.
    pub async fn look_for_named(
        &mut self,
        host: &Host,
        documents: &Documents,
        overrides: &Overrides,
    ) {
        let paths = rinit_facts::written_paths(documents)
            .into_iter()
            // What this user may not look at may well be there.
            .filter(|written| !host.exists(&written.path).unwrap_or(true))
            .collect();
        let name = rinit_facts::endpoint_host(documents, overrides)
            .filter(|name| name.parse::<IpAddr>().is_err())
            .filter(|_| host.is_running_system());
        let endpoint = match name {
            Some(name) if !rinit_host::resolves(&name).await => Some(name),
            _ => None,
        };
        self.host.missing = Missing { paths, endpoint };
    }

    /// Reads the configuration that the cluster of this node keeps, if there is one.
    pub async fn ask_cluster(&mut self, host: &Host) {
        if self.is_initialised() && host.is_running_system() {
            self.stored = self.stored_configuration(host).await;
        }
    }

    /// Whether an earlier init came so far that an API server may run.
    pub fn is_initialised(&self) -> bool {
        self.is_finished || !matches!(self.manifests.api_server, Look::Absent)
    }
}

fn is_finished(host: &Host, paths: &Paths) -> bool {
    let kubeconfig = host.read_text(&paths.kubeconfig("kubelet.conf"));
    let text = kubeconfig.ok().flatten().map(Secret::new);
    text.is_some_and(|text| {
        CurrentContext::parse(text.expose())
            .is_ok_and(|context| matches!(context.client_certificate, Some(Source::File(_))))
    })
}

fn cluster_ca(host: &Host, paths: &Paths) -> ClusterCa {
    let (certificate, key) = (
        paths.ca_certificate(CaId::Cluster),
        paths.ca_key(CaId::Cluster),
    );
    let exists = |path: &LogicalPath| {
        // A directory that this user may not enter may well hold it.
        host.exists(path)
            .unwrap_or_else(|error| error.is_permission_denied())
    };
    match (exists(&certificate), exists(&key)) {
        (false, _) => ClusterCa::Absent,
        (true, false) => ClusterCa::External,
        (true, true) => ClusterCa::Local {
            signer: signer(host, &certificate, &key),
        },
    }
}

/// The certificate of the CA's key, if the CA's file has several. What cannot be read or does not
/// fit is reported with the CA itself.
fn signer(host: &Host, certificate: &LogicalPath, key: &LogicalPath) -> Option<String> {
    let certificate = host.read(certificate).ok()??;
    // Mostly there is one. Loading the key to see that it fits costs more than all else here.
    if rinit_pki::Certificate::read_all(&certificate).ok()?.len() < 2 {
        return None;
    }
    let key = host.read(key).ok()??;
    rinit_pki::Authority::load(&certificate, &key, rinit_host::now())
        .ok()?
        .singled_out()
        .map(String::from)
}
