//! Sets of BTF ids in `.BTF_ids`, as `BTF_SET_START` and `BTF_SET8_START` declare them and the build
//! resolves them.

use super::memory::{Memory, Place};
use crate::c::TypeTable;
use crate::elf::Symbol;

/// A set of functions.
#[derive(Clone, Debug)]
pub struct IdSet {
    name: String,
    /// Flags of the set; `None` for a set without flags.
    flags: Option<u32>,
    functions: Vec<(String, u32)>,
}

impl IdSet {
    /// `struct btf_id_set`: a count and ids, at `__BTF_ID__set__NAME`.
    pub fn set(name: &str) -> IdSet {
        IdSet { name: name.to_owned(), flags: None, functions: Vec::new() }
    }

    /// `struct btf_id_set8`: a count, flags, and pairs of id and flags, at `__BTF_ID__set8__NAME`. Since
    /// Linux 6.9 the flags of a set of kfuncs are 1.
    pub fn set8(name: &str, flags: u32) -> IdSet {
        IdSet { flags: Some(flags), ..IdSet::set(name) }
    }

    /// Adds a function of the BTF. One that is not there gets the id 0.
    pub fn function(self, name: &str) -> IdSet {
        self.flagged(name, 0)
    }

    /// Adds a function with `KF_*` flags, which only a set8 stores.
    pub fn flagged(mut self, name: &str, flags: u32) -> IdSet {
        self.functions.push((name.to_owned(), flags));
        self
    }
}

/// Writes the sets. The members of each are sorted by id, while their symbols, `__BTF_ID__func__NAME__N`,
/// stay in the order of the source: a symbol's name says nothing about the id that is stored at it.
pub(super) fn write(sets: &[IdSet], types: &TypeTable, memory: &mut Memory) {
    let mut counter = 0;
    let place = Place::BtfIds;
    for set in sets {
        let mut ids: Vec<(u32, u32)> =
            set.functions.iter().map(|(name, flags)| (types.find_func(name).unwrap_or(0), *flags)).collect();
        ids.sort_unstable();
        let start = memory.u32(place, ids.len() as u32);
        if let Some(flags) = set.flags {
            memory.u32(place, flags);
        }
        for ((name, _), (id, flags)) in set.functions.iter().zip(ids) {
            counter += 1;
            let at = memory.u32(place, id);
            memory.symbol(Symbol::object(format!("__BTF_ID__func__{name}__{counter}"), at, 4));
            if set.flags.is_some() {
                memory.u32(place, flags);
            }
        }
        let kind = if set.flags.is_some() { "set8" } else { "set" };
        let symbol = Symbol::notype(format!("__BTF_ID__{kind}__{}", set.name), start);
        memory.symbol(symbol.size(memory.here(place) - start));
    }
}
