//! The ways out that many files share: a command makes all of them anew.

use rinit_pki::{ChainFault, Fault, Finding, hint_of_constraints, renewal_in_a_new_cluster};
use rinit_plan::Signer;
use rinit_workflow::Remedy;

use crate::Apply;

/// For what an authority of this host can sign anew.
const RENEW: &str = "Make anew what does not fit, signed by the authorities on this host: `rinit \
                     certs renew {}`. The old files are kept in a backup.";

/// For a kubeconfig that trusts others beside its CA.
const PRUNE: &str = "While a CA is replaced that is right. If the others are no longer needed: \
                     `rinit certs ca prune`.";

/// For what an authority elsewhere must sign.
const REQUEST: &str = "The authority's key is elsewhere: make requests with `rinit certs \
                       generate-csr {}`, have them signed there, put what was signed into a \
                       folder, and install it with `rinit certs install-signed DIR`.";

impl Apply {
    /// How what was found of a certificate or kubeconfig is mended.
    pub(crate) fn remedy_of(&self, findings: &[Finding], signer: &Signer, name: &str) -> Remedy {
        let mut remedy = self.remedy(signer, name);
        let limited = |finding: &Finding| {
            matches!(&finding.fault, Fault::Unchained { reason, .. }
                if matches!(reason, ChainFault::NotAllowed(_)))
        };
        // Its authority would make another one that is no better.
        if findings.iter().any(limited) {
            remedy.text = hint_of_constraints(&signer.certificate);
            return remedy;
        }
        let unchained = |finding: &Finding| matches!(finding.fault, Fault::Unchained { .. });
        let renamed = |finding: &Finding| {
            matches!(&finding.fault, Fault::Unchained { reason, .. }
                if *reason == ChainFault::OtherEncoding)
        };
        if findings.iter().any(renamed) {
            remedy.note = Some(format!(
                "If {0} was generated again for the same key, put the old certificate back into {0} and \
                 run `rinit certs ca renew {1}`, which keeps the name.",
                signer.certificate, signer.id
            ));
            remedy
        } else if findings.iter().any(unchained) {
            or_the_authority(remedy, signer)
        } else {
            remedy
        }
    }

    /// How a certificate or kubeconfig of that name comes to fit.
    pub(crate) fn remedy(&self, signer: &Signer, name: &str) -> Remedy {
        let exists = |path| self.host.exists(path).unwrap_or(true);
        let text = if !exists(&signer.certificate) {
            format!(
                "Put the certificate of the CA back into {}. Only for a new cluster: generate a new CA \
                 with `rinit init phase certs {}`, and {}.",
                signer.certificate,
                signer.id,
                renewal_in_a_new_cluster(signer.id, "{}")
            )
        } else if exists(&signer.key) {
            RENEW.to_owned()
        } else {
            REQUEST.to_owned()
        };
        Remedy {
            text,
            note: None,
            subject: name.to_owned(),
        }
    }
}

/// How a kubeconfig comes to trust its authority alone.
pub(crate) fn only_the_authority(name: &str) -> Remedy {
    Remedy {
        text: PRUNE.to_owned(),
        note: None,
        subject: name.to_owned(),
    }
}

/// The same where the authority itself may be what is wrong, such as one of another backup.
pub(crate) fn or_the_authority(mut remedy: Remedy, signer: &Signer) -> Remedy {
    remedy.note = Some(format!(
        "If {} is not the cluster's own authority, put that one back instead.",
        signer.certificate
    ));
    remedy
}
