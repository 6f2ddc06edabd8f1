//! What was typed, for the commands in hints: they must work on the same cluster with the same
//! configuration. Tokens and keys are never repeated.

use std::net::IpAddr;
use std::path::Path;

use rinit_cli::{CommonArguments, GlobalArguments, SpecificationArguments};
use rinit_diag::{Problem, shell_word};
use rinit_facts::{Command, Overrides};

/// Flags to put behind the commands in hints, each with a space in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// For `rinit init phase …`.
    phase: String,
    /// For `rinit certs …`.
    certificates: String,
    /// For `rinit certs ca …`.
    places: String,
    /// Whether there is a configuration file.
    has_file: bool,
}

/// Which commands take a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    Both,
    Phases,
    Certificates,
}

impl Given {
    /// The flags of a run. `address` is where the API server is announced: said to a renewal that
    /// is told nothing else, it has the defaults count instead of the old certificates.
    pub(crate) fn new(
        global: &GlobalArguments,
        common: &CommonArguments,
        overrides: &Overrides,
        address: IpAddr,
    ) -> Self {
        let config = common.config.as_deref();
        let mut given = Self::typed(global, config, common.allow_unknown_fields, overrides);
        if !given.has_file && !overrides.decide_certificates() {
            given.add(
                "apiserver-advertise-address",
                Some(&address.to_string()),
                Takes::Certificates,
            );
        }
        given
    }

    /// The flags of a command about certificates.
    pub(crate) fn to_certificates(
        global: &GlobalArguments,
        specification: &SpecificationArguments,
        config: Option<&Path>,
        overrides: &Overrides,
    ) -> Self {
        Self::typed(
            global,
            config,
            specification.allow_unknown_fields,
            overrides,
        )
    }

    fn typed(
        global: &GlobalArguments,
        config: Option<&Path>,
        allow_unknown_fields: bool,
        overrides: &Overrides,
    ) -> Self {
        let is_typed = |path: &&Path| !path.as_os_str().is_empty();
        let config = config.filter(is_typed);
        let root = global.root.as_deref().filter(is_typed);
        let rootfs = global.rootfs.as_deref().filter(is_typed);
        let mut given = Self {
            has_file: config.is_some(),
            ..Self::default()
        };
        for (flag, path) in [("config", config), ("root", root), ("rootfs", rootfs)] {
            if let Some(path) = path {
                given.add(flag, Some(&path.display().to_string()), Takes::All);
            }
        }
        for flag in Overrides::flags() {
            let takes = if flag.is_of(Command::Cas) {
                Takes::All
            } else if flag.is_of(Command::Certificates) {
                Takes::Both
            } else {
                Takes::Phases
            };
            if let Some(text) = flag.repeated(overrides) {
                given.add(flag.name, Some(&text), takes);
            }
        }
        if allow_unknown_fields {
            given.add("allow-unknown-fields", None, Takes::All);
        }
        given
    }

    fn add(&mut self, flag: &str, value: Option<&str>, takes: Takes) {
        let text = match value {
            Some(value) => format!(" --{flag} {}", shell_word(value)),
            None => format!(" --{flag}"),
        };
        if takes != Takes::Certificates {
            self.phase.push_str(&text);
        }
        if takes != Takes::Phases {
            self.certificates.push_str(&text);
        }
        if takes == Takes::All {
            self.places.push_str(&text);
        }
    }

    /// Puts the flags after a command of rinit.
    pub(crate) fn complete(&self, command: &str) -> String {
        // What has flags is complete, but for the one that says what to do and not on what.
        let bare = command.trim_end_matches(" --config FILE");
        let flags = if bare.contains(" --") {
            ""
        } else if command.starts_with("rinit init phase ") {
            &self.phase
        } else if command.starts_with("rinit certs ca ") {
            &self.places
        } else if command.starts_with("rinit certs ") {
            &self.certificates
        } else {
            ""
        };
        format!("{command}{flags}")
    }

