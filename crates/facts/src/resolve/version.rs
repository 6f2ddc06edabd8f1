//! The version of Kubernetes, and what of the configuration its minor does not know.

use rinit_config::Rule;
use rinit_config::v1beta4::{ClusterConfiguration, EncryptionAlgorithm};
use rinit_diag::Problem;
use rinit_versions::KubernetesVersion;

use super::Resolver;
use crate::gates::GATES;
use crate::host_facts::Look;

impl Resolver<'_> {
    /// The version that is asked for, or that is there already, or the newest.
    pub(super) fn version(&mut self, cluster: &ClusterConfiguration) -> KubernetesVersion {
        let newest = KubernetesVersion::newest();
        let Some(asked) = &cluster.kubernetes_version else {
            // A second init verifies what the first one made; it is no upgrade.
            let found = match &self.host.existing_version {
                Look::Present(tag) => Some(tag.parse::<KubernetesVersion>()),
                _ => None,
            };
            if let Some(Ok(version)) = found {
                self.find(
                    "kubernetesVersion",
                    "the control plane that is on this host",
                );
                return version;
            }
            let unknown = found.and_then(Result::err).map(|error| error.to_string());
            let unread = self.host.existing_version.reason().map(str::to_owned);
            if let Some(reason) = unknown.or(unread) {
                self.warnings.push(
                    Problem::new(format!(
                        "the version of the control plane that is on this host is not known, so the newest counts, {newest}: {reason}"
                    ))
                    .with_hint("name its version with `--kubernetes-version` or `kubernetesVersion`"),
                );
                return newest;
            }
            return newest;
        };
        if let Some(label) = asked.strip_prefix("stable") {
            return self.stable_version(asked, label).unwrap_or(newest);
        }
        match asked.parse() {
            Ok(version) => version,
            Err(error) => {
                self.wrong(
                    Rule::SupportedVersion,
                    "kubernetesVersion",
                    Problem::new(error.to_string())
                        .with_hint(format!("name a version such as `{newest}`")),
                );
                newest
            }
        }
    }

    /// The newest patch that this rinit knows for a label; labels are never looked up on a network.
    fn stable_version(&mut self, asked: &str, label: &str) -> Option<KubernetesVersion> {
        let minor = match label.strip_prefix('-').unwrap_or(label) {
            "" | "1" => rinit_versions::MINORS.last(),
            rest => rinit_versions::MINORS
                .iter()
                .find(|row| rest.strip_prefix("1.") == Some(row.minor.to_string().as_str())),
        };
        let Some(row) = minor else {
            self.wrong(
                Rule::VersionLabel,
                "kubernetesVersion",
                Problem::new(format!("\"{asked}\" names no minor that this rinit knows"))
                    .with_hint(format!(
                        "name a version such as `{}`",
                        KubernetesVersion::newest()
                    )),
            );
            return None;
        };
        let version: KubernetesVersion = format!("v1.{}.{}", row.minor, row.newest_patch)
            .parse()
            .ok()?;
        self.detected.push(format!(
            "Kubernetes {version}, the newest of \"{asked}\" that this rinit knows"
        ));
        Some(version)
    }

    /// What kubeadm of this minor, which other nodes join with, does not know.
    pub(super) fn newer_fields(
        &mut self,
        cluster: &ClusterConfiguration,
        version: &KubernetesVersion,
    ) {
        let table = version.table();
        let mut since = |path: &str, minor: u32| {
            let problem = Problem::new(format!(
                "Kubernetes 1.{} does not know it; it came with 1.{minor}",
                table.minor
            ))
            .with_hint(format!(
                "take it out, or set `kubernetesVersion` to 1.{minor} or newer"
            ));
            self.wrong(Rule::LaterMinor, path, problem);
        };
        if cluster.encryption_algorithm == Some(EncryptionAlgorithm::EcdsaP384) && !table.ecdsa_p384
        {
            since("encryptionAlgorithm", 34);
        }
        let external = cluster.etcd.external.as_ref();
        if external.is_some_and(|external| !external.http_endpoints.is_empty())
            && !table.etcd_http_endpoints
        {
            since("etcd.external.httpEndpoints", 35);
        }
        let local = cluster.etcd.local.as_ref().map(|local| &local.extra_envs);
        for (owner, variables) in [
            ("apiServer", &cluster.api_server.component.extra_envs),
            ("controllerManager", &cluster.controller_manager.extra_envs),
            ("scheduler", &cluster.scheduler.extra_envs),
        ]
        .into_iter()
        .chain(local.map(|variables| ("etcd.local", variables)))
        {
            for (index, variable) in variables.iter().enumerate() {
                let source = variable.value_from.as_ref();
                if source.is_some_and(|source| source.file_key_ref.is_some())
                    && !table.env_from_files
                {
                    let path = format!("{owner}.extraEnvs[{index}].valueFrom.fileKeyRef");
                    since(&path, 34);
                }
            }
        }
    }

    pub(super) fn feature_gates(&mut self, cluster: &ClusterConfiguration, minor: u32) {
        for (name, is_on) in &cluster.feature_gates {
            let known = GATES.iter().find(|gate| gate.name == name);
            let problem = match known {
                // A version that stands in for one that is wrong decides nothing.
                Some(_) if !self.is_settled("kubernetesVersion") => continue,
                Some(gate) if minor <= gate.last_minor => {
                    if let Some(missing) = gate.missing.filter(|_| *is_on) {
                        let problem = Problem::new(format!(
                            "rinit does not do what the feature gate {name} is for: {missing}"
                        ))
                        .with_hint("take it out of the configuration");
                        let path = format!("featureGates.{name}");
                        self.doubt(Rule::FeatureGate, "ClusterConfiguration", &path, problem);
                    }
                    continue;
                }
                Some(gate) => Problem::new(format!(
                    "kubeadm has no feature gate \"{name}\" since Kubernetes 1.{}",
                    gate.last_minor + 1
                ))
                .with_hint(gate.farewell(*is_on)),
                None => Problem::new(format!("there is no feature gate \"{name}\" in kubeadm"))
                    .with_hint(
                        "feature gates of components go into their `extraArgs` as `feature-gates`",
                    ),
            };
            self.wrong(Rule::FeatureGate, &format!("featureGates.{name}"), problem);
        }
    }
}
