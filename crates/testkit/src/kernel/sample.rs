//! The ready-made kernel: one of each thing that a reader must tell apart.

use super::{Event, Function, IdSet, Kernel, Syscall};
use crate::Target;
use crate::dwarf::{
    DW_INL_declared_inlined, DW_INL_inlined, DW_LANG_Mips_Assembler, DW_LANG_Rust, Die, Unit, call_site,
    inlined_subroutine, lexical_block, out_of_line, subprogram,
};
use crate::elf::Machine;

const READ_WRITE: &str = "fs/read_write.c";
const SLAB: &str = "mm/slab_common.c";
const ACCESS_OK: &str = "include/asm-generic/access_ok.h";
const GETORDER: &str = "include/asm-generic/getorder.h";
const SLAB_HEADER: &str = "include/linux/slab.h";

impl Kernel {
    /// A kernel with, in this order:
    ///
    /// - functions: `vfs_read` (global, exported, inlines `access_ok` and `rw_verify_area`, calls
    ///   `kfree`), `kfree` (global, GPL export), `rw_verify_area` (static, inlined and out of line, with a
    ///   `.cold` part), `get_order` (static in a header, out of line in two units), `cleanup` (static, one in
    ///   each of two files), `account_slab` (exists only as `account_slab.isra.0`), `access_ok` (in a
    ///   header, inlined everywhere), `default_idle` (weak), `start_kernel` (init), `exc_nmi` (noinstr),
    ///   `do_trap` (kprobes, blacklisted), `notify_die` (blacklisted), `entry_SYSCALL_64` (entry);
    /// - events: `sched:sched_switch`; `sched:sched_wakeup` and `sched:sched_waking` of one class; the raw
    ///   tracepoint `pelt_cfs_tp`; the ignored `ftrace:function`;
    /// - syscalls: `read`, 0, and `openat`, 3, with gaps between them;
    /// - LSM hooks: `bpf_lsm_file_open` (sleepable) and `bpf_lsm_task_alloc`;
    /// - kfuncs: `cubictcp_init` and `cubictcp_acked` in a set8, `bpf_task_acquire` with a `DECL_TAG`;
    /// - a configuration; compile units for the functions in C, one in assembly and one in Rust.
    pub fn sample(machine: Machine, target: Target) -> Kernel {
        let mut kernel = Kernel::new(machine, target);
        kernel.release("6.1.0-50-test").mcount_zeros(1);
        kernel.config("CONFIG_BPF=y\n# CONFIG_DEBUG_KERNEL is not set\nCONFIG_DEFAULT_HOSTNAME=\"(none)\"\n");
        types(&mut kernel);
        units(&mut kernel);
        regions(&mut kernel);
        events(&mut kernel);
        kernel.syscall(Syscall::new(0, "read").argument("fd", "unsigned int").argument("buf", "char *"));
        kernel.syscall(Syscall::new(3, "openat").argument("dfd", "int").argument("filename", "const char *"));
        hooks(&mut kernel);
        kernel
    }
}

fn types(kernel: &mut Kernel) {
    kernel
        .types
        .structure("file", &[("f_mode", "unsigned int"), ("f_list", "struct list_head")])
        .structure(
            "task_struct",
            &[
                ("state", "unsigned int"),
                ("comm", "char[16]"),
                ("policy:3", "unsigned int"),
                ("parent", "struct task_struct *"),
            ],
        )
        .enumeration("bpf_func_id", &[("BPF_FUNC_unspec", 0), ("BPF_FUNC_map_lookup_elem", 1)])
        .enumeration("bpf_map_type", &[("BPF_MAP_TYPE_UNSPEC", 0), ("BPF_MAP_TYPE_HASH", 1)])
        .enumeration("bpf_prog_type", &[("BPF_PROG_TYPE_UNSPEC", 0), ("BPF_PROG_TYPE_KPROBE", 2)])
        .enumeration("bpf_attach_type", &[("BPF_TRACE_RAW_TP", 23), ("BPF_TRACE_FENTRY", 24)])
        .structure(
            "security_hook_heads",
            &[("file_open", "struct hlist_head"), ("task_alloc", "struct hlist_head")],
        )
        .union(
            "security_list_options",
            &[
                ("file_open", "int (struct file *) *"),
                ("task_alloc", "int (struct task_struct *, unsigned long) *"),
            ],
        );
}

