//! The traces of an init on a node: every file that was not there before, or not so, and every
//! object of the cluster.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use rinit_parity::{Content, Disk, Entry, is_path_left_out, is_resource_left_out};
use serde_json::Value;

use crate::node::Node;

/// Type, mode, owner, size, moment of the last change, path, target.
const FORMAT: &str = "%y %m %U %G %s %T@ %p %l\\n";

/// What lay on the node's disk before.
pub(super) struct Before {
    lines: HashMap<String, String>,
}

impl Before {
    /// Looks at the whole root file system; what is mounted elsewhere is not a machine's memory.
    pub(super) fn take(node: &Node) -> Result<Self> {
        let lines = list(node)?;
        Ok(Self {
            lines: lines.into_iter().collect(),
        })
    }

    /// What is there now and was not, or was another, except for what the closed list leaves out.
    pub(super) fn written(&self, node: &Node) -> Result<Disk> {
        let mut disk = Disk::default();
        for (path, line) in list(node)? {
            let before = self.lines.get(&path);
            if is_path_left_out(&path) || before.is_some_and(|before| is_same(before, &line)) {
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let (mode, owner, target) = match words.as_slice() {
                [_, mode, user, group, _, _, _, target @ ..] => {
                    let mode = u32::from_str_radix(mode, 8)?;
                    (mode, (user.parse()?, group.parse()?), target.join(" "))
                }
                _ => anyhow::bail!("`find` printed something else: {line}"),
            };
            let content = match words[0] {
                "d" => Content::Folder,
                "l" => Content::Link(target),
                _ => match node.read_file(&path) {
                    Ok(text) => Content::File(text.into_bytes()),
                    // A component's temporary file that has just gone.
                    Err(_) if !node.try_run(&["test", "-e", &path])?.success() => continue,
                    Err(error) => return Err(error),
                },
            };
            let entry = Entry {
                mode,
                owner: Some(owner),
                content,
            };
            disk.entries.insert(path, entry);
        }
        Ok(disk)
    }
}

/// Whether nothing that counts has changed. A folder changes with what is in it, which is told
/// of the files there.
fn is_same(before: &str, now: &str) -> bool {
    let counted = |line: &str| -> Vec<String> {
        let words = line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let length = if line.starts_with('d') {
            4
        } else {
            words.len()
        };
        words.into_iter().take(length).collect()
    };
    counted(before) == counted(now)
}

/// Each path with its line of [`FORMAT`].
fn list(node: &Node) -> Result<Vec<(String, String)>> {
    // Components make and remove files all the time; one that has just gone is no failure.
    let output = node.try_run(&["find", "/", "-xdev", "-printf", FORMAT])?;
    let lines = output.stdout.lines().map(|line| {
        let path = line.split(' ').nth(6).context("`find` printed no path")?;
        Ok((path.to_owned(), line.to_owned()))
    });
    lines.collect()
}

/// Every object of every kind, with its managed fields.
pub(super) fn objects(node: &Node) -> Result<Vec<Value>> {
    let kinds = node.run(&["kubectl", "api-resources", "--verbs=list", "-o", "name"])?;
    let kinds: Vec<&str> = kinds
        .stdout
        .lines()
        .map(str::trim)
        .filter(|kind| !is_resource_left_out(kind))
        .collect();
    let kinds = kinds.join(",");
    let words = [
        "kubectl",
        "get",
        &kinds,
        "-A",
        "-o",
        "json",
        "--show-managed-fields",
    ];
    let output = node.run(&words)?;
    let list: Value = serde_json::from_str(&output.stdout)?;
    let items = list["items"]
        .as_array()
        .context("kubectl printed no list")?;
    Ok(items.clone())
}
