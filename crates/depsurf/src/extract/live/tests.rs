//! Surfaces of running kernels, from trees of files as `/proc` and `/sys` have them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use testkit::Target;
use testkit::btf::{Btf, Encoding, Linkage, Member};
use testkit::elf::{Machine, note};
use testkit::kernel::Kernel;

use crate::extract::Options;
use crate::note::Note;
use crate::source::ModuleChoice;
use crate::source::live::Live;
use crate::surface::attach::{Answer, Obstacle};
use crate::surface::record::{
    ATTACH_BLACKLIST, ATTACH_ERROR_INJECTION, ATTACH_EXPORTED, ATTACH_EXPORTED_GPL, ATTACH_FTRACE,
    ATTACH_INIT, ATTACH_NOINSTR,
};
use crate::surface::{Fact, Surface, TypeKind};

struct Root(tempfile::TempDir);

const KALLSYMS: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000010 T vfs_read
ffffffff81000010 T vfs_read_alias
ffffffff81000040 t cleanup
ffffffff81000080 t cleanup
ffffffff810000c0 W default_idle
ffffffff81000100 T notify_die
ffffffff81000120 t notify_die.cold
ffffffff81000140 T __noinstr_text_start
ffffffff81000140 T exc_nmi
ffffffff81000160 T __noinstr_text_end
ffffffff81000180 T register_ftrace_direct
ffffffff81000190 T arch_prepare_bpf_trampoline
ffffffff82000000 D jiffies
ffffffff82000100 R __start___ksymtab
ffffffff82000100 r __ksymtab_vfs_read
ffffffff8200010c R __start___ksymtab_gpl
ffffffff8200010c R __stop___ksymtab
ffffffff8200010c r __ksymtab_notify_die
ffffffff82000118 R __stop___ksymtab_gpl
ffffffff83000000 T _sinittext
ffffffff83000000 T start_kernel
ffffffff83000100 T _einittext
ffffffffc0000000 t ext4_read\t[ext4]
ffffffffc0001000 t bpf_prog_6deef7357e7b4530\t[bpf]
";

const FORMAT: &str = "name: sched_waking\nID: 1\nformat:\n\
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\n\
\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: \"pid=%d\", REC->pid\n";

impl Root {
    /// Everything that can be read, of a kernel with the sample's types.
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64);
        let register = "unsigned long";
        kernel.types.structure("pt_regs", &[("r15", register), ("di", register), ("orig_ax", register)]);
        root.file(
            "proc/version",
            b"Linux version 6.1.0-50-cloud-amd64 (a@b) (gcc) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026)\n",
        );
        root.file("sys/kernel/btf/vmlinux", &kernel.build().btf());
        root.file("proc/kallsyms", KALLSYMS.as_bytes());
        root.file("proc/modules", b"ext4 901120 1 - Live 0x0\nmbcache 16384 1 ext4, Live 0x0\n");
        root.file("sys/kernel/notes", &note(Target::LE64, "GNU", 3, &[0xab, 1]));
        let mut config = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        config
            .write_all(b"# Linux/x86 6.1.176 Kernel Configuration\nCONFIG_BPF=y\nCONFIG_64BIT=y\n")
            .unwrap();
        root.file("proc/config.gz", &config.finish().unwrap());
        let tracing = "sys/kernel/tracing";
        root.file(
            &format!("{tracing}/available_filter_functions"),
            b"vfs_read\ncleanup\nexc_gone\n__ftrace_invalid_address___12\next4_read [ext4]\n",
        );
        for (event, enable) in
            [("sched/sched_waking", true), ("ext4/ext4_da", true), ("ftrace/function", false)]
        {
            root.file(&format!("{tracing}/events/{event}/format"), FORMAT.as_bytes());
            if enable {
                root.file(&format!("{tracing}/events/{event}/enable"), b"0\n");
            }
        }
        root.file(&format!("{tracing}/events/syscalls/sys_enter_read/format"), b"");
        root.file(&format!("{tracing}/events/syscalls/sys_enter_read/enable"), b"0\n");
        root.file(
            "sys/kernel/debug/kprobes/blacklist",
            b"0xffffffff81000100-0xffffffff81000120\tnotify_die\n0xffffffff81000140-0xffffffff81000160\texc_nmi\n",
        );
        root.file("sys/kernel/debug/error_injection/list", b"default_idle\tERRNO\next4_read [ext4]\tNULL\n");
        root
    }

    fn file(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn surface(&self) -> (Surface, Vec<Note>) {
        self.named(&Options::default())
    }

    fn named(&self, options: &Options) -> (Surface, Vec<Note>) {
        let live = Live::read(self.0.path(), &options.modules).unwrap();
        let extracted = super::surface(&live, options, &crate::progress::Silent).unwrap();
        (Surface::from_bytes(extracted.bytes).unwrap(), extracted.notes)
    }
}

