//! `func_groups`: functions with their instances, callers and symbols.
//!
//! The lines are read into tables with a string table of their own. When all are there they are put into the
//! surface in the order of their names, so that its bytes do not depend on the order of the lines.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::Deserialize;

use super::line::{Line, Source, Text};
use super::symbol::{self, Sections};
use super::types::Types;
use crate::error::Result;
use crate::kernel::Arch;
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::function::{Collision, Inline, InlineKind};
use crate::surface::record::{self, NONE};
use crate::surface::strings::{StrId, Strings};
use crate::surface::verdict::Given;

#[derive(Debug, Deserialize)]
struct Group<'l> {
    #[serde(borrow)]
    name: Text<'l>,
    #[serde(borrow)]
    collision_type: Option<Text<'l>>,
    #[serde(borrow)]
    inline_type: Option<Text<'l>>,
    #[serde(borrow)]
    funcs: Vec<Func<'l>>,
    #[serde(borrow)]
    symbols: Vec<Symbol<'l>>,
}

#[derive(Debug, Deserialize)]
struct Func<'l> {
    addr: u64,
    external: bool,
    #[serde(borrow)]
    name: Text<'l>,
    #[serde(borrow)]
    loc: Option<Text<'l>>,
    #[serde(borrow)]
    file: Option<Text<'l>>,
    #[serde(borrow)]
    inline: Text<'l>,
    #[serde(borrow)]
    caller_inline: Vec<Text<'l>>,
    #[serde(borrow)]
    caller_func: Vec<Text<'l>>,
}

#[derive(Debug, Deserialize)]
struct Symbol<'l> {
    addr: u64,
    #[serde(borrow)]
    name: Text<'l>,
    #[serde(borrow)]
    section: Text<'l>,
    #[serde(borrow)]
    bind: Text<'l>,
    size: u32,
}

/// The functions of a file, in the order of its lines. Runs end where the next one begins.
#[derive(Default)]
pub(super) struct Functions {
    strings: Strings,
    groups: Vec<GroupRow>,
    instances: Vec<InstanceRow>,
    /// `file:function`
    inlined_into: Vec<StrId>,
    /// `file:function`
    called_by: Vec<StrId>,
    symbols: Vec<SymbolRow>,
}

struct GroupRow {
    name: StrId,
    verdict: Given,
    instances: u32,
    symbols: u32,
    line: u64,
}

struct InstanceRow {
    file: Option<StrId>,
    decl_file: Option<StrId>,
    decl_line: u32,
    flags: u32,
    address: u64,
    inlined_into: u32,
    called_by: u32,
}

struct SymbolRow {
    name: StrId,
    section: StrId,
    address: u64,
    size: u32,
    bind: u8,
}

type What<T> = std::result::Result<T, String>;

impl Functions {
    /// Reads a file.
    pub(super) fn read(source: Source<'_>, arch: Arch) -> Result<Self> {
        let mut functions = Self::default();
        source.lines(|line| {
            let group: Group<'_> = line.parse()?;
            functions.group(&group, line, arch).map_err(|what| line.error(what))
        })?;
        functions.refuse_duplicates(source.name)?;
        Ok(functions)
    }

    fn group(&mut self, group: &Group<'_>, line: Line<'_>, arch: Arch) -> What<()> {
        if group.name.0.is_empty() {
            return Err("a function without a name".into());
        }
        let verdict = Given {
            collision: word("collision_type", group.collision_type.as_ref(), &COLLISIONS, Collision::words)?,
            inline: word("inline_type", group.inline_type.as_ref(), &INLINE_KINDS, InlineKind::words)?,
        };
        let row = GroupRow {
            name: group.name.intern(&mut self.strings)?,
            verdict,
            instances: self.instances.len() as u32,
            symbols: self.symbols.len() as u32,
            line: line.parts().0,
        };
        self.groups.push(row);
        for func in &group.funcs {
            if func.name != group.name {
                return Err(format!("`{}` is among the functions `{}`", func.name.0, group.name.0));
            }
            let code = Code::of(func.addr, &group.symbols, arch);
            self.instance(func, code)?;
        }
        for Symbol { addr, name, section, bind, size } in &group.symbols {
            let number = symbol::binding(&bind.0);
            let row = SymbolRow {
                name: name.intern(&mut self.strings)?,
                section: section.intern(&mut self.strings)?,
                address: *addr,
                size: *size,
                bind: number.ok_or_else(|| format!("`bind` is `{}`, which is no word of ELF's", bind.0))?,
            };
            self.symbols.push(row);
        }
        Ok(())
    }

