//! Tells what files are, and which of them belong to the same kernel.

use std::path::{Path, PathBuf};

use super::deb::{Deb, Package, release_of};
use super::{Bytes, Options, ar, deb, describe, elf, file_name, plain_config};
use crate::error::{Error, Result};

/// What a file is, by its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file; whether it is a kernel shows when it is read.
    Elf,
    /// A Debian or Ubuntu package.
    Package(Package),
    /// A kernel configuration as text.
    Config,
    /// Something else: what it looks like.
    Unknown(String),
}

/// One kernel to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The vmlinux, or the package that should have it.
    pub image: PathBuf,
    /// The image package or file with its config.
    pub config: Option<PathBuf>,
}

impl Input {
    /// The options to open it with.
    #[must_use]
    pub fn options(&self) -> Options {
        Options { config: self.config.clone() }
    }
}

/// Tells what a file is.
///
/// # Errors
/// When it cannot be read, or is a package that is cut or damaged.
pub fn identify(path: &Path) -> Result<Kind> {
    let bytes = Bytes::map(path)?;
    kind(&bytes).map_err(|e| e.at(path.to_string_lossy()))
}

fn kind(bytes: &[u8]) -> Result<Kind> {
    if bytes.starts_with(elf::MAGIC) {
        Ok(Kind::Elf)
    } else if bytes.starts_with(ar::MAGIC) {
        Ok(Kind::Package(Deb::parse(bytes)?.package))
    } else if plain_config(bytes).ok().flatten().is_some() {
        Ok(Kind::Config)
    } else {
        Ok(Kind::Unknown(describe(bytes).into()))
    }
}

/// What is known about a file without looking for the vmlinux in it.
struct Candidate {
    path: PathBuf,
    kind: Kind,
    release: Option<String>,
}

impl Candidate {
    /// Whether the file has a config at best. Packages are told apart by name, because looking inside
    /// takes seconds: those with debug information end in `-dbg` or `-dbgsym`.
    fn only_config(&self) -> bool {
        match &self.kind {
            Kind::Elf | Kind::Unknown(_) => false,
            Kind::Config => true,
            Kind::Package(package) => {
                self.release.is_some()
                    && !package.name.ends_with("-dbg")
                    && !package.name.ends_with("-dbgsym")
            }
        }
    }

    /// Whether both are of the same kernel: same release, and if both are packages of the same build.
    fn belongs_to(&self, image: &Self) -> bool {
        let same_build = match (&self.kind, &image.kind) {
            (Kind::Package(a), Kind::Package(b)) => {
                (&a.version, &a.architecture) == (&b.version, &b.architecture)
            }
            _ => true,
        };
        same_build && self.release.is_some() && self.release == image.release
    }
}

/// Sorts a list of files into kernels: every image with the config that belongs to it.
///
/// They are matched by the kernel release in the names of packages, and of other files if they are named
/// like `vmlinux-6.1.0-50-cloud-amd64` and `config-6.1.0-50-cloud-amd64`. A single config goes with a single
/// image whatever their names are. The order of the images is kept.
///
/// # Errors
/// When a file cannot be read or is of no known kind, or a config belongs to none or several of the images.
pub fn pair(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let mut images = Vec::new();
    let mut configs = Vec::new();
    for path in paths {
        let kind = identify(path)?;
        let name = file_name(path);
        let release = match &kind {
            Kind::Unknown(found) => {
                return Err(Error::UnknownFormat { found: found.clone() }.at(path.to_string_lossy()));
            }
            Kind::Package(package) => release_of(&package.name),
            Kind::Elf | Kind::Config => deb::release_in(&name),
        }
        .map(str::to_owned);
        let candidate = Candidate { path: path.clone(), kind, release };
        if candidate.only_config() { configs.push(candidate) } else { images.push(candidate) }
    }
    // Image packages alone: opening them says which package to give instead.
    if images.is_empty() && !configs.is_empty() {
        images = configs.extract_if(.., |config| matches!(config.kind, Kind::Package(_))).collect();
    }
    let mut inputs: Vec<Input> =
        images.iter().map(|image| Input { image: image.path.clone(), config: None }).collect();
    let single = images.len() == 1 && configs.len() == 1;
    for config in configs {
        let nameless = |image: &Candidate| single && (config.release.is_none() || image.release.is_none());
        let mut matching = images
            .iter()
            .zip(&mut inputs)
            .filter_map(|(image, input)| (config.belongs_to(image) || nameless(image)).then_some(input));
        let path = config.path.display();
        let Some(input) = matching.next() else {
            return Err(Error::Usage {
                what: format!("`{path}` belongs to none of the images given"),
                help: Some("give the debug package of the same kernel and version".into()),
            });
        };
        if let Some(other) = &input.config {
            return Err(Error::Usage {
                what: format!("`{path}` and `{}` are for the same image", other.display()),
                help: Some("give one of them".into()),
            });
        }
        input.config = Some(config.path);
    }
    Ok(inputs)
}
