//! The ELF file around a program: sections, symbols and relocations of a 64-bit relocatable file for machine 247,
//! in either byte order, with every size checked before it is trusted.

use std::collections::HashMap;

use object::Endianness;
use object::elf::{
    EM_BPF, ET_REL, FileHeader64, SHF_EXECINSTR, SHN_LORESERVE, SHN_UNDEF, SHT_NOBITS, SHT_NULL, SHT_REL,
    SHT_RELA, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_NOTYPE, STT_SECTION, STV_HIDDEN, STV_INTERNAL,
    SectionHeader64,
};
use object::read::elf::{FileHeader, Rel, SectionHeader, Sym};

use crate::error::{Error, Result};

/// Sections that a file may have: libbpf's largest tests have some hundred.
const MAX_SECTIONS: usize = 1 << 16;

/// A section of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name as written, `?` included.
    pub name: &'a str,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`; for `.bss` the size in memory.
    pub size: u64,
    /// `sh_info`: for relocations the section that they change.
    info: u32,
    /// Its bytes; empty where the file holds none (`.bss`).
    pub bytes: &'a [u8],
}

impl Section<'_> {
    /// Whether it holds instructions.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.flags & SHF_EXECINSTR.0 != 0
    }

    /// Whether the file holds no bytes for it (`.bss`).
    #[must_use]
    pub fn is_nobits(&self) -> bool {
        self.kind == SHT_NOBITS.0
    }
}

/// A symbol of `.symtab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbol<'a> {
    pub name: &'a str,
    /// Offset in its section.
    pub value: u64,
    pub size: u64,
    /// Index of its section; `None` where it is undefined, absolute or common.
    pub section: Option<u32>,
    undefined: bool,
    info: u8,
    visibility: u8,
}

impl Symbol<'_> {
    pub fn is_function(&self) -> bool {
        self.info & 0xf == STT_FUNC.0
    }

    pub fn is_section(&self) -> bool {
        self.info & 0xf == STT_SECTION.0
    }

    pub fn is_local(&self) -> bool {
        self.info >> 4 == STB_LOCAL.0
    }

    pub fn is_weak(&self) -> bool {
        self.info >> 4 == STB_WEAK.0
    }

    pub fn is_hidden(&self) -> bool {
        [STV_HIDDEN.0, STV_INTERNAL.0].contains(&self.visibility)
    }

    /// Whether somebody else is to provide it: libbpf's rule for an extern.
    pub fn is_extern(&self) -> bool {
        self.undefined
            && self.info & 0xf == STT_NOTYPE.0
            && [STB_GLOBAL.0, STB_WEAK.0].contains(&(self.info >> 4))
    }
}

/// One relocation: what the place at `offset` of its section refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relocation {
    pub offset: u64,
    /// Index in `.symtab`.
    pub symbol: u32,
}

/// The tables of the file.
#[derive(Debug)]
pub(super) struct Elf<'a> {
    pub endian: Endianness,
    pub sections: Vec<Section<'a>>,
    pub symbols: Vec<Symbol<'a>>,
    /// For each section the relocations of its bytes, by offset.
    relocations: Vec<Vec<Relocation>>,
    by_name: HashMap<&'a str, u32>,
    /// Relocations in a form that nobody reads, by section.
    pub unread: Vec<u32>,
}

pub(super) type Header = FileHeader64<Endianness>;

/// Whether a header is that of a relocatable eBPF file, as compilers write it.
pub(super) fn is_object(header: &Header, endian: Endianness) -> bool {
    header.e_machine(endian) == EM_BPF && header.e_type(endian) == ET_REL
}

fn malformed(at: impl Into<String>, what: impl Into<String>) -> Error {
    Error::malformed("eBPF object", at, what)
}

