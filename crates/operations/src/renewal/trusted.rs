//! Whom kubeconfigs trust after a renewal, and with whose certificate the controller manager signs.

use rinit_diag::Problem;
use rinit_pki::Certificate;
use rinit_plan::{CaId, FileMode, KubeconfigSpec, Secret};

use super::kubeconfig::Found;
use super::{API_SERVER, NewFile, Planner};
use crate::trust::Question;

impl Planner<'_, '_> {
    /// The part of that which is about trust.
    pub(super) fn trust(&mut self, spec: &KubeconfigSpec, found: &mut Found) -> Option<String> {
        let authority = (self.read)(&spec.signer.certificate).ok().flatten()?;
        let authority = Certificate::read_all(&authority).ok()?;
        if !self.options.configured && found.verifies_nothing() {
            let message = format!(
                "{}: it takes whatever server answers, and is left so",
                spec.path
            );
            self.renewal
                .warnings
                .push(Problem::new(message).with_hint(format!(
                    "`rinit certs renew {} --config FILE` has it verify the server.",
                    spec.name
                )));
            return None;
        }
        let shown = self.shown(spec);
        let question = Question {
            spec,
            trusted: found.trusted.as_deref(),
            client: &found.certificate,
            authority: &authority,
            must_trust: self.options.configured,
            shown: &shown,
            prune: self.prunes,
            now: self.options.now,
        };
        let answer = question.answer();
        self.renewal.warnings.extend(answer.warning);
        let (authorities, sentence) = answer.change?;
        found.trust(&authorities);
        Some(sentence)
    }

    /// What the API server shows when all this is done (PEM). Nothing where its certificate is made
    /// anew: then it is the authority's.
    fn shown(&mut self, spec: &KubeconfigSpec) -> Vec<u8> {
        if self.options.asks_for(API_SERVER) && self.authority(&spec.signer) == Ok(true) {
            return Vec::new();
        }
        let path = self.server.as_ref().map(|spec| spec.certificate.clone());
        path.and_then(|path| (self.read)(&path).ok().flatten())
            .unwrap_or_default()
    }

    /// Has the controller manager's own copy of the signing certificate follow the authority.
    pub(super) fn follow_the_signer(&mut self) {
        let path = &self.options.cluster_signer;
        let Some(authority) = self.renewal.authorities.get(&CaId::Cluster) else {
            return;
        };
        let Ok(Some(old)) = (self.read)(path) else {
            return;
        };
        let signer = authority.certificate();
        let is_current = Certificate::read_all(&old)
            .is_ok_and(|found| matches!(&found[..], [only] if only.der == signer.der));
        if is_current {
            return;
        }
        let file = NewFile {
            path: path.clone(),
            mode: FileMode::PUBLIC,
            content: Secret::new(String::from(signer.pem()).into_bytes()),
        };
        self.rewrite(
            file,
            vec!["gets the certificate of the key that signs for the cluster".to_owned()],
        );
    }
}
