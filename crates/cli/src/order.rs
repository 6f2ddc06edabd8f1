//! The order of words: kubeadm takes flags before the command that they belong to, as in
//! `init phase --config F certs ca` or `--kubeconfig F token create`.
//!
//! Nothing of a flag is decided here but whether the next word is its value.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;

use clap::{Arg, ArgAction, Command};

/// Moves flags that are before a command's name to behind it. What follows the last name stays.
pub(crate) fn flags_last(command: &Command, line: Vec<OsString>) -> Vec<OsString> {
    let mut words = line.into_iter().peekable();
    let mut names: Vec<OsString> = words.next().into_iter().collect();
    let mut flags = Vec::new();
    let mut current = command;
    while current.has_subcommands() {
        let Some(word) = words.peek() else { break };
        if is_flag(word) {
            flags.extend(with_value(command, &mut words));
            continue;
        }
        let Some(below) = current.find_subcommand(word) else {
            // A name that is none is reported as such.
            names.extend(words.next());
            break;
        };
        current = below;
        names.extend(words.next());
    }
    names.extend(flags);
    names.extend(words);
    names
}

/// Returns the name of the command that the line asks for: the first word that is no flag and no
/// value of one.
pub(crate) fn first_name(command: &Command, line: Vec<OsString>) -> Option<OsString> {
    let mut words = line.into_iter().skip(1).peekable();
    while is_flag(words.peek()?) {
        with_value(command, &mut words);
    }
    words.next()
}

/// `--` ends the flags and belongs to what follows.
fn is_flag(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && word != "-" && word != "--"
}

/// Takes a flag from the words, and its value if that is the next word.
fn with_value(
    command: &Command,
    words: &mut Peekable<impl Iterator<Item = OsString>>,
) -> Vec<OsString> {
    let Some(flag) = words.next() else {
        return Vec::new();
    };
    let value = if wants_next_word(command, &flag) {
        words.next()
    } else {
        None
    };
    [flag].into_iter().chain(value).collect()
}

/// Whether the value of a flag is the next word. Of a flag that no command has, it is: so kubeadm
/// counts, and the command that is handed a line must be the one that kubeadm would take.
fn wants_next_word(command: &Command, flag: &OsStr) -> bool {
    let Some(flag) = flag.to_str().filter(|flag| !flag.contains('=')) else {
        return false;
    };
    match flag.strip_prefix("--") {
        Some("help" | "version") => false,
        Some(long) => {
            let found = find(command, &|argument| argument.get_long() == Some(long));
            found.is_none_or(takes_next_word)
        }
        // Several letters are a flag and its value in one word, or several flags without one.
        None => {
            let mut letters = flag.chars().skip(1);
            let (Some(letter), None) = (letters.next(), letters.next()) else {
                return false;
            };
            let found = find(command, &|argument| argument.get_short() == Some(letter));
            found.is_some_and(takes_next_word)
        }
    }
}

fn takes_next_word(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
        && !argument.is_require_equals_set()
}

/// The first flag of a command, or of one below it, that fits.
fn find<'a>(command: &'a Command, fits: &dyn Fn(&Arg) -> bool) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|argument| fits(argument));
    own.or_else(|| {
        command
            .get_subcommands()
            .find_map(|below| find(below, fits))
    })
}
