//! The kernel's tables, read from images that `testkit` builds for every width, byte order and way to store pointers.

use testkit::elf::{Elf, Machine, Section, Symbol};
use testkit::kernel::{Function, IdSet, Kernel, Pointers, Syscall};
use testkit::{Endian, Target, btf};

use super::layout::Layout;
use super::{attach, config, identity, kfunc, lsm, set, symbol, syscall, tracepoint};
use crate::image::Image;
use crate::note::{Note, Notes};
use crate::surface::Surface;
use crate::surface::build::Parts;
use crate::surface::meta::Fact;
use crate::surface::record::{self, SET_8, SET_KFUNCS};
use crate::surface::strings::Strings;
use crate::surface::syscall::SyscallEvent;
use crate::surface::types::TypeId;

const KERNELS: [(Machine, Target); 5] = [
    (Machine::X86_64, Target::LE64),
    (Machine::AARCH64, Target::LE64),
    (Machine::S390, Target::BE64),
    (Machine::I386, Target::LE32),
    (Machine::ARM, Target::LE32),
];

const CONFIG: &str = "#\n# Linux kernel configuration\n#\nCONFIG_BPF=y\n# CONFIG_DEBUG_KERNEL is not set\n\
    CONFIG_DEFAULT_HOSTNAME=\"(none)\"\n";

/// All tables but those from DWARF.
fn parts_of(bytes: &[u8]) -> (Parts, Notes) {
    let image = Image::parse(bytes).unwrap();
    let name = format!("6.1.0-1-test-{}", image.machine().arch).parse().unwrap();
    let mut parts = Parts::new(identity::read(&image, None, Some(&name)).unwrap());
    let mut notes = Notes::new();
    if let Ok(Some(blob)) = image.section_data(".BTF")
        && let Ok(types) = crate::btf::read(&blob, &mut parts.strings, &mut notes)
    {
        parts.types = types;
        parts.meta.btf_types = parts.types.next_id().0;
    }
    let attach = attach::read(&image, &mut notes);
    let by_name = parts.types.by_name(&parts.strings);
    let types = parts.types.view(&parts.strings, &by_name);
    let tracepoints = tracepoint::read(&image, types, &mut notes);
    let sets = set::read(&image, types, &parts.meta, 0..0, &mut notes);
    let hooks = lsm::read(types, &sets);
    let kfuncs = kfunc::read(types, &(1..types.len()), &sets);
    let syscalls = syscall::read(&image, types, &mut notes);
    tracepoints.store(&mut parts, |_| None);
    sets.store(&mut parts);
    hooks.store(&mut parts);
    kfuncs.store(&mut parts);
    syscalls.store(&mut parts);
    symbol::store(&image, &attach, &mut parts);
    parts.meta.evidence.extend(attach.evidence.iter().cloned());
    (parts, notes)
}

pub(super) fn surface_of(bytes: &[u8]) -> (Surface, Vec<Note>) {
    let (parts, notes) = parts_of(bytes);
    (Surface::from_bytes(parts.encode()).unwrap(), notes.into_vec())
}

/// The sample kernel of every layout, and as amd64 kernels with relocations would be.
fn samples() -> impl Iterator<Item = (Kernel, String)> {
    let plain = KERNELS
        .into_iter()
        .map(|(machine, target)| (Kernel::sample(machine, target), format!("{machine:?}")));
    let mut relr = Kernel::sample(Machine::AARCH64, Target::LE64);
    relr.pointers(Pointers::Relr);
    plain.chain([(relr, "relr".to_owned())])
}

fn attach_of(surface: &Surface, name: &str) -> u32 {
    let found = surface.symbols_named(name).next().unwrap_or_else(|| panic!("no symbol `{name}`"));
    found.attach()
}

