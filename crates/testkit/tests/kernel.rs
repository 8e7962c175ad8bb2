//! The ready-made kernel is walked the way a reader has to: symbols, tables, pointers, types.

mod tools;

use std::collections::{BTreeMap, BTreeSet};

use gimli::{EndianSlice, RunTimeEndian};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};
use testkit::dwarf::{DW_AT_low_pc, Style};
use testkit::elf::Machine;
use testkit::kernel::{Event, Image, Kernel, Pointers};
use testkit::{Endian, Target, Width};

/// A machine of each kind.
fn samples() -> Vec<Kernel> {
    let mut samples: Vec<Kernel> = [
        (Machine::X86_64, Target::LE64),
        (Machine::AARCH64, Target::LE64),
        (Machine::S390, Target::BE64),
        (Machine::I386, Target::LE32),
        (Machine::MIPS, Target::BE32),
    ]
    .into_iter()
    .map(|(machine, target)| Kernel::sample(machine, target))
    .collect();
    let mut relr = Kernel::sample(Machine::AARCH64, Target::LE64);
    relr.pointers(Pointers::Relr);
    samples.push(relr);
    samples
}

/// The memory of an image, with its relative relocations applied.
struct Memory {
    target: Target,
    sections: Vec<(u64, Vec<u8>)>,
    symbols: Vec<(String, u64, u64)>,
    relocated: BTreeMap<u64, u64>,
}

impl Memory {
    fn new(image: &Image, target: Target) -> Memory {
        let bytes = image.bytes();
        let file = object::File::parse(&*bytes).unwrap();
        let sections = file.sections().filter(|section| section.address() != 0);
        let sections = sections.map(|section| (section.address(), section.data().unwrap().to_vec()));
        let symbols =
            file.symbols().map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address(), symbol.size()));
        let relocated = file.dynamic_relocations().into_iter().flatten().map(|(at, relocation)| {
            assert_eq!(relocation.target(), RelocationTarget::Absolute);
            (at, relocation.addend().cast_unsigned())
        });
        Memory {
            target,
            sections: sections.collect(),
            symbols: symbols.collect(),
            relocated: relocated.collect(),
        }
    }

    fn address(&self, name: &str) -> u64 {
        let found = self.symbols.iter().find(|symbol| symbol.0 == name);
        found.unwrap_or_else(|| panic!("no symbol `{name}`")).1
    }

    /// Name of the first function or variable at an address, which may also be the bound of a region.
    fn name(&self, address: u64) -> &str {
        let is_bound = |name: &str| name.starts_with("__start_") || name.ends_with("text_start");
        let found = self.symbols.iter().find(|(name, at, _)| {
            *at == address && !name.is_empty() && !is_bound(name) && name != "_text" && name != "_stext"
        });
        found.map_or("", |(name, ..)| name)
    }

    fn bytes(&self, address: u64) -> &[u8] {
        let inside = |(start, data): &&(u64, Vec<u8>)| (*start..start + data.len() as u64).contains(&address);
        let (start, data) = self.sections.iter().find(inside).unwrap_or_else(|| panic!("{address:#x}"));
        &data[(address - start) as usize..]
    }

    fn number(&self, address: u64, size: u64) -> u64 {
        let bytes = &self.bytes(address)[..size as usize];
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self.target.endian {
            Endian::Little => bytes.iter().rev().fold(0, add),
            Endian::Big => bytes.iter().fold(0, add),
        }
    }

    fn pointer(&self, address: u64) -> u64 {
        let width = self.target.width.bytes().into();
        self.relocated.get(&address).copied().unwrap_or_else(|| self.number(address, width))
    }

    fn string(&self, address: u64) -> String {
        let bytes = self.bytes(address);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    }

    /// The pointers between `__start_NAME` and `__stop_NAME`.
    fn table(&self, name: &str) -> Vec<u64> {
        let (start, stop) =
            (self.address(&format!("__start_{name}")), self.address(&format!("__stop_{name}")));
        (start..stop).step_by(self.target.width.bytes().into()).map(|at| self.pointer(at)).collect()
    }
}

