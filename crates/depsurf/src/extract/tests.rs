//! Whole extractions of tiny kernels, in every byte order and width.

use testkit::Target;
use testkit::dwarf::Style;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

use super::{Extracted, Options, surface};
use crate::progress::Silent;
use crate::source;
use crate::surface::function::{Collision, Inline, InlineKind};
use crate::surface::meaning::{Forward, layout_same_with};
use crate::surface::record::{ATTACH_BLACKLIST, ATTACH_FTRACE, ATTACH_INIT, ATTACH_NOINSTR};
use crate::surface::{Fact, Surface, TypeKind};

/// Byte orders, widths, and pointer tables in place and in relocations. No architecture that has a name here is
/// big-endian with 32 bits; the readers below have tests of their own for that.
const MACHINES: [(&str, Machine, Target); 4] = [
    ("amd64", Machine::X86_64, Target::LE64),
    ("arm64", Machine::AARCH64, Target::LE64),
    ("s390x", Machine::S390, Target::BE64),
    ("armhf", Machine::ARM, Target::LE32),
];

fn extract(bytes: &[u8], options: &Options) -> Extracted {
    let kernel = source::open_bytes("vmlinux", bytes, &Silent).unwrap();
    surface(&kernel, options, &Silent).unwrap()
}

fn named(arch: &str) -> Options {
    Options { name: Some(format!("6.1.0-50-test-{arch}").parse().unwrap()), ..Options::default() }
}

fn each(test: impl Fn(&str, Kernel, Options)) {
    for (arch, machine, target) in MACHINES {
        for (version, style) in [(4, Style::Gcc), (5, Style::Gcc), (5, Style::Clang)] {
            let mut kernel = Kernel::sample(machine, target);
            kernel.dwarf(version, style);
            test(&format!("{arch}, DWARF {version}, {style:?}"), kernel, named(arch));
        }
    }
}

#[test]
fn functions_have_their_instances_calls_and_copies() {
    each(|case, kernel, options| {
        let surface = Surface::from_bytes(extract(&kernel.build().bytes(), &options).bytes).unwrap();
        let function = |name| surface.function(name).unwrap_or_else(|| panic!("{case}: no `{name}`"));
        let vfs_read = function("vfs_read");
        assert_eq!(vfs_read.collision(), Collision::UniqueGlobal, "{case}");
        assert_eq!(vfs_read.inline_kind(), InlineKind::No, "{case}");
        let instance = vfs_read.instances().next().unwrap();
        assert_eq!(instance.declaration(), Some(("fs/read_write.c", Some(450))), "{case}");
        assert_eq!(
            instance.address(),
            Some(surface.symbols_named("vfs_read").next().unwrap().address()),
            "{case}"
        );

        let kfree = function("kfree");
        let callers: Vec<_> =
            kfree.instances().flat_map(|i| i.callers().map(|c| c.name()).collect::<Vec<_>>()).collect();
        assert_eq!(callers, ["vfs_read"], "{case}: a call names the declaration");

        let verify = function("rw_verify_area");
        assert_eq!(verify.inline_kind(), InlineKind::Selective, "{case}");
        assert!(verify.is_transformed(), "{case}: it has a `.cold` part");
        let verify = verify.instances().next().unwrap();
        assert_eq!(verify.inline(), Inline::Inlined, "{case}");
        let hot = surface.symbols_named("rw_verify_area").next().unwrap().address();
        assert_eq!(verify.address(), Some(hot), "{case}: the address is the first range");
        let site = verify.inline_sites().next().unwrap();
        assert_eq!((site.caller.name(), site.call_line), ("vfs_read", Some(461)), "{case}");
        assert_eq!(site.address, Some(instance.address().unwrap() + 8), "{case}");

        assert_eq!(function("get_order").collision(), Collision::StaticDuplication, "{case}");
        let cleanup = function("cleanup");
        assert_eq!(cleanup.collision(), Collision::StaticStatic, "{case}");
        let callers: Vec<_> =
            cleanup.instances().map(|i| i.callers().map(|c| c.name()).collect::<Vec<_>>()).collect();
        assert_eq!(callers[0], ["rw_verify_area"], "{case}: calls in an out-of-line instance are kept");

        assert_eq!(function("access_ok").inline_kind(), InlineKind::Full, "{case}");
        let account = function("account_slab");
        assert_eq!(
            account.symbols().map(|s| s.name()).collect::<Vec<_>>(),
            ["account_slab.isra.0"],
            "{case}"
        );
    });
}

