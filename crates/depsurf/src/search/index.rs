//! The names of many kernels in one file that is read in place.
//!
//! ```text
//! 0   magic "DEPNAMES"
//! 8   number of the format (u32)         12  words of a set (u32)
//! 16  checksum of all that follows (u64, XXH3)
//! 24  lengths of the six sections (u64 each)
//! 72  kernels  JSON: identity, stamp, what is unknown of it and why
//! ..  texts    every name once, sorted by its bytes, back to back
//! ..  names    where its text begins (u32), the first of its entries (u32)
//! ..  letters  which letters it has (u64), see `score::letters`
//! ..  entries  number of the name it belongs to, as a field to a struct (u32), what it names (u8),
//!              number of its set (u24); sorted by name, what, what it belongs to
//! ..  sets     bits (u64 each): the kernels that have it, in the order of `kernels`
//! ```
//! All numbers are little-endian. The file can be made again from the surfaces at any time, so it is read only
//! where its checksum is right; every access is bounds-checked all the same.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::names::What;
use crate::error::{Error, Result};
use crate::kernel::KernelId;
use crate::kind::Kind;
use crate::surface::Fact;
use crate::surface::record::U24;

/// First bytes of every index.
pub const MAGIC: [u8; 8] = *b"DEPNAMES";

/// Number of the format; changed whenever the same surfaces would give another file.
pub const FORMAT: u32 = 3;

/// Stands for "belongs to none".
pub(super) const NONE: u32 = u32::MAX;

/// What the index tells of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Which one.
    pub id: KernelId,
    /// Tells one state of its surface from others.
    pub stamp: u64,
    /// The facts that were not read, and why.
    pub unknown: BTreeMap<Fact, String>,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    format: U32,
    words: U32,
    checksum: U64,
    lengths: [U64; SECTIONS],
}

const SECTIONS: usize = 6;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Name {
    pub text: U32,
    pub first_entry: U32,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Entry {
    pub outer: U32,
    pub what: u8,
    pub set: U24,
}

enum Backing {
    Owned(Vec<u8>),
    Mapped(memmap2::Mmap),
}

/// The names of many kernels.
pub struct Index {
    backing: Backing,
    kernels: Vec<Kernel>,
    words: usize,
    sections: [Range<usize>; SECTIONS],
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("kernels", &self.kernels.len()).finish_non_exhaustive()
    }
}

