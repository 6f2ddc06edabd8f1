//! Objects in the cluster, the administrators' binding, the node, and bootstrap tokens.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rinit_cluster::{Client, ClusterError, Desired, Outcome, Patience, Standing, TokenStanding};
use rinit_observe::documents_differ;
use rinit_plan::{
    ApiAccess, BootstrapTokenSpec, Fill, LogicalPath, NodeMark, ObjectId, ObjectSpec, Reference,
    WriteStyle,
};
use rinit_workflow::{Ensured, Presence, State};
use serde_json::{Map, Value};

use crate::{Apply, ApplyError};

/// Clients by the kubeconfig and server that they were made from.
#[derive(Default)]
pub(crate) struct Clients {
    made: Mutex<HashMap<(LogicalPath, Option<String>), Client>>,
    /// Servers that did not answer at the first look: nobody asks them again before something was
    /// done.
    unreachable: Mutex<Vec<(LogicalPath, Option<String>)>>,
}

impl Clients {
    pub(crate) fn forget_unreachable(&self) {
        self.unreachable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Apply {
    pub(crate) async fn client(
        &self,
        kubeconfig: &LogicalPath,
        server: Option<&str>,
    ) -> Result<Client, ApplyError> {
        let key = (kubeconfig.clone(), server.map(str::to_owned));
        if let Some(client) = self
            .clients
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Ok(client.clone());
        }
        let text = self
            .host
            .read_text(kubeconfig)?
            .ok_or_else(|| ApplyError::Missing {
                path: kubeconfig.clone(),
            })?;
        let client =
            Client::from_kubeconfig(&text, server, rinit_cluster::Timeouts::default()).await?;
        self.clients
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, client.clone());
        Ok(client)
    }

    pub(crate) async fn admin(&self, access: &ApiAccess) -> Result<Client, ApplyError> {
        self.client(&access.kubeconfig, access.server.as_deref())
            .await
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of(self.api_limit)
    }

    /// How long a question may take: at the first look nobody waits for a server that is down.
    fn looking_patience(&self) -> Patience {
        if self.looking.load(Ordering::Relaxed) {
            Patience::none()
        } else {
            self.patience()
        }
    }

