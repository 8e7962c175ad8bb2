//! Pages of functions on kernels whose debug information was not read, in every form.

mod kernel;

use depsurf::surface::{Evidence, Fact, Surface, Type, TypeId, TypeKind, record};
use depsurf_render::{Group, Kernel as Labelled, Kind, Look, Page, State, json, markdown, suggest, terminal};
use kernel::{Instance, Kernel};
use testkit::Target;
use testkit::c::Types;

const IMAGE: &str = "6.1.0-1-image-amd64";
const READ: &str = "6.1.0-1-cloud-amd64";

/// Types as BTF has them: a FUNC for all but the assembly.
fn types() -> Types {
    let mut types = Types::new(Target::LE64);
    types.typedef("ssize_t", "long");
    types.function("vfs_read", "ssize_t", &[("file", "struct file *"), ("buf", "char *")]);
    types.function("fput", "void", &[("file", "struct file *")]);
    types.function("static_only", "int", &[("count", "int")]);
    types
}

/// What a bootable image tells: symbols and BTF, and of `kvm_run` that the module `kvm` has it.
fn image() -> Kernel {
    let mut kernel = Kernel::new(IMAGE);
    kernel.types(&types());
    let traceable = record::ATTACH_FTRACE | record::ATTACH_EXPORTED_GPL;
    kernel.symbol("vfs_read", 0xffff_ffff_8130_0000, 0, 1, traceable);
    kernel.symbol("vfs_read.cold", 0xffff_ffff_8170_0000, 0, 0, 0);
    kernel.symbol("vfs_readv", 0xffff_ffff_8130_1000, 0, 1, traceable);
    kernel.symbol("__pfx_vfs_read", 0xffff_ffff_812f_fff0, 0, 0, 0);
    kernel.symbol("fput.isra.0", 0xffff_ffff_8131_0000, 40, 0, record::ATTACH_FTRACE);
    kernel.symbol("register_ftrace_direct", 0xffff_ffff_8110_0000, 0, 1, 0);
    kernel.symbol("arch_prepare_bpf_trampoline", 0xffff_ffff_8110_1000, 0, 1, 0);
    kernel.unknown(Fact::Functions, "a bootable image has no debug information");
    kernel
}

/// An image and the module `kvm`, as of a running kernel.
fn with_module() -> Surface {
    let mut kernel = image();
    let (first_type, of) = (kernel.parts.types.next_id().0, kernel.type_id(TypeKind::Func, "static_only"));
    let name = kernel.parts.strings.intern(b"kvm_run");
    let proto = kernel.parts.types.view(&kernel.parts.strings, &[]).get(TypeId(of)).and_then(Type::target_id);
    kernel.parts.types.push(TypeKind::Func, false, name, proto.expect("a prototype").0, []);
    let [name, path] = ["kvm", "kernel/kvm.ko"].map(|text| kernel.string(text).into());
    kernel.parts.modules.push(record::Module {
        name,
        path,
        first_symbol: (kernel.parts.symbols.len() as u32).into(),
        first_type: first_type.into(),
        type_count: 1.into(),
        flags: record::MODULE_CODE.into(),
    });
    kernel.symbol("kvm_run", 0, 0, 1, record::ATTACH_FTRACE);
    kernel.unknown(Fact::Modules, "1 modules that were loaded were read, and others may be");
    kernel.build()
}

/// A kernel with debug information. Its modules were not read, or it has none.
fn read(has_modules: bool) -> Surface {
    let mut kernel = Kernel::new(READ);
    kernel.types(&types());
    kernel.symbol("vfs_read", 0xffff_ffff_8130_0000, 358, 1, record::ATTACH_FTRACE);
    kernel.function(
        "vfs_read",
        [Instance {
            file: "fs/read_write.c".into(),
            location: "fs/read_write.c:450".into(),
            address: Some(0xffff_ffff_8130_0000),
            external: true,
            called_by: vec!["fs/read_write.c:ksys_read".into()],
            ..Instance::default()
        }],
    );
    let modules = if has_modules {
        Evidence::unknown("modules were not asked for")
    } else {
        Evidence::known("no modules")
    };
    kernel.parts.meta.evidence.insert(Fact::Modules, modules);
    kernel.build()
}

