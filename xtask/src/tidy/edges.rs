//! Rules over dependencies: which crate may know of which, and which may act.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Checkout, Violation};
use crate::shell;

/// A package of the workspace, as `cargo metadata` tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// What a package asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `dev` or `build`; nothing for what is in the product.
    pub(super) kind: Option<String>,
    /// The folder of one of ours.
    pub(super) path: Option<String>,
}

impl Dependency {
    fn is_ours(&self) -> bool {
        self.path.is_some()
    }

    fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// The packages of a workspace.
pub(super) fn packages(folder: &Path) -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(folder);
    let metadata: Metadata =
        serde_json::from_str(&shell::read(&mut cargo)?).context("cannot read cargo's metadata")?;
    Ok(metadata.packages)
}

const PHASE: &str = "rinit-phase-";

/// What every phase may use of ours.
const OF_PHASES: &[&str] = &[
    "rinit-diag",
    "rinit-facts",
    "rinit-manifest",
    "rinit-plan",
    "rinit-versions",
    "rinit-workflow",
];

/// What every phase may use of others: packages that work on values.
const PACKAGES_OF_PHASES: &[&str] = &["ipnet", "semver", "serde", "serde_json"];

/// Whom each of our crates may use of ours, from the ground up. Phases stand in [`OF_PHASES`].
///
/// An edge more is an edge that is reviewed. Tests may use more; phases may not even in tests.
static EDGES: &[(&str, &[&str])] = &[
    ("rinit-diag", &[]),
    ("rinit-versions", &[]),
    ("rinit-plan", &["rinit-diag"]),
    ("rinit-config", &["rinit-diag", "rinit-plan"]),
    ("rinit-pki", &["rinit-diag", "rinit-plan"]),
    ("rinit-host", &["rinit-diag", "rinit-plan"]),
    ("rinit-cluster", &["rinit-diag", "rinit-plan"]),
    ("rinit-etcd", &["rinit-diag", "rinit-plan"]),
    (
        "rinit-facts",
        &["rinit-config", "rinit-diag", "rinit-plan", "rinit-versions"],
    ),
    (
        "rinit-manifest",
        &["rinit-diag", "rinit-facts", "rinit-plan", "rinit-versions"],
    ),
    (
        "rinit-observe",
        &[
            "rinit-cluster",
            "rinit-config",
            "rinit-diag",
            "rinit-facts",
            "rinit-host",
            "rinit-manifest",
            "rinit-pki",
            "rinit-plan",
        ],
    ),
    (
        "rinit-workflow",
        &["rinit-diag", "rinit-facts", "rinit-plan"],
    ),
    (
        "rinit-apply",
        &[
            "rinit-cluster",
            "rinit-diag",
            "rinit-etcd",
            "rinit-facts",
            "rinit-host",
            "rinit-manifest",
            "rinit-observe",
            "rinit-pki",
            "rinit-plan",
            "rinit-workflow",
        ],
    ),
    (
        "rinit-operations",
        &["rinit-diag", "rinit-manifest", "rinit-pki", "rinit-plan"],
    ),
    (
        "rinit-cli",
        &["rinit-facts", "rinit-plan", "rinit-workflow"],
    ),
    (
        "rinit",
        &[
            "rinit-apply",
            "rinit-cli",
            "rinit-cluster",
            "rinit-config",
            "rinit-diag",
            "rinit-facts",
            "rinit-host",
            "rinit-manifest",
            "rinit-observe",
            "rinit-operations",
            "rinit-phase-*",
            "rinit-pki",
            "rinit-plan",
            "rinit-versions",
            "rinit-workflow",
        ],
    ),
    // What tests and tasks use stands apart, and the judge of rinit's output uses none of it.
    ("rinit-parity", &[]),
    (
        "rinit-testkit",
        &["rinit-config", "rinit-facts", "rinit-plan"],
    ),
    (
        "rinit-fuzz",
        &[
            "rinit-config",
            "rinit-facts",
            "rinit-manifest",
            "rinit-operations",
            "rinit-phase-*",
            "rinit-pki",
            "rinit-plan",
            "rinit-testkit",
            "rinit-versions",
            "rinit-workflow",
        ],
    ),
    ("xtask", &["rinit-parity"]),
];

