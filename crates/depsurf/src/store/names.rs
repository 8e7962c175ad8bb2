//! The index of all names of a dataset, kept in the cache so that a search opens no surface.
//!
//! It says of which kernels it is and carries a stamp of each one's file, so that it is known to be stale after
//! a kernel was added, replaced or removed; then only what is new is read. One that is damaged, or of another format,
//! counts as not there. Where it cannot be kept it is made in memory, which takes longer and finds the same.

use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::{Dataset, Entry, Listing, Place, Problem, cache, map_file, write};
use crate::error::Result;
use crate::kernel::KernelId;
use crate::progress::Progress;
use crate::search::Index;
use crate::surface::Surface;

/// What the name of a kept index begins and ends with; between them is a hash of where the dataset is.
const PREFIX: &str = "names-";
const EXTENSION: &str = "index";

/// The names of a dataset.
#[derive(Debug)]
pub struct Indexed {
    /// The names of all kernels that could be opened.
    pub index: Index,
    /// Kernels that could not be opened, and files that do not belong here.
    pub problems: Vec<Problem>,
}

impl Dataset {
    /// The names of all kernels: from the cache where that has them as they are now, else read and then kept there.
    ///
    /// # Errors
    /// When the directory cannot be read, or there are more names than an index holds. What is wrong with single
    /// files is in [`Indexed::problems`].
    pub fn index(&self, progress: &dyn Progress) -> Result<Indexed> {
        let Listing { entries, mut problems } = self.list()?;
        let stamps: Vec<Result<u64>> = entries.iter().map(Entry::stamp).collect();
        let place = self.cache.as_deref().map(|cache| self.place_of_names(cache));
        let old = place.as_deref().and_then(|place| Index::from_map(map_file(place).ok()?).ok());
        let old = match old {
            Some(index) if is_of(&index, &entries, &stamps) => return Ok(Indexed { index, problems }),
            old => old,
        };
        let mut opened: Vec<(Entry, Surface, u64)> = Vec::new();
        let results = self.open_all(&entries, progress);
        for ((entry, result), stamp) in entries.into_iter().zip(results).zip(stamps) {
            match (result, stamp) {
                (Ok(surface), Ok(stamp)) => opened.push((entry, surface, stamp)),
                (Err(error), _) | (_, Err(error)) => {
                    problems.push(Problem { kernel: Some(entry.kernel), error });
                }
            }
        }
        let stamped: Vec<_> = opened.iter().map(|(_, surface, stamp)| (surface, *stamp)).collect();
        let same = |index: &Index| {
            let wanted = opened.iter().map(|(entry, _, stamp)| (&entry.kernel, *stamp));
            has_exactly(index, wanted)
        };
        let index = match old {
            Some(index) if same(&index) => index,
            old => {
                let index = Index::build(&stamped, old.as_ref(), progress)?;
                // Where a file was replaced between stamp and reading, its stamp would stand for other names.
                let unchanged = opened.iter().all(|(entry, _, stamp)| entry.stamp().ok() == Some(*stamp));
                if let Some(place) = place.filter(|_| unchanged) {
                    keep(&place, &index);
                }
                index
            }
        };
        Ok(Indexed { index, problems })
    }

    /// Where the index is kept: one file per dataset, so that a new one takes the place of the old one.
    fn place_of_names(&self, cache: &Path) -> PathBuf {
        let name = match &self.place {
            Place::Directory(directory) => {
                let path = fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
                format!("{PREFIX}{:016x}.{EXTENSION}", xxh3_64(path.as_os_str().as_encoded_bytes()))
            }
            Place::Program(_) => format!("{PREFIX}starter.{EXTENSION}"),
        };
        cache.join(name)
    }
}

/// Whether an index is of these files as they are now.
fn is_of(index: &Index, entries: &[Entry], stamps: &[Result<u64>]) -> bool {
    let wanted =
        entries.iter().zip(stamps).map(|(entry, stamp)| (&entry.kernel, stamp.as_ref().ok().copied()));
    index.kernels().iter().map(|kernel| (&kernel.id, Some(kernel.stamp))).eq(wanted)
}

fn has_exactly<'k>(index: &'k Index, wanted: impl Iterator<Item = (&'k KernelId, u64)>) -> bool {
    index.kernels().iter().map(|kernel| (&kernel.id, kernel.stamp)).eq(wanted)
}

/// Keeps an index. Where there is no place for it, it is made again next time.
fn keep(place: &Path, index: &Index) {
    let Some(directory) = place.parent() else { return };
    if fs::create_dir_all(directory).is_ok() {
        write::remove_abandoned(directory);
        if write::replace(place, index.bytes()).is_ok() {
            cache::forget(directory, place, |name| name.starts_with(PREFIX) && name.ends_with(EXTENSION));
        }
    }
}

#[cfg(test)]
mod tests;
