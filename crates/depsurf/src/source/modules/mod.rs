//! The modules of a kernel, out of what has them.
//!
//! A generic kernel has four thousand of them, with five gigabytes of debug information, so they come in batches: as
//! many as fit a bound on memory, decoded by all threads, in the order of the package.
//!
//! Distributions that strip modules have each in two halves: one with its code, one with its debug information, in one place
//! or in two packages. Both have the same path below `lib/modules/RELEASE/`, by which they are put together here; whether
//! they are of the same build is told by who reads them.

mod choice;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::slice;

use rayon::prelude::*;

use super::archive::Archive;
use super::codec::{GZIP, ZSTD};
use super::xz;
use crate::error::{Error, Result};
use crate::image::Image;

pub use choice::Choice;
pub(super) use place::Place;
pub use place::{Arriving, ModulePackage};
use place::{Met, Walk};

/// The largest module that is read; the largest real one has 0.4 GiB.
const LARGEST: u64 = 2 << 30;
/// Bytes of modules in one batch, unless one alone has more.
const BATCH: u64 = 96 << 20;
/// Modules in one batch.
const MOST_IN_BATCH: usize = 512;
/// Bytes of halves that wait for the others, as they are packed. The code of all modules of a generic kernel has 0.5 GiB.
const MOST_WAITING: u64 = 4 << 30;
/// How much larger a module is taken to be than its compressed form.
const RATIO: u64 = 4;

/// A module's file, or those it is kept in.
#[derive(Debug)]
pub struct ModuleFile {
    /// Path below `lib/modules/RELEASE/`, without the ending of a compression: `kernel/fs/ext4/ext4.ko`.
    pub path: String,
    /// The object file; where there are several, one has the code and one the debug information, in no order.
    pub files: Vec<Vec<u8>>,
}

impl ModuleFile {
    /// The module's name by its file: `-` and `_` are the same, and kernels write `_`.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Whether another file may have what is missing in these: code, or debug information.
    fn is_half(&self) -> bool {
        let images: Vec<Image<'_>> =
            self.files.iter().filter_map(|file| Image::parse_module(file).ok()).collect();
        !images.iter().any(Image::has_code) || !images.iter().any(Image::has_debug_info)
    }
}

/// The name of a module by the path of its file.
pub(super) fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".ko").unwrap_or(file).replace('-', "_")
}

/// A walk over the modules of a kernel.
pub struct Batches<'a> {
    choice: &'a Choice,
    walk: Option<Walk<'a>>,
    /// Where else there are modules, until it is known whether they are needed.
    others: slice::Iter<'a, ModulePackage>,
    /// Halves that wait for the others, by path.
    waiting: BTreeMap<String, Packed>,
    waiting_bytes: u64,
    begun: bool,
    /// A module that was read and did not fit into the batch before.
    next: Option<Packed>,
}

/// A module's files as they are packed, each of which may be compressed once more.
struct Packed {
    path: String,
    files: Vec<Vec<u8>>,
}

impl<'a> Batches<'a> {
    /// The modules that are chosen. The first place tells the order; the others are for what is missing in it.
    ///
    /// # Errors
    /// When the first place is damaged.
    pub fn new(places: &'a [ModulePackage], choice: &'a Choice) -> Result<Self> {
        let mut others = places.iter();
        let walk = others.next().map(|place| place.walk(choice)).transpose()?;
        let waiting = BTreeMap::new();
        Ok(Self { choice, walk, others, waiting, waiting_bytes: 0, begun: false, next: None })
    }

    /// The next modules; none at the end.
    ///
    /// # Errors
    /// When a package or the compression of a module is damaged, or a module is too large.
    pub fn next_batch(&mut self) -> Result<Vec<ModuleFile>> {
        let mut batch = self.packed()?;
        let mut files = Vec::new();
        if !self.begun {
            self.begun = true;
            if !batch.is_empty() {
                files.push(batch.remove(0).unpack()?);
            }
            // Packages are uniform: where the first module is whole, all are, and nobody needs the others.
            if files.iter().all(ModuleFile::is_half) {
                self.wait_for_others()?;
                for file in &mut files {
                    let mut packed = Packed { path: file.path.clone(), files: Vec::new() };
                    self.join(&mut packed);
                    file.files.extend(packed.unpack()?.files);
                }
                if let Some(mut next) = self.next.take() {
                    self.join(&mut next);
                    self.next = Some(next);
                }
                for packed in &mut batch {
                    self.join(packed);
                }
                if files.is_empty() {
                    batch = self.packed()?;
                }
            }
        }
        files.par_extend(batch.into_par_iter().map(Packed::unpack).collect::<Result<Vec<_>>>()?);
        Ok(files)
    }

