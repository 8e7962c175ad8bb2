//! A kernel image as an ELF file: sections, symbols, and memory by address.
//!
//! In: the bytes of a vmlinux, 32 or 64 bit, little or big endian. Out: borrowed views; nothing is copied
//! but symbol records and decompressed debug sections. Nothing is interpreted here beyond ELF itself and the
//! few strings that every kernel has; what tables of the kernel mean is the business of [`crate::extract`].

pub mod arch;
pub mod boot;
mod compress;
mod elf;
pub mod kallsyms;
mod memory;
mod module;
mod relocation;
mod section;
mod symbol;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use object::Endianness;

pub(crate) use self::elf::build_id;

pub use self::arch::{Machine, SyscallTable};
pub use self::section::Section;
pub use self::symbol::{ByAddress, Symbol, is_function};

use self::elf::Subject;
use self::relocation::Relocations;
use self::symbol::SymbolTable;
use crate::error::{Error, Result};

/// Tells whether a range of file offsets holds the file's own bytes. A file that was decoded in part
/// answers `false` for the rest, and reading there is an error.
pub type Presence<'a> = dyn Fn(Range<u64>) -> bool + Sync + 'a;

/// Name of the string that every kernel has and nothing else has.
const BANNER: &str = "linux_banner";

/// A kernel image.
pub struct Image<'a> {
    file: File<'a>,
    machine: &'static Machine,
    sections: Vec<Section<'a>>,
    /// Allocated sections with bytes in the file: index into `sections`, by address.
    by_address: Vec<u32>,
    symbols: SymbolTable<'a>,
    /// Read on first use: on arm64 these are megabytes that a caller of symbols does not need.
    relocations: OnceLock<Relocations>,
    banner: &'a str,
    subject: Subject,
}

/// The file's bytes, as far as they are there.
#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    present: Option<&'a Presence<'a>>,
    endian: Endianness,
}

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("banner", &self.banner).finish_non_exhaustive()
    }
}

