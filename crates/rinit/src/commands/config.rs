//! `rinit config …`: everything that is done with a configuration file and no host; but `images pull`
//! needs a container runtime.

mod loopback;
mod pull;

use std::path::Path;

use rinit_cli::{
    ConfigCommand, DataFormat, ImagesArguments, ImagesCommand, MigrateArguments, PrintArguments,
    PrintCommand, ValidateArguments,
};
use rinit_config::v1beta4::ApiEndpoint;
use rinit_config::{BootstrapToken, Documents, Surroundings};
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_host::{Host, Root};
use rinit_manifest::yaml;
use rinit_plan::{FileMode, defaults};
use rinit_versions::KubernetesVersion;
use rinit_workflow::Phase;
use serde_json::{Value, json};

use crate::commands::{refuse, resolve};
use crate::trouble::Trouble;
use crate::{printer, settings};

/// What kubeadm writes where the real value is a secret or depends on the host.
const PLACEHOLDER_TOKEN: &str = "abcdef.0123456789abcdef";
const PLACEHOLDER_ADDRESS: &str = "1.2.3.4";
/// The components whose configuration can be printed.
const COMPONENTS: [&str; 2] = ["KubeProxyConfiguration", "KubeletConfiguration"];

/// Runs one of the commands.
pub(crate) async fn config(tree: &[Phase<Facts>], command: ConfigCommand) -> ExitCode {
    let outcome = match command {
        ConfigCommand::Validate(arguments) => validate(tree, &arguments).await,
        ConfigCommand::Print(command) => print(&command).await,
        ConfigCommand::Migrate(arguments) => migrate(&arguments).await,
        ConfigCommand::Images(ImagesCommand::List(arguments)) => images(&arguments).await,
        ConfigCommand::Images(ImagesCommand::Pull(arguments)) => pull::pull(&arguments).await,
        ConfigCommand::Schema => {
            printer::data(&pretty(&rinit_config::json_schema()));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::Success,
        Err(code) => code,
    }
}

/// JSON as kubeadm prints it.
fn pretty(value: &Value) -> String {
    // Values have string keys only, so that this does not fail.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("{text}\n")
}

async fn validate(tree: &[Phase<Facts>], arguments: &ValidateArguments) -> Result<(), ExitCode> {
    let reading = settings::reading(arguments.allow_unknown_fields);
    let mut documents = settings::readable(Some(&arguments.config), reading, &Overrides::default())
        .map_err(refuse)?;
    settings::judge_skipped_phases(tree, &mut documents);
    let is_init = documents.init.is_some() || documents.cluster.is_some();
    let host = loopback::stand_in(&documents).await?;
    let join = loopback::unreachable_join(&documents, host.loopback_global_address);
    if documents.findings.has_errors() && !is_init {
        return Err(refuse(settings::refused(documents).and(join)));
    }
    some_document(&documents, "--config")?;
    let overrides = Overrides::default();
    let strict = arguments.strict;
    let facts = if is_init {
        let resolved = settings::resolve(&documents, &overrides, &host, strict);
        Some(resolved.map_err(|trouble| refuse(trouble.and(join.clone())))?)
    } else {
        None
    };
    if !join.is_empty() {
        let trouble = settings::refused(documents).and(join);
        return Err(refuse(trouble));
    }
    let resolved = facts.as_ref().map(|facts| (facts, &host));
    settings::warnings(&documents, &overrides, resolved, strict)
        .map_err(refuse)?
        .print();
    for warning in facts.iter().flat_map(|facts| &facts.warnings) {
        printer::warning(warning);
    }
    printer::data("ok\n");
    Ok(())
}

/// A file without any document of kubeadm's is a mistake.
fn some_document(documents: &Documents, flag: &str) -> Result<(), ExitCode> {
    let found = documents.init.is_some()
        || documents.cluster.is_some()
        || documents.join.is_some()
        || documents.reset.is_some()
        || documents.upgrade.is_some();
    if found {
        return Ok(());
    }
    if !documents.findings.is_empty() {
        printer::report(&documents.findings.to_string());
    }
    let name = documents.source.shown_name();
    printer::problem(
        &Problem::new(format!("{name} has no document for kubeadm"))
            .with_hint(format!("check the path after `{flag}`; `rinit config print init-defaults` prints documents to start from")),
    );
    Err(ExitCode::Configuration)
}

async fn print(command: &PrintCommand) -> Result<(), ExitCode> {
    let mut documents = Documents::none("the defaults");
    let mut surroundings = Surroundings {
        node_name: "node".to_owned(),
        advertise_address: PLACEHOLDER_ADDRESS.to_owned(),
        ipv6_advertise_address: PLACEHOLDER_ADDRESS.to_owned(),
        cri_socket: defaults::CRI_SOCKETS[0].to_owned(),
        kubernetes_version: KubernetesVersion::newest().to_string(),
        bootstrap_token: Some(placeholder_token()?),
        etcd_http_endpoints: true,
        taints: false,
    };
    let arguments = match command {
        PrintCommand::InitDefaults(arguments) => {
            documents.init = Some(rinit_config::InitConfiguration::default());
            arguments
        }
        PrintCommand::JoinDefaults(arguments) => {
            documents.join = Some(join_example(&placeholder_token()?));
            surroundings.node_name = hostname().await?;
            arguments
        }
        PrintCommand::ResetDefaults(arguments) => {
            documents.reset = Some(rinit_config::ResetConfiguration::default());
            arguments
        }
        PrintCommand::UpgradeDefaults(arguments) => {
            documents.upgrade = Some(rinit_config::UpgradeConfiguration::default());
            arguments
        }
    };
    add_components(&mut documents, arguments)?;
    rinit_config::complete(&mut documents, &surroundings);
    printer::data(&yaml::join_documents(&rinit_config::exposed(&documents)));
    Ok(())
}

/// A join by token without the hashes that nobody can know beforehand.
fn join_example(token: &BootstrapToken) -> rinit_config::JoinConfiguration {
    use rinit_config::v1beta4::{BootstrapTokenDiscovery, Discovery};
    rinit_config::JoinConfiguration {
        discovery: Discovery {
            bootstrap_token: Some(BootstrapTokenDiscovery {
                token: Some(token.clone()),
                api_server_endpoint: Some("kube-apiserver:6443".to_owned()),
                unsafe_skip_ca_verification: Some(true),
                ..BootstrapTokenDiscovery::default()
            }),
            ..Discovery::default()
        },
        ..rinit_config::JoinConfiguration::default()
    }
}

fn add_components(documents: &mut Documents, arguments: &PrintArguments) -> Result<(), ExitCode> {
    if arguments.component_configs.is_empty() {
        return Ok(());
    }
    let facts = facts_without_file()?;
    for kind in &arguments.component_configs {
        match kind.trim() {
            "KubeletConfiguration" => {
                documents.kubelet = Some(facts.cluster.kubelet_configuration.clone());
            }
            "KubeProxyConfiguration" => {
                documents.kube_proxy = Some(facts.cluster.kube_proxy_configuration.clone());
            }
            other => {
                let problem =
                    Problem::new(format!("there is no component configuration \"{other}\""));
                let hint = match rinit_diag::probable(other, COMPONENTS) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("there are `{}`", COMPONENTS.join("` and `")),
                };
                printer::problem(&problem.with_hint(hint));
                return Err(ExitCode::Usage);
            }
        }
    }
    Ok(())
}

