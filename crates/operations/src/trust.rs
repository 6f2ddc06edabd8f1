//! Whom a kubeconfig trusts from now on, where that is not just what is in the file of its authority.

use jiff::Timestamp;
use rinit_diag::Problem;
use rinit_pki::{Certificate, Trust};
use rinit_plan::{CertificateBundle, ExtendedKeyUsage, KubeconfigSpec};

/// What is known of a kubeconfig and its authority.
pub(crate) struct Question<'a> {
    pub(crate) spec: &'a KubeconfigSpec,
    /// What it trusts (PEM); none where it does not say.
    pub(crate) trusted: Option<&'a [u8]>,
    /// Its client certificate (PEM); empty where it has none.
    pub(crate) client: &'a [u8],
    /// The certificates in the file of the authority.
    pub(crate) authority: &'a [Certificate],
    /// Whether it should trust the authority whatever it trusts.
    pub(crate) must_trust: bool,
    /// Whether the API server shows a certificate of the authority from now on, so that nobody has to
    /// trust the one before it.
    pub(crate) is_shown: bool,
    /// Whether others beside the authority are left out; none where nobody can ask for that.
    pub(crate) prune: Option<bool>,
    pub(crate) now: Timestamp,
}

/// The answer.
#[derive(Default)]
pub(crate) struct Answer {
    /// Whom it trusts instead, and a sentence without its subject on that; none if it goes on.
    pub(crate) change: Option<(CertificateBundle, String)>,
    /// What there is to say.
    pub(crate) warning: Option<Problem>,
}

impl Question<'_> {
    /// Who trusts a part of the authority's certificates trusts all of them from now on, and so does
    /// who trusts the authority that was there before, which goes once the API server shows nothing of
    /// it. What is trusted beside them stays, as while one authority is replaced by another; what has
    /// expired vouches for nobody. Who trusts others only has them for a reason.
    pub(crate) fn answer(&self) -> Answer {
        let Self {
            spec,
            authority,
            now,
            ..
        } = *self;
        let file = &spec.signer.certificate;
        let only_the_authority = |more: &str| Answer {
            change: Some((
                Certificate::bundle(authority),
                format!("trusts what is in {file}{more}"),
            )),
            warning: None,
        };
        let trust = match self.trusted.map(|trusted| Trust::of(trusted, authority)) {
            Some(Ok(trust)) => trust,
            None if self.must_trust => return only_the_authority(""),
            // It waits for what is signed elsewhere.
            None if self.client.is_empty() => return Answer::default(),
            None => {
                return self.doubt("it names no authority, so that it trusts those of its host");
            }
            Some(Err(error)) if self.must_trust => {
                return only_the_authority(&format!(
                    ", and no longer what could not be read ({error})"
                ));
            }
            Some(Err(error)) => {
                return self.doubt(&format!("whom it trusts cannot be read ({error})"));
            }
        };
        let is_other = trust.is_other();
        let is_former = |one: &Certificate| is_other && self.is_former(one);
        if is_other && !self.must_trust && !trust.foreign.iter().any(is_former) {
            return self.doubt(&format!("it trusts none of the certificates in {file}"));
        }
        let prunes = self.prune == Some(true);
        let (dropped, kept): (Vec<_>, Vec<_>) = trust.foreign.into_iter().partition(|one| {
            prunes || one.validity.not_after <= now || (self.is_shown && is_former(one))
        });
        let (dropped_unreadable, kept_unreadable) = if prunes {
            (trust.unreadable, Vec::new())
        } else {
            (Vec::new(), trust.unreadable)
        };
        let warning = (!kept.is_empty() || !kept_unreadable.is_empty()).then(|| {
            let problem = Problem::new(format!(
                "{}: it trusts {} too, beside what is in {file}, which is kept",
                spec.path,
                Trust::names(&kept, &kept_unreadable, now)
            ));
            match self.prune {
                Some(_) => problem.with_hint("Leave such out with `--prune-authorities`."),
                None => problem,
            }
        });
        let drops = !dropped.is_empty() || !dropped_unreadable.is_empty();
        let change = (!trust.missing.is_empty() || drops).then(|| {
            let mut sentence = format!("trusts what is in {file}");
            if is_other {
                sentence.push_str(", none of which it trusted");
            }
            if drops {
                sentence.push_str(", and no longer ");
                sentence.push_str(&Trust::names(&dropped, &dropped_unreadable, now));
            }
            let readable = authority.iter().chain(&kept).map(|one| &one.der);
            let all = readable.chain(kept_unreadable.iter().map(|one| &one.der));
            (
                CertificateBundle::from_der(all.map(Vec::as_slice)),
                sentence,
            )
        });
        Answer { change, warning }
    }

    /// Whether it is what the authority was before: of that name, or what has signed the client
    /// certificate beside it.
    fn is_former(&self, trusted: &Certificate) -> bool {
        self.authority
            .iter()
            .any(|one| one.subject == trusted.subject)
            || Certificate::read_all(self.client).is_ok_and(|client| {
                // Who has signed it by way of another stands above the authority, not in its place.
                let leaf = &client[..1];
                rinit_pki::chain(leaf, std::slice::from_ref(trusted), &[]).is_ok()
            })
    }

    fn doubt(&self, what: &str) -> Answer {
        let KubeconfigSpec { path, name, .. } = self.spec;
        let problem = Problem::new(format!("{path}: {what}, and is left so"));
        Answer {
            change: None,
            warning: Some(problem.with_hint(format!(
                "If that is wrong, `rinit certs renew {name} --config FILE` has it trust them."
            ))),
        }
    }
}

/// Whether what a server shows (PEM) leads to the authority.
pub(crate) fn shows(server: &[u8], authority: &[Certificate]) -> bool {
    Certificate::read_all(server).is_ok_and(|server| {
        rinit_pki::chain(&server, authority, &[ExtendedKeyUsage::ServerAuth]).is_ok()
    })
}
