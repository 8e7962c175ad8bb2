//! `.BTF.ext`: which type a function has, which source line an instruction comes from, and what is to be relocated.
//!
//! ```text
//! 0   u16 magic 0xeb9f   u8 version   u8 flags   u32 hdr_len
//! 8   u32 func_info_off   u32 func_info_len   u32 line_info_off   u32 line_info_len   offsets count from hdr_len
//! 24  u32 core_relo_off   u32 core_relo_len                                          only where hdr_len says so
//! ```
//!
//! Each of the three starts with the size of a record. Then, for every ELF section: `u32` offset of its name in the
//! strings of `.BTF`, `u32` number of records, the records. A record starts with the offset of an instruction in its
//! section, in bytes. Records may be longer than what is known of them; the rest is stepped over.

use super::core::Relocation;
use super::elf::Elf;
use crate::error::{Error, Result};
use crate::note::Notes;
use crate::surface::TypeId;

const HEADER: usize = 24;

/// The type of the function that starts at an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FuncInfo {
    pub section: u32,
    pub offset: u32,
    pub type_id: TypeId,
}

/// Where the instructions from an offset on come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineInfo {
    pub section: u32,
    pub offset: u32,
    pub file: u32,
    pub text: u32,
    /// Line in the upper 22 bits, column in the lower ten.
    pub line_column: u32,
}

/// A line of a program's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// File, as the compiler was called; empty where it is not recorded.
    pub file: &'a str,
    /// Line, from 1; 0 where it is not recorded.
    pub line: u32,
    /// Column, from 1; 0 where it is not recorded.
    pub column: u32,
    /// The line itself; empty where it is not recorded.
    pub text: &'a str,
}

/// The three tables, each sorted by section and offset.
#[derive(Debug, Default)]
pub(super) struct Ext {
    pub functions: Vec<FuncInfo>,
    pub lines: Vec<LineInfo>,
    pub relocations: Vec<Relocation>,
}

/// A table of the section.
struct Table<'a> {
    name: &'static str,
    bytes: &'a [u8],
    /// Where it starts in `.BTF.ext`.
    at: usize,
    /// Smallest size of a record.
    least: usize,
}

impl Ext {
    /// Reads the section. `strings` are those of `.BTF`.
    pub fn parse(bytes: &[u8], strings: &[u8], elf: &Elf<'_>, notes: &mut Notes) -> Result<Self> {
        let reader = Reader { bytes, big: elf.is_big() };
        let magic = if reader.big { [0xeb, 0x9f] } else { [0x9f, 0xeb] };
        if bytes.len() < HEADER {
            return Err(cut("the header", HEADER, bytes));
        }
        if bytes[..2] != magic {
            let what = format!(
                "magic bytes {:02x} {:02x} where {:02x} {:02x} is expected",
                bytes[0], bytes[1], magic[0], magic[1]
            );
            return Err(malformed(0, what));
        }
        if bytes[2] != 1 {
            return Err(malformed(2, format!("version {} where only 1 is known", bytes[2])));
        }
        let header = reader.word(4) as usize;
        if header < HEADER {
            return Err(malformed(4, format!("header length {header}, at least {HEADER} is needed")));
        }
        if header > bytes.len() {
            return Err(cut("the header", header, bytes));
        }
        let table = |name, field: usize, least| {
            if field + 8 > header {
                return Ok(Table { name, bytes: &[], at: header, least });
            }
            let start = header as u64 + u64::from(reader.word(field));
            let end = start + u64::from(reader.word(field + 4));
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            let found = range.and_then(|(start, end)| bytes.get(start..end));
            let found = found.ok_or_else(|| cut(name, end as usize, bytes))?;
            Ok(Table { name, bytes: found, at: start as usize, least })
        };
        let sections = Sections { elf, strings };
        let mut ext = Self::default();
        each(&reader, &table("func_info", 8, 8)?, &sections, notes, |section, record| {
            let type_id = TypeId(record.word(4));
            ext.functions.push(FuncInfo { section, offset: record.word(0), type_id });
        })?;
        each(&reader, &table("line_info", 16, 16)?, &sections, notes, |section, record| {
            let [offset, file, text, line_column] = [0, 4, 8, 12].map(|at| record.word(at));
            ext.lines.push(LineInfo { section, offset, file, text, line_column });
        })?;
        each(&reader, &table("core_relo", 24, 16)?, &sections, notes, |section, record| {
            let [offset, type_id, access, kind] = [0, 4, 8, 12].map(|at| record.word(at));
            ext.relocations.push(Relocation {
                section,
                offset,
                kind: kind.into(),
                type_id: TypeId(type_id),
                access,
            });
        })?;
        ext.functions.sort_by_key(|info| (info.section, info.offset));
        ext.lines.sort_by_key(|info| (info.section, info.offset));
        ext.relocations.sort_by_key(|info| (info.section, info.offset));
        Ok(ext)
    }

