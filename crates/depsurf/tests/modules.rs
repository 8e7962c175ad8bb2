//! Modules of a tiny kernel, compiled for every architecture that clang knows: relocations of each kind are applied,
//! and what belongs together meets across the images.
//!
//! Where clang is not installed the tests are skipped, with a line that says so.
#![allow(clippy::print_stdout, reason = "tests say what they compared and what they left out")]

mod common;

use common::skip;
use depsurf::Kind;
use depsurf::diff::{Diff, Pair};
use depsurf::extract::{self, Options};
use depsurf::interop::depsurf::Part;
use depsurf::progress::Silent;
use depsurf::source::{self, ModuleChoice};
use depsurf::surface::attach::Answer;
use depsurf::surface::{Fact, Surface, TypeKind, c};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::package::{ar, member, tar};

/// The machine of a kernel, and what clang calls it.
const MACHINES: [(&str, Machine, Target, &str); 6] = [
    ("amd64", Machine::X86_64, Target::LE64, "x86_64-linux-gnu"),
    ("arm64", Machine::AARCH64, Target::LE64, "aarch64-linux-gnu"),
    ("s390x", Machine::S390, Target::BE64, "s390x-linux-gnu"),
    ("armhf", Machine::ARM, Target::LE32, "arm-linux-gnueabihf"),
    ("riscv64", Machine::RISCV, Target::LE64, "riscv64-linux-gnu"),
    ("ppc64el", Machine::PPC64, Target::LE64, "powerpc64le-linux-gnu"),
];

/// The object file of the module; `None` where clang is missing or does not know the machine.
fn compile(target: &str) -> Option<Vec<u8>> {
    common::module(target, &[])
}

/// A package with a kernel and a module.
fn package(arch: &str, machine: Machine, target: Target, module: &[u8]) -> Vec<u8> {
    let release = format!("6.1.0-50-test-{arch}");
    let vmlinux = Kernel::sample(machine, target).build().bytes();
    let control = format!(
        "Package: linux-image-{release}-dbg\nVersion: 6.1.176-1\nArchitecture: {arch}\nMaintainer: nobody\n"
    );
    let files = [
        member(&format!("./usr/lib/debug/boot/vmlinux-{release}"), b'0', &vmlinux),
        member(&format!("./usr/lib/debug/lib/modules/{release}/kernel/fs/tiny/tiny-one.ko"), b'0', module),
    ];
    let control = tar(&[member("./control", b'0', control.as_bytes())]);
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &tar(&files))])
}

fn surface(arch: &str, package: &[u8], modules: &str, threads: usize) -> Surface {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let kernel = source::open_bytes("x.deb", package, &Silent).unwrap();
    let options = Options {
        name: Some(format!("6.1.0-50-test-{arch}").parse().unwrap()),
        modules: ModuleChoice::parse(modules).unwrap(),
        ..Options::default()
    };
    let extracted = pool.install(|| extract::surface(&kernel, &options, &Silent)).unwrap();
    let lost: Vec<_> = extracted.notes.iter().filter(|note| note.lossy).collect();
    assert!(lost.is_empty(), "{arch}: {lost:?}");
    Surface::from_bytes(extracted.bytes).unwrap()
}

