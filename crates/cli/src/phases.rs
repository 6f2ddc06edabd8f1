//! `init phase …`: a command for each node of the phase tree.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use rinit_workflow::{Body, Phase};

use crate::arguments::PhaseArguments;
use crate::{Invocation, Wanted, parent, with};

/// The tree in the help of `init`.
pub(crate) fn overview<I>(tree: &[Phase<I>]) -> String {
    let mut text = String::from(
        "Make this host a control-plane node, or complete one that is half made.\n\n\
         What holds already is left alone, so that the same command may be run again at any \
         time. The phases, in order:\n",
    );
    let mut names: Vec<(String, &str)> = Vec::new();
    for phase in tree {
        names.push((phase.name.to_owned(), phase.about));
        if let Body::Group(children) = &phase.body {
            names.extend(
                children
                    .iter()
                    .map(|child| (format!("  /{}", child.name), child.about)),
            );
        }
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

/// The command `phase`.
pub(crate) fn command<I>(tree: &[Phase<I>], wanted: Wanted<'_>) -> Command {
    let command = Command::new("phase").about("Run one phase of init");
    wanted.with(command, |it| parent_of_phases(it, tree, wanted))
}

/// A command that only has phases below it. Unknown ones are taken here and refused where the
/// nearest name is known.
fn parent_of_phases<I>(command: Command, phases: &[Phase<I>], wanted: Wanted<'_>) -> Command {
    parent(command)
        .allow_external_subcommands(true)
        .subcommands(phases.iter().map(|phase| subcommand(phase, wanted)))
}

fn subcommand<I>(phase: &Phase<I>, wanted: Wanted<'_>) -> Command {
    let command = Command::new(phase.name)
        .about(phase.about)
        .aliases(phase.aliases.iter().copied());
    wanted.with(command, |command| match &phase.body {
        Body::Leaf { .. } => with(command, PhaseArguments::augment_args),
        Body::Group(children) => {
            let all = Command::new("all").about("Run all of them");
            let all = wanted.with(all, |it| with(it, PhaseArguments::augment_args));
            parent_of_phases(command.subcommand(all), children, wanted)
        }
    })
}

/// The flags after a name that is none. They decide only how it is refused.
fn after_an_unknown_name(matches: &ArgMatches) -> PhaseArguments {
    let words = matches.try_get_many::<OsString>("").ok().flatten();
    let command = PhaseArguments::augment_args(Command::new("phase"))
        .no_binary_name(true)
        .ignore_errors(true);
    command
        .try_get_matches_from(words.into_iter().flatten())
        .and_then(|matches| PhaseArguments::from_arg_matches(&matches))
        .unwrap_or_default()
}

/// The phase that was named, with its flags.
pub(crate) fn selected(matches: &ArgMatches) -> Result<Invocation, clap::Error> {
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
        PhaseArguments::from_arg_matches(current)?
    };
    Ok(Invocation::Phase {
        name,
        arguments: Box::new(arguments),
    })
}
