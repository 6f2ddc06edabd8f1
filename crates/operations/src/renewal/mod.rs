//! `rinit certs renew`: which certificates are made anew, what they will say, and the files that
//! come of it.
//!
//! A renewal looks at everything and makes everything in memory before anything is written. Who
//! writes, writes the key of a pair before its certificate. A crash in between leaves a new key
//! beside an old certificate: init and `check` tell of it, and the next renewal mends it, since it
//! needs of the old pair nothing but what the certificate says.

mod ca;
mod kubeconfig;
mod leaf;
mod trusted;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rinit_diag::Problem;
use rinit_pki::{Authority, Certificate, Fault, PkiError, PrivateKey, SignedBy};
use rinit_plan::{
    Action, CaId, CertificateBundle, CertificateSpec, ExtendedKeyUsage, FileMode, KeyAlgorithm,
    KubeconfigSpec, LogicalPath, Resource, Secret, Signer, Validity,
};

pub use self::ca::ca_names;
use crate::Scope;
use crate::expiration::ReadFile;
use kubeconfig::{Found, NotFound, Place};
use leaf::{Asked, NewLeaf};

/// kubeadm's name for what the API server shows.
pub(crate) const API_SERVER: &str = "apiserver";

/// Says where a symbolic link leads, as written in it; nothing where there is no link.
pub type LinkTarget<'a> = dyn FnMut(&LogicalPath) -> Option<String> + 'a;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The certificates by kubeadm's names; all, if none is named.
    pub names: Vec<String>,
    /// Whether the specifications come from a configuration or flags that were given, so that they
    /// count beside what the old certificates say.
    pub configured: bool,
    /// Whether names that are no longer asked for are left out.
    pub prune: bool,
    /// The moment of the renewal.
    pub now: Timestamp,
    /// Whose files are renewed.
    pub scope: Scope,
    /// The file that has the one certificate that signs for the cluster, for the controller
    /// manager. It follows the authority where it is there and the authority signs anything: with
    /// another certificate than that of the key, the controller manager cannot sign.
    pub cluster_signer: LogicalPath,
}

/// Everything that will be made anew, and what will not.
#[derive(Debug)]
pub struct Renewal {
    /// What is made anew, in the order of the phases.
    pub renewed: Vec<Renewed>,
    /// What is left as it is, and why.
    pub left: Vec<Left>,
    /// Files that change without a new certificate in them.
    pub rewritten: Vec<Rewritten>,
    /// What stays as it is and may be wrong.
    pub warnings: Vec<Problem>,
    authorities: BTreeMap<CaId, Authority>,
}

/// A certificate that is made anew.
#[derive(Debug)]
pub struct Renewed {
    /// kubeadm's name for it.
    pub name: String,
    /// The file that it is in.
    pub path: LogicalPath,
    /// Which authority signs.
    pub signer: CaId,
    /// Which certificate of that authority signs.
    pub signed_by: SignedBy,
    /// The end of the old one, where it could be read.
    pub previous_end: Option<Timestamp>,
    /// The end of the new one.
    pub not_after: Timestamp,
    /// Names that are no longer asked for and kept all the same.
    pub kept: Vec<String>,
    /// Names that the new one does not have.
    pub dropped: Vec<String>,
    /// Names that the old one did not have.
    pub added: Vec<String>,
    /// Groups that the user of the new one is not in.
    pub dropped_groups: Vec<String>,
    /// Groups that the user of the old one was not in.
    pub added_groups: Vec<String>,
    /// What else changes, in a kubeconfig or of the key, a sentence without its subject each.
    pub changes: Vec<String>,
    /// The certificates behind it, from its authority's on.
    above: Vec<Certificate>,
    leaf: NewLeaf,
    place: Place,
}

/// A file that changes though no certificate is made anew for it.
#[derive(Debug)]
pub struct Rewritten {
    /// The file.
    pub path: LogicalPath,
    /// What changes in it, a sentence without its subject each.
    pub changes: Vec<String>,
    mode: FileMode,
    content: Secret<Vec<u8>>,
}

