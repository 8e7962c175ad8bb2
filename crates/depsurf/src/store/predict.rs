//! What the words of one column tell about those of another.
//!
//! Many words of a surface can be guessed: the address of a function from its symbol, the caller of an
//! inlined copy from its neighbours. What is kept is the difference to the guess, mostly 0 and otherwise
//! small. A guess uses only what is known again when its column is restored, so it need not be right: where
//! it is wrong, only the size suffers.
//!
//! [`STEPS`] are in the order of unpacking: each may use the columns that are never changed, those that
//! an earlier step has restored, and the words of its own column before the one that is guessed. Packing
//! walks them backwards, so that each still sees those columns as they were.

use std::mem::{self, offset_of};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rayon::prelude::*;

use super::column::number_of;
use crate::surface::index::names_in_order;
use crate::surface::record::{self, INSTANCE_HAS_ADDRESS, NONE, Section};
use crate::surface::strings::text_at;
use crate::surface::symbol::base_name;
use crate::surface::types::TypeKind;

/// The sections of a surface as columns of words; sections of plain bytes have none.
pub(super) struct Tables<'a> {
    /// Indexed by `Section as usize - 1`, then as [`super::column::split`] cuts a record.
    pub(super) columns: [Vec<Vec<u32>>; Section::ALL.len()],
    pub(super) strings: &'a [u8],
    /// [`crate::surface::Meta::base_address`].
    pub(super) base_address: u64,
}

/// A column: its section and its number.
type Column = (Section, usize);

/// The column of a field; for a field of eight bytes that of its low half.
macro_rules! column {
    ($section:ident) => {
        (Section::$section, 0)
    };
    ($section:ident, $record:ident . $field:ident) => {
        (Section::$section, number_of(record::$record::FIELDS, offset_of!(record::$record, $field)))
    };
}

const FUNCTION_NAMES: Column = column!(Functions, Function.name);
const BTF_FUNCS: Column = column!(Functions, Function.btf_func);
const FIRST_SYMBOLS: Column = column!(Functions, Function.first_symbol);
const FUNCTION_SYMBOLS: Column = column!(FunctionSymbols);
const UNIT_FILES: Column = column!(Units, Unit.file);
const UNITS: Column = column!(Instances, Instance.unit);
const TYPE_KINDS: Column = column!(Types, Type.kind);
const INSTANCE_ADDRESSES: Column = column!(Instances, Instance.address);
const SYMBOL_ADDRESSES: Column = column!(Symbols, Symbol.address);
const INLINE_CALLERS: Column = column!(InlineSites, InlineSite.caller);
const CALL_CALLERS: Column = column!(CallSites, CallSite.caller);
const INLINE_FILES: Column = column!(InlineSites, InlineSite.call_file);
const DECL_FILES: Column = column!(Instances, Instance.decl_file);
const DECL_LINES: Column = column!(Instances, Instance.decl_line);

/// Columns of string ids, except the names of functions.
const NAMES: &[Column] = &[
    column!(Files),
    column!(Units, Unit.module),
    column!(Sections, ElfSection.name),
    column!(Sections, ElfSection.module),
    column!(Symbols, Symbol.name),
    column!(Types, Type.name),
    column!(TypeChildren, TypeChild.name),
    column!(Tracepoints, Tracepoint.name),
    column!(Tracepoints, Tracepoint.system),
    column!(Tracepoints, Tracepoint.class),
    column!(Tracepoints, Tracepoint.format),
    column!(LsmHooks, LsmHook.name),
    column!(Kfuncs, Kfunc.name),
    column!(Syscalls, Syscall.abi),
    column!(Syscalls, Syscall.name),
    column!(Syscalls, Syscall.symbol),
    column!(SyscallArgs, SyscallArg.type_name),
    column!(SyscallArgs, SyscallArg.name),
    column!(Configs, Config.name),
    column!(Configs, Config.value),
    column!(Sets, Set.name),
    column!(SetMembers, SetMember.name),
    column!(Callers, Caller.name),
];

/// Which way a step goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Pack,
    Unpack,
}

