//! Keeps surfaces: a *dataset* is a directory with one file per kernel, so that adding, replacing and
//! removing a kernel is writing or deleting one file.
//!
//! | name | what it is |
//! |---|---|
//! | `KERNEL.surface` | a surface, mapped and read in place ([`crate::surface`]) |
//! | `KERNEL.packed` | the same, compressed for shipping ([`pack`]); expanded when it is used |
//! | `.KERNEL....partial` | what a writer has not finished ([`write`]); nobody reads it |
//!
//! `KERNEL` is what [`KernelId`] prints. Where a kernel has both forms the mapped one counts. A file that
//! cannot be read is a [`Problem`] of that file and does not keep the others from being used.

mod cache;
mod column;
mod names;
pub mod pack;
mod predict;
pub(crate) mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

pub use self::names::Indexed;
use self::pack::Original;
use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::progress::Progress;
use crate::surface::Surface;

/// Extension of surface files.
pub const SURFACE_EXTENSION: &str = "surface";

/// Extension of packed surface files.
pub const PACKED_EXTENSION: &str = "packed";

/// A packed surface that is part of the program instead of a file.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// The kernel, as [`KernelId`] prints it.
    pub kernel: &'static str,
    /// What [`pack::pack`] gave.
    pub bytes: &'static [u8],
}

#[derive(Debug, Clone)]
enum Place {
    Directory(PathBuf),
    Program(&'static [Embedded]),
}

/// Surfaces of many kernels.
#[derive(Debug, Clone)]
pub struct Dataset {
    place: Place,
    cache: Option<PathBuf>,
}

/// One kernel of a dataset, not opened yet.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which kernel, by the file's name.
    pub kernel: KernelId,
    /// Bytes it takes where it is kept: of the surface, or of the packed form.
    pub size: u64,
    /// Whether only the packed form is there.
    pub packed: bool,
    bytes: Bytes,
}

#[derive(Debug, Clone)]
enum Bytes {
    File(PathBuf),
    Packed(PathBuf),
    Embedded(&'static [u8]),
}

/// Something in a dataset that cannot be used.
#[derive(Debug)]
pub struct Problem {
    /// The kernel that cannot be used; `None` for a file that is not named like one.
    pub kernel: Option<KernelId>,
    /// The file's name, and why.
    pub error: Error,
}

/// What a dataset holds, by the names of its files.
#[derive(Debug, Default)]
pub struct Listing {
    /// The kernels, in their order.
    pub entries: Vec<Entry>,
    /// Files that do not belong here.
    pub problems: Vec<Problem>,
}

/// Surfaces that were opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// The surfaces, in the order of their kernels.
    pub surfaces: Vec<Surface>,
    /// Kernels that could not be opened, and files that do not belong here.
    pub problems: Vec<Problem>,
}