/// A certificate that is not made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// kubeadm's name for it.
    pub name: String,
    /// The file that it would be in.
    pub path: LogicalPath,
    /// Why.
    pub reason: LeftReason,
}

/// Why a certificate is not made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftReason {
    /// It is not there.
    Missing,
    /// The key of its authority is not on this host.
    External(CaId),
    /// The kubelet renews it by itself, and still can.
    KeptByKubelet,
    /// It is in a file that is none of those to be renewed.
    Elsewhere,
    /// There is none: the user has credentials of another kind, by the name of their field.
    OwnCredentials(&'static str),
}

impl LeftReason {
    /// The reason as a fragment.
    pub fn text(self) -> String {
        match self {
            Self::Missing => "it is not there".to_owned(),
            Self::External(authority) => {
                format!("the key of {authority} is not on this host, so it is renewed elsewhere")
            }
            Self::KeptByKubelet => "the kubelet renews it by itself".to_owned(),
            Self::Elsewhere => {
                "its client certificate is in a file outside of the folders that were given"
                    .to_owned()
            }
            Self::OwnCredentials(kind) => {
                format!("its user has no client certificate, but credentials by `{kind}`")
            }
        }
    }
}

/// A file with its new content, which may be a key.
#[derive(Debug)]
pub struct NewFile {
    /// Where it goes.
    pub path: LogicalPath,
    /// Its mode.
    pub mode: FileMode,
    /// What it will hold.
    pub content: Secret<Vec<u8>>,
}

/// The names that can be renewed, in the order of the plans.
pub fn names<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Vec<&'a str> {
    actions
        .into_iter()
        .filter_map(|action| match action {
            Action::Ensure(Resource::Certificate(spec)) => Some(spec.name.as_str()),
            Action::Ensure(Resource::Kubeconfig(spec)) => Some(spec.name.as_str()),
            _ => None,
        })
        .collect()
}

impl Renewal {
    /// Looks at everything that is asked for. If anything stands in the way, all of it is told.
    pub fn plan<'a>(
        actions: impl IntoIterator<Item = &'a Action>,
        options: &Options,
        read: &mut ReadFile<'_>,
        link: &mut LinkTarget<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let actions: Vec<&Action> = actions.into_iter().collect();
        let server = server_of(actions.iter().copied());
        let usual = if options.configured {
            None
        } else {
            usual_period(&actions, read)
        };
        let mut planner = Planner::new(options, server, read, link);
        planner.usual = usual;
        for action in actions {
            match action {
                Action::Ensure(Resource::Certificate(spec)) if options.asks_for(&spec.name) => {
                    planner.pair(spec);
                }
                Action::Ensure(Resource::Kubeconfig(spec)) if options.asks_for(&spec.name) => {
                    planner.kubeconfig(spec);
                }
                _ => {}
            }
        }
        planner.follow_the_signer();
        if planner.problems.is_empty() {
            Ok(planner.renewal)
        } else {
            Err(planner.problems)
        }
    }

    /// The algorithms of the keys that [`Renewal::issue`] will ask for, in its order.
    pub fn algorithms(&self) -> impl Iterator<Item = KeyAlgorithm> {
        self.renewed.iter().map(|renewed| renewed.leaf.algorithm)
    }

    /// Makes every certificate, with a new key each. The files are in the order in which they are
    /// to be written.
    pub fn issue(
        &self,
        new_key: &mut dyn FnMut(KeyAlgorithm) -> Result<PrivateKey, PkiError>,
    ) -> Result<Vec<NewFile>, Problem> {
        let mut files = Vec::new();
        for renewed in &self.renewed {
            let failed = |error: PkiError| {
                Problem::new(format!("{}: {}", renewed.path, rinit_diag::chain(&error)))
            };
            let Some(authority) = self.authorities.get(&renewed.signer) else {
                continue;
            };
            let key = new_key(renewed.leaf.algorithm).map_err(failed)?;
            let certificate = authority
                .issue(renewed.leaf.as_leaf(), &key)
                .map_err(failed)?;
            let mut chain = Certificate::read_all(certificate.as_bytes()).map_err(failed)?;
            chain.extend(renewed.above.iter().cloned());
            files.extend(renewed.place.files(&Certificate::bundle(&chain), &key));
        }
        files.extend(self.rewritten.iter().map(|rewritten| NewFile {
            path: rewritten.path.clone(),
            mode: rewritten.mode,
            content: rewritten.content.clone(),
        }));
        Ok(files)
    }
}