/// Packages that act on the world, or that a second place would use in a second way, and the
/// crates that may use them. Tests may use them anywhere but in phases.
static ONE_PLACE: &[(&str, &[&str])] = &[
    ("anyhow", &["xtask"]),
    ("aws-lc-rs", &["rinit-pki"]),
    ("clap", &["rinit", "rinit-cli", "xtask"]),
    ("clap_complete", &["rinit-cli"]),
    ("clap_mangen", &["rinit-cli"]),
    ("granit-parser", &["rinit-config"]),
    ("glob", &["rinit"]),
    ("kube", &["rinit-cluster"]),
    ("nix", &["rinit-host", "xtask"]),
    ("prost", &["rinit-etcd", "rinit-host"]),
    ("rcgen", &["rinit-pki"]),
    ("serde-saphyr", &["rinit-manifest"]),
    (
        "tokio",
        &[
            "rinit",
            "rinit-apply",
            "rinit-cluster",
            "rinit-etcd",
            "rinit-host",
            "rinit-observe",
        ],
    ),
    ("tokio-rustls", &["rinit-host"]),
    ("tonic", &["rinit-etcd", "rinit-host"]),
    ("tracing-subscriber", &["rinit"]),
    ("x509-parser", &["rinit-parity", "rinit-pki"]),
    ("yaml_serde", &["rinit-parity"]),
];

/// What stands in for the path of a package's manifest.
fn place(package: &Package) -> String {
    match package.name.strip_prefix(PHASE) {
        Some(phase) => format!("phases/{phase}/Cargo.toml"),
        None if package.name == "xtask" => "xtask/Cargo.toml".to_owned(),
        None => {
            let name = package.name.strip_prefix("rinit-");
            format!("crates/{}/Cargo.toml", name.unwrap_or(&package.name))
        }
    }
}

fn each_edge<'a>(
    checkout: &'a Checkout,
    judge: impl Fn(&'a Package, &'a Dependency) -> Option<String>,
) -> Vec<Violation> {
    checkout
        .packages
        .iter()
        .flat_map(|package| {
            package
                .dependencies
                .iter()
                .map(move |dependency| (package, dependency))
        })
        .filter_map(|(package, dependency)| {
            judge(package, dependency).map(|message| Violation::of_file(place(package), message))
        })
        .collect()
}

pub(super) fn own(checkout: &Checkout) -> Vec<Violation> {
    each_edge(checkout, |package, dependency| {
        let wanted = dependency.name.as_str();
        if !dependency.is_ours() {
            return None;
        }
        let is_phase = package.name.starts_with(PHASE);
        let allowed = if is_phase {
            OF_PHASES.contains(&wanted) || (dependency.is_for_tests() && wanted == "rinit-testkit")
        } else if dependency.is_for_tests() {
            // The program is tested through its binary.
            wanted != "rinit"
        } else {
            let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
                return Some(format!(
                    "{} stands in no row of EDGES in xtask/src/tidy/edges.rs",
                    package.name
                ));
            };
            allowed
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => wanted.starts_with(start),
                    None => wanted == *pattern,
                })
        };
        let kind = if is_phase { "a phase" } else { &package.name };
        (!allowed).then(|| format!("{kind} may not depend on {wanted}"))
    })
}

pub(super) fn phase_packages(checkout: &Checkout) -> Vec<Violation> {
    each_edge(checkout, |package, dependency| {
        let forbidden = package.name.starts_with(PHASE)
            && !dependency.is_ours()
            && !dependency.is_for_tests()
            && !PACKAGES_OF_PHASES.contains(&dependency.name.as_str());
        forbidden.then(|| {
            format!(
                "a phase may not use {}: plans are values, and apply acts",
                dependency.name
            )
        })
    })
}

pub(super) fn one_place(checkout: &Checkout) -> Vec<Violation> {
    each_edge(checkout, |package, dependency| {
        let (name, users) = ONE_PLACE
            .iter()
            .find(|(name, _)| *name == dependency.name)?;
        let is_phase = package.name.starts_with(PHASE);
        let allowed =
            (dependency.is_for_tests() && !is_phase) || users.contains(&package.name.as_str());
        (!allowed).then(|| format!("{name} is used by {} only", users.join(", ")))
    })
}
