//! Layouts of older kernels, as far back as Linux 4.4. What a kernel has is asked of its types and symbols, never of its
//! version, so a fixture only needs what was different.

use testkit::Target;
use testkit::btf::{Btf, Encoding, Member};
use testkit::elf::{Elf, Machine, Section, Symbol};

use super::table_tests::surface_of;
use crate::surface::meta::Fact;
use crate::surface::record::{ATTACH_BLACKLIST, ATTACH_ENTRY, ATTACH_KPROBES_TEXT};

const TEXT: u64 = 0xffff_ffff_8100_0000;
const RODATA: u64 = 0xffff_ffff_8180_0000;
const DATA: u64 = 0xffff_ffff_81a0_0000;
const TYPES: u64 = 0xffff_ffff_81b0_0000;

/// `include/linux/trace_events.h` and `include/linux/lsm_hooks.h` of Linux 4.4.
fn types() -> Vec<u8> {
    let mut btf = Btf::new(Target::LE64.endian);
    let int = btf.int("int", 4, Encoding::Signed);
    let char_ = btf.int("char", 1, Encoding::Signed);
    let text = btf.ptr(char_);
    let any = btf.ptr(0);
    let list = btf.structure("list_head", 16, [Member::new("next", any, 0), Member::new("prev", any, 64)]);
    let class = btf.structure(
        "trace_event_class",
        72,
        [Member::new("system", text, 0), Member::new("probe", any, 64), Member::new("perf_probe", any, 128)],
    );
    let tracepoint =
        btf.structure("tracepoint", 48, [Member::new("name", text, 0), Member::new("key", any, 64)]);
    let (class, tracepoint) = (btf.ptr(class), btf.ptr(tracepoint));
    let name_or_tp = btf.union("", 8, [Member::new("name", text, 0), Member::new("tp", tracepoint, 0)]);
    let event = btf.structure("trace_event", 48, [Member::new("type", int, 256)]);
    btf.structure(
        "trace_event_call",
        144,
        [
            Member::new("list", list, 0),
            Member::new("class", class, 128),
            Member::new("", name_or_tp, 192),
            Member::new("event", event, 256),
            Member::new("print_fmt", text, 640),
            Member::new("filter", any, 704),
            Member::new("mod", any, 768),
            Member::new("data", any, 832),
            Member::new("flags", int, 896),
        ],
    );
    // Their places were others: `TRACEPOINT` is bit 3 today and was bit 5.
    btf.enumeration(
        "",
        4,
        [
            ("TRACE_EVENT_FL_FILTERED", 1),
            ("TRACE_EVENT_FL_CAP_ANY", 2),
            ("TRACE_EVENT_FL_NO_SET_FILTER", 4),
            ("TRACE_EVENT_FL_IGNORE_ENABLE", 8),
            ("TRACE_EVENT_FL_WAS_ENABLED", 16),
            ("TRACE_EVENT_FL_TRACEPOINT", 32),
        ],
    );
    let file = btf.structure("file", 8, [Member::new("f_mode", int, 0)]);
    let file = btf.ptr(file);
    let opens = btf.func_proto(int, [("file", file)]);
    let opens = btf.ptr(opens);
    btf.union("security_list_options", 8, [Member::new("file_open", opens, 0)]);
    btf.structure(
        "security_hook_heads",
        32,
        [Member::new("file_open", list, 0), Member::new("task_free", list, 128)],
    );
    btf.build()
}

fn image() -> Vec<u8> {
    let mut rodata = Target::LE64.bytes();
    let mut put = |text: &str| {
        let at = RODATA + rodata.len() as u64;
        rodata.cstr(text);
        at
    };
    let banner = put("Linux version 4.4.0-21-generic (x)");
    let (system, name, format) = (put("sched"), put("sched_switch"), put("\"%s\", REC->comm"));
    rodata.align(32);
    let table = RODATA + rodata.len() as u64;
    // sys_read, stub_execve, the stand-in of what was not built, sys_ni_syscall.
    for entry in [TEXT, TEXT + 0x10, TEXT + 0x20, TEXT + 0x30] {
        rodata.word(entry);
    }
    let end = RODATA + rodata.len() as u64;

    let (class, tracepoint, call, list, blacklist) =
        (DATA, DATA + 0x80, DATA + 0x100, DATA + 0x200, DATA + 0x208);
    let mut data = Target::LE64.bytes();
    data.word(system).align(0x80);
    data.word(name).align(0x80);
    data.zeros(16).word(class).word(tracepoint).zeros(48).word(format).zeros(24).u32(32).align(0x100);
    data.word(call).word(TEXT + 0x40);

    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::code(".text", TEXT, [0xc3; 0x100]))
        .section(Section::rodata(".rodata", RODATA, rodata.into_vec()))
        .section(Section::data(".data", DATA, data.into_vec()))
        .section(Section::rodata(".BTF", TYPES, types()));
    elf.symbol(Symbol::object("linux_banner", banner, 0))
        .symbol(Symbol::object("sys_call_table", table, end - table).global());
    for (name, address) in [
        ("SyS_read", TEXT),
        ("sys_read", TEXT),
        ("stub_execve", TEXT + 0x10),
        ("sys_ni_syscall", TEXT + 0x30),
        ("do_int3", TEXT + 0x40),
        ("kprobe_handler", TEXT + 0x50),
    ] {
        elf.symbol(Symbol::func(name, address, 0x10).global());
    }
    elf.symbol(Symbol::func("sys_kexec_load", TEXT + 0x20, 0x10).weak());
    for (name, address) in [
        ("event_sched_switch", call),
        ("event_class_sched_switch", class),
        ("__tracepoint_sched_switch", tracepoint),
        ("__start_ftrace_events", list),
        ("__stop_ftrace_events", list + 8),
        ("__start_kprobe_blacklist", blacklist),
        ("__stop_kprobe_blacklist", blacklist + 8),
        ("__kprobes_text_start", TEXT + 0x50),
        ("__kprobes_text_end", TEXT + 0x60),
    ] {
        elf.symbol(Symbol::object(name, address, 0).global());
    }
    elf.build()
}

