//! Packs programs as image archives that a container runtime imports without a registry.
//!
//! An archive is in the form that `docker save` writes: one layer, one configuration. Times and
//! owners are fixed, so the same files give the same archive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::recipe::{ImageNames, PROBE_IMAGE};
use crate::{cache, shell};

/// Part of what decides whether archives are packed again.
pub(super) const SOURCE: &str = include_str!("image.rs");

/// Where the programs of an image lie.
const PROGRAMS: &str = "usr/local/bin";

#[derive(Debug, Default)]
struct Image {
    name: String,
    entrypoint: Vec<String>,
    /// Files, by their path in the image.
    files: Vec<(String, PathBuf)>,
    /// Symbolic links: path in the image, target.
    links: Vec<(String, String)>,
}

/// Packs every image that a node needs into `folder/images`.
pub(super) fn pack_all(names: &ImageNames, folder: &Path, rootfs: &Path) -> Result<()> {
    let bin = folder.join("bin");
    let at_root = |word: &str, name: &str| Image {
        name: name.to_owned(),
        entrypoint: vec![format!("/{word}")],
        files: vec![(word.to_owned(), bin.join(word))],
        links: Vec::new(),
    };
    let in_path = |name: &str, words: &[&str]| Image {
        name: name.to_owned(),
        files: words
            .iter()
            .map(|word| (format!("{PROGRAMS}/{word}"), bin.join(word)))
            .collect(),
        ..Image::default()
    };
    let mut proxy = in_path(names.name("kube-proxy")?, &["kube-proxy"]);
    add_packet_filters(&mut proxy, rootfs)?;
    let mut images = vec![
        at_root("pause", names.name("pause")?),
        at_root("coredns", names.name("coredns")?),
        at_root("probe", PROBE_IMAGE),
        in_path(names.name("etcd")?, &["etcd", "etcdctl", "etcdutl"]),
        proxy,
    ];
    for word in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ] {
        images.push(in_path(names.name(word)?, &[word]));
    }
    for image in &images {
        pack(image, &folder.join("images")).with_context(|| format!("image {}", image.name))?;
    }
    Ok(())
}

/// What kube-proxy calls: iptables in both forms, nft and conntrack, from the Debian root.
fn add_packet_filters(image: &mut Image, rootfs: &Path) -> Result<()> {
    const MULTI: &str = "/usr/sbin/xtables-nft-multi";
    const LEGACY: &str = "/usr/sbin/xtables-legacy-multi";
    let mut wanted: BTreeSet<String> = [MULTI, LEGACY, "/usr/sbin/conntrack", "/usr/sbin/nft"]
        .map(str::to_owned)
        .into();
    for architecture in fs::read_dir(rootfs.join("usr/lib"))? {
        let extensions = architecture?.path().join("xtables");
        let Ok(entries) = fs::read_dir(&extensions) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            wanted.insert(format!("/{}", path.strip_prefix(rootfs)?.display()));
        }
    }
    for path in wanted.clone() {
        let mut ldd = Command::new("chroot");
        ldd.arg(rootfs).args(["ldd", &path]);
        let listed = shell::read(&mut ldd)?;
        wanted.extend(
            listed
                .split_whitespace()
                .filter(|word| word.starts_with('/'))
                .map(
                    // Lines of the form `name => path (address)` and `path (address)`.
                    |word| word.trim_end_matches(':').to_owned(),
                ),
        );
    }
    for path in wanted {
        let inside = path.trim_start_matches('/').to_owned();
        let file = fs::canonicalize(rootfs.join(&inside))
            .with_context(|| format!("the Debian root has no {path}"))?;
        image.files.push((inside, file));
    }
    for family in ["iptables", "ip6tables"] {
        for suffix in ["", "-save", "-restore"] {
            for (form, target) in [("", MULTI), ("-nft", MULTI), ("-legacy", LEGACY)] {
                image.links.push((
                    format!("usr/sbin/{family}{form}{suffix}"),
                    target.to_owned(),
                ));
            }
        }
    }
    Ok(())
}

fn pack(image: &Image, folder: &Path) -> Result<()> {
    let file_name = image.name.replace(['/', ':'], "_");
    let path = folder.join(format!("{file_name}.tar"));
    let layer_path = cache::part_of(&folder.join(format!("{file_name}.layer")));
    write_layer(image, &layer_path)?;
    let digest = cache::sha256_of_file(&layer_path)?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": image.entrypoint,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask components"}],
    })
    .to_string();
    let config_name = format!("{}.json", cache::sha256(config.as_bytes()));
    let layer_name = format!("{digest}/layer.tar");
    let manifest =
        json!([{"Config": config_name, "RepoTags": [image.name], "Layers": [layer_name]}]);

    let part = cache::part_of(&path);
    let mut archive = tar::Builder::new(File::create(&part)?);
    append(&mut archive, &config_name, config.as_bytes())?;
    append_file(&mut archive, &layer_name, &layer_path)?;
    append(
        &mut archive,
        "manifest.json",
        manifest.to_string().as_bytes(),
    )?;
    archive.into_inner()?.sync_all()?;
    cache::move_into_place(&part, &path)?;
    cache::remove(&layer_path)
}

fn write_layer(image: &Image, path: &Path) -> Result<()> {
    let mut layer = tar::Builder::new(File::create(path)?);
    let mut folders = BTreeSet::new();
    for folder in ["etc", "run", "tmp", "var"] {
        append_folders(&mut layer, Path::new(folder), &mut folders)?;
    }
    for (inside, file) in &image.files {
        if let Some(parent) = Path::new(inside).parent() {
            append_folders(&mut layer, parent, &mut folders)?;
        }
        append_file(&mut layer, inside, file)?;
    }
    for (inside, target) in &image.links {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        layer.append_link(&mut header, inside, target)?;
    }
    layer.finish()?;
    Ok(())
}

fn append_folders(
    layer: &mut tar::Builder<File>,
    folder: &Path,
    done: &mut BTreeSet<PathBuf>,
) -> Result<()> {
    let above: Vec<&Path> = folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    for folder in above.into_iter().rev() {
        if done.insert(folder.to_owned()) {
            let mode = if folder == Path::new("tmp") {
                0o1777
            } else {
                0o755
            };
            let mut header = header(tar::EntryType::Directory, mode, 0);
            layer.append_data(&mut header, folder, std::io::empty())?;
        }
    }
    Ok(())
}

fn append(archive: &mut tar::Builder<File>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = header(tar::EntryType::Regular, 0o644, bytes.len() as u64);
    Ok(archive.append_data(&mut header, name, bytes)?)
}

fn append_file(archive: &mut tar::Builder<File>, name: &str, path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut header = header(tar::EntryType::Regular, 0o755, file.metadata()?.len());
    Ok(archive.append_data(&mut header, name, file)?)
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
