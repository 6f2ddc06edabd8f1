//! Kubeconfigs, and the kubelet's own renewal of its client certificate.

use rinit_diag::Problem;
use rinit_manifest::kubeconfig::{CurrentContext, Kubeconfig, KubeconfigError, Source};
use rinit_manifest::yaml;
use rinit_pki::{Certificate, Trust};
use rinit_plan::{ClientRotation, KubeconfigSpec, LogicalPath, Secret};
use rinit_workflow::{Ensured, Remedy, State};
use serde_json::Value;

use crate::pairs::{orphan, signed, unsigned, verdict};
use crate::remedies::{only_the_authority, or_the_authority};
use crate::{Apply, ApplyError};

impl Apply {
    pub(crate) fn inspect_kubeconfig(&self, spec: &KubeconfigSpec) -> Result<State, ApplyError> {
        let authority = self.host.read(&spec.signer.certificate)?;
        let remedy = || self.remedy(&spec.signer, &spec.name);
        let Some(text) = self.host.read(&spec.path)?.map(Secret::new) else {
            if authority.is_some() && !self.host.exists(&spec.signer.key)? {
                return Ok(unsigned(&spec.signer, &spec.path, remedy()));
            }
            return Ok(self
                .unfit_signer(&spec.signer, &spec.name, spec.into())?
                .unwrap_or(State::Absent));
        };
        let unfit = |message: String| State::Unfit {
            problems: vec![Problem::new(message)],
            remedy: remedy(),
        };
        let Some(authority) = authority else {
            return Ok(orphan(&spec.path, &spec.signer, remedy()));
        };
        let Ok(text) = std::str::from_utf8(text.expose()) else {
            return Ok(unfit(format!("{}: the kubeconfig is not UTF-8", spec.path)));
        };
        let context = match CurrentContext::parse(text) {
            Ok(context) => context,
            Err(error) => {
                let message = format!("{}: {}", spec.path, rinit_diag::chain(&error));
                return Ok(match error {
                    KubeconfigError::Twice { .. } => State::Unfit {
                        problems: vec![Problem::new(message)],
                        remedy: one_of_two(spec),
                    },
                    _ => unfit(message),
                });
            }
        };
        let remedy = || {
            if context.token.is_some() && context.client_certificate.is_none() {
                own_credentials(spec)
            } else {
                remedy()
            }
        };
        let mut state = self.judge_client(spec, &context, &authority)?;
        match self.trust(spec, &context, &authority)? {
            Trusted::Whole => {}
            Trusted::Partly(problem) => warn(&mut state, problem, remedy()),
            Trusted::More(problem) => warn(&mut state, problem, only_the_authority(&spec.name)),
            Trusted::Other(problem) => {
                refuse(
                    &mut state,
                    problem,
                    or_the_authority(remedy(), &spec.signer),
                );
            }
        }
        if context.server != spec.server
            && self.reconfigures
            && matches!(state, State::Holds { .. })
        {
            return Ok(State::Differs {
                diff: format!("- server: {}\n+ server: {}", context.server, spec.server),
            });
        }
        if context.server != spec.server {
            let problem = Problem::new(format!(
                "{} leads to {} instead of {}",
                spec.path, context.server, spec.server
            ));
            warn(&mut state, problem, remedy());
        }
        Ok(state)
    }

    /// Whether a kubeconfig trusts the authority of its cluster.
    fn trust(
        &self,
        spec: &KubeconfigSpec,
        context: &CurrentContext,
        authority: &[u8],
    ) -> Result<Trusted, ApplyError> {
        // An authority that cannot be read is told once, by its own action.
        if rinit_pki::public_key_pins(authority).is_err() {
            return Ok(Trusted::Whole);
        }
        let Some(trusted) = self.bytes(&spec.path, context.ca.as_ref())? else {
            return Ok(Trusted::Other(Problem::new(format!(
                "{} has no certificate of its authority",
                spec.path
            ))));
        };
        let trust = match Trust::between(trusted.expose(), authority) {
            Ok(trust) => trust,
            Err(error) => {
                return Ok(Trusted::Other(Problem::new(format!(
                    "whom {} trusts cannot be read: {error}",
                    spec.path
                ))));
            }
        };
        if trust.is_other() {
            return Ok(Trusted::Other(Problem::new(format!(
                "{} trusts another authority than {}",
                spec.path, spec.signer.certificate
            ))));
        }
        if trust.is_same() {
            return Ok(Trusted::Whole);
        }
        let mut differences = Vec::new();
        if !trust.missing.is_empty() {
            differences.push(format!(
                "it lacks {}",
                Trust::names(&trust.missing, self.now)
            ));
        }
        if !trust.foreign.is_empty() {
            differences.push(format!(
                "it has {} too",
                Trust::names(&trust.foreign, self.now)
            ));
        }
        let problem = Problem::new(format!(
            "{} does not trust just the certificates of {}: {}",
            spec.path,
            spec.signer.certificate,
            differences.join(", and ")
        ));
        if trust.missing.is_empty() {
            Ok(Trusted::More(problem))
        } else {
            Ok(Trusted::Partly(problem))
        }
    }