    /// Asks the API server, or says why it cannot be asked yet.
    pub(crate) async fn asked<T>(
        &self,
        access: &ApiAccess,
        question: impl AsyncFnOnce(&Client, &Patience) -> Result<T, ClusterError>,
    ) -> Result<Result<T, State>, ApplyError> {
        let unknown = |reason: &str| {
            Ok(Err(State::Unknown {
                reason: reason.to_owned(),
            }))
        };
        let key = (access.kubeconfig.clone(), access.server.clone());
        let down = |clients: &Clients| {
            clients
                .unreachable
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&key)
        };
        if !self.host.exists(&access.kubeconfig)? || down(&self.clients) {
            return unknown("the API server does not answer yet");
        }
        let client = self.admin(access).await?;
        match question(&client, &self.looking_patience()).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if error.may_pass() && self.looking.load(Ordering::Relaxed) => {
                self.clients
                    .unreachable
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(key);
                unknown("the API server does not answer yet")
            }
            // The administrators' binding is made in this very run.
            Err(error) if error.is_forbidden() && self.looking.load(Ordering::Relaxed) => {
                unknown("admin.conf has no rights yet")
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn api_server_answers(&self, access: &ApiAccess) -> Presence {
        match self
            .asked(access, async |client, _| client.probe("/livez").await)
            .await
        {
            Ok(Ok(())) => Presence::Present,
            Err(ApplyError::Host(error)) if error.is_permission_denied() => Presence::Unknown,
            Ok(Err(_)) | Err(_) => Presence::Missing,
        }
    }

    pub(crate) async fn object_exists(&self, access: &ApiAccess, id: &ObjectId) -> Presence {
        match self
            .asked(access, async |client, _| client.get(id).await)
            .await
        {
            Ok(Ok(Some(_))) => Presence::Present,
            Ok(Ok(None)) => Presence::Missing,
            Ok(Err(_)) | Err(_) => Presence::Unknown,
        }
    }

    pub(crate) async fn inspect_cluster_admins(
        &self,
        access: &ApiAccess,
    ) -> Result<State, ApplyError> {
        // Another kubeconfig than admin.conf brings its own rights.
        if access.super_kubeconfig.is_none() {
            return Ok(State::HOLDS);
        }
        let asked = self
            .asked(access, async |client, patience| {
                rinit_cluster::inspect_cluster_admins(client, patience).await
            })
            .await?;
        Ok(match asked {
            // A binding that somebody has changed is left as it is, as kubeadm does.
            Ok(Standing::Holds | Standing::Differs(_)) => State::HOLDS,
            Ok(Standing::Absent) => State::Absent,
            Err(state) => state,
        })
    }

    pub(crate) async fn ensure_cluster_admins(
        &self,
        access: &ApiAccess,
    ) -> Result<Ensured, ApplyError> {
        let admin = self.admin(access).await?;
        let super_admin = match &access.super_kubeconfig {
            Some(path) if self.host.exists(path)? => {
                Some(self.client(path, access.server.as_deref()).await?)
            }
            _ => None,
        };
        rinit_cluster::ensure_cluster_admins(&admin, super_admin.as_ref(), &self.patience())
            .await?;
        Ok(Ensured::default())
    }

    pub(crate) async fn inspect_object(
        &self,
        access: &ApiAccess,
        object: &ObjectSpec,
    ) -> Result<State, ApplyError> {
        let asked = self
            .asked(access, async |client, patience| {
                client.get_patiently(&object.id, patience).await
            })
            .await?;
        let live = match asked {
            Ok(Some(live)) => live,
            Ok(None) => return Ok(State::Absent),
            Err(state) => return Ok(state),
        };
        if object.write == WriteStyle::Retain {
            return Ok(State::HOLDS);
        }
        if object.fills.iter().any(is_sealed) {
            return Ok(State::Differs {
                diff: "encrypted anew under this run's certificate key".to_owned(),
            });
        }
        let body = self.filled(access, object).await?;
        let differences = match object.write {
            WriteStyle::Verify => documents_differ(&body, &live, &object.unmanaged),
            _ => rinit_cluster::compare(&body, &live, &object.unmanaged),
        };
        Ok(if differences.is_empty() {
            State::HOLDS
        } else {
            State::Differs {
                diff: rinit_cluster::render(&differences),
            }
        })
    }

    pub(crate) async fn ensure_object(
        &self,
        access: &ApiAccess,
        object: &ObjectSpec,
    ) -> Result<Ensured, ApplyError> {
        let client = self.admin(access).await?;
        let body = self.filled(access, object).await?;
        let desired = Desired {
            id: &object.id,
            body: &body,
            style: match object.write {
                WriteStyle::Verify if self.reconfigures => WriteStyle::Replace,
                style => style,
            },
            unmanaged: &object.unmanaged,
        };
        let written = client.write(&desired, &self.patience()).await?;
        if object.fills.iter().any(is_sealed) {
            self.uploaded.store(true, Ordering::Relaxed);
        }
        match written.outcome {
            Outcome::Refused(_)
                if documents_differ(&body, &written.live, &object.unmanaged).is_empty() =>
            {
                Ok(Ensured::default())
            }
            Outcome::Refused(differences) => Err(ApplyError::Refused {
                object: object.id.to_string(),
                differences: rinit_cluster::render(&differences),
            }),
            Outcome::Created | Outcome::Unchanged | Outcome::Replaced(_) => Ok(Ensured::default()),
        }
    }

    /// The manifest of an object with every gap filled.
    async fn filled(&self, access: &ApiAccess, object: &ObjectSpec) -> Result<Value, ApplyError> {
        let mut body = object.body.clone();
        for Fill { pointer, reference } in &object.fills {
            let value = self.value(access, reference).await?;
            set(&mut body, pointer, value).ok_or_else(|| {
                ApplyError::Impossible(format!("{} has no place {pointer}", object.id))
            })?;
        }
        Ok(body)
    }

    async fn value(&self, access: &ApiAccess, reference: &Reference) -> Result<Value, ApplyError> {
        match reference {
            Reference::DiscoveryKubeconfig {
                server,
                ca_certificate,
            } => {
                let ca = self
                    .host
                    .read(ca_certificate)?
                    .ok_or_else(|| ApplyError::Missing {
                        path: ca_certificate.clone(),
                    })?;
                let ca =
                    rinit_pki::certificates_of(&ca).map_err(|source| ApplyError::Material {
                        path: ca_certificate.clone(),
                        source,
                    })?;
                Ok(Value::from(rinit_manifest::discovery::kubeconfig(
                    server, &ca,
                )))
            }
            Reference::SealedFile {
                path,
                certificate_key,
            } => {
                let Some(content) = self.host.read(path)? else {
                    return Ok(Value::from(""));
                };
                let sealed =
                    rinit_pki::seal(certificate_key.expose(), &content).map_err(|source| {
                        ApplyError::Material {
                            path: path.clone(),
                            source,
                        }
                    })?;
                Ok(Value::from(STANDARD.encode(sealed)))
            }
            Reference::ObjectUid(id) => {
                let client = self.admin(access).await?;
                let live = client.get_patiently(id, &self.patience()).await?;
                live.as_ref()
                    .and_then(|live| live.pointer("/metadata/uid"))
                    .cloned()
                    .ok_or_else(|| ApplyError::NoObject(id.to_string()))
            }
        }
    }

    pub(crate) async fn inspect_node_mark(
        &self,
        access: &ApiAccess,
        mark: &NodeMark,
    ) -> Result<State, ApplyError> {
        let asked = self
            .asked(access, async |client, patience| {
                rinit_cluster::inspect_node_mark(client, mark, patience).await
            })
            .await?;
        Ok(match asked {
            Ok(Standing::Holds) => State::HOLDS,
            Ok(Standing::Absent) => State::Absent,
            Ok(Standing::Differs(differences)) => State::Differs {
                diff: rinit_cluster::render(&differences),
            },
            Err(state) => state,
        })
    }

    pub(crate) async fn ensure_node_mark(
        &self,
        access: &ApiAccess,
        mark: &NodeMark,
    ) -> Result<Ensured, ApplyError> {
        let client = self.admin(access).await?;
        rinit_cluster::mark_node(&client, mark, &self.patience()).await?;
        Ok(Ensured::default())
    }

    pub(crate) async fn inspect_token(
        &self,
        access: &ApiAccess,
        token: &BootstrapTokenSpec,
    ) -> Result<State, ApplyError> {
        let now = self.now;
        let asked = self
            .asked(access, async |client, patience| {
                if token.drawn {
                    let live =
                        rinit_cluster::live_drawn_token(client, token, now, patience).await?;
                    return Ok(live.map_or(TokenStanding::Absent, |_| TokenStanding::Holds));
                }
                rinit_cluster::inspect_token(client, token, now, patience).await
            })
            .await?;
        Ok(match asked {
            Ok(TokenStanding::Holds) => State::HOLDS,
            Ok(TokenStanding::Absent) => State::Absent,
            Ok(TokenStanding::Expired) => State::Differs {
                diff: "- expired".to_owned(),
            },
            Ok(TokenStanding::Differs) => State::Differs {
                diff: "- another secret, use or group".to_owned(),
            },
            Err(state) => state,
        })
    }

    pub(crate) async fn ensure_token(
        &self,
        access: &ApiAccess,
        token: &BootstrapTokenSpec,
    ) -> Result<Ensured, ApplyError> {
        let client = self.admin(access).await?;
        rinit_cluster::ensure_token(&client, token, self.now, &self.patience()).await?;
        Ok(Ensured::default())
    }

    /// The token that joiners are told: of drawn ones the one that lives in the cluster.
    pub(crate) async fn told_token(
        &self,
        access: &ApiAccess,
        token: &BootstrapTokenSpec,
    ) -> Result<BootstrapTokenSpec, ApplyError> {
        if !token.drawn {
            return Ok(token.clone());
        }
        let client = self.admin(access).await?;
        rinit_cluster::live_drawn_token(&client, token, self.now, &self.patience())
            .await?
            .ok_or_else(|| ApplyError::NoObject("a bootstrap token of init".to_owned()))
    }
}

fn is_sealed(fill: &Fill) -> bool {
    matches!(fill.reference, Reference::SealedFile { .. })
}

/// Sets a value by its JSON pointer, making the maps on the way.
fn set(body: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let mut target = body;
    for part in pointer.strip_prefix('/')?.split('/') {
        let name = part.replace("~1", "/").replace("~0", "~");
        target = match target {
            Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?)?,
            Value::Null => {
                *target = Value::Object(Map::new());
                target.as_object_mut()?.entry(name).or_insert(Value::Null)
            }
            Value::Object(fields) => fields.entry(name).or_insert(Value::Null),
            _ => return None,
        };
    }
    *target = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn gaps_are_filled_by_their_pointers() {
        let mut body = json!({"metadata": {"ownerReferences": [{"name": "a"}]}});
        set(&mut body, "/metadata/ownerReferences/0/uid", json!("u")).unwrap();
        set(&mut body, "/data/ca.crt", json!("x")).unwrap();
        set(&mut body, "/data/a~1b", json!("y")).unwrap();
        assert_eq!(
            body,
            json!({
                "metadata": {"ownerReferences": [{"name": "a", "uid": "u"}]},
                "data": {"ca.crt": "x", "a/b": "y"},
            })
        );
        assert_eq!(
            set(&mut body, "/metadata/ownerReferences/7/uid", json!("u")),
            None
        );
    }
}
