//! The container runtime on its CRI socket: the few calls that preflight, image pulls and
//! diagnosis need. Containers and pods are never made or removed here.

mod messages;

use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::{HostError, Result};
use messages as m;

/// A connection to a container runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    socket: String,
    channel: Channel,
}

/// What the runtime says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeVersion {
    /// Such as `containerd`.
    pub name: String,
    /// Such as `v2.1.4`.
    pub version: String,
    /// The version of the CRI API, such as `v1`.
    pub api_version: String,
}

/// A condition of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `RuntimeReady` or `NetworkReady`.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// Why not, in one word.
    pub reason: String,
    /// Why not.
    pub message: String,
}

/// Who manages cgroups for the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupDriver {
    /// Through systemd.
    Systemd,
    /// Directly.
    Cgroupfs,
}

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Running.
    Running,
    /// Ended.
    Exited,
    /// The runtime does not know.
    Unknown,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The runtime's identifier.
    pub id: String,
    /// The name in the pod, such as `kube-apiserver`.
    pub name: String,
    /// How often it was started before in this pod.
    pub attempt: u32,
    /// What it does.
    pub state: ContainerState,
    /// When it was made, in nanoseconds since 1970.
    pub created_at: i64,
    /// The namespace of its pod.
    pub namespace: String,
    /// The name of its pod.
    pub pod: String,
    /// The identifier of its pod's sandbox.
    pub sandbox: String,
}

/// How a container ended, or runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStatus {
    /// The exit code of an ended container.
    pub exit_code: i32,
    /// Why it is in its state, in one word, such as `Error` or `OOMKilled`.
    pub reason: String,
    /// Why it is in its state.
    pub message: String,
    /// Its log file on the node.
    pub log_path: String,
}

/// A pod's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The runtime's identifier.
    pub id: String,
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub pod: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether the kubelet has the pod from a file: it is a static one.
    pub is_static: bool,
    /// When the kubelet read what the pod was made from.
    pub read: Option<Timestamp>,
}

/// The annotation by which the kubelet tells where it has a pod from.
const SOURCE: &str = "kubernetes.io/config.source";
/// The annotation by which the kubelet tells when it read a pod.
const SEEN: &str = "kubernetes.io/config.seen";
/// How long an ordinary call may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How long one try of a pull may take.
const PULL_LIMIT: Duration = Duration::from_mins(10);
/// How often a pull is tried, as kubeadm does.
const PULL_TRIES: u32 = 5;

impl Runtime {
    /// Connects to a socket such as `unix:///var/run/containerd/containerd.sock`.
    pub async fn connect(socket: &str) -> Result<Self> {
        let address = if socket.starts_with("unix:") {
            socket.to_owned()
        } else {
            format!("unix://{socket}")
        };
        let unreachable = |source: tonic::transport::Error| HostError::RuntimeUnreachable {
            socket: socket.to_owned(),
            source: source.into(),
        };
        let connecting = Endpoint::from_shared(address).map_err(unreachable)?;
        let channel = tokio::time::timeout(CALL_LIMIT, connecting.connect())
            .await
            .map_err(|_| HostError::RuntimeSilent {
                socket: socket.to_owned(),
                call: "connect",
                limit: CALL_LIMIT,
            })?
            .map_err(unreachable)?;
        Ok(Self {
            socket: socket.to_owned(),
            channel,
        })
    }

    /// The socket as it was given.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// What the runtime is.
    pub async fn version(&self) -> Result<RuntimeVersion> {
        let request = m::VersionRequest {
            version: "v1".to_owned(),
        };
        let path = "/runtime.v1.RuntimeService/Version";
        let answer: m::VersionResponse = self.call(path, request, CALL_LIMIT).await?;
        Ok(RuntimeVersion {
            name: answer.name,
            version: answer.version,
            api_version: answer.api_version,
        })
    }

    /// The conditions of the runtime.
    pub async fn conditions(&self) -> Result<Vec<Condition>> {
        let request = m::StatusRequest { verbose: false };
        let path = "/runtime.v1.RuntimeService/Status";
        let answer: m::StatusResponse = self.call(path, request, CALL_LIMIT).await?;
        let conditions = answer.status.unwrap_or_default().conditions;
        Ok(conditions
            .into_iter()
            .map(|condition| Condition {
                name: condition.kind,
                holds: condition.status,
                reason: condition.reason,
                message: condition.message,
            })
            .collect())
    }

