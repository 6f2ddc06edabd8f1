//! Authorities, leaf certificates and the key pair of service accounts.
//!
//! The key is written before the certificate, so that the certificate marks the pair as complete.
//! A key that stands alone is what a run that was killed has left, or the user's own: it is never
//! overwritten, and the certificate is made for it.

use std::sync::Arc;

use rinit_diag::Problem;
use rinit_pki::{Authority, Certificate, Finding, Leaf, PkiError, PrivateKey, SignedBy};
use rinit_plan::{
    Action, CaId, CertificateAuthoritySpec, CertificateBundle, CertificateSpec, FileMode,
    KeyAlgorithm, KeyPairSpec, LogicalPath, Resource, Secret, Severity, Signer,
};
use rinit_workflow::{Ensured, Remedy, State};

use crate::{Apply, ApplyError};

/// A key, and whether it still has to be written.
struct Found {
    key: PrivateKey,
    is_new: bool,
}

impl Apply {
    pub(crate) fn inspect_authority(
        &self,
        spec: &CertificateAuthoritySpec,
    ) -> Result<State, ApplyError> {
        let Some(certificate) = self.host.read(&spec.certificate)? else {
            return Ok(self.lone_key(&spec.key)?.unwrap_or(State::Absent));
        };
        let key = self.authority_key(&spec.key)?;
        let key = key.as_ref().map(|key| key.expose().as_slice());
        let mut state = verdict(
            rinit_pki::judge_authority(spec, &certificate, key, self.now),
            None,
        );
        self.tells_of(spec.id);
        if let (State::Holds { warnings, .. }, Some(key)) = (&mut state, key)
            && let Ok(authority) = Authority::load(&certificate, key, self.now)
            && authority.signs_as().not_after > self.now
        {
            warnings.extend(self.ends_first(&authority, &spec.signer()));
            if spec.id == CaId::Cluster {
                warnings.extend(self.stale_signer(&authority)?);
            }
        }
        Ok(state)
    }

