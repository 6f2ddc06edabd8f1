//! Whether a container runtime serves Kubernetes, and what in its configuration keeps it from that.

use rinit_diag::Problem;
use rinit_plan::LogicalPath;

use super::CheckOutcome;
use crate::{Host, HostError, Result, Runtime};

/// containerd's configuration.
const CONTAINERD_CONFIG: &str = "/etc/containerd/config.toml";

impl Host {
    pub(super) async fn container_runtime(&self, socket: &str) -> CheckOutcome {
        match ready(socket).await {
            Ok(None) => CheckOutcome::Passed,
            Ok(Some(problem)) => CheckOutcome::Failed { problem },
            // Whoever may not ask learns nothing of the runtime.
            Err(error) if error.is_permission_denied() => {
                CheckOutcome::unknown(format!("only root may ask it on {socket}"))
            }
            Err(error) => {
                let mut problem = Problem::from_error(&error);
                if error.is_unimplemented() {
                    problem.hint = Some(self.plugin_hint());
                }
                CheckOutcome::Failed { problem }
            }
        }
    }

    /// What to do about a runtime that does not know the CRI. Packages of containerd made for
    /// Docker turn it off.
    fn plugin_hint(&self) -> String {
        let config = LogicalPath::parse(CONTAINERD_CONFIG)
            .ok()
            .and_then(|path| self.read_text(&path).ok().flatten())
            .unwrap_or_default();
        match disabling_line(&config) {
            Some(line) => format!(
                "Line {line} of {CONTAINERD_CONFIG} turns the cri plugin off: take \"cri\" out of \
                 disabled_plugins there, then `systemctl restart containerd`."
            ),
            None => format!(
                "The runtime is too old, or its CRI plugin failed to load: \
                 `ctr plugins ls | grep cri` and `journalctl -u containerd` tell; \
                 `containerd config default > {CONTAINERD_CONFIG}` makes a configuration that works."
            ),
        }
    }
}

/// Answers what is wrong with a runtime that answers.
async fn ready(socket: &str) -> Result<Option<Problem>, HostError> {
    let runtime = Runtime::connect(socket).await?;
    let version = runtime.version().await?;
    let conditions = runtime.conditions().await?;
    let failing = conditions
        .into_iter()
        .find(|condition| condition.name == "RuntimeReady" && !condition.holds);
    Ok(failing.map(|condition| {
        Problem::new(format!(
            "{} {} on {socket} is not ready: {}: {}",
            version.name, version.version, condition.reason, condition.message
        ))
        .with_hint(format!(
            "See why with `journalctl -u {} --no-pager -n 50`.",
            crate::error::runtime_unit(socket)
        ))
    }))
}

pub(super) async fn config_call(socket: &str) -> Result<CheckOutcome> {
    let runtime = match Runtime::connect(socket).await {
        Ok(runtime) => runtime,
        // The check of the runtime itself tells that.
        Err(error) => return Ok(CheckOutcome::unknown(rinit_diag::chain(&error))),
    };
    if runtime.cgroup_driver().await?.is_some() {
        return Ok(CheckOutcome::Passed);
    }
    let version = runtime.version().await?;
    Ok(CheckOutcome::failed(
        format!(
            "{} {} does not tell its cgroup driver (RuntimeConfig), which Kubernetes 1.38 will \
             require",
            version.name, version.version
        ),
        "Use containerd 2.0 or CRI-O 1.28 or newer; `crictl version` shows what runs.",
    ))
}

/// The number of the line that has the cri plugin in `disabled_plugins`. The list may take several
/// lines.
fn disabling_line(config: &str) -> Option<usize> {
    let mut in_list = false;
    for (index, line) in config.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let list = if in_list {
            line
        } else {
            let Some(rest) = line.strip_prefix("disabled_plugins") else {
                continue;
            };
            in_list = true;
            rest
        };
        let names_cri = list
            .split(['"', '\''])
            .any(|name| name == "cri" || name.starts_with("io.containerd.grpc.v1.cri"));
        if names_cri {
            return Some(index + 1);
        }
        if list.contains(']') {
            in_list = false;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    #[test]
    fn the_line_that_turns_the_plugin_off_is_found() {
        let docker = "#   Copyright\n\n#disabled_plugins = []\ndisabled_plugins = [\"cri\"]\n";
        assert_eq!(disabling_line(docker), Some(4));
        let several = "version = 2\ndisabled_plugins = [\n  'aufs',\n  'io.containerd.grpc.v1.cri', # no\n]\n";
        assert_eq!(disabling_line(several), Some(4));
        assert_eq!(
            disabling_line("disabled_plugins = []\n[plugins.\"cri\"]\n"),
            None
        );
        assert_eq!(disabling_line("disabled_plugins = [\"criu\"]\n"), None);
    }

    #[test]
    fn the_hint_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(Root::Folder(folder.path().to_owned()));
        assert!(host.plugin_hint().contains("`containerd config default"));
        std::fs::create_dir_all(folder.path().join("etc/containerd")).unwrap();
        let config = folder.path().join("etc/containerd/config.toml");
        std::fs::write(config, "version = 2\ndisabled_plugins = [\"cri\"]\n").unwrap();
        assert!(
            host.plugin_hint()
                .starts_with("Line 2 of /etc/containerd/config.toml")
        );
    }

    #[tokio::test]
    async fn a_runtime_that_is_not_there_fails_with_a_way_out() {
        let host = Host::new(Root::System);
        let CheckOutcome::Failed { problem } = host.container_runtime("unix:///nowhere.sock").await
        else {
            panic!("nothing passed for a runtime");
        };
        assert!(
            problem
                .hint
                .unwrap()
                .contains("systemctl enable --now containerd")
        );
        assert!(matches!(
            config_call("unix:///nowhere.sock").await,
            Ok(CheckOutcome::Unknown { .. })
        ));
    }
}
