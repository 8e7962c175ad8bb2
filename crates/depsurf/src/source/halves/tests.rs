//! Halves as `objcopy` and `eu-strip` leave them, in every place they may be in.

use std::path::PathBuf;

use super::super::fixture::{CONFIG, cpio, elf, gzip, member, noise, rpm, tar, xz_even, zst};
use super::super::{Options, open, open_bytes, pair};
use super::*;
use crate::progress::Silent;

const RELEASE: &str = "6.4.0-1-default";
const LOADED: u64 = 2;
const CODE: u64 = LOADED | SHF_EXECINSTR;
const NOBITS: u32 = 8;

fn text() -> Vec<u8> {
    noise(3000, 1)
}

/// The half with the code; where `symbols` is set, the symbol table is there.
fn code(symbols: bool) -> Vec<u8> {
    let (text, table) = (text(), noise(240, 2));
    let mut sections: Vec<(&str, u32, u64, &[u8])> =
        vec![(".text", 1, CODE, &text), (".data", 1, LOADED, b"data")];
    if symbols {
        sections.push((".symtab", SHT_SYMTAB, 0, &table));
    }
    sections.push((".comment", 1, 0, b"GCC"));
    elf(&sections)
}

/// The half with the debug information, and with the symbol table where the other has none.
fn debug(symbols: bool) -> Vec<u8> {
    let (info, unread, table) = (noise(5000, 3), noise(900, 4), noise(240, 2));
    elf(&[
        (".text", NOBITS, CODE, &text()),
        (".data", NOBITS, LOADED, b"data"),
        (".comment", NOBITS, 0, b"GCC"),
        (".debug_info", 1, 0, &info),
        (".debug_loclists", 1, 0, &unread),
        (".symtab", if symbols { SHT_SYMTAB } else { NOBITS }, 0, &table),
    ])
}

/// The contents of a section.
fn section(bytes: &Bytes, name: &str) -> Option<Vec<u8>> {
    let table = table(bytes).unwrap().unwrap();
    let section = table.sections.into_iter().find(|section| section.name == name.as_bytes())?;
    section.has_bytes().then(|| bytes.get(range(&section).unwrap()).unwrap().to_vec())
}

fn check(kernel: &Kernel) {
    assert_eq!(part(&kernel.vmlinux), Part::Whole);
    assert_eq!(section(&kernel.vmlinux, ".text").unwrap(), text());
    assert_eq!(section(&kernel.vmlinux, ".data").unwrap(), b"data");
    assert_eq!(section(&kernel.vmlinux, ".comment").unwrap(), b"GCC");
    assert_eq!(section(&kernel.vmlinux, ".debug_info").unwrap(), noise(5000, 3));
    assert_eq!(section(&kernel.vmlinux, ".symtab").unwrap(), noise(240, 2));
    assert_eq!(kernel.origin.release(), Some(RELEASE));
}

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Opens files that are given together.
fn open_all(paths: &[PathBuf]) -> Result<Kernel> {
    let [input] = pair(paths)?.try_into().unwrap();
    open(&input.image, &input.options(), &Silent)
}

#[test]
fn parts_are_told_by_their_sections() {
    let of = |bytes: Vec<u8>| part(&Bytes::owned(bytes));
    assert_eq!(of(code(true)), Part::Code);
    assert_eq!(of(debug(false)), Part::Debug);
    assert_eq!(of(super::super::fixture::vmlinux()), Part::Whole);
    assert_eq!(of(elf(&[])), Part::Code);
    assert_eq!(of(b"\x7fELF".to_vec()), Part::Whole);
}

