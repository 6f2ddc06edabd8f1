//! Checks of versions: the kubelet's, the requested one, an external etcd's.

use std::time::Duration;

use rinit_diag::redact_credentials;
use rinit_plan::LogicalPath;

use super::CheckOutcome;
use crate::probe::{Identity, Trust, probe};
use crate::{Host, Invocation, Result, run_to_success};

/// A version such as `v1.37.2`; what follows the patch is not compared.
type Version = (u32, u32, u32);

pub(super) fn known_version(requested: &str, known: bool) -> CheckOutcome {
    if known {
        CheckOutcome::Passed
    } else {
        CheckOutcome::failed(
            format!("Kubernetes {requested} is newer than what this rinit knows"),
            "Use a newer rinit, or set kubernetesVersion to a version that `rinit version` lists.",
        )
    }
}

pub(super) async fn kubelet(control_plane: &str, minimum_minor: u32) -> Result<CheckOutcome> {
    let output = run_to_success(&Invocation::new("kubelet", &["--version"])).await?;
    Ok(judge_kubelet(&output.stdout, control_plane, minimum_minor))
}

/// Judges what `kubelet --version` says, such as `Kubernetes v1.37.2`.
fn judge_kubelet(said: &str, control_plane: &str, minimum_minor: u32) -> CheckOutcome {
    let said = said.trim();
    let kubelet = said.split_whitespace().last().unwrap_or_default();
    let (Some((major, minor, _)), Some((control_major, control_minor, _))) =
        (parse(kubelet), parse(control_plane))
    else {
        return CheckOutcome::unknown(format!("`kubelet --version` says \"{said}\""));
    };
    if (major, minor) > (control_major, control_minor) {
        return CheckOutcome::failed(
            format!("the kubelet {kubelet} is newer than the control plane {control_plane}"),
            format!(
                "Install a kubelet of {control_major}.{control_minor}, or set kubernetesVersion to \
                 {kubelet}; `kubelet --version` shows what is installed."
            ),
        );
    }
    if (major, minor) < (control_major, minimum_minor) {
        return CheckOutcome::failed(
            format!(
                "the kubelet {kubelet} is older than {control_major}.{minimum_minor}, the oldest \
                 that the control plane {control_plane} allows"
            ),
            format!(
                "Install a kubelet of {control_major}.{control_minor}; `kubelet --version` shows \
                 what is installed."
            ),
        );
    }
    CheckOutcome::Passed
}

impl Host {
    /// `files` are the authority, the certificate and the key, each if there is one.
    pub(super) async fn external_etcd(
        &self,
        endpoint: &str,
        minimum: &str,
        files: [Option<&LogicalPath>; 3],
    ) -> Result<CheckOutcome> {
        let mut read = Vec::new();
        for path in files {
            let content = match path {
                None => None,
                Some(path) => match self.read(path)? {
                    Some(content) => Some(content),
                    None => {
                        return Ok(CheckOutcome::unknown(format!(
                            "{} does not exist",
                            self.resolve(path).display()
                        )));
                    }
                },
            };
            read.push(content);
        }
        let (key, certificate, authority) = (
            read.pop().flatten(),
            read.pop().flatten(),
            read.pop().flatten(),
        );
        let trust = authority.map_or(Trust::Machine, Trust::Authorities);
        let identity = certificate.zip(key).map(|(certificate, key)| Identity {
            certificate,
            key: key.into(),
        });
        let url = format!("{}/version", endpoint.trim_end_matches('/'));
        let (endpoint, shown_url) = (redact_credentials(endpoint), redact_credentials(&url));
        let mut outcome = CheckOutcome::Passed;
        // An etcd that elects a leader may be silent for a moment.
        for _ in 0..3 {
            outcome = match probe(&url, &trust, identity.as_ref(), Duration::from_secs(5)).await {
                Ok(answer) => return Ok(judge_etcd(&endpoint, &answer.body, minimum)),
                Err(error) => CheckOutcome::failed(
                    redact_credentials(&rinit_diag::chain(&error)),
                    format!(
                        "Ask it by hand: `curl --cacert {} --cert {} --key {} {shown_url}`.",
                        shown(files[0]),
                        shown(files[1]),
                        shown(files[2])
                    ),
                ),
            };
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(outcome)
    }
}

fn shown(path: Option<&LogicalPath>) -> &str {
    path.map_or("FILE", LogicalPath::as_str)
}

/// Judges an answer such as `{"etcdserver":"3.6.8","etcdcluster":"3.6.0"}`.
fn judge_etcd(endpoint: &str, body: &str, minimum: &str) -> CheckOutcome {
    let text = body
        .split_once("\"etcdserver\"")
        .and_then(|(_, rest)| rest.split('"').nth(1));
    let (Some(text), Some(found), Some(least)) = (text, text.and_then(parse), parse(minimum))
    else {
        return CheckOutcome::failed(
            format!("{endpoint}/version does not answer as an etcd does"),
            format!("See what answers with `curl -k {endpoint}/version`."),
        );
    };
    if found >= least {
        CheckOutcome::Passed
    } else {
        CheckOutcome::failed(
            format!("etcd at {endpoint} is {text}, and {minimum} is needed"),
            "Upgrade etcd, one minor at a time; `etcd --version` shows what runs.",
        )
    }
}

fn parse(text: &str) -> Option<Version> {
    let mut parts = text.trim_start_matches('v').splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let patch = parts.next()?;
    let digits = patch
        .find(|c: char| !c.is_ascii_digit())
        .map_or(patch, |end| &patch[..end]);
    Some((major, minor, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelet_may_lag_but_not_lead() {
        let judge = |said| judge_kubelet(said, "v1.37.2", 34);
        assert_eq!(judge("Kubernetes v1.37.2\n"), CheckOutcome::Passed);
        assert_eq!(judge("Kubernetes v1.37.9\n"), CheckOutcome::Passed);
        assert_eq!(judge("Kubernetes v1.34.0\n"), CheckOutcome::Passed);
        let message = |said| match judge(said) {
            CheckOutcome::Failed { problem } => problem.message,
            other => panic!("{said} did not fail: {other:?}"),
        };
        assert!(message("Kubernetes v1.38.0-alpha.1").contains("is newer than"));
        assert!(message("Kubernetes v1.33.12+k3s1").contains("is older than 1.34"));
        assert!(matches!(judge("nonsense"), CheckOutcome::Unknown { .. }));
    }

    #[test]
    fn the_version_of_etcd_is_compared_by_number() {
        let judge = |body| judge_etcd("https://etcd:2379", body, "3.5.24");
        assert_eq!(
            judge(r#"{"etcdserver":"3.6.8","etcdcluster":"3.6.0"}"#),
            CheckOutcome::Passed
        );
        assert_eq!(judge(r#"{"etcdserver": "3.5.24"}"#), CheckOutcome::Passed);
        assert!(matches!(
            judge(r#"{"etcdserver":"3.5.9"}"#),
            CheckOutcome::Failed { problem } if problem.message.contains("3.5.9")
        ));
        assert!(matches!(
            judge("<html>"),
            CheckOutcome::Failed { problem } if problem.message.contains("as an etcd does")
        ));
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse("v1.37.2"), Some((1, 37, 2)));
        assert_eq!(parse("1.38.0-alpha.1+abc"), Some((1, 38, 0)));
        assert_eq!(parse("1.38"), None);
        assert_eq!(parse(""), None);
    }
}
