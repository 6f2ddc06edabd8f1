//! `rinit certs check-expiration`: until when each certificate is valid, as kubeadm tells it.
//!
//! The certificates are those of the plans of the phases `certs` and `kubeconfig`, so there is no
//! second list of them. `kubelet.conf` has no row, as with kubeadm: the kubelet renews it by itself.

mod duration;
mod print;

use std::time::Duration;

use jiff::Timestamp;
use rinit_diag::{ExitCode, Problem};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_pki::Certificate;
use rinit_plan::{
    Action, CaId, CertificateAuthoritySpec, CertificateSpec, KubeconfigSpec, LogicalPath, Signer,
};

/// Gives the bytes of a file, nothing where there is none, or says why it cannot be read.
///
/// For the key of an authority only its existence counts; empty bytes will do.
pub type ReadFile<'a> = dyn FnMut(&LogicalPath) -> Result<Option<Vec<u8>>, String> + 'a;

/// Until when the certificates of a control plane are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirationReport {
    /// Leaf certificates and the client certificates in kubeconfigs, sorted by name.
    pub certificates: Vec<Row>,
    /// Certificate authorities, sorted by name.
    pub authorities: Vec<Row>,
}

/// A certificate in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// kubeadm's name for it: `apiserver`, `admin.conf`, `etcd-ca`.
    pub name: String,
    /// The file it is in.
    pub path: LogicalPath,
    /// Who signed it; none for an authority.
    pub signer: Option<CaId>,
    /// What was found.
    pub state: State,
    /// Whether its authority, or it as one, has no key here, so that it cannot be renewed here.
    pub externally_managed: bool,
    /// Whether nothing is amiss where it is missing.
    pub optional: bool,
}

/// What was found of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its file does not exist.
    Missing,
    /// Its file has no certificate that can be read, and why.
    Unreadable(String),
    /// It is there.
    Present {
        /// Its last second.
        not_after: Timestamp,
        /// The whole seconds until then; negative once it has expired.
        residual_seconds: i64,
    },
}

impl ExpirationReport {
    /// Looks at every certificate of a plan. Other actions are passed over.
    pub fn collect<'a>(
        actions: impl IntoIterator<Item = &'a Action>,
        read: &mut ReadFile<'_>,
        now: Timestamp,
    ) -> Self {
        let mut report = Self {
            certificates: Vec::new(),
            authorities: Vec::new(),
        };
        for action in actions {
            match action {
                Action::CertificateAuthority(spec) => {
                    report.authorities.push(authority(spec, read, now));
                }
                Action::Certificate(spec) => report.certificates.push(leaf(spec, read, now)),
                Action::Kubeconfig(spec) if spec.rotated.is_none() => {
                    report.certificates.push(kubeconfig(spec, read, now));
                }
                _ => {}
            }
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
        self.certificates.iter().chain(&self.authorities)
    }

    /// What stands in the way of a full report.
    pub fn problems(&self) -> Vec<Problem> {
        self.rows()
            .filter_map(|row| match &row.state {
                State::Unreadable(reason) => Some(Problem::new(format!("{}: {reason}", row.path))),
                State::Missing | State::Present { .. } => None,
            })
            .collect()
    }

    /// [`ExitCode::Expiring`] if a certificate is missing, cannot be read, has expired, or expires
    /// within this time. kubeadm itself never fails for any of them but the second.
    pub fn worst(&self, within: Duration) -> ExitCode {
        let within = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        let is_bad = |row: &Row| match row.state {
            State::Missing => !row.optional,
            State::Unreadable(_) => true,
            State::Present {
                residual_seconds, ..
            } => residual_seconds <= within,
        };
        if self.rows().any(is_bad) {
            ExitCode::Expiring
        } else {
            ExitCode::Success
        }
    }
}

fn authority(spec: &CertificateAuthoritySpec, read: &mut ReadFile<'_>, now: Timestamp) -> Row {
    let state = state(read(&spec.certificate), now);
    let externally_managed = state != State::Missing && is_absent(&spec.key, read);
    Row {
        name: spec.id.name().to_owned(),
        path: spec.certificate.clone(),
        signer: None,
        state,
        externally_managed,
        optional: false,
    }
}

fn leaf(spec: &CertificateSpec, read: &mut ReadFile<'_>, now: Timestamp) -> Row {
    let state = state(read(&spec.certificate), now);
    Row {
        name: spec.name.clone(),
        path: spec.certificate.clone(),
        signer: Some(spec.signer.id),
        externally_managed: is_external(&state, &spec.signer, read),
        state,
        optional: false,
    }
}

fn kubeconfig(spec: &KubeconfigSpec, read: &mut ReadFile<'_>, now: Timestamp) -> Row {
    let state = match read(&spec.path) {
        Ok(Some(text)) => match client_certificate(&spec.path, &text, read) {
            Ok(certificate) => state(Ok(Some(certificate)), now),
            Err(reason) => State::Unreadable(reason),
        },
        Ok(None) => State::Missing,
        Err(reason) => State::Unreadable(reason),
    };
    Row {
        name: spec.name.clone(),
        path: spec.path.clone(),
        signer: Some(spec.signer.id),
        externally_managed: is_external(&state, &spec.signer, read),
        state,
        // It opens a locked cluster; careful administrators take it off the node.
        optional: spec.name == "super-admin.conf",
    }
}

/// The client certificate of a kubeconfig's current user, wherever it is. (kubeadm takes none but
/// an embedded one.)
fn client_certificate(
    path: &LogicalPath,
    text: &[u8],
    read: &mut ReadFile<'_>,
) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the kubeconfig is not UTF-8".to_owned())?;
    let context = CurrentContext::parse(text).map_err(|error| rinit_diag::chain(&error))?;
    match context.client_certificate {
        Some(Source::Data(data)) => Ok(data.expose().clone()),
        Some(Source::File(file)) => {
            // A relative file lies beside the kubeconfig.
            let absolute = if file.starts_with('/') {
                file
            } else {
                format!("{}/{file}", path.parent())
            };
            let file = LogicalPath::parse(&absolute).map_err(|error| error.to_string())?;
            read(&file)?.ok_or_else(|| format!("the client certificate {file} does not exist"))
        }
        None => Err("the current user has no client certificate".to_owned()),
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

fn state(pem: Result<Option<Vec<u8>>, String>, now: Timestamp) -> State {
    let pem = match pem {
        Ok(Some(pem)) => pem,
        Ok(None) => return State::Missing,
        Err(reason) => return State::Unreadable(reason),
    };
    match Certificate::read_all(&pem) {
        // The first is the leaf, and of an authority's chain the one that signs.
        Ok(certificates) => certificates.first().map_or(State::Missing, |certificate| {
            let not_after = certificate.validity.not_after;
            State::Present {
                not_after,
                residual_seconds: not_after.duration_since(now).as_secs(),
            }
        }),
        Err(error) => State::Unreadable(error.to_string()),
    }
}
