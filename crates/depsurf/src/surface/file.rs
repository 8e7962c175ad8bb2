//! The container of a surface: header, section table, sections.
//!
//! ```text
//! 0   magic "DEPSURF\0"
//! 8   schema number (u32)        12  number of sections (u32)
//! 16  length of the file (u64)   24  checksum of the section table (u64, XXH3)
//! 32  section table: number (u32), record size (u32), offset (u64), length (u64), checksum (u64, XXH3)
//! ..  sections, each at a multiple of 8, in the order of the table
//! ```
//! All numbers are little-endian. A reader checks the header, the table's checksum and all bounds when it
//! opens a file; the sections' checksums are checked on request, because that reads every byte.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::record::Section;
use crate::error::{Error, Result};

/// Number of the format; changed whenever an old reader would misread a new file.
pub const SCHEMA: u32 = 1;

/// First bytes of every surface file.
pub const MAGIC: [u8; 8] = *b"DEPSURF\0";

const SECTION_ALIGN: usize = 8;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    schema: U32,
    section_count: U32,
    file_len: U64,
    table_checksum: U64,
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct TableEntry {
    number: U32,
    record_size: U32,
    offset: U64,
    len: U64,
    checksum: U64,
}

/// Where each section lies; indexed by `Section as usize - 1`.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    ranges: [Range<usize>; Section::ALL.len()],
    checksums: [u64; Section::ALL.len()],
}

impl Layout {
    /// The byte range of a section.
    pub(super) fn range(&self, section: Section) -> Range<usize> {
        self.ranges[section as usize - 1].clone()
    }

    /// Reads and checks header and section table.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let available = bytes.len() as u64;
        let cut = |what: &str, needed: u64| Error::Truncated { what: what.into(), needed, available };
        let (header, rest) = Header::ref_from_prefix(bytes)
            .map_err(|_| cut("the header of a surface file", size_of::<Header>() as u64))?;
        if header.magic != MAGIC {
            return Err(Error::malformed("surface file", "offset 0", "the magic number is missing"));
        }
        if header.schema.get() != SCHEMA {
            return Err(Error::Schema { what: "surface file", found: header.schema.get(), expected: SCHEMA });
        }
        if header.file_len.get() != available {
            return Err(cut("the surface file", header.file_len.get()));
        }
        let count = header.section_count.get() as usize;
        if !(Section::OPTIONAL..=Section::ALL.len()).contains(&count) {
            return Err(Error::malformed("surface file", "offset 0xc", format!("{count} sections")));
        }
        let (table, _) = <[TableEntry]>::ref_from_prefix_with_elems(rest, count).map_err(|_| {
            cut("the section table", (size_of::<Header>() + count * size_of::<TableEntry>()) as u64)
        })?;
        if xxh3_64(table.as_bytes()) != header.table_checksum.get() {
            return Err(Error::Checksum { what: "the section table".into() });
        }
        let mut layout =
            Self { ranges: std::array::from_fn(|_| 0..0), checksums: [xxh3_64(&[]); Section::ALL.len()] };
        for (index, (entry, section)) in table.iter().zip(Section::ALL).enumerate() {
            let name = || format!("section {section:?}");
            if entry.number.get() != section as u32
                || entry.record_size.get() as usize != section.record_size()
            {
                return Err(Error::malformed("surface file", name(), "unexpected number or record size"));
            }
            let end = entry.offset.get().checked_add(entry.len.get()).filter(|end| *end <= available);
            let Some(end) = end else {
                return Err(cut(&name(), entry.offset.get().saturating_add(entry.len.get())));
            };
            if entry.len.get() % u64::from(entry.record_size.get()) != 0 {
                return Err(Error::malformed(
                    "surface file",
                    name(),
                    "the length is no multiple of the record size",
                ));
            }
            layout.ranges[index] = entry.offset.get() as usize..end as usize;
            layout.checksums[index] = entry.checksum.get();
        }
        Ok(layout)
    }

    /// Compares every section with its checksum.
    pub(super) fn verify(&self, bytes: &[u8]) -> Result<()> {
        for section in Section::ALL {
            if xxh3_64(&bytes[self.range(section)]) != self.checksums[section as usize - 1] {
                return Err(Error::Checksum { what: format!("section {section:?}") });
            }
        }
        Ok(())
    }
}

/// Joins sections, given in the order of [`Section::ALL`], into one file. Optional ones at the end that are empty
/// are left out, so that a file without them is as it was before they were thought of.
pub(crate) fn write(sections: &[&[u8]; Section::ALL.len()]) -> Vec<u8> {
    let used = sections.iter().rposition(|bytes| !bytes.is_empty()).map_or(0, |last| last + 1);
    let sections = &sections[..used.max(Section::OPTIONAL)];
    let mut offset = size_of::<Header>() + sections.len() * size_of::<TableEntry>();
    let mut table = Vec::with_capacity(sections.len());
    for (section, bytes) in Section::ALL.into_iter().zip(sections) {
        offset = offset.next_multiple_of(SECTION_ALIGN);
        table.push(TableEntry {
            number: (section as u32).into(),
            record_size: (section.record_size() as u32).into(),
            offset: (offset as u64).into(),
            len: (bytes.len() as u64).into(),
            checksum: xxh3_64(bytes).into(),
        });
        offset += bytes.len();
    }
    let header = Header {
        magic: MAGIC,
        schema: SCHEMA.into(),
        section_count: (sections.len() as u32).into(),
        file_len: (offset as u64).into(),
        table_checksum: xxh3_64(table.as_bytes()).into(),
    };
    let mut file = Vec::with_capacity(offset);
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(table.as_bytes());
    for (entry, bytes) in table.iter().zip(sections) {
        file.resize(entry.offset.get() as usize, 0);
        file.extend_from_slice(bytes);
    }
    file
}
