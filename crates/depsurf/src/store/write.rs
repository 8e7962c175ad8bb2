//! Writes a file so that it is there as a whole or not at all.
//!
//! The bytes go to a hidden file in the same directory, are synced, and the file is renamed; then the
//! directory is synced. A writer holds a lock on its hidden file, which the system drops when the writer
//! dies, however it dies: a hidden file that can be locked belongs to nobody and is removed by the next writer.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

const PARTIAL_EXTENSION: &str = "partial";

/// Where the file system has no locks, hidden files older than this count as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes `bytes` to `path`, replacing what was there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let failed = |error: io::Error| Error::io("cannot write", path, error);
    let mut partial = Partial::create(path).map_err(failed)?;
    partial.file.write_all(bytes).map_err(failed)?;
    partial.file.sync_all().map_err(failed)?;
    partial.rename(path).map_err(failed)?;
    sync_directory(directory)
}

/// Writes what `fill` writes to `path`, replacing what was there. Nothing is synced: after a crash of the system
/// the file may be damaged, which is good enough for what can be written again.
#[cfg(feature = "parquet")]
pub(crate) fn replace_with(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let failed = |error: io::Error| Error::io("cannot write", path, error);
    let mut partial = Partial::create(path).map_err(failed)?;
    fill(&mut partial.file)?;
    partial.rename(path).map_err(failed)
}

/// Makes renames and removals in a directory last.
pub(super) fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| Error::io("cannot write", directory, error))
}

/// Removes hidden files of writers that died. What cannot be removed stays: it does no harm.
pub(crate) fn remove_abandoned(directory: &Path) {
    let Ok(files) = fs::read_dir(directory) else { return };
    for file in files.flatten() {
        let path = file.path();
        let hidden = file.file_name().as_encoded_bytes().starts_with(b".");
        if hidden && path.extension() == Some(OsStr::new(PARTIAL_EXTENSION)) {
            remove_if_abandoned(&path);
        }
    }
}

fn remove_if_abandoned(path: &Path) {
    // A pipe of that name would block; whatever it is, no writer here made it.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(file) = File::open(path) else { return };
    let abandoned = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => {
            let written = file.metadata().and_then(|found| found.modified());
            let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
            age.is_some_and(|age| age > ABANDONED_AFTER)
        }
    };
    // The lock is held until after the removal, so a writer that waits for it sees the file gone.
    if abandoned {
        let _ = fs::remove_file(path);
    }
    drop(file);
}

/// A hidden, locked file that is removed unless it was renamed.
struct Partial {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Partial {
    fn create(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        loop {
            let unique = format!(
                ".{name}.{}-{}.{PARTIAL_EXTENSION}",
                std::process::id(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            );
            let path = target.with_file_name(unique);
            let file = match File::create_new(&path) {
                Ok(file) => file,
                // Left over by a process that had our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let partial = Self { path, file, renamed: false };
            // Without locks (some network file systems) age protects the file.
            let _ = partial.file.lock();
            // Between creation and lock another writer may have taken it for abandoned: try again.
            if partial.path.try_exists()? {
                return Ok(partial);
            }
        }
    }

    fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}
