//! Dynamic relocations: where a relocatable kernel keeps the pointers that its file holds as zeros.
//!
//! The arm64, riscv64, s390x, loong64 and ppc64el kernels relocate themselves at boot, from `.rela.dyn`
//! (`arch/arm64/kernel/pi/relocate.c`). The file's words at those places are zero and the value is the
//! addend. `.relr.dyn` holds only places, the value is in the file already: nothing to apply for an image
//! at its link address. The `.rela.text` and the like of `--emit-relocs` (x86) are for other tools: not
//! allocated, already applied, and not read here.

use std::ops::Range;

use object::Endianness;
use object::elf::{self, Rela32, Rela64, Sym32, Sym64};
use object::pod::Pod;
use object::read::elf::{Rela, Sym};

use super::File;
use super::arch::Machine;
use super::section::Section;
use crate::error::{Error, Result};

/// Addresses of relocated words with their values, by address.
#[derive(Debug, Default)]
pub(super) struct Relocations {
    entries: Vec<(u64, u64)>,
}

impl Relocations {
    /// Reads every allocated table of relocations with addends.
    pub(super) fn read(file: &File<'_>, machine: &Machine, sections: &[Section<'_>]) -> Result<Self> {
        let mut entries = Vec::new();
        for section in sections {
            if section.kind != elf::SHT_RELA.0 || !section.is_allocated() {
                continue;
            }
            let read = if machine.address_size == 8 {
                read_table::<Rela64<Endianness>, Sym64<Endianness>>
            } else {
                read_table::<Rela32<Endianness>, Sym32<Endianness>>
            };
            read(file, machine, sections, section, &mut entries)
                .map_err(|error| error.at(format!("section `{}`", section.display_name())))?;
        }
        Ok(Self::new(entries))
    }

    /// Relocated words with their values, in any order.
    pub(super) fn new(mut entries: Vec<(u64, u64)>) -> Self {
        // Linkers sort them by address; a stable sort of sorted runs costs next to nothing.
        entries.sort_by_key(|entry: &(u64, u64)| entry.0);
        Self { entries }
    }

    /// Those that were found otherwise, sorted by address.
    pub(super) fn from_sorted(entries: Vec<(u64, u64)>) -> Self {
        Self { entries }
    }

    /// The value of the word at an address; `None` where no relocation applies.
    pub(super) fn at(&self, address: u64) -> Option<u64> {
        let index = self.entries.binary_search_by_key(&address, |entry| entry.0).ok()?;
        Some(self.entries[index].1)
    }

    /// The relocated words that start in a range.
    pub(super) fn within(&self, range: &Range<u64>) -> &[(u64, u64)] {
        let start = self.entries.partition_point(|entry| entry.0 < range.start);
        let len = self.entries[start..].partition_point(|entry| entry.0 < range.end);
        &self.entries[start..start + len]
    }
}

fn read_table<R, S>(
    file: &File<'_>,
    machine: &Machine,
    sections: &[Section<'_>],
    section: &Section<'_>,
    entries: &mut Vec<(u64, u64)>,
) -> Result<()>
where
    R: Rela<Endian = Endianness> + Pod,
    R::Sword: Into<i64>,
    S: Sym<Endian = Endianness> + Pod,
{
    let endian = file.endian;
    let bytes = file.section_bytes(section)?;
    let count = bytes.len() / size_of::<R>();
    let malformed = |what: &str| Error::malformed("ELF", "relocations", what);
    let (table, _) = object::pod::slice_from_bytes::<R>(bytes, count).map_err(|()| malformed("unaligned"))?;
    let symbols: &[S] = match sections.get(section.link as usize) {
        Some(linked) if linked.kind == elf::SHT_DYNSYM.0 || linked.kind == elf::SHT_SYMTAB.0 => {
            let bytes = file.section_bytes(linked)?;
            object::pod::slice_from_bytes(bytes, bytes.len() / size_of::<S>())
                .map_err(|()| malformed("unaligned symbols"))?
                .0
        }
        _ => &[],
    };
    entries.reserve(count);
    // The relocation word of MIPS64 has its own layout; its kernels have no dynamic relocations.
    const MIPS64EL: bool = false;
    for relocation in table {
        let kind = relocation.r_type(endian, MIPS64EL).0;
        let addend: i64 = relocation.r_addend(endian).into();
        let value = if kind == machine.relative_relocation {
            addend.cast_unsigned()
        } else if kind == machine.absolute_relocation {
            let index = relocation.r_sym(endian, MIPS64EL) as usize;
            let Some(symbol) = symbols.get(index) else { continue };
            let base: u64 = symbol.st_value(endian).into();
            base.wrapping_add_signed(addend)
        } else {
            continue;
        };
        entries.push((relocation.r_offset(endian).into(), value));
    }
    Ok(())
}
