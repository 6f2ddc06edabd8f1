//! Phases as a tree: a group has no action of its own, a leaf has a plan.

use std::fmt;

use rinit_plan::Plan;

/// What a phase acts on, which decides whether it can run with `--root`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Files only.
    Files,
    /// The running host: its kernel, its container runtime, its kubelet.
    Host,
    /// The API server.
    Cluster,
}

/// A node of a command's phase tree. `I` is what its plans are made from, such as `Facts`.
pub struct Phase<I> {
    /// kubeadm's name, such as `wait-control-plane`; below a group, such as `apiserver`.
    pub name: &'static str,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// What it does, in one line for the help.
    pub about: &'static str,
    /// What it has.
    pub body: Body<I>,
}

/// Either more phases or a plan, so that a group which also acts cannot be written.
pub enum Body<I> {
    /// Phases that are selected together by the group's name.
    Group(Vec<Phase<I>>),
    /// What the phase wants to hold.
    Leaf {
        /// What it acts on.
        reach: Reach,
        /// Its plan: a pure function of the command's input.
        plan: Box<dyn Fn(&I) -> Plan + Send + Sync>,
    },
}

/// The names of a phase and of those below it, without its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// kubeadm's name.
    pub name: &'static str,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// What it does, in one line for the help.
    pub about: &'static str,
    /// The phases of a group; empty for a phase with a plan.
    pub phases: Vec<Outline>,
}

impl<I> Phase<I> {
    /// Returns its names and those below it.
    pub fn outline(&self) -> Outline {
        Outline {
            name: self.name,
            aliases: self.aliases,
            about: self.about,
            phases: match &self.body {
                Body::Group(phases) => phases.iter().map(Self::outline).collect(),
                Body::Leaf { .. } => Vec::new(),
            },
        }
    }

    /// A phase with a plan.
    pub fn leaf(
        name: &'static str,
        about: &'static str,
        reach: Reach,
        plan: impl Fn(&I) -> Plan + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            about,
            body: Body::Leaf {
                reach,
                plan: Box::new(plan),
            },
        }
    }

    /// A phase of phases.
    pub fn group(
        name: &'static str,
        about: &'static str,
        phases: impl IntoIterator<Item = Self>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            about,
            body: Body::Group(phases.into_iter().collect()),
        }
    }

    /// The same phase with other names that are understood.
    #[must_use]
    pub fn with_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Whether it goes by that name, whatever the case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// Shows the tree; a plan is a function and has nothing to show.
impl<I> fmt::Debug for Phase<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Phase");
        debug.field("name", &self.name);
        match &self.body {
            Body::Group(phases) => debug.field("phases", phases),
            Body::Leaf { reach, .. } => debug.field("reach", reach),
        };
        debug.finish_non_exhaustive()
    }
}