/// Functions with debug information.
fn units(kernel: &mut Kernel) {
    let vfs_read = Function::new("vfs_read").global().size(0x40).exported();
    let file = ("file", "struct file *");
    let vfs_read = kernel.function(vfs_read.proto("long", &[file, ("count", "size_t")]));
    let verify = Function::new("rw_verify_area").proto("int", &[file]);
    let verify = kernel.function(verify);
    let cold = kernel.function(Function::new("rw_verify_area.cold").size(0x10).untraced());
    let order = [0, 1].map(|_| {
        let function = Function::new("get_order").untraced();
        kernel.function(function.proto("int", &[("size", "unsigned long")]))
    });
    let cleanup = [0, 1].map(|_| kernel.function(Function::new("cleanup").proto("void", &[file])));
    let kfree = Function::new("kfree").global().exported_gpl().proto("void", &[("object", "const void *")]);
    let kfree = kernel.function(kfree);
    let account = kernel.function(Function::new("account_slab.isra.0"));

    let types = &kernel.types;
    let needed = ["int", "long", "size_t", "struct file *", "unsigned long", "const void *"];
    let read_write = Unit::new(READ_WRITE).children(types.dies(&needed)).children([
        subprogram("vfs_read")
            .external()
            .decl(READ_WRITE, 450)
            .returns("long")
            .low_pc(vfs_read)
            .size(0x40)
            .all_calls()
            .parameter("file", "struct file *")
            .parameter("count", "size_t")
            .child(inlined_subroutine("access_ok", READ_WRITE, 458, vfs_read + 4).size(4))
            .child(
                lexical_block()
                    .child(inlined_subroutine("rw_verify_area", READ_WRITE, 461, vfs_read + 8).size(8)),
            )
            .child(call_site("kfree").return_pc(vfs_read + 0x20)),
        subprogram("rw_verify_area")
            .decl(READ_WRITE, 355)
            .returns("int")
            .inline(DW_INL_inlined)
            .parameter("file", "struct file *"),
        out_of_line("rw_verify_area")
            .ranges([(verify, verify + 0x20), (cold, cold + 0x10)])
            .all_calls()
            .child(call_site("cleanup").return_pc(verify + 8)),
        access_ok(),
        get_order(order[0]),
        cleanup_at(READ_WRITE, 900, cleanup[0]),
        subprogram("kfree")
            .external()
            .declaration()
            .decl(SLAB_HEADER, 213)
            .returns("void")
            .child(crate::dwarf::formal_parameter("", "const void *")),
    ]);

    let slab = Unit::new(SLAB).children(types.dies(&needed)).children([
        subprogram("kfree")
            .external()
            .decl(SLAB, 1003)
            .returns("void")
            .low_pc(kfree)
            .size(0x20)
            .parameter("object", "const void *")
            .child(inlined_subroutine("access_ok", SLAB, 1010, kfree + 4).size(4))
            .child(inlined_subroutine("account_slab", SLAB, 1011, kfree + 8).size(4)),
        access_ok(),
        get_order(order[1]),
        cleanup_at(SLAB, 77, cleanup[1]),
        subprogram("account_slab")
            .decl(SLAB, 640)
            .returns("void")
            .inline(DW_INL_inlined)
            .parameter("size", "unsigned long"),
        out_of_line("account_slab").low_pc(account).size(0x20),
    ]);

    // Types alone, and those of the tables among them.
    let tracing = Unit::new("kernel/trace/trace_events.c").children(types.all_dies());
    let entry = Unit::new("arch/x86/entry/entry_64.S").language(DW_LANG_Mips_Assembler);
    let rust = Unit::new("rust/kernel/lib.rs")
        .language(DW_LANG_Rust)
        .producer("rustc 1.82")
        .child(subprogram("rust_begin").external().decl("rust/kernel/lib.rs", 10));
    for unit in [read_write, slab, tracing, entry, rust] {
        kernel.unit(unit);
    }
}