#[test]
fn tracepoints_have_events_classes_records_and_arguments() {
    for (kernel, what) in samples() {
        let (surface, notes) = surface_of(&kernel.build().bytes());
        let lossy: Vec<_> = notes.iter().filter(|note| note.lossy).collect();
        assert!(lossy.is_empty(), "{what}: {lossy:?}");
        let found: Vec<_> = surface
            .tracepoints()
            .map(|found| (found.name().to_owned(), found.system(), found.class(), found.is_raw()))
            .collect();
        let template = Some("sched_wakeup_template");
        assert_eq!(
            found,
            [
                ("pelt_cfs_tp".to_owned(), None, None, true),
                ("sched_switch".to_owned(), Some("sched"), Some("sched_switch"), true),
                ("sched_wakeup".to_owned(), Some("sched"), template, true),
                ("sched_waking".to_owned(), Some("sched"), template, true),
            ],
            "{what}"
        );
        let switch = surface.tracepoints_named("sched_switch").next().unwrap();
        let format = "\"prev_comm=%s next_pid=%d\", REC->prev_comm, REC->next_pid";
        assert_eq!(switch.format(), Some(format));
        assert_eq!(switch.record().map(|record| record.name()), Some("trace_event_raw_sched_switch"));
        let args: Vec<_> = switch.prototype().unwrap().params().map(|param| param.name.to_owned()).collect();
        assert_eq!(args, ["__data", "preempt", "prev", "next"]);
        assert_eq!(switch.btf_trace().map(|ty| ty.name()), Some("btf_trace_sched_switch"));
        assert_eq!((switch.raw_args(), switch.writable_size()), (Some(3), None));
        let bare = surface.tracepoints_named("pelt_cfs_tp").next().unwrap();
        assert_eq!((bare.raw_args(), bare.writable_size(), bare.format()), (Some(1), Some(8), None));
        assert_eq!(bare.btf_trace().map(|ty| ty.name()), Some("btf_trace_pelt_cfs_tp"));
        assert!(surface.meta().knows(Fact::Tracepoints) && surface.meta().knows(Fact::RawTracepoints));
    }
}

/// Names are in the symbols, and where these are gone, in the `struct tracepoint`.
#[test]
fn tracepoints_without_symbols_have_their_own_names() {
    let mut bytes = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    for symbol in ["\0event_sched_switch\0", "\0__tracepoint_pelt_cfs_tp\0"] {
        let at = memchr::memmem::find(&bytes, symbol.as_bytes()).expect("the symbol's name");
        bytes[at + 1] = b'X';
    }
    let (surface, _) = surface_of(&bytes);
    let names: Vec<_> = surface.tracepoints().map(|found| found.name().to_owned()).collect();
    assert_eq!(names, ["pelt_cfs_tp", "sched_switch", "sched_wakeup", "sched_waking"]);
}

/// The BTF of 5.10 has the records, but not the functions that write them.
#[test]
fn a_prototype_that_btf_lacks_is_asked_for() {
    let mut bytes = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let function = "\0trace_event_raw_event_sched_switch\0";
    // Twice: the name in `.BTF` and the symbol.
    while let Some(at) = memchr::memmem::find(&bytes, function.as_bytes()) {
        bytes[at + 1] = b'X';
    }
    let image = Image::parse(&bytes).unwrap();
    let mut parts = Parts::new(identity::read(&image, None, None).unwrap());
    let blob = image.section_data(".BTF").unwrap().unwrap();
    parts.types = crate::btf::read(&blob, &mut parts.strings, &mut Notes::new()).unwrap();
    let by_name = parts.types.by_name(&parts.strings);
    let types = parts.types.view(&parts.strings, &by_name);
    let found = tracepoint::read(&image, types, &mut Notes::new());
    let asked = std::cell::RefCell::new(Vec::new());
    found.store(&mut parts, |name| {
        asked.borrow_mut().push(name.to_owned());
        Some(TypeId(7))
    });
    assert_eq!(asked.into_inner(), ["trace_event_raw_event_sched_switch"]);
    let switch = parts.tracepoints.iter().find(|found| found.prototype.get() == 7).unwrap();
    assert_eq!(parts.strings.get(crate::surface::strings::StrId(switch.name.get())), "sched_switch");
}

#[test]
fn system_calls_have_numbers_names_and_arguments() {
    for (kernel, what) in samples() {
        for unsized_table in [false, true] {
            let mut kernel = kernel.clone();
            if unsized_table {
                kernel.unsized_syscall_table();
            }
            let (surface, _) = surface_of(&kernel.build().bytes());
            let found: Vec<_> = surface
                .syscalls()
                .map(|call| (call.number(), call.name().to_owned(), call.is_implemented()))
                .collect();
            let unused = |number| (number, "ni_syscall".to_owned(), false);
            let want = [(0, "read".to_owned(), true), unused(1), unused(2), (3, "openat".to_owned(), true)];
            assert_eq!(found, want, "{what}");
            let width = if surface.meta().address_size == 8 { "64" } else { "32" };
            assert!(surface.syscalls().all(|call| call.abi() == width));
            let openat = surface.syscalls().nth(3).unwrap();
            let args: Vec<_> = openat.args().unwrap().iter().map(|arg| (arg.type_name, arg.name)).collect();
            assert_eq!(args, [("int", "dfd"), ("const char *", "filename")]);
            assert!(surface.syscalls().nth(1).unwrap().args().is_none());
            assert!(surface.meta().knows(Fact::Syscalls) && surface.meta().knows(Fact::SyscallMetadata));
            assert!(surface.meta().knows(Fact::CompatSyscalls), "there is none");
        }
    }
}