    /// As many modules as fit into a batch.
    fn packed(&mut self) -> Result<Vec<Packed>> {
        let mut batch: Vec<Packed> = self.next.take().into_iter().collect();
        let mut size: u64 = batch.iter().map(Packed::size).sum();
        while size < BATCH && batch.len() < MOST_IN_BATCH {
            let Some(packed) = self.one()? else { break };
            size += packed.size();
            batch.push(packed);
            // A large one is better alone than together with as much again.
            if size > BATCH && batch.len() > 1 {
                self.next = batch.pop();
                break;
            }
        }
        Ok(batch)
    }

    /// The next module, with its other half if that is there. At the end come those that waited in vain.
    fn one(&mut self) -> Result<Option<Packed>> {
        while let Some(walk) = &mut self.walk {
            match walk.next()? {
                Some(Met { packed, comes_again: true }) => self.wait(packed)?,
                Some(Met { mut packed, .. }) => {
                    self.join(&mut packed);
                    return Ok(Some(packed));
                }
                None => self.walk = None,
            }
        }
        // What waits and was not looked at yet: the first place had nothing at all.
        Ok(self.waiting.pop_first().map(|(_, packed)| packed))
    }

    fn join(&mut self, packed: &mut Packed) {
        if let Some(other) = self.waiting.remove(&packed.path) {
            self.waiting_bytes -= other.bytes();
            packed.files.extend(other.files);
        }
    }

    fn wait(&mut self, packed: Packed) -> Result<()> {
        self.waiting_bytes += packed.bytes();
        if self.waiting_bytes > MOST_WAITING {
            return Err(Error::Limit {
                what: format!("modules in two halves, up to `{}`", packed.path),
                limit: format!("{} GiB", MOST_WAITING >> 30),
            });
        }
        match self.waiting.get_mut(&packed.path) {
            Some(known) => known.files.extend(packed.files),
            None => {
                self.waiting.insert(packed.path.clone(), packed);
            }
        }
        Ok(())
    }

    fn wait_for_others(&mut self) -> Result<()> {
        while let Some(place) = self.others.next() {
            let mut walk = place.walk(self.choice)?;
            while let Some(met) = walk.next()? {
                self.wait(met.packed)?;
            }
        }
        Ok(())
    }
}

impl Packed {
    /// Bytes that it takes as it is.
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len() as u64).sum()
    }

    /// About how many bytes it will take.
    fn size(&self) -> u64 {
        let size = |file: &Vec<u8>| file.len() as u64 * if is_compressed(file) { RATIO } else { 1 };
        self.files.iter().map(size).sum()
    }

    fn unpack(self) -> Result<ModuleFile> {
        let Self { path, files } = self;
        let files = files.into_iter().map(|file| unpack(&path, file)).collect::<Result<_>>()?;
        Ok(ModuleFile { path, files })
    }
}

fn is_compressed(bytes: &[u8]) -> bool {
    [xz::MAGIC, ZSTD, GZIP].iter().any(|magic| bytes.starts_with(magic))
}

/// The contents of a file that may be compressed.
fn unpack(path: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !is_compressed(&bytes) {
        return Ok(bytes);
    }
    let mut stream = Archive::stream(&bytes)?;
    let mut contents = Vec::new();
    const STEP: usize = 1 << 20;
    loop {
        let start = contents.len();
        if start as u64 > LARGEST {
            let limit = format!("{} GiB", LARGEST >> 30);
            return Err(Error::Limit { what: format!("module `{path}`"), limit });
        }
        contents.resize(start + STEP, 0);
        let read = stream.read(&mut contents[start..]).map_err(|error| error.at(format!("`{path}`")))?;
        contents.truncate(start + read);
        if read < STEP {
            return Ok(contents);
        }
    }
}

/// Where a module is, by its path.
struct ModulePath<'a> {
    /// Path below `lib/modules/RELEASE/`.
    path: String,
    /// The directory below `lib/modules/`; `None` in the place of a build.
    release: Option<&'a str>,
}

/// Tells the path of a module; `None` for what is none. In the place of a build (`anywhere`) modules are where their sources are,
/// which is where they will be installed below `kernel/`.
fn module_path(path: &str, anywhere: bool) -> Option<ModulePath<'_>> {
    const PARENT: &str = "lib/modules/";
    let installed = path
        .match_indices(PARENT)
        .find(|(at, _)| *at == 0 || path.as_bytes()[at - 1] == b'/')
        .and_then(|(at, _)| path[at + PARENT.len()..].split_once('/'));
    let (release, inside) = match installed {
        Some((release, inside)) => (Some(release), inside.to_owned()),
        None if anywhere => (None, format!("kernel/{path}")),
        None => return None,
    };
    let plain = [".xz", ".zst", ".gz", ".debug"].iter().find_map(|ending| inside.strip_suffix(ending));
    let path = plain.map_or(inside.clone(), str::to_owned);
    path.ends_with(".ko").then_some(ModulePath { path, release })
}