impl Dataset {
    /// The dataset in a directory that exists.
    ///
    /// # Errors
    /// When it is not a directory or cannot be read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        let found = fs::metadata(&directory).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Usage {
                what: format!("no dataset at `{}`: there is no such directory", directory.display()),
                help: Some("`depsurf add FILE` makes one".into()),
            },
            _ => Error::io("cannot read", &directory, error),
        })?;
        if !found.is_dir() {
            return Err(not_a_directory(&directory));
        }
        Ok(Self { place: Place::Directory(directory), cache: None })
    }

    /// The dataset in a directory, which is made when it does not exist.
    ///
    /// # Errors
    /// When it cannot be made, or something else has its name.
    pub fn create(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => not_a_directory(&directory),
            _ => Error::io("cannot make the dataset", &directory, error),
        })?;
        Self::open(directory)
    }

    /// The dataset that travels inside a program.
    #[must_use]
    pub fn embedded(files: &'static [Embedded]) -> Self {
        Self { place: Place::Program(files), cache: None }
    }

    /// Keeps expanded surfaces in `directory`, so that a packed file is expanded once. The directory is
    /// made when it is needed. Without it, or where it cannot be written, they are expanded in memory.
    #[must_use]
    pub fn with_cache(mut self, directory: Option<PathBuf>) -> Self {
        self.cache = directory;
        self
    }

    /// The directory; `None` for a dataset inside the program.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Directory(directory) => Some(directory),
            Place::Program(_) => None,
        }
    }

    /// What is there, by the names alone; opens no file.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        match &self.place {
            Place::Directory(directory) => list_directory(directory, &mut listing)?,
            Place::Program(files) => {
                for file in *files {
                    let entry = file.kernel.parse().map(|kernel| Entry {
                        kernel,
                        size: file.bytes.len() as u64,
                        packed: true,
                        bytes: Bytes::Embedded(file.bytes),
                    });
                    match entry {
                        Ok(entry) => listing.entries.push(entry),
                        Err(error) => listing.problems.push(Problem { kernel: None, error }),
                    }
                }
                listing.entries.sort_by(|a, b| a.kernel.cmp(&b.kernel));
            }
        }
        Ok(listing)
    }

    /// Opens one kernel of the dataset.
    ///
    /// # Errors
    /// When its file cannot be read, is damaged, of another schema, or holds another kernel.
    pub fn surface(&self, entry: &Entry) -> Result<Surface> {
        let opened = match &entry.bytes {
            Bytes::File(path) => map(path),
            Bytes::Packed(_) | Bytes::Embedded(_) => {
                self.expand(entry).map_err(|error| error.of_surface(entry.place()))
            }
        };
        let surface = opened?;
        if *surface.kernel() != entry.kernel {
            return Err(Error::Usage {
                what: format!("the file of `{}` holds the kernel `{}`", entry.kernel, surface.kernel()),
                help: Some("name the file after its kernel, or add the kernel again with --name".into()),
            });
        }
        Ok(surface)
    }

    /// Opens the kernels that `wanted` chooses; expands those that are packed.
    ///
    /// # Errors
    /// When the directory cannot be read. What is wrong with single files is in [`Opened::problems`].
    pub fn surfaces(&self, wanted: impl Fn(&KernelId) -> bool, progress: &dyn Progress) -> Result<Opened> {
        let Listing { mut entries, problems } = self.list()?;
        entries.retain(|entry| wanted(&entry.kernel));
        let mut opened = Opened { surfaces: Vec::new(), problems };
        for (entry, result) in entries.iter().zip(self.open_all(&entries, progress)) {
            match result {
                Ok(surface) => opened.surfaces.push(surface),
                Err(error) => {
                    opened.problems.push(Problem { kernel: Some(entry.kernel.clone()), error });
                }
            }
        }
        Ok(opened)
    }

    /// Opens kernels; expands those that are packed, with all threads.
    fn open_all(&self, entries: &[Entry], progress: &dyn Progress) -> Vec<Result<Surface>> {
        let to_expand = entries.iter().filter(|entry| entry.packed && self.find_expanded(entry).is_none());
        match to_expand.count() {
            // Not worth the threads: a few microseconds each.
            0 => entries.iter().map(|entry| self.surface(entry)).collect(),
            count => {
                progress.step("expand packed surfaces", Some(count as u64));
                let open = |entry: &Entry| {
                    let surface = self.surface(entry);
                    progress.advance(u64::from(entry.packed));
                    surface
                };
                entries.par_iter().map(open).collect()
            }
        }
    }

    /// Adds a kernel, or replaces it. The file is there as a whole or not at all: a reader, a crash or a
    /// second writer at the same time never sees a part of it.
    ///
    /// # Errors
    /// When the directory cannot be written; the dataset is then as it was.
    pub fn add(&self, surface: &Surface) -> Result<PathBuf> {
        self.write(surface.kernel(), SURFACE_EXTENSION, surface.bytes())
    }

    /// Adds a kernel in its packed form, or replaces that. It counts when there is no other form.
    ///
    /// # Errors
    /// When the bytes are not a packed surface or the directory cannot be written.
    pub fn add_packed(&self, packed: &[u8]) -> Result<PathBuf> {
        let surface = Surface::from_bytes(pack::unpack(packed)?)?;
        self.write(surface.kernel(), PACKED_EXTENSION, packed)
    }

    /// Removes a kernel in whatever form it is there; `false` when it was not there.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn remove(&self, kernel: &KernelId) -> Result<bool> {
        let directory = self.writable()?;
        let mut removed = false;
        for extension in [SURFACE_EXTENSION, PACKED_EXTENSION] {
            let path = directory.join(format!("{kernel}.{extension}"));
            match fs::remove_file(&path) {
                Ok(()) => removed = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("cannot remove", path, error)),
            }
        }
        if removed {
            write::sync_directory(directory)?;
        }
        Ok(removed)
    }

    fn write(&self, kernel: &KernelId, extension: &str, bytes: &[u8]) -> Result<PathBuf> {
        let directory = self.writable()?;
        write::remove_abandoned(directory);
        let path = directory.join(format!("{kernel}.{extension}"));
        write::replace(&path, bytes)?;
        Ok(path)
    }

    fn writable(&self) -> Result<&Path> {
        self.directory().ok_or_else(|| Error::Usage {
            what: "the starter dataset is part of the program and cannot be changed".into(),
            help: Some("name a directory with --dataset".into()),
        })
    }

    /// The surface of a packed one, where the cache has it.
    fn find_expanded(&self, entry: &Entry) -> Option<Surface> {
        let original = Original::read(&entry.packed_head().ok()?).ok()?;
        cache::find(&cache::place(self.cache.as_deref()?, &entry.kernel, &original), &original)
    }

    /// The surface of a packed one: from the cache, else expanded, and then kept there.
    fn expand(&self, entry: &Entry) -> Result<Surface> {
        if let Some(surface) = self.find_expanded(entry) {
            return Ok(surface);
        }
        let packed = entry.packed_bytes()?;
        let bytes = pack::unpack(&packed)?;
        if let Some(directory) = &self.cache {
            let place = cache::place(directory, &entry.kernel, &Original::read(&packed)?);
            // Where there is no place to keep it, memory does.
            if let Ok(surface) = cache::keep(&place, &entry.kernel, &bytes) {
                return Ok(surface);
            }
        }
        Surface::from_bytes(bytes)
    }
}