/// Runs a check on each sample.
fn each(check: impl Fn(&Kernel, &Image, &Memory)) {
    for kernel in samples() {
        let image = kernel.build();
        let memory = Memory::new(&image, kernel.target());
        check(&kernel, &image, &memory);
    }
}

#[test]
fn it_says_what_it_is() {
    each(|kernel, image, memory| {
        let banner = memory.string(memory.address("linux_banner"));
        assert!(banner.starts_with("Linux version 6.1.0-50-test ("), "{banner}");
        let bytes = image.bytes();
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(file.build_id().unwrap().unwrap().len(), 20);
        assert_eq!(file.section_by_name(".comment").unwrap().data().unwrap(), b"GCC: (GNU) 12.2.0\0");
        assert_eq!(file.is_64(), kernel.target().width == Width::W64);
    });
}

#[test]
fn the_mcount_table_has_the_traced_functions() {
    each(|_, _, memory| {
        let table = memory.table("mcount_loc");
        assert_eq!(table[0], 0, "what a weak function leaves behind");
        let names: BTreeSet<&str> = table[1..].iter().map(|address| memory.name(*address)).collect();
        for traced in ["vfs_read", "cleanup", "account_slab.isra.0", "bpf_lsm_file_open"] {
            assert!(names.contains(traced), "{traced}");
        }
        for untraced in ["rw_verify_area.cold", "get_order", "exc_nmi", "perf_trace_sched_switch"] {
            assert!(!names.contains(untraced) && memory.address(untraced) != 0, "{untraced}");
        }
    });
    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64);
    kernel.mcount_offset(4);
    let memory = Memory::new(&kernel.build(), kernel.target());
    assert!(memory.table("mcount_loc").contains(&(kernel.address("vfs_read") + 4)));
}

#[test]
fn regions_hold_what_kprobes_refuse() {
    each(|_, _, memory| {
        let blacklist: Vec<&str> =
            memory.table("kprobe_blacklist").iter().map(|address| memory.name(*address)).collect();
        assert_eq!(blacklist, ["do_trap", "notify_die"]);
        let in_region = |function: &str, region: &str| {
            let bound = |side: &str| memory.address(&format!("__{region}_text_{side}"));
            (bound("start")..bound("end")).contains(&memory.address(function))
        };
        assert!(in_region("exc_nmi", "noinstr") && !in_region("vfs_read", "noinstr"));
        assert!(in_region("do_trap", "kprobes") && in_region("entry_SYSCALL_64", "entry"));
        let init = memory.address("_sinittext")..memory.address("_einittext");
        assert!(init.contains(&memory.address("start_kernel")));
    });
}

#[test]
fn exports_resolve() {
    each(|_, _, memory| {
        for (function, table) in [("vfs_read", "__ksymtab"), ("kfree", "__ksymtab_gpl")] {
            let entry = memory.address(&format!("__ksymtab_{function}"));
            let bounds =
                memory.address(&format!("__start_{table}"))..memory.address(&format!("__stop_{table}"));
            assert!(bounds.contains(&entry));
            let value = |index: u64| match memory.target.width {
                Width::W32 => memory.pointer(entry + 4 * index),
                Width::W64 => {
                    let at = entry + 4 * index;
                    at.wrapping_add_signed((memory.number(at, 4) as i32).into())
                }
            };
            assert_eq!(value(0), memory.address(function));
            assert_eq!(memory.string(value(1)), function);
            assert_eq!(memory.string(value(2)), "");
        }
    });
}

