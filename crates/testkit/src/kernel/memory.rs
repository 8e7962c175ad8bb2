//! The loaded image: sections at fixed addresses that grow as tables are put into them, the symbols that
//! name what is inside, and the pointers that a relocating kernel keeps elsewhere.

use super::Pointers;
use crate::c::Types;
use crate::elf::{Elf, FileType, Machine, Relocation, Section, Symbol, note};
use crate::{Bytes, Target, Width};

/// A section of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    Rodata,
    Ksymtab,
    KsymtabGpl,
    KsymtabStrings,
    Btf,
    BtfIds,
    Data,
    InitText,
    InitData,
}

/// In the order of their addresses.
const PLACES: [Place; 10] = [
    Place::Text,
    Place::Rodata,
    Place::Ksymtab,
    Place::KsymtabGpl,
    Place::KsymtabStrings,
    Place::Btf,
    Place::BtfIds,
    Place::Data,
    Place::InitText,
    Place::InitData,
];

/// Distance between the starts of sections.
const SPACING: u64 = 0x2_0000;
const NOTES: u64 = PLACES.len() as u64 * SPACING;
const RELOCATIONS: u64 = NOTES + SPACING;

impl Place {
    /// Start of the section, from that of `.text`.
    pub(super) fn offset(self) -> u64 {
        self as u64 * SPACING
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Place::Text => ".text",
            Place::Rodata => ".rodata",
            Place::Ksymtab => "__ksymtab",
            Place::KsymtabGpl => "__ksymtab_gpl",
            Place::KsymtabStrings => "__ksymtab_strings",
            Place::Btf => ".BTF",
            Place::BtfIds => ".BTF_ids",
            Place::Data => ".data",
            Place::InitText => ".init.text",
            Place::InitData => ".init.data",
        }
    }
}

/// Where kernels of this machine are linked to.
pub(super) fn text_base(machine: Machine, target: Target) -> u64 {
    match (machine, target.width) {
        (Machine::S390, _) => 0x10_0000,
        (Machine::X86_64, Width::W64) => 0xffff_ffff_8100_0000,
        (Machine::AARCH64, Width::W64) => 0xffff_8000_0800_0000,
        (Machine::PPC64, Width::W64) => 0xc000_0000_0000_0000,
        (Machine::LOONGARCH, Width::W64) => 0x9000_0000_0020_0000,
        (_, Width::W64) => 0xffff_ffff_8000_0000,
        (Machine::MIPS, Width::W32) => 0x8010_0000,
        (_, Width::W32) => 0xc010_0000,
    }
}

/// The image while it is filled.
#[derive(Debug)]
pub(super) struct Memory {
    target: Target,
    base: u64,
    places: Vec<Bytes>,
    symbols: Vec<Symbol>,
    /// Address and value of every pointer.
    pointers: Vec<(u64, u64)>,
}

impl Memory {
    pub(super) fn new(target: Target, base: u64) -> Memory {
        let places = PLACES.iter().map(|_| target.bytes()).collect();
        Memory { target, base, places, symbols: Vec::new(), pointers: Vec::new() }
    }

    pub(super) fn word_size(&self) -> u64 {
        self.target.width.bytes().into()
    }

    fn bytes(&mut self, place: Place) -> &mut Bytes {
        &mut self.places[place as usize]
    }

    /// The address of what is put there next.
    pub(super) fn here(&self, place: Place) -> u64 {
        self.base + place.offset() + self.places[place as usize].len() as u64
    }

    pub(super) fn symbol(&mut self, symbol: Symbol) {
        self.symbols.push(symbol);
    }

    pub(super) fn fill(&mut self, place: Place, byte: u8, count: u64) {
        self.bytes(place).raw(&vec![byte; count as usize]);
    }

    /// Appends bytes and returns their address.
    pub(super) fn put(&mut self, place: Place, align: u64, bytes: &[u8]) -> u64 {
        self.bytes(place).align(align as usize);
        let address = self.here(place);
        self.bytes(place).raw(bytes);
        address
    }

    /// Appends a terminated string and returns its address.
    pub(super) fn string(&mut self, place: Place, text: &str) -> u64 {
        let address = self.here(place);
        self.bytes(place).cstr(text);
        address
    }

    pub(super) fn u32(&mut self, place: Place, value: u32) -> u64 {
        let address = self.here(place);
        self.bytes(place).u32(value);
        address
    }

