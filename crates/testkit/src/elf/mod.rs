//! Writes ELF files of either class and byte order for any machine: sections, symbols in the order
//! given, relocations, and compressed sections. Names and numbers are those of the System V gABI.
//!
//! ```
//! use testkit::{Target, elf::{Elf, Machine, Section, Symbol}};
//!
//! let mut elf = Elf::new(Machine::X86_64, Target::LE64);
//! elf.section(Section::code(".text", 0xffff_ffff_8100_0000, vec![0x90; 64]));
//! elf.symbol(Symbol::func("vfs_read", 0xffff_ffff_8100_0010, 16).global());
//! let image: Vec<u8> = elf.build();
//! ```

mod compression;
mod relocation;
mod section;
mod symbol;
mod write;

pub use compression::{Compression, gzip};
pub use relocation::Relocation;
pub use section::{Section, note};
pub use symbol::Symbol;

use crate::Target;

/// `e_machine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine(pub u16);

#[allow(missing_docs, reason = "the names are those of the gABI without `EM_`")]
impl Machine {
    pub const I386: Machine = Machine(3);
    pub const MIPS: Machine = Machine(8);
    pub const PPC: Machine = Machine(20);
    pub const PPC64: Machine = Machine(21);
    pub const S390: Machine = Machine(22);
    pub const ARM: Machine = Machine(40);
    pub const X86_64: Machine = Machine(62);
    pub const AARCH64: Machine = Machine(183);
    pub const RISCV: Machine = Machine(243);
    pub const BPF: Machine = Machine(247);
    pub const LOONGARCH: Machine = Machine(258);
}

/// `e_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// `ET_REL`: a kernel module or a BPF object. Symbol values are offsets into their section.
    Relocatable,
    /// `ET_EXEC`: most kernels.
    Executable,
    /// `ET_DYN`: kernels that relocate themselves (arm64, s390x, riscv64, loong64).
    Dynamic,
}

/// An ELF file under construction.
#[derive(Clone, Debug)]
pub struct Elf {
    target: Target,
    machine: Machine,
    file_type: FileType,
    sections: Vec<Section>,
    symbols: Vec<Symbol>,
    segments: bool,
    faults: Faults,
}

/// Header fields to write wrongly.
#[derive(Clone, Debug, Default)]
struct Faults {
    section_count: Option<u16>,
    section_table: Option<u64>,
    name_table: Option<u16>,
    symbol_size: Option<u64>,
}

impl Elf {
    /// An `ET_EXEC` file without sections.
    pub fn new(machine: Machine, target: Target) -> Elf {
        Elf {
            target,
            machine,
            file_type: FileType::Executable,
            sections: Vec::new(),
            symbols: Vec::new(),
            segments: false,
            faults: Faults::default(),
        }
    }

    /// Byte order and width of this file.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Sets `e_type`.
    pub fn file_type(&mut self, file_type: FileType) -> &mut Elf {
        self.file_type = file_type;
        self
    }

    /// Adds one `PT_LOAD` segment per allocated section, and a `PT_NOTE` per note section.
    pub fn with_segments(&mut self) -> &mut Elf {
        self.segments = true;
        self
    }

    /// Appends a section. Sections keep the order of the calls, from index 1; `.symtab` (if there are
    /// symbols), `.strtab` and `.shstrtab` follow the last one.
    pub fn section(&mut self, section: Section) -> &mut Elf {
        self.sections.push(section);
        self
    }

    /// Appends several sections.
    pub fn sections(&mut self, sections: impl IntoIterator<Item = Section>) -> &mut Elf {
        self.sections.extend(sections);
        self
    }

    /// Replaces the contents of the first section of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn replace(&mut self, name: &str, data: impl Into<Vec<u8>>) -> &mut Elf {
        let found = self.sections.iter_mut().find(|section| section.name == name);
        found.unwrap_or_else(|| panic!("the image has no section `{name}`")).data = data.into();
        self
    }

    /// Drops the sections of this name. Symbols that were inside become absolute.
    pub fn remove(&mut self, name: &str) -> &mut Elf {
        self.sections.retain(|section| section.name != name);
        self
    }

    /// The half with the code: no debug information, as `objcopy --strip-debug` leaves it.
    #[must_use]
    pub fn without_debug(&self) -> Elf {
        let mut half = self.clone();
        half.sections.retain(|section| !section.name.starts_with(".debug_"));
        half
    }

    /// The half with the debug information: nothing that is loaded has bytes, as `objcopy --only-keep-debug` leaves it.
    #[must_use]
    pub fn only_debug(&self) -> Elf {
        let mut half = self.clone();
        half.sections.iter_mut().for_each(Section::empty);
        half
    }

    /// Drops all symbols, as `strip` does.
    pub fn strip(&mut self) -> &mut Elf {
        self.symbols.clear();
        self
    }

    /// Drops the symbols of this name.
    pub fn remove_symbol(&mut self, name: &str) -> &mut Elf {
        self.symbols.retain(|symbol| symbol.name != name);
        self
    }

    /// Value of the first symbol of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn address(&self, name: &str) -> u64 {
        let found = self.symbols.iter().find(|symbol| symbol.name == name);
        found.unwrap_or_else(|| panic!("the image has no symbol `{name}`")).value
    }

    /// Appends a symbol. Symbols keep the order of the calls, from index 1, even where that puts a
    /// local one behind a global one, which the gABI forbids and no reader should mind.
    pub fn symbol(&mut self, symbol: Symbol) -> &mut Elf {
        self.symbols.push(symbol);
        self
    }

    /// Appends several symbols.
    pub fn symbols(&mut self, symbols: impl IntoIterator<Item = Symbol>) -> &mut Elf {
        self.symbols.extend(symbols);
        self
    }

    /// Fault: `e_shnum`, whatever the file holds.
    pub fn claim_section_count(&mut self, count: u16) -> &mut Elf {
        self.faults.section_count = Some(count);
        self
    }

    /// Fault: `e_shoff`.
    pub fn claim_section_table(&mut self, offset: u64) -> &mut Elf {
        self.faults.section_table = Some(offset);
        self
    }

    /// Fault: `e_shstrndx`.
    pub fn claim_name_table(&mut self, index: u16) -> &mut Elf {
        self.faults.name_table = Some(index);
        self
    }

    /// Fault: `sh_entsize` of `.symtab`.
    pub fn claim_symbol_size(&mut self, size: u64) -> &mut Elf {
        self.faults.symbol_size = Some(size);
        self
    }

    /// The bytes of the file.
    ///
    /// # Panics
    /// When a symbol or relocation section names a section that does not exist.
    pub fn build(&self) -> Vec<u8> {
        write::write(self)
    }
}