/// What `events/syscalls/*/format` shows; no list of the image has these events.
#[test]
fn system_calls_have_trace_events() {
    for (kernel, what) in samples() {
        let (surface, _) = surface_of(&kernel.build().bytes());
        assert_eq!(surface.has_syscall_events(), Some(true));
        let names: Vec<_> = surface.syscall_events().iter().map(|event| event.name()).collect();
        assert_eq!(
            names,
            ["sys_enter_openat", "sys_enter_read", "sys_exit_openat", "sys_exit_read"],
            "{what}"
        );
        assert!(surface.tracepoints().all(|found| !found.name().starts_with("sys_")));
        let word = u64::from(surface.meta().address_size);
        let event = surface.syscall_event("sys_enter_openat").unwrap();
        let fields = |event: SyscallEvent<'_>| -> Vec<_> {
            let fields = event.fields().unwrap();
            fields.iter().map(|it| (format!("{} {}", it.type_name, it.name), it.offset, it.size)).collect()
        };
        // `args` of 64-bit words begins behind 8 + 4 bytes of header, aligned.
        let args = if word == 8 { 16 } else { 12 };
        let head = [("struct trace_entry ent".to_owned(), 0, 8), ("int __syscall_nr".to_owned(), 8, 4)];
        let want =
            [("int dfd".to_owned(), args, word), ("const char * filename".to_owned(), args + word, word)];
        assert_eq!(fields(event), [head.as_slice(), &want].concat(), "{what}");
        let format = format!(
            "\"dfd: 0x%0{word}lx, filename: 0x%0{word}lx\", ((unsigned long)(REC->dfd)), \
             ((unsigned long)(REC->filename))"
        );
        assert_eq!((event.class(), event.format()), ("syscall_enter", Some(format)));
        assert_eq!(event.record().map(|found| found.name()), Some("syscall_trace_enter"));
        let event = surface.syscall_event("sys_exit_read").unwrap();
        let want = [("long ret".to_owned(), args, word)];
        assert_eq!(fields(event), [head.as_slice(), &want].concat(), "{what}");
        assert_eq!((event.class(), event.format()), ("syscall_exit", Some("\"0x%lx\", REC->ret".to_owned())));
        for other in ["sys_enter", "sys_enter_", "sys_enter_ni_syscall", "openat", "sched_switch"] {
            assert!(surface.syscall_event(other).is_none(), "{other}");
        }
    }
}

/// The kernel looks up metadata for the entries of its native table only, but for MIPS.
#[test]
fn calls_of_other_tables_have_no_trace_events() {
    let events = |machine, target, abi: &str| {
        let (mut parts, _) = parts_of(&Kernel::sample(machine, target).build().bytes());
        let abi = parts.strings.intern(abi.as_bytes()).0;
        parts.syscalls.iter_mut().find(|call| call.number.get() % 1000 == 3).unwrap().abi = abi.into();
        let surface = Surface::from_bytes(parts.encode()).unwrap();
        surface.syscall_events().iter().map(|event| event.name()).collect::<Vec<_>>()
    };
    assert_eq!(events(Machine::X86_64, Target::LE64, "ia32"), ["sys_enter_read", "sys_exit_read"]);
    assert_eq!(events(Machine::AARCH64, Target::LE64, "compat"), ["sys_enter_read", "sys_exit_read"]);
    assert_eq!(events(Machine::MIPS, Target::LE64, "n32").len(), 4);
}

#[test]
fn a_weak_entry_stands_for_a_system_call_that_was_not_built() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    kernel.syscall(Syscall::new(0, "read"));
    let mut elf = kernel.build().elf;
    // `COND_SYSCALL` makes a weak function; in older kernels a weak alias of `sys_ni_syscall`.
    let read = kernel.address("__x64_sys_read");
    let table = 0xffff_ffff_8800_0000u64;
    let stand_in = 0xffff_ffff_8900_0000u64;
    let mut pointers = Target::LE64.bytes();
    pointers.word(read).word(stand_in).word(stand_in + 16);
    elf.section(Section::code(".late.text", stand_in, [0xc3; 32]))
        .section(Section::rodata(".late.rodata", table, pointers.into_vec()))
        .symbol(Symbol::func("__ia32_sys_lookup_dcookie", stand_in, 16).weak())
        .symbol(Symbol::func("sys_quotactl", stand_in + 16, 16).weak())
        .symbol(Symbol::func("sys_ni_syscall", stand_in + 16, 16).global())
        .symbol(Symbol::func("__ia32_compat_sys_read", read, 16).global())
        .symbol(Symbol::object("ia32_sys_call_table", table, 24));
    let (surface, _) = surface_of(&elf.build());
    let found: Vec<_> = surface
        .syscalls()
        .filter(|call| call.abi() == "ia32")
        .map(|call| (call.name().to_owned(), call.symbol().map(str::to_owned), call.is_implemented()))
        .collect();
    let symbol = |name: &str| Some(name.to_owned());
    assert_eq!(
        found,
        [
            ("read".to_owned(), symbol("__ia32_compat_sys_read"), true),
            ("lookup_dcookie".to_owned(), symbol("__ia32_sys_lookup_dcookie"), false),
            ("ni_syscall".to_owned(), symbol("sys_ni_syscall"), false),
        ]
    );
    let compat = surface.syscalls().find(|call| call.abi() == "ia32").unwrap();
    assert!(compat.args().is_none(), "a compat entry may take other arguments than the metadata says");
}

