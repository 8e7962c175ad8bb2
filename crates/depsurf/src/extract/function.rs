//! Functions: units of DWARF joined into groups by name, with their call edges and symbols.
//!
//! An external function has one instance per image; a static one has one per place of declaration and
//! compile unit; a declaration that no definition matches makes an instance without place.

use foldhash::fast::FixedState;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use rayon::slice::ParallelSliceMut;

use super::types::TypeMapper;
use crate::dwarf::{Facts, Function, FunctionRef, NameId, Unit};
use crate::note::Notes;
use crate::surface::function::Inline;
use crate::surface::record::{self, NONE};
use crate::surface::strings::Strings;
use crate::surface::symbol::base_name;

/// Calls of functions that only exist to fail a build, and never do in a built kernel.
const NO_FUNCTION: &[u8] = b"__compiletime_assert_";

/// The function tables of a surface, before symbols are added.
#[derive(Debug, Default)]
pub struct FunctionTables {
    /// Paths of the file table, by number.
    pub files: Vec<String>,
    /// Compile units.
    pub units: Vec<record::Unit>,
    /// Functions, sorted by name.
    pub functions: Vec<record::Function>,
    /// Instances, by function.
    pub instances: Vec<record::Instance>,
    /// Inlined copies, by instance.
    pub inline_sites: Vec<record::InlineSite>,
    /// Direct calls, by instance.
    pub call_sites: Vec<record::CallSite>,
}

/// An instance before it has its final number.
struct Draft {
    name: NameId,
    /// First place seen: position of the unit, index of the function. Orders the instances of a name.
    place: (u32, u32),
    /// Whether `place` is only a declaration.
    declared_only: bool,
}