    /// The key of an authority, if it is here. It may be readable by root alone; then the certificate
    /// tells enough.
    fn authority_key(&self, path: &LogicalPath) -> Result<Option<Secret<Vec<u8>>>, ApplyError> {
        match self.host.read(path) {
            Ok(key) => Ok(key.map(Secret::new)),
            Err(error) if error.is_permission_denied() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What there is to say of the controller manager's own copy of the signing certificate, which
    /// a file with several makes necessary, if another key signs now.
    fn stale_signer(&self, authority: &Authority) -> Result<Option<Problem>, ApplyError> {
        let path = &self.cluster_signer;
        let Some(copy) = self.host.read(path)? else {
            return Ok(None);
        };
        let signer = authority.certificate();
        let is_current = Certificate::read_all(&copy)
            .is_ok_and(|found| matches!(&found[..], [only] if only.der == signer.der));
        Ok((!is_current).then(|| {
            Problem::new(format!(
                "{path} is not the certificate of the key that signs for the cluster: the \
                 controller manager cannot sign with it"
            ))
            .with_hint(
                "Write it anew, and what names it: `rinit init phase control-plane \
                 controller-manager`.",
            )
        }))
    }

    /// What stands in the way of signing a leaf of that name with an authority that is there. It is
    /// asked by who wants to be signed, since the authority's own action may be no part of the run.
    pub(crate) fn unfit_signer(
        &self,
        signer: &Signer,
        name: &str,
        leaf: Leaf<'_>,
    ) -> Result<Option<State>, ApplyError> {
        let Some(certificate) = self.host.read(&signer.certificate)? else {
            return Ok(None);
        };
        let key = self.authority_key(&signer.key)?;
        let key = key.as_ref().map(|key| key.expose().as_slice());
        let mut findings = rinit_pki::judge_signer(signer, &certificate, key, self.now);
        if let Some(key) = key
            && let Ok(authority) = Authority::load(&certificate, key, self.now)
        {
            let finding = rinit_pki::judge_signing(signer, &authority, name, leaf);
            findings.extend(finding.map_err(|source| ApplyError::Issue {
                path: signer.certificate.clone(),
                source,
            })?);
        }
        let state = verdict(findings, None);
        Ok((!state.holds()).then_some(state))
    }

    /// What there is to say of an authority that ends before what it signs would.
    fn ends_first(&self, authority: &Authority, signer: &Signer) -> Option<Problem> {
        let message = authority
            .signs_as()
            .ends_before(signer.id, self.leaf_not_after)?;
        Some(Problem::new(message).with_hint(authority.renewal_hint(signer)))
    }

    /// Notes that the warnings about an authority are told; answers whether they were not before.
    fn tells_of(&self, authority: CaId) -> bool {
        self.told
            .lock()
            .is_ok_and(|mut told| told.insert(authority))
    }

    /// What there is to say of an authority that has just signed, unless its own action is a part
    /// of this run and has told it.
    pub(crate) fn signer_warnings(
        &self,
        authority: &Authority,
        signer: &Signer,
    ) -> Result<Vec<Problem>, ApplyError> {
        if !self.tells_of(signer.id) {
            return Ok(Vec::new());
        }
        let certificate = self.host.read(&signer.certificate)?.unwrap_or_default();
        let key = self.authority_key(&signer.key)?;
        let key = key.as_ref().map(|key| key.expose().as_slice());
        let findings = rinit_pki::judge_signer(signer, &certificate, key, self.now);
        let mut warnings: Vec<Problem> = findings
            .into_iter()
            .filter(|finding| finding.severity() == Severity::Warning)
            .map(Problem::from)
            .collect();
        if authority.signs_as().not_after > self.now {
            warnings.extend(self.ends_first(authority, signer));
        }
        Ok(warnings)
    }

    pub(crate) async fn ensure_authority(
        &self,
        spec: &CertificateAuthoritySpec,
    ) -> Result<Ensured, ApplyError> {
        let key = self.key_for(&spec.key, spec.algorithm).await?;
        let mut warnings = Vec::new();
        if !key.is_new {
            // A run that was cut off leaves a key alone, and so does who loses a certificate.
            let message = format!(
                "{} was missing and is made anew, for the key {} that was there: whoever trusts an \
                 earlier certificate of this authority does not trust this one",
                spec.certificate, spec.key
            );
            warnings.push(Problem::new(message).with_hint(format!(
                "If there is an earlier certificate for this key, put it back into {} before \
                 anything else is made; a run that was cut off has left none.",
                spec.certificate
            )));
        }
        self.certify(key, &spec.key, &spec.certificate, |key| {
            rinit_pki::issue_authority(spec, key)
        })
        .await?;
        Ok(Ensured {
            warnings,
            ..Ensured::default()
        })
    }

    pub(crate) fn inspect_certificate(&self, spec: &CertificateSpec) -> Result<State, ApplyError> {
        let authority = self.host.read(&spec.signer.certificate)?;
        let remedy = || self.remedy(&spec.signer, &spec.name);
        let Some(certificate) = self.host.read(&spec.certificate)? else {
            if authority.is_some() && !self.host.exists(&spec.signer.key)? {
                return Ok(unsigned(&spec.signer, &spec.certificate, remedy()));
            }
            return Ok(match self.lone_key_fault(&spec.key)? {
                Some(problem) => State::Unfit {
                    problems: vec![problem],
                    remedy: remedy(),
                },
                None => self
                    .unfit_signer(&spec.signer, &spec.name, spec.into())?
                    .unwrap_or(State::Absent),
            });
        };
        let Some(authority) = authority else {
            return Ok(orphan(&spec.certificate, &spec.signer, remedy()));
        };
        let key = self.host.read(&spec.key)?.map(Secret::new);
        let findings = rinit_pki::judge_leaf(
            spec,
            &certificate,
            key.as_ref().map(|key| key.expose().as_slice()),
            &authority,
            self.now,
        );
        let remedy = self.remedy_of(&findings, &spec.signer, &spec.name);
        let state = verdict(findings, Some(remedy));
        Ok(signed(state, &certificate, &authority))
    }

    pub(crate) async fn ensure_certificate(
        &self,
        spec: &CertificateSpec,
    ) -> Result<Ensured, ApplyError> {
        let authority = self.authority(&spec.signer)?;
        let key = self.key_for(&spec.key, spec.algorithm).await?;
        self.certify(key, &spec.key, &spec.certificate, |key| {
            authority.issue(spec, key)
        })
        .await?;
        Ok(Ensured {
            warnings: self.signer_warnings(&authority, &spec.signer)?,
            detail: Some(format!("signed by {}", authority.signs_as())),
            ..Ensured::default()
        })
    }

    pub(crate) fn inspect_key_pair(&self, spec: &KeyPairSpec) -> Result<State, ApplyError> {
        let Some(private_key) = self.host.read(&spec.private_key)? else {
            if !self.host.exists(&spec.public_key)? {
                return Ok(State::Absent);
            }
            let problem = Problem::new(format!(
                "{} is there without its private key {}",
                spec.public_key, spec.private_key
            ));
            let hint = format!(
                "Put the private key there, or move {} away to have a new pair made.",
                spec.public_key
            );
            return Ok(State::Blocked {
                problems: vec![problem.with_hint(hint)],
                conflict: false,
            });
        };
        let Some(public_key) = self.host.read(&spec.public_key)? else {
            return Ok(match PrivateKey::load(&private_key) {
                Ok(_) => State::Absent,
                Err(_) => verdict(rinit_pki::judge_key_pair(spec, &private_key, None), None),
            });
        };
        Ok(verdict(
            rinit_pki::judge_key_pair(spec, &private_key, Some(&public_key)),
            None,
        ))
    }

    pub(crate) async fn ensure_key_pair(&self, spec: &KeyPairSpec) -> Result<Ensured, ApplyError> {
        let key = self.key_for(&spec.private_key, spec.algorithm).await?;
        let text = key.key.public_key_pem();
        let detail =
            (!key.is_new).then(|| format!("wrote {} for the key that was there", spec.public_key));
        self.write_beside(
            key,
            &spec.private_key,
            &spec.public_key,
            FileMode::PRIVATE,
            text,
        )
        .await?;
        Ok(Ensured {
            detail,
            ..Ensured::default()
        })
    }

    /// The key in that file; a new one if there is none.
    async fn key_for(
        &self,
        path: &LogicalPath,
        algorithm: KeyAlgorithm,
    ) -> Result<Found, ApplyError> {
        if let Some(pem) = self.host.read(path)? {
            let key = PrivateKey::load(&pem).map_err(|source| ApplyError::Material {
                path: path.clone(),
                source,
            })?;
            return Ok(Found { key, is_new: false });
        }
        let key = self.draw_key(path, algorithm).await?;
        Ok(Found { key, is_new: true })
    }

    /// Has the certificate of a key issued, and writes it.
    async fn certify(
        &self,
        found: Found,
        key_path: &LogicalPath,
        path: &LogicalPath,
        issue: impl FnOnce(&PrivateKey) -> Result<CertificateBundle, PkiError>,
    ) -> Result<(), ApplyError> {
        let certificate = issue(&found.key).map_err(|source| ApplyError::Issue {
            path: path.clone(),
            source,
        })?;
        self.write_beside(found, key_path, path, FileMode::PUBLIC, certificate.into())
            .await
    }

    /// Writes what was made for a key, and before it the key if that is new.
    async fn write_beside(
        &self,
        found: Found,
        key_path: &LogicalPath,
        path: &LogicalPath,
        mode: FileMode,
        text: String,
    ) -> Result<(), ApplyError> {
        let (key_path, path) = (key_path.clone(), path.clone());
        self.write(move |host| {
            let made = (&path, mode, text.as_bytes());
            if found.is_new {
                let key = found.key.pem().expose().as_bytes();
                host.write_pair((&key_path, FileMode::PRIVATE, key), made)
            } else {
                host.write(made.0, made.1, made.2)
            }
        })
        .await
    }

    /// A new key, from those made in the background if there are any.
    pub(crate) async fn draw_key(
        &self,
        path: &LogicalPath,
        algorithm: KeyAlgorithm,
    ) -> Result<PrivateKey, ApplyError> {
        let pool = self
            .keys
            .lock()
            .ok()
            .and_then(|keys| keys.as_ref().map(Arc::clone));
        let ready = pool.as_ref().and_then(|pool| pool.take_ready(algorithm));
        let made = if let Some(made) = ready {
            Ok(made)
        } else {
            let make = move || match pool {
                Some(pool) => pool.take(algorithm),
                None => PrivateKey::generate(algorithm),
            };
            tokio::task::spawn_blocking(make).await
        };
        match made {
            Ok(key) => key.map_err(|source| ApplyError::Issue {
                path: path.clone(),
                source,
            }),
            Err(_) => Err(ApplyError::Impossible(format!(
                "the generation of a key for {path} ended unexpectedly"
            ))),
        }
    }

    /// The algorithm of the key that an action will have to make.
    pub(crate) fn new_key(&self, action: &Action) -> Option<KeyAlgorithm> {
        let (path, algorithm) = match action {
            Action::Ensure(Resource::CertificateAuthority(spec)) => (&spec.key, spec.algorithm),
            Action::Ensure(Resource::Certificate(spec)) => (&spec.key, spec.algorithm),
            Action::Ensure(Resource::KeyPair(spec)) => (&spec.private_key, spec.algorithm),
            Action::Ensure(Resource::Kubeconfig(spec)) => (&spec.path, spec.algorithm),
            _ => return None,
        };
        (!self.host.exists(path).unwrap_or(true)).then_some(algorithm)
    }

    /// A signer from its files.
    pub(crate) fn authority(&self, signer: &Signer) -> Result<Authority, ApplyError> {
        let read = |path: &LogicalPath| {
            self.host
                .read(path)?
                .ok_or_else(|| ApplyError::Missing { path: path.clone() })
        };
        Authority::load(&read(&signer.certificate)?, &read(&signer.key)?, self.now).map_err(
            |source| ApplyError::Material {
                path: signer.certificate.clone(),
                source,
            },
        )
    }

    /// What to say of an authority's key without its certificate: nothing if it can be used.
    fn lone_key(&self, path: &LogicalPath) -> Result<Option<State>, ApplyError> {
        let problem = self.lone_key_fault(path)?;
        Ok(problem.map(|problem| State::Blocked {
            problems: vec![problem.with_hint(format!("Move {path} away to have a new key made."))],
            conflict: false,
        }))
    }

    /// Why a key without its certificate cannot be used.
    fn lone_key_fault(&self, path: &LogicalPath) -> Result<Option<Problem>, ApplyError> {
        let pem = self.host.read(path)?.map(Secret::new);
        let fault = pem.and_then(|pem| PrivateKey::load(pem.expose()).err());
        Ok(fault.map(|error: PkiError| Problem::new(format!("{path}: {error}"))))
    }
}

/// What findings mean: errors stand in the way, the rest is told. Findings without a hint of their
/// own share the remedy.
pub(crate) fn verdict(findings: Vec<Finding>, remedy: Option<Remedy>) -> State {
    let (errors, warnings): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.severity() == Severity::Error);
    let problems = |findings: Vec<Finding>| findings.into_iter().map(Problem::from).collect();
    match (errors.is_empty(), remedy) {
        (true, remedy) => State::Holds {
            remedy: remedy.filter(|_| !warnings.is_empty()),
            warnings: problems(warnings),
            detail: None,
        },
        (false, Some(remedy)) => State::Unfit {
            problems: problems(errors),
            remedy,
        },
        (false, None) => State::Blocked {
            problems: problems(errors),
            conflict: false,
        },
    }
}

/// A certificate that holds, with which of the authority's has signed it.
pub(crate) fn signed(mut state: State, certificate: &[u8], authority: &[u8]) -> State {
    if let State::Holds { detail, .. } = &mut state {
        *detail = SignedBy::find(certificate, authority).map(|by| format!("signed by {by}"));
    }
    state
}

/// A certificate is missing, and its authority signs elsewhere.
pub(crate) fn unsigned(signer: &Signer, path: &LogicalPath, remedy: Remedy) -> State {
    State::Unfit {
        problems: vec![Problem::new(format!(
            "{path} is missing, and {} has no key here to sign it with",
            signer.certificate
        ))],
        remedy,
    }
}

/// A certificate or kubeconfig stands there without its authority.
pub(crate) fn orphan(path: &LogicalPath, signer: &Signer, remedy: Remedy) -> State {
    State::Unfit {
        problems: vec![Problem::new(format!(
            "{path} is there, but not its authority {}",
            signer.certificate
        ))],
        remedy,
    }
}
