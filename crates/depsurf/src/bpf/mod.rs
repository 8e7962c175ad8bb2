//! eBPF objects: ELF files with programs, as compilers and `bpftool gen object` write them. Bytes in, plain values out:
//! programs with what they attach to, their instructions, maps, externs, CO-RE relocations and source lines.
//!
//! What is read is what libbpf reads, and as libbpf reads it; where other loaders take more (the section `maps`),
//! that is read as well. Both byte orders. What this room refuses to do: look at a kernel. Whether a program will
//! work on one is another room's question.
//!
//! ```
//! # fn look(bytes: &[u8]) -> depsurf::Result<()> {
//! for image in depsurf::bpf::scan(bytes) {
//!     let object = depsurf::bpf::Object::parse(&bytes[image])?;
//!     for program in object.programs() {
//!         let linked = object.linked(program)?;
//!         println!("{} {:?} {}", program.name, program.sec.hook, linked.insns.len());
//!     }
//! }
//! # Ok(())
//! # }
//! ```

pub mod core;
mod dependency;
mod elf;
mod ext;
mod external;
mod insn;
mod link;
mod map;
mod program;
mod rodata;
mod scan;
mod section;
mod target;
#[cfg(test)]
mod tests;
mod uapi;

use std::collections::HashMap;

use zerocopy::little_endian::U32;

pub use self::dependency::{
    Dependencies, ExternalDependency, MapDependency, ProgramDependencies, TypeDependency,
};
pub use self::elf::Section;
pub use self::ext::Line;
pub use self::external::{External, ExternalKind};
pub use self::insn::{Access, AccessKind, Call, Class, Flow, Insn, POISON};
pub use self::link::{Linked, Mark, Part, Reference};
pub use self::map::{Definition, Map, Shape, Slot, SlotValue};
pub use self::program::Program;
pub use self::rodata::{DataKind, Variable};
pub use self::scan::{compressed, scan};
pub use self::section::{Entry, Hook, Sec, TABLE, TraceAt, Tracepoint, UserFunction, UserProbe};
pub use self::target::{Choice, Choices, Group};
pub use self::uapi::{AttachType, Helper, MapType, ProgramType};

use self::core::{Path, Relocation};
use self::elf::Elf;
use self::ext::Ext;
use crate::btf;
use crate::error::{Error, Result};
use crate::note::{Note, Notes};
use crate::surface::strings::Strings;
use crate::surface::types::{TypeTable, Types};

/// An eBPF object. Sections, programs, maps and types are read at once, instructions when they are asked for.
#[derive(Debug)]
pub struct Object<'a> {
    elf: Elf<'a>,
    btf: Option<Btf<'a>>,
    ext: Ext,
    functions: Vec<Program<'a>>,
    maps: Vec<Map>,
    externals: Vec<External<'a>>,
    external_by_symbol: HashMap<u32, u32>,
    map_by_place: HashMap<(u32, u64), u32>,
    data_by_section: HashMap<u32, u32>,
    license: Option<&'a str>,
    notes: Vec<Note>,
}

/// Slots of one map: what is behind is left out. Maps of a damaged object may all share the same long list.
const MAX_SLOTS: usize = 4096;

/// The object's own types.
#[derive(Debug)]
struct Btf<'a> {
    table: TypeTable,
    strings: Strings,
    by_name: Vec<U32>,
    /// The string section, for offsets from `.BTF.ext`.
    texts: &'a [u8],
}

impl Btf<'_> {
    fn types(&self) -> Types<'_> {
        self.table.view(&self.strings, &self.by_name)
    }
}