impl Options {
    fn asks_for(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| asked == name)
    }
}

/// A certificate that is to be made anew.
struct Candidate<'a> {
    name: &'a str,
    path: &'a LogicalPath,
    signer: &'a Signer,
    asked: Asked,
    /// The old certificate; empty where it is gone.
    pem: Vec<u8>,
    place: Place,
    /// What else changes in its kubeconfig.
    changes: Vec<String>,
}

/// What is gathered while looking.
struct Planner<'a, 'b> {
    options: &'a Options,
    /// How long certificates live on this node, as its pairs tell.
    usual: Option<SignedDuration>,
    /// What the API server shows, where the plan has it.
    server: Option<CertificateSpec>,
    /// Whether kubeconfigs trust nobody any longer whom they need not trust.
    prunes: bool,
    read: &'a mut ReadFile<'b>,
    link: &'a mut LinkTarget<'b>,
    problems: Vec<Problem>,
    renewal: Renewal,
}

impl<'a, 'b> Planner<'a, 'b> {
    fn new(
        options: &'a Options,
        server: Option<CertificateSpec>,
        read: &'a mut ReadFile<'b>,
        link: &'a mut LinkTarget<'b>,
    ) -> Self {
        Self {
            options,
            usual: None,
            server,
            prunes: false,
            read,
            link,
            problems: Vec::new(),
            renewal: Renewal {
                renewed: Vec::new(),
                left: Vec::new(),
                rewritten: Vec::new(),
                warnings: Vec::new(),
                authorities: BTreeMap::new(),
            },
        }
    }
}

impl Planner<'_, '_> {
    fn pair(&mut self, spec: &CertificateSpec) {
        let pem = match (self.read)(&spec.certificate) {
            Ok(Some(pem)) => pem,
            Ok(None) if self.has_broken_key(spec) => Vec::new(),
            Ok(None) => return self.leave(&spec.name, &spec.certificate, LeftReason::Missing),
            Err(reason) => return self.refuse(&spec.certificate, &reason),
        };
        let place = Place::Pair {
            certificate: spec.certificate.clone(),
            key: spec.key.clone(),
            kubeconfig: None,
        };
        self.renew(Candidate {
            name: &spec.name,
            path: &spec.certificate,
            signer: &spec.signer,
            asked: Asked::from(spec),
            pem,
            place,
            changes: Vec::new(),
        });
    }

    /// Whether a key stands alone that nothing can be made of. Init makes the certificate of a good
    /// one.
    fn has_broken_key(&mut self, spec: &CertificateSpec) -> bool {
        let key = (self.read)(&spec.key).ok().flatten().map(Secret::new);
        self.options.configured && key.is_some_and(|key| PrivateKey::load(key.expose()).is_err())
    }

