//! Pages of all kinds but functions, in every form.

mod kernel;

use depsurf::surface::{Evidence, Fact, Surface, TypeKind, record};
use depsurf_render::differences::Outcome;
use depsurf_render::{Group, Kernel as Labelled, Kind, Look, Page, State, json, markdown, suggest, terminal};
use kernel::Kernel;
use testkit::Target;
use testkit::c::Types;

/// Types and tables of a kernel; `grown` gives it a member, a value and an argument more.
fn kernel(id: &str, grown: bool) -> Kernel {
    let mut types = Types::new(Target::LE64);
    types.typedef("spinlock_t", "unsigned int");
    types.structure("sched_entity", &[("weight", "unsigned long"), ("vruntime", "u64")]);
    types.union("<id>", &[("pid", "int"), ("tgid", "int")]);
    let mut members = vec![
        ("state", "unsigned int"),
        ("", "union <id>"),
        ("in_iowait:1", "unsigned int"),
        ("comm", "char[16]"),
        ("se", "struct sched_entity"),
        ("wake", "int (struct task_struct *, int) *"),
    ];
    if grown {
        members.insert(1, ("cpu", "int"));
        members.push(("lock", "spinlock_t"));
    }
    types.structure("task_struct", &members);
    types.union("sigval", &[("sival_int", "int"), ("sival_ptr", "void *")]);
    let mut values = vec![("PIDTYPE_PID", 0), ("PIDTYPE_MAX", 1)];
    if grown {
        values = vec![("PIDTYPE_PID", 0), ("PIDTYPE_TGID", 1), ("PIDTYPE_MAX", 2)];
    }
    types.enumeration("pid_type", &values);
    types.structure("trace_entry", &[("type", "u16"), ("pid", "int")]);
    types.structure(
        "trace_event_raw_sched_switch",
        &[("ent", "struct trace_entry"), ("prev_pid", "int"), ("__data", "char[0]")],
    );
    let trace_enter = [("ent", "struct trace_entry"), ("nr", "int"), ("args", "unsigned long[]")];
    types.structure("syscall_trace_enter", &trace_enter);
    let user_mask = if grown { "user_mask" } else { "syscall_nr" };
    types.structure("syscall_metadata", &[("name", "const char *"), (user_mask, "int")]);
    let raw = if grown {
        "void (void *, bool, struct task_struct *, unsigned int) *"
    } else {
        "void (void *, bool, struct task_struct *) *"
    };
    types.typedef("btf_trace_sched_switch", raw);
    types.function(
        "trace_event_raw_event_sched_switch",
        "void",
        &[("__data", "void *"), ("preempt", "bool"), ("prev", "struct task_struct *")],
    );
    types.function("bpf_lsm_file_open", "int", &[("file", "struct file *")]);
    types.function("security_file_open", "int", &[("file", "struct file *")]);
    types.function("bpf_lsm_getselfattr", "int", &[("attr", "unsigned int")]);
    types.function("bpf_task_acquire", "struct task_struct *", &[("p", "struct task_struct *")]);
    let mut kernel = Kernel::new(id);
    kernel.types(&types);
    tables(&mut kernel);
    kernel
}

