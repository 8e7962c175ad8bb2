//! BTF that is made of surfaces, against bpftool, which reads it with libbpf.
//!
//! What is not installed is skipped, with a line that says so.
#![allow(clippy::print_stdout, reason = "tests say what they compared and what they left out")]

use std::path::Path;
use std::process::Command;

use depsurf::progress::Silent;
use depsurf::surface::{Surface, TypeKind};
use depsurf::{btf, extract, source};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

/// The surface of a kernel that was built without BTF.
fn without_btf(machine: Machine, target: Target, arch: &str) -> Surface {
    let mut elf = Kernel::sample(machine, target).build().elf;
    elf.remove(".BTF").remove(".BTF_ids").remove_symbol("__start_BTF").remove_symbol("__stop_BTF");
    let kernel = source::open_bytes("vmlinux", &elf.build(), &Silent).unwrap();
    let name = Some(format!("6.1.0-1-mine-{arch}").parse().unwrap());
    let options = extract::Options { name, ..Default::default() };
    Surface::from_bytes(extract::surface(&kernel, &options, &Silent).unwrap().bytes).unwrap()
}

/// What bpftool prints of a file; `None` where it is not installed.
fn dump(path: &Path) -> Option<String> {
    let output = Command::new("bpftool").args(["btf", "dump", "file"]).arg(path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("names are text"))
}

#[test]
fn bpftool_reads_the_types_of_kernels_without_btf() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for (machine, target, arch) in [
        (Machine::AARCH64, Target::LE64, "arm64"),
        (Machine::S390, Target::BE64, "s390x"),
        (Machine::ARM, Target::LE32, "armhf"),
    ] {
        let surface = without_btf(machine, target, arch);
        let path = directory.path().join(arch);
        std::fs::write(&path, btf::export(&surface)).expect("it can be written");
        let Some(text) = dump(&path) else { return println!("SKIPPED: bpftool is not installed") };
        let types = text.lines().filter(|line| line.starts_with('[')).count();
        let functions = text.lines().filter(|line| line.contains("] FUNC '")).count();
        assert_eq!(types, surface.types().len() as usize - 1 + functions, "{arch}");
        assert!(text.contains("] FUNC 'vfs_read' type_id="), "{arch}");
        for found in surface.types().named().filter(|found| found.kind() == TypeKind::Struct) {
            let size = found.size().unwrap_or(0);
            let line = format!("] STRUCT '{}' size={size} vlen={}", found.name(), found.members().count());
            assert!(text.contains(&line), "{arch}: {line}");
        }
    }
}
