//! The real programs that tests run: built once per Kubernetes version and kept in the cache.
//!
//! A finished set is a folder with `bin/`, `images/` and `layer/` (what a node's root gets on top of
//! Debian). Beside `bin` and `images` lies a stamp each, which records what was made from what;
//! where it does not fit the files or today's recipe, that part is made again.

mod go;
mod image;
mod layer;
mod recipe;
mod rootfs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{cache, shell};
pub(crate) use recipe::PROBE_IMAGE;

/// The Kubernetes version of tests that name none: the newest that can be had as a Go module.
pub(crate) const DEFAULT_KUBERNETES: &str = "v1.37.1";

/// A finished set of components.
#[derive(Debug, Clone)]
pub(crate) struct Components {
    /// The Kubernetes version, with its `v`.
    pub(crate) kubernetes: String,
    /// The folder of this set.
    pub(crate) folder: PathBuf,
    /// The Debian root that nodes share.
    pub(crate) rootfs: PathBuf,
    /// Where the store of a container runtime with all images is kept, once there is one.
    pub(crate) store: PathBuf,
}

impl Components {
    /// The components of `kubernetes`, built if the cache does not have them.
    pub(crate) fn obtain(kubernetes: &str) -> Result<Self> {
        check_version(kubernetes)?;
        let cache = cache::folder()?;
        let folder = cache.join("components").join(kubernetes);
        cache::make_folder(&folder)?;
        let _lock = cache::lock(&folder.join(".lock"))?;
        let rootfs = rootfs::obtain(&cache)?;
        let start = Instant::now();
        let recipe = recipe::digest(kubernetes);
        let programs = Stamp::read(&folder, "bin").and_then(|stamp| stamp.check(&folder, &recipe));
        if let Err(reason) = &programs {
            println!("programs of {kubernetes} are to be built: {reason:#}");
            build(kubernetes, &folder, recipe.clone())?;
        }
        let packing = packing_digest(&recipe, &rootfs);
        let packed =
            Stamp::read(&folder, "images").and_then(|stamp| stamp.check(&folder, &packing));
        if programs.is_err() || packed.is_err() {
            pack(kubernetes, &folder, &rootfs, packing.clone())?;
            println!(
                "{}  components {kubernetes} in all",
                shell::seconds(start.elapsed())
            );
        }
        let store = folder.join(format!("store-{}", &packing[..16]));
        Ok(Self {
            kubernetes: kubernetes.to_owned(),
            folder,
            rootfs,
            store,
        })
    }

    /// The image archives to import into a node.
    pub(crate) fn images(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("images");
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            files.push(entry?.path());
        }
        files.sort();
        Ok(files)
    }

    /// A lock for those who make the store.
    pub(crate) fn lock(&self) -> Result<fs::File> {
        cache::lock(&self.folder.join(".lock"))
    }

    /// What lies over the Debian root in a node.
    pub(crate) fn layer(&self) -> PathBuf {
        self.folder.join("layer")
    }

    /// Prints what the set is made of.
    pub(crate) fn describe(&self) -> Result<()> {
        for part in ["bin", "images"] {
            let stamp = Stamp::read(&self.folder, part)?;
            for (name, version) in &stamp.versions {
                println!("{name:<36} {version}");
            }
            for (name, file) in &stamp.files {
                println!("{name:<60} {:>11} bytes  sha256:{}", file.size, file.sha256);
            }
        }
        Ok(())
    }
}

/// Builds single programs of `kubernetes` and nothing else, if the cache does not have them, and
/// answers with their folder. Which etcd belongs to it is kubeadm's to say, so that is built first.
pub(crate) fn obtain_programs(kubernetes: &str, programs: &[&str]) -> Result<PathBuf> {
    check_version(kubernetes)?;
    let mut programs = programs.to_vec();
    if programs.contains(&"etcd") {
        programs.insert(0, "kubeadm");
    }
    let digests = programs
        .iter()
        .map(|program| recipe::program_digest(kubernetes, program))
        .collect::<Result<Vec<_>>>()?;
    let folder = cache::folder()?.join("components").join(kubernetes);
    let bin = folder.join("bin");
    cache::make_folder(&bin)?;
    let _lock = cache::lock(&folder.join(".lock"))?;
    let is_stamped = |part: &str, recipe: &str| {
        Stamp::read(&folder, part).is_ok_and(|stamp| stamp.check(&folder, recipe).is_ok())
    };
    if is_stamped("bin", &recipe::digest(kubernetes)) {
        return Ok(bin);
    }
    for (program, recipe) in programs.iter().zip(digests) {
        if is_stamped(program, &recipe) {
            continue;
        }
        let mut versions = BTreeMap::new();
        let work = folder.join("build");
        recipe::build_program(kubernetes, program, &work, &bin, &mut versions)?;
        let path = format!("bin/{program}");
        Stamp {
            recipe,
            versions,
            files: BTreeMap::from([(path.clone(), Built::of(&folder.join(path))?)]),
        }
        .write(&folder, program)?;
    }
    Ok(bin)
}

