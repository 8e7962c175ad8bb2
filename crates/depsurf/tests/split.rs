//! A kernel whose debug information is in `.dwo` files: the surface is byte for byte that of the same kernel built in one piece,
//! or says what is missing.

#![allow(clippy::print_stdout, reason = "tests say what they left out")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{PLACE, skip};
use depsurf::extract::{self, Options};
use depsurf::note::Note;
use depsurf::progress::Silent;
use depsurf::source::{self, ModuleChoice};
use depsurf::surface::Surface;
use testkit::Target;
use testkit::dwarf::Style;
use testkit::elf::Machine;
use testkit::kernel::{Image, Kernel};
use testkit::package::{member, tar};

/// Kernels of both widths and byte orders.
const TARGETS: [(Machine, Target); 3] =
    [(Machine::X86_64, Target::LE64), (Machine::S390, Target::BE64), (Machine::ARM, Target::LE32)];

fn kernel((machine, target): (Machine, Target), version: u16) -> Kernel {
    let mut kernel = Kernel::sample(machine, target);
    kernel.dwarf(version, Style::Gcc);
    kernel
}

fn split(of: (Machine, Target), version: u16) -> Image {
    let mut kernel = kernel(of, version);
    kernel.split().build()
}

fn each(check: impl Fn((Machine, Target), u16)) {
    for of in TARGETS {
        for version in [4, 5] {
            check(of, version);
        }
    }
}

struct Build(tempfile::TempDir);