#[test]
fn events_lead_to_class_system_and_format() {
    each(|kernel, _, memory| {
        let offset = |member: &str| kernel.types.offset("struct trace_event_call", member);
        let mut lines = Vec::new();
        for call in memory.table("ftrace_events") {
            let class = memory.pointer(call + offset("class"));
            let system = kernel.types.offset("struct trace_event_class", "system");
            let flags = memory.number(call + offset("flags"), 4);
            let system = memory.string(memory.pointer(class + system));
            let name = match flags {
                16 => memory.string(memory.pointer(memory.pointer(call + offset("tp")))),
                _ => memory.string(memory.pointer(call + offset("name"))),
            };
            lines.push(format!("{system}:{name} {} {} {flags}", memory.name(call), memory.name(class)));
        }
        let expected = [
            "sched:sched_switch event_sched_switch event_class_sched_switch 16",
            "sched:sched_wakeup event_sched_wakeup event_class_sched_wakeup_template 16",
            "sched:sched_waking event_sched_waking event_class_sched_wakeup_template 16",
            "ftrace:function event_function event_class_ftrace_function 8",
            "syscalls:sys_enter_read event_enter__read event_class_syscall_enter 2",
            "syscalls:sys_exit_read event_exit__read event_class_syscall_exit 2",
            "syscalls:sys_enter_openat event_enter__openat event_class_syscall_enter 2",
            "syscalls:sys_exit_openat event_exit__openat event_class_syscall_exit 2",
        ];
        assert_eq!(lines, expected);
        let first = memory.table("ftrace_events")[0];
        let format = memory.string(memory.pointer(first + offset("print_fmt")));
        assert!(format.starts_with("\"prev_comm=%s"), "{format}");
    });
}

#[test]
fn raw_tracepoints_are_those_of_the_types() {
    each(|kernel, image, memory| {
        let aggregate = "struct bpf_raw_event_map";
        assert_eq!(kernel.types.size(aggregate), 32);
        let (start, stop) = (memory.address("__start__bpf_raw_tp"), memory.address("__stop__bpf_raw_tp"));
        let mut lines = Vec::new();
        for map in (start..stop).step_by(32) {
            let at = |member| map + kernel.types.offset(aggregate, member);
            let name = memory.string(memory.pointer(memory.pointer(at("tp"))));
            let function = memory.name(memory.pointer(at("bpf_func"))).to_owned();
            let numbers = (memory.number(at("num_args"), 4), memory.number(at("writable_size"), 4));
            assert_ne!(image.type_id(&format!("btf_trace_{name}")), 0);
            lines.push((name, function, numbers));
        }
        let line =
            |name: &str, class: &str, numbers| (name.to_owned(), format!("__bpf_trace_{class}"), numbers);
        let expected = [
            line("sched_switch", "sched_switch", (3, 0)),
            line("sched_wakeup", "sched_wakeup_template", (1, 0)),
            line("sched_waking", "sched_wakeup_template", (1, 0)),
            line("pelt_cfs_tp", "pelt_cfs_tp", (1, 8)),
        ];
        assert_eq!(lines, expected);
    });
}

