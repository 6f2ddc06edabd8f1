//! What is generated from the command line: completions for shells, and manual pages.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::{Trees, Wanted, command};

/// `rinit completion`
#[derive(Debug, Clone, Args)]
pub struct CompletionArguments {
    /// The shell that is to complete
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: CompletionShell,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `rinit man`
#[derive(Debug, Clone, Args)]
pub struct ManArguments {
    /// The directory to write the pages to, one for each command
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Returns the script by which a shell completes `program`. `renewable` are the names that
/// `certs renew` takes.
pub fn completion(
    trees: &Trees,
    shell: CompletionShell,
    program: &str,
    renewable: &[&str],
) -> Vec<u8> {
    let names: Vec<String> = std::iter::once("all")
        .chain(renewable.iter().copied())
        .map(str::to_owned)
        .collect();
    let command = command(trees, Wanted(None)).mut_subcommand("certs", |certs| {
        let with_names = |command: Command| {
            command.mut_arg("names", |names_argument| {
                names_argument.value_parser(PossibleValuesParser::new(names.clone()))
            })
        };
        certs
            .mut_subcommand("renew", with_names)
            .mut_subcommand("generate-csr", with_names)
    });
    let mut command = without_help(command);
    let shell = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command, program, &mut script);
    script
}

/// Without `help` below each command, which would double them all.
fn without_help(command: Command) -> Command {
    let below: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let command = command.disable_help_subcommand(true);
    below.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, without_help)
    })
}

/// Returns the manual page of each command, by the name of its file.
pub fn manual(trees: &Trees) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = without_help(command(trees, Wanted(None)));
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), text));
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| add_pages(below, pages))
}