    /// Who manages cgroups for the runtime; none if it is too old to be asked (containerd 1.x).
    pub async fn cgroup_driver(&self) -> Result<Option<CgroupDriver>> {
        let path = "/runtime.v1.RuntimeService/RuntimeConfig";
        let answer: Result<m::RuntimeConfigResponse> = self
            .call(path, m::RuntimeConfigRequest {}, CALL_LIMIT)
            .await;
        match answer {
            Ok(answer) => Ok(answer.linux.map(|linux| match linux.cgroup_driver {
                0 => CgroupDriver::Systemd,
                _ => CgroupDriver::Cgroupfs,
            })),
            Err(error) if error.is_unimplemented() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether an image is in the runtime's store.
    pub async fn has_image(&self, image: &str) -> Result<bool> {
        let request = m::ImageStatusRequest {
            image: Some(image_spec(image)),
        };
        let path = "/runtime.v1.ImageService/ImageStatus";
        let answer: m::ImageStatusResponse = self.call(path, request, CALL_LIMIT).await?;
        Ok(answer.image.is_some_and(|image| !image.id.is_empty()))
    }

    /// Pulls an image, up to five times. `failed` hears of each failed try but the last, with the
    /// number of the try.
    pub async fn pull(&self, image: &str, mut failed: impl FnMut(u32, &HostError)) -> Result<()> {
        let path = "/runtime.v1.ImageService/PullImage";
        let mut tried = 0;
        loop {
            let request = m::PullImageRequest {
                image: Some(image_spec(image)),
            };
            let answer: Result<m::PullImageResponse> = self.call(path, request, PULL_LIMIT).await;
            tried += 1;
            let error = match answer {
                Ok(_) => return Ok(()),
                Err(error) => error.while_pulling(image),
            };
            if tried == PULL_TRIES {
                return Err(error);
            }
            failed(tried, &error);
            tokio::time::sleep(Duration::from_secs(u64::from(tried))).await;
        }
    }

    /// Every container, ended ones included, newest first.
    pub async fn containers(&self) -> Result<Vec<Container>> {
        let path = "/runtime.v1.RuntimeService/ListContainers";
        let answer: m::ListContainersResponse = self
            .call(path, m::ListContainersRequest {}, CALL_LIMIT)
            .await?;
        let mut containers: Vec<Container> = answer.containers.into_iter().map(container).collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.created_at));
        Ok(containers)
    }

    /// How one container ended, or runs.
    pub async fn container_status(&self, id: &str) -> Result<ContainerStatus> {
        let request = m::ContainerStatusRequest {
            container_id: id.to_owned(),
        };
        let path = "/runtime.v1.RuntimeService/ContainerStatus";
        let answer: m::ContainerStatusResponse = self.call(path, request, CALL_LIMIT).await?;
        let status = answer.status.unwrap_or_default();
        Ok(ContainerStatus {
            exit_code: status.exit_code,
            reason: status.reason,
            message: status.message,
            log_path: status.log_path,
        })
    }

    /// Every pod's sandbox.
    pub async fn sandboxes(&self) -> Result<Vec<Sandbox>> {
        let path = "/runtime.v1.RuntimeService/ListPodSandbox";
        let answer: m::ListPodSandboxResponse = self
            .call(path, m::ListPodSandboxRequest {}, CALL_LIMIT)
            .await?;
        Ok(answer
            .items
            .into_iter()
            .map(|item| {
                let metadata = item.metadata.unwrap_or_default();
                Sandbox {
                    id: item.id,
                    namespace: metadata.namespace,
                    pod: metadata.name,
                    ready: item.state == 0,
                    read: item
                        .annotations
                        .get(SEEN)
                        .and_then(|time| time.parse().ok()),
                    is_static: item.annotations.get(SOURCE).is_some_and(|it| it == "file"),
                }
            })
            .collect())
    }

    /// Removes a pod's sandbox and what is left of its containers. One that is not there is no
    /// error.
    pub async fn remove_sandbox(&self, id: &str) -> Result<()> {
        let path = "/runtime.v1.RuntimeService/RemovePodSandbox";
        let request = m::RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let _: m::RemovePodSandboxResponse = self.call(path, request, CALL_LIMIT).await?;
        Ok(())
    }

