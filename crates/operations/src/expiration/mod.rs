//! `rinit certs check-expiration`: until when each certificate is valid, as kubeadm tells it.
//!
//! The certificates are those of the plans of the phases `certs` and `kubeconfig`, so there is no
//! second list of them. What the kubelet renews by itself stands in a list of its own, since
//! kubeadm has no row for it.

mod duration;
mod print;
mod prometheus;

use std::time::Duration;

use jiff::Timestamp;
use rinit_diag::{ExitCode, Problem};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_pki::{Certificate, ChainFault, Fault, SignedBy, hint_of_constraints};
use rinit_plan::{
    Action, CaId, CertificateAuthoritySpec, CertificateSpec, ExtendedKeyUsage, KubeconfigSpec,
    LogicalPath, Resource, Signer,
};

use crate::Scope;
use crate::kubeconfig::Document;

/// Gives the bytes of a file, nothing where there is none, or says why it cannot be read.
///
/// For the key of an authority only its existence counts; empty bytes will do.
pub type ReadFile<'a> = dyn FnMut(&LogicalPath) -> Result<Option<Vec<u8>>, String> + 'a;

/// Until when the certificates of a control plane are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirationReport {
    /// The moment at which it was made.
    pub made: Timestamp,
    /// Leaf certificates and the client certificates in kubeconfigs, sorted by name.
    pub certificates: Vec<Row>,
    /// Certificate authorities, sorted by name.
    pub authorities: Vec<Row>,
    /// What the kubelet of this node shows to the API server and to its clients, where it is there.
    pub kubelet: Vec<Row>,
    /// What there is to say of the files of authorities that no row tells.
    pub remarks: Vec<Problem>,
}

/// What sort of a certificate a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pair of files in the certificates folder.
    Leaf,
    /// The client certificate in a kubeconfig.
    Kubeconfig,
    /// An authority.
    Authority,
    /// The kubelet's own client certificate.
    KubeletClient,
    /// The kubelet's own serving certificate.
    KubeletServer,
}

impl Kind {
    /// Its name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaf => "leaf",
            Self::Kubeconfig => "kubeconfig",
            Self::Authority => "authority",
            Self::KubeletClient => "kubelet-client",
            Self::KubeletServer => "kubelet-server",
        }
    }
}

/// A certificate in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// kubeadm's name for it: `apiserver`, `admin.conf`, `etcd-ca`.
    pub name: String,
    /// What sort of a certificate it is.
    pub kind: Kind,
    /// The file it is in.
    pub path: LogicalPath,
    /// Who signed it; none for an authority.
    pub signer: Option<CaId>,
    /// What was found.
    pub state: State,
    /// Which certificate in the file of its authority has signed it.
    pub signed_by: Option<SignedBy>,
    /// What is to be told where none of them has, or not so that it is of use.
    pub unsigned: Option<Problem>,
    /// The first to end of the certificates behind it. Who trusts only what is above the authority needs
    /// them.
    pub behind: Option<Behind>,
    /// Whether its authority, or it as one, has no key here, so that it cannot be renewed here.
    pub externally_managed: bool,
    /// Whether nothing is amiss where it is missing.
    pub optional: bool,
}

/// A certificate behind a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Whom it names.
    pub subject: String,
    /// Its last second.
    pub not_after: Timestamp,
    /// Whether its key and name stand in the authority's file, too.
    pub is_authority: bool,
}

/// What was found of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its file does not exist.
    Missing,
    /// Its file has no certificate that can be read, and why.
    Unreadable(String),
    /// The user of the kubeconfig has no certificate, but other credentials: the name of their field.
    /// When they end is not known.
    OtherCredentials(&'static str),
    /// It is there.
    Present {
        /// Its first second.
        not_before: Timestamp,
        /// Its last second.
        not_after: Timestamp,
        /// The whole seconds until then; negative once it has expired.
        residual_seconds: i64,
    },
}

