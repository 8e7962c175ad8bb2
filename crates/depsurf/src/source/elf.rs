//! Which parts of a vmlinux somebody reads: found from its section headers alone.

use std::ops::Range;

use super::bytes::merge;
use crate::error::{Error, Result};

/// First bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";
/// Size of the larger of the two ELF headers.
pub const HEADER: u64 = 64;

const SHT_RELA: u32 = 4;
const SHT_NOBITS: u32 = 8;
const SHT_REL: u32 = 9;
const SHF_ALLOC: u64 = 2;
const SHN_XINDEX: u16 = 0xffff;
/// Larger section header and section name tables are refused: vmlinux has a hundred sections.
const LARGEST_TABLE: u64 = 16 << 20;
/// The section names are usually right in front of the section headers; they are fetched together.
const WINDOW: u64 = 64 << 10;

/// Debug sections that hold nothing a surface is made of. They are a tenth of a vmlinux.
const UNREAD: [&[u8]; 7] = [
    b".debug_aranges",
    b".debug_frame",
    b".debug_gdb_scripts",
    b".debug_loc",
    b".debug_loclists",
    b".debug_pubnames",
    b".debug_pubtypes",
];

/// Says which ranges of an ELF file of `size` bytes are worth decoding; sorted and disjoint.
/// `head` is the first [`HEADER`] bytes, or all there are.
///
/// Left out are [`UNREAD`], and the relocations that `--emit-relocs` leaves behind, which have been applied
/// already. Relocations in memory (`SHF_ALLOC`) stay: arm64 keeps table contents in them.
///
/// # Errors
/// When the headers are damaged or point outside the file, or `read(offset, length)` fails.
pub fn needed(
    head: &[u8],
    size: u64,
    mut read: impl FnMut(u64, usize) -> Result<Vec<u8>>,
) -> Result<Vec<Range<u64>>> {
    let layout = Layout::parse(head)?;
    if layout.shoff == 0 {
        // Without section headers there is no telling.
        return Ok(std::iter::once(0..size).collect());
    }
    let mut ranges = vec![
        0..layout.header_size,
        inside(layout.phoff, layout.phnum * layout.phentsize, size, "program headers")?,
    ];
    let first = inside(layout.shoff, layout.shentsize, size, "first section header")?;
    let begin = first.start.saturating_sub(WINDOW);
    let mut window = read(begin, (first.end - begin) as usize)?;
    let zeroth = Section::parse(&layout, &window[(first.start - begin) as usize..]);
    // With too many sections for 16 bits the numbers are in the first header (gABI, "ELF Header").
    let count = if layout.shnum == 0 { zeroth.size } else { u64::from(layout.shnum) };
    let names = if layout.shstrndx == SHN_XINDEX { zeroth.link } else { u32::from(layout.shstrndx) };
    let table = limited(layout.shoff, count.saturating_mul(layout.shentsize), size, "section headers")?;
    if table.end > first.end {
        window.extend(read(first.end, (table.end - first.end) as usize)?);
    }
    let sections: Vec<Section> = window[(table.start - begin) as usize..(table.end - begin) as usize]
        .chunks_exact(layout.shentsize as usize)
        .map(|header| Section::parse(&layout, header))
        .collect();
    ranges.push(table);

    let names = match sections.get(names as usize) {
        Some(section) if section.kind != SHT_NOBITS => {
            let range = limited(section.offset, section.size, size, "section names")?;
            ranges.push(range.clone());
            if range.start >= begin && range.end <= begin + window.len() as u64 {
                window[(range.start - begin) as usize..(range.end - begin) as usize].to_vec()
            } else {
                read(range.start, (range.end - range.start) as usize)?
            }
        }
        _ => Vec::new(),
    };
    for (index, section) in sections.iter().enumerate() {
        let name = names.get(section.name as usize..).unwrap_or_default();
        let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
        if section.is_read(name) {
            let what = format!("section {index} `{}`", String::from_utf8_lossy(name));
            ranges.push(inside(section.offset, section.size, size, what)?);
        }
    }
    Ok(merge(ranges))
}

fn inside(offset: u64, length: u64, size: u64, what: impl Into<String>) -> Result<Range<u64>> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(offset..end),
        end => Err(Error::Truncated { what: what.into(), needed: end.unwrap_or(u64::MAX), available: size }),
    }
}

fn limited(offset: u64, length: u64, size: u64, what: &'static str) -> Result<Range<u64>> {
    let range = inside(offset, length, size, what)?;
    if length > LARGEST_TABLE {
        return Err(Error::Limit {
            what: format!("{what} of {length} bytes"),
            limit: format!("{} MiB", LARGEST_TABLE >> 20),
        });
    }
    Ok(range)
}

/// Where the tables are, and how their numbers are written.
struct Layout {
    wide: bool,
    big: bool,
    header_size: u64,
    phoff: u64,
    phentsize: u64,
    phnum: u64,
    shoff: u64,
    shentsize: u64,
    shnum: u16,
    shstrndx: u16,
}

impl Layout {
    /// Reads the ELF header, of which `head` has all 64 bytes or as many as there are.
    fn parse(head: &[u8]) -> Result<Self> {
        let malformed = |what: &str| Error::malformed("ELF", "the header", what);
        if !head.starts_with(MAGIC) {
            return Err(malformed("no ELF magic"));
        }
        let wide = match head.get(4) {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(malformed("neither 32 nor 64 bits")),
        };
        let big = match head.get(5) {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(malformed("neither little nor big endian")),
        };
        let header_size = if wide { 64 } else { 52 };
        if head.len() < header_size {
            return Err(Error::Truncated {
                what: "ELF header".into(),
                needed: header_size as u64,
                available: head.len() as u64,
            });
        }
        let number = |at, size| number(head, at, size, big);
        let half = |at| number(at, 2) as u16;
        let (phoff, shoff, rest) =
            if wide { (number(32, 8), number(40, 8), 54) } else { (number(28, 4), number(32, 4), 42) };
        let layout = Self {
            wide,
            big,
            header_size: header_size as u64,
            phoff,
            phentsize: half(rest).into(),
            phnum: half(rest + 2).into(),
            shoff,
            shentsize: half(rest + 4).into(),
            shnum: half(rest + 6),
            shstrndx: half(rest + 8),
        };
        let expected = if wide { 64 } else { 40 };
        if layout.shoff != 0 && layout.shentsize != expected {
            return Err(malformed("section headers of a wrong size"));
        }
        Ok(layout)
    }
}

struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
    link: u32,
}

impl Section {
    /// Reads a header, of which all bytes must be there.
    fn parse(layout: &Layout, header: &[u8]) -> Self {
        let number = |at, size| number(header, at, size, layout.big);
        let word = |at| number(at, 4) as u32;
        let (flags, offset, size, link) = if layout.wide {
            (number(8, 8), number(24, 8), number(32, 8), word(40))
        } else {
            (number(8, 4), number(16, 4), number(20, 4), word(24))
        };
        Self { name: word(0), kind: word(4), flags, offset, size, link }
    }

    fn is_read(&self, name: &[u8]) -> bool {
        match self.kind {
            SHT_NOBITS => false,
            SHT_REL | SHT_RELA => self.flags & SHF_ALLOC != 0,
            _ => !UNREAD.contains(&name),
        }
    }
}

/// The number of `size` bytes at `at`; bytes that are missing count as zeros.
fn number(bytes: &[u8], at: usize, size: usize, big: bool) -> u64 {
    let bytes = bytes.get(at..at + size).unwrap_or_default().iter();
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if big { bytes.fold(0, add) } else { bytes.rev().fold(0, add) }
}
