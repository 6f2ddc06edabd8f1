//! Every way in which what one init left behind differs from what another did.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::snapshot::Snapshot;
use crate::values::{self, ValueDifference};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The tree: a file is there or not, its mode, its owner.
    File,
    /// What a certificate says.
    Certificate,
    /// The kind of a key, or what it belongs to.
    Key,
    /// What a file means.
    Document,
    /// An object of the cluster.
    Object,
    /// The bytes of what means the same.
    Text,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub kind: Kind,
    /// Where: a path or object, and a place inside.
    pub place: String,
    /// What was recorded; none if it has nothing there.
    pub recorded: Option<String>,
    /// What is ours.
    pub ours: Option<String>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::Document => "document",
            Self::Object => "object",
            Self::Text => "text",
        })
    }
}

impl Difference {
    /// What the table of differences on purpose calls it.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.place)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value =
            |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
        write!(
            f,
            "{}\n    recorded: {}\n    ours:     {}",
            self.title(),
            value(&self.recorded),
            value(&self.ours)
        )
    }
}

/// All differences between a record and a snapshot of ours.
pub fn compare(recorded: &Snapshot, ours: &Snapshot) -> Vec<Difference> {
    let mut found = Found::default();
    found.profiles(Kind::File, &recorded.files, &ours.files);
    found.profiles(
        Kind::Certificate,
        &recorded.certificates,
        &ours.certificates,
    );
    found.profiles(Kind::Key, &recorded.keys, &ours.keys);
    found.texts(&recorded.texts, &ours.texts);
    found.objects(recorded, ours);
    found.differences
}

fn elements(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
}

impl Found {
    fn add(&mut self, kind: Kind, name: &str, differences: Vec<ValueDifference>) {
        for difference in differences {
            let kind = if difference.only_text {
                Kind::Text
            } else {
                kind
            };
            let place = match difference.place.as_str() {
                "" => name.to_owned(),
                place => format!("{name}: {place}"),
            };
            self.differences.push(Difference {
                kind,
                place,
                recorded: difference.left,
                ours: difference.right,
            });
        }
    }

    /// What only one of two sides has.
    fn alone(&mut self, kind: Kind, name: &str, is_recorded: bool) {
        let there = Some("there".to_owned());
        let (recorded, ours) = if is_recorded {
            (there, None)
        } else {
            (None, there)
        };
        self.differences.push(Difference {
            kind,
            place: name.to_owned(),
            recorded,
            ours,
        });
    }

    fn pairs<'a, T>(
        &mut self,
        kind: Kind,
        recorded: &'a BTreeMap<String, T>,
        ours: &'a BTreeMap<String, T>,
    ) -> Vec<(&'a str, &'a T, &'a T)> {
        let mut pairs = Vec::new();
        for (name, profile) in recorded {
            match ours.get(name) {
                Some(other) => pairs.push((name.as_str(), profile, other)),
                None => self.alone(kind, name, true),
            }
        }
        for name in ours.keys().filter(|name| !recorded.contains_key(*name)) {
            self.alone(kind, name, false);
        }
        pairs
    }

    fn profiles<T: Serialize>(
        &mut self,
        kind: Kind,
        recorded: &BTreeMap<String, T>,
        ours: &BTreeMap<String, T>,
    ) {
        for (name, recorded, ours) in self.pairs(kind, recorded, ours) {
            let (recorded, mut ours) = (values::object(recorded), values::object(ours));
            if let (Some([recorded]), Some([ours])) = (elements(&recorded), elements(&ours)) {
                // Nearly every file has one certificate or key: no need to count.
                self.add(kind, name, values::differences(recorded, ours));
                continue;
            }
            if recorded.get("owner").is_none() || ours.get("owner").is_none() {
                // A tree that was rendered by an ordinary user has no owner to compare.
                if let Some(fields) = ours.as_object_mut() {
                    match recorded.get("owner") {
                        Some(owner) => fields.insert("owner".to_owned(), owner.clone()),
                        None => fields.remove("owner"),
                    };
                }
            }
            self.add(kind, name, values::differences(&recorded, &ours));
        }
    }

    fn texts(&mut self, recorded: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) {
        // A file that is not there on one side was told with the tree.
        for (name, recorded) in recorded {
            if let Some(ours) = ours.get(name) {
                let mut differences = Vec::new();
                values::texts(String::new(), recorded, ours, &mut differences);
                self.add(Kind::Document, name, differences);
            }
        }
    }

    fn objects(&mut self, recorded: &Snapshot, ours: &Snapshot) {
        let named = |snapshot: &Snapshot| -> BTreeMap<String, Value> {
            let objects = snapshot.objects.iter();
            objects
                .map(|(id, object)| (id.to_string(), object.clone()))
                .collect()
        };
        let (recorded, ours) = (named(recorded), named(ours));
        for (name, recorded, ours) in self.pairs(Kind::Object, &recorded, &ours) {
            self.add(Kind::Object, name, values::differences(recorded, ours));
        }
    }
}