impl ExpirationReport {
    /// Looks at every certificate of a plan. Other actions are passed over, and so are files of the
    /// kubelet that are out of scope.
    pub fn collect<'a>(
        actions: impl IntoIterator<Item = &'a Action>,
        scope: &Scope,
        read: &mut ReadFile<'_>,
        now: Timestamp,
    ) -> Self {
        let mut report = Self {
            made: now,
            certificates: Vec::new(),
            authorities: Vec::new(),
            kubelet: Vec::new(),
            remarks: Vec::new(),
        };
        let mut signers = Vec::new();
        for action in actions {
            match action {
                Action::Ensure(Resource::CertificateAuthority(spec)) => {
                    let (row, remarks) = authority(spec, read, now);
                    report.authorities.push(row);
                    report.remarks.extend(remarks);
                    signers.push(spec.signer());
                }
                Action::Ensure(Resource::Certificate(spec)) => {
                    report.certificates.push(leaf(spec, read, now));
                }
                Action::Ensure(Resource::Kubeconfig(spec)) if spec.rotated.is_none() => {
                    report
                        .certificates
                        .push(kubeconfig(spec, Kind::Kubeconfig, scope, read, now));
                }
                Action::Ensure(Resource::Kubeconfig(spec)) => {
                    report.kubelet.extend(kubelet(spec, scope, read, now));
                }
                _ => {}
            }
        }
        for signer in signers {
            let certificates = read(&signer.certificate)
                .ok()
                .flatten()
                .and_then(|pem| Certificate::read_all(&pem).ok())
                .unwrap_or_default();
            let has_signed = |index: usize| {
                report.rows().any(|row| {
                    row.signer == Some(signer.id)
                        && row
                            .signed_by
                            .as_ref()
                            .is_some_and(|by| by.position == index + 1)
                })
            };
            let expired = rinit_pki::judge_expired(&signer, &certificates, now, &has_signed);
            report
                .remarks
                .extend(expired.into_iter().map(Problem::from));
        }
        report
            .certificates
            .sort_by(|one, other| one.name.cmp(&other.name));
        report
            .authorities
            .sort_by(|one, other| one.name.cmp(&other.name));
        report
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.certificates
            .iter()
            .chain(&self.authorities)
            .chain(&self.kubelet)
    }

    /// What stands in the way of a full report, what its authority has not signed, and what ends
    /// within this time and is not renewed by `rinit certs renew`.
    pub fn problems(&self, within: Duration) -> Vec<Problem> {
        let mut problems = self.remarks.clone();
        for row in self.rows() {
            if let State::Unreadable(reason) = &row.state {
                problems.push(Problem::new(format!("{}: {reason}", row.path)));
            }
            if let Some(begin) = row.state.begins_later(self.made) {
                problems.push(
                    Problem::new(format!("{}: it is not valid before {begin}", row.path))
                        .with_hint("Look whether the clock of this host is right."),
                );
            }
            if let Some(problem) = &row.unsigned {
                problems.push(Problem {
                    message: format!("{}: {}", row.path, problem.message),
                    hint: problem.hint.clone().or_else(|| row.way_out()),
                });
            }
            problems.extend(row.what_ends_behind(self.made, within));
            if row.kind == Kind::KubeletServer && row.ends_within(within) {
                problems.push(serving_certificate_ends(row));
            }
        }
        problems
    }

    /// Whether an authority's file has several certificates, so that the name of the authority
    /// does not tell which of them has signed.
    pub fn has_bundles(&self) -> bool {
        self.rows()
            .any(|row| row.signed_by.as_ref().is_some_and(|signed| signed.of > 1))
    }

    /// [`ExitCode::Expiring`] if a certificate is missing, cannot be read, is not valid yet, is not
    /// signed by its authority, has expired, or expires within this time, by itself or with the one
    /// that has signed it. kubeadm itself never fails for any of them but the second.
    pub fn worst(&self, within: Duration) -> ExitCode {
        let is_bad = |row: &Row| match row.state {
            State::Missing => !row.optional,
            State::Unreadable(_) => true,
            State::OtherCredentials(_) => false,
            State::Present { .. } => {
                // Another signer than the cluster's may sign for the kubelet as a server.
                let is_unsigned = row.unsigned.is_some() && row.kind != Kind::KubeletServer;
                is_unsigned
                    || row.state.begins_later(self.made).is_some()
                    || row.ends_within(within)
            }
        };
        if self.rows().any(is_bad) {
            ExitCode::Expiring
        } else {
            ExitCode::Success
        }
    }
}

