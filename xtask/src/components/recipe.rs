//! What is built, as data: the Go modules, their versions, and which image asks for which.
//!
//! The versions of etcd, CoreDNS and pause are not written here: kubeadm of the same version
//! names the images that it wants.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::go::{self, Build};
use crate::{cache, shell};

/// Change this when code that is not otherwise part of the digest changes its outcome.
const RECIPE: u32 = 1;

const CONTAINERD: &str = "v2.4.2";
const COREDNS_MAIN: &str = include_str!("../../go/coredns/main.go");
const PAUSE_MAIN: &str = include_str!("../../go/pause/main.go");
const PROBE_MAIN: &str = include_str!("../../go/probe/main.go");

/// The test image; its program is `/probe`.
pub(crate) const PROBE_IMAGE: &str = "rinit.test/probe:1";

/// The programs of Kubernetes itself.
const KUBERNETES: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
];

/// The name of etcd's program.
const ETCD: &str = "etcd";

/// Staging modules that cannot be had in the version of their Kubernetes, and the version of the
/// same minor that stands in: Kubernetes, module, version.
const STAND_INS: &[(&str, &str, &str)] = &[
    ("v1.32.13", "k8s.io/cri-client", "v0.32.2"),
    ("v1.32.13", "k8s.io/csi-translation-lib", "v0.32.10"),
    ("v1.32.13", "k8s.io/endpointslice", "v0.32.2"),
    ("v1.32.13", "k8s.io/kube-controller-manager", "v0.32.2"),
    ("v1.32.13", "k8s.io/kube-proxy", "v0.32.2"),
    ("v1.32.13", "k8s.io/kube-scheduler", "v0.32.10"),
];

/// The images that kubeadm names, by what they are.
#[derive(Debug, Clone)]
pub(super) struct ImageNames {
    /// Full names with tags, by the last word of the repository (`etcd`, `kube-proxy`, …).
    pub(super) names: BTreeMap<String, String>,
}

impl ImageNames {
    pub(super) fn name(&self, image: &str) -> Result<&str> {
        self.names.get(image).map(String::as_str).with_context(|| {
            format!(
                "`kubeadm config images list` names no {image} image: {:?}",
                self.names
            )
        })
    }

    fn tag(&self, image: &str) -> Result<&str> {
        let name = self.name(image)?;
        Ok(name
            .rsplit_once(':')
            .with_context(|| format!("{name} has no tag"))?
            .1)
    }
}

/// Identifies everything that decides what the programs of a set are.
pub(super) fn digest(kubernetes: &str) -> String {
    let parts = [
        &RECIPE.to_string(),
        kubernetes,
        CONTAINERD,
        COREDNS_MAIN,
        PAUSE_MAIN,
        PROBE_MAIN,
        PROBE_IMAGE,
        &KUBERNETES.join(" "),
    ];
    cache::sha256(parts.join("\0").as_bytes())
}

/// Identifies what decides what one program of Kubernetes, or its etcd, is.
pub(super) fn program_digest(kubernetes: &str, program: &str) -> Result<String> {
    if program != ETCD && !KUBERNETES.contains(&program) {
        bail!(
            "`{program}` is no program that is built alone: choose of {}, {ETCD}",
            KUBERNETES.join(", ")
        );
    }
    let parts = [&RECIPE.to_string(), kubernetes, program];
    Ok(cache::sha256(parts.join("\0").as_bytes()))
}

/// Builds one program of Kubernetes, or the etcd that the kubeadm in `bin` asks for.
pub(super) fn build_program(
    kubernetes: &str,
    program: &str,
    work: &Path,
    bin: &Path,
    versions: &mut BTreeMap<String, String>,
) -> Result<()> {
    if program == ETCD {
        return build_etcd(
            &image_names(bin, kubernetes)?,
            &["server"],
            work,
            bin,
            versions,
        );
    }
    build_kubernetes(kubernetes, &[program], work, bin, versions)
}

/// Builds programs of Kubernetes itself.
fn build_kubernetes(
    kubernetes: &str,
    programs: &[&str],
    work: &Path,
    bin: &Path,
    versions: &mut BTreeMap<String, String>,
) -> Result<()> {
    let module = shell::step(
        &format!("go mod download k8s.io/kubernetes {kubernetes}"),
        || go::download("k8s.io/kubernetes", kubernetes),
    )?;
    let kubernetes_build = Build {
        name: "kubernetes",
        go_mod: kubernetes_go_mod(kubernetes, &cache::read(Path::new(&module.go_mod))?)?,
        main: None,
        packages: programs
            .iter()
            .map(|name| (format!("k8s.io/kubernetes/cmd/{name}"), *name))
            .collect(),
        ldflags: kubernetes_ldflags(kubernetes, &cache::read(Path::new(&module.info))?)?,
    };
    go::build(&kubernetes_build, work, bin)?;
    versions.insert("k8s.io/kubernetes".to_owned(), kubernetes.to_owned());
    Ok(())
}

