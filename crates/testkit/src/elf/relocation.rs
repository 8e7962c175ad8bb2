//! Relocation sections: `SHT_RELA`, `SHT_REL` and `SHT_RELR`.

use super::section::{Link, SHF_ALLOC, SHT_REL, SHT_RELA, SHT_RELR};
use super::{Machine, Section};
use crate::{Target, Width};

/// One entry of a `SHT_RELA` or `SHT_REL` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// `r_offset`: an address, or an offset into the section in `ET_REL` files.
    pub offset: u64,
    /// Index in `.symtab`, 0 for none. The first symbol of an [`super::Elf`] has index 1.
    pub symbol: u32,
    /// The machine's relocation type.
    pub kind: u32,
    /// `r_addend`; in a `SHT_REL` section it is in the place itself, and this is not written.
    pub addend: i64,
}

impl Relocation {
    /// "Store the load address plus `value` at `address`": what a kernel that relocates itself has for
    /// every pointer in its tables. The type is `R_<machine>_RELATIVE`.
    ///
    /// # Panics
    /// On machines whose kernels have none (mips, BPF).
    pub fn relative(machine: Machine, address: u64, value: u64) -> Relocation {
        let kind = match machine {
            Machine::I386 | Machine::X86_64 => 8,
            Machine::PPC | Machine::PPC64 => 22,
            Machine::S390 => 12,
            Machine::ARM => 23,
            Machine::AARCH64 => 1027,
            Machine::RISCV | Machine::LOONGARCH => 3,
            other => panic!("machine {} has no relative relocation", other.0),
        };
        Relocation { offset: address, symbol: 0, kind, addend: value.cast_signed() }
    }
}

impl Section {
    /// Loaded relocations with addends, such as `.rela.dyn`.
    pub fn rela_dyn(target: Target, address: u64, relocations: &[Relocation]) -> Section {
        rela(target, ".rela.dyn", relocations).flags(SHF_ALLOC).address(address)
    }

    /// Relocations with addends for the section of this name: `.rela.text` for `.text`.
    pub fn rela(target: Target, of: &str, relocations: &[Relocation]) -> Section {
        let section = rela(target, format!(".rela{of}"), relocations);
        Section { link: Link::SymbolTable, info: Link::Section(of.to_owned()), ..section }
    }

    /// Relocations without addends for the section of this name: `.relkprobe/x` for `kprobe/x`.
    pub fn rel(target: Target, of: &str, relocations: &[Relocation]) -> Section {
        let mut out = target.bytes();
        for relocation in relocations {
            out.word(relocation.offset).word(info(target, relocation));
        }
        let width = u64::from(target.width.bytes());
        let section = Section::debug(format!(".rel{of}"), out.into_vec()).kind(SHT_REL).entry_size(2 * width);
        Section { link: Link::SymbolTable, info: Link::Section(of.to_owned()), align: width, ..section }
    }

    /// `.relr.dyn`: the addresses of pointers that the load address is added to. The pointers
    /// themselves must already hold their link-time values. Addresses are even and ascending.
    pub fn relr_dyn(target: Target, address: u64, pointers: &[u64]) -> Section {
        let mut out = target.bytes();
        let width = u64::from(target.width.bytes());
        // An even entry is the address of one pointer; an odd entry is a bitmap of the words after it
        // (gABI, "Relative Relocation Table"). The words after a bitmap continue where it ends.
        let reach = width * 8 - 1;
        let mut rest = pointers;
        while let [first, tail @ ..] = rest {
            assert!(first % 2 == 0, "a relr address is even");
            out.word(*first);
            rest = tail;
            let mut base = first + width;
            loop {
                let mut bitmap = 0;
                while let [next, tail @ ..] = rest {
                    let Some(distance) = next.checked_sub(base) else { break };
                    if distance % width != 0 || distance / width >= reach {
                        break;
                    }
                    bitmap |= 1 << (distance / width);
                    rest = tail;
                }
                if bitmap == 0 {
                    break;
                }
                out.word(bitmap << 1 | 1);
                base += reach * width;
            }
        }
        let section = Section::rodata(".relr.dyn", address, out.into_vec());
        section.kind(SHT_RELR).entry_size(width).align(width)
    }
}

fn rela(target: Target, name: impl Into<String>, relocations: &[Relocation]) -> Section {
    let mut out = target.bytes();
    for relocation in relocations {
        out.word(relocation.offset).word(info(target, relocation)).word(relocation.addend.cast_unsigned());
    }
    let width = u64::from(target.width.bytes());
    Section::debug(name, out.into_vec()).kind(SHT_RELA).entry_size(3 * width).align(width)
}

/// `r_info`: symbol and type share a word.
fn info(target: Target, relocation: &Relocation) -> u64 {
    let (symbol, kind) = (u64::from(relocation.symbol), u64::from(relocation.kind));
    match target.width {
        Width::W32 => symbol << 8 | kind & 0xff,
        Width::W64 => symbol << 32 | kind,
    }
}