#[test]
fn an_alias_for_calls_from_the_same_unit_names_no_system_call() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    kernel.syscall(Syscall::new(0, "read"));
    let entry = kernel.address("__x64_sys_read");
    // Locals come first in a symbol table.
    let mut elf = kernel.build().elf;
    let global = Symbol::func("__x64_sys_read", entry, 16).global();
    elf.remove_symbol("__x64_sys_read")
        .symbol(Symbol::func("__x64_sys_read.localalias", entry, 16))
        .symbol(global);
    let (surface, _) = surface_of(&elf.build());
    assert_eq!(surface.syscalls().next().map(|call| call.name()), Some("read"));
}

#[test]
fn missing_tables_are_unknown_and_say_why() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    kernel.function(Function::new("vfs_read"));
    kernel.without_syscall_metadata();
    let (surface, _) = surface_of(&kernel.build().bytes());
    assert_eq!(surface.meta().unknown_because(Fact::Syscalls), Some("there is no `sys_call_table`"));
    assert_eq!(surface.syscalls().len(), 0);

    // A dispatcher that cannot be followed leaves its table unknown; `ret` is no tree of comparisons.
    let mut elf = kernel.build().elf;
    elf.section(Section::code(".late.text", 0xffff_ffff_8900_0000, [0xc3; 32])).symbol(Symbol::func(
        "ia32_sys_call",
        0xffff_ffff_8900_0000,
        32,
    ));
    let (surface, notes) = surface_of(&elf.build());
    let why = surface.meta().unknown_because(Fact::CompatSyscalls).unwrap();
    assert!(why.contains("`ia32_sys_call`+0x0"), "{why}");
    assert!(notes.iter().any(|note| note.id == "syscall-table" && note.lossy));

    // Nothing but a banner.
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::rodata(".rodata", 0x1000, *b"Linux version 6.1.0\0")).symbol(Symbol::object(
        "linux_banner",
        0x1000,
        0,
    ));
    let (surface, notes) = surface_of(&elf.build());
    assert!(notes.is_empty(), "{notes:?}");
    for fact in [
        Fact::FtraceSites,
        Fact::KprobeBlacklist,
        Fact::Exports,
        Fact::BtfIds,
        Fact::Tracepoints,
        Fact::RawTracepoints,
        Fact::LsmHooks,
        Fact::Kfuncs,
        Fact::Syscalls,
        Fact::SyscallMetadata,
    ] {
        assert!(surface.meta().unknown_because(fact).is_some_and(|why| !why.is_empty()), "{fact:?}");
    }
}

#[test]
fn symbols_know_what_may_attach_to_them() {
    use record::{
        ATTACH_BLACKLIST, ATTACH_ENTRY, ATTACH_EXPORTED, ATTACH_EXPORTED_GPL, ATTACH_FTRACE, ATTACH_INIT,
        ATTACH_KPROBES_TEXT, ATTACH_NOINSTR,
    };
    for (kernel, what) in samples() {
        // Of these machines all but s390 have the entry code on their blacklist.
        let entry = if what == format!("{:?}", Machine::S390) { 0 } else { ATTACH_ENTRY };
        // At the entry, and behind an instruction that marks a branch target (endbr64, bti).
        for offset in [0, 4] {
            let mut kernel = kernel.clone();
            kernel.mcount_offset(offset);
            let (surface, _) = surface_of(&kernel.build().bytes());
            for (name, want) in [
                ("vfs_read", ATTACH_FTRACE | ATTACH_EXPORTED),
                ("kfree", ATTACH_FTRACE | ATTACH_EXPORTED | ATTACH_EXPORTED_GPL),
                ("rw_verify_area", ATTACH_FTRACE),
                ("rw_verify_area.cold", 0),
                ("account_slab.isra.0", ATTACH_FTRACE),
                ("get_order", 0),
                ("default_idle", ATTACH_FTRACE),
                ("start_kernel", ATTACH_FTRACE | ATTACH_INIT),
                ("exc_nmi", ATTACH_NOINSTR),
                ("do_trap", ATTACH_FTRACE | ATTACH_KPROBES_TEXT | ATTACH_BLACKLIST),
                ("notify_die", ATTACH_FTRACE | ATTACH_BLACKLIST),
                ("entry_SYSCALL_64", entry),
                ("linux_banner", 0),
            ] {
                let found = attach_of(&surface, name);
                assert_eq!(found, want, "{what}, sites at {offset}: {name} has {found:#x}");
            }
            for fact in [Fact::FtraceSites, Fact::KprobeBlacklist, Fact::Exports, Fact::ErrorInjection] {
                assert!(surface.meta().knows(fact), "{what}: {fact:?}");
            }
        }
    }
}

