//! Bootstrap tokens, kept as Secrets of type `bootstrap.kubernetes.io/token` in `kube-system`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use rinit_plan::{BootstrapTokenSpec, ObjectId, Secret};
use serde_json::{Map, Value, json};

use crate::retry::retry;
use crate::{Client, ClusterError, Patience, Result};

const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// How much of its life a token must have before it that a joiner is told of.
const LEAST_LEFT: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
const USAGE_PREFIX: &str = "usage-bootstrap-";

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStanding {
    /// There is none of that identifier.
    Absent,
    /// It is as it should be and has not expired. Its end may be another than the one that would
    /// be written now, since that counts from each run.
    Holds,
    /// It is as it should be, but has expired.
    Expired,
    /// Something of it is otherwise.
    Differs,
}

/// The Secret of a token.
pub fn token_secret(token: &BootstrapTokenSpec) -> Value {
    let mut data = Map::new();
    let mut put = |key: &str, text: &str| {
        data.insert(key.to_owned(), BASE64_STANDARD.encode(text).into());
    };
    put("token-id", &token.id);
    put("token-secret", token.secret.expose());
    if let Some(description) = token.description.as_deref().filter(|text| !text.is_empty()) {
        put("description", description);
    }
    if let Some(expires) = token.expires {
        put(
            "expiration",
            &expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
    }
    for usage in &token.usages {
        put(&format!("{USAGE_PREFIX}{usage}"), "true");
    }
    if !token.groups.is_empty() {
        put("auth-extra-groups", &token.groups.join(","));
    }
    let id = token.object_id();
    json!({
        "apiVersion": id.api_version,
        "kind": id.kind,
        "metadata": {"name": id.name, "namespace": id.namespace},
        "type": SECRET_TYPE,
        "data": data,
    })
}

/// How a token stands now.
pub async fn inspect_token(
    client: &Client,
    token: &BootstrapTokenSpec,
    now: Timestamp,
    patience: &Patience,
) -> Result<TokenStanding> {
    let live = client.get_patiently(&token.object_id(), patience).await?;
    Ok(live.map_or(TokenStanding::Absent, |live| standing(token, &live, now)))
}

/// Makes a token stand as specified, whatever stood under its identifier. Answers its Secret's UID
/// and whether anything was written.
pub async fn ensure_token(
    client: &Client,
    token: &BootstrapTokenSpec,
    now: Timestamp,
    patience: &Patience,
) -> Result<(String, bool)> {
    let id = token.object_id();
    let body = token_secret(token);
    let (live, written) = retry(patience, async || {
        if let Some(live) = client.create(&id, &body).await? {
            return Ok((live, true));
        }
        let Some(live) = client.get(&id).await? else {
            // The token cleaner was quicker; the next try makes it.
            return Err(ClusterError::Rejected {
                verb: "read",
                object: id.to_string(),
                code: 404,
                reason: "NotFound".to_owned(),
                message: String::new(),
            });
        };
        if standing(token, &live, now) == TokenStanding::Holds {
            return Ok((live, false));
        }
        // The data are replaced whole: an old end or usage must not stay.
        let mut replaced = live;
        replaced["data"] = body["data"].clone();
        replaced["type"] = body["type"].clone();
        Ok((client.replace(&id, &replaced).await?, true))
    })
    .await?;
    let uid = live["metadata"]["uid"]
        .as_str()
        .ok_or(ClusterError::Malformed {
            object: id.to_string(),
            problem: "it has no UID",
        })?;
    Ok((uid.to_owned(), written))
}

/// The tokens of a cluster, in the order of their names, expired ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The whole ones.
    pub tokens: Vec<BootstrapTokenSpec>,
    /// The names of Secrets of that type that cannot be read as tokens.
    pub malformed: Vec<String>,
}

