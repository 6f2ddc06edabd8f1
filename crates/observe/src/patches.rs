//! The patches of a node: as typed in a flag, or as the configuration names their directory.

use std::path::PathBuf;

use rinit_config::Documents;
use rinit_diag::Problem;
use rinit_facts::{Overrides, PatchFile};
use rinit_host::{Host, HostError};
use rinit_manifest::yaml;
use rinit_plan::LogicalPath;
use serde_json::Value;

/// Where the patches lie: as typed in a flag, or as the configuration says, below the directory of
/// `--root`.
enum PatchDirectory<'run> {
    Typed(PathBuf),
    Configured(&'run Host, LogicalPath),
}

impl PatchDirectory<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Typed(path) => path.display().to_string(),
            Self::Configured(host, path) => host.resolve(path).display().to_string(),
        }
    }

    fn list(&self) -> Result<Option<Vec<String>>, HostError> {
        match self {
            Self::Typed(path) => rinit_host::list_typed(path),
            Self::Configured(host, path) => host.list(path),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        match self {
            Self::Typed(path) => rinit_host::read_typed(&path.join(name)),
            Self::Configured(host, path) => host.read(&path.join(name)),
        }
    }
}

/// The files of the patch directory that a flag or the configuration names.
pub(crate) fn files(
    host: &Host,
    documents: &Documents,
    overrides: &Overrides,
) -> Result<Vec<PatchFile>, Problem> {
    let configured = documents
        .init
        .as_ref()
        .and_then(|init| init.patches.as_ref())
        .and_then(|patches| patches.directory.as_deref())
        .filter(|path| !path.is_empty());
    let directory = match (&overrides.patches, configured) {
        (Some(typed), _) => PatchDirectory::Typed(PathBuf::from(typed)),
        (None, Some(written)) => match LogicalPath::parse(written) {
            Ok(path) => PatchDirectory::Configured(host, path),
            // A relative path is one from the working directory, as in kubeadm.
            Err(_) => PatchDirectory::Typed(PathBuf::from(written)),
        },
        (None, None) => return Ok(Vec::new()),
    };
    let names = match directory.list() {
        Ok(Some(names)) => names,
        Ok(None) => {
            return Err(
                Problem::new(format!("there is no directory {}", directory.shown()))
                    .with_hint("make it, or name the directory that has the patches"),
            );
        }
        Err(error) => return Err(Problem::from_error(&error)),
    };
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .map(|name| {
            let documents = read_patch(&directory, &name);
            PatchFile { name, documents }
        })
        .collect())
}

fn read_patch(directory: &PatchDirectory<'_>, name: &str) -> Result<Vec<Value>, String> {
    match directory.read(name) {
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
            yaml::parse_documents(&text).map_err(|error| rinit_diag::chain(&error))
        }
        Ok(None) => Err("it has just gone".to_owned()),
        Err(error) => Err(rinit_diag::chain(&error)),
    }
}
