//! Functions: all instances of a name, where they are inlined and called, and the symbols that carry it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use zerocopy::little_endian::U32;

use super::record::{self, NONE, Section};
use super::symbol::{Symbol, suffixes};
use super::types::{Type, TypeKind};
use super::verdict::Given;
use super::{Surface, run};

/// All functions of one name.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    surface: &'a Surface,
    index: usize,
    record: &'a record::Function,
}

/// One definition of a function, or a declaration without a definition.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'a> {
    surface: &'a Surface,
    index: usize,
    record: &'a record::Instance,
}

/// One inlined copy of a function.
#[derive(Debug, Clone, Copy)]
pub struct InlineSite<'a> {
    /// The physical function that contains the copy.
    pub caller: Instance<'a>,
    /// File of the call; `None` where DWARF does not tell.
    pub call_file: Option<&'a str>,
    /// Line of the call; `None` where DWARF does not tell.
    pub call_line: Option<u32>,
    /// Address of the copy's first byte; `None` where all of it was optimised away.
    pub address: Option<u64>,
}

/// `DW_AT_inline` of an instance, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Inline {
    /// `DW_INL_not_inlined`.
    NotInlined = 0,
    /// `DW_INL_inlined`: not declared inline; has an abstract instance, which GCC also writes for clones.
    Inlined = 1,
    /// `DW_INL_declared_not_inlined`.
    DeclaredNotInlined = 2,
    /// `DW_INL_declared_inlined`.
    DeclaredInlined = 3,
    /// Defined, without the attribute.
    SeenUnknown = 4,
    /// Only declared: assembly, built-ins.
    NotSeen = 5,
}

impl Inline {
    /// The original dataset's words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotInlined => "not declared, not inlined",
            Self::Inlined => "not declared, inlined",
            Self::DeclaredNotInlined => "declared, not inlined",
            Self::DeclaredInlined => "declared, inlined",
            Self::SeenUnknown => "seen, unknown",
            Self::NotSeen => "not seen",
        }
    }

    /// The variant of a number; numbers out of range are `SeenUnknown`.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::NotInlined,
            1 => Self::Inlined,
            2 => Self::DeclaredNotInlined,
            3 => Self::DeclaredInlined,
            5 => Self::NotSeen,
            _ => Self::SeenUnknown,
        }
    }

    /// Whether the source says `inline`. The kernel's `inline` implies `notrace`.
    #[must_use]
    pub fn is_declared(self) -> bool {
        matches!(self, Self::DeclaredNotInlined | Self::DeclaredInlined)
    }

    /// Whether `DW_AT_inline` says "inlined"; true also for functions that only have clones.
    #[must_use]
    pub fn is_inlined(self) -> bool {
        matches!(self, Self::Inlined | Self::DeclaredInlined)
    }
}

/// How the instances of a name relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collision {
    /// One external instance.
    UniqueGlobal,
    /// One static instance.
    UniqueStatic,
    /// Several instances of one declaration, as from a header.
    StaticDuplication,
    /// Several static functions that share a name.
    StaticStatic,
    /// A static and an external function that share a name.
    StaticGlobal,
}

impl Collision {
    /// How some instances of one name relate.
    #[must_use]
    pub fn among<'a>(mut instances: impl Iterator<Item = Instance<'a>>) -> Self {
        let Some(first) = instances.next() else { return Self::UniqueStatic };
        let Some(second) = instances.next() else {
            return if first.is_external() { Self::UniqueGlobal } else { Self::UniqueStatic };
        };
        let place = |instance: Instance<'a>| (instance.record.decl_file, instance.record.decl_line);
        let (mut external, mut one_place) = (first.is_external(), true);
        for instance in std::iter::once(second).chain(instances) {
            external |= instance.is_external();
            one_place &= place(instance) == place(first);
        }
        match (one_place, external) {
            (true, _) => Self::StaticDuplication,
            (false, true) => Self::StaticGlobal,
            (false, false) => Self::StaticStatic,
        }
    }

    /// The words on a page.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::UniqueGlobal => "Unique Global",
            Self::UniqueStatic => "Unique Static",
            Self::StaticDuplication => "Static Duplication",
            Self::StaticStatic => "Static-Static Collision",
            Self::StaticGlobal => "Static-Global Collision",
        }
    }
}

/// Whether a function exists as code of its own, and whether copies of it live in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InlineKind {
    /// No symbol carries the name.
    Full,
    /// A symbol, and inlined copies too.
    Selective,
    /// A symbol and no inlined copies.
    No,
}

impl InlineKind {
    /// The words on a page.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::Selective => "Selective",
            Self::No => "No",
        }
    }
}

