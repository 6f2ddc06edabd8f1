//! The YAML that Kubernetes reads: one writer, one reader.
//!
//! The writer lays text out as `sigs.k8s.io/yaml` does for Kubernetes' own tools: sorted keys, two
//! spaces of indent, the dashes of a list in the column of its key, quotes where a plain word
//! would mean something else in YAML 1.1, block literals for text of several lines, and long
//! lines folded behind column 80. So files of ours and of kubeadm are equal byte for byte, and a
//! YAML 1.1 parser reads back what was meant.
//!
//! What no file of Kubernetes has is written in the way that every parser reads alike, even where
//! `sigs.k8s.io/yaml` has another: numbers out of range and `<<` as texts are quoted, line breaks
//! other than `\n` are escaped, and keys of several lines or more than 128 bytes stay on one line.

mod order;
mod scalar;
mod write;

use serde_json::Value;

/// Why a text is no YAML.
#[derive(Debug, thiserror::Error)]
#[error("the text is not valid YAML")]
pub struct YamlError {
    #[source]
    source: Box<serde_saphyr::Error>,
}

impl YamlError {
    /// The line and the column, for texts of which nothing may be shown.
    pub fn place(&self) -> Option<(u64, u64)> {
        let location = self.source.location()?;
        Some((location.line(), location.column()))
    }
}

/// One document, ending in a line break.
pub fn to_string(value: &Value) -> String {
    write::document(value)
}

/// Several documents, with `---` between them, as kubeadm joins them.
pub fn join_documents<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    values
        .into_iter()
        .map(to_string)
        .collect::<Vec<_>>()
        .join("---\n")
}

/// The documents of a text, empty ones left out. Duplicate keys are an error.
///
/// Plain words have the meaning of YAML 1.2: `yes` is a text and `0644` a number of six hundred.
/// A text that [`to_string`] wrote quotes all such words, so it reads the same either way.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|source| YamlError {
        source: Box::new(source),
    })?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

#[cfg(test)]
mod tests;