/// Joins the units. `symbol_at` tells whether a symbol of a name stands at an address, which decides between
/// several definitions of one external name (a weak one and the one that overrides it).
pub fn functions(
    facts: &Facts<'_>,
    types: &mut TypeMapper<'_, '_>,
    base_address: u64,
    symbol_at: impl Fn(&[u8], u64) -> bool,
    notes: &mut Notes,
) -> FunctionTables {
    let addresses = addresses(facts, &symbol_at);
    let drafts = Drafts::collect(facts, &addresses, &symbol_at);
    let order = drafts.order(facts);
    let mut final_index = vec![NONE; drafts.list.len()];
    for (index, draft) in order.iter().enumerate() {
        final_index[*draft as usize] = index as u32;
    }
    // References in facts to final instances.
    let numbers: Vec<Vec<u32>> = drafts
        .of_function
        .iter()
        .map(|unit| {
            unit.iter().map(|draft| final_index.get(*draft as usize).copied().unwrap_or(NONE)).collect()
        })
        .collect();
    let resolver = Resolver { facts, numbers: &numbers, overridden: &drafts.overridden };

    let mut tables = FunctionTables {
        files: facts.files[1..].to_vec(),
        units: facts
            .units
            .iter()
            .map(|unit| record::Unit { file: file_index(unit.file).into(), module: 0.into() })
            .collect(),
        ..FunctionTables::default()
    };
    let mut inlined = Edges::new(order.len());
    let mut calls = Edges::new(order.len());
    let mut lost = 0;
    for (position, unit) in facts.units.iter().enumerate() {
        for copy in &unit.inlined {
            match resolver.edge(position, copy.callee, copy.caller) {
                Ok((callee, caller)) => {
                    let address = copy
                        .address
                        .and_then(|address| u32::try_from(address.checked_sub(base_address)?).ok())
                        .unwrap_or(NONE);
                    inlined.push(
                        callee,
                        record::InlineSite {
                            caller: caller.into(),
                            call_file: file_index(copy.call_file).into(),
                            call_line: copy.call_line.into(),
                            address: address.into(),
                        },
                    );
                }
                Err(Missing::Unknown) => lost += 1,
                Err(Missing::LeftOut) => {}
            }
        }
        for call in &unit.calls {
            match resolver.edge(position, call.callee, call.caller) {
                Ok((callee, caller)) => calls.push(callee, record::CallSite { caller: caller.into() }),
                Err(Missing::Unknown) => lost += 1,
                Err(Missing::LeftOut) => {}
            }
        }
    }
    if lost > 0 {
        notes.add(
            "dwarf-edge-target",
            lost,
            true,
            || "calls or inlined copies refer to a DIE that is no named function".into(),
            None::<fn() -> String>,
        );
    }
    let (inline_sites, inline_starts) = inlined.sorted();
    let (call_sites, call_starts) = calls.sorted();
    (tables.inline_sites, tables.call_sites) = (inline_sites, call_sites);
    let mut last = None;
    for (index, draft) in order.iter().enumerate() {
        let draft = &drafts.list[*draft as usize];
        if last != Some(draft.name) {
            last = Some(draft.name);
            let name = types.name(draft.name);
            tables.functions.push(record::Function {
                name: name.0.into(),
                first_instance: (index as u32).into(),
                first_symbol: 0.into(),
                btf_func: types.btf_func(name).unwrap_or(NONE).into(),
            });
        }
        let unit = &facts.units[draft.place.0 as usize];
        let function = &unit.functions[draft.place.1 as usize];
        let address = addresses.of(draft.place, function).filter(|_| !draft.declared_only);
        let inline = match (draft.declared_only, function.inline) {
            (true, _) => Inline::NotSeen,
            (false, None) => Inline::SeenUnknown,
            (false, Some(code)) => Inline::from_number(u32::from(code)),
        };
        let mut flags = (inline as u32) << record::INSTANCE_INLINE_SHIFT;
        flags |= if function.external { record::INSTANCE_EXTERNAL } else { 0 };
        flags |= if address.is_some() { record::INSTANCE_HAS_ADDRESS } else { 0 };
        // Assembly has no place of declaration: its unit's file stands for it.
        let decl_file = match (draft.declared_only, function.decl_file) {
            (true, _) => 0,
            (false, 0) => unit.file,
            (false, file) => file,
        };
        let prototype = function.prototype.map_or(NONE, |node| types.map(node, 0).0);
        tables.instances.push(record::Instance {
            unit: if draft.declared_only { NONE } else { draft.place.0 }.into(),
            decl_file: file_index(decl_file).into(),
            decl_line: if draft.declared_only { 0 } else { function.decl_line }.into(),
            address: address.unwrap_or(0).into(),
            prototype: prototype.into(),
            first_inline_site: inline_starts[index].into(),
            first_call_site: call_starts[index].into(),
            flags: flags.into(),
        });
    }
    tables
}

/// File numbers of the facts count from 1, with 0 for unknown; those of a surface from 0.
fn file_index(number: u32) -> u32 {
    number.checked_sub(1).unwrap_or(NONE)
}

/// All instances, in no order yet.
struct Drafts {
    list: Vec<Draft>,
    /// Per unit and function the draft it belongs to; `NONE` for what is left out.
    of_function: Vec<Vec<u32>>,
    /// Definitions of external functions that lost against another of the same name: weak ones that an
    /// architecture overrides. Their code is in the image, but nothing calls it by that name.
    overridden: HashSet<(u32, u32), FixedState>,
}