/// arm64 and riscv64 may keep room before a function, which the site then points to.
#[test]
fn sites_may_lie_before_their_function() {
    let mut kernel = Kernel::new(Machine::AARCH64, Target::LE64);
    for name in ["first", "second"] {
        kernel.function(Function::new(name).size(0x18));
    }
    kernel.function(Function::new("notrace").size(0x18).untraced());
    kernel.mcount_offset(-8);
    let (surface, _) = surface_of(&kernel.build().bytes());
    let found = ["first", "second", "notrace"].map(|name| attach_of(&surface, name));
    assert_eq!(found, [record::ATTACH_FTRACE, record::ATTACH_FTRACE, 0]);
}

/// Debian's 5.10 has the site of an overridden weak function in front of `__do_sys_prctl`, which has none itself.
#[test]
fn sites_of_overridden_functions_are_nobodys() {
    for (machine, target) in [
        (Machine::X86_64, Target::LE64),
        (Machine::ARM, Target::LE32),
        (Machine::S390, Target::BE64),
        (Machine::MIPS, Target::LE64),
    ] {
        let mut kernel = Kernel::new(machine, target);
        kernel.function(Function::new("traced").size(0x18));
        kernel.mcount_offset(-8);
        let (surface, notes) = surface_of(&kernel.build().bytes());
        assert_eq!(attach_of(&surface, "traced"), 0, "{machine:?}");
        let note = notes.iter().find(|note| note.id == "ftrace-site-unowned").expect("a note");
        assert_eq!((note.count, note.lossy), (1, false));
    }
}

/// Where most sites are in functions, one before a function is of an overridden one, even on arm64.
#[test]
fn sites_before_functions_are_a_matter_of_the_whole_image() {
    let mut kernel = Kernel::new(Machine::AARCH64, Target::LE64);
    for name in ["first", "second", "third"] {
        kernel.function(Function::new(name).size(0x18));
    }
    kernel.function(Function::new("notrace").size(0x18).untraced());
    let mut elf = kernel.build().elf;
    // A table of our own: two sites in functions, one where an overridden function ended before `notrace`.
    const AT: u64 = 0xffff_ffff_8900_0000;
    let mut list = Target::LE64.bytes();
    list.word(kernel.address("first"));
    list.word(kernel.address("second"));
    list.word(kernel.address("notrace") - 8);
    for name in ["__start_mcount_loc", "__stop_mcount_loc"] {
        elf.remove_symbol(name);
    }
    elf.section(Section::rodata(".sites", AT, list.into_vec()))
        .symbol(Symbol::notype("__start_mcount_loc", AT).global())
        .symbol(Symbol::notype("__stop_mcount_loc", AT + 24).global());
    let (surface, notes) = surface_of(&elf.build());
    let found = ["first", "second", "notrace"].map(|name| attach_of(&surface, name));
    assert_eq!(found, [record::ATTACH_FTRACE, record::ATTACH_FTRACE, 0]);
    assert_eq!(notes.iter().find(|note| note.id == "ftrace-site-unowned").map(|note| note.count), Some(1));
}

#[test]
fn parts_of_blacklisted_functions_are_blacklisted() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    for function in [
        Function::new("do_trap").blacklisted(),
        Function::new("do_trap.cold").untraced(),
        Function::new("exc_nmi").noinstr(),
        Function::new("exc_nmi.constprop.0"),
        Function::new("vfs_read"),
        Function::new("vfs_read.cold").untraced(),
    ] {
        kernel.function(function);
    }
    let alias = Symbol::notype("do_trap_alias", kernel.address("do_trap"));
    kernel.symbol(alias);
    let (surface, _) = surface_of(&kernel.build().bytes());
    let blacklisted = |name| attach_of(&surface, name) & record::ATTACH_BLACKLIST != 0;
    assert!(blacklisted("do_trap") && blacklisted("do_trap.cold") && blacklisted("do_trap_alias"));
    assert!(!blacklisted("exc_nmi") && blacklisted("exc_nmi.constprop.0"));
    assert!(!blacklisted("vfs_read") && !blacklisted("vfs_read.cold"));
    assert!(attach_of(&surface, "do_trap_alias") & record::ATTACH_FTRACE != 0, "aliases share the site");
}

