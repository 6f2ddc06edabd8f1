//! Bootstrap tokens and the key of the uploaded certificates.

use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::{self, InitConfiguration};
use rinit_config::{Format, GoDuration};
use rinit_diag::Problem;
use rinit_plan::{BootstrapTokenSpec, Secret, constants, defaults, groups};

use super::{Resolver, truncate};
use crate::facts::{Signing, UploadCerts};

/// The life of a bootstrap token whose life is not configured.
const DEFAULT_TOKEN_TTL: GoDuration = GoDuration::from_seconds(defaults::TOKEN_SECONDS);
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
            self.check_flag("token", Format::BootstrapToken, token.expose());
            described = by_flags;
            // One that was refused just now is not drawn anew.
            configured = rinit_config::BootstrapToken::new(token.expose().clone())
                .map(|token| v1beta4::BootstrapToken {
                    token: Some(token),
                    ..Default::default()
                })
                .into_iter()
                .collect();
        } else if configured.is_empty() {
            described = by_flags;
            configured = vec![v1beta4::BootstrapToken::default()];
        }
        let flag_ttl = self.overrides.token_ttl.as_deref().and_then(|text| {
            let ttl = text.parse::<GoDuration>().ok();
            if ttl.is_none() {
                self.wrong_flag(
                    "token-ttl",
                    Problem::new(format!("\"{text}\" is no duration"))
                        .with_hint("write it as `24h0m0s`, or `0` for a token without an end"),
                );
            }
            ttl
        });
        let mut drawn_tokens = self.host.drawn_tokens.iter();
        let mut tokens: Vec<BootstrapTokenSpec> = configured
            .into_iter()
            .map(|token| {
                let drawn = token.token.is_none();
                let text = match token.token {
                    Some(token) => token.into_secret(),
                    None => drawn_tokens.next().cloned().unwrap_or_else(|| {
                        let message = "fewer tokens were drawn than are wanted";
                        let problem =
                            Problem::new(message).with_hint("report this as a fault of rinit");
                        self.problems.push(problem);
                        Secret::new(String::new())
                    }),
                };
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
                token_spec(&text, description, expires, usages, groups, drawn)
            })
            .collect();
        tell_apart(&mut tokens);
        tokens
    }

    pub(super) fn upload_certs(
        &mut self,
        init: &InitConfiguration,
        signing: &Signing,
        now: Timestamp,
    ) -> UploadCerts {
        let given = match &self.overrides.certificate_key {
            Some(key) => {
                self.check_flag("certificate-key", Format::CertificateKey, key.expose());
                Some(key.clone())
            }
            None => init
                .certificate_key
                .clone()
                .map(rinit_config::CertificateKey::into_secret),
        };
        if self.overrides.upload_certs && signing.external && self.is_settled("certificatesDir") {
            self.problems.push(
                Problem::new("--upload-certs cannot be used with an external certificate authority, whose key is not on this host")
                    .with_hint("copy the certificates to the other control planes by hand"),
            );
        }
        UploadCerts {
            enabled: self.overrides.upload_certs,
            generated: given.is_none(),
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

/// Counts for each drawn token those that look like it in the cluster: all that are written out,
/// and those that are drawn before it.
fn tell_apart(tokens: &mut [BootstrapTokenSpec]) {
    let look = |token: &BootstrapTokenSpec| {
        let sorted = |texts: &[String]| {
            let mut texts = texts.to_vec();
            texts.sort_unstable();
            texts
        };
        (
            token.description.clone(),
            sorted(&token.usages),
            sorted(&token.groups),
        )
    };
    for index in 0..tokens.len() {
        if !tokens[index].drawn {
            continue;
        }
        let own = look(&tokens[index]);
        let alike = tokens
            .iter()
            .enumerate()
            .filter(|(other, token)| *other < index || !token.drawn)
            .filter(|(_, token)| look(token) == own)
            .count();
        tokens[index].alike = alike;
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
        alike: 0,
    }
}