/// What is decided where nothing is configured.
pub(crate) fn facts_without_file() -> Result<Facts, ExitCode> {
    let documents = Documents::none("no file");
    let host = HostFacts::of_no_host(&documents, rinit_host::now());
    resolve(&documents, &Overrides::default(), &host)
}

fn placeholder_token() -> Result<BootstrapToken, ExitCode> {
    token(PLACEHOLDER_TOKEN.to_owned())
}

fn token(text: String) -> Result<BootstrapToken, ExitCode> {
    BootstrapToken::new(text).ok_or_else(|| {
        printer::error("a drawn token does not have the form of one", None);
        ExitCode::Failure
    })
}

async fn machine() -> Result<rinit_host::MachineFacts, ExitCode> {
    let host = Host::new(Root::typed(None));
    host.machine_facts().await.map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Failure
    })
}

async fn hostname() -> Result<String, ExitCode> {
    Ok(machine().await?.hostname)
}

async fn migrate(arguments: &MigrateArguments) -> Result<(), ExitCode> {
    let file = Some(arguments.old_config.as_path());
    let options = settings::reading(arguments.allow_unknown_fields);
    let mut documents = settings::readable(file, options, &Overrides::default()).map_err(refuse)?;
    if !documents.findings.has_errors() {
        some_document(&documents, "--old-config")?;
    }
    let machine = machine().await?;
    let version = asked_version(&documents);
    let settled = loopback::settle(&mut documents, &machine.interfaces);
    let kubernetes_version = match (version, settled) {
        (Ok(version), Ok(())) => version,
        (Ok(_), Err(trouble)) | (Err(trouble), Ok(())) => return Err(refuse(trouble)),
        (Err(trouble), Err(more)) => return Err(refuse(trouble.and(more.remarks))),
    };
    if !documents.findings.is_empty() {
        printer::report(&documents.findings.to_string());
    }
    let addresses = machine.default_addresses;
    let address = match addresses.ipv4.or(addresses.ipv6) {
        Some(address) => address.to_string(),
        None if needs_address(&documents) => {
            printer::problem(
                &Problem::new("this host has no default route to take an advertise address from")
                    .with_hint("set `localAPIEndpoint.advertiseAddress` in the file"),
            );
            return Err(ExitCode::Configuration);
        }
        None => String::new(),
    };
    let drawn = rinit_pki::bootstrap_token().map_err(|error| {
        printer::error(&rinit_diag::chain(&error), None);
        ExitCode::Failure
    })?;
    let surroundings = Surroundings {
        node_name: machine.hostname,
        ipv6_advertise_address: addresses
            .ipv6
            .map_or_else(|| address.clone(), |address| address.to_string()),
        advertise_address: address,
        cri_socket: defaults::CRI_SOCKETS[0].to_owned(),
        kubernetes_version,
        bootstrap_token: Some(token(drawn.expose().clone())?),
        etcd_http_endpoints: true,
        taints: true,
    };
    rinit_config::complete(&mut documents, &surroundings);
    let text = yaml::join_documents(&rinit_config::exposed(&documents));
    match arguments.new_config.as_deref() {
        Some(path) if !path.as_os_str().is_empty() => write_new(path, &text)?,
        _ => printer::data(&text),
    }
    Ok(())
}