/// Builds what does not depend on kubeadm's word.
pub(super) fn build(
    kubernetes: &str,
    work: &Path,
    bin: &Path,
    versions: &mut BTreeMap<String, String>,
) -> Result<()> {
    build_kubernetes(kubernetes, KUBERNETES, work, bin, versions)?;
    let said = shell::read(Command::new(bin.join("kubeadm")).args(["version", "-o", "short"]))?;
    if said.trim() != kubernetes {
        bail!(
            "the kubeadm that was built calls itself {}, not {kubernetes}",
            said.trim()
        );
    }

    let package = "github.com/containerd/containerd/v2";
    let go_mod = cache::read(Path::new(&go::download(package, CONTAINERD)?.go_mod))?;
    let containerd_build = Build {
        name: "containerd",
        go_mod: format!("{}\nrequire {package} {CONTAINERD}\n", go_line(&go_mod)?),
        main: None,
        packages: ["containerd", "containerd-shim-runc-v2", "ctr"]
            .map(|name| (format!("{package}/cmd/{name}"), name))
            .into(),
        ldflags: format!(
            "-X {package}/version.Version={CONTAINERD} -X {package}/version.Revision=module"
        ),
    };
    go::build(&containerd_build, work, bin)?;
    versions.insert(package.to_owned(), CONTAINERD.to_owned());

    for (name, source) in [("pause", PAUSE_MAIN), ("probe", PROBE_MAIN)] {
        let own = Build {
            name,
            go_mod: "go 1.21\n".to_owned(),
            main: Some(source),
            packages: Vec::new(),
            ldflags: String::new(),
        };
        go::build(&own, work, bin)?;
    }
    Ok(())
}

/// Builds parts of etcd in the version that kubeadm's image is tagged with.
fn build_etcd(
    images: &ImageNames,
    parts: &[&str],
    work: &Path,
    bin: &Path,
    versions: &mut BTreeMap<String, String>,
) -> Result<()> {
    // The tag is the version and the number of the image build.
    let tag = images.tag("etcd")?;
    let server = "go.etcd.io/etcd/server/v3";
    let etcd = served(
        server,
        &format!("v{}", tag.rsplit_once('-').map_or(tag, |parts| parts.0)),
    )?;
    let go_mod = cache::read(Path::new(&go::download(server, &etcd)?.go_mod))?;
    let requires: Vec<_> = parts
        .iter()
        .map(|part| format!("require go.etcd.io/etcd/{part}/v3 {etcd}\n"))
        .collect();
    let etcd_build = Build {
        name: ETCD,
        go_mod: format!("{}\n{}", go_line(&go_mod)?, requires.concat()),
        main: None,
        packages: parts
            .iter()
            .map(|part| {
                let name = if *part == "server" { ETCD } else { *part };
                (format!("go.etcd.io/etcd/{part}/v3"), name)
            })
            .collect(),
        ldflags: String::new(),
    };
    go::build(&etcd_build, work, bin)?;
    versions.insert("go.etcd.io/etcd".to_owned(), etcd);
    Ok(())
}

/// Builds etcd and CoreDNS in the versions that kubeadm's images are tagged with.
pub(super) fn build_for_images(
    images: &ImageNames,
    work: &Path,
    bin: &Path,
    versions: &mut BTreeMap<String, String>,
) -> Result<()> {
    let parts = ["etcdctl", "etcdutl", "server"];
    build_etcd(images, &parts, work, bin, versions)?;

    let package = "github.com/coredns/coredns";
    let coredns = served(package, images.tag("coredns")?)?;
    let go_mod = cache::read(Path::new(&go::download(package, &coredns)?.go_mod))?;
    let coredns_build = Build {
        name: "coredns",
        go_mod: format!("{}\nrequire {package} {coredns}\n", go_line(&go_mod)?),
        main: Some(COREDNS_MAIN),
        packages: Vec::new(),
        ldflags: String::new(),
    };
    go::build(&coredns_build, work, bin)?;
    versions.insert(package.to_owned(), coredns);
    Ok(())
}