impl<'a> Image<'a> {
    /// Reads headers, sections and symbols of a complete file.
    ///
    /// # Errors
    /// When the bytes are not an ELF file, are cut, are of a machine that has no name here, or are no kernel.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Self::new(bytes, None, Subject::Kernel)
    }

    /// Reads headers, sections and symbols of a kernel module (`.ko`), which is not linked yet: addresses are those of
    /// a layout that has its sections one behind the other, and relocations are applied in all that is read.
    ///
    /// # Errors
    /// When the bytes are no relocatable ELF file, are cut, or have no `.modinfo`.
    pub fn parse_module(bytes: &'a [u8]) -> Result<Self> {
        Self::new(bytes, None, Subject::Module)
    }

    /// Reads headers and sections of a file with debug information, as a compiler leaves beside an object.
    ///
    /// # Errors
    /// When the bytes are not an ELF file, are cut, or are of a machine that has no name here.
    pub fn parse_debug(bytes: &'a [u8]) -> Result<Self> {
        Self::new(bytes, None, Subject::Debug)
    }

    /// As [`Image::parse`], for a file of which only some ranges were decoded.
    /// The ELF header, the section headers, their names, the symbols and `.rodata` must be present.
    ///
    /// # Errors
    /// As [`Image::parse`]; reading what is not present is an error here and later, never zeros.
    pub fn parse_sparse(bytes: &'a [u8], present: &'a Presence<'a>) -> Result<Self> {
        Self::new(bytes, Some(present), Subject::Kernel)
    }

    /// An image whose parts were found otherwise.
    fn assemble(
        file: File<'a>,
        machine: &'static Machine,
        sections: Vec<Section<'a>>,
        symbols: SymbolTable<'a>,
        relocations: OnceLock<Relocations>,
        banner: &'a str,
    ) -> Self {
        let by_address = mapped(&sections);
        let subject = Subject::Kernel;
        Self { file, machine, sections, by_address, symbols, relocations, banner, subject }
    }

    fn new(bytes: &'a [u8], present: Option<&'a Presence<'a>>, subject: Subject) -> Result<Self> {
        let elf::Tables { file, machine, sections, symbols } = elf::read(bytes, present, subject)?;
        let by_address = mapped(&sections);
        let mut image = Self {
            file,
            machine,
            sections,
            by_address,
            symbols: SymbolTable::new(symbols),
            relocations: OnceLock::new(),
            banner: "",
            subject,
        };
        match subject {
            Subject::Kernel => image.banner = image.read_banner()?,
            Subject::Module => image.check_module()?,
            Subject::Debug => {}
        }
        Ok(image)
    }

    fn read_banner(&self) -> Result<&'a str> {
        if self.symbols().is_empty() {
            // Sections that the linker script of every architecture makes, and that no tool strips.
            let is_kernel = ["__param", "__ksymtab_strings"].iter().any(|name| self.section(name).is_some());
            return Err(if is_kernel {
                let missing = "the kernel is stripped, it has no symbol table (`.symtab`)";
                Error::NoDebugInfo { missing, suggestion: None }
            } else {
                Error::NotKernel { why: "the file has no symbol table (`.symtab`)".into() }
            });
        }
        let address = self
            .address_of(BANNER)
            .ok_or_else(|| Error::NotKernel { why: format!("there is no symbol `{BANNER}`") })?;
        let text = self.c_string_at(address).map_err(|error| error.at(format!("symbol `{BANNER}`")))?;
        match std::str::from_utf8(text) {
            Ok(text) if text.starts_with("Linux version ") => Ok(text.trim_end()),
            _ => Err(Error::NotKernel { why: format!("`{BANNER}` does not start with `Linux version `") }),
        }
    }

    /// What is particular to the image's architecture.
    #[must_use]
    pub fn machine(&self) -> &'static Machine {
        self.machine
    }

    /// Bytes of a pointer: 4 or 8.
    #[must_use]
    pub fn address_size(&self) -> u8 {
        self.machine.address_size
    }

    /// Byte order of the image.
    #[must_use]
    pub fn endian(&self) -> Endianness {
        self.file.endian
    }

    /// Whether the image is big-endian.
    #[must_use]
    pub fn is_big_endian(&self) -> bool {
        self.file.endian == Endianness::Big
    }

    /// All sections, in the order of the section headers; the first (index 0) is the null section.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The first section of a name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name.as_bytes())
    }

    /// The section at an index of the section headers, as symbols give it.
    #[must_use]
    pub fn section_at(&self, index: u32) -> Option<&Section<'a>> {
        self.sections.get(index as usize)
    }

    /// The contents of the section of a name, decompressed where it is compressed; `.debug_*` is also
    /// found under the legacy name `.zdebug_*`. `None` where there is no such section or it has no bytes in the file.
    ///
    /// # Errors
    /// When the bytes are not present, the compression is broken, or the size it promises is not credible.
    pub fn section_data(&self, name: &str) -> Result<Option<Cow<'a, [u8]>>> {
        let section = self.section(name).or_else(|| {
            let legacy = format!(".zdebug_{}", name.strip_prefix(".debug_")?);
            self.section(&legacy)
        });
        match section {
            Some(section) if section.has_bytes() => self
                .file
                .decompressed(section, self.machine)
                .and_then(|bytes| self.linked(section, bytes))
                .map(Some)
                .map_err(|error| error.at(format!("section `{}`", section.display_name()))),
            _ => Ok(None),
        }
    }

    /// The kernel's banner, empty for a module, without its newline: `Linux version 6.1.0-50-cloud-amd64 (...) #1 SMP ...`.
    #[must_use]
    pub fn banner(&self) -> &'a str {
        self.banner
    }

    /// First string of `.comment` that is of a compiler: `GCC: (Debian 12.2.0-14+deb12u1) 12.2.0`. LLD puts itself in front.
    /// `None` where there is none or it was not decoded.
    #[must_use]
    pub fn comment(&self) -> Option<&'a str> {
        let bytes = self.file.section_bytes(self.section(".comment")?).ok()?;
        bytes
            .split(|&byte| byte == 0)
            .find(|part| !part.is_empty() && !part.starts_with(b"Linker: "))
            .and_then(|first| std::str::from_utf8(first).ok())
    }

    /// GNU build id, from the note `NT_GNU_BUILD_ID`. `None` where the image has none.
    #[must_use]
    pub fn build_id(&self) -> Option<&'a [u8]> {
        self.sections.iter().filter(|section| section.is_note()).find_map(|section| {
            let notes = self.file.section_bytes(section).ok()?;
            build_id(notes, self.file.endian)
        })
    }

    /// Lowest address of the image's executable sections; `None` where no section is executable.
    #[must_use]
    pub fn text_start(&self) -> Option<u64> {
        self.sections
            .iter()
            .filter(|section| section.is_mapped() && section.is_executable() && section.address != 0)
            .map(|section| section.address)
            .min()
    }
}

/// Indices of the allocated sections with bytes in the file, by address.
fn mapped(sections: &[Section<'_>]) -> Vec<u32> {
    let mut by_address: Vec<u32> =
        (0u32..).zip(sections).filter(|(_, section)| section.is_mapped()).map(|(index, _)| index).collect();
    by_address.sort_by_key(|&index| sections[index as usize].address);
    by_address
}

#[cfg(test)]
mod tests;