impl Row {
    /// Whether it is there and ends within this time, by itself or with the one that has signed it.
    fn ends_within(&self, within: Duration) -> bool {
        let State::Present {
            not_after,
            residual_seconds,
            ..
        } = self.state
        else {
            return false;
        };
        let within = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        // In a file with several authorities the signer has no row of its own.
        let signer = self.signed_by.as_ref().map(|signed_by| signed_by.not_after);
        let behind = self.behind.as_ref().map(|behind| behind.not_after);
        let earliest = signer.into_iter().chain(behind).min().unwrap_or(not_after);
        let ends_earlier = not_after.duration_since(earliest).as_secs();
        residual_seconds - ends_earlier.max(0) <= within
    }

    /// What there is to say where a certificate behind it ends within this time, and before it does.
    fn what_ends_behind(&self, now: Timestamp, within: Duration) -> Option<Problem> {
        let Behind {
            subject,
            not_after: end,
            is_authority,
        } = self.behind.as_ref()?;
        let State::Present { not_after, .. } = self.state else {
            return None;
        };
        let left = end.duration_since(now);
        let is_near = left.as_secs() <= i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        if !is_near || (*end >= not_after && !left.is_negative()) {
            return None;
        }
        let verb = if left.is_negative() {
            "expired"
        } else {
            "ends"
        };
        let problem = Problem::new(format!(
            "{}: the certificate of {subject} behind it {verb} at {end}",
            self.path
        ));
        let hint = format!("Put its successor in its place in {}", self.path);
        Some(problem.with_hint(if *is_authority {
            // Of another authority, it would let in whom that has signed for.
            format!(
                "{hint}. `rinit certs renew {}` does it where the file of the authority has that.",
                self.name
            )
        } else {
            format!("{hint}.")
        }))
    }

    /// How it is made anew.
    fn way_out(&self) -> Option<String> {
        match self.kind {
            // Only who renews it can: the kubelet.
            Kind::KubeletServer => None,
            _ if self.externally_managed => Some(format!(
                "The key of its authority is elsewhere: make a request with `rinit certs generate-csr \
                 {}`, have it signed there, put what was signed into a folder, and install it with \
                 `rinit certs install-signed DIR`.",
                self.name
            )),
            _ => Some(format!(
                "Make it anew with `rinit certs renew {}`.",
                self.name
            )),
        }
    }
}

/// How the kubelet gets its next serving certificate. One that it has signed itself it makes only
/// where both files are missing: with one of them it does not start, and an expired one it keeps
/// (seen with 1.37.1).
fn serving_certificate_ends(row: &Row) -> Problem {
    let end = match row.state {
        State::Present {
            not_after,
            residual_seconds,
            ..
        } => {
            let verb = if residual_seconds < 0 {
                "expired"
            } else {
                "expires"
            };
            format!("it {verb} at {not_after}")
        }
        State::Missing | State::Unreadable(_) | State::OtherCredentials(_) => String::new(),
    };
    let hint = if row.signer.is_some() {
        "The kubelet asks for the next one: look for its request with `kubectl get csr`, which \
         somebody has to approve."
            .to_owned()
    } else {
        format!(
            "The kubelet makes it anew where neither it nor its key is there: `rm {0} {1} && \
             systemctl restart kubelet`.",
            row.path,
            row.path.parent().join("kubelet.key")
        )
    };
    Problem::new(format!(
        "{}: {end}, and `rinit certs renew` does not renew it",
        row.path
    ))
    .with_hint(hint)
}

impl State {
    /// The first second of a certificate that is not valid yet.
    fn begins_later(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Present { not_before, .. } => (*not_before > now).then_some(*not_before),
            Self::Missing | Self::Unreadable(_) | Self::OtherCredentials(_) => None,
        }
    }
}

fn authority(
    spec: &CertificateAuthoritySpec,
    read: &mut ReadFile<'_>,
    now: Timestamp,
) -> (Row, Vec<Problem>) {
    let file = read(&spec.certificate);
    let pem = file.as_ref().ok().and_then(Option::as_ref).cloned();
    let (state, _) = state(file, now);
    let externally_managed = state != State::Missing && is_absent(&spec.key, read);
    let signer = spec.signer();
    // Its dates have a row, and its key is not read here.
    let others = rinit_pki::judge_signer(&signer, &pem.unwrap_or_default(), None, now)
        .into_iter()
        .filter(|finding| {
            matches!(
                finding.fault,
                Fault::KeyAmongCertificates | Fault::NotAuthority { .. }
            )
        });
    let remarks = others.map(Problem::from).collect();
    let row = Row {
        name: spec.id.name().to_owned(),
        kind: Kind::Authority,
        path: spec.certificate.clone(),
        signer: None,
        state,
        signed_by: None,
        unsigned: None,
        behind: None,
        externally_managed,
        optional: false,
    };
    (row, remarks)
}