/// Which function the first instance of every block of instances is of, made once somebody asks for many: a search
/// costs some cache misses each time, this a walk over all functions once.
#[derive(Debug, Default)]
pub(super) struct Owners {
    asked: AtomicU32,
    blocks: OnceLock<Vec<u32>>,
}

/// Searches that cost about as much as the walk.
const MANY_SEARCHES: u32 = 500;
/// Instances in a block.
const BLOCK: usize = 16;

impl Owners {
    /// Index of the function of an instance; `None` where there is none.
    fn of(&self, instance: usize, surface: &Surface) -> Option<usize> {
        let functions: &[record::Function] = surface.table(Section::Functions);
        let starts_before = |it: &record::Function| it.first_instance.get() as usize <= instance;
        let blocks = match self.blocks.get() {
            Some(blocks) => blocks,
            None if self.asked.fetch_add(1, Ordering::Relaxed) < MANY_SEARCHES => {
                return functions.partition_point(starts_before).checked_sub(1);
            }
            None => self.blocks.get_or_init(|| Self::blocks(surface)),
        };
        let first = *blocks.get(instance / BLOCK)? as usize;
        let behind = functions.get(first..)?.iter().take_while(|it| starts_before(it)).count();
        (first + behind).checked_sub(1)
    }

    fn blocks(surface: &Surface) -> Vec<u32> {
        let functions: &[record::Function] = surface.table(Section::Functions);
        let instances: &[record::Instance] = surface.table(Section::Instances);
        let mut blocks = Vec::with_capacity(instances.len() / BLOCK + 1);
        let mut before = 0;
        for start in (0..instances.len()).step_by(BLOCK) {
            let starts_before = |it: &&record::Function| it.first_instance.get() as usize <= start;
            before += functions[before..].iter().take_while(starts_before).count();
            blocks.push(before.saturating_sub(1) as u32);
        }
        blocks
    }
}

/// A line number of a record; 0 and what did not fit are unknown.
fn known_line(line: u32) -> Option<u32> {
    (line != 0 && line != NONE).then_some(line)
}

impl Surface {
    /// All functions, sorted by name.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> {
        let records: &[record::Function] = self.table(Section::Functions);
        records.iter().enumerate().map(|(index, record)| Function { surface: self, index, record })
    }

    /// The functions of a name.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Function<'_>> {
        let records: &[record::Function] = self.table(Section::Functions);
        let index = self.search(records, name, |record| record.name)?;
        Some(Function { surface: self, index, record: &records[index] })
    }

    /// The function of a place in the table, which is sorted by name.
    pub(crate) fn function_at(&self, index: u32) -> Option<Function<'_>> {
        let records: &[record::Function] = self.table(Section::Functions);
        let index = index as usize;
        records.get(index).map(|record| Function { surface: self, index, record })
    }

    /// An instance, or behind them what is known only as a caller.
    fn instance(&self, index: usize) -> Option<Instance<'_>> {
        static UNKNOWN: record::Instance = record::Instance::UNKNOWN;
        let records: &[record::Instance] = self.table(Section::Instances);
        let callers: &[record::Caller] = self.table(Section::Callers);
        let known_as_caller = || (index - records.len() < callers.len()).then_some(&UNKNOWN);
        let record = records.get(index).or_else(known_as_caller)?;
        Some(Instance { surface: self, index, record })
    }
}

