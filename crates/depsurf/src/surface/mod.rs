//! The dependency surface of one kernel: a file that is read in place.
//!
//! Extraction fills [`build::Parts`] and encodes them once; everybody else reads a [`Surface`], which
//! borrows from the file's bytes (mapped or owned). Opening checks the header and all section bounds;
//! every later access is bounds-checked, so damaged bytes give wrong or missing facts but never a crash.
//! Facts that follow from others (collision, inline kind, transformation) are methods, never stored.

pub mod attach;
mod bounds;
pub mod build;
pub mod c;
pub mod config;
pub mod field;
pub(crate) mod file;
#[cfg(test)]
pub(crate) mod fixture;
pub mod function;
pub(crate) mod index;
pub mod kfunc;
pub mod lsm;
pub mod meaning;
pub mod meta;
pub mod module;
pub mod outline;
pub mod record;
pub mod set;
pub mod strings;
pub mod symbol;
pub mod syscall;
pub mod tracepoint;
pub mod types;
pub mod verdict;

use std::fmt;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub use self::file::{MAGIC, SCHEMA};
pub use self::function::{Function, Instance};
pub use self::meta::{Evidence, Fact, Meta};
pub use self::module::Module;
pub use self::outline::Outline;
pub use self::symbol::Symbol;
pub use self::types::{Type, TypeId, TypeKind, Types};

use self::record::Section;
use self::strings::{compare_at, text_at};
use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::note::Note;

/// The bytes behind a surface.
enum Backing {
    Owned(Vec<u8>),
    Mapped(memmap2::Mmap),
}

/// The dependency surface of one kernel.
pub struct Surface {
    backing: Backing,
    layout: file::Layout,
    meta: Meta,
    owners: function::Owners,
}

impl fmt::Debug for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surface").field("kernel", &self.meta.kernel).finish_non_exhaustive()
    }
}

impl Surface {
    /// A surface over bytes in memory.
    ///
    /// # Errors
    /// When the bytes are not a surface file of this schema, or are cut.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::new(Backing::Owned(bytes))
    }

    /// A surface over a mapped file.
    ///
    /// # Errors
    /// When the bytes are not a surface file of this schema, or are cut.
    pub fn from_map(map: memmap2::Mmap) -> Result<Self> {
        Self::new(Backing::Mapped(map))
    }

    fn new(backing: Backing) -> Result<Self> {
        let bytes: &[u8] = match &backing {
            Backing::Owned(bytes) => bytes,
            Backing::Mapped(map) => map,
        };
        let layout = file::Layout::read(bytes)?;
        let meta = serde_json::from_slice(&bytes[layout.range(Section::Meta)])
            .map_err(|error| Error::malformed("surface file", "section Meta", error.to_string()))?;
        Ok(Self { backing, layout, meta, owners: function::Owners::default() })
    }

    /// The file's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.backing {
            Backing::Owned(bytes) => bytes,
            Backing::Mapped(map) => map,
        }
    }

    /// Compares every section with its checksum; reads the whole file.
    ///
    /// # Errors
    /// Names the first section that differs.
    pub fn verify(&self) -> Result<()> {
        self.layout.verify(self.bytes())
    }

    /// Which kernel it is.
    #[must_use]
    pub fn kernel(&self) -> &KernelId {
        &self.meta.kernel
    }

    /// Identity, provenance and what is known at all.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What was skipped when the image was read.
    ///
    /// # Errors
    /// When the section is damaged.
    pub fn notes(&self) -> Result<Vec<Note>> {
        serde_json::from_slice(self.section(Section::Notes))
            .map_err(|error| Error::malformed("surface file", "section Notes", error.to_string()))
    }

    /// The types.
    #[must_use]
    pub fn types(&self) -> Types<'_> {
        Types {
            records: self.table(Section::Types),
            children: self.table(Section::TypeChildren),
            by_name: self.table(Section::TypesByName),
            strings: self.section(Section::Strings),
        }
    }

    /// The raw bytes of a section.
    #[must_use]
    pub fn section(&self, section: Section) -> &[u8] {
        &self.bytes()[self.layout.range(section)]
    }

    /// A section as records.
    pub(crate) fn table<T: FromBytes + Immutable + KnownLayout>(&self, section: Section) -> &[T] {
        debug_assert_eq!(size_of::<T>(), section.record_size());
        <[T]>::ref_from_bytes(self.section(section)).unwrap_or_default()
    }

    /// A string of the string table; empty for 0 and for a bad offset.
    #[must_use]
    pub(crate) fn text(&self, id: U32) -> &str {
        text_at(self.section(Section::Strings), id.get())
    }

    /// A path of the file table; `None` for [`record::NONE`] and for a bad index.
    pub(crate) fn file(&self, index: u32) -> Option<&str> {
        let files: &[U32] = self.table(Section::Files);
        files.get(index as usize).map(|id| self.text(*id))
    }

    /// Index of the record whose name is `name`, in a table sorted by name.
    pub(crate) fn search<T>(&self, table: &[T], name: &str, name_of: impl Fn(&T) -> U32) -> Option<usize> {
        let strings = self.section(Section::Strings);
        table.binary_search_by(|record| compare_at(strings, name_of(record).get(), name)).ok()
    }
}

/// The run that starts at `first(record)` and ends where the next record's run begins.
pub(crate) fn run<'a, R, T>(
    records: &[R],
    index: usize,
    first: impl Fn(&R) -> U32,
    items: &'a [T],
) -> &'a [T] {
    let Some(record) = records.get(index) else { return &[] };
    let end = records.get(index + 1).map_or(items.len(), |next| first(next).get() as usize);
    items.get(first(record).get() as usize..end).unwrap_or_default()
}
