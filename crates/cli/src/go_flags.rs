//! The habits of kubeadm's command line, which reads its flags as Go programs do.
//!
//! Scripts that were written for kubeadm have them: `--dry-run=true`, a flag that is given twice
//! and counts as it was given last, `-v=5`. Nothing else of a flag is decided here.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser};
use clap::{Arg, ArgAction, Command};

/// Lets every flag of a command, and of those below it, be given as in Go.
pub(crate) fn taken_as_in_go(command: Command) -> Command {
    let below: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let command = command.args_override_self(true).mut_args(argument);
    below.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, taken_as_in_go)
    })
}

/// A flag that is on or off may say so: `--dry-run=false`. A path may be empty, which scripts pass
/// for none; but an empty directory to work on is more likely a variable that was not set.
fn argument(argument: Arg) -> Arg {
    let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    if is_path && argument.get_long().is_some_and(|name| name != "root") {
        return argument.value_parser(OsStringValueParser::new().map(PathBuf::from));
    }
    if !matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument;
    }
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("BOOL")
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .value_parser(ValueParser::new(truth))
}

fn truth(text: &str) -> Result<bool, String> {
    rinit_facts::truth(text).ok_or_else(|| "it must be `true` or `false`".to_owned())
}

/// Turns `-v=5`, `-v5` and `-v 5` into `--v=5`: here `-v` alone counts how often it is given.
pub(crate) fn levels(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut arguments = arguments.peekable();
    std::iter::from_fn(move || {
        let argument = arguments.next()?;
        let Some(rest) = argument.to_str().and_then(|text| text.strip_prefix("-v")) else {
            return Some(argument);
        };
        let level = if rest.is_empty() {
            let next = arguments.next_if(|next| next.to_str().is_some_and(is_level));
            next.and_then(|next| next.into_string().ok())
        } else {
            let text = rest.strip_prefix('=').unwrap_or(rest);
            is_level(text).then(|| text.to_owned())
        };
        Some(level.map_or(argument, |level| format!("--v={level}").into()))
    })
}

fn is_level(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        let words = levels(line.split(' ').map(OsString::from));
        let words: Vec<String> = words.map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn levels_are_taken_in_each_of_kubeadms_forms() {
        for form in ["-v=5", "-v5", "-v 5"] {
            assert_eq!(of(&format!("rinit {form} init")), "rinit --v=5 init");
        }
        for line in [
            "rinit -v init",
            "rinit -vv init",
            "rinit init --v 5",
            "rinit -v",
        ] {
            assert_eq!(of(line), line);
        }
    }

    #[test]
    fn truth_has_the_words_of_go() {
        assert_eq!(truth("T"), Ok(true));
        assert_eq!(truth("0"), Ok(false));
        assert!(truth("yes").is_err());
    }
}
