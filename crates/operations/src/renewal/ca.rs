//! `rinit certs ca renew` and `rinit certs ca prune`: what the files of CAs hold from now on, and
//! the kubeconfigs that trust them.

use std::collections::BTreeMap;

use rinit_diag::Problem;
use rinit_pki::{Authority, Certificate, PkiError, PrivateKey, Trust};
use rinit_plan::{
    Action, CaId, CertificateAuthoritySpec, FileMode, LogicalPath, Resource, Secret, Signer,
    Validity,
};

use super::{LeftReason, LinkTarget, NewFile, Options, Planner, Renewal, kubeconfig, leaf};
use crate::expiration::ReadFile;

/// The names of the CAs in the order of the plans.
pub fn ca_names<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Vec<&'a str> {
    cas(actions).map(|spec| spec.id.name()).collect()
}

fn cas<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
) -> impl Iterator<Item = &'a CertificateAuthoritySpec> {
    actions.into_iter().filter_map(|action| match action {
        Action::Ensure(Resource::CertificateAuthority(spec)) => Some(spec),
        _ => None,
    })
}

/// What the file of a CA holds from now on, and a sentence without its subject on that.
type Change = (Vec<Certificate>, String);

/// What is done to one CA, if anything.
type ChangeOf<'a> =
    dyn Fn(&mut Planner<'_, '_>, &CertificateAuthoritySpec) -> Result<Option<Change>, Problem> + 'a;

impl Renewal {
    /// Plans another certificate for the key of each CA that is asked for, in the place of the one
    /// that signs. Kubeconfigs that trust the old one trust the new one.
    pub fn of_cas(
        actions: &[Action],
        options: &Options,
        read: &mut ReadFile<'_>,
        link: &mut LinkTarget<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let change = |planner: &mut Planner<'_, '_>, spec: &CertificateAuthoritySpec| {
            if options.asks_for(spec.id.name()) {
                planner.renewed_ca(spec)
            } else {
                Ok(None)
            }
        };
        Self::changed_cas(actions, options, read, link, false, &change)
    }

    /// Plans to remove from the files of CAs what is no CA, has expired, or has a successor of the
    /// same key, and CAs older than the current one that have signed nothing here; and all that is
    /// not in the file of the CA from the kubeconfigs that trust it, but for what the API server
    /// still needs.
    pub fn pruned_cas(
        actions: &[Action],
        options: &Options,
        read: &mut ReadFile<'_>,
        link: &mut LinkTarget<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let change = |planner: &mut Planner<'_, '_>, spec: &CertificateAuthoritySpec| {
            planner.pruned_ca(spec, actions)
        };
        Self::changed_cas(actions, options, read, link, true, &change)
    }

    fn changed_cas(
        actions: &[Action],
        options: &Options,
        read: &mut ReadFile<'_>,
        link: &mut LinkTarget<'_>,
        prunes: bool,
        change: &ChangeOf<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let server = super::server_of(actions);
        let mut planner = Planner::new(options, server.clone(), read, link);
        let mut contents = BTreeMap::new();
        for spec in cas(actions) {
            match change(&mut planner, spec) {
                Ok(None) => {}
                Ok(Some((certificates, sentence))) => {
                    let content = String::from(Certificate::bundle(&certificates)).into_bytes();
                    contents.insert(spec.certificate.clone(), content.clone());
                    let file = NewFile {
                        path: spec.certificate.clone(),
                        mode: FileMode::PUBLIC,
                        content: Secret::new(content),
                    };
                    planner.rewrite(file, vec![sentence]);
                }
                Err(problem) => planner.problems.push(problem),
            }
        }
        let Planner {
            problems, renewal, ..
        } = planner;
        if !problems.is_empty() {
            return Err(problems);
        }
        // What follows sees the files as they will be.
        let mut read = |path: &LogicalPath| match contents.get(path) {
            Some(content) => Ok(Some(content.clone())),
            None => read(path),
        };
        let mut planner = Planner::new(options, server, &mut read, link);
        planner.prunes = prunes;
        planner.renewal = renewal;
        for action in actions {
            if let Action::Ensure(Resource::Kubeconfig(spec)) = action
                && (prunes || contents.contains_key(&spec.signer.certificate))
            {
                planner.follow(spec);
            }
        }
        for spec in cas(actions).filter(|spec| spec.id == CaId::Cluster) {
            if contents.contains_key(&spec.certificate)
                && let Some(authority) = planner.loaded(&spec.signer()).ok().flatten()
            {
                planner.renewal.authorities.insert(spec.id, authority);
            }
        }
        planner.follow_the_signer();
        if planner.problems.is_empty() {
            Ok(planner.renewal)
        } else {
            Err(planner.problems)
        }
    }
}

