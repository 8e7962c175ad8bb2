//! The directory that pages are written to, and which files in it are ours.
//!
//! | name | what it is |
//! |---|---|
//! | `.depsurf-pages` | the manifest: the files that this program wrote or is about to write, one path per line |
//! | `.depsurf-*.partial` | a file that is not finished; removed by the next run if its writer died |
//!
//! A file is replaced or removed only if the manifest names it, so nothing is lost in a directory that holds
//! other things too. Names are put into the manifest before their files are written: a run that was interrupted
//! is resumed by running again.
//!
//! Whether a file has changed is found by comparing it: its size, then its bytes. That costs a read of what is
//! mostly in the page cache, a tenth of what making the page costs, and unlike hashes and times in a manifest it
//! notices every edit, every removal, and files that a power failure left empty.
//!
//! Files are written beside and renamed. They are not synced one by one: that would cost more than all pages,
//! and what a power failure takes the next run brings back. The manifest is synced, because it cannot be made again.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use depsurf::{Error, Result};

const MANIFEST: &str = ".depsurf-pages";
const HEADING: &str = "# Written by `depsurf pages`, which replaces and removes these files";
const PARTIAL: (&str, &str) = (".depsurf-", ".partial");

/// A directory of pages, locked against a second run.
pub struct Folder {
    root: PathBuf,
    /// Files that are ours, by path from the root with `/`; sorted.
    listed: Vec<String>,
    /// Held for its lock, which the system drops with us.
    _lock: Option<File>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Written,
    Unchanged,
}

impl Folder {
    /// The directory, which is made when it does not exist.
    ///
    /// # Errors
    /// When it cannot be made or read, or another run is writing to it.
    pub fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(|error| Error::io("cannot make the directory", root, error))?;
        let lock = lock(root)?;
        let path = root.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("cannot read", path, error)),
        };
        // Whoever wrote the manifest, it cannot lead out of the directory.
        let inside =
            |line: &&str| line.split('/').all(|part| !part.is_empty() && !part.starts_with(['.', '#']));
        let mut listed: Vec<String> = text.lines().filter(inside).map(str::to_owned).collect();
        listed.sort();
        listed.dedup();
        Ok(Self { root: root.to_owned(), listed, _lock: lock })
    }

    /// The files that are ours, sorted.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }

    /// Makes `files` ours, before any of them is written, and their directories. They are sorted.
    ///
    /// # Errors
    /// When one of them is there and not ours, or nothing can be written.
    pub fn claim(&mut self, files: &[String]) -> Result<()> {
        let is_new = |file: &&String| self.listed.binary_search(file).is_err();
        let new: Vec<&String> = files.iter().filter(is_new).collect();
        let directories: HashSet<&Path> = files.iter().filter_map(|file| Path::new(file).parent()).collect();
        let there: HashSet<&Path> =
            directories.iter().copied().filter(|directory| self.root.join(directory).exists()).collect();
        // In a directory that is not there is nothing: the usual case, and many files.
        let in_the_way = |file: &&&String| {
            Path::new(file).parent().is_some_and(|directory| there.contains(directory))
                && self.root.join(file).symlink_metadata().is_ok()
        };
        let foreign: Vec<&&String> = new.iter().filter(in_the_way).collect();
        if let [first, rest @ ..] = foreign.as_slice() {
            return Err(self.foreign(first, rest.len()));
        }
        for directory in &directories {
            self.prepare(&self.root.join(directory))?;
        }
        if !new.is_empty() {
            let mut all: Vec<String> = self.listed.iter().chain(new).cloned().collect();
            all.sort();
            self.list(all)?;
        }
        Ok(())
    }

    fn foreign(&self, first: &str, others: usize) -> Error {
        let others = if others == 0 { String::new() } else { format!(", and {others} more") };
        let path = self.root.join(first);
        Error::Usage {
            what: format!("`{}` is there and was not written by `depsurf pages`{others}", path.display()),
            help: Some("name another directory, or move it away".into()),
        }
    }

    /// Makes a directory, and removes what a run that died left in it.
    fn prepare(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)
            .map_err(|error| Error::io("cannot make the directory", directory, error))?;
        let read = |error| Error::io("cannot read", directory, error);
        for file in fs::read_dir(directory).map_err(read)? {
            let file = file.map_err(read)?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PARTIAL.0) && name.ends_with(PARTIAL.1) {
                // What cannot be removed stays: it does no harm.
                let _ = fs::remove_file(file.path());
            }
        }
        Ok(())
    }

    /// Removes the files that are ours and not among `kept`, which is sorted, and tells how many there were.
    /// Comes before new files are written: where case does not count, a new one may have the name of a gone one.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove_others(&mut self, kept: &[String]) -> Result<usize> {
        let is_kept = |file: &String| kept.binary_search(file).is_ok();
        let mut removed = 0;
        for file in self.listed.iter().filter(|file| !is_kept(file)) {
            let path = self.root.join(file);
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("cannot remove", path, error)),
            }
        }
        if self.listed.iter().any(|file| !is_kept(file)) {
            self.list(self.listed.iter().filter(|file| is_kept(file)).cloned().collect())?;
        }
        Ok(removed)
    }

    /// Writes a file unless it is as it should be. `scratch` is for reading it, and may be used again.
    ///
    /// # Errors
    /// When it cannot be written; it is then as it was.
    pub fn put(&self, file: &str, bytes: &[u8], scratch: &mut Vec<u8>) -> Result<Put> {
        let path = self.root.join(file);
        if is_same(&path, bytes, scratch) {
            return Ok(Put::Unchanged);
        }
        replace(&path, bytes, false).map_err(|error| Error::io("cannot write", path, error))?;
        Ok(Put::Written)
    }

    /// Writes the manifest.
    fn list(&mut self, files: Vec<String>) -> Result<()> {
        let mut text = String::from(HEADING);
        for file in &files {
            text.push('\n');
            text.push_str(file);
        }
        text.push('\n');
        let path = self.root.join(MANIFEST);
        replace(&path, text.as_bytes(), true).map_err(|error| Error::io("cannot write", path, error))?;
        self.listed = files;
        Ok(())
    }
}

/// Locks the directory itself, so that no file is left behind.
fn lock(root: &Path) -> Result<Option<File>> {
    // Some systems do not open directories and some file systems have no locks. Then renames alone keep every
    // file whole.
    let Ok(directory) = File::open(root) else { return Ok(None) };
    match directory.try_lock() {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(directory)),
        Err(TryLockError::WouldBlock) => Err(Error::Usage {
            what: format!("another `depsurf pages` is writing to `{}`", root.display()),
            help: Some("wait for it, or name another directory".into()),
        }),
    }
}

/// Whether a file has exactly these bytes; `false` when it cannot be read.
fn is_same(path: &Path, bytes: &[u8], scratch: &mut Vec<u8>) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    if !file.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64) {
        return false;
    }
    scratch.resize(bytes.len(), 0);
    file.read_exact(scratch).is_ok() && scratch == bytes
}

/// Writes a file beside and renames it.
fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let partial = path.with_file_name(format!("{}{}-{number}{}", PARTIAL.0, std::process::id(), PARTIAL.1));
    let written = write(&partial, bytes, sync).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}

fn write(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}
