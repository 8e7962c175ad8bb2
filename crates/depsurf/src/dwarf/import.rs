//! Partial units, which `dwz` makes of what several compile units have alike (DWARF 5 §3.1.1): they become part of
//! each unit that imports them again, as if nobody had taken them out.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::unit::{FunctionRef, Unit};
use crate::note::Notes;

/// Bytes of `.debug_info` for each function and edge that imports may add. In a real kernel they are 600; a hostile file
/// could import the same large unit a million times.
const BYTES_FOR_EACH: usize = 16;
/// Bytes of `.debug_info` for each import that is followed, once for every unit that it leads to.
const BYTES_FOR_IMPORT: usize = 4;
/// What imports may add, and how many are followed, however small the file is.
const ALWAYS_ALLOWED: usize = 1 << 16;

/// Gives the compile units with what they import, in their order; the partial units go.
///
/// `unit_offsets` are of all units, `size` is that of `.debug_info`.
pub(super) fn expand(units: Vec<Unit>, unit_offsets: &[usize], size: usize, notes: &mut Notes) -> Vec<Unit> {
    if units.iter().all(|unit| !unit.is_partial && unit.imports.is_empty()) {
        return units;
    }
    let (partial, mut whole): (Vec<Unit>, Vec<Unit>) = units.into_iter().partition(|unit| unit.is_partial);
    let partial: HashMap<u32, Unit, FixedState> =
        partial.into_iter().map(|unit| (unit.index, unit)).collect();
    let mut left = (size / BYTES_FOR_EACH).max(ALWAYS_ALLOWED);
    let mut steps = (size / BYTES_FOR_IMPORT).max(ALWAYS_ALLOWED);
    let size = |part: &&Unit| part.functions.len() + part.inlined.len() + part.calls.len();
    for unit in &mut whole {
        let imported = closure(unit, &partial, &mut steps).and_then(|imported| {
            left = left.checked_sub(imported.iter().map(size).sum())?;
            Some(imported)
        });
        match imported {
            Some(imported) => add(unit, &imported, unit_offsets),
            None => {
                let place = || format!(".debug_info+{:#x}", unit_offsets[unit.index as usize]);
                let message = || "what compile units import is left out: together it is too much".into();
                notes.lost("dwarf-import", message, place);
            }
        }
    }
    whole
}

/// All partial units that a unit imports, directly or through others, in the order of `.debug_info`; `None` where that takes
/// more steps than are left.
fn closure<'a>(
    unit: &Unit,
    partial: &'a HashMap<u32, Unit, FixedState>,
    steps: &mut usize,
) -> Option<Vec<&'a Unit>> {
    let mut found: HashMap<u32, &Unit, FixedState> = HashMap::default();
    let mut next = unit.imports.clone();
    while let Some(index) = next.pop() {
        *steps = steps.checked_sub(1)?;
        if let Some(part) = partial.get(&index)
            && found.insert(index, part).is_none()
        {
            next.extend(&part.imports);
        }
    }
    let mut imported: Vec<&Unit> = found.into_values().collect();
    imported.sort_unstable_by_key(|part| part.index);
    Some(imported)
}

/// Adds the contents of partial units to a unit. Code has an address and so is in one unit only: no partial unit has any.
fn add(unit: &mut Unit, imported: &[&Unit], unit_offsets: &[usize]) {
    let mut starts = Vec::with_capacity(imported.len());
    for part in imported {
        starts.push(unit.functions.len() as u32);
        unit.functions.extend_from_slice(&part.functions);
    }
    // What is elsewhere may be here now.
    let find = |reference| {
        let FunctionRef::Elsewhere(offset) = reference else { return reference };
        let found = || {
            let index = unit_offsets.partition_point(|start| *start <= offset).checked_sub(1)?;
            let at = imported.binary_search_by_key(&(index as u32), |part| part.index).ok()?;
            let inner = u32::try_from(offset - unit_offsets[index]).ok()?;
            let functions = &imported[at].functions;
            let function = functions.binary_search_by_key(&inner, |function| function.offset).ok()?;
            Some(FunctionRef::Here(starts[at] + function as u32))
        };
        found().unwrap_or(reference)
    };
    for copy in &mut unit.inlined {
        (copy.callee, copy.caller) = (find(copy.callee), find(copy.caller));
    }
    for call in &mut unit.calls {
        (call.callee, call.caller) = (find(call.callee), find(call.caller));
    }
    for code in &mut unit.out_of_line {
        code.function = find(code.function);
        if let FunctionRef::Here(index) = code.function {
            unit.functions[index as usize].address.get_or_insert(code.address);
        }
    }
    for (part, start) in imported.iter().zip(&starts) {
        let moved = |reference| match reference {
            FunctionRef::Here(index) => FunctionRef::Here(start + index),
            reference => find(reference),
        };
        unit.inlined.extend(part.inlined.iter().cloned().map(|mut copy| {
            (copy.callee, copy.caller) = (moved(copy.callee), moved(copy.caller));
            copy
        }));
        unit.calls.extend(part.calls.iter().cloned().map(|mut call| {
            (call.callee, call.caller) = (moved(call.callee), moved(call.caller));
            call
        }));
    }
}