impl Planner<'_, '_> {
    /// A CA with its key; none where one of both is not here.
    fn loaded(&mut self, signer: &Signer) -> Result<Option<Authority>, Problem> {
        let mut of = |path: &LogicalPath| {
            (self.read)(path).map_err(|reason| Problem::new(format!("{path}: {reason}")))
        };
        let (Some(certificate), Some(key)) = (of(&signer.certificate)?, of(&signer.key)?) else {
            return Ok(None);
        };
        let key = Secret::new(key);
        match Authority::load(&certificate, key.expose(), self.options.now) {
            Ok(authority) => Ok(Some(authority)),
            Err(error) => Err(failed(&signer.certificate, &error)),
        }
    }

    fn renewed_ca(&mut self, spec: &CertificateAuthoritySpec) -> Result<Option<Change>, Problem> {
        let signer = spec.signer();
        let Some(authority) = self.loaded(&signer)? else {
            let is_missing = matches!((self.read)(&spec.certificate), Ok(None));
            let reason = if is_missing {
                LeftReason::Missing
            } else {
                LeftReason::External(spec.id)
            };
            self.leave(spec.id.name(), &spec.certificate, reason);
            return Ok(None);
        };
        let old = authority.certificate();
        if !old.is_self_issued() {
            let problem = Problem::new(format!(
                "{}: {} has signed the certificate of {}, so that it is not renewed here",
                spec.certificate, old.issuer, old.subject
            ));
            return Err(problem.with_hint(authority.renewal_hint(&signer)));
        }
        let mut validity = spec.validity;
        if !self.options.configured {
            let end = validity.not_before.checked_add(leaf::length(old.validity));
            validity.not_after = end.unwrap_or(validity.not_after);
        }
        let new = authority
            .renewed(validity)
            .map_err(|error| failed(&spec.certificate, &error))?;
        let Validity { not_after, .. } = new.validity;
        let sentence = format!(
            "has the certificate of {} until {not_after} and no longer the one until {}",
            new.subject, old.validity.not_after
        );
        let all = authority.certificates.iter().map(|one| {
            if one.der == old.der {
                new.clone()
            } else {
                one.clone()
            }
        });
        Ok(Some((all.collect(), sentence)))
    }

