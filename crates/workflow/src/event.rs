//! The event stream: the only source of progress, for people and machines alike.

use serde::Serialize;

/// Something that happened in a run. Serialised as JSON with a tag `event`.
///
/// Fields are only ever added; a reader skips what it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// The command, such as `init`.
        command: &'static str,
        /// The version of the control plane's components, where the command has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        kubernetes_version: Option<String>,
        /// Whether nothing will be written.
        dry_run: bool,
        /// Names of the phases that will run, in order.
        phases: Vec<String>,
    },
    /// Something the user should know that is no problem.
    Note {
        /// The phase it belongs to, if any.
        phase: Option<String>,
        /// What it is.
        message: String,
    },
    /// Something that may become a problem.
    Warning {
        /// The phase it belongs to, if any.
        phase: Option<String>,
        /// What it is.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Something that stops the run.
    Problem {
        /// The phase it belongs to, if any.
        phase: Option<String>,
        /// What it is.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A way out that warnings or problems share, which have no hint of their own then.
    Remedy {
        /// What to do, with commands in backticks.
        hint: String,
        /// Those commands, in order.
        commands: Vec<String>,
    },
    /// Something about a line of the configuration file.
    Finding {
        /// Whether it stops the run.
        severity: Severity,
        /// The rule that it is about, such as `network`; the names stay the same.
        rule: String,
        /// The name of the file as typed; `-` is stdin.
        file: String,
        /// The line, from one on.
        line: usize,
        /// The column in characters, from one on.
        column: usize,
        /// The field, such as `networking.podSubnet`; empty for the file as such.
        path: String,
        /// What it is.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The first step of a phase begins. Steps of several phases may be under way at a time.
    PhaseStarted {
        /// Its full name.
        phase: String,
    },
    /// A step begins to change something, or to wait.
    StepStarted {
        /// The phase.
        phase: String,
        /// The identifier of the step.
        step: String,
        /// What it does.
        action: String,
    },
    /// How a step stands that takes long.
    StepProgress {
        /// The phase.
        phase: String,
        /// The identifier of the step.
        step: String,
        /// How it stands.
        message: String,
    },
    /// A step is finished.
    StepFinished {
        /// The phase.
        phase: String,
        /// The identifier of the step: the same in every run of the same configuration, and no
        /// other step of the run has it.
        step: String,
        /// What it does.
        action: String,
        /// What became of it.
        outcome: Outcome,
        /// What differed, why it is not known or failed, or which CA signed.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// How long it took.
        milliseconds: u64,
    },
    /// All steps of a phase are finished.
    PhaseFinished {
        /// Its full name.
        phase: String,
        /// How many steps changed something, or would.
        changed: usize,
        /// How long it took.
        milliseconds: u64,
    },
    /// What a run that succeeded has to hand over.
    Output {
        /// The phase.
        phase: String,
        /// What it is.
        #[serde(flatten)]
        report: Report,
    },
    /// The run is over.
    RunFinished {
        /// How it ended.
        outcome: RunOutcome,
        /// How many steps changed something, or would.
        changed: usize,
        /// How long it took.
        milliseconds: u64,
    },
}

/// What a run hands over. Serialised with its name as the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// How other nodes join.
    Join(JoinCommands),
    /// The key of the certificates that this run uploaded, if it was generated for it.
    CertificateKey(String),
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken.
    Warning,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It held already.
    Held,
    /// It was absent and holds now.
    Created,
    /// Something else was there, and it holds now.
    Changed,
    /// It was not known how it stood, and it holds now.
    Done,
    /// It would be created.
    WouldCreate,
    /// It would be changed.
    WouldChange,
    /// It would be done; how it stands is not known yet.
    Unknown,
    /// This user may not look.
    Hidden,
    /// It would be refused.
    WouldRefuse,
    /// It was tried and failed.
    Failed,
}

impl Outcome {
    /// Whether the world is another one now, or would be.
    pub fn changes(self) -> bool {
        !matches!(
            self,
            Self::Held | Self::Failed | Self::Hidden | Self::WouldRefuse
        )
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Everything held already.
    Unchanged,
    /// Everything holds now.
    Completed,
    /// Nothing was written, as asked.
    DryRun,
    /// Nothing was written, since something blocks the run.
    Refused,
    /// Something failed on the way; a second run resumes.
    Failed,
}

/// How other nodes join. A value that is left out is shown as kubeadm shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinCommands {
    /// For a worker, on one line.
    pub worker: String,
    /// For another control plane, on one line, where the endpoint allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<String>,
    /// `host:port` of the control plane.
    pub endpoint: String,
    /// The pins of the cluster's CAs, `sha256:<hex>`.
    pub ca_certificate_hashes: Vec<String>,
    /// Whether the shared certificates were uploaded, for two hours.
    pub certificates_uploaded: bool,
    /// The kubeconfig of the administrator.
    pub kubeconfig: String,
}

/// Whoever listens to a run.
pub trait Reporter: Sync {
    /// Takes one event, as it happens.
    fn report(&self, event: Event);
}
