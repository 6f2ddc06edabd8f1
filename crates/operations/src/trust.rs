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
    /// What the API server shows from now on (PEM); empty where that is not known.
    pub(crate) shown: &'a [u8],
    /// Whether others beside the CA are removed, as far as the API server does not need them.
    pub(crate) prune: bool,
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
    /// who trusts the authority that was there before. What is trusted beside them stays: the API
    /// servers of other nodes may show certificates of it. What has expired vouches for nobody, and
    /// another certificate of the same authority takes the place of one. Who trusts others only has
    /// them for a reason.
    pub(crate) fn answer(&self) -> Answer {
        let file = &self.spec.signer.certificate;
        let only_the_authority = |more: &str| Answer {
            change: Some((
                Certificate::bundle(self.authority),
                format!("trusts what is in {file}{more}"),
            )),
            warning: None,
        };
        let trust = match self
            .trusted
            .map(|trusted| Trust::of(trusted, self.authority))
        {
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
        let is_former = |one: &Certificate| self.is_former(one);
        if trust.is_other() && !self.must_trust && !trust.foreign.iter().any(is_former) {
            return self.doubt(&format!("it trusts none of the certificates in {file}"));
        }
        self.extended(trust)
    }

    /// Trusts the CA too.
    fn extended(&self, trust: Trust) -> Answer {
        let Self { spec, now, .. } = *self;
        let file = &spec.signer.certificate;
        let is_other = trust.is_other();
        let (dropped, kept): (Vec<_>, Vec<_>) = trust.foreign.into_iter().partition(|one| {
            one.validity.not_after <= now
                || self.is_superseded(one)
                || (self.prune && !self.is_needed(one))
        });
        let needed: Vec<Certificate> = kept
            .iter()
            .filter(|one| self.is_needed(one))
            .cloned()
            .collect();
        let warning = (!kept.is_empty()).then(|| {
            let mut message = format!(
                "{}: it trusts {} too, beside what is in {file}, which is kept",
                spec.path,
                Trust::names(&kept, now)
            );
            let mut hint = "`rinit certs ca prune` removes them.";
            if !needed.is_empty() {
                message.push_str("; the API server shows a certificate of ");
                message.push_str(&Trust::names(&needed, now));
                hint = "`rinit certs ca prune` removes them, but for what the API server shows a \
                        certificate of.";
            }
            Problem::new(message).with_hint(hint)
        });
        let change = (!trust.missing.is_empty() || !dropped.is_empty()).then(|| {
            let mut sentence = format!("trusts what is in {file}");
            if is_other {
                sentence.push_str(", none of which it trusted");
            }
            if !dropped.is_empty() {
                sentence.push_str(", and no longer ");
                sentence.push_str(&Trust::names(&dropped, now));
            }
            let all = self.authority.iter().chain(&kept);
            let all = CertificateBundle::from_der(all.map(|one| one.der.as_slice()));
            (all, sentence)
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

    /// Whether another certificate of the same key and name stands in the authority's file.
    fn is_superseded(&self, trusted: &Certificate) -> bool {
        self.authority.iter().any(|one| {
            one.subject == trusted.subject && one.has_same_key(trusted) && one.is_valid_at(self.now)
        })
    }

    /// Whether what the API server shows leads to it, and not to the authority.
    fn is_needed(&self, trusted: &Certificate) -> bool {
        shows(self.shown, std::slice::from_ref(trusted)) && !shows(self.shown, self.authority)
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
fn shows(server: &[u8], authority: &[Certificate]) -> bool {
    Certificate::read_all(server).is_ok_and(|server| {
        rinit_pki::chain(&server, authority, &[ExtendedKeyUsage::ServerAuth]).is_ok()
    })
}