impl Drafts {
    fn collect(facts: &Facts<'_>, addresses: &Addresses, symbol_at: impl Fn(&[u8], u64) -> bool) -> Self {
        let mut list: Vec<Draft> = Vec::new();
        let mut overridden = HashSet::default();
        let mut external: Vec<u32> = vec![NONE; facts.name_count()];
        let mut of_function: Vec<Vec<u32>> =
            facts.units.iter().map(|unit| vec![NONE; unit.functions.len()]).collect();
        let mut statics: HashMap<(NameId, u32, u32), u32, FixedState> = HashMap::default();
        for (position, unit) in (0u32..).zip(&facts.units) {
            statics.clear();
            for (index, function) in (0u32..).zip(&unit.functions) {
                if function.declaration || facts.name(function.name).starts_with(NO_FUNCTION) {
                    continue;
                }
                let place = (position, index);
                let mut fresh = || {
                    list.push(Draft { name: function.name, place, declared_only: false });
                    list.len() as u32 - 1
                };
                let draft = if function.external {
                    let slot = &mut external[function.name.0 as usize];
                    if *slot == NONE {
                        *slot = fresh();
                    } else {
                        let kept = &mut list[*slot as usize];
                        let other = &facts.units[kept.place.0 as usize].functions[kept.place.1 as usize];
                        let is_linked = |place: (u32, u32), function: &Function| {
                            let address = addresses.of(place, function);
                            address.is_some_and(|address| symbol_at(facts.name(function.name), address))
                        };
                        if !is_linked(kept.place, other) && is_linked(place, function) {
                            overridden.insert(kept.place);
                            kept.place = place;
                        } else {
                            overridden.insert(place);
                        }
                    }
                    *slot
                } else {
                    let key = (function.name, function.decl_file, function.decl_line);
                    *statics.entry(key).or_insert_with(fresh)
                };
                of_function[position as usize][index as usize] = draft;
            }
        }
        for (position, unit) in (0u32..).zip(&facts.units) {
            let local = StaticDefinitions::of(unit, &of_function[position as usize]);
            for (index, function) in (0u32..).zip(&unit.functions) {
                if !function.declaration || facts.name(function.name).starts_with(NO_FUNCTION) {
                    continue;
                }
                let draft = match local.announced_by(function) {
                    Some(draft) => draft,
                    None => {
                        let slot = &mut external[function.name.0 as usize];
                        if *slot == NONE {
                            let place = (position, index);
                            list.push(Draft { name: function.name, place, declared_only: true });
                            *slot = list.len() as u32 - 1;
                        }
                        *slot
                    }
                };
                of_function[position as usize][index as usize] = draft;
            }
        }
        Self { list, of_function, overridden }
    }

    /// Drafts by name, then place.
    fn order(&self, facts: &Facts<'_>) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.list.len() as u32).collect();
        let key = |index: &u32| {
            let draft = &self.list[*index as usize];
            (facts.name(draft.name), draft.place)
        };
        order.par_sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        order
    }
}

/// The static functions of a unit by name, for their declarations.
struct StaticDefinitions {
    by_name: HashMap<NameId, u32, FixedState>,
}

impl StaticDefinitions {
    fn of(unit: &Unit, drafts: &[u32]) -> Self {
        let mut by_name = HashMap::default();
        // Few units have such declarations.
        if unit.functions.iter().any(|function| function.declaration && !function.external) {
            for (function, draft) in unit.functions.iter().zip(drafts) {
                if !function.declaration && !function.external && *draft != NONE {
                    by_name.entry(function.name).or_insert(*draft);
                }
            }
        }
        Self { by_name }
    }

    fn announced_by(&self, declaration: &Function) -> Option<u32> {
        if declaration.external { None } else { self.by_name.get(&declaration.name).copied() }
    }
}

/// Why a reference gives no instance.
enum Missing {
    /// The function is left out on purpose.
    LeftOut,
    /// There is no such function.
    Unknown,
}

struct Resolver<'a, 'data> {
    facts: &'a Facts<'data>,
    numbers: &'a [Vec<u32>],
    /// Definitions whose bodies belong to no instance.
    overridden: &'a HashSet<(u32, u32), FixedState>,
}

