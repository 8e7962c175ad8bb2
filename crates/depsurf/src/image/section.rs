//! A section header, in the same form for both widths.

use std::borrow::Cow;
use std::ops::Range;

use object::elf::{SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHT_NOBITS, SHT_NOTE, SHT_NULL};

/// A section of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name.
    pub name: &'a [u8],
    /// `sh_addr`; 0 for sections that are not loaded, and for x86's per-CPU data.
    pub address: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`; of a compressed section the size in the file.
    pub size: u64,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_link`: for a table of relocations the section of their symbols.
    pub link: u32,
    /// `sh_info`: for a table of relocations the section it patches.
    pub info: u32,
}

impl<'a> Section<'a> {
    /// Name, readable.
    #[must_use]
    pub fn display_name(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.name)
    }

    /// Whether the file holds bytes for it (`.bss` has none).
    #[must_use]
    pub fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS.0 && self.kind != SHT_NULL.0
    }

    /// Whether it is part of the kernel's memory.
    #[must_use]
    pub fn is_allocated(&self) -> bool {
        self.flags & SHF_ALLOC.0 != 0
    }

    /// Whether it is part of the kernel's memory and has bytes in the file.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.is_allocated() && self.has_bytes() && self.size != 0
    }

    /// Whether it holds code.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.flags & SHF_EXECINSTR.0 != 0
    }

    /// Whether its bytes are compressed, by its flags.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.flags & SHF_COMPRESSED.0 != 0
    }

    pub(super) fn is_note(&self) -> bool {
        self.kind == SHT_NOTE.0
    }

    /// Its addresses.
    #[must_use]
    pub fn addresses(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.size)
    }

    /// Its bytes in the file, by offset; empty where it has none.
    #[must_use]
    pub fn file_range(&self) -> Range<u64> {
        if self.has_bytes() { self.offset..self.offset.saturating_add(self.size) } else { 0..0 }
    }
}
