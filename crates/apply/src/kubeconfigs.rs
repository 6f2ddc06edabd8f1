//! Kubeconfigs, and the kubelet's own renewal of its client certificate.

use rinit_diag::Problem;
use rinit_manifest::kubeconfig::{CurrentContext, Kubeconfig, Source};
use rinit_manifest::yaml;
use rinit_plan::{ClientRotation, KubeconfigSpec, LogicalPath, Secret};
use rinit_workflow::{Ensured, State};
use serde_json::Value;

use crate::pairs::{unsigned, verdict};
use crate::{Apply, ApplyError};

impl Apply {
    pub(crate) fn inspect_kubeconfig(&self, spec: &KubeconfigSpec) -> Result<State, ApplyError> {
        let authority = self.host.read(&spec.signer.certificate)?;
        let Some(text) = self.host.read_text(&spec.path)? else {
            if authority.is_some() && !self.host.exists(&spec.signer.key)? {
                return Ok(unsigned(&spec.signer, &spec.path, None));
            }
            return Ok(State::Absent);
        };
        let again = format!(
            "Move {} away, then run `rinit init phase kubeconfig {}`.",
            spec.path,
            spec.name.strip_suffix(".conf").unwrap_or(&spec.name)
        );
        let refuse = |message: String| State::Blocked {
            problems: vec![Problem::new(message).with_hint(again.clone())],
            conflict: false,
        };
        let context = match CurrentContext::parse(&text) {
            Ok(context) => context,
            Err(error) => {
                return Ok(refuse(format!(
                    "{}: {}",
                    spec.path,
                    rinit_diag::chain(&error)
                )));
            }
        };
        let Some(authority) = authority else {
            return Ok(refuse(format!(
                "{} is there, but not its authority {}",
                spec.path, spec.signer.certificate
            )));
        };
        let trusted = self
            .bytes(&spec.path, context.ca.as_ref())?
            .unwrap_or_else(|| Secret::new(Vec::new()));
        if trusted.expose().trim_ascii() != authority.trim_ascii() {
            return Ok(refuse(format!(
                "{} trusts another authority than {}",
                spec.path, spec.signer.certificate
            )));
        }
        let mut state = self.judge_client(spec, &context, &authority)?;
        if let State::Holds { warnings } = &mut state
            && context.server != spec.server
        {
            warnings.push(
                Problem::new(format!(
                    "{} leads to {} instead of {}",
                    spec.path, context.server, spec.server
                ))
                .with_hint(again),
            );
        }
        Ok(state)
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
            Some(certificate) => Ok(verdict(rinit_pki::judge_client(
                spec,
                certificate.expose(),
                key.as_ref().map(|key| key.expose().as_slice()),
                authority,
                self.now,
            ))),
            // Credentials of another kind, such as a token, are the user's own business.
            None if context.token.is_some() => Ok(State::HOLDS),
            None => Ok(State::Blocked {
                problems: vec![Problem::new(format!(
                    "{} has no client certificate",
                    spec.path
                ))],
                conflict: false,
            }),
        }
    }

    pub(crate) async fn ensure_kubeconfig(
        &self,
        spec: &KubeconfigSpec,
    ) -> Result<Ensured, ApplyError> {
        let authority = self.authority(&spec.signer)?;
        let issue = |source| ApplyError::Issue {
            path: spec.path.clone(),
            source,
        };
        let key = self.draw_key(&spec.path, spec.algorithm).await?;
        let client_certificate = authority.issue(spec, &key).map_err(issue)?;
        let ca = self
            .host
            .read_text(&spec.signer.certificate)?
            .ok_or_else(|| ApplyError::Missing {
                path: spec.signer.certificate.clone(),
            })?;
        let text = Kubeconfig {
            server: &spec.server,
            cluster_name: &spec.cluster_name,
            user: &spec.subject.common_name,
            ca_certificates: &ca,
            client_certificate: &client_certificate,
            client_key: key.pem(),
        }
        .to_yaml(self.writes_preferences);
        self.host
            .write(&spec.path, KubeconfigSpec::MODE, text.expose().as_bytes())?;
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
                let text = if file.starts_with('/') {
                    file.clone()
                } else {
                    format!("{}/{file}", kubeconfig.parent())
                };
                let path = LogicalPath::parse(&text).map_err(|error| ApplyError::Malformed {
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

    /// Whether an earlier init has come to its end: the kubelet's kubeconfig points at a
    /// certificate that the kubelet renews, which is written after the cluster's configuration.
    pub(crate) fn is_finished(&self) -> bool {
        let text = self.host.read_text(&self.kubelet_kubeconfig).ok().flatten();
        text.map(Secret::new).is_some_and(|text| {
            CurrentContext::parse(text.expose())
                .is_ok_and(|context| matches!(context.client_certificate, Some(Source::File(_))))
        })
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

fn user_entry<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document["users"]
        .as_array()?
        .iter()
        .find(|entry| entry["name"] == name)?
        .get("user")
}