#[test]
fn other_kinds_are_read_from_the_kernels_own_tables() {
    each(|case, kernel, options| {
        let surface = Surface::from_bytes(extract(&kernel.build().bytes(), &options).bytes).unwrap();
        let switch = surface.tracepoints_named("sched_switch").next().unwrap();
        assert_eq!((switch.system(), switch.class()), (Some("sched"), Some("sched_switch")), "{case}");
        assert!(switch.has_event() && switch.is_raw(), "{case}");
        let bare = surface.tracepoints_named("pelt_cfs_tp").next().unwrap();
        assert!(!bare.has_event() && bare.is_raw(), "{case}: a tracepoint without event");
        let hook = surface.lsm_hook("file_open").unwrap();
        assert_eq!((hook.is_attachable(), hook.is_sleepable()), (Some(true), Some(true)), "{case}");
        assert_eq!(surface.lsm_hook("task_alloc").unwrap().is_sleepable(), Some(false), "{case}");
        let kfuncs: Vec<_> = surface.kfuncs().map(|kfunc| kfunc.name()).collect();
        assert_eq!(kfuncs, ["bpf_task_acquire", "cubictcp_acked", "cubictcp_init"], "{case}");
        let has = |name: &str, bit| surface.symbols_named(name).next().unwrap().has(bit);
        assert!(has("vfs_read", ATTACH_FTRACE), "{case}");
        assert!(has("exc_nmi", ATTACH_NOINSTR) && !has("vfs_read", ATTACH_NOINSTR), "{case}");
        assert!(has("notify_die", ATTACH_BLACKLIST) && !has("vfs_read", ATTACH_BLACKLIST), "{case}");
        assert!(has("start_kernel", ATTACH_INIT), "{case}");
        assert!(surface.types().find(TypeKind::Enum, "bpf_func_id").is_some(), "{case}");
    });
}

/// The kernel's own tables need its types; those of DWARF do as well.
#[test]
fn tables_are_read_by_the_types_of_dwarf_too() {
    each(|case, kernel, options| {
        let options = Options { dwarf_types: true, ..options };
        let surface = Surface::from_bytes(extract(&kernel.build().bytes(), &options).bytes).unwrap();
        let switch = surface.tracepoints_named("sched_switch").next().unwrap();
        assert_eq!((switch.system(), switch.class()), (Some("sched"), Some("sched_switch")), "{case}");
        assert!(switch.has_event() && switch.is_raw(), "{case}");
        assert!(surface.lsm_hook("file_open").is_some(), "{case}");
        assert!(surface.syscalls().any(|call| call.args().is_some()), "{case}");
    });
}