impl Build {
    fn new() -> Self {
        Self(tempfile::tempdir_in(PLACE.path()).unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// What a build leaves: the vmlinux, and each `.dwo` where its object is.
    fn of(image: &Image) -> Self {
        let build = Self::new();
        build.file("vmlinux", &image.bytes());
        for (name, bytes) in image.dwo_files() {
            build.file(&name, &bytes);
        }
        build
    }
}

fn read(path: &Path) -> (Vec<u8>, Vec<Note>) {
    let kernel = source::open(path, &source::Options::default(), &Silent).unwrap();
    // Of DWARF alone, so that nothing is told by BTF in its place.
    let options = Options { dwarf_types: true, ..Options::default() };
    let extracted = extract::surface(&kernel, &options, &Silent).unwrap();
    (extracted.bytes, extracted.notes)
}

fn lost(notes: &[Note]) -> Vec<(&str, u64)> {
    let lost = notes.iter().filter(|note| note.lossy && note.id.starts_with("dwarf-split"));
    lost.map(|note| (note.id.as_str(), note.count)).collect()
}

#[test]
fn a_split_kernel_is_the_same_surface() {
    each(|of, version| {
        let whole = kernel(of, version).build();
        let image = split(of, version);
        assert!(image.dwo_files().len() > 1);
        let (whole, split) = (Build::of(&whole), Build::of(&image));
        let (expected, notes) = read(&whole.path().join("vmlinux"));
        assert!(Surface::from_bytes(expected.clone()).unwrap().functions().len() > 1);
        let (file, file_notes) = read(&split.path().join("vmlinux"));
        assert_eq!(file_notes, notes, "{of:?} {version}");
        assert!(file == expected, "{of:?} {version}");
        let (directory, directory_notes) = read(split.path());
        assert_eq!(directory_notes, notes, "{of:?} {version}");
        assert!(directory == read(whole.path()).0, "{of:?} {version}");
    });
}

#[test]
fn files_that_are_missing_are_noted() {
    each(|of, version| {
        let image = split(of, version);
        let missing = "fs/read_write.dwo";
        let build = Build::of(&image);
        fs::remove_file(build.path().join(missing)).unwrap();
        let (surface, notes) = read(build.path());
        assert_eq!(lost(&notes), [("dwarf-split-unit", 1)]);
        let note = notes.iter().find(|note| note.id == "dwarf-split-unit").unwrap();
        assert_eq!(note.first.as_deref(), Some(missing));
        let surface = Surface::from_bytes(surface).unwrap();
        let whole = Surface::from_bytes(read(Build::of(&image).path()).0).unwrap();
        let has = |surface: &Surface, name| surface.functions().any(|function| function.name() == name);
        // It is static, and nobody else knows it.
        assert!(has(&whole, "rw_verify_area") && !has(&surface, "rw_verify_area"));
        // With `--strict` that is an error.
        let kernel = source::open(build.path(), &source::Options::default(), &Silent).unwrap();
        let options = Options { strict: true, ..Options::default() };
        extract::surface(&kernel, &options, &Silent).unwrap_err();
    });
}

#[test]
fn files_of_another_build_are_noted() {
    each(|of, version| {
        let image = split(of, version);
        let build = Build::of(&image);
        let files = image.dwo_files();
        // The file of another unit in the place of the first.
        build.file(&files[0].0, &files[1].1);
        assert_eq!(lost(&read(build.path()).1), [("dwarf-split-id", 1)]);
    });
}

#[test]
fn files_that_cannot_be_read_are_noted() {
    let of = TARGETS[0];
    let image = split(of, 5);
    let files = image.dwo_files();
    let (name, bytes) = &files[0];
    let of_other_order = split(TARGETS[1], 5).dwo_files().swap_remove(0).1;
    for damaged in [&bytes[..bytes.len() / 2], b"", b"no ELF file", &bytes[..16], &of_other_order] {
        let build = Build::of(&image);
        build.file(name, damaged);
        assert_eq!(lost(&read(build.path()).1), [("dwarf-split-file", 1)], "{} bytes", damaged.len());
    }
    // Neither a directory nor a device is opened.
    let build = Build::of(&image);
    fs::remove_file(build.path().join(name)).unwrap();
    fs::create_dir(build.path().join(name)).unwrap();
    assert_eq!(lost(&read(build.path()).1), [("dwarf-split-file", 1)]);
    // What the note says is not of this machine.
    let (_, notes) = read(build.path());
    let place = build.path().to_string_lossy().into_owned();
    assert!(notes.iter().all(|note| !format!("{note:?}").contains(&place)), "{notes:?}");
}

/// An archive has the files perhaps, but nobody looks for them there.
#[test]
fn files_in_archives_are_not_looked_for() {
    let image = split(TARGETS[0], 5);
    let count = image.dwo_files().len() as u64;
    let archive = tar(&[member("boot/vmlinux", b'0', &image.bytes())]);
    let build = Build::of(&image);
    let path = build.file("kernel.tar", &archive);
    assert_eq!(lost(&read(&path).1), [("dwarf-split-unit", count)]);
    let kernel = source::open_bytes("vmlinux", &image.bytes(), &Silent).unwrap();
    let extracted = extract::surface(&kernel, &Options::default(), &Silent).unwrap();
    assert_eq!(lost(&extracted.notes), [("dwarf-split-unit", count)]);
}

/// Modules of a build have their `.dwo` files, too, and are object files, in which skeletons are relocated.
#[test]
fn a_module_is_the_same_split_and_whole() {
    let vmlinux = kernel(TARGETS[0], 5).build();
    for version in ["-gdwarf-4", "-gdwarf-5"] {
        let module = |options: &[&str]| common::module("x86_64-linux-gnu", options);
        let (Some(whole), Some(split)) = (module(&[version]), module(&[version, "-gsplit-dwarf"])) else {
            skip("split modules", "no clang, or one that does not know x86-64");
            return;
        };
        let read = |module: &[u8]| {
            let build = Build::of(&vmlinux);
            build.file("fs/tiny/tiny-one.ko", module);
            let kernel = source::open(build.path(), &source::Options::default(), &Silent).unwrap();
            let name = Some("6.1.0-test-amd64".parse().unwrap());
            let options = Options { name, modules: ModuleChoice::All, ..Options::default() };
            extract::surface(&kernel, &options, &Silent).unwrap()
        };
        let (whole, split) = (read(&whole), read(&split));
        assert_eq!(split.notes, whole.notes, "{version}");
        let surface = Surface::from_bytes(whole.bytes.clone()).unwrap();
        let of_module =
            surface.functions().filter(|function| function.instances().any(|one| one.module().is_some()));
        assert!(of_module.count() > 1, "{version}");
        assert!(split.bytes == whole.bytes, "{version}");
    }
}