    fn instance(&mut self, func: &Func<'_>, code: Code) -> What<()> {
        let Self { strings, instances, inlined_into, called_by, .. } = self;
        let inline = word("inline", Some(&func.inline), &INLINES, Inline::words)?;
        let mut flags = inline.map_or(0, |inline| (inline as u32) << record::INSTANCE_INLINE_SHIFT);
        flags |= code.flags();
        if func.external {
            flags |= record::INSTANCE_EXTERNAL;
        }
        let optional = |text: &Option<Text<'_>>, strings: &mut Strings| {
            text.as_ref().map(|text| text.intern(strings)).transpose()
        };
        let (decl_file, decl_line) = match &func.loc {
            Some(loc) => {
                let (file, line) = split_location(&loc.0);
                (Some(Text(file.into()).intern(strings)?), line)
            }
            None => (None, 0),
        };
        instances.push(InstanceRow {
            file: optional(&func.file, strings)?,
            decl_file,
            decl_line,
            flags,
            address: func.addr,
            inlined_into: inlined_into.len() as u32,
            called_by: called_by.len() as u32,
        });
        for (callers, to) in [(&func.caller_inline, inlined_into), (&func.caller_func, called_by)] {
            for caller in callers {
                if !caller.0.contains(':') {
                    return Err(format!("the caller `{}` is not of the form file:function", caller.0));
                }
                to.push(caller.intern(strings)?);
            }
        }
        Ok(())
    }

    fn refuse_duplicates(&self, file: &str) -> Result<()> {
        let mut lines = HashMap::with_hasher(FixedState::with_seed(0));
        for group in &self.groups {
            if let Some(first) = lines.insert(group.name, group.line) {
                let name = self.strings.get(group.name);
                let what = format!("the functions `{name}` are in line {first} already");
                return Err(Line::kept(file, group.line, &[]).error(what));
            }
        }
        Ok(())
    }

    /// Puts the functions into the surface, whose symbols and types are there already.
    pub(super) fn store(
        &self,
        parts: &mut Parts,
        types: &Types,
        sections: &mut Sections,
        has_symtab: bool,
        notes: &mut Notes,
    ) {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_unstable_by_key(|group| self.strings.get(self.groups[*group].name));
        let symbols = symbol::index(&parts.symbols);
        let mut store = Store { from: self, parts, files: HashMap::default(), units: HashMap::default() };
        for group in order.iter().copied() {
            let name = store.text(self.groups[group].name);
            let record = record::Function {
                name: name.0.into(),
                first_instance: (store.parts.instances.len() as u32).into(),
                first_symbol: (store.parts.function_symbols.len() as u32).into(),
                btf_func: types.function(name).map_or(NONE, |id| id.0).into(),
            };
            store.parts.functions.push(record);
            let Given { collision, inline } = self.groups[group].verdict;
            if collision.is_none() || inline.is_none() {
                let what =
                    || "a function without `collision_type` or `inline_type`: an export works it out".into();
                notes.lost("depsurf-verdict", what, || self.strings.get(self.groups[group].name).to_owned());
            }
            store.parts.verdicts.push(self.groups[group].verdict.to_byte());
            for instance in &self.instances[self.instances_of(group)] {
                store.instance(instance);
            }
            for row in &self.symbols[self.symbols_of(group)] {
                store.symbol(row, &symbols, sections, has_symtab, notes);
            }
        }
        let callers = store.callers(&order);
        store.edges(&order, &callers);
    }

    fn instances_of(&self, group: usize) -> std::ops::Range<usize> {
        let end = self.groups.get(group + 1).map_or(self.instances.len(), |next| next.instances as usize);
        self.groups[group].instances as usize..end
    }

    fn symbols_of(&self, group: usize) -> std::ops::Range<usize> {
        let end = self.groups.get(group + 1).map_or(self.symbols.len(), |next| next.symbols as usize);
        self.groups[group].symbols as usize..end
    }
}

/// What the address of an instance is of.
#[derive(Clone, Copy)]
enum Code {
    /// The instance's own code.
    Own,
    /// Something else; whether it has code of its own depends on whether the function has symbols.
    Elsewhere { has_symbols: bool },
    /// There is no address.
    None { has_symbols: bool },
}

