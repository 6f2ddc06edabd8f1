//! What rinit makes of the same configuration on the same host: the files that the program renders,
//! and the plan of the rest.

use std::path::Path;

use rinit_facts::{Facts, HostFacts, Overrides};
use rinit_parity::{Content, Disk, Entry};
use rinit_plan::{Action, BootstrapTokenSpec, Gate, NodeMark, ObjectSpec, Output, Resource};
use rinit_workflow::Selection;

use crate::kubeadm::{ADDRESS, HOST_NAME, files_of, make_folder, on_the_host, text};

/// What rinit would make.
pub(crate) struct Ours {
    /// Its files.
    pub(crate) disk: Disk,
    /// Folders that it makes sure of.
    pub(crate) folders: Vec<String>,
    /// Its objects, in order.
    pub(crate) objects: Vec<ObjectSpec>,
    /// Its tokens, in order.
    pub(crate) tokens: Vec<BootstrapTokenSpec>,
    /// How it marks the node.
    pub(crate) marks: Vec<NodeMark>,
    /// Where others join.
    pub(crate) endpoint: Option<String>,
}

/// The host that both programs see, as planning sees it.
pub(crate) fn host_facts() -> HostFacts {
    HostFacts {
        hostname: HOST_NAME.to_owned(),
        ipv4_default_route: Some(rinit_facts::DefaultRoute {
            address: ADDRESS.parse().expect("an address"),
            interface: None,
        }),
        cri_sockets: Vec::new(),
        ..rinit_testkit::host_facts()
    }
}

/// The facts of a file, or what is wrong with it.
pub(crate) fn facts(
    documents: &rinit_config::Documents,
    skipped: &[String],
) -> Result<Facts, String> {
    let overrides = Overrides {
        skipped_phases: skipped.to_vec(),
        ..Overrides::default()
    };
    rinit_facts::resolve(documents, &overrides, &host_facts()).map_err(|error| error.to_string())
}

/// Plans everything, and lets the program render the files that do not need a running host.
pub(crate) fn make(
    config: &Path,
    facts: &Facts,
    skipped: &[String],
    patches: Option<&str>,
) -> Result<Ours, String> {
    let selection = Selection {
        only: Vec::new(),
        skip: skipped.to_vec(),
    };
    let mut ours = Ours {
        disk: render(config, skipped, patches)?,
        folders: Vec::new(),
        objects: Vec::new(),
        tokens: Vec::new(),
        marks: Vec::new(),
        endpoint: None,
    };
    let plans =
        rinit_workflow::plans(&tree(), facts, &selection).map_err(|error| error.to_string())?;
    for action in plans.into_iter().flat_map(|plan| plan.actions) {
        match action {
            Action::Ensure(Resource::Object { object, .. }) => ours.objects.push(*object),
            Action::Ensure(Resource::BootstrapToken { token, .. }) => ours.tokens.push(token),
            Action::Ensure(Resource::NodeMark { mark, .. }) => ours.marks.push(mark),
            Action::Output(Output::JoinCommand(spec)) => ours.endpoint = Some(spec.endpoint),
            Action::Ensure(Resource::Directory(spec)) => ours.folders.push(spec.path.to_string()),
            Action::Gate(Gate::Refuse { message, .. }) => return Err(message),
            Action::Ensure(Resource::File(spec)) => {
                let path = spec.path.to_string();
                let bytes = spec.text.into_bytes();
                // What is rendered must be what was planned.
                if let Some(Entry {
                    content: Content::File(rendered),
                    ..
                }) = ours.disk.entries.get(&path)
                {
                    assert_eq!(text(rendered), text(&bytes), "{path}");
                } else {
                    let entry = Entry {
                        mode: spec.mode.0,
                        owner: None,
                        content: Content::File(bytes),
                    };
                    ours.disk.entries.insert(path, entry);
                }
            }
            _ => {}
        }
    }
    Ok(ours)
}

/// The phases that act on the running host or its cluster.
const NOT_RENDERED: &str = "preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,\
    mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";

fn render(config: &Path, skipped: &[String], patches: Option<&str>) -> Result<Disk, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    if let Some(patches) = patches {
        make_folder(&root, patches);
    }
    let skip = format!("{NOT_RENDERED},{}", skipped.join(","));
    let output = on_the_host(&rinit_testkit::program())
        .args(["init", "--skip-phases", skip.trim_end_matches(',')])
        .arg("--config")
        .arg(config)
        .arg("--root")
        .arg(&root)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("rinit runs");
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    if !root.exists() {
        return Err("rinit rendered nothing".to_owned());
    }
    Ok(files_of(Disk::of_folder(&root).expect("what rinit wrote")))
}

/// The phases of `init`, in its order.
fn tree() -> Vec<rinit_workflow::Phase<rinit_facts::Facts>> {
    vec![
        rinit_phase_preflight::phase(),
        rinit_phase_certs::phase(),
        rinit_phase_kubeconfig::phase(),
        rinit_phase_etcd::phase(),
        rinit_phase_control_plane::phase(),
        rinit_phase_kubelet_start::phase(),
        rinit_phase_wait::phase(),
        rinit_phase_upload_config::phase(),
        rinit_phase_upload_certs::phase(),
        rinit_phase_mark::phase(),
        rinit_phase_bootstrap_token::phase(),
        rinit_phase_kubelet_finalize::phase(),
        rinit_phase_addon::phase(),
        rinit_phase_show_join_command::phase(),
    ]
}
