//! A vmlinux in two halves, and one module in every wrapping, whole and in two halves: the facts are always the same.
//!
//! Where clang or binutils are not installed the tests are skipped, with a line that says so.
#![allow(clippy::print_stdout, reason = "tests say what they left out")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{PLACE, skip};
use depsurf::extract::{self, Options};
use depsurf::note::Note;
use depsurf::progress::Silent;
use depsurf::source::{self, ModuleChoice};
use depsurf::surface::Surface;
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::package::{ar, cpio, member, rpm, tar};

const RELEASE: &str = "6.1.0-50-test";
const PATH: &str = "kernel/fs/tiny/tiny-one.ko";

/// A module as the build leaves it, and the halves that distributions make of it.
struct Module {
    whole: Vec<u8>,
    code: Vec<u8>,
    debug: Vec<u8>,
}

impl Module {
    /// `None` where a tool is missing, which is said.
    fn build(options: &[&str]) -> Option<Self> {
        let Some(whole) = common::module("x86_64-linux-gnu", options) else {
            skip("halves of modules", "no clang, or one that does not know x86-64");
            return None;
        };
        let directory = tempfile::tempdir_in(PLACE.path()).unwrap();
        let (path, half) = (directory.path().join("whole"), directory.path().join("half"));
        fs::write(&path, &whole).unwrap();
        let strip = |option: &str| {
            let output = Command::new("objcopy").arg(option).args([&path, &half]).output().ok()?;
            output.status.success().then(|| fs::read(&half).unwrap())
        };
        let halves = strip("--strip-debug").zip(strip("--only-keep-debug"));
        if halves.is_none() {
            skip("halves of modules", "no objcopy, or one that does not know x86-64");
        }
        let (code, debug) = halves?;
        Some(Self { whole, code, debug })
    }
}

fn vmlinux() -> Vec<u8> {
    Kernel::sample(Machine::X86_64, Target::LE64).build().bytes()
}

/// Files by path.
type Files<'a> = Vec<(String, &'a [u8])>;

fn in_tar(files: &Files<'_>) -> Vec<u8> {
    tar(&files.iter().map(|(path, bytes)| member(path, b'0', bytes)).collect::<Vec<_>>())
}

fn in_deb(package: &str, files: &Files<'_>) -> Vec<u8> {
    let control =
        format!("Package: {package}\nVersion: 6.1.176-1\nArchitecture: amd64\nMaintainer: nobody\n");
    let control = tar(&[member("./control", b'0', control.as_bytes())]);
    ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &in_tar(files))])
}

fn in_rpm(package: &str, files: &Files<'_>) -> Vec<u8> {
    let fields = [(1000, package), (1001, "6.1.0"), (1002, "50"), (1022, "x86_64")];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    rpm(&fields, &cpio(&files))
}

fn kernel_path() -> String {
    format!("usr/lib/debug/lib/modules/{RELEASE}/vmlinux")
}

fn debug_path(ending: &str) -> String {
    format!("usr/lib/debug/lib/modules/{RELEASE}/{PATH}{ending}")
}