fn leaf(spec: &CertificateSpec, read: &mut ReadFile<'_>, now: Timestamp) -> Row {
    let (state, chain) = state(read(&spec.certificate), now);
    let (signed_by, unsigned) = signature(&chain, &spec.signer, &spec.usages, read);
    Row {
        name: spec.name.clone(),
        kind: Kind::Leaf,
        path: spec.certificate.clone(),
        signer: Some(spec.signer.id),
        externally_managed: is_external(&state, &spec.signer, read),
        state,
        signed_by,
        unsigned,
        behind: behind(&chain, &spec.signer, read),
        optional: false,
    }
}

fn kubeconfig(
    spec: &KubeconfigSpec,
    kind: Kind,
    scope: &Scope,
    read: &mut ReadFile<'_>,
    now: Timestamp,
) -> Row {
    let mut path = spec.path.clone();
    let (state, chain) = match read(&spec.path) {
        Ok(Some(text)) => match client_certificate(&spec.path, &text, scope, read) {
            // Which host it belongs to is not known here.
            Ok(Client::Elsewhere(_)) if kind == Kind::KubeletClient => (State::Missing, Vec::new()),
            Ok(Client::Elsewhere(file)) => {
                let reason = format!(
                    "the client certificate {file} lies outside of the folders that are looked at"
                );
                (State::Unreadable(reason), Vec::new())
            }
            Ok(Client::Found(file, certificate)) => {
                if let Some(file) = file {
                    path = file;
                }
                state(Ok(Some(certificate)), now)
            }
            Ok(Client::Other(field)) => (State::OtherCredentials(field), Vec::new()),
            Err(reason) => (State::Unreadable(reason), Vec::new()),
        },
        Ok(None) => (State::Missing, Vec::new()),
        Err(reason) => (State::Unreadable(reason), Vec::new()),
    };
    let (signed_by, unsigned) =
        signature(&chain, &spec.signer, &[ExtendedKeyUsage::ClientAuth], read);
    Row {
        name: spec.name.clone(),
        kind,
        path: if kind == Kind::KubeletClient {
            path
        } else {
            spec.path.clone()
        },
        signer: Some(spec.signer.id),
        externally_managed: is_external(&state, &spec.signer, read),
        state,
        signed_by,
        unsigned,
        behind: behind(&chain, &spec.signer, read),
        // It opens a locked cluster; careful administrators take it off the node.
        optional: spec.name == "super-admin.conf",
    }
}

/// The kubelet's client certificate, in its kubeconfig or in the file that this names, and its
/// serving certificate: signed by the cluster where it has one, else by itself.
fn kubelet(
    spec: &KubeconfigSpec,
    scope: &Scope,
    read: &mut ReadFile<'_>,
    now: Timestamp,
) -> Vec<Row> {
    let mut rows = vec![kubeconfig(spec, Kind::KubeletClient, scope, read, now)];
    rows.retain(|row| row.state != State::Missing);
    let Some(current) = &spec.rotated else {
        return rows;
    };
    let folder = current.parent();
    for (file, signed) in [("kubelet-server-current.pem", true), ("kubelet.crt", false)] {
        let path = folder.join(file);
        if !scope.has(&path) {
            continue;
        }
        let (state, chain) = state(read(&path), now);
        if state == State::Missing {
            continue;
        }
        let (signed_by, unsigned) = if signed {
            signature(&chain, &spec.signer, &[ExtendedKeyUsage::ServerAuth], read)
        } else {
            (None, None)
        };
        rows.push(Row {
            name: "kubelet-server".to_owned(),
            kind: Kind::KubeletServer,
            path,
            signer: signed.then_some(spec.signer.id),
            state,
            signed_by,
            unsigned,
            // What the kubelet makes for itself is trusted as it is, or not at all.
            behind: behind(&chain, &spec.signer, read).filter(|_| signed),
            externally_managed: false,
            optional: true,
        });
        break;
    }
    rows
}