fn tables(kernel: &mut Kernel) {
    let funcs = kernel.funcs();
    let proto = |name: &str| funcs[name].1.into();
    let event = record::Tracepoint {
        name: kernel.string("sched_switch").into(),
        system: kernel.string("sched").into(),
        class: kernel.string("sched_switch").into(),
        format: kernel.string(r#""prev_pid=%d", REC->prev_pid"#).into(),
        record: kernel.type_id(TypeKind::Struct, "trace_event_raw_sched_switch").into(),
        prototype: proto("trace_event_raw_event_sched_switch"),
        btf_trace: kernel.type_id(TypeKind::Typedef, "btf_trace_sched_switch").into(),
        flags: (record::TRACEPOINT_EVENT | record::TRACEPOINT_RAW).into(),
        writable_size: 0.into(),
        raw_args: 3.into(),
    };
    let bare = record::Tracepoint {
        name: kernel.string("pelt_cfs_tp").into(),
        system: 0.into(),
        class: 0.into(),
        format: 0.into(),
        record: record::NONE.into(),
        prototype: record::NONE.into(),
        btf_trace: record::NONE.into(),
        flags: record::TRACEPOINT_RAW.into(),
        writable_size: 8.into(),
        raw_args: 1.into(),
    };
    kernel.parts.tracepoints.extend([bare, event]);
    let flags = record::LSM_BPF | record::LSM_SLEEPABLE;
    for (hook, flags) in [("file_open", flags), ("getselfattr", record::LSM_BPF | record::LSM_DISABLED)] {
        let name = kernel.string(hook).into();
        let prototype = proto(&format!("bpf_lsm_{hook}"));
        kernel.parts.lsm_hooks.push(record::LsmHook { name, prototype, flags: flags.into() });
    }
    kernel.set("generic_btf_ids", record::SET_8 | record::SET_KFUNCS, &[("bpf_task_acquire", 5)]);
    let name = kernel.string("bpf_task_acquire").into();
    let (prototype, evidence) = (proto("bpf_task_acquire"), record::KFUNC_SET.into());
    kernel.parts.kfuncs.push(record::Kfunc { name, prototype, flags: 5.into(), evidence });
    for (abi, number, symbol, flags) in [
        ("64", 257, "__x64_sys_openat", record::SYSCALL_HAS_ARGS),
        ("ia32", 295, "__ia32_compat_sys_openat", 0),
    ] {
        let syscall = record::Syscall {
            abi: kernel.string(abi).into(),
            number: number.into(),
            name: kernel.string("openat").into(),
            symbol: kernel.string(symbol).into(),
            first_arg: (kernel.parts.syscall_args.len() as u32).into(),
            flags: flags.into(),
        };
        kernel.parts.syscalls.push(syscall);
        if flags != 0 {
            for (type_name, name) in [("int", "dfd"), ("const char *", "filename")] {
                let (type_name, name) = (kernel.string(type_name).into(), kernel.string(name).into());
                kernel.parts.syscall_args.push(record::SyscallArg { type_name, name });
            }
        }
    }
    kernel.config("CONFIG_BPF_LSM", "y");
    kernel.config("CONFIG_DEBUG_INFO_BTF", "n");
}

fn several() -> Vec<Surface> {
    let mut bare = Kernel::new("5.10.223-32-cloud-amd64");
    for fact in [Fact::LsmHooks, Fact::Config, Fact::CompatSyscalls] {
        bare.unknown(fact, "the test hides it");
    }
    vec![
        bare.build(),
        kernel("6.1.176-50-cloud-amd64", false).build(),
        kernel("6.12.107-deb13-cloud-amd64", true).build(),
        kernel("7.2.12-deb14-cloud-amd64", true).build(),
    ]
}

fn page<'a>(surfaces: &'a [Surface], kind: Kind, name: &'a str) -> Page<'a> {
    let label = |surface: &Surface| surface.kernel().to_string();
    let kernels = surfaces.iter().map(|surface| Labelled { label: label(surface), surface }).collect();
    Page::decide(kind, name, &[Group { title: "Kernels".into(), kernels, base: None }])
}

/// One thing of each kind.
const THINGS: [(Kind, &str); 14] = [
    (Kind::Struct, "task_struct"),
    (Kind::Union, "sigval"),
    (Kind::Enum, "pid_type"),
    (Kind::Field, "task_struct::se.vruntime"),
    (Kind::Field, "task_struct::tgid"),
    (Kind::Field, "task_struct::in_iowait"),
    (Kind::Tracepoint, "sched_switch"),
    (Kind::Tracepoint, "pelt_cfs_tp"),
    (Kind::Tracepoint, "syscalls:sys_enter_openat"),
    (Kind::Lsm, "file_open"),
    (Kind::Lsm, "getselfattr"),
    (Kind::Kfunc, "bpf_task_acquire"),
    (Kind::Syscall, "openat"),
    (Kind::Config, "BPF_LSM"),
];

#[test]
fn terminal_pages() {
    let surfaces = several();
    let look = Look { width: 80, ..Look::default() };
    let pages: Vec<String> =
        THINGS.iter().map(|(kind, name)| terminal::page(&page(&surfaces, *kind, name), &look)).collect();
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
fn markdown_pages() {
    let surfaces = several();
    let pages: Vec<String> =
        THINGS.iter().map(|(kind, name)| markdown::page(&page(&surfaces[..2], *kind, name))).collect();
    insta::assert_snapshot!(pages.join("\n"));
}

#[test]
fn json_pages() {
    let surfaces = several();
    let of = |(kind, name): &(Kind, &'static str)| json::page(&page(&surfaces[1..2], *kind, name));
    let documents: Vec<serde_json::Value> =
        THINGS.iter().map(|thing| serde_json::from_str(&of(thing)).expect("JSON")).collect();
    let mut facts = Vec::new();
    for document in &documents {
        assert_eq!(document["schema"], 1);
        let kernel = &document["groups"][0]["kernels"][0];
        assert_eq!(kernel["kernel"]["id"], "6.1.176-50-cloud-amd64");
        assert_eq!(kernel["state"], "present", "{document}");
        facts.push((&document["kind"], &document["name"], &kernel["facts"]));
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&facts).expect("JSON"));
    let unknown = json::page(&page(&surfaces[..1], Kind::Lsm, "file_open"));
    assert!(unknown.contains(r#""state": "unknown""#), "{unknown}");
}

#[test]
fn many_layouts_give_ranges_in_place_of_columns() {
    let surfaces = several();
    let narrow = Look { width: 16, ..Look::default() };
    let text = terminal::page(&page(&surfaces, Kind::Struct, "task_struct"), &narrow);
    assert!(text.contains("4..8"), "{text}");
}

#[test]
fn every_definition_of_a_name_is_listed() {
    let mut kernel = kernel("6.1.176-50-cloud-amd64", false);
    // Twice the same from DWARF, then another one.
    let name = kernel.parts.strings.intern(b"sched_entity");
    let copy = kernel.type_id(TypeKind::Struct, "sched_entity") as usize;
    let first = kernel.parts.types.records()[copy].first_child.get() as usize;
    let children: Vec<_> = kernel.parts.types.children()[first..first + 2]
        .iter()
        .map(|child| depsurf::surface::types::Child {
            name: depsurf::surface::strings::StrId(child.name.get()),
            a: child.a.get(),
            b: child.b.get(),
        })
        .collect();
    kernel.parts.types.push(TypeKind::Struct, false, name, 16, children.clone());
    kernel.parts.types.push(TypeKind::Struct, false, name, 8, children[..1].to_vec());
    let surfaces = [kernel.build()];
    let page = page(&surfaces, Kind::Struct, "sched_entity");
    insta::assert_snapshot!(terminal::page(&page, &Look::default()) + "\n" + &markdown::page(&page));
}

#[test]
fn what_is_not_there_is_told_apart() {
    let surfaces = several();
    let status = |kind, name| {
        let text = terminal::page(&page(&surfaces, kind, name), &Look { width: 200, ..Look::default() });
        text.lines()
            .skip(2)
            .take_while(|line| line.starts_with(' '))
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let lines = [
        status(Kind::Struct, "no_such"),
        status(Kind::Struct, "file"),
        status(Kind::Field, "task_struct::no_such"),
        status(Kind::Field, "no_such::member"),
        status(Kind::Field, "task_struct"),
        status(Kind::Lsm, "no_such"),
        status(Kind::Config, "NO_SUCH"),
        status(Kind::Syscall, "no_such"),
        status(Kind::Tracepoint, "irq:sched_switch"),
        status(Kind::Tracepoint, "sched/sched_switch"),
        status(Kind::Tracepoint, "sys_enter_no_such"),
    ];
    insta::assert_snapshot!(lines.join("\n--\n"));
}

/// A kernel whose module `tiny` has one more type.
fn with_module() -> Surface {
    let mut kernel = kernel("6.1.0-1-cloud-amd64", false);
    let (first, name) = (kernel.parts.types.next_id().0, kernel.parts.strings.intern(b"of_module"));
    kernel.parts.types.push(TypeKind::Struct, false, name, 8, Vec::new());
    let [name, path] = ["tiny", "kernel/tiny.ko"].map(|text| kernel.string(text).into());
    let symbols = kernel.parts.symbols.len() as u32;
    kernel.parts.modules.push(record::Module {
        name,
        path,
        first_symbol: symbols.into(),
        first_type: first.into(),
        type_count: 1.into(),
        flags: 0.into(),
    });
    kernel.parts.meta.evidence.insert(Fact::Modules, Evidence::known("1 module"));
    kernel.build()
}

#[test]
fn what_only_a_module_has_is_unknown_where_modules_were_not_read() {
    let unread = kernel("6.12.0-1-cloud-amd64", false).build();
    let mut none = kernel("7.2.0-1-cloud-amd64", false);
    none.parts.meta.evidence.insert(Fact::Modules, Evidence::known("all 0 modules"));
    let surfaces = [with_module(), unread, none.build()];
    let page = page(&surfaces, Kind::Struct, "of_module");
    let states: Vec<&State<'_>> = page.groups[0].entries.iter().map(|entry| &entry.state).collect();
    assert!(matches!(states[0], State::Present(_)), "{states:?}");
    assert!(matches!(states[1], State::Unknown { fact: Fact::Modules, .. }), "{states:?}");
    assert!(matches!(states[2], State::Absent { .. }), "{states:?}");
    let outcomes: Vec<&Outcome<'_>> = page.differences[0].pairs.iter().map(|pair| &pair.outcome).collect();
    assert!(matches!(outcomes[0], Outcome::Unknown { fact: Fact::Modules, .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], &Outcome::Absent);
    // Nobody has it: then it is nowhere, as far as anybody knows.
    let page = self::page(&surfaces, Kind::Struct, "nobody_has_it");
    assert!(page.entries().all(|entry| matches!(entry.state, State::Absent { .. })));
}

/// Without metadata it is the configuration that tells whether there are events of system calls.
#[test]
fn events_of_system_calls_are_unknown_without_metadata() {
    let status = |change: &dyn Fn(&mut Kernel)| {
        let mut kernel = Kernel::new("6.1.176-50-cloud-amd64");
        kernel.unknown(Fact::SyscallMetadata, "the test hides it");
        change(&mut kernel);
        let surfaces = [kernel.build()];
        terminal::page(&page(&surfaces, Kind::Tracepoint, "sys_enter_read"), &Look::default())
    };
    let unknown = status(&|kernel| {
        kernel.config("CONFIG_FTRACE_SYSCALLS", "y");
    });
    assert!(unknown.contains("unknown: system call metadata could not be read"), "{unknown}");
    let unknown = status(&|kernel| {
        kernel.unknown(Fact::Config, "the test hides it");
    });
    assert!(unknown.contains("unknown: system call metadata could not be read"), "{unknown}");
    let absent = status(&|kernel| {
        kernel.config("CONFIG_FTRACE_SYSCALLS", "n");
    });
    assert!(absent.contains("absent: the kernel was built without CONFIG_FTRACE_SYSCALLS"), "{absent}");
}

#[test]
fn near_names_are_suggested() {
    let surfaces = several();
    let surfaces: Vec<&Surface> = surfaces.iter().collect();
    let near = |kind, name| suggest(&surfaces, kind, name).names;
    assert_eq!(near(Kind::Struct, "task_strct"), ["task_struct"]);
    assert_eq!(near(Kind::Struct, "struct task_struct"), ["task_struct"]);
    assert_eq!(near(Kind::Struct, "task"), ["task_struct"]);
    assert_eq!(near(Kind::Field, "task_struct::vruntme"), ["task_struct::se.vruntime"]);
    assert_eq!(near(Kind::Field, "task_strut::comm"), ["task_struct::comm"]);
    assert_eq!(near(Kind::Tracepoint, "sched:sched_switch"), ["sched_switch"]);
    assert_eq!(near(Kind::Tracepoint, "sys_entr_openat")[0], "sys_enter_openat");
    assert_eq!(near(Kind::Lsm, "security_file_open"), ["file_open"]);
    assert_eq!(near(Kind::Syscall, "__x64_sys_openat"), ["openat"]);
    assert_eq!(near(Kind::Config, "CONFIG_BPF_LMS"), ["CONFIG_BPF_LSM"]);
    assert!(near(Kind::Kfunc, "zzzzzzzz").is_empty());
    assert!(near(Kind::Kfunc, "").is_empty());
}

#[test]
fn other_kinds_of_a_name_are_told() {
    let surfaces = several();
    let surfaces: Vec<&Surface> = surfaces.iter().collect();
    assert_eq!(suggest(&surfaces, Kind::Function, "task_struct").kinds, [Kind::Struct]);
    assert_eq!(suggest(&surfaces, Kind::Struct, "sched_switch").kinds, [Kind::Tracepoint]);
    assert_eq!(suggest(&surfaces, Kind::Lsm, "task_struct::pid").kinds, [Kind::Field]);
    assert!(suggest(&surfaces, Kind::Struct, "nothing").kinds.is_empty());
}