fn bits(surface: &Surface, name: &str) -> Vec<u32> {
    surface.symbols_named(name).map(|symbol| symbol.attach()).collect()
}

fn note_count(notes: &[Note], id: &str) -> u64 {
    notes.iter().find(|note| note.id == id).map_or(0, |note| note.count)
}

#[test]
fn a_running_kernel_tells_what_attaches() {
    let (surface, notes) = Root::new().surface();
    let meta = surface.meta();
    assert_eq!(surface.kernel().to_string(), "6.1.176-50-cloud-amd64");
    assert_eq!(meta.build_id.as_deref(), Some("ab01"));
    assert_eq!((meta.base_address, meta.address_size), (0xffff_ffff_8100_0000, 8));
    let unknown: Vec<Fact> = Fact::ALL.into_iter().filter(|fact| !meta.knows(*fact)).collect();
    assert_eq!(
        unknown,
        [
            Fact::Functions,
            Fact::BtfIds,
            Fact::Syscalls,
            Fact::SyscallMetadata,
            Fact::CompatSyscalls,
            Fact::Modules
        ]
    );

    assert_eq!(bits(&surface, "vfs_read"), [ATTACH_FTRACE | ATTACH_EXPORTED]);
    assert_eq!(bits(&surface, "vfs_read_alias"), [ATTACH_FTRACE], "aliases share the site");
    assert_eq!(bits(&surface, "notify_die"), [ATTACH_BLACKLIST | ATTACH_EXPORTED | ATTACH_EXPORTED_GPL]);
    assert_eq!(bits(&surface, "notify_die.cold"), [ATTACH_BLACKLIST]);
    assert_eq!(bits(&surface, "exc_nmi"), [ATTACH_BLACKLIST | ATTACH_NOINSTR]);
    assert_eq!(bits(&surface, "default_idle"), [ATTACH_ERROR_INJECTION]);
    assert_eq!(bits(&surface, "start_kernel"), [ATTACH_INIT]);
    assert_eq!(bits(&surface, "ext4_read"), Vec::<u32>::new(), "modules are left out");
    // One line for two functions of the name: which one it is cannot be told without addresses.
    assert_eq!(bits(&surface, "cleanup"), [ATTACH_FTRACE, ATTACH_FTRACE]);
    assert_eq!(note_count(&notes, "ftrace-ambiguous"), 1);
    assert_eq!(note_count(&notes, "live-module"), 2);
    assert!(notes.iter().all(|note| !note.lossy), "{notes:?}");

    assert_eq!(surface.attach("vfs_read").kprobe, Answer::Yes);
    let refused = |reason| Answer::No { reason };
    assert_eq!(
        surface.attach("default_idle").kprobe,
        refused(Obstacle::NoFtraceSite { declared_inline: false })
    );
    assert_eq!(surface.attach("no_such").kprobe, refused(Obstacle::NoSymbol));
    assert!(matches!(surface.attach("vfs_read").fentry, Answer::Unknown { fact: Fact::BtfIds, .. }));

    let events: Vec<_> = surface
        .tracepoints()
        .filter(|it| it.has_event())
        .map(|it| (it.system(), it.name(), it.class(), it.format()))
        .collect();
    let format = Some("\"pid=%d\", REC->pid");
    assert_eq!(events, [(Some("sched"), "sched_waking", Some("sched_wakeup_template"), format)]);
    assert_eq!(note_count(&notes, "event-elsewhere"), 1);
    assert_eq!(surface.config("CONFIG_BPF").unwrap().value, "y");
}

