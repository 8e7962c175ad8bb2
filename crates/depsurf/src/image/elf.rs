//! From the two widths of ELF to one set of tables, with every size checked before it is trusted.

use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::read::{SectionIndex, SymbolIndex};

use super::arch::{self, Machine};
use super::section::Section;
use super::symbol::Symbol;
use super::{File, Presence, module};
use crate::error::{Error, Result};

/// What the headers and `.symtab` say.
pub(super) struct Tables<'a> {
    pub file: File<'a>,
    pub machine: &'static Machine,
    pub sections: Vec<Section<'a>>,
    pub symbols: Vec<Symbol<'a>>,
}

const MAGIC: &[u8; 4] = b"\x7fELF";

/// What an ELF file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A linked kernel: sections have their addresses.
    Kernel,
    /// An object file that the kernel will link: sections get addresses here, see [`super::module`].
    Module,
    /// Debug information alone, of whatever kind the file is.
    Debug,
}

/// Reads the tables of an ELF file of either width.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    present: Option<&'a Presence<'a>>,
    subject: Subject,
) -> Result<Tables<'a>> {
    if !bytes.starts_with(MAGIC) {
        let whole = bytes.len() >= MAGIC.len() || bytes.is_empty() || !MAGIC.starts_with(bytes);
        return Err(if whole {
            Error::UnknownFormat { found: describe(bytes) }
        } else {
            truncated("ELF header", MAGIC.len() as u64, bytes)
        });
    }
    match bytes.get(4).copied().map(elf::FileClass) {
        None => Err(truncated("ELF header", 5, bytes)),
        Some(elf::ELFCLASS32) => read_as::<FileHeader32<Endianness>>(bytes, present, subject),
        Some(elf::ELFCLASS64) => read_as::<FileHeader64<Endianness>>(bytes, present, subject),
        Some(class) => {
            Err(Error::malformed("ELF", "offset 0x4", format!("class {} is neither 32 nor 64 bit", class.0)))
        }
    }
}

fn describe(bytes: &[u8]) -> String {
    match bytes {
        [] => "the file is empty".into(),
        // The boot protocol's header of an x86 bzImage.
        _ if bytes.get(0x202..0x206) == Some(b"HdrS") => {
            "a compressed boot image (bzImage), without symbols and debug information".into()
        }
        _ => {
            let start: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("not an ELF file, it starts with {}", start.join(" "))
        }
    }
}

fn truncated(what: &str, needed: u64, bytes: &[u8]) -> Error {
    Error::Truncated { what: what.into(), needed, available: bytes.len() as u64 }
}