/// Newer kernels have one table of exports, and a byte of flags for each.
#[test]
fn exports_may_have_their_licence_in_a_table_of_flags() {
    const AT: u64 = 0xffff_ffff_8800_0000;
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::code(".text", AT, [0x90; 64]))
        .section(Section::rodata(".rodata", AT + 0x1000, *b"Linux version 7.2.12\0"))
        .section(Section::rodata("__ksymtab", AT + 0x2000, [0; 36]))
        .section(Section::rodata("__kflagstab", AT + 0x3000, [0, 1, 0]))
        .section(Section::rodata("_error_injection_whitelist", AT + 0x4000, {
            let mut list = Target::LE64.bytes();
            list.word(AT + 16).u32(1).u32(0);
            list.into_vec()
        }))
        .symbol(Symbol::object("linux_banner", AT + 0x1000, 0))
        .symbol(Symbol::notype("__start___ksymtab", AT + 0x2000))
        .symbol(Symbol::notype("__stop___ksymtab", AT + 0x2024))
        .symbol(Symbol::notype("__start___kflagstab", AT + 0x3000))
        .symbol(Symbol::notype("__stop___kflagstab", AT + 0x3003))
        .symbol(Symbol::notype("__start_error_injection_whitelist", AT + 0x4000))
        .symbol(Symbol::notype("__stop_error_injection_whitelist", AT + 0x4010));
    for (index, name) in [(0, "free"), (1, "gpl"), (2, "also_free")] {
        elf.symbol(Symbol::notype(format!("__ksymtab_{name}"), AT + 0x2000 + 12 * index))
            .symbol(Symbol::func(name, AT + 16 * index, 16).global());
    }
    // A static function of another unit with the name of an exported one.
    elf.symbol(Symbol::func("free", AT + 48, 16));
    let (surface, _) = surface_of(&elf.build());
    let found: Vec<_> = ["free", "gpl", "also_free"].map(|name| attach_of(&surface, name)).into();
    let exported = record::ATTACH_EXPORTED;
    let gpl = exported | record::ATTACH_EXPORTED_GPL | record::ATTACH_ERROR_INJECTION;
    assert_eq!(found, [exported, gpl, exported]);
    assert_eq!(surface.symbols_named("free").nth(1).map(|symbol| symbol.attach()), Some(0));
}

#[test]
fn hooks_join_the_lists_and_the_sets() {
    for (kernel, what) in samples() {
        let (surface, _) = surface_of(&kernel.build().bytes());
        let found: Vec<_> = surface
            .lsm_hooks()
            .map(|hook| (hook.name().to_owned(), hook.is_attachable(), hook.is_sleepable()))
            .collect();
        let (yes, no) = (Some(true), Some(false));
        let want = [("file_open".to_owned(), yes, yes), ("task_alloc".to_owned(), yes, no)];
        assert_eq!(found, want, "{what}");
        let both = record::LSM_HEAD | record::LSM_LIST_OPTION;
        assert!(surface.lsm_hooks().all(|hook| hook.flags() & both == both));
        let params = surface.lsm_hook("task_alloc").unwrap().prototype().unwrap().params().len();
        assert_eq!(params, 2, "{what}");
    }
}

/// 6.12 and later: static calls in the place of the heads, a member that is no hook, hooks that BPF may not use.
#[test]
fn hooks_of_newer_kernels() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    let call = ("file_open", "struct list_head");
    kernel
        .types
        .structure("lsm_static_calls_table", &[call, ("vm_enough_memory", "struct list_head")])
        .union(
            "security_list_options",
            &[
                ("file_open", "int (struct list_head *) *"),
                ("vm_enough_memory", "int (long) *"),
                ("lsm_func_addr", "void *"),
            ],
        );
    for name in ["bpf_lsm_file_open", "bpf_lsm_vm_enough_memory"] {
        kernel.function(Function::new(name).proto("int", &[("pages", "long")]));
    }
    kernel
        .id_set(
            IdSet::set("bpf_lsm_hooks").function("bpf_lsm_file_open").function("bpf_lsm_vm_enough_memory"),
        )
        .id_set(IdSet::set("bpf_lsm_disabled_hooks").function("bpf_lsm_vm_enough_memory"));
    let (surface, _) = surface_of(&kernel.build().bytes());
    let found: Vec<_> =
        surface.lsm_hooks().map(|hook| (hook.name().to_owned(), hook.is_attachable())).collect();
    assert_eq!(found, [("file_open".to_owned(), Some(true)), ("vm_enough_memory".to_owned(), Some(false))]);
}