impl Index {
    /// An index over bytes in memory.
    ///
    /// # Errors
    /// When they are not an index of this format, or are damaged.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::new(Backing::Owned(bytes))
    }

    /// An index over a mapped file.
    ///
    /// # Errors
    /// When it is not an index of this format, or is damaged.
    pub fn from_map(map: memmap2::Mmap) -> Result<Self> {
        Self::new(Backing::Mapped(map))
    }

    fn new(backing: Backing) -> Result<Self> {
        let bytes = bytes(&backing);
        let (header, body) = Header::ref_from_prefix(bytes).map_err(|_| Error::Truncated {
            what: "the header of an index of names".into(),
            needed: size_of::<Header>() as u64,
            available: bytes.len() as u64,
        })?;
        let malformed = |at: &str, what: &str| Error::malformed("index of names", at, what);
        if header.magic != MAGIC || header.format.get() != FORMAT {
            return Err(malformed("offset 0", "another magic number or format"));
        }
        if checksum(header.words, &header.lengths, body) != header.checksum.get() {
            return Err(Error::Checksum { what: "an index of names".into() });
        }
        let mut sections = std::array::from_fn(|_| 0..0);
        let mut at = size_of::<Header>();
        for (section, length) in sections.iter_mut().zip(&header.lengths) {
            let end = usize::try_from(length.get()).ok().and_then(|length| at.checked_add(length));
            let end = end.filter(|end| *end <= bytes.len());
            *section = at..end.ok_or_else(|| malformed("the header", "a section reaches behind the end"))?;
            at = section.end;
        }
        let kernels: Vec<Kernel> = serde_json::from_slice(&bytes[sections[0].clone()])
            .map_err(|error| malformed("section kernels", &error.to_string()))?;
        let words = header.words.get() as usize;
        if words != words_of(kernels.len()) {
            return Err(malformed("the header", "sets that do not fit the number of kernels"));
        }
        let index = Self { backing, kernels, words, sections };
        // Else a name could take in the texts of all others.
        let ascends = |of: fn(&Name) -> U32| index.names().is_sorted_by_key(|name| of(name).get());
        if !ascends(|name| name.text) || !ascends(|name| name.first_entry) {
            return Err(malformed("section names", "places that do not ascend"));
        }
        Ok(index)
    }

    /// Joins sections to a file.
    pub(super) fn join(
        kernels: &[Kernel],
        texts: &[u8],
        names: &[Name],
        letters: &[U64],
        entries: &[Entry],
        sets: &[U64],
    ) -> Vec<u8> {
        let kernels_text = serde_json::to_vec(kernels).expect("plain data serialises");
        let sections =
            [&kernels_text, texts, names.as_bytes(), letters.as_bytes(), entries.as_bytes(), sets.as_bytes()];
        let body = sections.concat();
        let lengths = sections.map(|section| U64::from(section.len() as u64));
        let words = U32::from(words_of(kernels.len()) as u32);
        let checksum = checksum(words, &lengths, &body).into();
        let header = Header { magic: MAGIC, format: FORMAT.into(), words, checksum, lengths };
        [header.as_bytes(), &body].concat()
    }

    /// The file's bytes. They depend on the kernels alone, not on threads or on what was indexed before.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytes(&self.backing)
    }

    /// The kernels, in the order in which they were given.
    #[must_use]
    pub fn kernels(&self) -> &[Kernel] {
        &self.kernels
    }

    /// The kernels among some of which a kind could not be read as a whole, so that what is not found may still
    /// be there.
    #[must_use]
    pub fn unknown(&self, kind: Kind, among: &[usize]) -> Vec<usize> {
        let is_unknown = |kernel: &Kernel| kind.facts().iter().any(|fact| kernel.unknown.contains_key(fact));
        among.iter().copied().filter(|at| self.kernels.get(*at).is_some_and(is_unknown)).collect()
    }

    fn section(&self, number: usize) -> &[u8] {
        &self.bytes()[self.sections[number].clone()]
    }

    fn table<T: FromBytes + Immutable + KnownLayout>(&self, number: usize) -> &[T] {
        <[T]>::ref_from_bytes(self.section(number)).unwrap_or_default()
    }

    pub(super) fn names(&self) -> &[Name] {
        self.table(2)
    }

    /// The letters of each name.
    pub(super) fn letters(&self) -> &[U64] {
        self.table(3)
    }

    /// The text of a name; empty for a number that is none's.
    pub(super) fn text(&self, name: u32) -> &[u8] {
        let (names, texts) = (self.names(), self.section(1));
        let at = name as usize;
        let begin = names.get(at).map_or(texts.len(), |name| name.text.get() as usize);
        let end = names.get(at.saturating_add(1)).map_or(texts.len(), |next| next.text.get() as usize);
        texts.get(begin..end).unwrap_or_default()
    }

    /// Place of the first entry of a name, and its entries.
    pub(super) fn entries(&self, name: u32) -> &[Entry] {
        let (names, entries): (_, &[Entry]) = (self.names(), self.table(4));
        let at = name as usize;
        let Some(found) = names.get(at) else { return &[] };
        let end =
            names.get(at.saturating_add(1)).map_or(entries.len(), |next| next.first_entry.get() as usize);
        entries.get(found.first_entry.get() as usize..end).unwrap_or_default()
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = &[U64]> {
        let words: &[U64] = self.table(5);
        words.chunks_exact(self.words.max(1))
    }

    /// The kernels of a set.
    pub(super) fn set(&self, number: u32) -> Vec<usize> {
        let Some(words) = self.sets().nth(number as usize) else { return Vec::new() };
        let has = |at: &usize| words.get(at / 64).is_some_and(|word| word.get() >> (at % 64) & 1 != 0);
        (0..self.kernels.len()).filter(has).collect()
    }
}

impl Entry {
    /// What it names; `None` for a number that no writer gives.
    pub(super) fn what(&self) -> Option<What> {
        What::ALL.get(usize::from(self.what)).copied()
    }
}

/// Words of a set of as many kernels.
pub(super) fn words_of(kernels: usize) -> usize {
    kernels.div_ceil(64)
}

fn bytes(backing: &Backing) -> &[u8] {
    match backing {
        Backing::Owned(bytes) => bytes,
        Backing::Mapped(map) => map,
    }
}

fn checksum(words: U32, lengths: &[U64; SECTIONS], body: &[u8]) -> u64 {
    let mut state = Xxh3Default::new();
    state.update(words.as_bytes());
    state.update(lengths.as_bytes());
    state.update(body);
    state.digest()
}