/// The section headers with the byte order of a file that starts with `bytes`.
pub(super) fn headers(bytes: &[u8]) -> Result<(Endianness, &Header, &[SectionHeader64<Endianness>])> {
    if bytes.len() < size_of::<Header>() {
        let needed = size_of::<Header>() as u64;
        return Err(Error::Truncated { what: "ELF header".into(), needed, available: bytes.len() as u64 });
    }
    let in_header = |error: object::read::Error| malformed("the ELF header", error.to_string());
    let header = Header::parse(bytes).map_err(in_header)?;
    let endian = header.endian().map_err(in_header)?;
    if !is_object(header, endian) {
        let (machine, kind) = (header.e_machine(endian).0, header.e_type(endian).0);
        let what =
            format!("machine {machine} and type {kind}, an eBPF object has {} and {}", EM_BPF.0, ET_REL.0);
        return Err(malformed("the ELF header", what));
    }
    let table = header.e_shoff(endian);
    let count = header.shnum(endian, bytes).map_err(in_header)? as usize;
    if count > MAX_SECTIONS {
        let what = format!("{count} sections of an eBPF object");
        return Err(Error::Limit { what, limit: format!("{MAX_SECTIONS} sections") });
    }
    let end = table.saturating_add(count as u64 * size_of::<SectionHeader64<Endianness>>() as u64);
    if end > bytes.len() as u64 {
        let what = "section headers".into();
        return Err(Error::Truncated { what, needed: end, available: bytes.len() as u64 });
    }
    let sections = header.section_headers(endian, bytes).map_err(in_header)?;
    Ok((endian, header, sections))
}

/// Bytes of the object with these headers; `None` for one without sections.
pub(super) fn extent(
    endian: Endianness,
    header: &Header,
    sections: &[SectionHeader64<Endianness>],
) -> Option<usize> {
    if sections.is_empty() {
        return None;
    }
    let mut end = table_end(header, endian, sections.len())?;
    for section in sections {
        if let Some((offset, size)) = section.file_range(endian) {
            end = end.max(offset.checked_add(size)?);
        }
    }
    usize::try_from(end).ok()
}

/// Where the section headers end.
fn table_end(header: &Header, endian: Endianness, count: usize) -> Option<u64> {
    let size = count as u64 * u64::from(header.e_shentsize(endian));
    header.e_shoff(endian).checked_add(size)
}

