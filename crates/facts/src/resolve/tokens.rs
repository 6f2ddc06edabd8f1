//! Bootstrap tokens and the key of the uploaded certificates.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::{self, InitConfiguration};
use rinit_config::{Format, GoDuration};
use rinit_diag::Problem;
use rinit_plan::{BootstrapTokenSpec, Secret, constants, groups};

use super::{Resolver, truncate};
use crate::facts::{Certificates, UploadCerts};

/// The life of a bootstrap token whose life is not configured.
const DEFAULT_TOKEN_TTL: GoDuration = GoDuration::from_seconds(24 * 3600);
/// The life of the uploaded certificates.
const UPLOADED_CERTIFICATES_TTL: SignedDuration = SignedDuration::from_hours(2);

impl Resolver<'_> {
    pub(super) fn bootstrap_tokens(
        &mut self,
        init: &InitConfiguration,
        now: Timestamp,
    ) -> Vec<BootstrapTokenSpec> {
        let mut configured = init.bootstrap_tokens.clone();
        // kubeadm describes its token only where there is no file.
        let by_flags = self.documents.init.is_none() && self.documents.cluster.is_none();
        let mut described = false;
        if let Some(token) = &self.overrides.token {
            if let Some(problem) = Format::BootstrapToken.refuse(token.expose()) {
                self.problems.push(Problem {
                    message: format!("--token: {}", problem.message),
                    hint: problem.hint,
                });
            }
            described = by_flags;
            configured = vec![v1beta4::BootstrapToken {
                token: rinit_config::BootstrapToken::new(token.expose().clone()),
                ..Default::default()
            }];
        } else if configured.is_empty() {
            described = by_flags;
            configured = vec![v1beta4::BootstrapToken::default()];
        }
        let flag_ttl = self.overrides.token_ttl.as_deref().and_then(|text| {
            let ttl = GoDuration::from_str(text).ok();
            if ttl.is_none() {
                self.problems.push(
                    Problem::new(format!("--token-ttl: \"{text}\" is no duration"))
                        .with_hint("write it as `24h0m0s`, or `0` for a token without an end"),
                );
            }
            ttl
        });
        let drawn_count = configured
            .iter()
            .filter(|token| token.token.is_none())
            .count();
        configured
            .into_iter()
            .enumerate()
            .map(|(index, token)| {
                let drawn = token.token.is_none();
                let text = token.token.map_or_else(
                    || self.host.drawn_token.clone(),
                    rinit_config::BootstrapToken::into_secret,
                );
                let expires = if let Some(expires) = token.expires {
                    Timestamp::from_second(expires.unix_seconds()).ok()
                } else {
                    let ttl = flag_ttl.or(token.ttl).unwrap_or(DEFAULT_TOKEN_TTL);
                    let ttl = SignedDuration::from_nanos(ttl.nanoseconds());
                    (!ttl.is_zero())
                        .then(|| now.checked_add(ttl).ok())
                        .flatten()
                        .map(truncate)
                };
                let description = token
                    .description
                    .filter(|text| !text.is_empty())
                    .or_else(|| described.then(|| constants::DEFAULT_TOKEN_DESCRIPTION.to_owned()));
                let usages: Vec<String> = if token.usages.is_empty() {
                    vec!["signing".to_owned(), "authentication".to_owned()]
                } else {
                    token
                        .usages
                        .iter()
                        .map(|usage| usage.as_str().to_owned())
                        .collect()
                };
                let groups = if token.groups.is_empty() {
                    vec![groups::BOOTSTRAPPERS.to_owned()]
                } else {
                    token.groups
                };
                // Only one token can be drawn for a run.
                if drawn && drawn_count > 1 {
                    self.wrong(
                        &format!("bootstrapTokens[{index}]"),
                        Problem::new("of several tokens only one can be drawn; the others must be written out")
                            .with_hint("`kubeadm token generate` draws one"),
                    );
                }
                token_spec(&text, description, expires, usages, groups, drawn)
            })
            .collect()
    }

    pub(super) fn upload_certs(
        &mut self,
        init: &InitConfiguration,
        certificates: &Certificates,
        now: Timestamp,
    ) -> UploadCerts {
        let given = match &self.overrides.certificate_key {
            Some(key) => {
                if let Some(problem) = Format::CertificateKey.refuse(key.expose()) {
                    self.problems.push(Problem {
                        message: format!("--certificate-key: {}", problem.message),
                        hint: problem.hint,
                    });
                }
                Some(key.clone())
            }
            None => init
                .certificate_key
                .clone()
                .map(rinit_config::CertificateKey::into_secret),
        };
        if self.overrides.upload_certs && certificates.external_cluster_ca {
            self.problems.push(
                Problem::new("--upload-certs cannot be used with an external certificate authority, whose key is not on this host")
                    .with_hint("copy the certificates to the other control planes by hand"),
            );
        }
        UploadCerts {
            enabled: self.overrides.upload_certs,
            drawn: given.is_none(),
            certificate_key: given.unwrap_or_else(|| self.host.drawn_certificate_key.clone()),
            ttl_token: token_spec(
                &self.host.drawn_ttl_token,
                Some(constants::CERTS_TTL_TOKEN_DESCRIPTION.to_owned()),
                now.checked_add(UPLOADED_CERTIFICATES_TTL).ok(),
                Vec::new(),
                Vec::new(),
                true,
            ),
        }
    }
}

pub(super) fn token_spec(
    text: &Secret<String>,
    description: Option<String>,
    expires: Option<Timestamp>,
    usages: Vec<String>,
    groups: Vec<String>,
    drawn: bool,
) -> BootstrapTokenSpec {
    let (id, secret) = text.expose().split_once('.').unwrap_or_default();
    BootstrapTokenSpec {
        id: id.to_owned(),
        secret: Secret::new(secret.to_owned()),
        description,
        expires,
        usages,
        groups,
        drawn,
    }
}
