//! What was typed, for the commands in hints: they must work on the same cluster with the same
//! configuration. Tokens and keys are never repeated.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rinit_cli::{CommonArguments, GlobalArguments, PhaseArguments, SpecificationArguments};
use rinit_diag::Problem;

/// Flags to put behind the commands in hints, each with a space in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// For `rinit init phase …`.
    phase: String,
    /// For `rinit certs …`.
    certificates: String,
    /// The folder that stands for the root of the host.
    root: Option<PathBuf>,
}

/// Which commands take a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Both,
    Phases,
}

impl Given {
    /// The flags of a run. `address` is where the API server is announced: said to a renewal that
    /// is told nothing else, it has the defaults count instead of the old certificates.
    pub(crate) fn new(
        global: &GlobalArguments,
        common: &CommonArguments,
        phase: Option<&PhaseArguments>,
        address: IpAddr,
    ) -> Self {
        let (mut given, decided) = Self::typed(global, common, phase);
        if !decided {
            // Writing to a String does not fail.
            let _ = write!(
                given.certificates,
                " --apiserver-advertise-address {address}"
            );
        }
        given
    }

    /// The flags of a command about certificates.
    pub(crate) fn to_certificates(
        global: &GlobalArguments,
        specification: &SpecificationArguments,
        config: Option<&Path>,
        cert_dir: Option<&str>,
        kubeconfig_dir: Option<&str>,
    ) -> Self {
        let of = specification.clone();
        let common = CommonArguments {
            config: config.map(Path::to_owned),
            cert_dir: cert_dir.map(str::to_owned),
            allow_unknown_fields: of.allow_unknown_fields,
            apiserver_advertise_address: of.apiserver_advertise_address,
            apiserver_bind_port: of.apiserver_bind_port,
            apiserver_cert_extra_sans: of.apiserver_cert_extra_sans,
            control_plane_endpoint: of.control_plane_endpoint,
            kubernetes_version: of.kubernetes_version,
            node_name: of.node_name,
            service_cidr: of.service_cidr,
            service_dns_domain: of.service_dns_domain,
            ..CommonArguments::default()
        };
        let phase = PhaseArguments {
            kubeconfig_dir: kubeconfig_dir.map(str::to_owned),
            ..PhaseArguments::default()
        };
        Self::typed(global, &common, Some(&phase)).0
    }

    /// The flags, and whether any of them decides what certificates say.
    fn typed(
        global: &GlobalArguments,
        common: &CommonArguments,
        phase: Option<&PhaseArguments>,
    ) -> (Self, bool) {
        let root = global.root.as_ref().or(global.rootfs.as_ref());
        let mut given = Self {
            root: root.filter(|root| !root.as_os_str().is_empty()).cloned(),
            ..Self::default()
        };
        let path = |path: &Option<std::path::PathBuf>| {
            path.as_ref().map(|path| path.display().to_string())
        };
        let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        let gates: Vec<String> = common
            .feature_gates
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let values = [
            ("--config", path(&common.config), Takes::Both),
            ("--root", path(&global.root), Takes::Both),
            ("--rootfs", path(&global.rootfs), Takes::Both),
            ("--cert-dir", common.cert_dir.clone(), Takes::Both),
            (
                "--kubeconfig-dir",
                phase.and_then(|phase| phase.kubeconfig_dir.clone()),
                Takes::Both,
            ),
            (
                "--apiserver-advertise-address",
                common.apiserver_advertise_address.clone(),
                Takes::Both,
            ),
            (
                "--apiserver-bind-port",
                common.apiserver_bind_port.map(|port| port.to_string()),
                Takes::Both,
            ),
            (
                "--apiserver-cert-extra-sans",
                list(&common.apiserver_cert_extra_sans),
                Takes::Both,
            ),
            (
                "--control-plane-endpoint",
                common.control_plane_endpoint.clone(),
                Takes::Both,
            ),
            (
                "--kubernetes-version",
                common.kubernetes_version.clone(),
                Takes::Both,
            ),
            ("--node-name", common.node_name.clone(), Takes::Both),
            ("--service-cidr", common.service_cidr.clone(), Takes::Both),
            (
                "--service-dns-domain",
                common.service_dns_domain.clone(),
                Takes::Both,
            ),
            (
                "--pod-network-cidr",
                common.pod_network_cidr.clone(),
                Takes::Phases,
            ),
            ("--cri-socket", common.cri_socket.clone(), Takes::Phases),
            ("--feature-gates", list(&gates), Takes::Phases),
            (
                "--ignore-preflight-errors",
                list(&common.ignore_preflight_errors),
                Takes::Phases,
            ),
            (
                "--image-repository",
                common.image_repository.clone(),
                Takes::Phases,
            ),
            ("--patches", path(&common.patches), Takes::Phases),
            (
                "--kubeconfig",
                phase.and_then(|phase| path(&phase.kubeconfig)),
                Takes::Phases,
            ),
        ];
        let mut decided = false;
        for (flag, value, takes) in values {
            // An empty value is none.
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                decided |= takes == Takes::Both
                    && !matches!(
                        flag,
                        "--root" | "--rootfs" | "--cert-dir" | "--kubeconfig-dir"
                    );
                given.add(flag, Some(&value), takes);
            }
        }
        if common.allow_unknown_fields {
            given.add("--allow-unknown-fields", None, Takes::Both);
        }
        (given, decided)
    }

    fn add(&mut self, flag: &str, value: Option<&str>, takes: Takes) {
        let text = match value {
            Some(value) => format!(" {flag} {}", quoted(value)),
            None => format!(" {flag}"),
        };
        self.phase.push_str(&text);
        if takes == Takes::Both {
            self.certificates.push_str(&text);
        }
    }

    /// Puts the flags behind a command of rinit, and the folder of `--root` in front of files that
    /// are to be moved.
    pub(crate) fn complete(&self, command: &str) -> String {
        if let (Some(root), Some(files)) = (&self.root, command.strip_prefix("mv ")) {
            let below = |file: &str| {
                let path = root.join(file.trim_start_matches('/'));
                format!(" {}", quoted(&path.to_string_lossy()))
            };
            return format!("mv{}", files.split(' ').map(below).collect::<String>());
        }
        // What has flags is complete, but for the file that the user is to name.
        let flags = if command.trim_end_matches(" --config FILE").contains(" --") {
            ""
        } else if command.starts_with("rinit init phase ") {
            &self.phase
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

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(common: &CommonArguments) -> Given {
        let global = GlobalArguments {
            root: Some("/my root".into()),
            ..GlobalArguments::default()
        };
        Given::new(&global, common, None, IpAddr::from([192, 0, 2, 1]))
    }

    #[test]
    fn commands_of_rinit_get_the_flags_of_this_run() {
        let given = given(&CommonArguments {
            config: Some("a.yaml".into()),
            cri_socket: Some("unix:///s".to_owned()),
            apiserver_cert_extra_sans: vec!["a.b".to_owned(), "c.d".to_owned()],
            token: Some("abcdef.0123456789abcdef".to_owned()),
            ..CommonArguments::default()
        });
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
        let help = "`rinit init phase --help` lists them";
        assert_eq!(given.complete_all(help), help);
    }

    #[test]
    fn a_hint_of_several_problems_stands_behind_the_last() {
        let given = given(&CommonArguments {
            node_name: Some("a".to_owned()),
            ..CommonArguments::default()
        });
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
            given(&CommonArguments::default()).complete("rinit certs renew all"),
            "rinit certs renew all --root '/my root' --apiserver-advertise-address 192.0.2.1"
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/a-b/c.yaml"), "/a-b/c.yaml");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