impl<'a> Elf<'a> {
    /// Reads the tables.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (endian, header, headers) = headers(bytes)?;
        // What is behind its end is not the object's, and must not make room for more work.
        let end = extent(endian, header, headers).filter(|end| *end <= bytes.len());
        let bytes = &bytes[..end.unwrap_or(bytes.len())];
        let in_headers = |error: object::read::Error| malformed("the section headers", error.to_string());
        let table = header.sections(endian, bytes).map_err(in_headers)?;
        // No compiler lets sections overlap. Where they do, a small file asks for much work: every section of
        // relocations could be the whole file.
        let mut left = bytes.len() as u64;
        let mut names = NameBudget::new(bytes.len());
        let mut sections = Vec::with_capacity(headers.len());
        let mut by_name = HashMap::with_capacity(headers.len());
        for (index, section) in headers.iter().enumerate() {
            let place = || format!("section {index}");
            let name =
                table.section_name(endian, section).map_err(|error| malformed(place(), error.to_string()))?;
            let name = names.text(name).map_err(|what| malformed(place(), what))?;
            let kind = section.sh_type(endian);
            let (offset, size) = (section.sh_offset(endian), section.sh_size(endian));
            let contents = if kind == SHT_NOBITS || kind == SHT_NULL {
                &[]
            } else {
                let range =
                    usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(size)).ok());
                let contents = range.and_then(|(start, end)| bytes.get(start..end));
                let Some(contents) = contents else {
                    let what = format!("section {index} `{name}`");
                    let (needed, available) = (offset.saturating_add(size), bytes.len() as u64);
                    return Err(Error::Truncated { what, needed, available });
                };
                left = left.checked_sub(size).ok_or_else(|| {
                    malformed(
                        format!("section {index} `{name}`"),
                        "sections overlap: they are larger than the file",
                    )
                })?;
                contents
            };
            by_name.entry(name).or_insert(index as u32);
            let info = section.sh_info(endian);
            let (kind, flags) = (kind.0, section.sh_flags(endian).0);
            sections.push(Section { name, kind, flags, offset, size, info, bytes: contents });
        }

        let symbol_table = table.symbols(endian, bytes, object::elf::SHT_SYMTAB);
        let symbol_table = symbol_table.map_err(|error| malformed("`.symtab`", error.to_string()))?;
        let mut names = NameBudget::new(bytes.len());
        let mut symbols = Vec::with_capacity(symbol_table.len());
        for (index, symbol) in symbol_table.enumerate() {
            let place = || format!("`.symtab`, symbol {}", index.0);
            let name = symbol.name(endian, symbol_table.strings());
            let name = name.map_err(|error| malformed(place(), error.to_string()))?;
            let name = names.text(name).map_err(|what| malformed(place(), what))?;
            let number = symbol.st_shndx(endian);
            let section = match symbol_table.symbol_section(endian, symbol, index) {
                Ok(section) => section.map(|section| section.0 as u32),
                Err(error) => return Err(malformed(place(), error.to_string())),
            };
            if section.is_some_and(|section| section as usize >= sections.len()) {
                return Err(malformed(place(), format!("in section {number:?} of {}", sections.len())));
            }
            let section = section.filter(|_| number.0 < SHN_LORESERVE || number == object::elf::SHN_XINDEX);
            symbols.push(Symbol {
                name,
                value: symbol.st_value(endian),
                size: symbol.st_size(endian),
                section,
                undefined: number == SHN_UNDEF,
                info: symbol.st_info().0,
                visibility: symbol.st_visibility().0,
            });
        }

        let mut relocations = vec![Vec::new(); sections.len()];
        let mut unread = Vec::new();
        for (index, header) in headers.iter().enumerate() {
            if header.sh_type(endian) == SHT_RELA {
                unread.push(index as u32);
            }
            if header.sh_type(endian) != SHT_REL {
                continue;
            }
            let place = || format!("section {index} `{}`", sections[index].name);
            let entries = header.rel(endian, bytes).map_err(|error| malformed(place(), error.to_string()))?;
            let Some((entries, _)) = entries else { continue };
            let target = sections[index].info as usize;
            let Some(list) = relocations.get_mut(target) else {
                return Err(malformed(place(), format!("it changes section {target} of {}", sections.len())));
            };
            list.reserve(entries.len());
            for (number, entry) in entries.iter().enumerate() {
                let symbol = entry.r_sym(endian);
                if symbol as usize >= symbols.len() {
                    let place = format!("{}, entry {number}", place());
                    return Err(malformed(place, format!("symbol {symbol} of {}", symbols.len())));
                }
                list.push(Relocation { offset: entry.r_offset(endian), symbol });
            }
        }
        for list in &mut relocations {
            list.sort_by_key(|entry| entry.offset);
        }
        Ok(Self { endian, sections, symbols, relocations, by_name, unread })
    }

    pub fn is_big(&self) -> bool {
        self.endian == Endianness::Big
    }

    /// Index of the first section of a name.
    pub fn section_named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub fn section(&self, index: u32) -> Option<&Section<'a>> {
        self.sections.get(index as usize)
    }

    /// The relocations of a section's bytes, by offset.
    pub fn relocations(&self, section: u32) -> &[Relocation] {
        self.relocations.get(section as usize).map_or(&[], Vec::as_slice)
    }

    pub fn symbol(&self, index: u32) -> Option<&Symbol<'a>> {
        self.symbols.get(index as usize)
    }
}

/// How many bytes names may have together. Names may share a tail; a damaged file could share one long name with
/// every symbol.
struct NameBudget {
    left: usize,
}

impl NameBudget {
    fn new(strings: usize) -> Self {
        Self { left: strings.saturating_mul(4).saturating_add(1 << 16) }
    }

    fn text<'a>(&mut self, name: &'a [u8]) -> Result<&'a str, &'static str> {
        self.left = self.left.checked_sub(name.len()).ok_or("names overlap beyond reason")?;
        std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")
    }
}
