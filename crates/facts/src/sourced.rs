//! Where a value came from: a flag, a line of the file, the host, or kubeadm's defaults.

use std::collections::BTreeMap;
use std::fmt;

use rinit_config::{ClusterConfiguration, Documents, InitConfiguration, Place};
use serde::Serialize;
use serde_json::Value;

use crate::facts::Facts;
use crate::overrides::Overrides;

/// A value, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A flag of the command line, by name.
    Flag(&'static str),
    /// A place in the file.
    File {
        /// The name of the file as typed.
        file: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The host as it is, and where on it the value was found.
    Detected(String),
    /// Chance, for this run alone.
    Generated,
    /// What holds where nobody says anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "--{name}"),
            Self::File { file, line, column } => write!(formatter, "{file}:{line}:{column}"),
            Self::Detected(how) => write!(formatter, "detected: {how}"),
            Self::Generated => formatter.write_str("generated for this run"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// The values of resolved documents by their fields, such as `networking.podSubnet`, as one reads
/// them; never a secret. A flag without a field stands by its name.
pub type Settings = BTreeMap<String, Sourced<String>>;

impl Facts {
    /// Returns what decides this run, those of the node first.
    pub fn settings(&self) -> impl Iterator<Item = (&String, &Sourced<String>)> {
        self.node.settings.iter().chain(&self.cluster.settings)
    }
}

impl fmt::Display for Sourced<String> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = rinit_diag::on_one_line(&self.value);
        write!(formatter, "{value} ({})", self.origin)
    }
}

/// Finds out where values came from.
pub(crate) struct Origins<'run> {
    documents: &'run Documents,
    overrides: &'run Overrides,
    /// What the host or chance has decided, by field.
    found: &'run BTreeMap<String, Origin>,
    /// The InitConfiguration and the ClusterConfiguration as written.
    written: [Value; 2],
}

impl<'run> Origins<'run> {
    pub(crate) fn new(
        documents: &'run Documents,
        overrides: &'run Overrides,
        found: &'run BTreeMap<String, Origin>,
    ) -> Self {
        let init = documents.init.as_ref().map(InitConfiguration::to_value);
        let cluster = documents
            .cluster
            .as_ref()
            .map(ClusterConfiguration::to_value);
        Self {
            documents,
            overrides,
            found,
            written: [init.unwrap_or_default(), cluster.unwrap_or_default()],
        }
    }

    /// Returns the values of a resolved document.
    pub(crate) fn settings(&self, document: &Value) -> Settings {
        let mut settings = Settings::new();
        self.collect("", document, &mut settings);
        settings
    }

    /// Returns the flags that speak for no field.
    pub(crate) fn flags(&self) -> Settings {
        let alone = self.overrides.given().filter(|flag| flag.field.is_empty());
        alone
            .map(|flag| {
                let text = flag.items(self.overrides).join(",");
                // A flag that has no value says yes.
                let value = if text.is_empty() {
                    "true".to_owned()
                } else {
                    text
                };
                (
                    flag.name.to_owned(),
                    sourced(value, Origin::Flag(flag.name)),
                )
            })
            .collect()
    }

    /// Returns one field of a component's configuration, which its platform decides if nobody does.
    pub(crate) fn component(
        &self,
        kind: &str,
        field: &str,
        value: &Value,
    ) -> (String, Sourced<String>) {
        let value = value.as_str().filter(|text| !text.is_empty());
        let value = value.unwrap_or("that of its platform").to_owned();
        let place = self.documents.source.place_in(kind, field);
        let origin = place.map_or(Origin::Default, |place| self.file(place));
        (format!("{kind}.{field}"), sourced(value, origin))
    }

    fn collect(&self, path: &str, value: &Value, settings: &mut Settings) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = match path {
                        "" => name.clone(),
                        _ => format!("{path}.{name}"),
                    };
                    self.collect(&path, value, settings);
                }
            }
            Value::Array(tokens) if path == "bootstrapTokens" => {
                for (index, token) in tokens.iter().enumerate() {
                    self.collect(&format!("{path}[{index}]"), token, settings);
                }
            }
            value => {
                let origin = self.origin(path);
                let text = shown(value);
                // How long other commands may wait decides nothing here.
                let is_idle = origin == Origin::Default && path.starts_with("timeouts.");
                let is_empty = value.is_null() || text.is_empty();
                // An empty list is a value where somebody wrote it.
                let is_unset =
                    value.as_array().is_some_and(Vec::is_empty) && origin == Origin::Default;
                if !is_idle && !is_empty && !is_unset {
                    settings.insert(path.to_owned(), sourced(text, origin));
                }
            }
        }
    }

    pub(crate) fn origin(&self, field: &str) -> Origin {
        if let Some(origin) = self.found.get(field) {
            return origin.clone();
        }
        let place = || Some(self.file(self.documents.source.place(field)?));
        match self.overrides.flag(field) {
            // The rest of a token that a flag names is as nobody said.
            Some("token") => Origin::Default,
            Some(flag) => Origin::Flag(flag),
            None if self.is_written(field) => place().unwrap_or(Origin::Default),
            None => Origin::Default,
        }
    }

    /// Whether the file says something of a field that does not stand for nothing.
    fn is_written(&self, field: &str) -> bool {
        let pointer = format!(
            "/{}",
            field.replace('[', "/").replace(']', "").replace('.', "/")
        );
        let mut values = self.written.iter();
        values
            .find_map(|document| document.pointer(&pointer))
            .is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn file(&self, place: Place) -> Origin {
        Origin::File {
            file: self.documents.source.file_name().to_owned(),
            line: place.line,
            column: place.column,
        }
    }
}

fn sourced(value: String, origin: Origin) -> Sourced<String> {
    // A URL may hold a password.
    let value = if value.contains("://") {
        rinit_diag::redact_credentials(&value)
    } else {
        value
    };
    Sourced { value, origin }
}

/// A value as one reads it. Of what has a name the name alone, for the rest may be a secret, such
/// as the password in a variable of the environment.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
            match (text("effect"), text("value")) {
                ("", _) if text("name").is_empty() => "one without a name".to_owned(),
                // Some write what they mean into the name.
                ("", _) => text("name")
                    .split('=')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                (effect, "") => format!("{}:{effect}", text("key")),
                (effect, value) => format!("{}={value}:{effect}", text("key")),
            }
        }
        other => other.to_string(),
    }
}