/// Asks the kubeadm that was built for the images that it wants.
pub(super) fn image_names(bin: &Path, kubernetes: &str) -> Result<ImageNames> {
    let mut kubeadm = Command::new(bin.join("kubeadm"));
    kubeadm.args([
        "config",
        "images",
        "list",
        "--kubernetes-version",
        kubernetes,
    ]);
    let mut names = BTreeMap::new();
    for line in shell::read(&mut kubeadm)?.lines() {
        let repository = line
            .rsplit_once(':')
            .with_context(|| format!("{line} has no tag"))?
            .0;
        let word = repository.rsplit('/').next().unwrap_or(repository);
        names.insert(word.to_owned(), line.to_owned());
    }
    Ok(ImageNames { names })
}

/// `wanted` if it can be had, else the next listed patch of the same minor.
///
/// A module proxy need not have every version of every module. A later patch under the tag that
/// was asked for serves tests as well; the stamp records what is in the image.
fn served(module: &str, wanted: &str) -> Result<String> {
    let Err(error) = go::download(module, wanted) else {
        return Ok(wanted.to_owned());
    };
    let next = next_patch(wanted, &go::versions(module)?).ok_or(error)?;
    go::download(module, &next)?;
    println!("the Go module {module} {wanted} cannot be had: {next} stands in for it");
    Ok(next)
}

fn next_patch(wanted: &str, listed: &[String]) -> Option<String> {
    let (minor, patch) = wanted.rsplit_once('.')?;
    let patch: u32 = patch.parse().ok()?;
    let patches = listed.iter().filter_map(|version| {
        let (its_minor, its_patch) = version.rsplit_once('.')?;
        let its_patch: u32 = its_patch.parse().ok()?;
        (its_minor == minor && its_patch > patch).then_some((its_patch, version))
    });
    patches.min().map(|(_, version)| version.clone())
}

/// A go.mod that requires Kubernetes, with each staging module replaced by its published one.
fn kubernetes_go_mod(kubernetes: &str, its_go_mod: &str) -> Result<String> {
    let staging_version = kubernetes.replacen("v1.", "v0.", 1);
    let mut replaces = String::new();
    for line in its_go_mod.lines() {
        if let Some((module, _)) = line.split_once(" => ./staging/") {
            let module = module.trim().trim_start_matches("replace ");
            let version = STAND_INS
                .iter()
                .find(|(of, name, _)| *of == kubernetes && *name == module)
                .map_or(staging_version.as_str(), |(_, _, version)| version);
            replaces.extend(["replace ", module, " => ", module, " ", version, "\n"]);
        }
    }
    if replaces.is_empty() {
        bail!("the go.mod of k8s.io/kubernetes {kubernetes} names no staging modules");
    }
    let godebug: Vec<&str> = its_go_mod
        .lines()
        .filter(|line| line.starts_with("godebug "))
        .collect();
    let godebug = godebug.join("\n");
    let go = go_line(its_go_mod)?;
    Ok(format!(
        "{go}\n{godebug}\n\nrequire k8s.io/kubernetes {kubernetes}\n\n{replaces}"
    ))
}

fn go_line(go_mod: &str) -> Result<&str> {
    go_mod
        .lines()
        .find(|line| line.starts_with("go "))
        .context("a go.mod names no Go version")
}

/// What makes the programs report the version that they are.
fn kubernetes_ldflags(kubernetes: &str, info: &str) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        time: String,
    }
    let built: Info = serde_json::from_str(info).context("the module's info has no time")?;
    let mut numbers = kubernetes.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let values = [
        ("gitVersion", kubernetes),
        ("gitMajor", major),
        ("gitMinor", minor),
        // A module does not tell its commit.
        ("gitCommit", "unknown"),
        ("gitTreeState", "clean"),
        ("buildDate", &built.time),
    ];
    let packages = [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ];
    let flags = packages.iter().flat_map(|package| {
        values
            .iter()
            .map(move |(name, value)| format!("-X {package}.{name}={value}"))
    });
    Ok(flags.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::{kubernetes_go_mod, next_patch};

    #[test]
    fn staging_modules_are_replaced_by_published_ones() {
        let go_mod = "module k8s.io/kubernetes\n\ngo 1.26.0\n\ngodebug default=go1.26\n\n\
            replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n";
        let ours = kubernetes_go_mod("v1.36.3", go_mod).unwrap();
        assert!(
            ours.contains("replace k8s.io/api => k8s.io/api v0.36.3\n"),
            "{ours}"
        );
        assert!(ours.contains("\ngodebug default=go1.26\n"), "{ours}");
    }

    #[test]
    fn a_missing_version_gives_way_to_the_next_patch() {
        let listed = ["v1.13.9", "v1.14.3", "v1.14.10", "v1.15.0"].map(str::to_owned);
        assert_eq!(next_patch("v1.14.2", &listed).as_deref(), Some("v1.14.3"));
        assert_eq!(next_patch("v1.15.0", &listed), None);
    }
}