    /// Judges the client certificate, embedded or in a file that the kubelet keeps new.
    fn judge_client(
        &self,
        spec: &KubeconfigSpec,
        context: &CurrentContext,
        authority: &[u8],
    ) -> Result<State, ApplyError> {
        let certificate = self.bytes(&spec.path, context.client_certificate.as_ref())?;
        let key = self.bytes(&spec.path, context.client_key.as_ref())?;
        match certificate {
            Some(certificate) => {
                let findings = rinit_pki::judge_client(
                    spec,
                    certificate.expose(),
                    key.as_ref().map(|key| key.expose().as_slice()),
                    authority,
                    self.now,
                );
                let remedy = self.remedy_of(&findings, &spec.signer, &spec.name);
                let state = verdict(findings, Some(remedy));
                Ok(signed(state, certificate.expose(), authority))
            }
            // Credentials of another kind, such as a token, are the user's own business.
            None if context.token.is_some() => Ok(State::HOLDS),
            None => Ok(State::Unfit {
                problems: vec![Problem::new(format!(
                    "{} has no client certificate",
                    spec.path
                ))],
                remedy: self.remedy(&spec.signer, &spec.name),
            }),
        }
    }

    pub(crate) async fn ensure_kubeconfig(
        &self,
        spec: &KubeconfigSpec,
    ) -> Result<Ensured, ApplyError> {
        if let Some(document) = self.kubeconfig_document(&spec.path)? {
            return self.change_server(spec, document);
        }
        let authority = self.authority(&spec.signer)?;
        let issue = |source| ApplyError::Issue {
            path: spec.path.clone(),
            source,
        };
        let key = self.draw_key(&spec.path, spec.algorithm).await?;
        let client_certificate = authority.issue(spec, &key).map_err(issue)?;
        let text = Kubeconfig {
            server: &spec.server,
            cluster_name: &spec.cluster_name,
            user: &spec.subject.common_name,
            ca_certificates: &Certificate::bundle(&authority.certificates),
            client_certificate: &client_certificate,
            client_key: key.pem(),
        }
        .to_yaml(self.writes_preferences);
        let path = spec.path.clone();
        self.write(move |host| host.write(&path, KubeconfigSpec::MODE, text.expose().as_bytes()))
            .await?;
        Ok(Ensured {
            warnings: self.signer_warnings(&authority, &spec.signer)?,
            detail: Some(format!("signed by {}", authority.signs_as())),
            ..Ensured::default()
        })
    }

    /// Has the current context of a kubeconfig lead to the server of the configuration. Whoever it
    /// trusts and its user stay.
    fn change_server(
        &self,
        spec: &KubeconfigSpec,
        mut document: Value,
    ) -> Result<Ensured, ApplyError> {
        let malformed = |reason: String| ApplyError::Malformed {
            path: spec.path.clone(),
            reason,
        };
        let named = |list: &str, name: &Value| {
            let entries = document[list].as_array();
            entries.and_then(|list| list.iter().position(|entry| entry["name"] == *name))
        };
        let name = &document["current-context"];
        let cluster = named("contexts", name)
            .and_then(|at| named("clusters", &document["contexts"][at]["context"]["cluster"]))
            .ok_or_else(|| malformed("its current context names no cluster".to_owned()))?;
        document["clusters"][cluster]["cluster"]["server"] = spec.server.as_str().into();
        let text = Secret::new(yaml::to_string(&document));
        let (path, mode) = (&spec.path, KubeconfigSpec::MODE);
        self.host.write(path, mode, text.expose().as_bytes())?;
        Ok(Ensured::default())
    }

    /// The bytes of a source; a file named relatively lies beside the kubeconfig.
    pub(crate) fn bytes(
        &self,
        kubeconfig: &LogicalPath,
        source: Option<&Source>,
    ) -> Result<Option<Secret<Vec<u8>>>, ApplyError> {
        match source {
            None => Ok(None),
            Some(Source::Data(bytes)) => Ok(Some(bytes.clone())),
            Some(Source::File(file)) => {
                let path = kubeconfig
                    .beside(file)
                    .map_err(|error| ApplyError::Malformed {
                        path: kubeconfig.clone(),
                        reason: error.to_string(),
                    })?;
                Ok(self.host.read(&path)?.map(Secret::new))
            }
        }
    }