    pub(super) fn word(&mut self, place: Place, value: u64) -> u64 {
        let address = self.here(place);
        self.bytes(place).word(value);
        address
    }

    /// Appends a pointer and returns the address of its slot.
    pub(super) fn pointer(&mut self, place: Place, value: u64) -> u64 {
        let slot = self.word(place, 0);
        self.pointers.push((slot, value));
        slot
    }

    /// Appends the distance to `value` in four bytes. It needs no relocation.
    pub(super) fn offset32(&mut self, place: Place, value: u64) {
        let here = self.here(place);
        self.bytes(place).u32(value.wrapping_sub(here) as u32);
    }

    /// A table in `.init.data` between the symbols `__start_NAME` and `__stop_NAME`.
    pub(super) fn table(&mut self, name: &str, fill: impl FnOnce(&mut Memory)) {
        self.bytes(Place::InitData).align(32);
        self.symbol(Symbol::notype(format!("__start_{name}"), self.here(Place::InitData)).global());
        fill(self);
        self.symbol(Symbol::notype(format!("__stop_{name}"), self.here(Place::InitData)).global());
    }

    /// Appends a struct and returns its address.
    pub(super) fn record(&mut self, place: Place, record: Record) -> u64 {
        let address = self.put(place, record.align, &record.bytes.into_vec());
        self.pointers.extend(record.pointers.iter().map(|(offset, value)| (address + offset, *value)));
        address
    }

    /// The file with these sections and symbols.
    pub(super) fn into_elf(mut self, machine: Machine, how: Pointers, build_id: &[u8]) -> Elf {
        let mut elf = Elf::new(machine, self.target);
        if how != Pointers::InPlace {
            elf.file_type(FileType::Dynamic);
        }
        if how != Pointers::Rela {
            for (slot, value) in &self.pointers {
                let offset = slot - self.base;
                let at = offset % SPACING;
                let size = self.target.width.bytes().into();
                self.places[(offset / SPACING) as usize].patch(at as usize, *value, size);
            }
        }
        self.pointers.sort_unstable();
        for (place, bytes) in PLACES.into_iter().zip(self.places) {
            let (name, address, data) = (place.name(), self.base + place.offset(), bytes.into_vec());
            assert!(data.len() as u64 <= SPACING, "section `{name}` grew into the next one");
            let section = match place {
                Place::Text | Place::InitText => Section::code(name, address, data),
                Place::Data | Place::InitData => Section::data(name, address, data),
                _ => Section::rodata(name, address, data),
            };
            elf.section(section);
        }
        let id = note(self.target, "GNU", 3, build_id);
        elf.section(Section::notes(".notes", self.base + NOTES, id));
        let relocations = self.base + RELOCATIONS;
        match how {
            Pointers::InPlace => {}
            Pointers::Rela => {
                let relative = |(slot, value): &(u64, u64)| Relocation::relative(machine, *slot, *value);
                let entries: Vec<Relocation> = self.pointers.iter().map(relative).collect();
                elf.section(Section::rela_dyn(self.target, relocations, &entries));
            }
            Pointers::Relr => {
                let slots: Vec<u64> = self.pointers.iter().map(|(slot, _)| *slot).collect();
                elf.section(Section::relr_dyn(self.target, relocations, &slots));
            }
        }
        elf.symbols(self.symbols);
        elf.with_segments();
        elf
    }
}

/// A struct of the image, zero but for the members that are set.
#[derive(Debug)]
pub(super) struct Record<'a> {
    types: &'a Types,
    aggregate: &'a str,
    align: u64,
    bytes: Bytes,
    /// Offset and value.
    pointers: Vec<(u64, u64)>,
}

impl<'a> Record<'a> {
    pub(super) fn new(target: Target, types: &'a Types, aggregate: &'a str) -> Record<'a> {
        let mut bytes = target.bytes();
        bytes.zeros(types.size(aggregate) as usize);
        Record { types, aggregate, align: 32, bytes, pointers: Vec::new() }
    }

    pub(super) fn number(mut self, member: &str, value: u64) -> Record<'a> {
        let at = self.types.offset(self.aggregate, member);
        self.bytes.patch(at as usize, value, self.types.member_size(self.aggregate, member) as usize);
        self
    }

    pub(super) fn pointer(mut self, member: &str, value: u64) -> Record<'a> {
        self.pointers.push((self.types.offset(self.aggregate, member), value));
        self
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}