#[test]
fn syscalls_have_a_table_and_metadata() {
    let prefixes = ["__x64_sys_", "__arm64_sys_", "__s390x_sys_", "sys_", "sys_", "__arm64_sys_"];
    for (kernel, prefix) in samples().into_iter().zip(prefixes) {
        let memory = Memory::new(&kernel.build(), kernel.target());
        let width = u64::from(kernel.target().width.bytes());
        let (_, table, size) = memory.symbols.iter().find(|symbol| symbol.0 == "sys_call_table").unwrap();
        let names = (*table..table + size).step_by(width as usize).map(|at| memory.name(memory.pointer(at)));
        let expected = ["read", "ni_syscall", "ni_syscall", "openat"].map(|name| format!("{prefix}{name}"));
        assert_eq!(names.collect::<Vec<_>>(), expected);

        let at = |member| kernel.types.offset("struct syscall_metadata", member);
        let metadata = memory.table("syscalls_metadata");
        let names: Vec<String> =
            metadata.iter().map(|metadata| memory.string(memory.pointer(metadata + at("name")))).collect();
        assert_eq!(names, ["sys_read", "sys_openat"]);
        let openat = metadata[1];
        assert_eq!(memory.number(openat + at("syscall_nr"), 4), u64::from(u32::MAX));
        assert_eq!(memory.number(openat + at("nb_args"), 4), 2);
        let second = |member| memory.string(memory.pointer(memory.pointer(openat + at(member)) + width));
        assert_eq!((second("types"), second("args")), ("const char *".into(), "filename".into()));
        let enter = memory.pointer(openat + at("enter_event"));
        let data = kernel.types.offset("struct trace_event_call", "data");
        assert_eq!(memory.pointer(enter + data), openat);
    }
    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64);
    kernel.unsized_syscall_table().without_syscall_metadata();
    let memory = Memory::new(&kernel.build(), kernel.target());
    assert!(memory.symbols.iter().any(|(name, _, size)| name == "sys_call_table" && *size == 0));
    assert!(!memory.symbols.iter().any(|(name, ..)| name.contains("syscall_meta")));
}

#[test]
fn id_sets_are_sorted_while_their_symbols_are_not() {
    each(|_, image, memory| {
        let set = memory.address("__BTF_ID__set__bpf_lsm_hooks");
        let word = |at| memory.number(at, 4) as u32;
        let ids = ["bpf_lsm_file_open", "bpf_lsm_task_alloc"].map(|name| image.func_id(name));
        assert_eq!([word(set), word(set + 4), word(set + 8)], [2, ids[0], ids[1]]);
        assert_eq!(memory.address("__BTF_ID__func__bpf_lsm_task_alloc__1"), set + 4);

        let set = memory.address("__BTF_ID__set8__tcp_cubic_check_kfunc_ids");
        let words: Vec<u32> = (0..6).map(|index| word(set + 4 * index)).collect();
        let [acked, init] = ["cubictcp_acked", "cubictcp_init"].map(|name| image.func_id(name));
        assert_eq!(words, [2, 1, acked, 0, init, 2]);

        let deny = memory.address("__BTF_ID__set__btf_id_deny");
        assert_eq!(word(deny + 4), 0, "a function that has no BTF");
    });
}

#[test]
fn debug_information_agrees_with_the_symbols() {
    for (version, style) in [(4, Style::Gcc), (5, Style::Gcc), (5, Style::Clang)] {
        for mut kernel in samples() {
            kernel.dwarf(version, style);
            let image = kernel.build();
            let memory = Memory::new(&image, kernel.target());
            let endian = match kernel.target().endian {
                Endian::Little => RunTimeEndian::Little,
                Endian::Big => RunTimeEndian::Big,
            };
            let load = |id: gimli::SectionId| {
                Ok::<_, gimli::Error>(EndianSlice::new(image.debug.get(id.name()), endian))
            };
            let dwarf = gimli::Dwarf::load(load).unwrap();
            let mut named = BTreeMap::new();
            let mut units = dwarf.units();
            while let Some(header) = units.next().unwrap() {
                let unit = dwarf.unit(header).unwrap();
                let mut entries = unit.entries();
                while let Some(entry) = entries.next_dfs().unwrap() {
                    let Some(address) = entry.attr_value(DW_AT_low_pc) else { continue };
                    let address = dwarf.attr_address(&unit, address).unwrap().unwrap();
                    if entry.tag() == gimli::DW_TAG_subprogram {
                        *named.entry(memory.name(address).to_owned()).or_insert(0) += 1;
                    }
                }
            }
            let expected = [("account_slab.isra.0", 1), ("cleanup", 2), ("get_order", 2), ("kfree", 1)];
            for (name, count) in expected {
                assert_eq!(named.get(name), Some(&count), "{name}: {named:?}");
            }
            let Some(output) = tools::run("llvm-dwarfdump", &["--verify", "FILE"], &image.bytes()) else {
                continue;
            };
            assert_eq!(output.stderr, "", "{}", output.stdout);
        }
    }
}

