//! System calls: numbers, entries and arguments. Nothing of it is a change of the source (SPEC 5).

use super::change::{Change, What};
use super::merge::few;
use super::pair::Pair;
use crate::surface::Surface;
use crate::surface::syscall::{Syscall, SyscallArg};

/// What every empty slot of a table is called.
const NOT_IMPLEMENTED: &str = "ni_syscall";

/// All entries that have a name of their own, sorted by name, then ABI and number.
pub(super) fn all(surface: &Surface) -> Vec<(&str, Syscall<'_>)> {
    let named = surface.syscalls().filter(|found| found.name() != NOT_IMPLEMENTED);
    let mut all: Vec<(&str, Syscall<'_>)> = named.map(|found| (found.name(), found)).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

/// The entries of a name.
pub(super) fn named<'a>(surface: &'a Surface, name: &str) -> Vec<Syscall<'a>> {
    surface.syscalls().filter(|found| found.name() == name).collect()
}

/// The changes of a system call that both kernels have, table by table.
pub(super) fn changes<'a>(pair: Pair<'a>, old: &[Syscall<'a>], new: &[Syscall<'a>], out: &mut Vec<Change>) {
    let (old, new) = (few(old), few(new));
    for abi in abis(old, new) {
        let of = |list: &[Syscall<'a>]| list.iter().copied().filter(|it| it.abi() == abi).collect::<Vec<_>>();
        let (before, after) = (of(old), of(new));
        match (before.is_empty(), after.is_empty()) {
            (false, false) => table(abi, &before, &after, out),
            // A table that one of the kernels does not have at all, as on another machine, is no change.
            (true, false) if has_table(pair.old, abi) => {
                out.push(Change::added(What::EntryAdded, abi, numbers(&after)));
            }
            (false, true) if has_table(pair.new, abi) => {
                out.push(Change::removed(What::EntryRemoved, abi, numbers(&before)));
            }
            _ => {}
        }
    }
    let args = |list: &[Syscall<'a>]| list.iter().find_map(|found| found.args());
    if let (Some(old), Some(new)) = (args(old), args(new)) {
        let (old, new) = (arguments(&old), arguments(&new));
        if old != new {
            out.push(Change::changed(What::ArgsChanged, old, new));
        }
    }
}

/// The changes in one table that has the call on both kernels.
fn table(abi: &str, old: &[Syscall<'_>], new: &[Syscall<'_>], out: &mut Vec<Change>) {
    let (before, after) = (numbers(old), numbers(new));
    if before != after {
        out.push(Change::changed(What::NumberChanged, before, after).of(abi));
    }
    let implemented = |list: &[Syscall<'_>]| list.iter().any(|found| found.is_implemented());
    match (implemented(old), implemented(new)) {
        (false, true) => out.push(Change::bare(What::Implemented).of(abi)),
        (true, false) => out.push(Change::bare(What::Unimplemented).of(abi)),
        _ => {}
    }
}

/// The tables that either list names, sorted.
fn abis<'a>(old: &[Syscall<'a>], new: &[Syscall<'a>]) -> Vec<&'a str> {
    let mut abis: Vec<&str> = old.iter().chain(new).map(|found| found.abi()).collect();
    abis.sort_unstable();
    abis.dedup();
    abis
}

fn has_table(surface: &Surface, abi: &str) -> bool {
    surface.syscalls().any(|found| found.abi() == abi)
}

fn numbers(list: &[Syscall<'_>]) -> String {
    list.iter().map(|found| found.number().to_string()).collect::<Vec<_>>().join(", ")
}

/// Types and names of the arguments, in C.
fn arguments(args: &[SyscallArg<'_>]) -> String {
    let text = |arg: &SyscallArg<'_>| {
        let space = if arg.type_name.ends_with('*') { "" } else { " " };
        format!("{}{space}{}", arg.type_name, arg.name)
    };
    args.iter().map(text).collect::<Vec<_>>().join(", ")
}
