//! The command line as clap types; `init phase …` is built from the phase tree.
//!
//! This crate says what can be typed and hands it over as plain values. It never reads a file,
//! never looks at the host, and never runs anything.

mod arguments;
mod ca;
mod config_arguments;
mod generated;
mod go_flags;
mod order;
mod phases;
mod table;
mod token;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Args, Command, FromArgMatches, Subcommand};
use rinit_workflow::Outline;

pub use arguments::{
    CertsCommand, CheckExpirationArguments, CommonArguments, ExpirationFormat,
    GenerateCsrArguments, GlobalArguments, InitArguments, InstallSignedArguments, JoinArguments,
    KubeconfigCommand, KubeconfigUserArguments, OutputFormat, PhaseArguments, RenewArguments,
    ReportFormat, SpecificationArguments, VersionArguments, VersionFormat, verbosity,
};
pub use ca::{CaArguments, CaCommand, CaRenewArguments};
pub use generated::{CompletionArguments, CompletionShell, ManArguments, completion, manual};
pub use table::{
    Given, OfCas, OfCertificates, OfExpiration, OfImages, OfInit, OfJoin, OfPhase, OfUser,
};
pub use token::{
    ClusterArguments, CreateTokenArguments, DeleteTokensArguments, ListTokensArguments,
    TokenArguments, TokenCommand,
};

pub use config_arguments::{
    ConfigCommand, DataFormat, ImagesArguments, ImagesCommand, MigrateArguments, PrintArguments,
    PrintCommand, PullArguments, ValidateArguments,
};

/// What the user asks for.
#[derive(Debug, Clone)]
pub enum Invocation {
    /// `rinit init`
    Init(Box<InitArguments>),
    /// `rinit init phase <name>`
    Phase {
        /// The full name, such as `certs/ca`, as typed.
        name: String,
        /// Its flags.
        arguments: Box<PhaseArguments>,
    },
    /// `rinit join`
    Join(Box<JoinArguments>),
    /// `rinit join phase <name>`
    JoinPhase {
        /// The full name, as typed.
        name: String,
        /// Its flags.
        arguments: Box<JoinArguments>,
    },
    /// `rinit certs …`
    Certs(CertsCommand),
    /// `rinit config …`
    Config(ConfigCommand),
    /// `rinit kubeconfig …`
    Kubeconfig(KubeconfigCommand),
    /// `rinit token …`
    Token(TokenArguments),
    /// `rinit completion`
    Completion(CompletionArguments),
    /// `rinit man`
    Man(ManArguments),
    /// `rinit version`
    Version(VersionArguments),
}

/// The whole command line.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// Flags of every command.
    pub global: GlobalArguments,
    /// What is asked for.
    pub invocation: Invocation,
}

/// The phases of the commands that have phases.
#[derive(Debug, Clone, Default)]
pub struct Trees {
    /// Those of `init`.
    pub init: Vec<Outline>,
    /// Those of `join`.
    pub join: Vec<Outline>,
}

/// Which commands are wanted with all that is below them. A command that no word of the command
/// line names cannot be the one that is asked for, and its flags are not worth making: there are
/// thousands of them, since each phase has its own.
#[derive(Clone, Copy)]
struct Wanted<'line>(Option<&'line BTreeSet<&'line OsStr>>);

impl Wanted<'_> {
    /// Whether the command is, as far as the words say.
    fn contains(self, command: &Command) -> bool {
        self.0.is_none_or(|words| {
            words.contains(OsStr::new(command.get_name()))
                || command
                    .get_all_aliases()
                    .any(|alias| words.contains(OsStr::new(alias)))
        })
    }

    /// The command, completed if it is wanted.
    fn with(self, command: Command, complete: impl FnOnce(Command) -> Command) -> Command {
        if self.contains(&command) {
            complete(command)
        } else {
            command
        }
    }
}

