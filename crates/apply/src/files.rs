//! Folders and text files.

use rinit_diag::Problem;
use rinit_manifest::yaml;
use rinit_plan::{DirectorySpec, FileMode, FileSpec};
use rinit_workflow::{Ensured, State};

use crate::{Apply, ApplyError};

impl Apply {
    pub(crate) fn inspect_directory(&self, spec: &DirectorySpec) -> Result<State, ApplyError> {
        match self.host.info(&spec.path)? {
            None => Ok(State::Absent),
            Some(info) if info.kind == rinit_host::FileKind::Folder => Ok(State::HOLDS),
            Some(_) => Ok(State::Blocked {
                problems: vec![
                    Problem::new(format!("{} is no folder", spec.path)).with_hint(format!(
                        "Move {0} away to have the folder made; `ls -ld {0}` shows it.",
                        self.host.resolve(&spec.path).display()
                    )),
                ],
                conflict: false,
            }),
        }
    }

    pub(crate) fn ensure_directory(&self, spec: &DirectorySpec) -> Result<Ensured, ApplyError> {
        self.host.create_folder(&spec.path, spec.mode)?;
        Ok(Ensured::default())
    }

    pub(crate) fn inspect_file(&self, spec: &FileSpec) -> Result<State, ApplyError> {
        let Some(found) = self.host.read(&spec.path)? else {
            return Ok(State::Absent);
        };
        let mode = self
            .host
            .info(&spec.path)?
            .map_or(spec.mode, |info| info.mode);
        let found = String::from_utf8_lossy(&found);
        let same_text = found == spec.text || same_yaml(spec, &found);
        if same_text && mode == spec.mode {
            return Ok(State::HOLDS);
        }
        Ok(State::Differs {
            diff: difference(spec, &found, same_text, mode),
        })
    }

    pub(crate) fn ensure_file(&self, spec: &FileSpec) -> Result<Ensured, ApplyError> {
        self.host
            .write(&spec.path, spec.mode, spec.text.as_bytes())?;
        Ok(Ensured::default())
    }
}

/// Whether two YAML files say the same in another layout.
fn same_yaml(spec: &FileSpec, found: &str) -> bool {
    if !std::path::Path::new(spec.path.file_name())
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml"))
    {
        return false;
    }
    match (
        yaml::parse_documents(&spec.text),
        yaml::parse_documents(found),
    ) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        _ => false,
    }
}

fn difference(spec: &FileSpec, found: &str, same_text: bool, mode: FileMode) -> String {
    let mut lines = Vec::new();
    if mode != spec.mode {
        lines.push(format!("- mode {mode}\n+ mode {}", spec.mode));
    }
    if !same_text {
        lines.push(rinit_diag::text_diff(found, &spec.text));
    }
    lines.join("\n")
}