impl<'a> Object<'a> {
    /// Reads an object. The bytes may go on behind its end.
    ///
    /// # Errors
    /// Says in which section and at which offset the file contradicts itself, or asks for more than the limits allow.
    /// What is only unknown becomes a note.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let elf = Elf::parse(bytes)?;
        let mut notes = Notes::new();
        for &section in &elf.unread {
            let name = elf.section(section).map_or("", |section| section.name);
            notes.lost(
                "bpf-relocations-with-addend",
                || {
                    "sections of relocations with addends, which no eBPF compiler writes, were not read"
                        .into()
                },
                || format!("section `{name}`"),
            );
        }
        let section = |name: &str| elf.section_named(name).and_then(|index| elf.section(index));
        let btf = match section(".BTF") {
            Some(section) => {
                let mut strings = Strings::new();
                let read = btf::read(section.bytes, &mut strings, &mut notes);
                let table = read.map_err(|error| error.at("section `.BTF`"))?;
                let by_name = table.by_name(&strings);
                Some(Btf { table, strings, by_name, texts: btf::string_section(section.bytes)? })
            }
            None => None,
        };
        let types = btf.as_ref().map(Btf::types);
        let ext = match (section(".BTF.ext"), &btf) {
            (Some(section), Some(btf)) => Ext::parse(section.bytes, btf.texts, &elf, &mut notes)?,
            _ => Ext::default(),
        };
        let functions = program::read(&elf, |section, offset| ext.function_at(section, offset), &mut notes)?;
        let externals = external::read(&elf, types, &mut notes);
        let kconfig = kconfig_size(&externals, types);
        let maps = map::read(&elf, types, kconfig, &mut notes)?;

        let external_by_symbol =
            (0..).zip(&externals).map(|(number, external)| (external.symbol, number)).collect();
        let (mut map_by_place, mut data_by_section) = (HashMap::new(), HashMap::new());
        for (number, map) in (0..).zip(&maps) {
            let Some(section) = map.section else { continue };
            if matches!(map.definition, Definition::Data(_)) {
                data_by_section.entry(section).or_insert(number);
            } else {
                map_by_place.entry((section, map.offset)).or_insert(number);
            }
        }
        let license = section("license").map(|section| {
            let end = section.bytes.iter().position(|byte| *byte == 0).unwrap_or(section.bytes.len());
            std::str::from_utf8(&section.bytes[..end]).unwrap_or_default()
        });
        let notes = notes.into_vec();
        Ok(Self {
            elf,
            btf,
            ext,
            functions,
            maps,
            externals,
            external_by_symbol,
            map_by_place,
            data_by_section,
            license,
            notes,
        })
    }

    /// Whether numbers have their most significant byte first.
    #[must_use]
    pub fn is_big_endian(&self) -> bool {
        self.elf.is_big()
    }

    /// The sections of the file; indices are ELF's.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.elf.sections
    }

    /// The programs that libbpf loads, by section and offset.
    pub fn programs(&self) -> impl Iterator<Item = &Program<'a>> {
        self.functions.iter().filter(|program| program.is_entry)
    }

    /// All functions, programs among them, by section and offset.
    #[must_use]
    pub fn functions(&self) -> &[Program<'a>] {
        &self.functions
    }

    /// The instructions of one function, without those that it calls.
    pub fn insns(&self, program: &Program<'_>) -> impl ExactSizeIterator<Item = Insn> {
        let bytes = self.elf.section(program.section).map_or(&[][..], |section| section.bytes);
        let range = program.offset as usize..(program.offset.saturating_add(program.size)) as usize;
        insn::decode(bytes.get(range).unwrap_or_default(), self.elf.is_big())
    }

    /// Maps in libbpf's order: those of `.maps`, then of `maps`, sections of variables, options, `struct_ops`.
    #[must_use]
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }

    /// What a map holds from the start: programs of a `struct_ops` or of an array of programs, maps of a map of maps.
    /// At most 4096 of them.
    #[must_use]
    pub fn slots(&self, map: &Map) -> Vec<Slot> {
        let Some(section) = map.section else { return Vec::new() };
        let relocations = self.elf.relocations(section);
        let from = relocations.partition_point(|entry| entry.offset < map.offset);
        let inside = relocations[from..].iter().take_while(|entry| entry.offset - map.offset < map.size);
        inside
            .take(MAX_SLOTS)
            .map(|entry| {
                let symbol = self.elf.symbol(entry.symbol);
                let place = symbol.and_then(|symbol| Some((symbol.section?, symbol.value)));
                let function = place.and_then(|(section, value)| self.function_index(section, value));
                let value = match place.and_then(|place| self.map_by_place.get(&place)) {
                    Some(&map) => SlotValue::Map(map),
                    None => function.map_or(SlotValue::Unknown, SlotValue::Function),
                };
                Slot { offset: entry.offset - map.offset, value }
            })
            .collect()
    }

    /// kfuncs, ksyms and options, in the order of `.symtab`.
    #[must_use]
    pub fn externals(&self) -> &[External<'a>] {
        &self.externals
    }

    /// The object's own types; `None` where it has no `.BTF`.
    #[must_use]
    pub fn types(&self) -> Option<Types<'_>> {
        self.btf.as_ref().map(Btf::types)
    }

    /// Global variables, by section and offset. Read anew with each call.
    #[must_use]
    pub fn variables(&self) -> Vec<Variable<'_>> {
        self.types().map(|types| rodata::read(&self.elf, types)).unwrap_or_default()
    }

    /// CO-RE relocations, by section and offset.
    #[must_use]
    pub fn relocations(&self) -> &[Relocation] {
        &self.ext.relocations
    }

    /// What a CO-RE relocation is about.
    ///
    /// # Errors
    /// When its access string does not lead anywhere in the object's own types.
    pub fn path(&self, relocation: &Relocation) -> Result<Path<'_>> {
        // There is no relocation without `.BTF`, but one of another object may be asked for.
        let none = || Error::malformed("eBPF object", "a CO-RE relocation", "the object has no `.BTF`");
        let types = self.types().ok_or_else(none)?;
        Path::parse(types, relocation, self.access(relocation))
    }

    /// The access string of a CO-RE relocation, as in `0:1:2`: what libbpf's messages have.
    #[must_use]
    pub fn access(&self, relocation: &Relocation) -> &str {
        self.btf.as_ref().map_or("", |btf| ext::text(btf.texts, relocation.access))
    }

    /// Number of lines that `.BTF.ext` knows.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.ext.lines.len()
    }

    /// A line by its number, as a [`Mark`] has it.
    #[must_use]
    pub fn line(&self, number: u32) -> Option<Line<'_>> {
        let info = self.ext.lines.get(number as usize)?;
        let texts = self.btf.as_ref()?.texts;
        Some(Line {
            file: ext::text(texts, info.file),
            line: info.line_column >> 10,
            column: info.line_column & 0x3ff,
            text: ext::text(texts, info.text).trim(),
        })
    }

    /// The line that the instruction at an offset of a section comes from.
    #[must_use]
    pub fn line_at(&self, section: u32, offset: u64) -> Option<Line<'_>> {
        let number = self.ext.line_behind(section, offset).checked_sub(1)?;
        self.ext.lines.get(number).filter(|info| info.section == section)?;
        self.line(number as u32)
    }

    /// The license, as in `GPL`; `None` where the object has no section of that name.
    #[must_use]
    pub fn license(&self) -> Option<&'a str> {
        self.license
    }

    /// What could not be read.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Index of the function with the instruction at an offset of a section.
    fn function_index(&self, section: u32, offset: u64) -> Option<u32> {
        let behind =
            self.functions.partition_point(|other| (other.section, other.offset) <= (section, offset));
        let index = behind.checked_sub(1)?;
        self.functions[index].contains(section, offset).then_some(index as u32)
    }
}