/// The command line of rinit over the phase trees.
fn command(trees: &Trees, wanted: Wanted<'_>) -> Command {
    let rinit = Command::new("rinit")
        .about("Turns a Linux host into a Kubernetes control-plane node, in phases")
        .version(env!("CARGO_PKG_VERSION"));
    let init = Command::new("init")
        .about("Make this host a control-plane node, or complete one that is half made");
    let join = Command::new("join").about("Join this host to a cluster");
    let certs = Command::new("certs")
        .alias("certificates")
        .about("Handle the certificates of a control plane");
    let config = Command::new("config").about("Print, check and convert configuration files");
    let kubeconfig = Command::new("kubeconfig").about("Handle kubeconfigs");
    let token = Command::new("token").about("Handle the bootstrap tokens of a cluster");
    let completion = Command::new("completion").about("Print the completions of a shell");
    let man = Command::new("man").about("Write manual pages");
    let version = Command::new("version").about("Print the version of rinit");
    let command = parent(with(rinit, GlobalArguments::augment_args)).subcommands([
        wanted.with(init, |command| {
            with(command, InitArguments::augment_args)
                .long_about(phases::overview(phases::INIT, &trees.init))
                .subcommand(phases::command(
                    "init",
                    &trees.init,
                    PhaseArguments::augment_args,
                    wanted,
                ))
        }),
        wanted.with(join, |command| {
            with(command, JoinArguments::augment_args)
                .long_about(phases::overview(phases::JOIN, &trees.join))
                .subcommand(phases::command(
                    "join",
                    &trees.join,
                    JoinArguments::augment_args,
                    wanted,
                ))
        }),
        wanted.with(certs, |it| {
            parent(with(it, CertsCommand::augment_subcommands))
        }),
        wanted.with(config, |it| {
            parent(with(it, ConfigCommand::augment_subcommands))
        }),
        wanted.with(kubeconfig, |it| {
            parent(with(it, KubeconfigCommand::augment_subcommands))
        }),
        wanted.with(token, |it| parent(with(it, TokenArguments::augment_args))),
        wanted.with(completion, |it| with(it, CompletionArguments::augment_args)),
        wanted.with(man, |it| with(it, ManArguments::augment_args)),
        wanted.with(version, |it| with(it, VersionArguments::augment_args)),
    ]);
    go_flags::taken_as_in_go(command)
}

/// The command with more to it, its text kept: adding flags replaces it by that of the flags.
fn with(command: Command, more: fn(Command) -> Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    more(command).about(about)
}

/// A command that only has commands below it.
fn parent(command: Command) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
}

