//! Settings of the whole machine that a kubelet changes: noted before the first node starts, put
//! back when the last one is down.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cache;

/// Files under `/proc/sys`.
const KEPT: &[&str] = &[
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Notes the settings in `file`, unless it already holds those of before the first node.
pub(crate) fn save(file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for name in KEPT {
        if let Ok(value) = fs::read_to_string(format!("/proc/sys/{name}")) {
            values.insert(*name, value.trim().to_owned());
        }
    }
    cache::write(file, serde_json::to_string_pretty(&values)?)
}

/// Puts back what `file` has noted, checks it, and removes the file.
pub(crate) fn restore(file: &Path) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let values: BTreeMap<String, String> = serde_json::from_str(&cache::read(file)?)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    for (name, value) in &values {
        let path = format!("/proc/sys/{name}");
        if cache::read(Path::new(&path))?.trim() != value {
            fs::write(&path, value)
                .with_context(|| format!("cannot set {path} back to {value}"))?;
        }
        let now = cache::read(Path::new(&path))?;
        if now.trim() != value {
            bail!("{path} is {} after being set back to {value}", now.trim());
        }
    }
    cache::remove(file)
}