    fn pruned_ca(
        &mut self,
        spec: &CertificateAuthoritySpec,
        actions: &[Action],
    ) -> Result<Option<Change>, Problem> {
        let path = &spec.certificate;
        let problem = |reason: String| Problem::new(format!("{path}: {reason}"));
        let Some(pem) = (self.read)(path).map_err(problem)? else {
            return Ok(None);
        };
        let all = Certificate::read_all(&pem).map_err(|error| failed(path, &error))?;
        let key = (self.read)(&spec.key).map_err(problem)?.map(Secret::new);
        let key = key.and_then(|key| PrivateKey::load(key.expose()).ok());
        let now = self.options.now;
        let useful = |one: &&Certificate| {
            let is_followed = all.iter().any(|other| {
                other.is_authority
                    && other.is_valid_at(now)
                    && other.has_same_key(one)
                    && (&other.subject, &other.issuer) == (&one.subject, &one.issuer)
                    && other.validity.not_after > one.validity.not_after
            });
            one.is_authority && one.validity.not_after > now && !is_followed
        };
        let useful: Vec<&Certificate> = all.iter().filter(useful).collect();
        let mut kept: Vec<&Certificate> = useful.clone();
        // Without the key it is not known which of them is the current one.
        let current = key.and_then(|key| {
            let of_key = useful.iter().filter(|one| key.belongs_to(one));
            of_key.max_by_key(|one| one.validity.not_after).copied()
        });
        if let Some(current) = current {
            let signed = self.signed_by(spec.id, actions);
            let is_needed = |one: &Certificate| {
                let trusted = std::slice::from_ref(one);
                // One that begins later may be about to take over.
                one.has_same_key(current)
                    || one.validity.not_before >= current.validity.not_before
                    || signed
                        .iter()
                        .any(|leaf| rinit_pki::chain(leaf, trusted, &[]).is_ok())
            };
            kept.retain(|one| is_needed(one));
            // And who stands above them.
            while let Some(above) = useful.iter().find(|one| {
                let is_above =
                    |below: &&Certificate| !below.is_self_issued() && below.issuer == one.subject;
                !kept.contains(one) && kept.iter().any(is_above)
            }) {
                kept.push(above);
            }
        }
        let (kept, dropped): (Vec<&Certificate>, Vec<&Certificate>) =
            all.iter().partition(|one| kept.contains(one));
        let has_key = rinit_pki::has_private_key(&pem);
        if kept.is_empty() || (dropped.is_empty() && !has_key) {
            return Ok(None);
        }
        let clone = |some: Vec<&Certificate>| some.into_iter().cloned().collect::<Vec<_>>();
        let mut lost = Vec::new();
        if !dropped.is_empty() {
            lost.push(Trust::names(&clone(dropped), now));
        }
        if has_key {
            lost.push("a private key".to_owned());
        }
        let sentence = format!("no longer has {}", lost.join(" and "));
        Ok(Some((clone(kept), sentence)))
    }

    /// What there is on this host that a CA has signed.
    fn signed_by(&mut self, id: CaId, actions: &[Action]) -> Vec<Vec<Certificate>> {
        let files = actions.iter().filter_map(|action| match action {
            Action::Ensure(Resource::Certificate(spec)) if spec.signer.id == id => {
                (self.read)(&spec.certificate).ok().flatten()
            }
            Action::Ensure(Resource::Kubeconfig(spec)) if spec.signer.id == id => {
                let text = (self.read)(&spec.path).ok().flatten().map(Secret::new)?;
                let scope = &self.options.scope;
                let found = kubeconfig::find(&spec.path, &text, scope, self.read, self.link);
                found.ok().map(|found| found.certificate)
            }
            _ => None,
        });
        files
            .filter_map(|pem| Certificate::read_all(&pem).ok())
            .collect()
    }

    /// Has a kubeconfig trust what is in the file of its CA, if it does already in part.
    fn follow(&mut self, spec: &rinit_plan::KubeconfigSpec) {
        let text = match (self.read)(&spec.path) {
            Ok(Some(text)) => Secret::new(text),
            Ok(None) => return,
            Err(reason) => return self.refuse(&spec.path, &reason),
        };
        let scope = &self.options.scope;
        // One that cannot be read is reported by `check-expiration`, and holds up no CA.
        let Ok(mut found) = kubeconfig::find(&spec.path, &text, scope, self.read, self.link) else {
            let message = format!("{}: it cannot be used, and is left so", spec.path);
            return self.renewal.warnings.push(Problem::new(message));
        };
        if let Some(sentence) = self.trust(spec, &mut found) {
            let file = found.file();
            self.rewrite(file, vec![sentence]);
        }
    }
}

fn failed(path: &LogicalPath, error: &PkiError) -> Problem {
    Problem::new(format!("{path}: {}", rinit_diag::chain(error)))
}