impl Entry {
    /// The file; `None` for a kernel inside the program.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.bytes {
            Bytes::File(path) | Bytes::Packed(path) => Some(path),
            Bytes::Embedded(_) => None,
        }
    }

    /// What to call it in messages.
    fn place(&self) -> String {
        self.path().map_or_else(|| self.kernel.to_string(), |path| path.display().to_string())
    }

    /// Tells one state of the file from others without reading all of it: its header has checksums of what follows.
    fn stamp(&self) -> Result<u64> {
        let head = match &self.bytes {
            Bytes::File(path) | Bytes::Packed(path) => head_of(path)?,
            Bytes::Embedded(bytes) => bytes.iter().copied().take(pack::HEADER_LEN as usize).collect(),
        };
        Ok(xxh3_64(&head))
    }

    /// As much of a packed surface as [`Original::read`] needs.
    fn packed_head(&self) -> Result<Cow<'static, [u8]>> {
        let Bytes::Packed(path) = &self.bytes else { return self.packed_bytes() };
        Ok(head_of(path)?.into())
    }

    /// All of a packed surface; nothing of one that is not packed.
    fn packed_bytes(&self) -> Result<Cow<'static, [u8]>> {
        match &self.bytes {
            Bytes::Embedded(bytes) => Ok(Cow::Borrowed(bytes)),
            Bytes::Packed(path) => match fs::read(path) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(Error::io("cannot read", path, error)),
            },
            Bytes::File(_) => Ok(Cow::default()),
        }
    }
}

/// The header of a packed surface, which is as long as that of a surface and the beginning of its table.
fn head_of(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(pack::HEADER_LEN as usize);
    let read = File::open(path).and_then(|file| file.take(pack::HEADER_LEN).read_to_end(&mut head));
    read.map_err(|error| Error::io("cannot read", path, error))?;
    Ok(head)
}

fn not_a_directory(path: &Path) -> Error {
    Error::Usage {
        what: format!("`{}` is not a directory", path.display()),
        help: Some("a dataset is a directory with one surface file per kernel".into()),
    }
}

fn list_directory(directory: &Path, listing: &mut Listing) -> Result<()> {
    let read = |error| Error::io("cannot read", directory, error);
    let mut found: BTreeMap<KernelId, Entry> = BTreeMap::new();
    for file in fs::read_dir(directory).map_err(read)? {
        let path = file.map_err(read)?.path();
        let name = path.file_name().unwrap_or_default();
        // Hidden files are unfinished writes and the desk of the file manager.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry_of(&path) {
            Ok(entry) => {
                let shadowed = entry.packed && found.contains_key(&entry.kernel);
                if !shadowed {
                    found.insert(entry.kernel.clone(), entry);
                }
            }
            Err(error) => listing
                .problems
                .push(Problem { kernel: None, error: error.at(name.to_string_lossy().into_owned()) }),
        }
    }
    listing.entries = found.into_values().collect();
    listing.problems.sort_by_key(|problem| problem.error.to_string());
    Ok(())
}

fn entry_of(path: &Path) -> Result<Entry> {
    let foreign = |what: &str| Error::Usage {
        what: what.into(),
        help: Some("move it out of the dataset's directory".into()),
    };
    let extension = path.extension().and_then(OsStr::to_str);
    let packed = match extension {
        Some(SURFACE_EXTENSION) => false,
        Some(PACKED_EXTENSION) => true,
        _ => return Err(foreign("not a surface file: its name does not end in `.surface` or `.packed`")),
    };
    let kernel = path
        .file_stem()
        .and_then(OsStr::to_str)
        .ok_or_else(|| foreign("the name of the file is not a kernel's"))?
        .parse()?;
    let found = fs::metadata(path).map_err(|error| Error::io("cannot read", path, error))?;
    if !found.is_file() {
        return Err(foreign("not a file"));
    }
    let path = path.to_owned();
    let bytes = if packed { Bytes::Packed(path) } else { Bytes::File(path) };
    Ok(Entry { kernel, size: found.len(), packed, bytes })
}

/// Maps a surface file.
fn map(path: &Path) -> Result<Surface> {
    Surface::from_map(map_file(path)?).map_err(|error| error.of_surface(path.display().to_string()))
}

/// Maps a file that is read in place: a surface, an index.
fn map_file(path: &Path) -> Result<memmap2::Mmap> {
    let failed = |error| Error::io("cannot read", path, error);
    let file = File::open(path).map_err(failed)?;
    #[allow(
        unsafe_code,
        reason = "a mapping is only sound while nobody changes the file; files of a dataset are replaced by \
                  rename and never written in place, so the mapped inode keeps its bytes"
    )]
    // SAFETY: see the reason above; reads of the mapping are bounds-checked.
    unsafe { memmap2::Mmap::map(&file) }.map_err(failed)
}

#[cfg(test)]
mod tests;