type Step = fn(&mut Tables<'_>, Way);

/// See the head of the file for what their order means.
const STEPS: &[Step] = &[
    types_by_kind,
    names,
    function_names,
    btf_funcs,
    function_symbols,
    symbol_addresses,
    declarations,
    prototypes,
    instance_addresses,
    callers,
    inline_addresses,
    inline_files,
    inline_lines,
];

impl Tables<'_> {
    /// Words to differences.
    pub(super) fn pack(&mut self) {
        STEPS.iter().rev().for_each(|step| step(self, Way::Pack));
    }

    /// Differences to words.
    pub(super) fn unpack(&mut self) {
        STEPS.iter().for_each(|step| step(self, Way::Unpack));
    }

    /// The words of a column; none where a damaged file has no such column.
    fn column(&self, (section, number): Column) -> &[u32] {
        self.columns[section as usize - 1].get(number).map(Vec::as_slice).unwrap_or_default()
    }

    /// Applies `change` to a column while it can see the others.
    fn change(&mut self, (section, number): Column, change: impl FnOnce(&Self, Vec<u32>) -> Vec<u32>) {
        let Some(column) = self.columns[section as usize - 1].get_mut(number) else { return };
        let column = mem::take(column);
        let changed = change(self, column);
        self.columns[section as usize - 1][number] = changed;
    }

    /// Subtracts a guess from each word of a column, or adds it back. `guess` gets the tables without the
    /// column, the word's index and the words before it.
    fn guess(&mut self, way: Way, at: Column, mut guess: impl FnMut(&Self, usize, &[u32]) -> u32) {
        self.change(at, |tables, column| match way {
            Way::Pack => (0..column.len())
                .map(|index| column[index].wrapping_sub(guess(tables, index, &column[..index])))
                .collect(),
            Way::Unpack => {
                let mut words = Vec::with_capacity(column.len());
                for (index, difference) in column.into_iter().enumerate() {
                    words.push(difference.wrapping_add(guess(tables, index, &words)));
                }
                words
            }
        });
    }

    /// For each record of a run table, which record of the other table the run belongs to.
    fn owners(&self, firsts: Column, len: usize) -> Vec<u32> {
        let firsts = self.column(firsts);
        let mut owner = 0;
        (0..len as u32)
            .map(|index| {
                while firsts.get(owner + 1).is_some_and(|first| *first <= index) {
                    owner += 1;
                }
                owner as u32
            })
            .collect()
    }

    /// For each instance, which function it is of.
    fn functions_of_instances(&self) -> Vec<u32> {
        let len = self.column(INSTANCE_ADDRESSES).len();
        self.owners(column!(Functions, Function.first_instance), len)
    }
}

/// The word at an index; 0 where a damaged file has none.
fn at(column: &[u32], index: usize) -> u32 {
    column.get(index).copied().unwrap_or_default()
}

/// Whether a record belongs to the same one as the record before it.
fn continues(owners: &[u32], index: usize) -> bool {
    index > 0 && owners.get(index) == owners.get(index - 1)
}

/// The names and references of types of one kind are alike: groups them by kind, children by their type's.
fn types_by_kind(tables: &mut Tables<'_>, way: Way) {
    let kinds = tables.column(TYPE_KINDS).to_vec();
    for column in [column!(Types, Type.name), column!(Types, Type.size_or_type)] {
        tables.change(column, |_, words| group(&words, &kinds, way));
    }
    let children = column!(TypeChildren, TypeChild.name);
    let owners = tables.owners(column!(Types, Type.first_child), tables.column(children).len());
    let kinds: Vec<u32> = owners.into_iter().map(|owner| at(&kinds, owner as usize)).collect();
    for column in [children, column!(TypeChildren, TypeChild.a), column!(TypeChildren, TypeChild.b)] {
        tables.change(column, |_, words| group(&words, &kinds, way));
    }
}

/// Moves words with equal keys together, or back.
fn group(words: &[u32], keys: &[u32], way: Way) -> Vec<u32> {
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    order.sort_by_key(|&index| at(keys, index as usize));
    match way {
        Way::Pack => order.into_iter().map(|index| words[index as usize]).collect(),
        Way::Unpack => {
            let mut ungrouped = vec![0; words.len()];
            for (index, word) in order.into_iter().zip(words) {
                ungrouped[index as usize] = *word;
            }
            ungrouped
        }
    }
}

/// Where each string of the table begins.
fn string_starts(strings: &[u8]) -> Vec<u32> {
    let ends = memchr::memchr_iter(0, strings).map(|end| end as u32 + 1);
    [0].into_iter().chain(ends).filter(|start| (*start as usize) < strings.len()).collect()
}

