//! System calls: the entries of the native table and of those for other ABIs, and from the metadata that
//! `SYSCALL_DEFINE` leaves for tracing, names and types of their arguments.
//!
//! An entry that is `sys_ni_syscall`, or the weak stand-in that `COND_SYSCALL` makes where the real entry was not
//! built (`kernel/sys_ni.c`), is there but not implemented.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::image::{Image, Symbol, SyscallTable};
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, SYSCALL_HAS_ARGS, SYSCALL_UNIMPLEMENTED};
use crate::surface::syscall::metadata_name;
use crate::surface::types::Types;

use super::dispatch;
use super::layout::{Layout, Place, Texts};

/// The name of entries that no system call has.
const UNUSED: &str = "ni_syscall";
/// More entries than any table has; what says it has more is damaged.
const MAX_ENTRIES: u64 = 8192;
/// `SYSCALL_DEFINE` takes at most six arguments.
const MAX_ARGS: u64 = 6;

/// The system calls, sorted by ABI and number.
#[derive(Debug)]
pub struct Syscalls {
    list: Vec<Syscall>,
    /// Type and name of each argument, by name of the system call.
    args: HashMap<String, Vec<(String, String)>>,
    evidence: [(Fact, Evidence); 3],
}

#[derive(Debug)]
struct Syscall {
    abi: &'static str,
    number: u32,
    name: String,
    symbol: String,
    unimplemented: bool,
    /// Whether it takes the arguments that the metadata says: entries for a compat ABI may take others.
    is_native: bool,
}

/// Reads tables and metadata. What cannot be read is unknown, and a note.
pub fn read(image: &Image<'_>, types: Types<'_>, notes: &mut Notes) -> Syscalls {
    let mut list = Vec::new();
    let known = |result: Result<Evidence>, what: &str, notes: &mut Notes| {
        result.unwrap_or_else(|error| {
            notes.lost("syscall-table", || format!("cannot read {what}: {error}"), || what.to_owned());
            Evidence::unknown(error.to_string())
        })
    };
    let mut native = Evidence::unknown("the architecture has no known system call table");
    let (mut read_compat, mut no_compat) = (Vec::new(), Vec::new());
    for (index, table) in image.machine().syscall_tables.iter().enumerate() {
        let evidence = known(read_table(image, table, &mut list, notes), table.symbol, notes);
        match evidence {
            evidence if index == 0 => native = evidence,
            Evidence::Known { source } => read_compat.push(source),
            Evidence::Unknown { reason } => no_compat.push((table, reason)),
        }
    }
    let compat = compat_evidence(image, &read_compat, &no_compat);
    let mut args = HashMap::new();
    let metadata = known(read_metadata(image, types, &mut args, notes), "the system call metadata", notes);
    list.sort_by_key(|syscall: &Syscall| (syscall.abi, syscall.number));
    let evidence =
        [(Fact::Syscalls, native), (Fact::CompatSyscalls, compat), (Fact::SyscallMetadata, metadata)];
    Syscalls { list, args, evidence }
}

/// What is known about all tables but the native one together: a kernel built for an ABI has either its table or
/// its dispatcher.
fn compat_evidence(image: &Image<'_>, read: &[String], missing: &[(&SyscallTable, String)]) -> Evidence {
    let unread = missing.iter().find(|(table, _)| {
        table.dispatcher.is_some_and(|name| image.symbol(name).is_some())
            || image.symbol(table.symbol).is_some()
    });
    match unread {
        Some((_, reason)) => Evidence::unknown(reason.clone()),
        None if read.is_empty() => Evidence::known("no table for another ABI"),
        None => Evidence::known(read.join(", ")),
    }
}

/// Adds the entries of a table, or of the function that stands in for it.
fn read_table(
    image: &Image<'_>,
    table: &'static SyscallTable,
    list: &mut Vec<Syscall>,
    notes: &mut Notes,
) -> Result<Evidence> {
    let dispatcher = table.dispatcher.filter(|name| image.symbol(name).is_some());
    let (entries, source) = match (image.symbol(table.symbol), dispatcher) {
        (Some(symbol), _) => (table_entries(image, table, symbol)?, table.symbol),
        (None, Some(name)) => {
            let is_entry = |address| {
                let mut names = image.symbols_at(address).map(|(_, symbol)| symbol.text());
                names.any(|name| table.prefixes.iter().any(|prefix| name.starts_with(prefix)))
            };
            (dispatch::entries(image, name, is_entry)?, name)
        }
        (None, None) => return Ok(Evidence::unknown(format!("there is no `{}`", table.symbol))),
    };
    for (number, &entry) in (table.first_number..).zip(&entries) {
        match syscall(image, table, number, entry) {
            Some(syscall) => list.push(syscall),
            None => notes.lost(
                "syscall-entry",
                || "a system call entry has no symbol".into(),
                || format!("`{source}` number {number}, {entry:#x}"),
            ),
        }
    }
    Ok(Evidence::known(source))
}