    pub(crate) fn inspect_rotation(&self, spec: &ClientRotation) -> Result<State, ApplyError> {
        if !self.host.exists(&spec.certificate)? {
            return Ok(State::Unknown {
                reason: format!("the kubelet has not written {} yet", spec.certificate),
            });
        }
        let Some(document) = self.kubeconfig_document(&spec.kubeconfig)? else {
            return Ok(State::Absent);
        };
        let Some(user) = user_entry(&document, &spec.user) else {
            return Ok(State::Blocked {
                problems: vec![Problem::new(format!(
                    "{} has no user {}",
                    spec.kubeconfig, spec.user
                ))],
                conflict: false,
            });
        };
        let points = ["client-certificate", "client-key"]
            .iter()
            .all(|field| user[*field] == spec.certificate.as_str());
        let embedded = ["client-certificate-data", "client-key-data"]
            .iter()
            .any(|field| user.get(*field).is_some());
        if points && !embedded {
            return Ok(State::HOLDS);
        }
        Ok(State::Differs {
            diff: format!(
                "- client certificate and key embedded\n+ client-certificate: {0}\n+ client-key: {0}",
                spec.certificate
            ),
        })
    }

    pub(crate) fn ensure_rotation(&self, spec: &ClientRotation) -> Result<Ensured, ApplyError> {
        // A kubelet that has not made its own certificate by now goes on with the embedded one.
        if !self.host.exists(&spec.certificate)? {
            return Ok(Ensured {
                unchanged: true,
                ..Ensured::default()
            });
        }
        let missing = || ApplyError::Missing {
            path: spec.kubeconfig.clone(),
        };
        let mut document = self
            .kubeconfig_document(&spec.kubeconfig)?
            .ok_or_else(missing)?;
        let entry = document["users"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .find(|entry| entry["name"] == spec.user.as_str())
            .and_then(|entry| entry["user"].as_object_mut())
            .ok_or_else(|| ApplyError::Malformed {
                path: spec.kubeconfig.clone(),
                reason: format!("it has no user {}", spec.user),
            })?;
        for field in ["client-certificate-data", "client-key-data"] {
            entry.remove(field);
        }
        for field in ["client-certificate", "client-key"] {
            entry.insert(field.to_owned(), Value::from(spec.certificate.as_str()));
        }
        let text = Secret::new(yaml::to_string(&document));
        self.host.write(
            &spec.kubeconfig,
            KubeconfigSpec::MODE,
            text.expose().as_bytes(),
        )?;
        Ok(Ensured::default())
    }

    fn kubeconfig_document(&self, path: &LogicalPath) -> Result<Option<Value>, ApplyError> {
        let Some(text) = self.host.read_text(path)? else {
            return Ok(None);
        };
        let text = Secret::new(text);
        let mut documents =
            yaml::parse_documents(text.expose()).map_err(|_| ApplyError::Malformed {
                path: path.clone(),
                reason: "it is no YAML".to_owned(),
            })?;
        Ok(documents.pop())
    }
}

/// How a kubeconfig stands to the authority of its cluster.
enum Trusted {
    /// It trusts just its certificates.
    Whole,
    /// It trusts some of them.
    Partly(Problem),
    /// It trusts all of them, and others.
    More(Problem),
    /// It trusts none of them.
    Other(Problem),
}

/// The way out where a kubeconfig has a token, which only its user knows how to get.
fn own_credentials(spec: &KubeconfigSpec) -> Remedy {
    let phase = spec.name.strip_suffix(".conf").unwrap_or(&spec.name);
    Remedy {
        text: format!(
            "Its token is the user's own: put the right server and authority into {0}, or move \
             {0} away and make it anew with `rinit init phase kubeconfig {phase}`.",
            spec.path
        ),
        note: None,
        subject: spec.name.clone(),
    }
}

/// The way out where something has one name twice, and all of it may be of use.
fn one_of_two(spec: &KubeconfigSpec) -> Remedy {
    Remedy {
        text: format!(
            "Take one of the two out of {} with an editor, or rename it.",
            spec.path
        ),
        note: None,
        subject: spec.name.clone(),
    }
}

/// Adds something to be said.
fn warn(state: &mut State, problem: Problem, remedy: Remedy) {
    match state {
        State::Holds {
            warnings,
            remedy: known,
            ..
        } => {
            warnings.push(problem);
            known.get_or_insert(remedy);
        }
        State::Unfit { problems, .. } => problems.push(problem),
        _ => {}
    }
}

/// Adds something that init does not accept.
fn refuse(state: &mut State, problem: Problem, remedy: Remedy) {
    let mut problems = vec![problem];
    match state {
        State::Unfit { problems: more, .. } => problems.append(more),
        State::Holds { warnings, .. } => problems.append(warnings),
        _ => {}
    }
    *state = State::Unfit { problems, remedy };
}

fn user_entry<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document["users"]
        .as_array()?
        .iter()
        .find(|entry| entry["name"] == name)?
        .get("user")
}