/// Whether an address of this host is wanted where the documents name none.
fn needs_address(documents: &Documents) -> bool {
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

/// What a label in the file, or no version at all, stands for. Refuses a file with errors, with all
/// that can be told at once.
fn asked_version(documents: &Documents) -> Result<String, Trouble> {
    if documents.cluster.is_none() {
        return if documents.findings.has_errors() {
            Err(settings::refused(documents.clone()))
        } else {
            Ok(KubernetesVersion::newest().to_string())
        };
    }
    // A migration looks at nothing but what kubeadm looks at as well.
    let mut quiet = documents.clone();
    (quiet.init, quiet.kubelet, quiet.kube_proxy) = (None, None, None);
    quiet.cluster = documents
        .cluster
        .as_ref()
        .map(|cluster| rinit_config::ClusterConfiguration {
            kubernetes_version: cluster.kubernetes_version.clone(),
            // kubeadm does not migrate a gate that it does not know either.
            feature_gates: cluster.feature_gates.clone(),
            ..rinit_config::ClusterConfiguration::default()
        });
    let host = HostFacts::of_no_host(&quiet, rinit_host::now());
    let facts = settings::resolve(&quiet, &Overrides::default(), &host, false)?;
    Ok(facts.cluster.version.to_string())
}

fn write_new(path: &Path, text: &str) -> Result<(), ExitCode> {
    // It may hold tokens.
    rinit_host::write_typed(path, FileMode::PRIVATE, text.as_bytes()).map_err(|error| {
        printer::problem(&Problem::from_error(&error));
        ExitCode::Failure
    })
}

/// Stands in for a host where a file alone is looked at.
pub(crate) async fn host_of(documents: &Documents) -> Result<HostFacts, ExitCode> {
    loopback::stand_in(documents).await
}

async fn images(arguments: &ImagesArguments) -> Result<(), ExitCode> {
    let overrides = &arguments.flags.overrides;
    let options = settings::reading(arguments.allow_unknown_fields);
    let documents =
        settings::readable(arguments.config.as_deref(), options, overrides).map_err(refuse)?;
    let host = loopback::stand_in(&documents).await?;
    let facts = resolve(&documents, overrides, &host)?;
    let images = facts.needed_images();
    printer::data(&match arguments.output {
        DataFormat::Text => images
            .iter()
            .fold(String::new(), |text, image| text + image + "\n"),
        DataFormat::Json => pretty(&images_document(&images)),
        DataFormat::Yaml => yaml::to_string(&images_document(&images)),
    });
    Ok(())
}

fn images_document(images: &[String]) -> Value {
    json!({
        "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "kind": "Images",
        "images": images,
    })
}