/// Bytes of the options that a program asks for; `None` where it asks for none. libbpf puts those of the largest
/// alignment first, and of these the smallest first.
fn kconfig_size(externals: &[External<'_>], types: Option<Types<'_>>) -> Option<u32> {
    let options = externals.iter().filter(|external| external.kind == ExternalKind::Kconfig);
    let mut sizes: Vec<(u64, u64)> = options
        .map(|external| {
            let found =
                types.and_then(|types| types.get(external.type_id?)).map(|found| found.stripped(true));
            let size = found.and_then(|found| found.byte_size(8)).unwrap_or_default();
            // Options are numbers, or text, which is an array of bytes.
            let is_text = found.is_some_and(|found| found.array().is_some());
            (if is_text { 1 } else { size.clamp(1, 8) }, size)
        })
        .collect();
    if sizes.is_empty() {
        return None;
    }
    sizes.sort_unstable_by_key(|&(alignment, size)| (std::cmp::Reverse(alignment), size));
    let end = sizes.iter().fold(0u64, |end, &(alignment, size)| {
        end.checked_next_multiple_of(alignment).unwrap_or(end).saturating_add(size)
    });
    Some(u32::try_from(end).unwrap_or(u32::MAX))
}

/// A word of four bytes; `None` behind the end.
fn word(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk().copied()?;
    Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}