fn page<'a>(surfaces: &'a [Surface], name: &'a str) -> Page<'a> {
    let kernels =
        surfaces.iter().map(|surface| Labelled { label: surface.kernel().to_string(), surface }).collect();
    Page::decide(Kind::Function, name, &[Group { title: "Kernels".into(), kernels, base: None }])
}

/// The pages of some names, one below the other.
fn text(surfaces: &[Surface], names: &[&str]) -> String {
    let page = |name: &&str| terminal::page(&page(surfaces, name), &Look::default());
    names.iter().map(page).collect::<Vec<_>>().join("\n")
}

#[test]
fn one_kernel_in_a_terminal() {
    let names = ["vfs_read", "fput", "static_only", "kvm_run", "no_such"];
    insta::assert_snapshot!(text(&[with_module()], &names));
}

#[test]
fn beside_a_kernel_with_debug_information() {
    insta::assert_snapshot!(text(&[image().build(), read(true)], &["vfs_read", "fput", "no_such"]));
}

#[test]
fn markdown_and_json() {
    let surfaces = [with_module()];
    let [read, run, none] = ["vfs_read", "kvm_run", "no_such"].map(|name| page(&surfaces, name));
    let pages = [markdown::page(&read), markdown::page(&run), markdown::page(&none), json::page(&run)];
    insta::assert_snapshot!(pages.join("\n"));
}

/// Bare BTF has prototypes and no symbols, and then no symbol is said to be missing.
#[test]
fn without_symbols_none_is_missing() {
    let mut kernel = Kernel::new(IMAGE);
    kernel.types(&types());
    for fact in [Fact::Functions, Fact::Symbols, Fact::FtraceSites] {
        kernel.unknown(fact, "bare BTF has no symbols");
    }
    let text = text(&[kernel.build()], &["vfs_read"]);
    assert!(text.contains("\n  ssize_t vfs_read(struct file *file, char *buf);\n"), "{text}");
    assert!(text.contains("kprobe, kretprobe  unknown: symbols could not be read"), "{text}");
    assert!(!text.contains("\nSymbols\n") && !text.contains("no symbol has this name"), "{text}");
}

/// Where neither was read, nothing but that is said.
#[test]
fn without_symbols_and_types_nothing_is_known() {
    let mut kernel = image();
    kernel.unknown(Fact::Symbols, "no symbols").unknown(Fact::Btf, "no BTF");
    let surfaces = [kernel.build()];
    let page = page(&surfaces, "no_such");
    let state = &page.groups[0].entries[0].state;
    assert!(matches!(state, State::Unknown { fact: Fact::Functions, outline: None, .. }), "{state:?}");
}

/// A kernel whose modules were not read may have what another has in a module; one that has none has not.
#[test]
fn what_only_a_module_has_is_unknown_where_modules_were_not_read() {
    for (has_modules, expected) in [(true, Some(Fact::Modules)), (false, None)] {
        let surfaces = [with_module(), read(has_modules)];
        let page = page(&surfaces, "kvm_run");
        let unknown: Vec<Option<Fact>> = page
            .entries()
            .map(|entry| match &entry.state {
                State::Unknown { fact, .. } => Some(*fact),
                State::Present(_) | State::Absent { .. } => None,
            })
            .collect();
        assert_eq!(unknown, [Some(Fact::Functions), expected]);
        assert!(page.is_somewhere());
    }
}

#[test]
fn names_are_suggested() {
    let surface = with_module();
    let near = suggest(&[&surface], Kind::Function, "kvm_rum");
    assert_eq!(near.names, ["kvm_run"]);
    assert_eq!(suggest(&[&surface], Kind::Struct, "static_only").kinds, [Kind::Function]);
    let all = [
        "arch_prepare_bpf_trampoline",
        "fput",
        "kvm_run",
        "register_ftrace_direct",
        "static_only",
        "vfs_read",
        "vfs_readv",
    ];
    assert_eq!(surface.outlines(), all);
}
