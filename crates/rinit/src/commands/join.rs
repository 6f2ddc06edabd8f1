//! `rinit join` and `rinit join phase …`: find the cluster, then run the phases of join with what it
//! keeps.

use rinit_apply::Apply;
use rinit_cli::{GlobalArguments, JoinArguments, OutputFormat};
use rinit_config::Documents;
use rinit_diag::{ExitCode, Problem};
use rinit_facts::{Facts, JoinRequest, Overrides, Role};
use rinit_host::{Host, Lock, Root};
use rinit_observe::{Discovered, Observed};
use rinit_workflow::{Event, Mode, Phase, Reporter, RunOptions, Selection};

use super::init::{act, known, report_settings};
use crate::printer::{self, Printer};
use crate::settings;
use crate::trouble::{Remarks, Trouble};

/// Runs `rinit join`, or one phase of it.
pub(crate) async fn join(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    phase: Option<String>,
    arguments: JoinArguments,
) -> ExitCode {
    let printer = Printer::new(arguments.common.output, global.verbosity());
    let prepared = match prepare(tree, global, phase, &arguments, &printer).await {
        Ok(prepared) => prepared,
        Err(trouble) => return printer.refuse(&trouble),
    };
    printer.remark(&prepared.remarks);
    if prepared.options.mode == Mode::DryRun || global.verbosity() > 0 {
        report_settings(&prepared.facts, &printer);
    }
    let code = act(
        tree,
        &prepared.facts,
        &prepared.selection,
        &prepared.options,
        &prepared.executor,
        &printer,
    )
    .await;
    let is_whole = prepared.selection.only.is_empty();
    if code == ExitCode::Success
        && is_whole
        && prepared.options.mode == Mode::Apply
        && arguments.common.output == OutputFormat::Text
    {
        printer::data(&joined(&prepared.facts));
    }
    code
}

/// What a join ends with, in kubeadm's words where scripts look for them.
fn joined(facts: &Facts) -> String {
    let name = &facts.node.name;
    if facts.is_worker() {
        format!(
            "\nThis node has joined the cluster as {name}.\n\n\
             Run 'kubectl get nodes' on the control-plane to see this node join the cluster.\n"
        )
    } else {
        format!(
            "\nThis node has joined the cluster and a new control plane instance was created: \
             {name}.\n\n\
             To start administering your cluster from this node:\n\n  \
             mkdir -p $HOME/.kube\n  \
             sudo cp -i {admin} $HOME/.kube/config\n  \
             sudo chown $(id -u):$(id -g) $HOME/.kube/config\n\n\
             Run 'kubectl get nodes' to see this node join the cluster.\n",
            admin = facts.node.paths.kubeconfig("admin.conf"),
        )
    }
}

/// Everything that a run needs.
struct Prepared {
    /// Held until the run ends.
    _lock: Option<Lock>,
    executor: Apply,
    facts: Facts,
    selection: Selection,
    options: RunOptions,
    remarks: Remarks,
}