    /// Makes one call. The last component of the path is its name in messages.
    async fn call<Question, Answer>(
        &self,
        path: &'static str,
        question: Question,
        limit: Duration,
    ) -> Result<Answer>
    where
        Question: Message + 'static,
        Answer: Message + Default + 'static,
    {
        let call = path.rsplit('/').next().unwrap_or(path);
        let exchange = async {
            let mut client = tonic::client::Grpc::new(self.channel.clone());
            client
                .ready()
                .await
                .map_err(|source| HostError::RuntimeUnreachable {
                    socket: self.socket.clone(),
                    source: source.into(),
                })?;
            let path = PathAndQuery::from_static(path);
            let codec = ProstCodec::<Question, Answer>::default();
            client
                .unary(tonic::Request::new(question), path, codec)
                .await
                .map(tonic::Response::into_inner)
                .map_err(|status| HostError::RuntimeRefused {
                    socket: self.socket.clone(),
                    call: call.to_owned(),
                    code: code_name(status.code()),
                    message: status.message().to_owned(),
                })
        };
        tracing::debug!(socket = self.socket, call, "calling the container runtime");
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| {
                Err(HostError::RuntimeSilent {
                    socket: self.socket.clone(),
                    call,
                    limit,
                })
            })
    }
}

impl HostError {
    /// Whether the runtime does not know the call at all.
    pub fn is_unimplemented(&self) -> bool {
        matches!(self, Self::RuntimeRefused { code, .. } if *code == "Unimplemented")
    }

    fn while_pulling(self, image: &str) -> Self {
        match self {
            Self::RuntimeRefused {
                socket,
                code,
                message,
                ..
            } => Self::RuntimeRefused {
                socket,
                call: format!("PullImage of {image}"),
                code,
                message,
            },
            other => other,
        }
    }
}

fn image_spec(image: &str) -> m::ImageSpec {
    m::ImageSpec {
        image: image.to_owned(),
    }
}

fn container(mut found: m::Container) -> Container {
    let metadata = found.metadata.unwrap_or_default();
    let mut label = |name: &str| found.labels.remove(name).unwrap_or_default();
    Container {
        namespace: label("io.kubernetes.pod.namespace"),
        pod: label("io.kubernetes.pod.name"),
        id: found.id,
        sandbox: found.pod_sandbox_id,
        name: metadata.name,
        attempt: metadata.attempt,
        state: match found.state {
            0 => ContainerState::Created,
            1 => ContainerState::Running,
            2 => ContainerState::Exited,
            _ => ContainerState::Unknown,
        },
        created_at: found.created_at,
    }
}

/// The name of a gRPC status, as every other tool writes it.
fn code_name(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "Canceled",
        tonic::Code::Unknown => "Unknown",
        tonic::Code::InvalidArgument => "InvalidArgument",
        tonic::Code::DeadlineExceeded => "DeadlineExceeded",
        tonic::Code::NotFound => "NotFound",
        tonic::Code::AlreadyExists => "AlreadyExists",
        tonic::Code::PermissionDenied => "PermissionDenied",
        tonic::Code::ResourceExhausted => "ResourceExhausted",
        tonic::Code::FailedPrecondition => "FailedPrecondition",
        tonic::Code::Aborted => "Aborted",
        tonic::Code::OutOfRange => "OutOfRange",
        tonic::Code::Unimplemented => "Unimplemented",
        tonic::Code::Internal => "Internal",
        tonic::Code::Unavailable => "Unavailable",
        tonic::Code::DataLoss => "DataLoss",
        tonic::Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use rinit_diag::{Hint, chain};

    use super::*;

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_named() {
        let error = Runtime::connect("unix:///nowhere/containerd.sock")
            .await
            .unwrap_err();
        let shown = chain(&error);
        assert!(
            shown.starts_with("no container runtime answers on unix:///nowhere/containerd.sock: "),
            "{shown}"
        );
        assert!(shown.contains("No such file or directory"), "{shown}");
        assert!(error.hint().unwrap().contains("`systemctl"));
    }

    #[tokio::test]
    async fn a_socket_that_speaks_no_grpc_is_no_runtime() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let _other = tokio::spawn(async move {
            loop {
                // Hangs up at once.
                drop(listener.accept().await);
            }
        });
        let socket = format!("unix://{}", path.display());
        let outcome = match Runtime::connect(&socket).await {
            Ok(runtime) => runtime.version().await.map(drop),
            Err(error) => Err(error),
        };
        let shown = chain(&outcome.unwrap_err());
        assert!(shown.contains(&socket), "{shown}");
    }
}
