//! What a surface has, in numbers.

use depsurf::surface::meta::Fact;
use depsurf::surface::record::{
    ATTACH_BLACKLIST, ATTACH_ENTRY, ATTACH_EXPORTED, ATTACH_FTRACE, ATTACH_INIT, ATTACH_KPROBES_TEXT,
    ATTACH_NOINSTR,
};
use depsurf::surface::{Surface, TypeKind};

/// How many there are of something; `None` where the image does not tell.
pub type Count = Option<usize>;

/// The columns of the table.
pub const COLUMNS: [&str; 15] = [
    "func",
    "symbol",
    "ftrace",
    "forbidden",
    "init",
    "export",
    "struct",
    "event",
    "raw tp",
    "lsm",
    "kfunc",
    "call",
    "args",
    "compat",
    "config",
];

/// What each column counts, in the order of [`COLUMNS`].
pub const MEANING: [&str; COLUMNS.len()] = [
    "names of functions in the debug information",
    "function symbols",
    "function symbols with an ftrace site",
    "function symbols where no kprobe may be: on the blacklist, in entry or noinstr code",
    "function symbols in code that is freed after boot",
    "exported symbols",
    "names of structs",
    "trace events, those of system calls aside",
    "raw tracepoints",
    "LSM hooks",
    "functions that programs may call",
    "system calls of the native table that are implemented",
    "of these, those whose arguments are known",
    "implemented entries of tables for other ABIs",
    "options of the configuration",
];

/// The numbers of a surface, in the order of [`COLUMNS`].
pub fn counts(surface: &Surface) -> [Count; COLUMNS.len()] {
    let known = |fact, count: usize| surface.meta().knows(fact).then_some(count);
    let functions = || surface.symbols().filter(|symbol| symbol.elf_type() == 2);
    let with = |bits: u32| functions().filter(|symbol| symbol.attach() & bits != 0).count();
    let forbidden = ATTACH_BLACKLIST | ATTACH_ENTRY | ATTACH_KPROBES_TEXT | ATTACH_NOINSTR;
    let mut structs: Vec<&str> = surface
        .types()
        .named()
        .filter(|found| found.kind() == TypeKind::Struct)
        .map(|found| found.name())
        .collect();
    structs.sort_unstable();
    structs.dedup();
    let native = surface.syscalls().next().map_or("", |syscall| syscall.abi());
    let calls = |is_native: bool| {
        surface
            .syscalls()
            .filter(move |syscall| (syscall.abi() == native) == is_native && syscall.is_implemented())
    };
    [
        known(Fact::Functions, surface.functions().len()),
        known(Fact::Symbols, functions().count()),
        known(Fact::FtraceSites, with(ATTACH_FTRACE)),
        known(Fact::KprobeBlacklist, with(forbidden)),
        known(Fact::Symbols, with(ATTACH_INIT)),
        known(Fact::Exports, surface.symbols().filter(|symbol| symbol.has(ATTACH_EXPORTED)).count()),
        known(Fact::Types, structs.len()),
        known(Fact::Tracepoints, surface.tracepoints().filter(|event| event.has_event()).count()),
        known(Fact::RawTracepoints, surface.tracepoints().filter(|event| event.is_raw()).count()),
        known(Fact::LsmHooks, surface.lsm_hooks().len()),
        known(Fact::Kfuncs, surface.kfuncs().len()),
        known(Fact::Syscalls, calls(true).count()),
        known(Fact::SyscallMetadata, calls(true).filter(|syscall| syscall.args().is_some()).count()),
        known(Fact::CompatSyscalls, calls(false).count()),
        known(Fact::Config, surface.configs().len()),
    ]
}
