//! One section: what its header says and the bytes it holds.

use super::compression::{Compression, compressed};
use crate::Target;

pub(super) const SHT_PROGBITS: u32 = 1;
pub(super) const SHT_SYMTAB: u32 = 2;
pub(super) const SHT_STRTAB: u32 = 3;
pub(super) const SHT_RELA: u32 = 4;
pub(super) const SHT_NOTE: u32 = 7;
pub(super) const SHT_NOBITS: u32 = 8;
pub(super) const SHT_REL: u32 = 9;
pub(super) const SHT_RELR: u32 = 19;

const SHF_WRITE: u64 = 0x1;
pub(super) const SHF_ALLOC: u64 = 0x2;
const SHF_EXECINSTR: u64 = 0x4;
const SHF_COMPRESSED: u64 = 0x800;

/// `sh_link` and `sh_info` may name a section whose index is known only when the file is written.
#[derive(Clone, Debug)]
pub(super) enum Link {
    Number(u32),
    SymbolTable,
    Section(String),
}

/// A section header with its contents.
#[derive(Clone, Debug)]
pub struct Section {
    pub(super) name: String,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) data: Vec<u8>,
    pub(super) nobits_size: u64,
    pub(super) align: u64,
    pub(super) link: Link,
    pub(super) info: Link,
    pub(super) entry_size: u64,
    pub(super) compression: Option<Compression>,
    pub(super) claimed_size: Option<u64>,
    pub(super) claimed_offset: Option<u64>,
    pub(super) claimed_content_size: Option<u64>,
}

impl Section {
    /// `SHT_PROGBITS` that is not loaded: `.comment`, debug information.
    pub fn debug(name: impl Into<String>, data: impl Into<Vec<u8>>) -> Section {
        Section {
            name: name.into(),
            kind: SHT_PROGBITS,
            flags: 0,
            address: 0,
            data: data.into(),
            nobits_size: 0,
            align: 1,
            link: Link::Number(0),
            info: Link::Number(0),
            entry_size: 0,
            compression: None,
            claimed_size: None,
            claimed_offset: None,
            claimed_content_size: None,
        }
    }

    /// Executable code: `SHF_ALLOC | SHF_EXECINSTR`.
    pub fn code(name: impl Into<String>, address: u64, data: impl Into<Vec<u8>>) -> Section {
        Section { align: 16, ..Section::debug(name, data) }.flags(SHF_ALLOC | SHF_EXECINSTR).address(address)
    }

    /// Read-only data: `SHF_ALLOC`.
    pub fn rodata(name: impl Into<String>, address: u64, data: impl Into<Vec<u8>>) -> Section {
        Section { align: 8, ..Section::debug(name, data) }.flags(SHF_ALLOC).address(address)
    }

    /// Writable data: `SHF_ALLOC | SHF_WRITE`.
    pub fn data(name: impl Into<String>, address: u64, data: impl Into<Vec<u8>>) -> Section {
        Section { align: 8, ..Section::debug(name, data) }.flags(SHF_ALLOC | SHF_WRITE).address(address)
    }

    /// `SHT_NOBITS`: `size` bytes of memory, none in the file.
    pub fn bss(name: impl Into<String>, address: u64, size: u64) -> Section {
        Section { nobits_size: size, ..Section::data(name, address, []) }.kind(SHT_NOBITS)
    }

    /// `SHT_NOTE`, with contents made by [`note`].
    pub fn notes(name: impl Into<String>, address: u64, data: impl Into<Vec<u8>>) -> Section {
        Section { align: 4, ..Section::rodata(name, address, data) }.kind(SHT_NOTE)
    }

    /// Takes the bytes of what is loaded away; notes keep theirs.
    pub(super) fn empty(&mut self) {
        if self.flags & SHF_ALLOC != 0 && !matches!(self.kind, SHT_NOBITS | SHT_NOTE) {
            self.nobits_size = std::mem::take(&mut self.data).len() as u64;
            self.kind = SHT_NOBITS;
        }
    }

    /// Sets `sh_type`.
    pub fn kind(mut self, kind: u32) -> Section {
        self.kind = kind;
        self
    }

    /// Sets `sh_flags`.
    pub fn flags(mut self, flags: u64) -> Section {
        self.flags = flags;
        self
    }

    /// Sets `sh_addr`.
    pub fn address(mut self, address: u64) -> Section {
        self.address = address;
        self
    }

    /// Sets `sh_addralign`; the file offset follows it.
    pub fn align(mut self, align: u64) -> Section {
        self.align = align;
        self
    }

    /// Sets `sh_entsize`.
    pub fn entry_size(mut self, size: u64) -> Section {
        self.entry_size = size;
        self
    }

    /// Sets `sh_link` to a number.
    pub fn link(mut self, link: u32) -> Section {
        self.link = Link::Number(link);
        self
    }

    /// Sets `sh_info` to a number.
    pub fn info(mut self, info: u32) -> Section {
        self.info = Link::Number(info);
        self
    }

    /// Stores the contents compressed, under `SHF_COMPRESSED`.
    pub fn compressed(mut self, how: Compression) -> Section {
        self.flags |= SHF_COMPRESSED;
        self.compression = Some(how);
        self
    }

    /// Fault: `sh_size`, whatever the section holds.
    pub fn claim_size(mut self, size: u64) -> Section {
        self.claimed_size = Some(size);
        self
    }

    /// Fault: `sh_offset`, wherever the contents are.
    pub fn claim_offset(mut self, offset: u64) -> Section {
        self.claimed_offset = Some(offset);
        self
    }

    /// Fault: `ch_size` of a compressed section, whatever it unpacks to.
    pub fn claim_content_size(mut self, size: u64) -> Section {
        self.claimed_content_size = Some(size);
        self
    }

    /// Bytes of memory that the section takes.
    pub(super) fn memory_size(&self) -> u64 {
        if self.kind == SHT_NOBITS { self.nobits_size } else { self.data.len() as u64 }
    }

    /// Bytes that go into the file.
    pub(super) fn stored(&self, target: Target) -> Vec<u8> {
        match self.compression {
            Some(how) => compressed(how, &self.data, self.align, target.bytes(), self.claimed_content_size),
            None => self.data.clone(),
        }
    }
}

/// One entry of a note section. A build id is `note(target, "GNU", 3, &id)`.
pub fn note(target: Target, owner: &str, kind: u32, description: &[u8]) -> Vec<u8> {
    let mut out = target.bytes();
    out.u32(owner.len() as u32 + 1).u32(description.len() as u32).u32(kind);
    out.cstr(owner).align(4).raw(description).align(4);
    out.into_vec()
}
