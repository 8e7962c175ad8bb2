//! The kernels whose neighbours are compared.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use depsurf::Kind;
use depsurf::diff::Pair;
use depsurf::kernel::Arch;
use depsurf::progress::Silent;
use depsurf::store::{Dataset, PACKED_EXTENSION, pack};
use depsurf::surface::Surface;

use super::list::Entry;

/// The versions of the lists, each a neighbour of the next.
pub const VERSIONS: [&str; 4] = ["5.10", "6.1", "6.12", "7.2"];

/// One surface for each version: of the cloud flavour on amd64, as in the lists.
pub struct Kernels(Vec<Surface>);

impl Kernels {
    /// Reads them from a dataset, or from the starter dataset.
    pub fn open(directory: Option<&Path>) -> Result<Self> {
        let surfaces = match directory {
            Some(directory) => Dataset::open(directory)?.surfaces(|_| true, &Silent)?.surfaces,
            None => starter()?,
        };
        let mut surfaces: Vec<Surface> = surfaces.into_iter().filter(is_wanted).collect();
        let mut kernels = Vec::new();
        for version in VERSIONS {
            let at = surfaces.iter().position(|surface| series(surface) == version);
            let at = at.with_context(|| format!("the dataset has no cloud kernel {version} for amd64"))?;
            kernels.push(surfaces.swap_remove(at));
        }
        Ok(Self(kernels))
    }

    /// The neighbours, with their versions.
    pub fn pairs(&self) -> impl Iterator<Item = ([&'static str; 2], Pair<'_>)> {
        let versions = VERSIONS.windows(2).map(|versions| [versions[0], versions[1]]);
        versions.zip(self.0.windows(2).map(|pair| Pair::new(&pair[0], &pair[1])))
    }

    /// Whether the kernels have both names of a real rename.
    pub fn have(&self, entry: &Entry) -> bool {
        let has = |version: &str, name: &str| {
            let kernel = VERSIONS.iter().zip(&self.0).find(|(other, _)| **other == version);
            // Of an enumerator its enum is looked up.
            let name = if entry.kind == Kind::Enum { name.split("::").next().unwrap_or(name) } else { name };
            if name == "(anon)" {
                return true;
            }
            kernel.is_some_and(|(_, surface)| surface.has(entry.kind, name))
        };
        let [old, new] = &entry.versions;
        has(old, &entry.old) && entry.alternatives().any(|name| has(new, name))
    }
}

fn is_wanted(surface: &Surface) -> bool {
    let kernel = surface.kernel();
    kernel.flavour == "cloud" && kernel.arch == Arch::Amd64
}

/// Major and minor version.
fn series(surface: &Surface) -> String {
    let version = surface.kernel().version;
    format!("{}.{}", version.major, version.minor)
}

fn starter() -> Result<Vec<Surface>> {
    let directory = crate::root().join("starter");
    let files = fs::read_dir(&directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
    let mut surfaces = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == PACKED_EXTENSION) {
            let packed = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            surfaces.push(Surface::from_bytes(pack::unpack(&packed)?)?);
        }
    }
    Ok(surfaces)
}
