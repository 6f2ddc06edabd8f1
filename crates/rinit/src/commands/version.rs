//! `rinit version`

use rinit_cli::{VersionArguments, VersionFormat};
use rinit_diag::ExitCode;
use rinit_versions::{KubernetesVersion, MINORS};
use serde_json::json;

use crate::printer;

/// Prints the version of rinit and of what it sets up.
pub(crate) fn version(arguments: &VersionArguments) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let newest = KubernetesVersion::newest();
    let minors: Vec<String> = MINORS
        .iter()
        .map(|row| format!("1.{}", row.minor))
        .collect();
    let document = json!({
        "version": version,
        "kubernetes": { "default": newest.to_string(), "minors": minors },
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    });
    printer::data(&match arguments.output {
        VersionFormat::Text => format!(
            "rinit {version}, for Kubernetes {} to {}, {newest} unless told otherwise\n",
            minors.first().map_or("", String::as_str),
            minors.last().map_or("", String::as_str),
        ),
        VersionFormat::Short => format!("{version}\n"),
        VersionFormat::Json => format!("{document:#}\n"),
        VersionFormat::Yaml => rinit_manifest::yaml::to_string(&document),
    });
    ExitCode::Success
}