/// `static inline` of a header, inlined wherever it is used: the abstract instance of one unit.
fn access_ok() -> Die {
    let die = subprogram("access_ok").decl(ACCESS_OK, 31).returns("int").inline(DW_INL_declared_inlined);
    die.parameter("size", "unsigned long")
}

/// `static inline` of a header, not inlined in this unit.
fn get_order(address: u64) -> Die {
    let die = subprogram("get_order").decl(GETORDER, 29).returns("int").low_pc(address).size(0x20);
    die.parameter("size", "unsigned long")
}

/// `static` in a source file that is not the only one with a function of this name.
fn cleanup_at(file: &str, line: u64, address: u64) -> Die {
    let die = subprogram("cleanup").decl(file, line).returns("void").low_pc(address).size(0x20);
    die.parameter("file", "struct file *")
}

/// Functions that only symbols and tables know.
fn regions(kernel: &mut Kernel) {
    for function in [
        Function::new("default_idle").weak(),
        Function::new("start_kernel").global().init(),
        Function::new("exc_nmi").global().noinstr(),
        Function::new("do_trap").kprobes().blacklisted(),
        Function::new("notify_die").global().blacklisted(),
        Function::new("entry_SYSCALL_64").global().entry().size(0),
    ] {
        kernel.function(function);
    }
}

fn events(kernel: &mut Kernel) {
    kernel.event(
        Event::new("sched", "sched_switch")
            .field("prev_comm", "char[16]")
            .field("prev_state", "long")
            .field("next_pid", "int")
            .argument("preempt", "bool")
            .argument("prev", "struct task_struct *")
            .argument("next", "struct task_struct *")
            .print_fmt("\"prev_comm=%s next_pid=%d\", REC->prev_comm, REC->next_pid"),
    );
    for name in ["sched_wakeup", "sched_waking"] {
        kernel.event(
            Event::new("sched", name)
                .class("sched_wakeup_template")
                .field("pid", "int")
                .argument("p", "struct task_struct *")
                .print_fmt("\"pid=%d\", REC->pid"),
        );
    }
    kernel.event(Event::bare("pelt_cfs_tp").argument("rq", "struct cfs_rq *").writable(8));
    kernel.event(
        Event::new("ftrace", "function").class("ftrace_function").field("ip", "unsigned long").ignored(),
    );
}

/// LSM hooks and kfuncs, with the sets that list them.
fn hooks(kernel: &mut Kernel) {
    let hook = |name: &str| Function::new(name).global();
    kernel.function(hook("bpf_lsm_file_open").proto("int", &[("file", "struct file *")]));
    let task_alloc = [("task", "struct task_struct *"), ("clone_flags", "unsigned long")];
    kernel.function(hook("bpf_lsm_task_alloc").proto("int", &task_alloc));
    let sock = [("sk", "struct sock *")];
    kernel.function(Function::new("cubictcp_acked").proto("void", &sock));
    kernel.function(Function::new("cubictcp_init").proto("void", &sock));
    let acquire = Function::new("bpf_task_acquire").global().kfunc();
    kernel.function(acquire.proto("struct task_struct *", &[("p", "struct task_struct *")]));

    kernel.id_set(IdSet::set("bpf_lsm_hooks").function("bpf_lsm_task_alloc").function("bpf_lsm_file_open"));
    kernel.id_set(IdSet::set("sleepable_lsm_hooks").function("bpf_lsm_file_open"));
    kernel.id_set(IdSet::set("btf_id_deny").function("kfree").function("not_in_the_btf"));
    // In the source the second function comes first; the build sorts by id.
    let kfuncs = IdSet::set8("tcp_cubic_check_kfunc_ids", 1);
    kernel.id_set(kfuncs.flagged("cubictcp_init", 2).flagged("cubictcp_acked", 0));
}