#[test]
fn what_is_in_a_module_joins_what_is_in_the_kernel() {
    for (arch, machine, target, triple) in MACHINES {
        let Some(module) = compile(triple) else {
            skip("modules", &format!("no clang, or one that does not know {triple}"));
            continue;
        };
        let package = package(arch, machine, target, &module);
        let surface = surface(arch, &package, "all", 1);
        let tiny = surface.module("tiny_one").unwrap_or_else(|| panic!("{arch}: no module"));
        assert_eq!(tiny.path(), "kernel/fs/tiny/tiny-one.ko");
        assert!(tiny.has_code() && tiny.has_debug() && !tiny.has_btf(), "{arch}");
        assert!(surface.meta().knows(Fact::Modules), "{arch}");

        let function = |name| surface.function(name).unwrap_or_else(|| panic!("{arch}: no `{name}`"));
        let read = function("tiny_read");
        let instance = read.instances().next().unwrap();
        assert_eq!(instance.module(), Some("tiny_one"), "{arch}");
        let (file, line) = instance.declaration().unwrap();
        assert!(file.ends_with("module.c") && line == Some(26), "{arch}: {file}:{line:?}");
        let text = "long tiny_read(struct file *file, char *buffer, unsigned long count);";
        let prototype = c::prototype(read.prototype().unwrap(), "tiny_read");
        assert_eq!(prototype.replace("long unsigned int", "unsigned long"), text, "{arch}");

        // DWARF's address and the symbol's are one: both went through relocations, or through the same layout.
        let symbol = surface.symbols_named("tiny_read").next().unwrap();
        assert_eq!(symbol.module().map(|module| module.name()), Some("tiny_one"), "{arch}");
        assert_eq!(instance.address(), Some(symbol.address()), "{arch}");
        let attach = surface.attach("tiny_read");
        assert_eq!((&attach.kprobe, attach.module), (&Answer::Yes, Some("tiny_one")), "{arch}");
        assert!(
            matches!(surface.attach("tiny_static").kprobe, Answer::No { .. }),
            "{arch}: it has no ftrace site"
        );

        // An inlined copy, and calls: one inside, one of the kernel, one of something that nobody has.
        let copy = function("tiny_inlined").instances().next().unwrap();
        let callers: Vec<&str> = copy.inline_sites().map(|site| site.caller.name()).collect();
        assert_eq!(callers, ["tiny_static"], "{arch}");
        let unknown = function("printk_like").instances().next();
        if let Some(unknown) = unknown {
            assert_eq!((unknown.file(), unknown.module()), (None, None), "{arch}");
        }
        if ["amd64", "arm64"].contains(&arch) {
            let vfs_read = function("vfs_read");
            assert_eq!(
                vfs_read.instances().len(),
                1,
                "{arch}: the module's declaration is the kernel's function"
            );
            let instance = vfs_read.instances().next().unwrap();
            let mut callers = instance.callers().map(|caller| (caller.name(), caller.module()));
            assert!(callers.any(|caller| caller == ("tiny_read", Some("tiny_one"))), "{arch}");
        }

        let state = surface.types().find(TypeKind::Struct, "tiny_state").unwrap();
        assert_eq!(
            state.members().map(|member| member.name).collect::<Vec<_>>(),
            ["number", "file"],
            "{arch}"
        );
    }
}

#[test]
fn the_kernel_stays_as_it_is_and_threads_do_not_matter() {
    let Some(module) = compile("x86_64-linux-gnu") else { return skip("modules", "no clang") };
    let package = package("amd64", Machine::X86_64, Target::LE64, &module);
    let without = surface("amd64", &package, "none", 1);
    let with = surface("amd64", &package, "all", 1);
    let names = |surface: &Surface| -> Vec<String> {
        let of_kernel = surface.functions().filter(|function| !function.name().contains("tiny"));
        of_kernel.map(|function| function.name().to_owned()).filter(|name| name != "printk_like").collect()
    };
    assert_eq!(names(&without), names(&with));
    assert_eq!(without.modules().len(), 0);
    assert!(!without.meta().knows(Fact::Modules));
    assert_eq!(surface("amd64", &package, "all", 4).bytes(), with.bytes());
    assert_eq!(surface("amd64", &package, "kernel/fs/**", 2).modules().len(), 1);
    let other = surface("amd64", &package, "ext4", 2);
    assert_eq!(other.modules().len(), 0);
    assert_eq!(other.meta().unknown_because(Fact::Modules), Some("none were found beside the image"));
}

#[test]
fn a_damaged_module_is_left_out_and_told() {
    let Some(module) = compile("x86_64-linux-gnu") else { return skip("modules", "no clang") };
    let kernel = |module: &[u8]| {
        let package = package("amd64", Machine::X86_64, Target::LE64, module);
        let kernel = source::open_bytes("x.deb", &package, &Silent).unwrap();
        let options = Options { modules: ModuleChoice::All, ..Options::default() };
        extract::surface(&kernel, &options, &Silent).unwrap()
    };
    for cut in [0, 3, 16, 63, 64, 200, module.len() / 2, module.len() - 1] {
        let extracted = kernel(&module[..cut]);
        assert!(extracted.notes.iter().any(|note| note.id == "module"), "{cut}: {:?}", extracted.notes);
    }
    // Any byte may be wrong: facts may be too, but nothing breaks.
    for at in (0..module.len()).step_by(97) {
        let mut damaged = module.clone();
        damaged[at] ^= 0xff;
        let surface = Surface::from_bytes(kernel(&damaged).bytes).unwrap();
        surface.functions().for_each(|function| {
            function.instances().for_each(|instance| drop(instance.module().map(str::to_owned)));
        });
    }
}