    /// The type of the function that starts at an offset of a section.
    pub fn function_at(&self, section: u32, offset: u64) -> Option<TypeId> {
        let key = (section, u32::try_from(offset).ok()?);
        let at = self.functions.partition_point(|info| (info.section, info.offset) < key);
        self.functions.get(at).filter(|info| (info.section, info.offset) == key).map(|info| info.type_id)
    }

    /// Number of the first line behind an offset of a section.
    pub fn line_behind(&self, section: u32, offset: u64) -> usize {
        self.lines.partition_point(|info| (info.section, u64::from(info.offset)) <= (section, offset))
    }

    /// Number of the first relocation at or behind an offset of a section.
    pub fn relocation_from(&self, section: u32, offset: u64) -> usize {
        self.relocations.partition_point(|info| (info.section, u64::from(info.offset)) < (section, offset))
    }
}

/// What names sections.
struct Sections<'a> {
    elf: &'a Elf<'a>,
    strings: &'a [u8],
}

/// Calls `take` with every record of a table and the section it is about.
fn each<'a>(
    reader: &Reader<'a>,
    table: &Table<'a>,
    sections: &Sections<'_>,
    notes: &mut Notes,
    mut take: impl FnMut(u32, Reader<'a>),
) -> Result<()> {
    if table.bytes.is_empty() {
        return Ok(());
    }
    let inside = Reader { bytes: table.bytes, big: reader.big };
    let short = |needed: usize| cut(table.name, table.at + needed, reader.bytes);
    if table.bytes.len() < 4 {
        return Err(short(4));
    }
    let size = inside.word(0) as usize;
    if size < table.least || !size.is_multiple_of(4) {
        let what =
            format!("`{}` has records of {size} bytes, at least {} are needed", table.name, table.least);
        return Err(malformed(table.at, what));
    }
    let mut at = 4;
    while at < table.bytes.len() {
        if table.bytes.len() - at < 8 {
            return Err(short(at + 8));
        }
        let (name, count) = (inside.word(at), inside.word(at + 4) as usize);
        let start = at + 8;
        let records =
            count.checked_mul(size).and_then(|length| table.bytes.get(start..start.checked_add(length)?));
        let records = records.ok_or_else(|| short(start.saturating_add(count.saturating_mul(size))))?;
        let name = text(sections.strings, name);
        match sections.elf.section_named(name) {
            Some(section) => {
                for record in records.chunks_exact(size) {
                    take(section, Reader { bytes: record, big: reader.big });
                }
            }
            None => notes.lost(
                "bpf-ext-section",
                || "`.BTF.ext` tells about a section that the object does not have".into(),
                || format!("`{}`: section `{name}`", table.name),
            ),
        }
        at = start + records.len();
    }
    Ok(())
}

/// Numbers in the object's byte order.
struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Reader<'_> {
    /// The word at an offset; 0 behind the end. Callers have checked the bounds.
    fn word(&self, at: usize) -> u32 {
        super::word(self.bytes, at, self.big).unwrap_or_default()
    }
}

/// Longest string that is looked at, in bytes: lines may be long, and strings of hostile files may all end at the
/// same far place.
const MAX_TEXT: usize = 1 << 14;

/// The string at an offset of BTF's string section; empty where there is none.
pub(super) fn text(strings: &[u8], at: u32) -> &str {
    let rest = strings.get(at as usize..).unwrap_or_default();
    let rest = &rest[..rest.len().min(MAX_TEXT)];
    let text = memchr::memchr(0, rest).map_or(rest, |end| &rest[..end]);
    match std::str::from_utf8(text) {
        Ok(text) => text,
        // A line of source in another encoding is cut where that shows.
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    }
}

fn malformed(at: usize, what: String) -> Error {
    Error::malformed("eBPF object", format!("`.BTF.ext` offset {at:#x}"), what)
}

fn cut(what: &str, needed: usize, bytes: &[u8]) -> Error {
    Error::Truncated {
        what: format!("`.BTF.ext`: {what}"),
        needed: needed as u64,
        available: bytes.len() as u64,
    }
}
