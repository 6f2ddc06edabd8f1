//! Actions: the closed list of what a run can do, and plans made of them.

use std::fmt;

use serde::Serialize;

use crate::{ApiAccess, Gate, LogicalPath, ObjectId, Output, Resource, ResourceId};

/// What one leaf phase wants, in order, and what it has to say about it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// The actions.
    pub actions: Vec<Action>,
    /// What the user should know, such as why the plan is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Plan {
    /// A plan of these actions.
    pub fn of<A: Into<Action>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self {
            actions: actions.into_iter().map(Into::into).collect(),
            notes: Vec::new(),
        }
    }

    /// A plan without actions, and why.
    pub fn nothing(note: impl Into<String>) -> Self {
        Self {
            actions: Vec::new(),
            notes: vec![note.into()],
        }
    }

    /// The same plan with one more remark.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// One thing that a run does. Closed: a new kind of effect is a reviewed change, and every place
/// that handles actions is an exhaustive match.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// A resource exists as specified.
    Ensure(Resource),
    /// Something does not exist any more.
    Remove(Removal),
    /// Something holds before the actions that depend on it run.
    Gate(Gate),
    /// The user gets to know something.
    Output(Output),
}

/// What can be removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "removal", rename_all = "kebab-case")]
pub enum Removal {
    /// A file. A link is removed itself, never its target.
    File {
        /// The file.
        path: LogicalPath,
        /// What must be there first, if this run makes it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        after: Vec<LogicalPath>,
    },
    /// An object in the cluster.
    Object {
        /// How the API server is reached.
        access: ApiAccess,
        /// The object.
        id: ObjectId,
    },
}

impl From<Removal> for Action {
    fn from(removal: Removal) -> Self {
        Self::Remove(removal)
    }
}

impl From<Resource> for Action {
    fn from(resource: Resource) -> Self {
        Self::Ensure(resource)
    }
}

impl From<Gate> for Action {
    fn from(gate: Gate) -> Self {
        Self::Gate(gate)
    }
}

impl From<Output> for Action {
    fn from(output: Output) -> Self {
        Self::Output(output)
    }
}

/// What an action spends its time on: actions of one kind share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// Files, keys, units.
    Host,
    /// An image pull.
    Pull,
    /// A call to the API server.
    Api,
    /// Looking and waiting, which has no limit.
    Watch,
}

impl Action {
    /// What must exist before this can run. If nothing of the plan gives it and it is not there,
    /// the run is refused.
    pub fn requires(&self) -> Vec<ResourceId> {
        match self {
            Self::Ensure(resource) => resource.requires(),
            Self::Remove(_) => Vec::new(),
            Self::Gate(gate) => gate.requires(),
            Self::Output(output) => output.requires(),
        }
    }

    /// What this uses: what it requires, and what it uses if it is there.
    pub fn reads(&self) -> Vec<ResourceId> {
        let mut ids = self.requires();
        match self {
            Self::Ensure(resource) => ids.extend(resource.reads()),
            Self::Remove(Removal::Object { access, .. }) => {
                ids.extend(crate::resource::api(access));
            }
            Self::Remove(Removal::File { after, .. }) => {
                ids.extend(crate::resource::files(after));
            }
            Self::Gate(gate) => ids.extend(gate.reads()),
            Self::Output(output) => ids.extend(output.reads()),
        }
        ids
    }

    /// What exists once this has run.
    pub fn gives(&self) -> Vec<ResourceId> {
        match self {
            Self::Ensure(resource) => resource.gives(),
            Self::Gate(gate) => gate.gives(),
            Self::Remove(_) | Self::Output(_) => Vec::new(),
        }
    }

    /// What this makes or removes.
    pub fn writes(&self) -> Vec<ResourceId> {
        match self {
            Self::Remove(Removal::File { path, .. }) => vec![ResourceId::File(path.clone())],
            Self::Remove(Removal::Object { id, .. }) => vec![ResourceId::Object(id.clone())],
            other => other.gives(),
        }
    }

    /// What it spends its time on.
    pub fn work(&self) -> Work {
        match self {
            Self::Ensure(resource) => match resource {
                Resource::Image(_) => Work::Pull,
                Resource::ClusterAdmins(_)
                | Resource::Object { .. }
                | Resource::BootstrapToken { .. }
                | Resource::SharedFile(_) => Work::Api,
                // They wait for the kubelet to register the node and for the member to catch up.
                Resource::NodeMark { .. } | Resource::EtcdMember(_) => Work::Watch,
                _ => Work::Host,
            },
            Self::Remove(Removal::Object { .. }) => Work::Api,
            Self::Remove(Removal::File { .. }) => Work::Host,
            Self::Gate(_) | Self::Output(_) => Work::Watch,
        }
    }

    /// Whether it changes nothing.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Gate(_) | Self::Output(_))
    }
}

/// The action in a few words, the same in every message about it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ensure(resource) => resource.fmt(f),
            Self::Remove(removal) => removal.fmt(f),
            Self::Gate(gate) => gate.fmt(f),
            Self::Output(output) => output.fmt(f),
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "removal of file {path}"),
            Self::Object { id, .. } => write!(f, "removal of {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        BootstrapTokenSpec, CaId, CertificateSpec, KeyAlgorithm, Secret, Signer, Subject, Validity,
    };

    fn path(text: &str) -> LogicalPath {
        LogicalPath::parse(text).unwrap()
    }

    #[test]
    fn a_certificate_needs_its_signer_and_gives_its_pair() {
        let action = Action::from(Resource::Certificate(CertificateSpec {
            name: "apiserver".into(),
            certificate: path("/pki/apiserver.crt"),
            key: path("/pki/apiserver.key"),
            signer: Signer {
                id: CaId::Cluster,
                certificate: path("/pki/ca.crt"),
                key: path("/pki/ca.key"),
            },
            subject: Subject {
                common_name: "kube-apiserver".into(),
                organizations: vec![],
            },
            usages: vec![],
            dns_names: vec![],
            ip_addresses: vec![],
            algorithm: KeyAlgorithm::default(),
            validity: Validity {
                not_before: Timestamp::UNIX_EPOCH,
                not_after: Timestamp::MAX,
            },
        }));
        assert_eq!(
            action.requires(),
            [
                ResourceId::File(path("/pki/ca.crt")),
                ResourceId::File(path("/pki/ca.key"))
            ]
        );
        assert_eq!(
            action.gives(),
            [
                ResourceId::File(path("/pki/apiserver.crt")),
                ResourceId::File(path("/pki/apiserver.key"))
            ]
        );
    }

    #[test]
    fn a_printed_plan_shows_no_token() {
        let plan = Plan::of([Resource::BootstrapToken {
            access: ApiAccess {
                kubeconfig: path("/etc/kubernetes/admin.conf"),
                super_kubeconfig: None,
                server: None,
            },
            token: BootstrapTokenSpec {
                id: "abcdef".into(),
                secret: Secret::new("0123456789abcdef".into()),
                description: None,
                expires: None,
                usages: vec![],
                groups: vec![],
                drawn: false,
                alike: 0,
            },
        }]);
        let shown = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
        assert!(shown.contains("abcdef"), "the public part names the token");
        assert!(
            !shown.contains("0123456789abcdef"),
            "the secret part leaked: {shown}"
        );
    }
}