/// Sizes and offsets are those of a 6.1 kernel for amd64, as pahole prints them.
#[test]
fn structs_are_laid_out_as_in_a_real_kernel() {
    let types = Kernel::new(Machine::X86_64, Target::LE64).types;
    let sizes =
        ["trace_event_call", "trace_event_class", "tracepoint", "syscall_metadata", "bpf_raw_event_map"];
    assert_eq!(sizes.map(|name| types.size(&format!("struct {name}"))), [144, 72, 72, 64, 32]);
    let members = ["class", "tp", "event", "print_fmt", "data", "flags"];
    let offsets = members.map(|member| types.offset("struct trace_event_call", member));
    assert_eq!(offsets, [16, 24, 32, 80, 104, 112]);
}

#[test]
fn relocating_kernels_have_nothing_in_place() {
    let kernel = Kernel::sample(Machine::AARCH64, Target::LE64);
    let memory = Memory::new(&kernel.build(), kernel.target());
    let slot = memory.address("__event_sched_switch");
    assert_eq!(memory.number(slot, 8), 0);
    assert_eq!(memory.pointer(slot), memory.address("event_sched_switch"));
}

#[test]
fn images_can_be_damaged_afterwards() {
    let kernel = Kernel::sample(Machine::X86_64, Target::LE64);
    let mut image = kernel.build();
    assert_eq!(image.elf.address("vfs_read"), kernel.address("vfs_read"));
    image.elf.replace(".BTF", [1, 2, 3]).remove(".debug_info").remove_symbol("linux_banner");
    let bytes = image.bytes();
    let file = object::File::parse(&*bytes).unwrap();
    assert_eq!(file.section_by_name(".BTF").unwrap().data().unwrap(), [1, 2, 3]);
    assert!(file.section_by_name(".debug_info").is_none());
    assert!(file.symbols().all(|symbol| symbol.name() != Ok("linux_banner")));
    assert!(file.symbols().count() > 100);
    image.elf.strip();
    let bytes = image.bytes();
    assert_eq!(object::File::parse(&*bytes).unwrap().symbols().count(), 0);
}

#[test]
fn the_configuration_unpacks() {
    each(|_, _, memory| {
        let start = memory.address("kernel_config_data");
        assert_eq!(memory.bytes(start - 8)[..8], *b"IKCFG_ST");
        let length = memory.address("kernel_config_data_end") - start;
        let packed = &memory.bytes(start)[..length as usize];
        let Some(output) = tools::run("gzip", &["-dcf", "FILE"], packed) else { return };
        assert!(output.stdout.starts_with("CONFIG_BPF=y\n# CONFIG_DEBUG_KERNEL"), "{output:?}");
    });
}

#[test]
#[should_panic(expected = "`struct trace_event_raw_x` is defined twice")]
fn a_type_is_defined_once() {
    let mut kernel = Kernel::new(Machine::X86_64, Target::LE64);
    kernel.types.structure("trace_event_raw_x", &[]);
    kernel.event(Event::new("sched", "x"));
}

#[test]
fn other_readers_have_no_complaints() {
    each(|_, image, _| {
        if let Some(output) = tools::run("readelf", &["-aW", "FILE"], &image.bytes()) {
            let complaints: Vec<&str> =
                output.stderr.lines().filter(|line| !line.contains("local symbol")).collect();
            assert!(complaints.is_empty(), "{complaints:?}");
        }
        if let Some(output) = tools::run("bpftool", &["btf", "dump", "file", "FILE"], &image.btf()) {
            assert_eq!(output.stderr, "");
            assert!(output.stdout.contains("TYPEDEF 'btf_trace_sched_switch'"), "{}", output.stdout);
        }
    });
}