/// What only modules have is neither added nor removed where the other's modules were not read.
#[test]
fn kernels_differ_by_the_modules_that_were_read_of_both() {
    let Some(module) = compile("x86_64-linux-gnu") else { return skip("modules", "no clang") };
    let package = package("amd64", Machine::X86_64, Target::LE64, &module);
    let [all, some, none] = ["all", "tiny*", "none"].map(|choice| surface("amd64", &package, choice, 1));
    for (old, new) in [(&all, &none), (&none, &all), (&some, &none), (&none, &some)] {
        let pair = Pair::new(old, new);
        let diff = Diff::new(pair, &Kind::ALL);
        assert!(diff.is_empty(), "{diff:?}");
        for kind in [Kind::Function, Kind::Struct, Kind::Field] {
            let unread = pair.unread(kind);
            assert!(unread.iter().any(|it| it.fact == Fact::Modules), "{kind}: {unread:?}");
        }
        assert!(pair.unread(Kind::Syscall).iter().all(|it| it.fact != Fact::Modules));
        for (kind, name) in
            [(Kind::Function, "tiny_read"), (Kind::Struct, "tiny_state"), (Kind::Field, "tiny_state::number")]
        {
            assert!(pair.overlooks(kind, name), "{name}");
            assert_eq!(pair.changes(kind, name), None, "{name}");
        }
        for (kind, name) in
            [(Kind::Function, "vfs_read"), (Kind::Struct, "file"), (Kind::Function, "nobody_has_it")]
        {
            assert!(!pair.overlooks(kind, name), "{name}");
        }
    }
    for (old, new) in [(&all, &some), (&some, &all), (&some, &some)] {
        let pair = Pair::new(old, new);
        let diff = Diff::new(pair, &[Kind::Function]);
        assert!(diff.is_empty() && !pair.leaves_out_modules(), "{diff:?}");
        assert_eq!(pair.changes(Kind::Function, "tiny_read"), Some(Vec::new()));
    }
    // A kernel of which all modules were read, and that does not have this one, has lost its names.
    let without = self::package("amd64", Machine::X86_64, Target::LE64, &renamed(&module));
    let without = surface("amd64", &without, "all", 1);
    assert!(without.meta().knows(Fact::Modules));
    let diff = Diff::new(Pair::new(&all, &without), &[Kind::Function]);
    assert!(diff.kinds[0].removed.iter().any(|name| name == "tiny_read"), "{diff:?}");
    assert!(diff.kinds[0].added.iter().any(|name| name == "tinY_read"), "{diff:?}");
}

/// The module with other names: the same bytes but for one letter.
fn renamed(module: &[u8]) -> Vec<u8> {
    let mut bytes = module.to_vec();
    for at in 0..bytes.len().saturating_sub(5) {
        if &bytes[at..at + 5] == b"tiny_" {
            bytes[at + 3] = b'Y';
        }
    }
    bytes
}

/// The original reads no modules, so its files tell vmlinux alone.
#[test]
fn the_dataset_of_the_original_has_no_modules() {
    let Some(module) = compile("x86_64-linux-gnu") else { return skip("modules", "no clang") };
    let package = package("amd64", Machine::X86_64, Target::LE64, &module);
    let [with, without] = ["all", "none"].map(|choice| surface("amd64", &package, choice, 1));
    for part in Part::ALL {
        let text = |surface: &Surface| {
            let mut text = String::new();
            part.write(surface, &mut |line| {
                text += line;
                Ok(())
            })
            .unwrap();
            text
        };
        assert_eq!(text(&with), text(&without), "{}", part.name());
    }
}
