//! A snapshot: made of a disk and a cluster's objects, kept in a folder, read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::certificate::{self, CertificateProfile};
use crate::disk::{Content, Disk};
use crate::key::{self, KeyProfile, PublicHalf};
use crate::objects::{self, ObjectId};
use crate::{ParityError, mask, pem};

/// What an init left behind, without its secrets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Files, folders and links by absolute path.
    pub files: BTreeMap<String, FileProfile>,
    /// The text of each file that is neither a certificate nor a key, without those in it.
    pub texts: BTreeMap<String, String>,
    /// The certificates of each file, or of a field in it: `/etc/kubernetes/admin.conf: FIELD`.
    pub certificates: BTreeMap<String, Vec<CertificateProfile>>,
    /// The keys of each file or field.
    pub keys: BTreeMap<String, Vec<KeyProfile>>,
    /// The cluster's objects that have a manager besides the components.
    pub objects: BTreeMap<ObjectId, Value>,
}

/// An entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileProfile {
    /// `file`, `folder`, `link to …`.
    pub kind: String,
    /// Permission bits, as `chmod` takes them.
    pub mode: String,
    /// User and group; absent where an ordinary user made the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What must be known of the init whose traces are taken.
#[derive(Debug, Clone, Copy)]
pub struct Init {
    /// When its process started.
    pub started: Timestamp,
}

impl Init {
    /// An init whose process is started right after this.
    pub fn starting_now() -> Self {
        Self {
            started: Timestamp::now(),
        }
    }
}

impl Snapshot {
    /// What counts of a disk and of the objects of a cluster, given with their managed fields.
    pub fn take(disk: &Disk, objects: &[Value], init: Init) -> Result<Self, ParityError> {
        let mut taking = Taking {
            disk,
            init,
            snapshot: Self::default(),
            certificates: Vec::new(),
            keys: Vec::new(),
        };
        for (path, entry) in &disk.entries {
            taking.file(path, entry.mode, entry.owner, &entry.content)?;
        }
        let cleaned = objects::written(objects, |place, field, bytes| {
            taking.field(place, field, &bytes)
        })?;
        taking.snapshot.objects = cleaned;
        taking.finish()
    }

    /// Keeps the snapshot in `folder`, which must be new or empty.
    pub fn write(&self, folder: &Path) -> Result<(), ParityError> {
        write_json(&folder.join("files.json"), &self.files)?;
        write_json(&folder.join("certificates.json"), &self.certificates)?;
        write_json(&folder.join("keys.json"), &self.keys)?;
        for (path, text) in &self.texts {
            write(
                &folder.join("files").join(path.trim_start_matches('/')),
                text,
            )?;
        }
        let mut kinds: BTreeMap<String, String> = BTreeMap::new();
        for (id, object) in &self.objects {
            let text = serde_yaml::to_string(object)
                .map_err(|error| ParityError::malformed(id.to_string(), error.to_string()))?;
            let file = kinds
                .entry(format!("{}.yaml", id.kind.to_lowercase()))
                .or_default();
            file.extend(["---\n", &text]);
        }
        for (name, text) in kinds {
            write(&folder.join("cluster").join(name), &text)?;
        }
        Ok(())
    }

    /// Reads back what [`Snapshot::write`] kept.
    pub fn read(folder: &Path) -> Result<Self, ParityError> {
        let mut snapshot = Self {
            files: read_json(&folder.join("files.json"))?,
            certificates: read_json(&folder.join("certificates.json"))?,
            keys: read_json(&folder.join("keys.json"))?,
            ..Self::default()
        };
        let files = folder.join("files");
        for path in snapshot.files.keys() {
            let file = files.join(path.trim_start_matches('/'));
            if file.is_file() {
                let text = fs::read_to_string(&file).map_err(ParityError::io(file))?;
                snapshot.texts.insert(path.clone(), text);
            }
        }
        let cluster = folder.join("cluster");
        if !cluster.is_dir() {
            return Ok(snapshot);
        }
        let mut objects = Vec::new();
        for entry in fs::read_dir(&cluster).map_err(ParityError::io(&cluster))? {
            let path = entry.map_err(ParityError::io(&cluster))?.path();
            let text = fs::read_to_string(&path).map_err(ParityError::io(&path))?;
            for document in serde_yaml::Deserializer::from_str(&text) {
                let object = Value::deserialize(document).map_err(|error| {
                    ParityError::malformed(path.display().to_string(), error.to_string())
                })?;
                objects.push(object);
            }
        }
        snapshot.objects = objects::named(objects)?;
        Ok(snapshot)
    }
}

/// A snapshot in the making, with what links its parts.
struct Taking<'a> {
    disk: &'a Disk,
    init: Init,
    snapshot: Snapshot,
    certificates: Vec<(String, Vec<certificate::Read>)>,
    keys: Vec<(String, Vec<(KeyProfile, PublicHalf)>)>,
}

