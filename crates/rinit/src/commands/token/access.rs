//! The cluster that a command about tokens works on: the one that a kubeconfig leads to.

use std::path::{Path, PathBuf};

use rinit_cli::{ClusterArguments, GlobalArguments};
use rinit_cluster::{Client, Timeouts};
use rinit_diag::{ExitCode, Problem};
use rinit_host::{Host, Root};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_plan::LogicalPath;

use super::end;

/// The administrator's kubeconfig on a control plane.
const ADMINISTRATOR: &str = "/etc/kubernetes/admin.conf";

/// A cluster, and what joining nodes must know of it.
pub(super) struct Access {
    pub(super) client: Client,
    /// The host and port of the API server, as in `kubeadm join HOST:PORT`.
    pub(super) endpoint: String,
    kubeconfig: PathBuf,
    ca: Option<Source>,
}

impl Access {
    /// The cluster of the kubeconfig that is named, or of the first that is found where kubeadm looks.
    pub(super) async fn of(
        global: &GlobalArguments,
        arguments: &ClusterArguments,
    ) -> Result<Self, ExitCode> {
        let path = kubeconfig(global, arguments)?;
        let unusable = |reason: String| {
            let problem = Problem::new(format!("{}: {reason}", path.display()));
            end(ExitCode::Blocked, &problem)
        };
        let text = match rinit_host::read_typed(&path) {
            Ok(Some(bytes)) => String::from_utf8(bytes)
                .map_err(|_| unusable("the kubeconfig is not UTF-8".to_owned()))?,
            Ok(None) => {
                return Err(missing(&format!(
                    "there is no kubeconfig {}",
                    path.display()
                )));
            }
            Err(error) => return Err(end(ExitCode::Blocked, &Problem::from_error(&error))),
        };
        let context =
            CurrentContext::parse(&text).map_err(|error| unusable(rinit_diag::chain(&error)))?;
        let client = Client::from_kubeconfig(&text, None, Timeouts::default())
            .await
            .map_err(|error| unusable(rinit_diag::chain(&error)))?;
        let endpoint = context.server.trim_start_matches("https://");
        Ok(Self {
            client,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            ca: context.ca,
            kubeconfig: path,
        })
    }

    /// Returns the pins of the CA certificates that the kubeconfig trusts.
    pub(super) fn pins(&self) -> Result<Vec<String>, ExitCode> {
        let refused = |reason: &str| {
            let problem = Problem::new(format!("{}: {reason}", self.kubeconfig.display()));
            let hint = "name a kubeconfig with the cluster's CA by `--kubeconfig`";
            end(ExitCode::Blocked, &problem.with_hint(hint))
        };
        let pem = match &self.ca {
            Some(Source::Data(bytes)) => bytes.expose().clone(),
            Some(Source::File(file)) => {
                // A relative path counts from the kubeconfig.
                let directory = self.kubeconfig.parent().unwrap_or(Path::new("."));
                let read = rinit_host::read_typed(&directory.join(file));
                read.map_err(|error| end(ExitCode::Blocked, &Problem::from_error(&error)))?
                    .ok_or_else(|| refused(&format!("there is no CA certificate {file}")))?
            }
            None => {
                return Err(refused(
                    "it names no CA, so that joining nodes have none to trust",
                ));
            }
        };
        rinit_pki::public_key_pins(&pem).map_err(|error| refused(&rinit_diag::chain(&error)))
    }
}

fn kubeconfig(global: &GlobalArguments, arguments: &ClusterArguments) -> Result<PathBuf, ExitCode> {
    let typed = arguments.kubeconfig.as_ref();
    if let Some(path) = typed.filter(|path| !path.as_os_str().is_empty()) {
        return Ok(path.clone());
    }
    let host = Host::new(Root::typed(global.root.as_deref()));
    let administrators = LogicalPath::parse(ADMINISTRATOR)
        .map(|path| host.resolve(&path))
        .map_err(|error| end(ExitCode::Failure, &Problem::new(error.to_string())))?;
    [administrators]
        .into_iter()
        .chain(rinit_host::user_kubeconfigs())
        // One that this user may not read is named as such; none other is taken for it.
        .find(|path| !matches!(rinit_host::read_typed(path), Ok(None)))
        .ok_or_else(|| missing(&format!("there is no {ADMINISTRATOR} on this host")))
}

fn missing(message: &str) -> ExitCode {
    let hint = "run this on a control plane, or name a kubeconfig with `--kubeconfig`";
    end(ExitCode::Blocked, &Problem::new(message).with_hint(hint))
}
