//! Compares with `bpftool` on a real kernel, where one is at hand.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use object::{Object, ObjectSection};

use super::*;

/// The `.BTF` of the file that an environment variable names: an ELF file or a bare blob.
#[allow(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn real_blob(variable: &str) -> Option<Vec<u8>> {
    let Some(path) = std::env::var_os(variable).map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: set {variable} to an ELF file with .BTF, or to the bare BTF, to compare with bpftool"
        );
        return None;
    };
    let file = std::fs::File::open(&path).expect("the file can be opened");
    #[allow(unsafe_code, reason = "the file is not written while the test runs")]
    // SAFETY: nobody changes a kernel image while it is tested.
    let map = unsafe { memmap2::Mmap::map(&file) }.expect("the file can be mapped");
    if !map.starts_with(b"\x7fELF") {
        return Some(map.to_vec());
    }
    let elf = object::File::parse(&*map).expect("the file is an ELF file");
    let section = elf.section_by_name(".BTF").expect("the file has BTF");
    Some(section.data().expect("the section is in the file").to_vec())
}

/// What `bpftool btf dump` prints, of a split blob with its base.
fn bpftool(blob: &[u8], base: Option<&[u8]>) -> String {
    let directory = tempfile::tempdir().expect("a scratch directory");
    let file = |name: &str, blob: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, blob).expect("the scratch directory can be written");
        path
    };
    let mut command = Command::new("bpftool");
    if let Some(base) = base {
        command.arg("-B").arg(file("base", base));
    }
    command.args(["btf", "dump", "file"]).arg(file("btf", blob)).args(["format", "raw"]);
    let output = command.output().expect("bpftool is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names are UTF-8")
}

/// Takes out of bpftool's text what [`dump`] leaves out.
fn without_extras(text: &str) -> String {
    let mut clean = String::new();
    for line in text.lines() {
        let mut words =
            line.split(' ').filter(|word| !word.starts_with("index_type_id=")).collect::<Vec<_>>();
        if line.starts_with("\ttype_id=") {
            words.truncate(2);
        }
        clean += &words.join(" ");
        clean.push('\n');
    }
    clean
}

#[test]
#[allow(clippy::print_stderr, reason = "says what was compared")]
fn bpftool_reads_the_same() {
    let Some(blob) = real_blob("DEPSURF_VMLINUX") else { return };
    let start = Instant::now();
    let tables = Tables::read(&blob).expect("the kernel's BTF reads");
    let took = start.elapsed();
    let (ours, theirs) = (tables.dump(), without_extras(&bpftool(&blob, None)));
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    eprintln!("{} types are the same; reading took {took:?}", tables.types.records().len() - 1);
}

/// Sizes in data sections included, but not the type of an array's index: BTF made by several compilers has
/// several of them.
#[test]
fn bpftool_accepts_what_is_written() {
    let Some(blob) = real_blob("DEPSURF_VMLINUX") else { return };
    let tables = Tables::read(&blob).expect("the kernel's BTF reads");
    let big = blob[0] == 0xeb;
    let endian = if big { object::Endianness::Big } else { object::Endianness::Little };
    let view = tables.types.view(&tables.strings, &[]);
    let written = crate::btf::write(view, 1..view.len(), endian);
    let index = |text: String| {
        let words = text.split(' ').filter(|word| !word.starts_with("index_type_id="));
        words.collect::<Vec<_>>().join(" ")
    };
    let (ours, theirs) = (index(bpftool(&written, None)), index(bpftool(&blob, None)));
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(written.len() <= blob.len(), "{} bytes from {}", written.len(), blob.len());
}

/// A module's split BTF, both as it is and as it is written again.
#[test]
fn bpftool_reads_the_same_from_a_module() {
    let Some(base) = real_blob("DEPSURF_VMLINUX") else { return };
    let Some(blob) = real_blob("DEPSURF_MODULE") else { return };
    let mut tables = Tables::read(&base).expect("the kernel's BTF reads");
    let ids = tables
        .split(&blob, Base::new(&base).expect("the kernel's BTF reads"))
        .expect("the module's BTF reads");
    assert!(!ids.is_empty());
    let view = tables.types.view(&tables.strings, &[]);
    let ours: String = view.iter().skip(ids.start as usize - 1).map(dump).collect();
    let theirs = without_extras(&bpftool(&blob, Some(&base)));
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    let write = |ids| crate::btf::write(view, ids, object::Endianness::Little);
    let written = bpftool(&write(ids.clone()), Some(&write(1..ids.start)));
    assert!(ours == without_extras(&written), "the written blobs read otherwise");
}
