//! `init phase …` and `join phase …`: a command for each node of a phase tree.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{ArgMatches, Args, Command};
use rinit_workflow::Outline;

use crate::{Wanted, parent, with};

/// What the help of `init` begins with.
pub(crate) const INIT: &str =
    "Make this host a control-plane node, or complete one that is half made.";
/// What the help of `join` begins with.
pub(crate) const JOIN: &str = "Join this host to a cluster, as a worker or with `--control-plane` as one of its control plane:\n\n    \
     rinit join HOST:PORT --token TOKEN --discovery-token-ca-cert-hash sha256:HASH";

/// The help of a command with its tree.
pub(crate) fn overview(about: &str, tree: &[Outline]) -> String {
    let mut text = format!(
        "{about}\n\n\
         What holds already is left alone, so that the same command may be run again at any \
         time. The phases, in order:\n",
    );
    let mut names: Vec<(String, &str)> = Vec::new();
    for phase in tree {
        names.push((phase.name.to_owned(), phase.about));
        let children = phase.phases.iter();
        names.extend(children.map(|child| (format!("  /{}", child.name), child.about)));
    }
    let width = names
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, about) in names {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  {name:width$}  {about}");
    }
    text
}

/// Adds the flags of a phase to its command.
type Flags = fn(Command) -> Command;

/// The command `phase` of a command with phases.
pub(crate) fn command(
    of: &'static str,
    tree: &[Outline],
    flags: Flags,
    wanted: Wanted<'_>,
) -> Command {
    let command = Command::new("phase").about(format!("Run one phase of {of}"));
    wanted.with(command, |it| parent_of_phases(it, tree, flags, wanted))
}

/// A command that only has phases below it. Unknown ones are taken here and refused where the
/// nearest name is known.
fn parent_of_phases(
    command: Command,
    phases: &[Outline],
    flags: Flags,
    wanted: Wanted<'_>,
) -> Command {
    parent(command)
        .allow_external_subcommands(true)
        .subcommands(phases.iter().map(|phase| subcommand(phase, flags, wanted)))
}

fn subcommand(phase: &Outline, flags: Flags, wanted: Wanted<'_>) -> Command {
    let command = Command::new(phase.name)
        .about(phase.about)
        .aliases(phase.aliases.iter().copied());
    wanted.with(command, |command| {
        if phase.phases.is_empty() {
            return with(command, flags);
        }
        let all = Command::new("all").about("Run all of them");
        let all = wanted.with(all, |it| with(it, flags));
        parent_of_phases(command.subcommand(all), &phase.phases, flags, wanted)
    })
}

/// The flags after a name that is none. They decide only how it is refused.
fn after_an_unknown_name<A: Args + Default>(matches: &ArgMatches) -> A {
    let words = matches.try_get_many::<OsString>("").ok().flatten();
    let command = A::augment_args(Command::new("phase"))
        .no_binary_name(true)
        .ignore_errors(true);
    command
        .try_get_matches_from(words.into_iter().flatten())
        .and_then(|matches| A::from_arg_matches(&matches))
        .unwrap_or_default()
}

/// The phase that was named, with its flags.
pub(crate) fn selected<A: Args + Default>(
    matches: &ArgMatches,
) -> Result<(String, Box<A>), clap::Error> {
    let mut name = String::new();
    let mut current = matches;
    while let Some((word, below)) = current.subcommand() {
        if word == "all" && !name.is_empty() {
            current = below;
            break;
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(word);
        current = below;
    }
    // clap keeps the words after a name that is none of its commands under an id without a name.
    let is_unknown = current.ids().any(|id| id.as_str().is_empty());
    let arguments = if is_unknown {
        after_an_unknown_name(current)
    } else {
        A::from_arg_matches(current)?
    };
    Ok((name, Box::new(arguments)))
}
