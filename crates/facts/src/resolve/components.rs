//! What is configured for single components: arguments, volumes, variables, images, patches.

use rinit_config::Rule;
use rinit_config::v1beta4::{self, ClusterConfiguration};
use rinit_diag::Problem;
use rinit_plan::defaults;
use rinit_versions::KubernetesVersion;
use serde_json::{Value, json};

use super::Resolver;
use crate::facts::{
    Argument, Component, EnvironmentVariable, HostPathVolume, Images, Patch, PatchTarget, PatchType,
};

impl Resolver<'_> {
    pub(super) fn proxy_environment(&self) -> Vec<EnvironmentVariable> {
        let mut variables: Vec<EnvironmentVariable> = self
            .host
            .proxy_environment
            .iter()
            .map(|(name, value)| EnvironmentVariable {
                name: name.clone(),
                source: serde_json::Map::from_iter([("value".to_owned(), json!(value))]),
            })
            .collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    pub(super) fn patches(&mut self) -> Vec<Patch> {
        let mut files: Vec<_> = self.host.patch_files.iter().collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let mut patches = Vec::new();
        for file in files {
            let Some(name) = PatchName::parse(&file.name) else {
                self.detected.push(format!(
                    "the patch directory has {}, which is no patch",
                    file.name
                ));
                continue;
            };
            let Some(patch_type) = name.patch_type else {
                self.wrong(
                    Rule::Patch,
                    "patches.directory",
                    Problem::new(format!(
                        "patch {}: unknown type \"{}\"",
                        file.name, name.type_text
                    ))
                    .with_hint("use `strategic`, `merge` or `json`"),
                );
                continue;
            };
            match &file.documents {
                Ok(documents) => patches.extend(documents.iter().map(|document| Patch {
                    target: name.target,
                    patch_type,
                    document: document.clone(),
                    file: file.name.clone(),
                })),
                Err(reason) => {
                    let problem = Problem::new(format!("patch {}: {reason}", file.name));
                    self.wrong(Rule::Patch, "patches.directory", problem);
                }
            }
        }
        patches
    }
}

pub(super) fn component(configured: &v1beta4::ControlPlaneComponent) -> Component {
    Component {
        extra_args: arguments(&configured.extra_args),
        extra_volumes: configured
            .extra_volumes
            .iter()
            .map(|volume| HostPathVolume {
                name: volume.name.clone(),
                host_path: volume.host_path.clone(),
                mount_path: volume.mount_path.clone(),
                read_only: volume.read_only.unwrap_or(false),
                path_type: volume
                    .path_type
                    .map_or_else(String::new, |path_type| path_type.as_str().to_owned()),
            })
            .collect(),
        extra_envs: environment(&configured.extra_envs),
    }
}

pub(super) fn images(cluster: &ClusterConfiguration, version: &KubernetesVersion) -> Images {
    let repository = cluster.image_repository.as_deref().unwrap_or_default();
    let table = version.table();
    let component = |name: &str| format!("{repository}/{name}:{}", version.image_tag());
    let dns_repository = cluster
        .dns
        .image
        .image_repository
        .as_deref()
        .unwrap_or(repository);
    let dns_path = if dns_repository == defaults::IMAGE_REPOSITORY {
        "coredns/coredns"
    } else {
        "coredns"
    };
    let dns_tag = cluster
        .dns
        .image
        .image_tag
        .as_deref()
        .unwrap_or(table.coredns);
    let etcd_image = cluster.etcd.local.as_ref().map(|local| &local.image);
    let etcd_repository = etcd_image
        .and_then(|image| image.image_repository.as_deref())
        .unwrap_or(repository);
    let etcd_tag = etcd_image
        .and_then(|image| image.image_tag.as_deref())
        .unwrap_or(table.etcd);
    Images {
        api_server: component("kube-apiserver"),
        controller_manager: component("kube-controller-manager"),
        scheduler: component("kube-scheduler"),
        proxy: component("kube-proxy"),
        dns: format!("{dns_repository}/{dns_path}:{dns_tag}"),
        etcd: format!("{etcd_repository}/etcd:{etcd_tag}"),
        pause: format!("{repository}/pause:{}", table.pause),
    }
}

pub(super) fn arguments(configured: &[v1beta4::Argument]) -> Vec<Argument> {
    configured
        .iter()
        .map(|argument| Argument {
            name: argument.name.clone(),
            value: argument.value.clone(),
        })
        .collect()
}

pub(super) fn environment(configured: &[v1beta4::EnvironmentVariable]) -> Vec<EnvironmentVariable> {
    configured
        .iter()
        .map(|variable| {
            let mut source = match variable.to_value() {
                Value::Object(object) => object,
                _ => serde_json::Map::new(),
            };
            source.remove("name");
            EnvironmentVariable {
                name: variable.name.clone(),
                source,
            }
        })
        .collect()
}

/// What the name of a patch file says: `target[suffix][+type].extension` (kubeadm).
struct PatchName<'a> {
    target: PatchTarget,
    patch_type: Option<PatchType>,
    type_text: &'a str,
}

impl<'a> PatchName<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let stem = name
            .strip_suffix(".yaml")
            .or_else(|| name.strip_suffix(".json"))?;
        let (target_text, type_text) = stem.split_once('+').unwrap_or((stem, "strategic"));
        // `kubeletconfiguration` begins with no other target, but `etcd` might once; the longest
        // target that fits is meant.
        let (target, _) = PatchTarget::ALL
            .iter()
            .filter(|(_, known)| target_text.starts_with(known))
            .max_by_key(|(_, known)| known.len())?;
        let patch_type = match type_text {
            "strategic" => Some(PatchType::Strategic),
            "merge" => Some(PatchType::Merge),
            "json" => Some(PatchType::Json),
            _ => None,
        };
        Some(Self {
            target: *target,
            patch_type,
            type_text,
        })
    }
}
