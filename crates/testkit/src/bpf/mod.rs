//! Writes small eBPF objects in either byte order: sections with instructions, symbols, relocations, `.BTF` and
//! `.BTF.ext`. What goes into `.BTF` is up to the test.
//!
//! ```
//! use testkit::{Endian, bpf::{Insn, Object}};
//!
//! let mut object = Object::new(Endian::Little);
//! object.program("kprobe/vfs_read", "probe", [Insn::mov(0, 0), Insn::exit()]);
//! object.license("GPL");
//! let bytes: Vec<u8> = object.build();
//! ```

mod ext;
mod insn;

pub use ext::{CoreRelocation, Ext, FuncInfo, LineInfo};
pub use insn::Insn;

use crate::btf::Btf;
use crate::elf::{Elf, FileType, Machine, Relocation, Section, Symbol};
use crate::{Endian, Target, Width};

/// `R_BPF_64_64`: the value of an `ld_imm64`.
const R_BPF_64_64: u32 = 1;
/// `R_BPF_64_32`: the target of a call.
const R_BPF_64_32: u32 = 10;

/// An object under construction.
#[derive(Clone, Debug)]
pub struct Object {
    target: Target,
    /// Sections with instructions or data, in order.
    sections: Vec<(String, Vec<u8>, Kind)>,
    symbols: Vec<Symbol>,
    names: Vec<String>,
    /// Section, offset, symbol, kind.
    relocations: Vec<(String, u64, String, u32)>,
    /// Types of the object.
    pub btf: Option<Btf>,
    /// What goes into `.BTF.ext`; names of sections are added to the strings of `btf`.
    pub ext: Ext,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Data,
    Bss,
}

impl Object {
    /// An object without anything.
    pub fn new(endian: Endian) -> Object {
        Object {
            target: Target { endian, width: Width::W64 },
            sections: Vec::new(),
            symbols: Vec::new(),
            names: Vec::new(),
            relocations: Vec::new(),
            btf: None,
            ext: Ext::default(),
        }
    }

    /// Byte order and width.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Appends a function to the section of a name, which is made where it does not exist. Gives its offset there.
    pub fn program(&mut self, section: &str, name: &str, insns: impl IntoIterator<Item = Insn>) -> u64 {
        let (offset, size) = self.code(section, insns);
        self.symbol(Symbol::func(name, offset, size).global().in_section(section));
        offset
    }

    /// Appends a static function.
    pub fn static_function(
        &mut self,
        section: &str,
        name: &str,
        insns: impl IntoIterator<Item = Insn>,
    ) -> u64 {
        let (offset, size) = self.code(section, insns);
        self.symbol(Symbol::func(name, offset, size).in_section(section));
        offset
    }

    fn code(&mut self, section: &str, insns: impl IntoIterator<Item = Insn>) -> (u64, u64) {
        let mut out = self.target.bytes();
        for insn in insns {
            insn.write(self.target.endian, &mut out);
        }
        let size = out.len() as u64;
        (self.append(section, out.into_vec(), Kind::Code), size)
    }

    fn append(&mut self, section: &str, data: Vec<u8>, kind: Kind) -> u64 {
        if let Some((_, bytes, _)) = self.sections.iter_mut().find(|(name, ..)| name == section) {
            let offset = bytes.len() as u64;
            bytes.extend(data);
            return offset;
        }
        self.sections.push((section.to_owned(), data, kind));
        0
    }

    /// Appends a variable with its contents to a section of data.
    pub fn variable(&mut self, section: &str, name: &str, data: impl Into<Vec<u8>>) -> u64 {
        let data = data.into();
        let size = data.len() as u64;
        let offset = self.append(section, data, Kind::Data);
        self.symbol(Symbol::object(name, offset, size).global().in_section(section));
        offset
    }

    /// Appends a variable without contents to a section like `.bss`.
    pub fn zeroed(&mut self, section: &str, name: &str, size: u64) -> u64 {
        let offset = self.append(section, vec![0; size as usize], Kind::Bss);
        self.symbol(Symbol::object(name, offset, size).global().in_section(section));
        offset
    }

    /// Adds the section `license`.
    pub fn license(&mut self, text: &str) {
        self.append("license", [text.as_bytes(), &[0]].concat(), Kind::Data);
    }

    /// Adds a symbol that others are to define.
    pub fn undefined(&mut self, name: &str, weak: bool) {
        let symbol = Symbol::notype(name, 0).undefined();
        self.symbol(if weak { symbol.weak() } else { symbol.global() });
    }

    /// Adds the symbol of a section, which has its name here only for [`Object::refer`].
    pub fn section_symbol(&mut self, section: &str) {
        self.names.push(section.to_owned());
        self.symbols.push(Symbol::notype("", 0).kind(3).in_section(section));
    }

    /// Adds any symbol.
    pub fn symbol(&mut self, symbol: Symbol) {
        self.names.push(symbol.name.clone());
        self.symbols.push(symbol);
    }

    /// Lets the `ld_imm64` at an offset of a section refer to a symbol.
    pub fn refer(&mut self, section: &str, offset: u64, symbol: &str) {
        self.relocations.push((section.to_owned(), offset, symbol.to_owned(), R_BPF_64_64));
    }

    /// Lets the call at an offset of a section refer to a symbol.
    pub fn refer_call(&mut self, section: &str, offset: u64, symbol: &str) {
        self.relocations.push((section.to_owned(), offset, symbol.to_owned(), R_BPF_64_32));
    }

    /// The object as an ELF file that a test may still change.
    ///
    /// # Panics
    /// When a relocation names a symbol that does not exist.
    pub fn elf(&self) -> Elf {
        let mut elf = Elf::new(Machine::BPF, self.target);
        elf.file_type(FileType::Relocatable);
        for (name, data, kind) in &self.sections {
            elf.section(match kind {
                Kind::Code => Section::code(name, 0, data.clone()).align(8),
                Kind::Data => Section::data(name, 0, data.clone()),
                Kind::Bss => Section::bss(name, 0, data.len() as u64),
            });
        }
        for (name, ..) in &self.sections {
            let relocations: Vec<Relocation> = self.relocations_of(name).collect();
            if !relocations.is_empty() {
                elf.section(Section::rel(self.target, name, &relocations));
            }
        }
        if let Some(btf) = &self.btf {
            let mut btf = btf.clone();
            let ext = self.ext.build(self.target, &mut btf);
            elf.section(Section::debug(".BTF", btf.build()).align(4));
            if let Some(ext) = ext {
                elf.section(Section::debug(".BTF.ext", ext).align(4));
            }
        }
        elf.symbols(self.symbols.iter().cloned());
        elf
    }

    fn relocations_of(&self, section: &str) -> impl Iterator<Item = Relocation> {
        let chosen = self.relocations.iter().filter(move |(of, ..)| of == section);
        chosen.map(|(_, offset, symbol, kind)| {
            let index = self.names.iter().position(|name| name == symbol);
            let index = index.unwrap_or_else(|| panic!("the object has no symbol `{symbol}`"));
            Relocation { offset: *offset, symbol: index as u32 + 1, kind: *kind, addend: 0 }
        })
    }

    /// The bytes of the object.
    ///
    /// # Panics
    /// As [`Object::elf`].
    pub fn build(&self) -> Vec<u8> {
        self.elf().build()
    }
}