async fn prepare(
    tree: &[Phase<Facts>],
    global: &GlobalArguments,
    phase: Option<String>,
    arguments: &JoinArguments,
    printer: &Printer,
) -> Result<Prepared, Trouble> {
    let common = &arguments.common;
    let mut overrides = arguments.flags.overrides.clone();
    overrides.skip_phases.retain(|name| !name.is_empty());
    let reading = settings::reading(common.allow_unknown_fields);
    let documents = settings::readable(common.config.as_deref(), reading, &overrides)?;
    if documents.findings.has_errors() {
        return Err(settings::refused(documents));
    }
    let endpoint = arguments.endpoint.as_deref();
    let request = JoinRequest::of(&documents, &overrides, endpoint).map_err(|problems| {
        let trouble = Trouble {
            code: ExitCode::Configuration,
            remarks: Remarks::default(),
        };
        trouble.beside(&problems)
    })?;
    let document = documents.join.as_ref();
    let selection = match phase {
        Some(name) => Selection {
            only: vec![name],
            skip: Vec::new(),
        },
        None if overrides.skip_phases.is_empty() => Selection {
            only: Vec::new(),
            skip: document.map_or_else(Vec::new, |join| join.skip_phases.clone()),
        },
        None => Selection {
            only: Vec::new(),
            skip: overrides.skip_phases.clone(),
        },
    };
    known(tree, &selection)?;
    let dry_run = overrides.dry_run || document.and_then(|join| join.dry_run).unwrap_or(false);
    let host = Host::new(Root::typed(global.root.as_deref()));
    if !host.is_running_system() {
        return Err(Trouble::new(
            ExitCode::Usage,
            Problem::new("join works on the running host, not below a directory")
                .with_hint("leave `--root` out"),
        ));
    }
    let lock = if dry_run {
        None
    } else {
        let lock = host.lock();
        Some(lock.map_err(|error| Trouble::of(ExitCode::Blocked, &error))?)
    };
    let progress = |message: String| {
        printer.report(Event::Note {
            phase: None,
            message,
        });
    };
    let discovered = rinit_observe::discover(&request, &progress)
        .await
        .map_err(|problem| Trouble::new(ExitCode::Blocked, problem))?;
    let node_documents = with_node(&discovered, &documents);
    // What these flags decide is in the request.
    let own = Overrides {
        token: None,
        certificate_key: None,
        skipped_phases: Vec::new(),
        ..overrides
    };
    let observed = Observed::of_host(&host, &node_documents, &own)
        .await
        .map_err(Trouble::configuration)?;
    let facts = resolve(&request, &discovered, &node_documents, &own, &observed)?;
    if !observed.is_finished
        && let Some(problem) = discovered.name_is_taken(&facts.node.name).await
    {
        return Err(Trouble::new(ExitCode::Blocked, problem));
    }
    if request.control_plane {
        ready_for_another(&host, &facts, &request)?;
    }
    Ok(Prepared {
        _lock: lock,
        executor: Apply::new(host, &facts),
        options: RunOptions {
            command: "join",
            kubernetes_version: Some(facts.cluster.version.to_string()),
            mode: if dry_run { Mode::DryRun } else { Mode::Apply },
            rooted: false,
            warnings: facts.warnings.clone(),
            notes: facts.detected.clone(),
        },
        facts,
        selection,
        remarks: Remarks::default(),
    })
}

/// What the cluster keeps, with what is this node's.
fn with_node(discovered: &Discovered, of_node: &Documents) -> Documents {
    let mut documents = discovered.documents.clone();
    documents.init = Some(rinit_facts::node_document(of_node.join.as_ref()));
    documents
}

fn resolve(
    request: &JoinRequest,
    discovered: &Discovered,
    documents: &Documents,
    overrides: &Overrides,
    observed: &Observed,
) -> Result<Facts, Trouble> {
    let role = if request.control_plane {
        Role::ControlPlane
    } else {
        Role::Worker
    };
    let join = discovered.join.clone();
    rinit_facts::resolve_join(role, join, documents, overrides, &observed.host).map_err(|error| {
        let mut remarks = Remarks::default();
        remarks.find(documents.findings.clone());
        remarks.find(error.findings);
        let trouble = Trouble {
            code: ExitCode::Configuration,
            remarks,
        };
        trouble.beside(&error.problems)
    })
}

/// A cluster takes another control plane where there is one endpoint for all of them, and where the
/// new one gets what they share.
fn ready_for_another(host: &Host, facts: &Facts, request: &JoinRequest) -> Result<(), Trouble> {
    let mut problems = Vec::new();
    if facts.cluster.endpoint.is_none() {
        problems.push(
            Problem::new("the cluster has no stable endpoint for its control planes").with_hint(
                "set `controlPlaneEndpoint` in ConfigMap kube-system/kubeadm-config, such as the \
                 address of a load balancer",
            ),
        );
    }
    if request.certificate_key.is_none() {
        let missing: Vec<String> = facts
            .shared_files()
            .into_iter()
            // The key of an external CA is nowhere in the cluster.
            .filter(|(entry, _)| *entry != "ca.key" && *entry != "front-proxy-ca.key")
            .filter(|(_, path)| !host.exists(path).unwrap_or(true))
            .map(|(_, path)| path.to_string())
            .collect();
        if !missing.is_empty() {
            problems.push(
                Problem::new(format!(
                    "files that all control planes share are missing: {}",
                    missing.join(", ")
                ))
                .with_hint(
                    "copy them from another control plane, or run `rinit init phase upload-certs \
                     --upload-certs` there and give the key to `--certificate-key`",
                ),
            );
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let trouble = Trouble {
        code: ExitCode::Blocked,
        remarks: Remarks::default(),
    };
    Err(trouble.beside(&problems))
}