#[test]
fn dwarf_and_btf_agree_on_the_types_of_one_image() {
    each(|case, kernel, options| {
        let bytes = kernel.build().bytes();
        let btf = Surface::from_bytes(extract(&bytes, &options).bytes).unwrap();
        let options = Options { dwarf_types: true, ..options };
        let dwarf = Surface::from_bytes(extract(&bytes, &options).bytes).unwrap();
        assert!(btf.meta().knows(Fact::Btf) && !dwarf.meta().knows(Fact::Btf), "{case}");
        let mut compared = 0;
        let kinds = [TypeKind::Struct, TypeKind::Union, TypeKind::Enum, TypeKind::Typedef];
        for found in dwarf.types().named().filter(|found| kinds.contains(&found.kind())) {
            let same = btf
                .types()
                .find_all(found.kind(), found.name())
                .any(|other| layout_same_with(found, other, Forward::IsDefinition));
            assert!(same, "{case}: {} {}", found.kind().name(), found.name());
            compared += 1;
        }
        assert!(compared > 10, "{case}: only {compared} types of DWARF");
    });
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let bytes = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| extract(&bytes, &named("amd64")).bytes)
    };
    let one = with(1);
    for threads in [2, 3, 8] {
        assert!(with(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_loss_is_a_note_or_in_strict_mode_an_error() {
    let mut image = Kernel::sample(Machine::X86_64, Target::LE64).build();
    image.elf.remove_symbol("__start_mcount_loc");
    let bytes = image.bytes();
    let lenient = extract(&bytes, &named("amd64"));
    let surface_of = Surface::from_bytes(lenient.bytes).unwrap();
    assert!(!surface_of.meta().knows(Fact::FtraceSites), "what is not there is unknown, not absent");
    let kernel = source::open_bytes("vmlinux", &bytes, &Silent).unwrap();
    let strict = surface(&kernel, &Options { strict: true, ..named("amd64") }, &Silent);
    assert_eq!(strict.is_err(), lenient.notes.iter().any(|note| note.lossy));
}

#[test]
fn a_kernel_without_debug_information_names_the_package_of_its_distribution() {
    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64).build();
    kernel.elf.remove(".debug_info").remove(".BTF");
    let surface = Surface::from_bytes(extract(&kernel.bytes(), &named("amd64")).bytes).unwrap();
    let meta = surface.meta();
    for fact in [Fact::Functions, Fact::Types, Fact::Btf, Fact::LsmHooks, Fact::Tracepoints] {
        assert!(!meta.knows(fact), "{fact:?}");
    }
    for fact in [Fact::Symbols, Fact::FtraceSites, Fact::KprobeBlacklist, Fact::Syscalls] {
        assert!(meta.knows(fact), "{fact:?}: {:?}", meta.unknown_because(fact));
    }
    assert!(surface.symbols_named("vfs_read").next().is_some());
    let mut meta = meta.clone();
    meta.uname = Some("6.1.0-50-cloud-amd64".into());
    for (distribution, package) in [
        (Some("debian"), Some("linux-image-6.1.0-50-cloud-amd64-dbg")),
        (Some("ubuntu"), Some("linux-image-unsigned-6.1.0-50-cloud-amd64-dbgsym")),
        (Some("suse"), None),
        (None, None),
    ] {
        meta.distribution = distribution.map(str::to_owned);
        assert_eq!(super::boot::debug_package(&meta).as_deref(), package, "{distribution:?}");
    }
}

#[test]
fn the_configuration_of_another_kernel_is_told_by_its_name_or_its_heading() {
    let mut kernel = Kernel::sample(Machine::X86_64, Target::LE64);
    let bytes = kernel.release("6.1.0-50-cloud-amd64").build().bytes();
    let with = |file: &str, text: &str| {
        let mut kernel = source::open_bytes("vmlinux", &bytes, &Silent).unwrap();
        let origin = source::Origin { file: file.into(), package: None, member: None };
        kernel.config = Some(source::Config { text: text.into(), origin });
        surface(&kernel, &named("amd64"), &Silent)
    };
    let heading = |version: &str| format!("#\n# Linux/x86 {version} Kernel Configuration\n#\nCONFIG_BPF=y\n");
    for (file, text) in [
        ("config-6.1.0-50-cloud-amd64", heading("6.1.176")),
        (".config", heading("6.1.176")),
        (".config", heading("6.1.0-rc3")),
        // Neither tells: it may well be the right one.
        (".config", "CONFIG_BPF=y\n".into()),
        ("config-mine", "# a Kernel Configuration\nCONFIG_BPF=y\n".into()),
        (".config", format!("CONFIG_BPF=y\n{}", heading("5.10.223"))),
    ] {
        assert!(with(file, &text).is_ok(), "{file}: {text}");
    }
    for (file, text, told) in [
        ("config-6.1.0-49-cloud-amd64", heading("6.1.176"), "`6.1.0-49-cloud-amd64`"),
        ("config-6.1.0-50-amd64", "CONFIG_BPF=y\n".into(), "`6.1.0-50-amd64`"),
        (".config", heading("6.12.107"), "`6.12.107`"),
        (".config", heading("5.1.3"), "`5.1.3`"),
    ] {
        let error = with(file, &text).unwrap_err();
        assert!(error.to_string().contains(&format!("the config in `{file}` is for {told}")), "{error}");
    }
}