/// The pointers of a table.
fn table_entries(image: &Image<'_>, table: &SyscallTable, symbol: &Symbol<'_>) -> Result<Vec<u64>> {
    let size = u64::from(image.address_size());
    let count = (image.symbol_end(symbol) - symbol.address) / size;
    if count == 0 || count > MAX_ENTRIES {
        let what = format!("{count} entries is no credible size");
        return Err(Error::malformed("image", format!("table `{}`", table.symbol), what));
    }
    let mut entries = image.pointers(symbol.address..symbol.address + count * size)?;
    if symbol.size == 0 {
        // Without a size the table ends at the next symbol, or where its pointers do.
        let is_code = |entry: &u64| image.section_of(*entry).is_some_and(|section| section.is_executable());
        entries.truncate(entries.iter().take_while(|entry| is_code(entry)).count());
    }
    Ok(entries)
}

/// The system call of an entry's address.
fn syscall(image: &Image<'_>, table: &'static SyscallTable, number: u32, entry: u64) -> Option<Syscall> {
    // Of several names the one with the likeliest prefix is it; `sys_ni_syscall` beats its aliases, which
    // are the weak names of system calls that were not built.
    let (_, symbol, name) = image
        .symbols_at(entry)
        .filter(|(_, symbol)| !symbol.name.starts_with(b"$"))
        .map(|(_, symbol)| {
            let name = symbol.text();
            let stripped =
                table.prefixes.iter().enumerate().find_map(|(rank, prefix)| {
                    name.strip_prefix(prefix).map(|rest| (rank + 1, symbol, rest))
                });
            match stripped {
                Some((_, symbol, UNUSED)) => (0, symbol, UNUSED),
                Some(stripped) => stripped,
                None => (table.prefixes.len() + 1, symbol, name),
            }
        })
        // GCC's `NAME.localalias` is the same function for calls from its own unit.
        .min_by_key(|(rank, symbol, _)| (*rank, symbol.name.contains(&b'.')))?;
    Some(Syscall {
        abi: table.abi,
        number,
        name: name.to_owned(),
        symbol: symbol.text().to_owned(),
        unimplemented: name == UNUSED || is_weak(symbol),
        is_native: !symbol.text().contains("compat_sys_"),
    })
}

/// Whether a symbol is weak: it would be gone had a real definition been linked.
fn is_weak(symbol: &Symbol<'_>) -> bool {
    symbol.info >> 4 == object::elf::STB_WEAK.0
}

/// `struct syscall_metadata`, by the pointers in `__start_syscalls_metadata`..`__stop_syscalls_metadata`.
fn read_metadata(
    image: &Image<'_>,
    types: Types<'_>,
    args: &mut HashMap<String, Vec<(String, String)>>,
    notes: &mut Notes,
) -> Result<Evidence> {
    let Some(list) = image.between("__start_syscalls_metadata", "__stop_syscalls_metadata") else {
        return Ok(Evidence::unknown(
            "there is no `__start_syscalls_metadata`: the kernel was built without system call tracing",
        ));
    };
    let texts = Texts::new(image);
    let layout = Layout::of(types, "syscall_metadata")?;
    let name = layout.place("name", image)?;
    let count = layout.place("nb_args", image)?;
    let (arg_types, arg_names) = (layout.place("types", image)?, layout.place("args", image)?);
    for address in image.pointers(list)? {
        let read = || -> Result<_> {
            let name = texts.at(name.read(image, address)?)?;
            let count = count.read(image, address)?;
            if count > MAX_ARGS {
                let what = format!("{count} arguments are more than {MAX_ARGS}");
                return Err(Error::malformed("image", format!("metadata of `{name}`"), what));
            }
            let strings = |place: Place| -> Result<Vec<String>> {
                let start = place.read(image, address)?;
                let end = start.saturating_add(count * u64::from(image.address_size()));
                image.pointers(start..end)?.into_iter().map(|at| texts.at(at)).collect()
            };
            let pairs = strings(arg_types)?.into_iter().zip(strings(arg_names)?).collect();
            Ok((name, pairs))
        };
        match read() {
            Ok((name, pairs)) => {
                let name = name.strip_prefix("sys_").unwrap_or(&name).to_owned();
                args.entry(name).or_insert(pairs);
            }
            Err(error) => notes.lost(
                "syscall-metadata",
                || format!("the metadata of a system call cannot be read: {error}"),
                || format!("`struct syscall_metadata` at {address:#x}"),
            ),
        }
    }
    Ok(Evidence::known("__start_syscalls_metadata"))
}

impl Syscalls {
    /// Moves the system calls into the surface.
    pub fn store(self, parts: &mut Parts) {
        let arch = parts.meta.kernel.arch;
        for syscall in self.list {
            let args = self.args.get(metadata_name(arch, &syscall.name));
            let args = args.filter(|_| syscall.is_native && !syscall.unimplemented);
            let mut flags = if syscall.unimplemented { SYSCALL_UNIMPLEMENTED } else { 0 };
            if args.is_some() {
                flags |= SYSCALL_HAS_ARGS;
            }
            let mut text = |text: &str| parts.strings.intern(text.as_bytes()).0.into();
            parts.syscalls.push(record::Syscall {
                abi: text(syscall.abi),
                number: syscall.number.into(),
                name: text(&syscall.name),
                symbol: text(&syscall.symbol),
                first_arg: (parts.syscall_args.len() as u32).into(),
                flags: flags.into(),
            });
            for (type_name, name) in args.into_iter().flatten() {
                let arg = record::SyscallArg { type_name: text(type_name), name: text(name) };
                parts.syscall_args.push(arg);
            }
        }
        parts.meta.evidence.extend(self.evidence);
    }
}
