//! Bootstrap tokens and the key of the uploaded certificates.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::{self, InitConfiguration};
use rinit_config::{BootstrapToken, CertificateKey, Format, GoDuration};
use rinit_diag::Problem;
use rinit_plan::{BootstrapTokenSpec, Secret, constants};

use super::{Resolver, truncate};
use crate::facts::{Signing, UploadCerts};
use crate::sourced::Origin;

/// The life of the uploaded certificates.
const UPLOADED_CERTIFICATES_TTL: SignedDuration = SignedDuration::from_hours(2);

impl Resolver<'_> {
    /// Completes the document's tokens by flags, and by those that are generated for this run, whose
    /// indexes it returns.
    pub(super) fn fill_tokens(&mut self, init: &mut InitConfiguration) -> BTreeSet<usize> {
        // kubeadm describes its token only where there is no file.
        let by_flags = self.documents.init.is_none() && self.documents.cluster.is_none();
        let description = by_flags.then(|| constants::DEFAULT_TOKEN_DESCRIPTION.to_owned());
        let tokens = &mut init.bootstrap_tokens;
        if let Some(token) = &self.overrides.token {
            self.check_flag("token", Format::BootstrapToken, token.expose());
            *tokens = vec![v1beta4::BootstrapToken {
                token: BootstrapToken::new(token.expose().clone()),
                description,
                ..Default::default()
            }];
            self.found
                .insert("bootstrapTokens[0].token".to_owned(), Origin::Flag("token"));
        } else if tokens.is_empty() {
            *tokens = vec![v1beta4::BootstrapToken {
                description,
                ..Default::default()
            }];
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
        let mut generated = self.host.drawn_tokens.iter();
        let mut indexes = BTreeSet::new();
        for (index, token) in tokens.iter_mut().enumerate() {
            let field = |name: &str| format!("bootstrapTokens[{index}].{name}");
            if let Some(ttl) = flag_ttl.filter(|_| token.expires.is_none()) {
                token.ttl = Some(ttl);
                self.found.insert(field("ttl"), Origin::Flag("token-ttl"));
            }
            // One that was refused just now is not replaced.
            if token.token.is_some() || self.misformed.contains("token") {
                continue;
            }
            let text = generated.next().map(|text| text.expose().clone());
            token.token = text.and_then(BootstrapToken::new);
            if token.token.is_none() {
                let message = "fewer tokens were generated than are wanted";
                let problem = Problem::new(message).with_hint("report this as a fault of rinit");
                self.problems.push(problem);
            }
            self.found.insert(field("token"), Origin::Generated);
            indexes.insert(index);
        }
        indexes
    }

    pub(super) fn upload_certs(
        &mut self,
        init: &mut InitConfiguration,
        signing: &Signing,
        now: Timestamp,
    ) -> UploadCerts {
        if let Some(key) = &self.overrides.certificate_key {
            self.check_flag("certificate-key", Format::CertificateKey, key.expose());
            init.certificate_key = CertificateKey::new(key.expose().clone());
        }
        let given = init
            .certificate_key
            .clone()
            .map(CertificateKey::into_secret);
        if self.overrides.upload_certs && signing.external && self.is_settled("certificatesDir") {
            self.problems.push(
                Problem::new("--upload-certs cannot be used with an external CA, whose key is not on this host")
                    .with_hint("copy the certificates to the other control planes by hand"),
            );
        }
        if self.overrides.upload_certs && given.is_none() {
            init.certificate_key =
                CertificateKey::new(self.host.drawn_certificate_key.expose().clone());
            self.found
                .insert("certificateKey".to_owned(), Origin::Generated);
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

/// Returns the tokens of a completed document.
pub(super) fn token_specs(
    init: &InitConfiguration,
    generated: &BTreeSet<usize>,
    now: Timestamp,
) -> Vec<BootstrapTokenSpec> {
    let tokens = init.bootstrap_tokens.iter().cloned().enumerate();
    let mut specs: Vec<BootstrapTokenSpec> = tokens
        .map(|(index, token)| {
            let text = token.token.map(BootstrapToken::into_secret);
            let expires = if let Some(expires) = token.expires {
                Timestamp::from_second(expires.unix_seconds()).ok()
            } else {
                let ttl = token.ttl.map_or(0, GoDuration::nanoseconds);
                let ttl = SignedDuration::from_nanos(ttl);
                (!ttl.is_zero())
                    .then(|| now.checked_add(ttl).ok())
                    .flatten()
                    .map(truncate)
            };
            token_spec(
                &text.unwrap_or_else(|| Secret::new(String::new())),
                token.description.filter(|text| !text.is_empty()),
                expires,
                token
                    .usages
                    .iter()
                    .map(|one| one.as_str().to_owned())
                    .collect(),
                token.groups,
                generated.contains(&index),
            )
        })
        .collect();
    tell_apart(&mut specs);
    specs
}

/// Counts for each generated token those that look like it in the cluster: all that are written out,
/// and those that are generated before it.
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
