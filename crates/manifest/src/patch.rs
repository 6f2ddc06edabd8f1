//! The user's patches of what rinit makes: JSON patch (RFC 6902), JSON merge patch (RFC 7396) and
//! the strategic merge of Kubernetes.

use rinit_diag::Hint;
use rinit_facts::{Patch, PatchType};
use rinit_plan::Gate;
use serde_json::Value;

mod strategic;

pub use strategic::MergeKeys;

/// Why a patch does not fit its target.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The document is no JSON patch (RFC 6902).
    #[error("{file} is not a JSON patch")]
    Malformed {
        /// The file of the patch.
        file: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An operation of a JSON patch does not fit.
    #[error("{file} does not fit")]
    Operation {
        /// The file of the patch.
        file: String,
        /// The operation, and why.
        #[source]
        source: json_patch::PatchError,
    },
    /// A strategic merge patch does not fit.
    #[error("{file} does not fit at {path}: {reason}")]
    Strategic {
        /// The file of the patch.
        file: String,
        /// The field, such as `spec.containers`.
        path: String,
        /// What is wrong there.
        reason: String,
    },
}

impl PatchError {
    /// The file of the patch.
    pub fn file(&self) -> &str {
        match self {
            Self::Malformed { file, .. }
            | Self::Operation { file, .. }
            | Self::Strategic { file, .. } => file,
        }
    }

    /// The action that stops a run before its first write and says why.
    pub fn refusal(&self) -> Gate {
        Gate::Refuse {
            message: rinit_diag::chain(self),
            hint: self.hint(),
        }
    }
}

impl Hint for PatchError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { .. } => {
                "a patch of type `json` is a list of operations; without `+json` in the name of \
                 the file it is a strategic merge"
                    .to_owned()
            }
            Self::Operation { file, .. } => {
                format!("look up the fields of the target and mend {file}")
            }
            Self::Strategic { file, .. } => format!("mend {file}"),
        })
    }
}

/// The value with the patches, one after the other.
pub fn apply<'a>(
    value: Value,
    patches: impl IntoIterator<Item = &'a Patch>,
    keys: MergeKeys,
) -> Result<Value, PatchError> {
    patches
        .into_iter()
        .try_fold(value, |value, patch| apply_one(value, patch, keys))
}

fn apply_one(mut value: Value, patch: &Patch, keys: MergeKeys) -> Result<Value, PatchError> {
    let file = || patch.file.clone();
    match patch.patch_type {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch.document.clone())
                .map_err(|source| PatchError::Malformed {
                    file: file(),
                    source,
                })?;
            json_patch::patch(&mut value, &operations).map_err(|source| PatchError::Operation {
                file: file(),
                source,
            })?;
        }
        PatchType::Merge => json_patch::merge(&mut value, &patch.document),
        PatchType::Strategic => {
            value = strategic::merge(value, patch.document.clone(), keys).map_err(|misfit| {
                PatchError::Strategic {
                    file: file(),
                    path: misfit.path,
                    reason: misfit.reason,
                }
            })?;
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
