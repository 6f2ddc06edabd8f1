//! The client: credentials, endpoints, and single calls.

use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use prost::Message;
use rinit_plan::Secret;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_prost::ProstCodec;

use crate::messages as m;
use crate::{EtcdError, Result};

/// A client of one etcd cluster. Cheap to clone.
#[derive(Clone)]
pub struct Etcd {
    endpoints: Vec<Connection>,
    tls: ClientTlsConfig,
}

/// Shows where it leads, never the credentials.
impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let endpoints = self.endpoints.iter().map(|it| &it.endpoint);
        f.debug_list().entries(endpoints).finish()
    }
}

#[derive(Clone)]
struct Connection {
    endpoint: String,
    channel: Channel,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The identifier, which etcdctl shows in hexadecimal.
    pub id: u64,
    /// The name; empty until the member has started.
    pub name: String,
    /// Where other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty until the member has started.
    pub client_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub is_learner: bool,
}

impl Member {
    /// Whether the member has ever started and joined.
    pub fn is_started(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether others reach it at this URL.
    pub fn has_peer_url(&self, url: &str) -> bool {
        self.peer_urls.iter().any(|it| it == url)
    }
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The member that answered.
    pub member: u64,
    /// The version of etcd, such as `3.6.4`.
    pub version: String,
    /// The member that leads; none while there is no leader, so no quorum.
    pub leader: Option<u64>,
    /// The index of the last entry in its raft log.
    pub raft_index: u64,
    /// Whether it has no vote yet.
    pub is_learner: bool,
    /// Its alarms, such as `NOSPACE`, and other trouble.
    pub errors: Vec<String>,
}

/// How the promotion of a learner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// The member votes, now or since before.
    Voting,
    /// The learner has not caught up with the leader yet: try again.
    NotCaughtUp,
}

/// Until a connection with TLS stands.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Until an answer is there.
const CALL_LIMIT: Duration = Duration::from_secs(5);

impl Etcd {
    /// A client of the cluster with these endpoints, such as `https://10.0.0.1:2379`. Everything
    /// else is PEM. Nothing is sent yet. Needs a tokio runtime around it.
    pub fn connect<S: AsRef<str>>(
        endpoints: &[S],
        ca: &[u8],
        certificate: &[u8],
        key: &Secret<String>,
    ) -> Result<Self> {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(ca))
            .identity(Identity::from_pem(certificate, key.expose()))
            .timeout(CONNECT_LIMIT);
        let endpoints = endpoints
            .iter()
            .map(|endpoint| connection(endpoint.as_ref(), &tls))
            .collect::<Result<Vec<_>>>()?;
        if endpoints.is_empty() {
            return Err(EtcdError::NoEndpoint);
        }
        Ok(Self { endpoints, tls })
    }

    /// The members, as a quorum knows them.
    pub async fn members(&self) -> Result<Vec<Member>> {
        let answer: m::MemberListResponse = self
            .call(
                "list the members",
                "/etcdserverpb.Cluster/MemberList",
                m::MemberListRequest { linearizable: true },
            )
            .await?;
        Ok(answer.members.into_iter().map(member).collect())
    }

    /// Adds a member without a vote; one that has this peer URL already is returned as it is.
    pub async fn add_learner(&self, peer_url: &str) -> Result<Member> {
        if let Some(member) = self.member_at(peer_url).await? {
            return Ok(member);
        }
        let call = "add a member";
        let request = m::MemberAddRequest {
            peer_urls: vec![peer_url.to_owned()],
            is_learner: true,
        };
        let answer: Result<m::MemberAddResponse> = self
            .call(call, "/etcdserverpb.Cluster/MemberAdd", request)
            .await;
        match answer {
            Ok(answer) => answer
                .member
                .map(member)
                .ok_or(EtcdError::Incomplete { call }),
            // Added meanwhile, perhaps by a call whose answer was lost.
            Err(error) if error.says("Peer URLs already exists") => self
                .member_at(peer_url)
                .await?
                .ok_or(EtcdError::Incomplete { call }),
            Err(error) => Err(error),
        }
    }

    /// Gives a learner its vote.
    pub async fn promote(&self, id: u64) -> Result<Promotion> {
        let request = m::MemberPromoteRequest { id };
        let answer: Result<m::Done> = self
            .call(
                "promote a member",
                "/etcdserverpb.Cluster/MemberPromote",
                request,
            )
            .await;
        match answer {
            Ok(_) => Ok(Promotion::Voting),
            Err(error) if error.says("in sync with leader") => Ok(Promotion::NotCaughtUp),
            Err(error) if error.says("can only promote a learner member") => Ok(Promotion::Voting),
            Err(error) => Err(error),
        }
    }

    /// Removes a member; one that is gone is no error. A leader hands over its lead first, so that
    /// the others need no election.
    pub async fn remove(&self, id: u64) -> Result<()> {
        if let Err(error) = self.take_lead_from(id).await {
            // The removal of a leader ends its lead too, only later.
            tracing::debug!(%error, "the leader did not hand over");
        }
        let request = m::MemberRemoveRequest { id };
        let answer: Result<m::Done> = self
            .call(
                "remove a member",
                "/etcdserverpb.Cluster/MemberRemove",
                request,
            )
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.says("member not found") => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the member at one endpoint says of itself. It need not be one of the client's.
    pub async fn status(&self, endpoint: &str) -> Result<Status> {
        let connection = connection(endpoint, &self.tls)?;
        let answer = ask(&connection, STATUS, STATUS_PATH, m::StatusRequest {}).await?;
        Ok(status(answer))
    }

    async fn member_at(&self, peer_url: &str) -> Result<Option<Member>> {
        let members = self.members().await?;
        Ok(members.into_iter().find(|it| it.has_peer_url(peer_url)))
    }

    /// Has another member lead, if this one does.
    async fn take_lead_from(&self, id: u64) -> Result<()> {
        let answer = self
            .call(STATUS, STATUS_PATH, m::StatusRequest {})
            .await
            .map(status)?;
        if answer.leader != Some(id) {
            return Ok(());
        }
        let (leader, others): (Vec<_>, Vec<_>) = self
            .members()
            .await?
            .into_iter()
            .partition(|member| member.id == id);
        let Some(endpoint) = leader.iter().flat_map(|it| &it.client_urls).next() else {
            return Ok(());
        };
        let Some(next) = others.iter().find(|it| it.is_started() && !it.is_learner) else {
            return Ok(());
        };
        // Only the leader itself takes this call.
        let request = m::MoveLeaderRequest { target_id: next.id };
        let path = "/etcdserverpb.Maintenance/MoveLeader";
        let connection = connection(endpoint, &self.tls)?;
        let _: m::Done = ask(&connection, "move the lead", path, request).await?;
        Ok(())
    }

    /// Makes one call at the first endpoint that can take it. The error is that of the last.
    async fn call<Question, Answer>(
        &self,
        call: &'static str,
        path: &'static str,
        question: Question,
    ) -> Result<Answer>
    where
        Question: Message + Clone + 'static,
        Answer: Message + Default + 'static,
    {
        let mut outcome = Err(EtcdError::NoEndpoint);
        for connection in &self.endpoints {
            outcome = ask(connection, call, path, question.clone()).await;
            if !matches!(&outcome, Err(error) if error.may_pass()) {
                break;
            }
        }
        outcome
    }
}

