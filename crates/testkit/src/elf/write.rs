//! Lays out the file: header, segments, contents in order, symbols, names, section headers.

use super::section::{Link, SHF_ALLOC, SHT_NOBITS, SHT_NOTE, SHT_STRTAB, SHT_SYMTAB};
use super::symbol::Place;
use super::{Elf, FileType, Section, Symbol};
use crate::{Bytes, Endian, Width};

const SHN_ABS: u16 = 0xfff1;

/// A string table. The empty name is at offset 0.
struct Names(Vec<u8>);

impl Names {
    fn new() -> Names {
        Names(vec![0])
    }

    fn add(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let offset = self.0.len();
        self.0.extend(name.as_bytes());
        self.0.push(0);
        offset as u32
    }
}

pub(super) fn write(elf: &Elf) -> Vec<u8> {
    let mut sections = elf.sections.clone();
    let symbol_table = sections.len() as u32 + 1;
    if !elf.symbols.is_empty() {
        sections.extend(symbol_sections(elf, symbol_table));
    }
    // The name of the table that holds the names is itself in it.
    let mut names = Names::new();
    let mut name_offsets: Vec<u32> = sections.iter().map(|section| names.add(&section.name)).collect();
    name_offsets.push(names.add(".shstrtab"));
    sections.push(Section::debug(".shstrtab", names.0).kind(SHT_STRTAB));

    let loaded: Vec<usize> = match elf.segments {
        true => (0..sections.len()).filter(|index| sections[*index].flags & SHF_ALLOC != 0).collect(),
        false => Vec::new(),
    };
    let segment_count = loaded.iter().map(|index| segment_kinds(&sections[*index]).len()).sum::<usize>();

    let (header_size, segment_size, section_size) = match elf.target.width {
        Width::W32 => (52, 32, 40),
        Width::W64 => (64, 56, 64),
    };
    let mut contents = elf.target.bytes();
    contents.zeros(header_size + segment_count * segment_size);
    let mut offsets = Vec::new();
    let mut sizes = Vec::new();
    for section in &sections {
        contents.align(section.align as usize);
        offsets.push(contents.len() as u64);
        let stored = section.stored(elf.target);
        sizes.push(if section.kind == SHT_NOBITS { section.nobits_size } else { stored.len() as u64 });
        contents.raw(&stored);
    }
    contents.align(8);
    let table = contents.len() as u64;

    let mut out = elf.target.bytes();
    file_header(&mut out, elf, table, segment_count as u16, sections.len() as u16 + 1);
    for index in loaded {
        for kind in segment_kinds(&sections[index]) {
            segment(&mut out, *kind, &sections[index], offsets[index]);
        }
    }
    out.raw(&contents.into_vec()[out.len()..]);

    out.zeros(section_size);
    for (index, section) in sections.iter().enumerate() {
        let number = |link: &Link| match link {
            Link::Number(number) => *number,
            Link::SymbolTable => symbol_table,
            Link::Section(name) => section_index(&sections, name).into(),
        };
        out.u32(name_offsets[index]).u32(section.kind).word(section.flags).word(section.address);
        out.word(section.claimed_offset.unwrap_or(offsets[index]));
        out.word(section.claimed_size.unwrap_or(sizes[index]));
        out.u32(number(&section.link)).u32(number(&section.info));
        out.word(section.align).word(section.entry_size);
    }
    out.into_vec()
}

/// Index of the first section of that name; index 0 is the null section.
fn section_index(sections: &[Section], name: &str) -> u16 {
    let found = sections.iter().position(|section| section.name == name);
    let found = found.unwrap_or_else(|| panic!("the image has no section `{name}`"));
    found as u16 + 1
}

fn file_header(out: &mut Bytes, elf: &Elf, table: u64, segment_count: u16, section_count: u16) {
    let class = if out.is_64() { 2 } else { 1 };
    let data = if elf.target.endian == Endian::Little { 1 } else { 2 };
    out.raw(b"\x7fELF").u8(class).u8(data).u8(1).zeros(9);
    out.u16(match elf.file_type {
        FileType::Relocatable => 1,
        FileType::Executable => 2,
        FileType::Dynamic => 3,
    });
    let (header_size, segment_size, section_size) = if out.is_64() { (64, 56, 64) } else { (52, 32, 40) };
    out.u16(elf.machine.0).u32(1);
    out.word(0).word(if segment_count > 0 { header_size.into() } else { 0 });
    out.word(elf.faults.section_table.unwrap_or(table)).u32(0);
    out.u16(header_size).u16(segment_size).u16(segment_count);
    out.u16(section_size).u16(elf.faults.section_count.unwrap_or(section_count));
    out.u16(elf.faults.name_table.unwrap_or(section_count - 1));
}

/// `PT_LOAD`, and `PT_NOTE` for notes.
fn segment_kinds(section: &Section) -> &'static [u32] {
    if section.kind == SHT_NOTE { &[1, 4] } else { &[1] }
}

fn segment(out: &mut Bytes, kind: u32, section: &Section, offset: u64) {
    let flags = 4 | (section.flags as u32 & 1) << 1 | (section.flags as u32 & 4) >> 2;
    let file_size = section.data.len() as u64;
    out.u32(kind);
    if out.is_64() {
        out.u32(flags);
    }
    out.word(offset).word(section.address).word(section.address);
    out.word(file_size).word(section.memory_size());
    if !out.is_64() {
        out.u32(flags);
    }
    // No demand on alignment: addresses and offsets of these small images need not agree.
    out.word(1);
}

/// `.symtab` and `.strtab`.
fn symbol_sections(elf: &Elf, symbol_table: u32) -> [Section; 2] {
    let mut names = Names::new();
    let mut out = elf.target.bytes();
    let size = if out.is_64() { 24 } else { 16 };
    out.zeros(size);
    for symbol in &elf.symbols {
        let name = names.add(&symbol.name);
        write_symbol(&mut out, symbol, symbol.claimed_name.unwrap_or(name), place(&elf.sections, symbol));
    }
    // `sh_info` is one more than the index of the last local symbol.
    let locals = elf.symbols.iter().rposition(|symbol| symbol.bind == 0).map_or(1, |last| last + 2);
    let symbols = Section::debug(".symtab", out.into_vec()).kind(SHT_SYMTAB).align(8);
    let symbols = symbols.entry_size(elf.faults.symbol_size.unwrap_or(size as u64));
    [symbols.link(symbol_table + 1).info(locals as u32), Section::debug(".strtab", names.0).kind(SHT_STRTAB)]
}

fn write_symbol(out: &mut Bytes, symbol: &Symbol, name: u32, section: u16) {
    let info = symbol.bind << 4 | symbol.kind & 0xf;
    out.u32(name);
    if out.is_64() {
        out.u8(info).u8(symbol.visibility).u16(section).u64(symbol.value).u64(symbol.size);
    } else {
        out.word(symbol.value).word(symbol.size).u8(info).u8(symbol.visibility).u16(section);
    }
}

fn place(sections: &[Section], symbol: &Symbol) -> u16 {
    match &symbol.place {
        Place::Number(number) => *number,
        Place::Section(name) => section_index(sections, name),
        Place::Auto => {
            let end = |section: &Section| section.address.saturating_add(section.memory_size());
            let at = |test: &dyn Fn(&Section) -> bool| {
                sections.iter().position(|section| section.flags & SHF_ALLOC != 0 && test(section))
            };
            at(&|section| (section.address..end(section)).contains(&symbol.value))
                .or_else(|| at(&|section| end(section) == symbol.value))
                .map_or(SHN_ABS, |index| index as u16 + 1)
        }
    }
}
