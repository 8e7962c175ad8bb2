//! Which parts of a vmlinux somebody reads: found from its section headers alone.

use std::ops::Range;

use super::bytes::merge;
use crate::error::{Error, Result};

/// First bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";
/// Size of the larger of the two ELF headers.
pub const HEADER: u64 = 64;

const SHT_NULL: u32 = 0;
const SHT_RELA: u32 = 4;
/// A section without bytes in the file.
pub const SHT_NOBITS: u32 = 8;
const SHT_REL: u32 = 9;
const SHF_ALLOC: u64 = 2;
const SHN_XINDEX: u16 = 0xffff;
/// Larger section header and section name tables are refused: vmlinux has a hundred sections.
const LARGEST_TABLE: u64 = 16 << 20;
/// Longer names of sections are cut, so that thousands of them cannot share a long text.
const LONGEST_NAME: usize = 256;
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

/// Offset of the section headers; 0 when there are none.
///
/// # Errors
/// When the ELF header is damaged.
pub fn section_headers(head: &[u8]) -> Result<u64> {
    Ok(Layout::parse(head)?.shoff)
}

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
    read: impl FnMut(u64, usize) -> Result<Vec<u8>>,
) -> Result<Vec<Range<u64>>> {
    let Some(table) = Table::read(head, size, read)? else {
        // Without section headers there is no telling.
        return Ok(std::iter::once(0..size).collect());
    };
    let mut ranges = table.own;
    for (index, section) in table.sections.iter().enumerate() {
        if section.is_read() {
            let what = format!("section {index} `{}`", String::from_utf8_lossy(&section.name));
            ranges.push(inside(section.offset, section.size, size, what)?);
        }
    }
    Ok(merge(ranges))
}

/// The section headers of a file.
pub struct Table {
    /// How numbers are written.
    pub layout: Layout,
    /// All sections, in order.
    pub sections: Vec<Section>,
    /// Number of the section with the names.
    pub names: usize,
    /// The bytes of the headers themselves and of the names; of the ELF header and the program headers.
    own: Vec<Range<u64>>,
}