const STATUS: &str = "read the status";
const STATUS_PATH: &str = "/etcdserverpb.Maintenance/Status";

fn connection(endpoint: &str, tls: &ClientTlsConfig) -> Result<Connection> {
    let malformed = || EtcdError::Endpoint {
        endpoint: endpoint.to_owned(),
    };
    let uri: Uri = endpoint.parse().map_err(|_| malformed())?;
    let host = uri.host().ok_or_else(malformed)?;
    if uri.scheme_str() != Some("https") {
        return Err(malformed());
    }
    // A certificate has an IPv6 address without brackets.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let channel = Endpoint::from(uri.clone())
        .connect_timeout(CONNECT_LIMIT)
        .tls_config(tls.clone().domain_name(name))
        .map_err(|source| EtcdError::Credentials {
            source: source.into(),
        })?
        .connect_lazy();
    Ok(Connection {
        endpoint: endpoint.to_owned(),
        channel,
    })
}

async fn ask<Question, Answer>(
    connection: &Connection,
    call: &'static str,
    path: &'static str,
    question: Question,
) -> Result<Answer>
where
    Question: Message + 'static,
    Answer: Message + Default + 'static,
{
    let endpoint = &connection.endpoint;
    let exchange = async {
        let mut client = tonic::client::Grpc::new(connection.channel.clone());
        client
            .ready()
            .await
            .map_err(|source| EtcdError::of_transport(endpoint, source.into()))?;
        let codec = ProstCodec::<Question, Answer>::default();
        client
            .unary(
                tonic::Request::new(question),
                PathAndQuery::from_static(path),
                codec,
            )
            .await
            .map(tonic::Response::into_inner)
            .map_err(|status| EtcdError::of(call, endpoint, &status))
    };
    tracing::debug!(endpoint, path, "calling etcd");
    tokio::time::timeout(CALL_LIMIT, exchange)
        .await
        .unwrap_or_else(|_| {
            Err(EtcdError::NoAnswer {
                call,
                endpoint: endpoint.clone(),
                limit: CALL_LIMIT,
            })
        })
}

fn member(found: m::Member) -> Member {
    Member {
        id: found.id,
        name: found.name,
        peer_urls: found.peer_urls,
        client_urls: found.client_urls,
        is_learner: found.is_learner,
    }
}

fn status(answer: m::StatusResponse) -> Status {
    Status {
        member: answer.header.unwrap_or_default().member_id,
        version: answer.version,
        leader: (answer.leader != 0).then_some(answer.leader),
        raft_index: answer.raft_index,
        is_learner: answer.is_learner,
        errors: answer.errors,
    }
}