/// Strings are mostly used first in the order in which they are in the table, so their numbers are
/// closer together than their offsets.
fn names(tables: &mut Tables<'_>, way: Way) {
    let starts = string_starts(tables.strings);
    for column in NAMES {
        tables.change(*column, |_, words| match way {
            Way::Pack => words.into_iter().map(|id| string_number(&starts, id)).collect(),
            Way::Unpack => words.into_iter().map(|number| at(&starts, number as usize)).collect(),
        });
    }
}

/// The number of the string at an offset. An offset inside a string, which no writer gives, becomes a wrong
/// number, and packing fails when it compares.
fn string_number(starts: &[u32], id: u32) -> u32 {
    starts.binary_search(&id).map_or(NONE, |number| number as u32)
}

/// Functions are sorted by name, so a bit per string, whether it is one, tells all their names.
fn function_names(tables: &mut Tables<'_>, way: Way) {
    let starts = string_starts(tables.strings);
    let strings = tables.strings;
    tables.change(FUNCTION_NAMES, |_, words| match way {
        Way::Pack => {
            let mut bits = vec![0; starts.len().div_ceil(32)];
            for id in words {
                if let Ok(number) = starts.binary_search(&id) {
                    bits[number / 32] |= 1 << (number % 32);
                }
            }
            bits
        }
        Way::Unpack => {
            let is_name =
                |number: usize| words.get(number / 32).is_some_and(|bits| bits >> (number % 32) & 1 != 0);
            let ids = starts.iter().enumerate().filter(|(number, _)| is_name(*number)).map(|(_, id)| *id);
            names_in_order(ids, strings).into_iter().map(zerocopy::little_endian::U32::get).collect()
        }
    });
}

/// A function's BTF FUNC has its name.
fn btf_funcs(tables: &mut Tables<'_>, way: Way) {
    let names = tables.column(column!(Types, Type.name));
    let mut funcs = HashMap::with_hasher(FixedState::with_seed(0));
    for (id, (kind, name)) in (0u32..).zip(tables.column(TYPE_KINDS).iter().zip(names)) {
        if kind & 0xff == u32::from(TypeKind::Func as u8) {
            funcs.entry(*name).or_insert(id);
        }
    }
    tables.guess(way, BTF_FUNCS, |tables, index, _| {
        let name = at(tables.column(FUNCTION_NAMES), index);
        funcs.get(&name).copied().unwrap_or(NONE)
    });
}

/// A function's symbols are the STT_FUNC symbols of its name, with or without a suffix.
fn function_symbols(tables: &mut Tables<'_>, way: Way) {
    const STT_FUNC: u32 = 2;
    let functions = tables.column(FUNCTION_NAMES);
    let text = |id| text_at(tables.strings, id);
    let of_name: HashMap<u32, u32, FixedState> = functions.iter().copied().zip(0..).collect();
    let names = tables.column(column!(Symbols, Symbol.name));
    let info = tables.column(column!(Symbols, Symbol.info));
    let mut found: Vec<(u32, u32)> = (0u32..)
        .zip(names.iter().zip(info))
        .filter(|(_, (_, info))| *info & 0xf == STT_FUNC)
        .filter_map(|(symbol, (name, _))| {
            // Most symbols have the very name of a function: no need to look at the text.
            if let Some(function) = of_name.get(name) {
                return Some((*function, symbol));
            }
            let base = base_name(text(*name));
            let function = functions.binary_search_by(|id| text(*id).cmp(base)).ok()?;
            Some((function as u32, symbol))
        })
        .collect();
    found.sort_unstable();
    let mut first = 0;
    tables.guess(way, FIRST_SYMBOLS, |_, index, _| {
        while found.get(first).is_some_and(|(function, _)| (*function as usize) < index) {
            first += 1;
        }
        first as u32
    });
    tables.guess(way, FUNCTION_SYMBOLS, |_, index, _| found.get(index).map_or(0, |(_, symbol)| *symbol));
}

/// A symbol lies near the one before it in the same section.
fn symbol_addresses(tables: &mut Tables<'_>, way: Way) {
    let mut last = HashMap::with_hasher(FixedState::with_seed(0));
    tables.guess(way, SYMBOL_ADDRESSES, |tables, index, before| {
        let sections = tables.column(column!(Symbols, Symbol.section));
        if let Some(address) = before.last() {
            last.insert(at(sections, index - 1), *address);
        }
        last.get(&at(sections, index)).copied().unwrap_or_default()
    });
}