    /// The problems with whole commands in their hints; a hint that several in a row share stands
    /// behind the last.
    pub(crate) fn complete_problems(&self, problems: &[Problem]) -> Vec<Problem> {
        problems
            .iter()
            .enumerate()
            .map(|(index, problem)| {
                let is_repeated = problems
                    .get(index + 1)
                    .is_some_and(|next| next.hint == problem.hint);
                Problem {
                    message: problem.message.clone(),
                    hint: problem
                        .hint
                        .as_deref()
                        .filter(|_| !is_repeated)
                        .map(|hint| self.complete_all(hint)),
                }
            })
            .collect()
    }

    /// Puts the flags behind every command in backticks.
    pub(crate) fn complete_all(&self, hint: &str) -> String {
        hint.split('`')
            .enumerate()
            .map(|(index, part)| {
                // Every second part stands in backticks.
                if index % 2 == 1 {
                    format!("`{}`", self.complete(part))
                } else {
                    part.to_owned()
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rinit_cli::InitArguments;
    use rinit_plan::Secret;

    use super::*;

    fn given(common: &CommonArguments, overrides: Overrides) -> Given {
        let global = GlobalArguments {
            root: Some("/my root".into()),
            ..GlobalArguments::default()
        };
        let flags = crate::settings::of_init(&InitArguments {
            reconfigure: false,
            common: common.clone(),
            flags: rinit_cli::OfInit { overrides },
        });
        let address = IpAddr::from([192, 0, 2, 1]);
        Given::new(&global, common, &flags, address)
    }

    #[test]
    fn commands_of_rinit_get_the_flags_of_this_run() {
        let common = CommonArguments {
            config: Some("a.yaml".into()),
            ..CommonArguments::default()
        };
        let given = given(
            &common,
            Overrides {
                cri_socket: Some("unix:///s".to_owned()),
                apiserver_cert_extra_sans: vec!["a.b".to_owned(), "c.d".to_owned()],
                token: Some(Secret::new("abcdef.0123456789abcdef".to_owned())),
                ..Overrides::default()
            },
        );
        assert_eq!(
            given.complete_all("`rinit init phase certs ca` makes it; see `ls`"),
            "`rinit init phase certs ca --config a.yaml --root '/my root' \
             --apiserver-cert-extra-sans a.b,c.d --cri-socket unix:///s` makes it; see `ls`"
        );
        assert_eq!(
            given.complete("rinit certs renew apiserver"),
            "rinit certs renew apiserver --config a.yaml --root '/my root' \
             --apiserver-cert-extra-sans a.b,c.d"
        );
        assert_eq!(
            given.complete("rinit certs ca prune"),
            "rinit certs ca prune --config a.yaml --root '/my root'"
        );
        let help = "`rinit init phase --help` lists them";
        assert_eq!(given.complete_all(help), help);
    }

    #[test]
    fn a_hint_of_several_problems_stands_behind_the_last() {
        let overrides = Overrides {
            node_name: Some("a".to_owned()),
            ..Overrides::default()
        };
        let given = given(&CommonArguments::default(), overrides);
        let problem = |message: &str, hint: &str| Problem::new(message).with_hint(hint);
        let hints: Vec<Option<String>> = given
            .complete_problems(&[
                problem("a", "`rinit certs renew x`"),
                problem("b", "`rinit certs renew x`"),
                problem("c", "`rinit certs renew y --config FILE`"),
                Problem::new("d"),
            ])
            .into_iter()
            .map(|problem| problem.hint)
            .collect();
        let whole = |command: &str| Some(format!("`{command} --root '/my root' --node-name a`"));
        assert_eq!(
            hints,
            [
                None,
                whole("rinit certs renew x"),
                whole("rinit certs renew y --config FILE"),
                None
            ]
        );
    }

    #[test]
    fn a_renewal_without_any_configuration_is_told_the_address() {
        assert_eq!(
            given(&CommonArguments::default(), Overrides::default())
                .complete("rinit certs renew all"),
            "rinit certs renew all --root '/my root' --apiserver-advertise-address 192.0.2.1"
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(shell_word("/a-b/c.yaml"), "/a-b/c.yaml");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