/// Reads the command line. The error prints itself and knows its exit code.
pub fn parse(
    trees: &Trees,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<CommandLine, clap::Error> {
    let typed = words(arguments);
    let lean = lean(trees, &typed);
    let arguments = order::flags_last(&lean, typed);
    let matches = lean
        .try_get_matches_from(&arguments)
        .or_else(|error| match error.kind() {
            ErrorKind::DisplayVersion => Err(error),
            // Help, and errors that name what is near, come from the whole command line.
            _ => command(trees, Wanted(None)).try_get_matches_from(&arguments),
        })?;
    let global = GlobalArguments::from_arg_matches(&matches)?;
    let invocation = match matches.subcommand() {
        Some(("init", init)) => match init.subcommand() {
            Some(("phase", phase)) => {
                let (name, arguments) = phases::selected(phase)?;
                Invocation::Phase { name, arguments }
            }
            _ => Invocation::Init(Box::new(InitArguments::from_arg_matches(init)?)),
        },
        Some(("join", join)) => match join.subcommand() {
            Some(("phase", phase)) => {
                let (name, arguments) = phases::selected(phase)?;
                Invocation::JoinPhase { name, arguments }
            }
            _ => Invocation::Join(Box::new(JoinArguments::from_arg_matches(join)?)),
        },
        Some(("certs", certs)) => Invocation::Certs(CertsCommand::from_arg_matches(certs)?),
        Some(("config", config)) => Invocation::Config(ConfigCommand::from_arg_matches(config)?),
        Some(("kubeconfig", kubeconfig)) => {
            Invocation::Kubeconfig(KubeconfigCommand::from_arg_matches(kubeconfig)?)
        }
        Some(("token", token)) => Invocation::Token(TokenArguments::from_arg_matches(token)?),
        Some(("completion", completion)) => {
            Invocation::Completion(CompletionArguments::from_arg_matches(completion)?)
        }
        Some(("man", man)) => Invocation::Man(ManArguments::from_arg_matches(man)?),
        Some(("version", version)) => {
            Invocation::Version(VersionArguments::from_arg_matches(version)?)
        }
        _ => {
            return Err(clap::Error::new(ErrorKind::MissingSubcommand));
        }
    };
    Ok(CommandLine { global, invocation })
}

/// Commands of kubeadm. Those that rinit does not have are handed to kubeadm.
const OF_KUBEADM: &[&str] = &["alpha", "reset", "upgrade"];

/// Returns the command of kubeadm that the line asks for and rinit does not have.
pub fn foreign_command(
    trees: &Trees,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Option<&'static str> {
    let typed = words(arguments);
    let lean = lean(trees, &typed);
    let name = order::first_name(&lean, typed)?;
    let of_kubeadm = OF_KUBEADM.iter().find(|known| name == **known)?;
    lean.find_subcommand(of_kubeadm)
        .is_none()
        .then_some(of_kubeadm)
}

fn words(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Vec<OsString> {
    go_flags::levels(arguments.into_iter().map(Into::into)).collect()
}

/// The commands that the words name, and the names of the others.
fn lean(trees: &Trees, words: &[OsString]) -> Command {
    let words: BTreeSet<&OsStr> = words.iter().map(OsString::as_os_str).collect();
    command(trees, Wanted(Some(&words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_workflow::{Phase, Reach};

    fn tree() -> Trees {
        let leaf = |name| {
            Phase::leaf(name, "Do it", Reach::Files, |()| {
                rinit_plan::Plan::default()
            })
        };
        let init = [
            leaf("preflight"),
            Phase::group("certs", "Make certificates", [leaf("ca"), leaf("sa")]),
            leaf("wait-control-plane").with_aliases(&["wait"]),
        ];
        let join = [leaf("preflight"), leaf("kubelet-start")];
        Trees {
            init: init.iter().map(Phase::outline).collect(),
            join: join.iter().map(Phase::outline).collect(),
        }
    }

    fn phase(line: &str) -> Result<String, clap::Error> {
        match parse(&tree(), line.split_whitespace())?.invocation {
            Invocation::Phase { name, .. } => Ok(name),
            other => panic!("{other:?} is no phase"),
        }
    }

    #[test]
    fn clap_finds_no_fault_with_the_definitions() {
        command(&tree(), Wanted(None)).debug_assert();
    }

    #[test]
    fn phases_are_named_by_words() {
        assert_eq!(phase("rinit init phase certs ca").unwrap(), "certs/ca");
        assert_eq!(phase("rinit init phase certs all").unwrap(), "certs");
        assert_eq!(phase("rinit init phase preflight").unwrap(), "preflight");
        assert_eq!(
            phase("rinit init phase wait --dry-run").unwrap(),
            "wait-control-plane"
        );
    }

    #[test]
    fn flags_may_be_before_the_phase_and_before_the_command() {
        for line in [
            "rinit init --root /a phase certs ca",
            "rinit init -v=5 phase certs ca",
            "rinit --v=5 init phase certs ca --config f",
            "rinit init --config f phase certs ca",
            "rinit init --config=f phase certs ca",
            "rinit init phase --config f certs ca",
            "rinit init phase certs --config f ca",
            "rinit init phase --dry-run certs ca",
            "rinit init phase --config phase certs ca",
            "rinit --dry-run=false --config certs init phase certs ca",
        ] {
            assert_eq!(phase(line).unwrap(), "certs/ca", "{line}");
        }
        let parsed = parse(&tree(), ["rinit", "init", "--config", "f", "phase", "wait"]).unwrap();
        let Invocation::Phase { arguments, .. } = parsed.invocation else {
            panic!("not a phase");
        };
        assert_eq!(arguments.common.config.as_deref(), Some("f".as_ref()));
        let refused = phase("rinit init --skip-phases a phase certs ca").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn a_command_of_kubeadm_that_is_not_here_is_found() {
        let found = |line: &str| foreign_command(&tree(), line.split(' '));
        for line in [
            "kubeadm upgrade apply -y v1.37.1",
            "kubeadm --v=5 upgrade",
            "kubeadm -v 5 upgrade",
            "kubeadm --kubeconfig init upgrade node",
            "kubeadm --rootfs /a upgrade node --config f",
        ] {
            assert_eq!(found(line), Some("upgrade"), "{line}");
        }
        for line in [
            "kubeadm",
            "kubeadm --v=5",
            "kubeadm init --config upgrade",
            "kubeadm --config upgrade init",
            "kubeadm upgrades",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn an_unknown_phase_is_handed_on_to_be_answered_with_the_nearest() {
        assert_eq!(phase("rinit init phase nonsense").unwrap(), "nonsense");
        assert_eq!(
            phase("rinit init phase certs nonsense --dry-run").unwrap(),
            "certs/nonsense"
        );
    }

    #[test]
    fn lists_and_pairs_are_read() {
        let line = "rinit --root /tmp/x init --skip-phases a,b/c --skip-phases d --feature-gates A=true,B=false";
        let parsed = parse(&tree(), line.split_whitespace()).unwrap();
        assert_eq!(
            parsed.global.root.as_deref(),
            Some(std::path::Path::new("/tmp/x"))
        );
        let Invocation::Init(init) = parsed.invocation else {
            panic!("not init")
        };
        assert_eq!(init.flags.overrides.skip_phases, ["a", "b/c", "d"]);
        assert_eq!(
            init.flags.overrides.feature_gates,
            [("A".to_owned(), true), ("B".to_owned(), false)]
        );
        assert!(parse(&tree(), ["rinit", "init", "--feature-gates", "A"]).is_err());
    }

    fn init_arguments(line: &str) -> Result<(GlobalArguments, InitArguments), clap::Error> {
        let parsed = parse(&tree(), line.split_whitespace())?;
        match parsed.invocation {
            Invocation::Init(init) => Ok((parsed.global, *init)),
            other => panic!("{other:?} is not init"),
        }
    }

    #[test]
    fn flags_are_given_as_in_go() {
        let dry = |line| init_arguments(line).unwrap().1.flags.overrides.dry_run;
        assert!(dry("rinit init --dry-run"));
        assert!(dry("rinit init --dry-run=true"));
        assert!(!dry("rinit init --dry-run=false"));
        assert!(!dry("rinit init"));
        assert!(!dry("rinit init --dry-run --dry-run=false"));
        assert!(init_arguments("rinit init --dry-run=maybe").is_err());

        let (global, init) = init_arguments(
            "rinit -v=4 init --node-name a --node-name b --skip-phases a --skip-phases b,c",
        )
        .unwrap();
        assert_eq!(global.verbosity(), 2);
        assert_eq!(init.flags.overrides.node_name.as_deref(), Some("b"));
        assert_eq!(init.flags.overrides.skip_phases, ["a", "b", "c"]);

        for (line, verbosity) in [
            ("rinit init -v", 1),
            ("rinit init -vv", 2),
            ("rinit init --v=5", 3),
            ("rinit init --v 1", 1),
            ("rinit init -v 9", 3),
            ("rinit -v init", 1),
            ("rinit init --v=-1", 0),
        ] {
            assert_eq!(
                init_arguments(line).unwrap().0.verbosity(),
                verbosity,
                "{line}"
            );
        }
        let (global, _) = init_arguments("rinit init --vmodule host*=5,run=1").unwrap();
        assert_eq!(
            global.vmodule,
            [("host*".to_owned(), 5), ("run".to_owned(), 1)]
        );
    }

    #[test]
    fn two_roots_are_one_too_many() {
        assert!(init_arguments("rinit init --rootfs /a").is_ok());
        assert!(init_arguments("rinit init --rootfs /a --root /b").is_err());
        assert!(init_arguments("rinit init --config= --patches=").is_ok());
        assert!(init_arguments("rinit init --root=").is_err());
    }

    #[test]
    fn what_no_word_names_is_not_missed() {
        for line in [
            "rinit init",
            "rinit --root /a init --config f --skip-phases certs/ca,addon",
            "rinit init phase certs ca --cert-dir /b",
            "rinit --root /a init phase certs all --config f",
            "rinit init phase wait --dry-run",
            "rinit init phase nonsense --dry-run",
            "rinit init phase certs nonsense",
            "rinit certificates renew all --config f --prune-sans",
            "rinit certs check-expiration -o json --warn-within 30d",
            "rinit config print init-defaults --component-configs KubeletConfiguration",
            "rinit config images list --root /a",
            "rinit kubeconfig user --client-name init",
            "rinit --root certs version -o json",
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let named = words.iter().map(OsString::as_os_str).collect();
            let lean = command(&tree(), Wanted(Some(&named))).try_get_matches_from(&words);
            let whole = command(&tree(), Wanted(None)).try_get_matches_from(&words);
            assert_eq!(lean.unwrap(), whole.unwrap(), "{line}");
        }
    }

    #[test]
    fn an_error_knows_commands_that_no_word_names() {
        let answer = |line: &str| {
            let words = line.split(' ');
            parse(&tree(), words).unwrap_err().to_string()
        };
        assert!(answer("rinit certs renews").contains("'renew'"));
        assert!(answer("rinit --kubeconfig f token lst").contains("'list'"));
        assert!(answer("rinit help certs").contains("check-expiration"));
        assert!(answer("rinit init phase --help").contains("Make certificates"));
    }

    #[test]
    fn flags_may_stand_after_the_command() {
        let parsed = parse(
            &tree(),
            ["rinit", "init", "--root", "/tmp/x", "--config", "f"],
        )
        .unwrap();
        assert!(parsed.global.root.is_some());
    }
}