impl<'a> Function<'a> {
    /// The surface it is of.
    #[must_use]
    pub fn surface(self) -> &'a Surface {
        self.surface
    }

    /// Place among all functions of the surface.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index as u32
    }

    /// Name, without compiler suffixes.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Its instances, in the order of the compile units.
    pub fn instances(self) -> impl ExactSizeIterator<Item = Instance<'a>> {
        let functions: &[record::Function] = self.surface.table(Section::Functions);
        let instances: &[record::Instance] = self.surface.table(Section::Instances);
        let records = run(functions, self.index, |function| function.first_instance, instances);
        let first = self.record.first_instance.get() as usize;
        let surface = self.surface;
        records.iter().enumerate().map(move |(offset, record)| Instance {
            surface,
            index: first + offset,
            record,
        })
    }

    /// The symbols that carry its name, with or without suffix, in the order of `.symtab`.
    pub fn symbols(self) -> impl Iterator<Item = Symbol<'a>> {
        let functions: &[record::Function] = self.surface.table(Section::Functions);
        let indices: &[U32] = self.surface.table(Section::FunctionSymbols);
        run(functions, self.index, |function| function.first_symbol, indices)
            .iter()
            .filter_map(|index| self.surface.symbol(index.get()))
    }

    /// The verdict it was imported with, as far as there is one.
    #[must_use]
    pub fn given_verdict(self) -> Given {
        let byte = self.surface.section(Section::Verdicts).get(self.index);
        byte.map_or_else(Given::default, |byte| Given::from_byte(*byte))
    }

    /// The FUNC of its name: that of the image's BTF, or that of the dataset it was imported from. `None` where
    /// there is none.
    #[must_use]
    pub fn btf_func(self) -> Option<Type<'a>> {
        self.surface.types().get_optional(self.record.btf_func.get())
    }

    /// The prototype to show: BTF's where BTF has the function, else that of the external or first
    /// instance; `None` where neither tells, as for assembly.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        if let Some(proto) = self.btf_func().and_then(Type::target) {
            return Some(proto);
        }
        let external =
            self.instances().find(|instance| instance.is_external() && instance.prototype().is_some());
        external.or_else(|| self.instances().find(|instance| instance.prototype().is_some()))?.prototype()
    }

    /// How its instances relate.
    #[must_use]
    pub fn collision(self) -> Collision {
        Collision::among(self.instances())
    }

    /// Whether it has code of its own, and copies in other functions.
    #[must_use]
    pub fn inline_kind(self) -> InlineKind {
        if self.symbols().next().is_none() {
            InlineKind::Full
        } else if self.instances().any(|instance| instance.is_inlined_elsewhere()) {
            InlineKind::Selective
        } else {
            InlineKind::No
        }
    }

    /// Whether some symbol of it has a compiler suffix.
    #[must_use]
    pub fn is_transformed(self) -> bool {
        self.symbols().any(|symbol| !self.is_plain(symbol) && suffixes(symbol.name()).next().is_some())
    }

    /// Whether a symbol's name is exactly that of the function.
    #[must_use]
    pub fn is_plain(self, symbol: Symbol<'_>) -> bool {
        // Equal strings of one table are one string; a file that was not written by us is asked in full.
        symbol.name_id().0 == self.record.name.get() || symbol.name() == self.name()
    }
}