#[test]
fn addresses_tell_functions_of_one_name_apart() {
    let root = Root::new();
    root.file(
        "sys/kernel/tracing/available_filter_functions_addrs",
        b"ffffffff81000014 vfs_read\nffffffff81000084 cleanup\nffffffffc0000004 ext4_read [ext4]\n",
    );
    let (surface, notes) = root.surface();
    assert_eq!(bits(&surface, "cleanup"), [0, ATTACH_FTRACE]);
    assert_eq!(note_count(&notes, "ftrace-ambiguous"), 0);
}

#[test]
fn hidden_addresses_are_told_and_names_still_count() {
    let root = Root::new();
    let hidden: String = KALLSYMS.lines().map(|line| format!("0000000000000000 {}\n", &line[17..])).collect();
    root.file("proc/kallsyms", hidden.as_bytes());
    root.file("sys/kernel/debug/kprobes/blacklist", b"0x0000000000000000-0x0000000000000000\tnotify_die\n");
    let (surface, notes) = root.surface();
    assert!(notes.iter().any(|note| note.id == "kallsyms-hidden" && note.lossy));
    assert_eq!(bits(&surface, "vfs_read"), [ATTACH_FTRACE]);
    assert_eq!(bits(&surface, "vfs_read_alias"), [0]);
    assert_eq!(bits(&surface, "notify_die.cold"), [ATTACH_BLACKLIST]);
    assert!(!surface.meta().knows(Fact::Exports));
}

#[test]
fn what_cannot_be_read_is_unknown_and_says_what_to_do() {
    for (missing, facts, reason) in [
        ("sys/kernel/tracing", &[Fact::FtraceSites, Fact::Tracepoints][..], "tracefs is not mounted"),
        ("sys/kernel/debug", &[Fact::KprobeBlacklist], "debugfs is not mounted"),
        ("sys/kernel/debug/kprobes", &[Fact::KprobeBlacklist], "the kernel was built without it"),
        ("proc/kallsyms", &[Fact::Symbols, Fact::Exports], "/proc/kallsyms"),
        (
            "sys/kernel/btf/vmlinux",
            &[Fact::Btf, Fact::Types, Fact::LsmHooks, Fact::Kfuncs],
            "CONFIG_DEBUG_INFO_BTF",
        ),
        (
            "proc/config.gz",
            &[Fact::Config],
            "neither `/proc/config.gz` nor `/boot/config-6.1.0-50-cloud-amd64`",
        ),
    ] {
        let root = Root::new();
        root.remove(missing);
        let options = Options { name: Some("6.1.176-50-cloud-amd64".parse().unwrap()), ..Options::default() };
        let (surface, _) = root.named(&options);
        for fact in facts {
            let told = surface.meta().unknown_because(*fact).unwrap_or_default();
            assert!(told.contains(reason), "{missing}: {fact:?}: {told}");
        }
    }
    let error = Live::read(Path::new("/nonexistent"), &ModuleChoice::None).unwrap_err();
    assert!(error.to_string().contains("proc/version"), "{error}");
}

#[test]
fn without_types_the_configuration_tells_the_architecture() {
    let root = Root::new();
    root.remove("sys/kernel/btf/vmlinux");
    let (surface, _) = root.surface();
    assert_eq!(surface.kernel().to_string(), "6.1.176-50-cloud-amd64");
    // Without typedefs every event counts.
    assert_eq!(surface.tracepoints().map(|it| it.name()).collect::<Vec<_>>(), ["ext4_da", "sched_waking"]);
    root.remove("proc/config.gz");
    let live = Live::read(root.0.path(), &ModuleChoice::None).unwrap();
    let error = super::surface(&live, &Options::default(), &crate::progress::Silent).unwrap_err();
    assert!(error.help().unwrap().contains("--name"), "{error}");
}