fn read_as<'a, Elf: FileHeader<Endian = Endianness>>(
    bytes: &'a [u8],
    present: Option<&'a Presence<'a>>,
    subject: Subject,
) -> Result<Tables<'a>> {
    if bytes.len() < size_of::<Elf>() {
        return Err(truncated("ELF header", size_of::<Elf>() as u64, bytes));
    }
    let malformed = |at: &str| {
        let at = at.to_owned();
        move |error: object::read::Error| Error::malformed("ELF", at, error.to_string())
    };
    let header = Elf::parse(bytes).map_err(malformed("the ELF header"))?;
    let endian = header.endian().map_err(malformed("the ELF header"))?;
    let file = File { bytes, present, endian };
    let machine = arch::find(header.e_machine(endian), header.is_type_64(), endian)?;
    let relocatable = header.e_type(endian) == elf::ET_REL;
    match (subject, relocatable) {
        (Subject::Kernel, true) => {
            let why = "it is an object file that was not linked (a module?)";
            return Err(Error::NotKernel { why: why.into() });
        }
        (Subject::Module, false) => {
            return Err(Error::malformed("module", "the ELF header", "not a relocatable object file"));
        }
        _ => {}
    }
    let table: u64 = header.e_shoff(endian).into();
    if table == 0 {
        return Err(Error::NotKernel { why: "it has no section headers".into() });
    }
    // The headers come before their number: a file that ends in them is cut, whatever the number says.
    let entry = size_of::<Elf::SectionHeader>() as u64;
    file.slice(table, entry, || "section headers".into())?;
    let count = u64::from(header.shnum(endian, bytes).map_err(malformed("the ELF header"))?);
    file.slice(table, count.saturating_mul(entry), || "section headers".into())?;
    let headers = header.section_headers(endian, bytes).map_err(malformed("the section headers"))?;
    for (index, section) in headers.iter().enumerate() {
        check_extent(&file, index, section, endian)?;
    }
    let table = header.sections(endian, bytes).map_err(malformed("the section headers"))?;

    let mut sections = Vec::with_capacity(headers.len());
    let mut names = NameBudget::new(bytes.len());
    let mut layout = module::Layout::new();
    for (index, section) in headers.iter().enumerate() {
        let name = table
            .section_name(endian, section)
            .map_err(|error| Error::malformed("ELF", format!("section {index}"), error.to_string()))?;
        names.take(name)?;
        let alignment = section.sh_addralign(endian).into();
        let mut section = Section {
            name,
            address: section.sh_addr(endian).into(),
            offset: section.sh_offset(endian).into(),
            size: section.sh_size(endian).into(),
            kind: section.sh_type(endian).0,
            flags: section.sh_flags(endian).0,
            link: section.sh_link(endian),
            info: section.sh_info(endian),
        };
        if relocatable {
            section.address = if section.is_allocated() { layout.place(section.size, alignment) } else { 0 };
        }
        if section.is_allocated() && section.address.checked_add(section.size).is_none() {
            let what = "it reaches behind the end of the address space";
            return Err(Error::malformed("ELF", format!("section `{}`", section.display_name()), what));
        }
        sections.push(section);
    }

    let symtab = table.symbols(endian, bytes, elf::SHT_SYMTAB).map_err(malformed("section `.symtab`"))?;
    for index in [symtab.section(), symtab.string_section()] {
        if let Some(section) = (index != SectionIndex(0)).then(|| sections.get(index.0)).flatten() {
            file.section_bytes(section)?;
        }
    }
    let strings = sections.get(symtab.string_section().0).map_or(0, |section| section.size);
    let mut names = NameBudget::new(strings as usize);
    let mut symbols = Vec::with_capacity(symtab.len());
    for (index, symbol) in symtab.symbols().iter().enumerate() {
        let at = |error: object::read::Error| {
            Error::malformed("ELF", format!("symbol {index}"), error.to_string())
        };
        let section = symtab.symbol_section(endian, symbol, SymbolIndex(index)).map_err(at)?;
        let shndx = symbol.st_shndx(endian);
        let name =
            if symbol.st_name(endian) == 0 { b"" } else { symtab.symbol_name(endian, symbol).map_err(at)? };
        names.take(name)?;
        let section = section.map_or(0, |section| section.0 as u32);
        let value: u64 = symbol.st_value(endian).into();
        // The value in an object file counts from the start of the section.
        let base =
            if relocatable { sections.get(section as usize).map_or(0, |found| found.address) } else { 0 };
        symbols.push(Symbol {
            name,
            address: base.wrapping_add(value),
            size: symbol.st_size(endian).into(),
            section,
            special: if section != 0 { 0 } else { shndx.0 },
            info: symbol.st_info().0,
            other: symbol.st_other().0,
        });
    }
    Ok(Tables { file, machine, sections, symbols })
}

/// Bytes that the names of a table may have together. Linkers let names share their ends, so that they are longer than
/// the table of strings, by up to a third in a real kernel; a damaged file could share it with every symbol.
struct NameBudget {
    left: usize,
}

impl NameBudget {
    fn new(strings: usize) -> Self {
        Self { left: strings.saturating_mul(4).saturating_add(1 << 16) }
    }

    fn take(&mut self, name: &[u8]) -> Result<()> {
        match self.left.checked_sub(name.len()) {
            Some(left) => self.left = left,
            None => return Err(Error::malformed("ELF", "names", "they overlap beyond reason")),
        }
        Ok(())
    }
}

/// Refuses a section that reaches behind the end of the file.
fn check_extent<S: SectionHeader<Endian = Endianness>>(
    file: &File<'_>,
    index: usize,
    section: &S,
    endian: Endianness,
) -> Result<()> {
    let Some((offset, size)) = section.file_range(endian) else { return Ok(()) };
    let end = offset.saturating_add(size);
    if end > file.bytes.len() as u64 {
        return Err(truncated(&format!("section {index}"), end, file.bytes));
    }
    Ok(())
}

/// The build id in a section of ELF notes.
pub fn build_id(mut notes: &[u8], endian: Endianness) -> Option<&[u8]> {
    use object::endian::Endian as _;
    let padded = |size: u32| (size as usize).checked_next_multiple_of(4);
    loop {
        let word = |at: usize| {
            let bytes = notes.get(at..at + 4)?.try_into().ok()?;
            Some(endian.read_u32(bytes))
        };
        let (name_size, desc_size, kind) = (word(0)?, word(4)?, word(8)?);
        let desc_at = padded(name_size)?.checked_add(12)?;
        let desc_end = desc_at.checked_add(desc_size as usize)?;
        let desc = notes.get(desc_at..desc_end)?;
        if kind == elf::NT_GNU_BUILD_ID.0 && notes.get(12..16) == Some(b"GNU\0") && name_size == 4 {
            return Some(desc);
        }
        notes = notes.get(desc_at.checked_add(padded(desc_size)?)?..)?;
    }
}