impl<'a> Instance<'a> {
    /// Place among all instances of the surface; behind them for one that is known only as a caller.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index as u32
    }

    /// Where nothing but name and file is known, because an imported dataset has it only as a caller of others.
    fn caller(self) -> Option<&'a record::Caller> {
        let instances: &[record::Instance] = self.surface.table(Section::Instances);
        let callers: &'a [record::Caller] = self.surface.table(Section::Callers);
        callers.get(self.index.checked_sub(instances.len())?)
    }

    /// The function it is an instance of; `None` for one that is known only as a caller.
    #[must_use]
    pub fn function(self) -> Option<Function<'a>> {
        if self.caller().is_some() {
            return None;
        }
        let records: &'a [record::Function] = self.surface.table(Section::Functions);
        let index = self.surface.owners.of(self.index, self.surface)?;
        Some(Function { surface: self.surface, index, record: &records[index] })
    }

    /// Name of the function it is an instance of.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self.caller() {
            Some(caller) => self.surface.text(caller.name),
            None => self.function().map_or("", Function::name),
        }
    }

    /// `DW_AT_external`: visible outside its compile unit.
    #[must_use]
    pub fn is_external(self) -> bool {
        self.flags() & record::INSTANCE_EXTERNAL != 0
    }

    /// The source file of its compile unit; `None` for a declaration without definition.
    #[must_use]
    pub fn file(self) -> Option<&'a str> {
        if let Some(caller) = self.caller() {
            return self.surface.file(caller.file.get());
        }
        let units: &'a [record::Unit] = self.surface.table(Section::Units);
        units.get(self.record.unit.get() as usize).and_then(|unit| self.surface.file(unit.file.get()))
    }

    /// Name of the module its compile unit belongs to, empty for vmlinux; `None` for a declaration without definition.
    pub(super) fn module_name(self) -> Option<&'a str> {
        let units: &'a [record::Unit] = self.surface.table(Section::Units);
        units.get(self.record.unit.get() as usize).map(|unit| self.surface.text(unit.module))
    }

    /// File and line of the declaration; the line is `None` for assembly, all is `None` for a
    /// declaration without definition.
    #[must_use]
    pub fn declaration(self) -> Option<(&'a str, Option<u32>)> {
        let file = self.surface.file(self.record.decl_file.get())?;
        let line = self.record.decl_line.get();
        Some((file, known_line(line)))
    }

    /// Address of the out-of-line code; `None` where there is none, or none is known.
    #[must_use]
    pub fn address(self) -> Option<u64> {
        let known = record::INSTANCE_HAS_ADDRESS;
        (self.flags() & (known | record::INSTANCE_ADDRESS_ELSEWHERE) == known)
            .then(|| self.record.address.get())
    }

    /// An address that an imported dataset gives and that is not in a symbol of the function: mostly that of an
    /// inlined copy.
    #[must_use]
    pub fn address_elsewhere(self) -> Option<u64> {
        let elsewhere = record::INSTANCE_HAS_ADDRESS | record::INSTANCE_ADDRESS_ELSEWHERE;
        (self.flags() & elsewhere == elsewhere).then(|| self.record.address.get())
    }

    /// Whether it has code of its own; `None` where that is not known.
    #[must_use]
    pub fn has_code(self) -> Option<bool> {
        let unknown = self.flags() & record::INSTANCE_CODE_UNKNOWN != 0 && self.address().is_none();
        (!unknown).then(|| self.address().is_some())
    }

    fn flags(self) -> u32 {
        self.record.flags.get()
    }

    /// `DW_AT_inline`.
    #[must_use]
    pub fn inline(self) -> Inline {
        Inline::from_number(self.flags() >> record::INSTANCE_INLINE_SHIFT & 7)
    }

    /// The prototype in DWARF.
    #[must_use]
    pub fn prototype(self) -> Option<Type<'a>> {
        self.surface
            .types()
            .get_optional(self.record.prototype.get())
            .filter(|found| found.kind() == TypeKind::FuncProto)
    }

    /// Where it is inlined, in DIE order, one entry per site.
    pub fn inline_sites(self) -> impl ExactSizeIterator<Item = InlineSite<'a>> {
        let surface = self.surface;
        let base = surface.meta().base_address;
        let has_modules = !surface.section(Section::Modules).is_empty();
        let sites: &[record::InlineSite] = surface.table(Section::InlineSites);
        let instances: &[record::Instance] = surface.table(Section::Instances);
        run(instances, self.index, |instance| instance.first_inline_site, sites).iter().map(move |site| {
            let line = site.call_line.get();
            let caller = surface.instance(site.caller.get() as usize).unwrap_or(self);
            // In a module addresses count from the start of its layout.
            let base = if has_modules && caller.module().is_some() { 0 } else { base };
            InlineSite {
                caller,
                call_file: surface.file(site.call_file.get()),
                call_line: known_line(line),
                address: (site.address.get() != NONE).then(|| base.wrapping_add(site.address.get().into())),
            }
        })
    }

    /// Whether there is an inlined copy of it inside another function.
    #[must_use]
    pub fn is_inlined_elsewhere(self) -> bool {
        self.inline_sites().any(|site| site.caller.index != self.index)
    }

    /// Who calls it directly, in DIE order, one entry per site.
    pub fn callers(self) -> impl ExactSizeIterator<Item = Instance<'a>> {
        let surface = self.surface;
        let sites: &[record::CallSite] = surface.table(Section::CallSites);
        let instances: &[record::Instance] = surface.table(Section::Instances);
        run(instances, self.index, |instance| instance.first_call_site, sites)
            .iter()
            .map(move |site| surface.instance(site.caller.get() as usize).unwrap_or(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::build::Parts;
    use crate::surface::fixture;

    /// Few look-ups search, many go by blocks: both find the same.
    #[test]
    fn every_instance_knows_its_function() {
        let mut parts = Parts::new(fixture::meta("6.1.0-1-test-amd64"));
        // None, one and several instances, as damaged, usual and static functions have them.
        let counts: Vec<u32> = (0..400).map(|index: u32| [1, 1, 0, 40, 1, 2][index as usize % 6]).collect();
        for (index, count) in counts.iter().enumerate() {
            let name = parts.strings.intern(format!("f{index:03}").as_bytes());
            parts.functions.push(record::Function {
                name: name.0.into(),
                first_instance: (parts.instances.len() as u32).into(),
                first_symbol: 0.into(),
                btf_func: NONE.into(),
            });
            let instance = record::Instance {
                unit: NONE.into(),
                decl_file: NONE.into(),
                decl_line: 0.into(),
                flags: 0.into(),
                address: 0.into(),
                prototype: NONE.into(),
                first_inline_site: 0.into(),
                first_call_site: 0.into(),
            };
            parts.instances.extend(std::iter::repeat_n(instance, *count as usize));
        }
        let surface = Surface::from_bytes(parts.encode()).unwrap();
        for _ in 0..2 {
            for function in surface.functions() {
                assert!(function.instances().all(|instance| instance.name() == function.name()));
            }
        }
        assert!(surface.owners.blocks.get().is_some());
    }
}