    fn kubeconfig(&mut self, spec: &KubeconfigSpec) {
        let text = match (self.read)(&spec.path) {
            Ok(Some(text)) => Secret::new(text),
            Ok(None) => {
                // It opens a locked cluster; careful administrators take it off the node.
                return self.leave(&spec.name, &spec.path, LeftReason::Missing);
            }
            Err(reason) => return self.refuse(&spec.path, &reason),
        };
        let scope = &self.options.scope;
        let mut found = match kubeconfig::find(&spec.path, &text, scope, self.read, self.link) {
            Ok(found) => found,
            Err(NotFound::Ambiguous(reason)) => {
                self.problems.push(
                    Problem::new(format!("{}: {reason}", spec.path))
                        .with_hint("Take one of the two out with an editor, or rename it."),
                );
                return;
            }
            Err(NotFound::Unusable(_)) if self.options.configured => return self.whole(spec),
            Err(NotFound::Unusable(reason)) => {
                self.problems.push(
                    Problem::new(format!("{}: {reason}", spec.path))
                        .with_hint(say_what_it_holds(&spec.name)),
                );
                return;
            }
            Err(NotFound::Unreadable(reason)) => return self.refuse(&spec.path, &reason),
            Err(NotFound::OwnCredentials(kind)) => {
                return self.leave(&spec.name, &spec.path, LeftReason::OwnCredentials(kind));
            }
        };
        let mut asked = Asked::from(spec);
        if spec.rotated.is_some() {
            let all = self.options.names.is_empty();
            let reason = if found.is_elsewhere {
                Some(LeftReason::Elsewhere)
            } else if all && self.kubelet_goes_on(spec, &found) {
                Some(LeftReason::KeptByKubelet)
            } else {
                None
            };
            if let Some(reason) = reason {
                // It renews its certificate, and never whom it trusts nor where it leads.
                if all {
                    let changes = self.changes(spec, &mut found);
                    if !changes.is_empty() {
                        let file = found.file();
                        self.rewrite(file, changes);
                    }
                }
                return self.leave(&spec.name, &spec.path, reason);
            }
            // The name of the node is in the file; without a configuration nothing else knows it.
            if !self.options.configured {
                match found.node_user() {
                    Some(user) => asked.subject.common_name = user,
                    None => asked.stands_alone = false,
                }
            }
        }
        if found.is_elsewhere {
            return self.leave(&spec.name, &spec.path, LeftReason::Elsewhere);
        }
        let changes = self.changes(spec, &mut found);
        // Whom it trusts and where it leads is no matter of the key that signs elsewhere.
        if !changes.is_empty() && self.authority(&spec.signer) == Ok(false) {
            let file = found.file();
            self.rewrite(file, changes);
            let reason = LeftReason::External(spec.signer.id);
            return self.leave(&spec.name, &spec.path, reason);
        }
        self.renew(Candidate {
            name: &spec.name,
            path: &spec.path,
            signer: &spec.signer,
            asked,
            pem: std::mem::take(&mut found.certificate),
            place: found.into_place(),
            changes,
        });
    }

    /// A kubeconfig of which nothing can be kept is made as the configuration asks for it.
    fn whole(&mut self, spec: &KubeconfigSpec) {
        // What it lacks is told with the key of the authority.
        let authority = (self.read)(&spec.signer.certificate).ok().flatten();
        let place = Place::Whole {
            spec: Box::new(spec.clone()),
            authority: rinit_pki::certificates_of(&authority.unwrap_or_default())
                .unwrap_or_else(|_| CertificateBundle::from_der([])),
        };
        self.renew(Candidate {
            name: &spec.name,
            path: &spec.path,
            signer: &spec.signer,
            asked: Asked::from(spec),
            pem: Vec::new(),
            place,
            changes: vec!["is made from nothing, since nothing in it can be kept".to_owned()],
        });
    }

    /// Where a kubeconfig leads, which only a configuration tells, and whom it trusts.
    fn changes(&mut self, spec: &KubeconfigSpec, found: &mut Found) -> Vec<String> {
        let mut changes = Vec::new();
        let configured = self.options.configured;
        if configured && found.server != spec.server {
            changes.push(format!(
                "leads to {} and no longer to {}",
                spec.server, found.server
            ));
            found.lead_to(&spec.server);
        }
        changes.extend(self.trust(spec, found));
        changes
    }

    fn rewrite(&mut self, file: NewFile, changes: Vec<String>) {
        self.renewal.rewritten.push(Rewritten {
            path: file.path,
            changes,
            mode: file.mode,
            content: file.content,
        });
    }

