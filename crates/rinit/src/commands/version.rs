//! `rinit version`, and `kubeadm version` where rinit has that name.

use rinit_cli::{GlobalArguments, VersionArguments, VersionFormat};
use rinit_diag::ExitCode;
use rinit_facts::Look;
use rinit_host::{Host, Root};
use rinit_observe::Manifests;
use rinit_versions::{KubernetesVersion, MINORS};
use serde_json::{Value, json};

use crate::{name, printer};

/// Prints the version of rinit and of the Kubernetes that it sets up.
pub(crate) fn version(global: &GlobalArguments, arguments: &VersionArguments) -> ExitCode {
    let kubernetes = of_node(global).unwrap_or_else(KubernetesVersion::newest);
    printer::data(&if name::is_kubeadm() {
        of_kubeadm(&kubernetes, arguments.output)
    } else {
        of_rinit(&kubernetes, arguments.output)
    });
    ExitCode::Success
}

/// The version of the control plane of this node; none where there is none, or this user may not
/// see it.
fn of_node(global: &GlobalArguments) -> Option<KubernetesVersion> {
    let host = Host::new(Root::typed(global.root.as_deref()));
    match Manifests::read(&host).version() {
        // A tag has no `+`.
        Look::Present(tag) => tag.replacen('_', "+", 1).parse().ok(),
        _ => None,
    }
}

fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}

fn of_rinit(kubernetes: &KubernetesVersion, format: VersionFormat) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let minors: Vec<String> = MINORS
        .iter()
        .map(|row| format!("1.{}", row.minor))
        .collect();
    let document = json!({
        "version": version,
        "kubernetes": { "default": kubernetes, "minors": minors },
        "platform": platform(),
    });
    match format {
        VersionFormat::Text => format!(
            "rinit {version}, for Kubernetes {} to {}, here {kubernetes}\n",
            minors.first().map_or("", String::as_str),
            minors.last().map_or("", String::as_str),
        ),
        VersionFormat::Short => format!("{version}\n"),
        VersionFormat::Json => format!("{document:#}\n"),
        VersionFormat::Yaml => rinit_manifest::yaml::to_string(&document),
    }
}

/// kubeadm's fields, in its order. What describes a build of Go describes that of rinit.
fn fields(kubernetes: &KubernetesVersion) -> [(&'static str, String); 9] {
    [
        ("major", "1".to_owned()),
        ("minor", kubernetes.minor().0.to_string()),
        ("gitVersion", kubernetes.to_string()),
        (
            "gitCommit",
            concat!("rinit-", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("gitTreeState", "clean".to_owned()),
        // Go's own value where a build does not say.
        ("buildDate", "1970-01-01T00:00:00Z".to_owned()),
        ("goVersion", "none".to_owned()),
        ("compiler", "rustc".to_owned()),
        ("platform", platform()),
    ]
}

fn of_kubeadm(kubernetes: &KubernetesVersion, format: VersionFormat) -> String {
    let fields = fields(kubernetes);
    match format {
        VersionFormat::Text => {
            let written: Vec<String> = fields
                .iter()
                .map(|(name, value)| {
                    let (first, rest) = name.split_at(1);
                    format!("{}{rest}:\"{value}\"", first.to_uppercase())
                })
                .collect();
            format!("kubeadm version: &version.Info{{{}}}\n", written.join(", "))
        }
        VersionFormat::Short => format!("{kubernetes}\n"),
        VersionFormat::Json => {
            let written: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("    \"{name}\": {}", Value::from(value.as_str())))
                .collect();
            format!(
                "{{\n  \"clientVersion\": {{\n{}\n  }}\n}}\n",
                written.join(",\n")
            )
        }
        VersionFormat::Yaml => {
            let fields: serde_json::Map<String, Value> = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            rinit_manifest::yaml::to_string(&json!({ "clientVersion": fields }))
        }
    }
}