#[test]
fn kfuncs_come_from_tags_and_marked_sets() {
    for (kernel, what) in samples() {
        let (surface, notes) = surface_of(&kernel.build().bytes());
        let found: Vec<_> = surface
            .kfuncs()
            .map(|kfunc| (kfunc.name().to_owned(), kfunc.flags(), kfunc.evidence(), kfunc.sets().count()))
            .collect();
        let want = [
            ("bpf_task_acquire".to_owned(), 0, record::KFUNC_DECL_TAG, 0),
            ("cubictcp_acked".to_owned(), 0, record::KFUNC_SET, 1),
            ("cubictcp_init".to_owned(), 2, record::KFUNC_SET, 1),
        ];
        // The builder sorts a set by id and leaves the flags with the ids.
        assert_eq!(found, want, "{what}");
        assert!(surface.kfuncs().all(|kfunc| kfunc.prototype().is_some()));
        assert_eq!(surface.set_contains("btf_id_deny", "kfree"), Some(true));
        let unresolved = notes.iter().find(|note| note.id == "btf-id-unresolved").expect("a note");
        assert_eq!((unresolved.count, unresolved.lossy), (1, false), "{what}");
    }
}

#[test]
fn sets_without_btf_have_their_names_in_symbols() {
    let bytes = Kernel::sample(Machine::S390, Target::BE64).build().bytes();
    let image = Image::parse(&bytes).unwrap();
    let (parts, strings) = (Parts::new(identity::read(&image, None, None).unwrap()), Strings::new());
    let types = parts.types.view(&strings, &[]);
    let sets = set::read(&image, types, &parts.meta, 0..0, &mut Notes::new());
    let hooks: Vec<_> = sets.members("bpf_lsm_hooks").collect();
    assert_eq!(hooks, ["bpf_lsm_task_alloc", "bpf_lsm_file_open"], "in the order of the source");
    assert_eq!(sets.members("btf_id_deny").collect::<Vec<_>>(), ["kfree", "not_in_the_btf"]);
    assert!(sets.are_known());
}

#[test]
fn kernels_that_mark_no_set_have_kfuncs_all_the_same() {
    let kfunc_sets = |sets: &[(&str, Option<u32>)]| -> Vec<String> {
        let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
        kernel.function(Function::new("f").proto("void", &[]));
        for (name, flags) in sets {
            let set = flags.map_or_else(|| IdSet::set(name), |flags| IdSet::set8(name, flags));
            kernel.id_set(set.function("f"));
        }
        let (surface, _) = surface_of(&kernel.build().bytes());
        surface.sets().filter(|set| set.is_kfunc_set()).map(|set| set.name().to_owned()).collect()
    };
    assert_eq!(kfunc_sets(&[("a", Some(1)), ("b", Some(0)), ("c_kfunc_ids", None)]), ["a"]);
    assert_eq!(kfunc_sets(&[("a", Some(0)), ("x_fmodret_ids", Some(0)), ("c_kfunc_ids", None)]), ["a"]);
    assert_eq!(kfunc_sets(&[("btf_id_deny", None), ("c_kfunc_ids", None)]), ["c_kfunc_ids"]);
    assert_eq!(SET_8 | SET_KFUNCS, 3);
}

#[test]
fn members_are_read_where_the_types_put_them() {
    for (machine, target) in KERNELS {
        let mut types = btf::Btf::new(target.endian);
        let int = types.int("unsigned int", 4, btf::Encoding::Unsigned);
        let char_ = types.int("char", 1, btf::Encoding::Unsigned);
        let inner = types.union("", 4, [btf::Member::new("tp", int, 0)]);
        types.structure(
            "record",
            12,
            [
                btf::Member::new("first", char_, 0),
                btf::Member::bits("seven", int, 8, 7),
                btf::Member::bits("one", int, 15, 1),
                btf::Member::bits("wide", int, 19, 12),
                btf::Member::new("", inner, 32),
                btf::Member::new("outside", int, 96),
            ],
        );
        let (mut strings, mut notes) = (Strings::new(), Notes::new());
        let table = crate::btf::read(&types.build(), &mut strings, &mut notes).unwrap();
        let by_name = table.by_name(&strings);
        let layout = Layout::of(table.view(&strings, &by_name), "record").unwrap();

        // seven = 0x55, one = 1, wide = 0xabc behind three bits: from the low bits up, or from the high bits down.
        let little = [0x41, 0x55 | 0x80, 0xe0 | 0x05, 0x55, 4, 0, 0, 0];
        let big = [0x41, 0x55 << 1 | 1, 0x15, 0x78, 0, 0, 0, 4];
        let record = if target.endian == Endian::Little { little } else { big };
        let mut elf = Elf::new(machine, target);
        elf.section(Section::rodata(".rodata", 0x1000, *b"Linux version 6.1.0\0"))
            .section(Section::data(".data", 0x2000, [&record[..], &[0; 8]].concat()))
            .symbol(Symbol::object("linux_banner", 0x1000, 0));
        let bytes = elf.build();
        let image = Image::parse(&bytes).unwrap();
        let read = |member| layout.place(member, &image).unwrap().read(&image, 0x2000).unwrap();
        assert_eq!(read("first"), 0x41);
        assert_eq!(read("seven"), 0x55, "{machine:?}");
        assert_eq!(read("one"), 1, "{machine:?}");
        assert_eq!(read("wide"), 0xabc, "{machine:?}");
        assert_eq!(read("tp"), 4, "of an anonymous member");
        let error = layout.place("outside", &image).unwrap_err().to_string();
        assert_eq!(error, "malformed types at struct `record`: member `outside` is no number");
        let error = layout.place("nothing", &image).unwrap_err().to_string();
        assert_eq!(error, "malformed types at struct `record`: it has no member `nothing`");
    }
}