    /// Whether the kubelet can still ask for its next certificate with the one that it has.
    fn kubelet_goes_on(&mut self, spec: &KubeconfigSpec, found: &Found) -> bool {
        let Ok(certificates) = Certificate::read_all(&found.certificate) else {
            return false;
        };
        let Ok(Some(authority)) = (self.read)(&spec.signer.certificate) else {
            return false;
        };
        let Ok(authority) = Certificate::read_all(&authority) else {
            return false;
        };
        let usages = [ExtendedKeyUsage::ClientAuth];
        let now = self.options.now;
        certificates.first().is_some_and(|leaf| {
            leaf.validity.not_before <= now
                && now < leaf.validity.not_after
                && leaf::allows(leaf, &usages)
                && PrivateKey::load(found.key.expose()).is_ok_and(|key| key.belongs_to(leaf))
        }) && rinit_pki::chain(&certificates, &authority, &usages).is_ok()
    }

    fn renew(&mut self, candidate: Candidate<'_>) {
        let Candidate {
            name,
            path,
            signer,
            asked,
            pem,
            place,
            mut changes,
        } = candidate;
        let mut above = Vec::new();
        let old = match Certificate::read_all(&pem) {
            Ok(mut certificates) => {
                above = certificates.split_off(1);
                certificates.pop()
            }
            // What it should say is known all the same.
            Err(_) if self.options.configured || asked.stands_alone => None,
            Err(error) => {
                self.problems.push(
                    Problem::new(format!("{path}: {error}")).with_hint(say_what_it_holds(name)),
                );
                return;
            }
        };
        match self.authority(signer) {
            Ok(true) => {}
            Ok(false) => return self.leave(name, path, LeftReason::External(signer.id)),
            Err(()) => return,
        }
        let Some(authority) = self.renewal.authorities.get(&signer.id) else {
            return;
        };
        let (leaf, names) = leaf::decide(&asked, old.as_ref(), self.options, authority, self.usual);
        match rinit_pki::judge_signing(signer, authority, name, leaf.as_leaf()) {
            Ok(None) => {}
            Ok(Some(finding)) => return self.problems.push(finding.into()),
            Err(error) => return self.refuse(path, &rinit_diag::chain(&error)),
        }
        changes.extend(names.others);
        // Who trusts only what is above the CA finds the way by them.
        let signing = authority.certificate();
        let leads_on =
            |first: &Certificate| first.subject == signing.subject && first.has_same_key(signing);
        if above.first().is_some_and(|first| !leads_on(first)) {
            above.clear();
            changes.push("no longer has certificates behind it that are not its CA's".to_owned());
        }
        if let Some(first) = above.first_mut() {
            *first = signing.clone();
        }
        self.renewal.renewed.push(Renewed {
            name: name.to_owned(),
            path: path.clone(),
            signer: signer.id,
            signed_by: authority.signs_as(),
            previous_end: old.map(|old| old.validity.not_after),
            not_after: leaf.validity.not_after,
            kept: names.kept,
            dropped: names.dropped,
            added: names.added,
            dropped_groups: names.dropped_groups,
            added_groups: names.added_groups,
            changes,
            above,
            leaf,
            place,
        });
    }