/// Reads every token in the cluster.
pub async fn list_tokens(client: &Client, patience: &Patience) -> Result<Tokens> {
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(rinit_plan::constants::KUBE_SYSTEM.to_owned()),
        name: "*".to_owned(),
    };
    let selector = format!("type={SECRET_TYPE}");
    let secrets = retry(patience, || client.list(&id, &selector)).await?;
    let mut found = Tokens {
        tokens: Vec::new(),
        malformed: Vec::new(),
    };
    for secret in &secrets {
        match read_token(secret) {
            Some(token) => found.tokens.push(token),
            None => found.malformed.push(
                secret["metadata"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            ),
        }
    }
    Ok(found)
}

/// Creates a token. Returns whether there was none of that ID before; one that is there stays as it
/// is.
pub async fn create_token(
    client: &Client,
    token: &BootstrapTokenSpec,
    patience: &Patience,
) -> Result<bool> {
    let (id, body) = (token.object_id(), token_secret(token));
    let created = retry(patience, || client.create(&id, &body)).await?;
    Ok(created.is_some())
}

/// Deletes a token by its ID. Returns whether there was one.
pub async fn delete_token(client: &Client, id: &str, patience: &Patience) -> Result<bool> {
    let id = BootstrapTokenSpec::object_id_of(id);
    retry(patience, || client.delete(&id)).await
}

/// The token that an earlier init drew, if one is still good: same description, usages and groups,
/// not expired. Of several, the one that lasts longest, after as many as are to be others.
pub async fn live_drawn_token(
    client: &Client,
    like: &BootstrapTokenSpec,
    now: Timestamp,
    patience: &Patience,
) -> Result<Option<BootstrapTokenSpec>> {
    let tokens = list_tokens(client, patience).await?.tokens;
    Ok(longest_lasting(tokens, like, now))
}

fn longest_lasting(
    mut tokens: Vec<BootstrapTokenSpec>,
    like: &BootstrapTokenSpec,
    now: Timestamp,
) -> Option<BootstrapTokenSpec> {
    tokens.sort_by_key(|token| std::cmp::Reverse(token.expires.unwrap_or(Timestamp::MAX)));
    tokens
        .into_iter()
        .filter(|token| {
            token.description == like.description
                && sorted(&token.usages) == sorted(&like.usages)
                && sorted(&token.groups) == sorted(&like.groups)
                && match token.expires {
                    // A joiner needs a while, and a token that somebody made to last for ever
                    // stands in only for one that should.
                    Some(expires) => expires > now + LEAST_LEFT,
                    None => like.expires.is_none(),
                }
        })
        .nth(like.alike)
}

fn standing(token: &BootstrapTokenSpec, live: &Value, now: Timestamp) -> TokenStanding {
    let Some(found) = read_token(live) else {
        return TokenStanding::Differs;
    };
    let same = live["type"] == SECRET_TYPE
        && found.secret == token.secret
        && found.description == token.description.clone().filter(|text| !text.is_empty())
        && sorted(&found.usages) == sorted(&token.usages)
        && sorted(&found.groups) == sorted(&token.groups)
        && found.expires.is_some() == token.expires.is_some();
    match found.expires {
        _ if !same => TokenStanding::Differs,
        Some(expires) if expires <= now => TokenStanding::Expired,
        _ => TokenStanding::Holds,
    }
}