/// Split BTF of `ext4` over the types of the kernel: a function, a kfunc, and an event with its record.
fn ext4_types(root: &Root) -> Vec<u8> {
    let base = fs::read(root.0.path().join("sys/kernel/btf/vmlinux")).unwrap();
    let strings = u32::from_le_bytes(base[20..24].try_into().unwrap());
    let (surface, _) = root.surface();
    let mut btf = Btf::split_at(Target::LE64.endian, surface.meta().btf_types, strings);
    let int = btf.int("ext4_lblk_t", 4, Encoding::Unsigned);
    let any = btf.ptr(0);
    let proto = btf.func_proto(int, [("at", int)]);
    btf.func("ext4_read", proto, Linkage::Static);
    let kfunc = btf.func("ext4_kfunc", proto, Linkage::Static);
    btf.decl_tag("bpf_kfunc", kfunc, None);
    btf.structure("trace_event_raw_ext4_da", 16, [Member::new("pid", int, 64)]);
    let args = btf.func_proto(0, [("", any), ("pid", int)]);
    let args = btf.ptr(args);
    btf.typedef("btf_trace_ext4_da", args);
    btf.build()
}

#[test]
fn loaded_modules_are_part_of_a_running_kernel() {
    let root = Root::new();
    root.file("sys/kernel/btf/ext4", &ext4_types(&root));
    let dep = b"kernel/fs/mbcache.ko.xz:\nkernel/fs/ext4/ext4.ko.xz: kernel/fs/mbcache.ko.xz\n";
    root.file("lib/modules/6.1.0-50-cloud-amd64/modules.dep", dep);
    let all = Options { modules: ModuleChoice::All, ..Options::default() };
    let (surface, notes) = root.named(&all);
    let modules: Vec<_> = surface.modules().map(|it| (it.name(), it.path(), it.has_btf())).collect();
    assert_eq!(
        modules,
        [("ext4", "kernel/fs/ext4/ext4.ko", true), ("mbcache", "kernel/fs/mbcache.ko", false)]
    );
    let read = surface.symbols_named("ext4_read").next().unwrap();
    assert_eq!(read.module().unwrap().name(), "ext4");
    assert!(read.has(ATTACH_FTRACE | ATTACH_ERROR_INJECTION));
    let attach = surface.attach("ext4_read");
    assert_eq!((attach.kprobe, attach.module), (Answer::Yes, Some("ext4")));
    assert!(surface.modules().all(|module| module.is_loaded()));
    assert_eq!(surface.symbols_named("vfs_read").next().unwrap().module().map(|it| it.name()), None);

    let event = surface.tracepoints().find(|it| it.name() == "ext4_da").unwrap();
    assert!(event.has_event() && event.is_raw() && event.record().is_some());
    assert_eq!((event.system(), event.module().unwrap().name()), (Some("ext4"), "ext4"));
    let kfuncs: Vec<_> = surface.kfuncs().map(|it| (it.name(), it.module().map(|it| it.name()))).collect();
    assert!(kfuncs.contains(&("ext4_kfunc", Some("ext4"))), "{kfuncs:?}");
    assert_eq!(surface.types().find(TypeKind::Int, "ext4_lblk_t").unwrap().size(), Some(4));
    let told = surface.meta().unknown_because(Fact::Modules).unwrap();
    assert!(told.contains("2 modules"), "{told}");
    assert_eq!(note_count(&notes, "live-module"), 0);
    assert_eq!(note_count(&notes, "event-elsewhere"), 0);
    assert!(notes.iter().all(|note| !note.lossy), "{notes:?}");

    let some = Options { modules: ModuleChoice::parse("ext*").unwrap(), ..Options::default() };
    let (surface, notes) = root.named(&some);
    assert_eq!(surface.modules().map(|it| it.name()).collect::<Vec<_>>(), ["ext4"]);
    assert_eq!(note_count(&notes, "live-module"), 1);
}

#[test]
fn a_module_whose_types_are_damaged_is_there_without_them() {
    let root = Root::new();
    let mut types = ext4_types(&root);
    types.truncate(40);
    root.file("sys/kernel/btf/ext4", &types);
    let all = Options { modules: ModuleChoice::All, ..Options::default() };
    let (surface, notes) = root.named(&all);
    assert_eq!(surface.attach("ext4_read").kprobe, Answer::Yes);
    assert!(!surface.module("ext4").unwrap().has_btf());
    assert!(notes.iter().any(|note| note.id == "module-btf" && note.lossy), "{notes:?}");
}