fn check_version(kubernetes: &str) -> Result<()> {
    let numbers: Vec<_> = kubernetes
        .strip_prefix('v')
        .unwrap_or_default()
        .split('.')
        .collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u32>().is_err()) {
        bail!("`{kubernetes}` is no released version: write it like `{DEFAULT_KUBERNETES}`");
    }
    Ok(())
}

fn build(kubernetes: &str, folder: &Path, recipe: String) -> Result<()> {
    let (bin, work) = (start_over(folder, "bin")?, folder.join("build"));
    let mut versions = BTreeMap::new();
    versions.insert("go".to_owned(), go::version()?);
    recipe::build(kubernetes, &work, &bin, &mut versions)?;
    let images = recipe::image_names(&bin, kubernetes)?;
    recipe::build_for_images(&images, &work, &bin, &mut versions)?;
    for (image, name) in &images.names {
        versions.insert(format!("image {image}"), name.clone());
    }
    Stamp {
        recipe,
        versions,
        files: files_in(folder, "bin")?,
    }
    .write(folder, "bin")
}

fn pack(kubernetes: &str, folder: &Path, rootfs: &Path, recipe: String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().contains("store-"))
        {
            cache::remove(&path)?;
        }
    }
    start_over(folder, "images")?;
    cache::remove(&folder.join("layer"))?;
    let images = recipe::image_names(&folder.join("bin"), kubernetes)?;
    shell::step("pack images", || image::pack_all(&images, folder, rootfs))?;
    shell::step("lay out what nodes get", || layer::write(folder, &images))?;
    let files = files_in(folder, "images")?;
    Stamp {
        recipe,
        versions: BTreeMap::new(),
        files,
    }
    .write(folder, "images")
}

/// Empties `part` of a set. Without a stamp it counts as unfinished, whatever happens next.
fn start_over(folder: &Path, part: &str) -> Result<PathBuf> {
    cache::remove(&Stamp::path(folder, part))?;
    cache::remove(&folder.join(part))?;
    cache::make_folder(&folder.join(part))?;
    Ok(folder.join(part))
}

fn packing_digest(recipe: &str, rootfs: &Path) -> String {
    let rootfs = rootfs.file_name().unwrap_or_default().to_string_lossy();
    cache::sha256(
        [recipe, &rootfs, layer::SOURCE, image::SOURCE]
            .join("\0")
            .as_bytes(),
    )
}

fn files_in(folder: &Path, part: &str) -> Result<BTreeMap<String, Built>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder.join(part))? {
        let path = entry?.path();
        let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
        files.insert(name, Built::of(&path)?);
    }
    Ok(files)
}

fn size_and_time(path: &Path) -> Result<(u64, u128)> {
    let metadata = fs::metadata(path).with_context(|| format!("{} is missing", path.display()))?;
    let modified = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok((metadata.len(), modified.as_nanos()))
}

/// What was built from what.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    recipe: String,
    versions: BTreeMap<String, String>,
    files: BTreeMap<String, Built>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Built {
    size: u64,
    modified: u128,
    sha256: String,
}

impl Built {
    fn of(path: &Path) -> Result<Self> {
        let (size, modified) = size_and_time(path)?;
        Ok(Self {
            size,
            modified,
            sha256: cache::sha256_of_file(path)?,
        })
    }
}

impl Stamp {
    fn path(folder: &Path, part: &str) -> PathBuf {
        folder.join(format!("{part}.stamp.json"))
    }

    fn read(folder: &Path, part: &str) -> Result<Self> {
        let path = Self::path(folder, part);
        if !path.exists() {
            bail!("the cache has no finished set");
        }
        serde_json::from_str(&cache::read(&path)?)
            .with_context(|| format!("{} cannot be read", path.display()))
    }

    fn write(&self, folder: &Path, part: &str) -> Result<()> {
        cache::write(
            &Self::path(folder, part),
            serde_json::to_string_pretty(self)?,
        )
    }

    /// Fails with the reason why the set in `folder` cannot be used.
    fn check(&self, folder: &Path, recipe: &str) -> Result<()> {
        if self.recipe != recipe {
            bail!("the recipe has changed");
        }
        for (name, built) in &self.files {
            let path = folder.join(name);
            let (size, modified) = size_and_time(&path)?;
            if size == built.size && modified == built.modified {
                continue;
            }
            if size != built.size || cache::sha256_of_file(&path)? != built.sha256 {
                bail!("{name} is not the file that was built");
            }
        }
        Ok(())
    }
}
