//! The flags of the table in `rinit-facts`, as arguments of the commands that take them.

use clap::builder::TypedValueParser as _;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use rinit_facts::{Command as Family, Flag, Kind, Overrides};

use crate::arguments::key_value;

/// The flags of the table that a command takes. `COMMAND` is one of [`Family`].
#[derive(Debug, Clone, Default)]
pub struct Given<const COMMAND: usize> {
    /// What they say beside the configuration file.
    pub overrides: Overrides,
}

/// The flags of `init`.
pub type OfInit = Given<{ Family::Init as usize }>;
/// The flags of `init phase …`.
pub type OfPhase = Given<{ Family::Phase as usize }>;
/// The flags of the commands that write certificates.
pub type OfCertificates = Given<{ Family::Certificates as usize }>;
/// The flags of `certs ca renew` and `certs ca prune`.
pub type OfCas = Given<{ Family::Cas as usize }>;
/// The flags of `certs check-expiration`.
pub type OfExpiration = Given<{ Family::Expiration as usize }>;
/// The flags of `kubeconfig user`.
pub type OfUser = Given<{ Family::User as usize }>;
/// The flags of `config images list`.
pub type OfImages = Given<{ Family::Images as usize }>;
/// The flags of `join` and its phases.
pub type OfJoin = Given<{ Family::Join as usize }>;

fn flags(family: usize) -> impl Iterator<Item = &'static Flag> {
    let takes = move |flag: &&Flag| flag.commands.iter().any(|one| *one as usize == family);
    Overrides::flags().iter().filter(takes)
}

impl<const COMMAND: usize> Args for Given<COMMAND> {
    fn augment_args(command: Command) -> Command {
        command.args(flags(COMMAND).map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const COMMAND: usize> FromArgMatches for Given<COMMAND> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for flag in flags(COMMAND) {
            let words: Vec<String> = if flag.kind == Kind::Switch {
                let is_on = matches.get_one::<bool>(flag.name);
                is_on.map(ToString::to_string).into_iter().collect()
            } else {
                let words = matches.get_many::<String>(flag.name);
                words.into_iter().flatten().cloned().collect()
            };
            flag.set(&mut self.overrides, words);
        }
        Ok(())
    }
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name).long(flag.name).help(flag.help.trim());
    let argument = match flag.kind {
        Kind::Switch => return argument.action(ArgAction::SetTrue),
        // A negative one is refused as such.
        Kind::Text => argument.allow_hyphen_values(flag.value == "DURATION"),
        Kind::Port => {
            let parser = clap::value_parser!(u16).map(|port| port.to_string());
            argument.value_parser(parser)
        }
        Kind::List => argument.action(ArgAction::Append).value_delimiter(','),
        Kind::Pairs => argument
            .action(ArgAction::Append)
            .value_delimiter(',')
            .value_parser(|text: &str| key_value(text).map(|_| text.to_owned())),
    };
    argument.value_name(flag.value)
}