/// Which certificate of the signer's file has signed, or why none has.
fn signature(
    leaf: &[Certificate],
    signer: &Signer,
    usages: &[ExtendedKeyUsage],
    read: &mut ReadFile<'_>,
) -> (Option<SignedBy>, Option<Problem>) {
    if leaf.is_empty() {
        return (None, None);
    }
    // An authority that is missing or cannot be read has a row of its own that says so.
    let Ok(Some(pem)) = read(&signer.certificate) else {
        return (None, None);
    };
    let Ok(authority) = Certificate::read_all(&pem) else {
        return (None, None);
    };
    let file = &signer.certificate;
    match SignedBy::among(leaf, &authority, usages) {
        Ok(signed_by) => (Some(signed_by), None),
        Err(ChainFault::NotAllowed(reason)) => {
            let problem = Problem::new(format!("{file} must not sign it: {reason}"));
            (None, Some(problem.with_hint(hint_of_constraints(file))))
        }
        Err(fault) => {
            let problem = Problem::new(format!("it is not signed by {file}: {fault}"));
            (None, Some(problem))
        }
    }
}

/// The first to end of the certificates behind a leaf.
fn behind(chain: &[Certificate], signer: &Signer, read: &mut ReadFile<'_>) -> Option<Behind> {
    let first = chain
        .iter()
        .skip(1)
        .min_by_key(|one| one.validity.not_after)?;
    let authority = read(&signer.certificate).ok().flatten();
    let authority = Certificate::read_all(&authority.unwrap_or_default()).unwrap_or_default();
    Some(Behind {
        subject: first.subject.to_string(),
        not_after: first.validity.not_after,
        is_authority: authority
            .iter()
            .any(|one| one.subject == first.subject && one.has_same_key(first)),
    })
}

/// The client certificate of a kubeconfig's user.
enum Client {
    /// With it the file, where it is in one.
    Found(Option<LogicalPath>, Vec<u8>),
    /// It is in a file that is out of scope.
    Elsewhere(LogicalPath),
    /// There is none, but this field.
    Other(&'static str),
}

/// The client certificate of a kubeconfig's current user, wherever it is. (kubeadm takes none but
/// an embedded one.)
fn client_certificate(
    path: &LogicalPath,
    text: &[u8],
    scope: &Scope,
    read: &mut ReadFile<'_>,
) -> Result<Client, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the kubeconfig is not UTF-8".to_owned())?;
    let context = CurrentContext::parse(text).map_err(|error| rinit_diag::chain(&error))?;
    match context.client_certificate {
        Some(Source::Data(data)) => Ok(Client::Found(None, data.expose().clone())),
        Some(Source::File(file)) => {
            let file = path.beside(&file).map_err(|error| error.to_string())?;
            if !scope.has(&file) {
                return Ok(Client::Elsewhere(file));
            }
            let pem = read(&file)?
                .ok_or_else(|| format!("the client certificate {file} does not exist"))?;
            Ok(Client::Found(Some(file), pem))
        }
        None => Document::parse(text)?
            .other_credentials(&context.user)
            .map(Client::Other)
            .ok_or_else(|| "the current user has no client certificate".to_owned()),
    }
}

/// Whether a certificate that is there was signed by an authority whose key is not.
fn is_external(state: &State, signer: &Signer, read: &mut ReadFile<'_>) -> bool {
    *state != State::Missing
        && is_absent(&signer.key, read)
        && !is_absent(&signer.certificate, read)
}

/// A file that exists but cannot be read is not absent.
fn is_absent(path: &LogicalPath, read: &mut ReadFile<'_>) -> bool {
    matches!(read(path), Ok(None))
}

/// What is to say of a file, and the certificates in it.
fn state(pem: Result<Option<Vec<u8>>, String>, now: Timestamp) -> (State, Vec<Certificate>) {
    let pem = match pem {
        Ok(Some(pem)) => pem,
        Ok(None) => return (State::Missing, Vec::new()),
        Err(reason) => return (State::Unreadable(reason), Vec::new()),
    };
    match Certificate::read_all(&pem) {
        Ok(certificates) => {
            // The first is the leaf, and of an authority's chain the one that signs.
            let state = certificates.first().map_or(State::Missing, |certificate| {
                let not_after = certificate.validity.not_after;
                State::Present {
                    not_before: certificate.validity.not_before,
                    not_after,
                    residual_seconds: not_after.duration_since(now).as_secs(),
                }
            });
            (state, certificates)
        }
        Err(error) => (State::Unreadable(error.to_string()), Vec::new()),
    }
}