fn code_path(ending: &str) -> String {
    format!("lib/modules/{RELEASE}/{PATH}{ending}")
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir_in(PLACE.path()).unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Reads files that belong together, as `depsurf add` does.
fn read(paths: &[PathBuf]) -> (Surface, Vec<Note>) {
    let inputs = source::pair(paths).unwrap();
    assert_eq!(inputs.len(), 1, "{inputs:?}");
    let kernel = source::open(&inputs[0].image, &inputs[0].options(), &Silent).unwrap();
    let options = Options {
        name: Some("6.1.0-50-test-amd64".parse().unwrap()),
        modules: ModuleChoice::All,
        ..Options::default()
    };
    let extracted = extract::surface(&kernel, &options, &Silent).unwrap();
    (Surface::from_bytes(extracted.bytes).unwrap(), extracted.notes)
}

/// What there is about the module, in words.
fn facts(paths: &[PathBuf]) -> String {
    let (surface, notes) = read(paths);
    let lost: Vec<&Note> = notes.iter().filter(|note| note.lossy).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let mut text = String::new();
    for module in surface.modules() {
        text +=
            &format!("{} {} {} {}\n", module.name(), module.path(), module.has_code(), module.has_debug());
        for symbol in module.symbols() {
            let attach = surface.attach(symbol.name());
            text += &format!("{} {:#x} {:?}\n", symbol.name(), symbol.address(), attach.kprobe);
        }
    }
    for function in surface.functions() {
        for instance in function.instances() {
            let callers: Vec<&str> = instance.callers().map(|caller| caller.name()).collect();
            let (module, address) = (instance.module(), instance.address());
            text += &format!(
                "{} {module:?} {address:?} {:?} {callers:?}\n",
                function.name(),
                instance.declaration()
            );
        }
    }
    for found in surface.types().iter() {
        text += &format!("{} {} {:?}\n", found.kind().name(), found.name(), found.size());
    }
    text
}

fn whole(place: &Place, module: &Module, vmlinux: &[u8]) -> PathBuf {
    let files = vec![(kernel_path(), vmlinux), (debug_path(""), module.whole.as_slice())];
    place.file("whole.deb", &in_deb(&format!("linux-image-{RELEASE}-dbg"), &files))
}

#[test]
fn halves_of_two_packages_give_the_same_surface_as_the_whole() {
    let Some(module) = Module::build(&[]) else { return };
    let (place, vmlinux) = (Place::new(), vmlinux());
    let expected = read(&[whole(&place, &module, &vmlinux)]).0;
    let tiny = expected.module("tiny_one").unwrap();
    assert!(tiny.has_code() && tiny.has_debug());

    let debug = vec![(kernel_path(), vmlinux.as_slice()), (debug_path(""), module.debug.as_slice())];
    let debug = place.file("debug.deb", &in_deb(&format!("linux-image-{RELEASE}-dbg"), &debug));
    for (number, (ending, code)) in wrapped(&module.code).iter().enumerate() {
        let code = vec![(code_path(ending), code.as_slice())];
        let code = in_deb(&format!("linux-modules-extra-{RELEASE}"), &code);
        let code = place.file(&format!("code{number}.deb"), &code);
        let (surface, _) = read(&[code, debug.clone()]);
        assert_eq!(surface.bytes(), expected.bytes(), "{ending}");
    }
}

/// A file as it is and under each compression, with what its name ends in.
fn wrapped(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with = |program: &str| {
        let path = PLACE.path().join(format!("wrapped.{program}"));
        fs::write(&path, bytes).unwrap();
        let output = Command::new(program).arg("-c").arg(&path).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let mut all = vec![("", bytes.to_vec())];
    for (program, ending) in [("xz", ".xz"), ("gzip", ".gz"), ("zstd", ".zst")] {
        match with(program) {
            Some(bytes) => all.push((ending, bytes)),
            None => skip("a compression of modules", &format!("no {program}")),
        }
    }
    all
}

#[test]
fn a_module_is_the_same_in_every_wrapping() {
    let Some(module) = Module::build(&[]) else { return };
    let (place, vmlinux) = (Place::new(), vmlinux());
    let expected = facts(&[whole(&place, &module, &vmlinux)]);
    assert!(expected.starts_with("tiny_one kernel/fs/tiny/tiny-one.ko true true\n"), "{expected}");

    let kernel = || (kernel_path(), vmlinux.as_slice());
    let debug = |ending| (debug_path(ending), module.debug.as_slice());
    let code = || (code_path(""), module.code.as_slice());
    let packages = [
        place.file("debug.rpm", &in_rpm("kernel-debuginfo", &vec![kernel(), debug(".debug")])),
        place.file("code.rpm", &in_rpm("kernel-modules-core", &vec![code()])),
    ];
    assert_eq!(facts(&packages), expected, "RPM packages");
    for (name, files) in [
        ("code first", vec![code(), debug(""), kernel()]),
        ("code last", vec![kernel(), debug(".debug"), code()]),
        ("whole", vec![kernel(), (code_path(""), module.whole.as_slice())]),
    ] {
        assert_eq!(facts(&[place.file("system.tar", &in_tar(&files))]), expected, "tar archive, {name}");
        let directory = Place::new();
        files.iter().for_each(|(path, bytes)| drop(directory.file(path, bytes)));
        assert_eq!(facts(&[directory.0.path().into()]), expected, "directory, {name}");
    }
    let build = Place::new();
    build.file("vmlinux", &vmlinux);
    build.file(PATH.strip_prefix("kernel/").unwrap(), &module.whole);
    build.file("fs/tiny/tiny-one.ko.cmd", b"savedcmd");
    assert_eq!(facts(&[build.0.path().into()]), expected, "the place of a build");
}

#[test]
fn a_vmlinux_in_two_files_gives_the_same_surface_as_the_whole() {
    let place = Place::new();
    let objcopy = |options: &[&str], from: &Path, name: &str| {
        let to = place.0.path().join(name);
        let status = Command::new("objcopy").args(options).args([from, &to]).status();
        status.is_ok_and(|status| status.success()).then_some(to)
    };
    // It sorts symbols, whatever else it is to do.
    let Some(whole) = objcopy(&[], &place.file("vmlinux", &vmlinux()), "sorted") else {
        return skip("halves of a vmlinux", "no objcopy, or one that does not know x86-64");
    };
    let expected = read(std::slice::from_ref(&whole)).0;
    assert!(expected.functions().len() > 0 && expected.symbols().len() > 0);
    for strip in ["--strip-debug", "--strip-all"] {
        let code = objcopy(&[strip], &whole, &format!("vmlinux-{RELEASE}")).unwrap();
        let debug = objcopy(&["--only-keep-debug"], &whole, &format!("vmlinux-{RELEASE}.debug")).unwrap();
        assert_eq!(read(&[code, debug]).0.bytes(), expected.bytes(), "{strip}");
    }
}

#[test]
fn one_half_alone_says_what_it_does_not_know() {
    let Some(module) = Module::build(&[]) else { return };
    let (place, vmlinux) = (Place::new(), vmlinux());
    let read = |half: &[u8]| {
        let files = vec![(kernel_path(), vmlinux.as_slice()), (debug_path(""), half)];
        read(&[place.file("half.tar", &in_tar(&files))]).0
    };
    let debug = read(&module.debug);
    let tiny = debug.module("tiny_one").or_else(|| debug.modules().next()).unwrap();
    assert!(!tiny.has_code() && tiny.has_debug());
    assert!(debug.function("tiny_read").is_some());
    let code = read(&module.code);
    let tiny = code.module("tiny_one").unwrap();
    assert!(tiny.has_code() && !tiny.has_debug());
    assert!(code.function("tiny_read").is_none());
    assert!(tiny.symbols().any(|symbol| symbol.name() == "tiny_read"));
}

#[test]
fn what_is_of_another_build_or_kernel_is_left_out_and_told() {
    let Some(module) = Module::build(&[]) else { return };
    let Some(other) = Module::build(&["-O0"]) else { return };
    let Some(later) = Module::build(&["-DRELEASE=\"6.2\""]) else { return };
    let (place, vmlinux) = (Place::new(), vmlinux());
    let read = |files: Files<'_>| {
        let files = [vec![(kernel_path(), vmlinux.as_slice())], files].concat();
        read(&[place.file("system.tar", &in_tar(&files))])
    };
    let told = |notes: &[Note], id: &str| notes.iter().any(|note| note.id == id && note.lossy);

    let (surface, notes) = read(vec![(code_path(""), &module.code), (debug_path(""), &other.debug)]);
    let tiny = surface.module("tiny_one").unwrap();
    assert!(tiny.has_code() && !tiny.has_debug());
    assert!(told(&notes, "module-half"), "{notes:?}");

    let (surface, notes) = read(vec![(code_path(""), &later.whole)]);
    assert_eq!(surface.modules().len(), 0);
    assert!(told(&notes, "module"), "{notes:?}");

    // Those of other kernels in the same place are not even looked at.
    let elsewhere = Path::new("lib/modules/6.2").join(PATH).to_string_lossy().into_owned();
    let (surface, notes) = read(vec![(code_path(""), &module.whole), (elsewhere, &later.whole)]);
    assert_eq!(surface.modules().len(), 1);
    assert!(!told(&notes, "module"), "{notes:?}");
}