/// An instance is declared where the one before it of the same function is, else in its unit's file.
fn declarations(tables: &mut Tables<'_>, way: Way) {
    let functions = tables.functions_of_instances();
    tables.guess(way, DECL_FILES, |tables, index, before| match before.last() {
        Some(file) if continues(&functions, index) => *file,
        _ => {
            let unit = at(tables.column(UNITS), index);
            tables.column(UNIT_FILES).get(unit as usize).copied().unwrap_or(NONE)
        }
    });
}

/// An instance has the prototype of the one before it of the same function, else the one in BTF.
fn prototypes(tables: &mut Tables<'_>, way: Way) {
    let functions = tables.functions_of_instances();
    tables.guess(way, column!(Instances, Instance.prototype), |tables, index, before| match before.last() {
        Some(prototype) if continues(&functions, index) => *prototype,
        _ => {
            let func = at(tables.column(BTF_FUNCS), at(&functions, index) as usize);
            let targets = tables.column(column!(Types, Type.size_or_type));
            targets.get(func as usize).copied().unwrap_or(NONE)
        }
    });
}

/// The instances of a function that have an address are where its symbols are, one after the other.
fn instance_addresses(tables: &mut Tables<'_>, way: Way) {
    let functions = tables.functions_of_instances();
    let mut next = 0;
    tables.guess(way, INSTANCE_ADDRESSES, |tables, index, _| {
        let function = at(&functions, index) as usize;
        let firsts = tables.column(FIRST_SYMBOLS);
        let symbols = tables.column(FUNCTION_SYMBOLS);
        if !continues(&functions, index) {
            next = at(firsts, function) as usize;
        }
        let end = firsts.get(function + 1).map_or(symbols.len(), |end| *end as usize);
        let has_address =
            at(tables.column(column!(Instances, Instance.flags)), index) & INSTANCE_HAS_ADDRESS != 0;
        if !has_address || next >= end {
            return 0;
        }
        let symbol = at(symbols, next) as usize;
        next += 1;
        at(tables.column(SYMBOL_ADDRESSES), symbol)
    });
}

/// Callers come in the order of the image. In the order of units and lines a caller is near the one before
/// it, and the first one is near the function it calls, which mostly is in the same file.
fn callers(tables: &mut Tables<'_>, way: Way) {
    let order = image_order(tables);
    let mut rank = vec![0; order.len()];
    for (place, instance) in (0..).zip(&order) {
        rank[*instance as usize] = place;
    }
    for (column, firsts) in [
        (INLINE_CALLERS, column!(Instances, Instance.first_inline_site)),
        (CALL_CALLERS, column!(Instances, Instance.first_call_site)),
    ] {
        let callees = tables.owners(firsts, tables.column(column).len());
        if way == Way::Pack {
            tables.change(column, |_, words| words.into_iter().map(|caller| ranked(&rank, caller)).collect());
        }
        tables.guess(way, column, |_, index, before| match before.last() {
            Some(caller) if continues(&callees, index) => *caller,
            _ => at(&rank, at(&callees, index) as usize),
        });
        if way == Way::Unpack {
            tables.change(column, |_, words| words.into_iter().map(|rank| ranked(&order, rank)).collect());
        }
    }
}

/// What a permutation makes of an instance. Callers behind the instances are in a table of their own and stay.
fn ranked(permutation: &[u32], instance: u32) -> u32 {
    permutation.get(instance as usize).copied().unwrap_or(instance)
}

/// The instances by unit; in it those of its own file first; then by line.
fn image_order(tables: &Tables<'_>) -> Vec<u32> {
    let files = tables.column(UNIT_FILES);
    let lines = tables.column(DECL_LINES);
    let declared = tables.column(DECL_FILES).iter().zip(lines);
    let mut keys: Vec<(u32, u32, u32, u32)> = (0u32..)
        .zip(tables.column(UNITS).iter().zip(declared))
        .map(|(index, (unit, (file, line)))| {
            (*unit, at(files, *unit as usize).wrapping_sub(*file), *line, index)
        })
        .collect();
    keys.par_sort_unstable();
    keys.into_iter().map(|(.., index)| index).collect()
}