#[test]
fn halves_of_suse_packages_are_put_together() {
    let package = |name: &str, files: &[(&str, &[u8])]| {
        let fields = [(1000, name), (1001, "6.4.0"), (1002, "1"), (1022, "x86_64")];
        rpm(&fields, &zst(&cpio(files)))
    };
    let modules = format!("./usr/lib/modules/{RELEASE}");
    for (code_path, debug_path, config) in [
        (
            format!("./boot/vmlinux-{RELEASE}.xz"),
            format!("./usr/lib/debug/boot/vmlinux-{RELEASE}.debug"),
            format!("./boot/config-{RELEASE}"),
        ),
        (
            format!("{modules}/vmlinux.xz"),
            format!("./usr/lib/debug/usr/lib/modules/{RELEASE}/vmlinux.debug"),
            format!("{modules}/config"),
        ),
    ] {
        for symbols in [true, false] {
            let place = Directory::new();
            let packed = xz_even(&code(symbols), 1000);
            let default = package("kernel-default", &[(&code_path, &packed), (&config, CONFIG.as_bytes())]);
            let default = place.file("default.rpm", &default);
            let info = package("kernel-default-debuginfo", &[(&debug_path, &debug(!symbols))]);
            let info = place.file("info.rpm", &info);
            let kernel = open_all(&[default.clone(), info.clone()]).unwrap();
            check(&kernel);
            assert_eq!(kernel.config.unwrap().text, CONFIG);
            assert_eq!(kernel.origin.package.unwrap().name, "kernel-default-debuginfo");
            // The code alone is a kernel, too; the debug information alone is none, and says what is missing.
            let kernel = open_all(&[default]).unwrap();
            assert_eq!(section(&kernel.vmlinux, ".text").unwrap(), text());
            let error = open_all(&[info]).unwrap_err();
            assert!(error.to_string().ends_with("and no code, which is in a file of its own"), "{error}");
            assert!(error.help().unwrap().contains("`kernel-default`"), "{error:?}");
        }
    }
}

#[test]
fn halves_are_found_beside_each_other() {
    let (code_file, debug_file) = (code(false), debug(true));
    for (name, packed) in [
        ("", code_file.clone()),
        (".gz", gzip(&code_file)),
        (".xz", xz_even(&code_file, 1000)),
        (".zst", zst(&code_file)),
    ] {
        let code_path = format!("boot/vmlinux-{RELEASE}{name}");
        let debug_path = format!("usr/lib/debug/boot/vmlinux-{RELEASE}.debug");
        // Another kernel in the same place is not mistaken for a half.
        let other = "boot/vmlinux-6.3.0-1-default";
        let mut members = [(code_path.as_str(), &packed), (debug_path.as_str(), &debug_file)];
        for _ in 0..2 {
            let files: Vec<_> = members.iter().map(|(path, bytes)| member(path, b'0', bytes)).collect();
            let archive =
                tar(&[files, vec![member(other, b'0', &elf(&[(".text", 1, CODE, b"other")]))]].concat());
            check(&open_bytes("linux.tar", &archive, &Silent).unwrap());
            members.reverse();
        }
        let place = Directory::new();
        let paths = members.map(|(path, bytes)| place.file(path, bytes));
        check(&open(place.0.path(), &Options::default(), &Silent).unwrap());
        check(&open_all(&paths).unwrap());
    }
}

#[test]
fn halves_of_different_builds_are_refused() {
    let place = Directory::new();
    let other = elf(&[(".text", 1, CODE, b"short"), (".data", 1, LOADED, b"data")]);
    let paths = [
        place.file(&format!("vmlinux-{RELEASE}"), &other),
        place.file(&format!("vmlinux-{RELEASE}.debug"), &debug(true)),
    ];
    let error = open_all(&paths).unwrap_err().to_string();
    assert!(error.ends_with("section `.text` has 5 and 3000 bytes"), "{error}");
    let note = |id: u8| [&[4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &[id; 4]].concat();
    let (mine, theirs) = (note(1), note(2));
    let code = elf(&[(".text", 1, CODE, b"code"), (".notes", SHT_NOTE, LOADED, &mine)]);
    let debug = elf(&[
        (".text", NOBITS, CODE, b"code"),
        (".notes", SHT_NOTE, LOADED, &theirs),
        (".debug_info", 1, 0, b"info"),
    ]);
    let paths = [
        place.file(&format!("vmlinux-{RELEASE}"), &code),
        place.file(&format!("vmlinux-{RELEASE}.debug"), &debug),
    ];
    let error = open_all(&paths).unwrap_err().to_string();
    assert!(error.ends_with("the build ids differ"), "{error}");
}

#[test]
fn damaged_halves_do_not_panic() {
    let (code, debug) = (code(true), debug(false));
    let join = |code: &[u8], debug: &[u8]| {
        let (code, debug) = (Bytes::owned(code.to_vec()), Bytes::owned(debug.to_vec()));
        if let Ok(joined) = join(&code, &debug) {
            let _ = part(&joined);
        }
    };
    for bytes in [&code, &debug] {
        let headers = bytes.len() - 64 * 7;
        for at in (0..64).chain(headers..bytes.len()) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                join(&changed, &debug);
                join(&code, &changed);
            }
        }
    }
}