/// Reads a token from its Secret; none if it is not a whole one. `drawn` is not known to the
/// cluster and false.
fn read_token(secret: &Value) -> Option<BootstrapTokenSpec> {
    let data = secret["data"].as_object()?;
    let text = |key: &str| -> Option<String> {
        let bytes = BASE64_STANDARD.decode(data.get(key)?.as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let expires = if data.contains_key("expiration") {
        // An end that cannot be read makes the token useless to the API server too.
        Some(text("expiration")?.parse().ok()?)
    } else {
        None
    };
    let mut usages: Vec<String> = data
        .keys()
        .filter(|key| text(key).as_deref() == Some("true"))
        .filter_map(|key| Some(key.strip_prefix(USAGE_PREFIX)?.to_owned()))
        .collect();
    // Kubernetes' own order: signing before authentication.
    usages.sort_by(|left, right| right.cmp(left));
    Some(BootstrapTokenSpec {
        id: text("token-id")?,
        secret: Secret::new(text("token-secret")?),
        description: text("description"),
        expires,
        usages,
        groups: text("auth-extra-groups")
            .unwrap_or_default()
            .split(',')
            .filter(|group| !group.is_empty())
            .map(str::to_owned)
            .collect(),
        drawn: false,
        alike: 0,
    })
}

fn sorted(texts: &[String]) -> Vec<&str> {
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_unstable();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T01:00:00Z";

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn token(expires: Option<&str>) -> BootstrapTokenSpec {
        BootstrapTokenSpec {
            id: "abcdef".into(),
            secret: Secret::new("0123456789abcdef".into()),
            description: Some("drawn".into()),
            expires: expires.map(time),
            usages: vec!["signing".into(), "authentication".into()],
            groups: vec!["system:bootstrappers:kubeadm:default-node-token".into()],
            drawn: false,
            alike: 0,
        }
    }

    #[test]
    fn a_token_is_read_back_as_it_was_written() {
        let token = token(Some("2026-11-23T01:00:00Z"));
        let secret = token_secret(&token);
        assert_eq!(secret["metadata"]["name"], "bootstrap-token-abcdef");
        assert_eq!(
            secret["data"]["expiration"],
            BASE64_STANDARD.encode("2026-11-23T01:00:00Z")
        );
        assert_eq!(secret["data"]["usage-bootstrap-signing"], "dHJ1ZQ==");
        assert_eq!(read_token(&secret), Some(token));
    }

    #[test]
    fn fractions_of_a_second_are_dropped_from_the_end() {
        let secret = token_secret(&token(Some("2026-11-23T01:00:00.75Z")));
        assert_eq!(
            read_token(&secret).unwrap().expires,
            Some(time("2026-11-23T01:00:00Z"))
        );
    }

    #[test]
    fn the_end_of_a_live_token_is_left_alone() {
        let wanted = token(Some("2026-11-23T01:00:00Z"));
        let standing_of =
            |live: &BootstrapTokenSpec| standing(&wanted, &token_secret(live), time(NOW));
        assert_eq!(
            standing_of(&token(Some("2026-11-22T09:00:00Z"))),
            TokenStanding::Holds
        );
        assert_eq!(standing_of(&token(Some(NOW))), TokenStanding::Expired);
        assert_eq!(standing_of(&token(None)), TokenStanding::Differs);
        let mut other = token(Some("2026-11-22T09:00:00Z"));
        other.secret = Secret::new("fedcba9876543210".into());
        assert_eq!(standing_of(&other), TokenStanding::Differs);
        let mut other = token(Some("2026-11-22T09:00:00Z"));
        other.usages.pop();
        assert_eq!(standing_of(&other), TokenStanding::Differs);
    }

    #[test]
    fn the_live_token_that_lasts_longest_is_found() {
        let mut tokens = vec![
            token(Some("2026-11-21T01:00:00Z")),
            token(Some("2026-11-22T02:00:00Z")),
            token(Some("2026-11-22T03:00:00Z")),
            token(Some("2026-11-29T03:00:00Z")),
        ];
        tokens[3].description = None;
        let found = longest_lasting(tokens.clone(), &token(None), time(NOW)).unwrap();
        assert_eq!(found, tokens[2]);
        let next = |alike| {
            let like = BootstrapTokenSpec {
                alike,
                ..token(None)
            };
            longest_lasting(tokens.clone(), &like, time(NOW))
        };
        assert_eq!(next(1), Some(tokens[1].clone()));
        assert_eq!(next(2), None);
        tokens.truncate(1);
        assert_eq!(longest_lasting(tokens, &token(None), time(NOW)), None);
    }
}