impl Taking<'_> {
    fn file(
        &mut self,
        path: &str,
        mode: u32,
        owner: Option<(u32, u32)>,
        content: &Content,
    ) -> Result<(), ParityError> {
        let kind = match content {
            Content::Folder => "folder".to_owned(),
            Content::File(_) => "file".to_owned(),
            Content::Link(target) => format!("link to {target}"),
        };
        let profile = FileProfile {
            kind,
            mode: format!("{mode:04o}"),
            owner: owner.map(|(user, group)| format!("{user}:{group}")),
        };
        self.snapshot.files.insert(path.to_owned(), profile);
        let Content::File(bytes) = content else {
            return Ok(());
        };
        if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
            return self.pem(path, bytes);
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| ParityError::malformed(path, "it is neither a text nor a PEM file"))?;
        let text = mask::kubeconfig(text, |field, bytes| self.field(path, field, &bytes))?;
        self.snapshot.texts.insert(path.to_owned(), text);
        Ok(())
    }

    /// Takes the PEM file in a field of a kubeconfig; what is kept in its place.
    fn field(
        &mut self,
        place: &str,
        field: &'static str,
        bytes: &[u8],
    ) -> Result<String, ParityError> {
        let same = self
            .disk
            .entries
            .keys()
            .find(|path| self.disk.bytes(path) == Some(bytes));
        if let Some(path) = same {
            return Ok(format!("<the content of {path}>"));
        }
        let name = format!("{place}: {field}");
        self.pem(&name, bytes)?;
        Ok(format!("<{}>", field.replace("-data", "")))
    }

    fn pem(&mut self, name: &str, bytes: &[u8]) -> Result<(), ParityError> {
        let (blocks, layout) =
            pem::read(bytes).map_err(|reason| ParityError::malformed(name, reason))?;
        let mut certificates = Vec::new();
        let mut keys = Vec::new();
        for block in &blocks {
            if block.label == "CERTIFICATE" {
                let started = self.init.started;
                certificates.push(certificate::read(name, &block.der, &layout, started)?);
                continue;
            }
            let half = key::public_half(block).ok_or_else(|| {
                ParityError::malformed(name, format!("a key of an unknown form: {}", block.label))
            })?;
            let profile = KeyProfile {
                label: block.label.clone(),
                layout: layout.clone(),
                algorithm: half.algorithm.clone(),
                belongs_to: Vec::new(),
            };
            keys.push((profile, half));
        }
        if !certificates.is_empty() {
            self.certificates.push((name.to_owned(), certificates));
        }
        if !keys.is_empty() {
            self.keys.push((name.to_owned(), keys));
        }
        Ok(())
    }

    /// Links keys and certificates, and looks once more for what must not be kept.
    fn finish(mut self) -> Result<Snapshot, ParityError> {
        for (name, reads) in &self.certificates {
            let profiles = reads.iter().map(|read| {
                let issuers = self
                    .certificates
                    .iter()
                    .filter(|(_, others)| others.iter().any(|other| read.is_issued_by(other)));
                let mut profile = read.profile.clone();
                profile.issued_by = issuers.map(|(name, _)| name.clone()).collect();
                profile
            });
            self.snapshot
                .certificates
                .insert(name.clone(), profiles.collect());
        }
        for (name, keys) in &self.keys {
            let profiles = keys.iter().map(|(profile, half)| {
                let of_certificates = self
                    .certificates
                    .iter()
                    .filter(|(_, reads)| reads.iter().any(|read| read.public == *half));
                let of_keys = self.keys.iter().filter(|(other, keys)| {
                    other != name && keys.iter().any(|(_, other)| other == half)
                });
                let names = of_certificates.map(|(name, _)| name);
                let names = names.chain(of_keys.map(|(name, _)| name));
                let mut profile = profile.clone();
                profile.belongs_to = names.cloned().collect();
                profile
            });
            self.snapshot.keys.insert(name.clone(), profiles.collect());
        }
        let texts = self.snapshot.texts.iter();
        let texts = texts.map(|(path, text)| (path.clone(), text.clone()));
        let objects = self.snapshot.objects.iter();
        let objects = objects.map(|(id, object)| (id.to_string(), object.to_string()));
        for (place, text) in texts.chain(objects) {
            if let Some(what) = mask::secret_in(&text) {
                return Err(ParityError::Secret { place, what });
            }
        }
        Ok(self.snapshot)
    }
}

fn write(path: &Path, text: &str) -> Result<(), ParityError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(ParityError::io(folder))?;
    }
    fs::write(path, text).map_err(ParityError::io(path))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ParityError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| ParityError::malformed(path.display().to_string(), error.to_string()))?;
    write(path, &(text + "\n"))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ParityError> {
    let text = fs::read_to_string(path).map_err(ParityError::io(path))?;
    serde_json::from_str(&text)
        .map_err(|error| ParityError::malformed(path.display().to_string(), error.to_string()))
}
