//! Packed surfaces are expanded once into a directory of the user's and mapped from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::pack::Original;
use super::{SURFACE_EXTENSION, map, write};
use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::surface::Surface;

/// How long other expansions of the same kernel are kept (an older starter dataset, another user's packing), and
/// indexes of other datasets.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Where an expanded surface is kept. The checksum in its name makes a kernel that was packed again another
/// file.
pub(super) fn place(cache: &Path, kernel: &KernelId, original: &Original) -> PathBuf {
    cache.join(format!("{kernel}-{:016x}.{SURFACE_EXTENSION}", original.checksum))
}

/// The expanded surface, if it is there as a whole.
pub(super) fn find(place: &Path, original: &Original) -> Option<Surface> {
    let whole = fs::metadata(place).is_ok_and(|found| found.len() == original.len);
    // A damaged file is no reason to fail: it is written again.
    if whole { map(place).ok() } else { None }
}

/// Keeps an expanded surface, and maps it.
pub(super) fn keep(place: &Path, kernel: &KernelId, bytes: &[u8]) -> Result<Surface> {
    let cache = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(cache).map_err(|error| Error::io("cannot make the cache", cache, error))?;
    write::remove_abandoned(cache);
    write::replace(place, bytes)?;
    forget_others(cache, place, kernel);
    map(place)
}

/// Removes older expansions of a kernel.
fn forget_others(cache: &Path, place: &Path, kernel: &KernelId) {
    let begin = format!("{kernel}-");
    forget(cache, place, |name| {
        let checksum = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(".surface"));
        checksum.is_some_and(|checksum| u64::from_str_radix(checksum, 16).is_ok())
    });
}

/// Removes files of a kind that were written long ago, but for the one at `place`. What cannot be removed stays: it
/// does no harm.
pub(super) fn forget(cache: &Path, place: &Path, is_of_kind: impl Fn(&str) -> bool) {
    let Ok(files) = fs::read_dir(cache) else { return };
    for file in files.flatten() {
        let of_kind = file.file_name().to_str().is_some_and(&is_of_kind);
        let written = file.metadata().and_then(|found| found.modified());
        let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if of_kind && file.path() != place && age.is_some_and(|age| age > FORGET_AFTER) {
            let _ = fs::remove_file(file.path());
        }
    }
}