impl Code {
    fn of(address: u64, symbols: &[Symbol<'_>], arch: Arch) -> Self {
        let has_symbols = !symbols.is_empty();
        if address == 0 {
            return Self::None { has_symbols };
        }
        // The lowest bit of a Thumb function's symbol is no part of its address (ELF for the Arm Architecture 5.5.3).
        let thumb = u64::from(arch == Arch::Armhf);
        let is_in =
            |symbol: &Symbol<'_>| address.wrapping_sub(symbol.addr & !thumb) < u64::from(symbol.size.max(1));
        if symbols.iter().any(is_in) { Self::Own } else { Self::Elsewhere { has_symbols } }
    }

    fn flags(self) -> u32 {
        use record::{INSTANCE_ADDRESS_ELSEWHERE, INSTANCE_CODE_UNKNOWN, INSTANCE_HAS_ADDRESS};
        let unknown = |has_symbols| if has_symbols { INSTANCE_CODE_UNKNOWN } else { 0 };
        match self {
            Self::Own => INSTANCE_HAS_ADDRESS,
            Self::Elsewhere { has_symbols } => {
                INSTANCE_HAS_ADDRESS | INSTANCE_ADDRESS_ELSEWHERE | unknown(has_symbols)
            }
            Self::None { has_symbols } => unknown(has_symbols),
        }
    }
}

/// Functions on their way into a surface.
struct Store<'s> {
    from: &'s Functions,
    parts: &'s mut Parts,
    files: HashMap<StrId, u32, FixedState>,
    units: HashMap<StrId, u32, FixedState>,
}

impl Store<'_> {
    /// A string in the surface's table.
    fn text(&mut self, id: StrId) -> StrId {
        self.parts.strings.intern(self.from.strings.get(id).as_bytes())
    }

    /// A path in the table of files; [`NONE`] for none.
    fn file(&mut self, id: Option<StrId>) -> u32 {
        let Some(id) = id else { return NONE };
        if let Some(file) = self.files.get(&id) {
            return *file;
        }
        let text = self.text(id);
        let file = self.parts.files.len() as u32;
        self.parts.files.push(text);
        self.files.insert(id, file);
        file
    }

    /// The compile unit of a source file: the dataset does not tell several of one file apart.
    fn unit(&mut self, id: Option<StrId>) -> u32 {
        let Some(id) = id else { return NONE };
        let file = self.file(Some(id));
        *self.units.entry(id).or_insert_with(|| {
            self.parts.units.push(record::Unit { file: file.into(), module: 0.into() });
            self.parts.units.len() as u32 - 1
        })
    }

    /// An instance; its edges follow when all instances have their places.
    fn instance(&mut self, row: &InstanceRow) {
        let record = record::Instance {
            unit: self.unit(row.file).into(),
            decl_file: self.file(row.decl_file).into(),
            decl_line: row.decl_line.into(),
            flags: row.flags.into(),
            address: row.address.into(),
            prototype: NONE.into(),
            first_inline_site: 0.into(),
            first_call_site: 0.into(),
        };
        self.parts.instances.push(record);
    }

    fn symbol(
        &mut self,
        row: &SymbolRow,
        index: &HashMap<symbol::Key, u32, FixedState>,
        sections: &mut Sections,
        has_symtab: bool,
        notes: &mut Notes,
    ) {
        let name = self.text(row.name);
        let key = (name, row.address, row.size, row.bind);
        if let Some(place) = index.get(&key) {
            self.parts.function_symbols.push(*place);
            return;
        }
        if has_symtab {
            let what = || "a symbol of a function is not in the symbol table, and was added to it".into();
            notes.lost("depsurf-symbol", what, || self.parts.strings.get(name).to_owned());
        }
        let section = match self.text(row.section) {
            StrId::EMPTY => NONE,
            section => sections.number(section, &mut self.parts.sections),
        };
        self.parts.function_symbols.push(self.parts.symbols.len() as u32);
        self.parts.symbols.push(symbol::of_function(key, section));
    }

    /// The instance of every caller, by its text; callers that are not among the functions get a place behind them.
    fn callers(&mut self, order: &[usize]) -> HashMap<StrId, u32, FixedState> {
        let from = self.from;
        let mut instances: HashMap<(Option<StrId>, StrId), u32, FixedState> = HashMap::default();
        let mut place = 0;
        for group in order {
            for row in &from.instances[from.instances_of(*group)] {
                instances.entry((row.file, from.groups[*group].name)).or_insert(place);
                place += 1;
            }
        }
        let mut callers = HashMap::default();
        let mut unknown = Vec::new();
        for id in from.inlined_into.iter().chain(&from.called_by) {
            let hashbrown::hash_map::Entry::Vacant(entry) = callers.entry(*id) else { continue };
            let (file, name) = split_caller(from.strings.get(*id));
            let file_id = file.map(|file| from.strings.find(file));
            let known = match (file_id, from.strings.find(name)) {
                (Some(None), _) | (_, None) => None,
                (file, Some(name)) => instances.get(&(file.flatten(), name)),
            };
            match known {
                Some(instance) => {
                    entry.insert(*instance);
                }
                None => {
                    entry.insert(NONE);
                    unknown.push((name, file, *id));
                }
            }
        }
        unknown.sort_unstable();
        for (place, (name, file, id)) in (place..).zip(unknown) {
            callers.insert(id, place);
            let name = self.parts.strings.intern(name.as_bytes());
            let file = file.map_or(NONE, |file| self.path(file));
            self.parts.callers.push(record::Caller { name: name.0.into(), file: file.into() });
        }
        callers
    }

    /// A path that need not be among the strings of the file as such.
    fn path(&mut self, file: &str) -> u32 {
        match self.from.strings.find(file) {
            Some(id) => self.file(Some(id)),
            None => {
                let text = self.parts.strings.intern(file.as_bytes());
                let known = self.parts.files.iter().rposition(|other| *other == text);
                known.unwrap_or_else(|| {
                    self.parts.files.push(text);
                    self.parts.files.len() - 1
                }) as u32
            }
        }
    }

    fn edges(&mut self, order: &[usize], callers: &HashMap<StrId, u32, FixedState>) {
        let from = self.from;
        let instances = order.iter().flat_map(|group| from.instances_of(*group));
        for (place, instance) in instances.enumerate() {
            let next = from.instances.get(instance + 1);
            let row = &from.instances[instance];
            let inlined = row.inlined_into as usize
                ..next.map_or(from.inlined_into.len(), |next| next.inlined_into as usize);
            let called =
                row.called_by as usize..next.map_or(from.called_by.len(), |next| next.called_by as usize);
            let record = &mut self.parts.instances[place];
            record.first_inline_site = (self.parts.inline_sites.len() as u32).into();
            record.first_call_site = (self.parts.call_sites.len() as u32).into();
            let inlined = from.inlined_into[inlined].iter().map(|caller| record::InlineSite {
                caller: callers[caller].into(),
                call_file: NONE.into(),
                call_line: 0.into(),
                address: NONE.into(),
            });
            self.parts.inline_sites.extend(inlined);
            let called = from.called_by[called]
                .iter()
                .map(|caller| record::CallSite { caller: callers[caller].into() });
            self.parts.call_sites.extend(called);
        }
    }
}