/// Which instance each inlined copy is a copy of.
fn inlined_instances(tables: &Tables<'_>) -> Vec<u32> {
    let len = tables.column(INLINE_CALLERS).len();
    tables.owners(column!(Instances, Instance.first_inline_site), len)
}

/// An inlined copy is behind the one before it in the same caller, else behind the caller's first byte.
fn inline_addresses(tables: &mut Tables<'_>, way: Way) {
    let callees = inlined_instances(tables);
    tables.guess(way, column!(InlineSites, InlineSite.address), |tables, index, before| {
        let callers = tables.column(INLINE_CALLERS);
        match before.last() {
            Some(address) if continues(&callees, index) && continues(callers, index) => *address,
            _ => {
                let caller = at(tables.column(INSTANCE_ADDRESSES), at(callers, index) as usize);
                caller.wrapping_sub(tables.base_address as u32)
            }
        }
    });
}

/// A call is in the file of its caller, or where the one before it was, if that was another file.
fn inline_files(tables: &mut Tables<'_>, way: Way) {
    let callees = inlined_instances(tables);
    tables.guess(way, INLINE_FILES, |tables, index, before| {
        let file_of =
            |index| at(tables.column(DECL_FILES), at(tables.column(INLINE_CALLERS), index) as usize);
        match before.last() {
            Some(file) if continues(&callees, index) && *file != file_of(index - 1) => *file,
            _ => file_of(index),
        }
    });
}

/// A call in the caller's file is behind the caller's line; one in another file, which is that of a function
/// inlined in between, is where an earlier one in that file was.
fn inline_lines(tables: &mut Tables<'_>, way: Way) {
    /// How many copies of the same function to look back.
    const LOOK_BACK: usize = 32;
    let callees = inlined_instances(tables);
    tables.guess(way, column!(InlineSites, InlineSite.call_line), |tables, index, before| {
        let callers = tables.column(INLINE_CALLERS);
        let files = tables.column(INLINE_FILES);
        let caller = at(callers, index);
        let of_same_function = |earlier: &usize| at(&callees, *earlier) == at(&callees, index);
        let mut earlier = (index.saturating_sub(LOOK_BACK)..index).rev().take_while(of_same_function);
        if at(files, index) == at(tables.column(DECL_FILES), caller as usize) {
            match earlier.next() {
                Some(earlier) if at(callers, earlier) == caller => before[earlier],
                _ => at(tables.column(DECL_LINES), caller as usize),
            }
        } else {
            let in_same_file = earlier.find(|earlier| at(files, *earlier) == at(files, index));
            in_same_file.map_or(0, |earlier| before[earlier])
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn columns(words: &[u32], lengths: &[usize]) -> [Vec<Vec<u32>>; Section::ALL.len()] {
        let mut words = words.iter().cycle().copied();
        let mut lengths = lengths.iter().cycle().copied();
        Section::ALL.map(|section| {
            let columns = section.fields().len() * 2;
            (0..columns).map(|_| words.by_ref().take(lengths.next().unwrap_or(0)).collect()).collect()
        })
    }

    proptest! {
        /// Columns of any length with any words, as a damaged file may hold them.
        #[test]
        fn foreign_columns_do_no_harm(
            strings in prop::collection::vec(0u8..4, 0..40),
            words in prop::collection::vec(prop_oneof![0u32..20, any::<u32>()], 1..200),
            lengths in prop::collection::vec(0usize..12, 1..60),
        ) {
            let columns = columns(&words, &lengths);
            let mut hostile = Tables { columns, strings: &strings, base_address: 0 };
            hostile.unpack();
            hostile.pack();
        }

        #[test]
        fn groups_come_back(pairs in prop::collection::vec((any::<u32>(), 0u32..5), 0..60)) {
            let (words, keys): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
            let grouped = group(&words, &keys, Way::Pack);
            prop_assert_eq!(group(&grouped, &keys, Way::Unpack), words);
        }
    }

    #[test]
    fn runs_belong_to_the_last_record_that_begins_before() {
        let mut tables = Tables { columns: Section::ALL.map(|_| Vec::new()), strings: b"", base_address: 0 };
        tables.columns[Section::Functions as usize - 1] = vec![vec![0, 2, 2, 3]];
        assert_eq!(tables.owners((Section::Functions, 0), 5), [0, 0, 2, 3, 3]);
        assert_eq!(tables.owners((Section::Functions, 9), 2), [0, 0], "no such column");
    }
}
