//! The modules that are loaded: their symbols, their split BTF, and the events of those that have raw tracepoints.
//!
//! What a file of theirs would tell besides is unknown: sections, sizes, sets of BTF ids.

use super::symbols::Symbols;
use crate::btf;
use crate::error::Result;
use crate::extract::set::Sets;
use crate::extract::{kfunc, module, tracepoint};
use crate::note::Notes;
use crate::source::live::{Event, Live};
use crate::surface::build::Parts;
use crate::surface::meta::Evidence;
use crate::surface::record::{self, MODULE_CODE, MODULE_LOADED};

/// Adds the types of the modules, and what these tell; and their records, which have no symbols yet. `events` are those that the
/// kernel itself has not.
///
/// # Errors
/// When the kernel's BTF, which theirs build on, is damaged.
pub fn types(live: &Live, mut events: Vec<&Event>, parts: &mut Parts, notes: &mut Notes) -> Result<()> {
    let base = match &live.btf {
        Ok(bytes) => Some(btf::Base::new(bytes)?),
        Err(_) => None,
    };
    let kernel_types = parts.types_by_name.clone();
    let sets =
        Sets { list: Vec::new(), evidence: Evidence::unknown("the running kernel's memory is not read") };
    for (number, found) in (1..).zip(&live.modules) {
        let next = parts.types.next_id().0;
        let mut own = next..next;
        match (&found.btf, base) {
            (Ok(Some(bytes)), Some(base)) => {
                match btf::read_split(bytes, base, &mut parts.types, &mut parts.strings, notes) {
                    Ok(range) => own = range,
                    Err(error) => left_out(&found.name, &error.to_string(), notes),
                }
            }
            (Err(reason), Some(_)) => left_out(&found.name, reason, notes),
            (Ok(None), _) | (_, None) => {}
        }
        if !own.is_empty() {
            let by_name = module::by_name(&kernel_types, &parts.types, &own, &parts.strings);
            let types = parts.types.view(&parts.strings, &by_name);
            let mut tracepoints = tracepoint::of_types(types, &own);
            events = tracepoints.add(events, types, true);
            let kfuncs = kfunc::read(types, &own, &sets);
            tracepoints.store_of(number, parts, |_| None);
            kfuncs.store_of(number, parts);
        }
        parts.modules.push(record::Module {
            name: parts.strings.intern(found.name.as_bytes()).0.into(),
            path: parts.strings.intern(found.path.as_bytes()).0.into(),
            first_symbol: 0.into(),
            first_type: own.start.into(),
            type_count: (own.end - own.start).into(),
            flags: (MODULE_CODE | MODULE_LOADED).into(),
        });
    }
    for event in events {
        notes.skipped(
            "event-elsewhere",
            || "an event is of a module that is left out, or a probe that was made at run time".into(),
            || format!("{}:{}", event.system, event.name),
        );
    }
    parts.index_types();
    module::sort(parts);
    Ok(())
}

fn left_out(module: &str, why: &str, notes: &mut Notes) {
    notes.lost("module-btf", || format!("the BTF of a module was left out: {why}"), || format!("`{module}`"));
}

/// Where the symbols of each module begin, which are in the surface behind the null symbol.
pub fn symbols(symbols: &Symbols<'_>, parts: &mut Parts) {
    for (number, record) in (1..).zip(&mut parts.modules) {
        let first = symbols.list.partition_point(|symbol| symbol.module < number);
        record.first_symbol = (first as u32 + 1).into();
    }
}

/// Which modules were read. Others may be loaded later, so that never all are known.
pub fn evidence(live: &Live, notes: &mut Notes) -> Evidence {
    let left_out = match &live.left_out {
        Ok(left_out) => left_out,
        Err(reason) => return Evidence::unknown(reason.clone()),
    };
    if let Some(first) = left_out.first() {
        let what = || "a loaded module is left out".into();
        notes.add("live-module", left_out.len() as u64, false, what, Some(|| format!("module `{first}`")));
    }
    match live.modules.len() {
        0 => Evidence::unknown("no loaded module was read"),
        1 => Evidence::unknown("one module that was loaded was read, and others may be loaded"),
        count => {
            Evidence::unknown(format!("{count} modules that were loaded were read, and others may be loaded"))
        }
    }
}