impl Resolver<'_, '_> {
    /// The instances that a call or inlined copy leads to and is in.
    fn edge(&self, position: usize, callee: FunctionRef, caller: FunctionRef) -> Result<(u32, u32), Missing> {
        let (callee_unit, callee) = self.find(position, callee)?;
        let (caller_unit, caller) = self.find(position, caller)?;
        if self.overridden.contains(&(caller_unit as u32, caller as u32)) {
            return Err(Missing::LeftOut);
        }
        match (self.numbers[callee_unit][callee], self.numbers[caller_unit][caller]) {
            (NONE, _) | (_, NONE) => Err(Missing::LeftOut),
            edge => Ok(edge),
        }
    }

    fn find(&self, position: usize, reference: FunctionRef) -> Result<(usize, usize), Missing> {
        self.facts.find(position, reference).ok_or(Missing::Unknown)
    }
}

/// Addresses of functions with out-of-line instances beside their DIE, by unit position and function.
struct Addresses {
    by_function: HashMap<(u32, u32), u64, FixedState>,
}

impl Addresses {
    fn of(&self, place: (u32, u32), function: &Function) -> Option<u64> {
        self.by_function.get(&place).copied().or(function.address)
    }
}

/// Of several out-of-line instances (clones, split parts) the one that the function's own symbol stands at
/// is taken, else the first.
fn addresses(facts: &Facts<'_>, symbol_at: &impl Fn(&[u8], u64) -> bool) -> Addresses {
    let mut by_function = HashMap::default();
    for (position, unit) in facts.units.iter().enumerate() {
        for code in &unit.out_of_line {
            let Some((position, index)) = facts.find(position, code.function) else { continue };
            match by_function.entry((position as u32, index as u32)) {
                Entry::Vacant(entry) => {
                    entry.insert(code.address);
                }
                Entry::Occupied(mut entry) => {
                    let name = facts.name(facts.units[position].functions[index].name);
                    if !symbol_at(name, *entry.get()) && symbol_at(name, code.address) {
                        entry.insert(code.address);
                    }
                }
            }
        }
    }
    Addresses { by_function }
}

/// Records to be grouped by instance, each group in the order of arrival.
pub(super) struct Edges<T> {
    callees: Vec<u32>,
    records: Vec<T>,
    instances: usize,
}

impl<T: Copy> Edges<T> {
    pub fn new(instances: usize) -> Self {
        Self { callees: Vec::new(), records: Vec::new(), instances }
    }

    pub fn push(&mut self, callee: u32, record: T) {
        self.callees.push(callee);
        self.records.push(record);
    }

    /// The records by instance, and where each instance's run starts.
    pub fn sorted(self) -> (Vec<T>, Vec<u32>) {
        let mut starts = vec![0u32; self.instances + 1];
        for &callee in &self.callees {
            starts[callee as usize + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut place = vec![0u32; self.records.len()];
        for (index, &callee) in (0u32..).zip(&self.callees) {
            place[next[callee as usize] as usize] = index;
            next[callee as usize] += 1;
        }
        (place.into_iter().map(|index| self.records[index as usize]).collect(), starts)
    }
}

/// Fills in which symbols carry each function's name, and gives the list they index.
///
/// `symbols` are name and index of the image's function symbols, in the order of `.symtab`.
pub fn join_symbols<'a>(
    functions: &mut [record::Function],
    strings: &Strings,
    symbols: impl Iterator<Item = (u32, &'a str)>,
) -> Vec<u32> {
    let of_name: HashMap<u32, u32, FixedState> =
        (0u32..).zip(functions.iter()).map(|(index, function)| (function.name.get(), index)).collect();
    let mut joined = Edges::new(functions.len());
    for (index, name) in symbols {
        // Landing pads in front of functions, which carry their name but are no part of them.
        if name.starts_with("__pfx_") || name.starts_with("__cfi_") {
            continue;
        }
        let function = strings.find(base_name(name)).and_then(|name| of_name.get(&name.0));
        if let Some(function) = function {
            joined.push(*function, index);
        }
    }
    let (list, starts) = joined.sorted();
    for (function, start) in functions.iter_mut().zip(starts) {
        function.first_symbol = start.into();
    }
    list
}

#[cfg(test)]
mod tests;