    /// Loads an authority once. Answers whether its key is here; its faults are told once.
    fn authority(&mut self, signer: &Signer) -> Result<bool, ()> {
        if self.renewal.authorities.contains_key(&signer.id) {
            return Ok(true);
        }
        let problem = match ((self.read)(&signer.certificate), (self.read)(&signer.key)) {
            (Ok(None), _) => Problem::new(format!("{} is missing", signer.certificate))
                .with_hint("Put the authority's certificate there."),
            (Ok(Some(certificate)), Ok(None)) => {
                self.judge_external(signer, &certificate);
                return Ok(false);
            }
            (_, Ok(None)) => return Ok(false),
            (Err(reason), _) => Problem::new(format!("{}: {reason}", signer.certificate)),
            (_, Err(reason)) => Problem::new(format!("{}: {reason}", signer.key)),
            (Ok(Some(certificate)), Ok(Some(key))) => {
                let key = Secret::new(key);
                let odd = rinit_pki::key_among_certificates(signer, &certificate);
                // Whoever trusts the file would trust it.
                let findings =
                    rinit_pki::judge_signer(signer, &certificate, None, self.options.now);
                let strangers: Vec<Problem> = findings
                    .into_iter()
                    .filter(|finding| matches!(finding.fault, Fault::NotAuthority { .. }))
                    .map(Problem::from)
                    .collect();
                if !strangers.is_empty() {
                    for problem in strangers {
                        if !self.problems.contains(&problem) {
                            self.problems.push(problem);
                        }
                    }
                    return Err(());
                }
                match Authority::load(&certificate, key.expose(), self.options.now) {
                    Ok(authority) => {
                        let certificate = authority.certificate();
                        if certificate.is_valid_at(self.options.now) {
                            self.renewal.warnings.extend(odd.map(Problem::from));
                            self.renewal.authorities.insert(signer.id, authority);
                            return Ok(true);
                        }
                        let Validity {
                            not_before,
                            not_after,
                        } = certificate.validity;
                        let (what, hint) = if self.options.now < not_before {
                            let clock = "Look whether the clock of this host is right.";
                            (
                                format!("is not valid before {not_before}"),
                                clock.to_owned(),
                            )
                        } else {
                            (
                                format!("expired at {not_after}"),
                                authority.renewal_hint(signer),
                            )
                        };
                        Problem::new(format!(
                            "{}: the certificate of the authority {what}, so that nothing it signs \
                             is of use",
                            signer.certificate
                        ))
                        .with_hint(hint)
                    }
                    // Judging knows the way out of these.
                    Err(PkiError::Curve { .. } | PkiError::TextBehindEnd { .. }) => {
                        let findings = rinit_pki::judge_signer(
                            signer,
                            &certificate,
                            Some(key.expose()),
                            self.options.now,
                        );
                        for problem in findings.into_iter().map(Problem::from) {
                            if !self.problems.contains(&problem) {
                                self.problems.push(problem);
                            }
                        }
                        return Err(());
                    }
                    Err(error) => Problem::new(format!("{}: {error}", signer.certificate))
                        .with_hint(format!(
                            "Put the certificate into {} and its key into {}.",
                            signer.certificate, signer.key
                        )),
                }
            }
        };
        // Several certificates have the same signer.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Err(())
    }

    /// What has signed elsewhere is not asked to sign, but trusted.
    fn judge_external(&mut self, signer: &Signer, certificate: &[u8]) {
        let findings = rinit_pki::judge_signer(signer, certificate, None, self.options.now);
        let untimely = findings.into_iter().filter(|finding| {
            matches!(
                finding.fault,
                Fault::Expired { .. } | Fault::NotYetValid { .. }
            )
        });
        for warning in untimely.map(Problem::from) {
            if !self.renewal.warnings.contains(&warning) {
                self.renewal.warnings.push(warning);
            }
        }
    }

    fn leave(&mut self, name: &str, path: &LogicalPath, reason: LeftReason) {
        self.renewal.left.push(Left {
            name: name.to_owned(),
            path: path.clone(),
            reason,
        });
    }

    fn refuse(&mut self, path: &LogicalPath, reason: &str) {
        self.problems
            .push(Problem::new(format!("{path}: {reason}")));
    }
}

fn server_of<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Option<CertificateSpec> {
    actions.into_iter().find_map(|action| match action {
        Action::Ensure(Resource::Certificate(spec)) if spec.name == API_SERVER => {
            Some(spec.clone())
        }
        _ => None,
    })
}

/// The longest period of the pairs that are there.
fn usual_period(actions: &[&Action], read: &mut ReadFile<'_>) -> Option<SignedDuration> {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Ensure(Resource::Certificate(spec)) => {
                let pem = read(&spec.certificate).ok().flatten()?;
                let certificates = Certificate::read_all(&pem).ok()?;
                Some(leaf::length(certificates.first()?.validity))
            }
            _ => None,
        })
        .max()
}

fn say_what_it_holds(name: &str) -> String {
    format!("Say what it should hold: `rinit certs renew {name} --config FILE`.")
}