#[test]
fn linux_4_4_has_its_events_where_its_types_say() {
    let (surface, notes) = surface_of(&image());
    assert!(notes.iter().all(|note| !note.lossy), "{notes:?}");
    let event = surface.tracepoints_named("sched_switch").next().expect("the event");
    assert_eq!((event.system(), event.class()), (Some("sched"), Some("sched_switch")));
    assert_eq!(event.format(), Some("\"%s\", REC->comm"));
    assert!(event.has_event() && !event.is_raw());
    // `__start__bpf_raw_tp` came with 4.17.
    assert!(surface.meta().unknown_because(Fact::RawTracepoints).is_some());
}

#[test]
fn linux_4_4_has_hooks_in_lists_with_two_ends() {
    let (surface, _) = surface_of(&image());
    let hooks: Vec<_> = surface.lsm_hooks().map(|hook| (hook.name(), hook.prototype().is_some())).collect();
    assert_eq!(hooks, [("file_open", true), ("task_free", false)]);
}

/// Before the wrappers of 4.17 an entry was `sys_read`, with an alias `SyS_read`, or a stub of assembly.
#[test]
fn linux_4_4_calls_its_entries_by_other_names() {
    let (surface, _) = surface_of(&image());
    let calls: Vec<_> = surface
        .syscalls()
        .map(|call| (call.number(), call.name(), call.symbol(), call.is_implemented()))
        .collect();
    assert_eq!(
        calls,
        [
            (0, "read", Some("sys_read"), true),
            (1, "execve", Some("stub_execve"), true),
            (2, "kexec_load", Some("sys_kexec_load"), false),
            (3, "ni_syscall", Some("sys_ni_syscall"), false),
        ]
    );
}

#[test]
fn linux_4_4_forbids_kprobes_by_list_and_section() {
    let (surface, _) = surface_of(&image());
    assert!(surface.meta().knows(Fact::KprobeBlacklist));
    let has = |name: &str, bit| surface.symbols_named(name).any(|symbol| symbol.has(bit));
    assert!(has("do_int3", ATTACH_BLACKLIST) && has("kprobe_handler", ATTACH_KPROBES_TEXT));
    assert!(!has("sys_read", ATTACH_BLACKLIST | ATTACH_KPROBES_TEXT));
}

/// A kernel for arm64 whose text of the identity map is at an address.
fn with_identity_map(at: u64) -> Vec<u8> {
    let mut rodata = Target::LE64.bytes();
    rodata.cstr("Linux version 6.1.0-50-arm64 (x)").align(0x100).zeros(0x100);
    let mut elf = Elf::new(Machine::AARCH64, Target::LE64);
    elf.section(Section::code(".text", TEXT, [0; 0x100]))
        .section(Section::rodata(".rodata", RODATA, rodata.into_vec()))
        .symbol(Symbol::object("linux_banner", RODATA, 0))
        .symbol(Symbol::func("__cpu_setup", at, 0x10).global());
    let bounds = [
        ("_stext", TEXT),
        ("_etext", TEXT + 0x100),
        ("__idmap_text_start", at),
        ("__idmap_text_end", at + 0x20),
        ("__start_kprobe_blacklist", RODATA + 0x100),
        ("__stop_kprobe_blacklist", RODATA + 0x100),
    ];
    for (name, address) in bounds {
        elf.symbol(Symbol::object(name, address, 0).global());
    }
    elf.build()
}

#[test]
fn the_identity_map_is_on_the_blacklist_where_it_is_text() {
    let is_entry = |at| {
        let (surface, _) = surface_of(&with_identity_map(at));
        surface.symbols_named("__cpu_setup").any(|symbol| symbol.has(ATTACH_ENTRY))
    };
    assert!(is_entry(TEXT + 0x40));
    assert!(!is_entry(RODATA + 0x180), "since Linux 6.4");
}