#[test]
fn options_keep_their_values_as_written() {
    let bytes = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let (mut parts, mut notes) = parts_of(&bytes);
    config::store(Some((CONFIG, "config-6.1")), &mut parts, &mut notes);
    assert!(notes.clone().into_vec().iter().all(|note| !note.lossy));
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    let found: Vec<_> = surface.configs().map(|option| (option.name, option.value)).collect();
    assert_eq!(
        found,
        [("CONFIG_BPF", "y"), ("CONFIG_DEBUG_KERNEL", "n"), ("CONFIG_DEFAULT_HOSTNAME", "\"(none)\"")]
    );

    let (mut parts, mut notes) = parts_of(&bytes);
    config::store(Some(("CONFIG_A=1\nCONFIG_A=2\n<html>\nCONFIG_=y\n", "config")), &mut parts, &mut notes);
    assert_eq!(parts.configs.len(), 1);
    let notes = notes.into_vec();
    let lost = notes.iter().find(|note| note.id == "config-line").unwrap();
    assert_eq!((lost.count, lost.first.as_deref()), (2, Some("config, line 3")));

    for nothing in [None, Some(("", "config")), Some(("# nothing\n", "config"))] {
        let (mut parts, mut notes) = parts_of(&bytes);
        config::store(nothing, &mut parts, &mut notes);
        assert!(parts.meta.unknown_because(Fact::Config).is_some());
    }
}

/// Damage anywhere gives other facts, notes or errors, but never a crash.
#[test]
fn wrong_bytes_never_panic() {
    for (machine, target) in [(Machine::X86_64, Target::LE64), (Machine::AARCH64, Target::LE64)] {
        let good = Kernel::sample(machine, target).build().bytes();
        // A fixed sequence that touches every part of the file.
        let mut state = 1u64;
        for round in 0..400 {
            let mut bytes = good.clone();
            for _ in 0..1 + round % 7 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 24) as usize % bytes.len();
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff][(state >> 16) as usize % 5];
            }
            let Ok(image) = Image::parse(&bytes) else { continue };
            if identity::read(&image, None, None).is_ok() {
                let (parts, _) = parts_of(&bytes);
                assert!(Surface::from_bytes(parts.encode()).is_ok());
            }
        }
    }
}

#[test]
fn tables_that_point_into_one_string_again_and_again_are_limited() {
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    let mut text = vec![b'x'; 1 << 20];
    *text.last_mut().unwrap() = 0;
    elf.section(Section::rodata(".rodata", 0x1000, *b"Linux version 6.1.0\0"))
        .section(Section::rodata(".text.long", 0x10_0000, text))
        .symbol(Symbol::object("linux_banner", 0x1000, 0));
    let bytes = elf.build();
    let image = Image::parse(&bytes).unwrap();
    let texts = super::layout::Texts::new(&image);
    let error = (0..100).find_map(|at| texts.at(0x10_0000 + at).err()).expect("a limit").to_string();
    assert!(error.contains("exceeds the limit of 33554432 bytes"), "{error}");
    assert_eq!(texts.at(0).unwrap(), "");
}

#[test]
fn sets_that_overlap_are_refused() {
    let mut elf = Kernel::sample(Machine::X86_64, Target::LE64).build().elf;
    let bytes = elf.build();
    let section = Image::parse(&bytes).unwrap().section(".BTF_ids").unwrap().addresses();
    for number in 0..4 {
        let size = section.end - section.start;
        elf.symbol(Symbol::notype(format!("__BTF_ID__set__over{number}"), section.start).size(size));
    }
    let (surface, notes) = surface_of(&elf.build());
    assert!(notes.iter().any(|note| note.id == "btf-id-set" && note.lossy), "{notes:?}");
    assert!(surface.sets().len() < 8);
}