const COLLISIONS: [Collision; 5] = [
    Collision::UniqueGlobal,
    Collision::UniqueStatic,
    Collision::StaticDuplication,
    Collision::StaticStatic,
    Collision::StaticGlobal,
];
const INLINE_KINDS: [InlineKind; 3] = [InlineKind::Full, InlineKind::Selective, InlineKind::No];
const INLINES: [Inline; 6] = [
    Inline::NotInlined,
    Inline::Inlined,
    Inline::DeclaredNotInlined,
    Inline::DeclaredInlined,
    Inline::SeenUnknown,
    Inline::NotSeen,
];

/// The value that a word stands for; `None` where there is no word.
fn word<T: Copy>(
    field: &str,
    text: Option<&Text<'_>>,
    values: &[T],
    words: fn(T) -> &'static str,
) -> What<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    match values.iter().find(|value| words(**value) == text.0) {
        Some(value) => Ok(Some(*value)),
        None => {
            let known: Vec<&str> = values.iter().map(|value| words(*value)).collect();
            Err(format!("`{field}` is `{}`, known are: {}", text.0, known.join(", ")))
        }
    }
}

/// File and line of a declaration; the line is 0 where there is none, as for assembly.
fn split_location(text: &str) -> (&str, u32) {
    let split = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    // A surface has three bytes for a line.
    split.filter(|(file, line)| !file.is_empty() && (1..0xff_ffff).contains(line)).unwrap_or((text, 0))
}

/// File and name of a caller; the file is `None` where the function is only declared.
fn split_caller(text: &str) -> (Option<&str>, &str) {
    // Names of functions in other languages may have colons; paths of the kernel have none.
    let (file, name) = text.split_once(':').unwrap_or(("", text));
    (Some(file).filter(|file| *file != "None"), name)
}