impl Table {
    /// Reads the headers of a file of `size` bytes, which begins with `head`; `None` where it has none.
    ///
    /// # Errors
    /// When they are damaged or point outside the file, or `read(offset, length)` fails.
    pub fn read(
        head: &[u8],
        size: u64,
        mut read: impl FnMut(u64, usize) -> Result<Vec<u8>>,
    ) -> Result<Option<Self>> {
        let layout = Layout::parse(head)?;
        if layout.shoff == 0 {
            return Ok(None);
        }
        let mut own = vec![
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
        let mut sections: Vec<Section> = window[(table.start - begin) as usize..(table.end - begin) as usize]
            .chunks_exact(layout.shentsize as usize)
            .map(|header| Section::parse(&layout, header))
            .collect();
        own.push(table);
        let names = names as usize;
        let texts = match sections.get(names) {
            Some(section) if section.kind != SHT_NOBITS => {
                let range = limited(section.offset, section.size, size, "section names")?;
                own.push(range.clone());
                if range.start >= begin && range.end <= begin + window.len() as u64 {
                    window[(range.start - begin) as usize..(range.end - begin) as usize].to_vec()
                } else {
                    read(range.start, (range.end - range.start) as usize)?
                }
            }
            _ => Vec::new(),
        };
        for section in &mut sections {
            let name = texts.get(section.name_at as usize..).unwrap_or_default();
            section.name = name[..memchr::memchr(0, name).unwrap_or(name.len()).min(LONGEST_NAME)].to_vec();
        }
        Ok(Some(Self { layout, sections, names, own }))
    }
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
pub struct Layout {
    /// 64 bits.
    pub wide: bool,
    /// Most significant byte first.
    pub big: bool,
    header_size: u64,
    phoff: u64,
    phentsize: u64,
    phnum: u64,
    /// Where the section headers are.
    pub shoff: u64,
    /// Size of each.
    pub shentsize: u64,
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

/// A section header.
pub struct Section {
    /// Its name, of which the first bytes count where it is long.
    pub name: Vec<u8>,
    name_at: u32,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub address: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`.
    pub size: u64,
    link: u32,
}

impl Section {
    /// Reads a header, of which all bytes must be there.
    fn parse(layout: &Layout, header: &[u8]) -> Self {
        let number = |at, size| number(header, at, size, layout.big);
        let word = |at| number(at, 4) as u32;
        let ([flags, address, offset, size], link) = if layout.wide {
            ([8, 16, 24, 32].map(|at| number(at, 8)), word(40))
        } else {
            ([8, 12, 16, 20].map(|at| number(at, 4)), word(24))
        };
        let name = Vec::new();
        Self { name, name_at: word(0), kind: word(4), flags, address, offset, size, link }
    }

    /// Whether the file has bytes for it.
    pub fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS && self.kind != SHT_NULL && self.size != 0
    }

    /// Whether it is part of the kernel's memory.
    pub fn is_allocated(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    /// Whether a surface is made of it.
    pub fn is_read(&self) -> bool {
        match self.kind {
            SHT_NOBITS => false,
            SHT_REL | SHT_RELA => self.is_allocated(),
            _ => !UNREAD.contains(&self.name.as_slice()),
        }
    }
}

/// The number of `size` bytes at `at`; bytes that are missing count as zeros.
fn number(bytes: &[u8], at: usize, size: usize, big: bool) -> u64 {
    let bytes = bytes.get(at..at + size).unwrap_or_default().iter();
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if big { bytes.fold(0, add) } else { bytes.rev().fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{elf, noise};
    use super::*;

    fn needed_of(file: &[u8]) -> Result<Vec<Range<u64>>> {
        let head = &file[..file.len().min(HEADER as usize)];
        needed(head, file.len() as u64, |offset, length| {
            Ok(file[offset as usize..offset as usize + length].to_vec())
        })
    }

    #[test]
    fn leaves_out_what_nobody_reads() {
        let file = elf(&[
            (".text", 1, 2, &[1; 100]),
            (".rela.text", 4, 0, &[2; 100]),
            (".rela.dyn", 4, 2, &[3; 100]),
            (".rel.debug_info", 9, 0, &[4; 100]),
            (".debug_frame", 1, 0, &[5; 100]),
            (".debug_str", 1, 0, &[6; 100]),
            (".debug_loc", 1, 0, &[7; 100]),
            (".debug_line", 1, 0, &[8; 100]),
        ]);
        let end = file.len() as u64;
        assert_eq!(needed_of(&file).unwrap(), [0..164, 264..364, 564..664, 764..end]);
    }

    #[test]
    fn without_section_headers_all_is_needed() {
        let mut file = elf(&[(".debug_frame", 1, 0, &[5; 100])]);
        file[40..48].fill(0);
        let needed = needed_of(&file).unwrap();
        assert_eq!((needed.len(), &needed[0]), (1, &(0..file.len() as u64)));
    }

    #[test]
    fn section_names_may_be_anywhere() {
        // Further in front of the headers than is fetched with them.
        let text = noise(200 << 10, 1);
        let mut file = elf(&[
            (".names", 3, 0, b"\0.text\0.debug_frame\0"),
            (".text", 1, 2, &text),
            (".x", 1, 0, &[5; 100]),
        ]);
        let table = u64::from_le_bytes(file[40..48].try_into().unwrap()) as usize;
        file[62..64].copy_from_slice(&1u16.to_le_bytes());
        let name = |index: usize| table + 64 * index;
        file[name(2)..name(2) + 4].copy_from_slice(&1u32.to_le_bytes());
        file[name(3)..name(3) + 4].copy_from_slice(&7u32.to_le_bytes());
        let text_end = 64 + 20 + (200 << 10);
        assert_eq!(needed_of(&file).unwrap(), [0..text_end, text_end + 100..file.len() as u64]);
    }

    #[test]
    fn numbers_too_large_for_the_header_are_in_the_first_section() {
        let mut file = elf(&[(".debug_frame", 1, 0, &[5; 100]), (".text", 1, 2, &[1; 100])]);
        let expected = needed_of(&file).unwrap();
        assert_eq!(expected, [0..64, 164..file.len() as u64]);
        let table = u64::from_le_bytes(file[40..48].try_into().unwrap()) as usize;
        file[60..64].copy_from_slice(b"\0\0\xff\xff");
        file[table + 32] = 4;
        file[table + 40] = 3;
        assert_eq!(needed_of(&file).unwrap(), expected);
    }

    #[test]
    fn narrow_and_big_endian() {
        let mut file = vec![0; 52 + 100 + 20];
        file[..6].copy_from_slice(b"\x7fELF\x01\x02");
        file[152..].copy_from_slice(b"\0.debug_frame\0.text\0");
        file[32..36].copy_from_slice(&172u32.to_be_bytes());
        file[46..52].copy_from_slice(&[0, 40, 0, 4, 0, 3]);
        for [name, kind, flags, offset, size] in
            [[0; 5], [1, 1, 0, 52, 60], [14, 1, 2, 112, 40], [0, 3, 0, 152, 20]]
        {
            for word in [name, kind, flags, 0, offset, size, 0, 0, 0, 0u32] {
                file.extend(word.to_be_bytes());
            }
        }
        assert_eq!(needed_of(&file).unwrap(), [0..52, 112..332]);
    }

    #[test]
    fn damaged_headers_are_errors_at_every_cut_and_change() {
        let file = elf(&[(".text", 1, 2, &[1; 100]), (".debug_frame", 1, 0, &[5; 100])]);
        for length in 0..file.len() {
            assert!(needed_of(&file[..length]).is_err(), "cut at {length}");
        }
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut file = file.clone();
                file[at] = value;
                if let Ok(ranges) = needed_of(&file) {
                    assert!(ranges.iter().all(|range| range.end <= file.len() as u64), "{at}");
                }
            }
        }
    }
}
